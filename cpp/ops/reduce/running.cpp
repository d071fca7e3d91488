// Running maxima, minima and log-sums of exponentials.
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "ops/copy/copy.h"
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

Tensor log_cum_sum(const Tensor& input, int d);

// d out_j / d x_i = exp(x_i - out_j) for j >= i, so that grad_i = exp(x_i + log sum_{j >= i} g_j exp(-out_j)), taken apart
// into the g_j of either sign.
Tensor log_cum_sum_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int d) {
  const Dims dims{d};
  const double least = x.dtype() == DType::Float64 ? -std::numeric_limits<double>::max() : -std::numeric_limits<float>::max();
  // Where all elements so far are -inf they get no gradient: the finite stand-in keeps -inf - (-inf) away.
  const Tensor below = x.dtype() == DType::Float16 ? y : clamp(y, Scalar(least), std::nullopt);
  const auto part = [&](const Tensor& share) {
    const Tensor there = gt(share, Operand(0));
    const Tensor logs = where(there, log(where(there, share, Operand(1))), Operand(-std::numeric_limits<double>::infinity()));
    return exp(add(flip(log_cum_sum(flip(sub(logs, below), dims), d), dims), x));
  };
  return sub(part(g), part(neg(g)));
}

Tensor log_cum_sum(const Tensor& input, int d) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
    const Tensor y = empty(x.sizes(), x.dtype(), "logcumsumexp");
    const Lines lines(x, d);
    lines.each([&](int64_t at, int64_t stride) {
      x.dtype() == DType::Float64 ? log_sums(x.data<double>() + at, y.data<double>() + at, lines.n, stride)
                                  : log_sums(x.data<float>() + at, y.data<float>() + at, lines.n, stride);
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
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "logcumsumexp(): \"logcumsumexp_out_cpu\" not implemented for ", input.dtype());
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
