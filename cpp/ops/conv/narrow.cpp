#include "ops/conv/narrow.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/conv/narrow.h"
#include "ops/conv/tables.h"
#include "ops/conv/winograd.h"

namespace pydl::conv {

namespace {

using kernels::conv::narrow;

// What the rows of the images of a task may take of the second-level cache, in elements.
constexpr int64_t kBandFloats = 32 * 1024;
// Tasks of the gradient of the weights, whose sums are added in order; multiply-adds that are worth a thread.
constexpr int64_t kSplits = 8, kGrain = 65536;

thread_local Workspace weight_space;

int64_t lanes_of(int64_t count) { return ceil_div(count, narrow().lanes) * narrow().lanes; }

// A row or column of the image with its padding. With `padding="same"` and an even number of taps there is one place more behind
// it than before it.
int64_t padded_size(const Shape& s, int d) {
  const int64_t reach = (s.out[d] - 1) * s.stride[d] + s.dilation[d] * (s.kernel[d] - 1) + 1;
  return std::max(s.padding[d] + s.in[d], reach);
}

// The places of the output row by row, some rows together.
struct Rows {
  const Shape& s;
  int64_t height;  // of a band of the output

  // `width` elements for each place of a row of the output.
  Rows(const Shape& shape, int64_t width) : s(shape) {
    const int64_t row = s.out[2] * width + s.c * s.stride[1] * wide();
    height = std::clamp<int64_t>((kBandFloats - s.c * wide() * s.dilation[1] * (s.kernel[1] - 1)) / row, 1, s.out[1]);
  }
  int64_t wide() const { return padded_size(s, 2); }
  int64_t bands() const { return ceil_div(s.out[1], height); }
  bool padded() const { return padded_size(s, 1) > s.in[1] || padded_size(s, 2) > s.in[2]; }
  int64_t in_rows(int64_t rows) const { return (rows - 1) * s.stride[1] + s.dilation[1] * (s.kernel[1] - 1) + 1; }
  int64_t buffer() const { return padded() ? s.c * in_rows(height) * wide() : 0; }
};

// Rows [first, first + rows) of a padded image, the padding counted.
struct View {
  const float* at;
  int64_t plane, pitch;
};
View view_of(const Rows& r, const float* in, int64_t first, int64_t rows, float* buffer) {
  const Shape& s = r.s;
  if (!r.padded()) return {in + first * s.in[2], s.in_plane(), s.in[2]};
  const int64_t wide = r.wide(), plane = rows * wide;
  for (int64_t c = 0; c < s.c; ++c) {
    for (int64_t i = 0; i < rows; ++i) {
      float* row = buffer + c * plane + i * wide;
      const int64_t y = first + i - s.padding[1];
      if (y < 0 || y >= s.in[1]) {
        std::fill_n(row, wide, 0.0f);
        continue;
      }
      std::fill_n(row, s.padding[2], 0.0f);
      std::copy_n(in + c * s.in_plane() + y * s.in[2], s.in[2], row + s.padding[2]);
      std::fill(row + s.padding[2] + s.in[2], row + wide, 0.0f);
    }
  }
  return {buffer, plane, wide};
}

// One plane, and bands that fit.
bool is_small(const Shape& s) {
  if (s.batch == 0 || s.c == 0 || s.o == 0) return false;
  if (s.in[0] != 1 || s.kernel[0] != 1 || s.out[0] != 1 || s.padding[0] != 0) return false;
  constexpr int64_t kMost = 1 << 15;
  for (int d = 1; d < 3; ++d) {
    if (s.padding[d] > s.in[d] || s.in[d] > kMost || s.dilation[d] > kMost || s.kernel[d] > kMost) return false;
  }
  const Rows r(s, 1);
  return s.c <= kBandFloats / r.wide() && s.c * r.wide() * r.in_rows(1) <= 4 * kBandFloats;
}

// How much of the vectors `count` channels fill.
double fill(int64_t count) { return static_cast<double>(count) / static_cast<double>(lanes_of(count)); }

// Rows of results that fill vectors by themselves, next to each other in memory.
bool is_wide(const Shape& s) { return s.out[2] > 32 && s.stride[2] == 1; }

// Measured: the sums of more channels pay for packing the image, those of fewer are faster with places on the lanes.
constexpr int64_t kMostChannels = 64;
constexpr double kFill = 0.7, kGradientFill = 0.3;

bool forward_pays(const Shape& s) { return is_small(s) && s.o <= kMostChannels && fill(s.o) >= kFill && !is_wide(s); }

bool input_pays(const Shape& s) {
  if (!is_small(s) || s.c > kMostChannels || is_wide(s) || (s.dilation[2] != 1 && s.kernel[2] != 1)) return false;
  // Adding a vector of sums to its row takes about as long as four products.
  if (fill(s.kernel[2] * s.c) * static_cast<double>(s.o) < kFill * static_cast<double>(s.o + 4)) return false;
  // All phases at once are slower than each by Winograd's method.
  Gather gather;
  std::vector<int64_t> taps;
  int64_t phase[3];  // that the first tap reaches
  for (int d = 0; d < 3; ++d) phase[d] = (s.stride[d] - s.padding[d] % s.stride[d]) % s.stride[d];
  backward_gather(s, phase, gather, taps);
  return !Tiling(gather).pays(s.o, s.c);
}

bool weight_pays(const Shape& s) { return is_small(s) && s.o <= kMostChannels && s.c <= kMostChannels && fill(s.o) >= kGradientFill; }

int64_t grain(const Shape& s, int64_t tasks) {
  const int64_t work = s.batch * s.groups * s.out_plane() * s.c * s.taps() * s.o / std::max<int64_t>(1, tasks);
  return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work));
}

}  // namespace

