// Copies of parts of tensors in another arrangement.
#include "ops/creation/rearrange.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

Tensor range(int64_t n) { return arange(Scalar(0), Scalar(n), Scalar(1), DType::Int64); }

// True where the column minus the row is at most (lower) or at least (upper) `diagonal`.
Tensor triangle(int64_t rows, int64_t columns, int64_t diagonal, bool lower) {
  const Tensor offset = sub(unsqueeze(range(columns), 0), unsqueeze(range(rows), 1));
  return lower ? le(offset, Operand(diagonal)) : ge(offset, Operand(diagonal));
}

Tensor keep_triangle(const char* op, const Tensor& input, int64_t diagonal, bool lower, const Dest& dest) {
  PYDL_CHECK(input.ndim() >= 2, ShapeError, op, "(): input tensor must have at least 2 dimensions");
  const Tensor mask = triangle(input.size(input.ndim() - 2), input.size(input.ndim() - 1), diagonal, lower);
  const Tensor out = where(mask, original(input, dest), Operand(Scalar(false)));
  return deliver(op, out, dest, {input});
}
}  // namespace

Tensor tril(const Tensor& input, int64_t diagonal, const Dest& dest) { return keep_triangle("tril", input, diagonal, true, dest); }
Tensor triu(const Tensor& input, int64_t diagonal, const Dest& dest) { return keep_triangle("triu", input, diagonal, false, dest); }

namespace {

Tensor triangle_positions(const char* op, int64_t row, int64_t col, int64_t offset, bool lower, std::optional<DType> dtype) {
  PYDL_CHECK(row >= 0 && col >= 0, Error, op, "(): row and col must be non-negative, got ", row, " and ", col);
  return to_dtype(contiguous(transpose(nonzero(triangle(row, col, offset, lower)), 0, 1)), dtype.value_or(DType::Int64));
}
Tensor tril_indices(int64_t row, int64_t col, int64_t offset, std::optional<DType> dtype, Device) {
  return triangle_positions("tril_indices", row, col, offset, true, dtype);
}
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, std::optional<DType> dtype, Device) {
  return triangle_positions("triu_indices", row, col, offset, false, dtype);
}

}  // namespace

Tensor diag_embed(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  PYDL_CHECK(input.ndim() >= 1, ShapeError, "diag_embed(): input must have at least one dimension");
  const int n = input.ndim() + 1, a = wrap_dim(dim1, n, "diag_embed", "dim1"), c = wrap_dim(dim2, n, "diag_embed", "dim2");
  PYDL_CHECK(a != c, Error, "diag_embed(): diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t side;
  PYDL_CHECK(offset > INT64_MIN && !__builtin_add_overflow(input.size(input.ndim() - 1), offset < 0 ? -offset : offset, &side), ShapeError,
             "diag_embed(): offset ", offset, " is too large");
  Dims sizes;
  for (int i = 0, k = 0; i < n; ++i) sizes.push_back(i == a || i == c ? side : input.size(k++));
  static_cast<void>(checked_numel(sizes, input.item_size(), "diag_embed"));
  return scatter_view(input, sizes, [offset, a, c](const Tensor& t) { return diagonal(t, offset, a, c); });
}

namespace {

Tensor diag(const Tensor& input, int64_t diagonal_) {
  PYDL_CHECK(input.ndim() == 1 || input.ndim() == 2, ShapeError, "diag(): Supports 1D or 2D tensors. Got ", input.ndim(), "D");
  return input.ndim() == 1 ? diag_embed(input, diagonal_, 0, 1) : clone(diagonal(input, diagonal_, 0, 1));
}

template <class T>
void reverse_row(char* out, const char* in, int64_t n) {
  std::reverse_copy(reinterpret_cast<const T*>(in), reinterpret_cast<const T*>(in) + n, reinterpret_cast<T*>(out));
}

// One run along the last flipped dim: n blocks in reverse order.
void reverse_blocks(char* out, const char* in, int64_t n, int64_t bytes) {
  switch (bytes) {
    case 1:
      return reverse_row<uint8_t>(out, in, n);
    case 2:
      return reverse_row<uint16_t>(out, in, n);
    case 4:
      return reverse_row<uint32_t>(out, in, n);
    case 8:
      return reverse_row<uint64_t>(out, in, n);
    default:
      break;
  }
  for (int64_t i = 0; i < n; ++i) std::memcpy(out + i * bytes, in + (n - 1 - i) * bytes, static_cast<size_t>(bytes));
}

Tensor flip_raw(const Tensor& input, uint64_t mask) {
  const Tensor x = contiguous(input), out = empty(x.sizes(), x.dtype(), "flip");
  int last = x.ndim() - 1;
  int64_t bytes = x.item_size();
  while (!(mask >> last & 1)) bytes *= x.size(last--);
  const int64_t n = x.size(last), rows = x.numel() * x.item_size() / (n * bytes);
  parallel_for(rows, std::max<int64_t>(1, 65536 / (n * bytes)), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t rest = r, from = 0, step = 1;
      for (int d = last; d-- > 0;) {
        const int64_t k = rest % x.size(d);
        rest /= x.size(d);
        from += step * (mask >> d & 1 ? x.size(d) - 1 - k : k);
        step *= x.size(d);
      }
      reverse_blocks(out->data + r * n * bytes, x->data + from * n * bytes, n, bytes);
    }
  });
  return out;
}

}  // namespace

