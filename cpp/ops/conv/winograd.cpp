#include "ops/conv/winograd.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "kernels/conv/winograd.h"
#include "ops/conv/tables.h"

namespace pydl::conv {

namespace {

using kernels::conv::kPlanes;
using kernels::conv::kTileSlack;
using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;

// Fewer channels, on either side, leave too little work between the transforms.
constexpr int64_t kLeastChannels = 12;
// What tiles of the input and products may take of the second-level cache, and the weights altogether.
constexpr int64_t kTileBytes = 512 * 1024, kProductBytes = 256 * 1024, kWeightBytes = 4 * 1024 * 1024;
constexpr int64_t kPlaneBytes = kPlanes * sizeof(float);
constexpr int64_t kLeastTiles = 96, kMostTiles = 256;

thread_local Workspace weight_space;

// The spacing of three taps, or 0.
int64_t spacing(const std::vector<int64_t>& taps) {
  if (taps.size() != 3) return 0;
  const int64_t step = std::max({taps[0], taps[1], taps[2]}) / 2;
  const bool ascending = taps[0] == 0 && taps[1] == step && taps[2] == 2 * step;
  const bool descending = taps[2] == 0 && taps[1] == step && taps[0] == 2 * step;
  return ascending || descending ? step : 0;
}

// Some groups and some of their rows, whose transformed weights are in memory together.
struct Part {
  int64_t g0, g1, r0, r1;
};

std::vector<Part> parts_of(int64_t groups, int64_t rows, int64_t k) {
  std::vector<Part> parts;
  const int64_t room = std::max<int64_t>(1, kWeightBytes / kPlaneBytes / k);  // rows
  if (rows <= room) {
    const int64_t together = room / rows, count = ceil_div(groups, together);
    for (int64_t i = 0; i < count; ++i) parts.push_back({groups * i / count, groups * (i + 1) / count, 0, rows});
    return parts;
  }
  const int64_t count = ceil_div(rows, room);
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t i = 0; i < count; ++i) parts.push_back({g, g + 1, rows * i / count, rows * (i + 1) / count});
  }
  return parts;
}

// Transformed weights: plane * step + row * k + tap * channels + channel.
struct Weights {
  float* data;
  int64_t step, k;
};

void transform_rows(const Pass<float>& p, int64_t group, int64_t row, int64_t rows, const Weights& out) {
  const Gather& g = p.gather;
  const bool flip_h = g.taps[1][0] != 0, flip_w = g.taps[2][0] != 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = p.weight + group * p.w_group + (row + i) * p.w_row;
    for (int64_t t = 0; t < static_cast<int64_t>(g.taps[0].size()); ++t) {
      const int64_t tap = p.w_taps[static_cast<size_t>(t * 9)] / 9 * 9;  // the first of the nine, whatever their order
      kernels::conv::winograd().kernels_in(
          {out.data + i * out.k + t * p.channels, out.step, from + tap, p.w_channel, p.channels, flip_h, flip_w});
    }
  }
}

// Where the products of rows [r, r + rows) become results.
bool write_tiles(const Pass<float>& p, const Tiling& tiling, const std::vector<Tiling::Segment>& block, int64_t row, int64_t rows,
                 const float* products, int64_t step, int64_t pitch) {
  bool finite = true;
  int64_t tile = 0;
  for (const Tiling::Segment& s : block) {
    const bool second = s.h + tiling.dilation_h < p.gather.grid[1];
    float* out = p.out + s.n * p.out_batch + row * p.out_plane;
    const auto line = [&](int64_t h) { return out + p.out_at({s.n, s.d, h, 0}); };
    finite &= kernels::conv::winograd().tiles_out({products + tile,
                                                   step,
                                                   pitch,
                                                   {line(s.h), second ? line(s.h + tiling.dilation_h) : nullptr},
                                                   p.out_plane,
                                                   rows,
                                                   p.bias ? p.bias + row : nullptr,
                                                   s.w,
                                                   tiling.dilation_w,
                                                   p.gather.grid[2],
                                                   s.len});
    tile += s.len;
  }
  return finite;
}

// How the rows of a block are cut, so that their products stay in the cache.
struct Chunks {
  int64_t pitch, count, most;
};
Chunks chunks_of(int64_t tiles, int64_t rows) {
  const int64_t pitch = odd_lines(tiles + kTileSlack), mr = gemm_table<float>().mr;
  const int64_t wanted = kProductBytes / kPlaneBytes / pitch / mr * mr, count = ceil_div(rows, std::max(mr, wanted));
  return {pitch, count, ceil_div(rows, count)};
}