bool narrow_forward(const Shape& s, const float* in, const float* weight, const float* bias, float* out) {
  if (!forward_pays(s)) return false;
  const int64_t lanes = lanes_of(s.o), k = s.c * s.taps();
  float* packed = weight_space.get<float>(s.groups * k * lanes);
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t i = 0; i < k; ++i) {
      float* to = packed + (g * k + i) * lanes;
      for (int64_t o = 0; o < s.o; ++o) to[o] = weight[(g * s.o + o) * k + i];
      std::fill(to + s.o, to + lanes, 0.0f);
    }
  }
  const Rows rows(s, lanes);
  const int64_t tasks = s.batch * s.groups * rows.bands();
  parallel_for(tasks, grain(s, tasks), [&](int64_t begin, int64_t end) {
    thread_local std::vector<int64_t> outer;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t image = task / rows.bands(), group = image % s.groups, h0 = task % rows.bands() * rows.height;
      const int64_t height = std::min(rows.height, s.out[1] - h0), width = s.out[2];
      const auto [buffer, results] = scratch<float>({rows.buffer(), height * width * lanes});
      const View v = view_of(rows, in + image * s.c * s.in_plane(), h0 * s.stride[1], rows.in_rows(height), buffer);
      outer.clear();
      for (int64_t c = 0; c < s.c; ++c) {
        for (int64_t i = 0; i < s.kernel[1]; ++i) outer.push_back(c * v.plane + i * s.dilation[1] * v.pitch);
      }
      for (int64_t h = 0; h < height; ++h) {
        narrow().product({width, lanes, v.at + h * s.stride[1] * v.pitch, s.stride[2], outer.data(), static_cast<int64_t>(outer.size()),
                          s.kernel[2], s.dilation[2], packed + group * k * lanes, results + h * width * lanes, lanes, false});
      }
      narrow().from_lanes({out + image * s.o * s.out_plane() + h0 * width, s.out_plane(), s.o, height * width, results, lanes,
                           bias ? bias + group * s.o : nullptr});
    }
  });
  return true;
}

// Every place of the output's gradient adds to a row of the kernel's taps and channels, which lie side by side in a row of
// the input with its channels last.
bool narrow_input(const Shape& s, const float* out_grad, const float* weight, const float* bias, float* in_grad) {
  if (!input_pays(s)) return false;
  const int64_t width = s.kernel[2] * s.c, lanes = lanes_of(width), wide = padded_size(s, 2) * s.c;
  float* packed = weight_space.get<float>(s.groups * s.kernel[1] * s.o * lanes);  // [group][row of taps][o][column of taps][c]
  for (int64_t g = 0; g < s.groups; ++g) {
    for (int64_t i = 0; i < s.kernel[1]; ++i) {
      for (int64_t o = 0; o < s.o; ++o) {
        float* to = packed + ((g * s.kernel[1] + i) * s.o + o) * lanes;
        std::fill_n(to, lanes, 0.0f);
        for (int64_t c = 0; c < s.c; ++c) {
          for (int64_t j = 0; j < s.kernel[2]; ++j) to[j * s.c + c] = weight[((g * s.o + o) * s.c + c) * s.taps() + i * s.kernel[2] + j];
        }
      }
    }
  }
  const int64_t height = std::clamp<int64_t>(kBandFloats / wide, 1, s.in[1]), bands = ceil_div(s.in[1], height);
  const int64_t tasks = s.batch * s.groups * bands;
  parallel_for(tasks, grain(s, tasks), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t image = task / bands, group = image % s.groups, y0 = task % bands * height, y1 = std::min(s.in[1], y0 + height);
      const float* from = out_grad + image * s.o * s.out_plane();
      const int64_t row = s.out[2] * lanes;
      const auto [buffer, sums] = scratch<float>({(y1 - y0) * wide + narrow().lanes, s.kernel[1] * row});
      std::fill_n(buffer, (y1 - y0) * wide, 0.0f);
      const int64_t zero = 0, reach = s.dilation[1] * (s.kernel[1] - 1);
      for (int64_t h = std::max<int64_t>(0, y0 + s.padding[1] - reach) / s.stride[1]; h < s.out[1]; ++h) {
        const int64_t top = h * s.stride[1] - s.padding[1];  // the row of the first tap
        if (top >= y1) break;
        const int64_t i0 = std::max<int64_t>(0, ceil_div(y0 - top, s.dilation[1]));
        const int64_t i1 = std::min(s.kernel[1], ceil_div(y1 - top, s.dilation[1]));
        for (int64_t i = i0; i < i1; ++i) {
          narrow().product({s.out[2], lanes, from + h * s.out[2], 1, &zero, 1, s.o, s.out_plane(),
                            packed + (group * s.kernel[1] + i) * s.o * lanes, sums + (i - i0) * row, lanes, false});
        }
        narrow().overlap({buffer + (top - y0 + i0 * s.dilation[1]) * wide, s.dilation[1] * wide, s.stride[2] * s.c, sums, row, lanes,
                          i1 - i0, s.out[2], width});
      }
      for (int64_t y = y0; y < y1; ++y) {
        narrow().from_lanes({in_grad + image * s.c * s.in_plane() + y * s.in[2], s.in_plane(), s.c, s.in[2],
                             buffer + (y - y0) * wide + s.padding[2] * s.c, s.c, bias ? bias + group * s.c : nullptr});
      }
    }
  });
  return true;
}

