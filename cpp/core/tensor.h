// Storage, TensorImpl and the Tensor handle.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/allocator.h"
#include "core/ref.h"
#include "core/scalar.h"
#include "core/shape.h"

namespace pydl {

// A run of bytes with an owner. Payloads up to 64 bytes live inside the object.
class Storage final : public RefCounted, public Pooled {
 public:
  using Release = void (*)(void* context);

  static Ref<Storage> make(int64_t bytes);  // uninitialised
  // Foreign memory; `release(context)` is called once when the storage dies.
  static Ref<Storage> wrap(void* data, int64_t bytes, Release release, void* context, bool read_only);
  static void destroy(Storage* s);

  char* data() const { return data_; }
  int64_t bytes() const { return bytes_; }
  bool read_only() const { return read_only_; }
  bool foreign() const { return release_ != nullptr; }

  std::atomic<uint32_t> version{0};

 private:
  static constexpr int64_t kInline = 64;
  Storage() = default;
  ~Storage() = default;
  char* data_ = nullptr;
  int64_t bytes_ = 0;
  Release release_ = nullptr;
  void* context_ = nullptr;
  bool read_only_ = false;
  alignas(kAlignment) char inline_[kInline];
};

// A version counter of its own, for `Tensor.data`, whose writes autograd must not notice.
struct VersionCounter final : public RefCounted, public Pooled {
  std::atomic<uint32_t> value{0};
  static void destroy(VersionCounter* v) { delete v; }
};

// What autograd hangs on a tensor; defined in autograd/, known here only so that it can be destroyed.
struct AutogradMetaBase {
  virtual ~AutogradMetaBase() = default;
};

// New tensors of this thread are inference tensors (autograd's inference mode).
extern thread_local bool inference_mode;

class TensorImpl final : public RefCounted, public Pooled {
 public:
  TensorImpl(Ref<Storage> storage, DType dtype, IntSpan sizes, IntSpan strides, int64_t offset);
  TensorImpl(Ref<Storage> storage, DType dtype, IntSpan sizes);  // contiguous, offset 0
  ~TensorImpl() = default;
  static void destroy(TensorImpl* t);

  void set_geometry(IntSpan new_sizes, IntSpan new_strides, int64_t new_offset);
  void set_storage(Ref<Storage> s, DType new_dtype, IntSpan new_sizes);
  void bump_version() { counter().fetch_add(1, std::memory_order_relaxed); }
  uint32_t version() { return counter().load(std::memory_order_relaxed); }

  Ref<Storage> storage;
  char* data = nullptr;  // storage data + offset
  int64_t numel = 0;
  int64_t offset = 0;  // elements
  DType dtype;
  bool contiguous = true;
  bool requires_grad = false;          // a leaf's own flag; non-leaves say it through their grad_fn
  bool is_inference = inference_mode;  // made in inference mode
  bool wrapped_number = false;         // stands for a Python number in type promotion
  bool is_parameter = false;
  Dims sizes, strides;
  std::unique_ptr<AutogradMetaBase> autograd;
  Ref<VersionCounter> own_version;
  void* pyobject = nullptr;  // the live Python object of this tensor, if any (not owned)
  static void (*on_destroy)(TensorImpl*);

 private:
  std::atomic<uint32_t>& counter() { return own_version ? own_version->value : storage->version; }
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  static Tensor share(TensorImpl* p) { return Tensor(Ref<TensorImpl>::share(p)); }

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const { return defined(); }
  TensorImpl* impl() const { return impl_.get(); }
  TensorImpl* operator->() const { return impl_.get(); }
  TensorImpl* release() { return impl_.release(); }
  bool same(const Tensor& o) const { return impl_.get() == o.impl_.get(); }

  DType dtype() const { return impl_->dtype; }
  int ndim() const { return impl_->sizes.size(); }
  int64_t numel() const { return impl_->numel; }
  int64_t size(int dim) const { return impl_->sizes[dim]; }
  int64_t stride(int dim) const { return impl_->strides[dim]; }
  const Dims& sizes() const { return impl_->sizes; }
  const Dims& strides() const { return impl_->strides; }
  bool contiguous() const { return impl_->contiguous; }
  int64_t item_size() const { return pydl::item_size(impl_->dtype); }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(impl_->data);
  }

 private:
  Ref<TensorImpl> impl_;
};

// New uninitialised contiguous tensor. `sizes` are checked.
Tensor empty(IntSpan sizes, DType dtype, const char* op = "empty");
Tensor empty_strided(IntSpan sizes, IntSpan strides, DType dtype, const char* op);
// A view of `base`'s storage without any autograd record; the geometry must lie inside the storage.
Tensor raw_view(const Tensor& base, IntSpan sizes, IntSpan strides, int64_t offset);
Tensor raw_alias(const Tensor& base);
// 0-d tensor holding a number.
Tensor scalar_tensor(const Scalar& value, DType dtype);

DType default_dtype();
void set_default_dtype(DType dtype);
DType scalar_dtype(const Scalar& s);  // bool, int64, the default dtype, or its complex type

// Operands of a promotion, in torch's three categories: tensors with dims, 0-d tensors, Python numbers.
class Promotion {
 public:
  Promotion& add(const Tensor& t);
  Promotion& add(const Scalar& s);
  DType result() const;

 private:
  void merge(int category, DType d);
  int seen_[3] = {-1, -1, -1};
};

enum class Overlap { None, Full, Partial };
// May two tensors' memory overlap? Full: same bytes in the same order.
Overlap memory_overlap(const Tensor& a, const Tensor& b);
// Does a tensor have two indices for one element (stride 0, overlapping strides)?
bool has_internal_overlap(const Tensor& t);

}  // namespace pydl
