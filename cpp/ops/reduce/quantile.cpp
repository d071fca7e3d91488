// Quantiles.
#include "ops/copy/copy.h"
#include "ops/index/index.h"
#include "ops/index/sort.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/compound.h"
#include "ops/pointwise/rounding.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

void check_quantile(const char* op, const Tensor& input, const Tensor& q, std::string_view interpolation) {
  PYDL_CHECK(input.numel() > 0, Error, op, "(): input tensor must be non-empty");
  PYDL_CHECK(q.ndim() <= 1, ShapeError, op, "(): q must be a scalar or 1D tensor, got ", q.ndim(), " dims");
  PYDL_CHECK(input.dtype() == DType::Float32 || input.dtype() == DType::Float64, Error, op,
             "(): input tensor must be either float or double dtype, got ", input.dtype());
  PYDL_CHECK(q.dtype() == input.dtype(), Error, op, "(): q tensor must be same dtype as the input tensor, got ", q.dtype(), " and ",
             input.dtype());
  const bool known = interpolation == "linear" || interpolation == "lower" || interpolation == "higher" || interpolation == "midpoint" ||
                     interpolation == "nearest";
  PYDL_CHECK(known, Error, op, "(): interpolation must be one of linear, lower, higher, midpoint or nearest, but got ", interpolation);
  const autograd::GradGuard off(false);
  const Tensor inside = logical_and(ge(q, Operand(0)), le(q, Operand(1)));
  PYDL_CHECK(!has_zero(inside), Error, op, "(): q values must be in the range [0, 1]");
}

// Which place of the sorted row each q means: shape (..., number of q).
Tensor ranks_of(const Tensor& sorted, const Tensor& q, bool skip_nan) {
  const int64_t last[] = {-1};
  const int64_t n = sorted.size(sorted.ndim() - 1);
  const Tensor number = eq(sorted, sorted);
  if (skip_nan) {
    const Tensor top = clamp(sub(to_dtype(sum(number, IntSpan(last), true), q.dtype()), Operand(1)), Scalar(0), std::nullopt);
    return mul(q, top);
  }
  const Tensor spoilt = any(logical_not(number), IntSpan(last), true);
  return where(spoilt, Operand(static_cast<double>(n - 1)), mul(q, Operand(static_cast<double>(n - 1))));
}

Tensor at_ranks(const Tensor& sorted, const Tensor& ranks, std::string_view interpolation) {
  const auto pick = [&](const Tensor& whole) { return gather(sorted, -1, to_dtype(detach(whole), DType::Int64)); };
  if (interpolation == "lower") return pick(floor(ranks));
  if (interpolation == "higher") return pick(ceil(ranks));
  if (interpolation == "nearest") return pick(round(ranks));
  const Tensor below = floor(ranks);
  const Tensor weight = interpolation == "midpoint" ? add(mul(detach(ranks), Operand(0)), Operand(0.5)) : sub(ranks, below);
  return lerp(pick(below), pick(ceil(ranks)), Operand(weight));
}

Tensor quantile_of(const char* op, const Tensor& input, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                   std::string_view interpolation, bool skip_nan) {
  check_quantile(op, input, q, interpolation);
  const int d = wrap_dim(dim.value_or(0), input.ndim(), op);
  const Tensor rows = dim && input.ndim() ? transpose(input, d, -1) : reshape(input, Dims{input.numel()});
  PYDL_CHECK(rows.size(rows.ndim() - 1) > 0, Error, op, "(): the dim to reduce must not be empty");
  const Tensor sorted = std::get<0>(sort(rows, -1));
  Tensor ranks = ranks_of(sorted, reshape(q, Dims{q.numel()}), skip_nan);
  Dims wide = sorted.sizes();
  wide.back() = q.numel();
  const Tensor found = at_ranks(sorted, expand(ranks, wide), interpolation);
  // (..., q) -> (q, ...) with the reduced dims as 1 or gone.
  Dims shape;
  if (q.ndim()) shape.push_back(q.numel());
  for (int i = 0; i < input.ndim(); ++i) {
    const bool reduced = !dim || i == d;
    if (!reduced || keepdim) shape.push_back(reduced ? 1 : input.size(i));
  }
  if (!dim || input.ndim() <= 1) return reshape(found, shape);
  const Tensor front = transpose(unsqueeze(found, 0), 0, -1);
  return reshape(transpose(front, d + 1, -1), shape);
}

Tensor number_q(const char* op, const Tensor& input, double q) {
  PYDL_CHECK(q >= 0 && q <= 1, Error, op, "(): q must be in the range [0, 1] but got ", q);
  return scalar_tensor(Scalar(q), is_floating(input.dtype()) ? input.dtype() : DType::Float32);
}

Tensor quantile(const Tensor& input, const Tensor& q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  return quantile_of("quantile", input, q, dim, keepdim, interpolation, false);
}
Tensor quantile_at(const Tensor& input, double q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  return quantile(input, number_q("quantile", input, q), dim, keepdim, interpolation);
}
Tensor nanquantile(const Tensor& input, const Tensor& q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  return quantile_of("nanquantile", input, q, dim, keepdim, interpolation, true);
}
Tensor nanquantile_at(const Tensor& input, double q, std::optional<int64_t> dim, bool keepdim, std::string_view interpolation) {
  return nanquantile(input, number_q("nanquantile", input, q), dim, keepdim, interpolation);
}

}  // namespace

PYDL_OP(quantile,
        "quantile(input: Tensor, q: Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = 'linear') -> Tensor",
        Function | Method | Out, R"doc(
The q-quantiles of the elements along `dim` (of all by default); for several q the result has them as its first dim. Between
two elements `interpolation` takes 'linear', 'lower', 'higher', 'midpoint' or 'nearest'. A NaN makes the result NaN.

Raises RuntimeError for q outside [0, 1], an empty tensor, or another dtype than float32 and float64.

Example:
    >>> pydl.quantile(pydl.tensor([1., 2., 3., 4.]), 0.5)
    tensor(2.5000)
)doc");
PYDL_OP(quantile_at,
        "quantile(input: Tensor, q: float, dim: int | None = None, keepdim: bool = False, *, interpolation: str = 'linear') -> Tensor",
        Function | Method | Out, R"doc()doc");
PYDL_OP(nanquantile,
        "nanquantile(input: Tensor, q: Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = 'linear') -> Tensor",
        Function | Method | Out, R"doc(
`quantile` of the elements that are not NaN.

Example:
    >>> pydl.nanquantile(pydl.tensor([1., float('nan'), 3.]), 0.5)
    tensor(2.)
)doc");
PYDL_OP(nanquantile_at,
        "nanquantile(input: Tensor, q: float, dim: int | None = None, keepdim: bool = False, *, interpolation: str = 'linear') -> Tensor",
        Function | Method | Out, R"doc()doc");

}  // namespace pydl
