// Linear layers and convolutions with 8-bit weights for pydl.quantization: activations become 8-bit numbers on the way in, results
// are float32. Inference only.
#include "kernels/quantized/int8.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

using kernels::quantized::Int8Block;
using kernels::quantized::Int8Rule;
using kernels::quantized::Int8Table;
using kernels::quantized::kPanel;

// A sum of products of 8 bits, less zero point times the weights' sum, stays inside 32 bits up to this length.
constexpr int64_t kLongestSum = (int64_t{1} << 31) / (255 * 128) - 1;
// Rows of one task, and bytes of weights that stay in the second cache meanwhile.
constexpr int64_t kTaskRows = 96, kTaskWeights = 192 << 10;
// Vector products that pay for a second thread, and how many rows' worth it takes to read the weights.
constexpr int64_t kGrain = 40000, kReadRows = 4;
constexpr int64_t kTasks = 16;  // at least, where there are as many panels, so that threads end together

const Int8Table& table() {
#if defined(__x86_64__)
  if (cpu_info().avx512_vnni && cpu_level() == CpuLevel::Avx512) return kernels::quantized::avx512vnni::int8;
#endif
  return kernels::quantized::int8_plain();
}

int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

// Weights (out, channels, taps) of `groups` groups as the kernel reads them.
struct Packing {
  int64_t groups, out, channels, taps;  // out and channels of one group
  int64_t depth, panels;                // groups of 4 bytes per tap, panels of columns

  Packing(int64_t groups, int64_t out, int64_t channels, int64_t taps)
      : groups(groups),
        out(out),
        channels(channels),
        taps(taps),
        depth(up(channels, table().step) / table().step),
        panels(up(out, kPanel) / kPanel) {}
  int64_t panel() const { return taps * depth * kPanel * table().step; }
  int64_t group() const { return panels * panel(); }
};

Tensor pack(const Tensor& weight, int64_t groups) {
  const char* op = "_int8_pack";
  PYDL_CHECK(weight.dtype() == DType::Int8 && weight.ndim() >= 2, TypeError, op, "(): weight must be int8 with at least 2 dims, got ",
             weight.dtype(), " of size ", IntSpan(weight.sizes()));
  PYDL_CHECK(groups >= 1 && weight.size(0) % groups == 0, ValueError, op, "(): groups must divide ", weight.size(0), ", got ", groups);
  const int64_t out = weight.size(0) / groups, channels = weight.size(1);
  int64_t taps = 1;
  for (int64_t d = 2; d < weight.ndim(); ++d) taps *= weight.size(d);
  if (weight.numel() == 0) return empty(Dims{0}, DType::Int8, op);
  const Packing p(groups, out, channels, taps);
  const Tensor from = contiguous(weight), packed = empty(Dims{groups, p.group()}, DType::Int8, op);
  const int64_t step = table().step;
  parallel_for(groups * p.panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      int8_t* to = packed.data<int8_t>() + q * p.panel();
      const int64_t first = q % p.panels * kPanel, group = q / p.panels;
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t k = 0; k < p.depth * step; k += step) {
          for (int64_t j = first; j < first + kPanel; ++j) {
            for (int64_t c = k; c < k + step; ++c) {
              const bool inside = j < out && c < channels;
              *to++ = inside ? from.data<int8_t>()[((group * out + j) * channels + c) * taps + t] : int8_t{0};
            }
          }
        }
      }
    }
  });
  return packed;
}

// What turns sums into results, filled up to whole panels for each group.
struct Finish {
  std::vector<int32_t> offset;
  std::vector<float> scale, bias;