Tensor flip(const Tensor& input, IntSpan dims) {
  const uint64_t mask = dims.empty() ? 0 : dim_mask(dims, input.ndim(), "flip");
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = mask && input.numel() ? flip_raw(input, mask) : clone(input, MemoryFormat::Contiguous);
  }
  if (needs_grad(input)) record({}, "FlipBackward0", out, {&input}, [d = Dims(dims)](Backward& b) { b.set(0, flip(b.grad(), d)); });
  return out;
}

namespace {

Tensor fliplr(const Tensor& input) {
  PYDL_CHECK(input.ndim() >= 2, ShapeError, "fliplr(): Input must be >= 2-d.");
  return flip(input, Dims{1});
}
Tensor flipud(const Tensor& input) {
  PYDL_CHECK(input.ndim() >= 1, ShapeError, "flipud(): Input must be >= 1-d.");
  return flip(input, Dims{0});
}

Tensor roll_one(const Tensor& input, int64_t shift, int d) {
  const int64_t n = input.size(d);
  if (n == 0) return input;
  const int64_t by = shift % n, at = by > 0 ? n - by : -by;  // the element that comes first
  if (at == 0) return input;
  const Tensor parts[] = {narrow(input, d, at, n - at), narrow(input, d, 0, at)};
  return cat(parts, d);
}
}  // namespace

Tensor roll(const Tensor& input, IntSpan shifts, IntSpan dims) {
  PYDL_CHECK(!shifts.empty(), Error, "roll(): `shifts` required");
  if (dims.empty()) {
    PYDL_CHECK(shifts.size() == 1, Error, "roll(): shifts and dimensions must align. shifts: ", shifts.size(), ", dims:0");
    return clone(reshape(roll_one(reshape(input, Dims{input.numel()}), shifts[0], 0), input.sizes()));
  }
  PYDL_CHECK(shifts.size() == dims.size(), Error, "roll(): shifts and dimensions must align. shifts: ", shifts.size(),
             ", dims:", dims.size());
  PYDL_CHECK(input.ndim() > 0, IndexError, "roll(): Dimension specified as ", dims[0], " but tensor has no dimensions");
  Tensor out = input;
  for (size_t i = 0; i < dims.size(); ++i) out = roll_one(out, shifts[i], wrap_dim(dims[i], input.ndim(), "roll"));
  return out.same(input) ? clone(input) : out;
}

