// Views as copies, and writes to a view of a copy.
#include "ops/copy/copy.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

Tensor own(const Tensor& v) { return clone(v, MemoryFormat::Contiguous); }

Tensor alias_copy(const Tensor& input) { return clone(input); }
Tensor detach_copy(const Tensor& input) { return clone(detach(input)); }
Tensor as_strided_copy(const Tensor& input, IntSpan size, IntSpan stride, std::optional<int64_t> storage_offset) {
  return own(as_strided(input, size, stride, storage_offset));
}
Tensor diagonal_copy(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) { return own(diagonal(input, offset, dim1, dim2)); }
Tensor expand_copy(const Tensor& input, IntSpan size) { return own(expand(input, size)); }
Tensor permute_copy(const Tensor& input, IntSpan dims) { return own(permute(input, dims)); }
Tensor select_copy(const Tensor& input, int64_t dim, int64_t index) { return own(select(input, dim, index)); }
Tensor squeeze_copy(const Tensor& input, std::optional<IntSpan> dim) { return own(squeeze(input, dim)); }
Tensor t_copy(const Tensor& input) {
  PYDL_CHECK(input.ndim() <= 2, Error, "t_copy(): expects a tensor with <= 2 dimensions, but self is ", input.ndim(), "D");
  return own(input.ndim() == 2 ? transpose(input, 0, 1) : input);
}
Tensor transpose_copy(const Tensor& input, int64_t dim0, int64_t dim1) { return own(transpose(input, dim0, dim1)); }
Tensor unfold_copy(const Tensor& input, int64_t dimension, int64_t size, int64_t step) { return own(unfold(input, dimension, size, step)); }
Tensor unsqueeze_copy(const Tensor& input, int64_t dim) { return own(unsqueeze(input, dim)); }
Tensor view_copy(const Tensor& input, IntSpan size) { return own(reshape(input, size)); }
Tensor view_as_real_copy(const Tensor& input) { return own(view_as_real(input)); }
Tensor view_as_complex_copy(const Tensor& input) { return own(view_as_complex(input)); }
Tensor narrow_copy(const Tensor& input, int64_t dim, int64_t start, int64_t length) { return own(narrow(input, dim, start, length)); }

// Python's slice: missing and negative ends, cut off at the size.
Tensor python_slice(const char* op, const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                    int64_t step) {
  PYDL_CHECK(input.ndim() > 0, Error, op, "(): cannot be applied to a 0-dim tensor.");
  PYDL_CHECK(step > 0, Error, op, "(): slice step must be positive, got ", step);
  const int d = wrap_dim(dim, input.ndim(), op);
  const int64_t n = input.size(d);
  const auto clip = [n](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n); };
  const int64_t first = clip(start.value_or(0)), last = clip(end.value_or(INT64_MAX));
  return slice(input, d, first, std::max(first, last), step);
}
Tensor slice_copy(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end, int64_t step) {
  return own(python_slice("slice_copy", input, dim, start, end, step));
}

// ---- a copy with one view of it overwritten ----------------------------------------------------------------------

void check_source(const char* op, const Tensor& part, const Tensor& src) {
  PYDL_CHECK(part.sizes() == src.sizes(), ShapeError, op,
             "(): expected src to have a size equal to the slice of self. src size = ", IntSpan(src.sizes()),
             ", slice size = ", IntSpan(part.sizes()));
}

template <class View>
Tensor scatter_into(const char* op, const Tensor& input, const Tensor& src, View view) {
  const Tensor out = clone(input);
  const Tensor part = view(out);
  check_source(op, part, src);
  copy_(part, src);
  return out;
}

