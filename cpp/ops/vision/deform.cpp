// The columns of a deformable convolution: what each place of the kernel reads at positions that offsets move.
// pydl.vision.ops.deform_conv2d multiplies them with the weight.
#include <cmath>

#include "core/parallel.h"
#include "kernels/vision/grid.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

constexpr int64_t kPoints = 512;                // reads whose taps are computed at a time, about
constexpr int64_t kChannels = 64;               // channels of one task of the derivative
constexpr int64_t kGrain = 16384;               // results per thread
constexpr int64_t kLargest = int64_t{1} << 31;  // of sizes, so that their products fit

// Of a call: `groups` sets of offsets, each for its share of the channels.
struct Geometry {
  int64_t batch, channels, h, w, kh, kw, oh, ow, groups;
  int64_t stride[2], padding[2], dilation[2];
  int64_t places() const { return kh * kw; }
  int64_t cells() const { return oh * ow; }
  int64_t width() const { return channels / groups; }
  Dims columns() const { return {batch, cells(), places() * channels}; }
};

int64_t checked_size(const char* what, IntSpan values, size_t i, int64_t least) {
  PYDL_CHECK(values.size() == 2, ValueError, "deform_conv2d(): ", what, " must have two elements, got ", values.size());
  PYDL_CHECK(values[i] >= least && values[i] < kLargest, ValueError, "deform_conv2d(): ", what, " must be in [", least, ", 2**31), got ",
             values[i]);
  return values[i];
}

Geometry geometry_of(const Tensor& input, const Tensor& offset, const Tensor& mask, IntSpan kernel, IntSpan stride, IntSpan padding,
                     IntSpan dilation) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "deform_conv2d(): not implemented for ", input.dtype());
  PYDL_CHECK(input.ndim() == 4 && offset.ndim() == 4, ShapeError, "deform_conv2d(): input and offset must have four dims, got ",
             IntSpan(input.sizes()), " and ", IntSpan(offset.sizes()));
  PYDL_CHECK(offset.dtype() == input.dtype() && (!mask.defined() || mask.dtype() == input.dtype()), TypeError,
             "deform_conv2d(): offset and mask must be of the input's dtype, ", input.dtype());
  Geometry g{.batch = input.size(0),
             .channels = input.size(1),
             .h = input.size(2),
             .w = input.size(3),
             .kh = checked_size("the kernel's size", kernel, 0, 1),
             .kw = checked_size("the kernel's size", kernel, 1, 1),
             .oh = 0,
             .ow = 0,
             .groups = 0,
             .stride = {},
             .padding = {},
             .dilation = {}};
  PYDL_CHECK(g.h < kLargest && g.w < kLargest, ShapeError, "deform_conv2d(): input is too large, got ", IntSpan(input.sizes()));
  int64_t out[2];
  for (size_t a = 0; a < 2; ++a) {
    g.stride[a] = checked_size("stride", stride, a, 1);
    g.padding[a] = checked_size("padding", padding, a, 0);
    g.dilation[a] = checked_size("dilation", dilation, a, 1);
    const int64_t room = (a ? g.w : g.h) + 2 * g.padding[a] - g.dilation[a] * ((a ? g.kw : g.kh) - 1) - 1;
    PYDL_CHECK(room >= 0, ShapeError, "deform_conv2d(): the kernel is larger than the padded input of sizes ", IntSpan(input.sizes()));
    out[a] = room / g.stride[a] + 1;
  }
  g.oh = out[0], g.ow = out[1];
  g.groups = offset.size(1) / (2 * g.places());
  PYDL_CHECK(g.groups > 0 && offset.size(1) == 2 * g.places() * g.groups && g.channels % g.groups == 0, ShapeError,
             "deform_conv2d(): offset must have 2 * groups * ", g.kh, " * ", g.kw, " channels, groups a divisor of ", g.channels, ", got ",
             offset.size(1));
  PYDL_CHECK(offset.sizes() == Dims({g.batch, offset.size(1), g.oh, g.ow}), ShapeError, "deform_conv2d(): offset must have sizes ",
             IntSpan(Dims{g.batch, offset.size(1), g.oh, g.ow}), ", got ", IntSpan(offset.sizes()));
  const Dims weights{g.batch, g.groups * g.places(), g.oh, g.ow};
  PYDL_CHECK(!mask.defined() || mask.sizes() == weights, ShapeError, "deform_conv2d(): mask must have sizes ", IntSpan(weights), ", got ",
             mask.defined() ? IntSpan(mask.sizes()) : IntSpan());
  checked_numel(g.columns(), 8, "deform_conv2d");
  return g;
}

