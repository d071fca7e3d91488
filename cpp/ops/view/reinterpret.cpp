// The same memory under another dtype, and shapes changed in place.
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

Tensor over_storage(const Tensor& base, DType dtype, const Dims& sizes, const Dims& strides, int64_t offset) {
  Tensor v(Ref<TensorImpl>::adopt(new TensorImpl(base->storage, dtype, sizes, strides, offset)));
  v->own_version = base->own_version;
  return v;
}

}  // namespace

Tensor view_as_real(const Tensor& input) {
  PYDL_CHECK(is_complex(input.dtype()), Error, "view_as_real(): is only supported for complex tensors");
  Dims sizes = input.sizes(), strides = input.strides();
  for (int64_t& s : strides) s *= 2;
  sizes.push_back(2);
  strides.push_back(1);
  return record_view("ViewAsRealBackward0", input, over_storage(input, real_type(input.dtype()), sizes, strides, 2 * input->offset),
                     [](Backward& b) { b.set(0, view_as_complex(contiguous(b.grad()))); });
}

Tensor view_as_complex(const Tensor& input) {
  PYDL_CHECK(input.dtype() == DType::Float32 || input.dtype() == DType::Float64 || input.dtype() == DType::Float16, Error,
             "view_as_complex(): is only supported for floating point tensors, but got a tensor of scalar type: ", input.dtype());
  const int n = input.ndim() - 1;
  PYDL_CHECK(n >= 0, Error, "view_as_complex(): Input tensor must have one or more dimensions");
  PYDL_CHECK(input.size(n) == 2, Error, "view_as_complex(): Tensor must have a last dimension of size 2");
  PYDL_CHECK(input.stride(n) == 1, Error, "view_as_complex(): Tensor must have a last dimension with stride 1");
  PYDL_CHECK(input->offset % 2 == 0, Error, "view_as_complex(): Tensor must have a storage_offset divisible by 2");
  Dims sizes, strides;
  for (int i = 0; i < n; ++i) {
    PYDL_CHECK(input.stride(i) % 2 == 0, Error, "view_as_complex(): Tensor must have a stride divisible by 2 for all but last dimension");
    sizes.push_back(input.size(i));
    strides.push_back(input.stride(i) / 2);
  }
  return record_view("ViewAsComplexBackward0", input, over_storage(input, complex_type(input.dtype()), sizes, strides, input->offset / 2),
                     [](Backward& b) { b.set(0, view_as_real(b.grad())); });
}

namespace {

// The bytes as another dtype; the last dim shrinks or grows where the sizes of the elements differ. No gradient flows.
Tensor view_dtype(const Tensor& input, DType dtype) {
  if (dtype == input.dtype()) return view(input, input.sizes());
  const int64_t from = input.item_size(), to = item_size(dtype);
  // Memory of others (frombuffer, from_numpy) may start anywhere.
  PYDL_CHECK(reinterpret_cast<uintptr_t>(input->data) % static_cast<uintptr_t>(std::min<int64_t>(to, 8)) == 0 || input.numel() == 0, Error,
             "view(): the memory of this tensor is not aligned for ", dtype, "; clone() it first");
  Dims sizes = input.sizes(), strides = input.strides();
  int64_t offset = input->offset;
  if (from != to) {
    PYDL_CHECK(input.ndim() > 0, Error, "view(): self.dim() cannot be 0 to view ", input.dtype(), " as ", dtype,
               " (different element sizes)");
    PYDL_CHECK(strides.back() == 1, Error, "view(): self.stride(-1) must be 1 to view ", input.dtype(), " as ", dtype,
               " (different element sizes), but got ", strides.back());
    const int64_t bytes = sizes.back() * from;
    PYDL_CHECK(bytes % to == 0 && offset * from % to == 0, Error, "view(): self.size(-1) and self.storage_offset() must be divisible by ",
               to / from, " to view ", input.dtype(), " as ", dtype, " (different element sizes)");
    for (int i = 0; i + 1 < sizes.size(); ++i) {
      PYDL_CHECK(strides[i] * from % to == 0, Error, "view(): self.stride(", i, ") must be divisible by ", to / from, " to view ",
                 input.dtype(), " as ", dtype);
      strides[i] = strides[i] * from / to;
    }
    sizes.back() = bytes / to;
    offset = offset * from / to;
  }
  return over_storage(input, dtype, sizes, strides, offset);
}

// ---- in place --------------------------------------------------------------------------------------------------

// Gives `t` the geometry of `shaped`, a view of it; `undo` brings a gradient back to the old shape.
template <class Undo>
Tensor reshape_in_place(const char* op, const char* node, const Tensor& t, const Tensor& shaped, Undo undo) {
  check_inplace(op, t);
  const bool grad = needs_grad(t);
  PYDL_CHECK(!grad || !autograd::meta(t) || !autograd::meta(t)->view, NotImplemented, op, "(): not supported on a view that requires grad");
  const Dims sizes = shaped.sizes(), strides = shaped.strides();
  t->set_geometry(sizes, strides, shaped->offset);
  t->bump_version();
  if (grad) record(Dest::inplace(t), node, t, {&t}, [undo](Backward& b) { b.set(0, undo(b.grad())); });
  return t;
}

Tensor squeeze_(const Tensor& t, std::optional<IntSpan> dim) {
  Tensor shaped;
  {
    const autograd::GradGuard off(false);
    shaped = squeeze(t, dim);
  }
  return reshape_in_place("squeeze_", "SqueezeBackward0", t, shaped, [sizes = t.sizes()](const Tensor& g) { return reshape(g, sizes); });
}
Tensor unsqueeze_(const Tensor& t, int64_t dim) {
  Tensor shaped;
  {
    const autograd::GradGuard off(false);
    shaped = unsqueeze(t, dim);
  }
  return reshape_in_place("unsqueeze_", "UnsqueezeBackward0", t, shaped,
                          [sizes = t.sizes()](const Tensor& g) { return reshape(g, sizes); });
}
Tensor transpose_(const Tensor& t, int64_t dim0, int64_t dim1) {
  Tensor shaped;
  {
    const autograd::GradGuard off(false);
    shaped = transpose(t, dim0, dim1);
  }
  return reshape_in_place("transpose_", "TransposeBackward0", t, shaped,
                          [dim0, dim1](const Tensor& g) { return transpose(g, dim0, dim1); });
}
Tensor as_strided_(const Tensor& t, IntSpan size, IntSpan stride, std::optional<int64_t> storage_offset) {
  check_inplace("as_strided_", t);
  const bool grad = needs_grad(t);
  PYDL_CHECK(!grad || !autograd::meta(t) || !autograd::meta(t)->view, NotImplemented,
             "as_strided_(): not supported on a view that requires grad");
  Tensor shaped;
  {
    const autograd::GradGuard off(false);
    shaped = as_strided(t, size, stride, storage_offset);  // checks that it lies inside
  }
  const Ref<autograd::Node> node = grad ? strided_view_node(t, size, stride, shaped->offset) : nullptr;
  t->set_geometry(Dims(size), Dims(stride), shaped->offset);
  t->bump_version();
  if (grad) autograd::set_history(t, node);
  return t;
}
Tensor t_(const Tensor& input) {
  PYDL_CHECK(input.ndim() <= 2, Error, "t_() expects a tensor with <= 2 dimensions, but self is ", input.ndim(), "D");
  return input.ndim() == 2 ? transpose_(input, 0, 1) : input;
}

}  // namespace

