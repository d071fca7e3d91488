// Values of an image or volume at given positions. Pixels are laid out with their channels side by side, so that the places
// and weights of a position serve all channels at once.
#include "core/parallel.h"
#include "kernels/vision/grid.h"
#include "ops/copy/copy.h"
#include "ops/copy/engine.h"
#include "ops/creation/creation.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"
#include "ops/vision/grid_taps.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using vision::AxisRule;
using vision::AxisTaps;

namespace {

constexpr int64_t kPoints = 512;    // positions whose taps are computed at a time
constexpr int64_t kChannels = 128;  // channels of one task
constexpr int64_t kGrain = 16384;
constexpr int64_t kImageBytes = int64_t{1} << 20;  // images up to so large are turned by the task that reads them, in its cache

// The shape of a call: axes in the order of the image's dims, the last one first in the grid.
struct Geometry {
  int64_t batch, channels, pixels, points, axes;
  AxisRule axis[3];
  int64_t stride[3];
  int taps_per_axis, taps;
  Geometry(const Tensor& input, const Tensor& grid, vision::Sampling sampling, vision::Outside outside, bool align_corners)
      : batch(input.size(0)),
        channels(input.size(1)),
        pixels(1),
        points(1),
        axes(input.ndim() - 2),
        taps_per_axis(taps_of(sampling)),
        taps(1) {
    for (int64_t a = axes - 1; a >= 0; --a) {
      const int64_t size = input.size(static_cast<int>(2 + a));
      axis[a] = {size, sampling, outside, align_corners};
      stride[a] = pixels;
      pixels *= size;
      points *= grid.size(static_cast<int>(1 + a));
      taps *= taps_per_axis;
    }
  }
  bool has_slope() const { return axis[0].sampling != vision::Sampling::Nearest; }
};

// Taps of some positions: for each the pixel, its weight, and for each axis the derivative of the weight.
template <class T>
struct TapBlock {
  std::vector<int64_t> pixel;
  std::vector<T> weight, slope[3];
  explicit TapBlock(const Geometry& g, bool slopes)
      : pixel(static_cast<size_t>(kPoints * g.taps)), weight(static_cast<size_t>(kPoints * g.taps)) {
    for (int a = 0; a < g.axes && slopes; ++a) slope[a].resize(weight.size());
  }
  void fill(const Geometry& g, const T* grid, int64_t count) {
    for (int64_t p = 0; p < count; ++p) {
      if (g.axes == 2 && g.taps_per_axis == 2) {
        fill_bilinear(g, axis_taps(static_cast<double>(grid[2 * p + 1]), g.axis[0]), axis_taps(static_cast<double>(grid[2 * p]), g.axis[1]),
                      static_cast<size_t>(4 * p));
        continue;
      }
      AxisTaps axis[3];
      for (int64_t a = 0; a < g.axes; ++a) axis[a] = axis_taps(static_cast<double>(grid[p * g.axes + g.axes - 1 - a]), g.axis[a]);
      for (int k = 0; k < g.taps; ++k) set(g, axis, k, static_cast<size_t>(p * g.taps + k));
    }
  }

