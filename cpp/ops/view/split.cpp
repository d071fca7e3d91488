// Splitting at given places, and splits whose parts may be written in place.
#include "ops/copy/copy.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

// Parts between neighbouring bounds, which may lie outside [0, n] or run backwards: such parts are cut off or empty.
std::vector<Tensor> parts_between(const Tensor& input, int d, const std::vector<int64_t>& inner) {
  const int64_t n = input.size(d);
  const auto clip = [n](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + n : at, 0, n); };
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (size_t i = 0; i <= inner.size(); ++i) {
    const int64_t end = i < inner.size() ? clip(inner[i]) : n;
    parts.push_back(slice(input, d, begin, std::max(begin, end), 1));
    begin = end;
  }
  return parts;
}

int split_dim(const char* op, const Tensor& input, int64_t dim) {
  PYDL_CHECK(input.ndim() > 0, Error, op, "(): expected at least a 1-dimensional tensor, but got a tensor with 0 dims");
  return wrap_dim(dim, input.ndim(), op);
}

std::vector<Tensor> tensor_split(const Tensor& input, int64_t sections, int64_t dim) {
  const int d = split_dim("tensor_split", input, dim);
  PYDL_CHECK(sections > 0, Error, "tensor_split(): number of sections must be larger than 0, got ", sections);
  check_parts("tensor_split", sections);
  const int64_t n = input.size(d), each = n / sections, longer = n % sections;
  std::vector<Tensor> parts;
  for (int64_t i = 0, at = 0; i < sections; ++i) {
    const int64_t length = each + (i < longer);
    parts.push_back(slice(input, d, at, at + length, 1));
    at += length;
  }
  return parts;
}

std::vector<Tensor> tensor_split_at(const Tensor& input, IntSpan indices, int64_t dim) {
  const int d = split_dim("tensor_split", input, dim);
  return parts_between(input, d, {indices.begin(), indices.end()});
}

std::vector<Tensor> tensor_split_by(const Tensor& input, const Tensor& where, int64_t dim) {
  PYDL_CHECK(where.dtype() == DType::Int64, Error, "tensor_split(): expected tensor_indices_or_sections to have dtype of long, but got ",
             where.dtype());
  PYDL_CHECK(where.ndim() <= 1, ShapeError, "tensor_split(): expected tensor_indices_or_sections to be 0- or 1-dimensional, but got ",
             where.ndim(), " dims");
  if (where.ndim() == 0) return tensor_split(input, *where.data<int64_t>(), dim);
  std::vector<int64_t> at;
  for (int64_t i = 0; i < where.numel(); ++i) at.push_back(where.data<int64_t>()[i * where.stride(0)]);
  return parts_between(input, split_dim("tensor_split", input, dim), at);
}

// numpy.hsplit and its relatives: `sections` must divide the size.
std::vector<Tensor> equal_parts(const char* op, const Tensor& input, int64_t sections, int d) {
  PYDL_CHECK(sections > 0 && input.size(d) % sections == 0, Error, op, "(): attempted to split along dimension ", d,
             ", but the size of the dimension ", input.size(d), " is not divisible by the split_size ", sections, "!");
  return tensor_split(input, sections, d);
}
int at_least(const char* op, const Tensor& input, int ndim, int d) {
  PYDL_CHECK(input.ndim() >= ndim, ShapeError, op, "(): requires a tensor with at least ", ndim, " dimension(s), but got a tensor with ",
             input.ndim(), " dimensions!");
  return d;
}
int columns(const Tensor& input) { return at_least("hsplit", input, 1, input.ndim() == 1 ? 0 : 1); }