  Finish(const char* op, const Packing& p, const Tensor& sums, const Tensor& scales, const Tensor& biases, float input_scale,
         int32_t zero) {
    const int64_t outs = p.groups * p.out;
    PYDL_CHECK(sums.dtype() == DType::Int32 && sums.ndim() == 1 && sums.size(0) == outs && scales.dtype() == DType::Float32 &&
                   scales.ndim() == 1 && scales.size(0) == outs,
               ShapeError, op, "(): sums must be int32 and scales float32 of size (", outs, ",), got ", sums.dtype(), " ",
               IntSpan(sums.sizes()), " and ", scales.dtype(), " ", IntSpan(scales.sizes()));
    PYDL_CHECK(!biases || (biases.dtype() == DType::Float32 && biases.ndim() == 1 && biases.size(0) == outs), ShapeError, op,
               "(): bias must be float32 of size (", outs, ",)");
    const Tensor sum = contiguous(sums), factor = contiguous(scales), shift = biases ? contiguous(biases) : Tensor();
    const size_t size = static_cast<size_t>(p.groups * p.panels * kPanel);
    offset.assign(size, 0), scale.assign(size, 0), bias.assign(size, 0);
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t j = 0; j < p.out; ++j) {
        const size_t to = static_cast<size_t>(g * p.panels * kPanel + j);
        const int64_t from = g * p.out + j;
        offset[to] = static_cast<int32_t>(static_cast<uint32_t>(zero) * static_cast<uint32_t>(sum.data<int32_t>()[from]));
        scale[to] = input_scale * factor.data<float>()[from];
        if (shift.defined()) bias[to] = shift.data<float>()[from];
      }
    }
  }
};

// The affine map of the input to [0, 255]: what was calibrated, or that of this input's range, which takes in 0.
struct InputRule {
  float scale;
  int32_t zero;

  InputRule(const char* op, const Tensor& input, std::optional<double> given, int64_t given_zero) {
    if (given) {
      PYDL_CHECK(*given > 0 && std::isfinite(*given) && given_zero >= 0 && given_zero <= 255, ValueError, op,
                 "(): input_scale must be positive and input_zero_point in [0, 255], got ", *given, " and ", given_zero);
      scale = static_cast<float>(*given), zero = static_cast<int32_t>(given_zero);
      return;
    }
    const auto [low, high] = range(input);
    scale = high / 255.0f - low / 255.0f;  // the difference itself may be beyond float32
    if (!(scale >= std::numeric_limits<float>::min()) || !std::isfinite(scale)) scale = 1.0f;
    zero = static_cast<int32_t>(std::clamp(std::nearbyint(-low / scale), 0.0f, 255.0f));
  }

  Int8Rule rule() const { return {1.0f / scale, zero}; }

 private:
  // Of the finite numbers. Parts of fixed length, so that nothing depends on threads.
  static std::pair<float, float> range(const Tensor& input) {
    constexpr int64_t kPart = 1 << 14;
    const int64_t n = input.numel(), parts = up(n, kPart) / kPart;
    std::vector<std::pair<float, float>> found(static_cast<size_t>(parts), {0.0f, 0.0f});
    const float* x = input.data<float>();
    parallel_for(parts, 4, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        float low = 0, high = 0;
        table().range(x + p * kPart, std::min(n - p * kPart, kPart), low, high);
        found[static_cast<size_t>(p)] = {low, high};
      }
    });
    std::pair<float, float> all{0.0f, 0.0f};
    for (const auto& [low, high] : found) all = {std::min(all.first, low), std::max(all.second, high)};
    return all;
  }
};

void check_input(const char* op, const Tensor& input, const Tensor& packed, const Packing& p) {
  PYDL_CHECK(input.dtype() == DType::Float32, TypeError, op, "(): input must be float32, got ", input.dtype());
  PYDL_CHECK(packed.dtype() == DType::Int8 && packed.numel() == p.groups * p.group(), ShapeError, op, "(): packed weights of ",
             packed.numel(), " elements do not fit ", p.groups, " groups of ", p.out, " outputs and ", p.channels, " inputs");
  PYDL_CHECK(p.channels * p.taps <= kLongestSum, ValueError, op, "(): ", p.channels * p.taps, " products per result, at most ", kLongestSum,
             " fit a 32-bit sum");
}

