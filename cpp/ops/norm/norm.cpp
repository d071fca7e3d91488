// Recording a normalisation, and its gradient by differentiable ops.
#include "ops/norm/norm.h"

#include <cmath>

#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "ops/view/view.h"

namespace pydl::norm {

using autograd::Backward;
using autograd::save;

namespace {

constexpr int64_t kOverBatch[] = {0, 2, 3}, kOverRow[] = {2, 3};

IntSpan statistic_dims(const Layout& l) { return l.over_batch ? IntSpan(kOverBatch) : IntSpan(kOverRow); }
Dims statistic_shape(const Layout& l) { return {l.over_batch ? 1 : l.outer, l.groups, 1, 1}; }
Dims full_shape(const Layout& l) { return {l.outer, l.groups, l.features, l.inner}; }

// Where the channels lie last in memory, the dims in the order of the memory; and back.
Tensor to_memory_order(const Tensor& t, bool channels_last) {
  if (!channels_last) return t;
  Dims order;
  order.push_back(0);
  for (int i = 2; i < t.ndim(); ++i) order.push_back(i);
  order.push_back(1);
  return permute(t, order);
}
Tensor from_memory_order(const Tensor& t, const Tensor& like, bool channels_last) {
  if (!channels_last) return reshape(t, like.sizes());
  Dims shape, order;
  for (int i = 0; i < like.ndim(); ++i) {
    if (i != 1) shape.push_back(like.size(i));
  }
  shape.push_back(like.size(1));
  order.push_back(0), order.push_back(like.ndim() - 1);
  for (int i = 1; i < like.ndim() - 1; ++i) order.push_back(i);
  return permute(reshape(t, shape), order);
}

Tensor in_compute_type(const Tensor& t, DType d) { return t.defined() ? to_dtype(t, d) : t; }
Tensor flat(const Tensor& t) { return t.defined() ? contiguous(t) : t; }

// Strides of the input where the kernels read them as they lie, else a contiguous copy.
Tensor readable(const Tensor& t, const Tensor& like, bool channels_last) {
  if (!channels_last) return contiguous(t);
  return t.strides() == like.strides() ? t : clone_as(t, like.strides());
}

struct Saved {
  autograd::Saved input, weight, stats;
  const char* op;
  Layout layout;
  double eps;
  bool centered, channels_last, fixed, has_weight;
  Dims parameter_shape;
  DType weight_dtype, bias_dtype;
  Clip clip;
};

// The gradient before the activation, by differentiable ops: what was clipped passes nothing on.
Tensor before_clip(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& stats, const Saved& s) {
  if (!s.clip.on) return g;
  Tensor below, above;
  {
    const autograd::GradGuard off(false);
    const Tensor y = forward_fixed(s.op, contiguous(x), flat(weight), s.clip.offset, s.layout, stats);
    below = le(y, Operand(0));
    if (!std::isnan(s.clip.ceiling)) above = ge(y, Operand(s.clip.ceiling));
  }
  const Tensor passed = where(below, Operand(0), g);
  return above.defined() ? where(above, Operand(0), passed) : passed;
}

void set_gradients(Backward& b, const Saved& s) {
  const Tensor x = s.input.get(b), weight = s.has_weight ? s.weight.get(b) : Tensor(), stats = s.stats.get(b);
  const DType compute = compute_type(x.dtype());
  const Wanted wanted{b.needs(0), b.needs(1), b.needs(2)};
  Gradients g;
  if (autograd::mode.grad) {
    const auto seen = [&](const Tensor& t) {
      return reshape(to_memory_order(to_dtype(t, compute), s.channels_last), full_shape(s.layout));
    };
    g = backward_formula(seen(before_clip(b.grad(), x, weight, stats, s)), seen(x), in_compute_type(weight, compute),
                         s.fixed ? stats : Tensor(), s.layout, s.eps, s.centered, wanted);
    if (g.input.defined()) g.input = from_memory_order(g.input, x, s.channels_last);
  } else {
    const Tensor values = readable(to_dtype(x, compute), x, s.channels_last);
    g = backward(s.op, readable(to_dtype(b.grad(), compute), x, s.channels_last), values, flat(in_compute_type(weight, compute)), stats,
                 s.layout, s.centered, s.fixed, wanted, s.clip);
  }
  if (g.input.defined()) b.set(0, to_dtype(g.input, x.dtype()));
  if (g.weight.defined()) b.set(1, to_dtype(reshape(g.weight, s.parameter_shape), s.weight_dtype));
  if (g.bias.defined()) b.set(2, to_dtype(reshape(g.bias, s.parameter_shape), s.bias_dtype));
}

}  // namespace

Gradients backward_formula(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& stats, const Layout& l, double eps,
                           bool centered, Wanted wanted) {
  const IntSpan dims = statistic_dims(l);
  const Tensor w = weight.defined() ? reshape(weight, Dims{1, l.groups, l.features, 1}) : Tensor();
  Tensor xc, rstd;
  if (stats.defined()) {
    xc = sub(x, statistics_column(stats, 0, statistic_shape(l), x.dtype()));
    rstd = statistics_column(stats, 1, statistic_shape(l), x.dtype());
  } else {
    xc = x;
    // The second time takes off what the rounding of a large mean has left.
    for (int i = 0; i < 2 && centered; ++i) xc = sub(xc, mean(xc, dims, true));
    rstd = rsqrt(add(mean(square(xc), dims, true), Operand(eps)));
  }
  const Tensor xhat = mul(xc, rstd);
  Gradients out;
  if (wanted.input) {
    const Tensor gw = w.defined() ? mul(g, w) : g;
    Tensor dx = gw;
    if (!stats.defined()) {
      if (centered) dx = sub(dx, mean(gw, dims, true));
      dx = sub(dx, mul(xhat, mean(mul(gw, xhat), dims, true)));
    }
    out.input = mul(dx, rstd);
  }
  const int64_t others[] = {0, 3};
  if (wanted.weight) out.weight = sum(mul(g, xhat), IntSpan(others));
  if (wanted.bias) out.bias = sum(g, IntSpan(others));
  return out;
}

Normalized normalize(const Call& call, const Tensor& fixed_stats) {
  const Tensor& x = call.input;
  const DType compute = compute_type(x.dtype());
  Normalized result;
  {
    const autograd::GradGuard off(false);
    const Tensor values = readable(to_dtype(x, compute), x, call.channels_last);
    const Tensor w = flat(in_compute_type(call.weight, compute)), b = flat(in_compute_type(call.bias, compute));
    result.stats = fixed_stats;
    Tensor y = fixed_stats.defined() ? forward_fixed(call.op, values, w, b, call.layout, fixed_stats, call.clip)
                                     : forward(call.op, values, w, b, call.layout, call.eps, call.centered, &result.stats, call.clip);
    result.out = to_dtype(y, x.dtype());
  }
  if (!autograd::needs_grad(x, call.weight, call.bias)) return result;
  const Tensor& parameter = call.weight.defined() ? call.weight : call.bias;
  Saved s{save(x),
          call.weight.defined() ? save(call.weight) : autograd::Saved(),
          save(result.stats),
          call.op,
          call.layout,
          call.eps,
          call.centered,
          call.channels_last,
          fixed_stats.defined(),
          call.weight.defined(),
          parameter.defined() ? parameter.sizes() : Dims{},
          call.weight.defined() ? call.weight.dtype() : compute,
          call.bias.defined() ? call.bias.dtype() : compute,
          call.clip};
  if (call.clip.on && call.bias.defined()) {  // a copy: an optimizer may move the bias before the gradient is asked for
    const autograd::GradGuard off(false);
    s.clip.offset = clone(call.bias);
  }
  record({}, call.node, result.out, {&x, &call.weight, &call.bias}, [s = std::move(s)](Backward& b) { set_gradients(b, s); });
  return result;
}

void check_parameter_dtype(const char* op, const Tensor& input, const Tensor& t) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, op, "(): \"", op, "\" not implemented for ", input.dtype());
  if (!t.defined() || t.dtype() == input.dtype() || (is_half(input.dtype()) && t.dtype() == DType::Float32)) return;
  throw Error(text("mixed dtype (CPU): ", op, "() expected a parameter of ", input.dtype(), ", got ", t.dtype()));
}

Tensor statistics_column(const Tensor& stats, int column, IntSpan shape, DType dtype) {
  const autograd::GradGuard off(false);
  return clone(to_dtype(reshape(select(stats, 1, column), shape), dtype));
}

}  // namespace pydl::norm