Tensor select_scatter(const Tensor& input, const Tensor& src, int64_t dim, int64_t index) {
  return scatter_into("select_scatter", input, src, [=](const Tensor& t) { return select(t, dim, index); });
}
Tensor slice_scatter(const Tensor& input, const Tensor& src, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
                     int64_t step) {
  return scatter_into("slice_scatter", input, src,
                      [=](const Tensor& t) { return python_slice("slice_scatter", t, dim, start, end, step); });
}
Tensor diagonal_scatter(const Tensor& input, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  return scatter_into("diagonal_scatter", input, src, [=](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}
// The strides count in the memory of `input`, so a copy of all of it that `input` reaches is what is written to.
Tensor as_strided_scatter(const Tensor& input, const Tensor& src, IntSpan size, IntSpan stride, std::optional<int64_t> storage_offset) {
  int64_t reach = input.numel() ? input->offset + 1 : 0;
  for (int i = 0; i < input.ndim() && reach; ++i) reach += (input.size(i) - 1) * input.stride(i);
  const int64_t offset = input->offset, one[] = {1}, all[] = {reach};
  const Tensor memory = clone(as_strided(input, all, one, 0));
  const Tensor part = as_strided(memory, size, stride, storage_offset.value_or(offset));
  check_source("as_strided_scatter", part, src);
  copy_(part, src);
  return as_strided(memory, input.sizes(), input.strides(), input.numel() ? offset : 0);
}

}  // namespace

PYDL_OP(alias_copy, "alias_copy(input: Tensor) -> Tensor", Function | Out, R"doc(
A copy of `input`.

Example:
    >>> pydl.alias_copy(pydl.tensor([1, 2]))
    tensor([1, 2])
)doc");
PYDL_OP(detach_copy, "detach_copy(input: Tensor) -> Tensor", Function | Out, R"doc(
A copy of `input` that is not part of the graph.

Example:
    >>> pydl.detach_copy(pydl.ones(1, requires_grad=True)).requires_grad
    False
)doc");
PYDL_OP(as_strided_copy, "as_strided_copy(input: Tensor, size: Size, stride: Size, storage_offset: int | None = None) -> Tensor",
        Function | Out, R"doc(
A copy of `as_strided`.

Example:
    >>> pydl.as_strided_copy(pydl.arange(6), (2, 2), (1, 2))
    tensor([[0, 2],
            [1, 3]])
)doc");
PYDL_OP(diagonal_copy, "diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor", Function | Out, R"doc(
A copy of `diagonal`.

Example:
    >>> pydl.diagonal_copy(pydl.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
)doc");
PYDL_OP(expand_copy, "expand_copy(input: Tensor, size: Size) -> Tensor", Function | Out, R"doc(
A copy of `Tensor.expand`.

Example:
    >>> pydl.expand_copy(pydl.tensor([[1], [2]]), (2, 3))
    tensor([[1, 1, 1],
            [2, 2, 2]])
)doc");
PYDL_OP(permute_copy, "permute_copy(input: Tensor, dims: Size) -> Tensor", Function | Out, R"doc(
A copy of `permute`.

Example:
    >>> pydl.permute_copy(pydl.ones(2, 3), (1, 0)).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(select_copy, "select_copy(input: Tensor, dim: int, index: int) -> Tensor", Function | Out, R"doc(
A copy of `select`.

Example:
    >>> pydl.select_copy(pydl.tensor([[1, 2], [3, 4]]), 1, 0)
    tensor([1, 3])
)doc");
PYDL_OP(slice_copy, "slice_copy(input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor",
        Function | Out, R"doc(
A copy of the elements start, start + step, ... before `end` along `dim`, ends as in a Python slice.

Example:
    >>> pydl.slice_copy(pydl.arange(5), 0, 1, None, 2)
    tensor([1, 3])
)doc");
PYDL_OP(squeeze_copy, "squeeze_copy(input: Tensor, dim: int | Size | None = None) -> Tensor", Function | Out, R"doc(
A copy of `squeeze`.

Example:
    >>> pydl.squeeze_copy(pydl.ones(1, 2)).shape
    torch.Size([2])
)doc");
PYDL_OP(t_copy, "t_copy(input: Tensor) -> Tensor", Function | Out, R"doc(
A copy of `t`.

Example:
    >>> pydl.t_copy(pydl.tensor([[1, 2]]))
    tensor([[1],
            [2]])
)doc");
PYDL_OP(transpose_copy, "transpose_copy(input: Tensor, dim0: int, dim1: int) -> Tensor", Function | Out, R"doc(
A copy of `transpose`.

Example:
    >>> pydl.transpose_copy(pydl.tensor([[1, 2]]), 0, 1)
    tensor([[1],
            [2]])
)doc");
PYDL_OP(unfold_copy, "unfold_copy(input: Tensor, dimension: int, size: int, step: int) -> Tensor", Function | Out, R"doc(
A copy of `Tensor.unfold`.

Example:
    >>> pydl.unfold_copy(pydl.arange(4), 0, 2, 2)
    tensor([[0, 1],
            [2, 3]])
)doc");
PYDL_OP(unsqueeze_copy, "unsqueeze_copy(input: Tensor, dim: int) -> Tensor", Function | Out, R"doc(
A copy of `unsqueeze`.

Example:
    >>> pydl.unsqueeze_copy(pydl.tensor([1, 2]), 0)
    tensor([[1, 2]])
)doc");
PYDL_OP(view_copy, "view_copy(input: Tensor, size: Size) -> Tensor", Function | Out, R"doc(
A copy of `Tensor.view`.

Example:
    >>> pydl.view_copy(pydl.arange(4), (2, 2))
    tensor([[0, 1],
            [2, 3]])
)doc");
PYDL_OP(view_as_real_copy, "view_as_real_copy(input: Tensor) -> Tensor", Function | Out, R"doc(
A copy of `view_as_real`.

Example:
    >>> pydl.view_as_real_copy(pydl.tensor([1+2j]))
    tensor([[1., 2.]])
)doc");
PYDL_OP(view_as_complex_copy, "view_as_complex_copy(input: Tensor) -> Tensor", Function | Out, R"doc(
A copy of `view_as_complex`.

Example:
    >>> pydl.view_as_complex_copy(pydl.tensor([[1., 2.]]))
    tensor([1.+2.j])
)doc");
PYDL_OP(narrow_copy, "narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor", Function | Method | Out, R"doc(
A copy of `narrow`.

Example:
    >>> pydl.narrow_copy(pydl.arange(4), 0, 1, 2)
    tensor([1, 2])
)doc");
PYDL_OP(select_scatter, "select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor", Function | Method | Out, R"doc(
A copy of `input` with `src` in place of `select(input, dim, index)`, whose size it must have.

Example:
    >>> pydl.select_scatter(pydl.zeros(2, 2), pydl.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
)doc");
PYDL_OP(slice_scatter,
        "slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> "
        "Tensor",
        Function | Method | Out, R"doc(
A copy of `input` with `src` in place of the elements start, start + step, ... before `end` along `dim`.

Example:
    >>> pydl.slice_scatter(pydl.zeros(4), pydl.ones(2), start=1, end=3)
    tensor([0., 1., 1., 0.])
)doc");
PYDL_OP(diagonal_scatter, "diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor",
        Function | Method | Out, R"doc(
A copy of `input` with `src` in place of a diagonal, see `diagonal`.

Example:
    >>> pydl.diagonal_scatter(pydl.zeros(2, 2), pydl.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
)doc");
PYDL_OP(as_strided_scatter,
        "as_strided_scatter(input: Tensor, src: Tensor, size: Size, stride: Size, storage_offset: int | None = None) -> Tensor",
        Function | Method | Out, R"doc(
A copy of `input` with `src` in place of `as_strided(input, size, stride, storage_offset)`.

Example:
    >>> pydl.as_strided_scatter(pydl.zeros(4), pydl.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
)doc");

}  // namespace pydl