 private:
  // The most frequent case of `set`, written out.
  void fill_bilinear(const Geometry& g, const AxisTaps& y, const AxisTaps& x, size_t at) {
    for (size_t k = 0; k < 4; ++k) {
      const size_t i = k / 2, j = k % 2;
      pixel[at + k] = (y.place[i] | x.place[j]) < 0 ? -1 : y.place[i] * g.stride[0] + x.place[j];
      weight[at + k] = static_cast<T>(y.weight[i] * x.weight[j]);
      if (slope[0].empty()) continue;
      slope[0][at + k] = static_cast<T>(y.derivative[i] * y.slope * x.weight[j]);
      slope[1][at + k] = static_cast<T>(x.derivative[j] * x.slope * y.weight[i]);
    }
  }
  void set(const Geometry& g, const AxisTaps* axis, int k, size_t at) {
    int64_t where = 0;
    int digit[3] = {};
    bool outside = false;
    for (int64_t a = g.axes - 1; a >= 0; --a) {
      digit[a] = k % g.taps_per_axis;
      k /= g.taps_per_axis;
      const int64_t place = axis[a].place[digit[a]];
      outside |= place < 0;
      where += place * g.stride[a];
    }
    pixel[at] = outside ? -1 : where;
    double product = 1;
    for (int64_t a = 0; a < g.axes; ++a) product *= axis[a].weight[digit[a]];
    weight[at] = static_cast<T>(product);
    for (int64_t a = 0; a < g.axes && !slope[a].empty(); ++a) {
      double d = axis[a].derivative[digit[a]] * axis[a].slope;
      for (int64_t b = 0; b < g.axes; ++b) d *= a == b ? 1 : axis[b].weight[digit[b]];
      slope[a][at] = static_cast<T>(d);
    }
  }
};

// (N, C, d...) as (N, d..., C) in memory, and back.
Tensor channels_behind(const Tensor& t) {
  Dims order;
  order.push_back(0);
  for (int i = 2; i < t.ndim(); ++i) order.push_back(i);
  order.push_back(1);
  return contiguous(permute(t, order));
}
Tensor channels_second(const Tensor& t) {
  Dims order{0, t.ndim() - 1};
  for (int i = 1; i < t.ndim() - 1; ++i) order.push_back(i);
  return contiguous(permute(t, order));
}
Dims output_shape(const Tensor& input, const Tensor& grid) {
  Dims shape{input.size(0), input.size(1)};
  for (int i = 1; i < grid.ndim() - 1; ++i) shape.push_back(grid.size(i));
  return shape;
}

// Few channels are sampled plane by plane: side by side they would not fill a vector, and turning them costs more than that.
constexpr int64_t kFewChannels = 8;

bool by_planes(const Geometry& g) {
  return g.axes == 2 && g.channels <= kFewChannels && g.axis[0].sampling != vision::Sampling::Cubic &&
         g.axis[0].outside != vision::Outside::Reflection && g.pixels > 0 && g.pixels <= INT32_MAX;
}

kernels::vision::Planes planes_of(const Geometry& g, int64_t points, int64_t channels) {
  const AxisRule& rows = g.axis[0];
  return {points,
          channels,
          rows.size,
          g.axis[1].size,
          g.points,
          rows.align_corners,
          rows.outside == vision::Outside::Border,
          rows.sampling == vision::Sampling::Nearest};
}

template <class T>
Tensor forward_planes(const Tensor& input, const Tensor& grid, const Geometry& g) {
  const Tensor x = contiguous(input), y = empty(output_shape(input, grid), x.dtype(), "grid_sampler");
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t blocks = (g.points + kPoints - 1) / kPoints;
  parallel_for(g.batch * blocks, std::max<int64_t>(1, kGrain / (kPoints * g.channels)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * kPoints, count = std::min(kPoints, g.points - first);
      fns.sample_planes(y.data<T>() + n * g.channels * g.points + first, x.data<T>() + n * g.channels * g.pixels,
                        grid.data<T>() + (n * g.points + first) * 2, planes_of(g, count, g.channels));
    }
  });
  return y;
}

// Positions with their channels side by side, as scratch memory; planes are `plane` elements apart.
template <class T>
class Turned {
 public:
  Turned(int64_t positions, int64_t channels)
      : channels_(channels), memory_(empty(Dims{positions, channels}, sizeof(T) == 4 ? DType::Float32 : DType::Float64, "grid_sampler")) {}
  T* data() const { return memory_.data<T>(); }
  void clear() { std::fill_n(data(), memory_.numel(), T(0)); }
  void read(const T* planes, int64_t plane, int64_t count) {
    transpose2d(data(), channels_ * item, planes, plane * item, channels_, count, item);
  }
  void write(T* planes, int64_t plane, int64_t count) const {
    transpose2d(planes, plane * item, data(), channels_ * item, count, channels_, item);
  }