bool narrow_weight(const Shape& s, const float* in, const float* out_grad, float* weight_grad, float* bias_grad) {
  if (!weight_pays(s)) return false;
  const int64_t lanes = lanes_of(s.o), taps = s.taps(), k = s.c * taps, size = (k + 1) * lanes;
  const Rows rows(s, lanes);
  const int64_t units = s.batch * rows.bands(), splits = std::min(units, ceil_div(kSplits, s.groups));
  float* sums = weight_space.get<float>(s.groups * splits * size);
  std::fill_n(sums, s.groups * splits * size, 0.0f);
  const bool by_channel = s.c > s.kernel[2];
  parallel_tasks(s.groups * splits, [&](int64_t task) {
    const int64_t group = task / splits, split = task % splits, width = s.out[2];
    float* total = sums + task * size;
    thread_local std::vector<int64_t> outer;
    for (int64_t unit = units * split / splits; unit < units * (split + 1) / splits; ++unit) {
      const int64_t image = unit / rows.bands() * s.groups + group, h0 = unit % rows.bands() * rows.height;
      const int64_t height = std::min(rows.height, s.out[1] - h0);
      const auto [buffer, gradient] = scratch<float>({rows.buffer(), height * width * lanes});
      const View v = view_of(rows, in + image * s.c * s.in_plane(), h0 * s.stride[1], rows.in_rows(height), buffer);
      narrow().to_lanes({gradient, lanes, out_grad + image * s.o * s.out_plane() + h0 * width, s.out_plane(), s.o, height * width,
                         bias_grad ? total + k * lanes : nullptr});
      outer.clear();
      for (int64_t h = 0; h < height; ++h) outer.push_back(h * s.stride[1] * v.pitch);
      const auto add = [&](int64_t count, int64_t c, int64_t i, int64_t j, int64_t a_step, int64_t out_step) {
        narrow().product({count, lanes, v.at + c * v.plane + i * s.dilation[1] * v.pitch + j * s.dilation[2], a_step, outer.data(), height,
                          width, s.stride[2], gradient, total + (c * taps + i * s.kernel[2] + j) * lanes, out_step, true});
      };
      for (int64_t i = 0; i < s.kernel[1]; ++i) {
        for (int64_t j = 0; by_channel && j < s.kernel[2]; ++j) add(s.c, 0, i, j, v.plane, taps * lanes);
        for (int64_t c = 0; !by_channel && c < s.c; ++c) add(s.kernel[2], c, i, 0, s.dilation[2], lanes);
      }
    }
  });
  for (int64_t g = 0; g < s.groups; ++g) {
    float* total = sums + g * splits * size;
    for (int64_t split = 1; split < splits; ++split) {
      for (int64_t i = 0; i < size; ++i) total[i] += total[split * size + i];
    }
    for (int64_t o = 0; o < s.o; ++o) {
      for (int64_t i = 0; i < k; ++i) weight_grad[(g * s.o + o) * k + i] = total[i * lanes + o];
      if (bias_grad) bias_grad[g * s.o + o] = total[k * lanes + o];
    }
  }
  return true;
}

}  // namespace pydl::conv
