// Pooling over regions of maps: means of samples or pixels, which are linear maps with an adjoint each, and maxima.
// Maps are laid out with their channels side by side, so that a bin's places and weights serve all channels at once.
#include <cmath>

#include "core/parallel.h"
#include "kernels/vision/boxes.h"
#include "kernels/vision/grid.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"
#include "ops/vision/regions.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using vision::Bin;
using vision::RegionAxis;
using vision::RegionRule;

namespace {

constexpr int64_t kChannels = 64;      // channels of one task of the adjoint
constexpr int64_t kGrain = 16384;      // results per thread
constexpr int64_t kSamples = 1 << 16;  // most samples a side, so that no call takes forever
constexpr int64_t kBins = 256;         // bins a side whose samples are held at a time

// Regions of maps (N, C, H, W): rows of batch index, x1, y1, x2, y2.
struct Regions {
  const char* op;
  Dims maps;
  Tensor boxes;  // float64, contiguous
  int64_t oh, ow;
  bool by_position;  // the channels of a bin stand in groups of their own
  Regions(const char* name, const Tensor& input, const Tensor& rows, IntSpan output_size, bool position)
      : op(name), maps(input.sizes()), oh(0), ow(0), by_position(position) {
    PYDL_CHECK(input.ndim() == 4, ShapeError, op, "(): input must have sizes (N, C, H, W), got ", IntSpan(input.sizes()));
    PYDL_CHECK(is_floating(input.dtype()), NotImplemented, op, "(): not implemented for ", input.dtype());
    PYDL_CHECK(rows.ndim() == 2 && rows.size(1) == 5, ShapeError, op, "(): boxes must have sizes (K, 5), got ", IntSpan(rows.sizes()));
    PYDL_CHECK(is_floating(rows.dtype()), TypeError, op, "(): boxes must be of a floating-point dtype, got ", rows.dtype());
    PYDL_CHECK(output_size.size() == 2, ValueError, op, "(): output_size must have two elements, got ", output_size.size());
    oh = output_size[0], ow = output_size[1];
    PYDL_CHECK(oh > 0 && ow > 0, ValueError, op, "(): output_size must be positive, got ", output_size);
    PYDL_CHECK(maps[2] > 0 && maps[3] > 0, ShapeError, op, "(): the maps must not be empty, got input of sizes ", IntSpan(maps));
    checked_numel(Dims{oh, ow}, 8, op);
    PYDL_CHECK(!by_position || maps[1] % (oh * ow) == 0, ShapeError, op, "(): input must have a multiple of ", oh, " * ", ow,
               " channels, got ", maps[1]);
    const autograd::GradGuard off(false);
    boxes = contiguous(to_dtype(rows, DType::Float64));
    for (int64_t k = 0; k < count(); ++k) {
      const double b = boxes.data<double>()[5 * k];
      PYDL_CHECK(b >= 0 && b < static_cast<double>(maps[0]), IndexError, op, "(): batch index ", b, " of box ", k,
                 " is out of range for a batch of ", maps[0]);
    }
  }
  int64_t count() const { return boxes.size(0); }
  int64_t cells() const { return oh * ow; }
  int64_t channels() const { return by_position ? maps[1] / cells() : maps[1]; }  // of the result
  int64_t pixels() const { return maps[2] * maps[3]; }
  int64_t image(int64_t k) const { return static_cast<int64_t>(boxes.data<double>()[5 * k]); }
  Dims output() const { return {count(), channels(), oh, ow}; }