 private:
  static constexpr int64_t item = sizeof(T);
  int64_t channels_;
  Tensor memory_;
};

template <class T>
bool turned_near(const Geometry& g) {
  return g.batch >= num_threads() && g.pixels * g.channels * static_cast<int64_t>(sizeof(T)) <= kImageBytes;
}
// So many that their channels stay in cache.
int64_t points_of_block(const Geometry& g) { return std::clamp<int64_t>(32768 / std::max<int64_t>(g.channels, 1) / 16 * 16, 16, kPoints); }

template <class T>
Tensor forward_raw(const Tensor& input, const Tensor& grid, const Geometry& g) {
  if (by_planes(g)) return forward_planes<T>(input, grid, g);
  const bool near = turned_near<T>(g);
  const Tensor x = near ? contiguous(input) : channels_behind(input), y = empty(output_shape(input, grid), x.dtype(), "grid_sampler");
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t each = points_of_block(g), blocks = (g.points + each - 1) / each;
  parallel_for(g.batch * blocks, std::max<int64_t>(1, kGrain / (each * g.channels)), [&](int64_t begin, int64_t end) {
    TapBlock<T> taps(g, false);
    Turned<T> image(near ? g.pixels : 0, g.channels), values(each, g.channels);
    int64_t turned = -1;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t n = i / blocks, first = i % blocks * each, count = std::min(each, g.points - first);
      const T* from = x.data<T>() + n * g.pixels * g.channels;
      if (near && n != turned) image.read(from, g.pixels, g.pixels), turned = n;
      taps.fill(g, grid.data<T>() + (n * g.points + first) * g.axes, count);
      fns.sample(values.data(), near ? image.data() : from, {count, g.taps, g.channels, g.channels, taps.pixel.data(), taps.weight.data()});
      values.write(y.data<T>() + n * g.channels * g.points + first, g.points, count);
    }
  });
  return y;
}

struct GridGradients {
  Tensor input, grid;
};

// One task for each plane; the planes' parts of the grid's gradient are added in order.
template <class T>
GridGradients backward_planes(const Tensor& grad, const Tensor& input, const Tensor& grid, const Geometry& g, bool for_input,
                              bool for_grid) {
  const Tensor x = contiguous(input), dy = contiguous(grad);
  const Tensor dx = for_input ? zeros(x.sizes(), x.dtype()) : Tensor();
  const Tensor dgrids = for_grid ? zeros(Dims{g.batch, g.channels, 2 * g.points}, x.dtype()) : Tensor();
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  parallel_for(g.batch * g.channels, std::max<int64_t>(1, kGrain / g.points), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      fns.backward_plane(for_input ? dx.data<T>() + i * g.pixels : nullptr, for_grid ? dgrids.data<T>() + i * 2 * g.points : nullptr,
                         dy.data<T>() + i * g.points, x.data<T>() + i * g.pixels, grid.data<T>() + i / g.channels * 2 * g.points,
                         planes_of(g, g.points, 1));
    }
  });
  const int64_t over_channels[] = {1};
  return {dx, for_grid ? reshape(sum(dgrids, IntSpan(over_channels)), grid.sizes()) : Tensor()};
}

