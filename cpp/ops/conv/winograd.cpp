#include "ops/conv/winograd.h"

#include <algorithm>
#include <atomic>

#include "core/parallel.h"
#include "ops/conv/tables.h"

namespace pydl::conv {

namespace {

using kernels::conv::kTileSlack;
using kernels::matmul::GemmTable;

// What tiles of the input and products may take of the second-level cache, and the weights altogether.
constexpr int64_t kTileBytes = 512 * 1024, kProductBytes = 256 * 1024, kWeightBytes = 4 * 1024 * 1024;
constexpr int64_t kLeastTiles = 112, kMostTiles = 256;

thread_local Workspace weight_space;

// Some groups and some of their rows, whose transformed weights are in memory together.
struct Part {
  int64_t g0, g1, r0, r1;
};

std::vector<Part> parts_of(int64_t groups, int64_t rows, int64_t row_bytes) {
  std::vector<Part> parts;
  const int64_t room = std::max<int64_t>(1, kWeightBytes / row_bytes);  // rows
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

void transform_rows(const Pass<float>& p, const Tiling& tiling, int64_t group, int64_t row, int64_t rows, const Weights& out) {
  const Gather& g = p.gather;
  const int64_t th = tiling.scheme().h.taps, tw = tiling.scheme().w.taps;
  const bool flip_h = g.taps[1][0] != 0, flip_w = g.taps[2][0] != 0;
  for (int64_t t = 0; t < tiling.depth(); ++t) {
    kernels::conv::KernelsIn args{out.data + t * p.channels, out.step, nullptr, p.w_channel, p.channels, {}};
    for (int64_t h = 0; h < th; ++h) {
      for (int64_t w = 0; w < tw; ++w) {
        args.at[h * tw + w] = p.w_taps[static_cast<size_t>((t * th + (flip_h ? th - 1 - h : h)) * tw + (flip_w ? tw - 1 - w : w))];
      }
    }
    const int64_t first = *std::min_element(args.at, args.at + th * tw);
    for (int64_t& at : args.at) at -= at >= first ? first : 0;
    for (int64_t i = 0; i < rows; ++i, args.out += out.k) {
      args.in = p.weight + group * p.w_group + (row + i) * p.w_row + first;
      tiling.kernels().kernels_in(args);
    }
  }
}

// Products of some rows, from row `row` of all groups on, become results.
bool write_tiles(const Pass<float>& p, const Tiling& tiling, const std::vector<Tiling::Segment>& block, int64_t row, int64_t rows,
                 const float* products, int64_t step, int64_t pitch) {
  bool finite = true;
  const bool paired = tiling.dilation_w() == 2;
  const int64_t dilation = paired ? 1 : tiling.dilation_w();
  for (const Tiling::Segment& s : block) {
    float* out = p.out + s.n * p.out_batch + row * p.out_plane;
    const float* bias = p.bias ? p.bias + row : nullptr;
    const int64_t columns = ceil_div(p.gather.grid[2] - s.w, dilation);
    kernels::conv::TilesOut args{products, step,  pitch, {}, p.out_plane, rows, bias, p.out_step[2] * s.w, p.out_step[2] * dilation,
                                 columns,  s.len, paired};
    for (int64_t r = 0; r < tiling.scheme().h.results; ++r) {
      const int64_t h = s.h + r * tiling.dilation_h();
      if (h < p.gather.grid[1]) args.out[r] = out + p.out_at({s.n, s.d, h, 0});
    }
    finite &= tiling.kernels().tiles_out(args);
    products += s.len;
  }
  return finite;
}

// How the rows of a block are cut, so that their products stay in the cache.
struct Chunks {
  int64_t pitch, count, most;
};
Chunks chunks_of(const Tiling& tiling, int64_t tiles, int64_t rows) {
  const int64_t pitch = odd_lines(tiles + kTileSlack), mr = gemm_table<float>().mr;
  const int64_t wanted = kProductBytes / static_cast<int64_t>(sizeof(float)) / tiling.planes() / pitch / mr * mr;
  const int64_t count = ceil_div(rows, std::max(mr, wanted));
  return {pitch, count, ceil_div(rows, count)};
}

// `tail` tiles of a plane, from column `first` on, as rows of k channels.
void gather_tail(const float* v, int64_t pitch, int64_t k, int64_t first, int64_t tail, float* out) {
  for (int64_t c = 0; c < k; ++c) {
    for (int64_t j = 0; j < tail; ++j) out[j * k + c] = v[c * pitch + first + j];
  }
}

// The products of such tiles with rows of weights, as columns of out. `sums` is room for them.
void multiply_tail(const float* tiles, int64_t tail, int64_t k, const float* weights, int64_t rows, float* sums, float* out,
                   int64_t pitch) {
  gemm_table<float>().skinny_dots({tail, rows, k, tiles, k, 1, weights, k, sums, rows});
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < tail; ++j) out[i * pitch + j] = sums[j * rows + i];
  }
}

// A block of tiles of one group: rows [i0, i1). Without transformed weights those of each chunk are made on the way.
bool run_block(const Pass<float>& p, const Tiling& tiling, const std::vector<Tiling::Segment>& block, int64_t group, int64_t i0, int64_t i1,
               const Weights* weights) {
  const GemmTable<float>& t = gemm_table<float>();
  int64_t tiles = 0;
  for (const Tiling::Segment& s : block) tiles += s.len;
  const int64_t k = p.channels * tiling.depth(), planes = tiling.planes();
  const Chunks chunks = chunks_of(tiling, tiles, i1 - i0);
  const int64_t v_step = odd_lines(k * chunks.pitch), m_step = odd_lines(chunks.most * chunks.pitch), u_step = odd_lines(chunks.most * k);
  const int64_t tail = tail_of(tiles), whole = tiles - tail;
  const auto [v, m, u_own, ends, sums] =
      scratch<float>({planes * v_step, planes * m_step, weights ? 0 : planes * u_step, planes * tail * k, tail * chunks.most});
  transform_tiles(tiling, block, {p.in + group * p.in_group, p.in_batch, p.in_plane}, 0, p.channels, v, v_step, chunks.pitch);
  for (int plane = 0; plane < planes && tail > 0; ++plane) {
    gather_tail(v + plane * v_step, chunks.pitch, k, whole, tail, ends + plane * tail * k);
  }
  bool finite = true;
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const int64_t first = i0 + (i1 - i0) * chunk / chunks.count, rows = i0 + (i1 - i0) * (chunk + 1) / chunks.count - first;
    const Weights u = weights ? Weights{weights->data + first * k, weights->step, k} : Weights{u_own, u_step, k};
    if (!weights) transform_rows(p, tiling, group, first, rows, u);
    for (int plane = 0; plane < planes; ++plane) {
      t.block({rows,
               whole,
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
      if (tail > 0) {
        multiply_tail(ends + plane * tail * k, tail, k, u.data + plane * u.step, rows, sums, m + plane * m_step + whole, chunks.pitch);
      }
    }
    finite &= write_tiles(p, tiling, block, group * p.rows + first, rows, m, m_step, chunks.pitch);
  }
  return finite;
}

// All blocks for the rows of a part. A single block has its weights made where they are used.
bool run_part(const Pass<float>& p, const Tiling& tiling, const Part& part) {
  const int64_t rows = part.r1 - part.r0, groups = part.g1 - part.g0, k = p.channels * tiling.depth();
  const bool shared = tiling.blocks() > 1;
  const int64_t step = odd_lines(groups * rows * k);
  const Weights all{shared ? weight_space.get<float>(tiling.planes() * step) : nullptr, step, k};
  if (shared) {
    parallel_for(groups * rows, std::max<int64_t>(1, 16384 / k), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        transform_rows(p, tiling, part.g0 + i / rows, part.r0 + i % rows, 1, {all.data + i * k, step, k});
    });
  }
  const int64_t mr = gemm_table<float>().mr, pairs = tiling.blocks() * groups, slivers = ceil_div(rows, mr);
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

bool run_winograd(const Pass<float>& p) {
  Tiling tiling(p.gather);
  if (!tiling.pays(p.channels, p.rows)) return false;
  const int64_t k = p.channels * tiling.depth(), plane_bytes = tiling.planes() * static_cast<int64_t>(sizeof(float));
  tiling.cut(std::clamp(kTileBytes / plane_bytes / k - kTileSlack, kLeastTiles, kMostTiles));
  if (tiling.blocks() == 1) return run_part(p, tiling, {0, p.groups, 0, p.rows});
  for (const Part& part : parts_of(p.groups, p.rows, plane_bytes * k)) {
    if (!run_part(p, tiling, part)) return false;
  }
  return true;
}

}  // namespace pydl::conv
