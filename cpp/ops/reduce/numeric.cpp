// Histograms, differences and integrals of sampled functions.
#include <algorithm>
#include <cmath>

#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/scan.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

// ---- histograms ------------------------------------------------------------------------------------------------

Tensor histc(const Tensor& input, int64_t bins, const Scalar& min, const Scalar& max) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "histc(): \"histogram_cpu\" not implemented for ", input.dtype());
  PYDL_CHECK(bins > 0, Error, "histc(): bins must be > 0, but got ", bins);
  PYDL_CHECK(!min.is_complex() && !max.is_complex(), Error, "histc(): min and max must be real numbers");
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(to_dtype(input, DType::Float64));
  const double* v = x.data<double>();
  double low = min.to_double(), high = max.to_double();
  if (low == high && x.numel()) {
    low = high = v[0];
    for (int64_t i = 0; i < x.numel(); ++i) low = v[i] < low || std::isnan(v[i]) ? v[i] : low, high = v[i] > high ? v[i] : high;
  }
  if (low == high) low -= 1, high += 1;
  PYDL_CHECK(std::isfinite(low) && std::isfinite(high), Error, "histc(): range of [", low, ", ", high, "] is not finite");
  PYDL_CHECK(low < high, Error, "histc(): max must be larger than min, got ", low, " and ", high);
  const Tensor counts = zeros(Dims{bins}, DType::Float64);
  const double scale = static_cast<double>(bins) / (high - low);
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (!(v[i] >= low && v[i] <= high)) continue;
    ++counts.data<double>()[std::min(static_cast<int64_t>((v[i] - low) * scale), bins - 1)];
  }
  return to_dtype(counts, input.dtype());
}

// In which of the bins between neighbouring edges `v` lies, the last one closed on both sides; -1: in none.
int64_t bin_of(const double* edges, int64_t n, double v) {
  if (n < 2 || !(v >= edges[0] && v <= edges[n - 1])) return -1;
  return std::min<int64_t>(std::upper_bound(edges, edges + n, v) - edges - 1, n - 2);
}

// Weights of the points (rows of `input`) summed up in the bins of each dim.
Tensor histogram_of(const Tensor& input, TensorSpan edges, const Tensor& weight) {
  PYDL_CHECK(input.ndim() == 2 && input.size(1) == static_cast<int64_t>(edges.size()), ShapeError, "histogramdd(): expected ", edges.size(),
             " sequences of bin edges for an input with shape ", IntSpan(input.sizes()));
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "histogramdd(): not implemented for ", input.dtype());
  PYDL_CHECK(!weight.defined() || weight.numel() == input.size(0), ShapeError,
             "histogramdd(): if weight tensor is provided it should have the same shape as the input tensor excluding its innermost "
             "dimension, got ",
             IntSpan(weight.defined() ? weight.sizes() : Dims()), " for ", input.size(0), " points");
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(to_dtype(input, DType::Float64));
  std::vector<Tensor> bounds;
  Dims shape;
  for (const Tensor& e : edges) {
    PYDL_CHECK(e.ndim() == 1 && e.numel() > 0, ShapeError, "histogramdd(): bin edges must be one-dimensional and not empty");
    PYDL_CHECK(e.dtype() == input.dtype(), TypeError, "histogramdd(): bin edges of dtype ", e.dtype(), " for an input of ", input.dtype());
    bounds.push_back(contiguous(to_dtype(e, DType::Float64)));
    shape.push_back(e.numel() - 1);
  }
  const Tensor out = zeros(shape, DType::Float64);
  const Tensor w = weight.defined() ? contiguous(to_dtype(weight, DType::Float64)) : Tensor();
  for (int64_t i = 0; i < x.size(0); ++i) {
    int64_t at = 0;
    for (size_t d = 0; d < bounds.size() && at >= 0; ++d) {
      const int64_t bin = bin_of(bounds[d].data<double>(), bounds[d].numel(), x.data<double>()[i * x.size(1) + static_cast<int64_t>(d)]);
      at = bin < 0 ? -1 : at * shape[static_cast<int>(d)] + bin;
    }
    if (at >= 0) out.data<double>()[at] += w.defined() ? w.data<double>()[i] : 1;
  }
  return to_dtype(out, input.dtype());
}

