// Poisson and binomial numbers. One word of the generator seeds a small generator for each element, from which that
// element's rejections draw: the numbers do not depend on threads or on what neighbours needed.
#include <cmath>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/random/sample.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}
  // (0, 1)
  double operator()() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (static_cast<double>((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
  }

 private:
  uint64_t state_;
};

double log_gamma(double x) {
  int sign;
  return lgamma_r(x, &sign);
}

// W. Hoermann: "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
// Economics 12 (1993), algorithm PTRS; below 10, products of uniform numbers (Knuth, TAOCP 2, 3.4.1).
double poisson_number(double rate, Draws& u) {
  if (rate == 0) return 0;
  if (rate < 10) {
    const double limit = std::exp(-rate);
    double product = u(), k = 0;
    for (; product > limit; ++k) product *= u();
    return k;
  }
  const double b = 0.931 + 2.53 * std::sqrt(rate), a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), enough = 0.9277 - 3.6224 / (b - 2);
  while (true) {
    const double x = u() - 0.5, v = u(), distance = 0.5 - std::abs(x);
    const double k = std::floor((2 * a / distance + b) * x + rate + 0.43);
    if (distance >= 0.07 && v <= enough) return k;
    if (k < 0 || (distance < 0.013 && v > distance)) continue;
    if (std::log(v * inverse_alpha / (a / (distance * distance) + b)) <= -rate + k * std::log(rate) - log_gamma(k + 1)) return k;
  }
}

// W. Hoermann: "The generation of binomial random variates", J. Stat. Comput. Simul. 46 (1993), algorithm BTRS; where few
// successes are expected, the gaps between them are geometric (Devroye, "Non-uniform random variate generation", X.4).
double binomial_number(double n, double p, Draws& u) {
  if (n <= 0 || p <= 0) return 0;
  if (p > 0.5) return n - binomial_number(n, 1 - p, u);
  if (n * p < 10) {
    const double scale = 1 / std::log1p(-p);
    double k = 0;
    for (double at = std::floor(std::log(u()) * scale) + 1; at <= n; ++k) at += std::floor(std::log(u()) * scale) + 1;
    return k;
  }
  const double deviation = std::sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * deviation, a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double c = n * p + 0.5, enough = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * deviation;
  const double odds = std::log(p / (1 - p)), mode = std::floor((n + 1) * p);
  const double top = log_gamma(mode + 1) + log_gamma(n - mode + 1);
  while (true) {
    const double x = u() - 0.5, v = u(), distance = 0.5 - std::abs(x);
    const double k = std::floor((2 * a / distance + b) * x + c);
    if (k < 0 || k > n) continue;
    if (distance >= 0.07 && v <= enough) return k;
    if (std::log(v * alpha / (a / (distance * distance) + b)) <= top - log_gamma(k + 1) - log_gamma(n - k + 1) + (k - mode) * odds)
      return k;
  }
}

// f(element, draws) for each element of `out`.
template <class F>
void sample_each(const Tensor& out, Generator* g, F&& f) {
  std::vector<uint64_t> seeds(static_cast<size_t>(out.numel()));
  fill_words(seeds.data(), out.numel(), g);
  parallel_for(out.numel(), 512, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Draws draws(seeds[static_cast<size_t>(i)]);
      out.data<double>()[i] = f(i, draws);
    }
  });
}

// Numbers drawn have no slope.
void record_flat(const char* node, const Tensor& out, const Tensor& input) {
  if (!needs_grad(input)) return;
  record({}, node, out, {&input}, [sizes = input.sizes(), dtype = input.dtype()](Backward& b) { b.set(0, zeros(sizes, dtype)); });
}

Tensor poisson(const Tensor& input, Generator* generator) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "poisson(): \"poisson_cpu\" not implemented for ", input.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor rate = contiguous(to_dtype(input, DType::Float64)), drawn = empty(input.sizes(), DType::Float64, "poisson");
    const double* r = rate.data<double>();
    for (int64_t i = 0; i < rate.numel(); ++i) {
      PYDL_CHECK(r[i] >= 0 && std::isfinite(r[i]), Error,
                 "poisson(): invalid Poisson rate, expected rate to be non-negative and finite, got ", r[i]);
    }
    sample_each(drawn, generator, [r](int64_t i, Draws& u) { return poisson_number(r[i], u); });
    out = to_dtype(drawn, input.dtype());
  }
  record_flat("PoissonBackward0", out, input);
  return out;
}

Tensor binomial(const Tensor& count, const Tensor& prob, Generator* generator) {
  PYDL_CHECK(is_floating(count.dtype()), ValueError, "binomial(): only supports floating-point dtypes for count, got: ", count.dtype());
  PYDL_CHECK(is_floating(prob.dtype()), ValueError, "binomial(): only supports floating-point dtypes for prob, got: ", prob.dtype());
  const DType dtype = promote_types(count.dtype(), prob.dtype());
  const Dims shape = broadcast_shapes(count.sizes(), prob.sizes(), "binomial");
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor n = contiguous(expand(to_dtype(count, DType::Float64), shape)),
                 p = contiguous(expand(to_dtype(prob, DType::Float64), shape));
    const double *trials = n.data<double>(), *chance = p.data<double>();
    for (int64_t i = 0; i < n.numel(); ++i) {
      PYDL_CHECK(trials[i] >= 0 && std::isfinite(trials[i]), Error, "binomial(): invalid count, expected a non-negative number, got ",
                 trials[i]);
      PYDL_CHECK(chance[i] >= 0 && chance[i] <= 1, Error, "binomial(): invalid prob, expected a number in [0, 1], got ", chance[i]);
    }
    const Tensor drawn = empty(shape, DType::Float64, "binomial");
    sample_each(drawn, generator, [=](int64_t i, Draws& u) { return binomial_number(std::floor(trials[i]), chance[i], u); });
    out = to_dtype(drawn, dtype);
  }
  record_flat("BinomialBackward0", out, prob);
  return out;
}

}  // namespace

PYDL_OP(poisson, "poisson(input: Tensor, generator: Generator | None = None) -> Tensor", Function, R"doc(
Poisson numbers with the rates in `input`, in its dtype.

Raises RuntimeError for a negative rate.

Example:
    >>> pydl.poisson(pydl.zeros(3))
    tensor([0., 0., 0.])
)doc");
PYDL_OP(binomial, "binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor", Function, R"doc(
How many of `count` trials succeed, each with the probability `prob`; both are broadcast.

Raises RuntimeError for a negative count or a probability outside [0, 1].

Example:
    >>> pydl.binomial(pydl.tensor([3., 5.]), pydl.tensor([0., 1.]))
    tensor([0., 5.])
)doc");

}  // namespace pydl
