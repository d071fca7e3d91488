// The gradient of the kernels. For each plane the product of the input's transformed tiles (rows: channels and
// taps along depth; k: tiles) with those of the output's gradient (columns: its channels).
#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "kernels/conv/winograd.h"
#include "ops/conv/tables.h"
#include "ops/conv/winograd.h"

namespace pydl::conv {

namespace {

using kernels::conv::kTileSlack;
using kernels::matmul::GemmTable;

// What tiles of the input and of the gradient may take of the second-level cache, the sums of one task, and all sums together.
constexpr int64_t kTileBytes = 512 * 1024, kGradientBytes = 256 * 1024, kTaskBytes = 2 * 1024 * 1024, kSumBytes = 4 * 1024 * 1024;
constexpr int64_t kLeastTiles = 112, kMostTiles = 256;
// Tasks for the threads of a large machine; channels that make it worth to transform the gradient for them.
constexpr int64_t kTasks = 8, kTaskChannels = 64;

thread_local Workspace sum_space;

struct Grad {
  const Shape& s;
  const float* in;
  const float* out_grad;
  float* weight_grad;
  float* bias_grad;
  Tiling tiling;
  int64_t splits = 1, parts = 1;  // of the tiles; of the channels

  int64_t depth() const { return s.kernel[0]; }
  int64_t pitch() const { return ceil_div(s.o, 16) * 16; }  // of a row of sums
  int64_t widest() const { return ceil_div(s.c, parts); }
  // The sums of a task: planes of depth * channels rows, then those of the gradient.
  int64_t plane() const { return odd_lines(depth() * widest() * pitch()); }
  int64_t bias_at() const { return tiling.planes() * plane(); }
  int64_t size() const { return bias_at() + pitch(); }
};

// Nothing here depends on the number of threads.
void cut(Grad& g) {
  const int64_t all = g.tiling.planes() * static_cast<int64_t>(sizeof(float)) * g.depth() * g.s.c * g.s.o;
  g.splits = std::clamp<int64_t>(kSumBytes / all, 1, kTasks);
  g.splits = std::min(g.splits, ceil_div(kTasks, g.s.groups));
  g.parts = std::max(ceil_div(all, kTaskBytes), std::min(ceil_div(kTasks, g.splits * g.s.groups), g.s.c / kTaskChannels));
  g.parts = std::clamp<int64_t>(g.parts, 1, g.s.c);
}

// The transformed gradient of a group's channels [o, o + count) in panels of the matrix kernels.
void transform_gradient(const Grad& g, const std::vector<Tiling::Segment>& block, int64_t group, int64_t o, int64_t count, float* out,
                        int64_t plane_step, int64_t panel_step, float* sums) {
  const int64_t plane = g.s.out_plane(), panel = gemm_table<float>().nr;
  for (const Tiling::Segment& s : block) {
    const float* from = g.out_grad + ((s.n * g.s.groups + group) * g.s.o + o) * plane + s.d * g.s.out[1] * g.s.out[2];
    kernels::conv::TilesOfGradient args{out,        plane_step, panel_step, panel, {}, plane, count, s.w, g.tiling.dilation_w(),
                                        g.s.out[2], s.len,      sums};
    for (int64_t r = 0; r < g.tiling.scheme().h.results; ++r) {
      const int64_t h = s.h + r * g.tiling.dilation_h();
      if (h < g.s.out[1]) args.in[r] = from + h * g.s.out[2];
    }
    g.tiling.kernels().tiles_of_gradient(args);
    out += s.len * panel;
  }
}

// Adds blocks [first, last) to the sums of channels [c0, c1).
void add_blocks(const Grad& g, int64_t group, int64_t c0, int64_t c1, int64_t first, int64_t last, float* sums) {
  const GemmTable<float>& t = gemm_table<float>();
  const Tiling& tiling = g.tiling;
  const int64_t planes = tiling.planes(), rows = g.depth() * (c1 - c0), plane = g.s.in_plane();
  const int64_t pitch = odd_lines(tiling.widest() + kTileSlack), panel_step = tiling.widest() * t.nr;
  const int64_t panels = std::max<int64_t>(1, kGradientBytes / static_cast<int64_t>(sizeof(float)) / planes / panel_step);
  const int64_t chunk = std::min(panels, ceil_div(g.s.o, t.nr)) * t.nr;  // channels of the gradient at a time
  const int64_t v_step = odd_lines(rows * pitch), d_step = odd_lines(chunk / t.nr * panel_step);
  const auto [v, d] = scratch<float>({planes * v_step, planes * d_step});
  float* bias = c0 == 0 && g.bias_grad ? sums + g.bias_at() : nullptr;
  if (bias) std::fill_n(bias, g.s.o, 0.0f);
  thread_local std::vector<Tiling::Segment> block;
  for (int64_t b = first; b < last; ++b) {
    tiling.plan(b, block);
    int64_t tiles = 0;
    for (const Tiling::Segment& s : block) tiles += s.len;
    transform_tiles(tiling, block, {g.in + group * g.s.c * plane, g.s.groups * g.s.c * plane, plane}, c0, c1, v, v_step, pitch);
    for (int64_t o = 0; o < g.s.o; o += chunk) {
      const int64_t count = std::min(chunk, g.s.o - o);
      transform_gradient(g, block, group, o, count, d, d_step, panel_step, bias ? bias + o : nullptr);
      for (int i = 0; i < planes; ++i) {
        t.block({rows,
                 count,
                 tiles,
                 v + i * v_step,
                 pitch,
                 1,
                 t.mr * pitch,
                 d + i * d_step,
                 t.nr,
                 panel_step,
                 sums + i * g.plane() + o,
                 g.pitch(),
                 {1.0f, b == first ? 0.0f : 1.0f, nullptr, nullptr, false},
                 {}});
      }
    }
  }
}

bool write_kernels(const Grad& g, int64_t group, int64_t c0, int64_t c1, const float* sums) {
  const int64_t row = g.s.c * g.s.taps();
  bool finite = true;
  for (int64_t o = 0; o < g.s.o; o += 16) {  // the kernels of neighbouring channels share lines
    for (int64_t c = c0; c < c1; ++c) {
      for (int64_t tap = 0; tap < g.depth(); ++tap) {
        float* out = g.weight_grad + (group * g.s.o + o) * row + c * g.s.taps() + tap * g.tiling.taps();
        const float* from = sums + (tap * (c1 - c0) + c - c0) * g.pitch() + o;
        finite &= g.tiling.kernels().kernels_out({out, row, from, g.plane(), std::min<int64_t>(16, g.s.o - o)});
      }
    }
  }
  if (c0 == 0 && g.bias_grad) std::copy_n(sums + g.bias_at(), g.s.o, g.bias_grad + group * g.s.o);
  return finite;
}

}  // namespace

bool winograd_weight(const Shape& s, const float* in, const float* out_grad, float* weight_grad, float* bias_grad) {
  Grad g{s, in, out_grad, weight_grad, bias_grad, Tiling(forward_gather(s))};
  if (!g.tiling.pays(s.c, s.o)) return false;
  cut(g);
  const int64_t tile_bytes = g.tiling.planes() * static_cast<int64_t>(sizeof(float)) * g.depth() * g.widest();
  g.tiling.cut(std::clamp(kTileBytes / tile_bytes, kLeastTiles, kMostTiles));
  const int64_t blocks = g.tiling.blocks(), splits = std::min(g.splits, blocks), pairs = s.groups * g.parts;
  float* shared = splits > 1 ? sum_space.get<float>(pairs * splits * g.size()) : nullptr;
  std::atomic<bool> finite{true};
  const auto channels = [&](int64_t part) { return s.c * part / g.parts; };
  parallel_tasks(pairs * splits, [&](int64_t task) {
    const int64_t split = task % splits, part = task / splits % g.parts, group = task / splits / g.parts;
    float* sums = shared ? shared + task * g.size() : sum_space.get<float>(g.size());
    add_blocks(g, group, channels(part), channels(part + 1), blocks * split / splits, blocks * (split + 1) / splits, sums);
    if (!shared && !write_kernels(g, group, channels(part), channels(part + 1), sums)) finite = false;
  });
  if (!shared) return finite;
  parallel_tasks(pairs, [&](int64_t pair) {
    float* total = shared + pair * splits * g.size();
    for (int64_t split = 1; split < splits; ++split) {
      for (int64_t i = 0; i < g.size(); ++i) total[i] += total[split * g.size() + i];
    }
    const int64_t part = pair % g.parts, group = pair / g.parts;
    if (!write_kernels(g, group, channels(part), channels(part + 1), total)) finite = false;
  });
  return finite;
}

}  // namespace pydl::conv
