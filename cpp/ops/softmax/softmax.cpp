#include "ops/softmax/softmax.h"

#include "autograd/node.h"
#include "core/parallel.h"
#include "kernels/softmax/softmax.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"

namespace pydl {

using autograd::Backward;
using kernels::softmax::SoftmaxFns;

namespace {

constexpr int64_t kGrain = 8192;  // elements per thread, about 4 cycles each

// A contiguous tensor around `dim`: [outer][n][inner].
struct Blocks {
  int64_t outer = 1, n = 1, inner = 1;
  Blocks(const Tensor& t, int dim) {
    for (int i = 0; i < t.ndim(); ++i) (i < dim ? outer : i == dim ? n : inner) *= t.size(i);
  }
};

// Runs f(begin, count) over ranges of outer blocks.
template <class F>
void over_outer(const Blocks& b, F f) {
  if (b.outer * b.n * b.inner == 0) return;
  parallel_for(b.outer, std::max<int64_t>(1, kGrain / (b.n * b.inner)), [&](int64_t begin, int64_t end) { f(begin, end - begin); });
}

// The two functions that share everything but their kernels.
struct Kind {
  const char* op;
  const char* node;
  SoftmaxFns::Unary SoftmaxFns::* rows;
  SoftmaxFns::UnaryInner SoftmaxFns::* inner;
  SoftmaxFns::Backward SoftmaxFns::* backward_rows;
  SoftmaxFns::BackwardInner SoftmaxFns::* backward_inner;
  Tensor (*formula)(const Tensor& g, const Tensor& y, int64_t dim);
};

Tensor sum_kept(const Tensor& t, int64_t dim) {
  const int64_t dims[] = {dim};
  return sum(t, t.ndim() ? std::optional<IntSpan>(IntSpan(dims)) : std::nullopt, t.ndim() > 0);
}

constexpr Kind kSoftmax{"softmax",
                        "SoftmaxBackward0",
                        &SoftmaxFns::softmax,
                        &SoftmaxFns::softmax_inner,
                        &SoftmaxFns::softmax_backward,
                        &SoftmaxFns::softmax_backward_inner,
                        [](const Tensor& g, const Tensor& y, int64_t dim) {
                          const Tensor gy = mul(g, y);
                          return sub(gy, mul(y, sum_kept(gy, dim)));
                        }};
constexpr Kind kLogSoftmax{"log_softmax",
                           "LogSoftmaxBackward0",
                           &SoftmaxFns::log_softmax,
                           &SoftmaxFns::log_softmax_inner,
                           &SoftmaxFns::log_softmax_backward,
                           &SoftmaxFns::log_softmax_backward_inner,
                           [](const Tensor& g, const Tensor& y, int64_t dim) { return sub(g, mul(exp(y), sum_kept(g, dim))); }};

// `x` of float32 or float64, contiguous.
Tensor forward_raw(const Kind& k, const Tensor& x, int dim) {
  const Tensor out = empty(x.sizes(), x.dtype(), k.op);
  const SoftmaxFns& fns = *kernels::softmax::fns()[x.dtype()];
  const Blocks b(x, dim);
  const int64_t step = b.n * b.inner * x.item_size();
  over_outer(b, [&](int64_t begin, int64_t count) {
    char* to = out->data + begin * step;
    const char* from = x->data + begin * step;
    b.inner == 1 ? (fns.*k.rows)(to, from, count, b.n) : (fns.*k.inner)(to, from, count, b.n, b.inner);
  });
  return out;
}

Tensor backward_raw(const Kind& k, const Tensor& grad, const Tensor& y, int dim) {
  const Tensor out = empty(y.sizes(), y.dtype(), k.op);
  const SoftmaxFns& fns = *kernels::softmax::fns()[y.dtype()];
  const Blocks b(y, dim);
  const int64_t step = b.n * b.inner * y.item_size();
  over_outer(b, [&](int64_t begin, int64_t count) {
    char* to = out->data + begin * step;
    const char* g = grad->data + begin * step;
    const char* from = y->data + begin * step;
    b.inner == 1 ? (fns.*k.backward_rows)(to, g, from, count, b.n) : (fns.*k.backward_inner)(to, g, from, count, b.n, b.inner);
  });
  return out;
}

Tensor as_computed(const Tensor& t) { return contiguous(to_dtype(t, compute_type(t.dtype()))); }

Tensor derivative(const Kind& k, const Tensor& g, const Tensor& y, int dim) {
  if (autograd::mode.grad) return k.formula(g, y, dim);
  return to_dtype(backward_raw(k, as_computed(to_dtype(g, y.dtype())), as_computed(y), dim), g.dtype());
}

Tensor normalize(const Kind& k, const Tensor& given, int64_t dim, std::optional<DType> dtype) {
  const Tensor input = dtype ? to_dtype(given, *dtype) : given;
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, k.op, "(): \"", k.op, "\" not implemented for ", input.dtype());
  const int d = wrap_dim(dim, input.ndim(), k.op);
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = to_dtype(forward_raw(k, as_computed(input), d), input.dtype());
  }
  if (autograd::needs_grad(input)) {
    record({}, k.node, out, {&input},
           [&k, y = autograd::save_output(out), d](Backward& b) { b.set(0, derivative(k, b.grad(), y.get(b), d)); });
  }
  return out;
}

}  // namespace

Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) { return normalize(kSoftmax, input, dim, dtype); }
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) { return normalize(kLogSoftmax, input, dim, dtype); }

PYDL_OP(softmax, "softmax(input: Tensor, dim: int, dtype: dtype | None = None) -> Tensor", Function | Method | Special | Out, R"doc(
exp(x) divided by its sum along `dim`; `dtype` converts first. A slice with +inf, or of -inf alone, gives NaN.

Example:
    >>> pydl.softmax(pydl.zeros(2), dim=0)
    tensor([0.5000, 0.5000])
)doc");
PYDL_OP(log_softmax, "log_softmax(input: Tensor, dim: int, dtype: dtype | None = None) -> Tensor", Function | Method | Special | Out, R"doc(
The logarithm of `softmax`, without overflow.

Example:
    >>> pydl.log_softmax(pydl.zeros(2), dim=0)
    tensor([-0.6931, -0.6931])
)doc");

}  // namespace pydl
