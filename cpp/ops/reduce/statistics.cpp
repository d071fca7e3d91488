// Statistics made of other reductions: NaN-skipping sums and means, both extremes, traces, distances, covariances.
#include "ops/copy/copy.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/compound.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

Tensor not_nan(const Tensor& t) { return eq(t, t); }

Tensor nansum(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, "nansum(): does not support complex inputs");
  const Tensor known = is_floating(input.dtype()) ? where(not_nan(input), input, Operand(0)) : input;
  return sum(known, dim, keepdim, dtype);
}

Tensor nanmean(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  PYDL_CHECK(is_differentiable(input.dtype()), Error, "nanmean(): expected input to have floating point or complex dtype but got ",
             input.dtype());
  const Tensor count = sum(not_nan(input), dim, keepdim);
  const Tensor known = where(not_nan(input), input, Operand(0));
  return div(sum(known, dim, keepdim, dtype), count);
}

std::tuple<Tensor, Tensor> aminmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  PYDL_CHECK(!is_complex(input.dtype()), NotImplemented, "aminmax(): not implemented for ", input.dtype());
  Dims dims;
  if (dim) {
    dims.push_back(wrap_dim(*dim, input.ndim(), "aminmax"));
    PYDL_CHECK(input.ndim() == 0 || input.size(static_cast<int>(dims[0])) > 0, IndexError, "aminmax(): Expected reduction dim ", dims[0],
               " to have non-zero size.");
  } else {
    PYDL_CHECK(input.numel() > 0, Error, "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  }
  return {amin(input, dims, keepdim), amax(input, dims, keepdim)};
}

Tensor trace(const Tensor& input) {
  PYDL_CHECK(input.ndim() == 2, ShapeError, "trace(): expected a matrix, but got a tensor with dim ", input.ndim());
  return sum(diagonal(input, 0, 0, 1));
}

Tensor dist(const Tensor& input, const Tensor& other, const Scalar& p) {
  const Tensor difference = sub(input, other);
  PYDL_CHECK(is_differentiable(difference.dtype()), Error, "dist(): only supports floating-point and complex dtypes, got ",
             difference.dtype());
  return vector_norm(difference, p);
}

// Slices along `dim` whose p-norm exceeds maxnorm are scaled down to it. The 1e-7 in the divisor is torch's.
Tensor renorm(const Tensor& input, const Scalar& p, int64_t dim, const Scalar& maxnorm, const Dest& dest) {
  PYDL_CHECK(!p.is_complex() && p.to_double() > 0, Error, "renorm(): non-positive-norm not supported");
  PYDL_CHECK(!maxnorm.is_complex() && maxnorm.to_double() >= 0, Error, "renorm(): expected maxnorm to be >= 0 but got ",
             maxnorm.to_double());
  PYDL_CHECK(input.ndim() > 1, Error, "renorm(): input needs at least 2 dimensions, got ", input.ndim(), " dimensions");
  PYDL_CHECK(is_differentiable(input.dtype()), Error, "renorm(): expected a floating point or complex tensor, got ", input.dtype());
  const int d = wrap_dim(dim, input.ndim(), "renorm");
  const Tensor x = original(input, dest);
  Dims others;
  for (int i = 0; i < x.ndim(); ++i) {
    if (i != d) others.push_back(i);
  }
  const Tensor norm = vector_norm(x, p, IntSpan(others), true);
  const Tensor scale = where(gt(norm, Operand(maxnorm.to_double())), mul(reciprocal(add(norm, Operand(1e-7))), maxnorm), Operand(1.0));
  return deliver("renorm", mul(x, scale), dest, {input});
}

// ---- covariance ------------------------------------------------------------------------------------------------

void check_weights(const char* name, const Tensor& w, const Tensor& observations, bool integers) {
  PYDL_CHECK(w.ndim() <= 1, ShapeError, "cov(): expected ", name, " to have one or fewer dimensions but got ", name, " with ", w.ndim(),
             " dimensions");
  PYDL_CHECK(integers ? is_integral_or_bool(w.dtype()) : is_floating(w.dtype()), Error, "cov(): expected ", name, " to have ",
             integers ? "integral" : "floating point", " dtype but got ", name, " with ", w.dtype(), " dtype");
  PYDL_CHECK(w.numel() == observations.size(1), ShapeError, "cov(): expected ", name, " to have the same numel as there are observations (",
             observations.size(1), "), but got ", w.numel());
  PYDL_CHECK(w.numel() == 0 || !is_nonzero_any(lt(w, Operand(0))), Error, "cov(): ", name, " cannot be negative");
}

Tensor cov(const Tensor& input, int64_t correction, const Tensor& fweights, const Tensor& aweights) {
  PYDL_CHECK(input.ndim() <= 2, ShapeError, "cov(): expected input to have two or fewer dimensions but got an input with ", input.ndim(),
             " dimensions");
  PYDL_CHECK(input.dtype() != DType::Bool, Error, "cov(): bool dtype is not supported for input");
  const Tensor x = input.ndim() == 2 ? input : reshape(input, Dims{1, input.numel()});
  Tensor w;
  if (fweights.defined()) check_weights("fweights", fweights, x, true), w = fweights;
  if (aweights.defined()) check_weights("aweights", aweights, x, false), w = w.defined() ? mul(w, aweights) : aweights;
  const int64_t along[] = {1};
  const DType type = is_differentiable(x.dtype()) ? x.dtype() : default_dtype();
  const Tensor total = w.defined() ? sum(to_dtype(w, real_type(type))) : scalar_tensor(Scalar(x.size(1)), DType::Int64);
  if (w.defined()) {
    PYDL_CHECK(total.numel() == 0 || x.size(1) == 0 || is_nonzero_any(ne(total, Operand(0))), Error,
               "cov(): weights sum to zero, can't be normalized");
  }
  const Tensor data = to_dtype(x, type);
  const Tensor centre = w.defined() ? div(sum(mul(data, w), IntSpan(along)), total) : mean(data, IntSpan(along));
  Tensor factor;
  if (aweights.defined() && correction != 0) {
    factor = sub(total, div(mul(sum(mul(w, aweights)), Operand(correction)), total));
  } else {
    factor = sub(total, Operand(correction));
  }
  const Tensor centred = sub(data, unsqueeze(centre, 1));
  const Tensor weighted = w.defined() ? mul(centred, w) : centred;
  const Tensor product = matmul(weighted, conj(transpose(centred, 0, 1)));
  const Tensor divisor = maximum(to_dtype(factor, real_type(type)), scalar_tensor(Scalar(0), real_type(type)));
  const Tensor out = div(product, divisor);
  return input.ndim() == 2 ? out : reshape(out, IntSpan());
}

Tensor corrcoef(const Tensor& input) {
  PYDL_CHECK(input.ndim() <= 2, ShapeError, "corrcoef(): expected input to have two or fewer dimensions but got an input with ",
             input.ndim(), " dimensions");
  const Tensor c = cov(input, 1, {}, {});
  if (c.ndim() == 0) return div(c, c);
  const Tensor deviation = sqrt(is_complex(c.dtype()) ? real(diagonal(c, 0, 0, 1)) : diagonal(c, 0, 0, 1));
  const Tensor scaled = div(div(c, unsqueeze(deviation, 1)), unsqueeze(deviation, 0));
  // Rounding must not carry a coefficient outside [-1, 1].
  if (!is_complex(scaled.dtype())) return clamp(scaled, Scalar(-1), Scalar(1));
  return complex(clamp(real(scaled), Scalar(-1), Scalar(1)), clamp(imag(scaled), Scalar(-1), Scalar(1)));
}

}  // namespace