// A block of tiles of one group: rows [i0, i1). Without transformed weights those of each chunk are made on the way.
bool run_block(const Pass<float>& p, const Tiling& tiling, const std::vector<Tiling::Segment>& block, int64_t group, int64_t i0, int64_t i1,
               const Weights* weights) {
  const GemmTable<float>& t = gemm_table<float>();
  int64_t tiles = 0;
  for (const Tiling::Segment& s : block) tiles += s.len;
  const int64_t k = p.channels * static_cast<int64_t>(p.gather.taps[0].size());
  const Chunks chunks = chunks_of(tiles, i1 - i0);
  const int64_t v_step = odd_lines(k * chunks.pitch), m_step = odd_lines(chunks.most * chunks.pitch), u_step = odd_lines(chunks.most * k);
  const auto [v, m, u_own] = scratch<float>({kPlanes * v_step, kPlanes * m_step, weights ? 0 : kPlanes * u_step});
  transform_tiles(p.gather, tiling, block, {p.in + group * p.in_group, p.in_batch, p.in_plane}, 0, p.channels, v, v_step, chunks.pitch);
  bool finite = true;
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const int64_t first = i0 + (i1 - i0) * chunk / chunks.count, rows = i0 + (i1 - i0) * (chunk + 1) / chunks.count - first;
    const Weights u = weights ? Weights{weights->data + first * k, weights->step, k} : Weights{u_own, u_step, k};
    if (!weights) transform_rows(p, group, first, rows, u);
    for (int plane = 0; plane < kPlanes; ++plane) {
      t.block({rows,
               tiles,
               k,
               u.data + plane * u.step,
               k,
               1,
               t.mr * k,
               v + plane * v_step,
               chunks.pitch,
               t.nr,
               m + plane * m_step,
               chunks.pitch,
               {1.0f, 0.0f, nullptr, nullptr, false},
               {}});
    }
    finite &= write_tiles(p, tiling, block, group * p.rows + first, rows, m, m_step, chunks.pitch);
  }
  return finite;
}

// All blocks for the rows of a part. A single block has its weights made where they are used.
bool run_part(const Pass<float>& p, const Tiling& tiling, const Part& part) {
  const int64_t rows = part.r1 - part.r0, groups = part.g1 - part.g0, k = p.channels * static_cast<int64_t>(p.gather.taps[0].size());
  const bool shared = tiling.count() > 1;
  const int64_t step = odd_lines(groups * rows * k);
  const Weights all{shared ? weight_space.get<float>(kPlanes * step) : nullptr, step, k};
  if (shared) {
    parallel_for(groups * rows, std::max<int64_t>(1, 16384 / k), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) transform_rows(p, part.g0 + i / rows, part.r0 + i % rows, 1, {all.data + i * k, step, k});
    });
  }
  const int64_t mr = gemm_table<float>().mr, pairs = tiling.count() * groups, slivers = ceil_div(rows, mr);
  const int64_t splits = row_parts(pairs, slivers);
  std::atomic<bool> finite{true};
  parallel_for(pairs * splits, 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<Tiling::Segment> block;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t split = task % splits, group = task / splits % groups;
      tiling.plan(task / splits / groups, block);
      const int64_t i0 = slivers * split / splits * mr, i1 = std::min(rows, slivers * (split + 1) / splits * mr);
      const Weights own{all.data + (group * rows - part.r0) * k, step, k};
      if (!run_block(p, tiling, block, part.g0 + group, part.r0 + i0, part.r0 + i1, shared ? &own : nullptr)) finite = false;
    }
  });
  return finite;
}

}  // namespace

Tiling::Tiling(const Gather& g, int64_t most) : dilation_h(spacing(g.taps[1])), dilation_w(spacing(g.taps[2])), depth_(g.grid[0]) {
  for (int64_t ph = 0; ph < std::min(dilation_h, g.grid[1]); ++ph) {
    for (int64_t h = ph; h < g.grid[1]; h += 2 * dilation_h) {
      for (int64_t pw = 0; pw < std::min(dilation_w, g.grid[2]); ++pw) {
        const int64_t tiles = ceil_div(ceil_div(g.grid[2] - pw, dilation_w), 2), pieces = ceil_div(tiles, most);
        for (int64_t i = 0; i < pieces; ++i) {
          const int64_t first = tiles * i / pieces;
          plane_.push_back({0, 0, h, pw + 2 * dilation_w * first, tiles * (i + 1) / pieces - first});
        }
      }
    }
  }
  const int64_t per_plane = static_cast<int64_t>(plane_.size()), planes = g.batch * g.grid[0];
  // equal blocks are better than a thin last one
  const int64_t all = planes * tiles(g), even = ceil_div(all, ceil_div(all, most));
  int64_t tiles = most;
  for (int64_t i = 0; i < planes * per_plane; ++i) {
    const int64_t len = plane_[static_cast<size_t>(i % per_plane)].len;
    if (tiles >= even || tiles + len > most) {
      starts_.push_back(i);
      tiles = 0;
    }
    tiles += len;
    widest_ = std::max(widest_, tiles);
  }
  starts_.push_back(planes * per_plane);
}

