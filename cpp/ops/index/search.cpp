// Look-ups: places in sorted sequences, positions of elements that are not zero.
#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/index/index.h"
#include "ops/pointwise/comparison.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

// The widest type of a kind: look-ups compare values, exactly.
DType wide_type(const char* op, DType d) {
  PYDL_CHECK(!is_complex(d), NotImplemented, op, "(): not implemented for ", d);
  return is_floating(d) ? DType::Float64 : d == DType::UInt64 ? d : DType::Int64;
}

// NaN stands behind everything.
template <class T>
bool less(T a, T b) {
  return a < b || (b != b && a == a);
}

template <class T>
int64_t place_of(const T* sorted, const int64_t* order, int64_t n, T v, bool right) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    const T at = sorted[order ? order[middle] : middle];
    const bool before = right ? !less(v, at) : less(at, v);
    before ? low = middle + 1 : high = middle;
  }
  return low;
}

// Rows of `sorted` against rows of `values`; one row of `sorted` serves all.
Tensor places(const char* op, const Tensor& sorted, const Tensor& values, bool right, const Tensor& sorter, bool out_int32) {
  const autograd::GradGuard off(false);
  const DType type = wide_type(op, promote_types(sorted.dtype(), values.dtype()));
  const Tensor s = contiguous(to_dtype(sorted, type)), v = contiguous(to_dtype(values, type));
  const Tensor by = sorter.defined() ? contiguous(sorter) : Tensor();
  const Tensor out = empty(v.sizes(), DType::Int64, op);
  const int64_t n = s.size(s.ndim() - 1), columns = s.ndim() == 1 ? std::max<int64_t>(v.numel(), 1) : v.size(v.ndim() - 1);
  dispatch(op, type, TypeList<int64_t, uint64_t, double>{}, [&]<class T>(T) {
    parallel_for(v.numel(), 1024, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t row = i / columns * n;
        out.data<int64_t>()[i] = place_of(s.data<T>() + row, by.defined() ? by.data<int64_t>() + row : nullptr, n, v.data<T>()[i], right);
      }
    });
  });
  return out_int32 ? to_dtype(out, DType::Int32) : out;
}

void check_sorter(const Tensor& sorted, const Tensor& sorter) {
  if (!sorter.defined()) return;
  PYDL_CHECK(sorter.sizes() == sorted.sizes(), ShapeError,
             "searchsorted(): boundary and sorter must have the same size, but got boundary tensor ", IntSpan(sorted.sizes()),
             " and got sorter tensor ", IntSpan(sorter.sizes()));
  PYDL_CHECK(sorter.dtype() == DType::Int64, Error, "searchsorted(): sorter must be a tensor of long dtype but got dtype ", sorter.dtype());
  const autograd::GradGuard off(false);
  const Tensor at = contiguous(sorter);
  const int64_t n = sorted.size(sorted.ndim() - 1);
  for (int64_t i = 0; i < at.numel(); ++i) {
    const int64_t k = at.data<int64_t>()[i];
    PYDL_CHECK(k >= 0 && k < n, IndexError, "searchsorted(): sorter index ", k, " is out of range for size ", n);
  }
}

bool from_right(bool right, std::optional<std::string_view> side) {
  PYDL_CHECK(!side || *side == "left" || *side == "right", Error, "searchsorted(): side can only be 'left' or 'right' but got ",
             side.value_or(""));
  PYDL_CHECK(!side || !right || *side == "right", Error,
             "searchsorted(): side and right can't be set to opposites, got side of left while right was True");
  return right || side.value_or("left") == "right";
}

Tensor searchsorted(const Tensor& sorted, const Tensor& input, bool out_int32, bool right, std::optional<std::string_view> side,
                    const Tensor& sorter) {
  const bool from = from_right(right, side);
  PYDL_CHECK(sorted.ndim() >= 1, ShapeError, "searchsorted(): sorted_sequence must have at least one dim");
  bool same_rows = sorted.ndim() == 1 || sorted.ndim() == input.ndim();
  for (int i = 0; sorted.ndim() > 1 && same_rows && i + 1 < sorted.ndim(); ++i) same_rows &= sorted.size(i) == input.size(i);
  PYDL_CHECK(same_rows, ShapeError,
             "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value "
             "tensor must match, but we got boundaries tensor ",
             IntSpan(sorted.sizes()), " and input value tensor ", IntSpan(input.sizes()));
  check_sorter(sorted, sorter);
  return places("searchsorted", sorted, input, from, sorter, out_int32);
}
Tensor number_like(const Tensor& model, const Scalar& value) {
  const DType kind = value.is_integral() ? DType::Int64 : DType::Float64;
  PYDL_CHECK(!value.is_complex(), Error, "searchsorted(): complex numbers have no order");
  return scalar_tensor(value, model.dtype() == DType::UInt64 && value.is_integral() ? DType::UInt64 : kind);
}
Tensor searchsorted_number(const Tensor& sorted, const Scalar& input, bool out_int32, bool right, std::optional<std::string_view> side,
                           const Tensor& sorter) {
  PYDL_CHECK(sorted.ndim() == 1, ShapeError, "searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1");
  return searchsorted(sorted, number_like(sorted, input), out_int32, right, side, sorter);
}

