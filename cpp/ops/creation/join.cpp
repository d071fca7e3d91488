// Joining tensors, and arrangements made of joins, flips and diagonals.
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/creation/rearrange.h"
#include "ops/index/index.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/scan.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

Tensor column_stack(TensorSpan tensors) {
  PYDL_CHECK(!tensors.empty(), Error, "column_stack(): expects a non-empty TensorList");
  std::vector<Tensor> columns;
  for (const Tensor& t : tensors) columns.push_back(t.ndim() <= 1 ? reshape(t, Dims{t.numel(), 1}) : t);
  return cat(columns, 1);
}

Tensor row_stack(TensorSpan tensors) {
  PYDL_CHECK(!tensors.empty(), Error, "row_stack(): expects a non-empty TensorList");
  std::vector<Tensor> rows;
  for (const Tensor& t : tensors) rows.push_back(t.ndim() <= 1 ? reshape(t, Dims{1, t.numel()}) : t);
  return cat(rows, 0);
}

// Each tensor among zeros that stand in the columns of the others.
Tensor block_diag(TensorSpan tensors) {
  Promotion promoted;
  std::vector<Tensor> blocks;
  int64_t columns = 0;
  for (const Tensor& t : tensors) {
    PYDL_CHECK(t.ndim() <= 2, ShapeError, "block_diag(): Input tensors must have 2 or fewer dimensions. Input ", blocks.size(), " has ",
               t.ndim(), " dimensions");
    promoted.add(t);
    blocks.push_back(t.ndim() == 2 ? t : reshape(t, Dims{1, t.numel()}));
    PYDL_CHECK(!__builtin_add_overflow(columns, blocks.back().size(1), &columns), ShapeError, "block_diag(): the result is too large");
  }
  if (blocks.empty()) return empty(Dims{1, 0}, default_dtype(), "block_diag");
  const DType dtype = promoted.result();
  int64_t before = 0;
  std::vector<Tensor> rows;
  for (const Tensor& b : blocks) {
    const int64_t n = b.size(0), after = columns - before - b.size(1);
    const Tensor parts[] = {zeros(Dims{n, before}, dtype), to_dtype(b, dtype), zeros(Dims{n, after}, dtype)};
    rows.push_back(cat(parts, 1));
    before += b.size(1);
  }
  return cat(rows, 0);
}

Tensor cartesian_prod(TensorSpan tensors) {
  PYDL_CHECK(!tensors.empty(), Error, "cartesian_prod(): expects a non-empty TensorList");
  Dims sizes;
  for (const Tensor& t : tensors) {
    PYDL_CHECK(t.ndim() == 1, ShapeError, "cartesian_prod(): Expect a 1D vector, but got shape ", IntSpan(t.sizes()));
    PYDL_CHECK(t.dtype() == tensors[0].dtype(), Error, "cartesian_prod(): expects all tensors to have the same dtype, got ",
               tensors[0].dtype(), " and ", t.dtype());
    sizes.push_back(t.numel());
  }
  if (tensors.size() == 1) return tensors[0];
  std::vector<Tensor> grids;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Dims along(sizes.size(), 1);
    along[static_cast<int>(i)] = sizes[static_cast<int>(i)];
    grids.push_back(reshape(expand(reshape(tensors[i], along), sizes), Dims{numel_of(sizes)}));
  }
  return stack(grids, 1);
}

// n over r.
int64_t binomial(int64_t n, int64_t r) {
  if (r > n) return 0;
  int64_t count = 1;
  for (int64_t i = 1; i <= std::min(r, n - r); ++i) {
    const __int128 next = static_cast<__int128>(count) * (n - i + 1) / i;
    PYDL_CHECK(next <= INT64_MAX, OutOfMemoryError, "combinations(): there are too many of them");
    count = static_cast<int64_t>(next);
  }
  return count;
}

// The positions of all combinations, in lexicographic order.
Tensor combination_positions(int64_t n, int64_t r, bool with_replacement) {
  const int64_t count = n == 0 ? 0 : binomial(with_replacement ? n + r - 1 : n, r), step = with_replacement ? 0 : 1;
  const Tensor out = empty(Dims{count, r}, DType::Int64, "combinations");
  std::vector<int64_t> now;
  for (int64_t i = 0; i < r; ++i) now.push_back(step * i);
  for (int64_t row = 0; row < count; ++row) {
    std::copy(now.begin(), now.end(), out.data<int64_t>() + row * r);
    int64_t k = r - 1;
    while (k >= 0 && now[static_cast<size_t>(k)] == n - 1 - step * (r - 1 - k)) --k;
    if (k < 0) break;
    int64_t value = now[static_cast<size_t>(k)] + 1;
    for (; k < r; ++k, value += step) now[static_cast<size_t>(k)] = value;
  }
  return out;
}
Tensor combinations(const Tensor& input, int64_t r, bool with_replacement) {
  PYDL_CHECK(input.ndim() == 1, ShapeError, "combinations(): Expect a 1D vector, but got shape ", IntSpan(input.sizes()));
  PYDL_CHECK(r >= 0, Error, "combinations(): Expect a non-negative number, but got ", r);
  if (r == 0) return empty(Dims{0}, input.dtype(), "combinations");
  PYDL_CHECK(r <= (int64_t{1} << 20), OutOfMemoryError, "combinations(): r = ", r, " is too large");
  const Tensor at = combination_positions(input.numel(), r, with_replacement);
  return reshape(index_select(input, 0, reshape(at, Dims{at.numel()})), at.sizes());
}