PYDL_OP(nansum, "nansum(input: Tensor, dim: int | Size | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor",
        Function | Method | Out, R"doc(
The sum over `dim` (all by default) in which NaN counts as 0.

Example:
    >>> pydl.nansum(pydl.tensor([1., float('nan'), 2.]))
    tensor(3.)
)doc");
PYDL_OP(nanmean, "nanmean(input: Tensor, dim: int | Size | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor",
        Function | Method | Out, R"doc(
The mean over `dim` (all by default) of the elements that are not NaN.

Raises RuntimeError for integers.

Example:
    >>> pydl.nanmean(pydl.tensor([1., float('nan'), 2.]))
    tensor(1.5000)
)doc");
PYDL_OP(aminmax, "aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> (min: Tensor, max: Tensor)",
        Function | Method | Out, R"doc(
The smallest and the largest element along `dim` (of all by default). Equal ones share the gradient.

Example:
    >>> pydl.aminmax(pydl.tensor([3, 1, 2])).max
    tensor(3)
)doc");
PYDL_OP(trace, "trace(input: Tensor) -> Tensor", Function | Method, R"doc(
The sum of the diagonal of a matrix.

Example:
    >>> pydl.trace(pydl.tensor([[1, 2], [3, 4]]))
    tensor(5)
)doc");
PYDL_OP(dist, "dist(input: Tensor, other: Tensor, p: Number = 2) -> Tensor", Function | Method | Out, R"doc(
The p-norm of input - other.

Example:
    >>> pydl.dist(pydl.tensor([3., 0.]), pydl.tensor([0., 4.]))
    tensor(5.)
)doc");
PYDL_OP(renorm, "renorm(input: Tensor, p: Number, dim: int, maxnorm: Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
A copy in which slices along `dim` whose p-norm is larger than `maxnorm` are scaled down to it.

Raises RuntimeError for p not above 0, a negative maxnorm, or fewer than two dims.

Example:
    >>> pydl.renorm(pydl.tensor([[3., 4.], [0., 1.]]), 2, 0, 1)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
)doc");
PYDL_OP(cov, "cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor",
        Function | Method, R"doc(
The covariances of the variables in the rows of `input`, whose columns are observations: divisor n - `correction`.
`fweights` says how often each observation counts (integers), `aweights` how much it weighs.

Raises RuntimeError for more than two dims or weights that are negative, sum to zero or do not fit.

Example:
    >>> pydl.cov(pydl.tensor([[1., 2., 3.], [3., 2., 1.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
)doc");
PYDL_OP(corrcoef, "corrcoef(input: Tensor) -> Tensor", Function | Method, R"doc(
The correlation coefficients (Pearson) of the variables in the rows of `input`.

Example:
    >>> pydl.corrcoef(pydl.tensor([[1., 2., 3.], [3., 2., 1.]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
)doc");

}  // namespace pydl