Tensor bucketize(const Tensor& input, const Tensor& boundaries, bool out_int32, bool right) {
  PYDL_CHECK(boundaries.ndim() == 1, ShapeError, "bucketize(): boundaries tensor must be 1 dimension, but got dim(", boundaries.ndim(),
             ")");
  return places("bucketize", boundaries, input, right, {}, out_int32);
}
Tensor bucketize_number(const Scalar& input, const Tensor& boundaries, bool out_int32, bool right) {
  return bucketize(number_like(boundaries, input), boundaries, out_int32, right);
}

Tensor argwhere(const Tensor& input) { return nonzero(input); }

Tensor nonzero_static(const Tensor& input, int64_t size, int64_t fill_value) {
  PYDL_CHECK(size >= 0, Error, "nonzero_static(): 'size' must be an non-negative integer, got ", size);
  const Tensor found = nonzero(input);
  const Tensor out = empty(Dims{size, input.ndim()}, DType::Int64, "nonzero_static");
  const int64_t rows = std::min(size, found.size(0));
  fill_raw(out, Scalar(fill_value));
  copy_raw(slice(out, 0, 0, rows, 1), slice(found, 0, 0, rows, 1));
  return out;
}

// Flat positions taken apart into one coordinate per dim.
std::vector<Tensor> unravel_index(const Tensor& indices, IntSpan shape) {
  PYDL_CHECK(is_integer(indices.dtype()), ValueError, "unravel_index(): expected 'indices' to be integer dtype, but got ", indices.dtype());
  for (const int64_t s : shape) {
    PYDL_CHECK(s >= 0, ValueError, "unravel_index(): 'shape' cannot have negative values, but got ", shape);
  }
  static_cast<void>(checked_numel(shape, 1, "unravel_index"));
  const Tensor at = contiguous(to_dtype(indices, DType::Int64));
  std::vector<Tensor> coordinates;
  for (size_t d = 0; d < shape.size(); ++d) coordinates.push_back(empty(at.sizes(), DType::Int64, "unravel_index"));
  for (int64_t i = 0; i < at.numel(); ++i) {
    int64_t rest = at.data<int64_t>()[i];
    for (size_t d = shape.size(); d-- > 0;) {
      const int64_t s = std::max<int64_t>(shape[d], 1);
      const int64_t r = rest % s;
      coordinates[d].data<int64_t>()[i] = r < 0 ? r + s : r;
      rest = rest / s - (r < 0);
    }
  }
  return coordinates;
}

}  // namespace

PYDL_OP(searchsorted,
        "searchsorted(sorted_sequence: Tensor, input: Tensor, *, out_int32: bool = False, right: bool = False, side: str | None = None, "
        "sorter: Tensor | None = None) -> Tensor",
        Function | Out, R"doc(
Where each value of `input` would have to stand in the last dim of `sorted_sequence` to keep it in order: before equal ones, or
behind them with `right` (or side='right'). A sequence of more dims has one row for each row of `input`. `sorter` is the order
of a sequence that is not sorted. int64, or int32 with `out_int32`.

Example:
    >>> pydl.searchsorted(pydl.tensor([1, 3, 5]), pydl.tensor([3, 6]))
    tensor([1, 3])
)doc");
PYDL_OP(searchsorted_number,
        "searchsorted(sorted_sequence: Tensor, input: Number, *, out_int32: bool = False, right: bool = False, side: str | None = None, "
        "sorter: Tensor | None = None) -> Tensor",
        Function | Out, R"doc()doc");
PYDL_OP(bucketize, "bucketize(input: Tensor, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor",
        Function | Out, R"doc(
The number of the interval between the sorted `boundaries` in which each value lies; with `right` intervals are closed on the left.

Example:
    >>> pydl.bucketize(pydl.tensor([3, 6]), pydl.tensor([1, 3, 5]))
    tensor([1, 3])
)doc");
PYDL_OP(bucketize_number, "bucketize(input: Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor",
        Function | Out, R"doc()doc");
PYDL_OP(argwhere, "argwhere(input: Tensor) -> Tensor", Function | Method, R"doc(
The positions of the elements that are not zero, see `nonzero`.

Example:
    >>> pydl.argwhere(pydl.tensor([0, 3]))
    tensor([[1]])
)doc");
PYDL_OP(nonzero_static, "nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor", Function | Method | Out, R"doc(
`nonzero` cut off at or filled up to `size` rows.

Example:
    >>> pydl.nonzero_static(pydl.tensor([0, 3]), size=2)
    tensor([[ 1],
            [-1]])
)doc");
PYDL_OP(unravel_index, "unravel_index(indices: Tensor, shape: int | Size) -> Sequence[Tensor]", Function, R"doc(
The coordinates in a tensor of the given shape of positions in its flattened form, one tensor per dim.

Raises ValueError for indices that are not integers and negative sizes.

Example:
    >>> pydl.unravel_index(pydl.tensor([5]), (2, 3))
    (tensor([1]), tensor([2]))
)doc");

}  // namespace pydl