// Two neighbours along an axis; -1 outside. An undefined position reads nothing.
struct Neighbours {
  int64_t place[2];
  double fraction;
};
Neighbours neighbours(double at, int64_t size) {
  const double low = std::floor(at), top = static_cast<double>(size);
  if (!(low >= -1 && low < top)) return {{-1, -1}, 0};
  const auto first = static_cast<int64_t>(low);
  return {{first, first + 1 < size ? first + 1 : -1}, at - low};
}

// The position without offset of place `k` of the kernel at output cell `p`.
struct Position {
  double y, x;
};
Position position_of(const Geometry& g, int64_t p, int64_t k) {
  return {static_cast<double>(p / g.ow * g.stride[0] - g.padding[0] + k / g.kw * g.dilation[0]),
          static_cast<double>(p % g.ow * g.stride[1] - g.padding[1] + k % g.kw * g.dilation[1])};
}

template <class T>
struct Taps {
  std::vector<int64_t> pixel;
  std::vector<T> weight, slope[3];  // for the mask, x and y
  Taps(int64_t points, bool slopes) : pixel(static_cast<size_t>(4 * points)), weight(pixel.size()) {
    for (auto& s : slope) s.resize(slopes ? pixel.size() : 0);
  }
  // Of the cells [begin, end) of an image, for one group; offset and mask point to that image and group.
  void fill(const Geometry& g, const T* offset, const T* mask, int64_t begin, int64_t end) {
    const int64_t cells = g.cells();
    size_t t = 0;
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t k = 0; k < g.places(); ++k) {
        const Position at = position_of(g, p, k);
        const Neighbours y = neighbours(at.y + static_cast<double>(offset[2 * k * cells + p]), g.h);
        const Neighbours x = neighbours(at.x + static_cast<double>(offset[(2 * k + 1) * cells + p]), g.w);
        const double m = mask ? static_cast<double>(mask[k * cells + p]) : 1;
        for (size_t i = 0; i < 4; ++i, ++t) {
          const int64_t row = y.place[i / 2], column = x.place[i % 2];
          const double wy = i / 2 ? y.fraction : 1 - y.fraction, wx = i % 2 ? x.fraction : 1 - x.fraction;
          pixel[t] = (row | column) < 0 ? -1 : row * g.w + column;
          weight[t] = static_cast<T>(m * wy * wx);
          if (slope[0].empty()) continue;
          slope[0][t] = static_cast<T>(wy * wx);
          slope[1][t] = static_cast<T>(m * wy * (i % 2 ? 1 : -1));
          slope[2][t] = static_cast<T>(m * wx * (i / 2 ? 1 : -1));
        }
      }
    }
  }
};

int64_t cells_at_a_time(const Geometry& g) { return std::max<int64_t>(1, kPoints / g.places()); }
Tensor channels_behind(const Tensor& x) { return contiguous(permute(x, Dims{0, 2, 3, 1})); }
template <class T>
const T* of_group(const Tensor& t, const Geometry& g, int64_t n, int64_t group) {
  if (!t.defined()) return nullptr;
  return t.data<T>() + (n * g.groups + group) * (t.numel() / std::max<int64_t>(1, g.batch * g.groups));
}

template <class T>
Tensor forward_raw(const Geometry& g, const Tensor& input, const Tensor& offset, const Tensor& mask) {
  const Tensor x = channels_behind(input), out = empty(g.columns(), x.dtype(), "deform_conv2d");
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t step = cells_at_a_time(g), blocks = (g.cells() + step - 1) / step, row = g.places() * g.channels;
  parallel_for(g.batch * blocks, std::max<int64_t>(1, kGrain / (step * row)), [&](int64_t begin, int64_t end) {
    Taps<T> taps(step * g.places(), false);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * step, last = std::min(first + step, g.cells());
      for (int64_t group = 0; group < g.groups; ++group) {
        taps.fill(g, of_group<T>(offset, g, n, group), of_group<T>(mask, g, n, group), first, last);
        fns.sample(out.data<T>() + (n * g.cells() + first) * row + group * g.width(),
                   x.data<T>() + n * g.h * g.w * g.channels + group * g.width(),
                   {(last - first) * g.places(), 4, g.width(), g.channels, taps.pixel.data(), taps.weight.data()});
      }
    }
  });
  return out;
}

struct Gradients {
  Tensor input, offset, mask;
};