// One task for each sample, whose image, gradients and points are turned in its cache.
template <class T>
GridGradients backward_near(const Tensor& grad, const Tensor& input, const Tensor& grid, const Geometry& g, bool for_input, bool for_grid) {
  const Tensor x = contiguous(input), dy = contiguous(grad);
  const Tensor dx = for_input ? empty(x.sizes(), x.dtype(), "grid_sampler") : Tensor();
  const Tensor dgrid = for_grid ? zeros(grid.sizes(), x.dtype()) : Tensor();
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t each = points_of_block(g), image = g.pixels * g.channels;
  parallel_for(g.batch, std::max<int64_t>(1, kGrain / (g.points * g.channels)), [&](int64_t begin, int64_t end) {
    TapBlock<T> taps(g, for_grid);
    const void* const slope[] = {taps.slope[0].data(), taps.slope[1].data(), taps.slope[2].data()};
    Turned<T> values(g.pixels, g.channels), sums(for_input ? g.pixels : 0, g.channels), gradient(each, g.channels);
    for (int64_t n = begin; n < end; ++n) {
      values.read(x.data<T>() + n * image, g.pixels, g.pixels);
      sums.clear();
      for (int64_t first = 0; first < g.points; first += each) {
        const int64_t count = std::min(each, g.points - first), point = (n * g.points + first) * g.axes;
        taps.fill(g, grid.data<T>() + point, count);
        gradient.read(dy.data<T>() + n * g.channels * g.points + first, g.points, count);
        fns.backward(for_input ? sums.data() : nullptr, for_grid ? dgrid.data<T>() + point : nullptr, gradient.data(), values.data(),
                     {count, g.taps, g.channels, g.channels, taps.pixel.data(), taps.weight.data()}, slope, g.axes);
      }
      if (for_input) sums.write(dx.data<T>() + n * image, g.pixels, g.pixels);
    }
  });
  return {dx, dgrid};
}

// One task for each sample and block of channels, which owns its part of the input's gradient; the parts of the grid's
// gradient are added in order.
template <class T>
GridGradients backward_raw(const Tensor& grad, const Tensor& input, const Tensor& grid, const Geometry& g, bool for_input, bool for_grid) {
  if (by_planes(g) && g.points > 0) return backward_planes<T>(grad, input, grid, g, for_input, for_grid);
  if (turned_near<T>(g) && g.channels <= kChannels && g.points * g.channels > 0)
    return backward_near<T>(grad, input, grid, g, for_input, for_grid);
  const Tensor x = channels_behind(input), dy = channels_behind(grad);
  const Tensor dx = for_input ? zeros(x.sizes(), x.dtype()) : Tensor();
  const int64_t parts = (g.channels + kChannels - 1) / kChannels, each = g.batch * g.points * g.axes;
  const Tensor dgrids = for_grid ? zeros(Dims{parts, each}, x.dtype()) : Tensor();
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  parallel_for(
      g.batch * parts, std::max<int64_t>(1, kGrain / (g.points * std::min(kChannels, g.channels))), [&](int64_t begin, int64_t end) {
        TapBlock<T> taps(g, for_grid);
        const void* const slope[] = {taps.slope[0].data(), taps.slope[1].data(), taps.slope[2].data()};
        for (int64_t i = begin; i < end; ++i) {
          const int64_t n = i / parts, part = i % parts, c = part * kChannels, image = n * g.pixels * g.channels + c;
          for (int64_t first = 0; first < g.points; first += kPoints) {
            const int64_t count = std::min(kPoints, g.points - first), point = n * g.points + first;
            taps.fill(g, grid.data<T>() + point * g.axes, count);
            fns.backward(for_input ? dx.data<T>() + image : nullptr, for_grid ? dgrids.data<T>() + part * each + point * g.axes : nullptr,
                         dy.data<T>() + point * g.channels + c, x.data<T>() + image,
                         {count, g.taps, std::min(kChannels, g.channels - c), g.channels, taps.pixel.data(), taps.weight.data()}, slope,
                         g.axes);
          }
        }
      });
  const int64_t over_parts[] = {0};
  return {for_input ? channels_second(dx) : Tensor(), for_grid ? reshape(sum(dgrids, IntSpan(over_parts)), grid.sizes()) : Tensor()};
}

// ---- the derivative by differentiable ops -------------------------------------------------------------------------

// An axis' taps as tensors: constants, and weights that are functions of the grid.
struct SymbolicAxis {
  Tensor place, inside;                    // (N, P, taps)
  std::vector<Tensor> weight, derivative;  // (N, P) each
};