// ---- differences -----------------------------------------------------------------------------------------------

Tensor first_difference(const Tensor& x, int d) {
  const int64_t n = std::max<int64_t>(x.size(d) - 1, 0), skip = std::min<int64_t>(x.size(d), 1);
  const Tensor later = narrow(x, d, skip, n), earlier = narrow(x, d, 0, n);
  return x.dtype() == DType::Bool ? ne(later, earlier) : sub(later, earlier);
}

Tensor diff(const Tensor& input, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
  PYDL_CHECK(input.ndim() > 0, Error, "diff(): expects input to be at least one-dimensional");
  PYDL_CHECK(n >= 0, Error, "diff(): order must be non-negative but got ", n);
  const int d = wrap_dim(dim, input.ndim(), "diff");
  std::vector<Tensor> parts;
  const auto check = [&](const Tensor& t, const char* name) {
    PYDL_CHECK(t.ndim() == input.ndim(), ShapeError, "diff(): expects prepend or append to be the same dimension as input, but ", name,
               " has ", t.ndim(), " dims");
    for (int i = 0; i < t.ndim(); ++i) {
      PYDL_CHECK(i == d || t.size(i) == input.size(i), ShapeError, "diff(): expects the shape of ", name,
                 " to match that of input except along the differencing dimension; ", name, ".size(", i, ") = ", t.size(i),
                 ", but input.size(", i, ") = ", input.size(i));
    }
    parts.push_back(t);
  };
  if (prepend.defined()) check(prepend, "prepend");
  parts.push_back(input);
  if (append.defined()) check(append, "append");
  Tensor x = parts.size() > 1 ? cat(parts, d) : input;
  if (n == 0) return clone(x);
  if (n >= x.size(d)) return clone(narrow(x, d, 0, 0));  // nothing is left, however often the rest is differenced
  for (int64_t k = n; k > 0; --k) x = first_difference(x, d);
  return x;
}

// ---- integrals by trapezoids -----------------------------------------------------------------------------------

void check_samples(const char* op, const Tensor& y, const Tensor& x) {
  PYDL_CHECK(y.dtype() != DType::Bool, Error, op, "(): received a bool input for `y`, but bool is not supported");
  PYDL_CHECK(!x.defined() || x.dtype() != DType::Bool, Error, op, "(): received a bool input for `x`, but bool is not supported");
}

// left + right of each interval along d.
Tensor pair_sums(const Tensor& y, int d) {
  const int64_t n = y.size(d) - 1;
  return add(narrow(y, d, 0, n), narrow(y, d, 1, n));
}

// Widths of the intervals, shaped to broadcast with y.
Tensor widths(const char* op, const Tensor& y, const Tensor& x, int d) {
  Tensor at = x;
  if (x.ndim() == 1) {
    PYDL_CHECK(x.size(0) == y.size(d), ShapeError, op, "(): There must be one `x` value for each sample point, got ", x.size(0), " for ",
               y.size(d));
    Dims shape(y.ndim(), 1);
    shape[d] = x.size(0);
    at = reshape(x, shape);
  } else if (x.ndim() < y.ndim()) {
    Dims shape(y.ndim() - x.ndim(), 1);
    for (const int64_t s : x.sizes()) shape.push_back(s);
    at = reshape(x, shape);
  }
  return first_difference(at, d - y.ndim() + at.ndim());
}

int sample_dim(const char* op, const Tensor& y, int64_t dim) {
  PYDL_CHECK(y.ndim() > 0, IndexError, op, "(): expects y to have at least one dim");
  return wrap_dim(dim, y.ndim(), op);
}
Tensor without_dim(const Tensor& y, int d) {
  Dims shape = y.sizes();
  shape.erase(d);
  return zeros(shape, is_differentiable(y.dtype()) ? y.dtype() : default_dtype());
}