  // (N, C, H, W) as (N, H, W, C) in memory, with the channels of a bin side by side.
  Tensor to_rows(const Tensor& x) const {
    if (!by_position) return contiguous(permute(x, Dims{0, 2, 3, 1}));
    return contiguous(permute(reshape(x, Dims{maps[0], channels(), cells(), maps[2], maps[3]}), Dims{0, 3, 4, 2, 1}));
  }
  Tensor from_rows(const Tensor& rows) const {
    if (!by_position) return contiguous(permute(reshape(rows, Dims{maps[0], maps[2], maps[3], maps[1]}), Dims{0, 3, 1, 2}));
    const Tensor split = reshape(rows, Dims{maps[0], maps[2], maps[3], cells(), channels()});
    return reshape(contiguous(permute(split, Dims{0, 4, 3, 1, 2})), maps);
  }
};

struct Averages {
  Regions regions;
  RegionAxis y, x;
  Averages(Regions r, RegionRule rule, double scale, int64_t samples, bool aligned)
      : regions(std::move(r)),
        y{rule, regions.maps[2], regions.oh, samples, scale, aligned},
        x{rule, regions.maps[3], regions.ow, samples, scale, aligned} {
    PYDL_CHECK(samples <= kSamples, ValueError, regions.op, "(): sampling_ratio must be at most ", kSamples, ", got ", samples);
    PYDL_CHECK(std::isfinite(scale), ValueError, regions.op, "(): spatial_scale must be finite, got ", scale);
  }
};

// The taps of one region, bin by bin.
template <class T>
struct RegionTaps {
  const Averages& a;
  std::vector<Bin> rows, columns;
  std::vector<double> row, column;
  std::vector<int64_t> pixel;
  std::vector<T> weight;
  explicit RegionTaps(const Averages& of) : a(of), row(static_cast<size_t>(of.y.size)), column(static_cast<size_t>(of.x.size)) {}

  // f(bin, number of taps)
  template <class F>
  void visit(int64_t k, F&& f) {
    const double* box = a.regions.boxes.data<double>() + 5 * k;
    for (int64_t y = 0; y < a.y.bins; y += kBins) {
      a.y.bins_of(box[2], box[4], y, std::min(y + kBins, a.y.bins), rows, row);
      for (int64_t x = 0; x < a.x.bins; x += kBins) {
        a.x.bins_of(box[1], box[3], x, std::min(x + kBins, a.x.bins), columns, column);
        visit_block(y, x, f);
      }
    }
  }

 private:
  // The bins whose first one is (y0, x0).
  template <class F>
  void visit_block(int64_t y0, int64_t x0, F& f) {
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = 0; j < columns.size(); ++j) {
        const Bin &y = rows[i], &x = columns[j];
        const size_t taps = y.weight.size() * x.weight.size();
        if (pixel.size() < taps) pixel.resize(taps), weight.resize(taps);
        size_t t = 0;
        for (size_t v = 0; v < y.weight.size(); ++v) {
          for (size_t u = 0; u < x.weight.size(); ++u, ++t) {
            pixel[t] = (y.first + static_cast<int64_t>(v)) * a.x.size + x.first + static_cast<int64_t>(u);
            weight[t] = static_cast<T>(y.weight[v] * x.weight[u]);
          }
        }
        f((y0 + static_cast<int64_t>(i)) * a.x.bins + x0 + static_cast<int64_t>(j), static_cast<int64_t>(taps));
      }
    }
  }
};

template <class T>
Tensor forward_raw(const Averages& a, const Tensor& input) {
  const Regions& r = a.regions;
  const Tensor x = r.to_rows(input), y = empty(Dims{r.count(), r.cells(), r.channels()}, x.dtype(), r.op);
  const auto& fns = *kernels::vision::grid()[x.dtype()];
  const int64_t channels = r.channels(), stride = r.maps[1], image = r.pixels() * stride;
  parallel_for(r.count(), std::max<int64_t>(1, kGrain / (r.cells() * channels)), [&](int64_t begin, int64_t end) {
    RegionTaps<T> taps(a);
    for (int64_t k = begin; k < end; ++k) {
      taps.visit(k, [&](int64_t bin, int64_t count) {
        const T* from = x.data<T>() + r.image(k) * image + (r.by_position ? bin * channels : 0);
        fns.sample(y.data<T>() + (k * r.cells() + bin) * channels, from,
                   {1, count, channels, stride, taps.pixel.data(), taps.weight.data()});
      });
    }
  });
  return reshape(contiguous(permute(y, Dims{0, 2, 1})), r.output());
}

