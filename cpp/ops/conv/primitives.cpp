#include "autograd/node.h"
#include "ops/conv/conv.h"
#include "ops/conv/engine.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/view/view.h"

namespace pydl::conv {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::Saved;

namespace {

Dims sizes_of(int64_t first, int64_t second, const int64_t* spatial, int dims) {
  Dims sizes{first, second};
  for (int i = 0; i < dims; ++i) sizes.push_back(spatial[3 - dims + i]);
  return sizes;
}
Dims input_sizes(const Geometry& g) { return sizes_of(g.s.batch, g.s.groups * g.s.c, g.s.in, g.dims); }
Dims output_sizes(const Geometry& g) { return sizes_of(g.s.batch, g.s.groups * g.s.o, g.s.out, g.dims); }
Dims weight_sizes(const Geometry& g) { return sizes_of(g.s.groups * g.s.o, g.s.c, g.s.kernel, g.dims); }

// The kernels compute in float32 or float64 on contiguous memory.
Tensor as_computed(const Tensor& t) { return t.defined() ? contiguous(to_dtype(t, compute_type(t.dtype()))) : t; }

bool is_channels_last(const Tensor& t) {
  if (t.contiguous() || t.ndim() < 4 || t.ndim() > 5) return false;
  const Dims strides = format_strides(t.sizes(), t.ndim() == 4 ? MemoryFormat::ChannelsLast : MemoryFormat::ChannelsLast3d, "conv");
  return strides == t.strides();
}

// The result in the dtype of the operands, and in their memory format.
Tensor as_given(const Tensor& result, const Tensor& a, const Tensor& b) {
  Tensor out = to_dtype(result, a.dtype());
  if (is_channels_last(a) || is_channels_last(b))
    out = contiguous(out, out.ndim() == 4 ? MemoryFormat::ChannelsLast : MemoryFormat::ChannelsLast3d);
  return out;
}

// Calls f(T{}) for the compute type.
template <class F>
void with_type(DType d, F&& f) {
  d == DType::Float64 ? f(double{}) : f(float{});
}

// No channels or no images: nothing to sum.
Tensor nothing(const Tensor& out, const Tensor& bias) {
  zero_raw(out);
  if (!bias.defined() || out.numel() == 0) return out;
  Dims shape(out.ndim(), 1);
  shape[1] = bias.numel();
  return add(out, reshape(bias, shape));
}

Tensor correlate_values(const Geometry& g, const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const autograd::GradGuard off(false);
  const Tensor x = as_computed(input), w = as_computed(weight), b = as_computed(bias);
  const Tensor out = empty(output_sizes(g), x.dtype(), "convolution");
  if (out.numel() == 0 || w.numel() == 0) return as_given(nothing(out, b), input, weight);
  with_type(x.dtype(), [&]<class T>(T) { forward<T>(g.s, x.data<T>(), w.data<T>(), b.defined() ? b.data<T>() : nullptr, out.data<T>()); });
  return as_given(out, input, weight);
}

Tensor spread_values(const Geometry& g, const Tensor& output, const Tensor& weight, const Tensor& bias) {
  const autograd::GradGuard off(false);
  const Tensor y = as_computed(output), w = as_computed(weight), b = as_computed(bias);
  const Tensor out = empty(input_sizes(g), y.dtype(), "convolution");
  if (out.numel() == 0 || w.numel() == 0 || y.numel() == 0) return as_given(nothing(out, b), output, weight);
  with_type(y.dtype(),
            [&]<class T>(T) { backward_input<T>(g.s, y.data<T>(), w.data<T>(), b.defined() ? b.data<T>() : nullptr, out.data<T>()); });
  return as_given(out, output, weight);
}

// With `bias_grad`, which is then set, in the same pass.
Tensor weigh_values(const Geometry& g, const Tensor& input, const Tensor& output, Tensor* bias_grad) {
  const autograd::GradGuard off(false);
  const Tensor x = as_computed(input), y = as_computed(output);
  const Tensor out = empty(weight_sizes(g), x.dtype(), "convolution");
  const Tensor sums = bias_grad ? empty(Dims{g.s.groups * g.s.o}, x.dtype(), "convolution") : Tensor();
  if (out.numel() == 0 || x.numel() == 0 || y.numel() == 0) {
    zero_raw(out);
    if (bias_grad) zero_raw(sums);
  } else {
    with_type(x.dtype(),
              [&]<class T>(T) { backward_weight<T>(g.s, x.data<T>(), y.data<T>(), out.data<T>(), bias_grad ? sums.data<T>() : nullptr); });
  }
  if (bias_grad) *bias_grad = to_dtype(sums, input.dtype());
  return as_given(out, input, output);
}

// A bias is added to every place of its channel.
Tensor bias_gradient(const Tensor& gradient) {
  Dims dims{0};
  for (int d = 2; d < gradient.ndim(); ++d) dims.push_back(d);
  return sum(gradient, IntSpan(dims));
}

}  // namespace

Tensor correlate(const Geometry& g, const Tensor& input, const Tensor& weight, const Tensor& bias) {
  const Tensor out = correlate_values(g, input, weight, bias);
  if (!needs_grad(input, weight, bias)) return out;
  record({}, "ConvolutionBackward0", out, {&input, &weight, &bias},
         [g, x = needs_grad(weight) ? save(input) : Saved(), w = needs_grad(input) ? save(weight) : Saved()](Backward& b) {
           if (b.needs(0)) b.set(0, spread(g, b.grad(), w.get(b), Tensor()));
           if (b.needs(1) && b.needs(2) && !autograd::mode.grad && b.grad().numel() > 0 && g.s.c > 0) {
             Tensor sums;
             b.set(1, weigh_values(g, x.get(b), b.grad(), &sums));
             b.set(2, sums);
             return;
           }
           if (b.needs(1)) b.set(1, weigh(g, x.get(b), b.grad()));
           if (b.needs(2)) b.set(2, bias_gradient(b.grad()));
         });
  return out;
}

Tensor spread(const Geometry& g, const Tensor& output, const Tensor& weight, const Tensor& bias) {
  const Tensor out = spread_values(g, output, weight, bias);
  if (!needs_grad(output, weight, bias)) return out;
  record({}, "ConvolutionBackward0", out, {&output, &weight, &bias},
         [g, y = needs_grad(weight) ? save(output) : Saved(), w = needs_grad(output) ? save(weight) : Saved()](Backward& b) {
           if (b.needs(0)) b.set(0, correlate(g, b.grad(), w.get(b), Tensor()));
           if (b.needs(1)) b.set(1, weigh(g, b.grad(), y.get(b)));
           if (b.needs(2)) b.set(2, bias_gradient(b.grad()));
         });
  return out;
}

Tensor weigh(const Geometry& g, const Tensor& input, const Tensor& output) {
  const Tensor out = weigh_values(g, input, output, nullptr);
  if (!needs_grad(input, output)) return out;
  record({}, "ConvolutionBackwardBackward0", out, {&input, &output},
         [g, x = needs_grad(output) ? save(input) : Saved(), y = needs_grad(input) ? save(output) : Saved()](Backward& b) {
           if (b.needs(0)) b.set(0, spread(g, y.get(b), b.grad(), Tensor()));
           if (b.needs(1)) b.set(1, correlate(g, x.get(b), b.grad(), Tensor()));
         });
  return out;
}

}  // namespace pydl::conv