Tensor trapezoid_x(const Tensor& y, const Tensor& x, int64_t dim) {
  check_samples("trapezoid", y, x);
  const int d = sample_dim("trapezoid", y, dim);
  if (y.size(d) == 0) return without_dim(y, d);
  const int64_t along[] = {d};
  PYDL_CHECK(x.ndim() <= y.ndim() && x.ndim() > 0, ShapeError, "trapezoid(): x must have between 1 and ", y.ndim(), " dims, got ",
             x.ndim());
  return div(sum(mul(pair_sums(y, d), widths("trapezoid", y, x, d)), IntSpan(along)), Operand(2.0));
}
Tensor trapezoid_dx(const Tensor& y, const Scalar& dx, int64_t dim) {
  check_samples("trapezoid", y, {});
  const int d = sample_dim("trapezoid", y, dim);
  if (y.size(d) == 0) return without_dim(y, d);
  const int64_t along[] = {d};
  return mul(div(sum(pair_sums(y, d), IntSpan(along)), Operand(2.0)), dx);
}
Tensor cumulative_x(const Tensor& y, const Tensor& x, int64_t dim) {
  check_samples("cumulative_trapezoid", y, x);
  const int d = sample_dim("cumulative_trapezoid", y, dim);
  if (y.size(d) == 0) return y;
  PYDL_CHECK(x.ndim() <= y.ndim() && x.ndim() > 0, ShapeError, "cumulative_trapezoid(): x must have between 1 and ", y.ndim(),
             " dims, got ", x.ndim());
  return cumsum_along(div(mul(pair_sums(y, d), widths("cumulative_trapezoid", y, x, d)), Operand(2.0)), d);
}
Tensor cumulative_dx(const Tensor& y, const Scalar& dx, int64_t dim) {
  check_samples("cumulative_trapezoid", y, {});
  const int d = sample_dim("cumulative_trapezoid", y, dim);
  if (y.size(d) == 0) return y;
  return cumsum_along(mul(div(pair_sums(y, d), Operand(2.0)), dx), d);
}

}  // namespace

PYDL_OP(histc, "histc(input: Tensor, bins: int = 100, min: Number = 0, max: Number = 0) -> Tensor", Function | Method | Out, R"doc(
How many elements lie in each of `bins` equal parts of [min, max]; of the range of the data if both are equal. Elements outside
and NaN are not counted.

Raises RuntimeError for bins below 1, or a range that is not finite.

Example:
    >>> pydl.histc(pydl.tensor([1., 2., 1.]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
)doc");
PYDL_OP(histogram_of, "_histogramdd(input: Tensor, edges: Sequence[Tensor], weight: Tensor | None = None) -> Tensor", Private, R"doc()doc");
PYDL_OP(diff, "diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor",
        Function | Method | Out, R"doc(
The differences of neighbours along `dim`, taken `n` times; `prepend` and `append` are joined to `input` first.

Example:
    >>> pydl.diff(pydl.tensor([1, 3, 2]))
    tensor([ 2, -1])
)doc");
PYDL_OP(trapezoid_x, "trapezoid(y: Tensor, x: Tensor, *, dim: int = -1) -> Tensor", Function, R"doc(
The integral along `dim` of the function that runs straight between the samples `y`, at the places `x` or `dx` apart.

Example:
    >>> pydl.trapezoid(pydl.tensor([1., 5., 10.]))
    tensor(10.5000)
)doc");
PYDL_OP(trapezoid_dx, "trapezoid(y: Tensor, *, dx: Number = 1, dim: int = -1) -> Tensor", Function, R"doc()doc");
PYDL_OP(trapezoid_x, "trapz(y: Tensor, x: Tensor, *, dim: int = -1) -> Tensor", Function, R"doc(
Alias of `trapezoid`.

Example:
    >>> pydl.trapz(pydl.tensor([1., 5., 10.]), dx=2)
    tensor(21.)
)doc");
PYDL_OP(trapezoid_dx, "trapz(y: Tensor, *, dx: Number = 1, dim: int = -1) -> Tensor", Function, R"doc()doc");
PYDL_OP(cumulative_x, "cumulative_trapezoid(y: Tensor, x: Tensor, *, dim: int = -1) -> Tensor", Function, R"doc(
The integrals of `trapezoid` up to each sample but the first.

Example:
    >>> pydl.cumulative_trapezoid(pydl.tensor([1., 5., 10.]))
    tensor([ 3.0000, 10.5000])
)doc");
PYDL_OP(cumulative_dx, "cumulative_trapezoid(y: Tensor, *, dx: Number = 1, dim: int = -1) -> Tensor", Function, R"doc()doc");

}  // namespace pydl
