// Tensors that are given other memory or another size in place.
#include <cstring>

#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

void check_plain(const char* op, const Tensor& t) {
  PYDL_CHECK(!t->requires_grad, Error, op, "(): cannot resize variables that require grad");
  PYDL_CHECK(!t->is_inference || inference_mode, Error, op,
             "(): inplace update to an inference tensor outside InferenceMode is not allowed");
}

// A larger storage keeps the old bytes; tensors that shared the old one stay with it.
void grow_storage(const Tensor& t, int64_t bytes) {
  const Ref<Storage> old = t->storage;
  Ref<Storage> fresh = Storage::make(bytes);
  std::memset(fresh->data(), 0, static_cast<size_t>(bytes));
  std::memcpy(fresh->data(), old->data(), static_cast<size_t>(std::min(old->bytes(), bytes)));
  t->set_storage(std::move(fresh), t.dtype(), Dims{0});
}

Tensor resize_(const Tensor& input, IntSpan size, MemoryFormat format) {
  check_plain("resize_", input);
  const int64_t n = checked_numel(size, input.item_size(), "resize_");
  if (Dims(size) == input.sizes() && format == MemoryFormat::Contiguous) return input;
  const int64_t offset = input->offset;
  int64_t end, bytes;
  PYDL_CHECK(!__builtin_add_overflow(offset, n, &end) && !__builtin_mul_overflow(end, input.item_size(), &bytes), ShapeError,
             "resize_(): size ", size, " does not fit 64 bits");
  const Dims strides = format_strides(size, format, "resize_");
  if (n && bytes > input->storage->bytes()) {
    PYDL_CHECK(!input->storage->foreign(), Error, "resize_(): the memory of this tensor is not pydl's own and cannot grow");
    grow_storage(input, bytes);
  }
  input->set_geometry(size, strides, offset);
  input->bump_version();
  return input;
}
Tensor resize_as_(const Tensor& input, const Tensor& the_template, MemoryFormat format) {
  return resize_(input, the_template.sizes(), format);
}

void share(const Tensor& input, const Tensor& source, IntSpan size, IntSpan stride, int64_t offset) {
  PYDL_CHECK(!input->requires_grad || !autograd::mode.grad, Error,
             "set_(): cannot be used on a tensor that requires grad while it is recorded");
  PYDL_CHECK(source.dtype() == input.dtype(), Error, "set_(): Could not set tensor of type ", source.dtype(), " to a tensor of type ",
             input.dtype());
  input->set_storage(source->storage, source.dtype(), Dims{0});
  input->set_geometry(size, stride, offset);
  input->bump_version();
}
Tensor set_(const Tensor& input, const Tensor& source) {
  share(input, source, Dims(source.sizes()), Dims(source.strides()), source->offset);
  return input;
}
Tensor set_nothing(const Tensor& input) { return set_(input, empty(Dims{0}, input.dtype(), "set_")); }
Tensor set_part(const Tensor& input, const Tensor& source, int64_t storage_offset, IntSpan size, std::optional<IntSpan> stride) {
  const Dims strides =
      stride ? Dims(*stride) : (static_cast<void>(checked_numel(size, source.item_size(), "set_")), contiguous_strides(size));
  const autograd::GradGuard off(false);
  const Tensor part = as_strided(source, size, strides, storage_offset);  // checks that it lies inside
  share(input, source, Dims(part.sizes()), Dims(part.strides()), part->offset);
  return input;
}

bool is_set_to(const Tensor& input, const Tensor& tensor) {
  return input->storage.get() == tensor->storage.get() && input->offset == tensor->offset && input.sizes() == tensor.sizes() &&
         input.strides() == tensor.strides();
}
}  // namespace

PYDL_OP(resize_, "resize_(input: Tensor, size: Size, *, memory_format: memory_format = contiguous_format) -> Tensor", Method | InplaceOnly,
        R"doc(
Gives this tensor another size. Its memory is kept as far as it goes; more memory starts as zeros and is no longer shared with
other tensors.

Raises RuntimeError for a tensor that requires grad.

Example:
    >>> pydl.tensor([1, 2, 3, 4]).resize_(2, 2)
    tensor([[1, 2],
            [3, 4]])
)doc");
PYDL_OP(resize_as_, "resize_as_(input: Tensor, the_template: Tensor, *, memory_format: memory_format = contiguous_format) -> Tensor",
        Function | Method | InplaceOnly, R"doc(
`Tensor.resize_` to the size of another tensor.

Example:
    >>> pydl.tensor([1, 2]).resize_as_(pydl.ones(1))
    tensor([1])
)doc");
PYDL_OP(set_nothing, "set_(input: Tensor) -> Tensor", Method | InplaceOnly, R"doc(
Gives this tensor the memory, size and strides of another one, or part of its memory; without arguments none.

Example:
    >>> pydl.zeros(2).set_(pydl.ones(3))
    tensor([1., 1., 1.])
)doc");
PYDL_OP(set_, "set_(input: Tensor, source: Tensor) -> Tensor", Method | InplaceOnly, R"doc()doc");
PYDL_OP(set_part, "set_(input: Tensor, source: Tensor, storage_offset: int, size: Size, stride: Size | None = None) -> Tensor",
        Method | InplaceOnly, R"doc()doc");
PYDL_OP(is_set_to, "is_set_to(input: Tensor, tensor: Tensor) -> bool", Method, R"doc(
Do both tensors look at the same memory in the same way?

Example:
    >>> x = pydl.ones(2)
    >>> x.is_set_to(x[:])
    True
)doc");
}  // namespace pydl