// One task for each image, group and block of channels, which owns its part of the input's gradient; the parts of the others
// are added in order.
template <class T>
Gradients backward_raw(const Geometry& g, const Tensor& grad, const Tensor& input, const Tensor& offset, const Tensor& mask) {
  const Tensor x = channels_behind(input), dx = zeros(x.sizes(), x.dtype());
  const int64_t blocks = (g.width() + kChannels - 1) / kChannels, axes = mask.defined() ? 3 : 2;
  const Tensor parts = zeros(Dims{blocks, g.batch, g.groups, g.cells(), g.places(), axes}, x.dtype());
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t step = cells_at_a_time(g), row = g.places() * g.channels, each = g.cells() * g.places() * axes;
  parallel_for(g.batch * g.groups * blocks, 1, [&](int64_t begin, int64_t end) {
    Taps<T> taps(step * g.places(), true);
    const void* const slope[] = {taps.slope[axes == 3 ? 0 : 1].data(), taps.slope[axes == 3 ? 1 : 2].data(), taps.slope[2].data()};
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / (g.groups * blocks), group = i / blocks % g.groups, block = i % blocks;
      const int64_t c = group * g.width() + block * kChannels, image = n * g.h * g.w * g.channels + c;
      const int64_t channels = std::min(kChannels, g.width() - block * kChannels);
      for (int64_t first = 0; first < g.cells(); first += step) {
        const int64_t last = std::min(first + step, g.cells());
        taps.fill(g, of_group<T>(offset, g, n, group), of_group<T>(mask, g, n, group), first, last);
        fns.backward(dx.data<T>() + image, parts.data<T>() + ((block * g.batch + n) * g.groups + group) * each + first * g.places() * axes,
                     grad.data<T>() + (n * g.cells() + first) * row + c, x.data<T>() + image,
                     {(last - first) * g.places(), 4, channels, g.channels, taps.pixel.data(), taps.weight.data()}, slope, axes);
      }
    }
  });
  const int64_t over_blocks[] = {0};
  const Tensor moved = permute(sum(parts, IntSpan(over_blocks)), Dims{0, 1, 3, 4, 2});  // image, group, place, axis, cell
  Gradients r{contiguous(permute(dx, Dims{0, 3, 1, 2})), reshape(contiguous(narrow(moved, 3, 0, 2)), offset.sizes()), {}};
  if (axes == 3) r.mask = reshape(contiguous(select(moved, 3, 2)), mask.sizes());
  return r;
}

// ---- the derivative by differentiable ops ---------------------------------------------------------------------------

// (N, groups, cells * places) of one part of an offset or mask seen as (N, groups, places, ..., cells).
Tensor by_read(const Tensor& t, const Geometry& g) {
  return reshape(permute(t, Dims{0, 1, 3, 2}), Dims{g.batch, g.groups, g.cells() * g.places()});
}

// One axis' taps as tensors: constants, and weights that are functions of the offset.
struct SymbolicAxis {
  Tensor place[2], inside[2], weight[2];
};
SymbolicAxis symbolic_axis(const Geometry& g, const Tensor& offset, bool vertical) {
  const Dims shape = offset.sizes();
  Tensor values;
  {
    const autograd::GradGuard off(false);
    values = contiguous(to_dtype(offset, DType::Float64));
  }
  SymbolicAxis r;
  const Tensor fraction = empty(shape, DType::Float64, "deform_conv2d");
  for (int k = 0; k < 2; ++k)
    r.place[k] = empty(shape, DType::Int64, "deform_conv2d"), r.inside[k] = empty(shape, DType::Float64, "deform_conv2d");
  for (int64_t i = 0; i < values.numel(); ++i) {
    const int64_t read = i % (g.cells() * g.places());
    const Position at = position_of(g, read / g.places(), read % g.places());
    const Neighbours found = neighbours((vertical ? at.y : at.x) + values.data<double>()[i], vertical ? g.h : g.w);
    fraction.data<double>()[i] = found.fraction;
    for (int k = 0; k < 2; ++k) {
      r.place[k].data<int64_t>()[i] = std::max<int64_t>(found.place[k], 0);
      r.inside[k].data<double>()[i] = found.place[k] >= 0;
    }
  }
  // The fraction as a function of the offset: its value, and a difference that is zero but has the slope.
  const Tensor f = add(to_dtype(fraction, offset.dtype()), sub(offset, detach(offset)));
  r.weight[0] = rsub(f, Operand(1)), r.weight[1] = f;
  for (Tensor& t : r.inside) t = to_dtype(t, offset.dtype());
  return r;
}

