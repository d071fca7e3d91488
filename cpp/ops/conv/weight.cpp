// The gradient of the weights: for each image the product of the columns (rows: channels and taps; k: places) with the
// transposed gradient of the output. Its transpose is accumulated, because then the operand that must be transposed is the
// smaller one and is used by all channels and taps. A row of ones adds the gradient of the bias.
#include <algorithm>

#include "core/parallel.h"
#include "ops/conv/depthwise.h"
#include "ops/conv/engine.h"
#include "ops/conv/narrow.h"
#include "ops/conv/tables.h"
#include "ops/conv/winograd.h"
#include "ops/matmul/workspace.h"

namespace pydl::conv {

namespace {

using kernels::conv::Segment;
using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;

// Sums of more elements are cut by channels; smaller ones by places, added up in order.
constexpr int64_t kSplitElements = 64 * 1024, kMostSplits = 8;
constexpr int64_t kSumElements = 256 * 1024;
constexpr int64_t kBandBytes = 512 * 1024;

thread_local Workspace sum_space;

template <class T>
struct Grad {
  const Shape& s;
  const T* in;
  const T* out_grad;
  T* weight_grad;
  T* bias_grad;
  Bands bands;

  int64_t rows() const { return s.c * s.taps(); }
};

// The places of a block as rows, the channels of the output's gradient as columns.
template <class T>
void pack_gradient(const Grad<T>& p, const Block& b, int64_t group, int64_t o0, int64_t o1, T* out) {
  const GemmTable<T>& t = gemm_table<T>();
  const int64_t plane = p.s.out_plane();
  int64_t lane = 0;
  for (const Block::Band& band : b.bands) {
    const Place& at = band.first;
    const int64_t count = std::min(p.bands.row_width(), p.s.out[2] - at.w) * band.rows;  // whole rows, or a piece of one
    const T* from = p.out_grad + ((at.n * p.s.groups + group) * p.s.o + o0) * plane + (at.d * p.s.out[1] + at.h) * p.s.out[2] + at.w;
    t.pack_b(out + lane * t.nr, t.nr * b.pixels, from, dtype_of<T>, 1, plane, count, o1 - o0);
    lane += count;
  }
}

// Adds one block of places to sums[row - first row][o - o0] for channels [c0, c1) and, if `ones`, a last row of sums of the
// gradient. `fresh` overwrites.
template <class T>
void add_block(const Grad<T>& p, const Block& b, int64_t group, int64_t c0, int64_t c1, int64_t o0, int64_t o1, bool ones, bool fresh,
               T* sums) {
  thread_local std::vector<int64_t> offsets;
  const GemmTable<T>& t = gemm_table<T>();
  const int64_t taps = p.s.taps(), k = b.pixels, columns = o1 - o0, nr = t.nr, slack = 64;
  const bool plain = p.bands.plain();
  const int64_t step = plain ? c1 - c0 : std::clamp<int64_t>(kBandBytes / static_cast<int64_t>(sizeof(T)) / b.channel, 1, c1 - c0);
  const auto [b_pack, a_pack, band] = scratch<T>({ceil_div(columns, nr) * nr * k, t.mr * k + slack, plain ? 0 : step * b.channel + slack});
  pack_gradient(p, b, group, o0, o1, b_pack);
  GemmBlock<T> g{
      0, columns, k, a_pack, k, 1, t.mr * k, b_pack, nr, nr * k, nullptr, columns, {T(1), fresh ? T(0) : T(1), nullptr, nullptr, false},
      {}};
  const int64_t plane = p.s.in_plane(), in_batch = p.s.groups * p.s.c * plane;
  // Planes are read where they are, unless their distance makes them compete for the same sets of the cache.
  const bool as_is = plain && b.segments.size() == 1 && apart_in_cache(plane * static_cast<int64_t>(sizeof(T)));
  if (as_is) g.a_row = plane, g.a_panel = t.mr * plane;
  for (int64_t c = c0; c < c1; c += step) {
    const int64_t end = std::min(c1, c + step), rows = (end - c) * taps;
    const T* from = p.in + group * p.s.c * plane;
    if (plain) {
      from += c * plane;
    } else {
      p.bands.fill(b, band, from, in_batch, plane, c, end);
      from = band;
    }
    offsets.clear();
    for (int64_t i = 0; i < end - c; ++i) {
      for (const int64_t tap : b.tap_offsets) offsets.push_back(i * (plain ? plane : b.channel) + tap);
    }
    const int64_t slivers = ceil_div(rows, t.mr);  // of equal height
    for (int64_t sliver = 0; sliver < slivers; ++sliver) {
      const int64_t i = rows * sliver / slivers;
      g.m = rows * (sliver + 1) / slivers - i;
      if (as_is) {
        g.a = from + b.segments[0].base + i * plane;
      } else {
        conv_table<T>().copy_rows({a_pack, k, from, offsets.data() + i, g.m, b.segments.data(), static_cast<int64_t>(b.segments.size())});
      }
      g.c = sums + ((c - c0) * taps + i) * columns;
      t.block(g);
    }
  }
  if (ones) {
    std::fill_n(a_pack, k, T(1));
    g.a = a_pack;
    g.m = 1;
    g.c = sums + (c1 - c0) * taps * columns;
    t.block(g);
  }
}

template <class T>
void write_sums(const Grad<T>& p, int64_t group, int64_t c0, int64_t c1, int64_t o0, int64_t o1, bool ones, const T* sums) {
  const int64_t taps = p.s.taps(), rows = (c1 - c0) * taps, columns = o1 - o0;
  T* out = p.weight_grad + ((group * p.s.o + o0) * p.s.c + c0) * taps;
  constexpr int64_t kTile = 16;
  for (int64_t i = 0; i < rows; i += kTile) {
    for (int64_t o = 0; o < columns; ++o) {
      for (int64_t r = i; r < std::min(rows, i + kTile); ++r) out[o * p.s.c * taps + r] = sums[r * columns + o];
    }
  }
  if (ones) std::copy_n(sums + rows * columns, columns, p.bias_grad + group * p.s.o + o0);
}

// Few sums over many places: parts of the places, each with sums of its own, added in order.
template <class T>
void run_split(const Grad<T>& p, int64_t splits) {
  const int64_t groups = p.s.groups, size = (p.rows() + 1) * p.s.o, blocks = p.bands.count();
  T* sums = sum_space.get<T>(groups * splits * size);
  const bool ones = p.bias_grad != nullptr;
  parallel_tasks(groups * splits, [&](int64_t task) {
    const int64_t group = task / splits, part = task % splits;
    Block b;
    const int64_t first = blocks * part / splits, end = blocks * (part + 1) / splits;
    for (int64_t i = first; i < end; ++i) {
      p.bands.plan(i, p.s.groups * p.s.c * p.s.in_plane(), b);
      add_block(p, b, group, 0, p.s.c, 0, p.s.o, ones, i == first, sums + task * size);
    }
  });
  const int64_t used = size - (ones ? 0 : p.s.o);
  parallel_for(groups, std::max<int64_t>(1, 65536 / (size * splits)), [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      T* total = sums + g * splits * size;
      for (int64_t s = 1; s < splits; ++s) {
        for (int64_t i = 0; i < used; ++i) total[i] += total[s * size + i];
      }
      write_sums<T>(p, g, 0, p.s.c, 0, p.s.o, ones, total);
    }
  });
}

// Many sums: tasks own some channels and some columns, over all places.
template <class T>
void run_owned(const Grad<T>& p) {
  const int64_t columns = std::min<int64_t>(p.s.o, gemm_table<T>().nc), column_parts = ceil_div(p.s.o, columns);
  const int64_t threads = in_parallel_region() ? 1 : num_threads(), taps = p.s.taps();
  int64_t parts = ceil_div(p.rows() * columns, kSumElements);
  while (parts < p.s.c && p.s.groups * column_parts * parts < 8 * threads && p.s.groups * column_parts * parts % threads != 0) ++parts;
  parts = std::min(parts, p.s.c);
  parallel_tasks(p.s.groups * column_parts * parts, [&](int64_t task) {
    const int64_t part = task % parts, column = task / parts % column_parts, group = task / parts / column_parts;
    const int64_t c0 = p.s.c * part / parts, c1 = p.s.c * (part + 1) / parts;
    const int64_t o0 = column * columns, o1 = std::min(p.s.o, o0 + columns);
    const bool ones = p.bias_grad && part == 0;
    T* sums = sum_space.get<T>(((c1 - c0) * taps + 1) * (o1 - o0));
    Block b;
    for (int64_t i = 0; i < p.bands.count(); ++i) {
      p.bands.plan(i, p.s.groups * p.s.c * p.s.in_plane(), b);
      add_block(p, b, group, c0, c1, o0, o1, ones, i == 0, sums);
    }
    write_sums(p, group, c0, c1, o0, o1, ones, sums);
  });
}

}  // namespace

template <class T>
void backward_weight(const Shape& s, const T* in, const T* out_grad, T* weight_grad, T* bias_grad) {
  if constexpr (sizeof(T) == 4) {
    if (winograd_weight(s, in, out_grad, weight_grad, bias_grad)) return;
    if (narrow_weight(s, in, out_grad, weight_grad, bias_grad)) return;
  }
  const Gather gather = forward_gather(s);
  if (s.c == 1 && s.o == 1 && !gather.is_plain()) return depthwise_weight(s, in, out_grad, weight_grad, bias_grad);
  Grad<T> p{s, in, out_grad, weight_grad, bias_grad, Bands(gather, gemm_table<T>().kc)};
  const int64_t size = (p.rows() + 1) * s.o;
  if (size > kSplitElements) return run_owned(p);
  // enough parts for the threads of a large machine, few enough that their sums cost little
  const int64_t wanted = s.groups >= 16 ? 1 : std::min<int64_t>(kMostSplits, p.bands.count() / 4);
  run_split(p, std::max<int64_t>(1, wanted));
}

template void backward_weight(const Shape&, const float*, const float*, float*, float*);
template void backward_weight(const Shape&, const double*, const double*, double*, double*);

}  // namespace pydl::conv