// fn(first column, columns, chunk) for all pairs of column groups and chunks, on several threads; chunks of one column group follow
// each other, so that its weights stay in the cache.
template <class F>
void for_tasks(const Packing& p, int64_t chunks, int64_t rows, const F& fn) {
  const int64_t most = std::clamp<int64_t>(kTaskWeights / std::max<int64_t>(1, p.panel()), 1, p.panels);
  const int64_t wanted = std::clamp<int64_t>(kTasks / std::max<int64_t>(1, chunks), (p.panels + most - 1) / most, p.panels);
  const int64_t width = (p.panels + wanted - 1) / wanted * kPanel, columns = (p.out + width - 1) / width;
  // A product of few rows takes as long as its weights' way from the third cache.
  const int64_t grain = 1 + kGrain / std::max<int64_t>(1, (rows + kReadRows) * std::min(width, p.out) * p.taps * p.depth / 16);
  parallel_for(columns * chunks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t first = t / chunks * width;
      fn(first, std::min(width, p.out - first), t % chunks);
    }
  });
}

Tensor int8_linear(const Tensor& input, const Tensor& packed, const Tensor& sums, const Tensor& scales, const Tensor& bias,
                   std::optional<double> input_scale, int64_t input_zero_point, bool relu) {
  const char* op = "_int8_linear";
  PYDL_CHECK(input.ndim() == 2 && scales.ndim() == 1, ShapeError, op, "(): input must have 2 dims and scales 1, got ",
             IntSpan(input.sizes()), " and ", IntSpan(scales.sizes()));
  const int64_t rows = input.size(0), width = input.size(1);
  const Packing p(1, scales.size(0), width, 1);
  check_input(op, input, packed, p);
  const Tensor x = contiguous(input), weights = contiguous(packed), out = empty(Dims{rows, p.out}, DType::Float32, op);
  const InputRule in(op, x, input_scale, input_zero_point);
  const Finish finish(op, p, sums, scales, bias, in.scale, in.zero);
  if (!out.numel()) return out;
  // Rows of a tile that are a multiple of 512 bytes apart would share few sets of the first cache.
  const int64_t row = p.depth * 4 % 512 ? p.depth * 4 : p.depth * 4 + 64;
  const Tensor bytes = empty(Dims{rows, row}, DType::UInt8, op);
  char* a = reinterpret_cast<char*>(bytes->data);
  parallel_for(rows, 1 + 50000 / std::max<int64_t>(1, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) table().quantize(a + i * row, x.data<float>() + i * width, width, in.rule());
  });
  const int64_t chunks = (rows + kTaskRows - 1) / kTaskRows, lines = (rows + chunks - 1) / chunks, tap = 0;
  for_tasks(p, chunks, lines, [&](int64_t first, int64_t cols, int64_t chunk) {
    const int64_t top = std::min(rows, chunk * lines);
    table().block({.bands = 1,
                   .rows = std::min(lines, rows - top),
                   .cols = cols,
                   .a = a + top * row,
                   .a_band = 0,
                   .a_row = row,
                   .taps = &tap,
                   .tap_count = 1,
                   .groups = p.depth,
                   .b = weights.data<int8_t>() + first / kPanel * p.panel(),
                   .b_panel = p.panel(),
                   .c = out.data<float>() + top * p.out + first,
                   .c_band = 0,
                   .c_row = p.out,
                   .c_col = 1,
                   .offset = finish.offset.data() + first,
                   .scale = finish.scale.data() + first,
                   .bias = finish.bias.data() + first,
                   .relu = relu});
  });
  return out;
}

struct Geometry {
  int64_t batch, height, width, kernel[2], stride[2], padding[2], dilation[2], out[2];

  int64_t padded(int d) const { return (d ? width : height) + 2 * padding[d]; }