Gradients backward_formula(const Geometry& g, const Tensor& grad, const Tensor& input, const Tensor& offset, const Tensor& mask) {
  const Dims by_channel{g.batch, g.groups, g.cells() * g.places(), g.width()};
  const Tensor x = permute(reshape(input, Dims{g.batch, g.groups, g.width(), g.h * g.w}), Dims{0, 1, 3, 2});
  const Tensor d = permute(reshape(grad, Dims{g.batch, g.cells() * g.places(), g.groups, g.width()}), Dims{0, 2, 1, 3});
  const Tensor offsets = reshape(offset, Dims{g.batch, g.groups, g.places(), 2, g.cells()});
  const SymbolicAxis y = symbolic_axis(g, by_read(select(offsets, 3, 0), g), true),
                     z = symbolic_axis(g, by_read(select(offsets, 3, 1), g), false);
  const Tensor m = mask.defined() ? by_read(reshape(mask, Dims{g.batch, g.groups, g.places(), g.cells()}), g) : Tensor();
  const auto masked = [&m](const Tensor& t) { return m.defined() ? mul(t, m) : t; };
  const auto add_to = [](Tensor& sum, const Tensor& t) { sum = sum.defined() ? add(sum, t) : t; };
  Tensor dx, dy, dz, dm;
  for (int k = 0; k < 4; ++k) {
    const int i = k / 2, j = k % 2;
    const Tensor inside = mul(y.inside[i], z.inside[j]), pixel = add(mul(y.place[i], Operand(g.w)), z.place[j]);
    const Tensor weight = mul(mul(y.weight[i], z.weight[j]), inside), index = contiguous(expand(unsqueeze(pixel, 3), by_channel));
    add_to(dx, scatter_along(mul(d, unsqueeze(masked(weight), 3)), index, x.sizes(), 2));
    const int64_t over_channels[] = {3};
    const Tensor dot = sum(mul(d, gather(x, 2, index)), IntSpan(over_channels));
    add_to(dy, masked(mul(mul(dot, mul(z.weight[j], inside)), Operand(i ? 1 : -1))));
    add_to(dz, masked(mul(mul(dot, mul(y.weight[i], inside)), Operand(j ? 1 : -1))));
    add_to(dm, mul(dot, weight));
  }
  const auto by_place = [&g](const Tensor& t) {
    return permute(reshape(t, Dims{g.batch, g.groups, g.cells(), g.places()}), Dims{0, 1, 3, 2});
  };
  const Tensor both[] = {by_place(dy), by_place(dz)};
  Gradients r{reshape(permute(dx, Dims{0, 1, 3, 2}), input.sizes()), reshape(stack(both, 3), offset.sizes()), {}};
  if (mask.defined()) r.mask = reshape(by_place(dm), mask.sizes());
  return r;
}

// ---- the op ---------------------------------------------------------------------------------------------------------

Tensor deform_columns(const Tensor& input, const Tensor& offset, const Tensor& mask, IntSpan kernel_size, IntSpan stride, IntSpan padding,
                      IntSpan dilation) {
  const Geometry g = geometry_of(input, offset, mask, kernel_size, stride, padding, dilation);
  const DType compute = compute_type(input.dtype());
  const auto computed = [compute](const Tensor& t) { return t.defined() ? contiguous(to_dtype(t, compute)) : t; };
  Tensor out;
  {
    const autograd::GradGuard off(false);
    if (numel_of(g.columns()) == 0 || input.numel() == 0) {
      out = zeros(g.columns(), input.dtype());
    } else {
      out = to_dtype(
          (compute == DType::Float32 ? forward_raw<float> : forward_raw<double>)(g, computed(input), computed(offset), computed(mask)),
          input.dtype());
    }
  }
  if (!needs_grad(input, offset, mask)) return out;
  record({}, "DeformColumnsBackward0", out, {&input, &offset, &mask},
         [g, compute, computed, i = save(input), o = save(offset), m = mask.defined() ? save(mask) : autograd::Saved()](Backward& b) {
           const Tensor x = i.get(b), at = o.get(b), weights = m.defined() ? m.get(b) : Tensor();
           Gradients r;
           const auto wide = [compute](const Tensor& t) { return t.defined() ? to_dtype(t, compute) : t; };
           if (x.numel() == 0 || b.grad().numel() == 0) {
             r = {zeros(x.sizes(), compute), zeros(at.sizes(), compute), weights.defined() ? zeros(weights.sizes(), compute) : Tensor()};
           } else if (autograd::mode.grad) {
             r = backward_formula(g, wide(b.grad()), wide(x), wide(at), wide(weights));
           } else {
             r = (compute == DType::Float32 ? backward_raw<float> : backward_raw<double>)(g, computed(b.grad()), computed(x), computed(at),
                                                                                          computed(weights));
           }
           if (b.needs(0)) b.set(0, to_dtype(r.input, x.dtype()));
           if (b.needs(1)) b.set(1, to_dtype(r.offset, x.dtype()));
           if (m.defined() && b.needs(2)) b.set(2, to_dtype(r.mask, x.dtype()));
         });
  return out;
}

}  // namespace

PYDL_OP(deform_columns,
        "_deform_columns(input: Tensor, offset: Tensor, mask: Tensor | None, kernel_size: Size, stride: Size, padding: Size, dilation: "
        "Size) -> Tensor",
        Private, R"doc(
What each place of a kernel reads of `input` (N, C, H, W) at positions moved by `offset` (N, 2 * G * kh * kw, oh, ow), times `mask`:
(N, oh * ow, kh * kw * C), the channels side by side.
)doc");

}  // namespace pydl