SymbolicAxis symbolic_axis(const Tensor& coordinate, const AxisRule& rule) {
  const int taps = taps_of(rule.sampling);
  const Dims shape = coordinate.sizes();
  const Tensor place = empty(Dims{shape[0], shape[1], taps}, DType::Int64, "grid_sampler"),
               inside = empty(place.sizes(), DType::Float64, "grid_sampler");
  const Tensor fraction = empty(shape, DType::Float64, "grid_sampler"), slope = empty(shape, DType::Float64, "grid_sampler");
  Tensor values;
  {
    const autograd::GradGuard off(false);
    values = contiguous(to_dtype(coordinate, DType::Float64));
  }
  for (int64_t i = 0; i < values.numel(); ++i) {
    const AxisTaps t = axis_taps(values.data<double>()[i], rule);
    fraction.data<double>()[i] = t.fraction, slope.data<double>()[i] = t.slope;
    for (int k = 0; k < taps; ++k) {
      place.data<int64_t>()[i * taps + k] = std::max<int64_t>(t.place[k], 0);
      inside.data<double>()[i * taps + k] = t.place[k] >= 0;
    }
  }
  const DType d = coordinate.dtype();
  const Tensor s = to_dtype(slope, d);
  // The fraction as a function of the coordinate: its value, and a difference that is zero but has the slope.
  const Tensor f = add(to_dtype(fraction, d), mul(sub(coordinate, detach(coordinate)), s));
  SymbolicAxis r{place, to_dtype(inside, d), {}, {}};
  if (rule.sampling == vision::Sampling::Nearest) {
    r.weight = {ones(shape, d)};
    r.derivative = {zeros(shape, d)};
  } else if (rule.sampling == vision::Sampling::Linear) {
    r.weight = {rsub(f, Operand(1)), f};
    r.derivative = {neg(s), s};
  } else {
    constexpr double a = -0.75;
    const auto near = [&](const Tensor& x) { return add(mul(sub(mul(x, Operand(a + 2)), Operand(a + 3)), square(x)), Operand(1)); };
    const auto far = [&](const Tensor& x) {
      return sub(mul(add(mul(sub(mul(x, Operand(a)), Operand(5 * a)), x), Operand(8 * a)), x), Operand(4 * a));
    };
    const auto near_slope = [&](const Tensor& x) { return mul(mul(sub(mul(x, Operand(3 * (a + 2))), Operand(2 * (a + 3))), x), s); };
    const auto far_slope = [&](const Tensor& x) {
      return mul(add(mul(sub(mul(x, Operand(3 * a)), Operand(10 * a)), x), Operand(8 * a)), s);
    };
    const Tensor before = add(f, Operand(1)), after = rsub(f, Operand(1)), last = rsub(f, Operand(2));
    r.weight = {far(before), near(f), near(after), far(last)};
    r.derivative = {far_slope(before), near_slope(f), neg(near_slope(after)), neg(far_slope(last))};
  }
  return r;
}

