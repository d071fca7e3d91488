// Running maxima, minima and log-sums of exponentials.
#include <cmath>
#include <complex>
#include <limits>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/creation/rearrange.h"
#include "ops/dispatch.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;

namespace {

// A contiguous tensor as outer x n x inner around dim d, and f(offset of the first element, stride) for every line.
struct Lines {
  int64_t outer = 1, n = 1, inner = 1;
  Lines(const Tensor& t, int d) {
    for (int i = 0; i < t.ndim(); ++i) (i < d ? outer : i == d ? n : inner) *= t.size(i);
  }
  template <class F>
  void each(F&& f) const {
    const int64_t grain = std::max<int64_t>(1, 16384 / std::max<int64_t>(n, 1));
    parallel_for(outer * inner, grain, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) f(line / inner * n * inner + line % inner, inner);
    });
  }
};

// Later of equal ones win, and the first NaN stays.
template <bool kMax, class T>
bool replaces(T x, T best) {
  if (x != x) return true;
  if (best != best) return false;
  return kMax ? x >= best : x <= best;
}

template <bool kMax>
std::tuple<Tensor, Tensor> running_extreme(const char* op, const char* node, const Tensor& input, int64_t dim) {
  const int d = wrap_dim(dim, input.ndim(), op);
  PYDL_CHECK(!is_complex(input.dtype()), NotImplemented, op, "(): not implemented for ", input.dtype());
  Tensor values;
  const Tensor indices = empty(input.sizes(), DType::Int64, op);
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
    const Tensor out = empty(x.sizes(), x.dtype(), op);
    dispatch(op, x.dtype(), RealTypes{}, [&]<class T>(T) {
      const Lines lines(x, d);
      lines.each([&](int64_t at, int64_t stride) {
        const T* in = x.data<T>() + at;
        T best = lines.n ? in[0] : T{};
        int64_t place = 0;
        for (int64_t i = 0; i < lines.n; ++i) {
          if (const T v = in[i * stride]; replaces<kMax>(v, best)) best = v, place = i;
          out.data<T>()[at + i * stride] = best;
          indices.data<int64_t>()[at + i * stride] = place;
        }
      });
    });
    values = to_dtype(out, input.dtype());
  }
  if (needs_grad(input)) {
    record({}, node, values, {&input}, [at = save(indices), sizes = input.sizes(), d](Backward& b) {
      b.set(0, sizes.empty() ? b.grad() : scatter_along(b.grad(), at.get(b), sizes, d));
    });
  }
  return {values, indices};
}
std::tuple<Tensor, Tensor> cummax(const Tensor& input, int64_t dim) {
  return running_extreme<true>("cummax", "CummaxBackward0", input, dim);
}
std::tuple<Tensor, Tensor> cummin(const Tensor& input, int64_t dim) {
  return running_extreme<false>("cummin", "CumminBackward0", input, dim);
}

// ---- log of running sums of exponentials -----------------------------------------------------------------------

// With m the largest element so far and s the sum of exp(x - m): one exponential per element, none of which overflows.
template <class T>
void log_sums(const T* in, T* out, int64_t n, int64_t stride) {
  double m = -std::numeric_limits<double>::infinity(), s = 0;
  for (int64_t i = 0; i < n; ++i) {
    const auto x = static_cast<double>(in[i * stride]);
    if (x == m) {  // infinities have no difference
      s += 1;
    } else if (x < m) {
      s += std::exp(x - m);
    } else {
      s = s * std::exp(m - x) + 1;
      m = x;
    }
    out[i * stride] = static_cast<T>(std::isinf(m) ? m : m + std::log(s));
  }
}

// log(exp(a) + exp(b)) of complex numbers, from the one of the larger real part: its imaginary part is not wrapped, as in torch.
std::complex<double> log_add(std::complex<double> a, std::complex<double> b) {
  const auto is_nan = [](std::complex<double> z) { return std::isnan(z.real()) || std::isnan(z.imag()); };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  if (is_nan(a) || is_nan(b)) return {kNan, kNan};
  if (a.real() < b.real()) std::swap(a, b);
  if (!std::isfinite(a.real()) && a.real() == b.real()) {  // infinities have no difference
    return a.real() < 0 ? a : std::log(std::exp(a) + std::exp(b));
  }
  if (b.real() - a.real() < -745) return a;  // exp gives 0
  const std::complex<double> z = std::exp(b - a);
  return a + std::complex<double>(std::log1p(z.real() * (2 + z.real()) + z.imag() * z.imag()) / 2, std::atan2(z.imag(), 1 + z.real()));
}

template <class T>
void log_sums(const std::complex<T>* in, std::complex<T>* out, int64_t n, int64_t stride) {
  std::complex<double> sum{-std::numeric_limits<double>::infinity(), 0};
  for (int64_t i = 0; i < n; ++i) {
    const std::complex<double> x(in[i * stride]);
    sum = log_add(sum, x);
    out[i * stride] = std::complex<T>(sum);
  }
}

using LogTypes = TypeList<float, double, std::complex<float>, std::complex<double>>;