  Geometry(const char* op, const Tensor& input, IntSpan k, IntSpan s, IntSpan p, IntSpan d)
      : batch(input.size(0)), height(input.size(2)), width(input.size(3)) {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    PYDL_CHECK(k.size() == 2 && s.size() == 2 && p.size() == 2 && d.size() == 2, ShapeError, op,
               "(): kernel_size, stride, padding and dilation must have 2 elements");
    for (int i = 0; i < 2; ++i) {
      kernel[i] = k[i], stride[i] = s[i], padding[i] = p[i], dilation[i] = d[i];
      PYDL_CHECK(k[i] >= 1 && s[i] >= 1 && p[i] >= 0 && d[i] >= 1 && k[i] <= kMost && s[i] <= kMost && p[i] <= kMost && d[i] <= kMost,
                 ValueError, op, "(): kernel_size, stride and dilation must be positive and padding not negative, got ", k, ", ", s, ", ",
                 d, " and ", p);
      const int64_t left = padded(i) - dilation[i] * (kernel[i] - 1) - 1;
      PYDL_CHECK(left >= 0, ShapeError, op, "(): the kernel is larger than the padded input: ", k, " with dilation ", d, " on ",
                 IntSpan(input.sizes()), " with padding ", p);
      out[i] = left / stride[i] + 1;
    }
  }
};

// The input as bytes: rows of pixels with their channels side by side, a margin of zeros around.
Tensor quantized_image(const char* op, const Tensor& x, const Packing& p, const Geometry& g, const InputRule& in) {
  const int64_t high = g.padded(0), wide = g.padded(1), pixel = p.groups * p.depth * 4, plane = g.height * g.width;
  const Tensor bytes = empty(Dims{g.batch, high, wide, pixel}, DType::UInt8, op);
  char* to = reinterpret_cast<char*>(bytes->data);
  // Of 16-bit elements the second byte is 0.
  const int64_t step = table().step;
  const auto blank = [&](char* at, int64_t pixels) {
    if (step == 4) std::fill_n(at, pixels * pixel, static_cast<char>(in.zero));
    if (step != 4) std::fill_n(reinterpret_cast<int16_t*>(at), pixels * pixel / 2, static_cast<int16_t>(in.zero));
  };
  parallel_for(g.batch * high, 1 + 50000 / std::max<int64_t>(1, wide * pixel), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      char* row = to + r * wide * pixel;
      const int64_t y = r % high - g.padding[0];
      if (y < 0 || y >= g.height) {
        blank(row, wide);
        continue;
      }
      blank(row, g.padding[1]);
      blank(row + (g.padding[1] + g.width) * pixel, g.padding[1]);
      const float* from = x.data<float>() + r / high * p.groups * p.channels * plane + y * g.width;
      for (int64_t group = 0; group < p.groups; ++group) {
        for (int64_t c = 0; c < p.channels; c += step) {
          table().quantize_pixels(row + g.padding[1] * pixel + (group * p.depth + c / step) * 4, pixel,
                                  from + (group * p.channels + c) * plane, plane, std::min(step, p.channels - c), g.width, in.rule());
        }
      }
    }
  });
  return bytes;
}