// One task for each image and block of channels, which owns its part of the gradient.
template <class T>
Tensor adjoint_raw(const Averages& a, const Tensor& grad) {
  const Regions& r = a.regions;
  const int64_t channels = r.channels(), stride = r.maps[1], image = r.pixels() * stride, parts = (channels + kChannels - 1) / kChannels;
  const Tensor g = contiguous(permute(reshape(grad, Dims{r.count(), channels, r.cells()}), Dims{0, 2, 1}));
  const Tensor dx = zeros(Dims{r.maps[0], r.pixels(), stride}, g.dtype());
  const auto& fns = *kernels::vision::grid()[g.dtype()];
  parallel_for(r.maps[0] * parts, 1, [&](int64_t begin, int64_t end) {
    RegionTaps<T> taps(a);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t n = task / parts, c = task % parts * kChannels;
      for (int64_t k = 0; k < r.count(); ++k) {
        if (r.image(k) != n) continue;
        taps.visit(k, [&](int64_t bin, int64_t count) {
          T* to = dx.data<T>() + n * image + (r.by_position ? bin * channels : 0) + c;
          fns.backward(to, nullptr, g.data<T>() + (k * r.cells() + bin) * channels + c, nullptr,
                       {1, count, std::min(kChannels, channels - c), stride, taps.pixel.data(), taps.weight.data()}, nullptr, 0);
        });
      }
    }
  });
  return r.from_rows(dx);
}

Tensor adjoint(const Averages& a, const Tensor& grad);

// The mean over each bin, and its adjoint; either is the other's derivative.
Tensor average(const Averages& a, const Tensor& input) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const Dims size = a.regions.output();
    checked_numel(size, 8, a.regions.op);
    if (numel_of(size) == 0) {
      out = zeros(size, input.dtype());
    } else {
      const Tensor x = to_dtype(input, compute_type(input.dtype()));
      out = to_dtype((x.dtype() == DType::Float32 ? forward_raw<float> : forward_raw<double>)(a, x), input.dtype());
    }
  }
  if (needs_grad(input)) record({}, "RoiAverageBackward0", out, {&input}, [a](Backward& b) { b.set(0, adjoint(a, b.grad())); });
  return out;
}
Tensor adjoint(const Averages& a, const Tensor& grad) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    if (grad.numel() == 0) {
      out = zeros(a.regions.maps, grad.dtype());
    } else {
      const Tensor g = to_dtype(grad, compute_type(grad.dtype()));
      out = to_dtype((g.dtype() == DType::Float32 ? adjoint_raw<float> : adjoint_raw<double>)(a, g), grad.dtype());
    }
  }
  if (needs_grad(grad)) record({}, "RoiAverageBackwardBackward0", out, {&grad}, [a](Backward& b) { b.set(0, average(a, b.grad())); });
  return out;
}

Tensor roi_align(const Tensor& input, const Tensor& boxes, IntSpan output_size, double spatial_scale, int64_t sampling_ratio,
                 bool aligned) {
  return average({Regions("roi_align", input, boxes, output_size, false), RegionRule::Align, spatial_scale, sampling_ratio, aligned},
                 input);
}
Tensor ps_roi_align(const Tensor& input, const Tensor& boxes, IntSpan output_size, double spatial_scale, int64_t sampling_ratio) {
  return average({Regions("ps_roi_align", input, boxes, output_size, true), RegionRule::PositionAlign, spatial_scale, sampling_ratio, true},
                 input);
}
Tensor ps_roi_pool(const Tensor& input, const Tensor& boxes, IntSpan output_size, double spatial_scale) {
  return average({Regions("ps_roi_pool", input, boxes, output_size, true), RegionRule::PositionPool, spatial_scale, 0, false}, input);
}

// ---- maxima ---------------------------------------------------------------------------------------------------------

// Values and, for each, the pixel that it came from, -1 in empty bins. (K, bins, C)
template <class T>
void maxima_raw(const Regions& r, const Tensor& x, double scale, const Tensor& y, const Tensor& arg) {
  const auto fn = kernels::vision::window_max()[x.dtype()];
  const int64_t channels = r.maps[1], image = r.pixels() * channels;
  parallel_for(r.count(), std::max<int64_t>(1, kGrain / (r.cells() * channels)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const double* box = r.boxes.data<double>() + 5 * k;
      const double left = std::round(box[1] * scale), top = std::round(box[2] * scale);
      const double width = std::max(std::round(box[3] * scale) - left + 1, 1.0),
                   height = std::max(std::round(box[4] * scale) - top + 1, 1.0);
      for (int64_t bin = 0; bin < r.cells(); ++bin) {
        const auto rows = vision::bin_range(top, height / static_cast<double>(r.oh), bin / r.ow, r.maps[2]);
        const auto columns = vision::bin_range(left, width / static_cast<double>(r.ow), bin % r.ow, r.maps[3]);
        T* to = y.data<T>() + (k * r.cells() + bin) * channels;
        int64_t* pixel = arg.data<int64_t>() + (k * r.cells() + bin) * channels;
        if (rows.first >= rows.last || columns.first >= columns.last) {
          std::fill_n(to, channels, T(0)), std::fill_n(pixel, channels, int64_t{-1});
        } else {
          fn(to, pixel, x.data<T>() + r.image(k) * image, {rows.first, rows.last, columns.first, columns.last, r.maps[3], channels});
        }
      }
    }
  });
}