GridGradients backward_formula(const Tensor& grad, const Tensor& input, const Tensor& grid, const Geometry& g, bool for_input,
                               bool for_grid) {
  const Tensor x = reshape(input, Dims{g.batch, g.channels, g.pixels}), dy = reshape(grad, Dims{g.batch, g.channels, g.points});
  const Tensor positions = reshape(grid, Dims{g.batch, g.points, g.axes});
  std::vector<SymbolicAxis> axes;
  for (int64_t a = 0; a < g.axes; ++a) axes.push_back(symbolic_axis(select(positions, 2, g.axes - 1 - a), g.axis[a]));
  Tensor dx;
  std::vector<Tensor> dgrid(static_cast<size_t>(g.axes));
  const auto add_to = [](Tensor& sum, const Tensor& t) { sum = sum.defined() ? add(sum, t) : t; };
  for (int k = 0; k < g.taps; ++k) {
    int digit[3] = {}, rest = k;
    for (int64_t a = g.axes - 1; a >= 0; --a) digit[a] = rest % g.taps_per_axis, rest /= g.taps_per_axis;
    Tensor pixel, inside;
    for (int64_t a = 0; a < g.axes; ++a) {
      const SymbolicAxis& axis = axes[static_cast<size_t>(a)];
      const Tensor place = mul(select(axis.place, 2, digit[a]), Operand(g.stride[a])), valid = select(axis.inside, 2, digit[a]);
      pixel = pixel.defined() ? add(pixel, place) : place;
      inside = inside.defined() ? mul(inside, valid) : valid;
    }
    // The product of the axes' weights, with the derivative in place of that of one axis.
    const auto product = [&](int64_t derived) {
      Tensor p = inside;
      for (int64_t a = 0; a < g.axes; ++a) {
        const SymbolicAxis& axis = axes[static_cast<size_t>(a)];
        p = mul(p, (a == derived ? axis.derivative : axis.weight)[static_cast<size_t>(digit[a])]);
      }
      return p;
    };
    const Tensor index = contiguous(expand(unsqueeze(pixel, 1), Dims{g.batch, g.channels, g.points}));
    if (for_input) add_to(dx, scatter_along(mul(dy, unsqueeze(product(-1), 1)), index, x.sizes(), 2));
    if (!for_grid) continue;
    const int64_t over_channels[] = {1};
    const Tensor dot = sum(mul(dy, gather(x, 2, index)), IntSpan(over_channels));
    for (int64_t a = 0; a < g.axes; ++a) add_to(dgrid[static_cast<size_t>(a)], mul(dot, product(a)));
  }
  GridGradients r;
  if (for_input) r.input = reshape(dx, input.sizes());
  if (for_grid) {
    std::reverse(dgrid.begin(), dgrid.end());
    r.grid = reshape(stack(dgrid, 2), grid.sizes());
  }
  return r;
}

// ---- the op -------------------------------------------------------------------------------------------------------

void check_call(const char* op, const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, op, "(): not implemented for ", input.dtype());
  PYDL_CHECK(input.dtype() == grid.dtype(), Error, op, "(): expected input and grid to have same dtype, but input has ", input.dtype(),
             " and grid has ", grid.dtype());
  PYDL_CHECK((input.ndim() == 4 || input.ndim() == 5) && grid.ndim() == input.ndim(), ShapeError, op,
             "(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes ", IntSpan(input.sizes()),
             " and grid with sizes ", IntSpan(grid.sizes()));
  PYDL_CHECK(input.size(0) == grid.size(0), ShapeError, op,
             "(): expected grid and input to have same batch size, but got input with sizes ", IntSpan(input.sizes()),
             " and grid with sizes ", IntSpan(grid.sizes()));
  PYDL_CHECK(grid.size(grid.ndim() - 1) == input.ndim() - 2, ShapeError, op, "(): expected grid to have size ", input.ndim() - 2,
             " in last dimension, but got grid with sizes ", IntSpan(grid.sizes()));
  for (int i = 2; i < input.ndim(); ++i) {
    PYDL_CHECK(input.size(i) > 0, ShapeError, op, "(): expected input to have non-empty spatial dimensions, but input has sizes ",
               IntSpan(input.sizes()), " with dimension ", i, " being empty");
  }
  PYDL_CHECK(mode >= 0 && mode <= 2, ValueError, op, "(): interpolation_mode must be 0, 1 or 2, got ", mode);
  PYDL_CHECK(padding >= 0 && padding <= 2, ValueError, op, "(): padding_mode must be 0, 1 or 2, got ", padding);
  PYDL_CHECK(mode != 2 || input.ndim() == 4, NotImplemented, op, "(): bicubic interpolation only supports 4D input");
}