Tensor int8_conv(const Tensor& input, const Tensor& packed, const Tensor& sums, const Tensor& scales, const Tensor& bias,
                 IntSpan kernel_size, IntSpan stride, IntSpan padding, IntSpan dilation, int64_t groups, std::optional<double> input_scale,
                 int64_t input_zero_point, bool relu) {
  const char* op = "_int8_conv";
  PYDL_CHECK(input.ndim() == 4 && scales.ndim() == 1, ShapeError, op, "(): input must have 4 dims and scales 1, got ",
             IntSpan(input.sizes()), " and ", IntSpan(scales.sizes()));
  PYDL_CHECK(groups >= 1 && input.size(1) % groups == 0 && scales.size(0) % groups == 0, ValueError, op, "(): groups must divide ",
             input.size(1), " inputs and ", scales.size(0), " outputs, got ", groups);
  const Geometry g(op, input, kernel_size, stride, padding, dilation);
  PYDL_CHECK(g.kernel[0] <= kLongestSum / g.kernel[1], ValueError, op, "(): kernel_size is too large: ", kernel_size);
  const Packing p(groups, scales.size(0) / groups, input.size(1) / groups, g.kernel[0] * g.kernel[1]);
  check_input(op, input, packed, p);
  const Tensor x = contiguous(input), weights = contiguous(packed),
               out = empty(Dims{g.batch, groups * p.out, g.out[0], g.out[1]}, DType::Float32, op);
  const InputRule in(op, x, input_scale, input_zero_point);
  const Finish finish(op, p, sums, scales, bias, in.scale, in.zero);
  if (!out.numel()) return out;
  const Tensor bytes = quantized_image(op, x, p, g, in);
  const int64_t pixel = groups * p.depth * 4, line = g.padded(1) * pixel, plane = g.out[0] * g.out[1];
  std::vector<int64_t> taps;
  for (int64_t i = 0; i < g.kernel[0]; ++i) {
    for (int64_t j = 0; j < g.kernel[1]; ++j) taps.push_back(i * g.dilation[0] * line + j * g.dilation[1] * pixel);
  }
  const int64_t most = std::min(g.out[0], std::max<int64_t>(1, kTaskRows / g.out[1])), pieces = (g.out[0] + most - 1) / most;
  const int64_t lines = (g.out[0] + pieces - 1) / pieces;
  for_tasks(p, g.batch * groups * pieces, lines * g.out[1], [&](int64_t first, int64_t cols, int64_t chunk) {
    const int64_t top = std::min(g.out[0], chunk % pieces * lines), group = chunk / pieces % groups, n = chunk / pieces / groups;
    const int64_t column = group * p.panels * kPanel + first;
    table().block({.bands = std::min(lines, g.out[0] - top),
                   .rows = g.out[1],
                   .cols = cols,
                   .a = reinterpret_cast<char*>(bytes->data) + (n * g.padded(0) + top * g.stride[0]) * line + group * p.depth * 4,
                   .a_band = g.stride[0] * line,
                   .a_row = g.stride[1] * pixel,
                   .taps = taps.data(),
                   .tap_count = p.taps,
                   .groups = p.depth,
                   .b = weights.data<int8_t>() + group * p.group() + first / kPanel * p.panel(),
                   .b_panel = p.panel(),
                   .c = out.data<float>() + ((n * groups + group) * p.out + first) * plane + top * g.out[1],
                   .c_band = g.out[1],
                   .c_row = 1,
                   .c_col = plane,
                   .offset = finish.offset.data() + column,
                   .scale = finish.scale.data() + column,
                   .bias = finish.bias.data() + column,
                   .relu = relu});
  });
  return out;
}

}  // namespace

PYDL_OP(pack, "_int8_pack(weight: Tensor, groups: int = 1) -> Tensor", Private, R"doc(
Weights (out, in / groups, *) of int8 in the layout of `_int8_linear` and `_int8_conv` on this processor.
)doc");
PYDL_OP(int8_linear,
        "_int8_linear(input: Tensor, packed: Tensor, sums: Tensor, scales: Tensor, bias: Tensor | None = None, input_scale: float | None = "
        "None, "
        "input_zero_point: int = 0, relu: bool = False) -> Tensor",
        Private, R"doc(
A linear map (n, in) -> (n, out) with 8-bit weights. `sums`: of the weights of each output (int32); `scales`: of the weights of each output.
Without `input_scale` the input's own range is used.
)doc");
PYDL_OP(int8_conv,
        "_int8_conv(input: Tensor, packed: Tensor, sums: Tensor, scales: Tensor, bias: Tensor | None, kernel_size: Size, stride: Size, "
        "padding: Size, dilation: Size, groups: int = 1, input_scale: float | None = None, input_zero_point: int = 0, relu: bool = False) "
        "-> Tensor",
        Private, R"doc(
A convolution (n, in, h, w) -> (n, out, h', w') with 8-bit weights; see `_int8_linear`.
)doc");

}  // namespace pydl