Tensor repeat(const Tensor& input, IntSpan repeats) {
  const int n = static_cast<int>(repeats.size()), lead = n - input.ndim();
  PYDL_CHECK(lead >= 0, ShapeError, "repeat(): Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
  Dims apart, wide, sizes;
  for (int i = 0; i < n; ++i) {
    const int64_t r = repeats[static_cast<size_t>(i)], s = i < lead ? 1 : input.size(i - lead);
    PYDL_CHECK(r >= 0, ShapeError, "repeat(): Trying to create tensor with negative dimension ", r);
    int64_t total;
    PYDL_CHECK(!__builtin_mul_overflow(r, s, &total), ShapeError, "repeat(): the result is too large");
    sizes.push_back(total);
  }
  static_cast<void>(checked_numel(sizes, input.item_size(), "repeat"));
  // Dims of [repeats, size] pairs, pairs merged at the end; what is 1 needs no dim, so that there are fewer than elements have bits.
  for (int i = 0; i < n; ++i) {
    const int64_t r = repeats[static_cast<size_t>(i)], s = i < lead ? 1 : input.size(i - lead);
    if (r != 1) apart.push_back(1), wide.push_back(r);
    if (s != 1) apart.push_back(s), wide.push_back(s);
  }
  return reshape(clone(expand(reshape(input, apart), wide), MemoryFormat::Contiguous), sizes);
}

namespace {

Tensor tile(const Tensor& input, IntSpan dims) {
  Dims repeats;
  for (int i = static_cast<int>(dims.size()); i < input.ndim(); ++i) repeats.push_back(1);
  for (const int64_t d : dims) repeats.push_back(d);
  return repeat(input, repeats);
}

Tensor repeat_interleave(const Tensor& input_, int64_t repeats, std::optional<int64_t> dim, std::optional<int64_t> output_size) {
  PYDL_CHECK(repeats >= 0, Error, "repeat_interleave(): repeats must be non-negative, got ", repeats);
  const Tensor input = dim ? input_ : reshape(input_, Dims{input_.numel()});
  const int d = wrap_dim(dim.value_or(0), input.ndim(), "repeat_interleave");
  Dims wide, sizes;
  const Tensor x = input.ndim() ? input : reshape(input, Dims{1});
  for (int i = 0; i < x.ndim(); ++i) {
    wide.push_back(x.size(i));
    if (i == d) wide.push_back(repeats);
    int64_t total;
    PYDL_CHECK(!__builtin_mul_overflow(x.size(i), i == d ? repeats : 1, &total), ShapeError,
               "repeat_interleave(): the result is too large");
    sizes.push_back(total);
  }
  PYDL_CHECK(!output_size || *output_size == sizes[d], Error, "repeat_interleave(): allocated size does not match required size");
  static_cast<void>(checked_numel(sizes, input.item_size(), "repeat_interleave"));
  return reshape(clone(expand(unsqueeze(x, d + 1), wide), MemoryFormat::Contiguous), sizes);
}
// The positions 0, 0, 1, ...: position i as often as repeats[i] says.
Tensor repeat_positions(const Tensor& repeats, std::optional<int64_t> output_size) {
  PYDL_CHECK(repeats.ndim() <= 1 && (repeats.dtype() == DType::Int64 || repeats.dtype() == DType::Int32), Error,
             "repeat_interleave(): repeats must be 0-dim or 1-dim tensor of dtype int64 or int32");
  const autograd::GradGuard off(false);
  const Tensor counts = contiguous(to_dtype(repeats, DType::Int64));
  const int64_t* r = counts.data<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    PYDL_CHECK(r[i] >= 0, Error, "repeat_interleave(): repeats can not be negative");
    PYDL_CHECK(!__builtin_add_overflow(total, r[i], &total), ShapeError, "repeat_interleave(): the result is too large");
  }
  PYDL_CHECK(!output_size || *output_size == total, Error, "repeat_interleave(): allocated size does not match required size");
  const Tensor out = empty(Dims{total}, DType::Int64, "repeat_interleave");
  int64_t* to = out.data<int64_t>();
  for (int64_t i = 0; i < counts.numel(); ++i) to = std::fill_n(to, r[i], i);
  return out;
}
Tensor repeat_interleave_each(const Tensor& input_, const Tensor& repeats, std::optional<int64_t> dim, std::optional<int64_t> output_size) {
  const Tensor input = dim ? input_ : reshape(input_, Dims{input_.numel()});
  const int d = wrap_dim(dim.value_or(0), input.ndim(), "repeat_interleave");
  const int64_t n = input.ndim() ? input.size(d) : 1;
  PYDL_CHECK(repeats.numel() == n || repeats.numel() == 1, ShapeError,
             "repeat_interleave(): repeats must have the same size as input along dim, but got repeats.size(0) = ", repeats.numel(),
             " and input.size(", d, ") = ", n);
  return index_select(
      input, d,
      repeat_positions(repeats.numel() == n ? reshape(repeats, Dims{n}) : expand(reshape(repeats, Dims{1}), Dims{n}), output_size));
}

Tensor outer(const Tensor& input, const Tensor& vec2) {
  PYDL_CHECK(input.ndim() == 1 && vec2.ndim() == 1, ShapeError, "outer(): Expected 1-D arguments, got ", input.ndim(), "-D and ",
             vec2.ndim(), "-D");
  return mul(unsqueeze(input, 1), unsqueeze(vec2, 0));
}

// Tensors given at least n dims, joined along dim d.
Tensor at_least(const Tensor& t, int n) {
  if (t.ndim() >= n) return t;
  if (t.ndim() == 0) return reshape(t, Dims(n, 1));
  const Tensor row = t.ndim() == 1 && n >= 2 ? unsqueeze(t, 0) : t;
  return row.ndim() < n ? unsqueeze(row, -1) : row;
}
Tensor joined(const char* op, TensorSpan tensors, int ndim, int dim) {
  PYDL_CHECK(!tensors.empty(), Error, op, "(): expects a non-empty TensorList");
  std::vector<Tensor> parts;
  for (const Tensor& t : tensors) parts.push_back(at_least(t, ndim));
  return cat(parts, dim);
}
Tensor vstack(TensorSpan tensors) { return joined("vstack", tensors, 2, 0); }
Tensor dstack(TensorSpan tensors) { return joined("dstack", tensors, 3, 2); }
Tensor hstack(TensorSpan tensors) {
  PYDL_CHECK(!tensors.empty(), Error, "hstack(): expects a non-empty TensorList");
  return joined("hstack", tensors, 1, tensors[0].ndim() <= 1 ? 0 : 1);
}

}  // namespace