Tensor diagflat(const Tensor& input, int64_t offset) { return diag_embed(reshape(input, Dims{input.numel()}), offset, 0, 1); }

Tensor rot90(const Tensor& input, int64_t k, IntSpan dims) {
  PYDL_CHECK(dims.size() == 2, Error, "rot90(): expected total rotation dims == 2, but got dims = ", dims.size());
  PYDL_CHECK(input.ndim() >= 2, Error, "rot90(): expected total dims >= 2, but got total dims = ", input.ndim());
  const int a = wrap_dim(dims[0], input.ndim(), "rot90"), b = wrap_dim(dims[1], input.ndim(), "rot90");
  PYDL_CHECK(a != b, Error, "rot90(): expected rotation dims to be different, but got dim0 = ", dims[0], " and dim1 = ", dims[1]);
  switch (((k % 4) + 4) % 4) {
    case 1:
      return transpose(flip(input, Dims{b}), a, b);
    case 2:
      return flip(input, Dims{a, b});
    case 3:
      return transpose(flip(input, Dims{a}), a, b);
    default:
      return clone(input, MemoryFormat::Contiguous);
  }
}

// Powers 0 .. N - 1 of x as running products: right at 0 too, also in the derivative.
Tensor vander(const Tensor& x, std::optional<int64_t> count, bool increasing) {
  PYDL_CHECK(x.ndim() == 1, ShapeError, "vander(): x must be a one-dimensional tensor.");
  const int64_t n = count.value_or(x.numel());
  PYDL_CHECK(n >= 0, Error, "vander(): N must be non-negative, got ", n);
  const DType dtype = is_integral_or_bool(x.dtype()) ? DType::Int64 : x.dtype();
  const Tensor one = ones(Dims{x.numel(), std::min<int64_t>(n, 1)}, dtype);
  if (n <= 1) return one;
  const Tensor powers = cumprod_along(expand(unsqueeze(to_dtype(x, dtype), 1), Dims{x.numel(), n - 1}), 1);
  const Tensor parts[] = {one, powers};
  const Tensor all = cat(parts, 1);
  return increasing ? all : flip(all, Dims{1});
}

}  // namespace

PYDL_OP(cat, "concatenate(tensors: Sequence[Tensor], dim: int = 0) -> Tensor", Function | Out, R"doc(
Alias of `cat`.

Example:
    >>> pydl.concatenate([pydl.tensor([1]), pydl.tensor([3])])
    tensor([1, 3])
)doc");
PYDL_OP(column_stack, "column_stack(tensors: Sequence[Tensor]) -> Tensor", Function | Out, R"doc(
Tensors joined along dim 1, vectors as columns.

Example:
    >>> pydl.column_stack([pydl.tensor([1, 2]), pydl.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
)doc");
PYDL_OP(row_stack, "row_stack(tensors: Sequence[Tensor]) -> Tensor", Function | Out, R"doc(
Alias of `vstack`.

Example:
    >>> pydl.row_stack([pydl.tensor([1]), pydl.tensor([2])])
    tensor([[1],
            [2]])
)doc");
PYDL_OP(block_diag, "_block_diag(tensors: Sequence[Tensor]) -> Tensor", Private, R"doc()doc");
PYDL_OP(cartesian_prod, "_cartesian_prod(tensors: Sequence[Tensor]) -> Tensor", Private, R"doc()doc");
PYDL_OP(combinations, "combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor", Function, R"doc(
All combinations of `r` elements of a vector, one row each, in the order of itertools.

Raises RuntimeError unless `input` has one dim and `r` is not negative.

Example:
    >>> pydl.combinations(pydl.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
)doc");
PYDL_OP(diagflat, "diagflat(input: Tensor, offset: int = 0) -> Tensor", Function | Method, R"doc(
The matrix with the elements of `input` on its diagonal number `offset`.

Example:
    >>> pydl.diagflat(pydl.tensor([[1, 2]]))
    tensor([[1, 0],
            [0, 2]])
)doc");
PYDL_OP(rot90, "rot90(input: Tensor, k: int = 1, dims: Size = (0, 1)) -> Tensor", Function | Method, R"doc(
A copy turned `k` times by 90 degrees in the plane of two dims, from the first towards the second.

Example:
    >>> pydl.rot90(pydl.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
)doc");
PYDL_OP(vander, "vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor", Function, R"doc(
The powers N - 1, ..., 1, 0 of the elements of a vector as columns (as many as elements by default), or `increasing` ones.

Example:
    >>> pydl.vander(pydl.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
)doc");

}  // namespace pydl
