// Gamma, Poisson and binomial numbers. Element i draws from a stream of its own, seeded by word i of the generator, so
// rejections do not shift the numbers of other elements and any split over threads gives the same bits.
#include "kernels/random/gamma.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/random/random.h"
#include "ops/random/sample.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;

namespace {

constexpr int64_t kGrain = 512;

// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Stream {
 public:
  explicit Stream(uint64_t seed) : state_(seed) {}
  double unit() {  // (0, 1)
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
  }
  double normal() { return std::sqrt(-2 * std::log(unit())) * std::cos(2 * M_PI * unit()); }

 private:
  uint64_t state_;
};

// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; shapes below 1 by their section 6.
double draw_gamma(double a, Stream& s) {
  if (!(a > 0) || !std::isfinite(a)) return a == 0 ? 0 : NAN;
  const double boost = a < 1 ? std::pow(s.unit(), 1 / a) : 1;
  const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = s.normal(), v = 1 + c * x;
    if (v <= 0) continue;
    const double cube = v * v * v;
    if (std::log(s.unit()) < 0.5 * x * x + d - d * cube + d * std::log(cube)) return boost * d * cube;
  }
}

// By multiplication of uniform numbers below 10, above by Hoermann's PTRS, "The transformed rejection method for
// generating Poisson random variables", 1993.
double draw_poisson(double rate, Stream& s) {
  if (!(rate > 0) || !std::isfinite(rate)) return rate == 0 ? 0 : NAN;  // rejections would never end at infinity
  if (rate < 10) {
    const double limit = std::exp(-rate);
    double product = s.unit(), k = 0;
    for (; product > limit; ++k) product *= s.unit();
    return k;
  }
  const double root = std::sqrt(rate), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double alpha = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = s.unit() - 0.5, v = s.unit(), us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + std::log(alpha) - std::log(a / (us * us) + b) <= -rate + k * std::log(rate) - std::lgamma(k + 1)) return k;
  }
}

// Inversion by waiting times for few expected successes (Devroye, "Non-uniform random variate generation", 1986, X.4.3),
// else Hoermann's BTRS, "The generation of binomial random variates", 1993.
double draw_binomial(double n, double p, Stream& s) {
  if (!(n >= 0) || !std::isfinite(n) || !(p >= 0) || !(p <= 1)) return NAN;
  n = std::floor(n);
  if (n == 0 || p == 0) return 0;
  if (p == 1) return n;
  if (p > 0.5) return n - draw_binomial(n, 1 - p, s);
  if (n * p < 10) {
    const double logq = std::log1p(-p);
    double waited = 0;
    for (double k = 0;; ++k) {
      waited += std::floor(std::log(s.unit()) / logq) + 1;
      if (waited > n) return k;
    }
  }
  const double spread = std::sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double c = n * p + 0.5, vr = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread, m = std::floor((n + 1) * p);
  const double odds = p / (1 - p);
  for (;;) {
    const double u = s.unit() - 0.5, us = 0.5 - std::fabs(u), k = std::floor((2 * a / us + b) * u + c);
    const double v = s.unit();
    if (us >= 0.07 && v <= vr) return k;
    if (k < 0 || k > n) continue;
    const double bound =
        std::lgamma(m + 1) + std::lgamma(n - m + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + (k - m) * std::log(odds);
    if (std::log(v * alpha / (a / (us * us) + b)) <= bound) return k;
  }
}

Tensor as_doubles(const Tensor& t) { return contiguous(to_dtype(t, DType::Float64)); }

// draw(i, stream) for each element, then converted.
template <class F>
Tensor draw_each(const char* op, IntSpan sizes, DType dtype, Generator* g, F draw) {
  const Tensor out = empty(sizes, DType::Float64, op), words = empty(sizes, DType::Int64, op);
  fill_words(words.data<uint64_t>(), words.numel(), g);
  parallel_for(out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Stream s(words.data<uint64_t>()[i]);
      out.data<double>()[i] = draw(i, s);
    }
  });
  return to_dtype(out, dtype);
}

Tensor gamma_slope(const Tensor& alpha, const Tensor& output) {
  PYDL_CHECK(alpha.sizes() == output.sizes() && is_floating(alpha.dtype()) && alpha.dtype() == output.dtype(), ShapeError,
             "_standard_gamma_grad(): self and output must have the same size and floating dtype, got ", IntSpan(alpha.sizes()), " ",
             alpha.dtype(), " and ", IntSpan(output.sizes()), " ", output.dtype());
  const autograd::GradGuard off(false);
  const Tensor a = as_doubles(alpha), z = as_doubles(output), out = empty(alpha.sizes(), DType::Float64, "_standard_gamma_grad");
  parallel_for(out.numel(), 64, [&](int64_t begin, int64_t end) {
    kernels::random::gamma().slope(a.data<double>() + begin, z.data<double>() + begin, out.data<double>() + begin, end - begin);
  });
  return to_dtype(out, alpha.dtype());
}