std::vector<Tensor> hsplit(const Tensor& input, int64_t sections) { return equal_parts("hsplit", input, sections, columns(input)); }
std::vector<Tensor> hsplit_at(const Tensor& input, IntSpan indices) { return tensor_split_at(input, indices, columns(input)); }
std::vector<Tensor> vsplit(const Tensor& input, int64_t sections) {
  return equal_parts("vsplit", input, sections, at_least("vsplit", input, 2, 0));
}
std::vector<Tensor> vsplit_at(const Tensor& input, IntSpan indices) {
  return tensor_split_at(input, indices, at_least("vsplit", input, 2, 0));
}
std::vector<Tensor> dsplit(const Tensor& input, int64_t sections) {
  return equal_parts("dsplit", input, sections, at_least("dsplit", input, 3, 2));
}
std::vector<Tensor> dsplit_at(const Tensor& input, IntSpan indices) {
  return tensor_split_at(input, indices, at_least("dsplit", input, 3, 2));
}

// ---- parts that autograd knows one by one -----------------------------------------------------------------------

std::vector<Tensor> unsafe_split_with_sizes(const Tensor& input, IntSpan split_sizes, int64_t dim) {
  const int d = split_dim("unsafe_split_with_sizes", input, dim);
  int64_t at = 0;
  for (const int64_t s : split_sizes) {
    PYDL_CHECK(s >= 0 && !__builtin_add_overflow(at, s, &at), Error, "unsafe_split_with_sizes(): split_sizes must be non-negative, got ",
               split_sizes);
  }
  PYDL_CHECK(at == input.size(d), Error, "unsafe_split_with_sizes(): expects split_sizes to sum exactly to ", input.size(d), ", got ",
             split_sizes);
  std::vector<Tensor> parts;
  at = 0;
  for (const int64_t s : split_sizes) {
    parts.push_back(slice(input, d, at, at + s, 1));
    at += s;
  }
  return parts;
}

std::vector<Tensor> unsafe_split(const Tensor& input, int64_t split_size, int64_t dim) {
  const int64_t n = input.size(split_dim("unsafe_split", input, dim));
  PYDL_CHECK(split_size > 0 || (split_size == 0 && n == 0), Error, "unsafe_split(): split_size must be positive, got ", split_size);
  check_parts("unsafe_split", split_size ? n / split_size : 0);
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < n; at += sizes.back()) sizes.push_back(std::min(split_size, n - at));
  if (sizes.empty()) sizes.push_back(0);
  return unsafe_split_with_sizes(input, sizes, dim);
}

std::vector<Tensor> unsafe_chunk(const Tensor& input, int64_t chunks, int64_t dim) {
  PYDL_CHECK(chunks > 0, Error, "unsafe_chunk(): expects `chunks` to be greater than 0, got: ", chunks);
  const int64_t n = input.size(split_dim("unsafe_chunk", input, dim));
  return unsafe_split(input, n ? (n - 1) / chunks + 1 : 0, dim);
}

std::vector<Tensor> copies(std::vector<Tensor> parts) {
  for (Tensor& p : parts) p = clone(p, MemoryFormat::Contiguous);
  return parts;
}
std::vector<Tensor> split_copy(const Tensor& input, int64_t split_size, int64_t dim) {
  return copies(unsafe_split(input, split_size, dim));
}
std::vector<Tensor> split_with_sizes_copy(const Tensor& input, IntSpan split_sizes, int64_t dim) {
  return copies(unsafe_split_with_sizes(input, split_sizes, dim));
}
std::vector<Tensor> unbind_copy(const Tensor& input, int64_t dim) {
  const int d = split_dim("unbind_copy", input, dim);
  check_parts("unbind_copy", input.size(d));
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < input.size(d); ++i) parts.push_back(clone(select(input, d, i), MemoryFormat::Contiguous));
  return parts;
}

}  // namespace