PYDL_OP(tril, "tril(input: Tensor, diagonal: int = 0) -> Tensor", Function | Method | Inplace | Out, R"doc(
The lower triangle of matrices, up to `diagonal` places above the main one; zeros elsewhere.

Example:
    >>> pydl.tril(pydl.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
)doc");
PYDL_OP(triu, "triu(input: Tensor, diagonal: int = 0) -> Tensor", Function | Method | Inplace | Out, R"doc(
The upper triangle of matrices, from `diagonal` places above the main one; zeros elsewhere.

Example:
    >>> pydl.triu(pydl.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]])
)doc");
PYDL_OP(tril_indices,
        "tril_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: device | None = None) -> Tensor",
        Function, R"doc(
The positions of the lower triangle of a (row, col) matrix: two rows, int64.

Example:
    >>> pydl.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
)doc");
PYDL_OP(triu_indices,
        "triu_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: device | None = None) -> Tensor",
        Function, R"doc(
The positions of the upper triangle of a (row, col) matrix: two rows, int64.

Example:
    >>> pydl.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
)doc");
PYDL_OP(diag, "diag(input: Tensor, diagonal: int = 0) -> Tensor", Function | Method | Out, R"doc(
The matrix with a vector on its diagonal, or the diagonal of a matrix.

Example:
    >>> pydl.diag(pydl.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
)doc");
PYDL_OP(diag_embed, "diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor", Function | Method, R"doc(
Matrices with the last dim of `input` on their diagonals.

Example:
    >>> pydl.diag_embed(pydl.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
)doc");
PYDL_OP(flip, "flip(input: Tensor, dims: Size) -> Tensor", Function | Method, R"doc(
A copy with the order of the elements along `dims` reversed.

Example:
    >>> pydl.flip(pydl.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
)doc");
PYDL_OP(fliplr, "fliplr(input: Tensor) -> Tensor", Function | Method, R"doc(
A copy with dim 1 reversed.

Example:
    >>> pydl.fliplr(pydl.tensor([[1, 2]]))
    tensor([[2, 1]])
)doc");
PYDL_OP(flipud, "flipud(input: Tensor) -> Tensor", Function | Method, R"doc(
A copy with dim 0 reversed.

Example:
    >>> pydl.flipud(pydl.tensor([1, 2]))
    tensor([2, 1])
)doc");
PYDL_OP(roll, "roll(input: Tensor, shifts: int | Size, dims: int | Size = ()) -> Tensor", Function | Method, R"doc(
A copy with the elements moved along `dims` by `shifts` places, around the end; of the flattened tensor without dims.

Example:
    >>> pydl.roll(pydl.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
)doc");
PYDL_OP(repeat, "repeat(input: Tensor, repeats: Size) -> Tensor", Method, R"doc(
Copies of `input` side by side, as many along each dim as given.

Example:
    >>> pydl.tensor([1, 2]).repeat(2)
    tensor([1, 2, 1, 2])
)doc");
PYDL_OP(tile, "tile(input: Tensor, dims: Size) -> Tensor", Function | Method, R"doc(
`repeat` where missing leading numbers are 1.

Example:
    >>> pydl.tile(pydl.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
)doc");
PYDL_OP(repeat_interleave,
        "repeat_interleave(input: Tensor, repeats: int, dim: int | None = None, *, output_size: int | None = None) -> Tensor",
        Function | Method, R"doc(
Each element (or slice along `dim`) `repeats` times in a row; a tensor of repeats has one number for each.

Example:
    >>> pydl.repeat_interleave(pydl.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
)doc");
PYDL_OP(repeat_interleave_each,
        "repeat_interleave(input: Tensor, repeats: Tensor, dim: int | None = None, *, output_size: int | None = None) -> Tensor",
        Function | Method, R"doc()doc");
PYDL_OP(repeat_positions, "repeat_interleave(repeats: Tensor, *, output_size: int | None = None) -> Tensor", Function, R"doc()doc");
PYDL_OP(outer, "outer(input: Tensor, vec2: Tensor) -> Tensor", Function | Method | Out, R"doc(
The products of every element of one vector with every element of another.

Example:
    >>> pydl.outer(pydl.tensor([1, 2]), pydl.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
)doc");
PYDL_OP(outer, "ger(input: Tensor, vec2: Tensor) -> Tensor", Function | Method | Out, R"doc(
Alias of `outer`.

Example:
    >>> pydl.ger(pydl.tensor([1]), pydl.tensor([3]))
    tensor([[3]])
)doc");
PYDL_OP(vstack, "vstack(tensors: Sequence[Tensor]) -> Tensor", Function | Out, R"doc(
Tensors joined along dim 0, vectors as rows.

Example:
    >>> pydl.vstack([pydl.tensor([1]), pydl.tensor([2])])
    tensor([[1],
            [2]])
)doc");
PYDL_OP(hstack, "hstack(tensors: Sequence[Tensor]) -> Tensor", Function | Out, R"doc(
Tensors joined along dim 1, vectors along dim 0.

Example:
    >>> pydl.hstack([pydl.tensor([1]), pydl.tensor([2])])
    tensor([1, 2])
)doc");
PYDL_OP(dstack, "dstack(tensors: Sequence[Tensor]) -> Tensor", Function | Out, R"doc(
Tensors joined along dim 2.

Example:
    >>> pydl.dstack([pydl.tensor([1]), pydl.tensor([2])])
    tensor([[[1, 2]]])
)doc");

}  // namespace pydl