PYDL_OP(view_as_real, "view_as_real(input: Tensor) -> Tensor", Function, R"doc(
A complex tensor as a real view with a last dim of size 2.

Example:
    >>> pydl.view_as_real(pydl.tensor([1+2j]))
    tensor([[1., 2.]])
)doc");
PYDL_OP(view_as_complex, "view_as_complex(input: Tensor) -> Tensor", Function, R"doc(
A floating tensor with a last dim of size 2 as a complex view.

Example:
    >>> pydl.view_as_complex(pydl.tensor([[1., 2.]]))
    tensor([1.+2.j])
)doc");
PYDL_OP(view_dtype, "view(input: Tensor, dtype: dtype) -> Tensor", Method, R"doc()doc");
PYDL_OP(squeeze_, "squeeze_(input: Tensor, dim: int | Size | None = None) -> Tensor", Method | InplaceOnly, R"doc(
`squeeze` of this tensor itself.

Example:
    >>> pydl.ones(1, 2).squeeze_()
    tensor([1., 1.])
)doc");
PYDL_OP(unsqueeze_, "unsqueeze_(input: Tensor, dim: int) -> Tensor", Method | InplaceOnly, R"doc(
`unsqueeze` of this tensor itself.

Example:
    >>> pydl.ones(2).unsqueeze_(0)
    tensor([[1., 1.]])
)doc");
PYDL_OP(transpose_, "transpose_(input: Tensor, dim0: int, dim1: int) -> Tensor", Method | InplaceOnly, R"doc(
`transpose` of this tensor itself.

Example:
    >>> pydl.ones(2, 3).transpose_(0, 1).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(transpose_, "swapdims_(input: Tensor, dim0: int, dim1: int) -> Tensor", Method | InplaceOnly, R"doc(
Alias of `transpose_`.

Example:
    >>> pydl.ones(2, 3).swapdims_(0, 1).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(transpose_, "swapaxes_(input: Tensor, axis0: int, axis1: int) -> Tensor", Method | InplaceOnly, R"doc(
Alias of `transpose_`.

Example:
    >>> pydl.ones(2, 3).swapaxes_(0, 1).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(as_strided_, "as_strided_(input: Tensor, size: Size, stride: Size, storage_offset: int | None = None) -> Tensor",
        Function | Method | InplaceOnly, R"doc(
`as_strided` of this tensor itself.

Example:
    >>> pydl.arange(4).as_strided_((2,), (2,))
    tensor([0, 2])
)doc");
PYDL_OP(t_, "t_(input: Tensor) -> Tensor", Method | InplaceOnly, R"doc(
`t` of this tensor itself.

Example:
    >>> pydl.ones(2, 3).t_().shape
    torch.Size([3, 2])
)doc");

}  // namespace pydl
