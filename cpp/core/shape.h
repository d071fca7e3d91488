// Sizes and strides: small vectors and checked arithmetic on them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

#include "core/error.h"

namespace pydl {

inline constexpr int kMaxDims = 64;  // as NumPy 2

using IntSpan = std::span<const int64_t>;

// A vector of at most kMaxDims int64, inline up to six.
class Dims {
 public:
  Dims() = default;
  Dims(IntSpan v) { assign(v); }
  Dims(std::initializer_list<int64_t> v) { assign(IntSpan(v.begin(), v.size())); }
  Dims(int n, int64_t fill) {
    resize(n);
    std::fill_n(data_, n, fill);
  }
  Dims(const Dims& o) { assign(o); }
  Dims(Dims&& o) noexcept { steal(o); }
  Dims& operator=(const Dims& o) {
    if (this != &o) assign(o);
    return *this;
  }
  Dims& operator=(Dims&& o) noexcept {
    if (this != &o) {
      if (data_ != inline_) delete[] data_;
      steal(o);
    }
    return *this;
  }
  ~Dims() {
    if (data_ != inline_) delete[] data_;
  }

  operator IntSpan() const { return {data_, static_cast<size_t>(size_)}; }
  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return data_; }
  const int64_t* data() const { return data_; }
  int64_t& operator[](int i) { return data_[i]; }
  int64_t operator[](int i) const { return data_[i]; }
  int64_t* begin() { return data_; }
  int64_t* end() { return data_ + size_; }
  const int64_t* begin() const { return data_; }
  const int64_t* end() const { return data_ + size_; }
  int64_t& back() { return data_[size_ - 1]; }
  int64_t back() const { return data_[size_ - 1]; }

  void resize(int n) {
    reserve(n);
    size_ = n;
  }
  void push_back(int64_t v) {
    reserve(size_ + 1);
    data_[size_++] = v;
  }
  void insert(int at, int64_t v) {
    push_back(v);
    std::rotate(data_ + at, data_ + size_ - 1, data_ + size_);
  }
  void erase(int at) {
    std::copy(data_ + at + 1, data_ + size_, data_ + at);
    --size_;
  }
  friend bool operator==(const Dims& a, const Dims& b) {
    return a.size_ == b.size_ && std::memcmp(a.data_, b.data_, sizeof(int64_t) * static_cast<size_t>(a.size_)) == 0;
  }

 private:
  static constexpr int kInline = 6;
  void assign(IntSpan v) {
    resize(static_cast<int>(v.size()));
    std::copy(v.begin(), v.end(), data_);
  }
  void reserve(int n) {
    if (n <= capacity_) return;
    PYDL_CHECK(n <= kMaxDims, ShapeError, "tensors have at most ", kMaxDims, " dimensions, got ", n);
    const int capacity = std::min(std::max(n, 2 * capacity_), kMaxDims);
    int64_t* bigger = new int64_t[static_cast<size_t>(capacity)];
    std::copy_n(data_, size_, bigger);
    if (data_ != inline_) delete[] data_;
    data_ = bigger;
    capacity_ = capacity;
  }
  void steal(Dims& o) {
    size_ = o.size_;
    capacity_ = o.capacity_;
    if (o.data_ == o.inline_) {
      data_ = inline_;
      std::copy_n(o.inline_, o.size_, inline_);
    } else {
      data_ = o.data_;
    }
    o.data_ = o.inline_;
    o.size_ = 0;
    o.capacity_ = kInline;
  }

  int64_t* data_ = inline_;
  int size_ = 0;
  int capacity_ = kInline;
  int64_t inline_[kInline];
};

// The product of sizes; throws ShapeError if one is negative, or if the number of elements or of bytes
// (with `item_size` each) does not fit int64.
int64_t checked_numel(IntSpan sizes, int64_t item_size, const char* op);
int64_t numel_of(IntSpan sizes);  // sizes already checked
Dims contiguous_strides(IntSpan sizes);

// Maps a possibly negative dim to [0, ndim); a 0-d tensor counts as one-dimensional, as in torch.
int wrap_dim(int64_t dim, int ndim, const char* op, const char* argument = "dim");
// Each wrapped, sorted flag per dim; throws on duplicates. An empty list means all dims.
uint64_t dim_mask(IntSpan dims, int ndim, const char* op);

// NumPy's broadcasting of two shapes; throws ShapeError naming both.
Dims broadcast_shapes(IntSpan a, IntSpan b, const char* op);

}  // namespace pydl