Tensor standard_gamma(const Tensor& alpha, Generator* g) {
  PYDL_CHECK(is_floating(alpha.dtype()), NotImplemented, "_standard_gamma(): not implemented for ", alpha.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor a = as_doubles(alpha);
    // Shapes near 0 give numbers below the smallest positive one; zero has no logarithm.
    const double tiny = alpha.dtype() == DType::Float64 ? 0x1p-1022 : alpha.dtype() == DType::Float16 ? 0x1p-14 : 0x1p-126;
    out = draw_each("_standard_gamma", alpha.sizes(), alpha.dtype(), g,
                    [&](int64_t i, Stream& s) { return std::max(draw_gamma(a.data<double>()[i], s), tiny); });
  }
  if (needs_grad(alpha)) {
    record({}, "StandardGammaBackward0", out, {&alpha}, [a = save(alpha), z = save_output(out)](Backward& b) {
      PYDL_CHECK(!needs_grad(b.grad()) || !autograd::mode.grad, NotImplemented,
                 "_standard_gamma(): the derivative of its gradient is not implemented");
      b.set(0, mul(b.grad(), gamma_slope(a.get(b), z.get(b))));
    });
  }
  return out;
}

// Zero gradients to the parameters, as in torch.
template <class... Ts>
Tensor without_gradient(const Tensor& out, const char* node, const Ts&... inputs) {
  if (needs_grad(inputs...)) {
    record({}, node, out, {&inputs...}, [sizes = std::array{inputs.sizes()...}](Backward& b) {
      for (int i = 0; i < static_cast<int>(sizes.size()); ++i) b.set(i, zeros(sizes[static_cast<size_t>(i)], b.grad().dtype()));
    });
  }
  return out;
}

Tensor poisson(const Tensor& input, Generator* g) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "poisson(): not implemented for ", input.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    PYDL_CHECK(!has_zero(ge(input, Operand(0))), Error, "poisson(): invalid Poisson rate, expected rate to be non-negative");
    const Tensor rate = as_doubles(input);
    out = draw_each("poisson", input.sizes(), input.dtype(), g,
                    [&](int64_t i, Stream& s) { return draw_poisson(rate.data<double>()[i], s); });
  }
  return without_gradient(out, "PoissonBackward0", input);
}

Tensor binomial(const Tensor& count, const Tensor& prob, Generator* g) {
  PYDL_CHECK(is_floating(count.dtype()) && count.dtype() == prob.dtype(), Error,
             "binomial(): only supports floating-point dtypes, the same for count and prob; got: ", count.dtype(), " and ", prob.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Dims sizes = broadcast_shapes(count.sizes(), prob.sizes(), "binomial");
    const Tensor n = as_doubles(expand(count, sizes)), p = as_doubles(expand(prob, sizes));
    out = draw_each("binomial", sizes, count.dtype(), g,
                    [&](int64_t i, Stream& s) { return draw_binomial(n.data<double>()[i], p.data<double>()[i], s); });
  }
  return without_gradient(out, "BinomialBackward0", count, prob);
}

}  // namespace

PYDL_OP(standard_gamma, "_standard_gamma(input: Tensor, generator: Generator | None = None) -> Tensor", Function, R"doc(
Numbers of the gamma distributions with shapes `input` and rate 1, differentiable by the shape.

Example:
    >>> pydl._standard_gamma(pydl.ones(3)).shape
    torch.Size([3])
)doc");
PYDL_OP(gamma_slope, "_standard_gamma_grad(input: Tensor, output: Tensor) -> Tensor", Function, R"doc(
The derivative of the gamma-distributed numbers `output` by their shapes `input`.

Example:
    >>> pydl._standard_gamma_grad(pydl.tensor([1.]), pydl.tensor([1.]))
    tensor([1.2529])
)doc");
PYDL_OP(poisson, "poisson(input: Tensor, generator: Generator | None = None) -> Tensor", Function, R"doc(
Poisson-distributed numbers with the rates in `input`, of its dtype. Raises RuntimeError for a negative rate.

Example:
    >>> pydl.poisson(pydl.zeros(2))
    tensor([0., 0.])
)doc");
PYDL_OP(binomial, "binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor", Function, R"doc(
How many of `count` trials succeed, each with probability `prob`; the arguments broadcast.

Example:
    >>> pydl.binomial(pydl.tensor([5., 5.]), pydl.tensor([0., 1.]))
    tensor([0., 5.])
)doc");

}  // namespace pydl