// r_k = g_k + a_k r_{k+1} along d, from the end; the last a is not used.
Tensor decayed_sums(const Tensor& g, const Tensor& a, int d) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(g), decay = contiguous(a);
    out = empty(x.sizes(), x.dtype(), "logcumsumexp");
    const Lines lines(x, d);
    dispatch("logcumsumexp", x.dtype(), LogTypes{}, [&]<class T>(T) {
      lines.each([&](int64_t at, int64_t stride) {
        const T *from = x.data<T>() + at, *factor = decay.data<T>() + at;
        T r{};
        for (int64_t k = lines.n; k-- > 0;) {
          out.data<T>()[at + k * stride] = r = k + 1 == lines.n ? from[k * stride] : from[k * stride] + factor[k * stride] * r;
        }
      });
    });
  }
  if (needs_grad(g, a)) {
    record({}, "DecayedSumsBackward0", out, {&g, &a}, [a = save(a), r = save_output(out), d](Backward& b) {
      // s_k = h_k + a_{k-1} s_{k-1}: the same sums from the other end.
      const Dims back{d};
      const Tensor decay = conj(a.get(b)), sums = r.get(b);
      const int64_t n = sums.size(d);
      const Tensor s = flip(decayed_sums(flip(b.grad(), back), roll(flip(decay, back), Dims{-1}, back), d), back);
      if (b.needs(0)) b.set(0, s);
      if (b.needs(1)) {
        const Tensor next[] = {narrow(sums, d, 1, n - 1), zeros(narrow(sums, d, 0, 1).sizes(), sums.dtype())};
        b.set(1, mul(s, conj(cat(next, d))));
      }
    });
  }
  return out;
}

// d out_j / d x_k = exp(x_k - out_j) for j >= k, so that grad_k = exp(x_k - out_k) r_k with
// r_k = g_k + exp(out_k - out_{k+1}) r_{k+1}: no factor is above 1. Where all elements so far are -inf they get no gradient.
Tensor log_cum_sum_gradient(const Tensor& g_, const Tensor& x_, const Tensor& y_, int d) {
  const DType type = compute_type(x_.dtype());
  const Tensor g = to_dtype(g_, type), x = to_dtype(x_, type), y = to_dtype(y_, type);
  const int64_t n = x.size(d);
  if (n == 0) return g_;
  const auto ratio = [](const Tensor& a, const Tensor& b) {
    const Tensor none = eq(is_complex(a.dtype()) ? real(a) : a, Operand(-std::numeric_limits<double>::infinity()));
    return where(none, Operand(0), exp(sub(where(none, Operand(0), a), where(none, Operand(0), b))));
  };
  const Tensor steps[] = {ratio(narrow(y, d, 0, n - 1), narrow(y, d, 1, n - 1)), zeros(narrow(y, d, 0, 1).sizes(), type)};
  const Tensor decay = conj(cat(steps, d));
  return to_dtype(mul(conj(ratio(x, y)), decayed_sums(g, decay, d)), g_.dtype());
}

Tensor log_cum_sum(const Tensor& input, int d) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
    const Tensor y = empty(x.sizes(), x.dtype(), "logcumsumexp");
    const Lines lines(x, d);
    dispatch("logcumsumexp", x.dtype(), LogTypes{}, [&]<class T>(T) {
      lines.each([&](int64_t at, int64_t stride) { log_sums(x.data<T>() + at, y.data<T>() + at, lines.n, stride); });
    });
    out = to_dtype(y, input.dtype());
  }
  if (needs_grad(input)) {
    record({}, "LogcumsumexpBackward0", out, {&input}, [x = save(input), y = save_output(out), d](Backward& b) {
      b.set(0, b.grad().ndim() ? log_cum_sum_gradient(b.grad(), x.get(b), y.get(b), d) : b.grad());
    });
  }
  return out;
}
Tensor logcumsumexp(const Tensor& input, int64_t dim) {
  PYDL_CHECK(is_floating(input.dtype()) || is_complex(input.dtype()), NotImplemented,
             "logcumsumexp(): \"logcumsumexp_out_cpu\" not implemented for ", input.dtype());
  return log_cum_sum(input, wrap_dim(dim, input.ndim(), "logcumsumexp"));
}

}  // namespace

PYDL_OP(cummax, "cummax(input: Tensor, dim: int) -> (values: Tensor, indices: Tensor)", Function | Method | Out, R"doc(
The largest element so far along `dim`, and where it stands: the last of equal ones. NaN stays.

Example:
    >>> pydl.cummax(pydl.tensor([1, 3, 2]), 0).values
    tensor([1, 3, 3])
)doc");
PYDL_OP(cummin, "cummin(input: Tensor, dim: int) -> (values: Tensor, indices: Tensor)", Function | Method | Out, R"doc(
The smallest element so far along `dim`, and where it stands: the last of equal ones. NaN stays.

Example:
    >>> pydl.cummin(pydl.tensor([3, 1, 2]), 0).values
    tensor([3, 1, 1])
)doc");
PYDL_OP(logcumsumexp, "logcumsumexp(input: Tensor, dim: int) -> Tensor", Function | Method | Out, R"doc(
The logarithms of the running sums of exp(input) along `dim`, without overflow.

Example:
    >>> pydl.logcumsumexp(pydl.tensor([0., 0.]), 0)
    tensor([0.0000, 0.6931])
)doc");

}  // namespace pydl