PYDL_OP(tensor_split, "tensor_split(input: Tensor, sections: int, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
Views along `dim`: `sections` of nearly equal size, the longer ones first, or (given a sequence `indices`, or a tensor) cut at
these places.

Raises RuntimeError for a number of sections below 1.

Example:
    >>> pydl.tensor_split(pydl.arange(5), 2)
    (tensor([0, 1, 2]), tensor([3, 4]))
    >>> pydl.tensor_split(pydl.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
)doc");
PYDL_OP(tensor_split_at, "tensor_split(input: Tensor, indices: Size, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc()doc");
PYDL_OP(tensor_split_by, "tensor_split(input: Tensor, tensor_indices_or_sections: Tensor, dim: int = 0) -> Sequence[Tensor]",
        Function | Method, R"doc()doc");
PYDL_OP(hsplit, "hsplit(input: Tensor, sections: int) -> Sequence[Tensor]", Function | Method, R"doc(
Views along dim 1 (dim 0 of a vector): `sections` of equal size, or cut at `indices`.

Raises RuntimeError if `sections` does not divide the size, or for a tensor without dims.

Example:
    >>> pydl.hsplit(pydl.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
)doc");
PYDL_OP(hsplit_at, "hsplit(input: Tensor, indices: Size) -> Sequence[Tensor]", Function | Method, R"doc()doc");
PYDL_OP(vsplit, "vsplit(input: Tensor, sections: int) -> Sequence[Tensor]", Function | Method, R"doc(
Views along dim 0 of a tensor of at least two dims: `sections` of equal size, or cut at `indices`.

Example:
    >>> pydl.vsplit(pydl.tensor([[1], [2]]), 2)
    (tensor([[1]]), tensor([[2]]))
)doc");
PYDL_OP(vsplit_at, "vsplit(input: Tensor, indices: Size) -> Sequence[Tensor]", Function | Method, R"doc()doc");
PYDL_OP(dsplit, "dsplit(input: Tensor, sections: int) -> Sequence[Tensor]", Function | Method, R"doc(
Views along dim 2 of a tensor of at least three dims: `sections` of equal size, or cut at `indices`.

Example:
    >>> [t.shape for t in pydl.dsplit(pydl.ones(1, 2, 4), 2)]
    [torch.Size([1, 2, 2]), torch.Size([1, 2, 2])]
)doc");
PYDL_OP(dsplit_at, "dsplit(input: Tensor, indices: Size) -> Sequence[Tensor]", Function | Method, R"doc()doc");
PYDL_OP(split_sizes, "split_with_sizes(input: Tensor, split_sizes: Size, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
Views of the given sizes along `dim`, which must add up to its size.

Example:
    >>> pydl.split_with_sizes(pydl.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
)doc");
PYDL_OP(unsafe_split, "unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
`split` whose parts may be written in place while a gradient is recorded.

Example:
    >>> pydl.unsafe_split(pydl.arange(3), 2)
    (tensor([0, 1]), tensor([2]))
)doc");
PYDL_OP(unsafe_split_with_sizes, "unsafe_split_with_sizes(input: Tensor, split_sizes: Size, dim: int = 0) -> Sequence[Tensor]",
        Function | Method, R"doc(
`split_with_sizes` whose parts may be written in place while a gradient is recorded.

Example:
    >>> pydl.unsafe_split_with_sizes(pydl.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
)doc");
PYDL_OP(unsafe_chunk, "unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
`chunk` whose parts may be written in place while a gradient is recorded.

Example:
    >>> pydl.unsafe_chunk(pydl.arange(4), 2)
    (tensor([0, 1]), tensor([2, 3]))
)doc");
PYDL_OP(split_copy, "split_copy(input: Tensor, split_size: int, dim: int = 0) -> Sequence[Tensor]", Function, R"doc(
`split` into copies.

Example:
    >>> pydl.split_copy(pydl.arange(3), 2)
    (tensor([0, 1]), tensor([2]))
)doc");
PYDL_OP(split_with_sizes_copy, "split_with_sizes_copy(input: Tensor, split_sizes: Size, dim: int = 0) -> Sequence[Tensor]", Function,
        R"doc(
`split_with_sizes` into copies.

Example:
    >>> pydl.split_with_sizes_copy(pydl.arange(3), (1, 2))
    (tensor([0]), tensor([1, 2]))
)doc");
PYDL_OP(unbind_copy, "unbind_copy(input: Tensor, dim: int = 0) -> Sequence[Tensor]", Function, R"doc(
`unbind` into copies.

Example:
    >>> pydl.unbind_copy(pydl.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
)doc");

}  // namespace pydl