// From pixels (K, bins, C) to positions in the whole input (K * C * bins); -1 stays.
Tensor flat_positions(const Regions& r, const Tensor& arg) {
  const Tensor flat = contiguous(permute(arg, Dims{0, 2, 1}));
  int64_t* at = flat.data<int64_t>();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const int64_t plane = i / r.cells(), k = plane / r.maps[1], c = plane % r.maps[1];
    if (at[i] >= 0) at[i] += (r.image(k) * r.maps[1] + c) * r.pixels();
  }
  return reshape(flat, Dims{flat.numel()});
}

Tensor roi_pool(const Tensor& input, const Tensor& boxes, IntSpan output_size, double spatial_scale) {
  const Regions r("roi_pool", input, boxes, output_size, false);
  PYDL_CHECK(std::isfinite(spatial_scale), ValueError, "roi_pool(): spatial_scale must be finite, got ", spatial_scale);
  checked_numel(r.output(), 8, r.op);
  Tensor out, at;
  {
    const autograd::GradGuard off(false);
    if (numel_of(r.output()) == 0) {
      out = zeros(r.output(), input.dtype());
      at = zeros(Dims{0}, DType::Int64);
    } else {
      const Tensor x = r.to_rows(to_dtype(input, compute_type(input.dtype())));
      const Tensor y = empty(Dims{r.count(), r.cells(), r.channels()}, x.dtype(), r.op), arg = empty(y.sizes(), DType::Int64, r.op);
      (x.dtype() == DType::Float32 ? maxima_raw<float> : maxima_raw<double>)(r, x, spatial_scale, y, arg);
      out = to_dtype(reshape(contiguous(permute(y, Dims{0, 2, 1})), r.output()), input.dtype());
      at = flat_positions(r, arg);
    }
  }
  if (!needs_grad(input)) return out;
  record({}, "RoiPoolBackward0", out, {&input}, [at, maps = r.maps](Backward& b) {
    Tensor index, inside;
    {
      const autograd::GradGuard off(false);
      index = clamp(at, Scalar(int64_t{0}), std::nullopt);
      inside = empty(at.sizes(), b.grad().dtype(), "roi_pool");
      copy_raw(inside, at);
      inside = clamp(add(inside, Operand(1)), std::nullopt, Scalar(1.0));
    }
    const Tensor flat = mul(reshape(b.grad(), index.sizes()), inside);
    b.set(0, reshape(scatter_along(flat, index, Dims{numel_of(maps)}, 0), maps));
  });
  return out;
}

}  // namespace

PYDL_OP(roi_align,
        "_roi_align(input: Tensor, boxes: Tensor, output_size: Size, spatial_scale: float, sampling_ratio: int, aligned: bool) -> Tensor",
        Private, R"doc(
The mean of bilinear samples in each bin of each region: maps (N, C, H, W) and boxes (K, 5) give (K, C, *output_size).
)doc");
PYDL_OP(ps_roi_align, "_ps_roi_align(input: Tensor, boxes: Tensor, output_size: Size, spatial_scale: float, sampling_ratio: int) -> Tensor",
        Private,
        R"doc(
`_roi_align` where each bin has channels of its own: (N, C * oh * ow, H, W) gives (K, C, oh, ow).
)doc");
PYDL_OP(ps_roi_pool, "_ps_roi_pool(input: Tensor, boxes: Tensor, output_size: Size, spatial_scale: float) -> Tensor", Private, R"doc(
The mean of the pixels in each bin, each bin from channels of its own: (N, C * oh * ow, H, W) gives (K, C, oh, ow).
)doc");
PYDL_OP(roi_pool, "_roi_pool(input: Tensor, boxes: Tensor, output_size: Size, spatial_scale: float) -> Tensor", Private, R"doc(
The maximum in each bin of each region: maps (N, C, H, W) and boxes (K, 5) give (K, C, *output_size).
)doc");

}  // namespace pydl