int64_t Tiling::tiles(const Gather& g) {
  const int64_t step[] = {1, spacing(g.taps[1]), spacing(g.taps[2])};
  int64_t product = 1;
  for (int d = 1; d < 3; ++d) {
    int64_t along = 0;
    for (int64_t phase = 0; phase < std::min(step[d], g.grid[d]); ++phase) along += ceil_div(ceil_div(g.grid[d] - phase, step[d]), 2);
    product *= along;
  }
  return product;
}

void Tiling::plan(int64_t block, std::vector<Segment>& out) const {
  const int64_t per_plane = static_cast<int64_t>(plane_.size());
  out.clear();
  for (int64_t i = starts_[static_cast<size_t>(block)]; i < starts_[static_cast<size_t>(block + 1)]; ++i) {
    Segment s = plane_[static_cast<size_t>(i % per_plane)];
    s.n = i / per_plane / depth_;
    s.d = i / per_plane % depth_;
    out.push_back(s);
  }
}

bool winograd_pays(const Gather& g, int64_t channels, int64_t rows) {
  for (int d = 1; d < 3; ++d) {
    if (g.stride[d] != 1 || spacing(g.taps[d]) == 0) return false;
  }
  if (channels * static_cast<int64_t>(g.taps[0].size()) < kLeastChannels || rows < kLeastChannels) return false;
  // 16 products of a tile against 9 of each result; the transforms take their share
  return Tiling::tiles(g) * kPlanes * 4 <= g.grid[1] * g.grid[2] * 9 * 3;
}

void transform_tiles(const Gather& g, const Tiling& tiling, const std::vector<Tiling::Segment>& block, const TileInput& from, int64_t c0,
                     int64_t c1, float* out, int64_t plane_step, int64_t out_step) {
  for (const int64_t tap : g.taps[0]) {
    float* to = out;
    for (const Tiling::Segment& s : block) {
      const int64_t d = g.start[0] + s.d * g.stride[0] + tap;
      const float* plane = from.in + s.n * from.in_batch + c0 * from.in_plane + d * g.in[1] * g.in[2];
      kernels::conv::TilesIn args{to,      plane_step,       out_step,          {},      from.in_plane,
                                  c1 - c0, g.start[2] + s.w, tiling.dilation_w, g.in[2], s.len};
      for (int64_t r = 0; r < 4; ++r) {
        const int64_t h = g.start[1] + s.h + r * tiling.dilation_h;
        args.in[r] = d >= 0 && d < g.in[0] && h >= 0 && h < g.in[1] ? plane + h * g.in[2] : nullptr;
      }
      kernels::conv::winograd().tiles_in(args);
      to += s.len;
    }
    out += (c1 - c0) * out_step;
  }
}

int64_t row_parts(int64_t tasks, int64_t most) {
  const int64_t threads = in_parallel_region() ? 1 : num_threads();
  if (tasks >= 8 * threads) return 1;
  for (int64_t parts = 1; parts <= std::min(threads, most); ++parts) {
    if (tasks * parts % threads == 0) return parts;
  }
  return std::min(threads, most);
}

bool run_winograd(const Pass<float>& p) {
  const Gather& g = p.gather;
  if (p.out_step[1] != 1 || p.out_step[2] != 1 || !winograd_pays(g, p.channels, p.rows)) return false;
  const int64_t k = p.channels * static_cast<int64_t>(g.taps[0].size());
  const int64_t room = kTileBytes / kPlaneBytes / k - kTileSlack;
  const Tiling tiling(g, std::clamp(room, kLeastTiles, kMostTiles));
  if (tiling.count() == 1) return run_part(p, tiling, {0, p.groups, 0, p.rows});
  for (const Part& part : parts_of(p.groups, p.rows, k)) {
    if (!run_part(p, tiling, part)) return false;
  }
  return true;
}

}  // namespace pydl::conv