Tensor grid_sampler(const Tensor& input, const Tensor& grid, int64_t interpolation_mode, int64_t padding_mode, bool align_corners) {
  check_call("grid_sampler", input, grid, interpolation_mode, padding_mode);
  const Geometry g(input, grid, static_cast<vision::Sampling>(interpolation_mode), static_cast<vision::Outside>(padding_mode),
                   align_corners);
  const DType compute = compute_type(input.dtype());
  const auto computed = [compute](const Tensor& t) { return contiguous(to_dtype(t, compute)); };
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Dims shape = output_shape(input, grid);
    if (numel_of(shape) == 0) {
      out = zeros(shape, input.dtype());
    } else {
      out = to_dtype((compute == DType::Float32 ? forward_raw<float> : forward_raw<double>)(computed(input), computed(grid), g),
                     input.dtype());
    }
  }
  if (!needs_grad(input, grid)) return out;
  record({}, input.ndim() == 4 ? "GridSampler2DBackward0" : "GridSampler3DBackward0", out, {&input, &grid},
         [i = save(input), s = save(grid), g, computed, compute](Backward& b) {
           const Tensor x = i.get(b), at = s.get(b);
           GridGradients r;
           if (autograd::mode.grad) {
             r = backward_formula(to_dtype(b.grad(), compute), to_dtype(x, compute), to_dtype(at, compute), g, b.needs(0), b.needs(1));
           } else if (b.grad().numel() == 0) {
             r = {zeros(x.sizes(), compute), zeros(at.sizes(), compute)};
           } else {
             r = (compute == DType::Float32 ? backward_raw<float> : backward_raw<double>)(computed(b.grad()), computed(x), computed(at), g,
                                                                                          b.needs(0), b.needs(1));
           }
           if (b.needs(0)) b.set(0, to_dtype(r.input, x.dtype()));
           if (b.needs(1)) b.set(1, to_dtype(r.grid, at.dtype()));
         });
  return out;
}

Tensor sampler_of(int dims, const char* op, const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding, bool align) {
  PYDL_CHECK(input.ndim() == dims, ShapeError, op, "(): expected ", dims, "D input, got input with sizes ", IntSpan(input.sizes()));
  return grid_sampler(input, grid, mode, padding, align);
}
Tensor grid_sampler_2d(const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding, bool align_corners) {
  return sampler_of(4, "grid_sampler_2d", input, grid, mode, padding, align_corners);
}
Tensor grid_sampler_3d(const Tensor& input, const Tensor& grid, int64_t mode, int64_t padding, bool align_corners) {
  return sampler_of(5, "grid_sampler_3d", input, grid, mode, padding, align_corners);
}

}  // namespace

PYDL_OP(grid_sampler,
        "grid_sampler(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor", Function,
        R"doc(
The values of `input` (N, C, H, W) or (N, C, D, H, W) at the positions `grid` (N, H', W', 2) or (N, D', H', W', 3): x, y (and z)
in [-1, 1] from edge to edge. Modes: 0 linear, 1 nearest, 2 cubic; outside lie 0 zeros, 1 the border, 2 reflections.

Raises RuntimeError for sizes or dtypes that do not fit.

Example:
    >>> pydl.grid_sampler(pydl.tensor([[[[1., 3.]]]]), pydl.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[2.]]]])
)doc");
PYDL_OP(grid_sampler_2d,
        "grid_sampler_2d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor", Function,
        R"doc(
`grid_sampler` of images.

Example:
    >>> pydl.grid_sampler_2d(pydl.tensor([[[[1., 3.]]]]), pydl.zeros(1, 1, 1, 2), 0, 0, False)
    tensor([[[[2.]]]])
)doc");
PYDL_OP(grid_sampler_3d,
        "grid_sampler_3d(input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool) -> Tensor", Function,
        R"doc(
`grid_sampler` of volumes.

Example:
    >>> pydl.grid_sampler_3d(pydl.tensor([[[[[1., 3.]]]]]), pydl.zeros(1, 1, 1, 1, 3), 0, 0, False)
    tensor([[[[[2.]]]]])
)doc");

}  // namespace pydl
