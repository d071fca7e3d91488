// A convolution is the product of the weights (rows: channels of the result; k: channels and taps) with a matrix whose
// columns are the places of the result. Its panels are packed from the band straight into the form that the matrix kernels
// read, so no column matrix is ever whole in memory (the method of MLAS and of Dukhan's "The Indirect Convolution
// Algorithm", 2019, on NCHW images). Where few rows would not pay for packing the product reads the band itself.
#include "ops/conv/engine.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "kernels/matmul/gemm.h"
#include "ops/conv/depthwise.h"
#include "ops/conv/narrow.h"
#include "ops/conv/pass.h"
#include "ops/conv/tables.h"
#include "ops/conv/winograd.h"
#include "ops/matmul/workspace.h"

namespace pydl::conv {

namespace {

using kernels::conv::Direct;
using kernels::conv::kDirectSlack;
using kernels::conv::Run;
using kernels::conv::Segment;
using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;

// Up to this many rows, or channels, packing costs more than it saves.
constexpr int64_t kDirectRows = 16, kDirectChannels = 4;
constexpr int64_t kDirectPixels = 1024;
// What a block may take of the second-level cache.
constexpr int64_t kBandBytes = 384 * 1024, kPanelBytes = 1024 * 1024;
// The same where the panel behind it is read ahead.
constexpr int64_t kPlainBytes = 512 * 1024;

// The weights of rows [i, i + m) and channels [c0, c1) as out[row][channel][tap].
template <class T>
void pack_weights(const Pass<T>& p, int64_t group, int64_t i, int64_t m, int64_t c0, int64_t c1, T* out) {
  const int64_t taps = static_cast<int64_t>(p.w_taps.size()), k = (c1 - c0) * taps;
  for (int64_t c = c0; c < c1; ++c) {
    for (int64_t r = 0; r < m; ++r) {
      const T* from = p.weight + group * p.w_group + (i + r) * p.w_row + c * p.w_channel;
      T* to = out + r * k + (c - c0) * taps;
      for (int64_t t = 0; t < taps; ++t) to[t] = from[p.w_taps[static_cast<size_t>(t)]];
    }
  }
}

// How the work is cut; nothing in it that changes bits depends on the number of threads.
struct Cut {
  bool direct;
  int64_t channels;   // in a block of k
  int64_t pixels;     // in a block of results
  int64_t row_parts;  // of the rows
};

template <class T>
Cut cut_of(const Pass<T>& p) {
  const GemmTable<T>& t = gemm_table<T>();
  const Gather& g = p.gather;
  const int64_t taps = g.tap_count(), size = static_cast<int64_t>(sizeof(T));
  Cut cut{};
  const bool few = p.rows <= kDirectRows || (p.channels <= kDirectChannels && p.rows <= 4 * kDirectRows);
  // The product over a band includes the ends of its rows, which are no results.
  const bool wasteful = p.rows > kDirectRows / 2 && 4 * (g.span(2) / g.stride[2]) > g.grid[2];
  cut.direct = few && !wasteful && !(g.is_plain() && p.rows > 4);
  cut.channels = p.channels;
  // Rows of the band for one row of results, and what every further row of results adds.
  const int64_t width = std::min(g.grid[2], kDirectPixels) * std::min(g.stride[2], static_cast<int64_t>(g.taps[2].size())) + g.span(2);
  const int64_t depth = static_cast<int64_t>(g.taps[0].size());
  const int64_t row_bytes = depth * width * size * std::min(g.stride[1], static_cast<int64_t>(g.taps[1].size()));
  const int64_t fixed_bytes = depth * width * size * g.span(1);
  if (cut.direct) {
    const int64_t room = std::max<int64_t>(0, kBandBytes / p.channels - fixed_bytes) / row_bytes;
    cut.pixels = std::min(std::max<int64_t>(room, 1) * g.grid[2], kDirectPixels * std::max<int64_t>(1, 4 / p.rows));
  } else {
    const int64_t wanted = std::max<int64_t>(1, t.kc / taps);
    // one block of k that is half as long again is faster than two
    if (p.channels * taps > t.kc * 3 / 2) cut.channels = ceil_div(p.channels, ceil_div(p.channels, wanted));
    const int64_t panel = (g.is_plain() ? kPlainBytes : kPanelBytes) / size / (cut.channels * taps);
    cut.pixels = std::max<int64_t>(t.nr, std::min<int64_t>(t.nc, panel) / t.nr * t.nr);
    if (!g.is_plain()) {
      const int64_t rows = std::max<int64_t>(1, cut.pixels / g.grid[2]);
      cut.channels = std::min(cut.channels, std::max<int64_t>(1, 4 * kBandBytes / (fixed_bytes + rows * row_bytes)));
    }
  }
  return cut;
}

// Where the results of a block go from a buffer in which a segment begins at its lane or its base.
template <class T>
const std::vector<Run>& runs_of(const Pass<T>& p, const Block& b, bool by_base) {
  thread_local std::vector<Run> runs;
  runs.clear();
  for (size_t s = 0; s < b.segments.size(); ++s) {
    const Segment& g = b.segments[s];
    int64_t from = by_base ? g.base : g.lane, left = g.len;
    Place at = b.places[s];
    while (left > 0) {  // a segment without a buffer covers several rows
      const int64_t n = std::min(left, p.gather.grid[2] - at.w);
      runs.push_back({from, at.n * p.out_batch + p.out_at(at), n});
      from += n;
      left -= n;
      ++at.h;
      at.w = 0;
    }
  }
  return runs;
}

template <class T>
void write_out(const Pass<T>& p, int64_t group, const std::vector<Run>& runs, const T* buffer, int64_t pitch, int64_t i0, int64_t i1) {
  conv_table<T>().write_runs({p.out + group * p.out_group + i0 * p.out_plane, p.out_plane, buffer, pitch, i1 - i0, runs.data(),
                              static_cast<int64_t>(runs.size()), p.out_step[2]});
}

template <class T>
void offsets_of(const Block& b, int64_t channel, int64_t channels, std::vector<int64_t>& offsets) {
  offsets.clear();
  for (int64_t c = 0; c < channels; ++c) {
    for (const int64_t t : b.tap_offsets) offsets.push_back(c * channel + t);
  }
}

// ---- few rows --------------------------------------------------------------------------------------------------

template <class T>
void run_direct(const Pass<T>& p, const Bands& bands, const Block& b, int64_t group_begin, int64_t group_end) {
  thread_local std::vector<int64_t> offsets;
  offsets_of<T>(b, b.channel, p.channels, offsets);
  const int64_t k = p.channels * bands.gather().tap_count(), pitch = ceil_div(b.flat + kDirectSlack, 16) * 16;
  const bool as_is = p.contiguous_weights();
  const std::vector<Run>& runs = runs_of(p, b, true);
  const auto [band, y, packed] = scratch<T>({p.channels * b.channel + kDirectSlack, p.rows * pitch, as_is ? 0 : p.rows * k});
  for (int64_t g = group_begin; g < group_end; ++g) {
    const T* a = p.weight + g * p.w_group;
    int64_t a_row = p.w_row;
    if (!as_is) {
      pack_weights(p, g, 0, p.rows, 0, p.channels, packed);
      a = packed;
      a_row = k;
    }
    bands.fill(b, band, p.in + g * p.in_group, p.in_batch, p.in_plane, 0, p.channels);
    // Band by band: the rows between two bands, which only pad, are no results.
    for (const Block::Band& part : b.bands) {
      const int64_t at = part.at * b.width, n = (part.rows - 1) * b.width + std::min(bands.row_width(), b.width);
      conv_table<T>().direct({p.rows, n, k, a, a_row, band + at, offsets.data(), y + at, pitch, p.bias ? p.bias + g * p.rows : nullptr});
    }
    write_out<T>(p, g, runs, y, pitch, 0, p.rows);
  }
}

// ---- the general case: packed panels ---------------------------------------------------------------------------

// The segments of every panel of `nr` columns; first[j] is where panel j begins.
void split_panels(const Block& b, int64_t nr, std::vector<Segment>& parts, std::vector<int64_t>& first) {
  parts.clear();
  first.assign(1, 0);
  for (const Segment& s : b.segments) {
    for (int64_t done = 0; done < s.len;) {
      const int64_t lane = (s.lane + done) % nr, n = std::min<int64_t>(s.len - done, nr - lane);
      if (lane == 0 && !parts.empty()) first.push_back(static_cast<int64_t>(parts.size()));
      parts.push_back({s.base + done, static_cast<int32_t>(lane), static_cast<int32_t>(n)});
      done += n;
    }
  }
  first.push_back(static_cast<int64_t>(parts.size()));
}

// One sliver of mr rows of weights times the panels of the block.
template <class T>
void multiply(const Pass<T>& p, int64_t group, const GemmBlock<T>& shared, int64_t i, int64_t m, int64_t c0, int64_t c1, T* a_pack) {
  const GemmTable<T>& t = gemm_table<T>();
  GemmBlock<T> g = shared;
  g.m = m;
  g.a = a_pack;
  g.a_row = g.k;
  g.a_col = 1;
  if (p.contiguous_weights() && (p.w_row == g.k || apart_in_cache(p.w_row * static_cast<int64_t>(sizeof(T))))) {
    g.a = p.weight + group * p.w_group + i * p.w_row + c0 * p.w_channel;
    g.a_row = p.w_row;
  } else if (p.contiguous_weights()) {
    t.pack_a(a_pack, p.weight + group * p.w_group + i * p.w_row + c0 * p.w_channel, dtype_of<T>, p.w_row, 1, m, g.k);
    if (p.w_row == 1) g.a_row = g.k;
  } else if (p.w_row == 1 && p.w_taps.size() == 1) {  // some columns of a matrix
    t.pack_a(a_pack, p.weight + group * p.w_group + i + c0 * p.w_channel + p.w_taps[0], dtype_of<T>, 1, p.w_channel, m, g.k);
    g.a_row = 1;
    g.a_col = t.mr;
  } else {
    pack_weights(p, group, i, m, c0, c1, a_pack);
  }
  g.a_panel = t.mr * g.a_row;
  t.block(g);
}

// What a plain block reads next: its channels [c1, ...), or the first ones of the block behind it. A part of them for each
// sliver.
template <class T>
kernels::matmul::ReadAhead read_ahead(const Pass<T>& p, const Block& b, int64_t group, int64_t c1, int64_t channels, int64_t sliver,
                                      int64_t slivers) {
  if (b.segments.size() != 1) return {};
  const Segment& s = b.segments[0];
  const int64_t plane = p.gather.grid[0] * p.gather.grid[1] * p.gather.grid[2], image = b.places[0].n * p.in_batch;
  int64_t base = s.base, first = c1;
  if (c1 == p.channels) {
    first = 0;
    base += s.len;
    if (base - image >= plane) base = image + p.in_batch;
    if (base >= p.gather.batch * p.in_batch) return {};
  }
  channels = std::min(channels, p.channels - first);
  const int64_t end = first + channels * (sliver + 1) / slivers;
  first += channels * sliver / slivers;
  constexpr int64_t kLine = 64;
  const int64_t size = static_cast<int64_t>(sizeof(T)), lines = ceil_div(s.len * size, kLine);
  return {reinterpret_cast<const char*>(p.in + group * p.in_group + base + first * p.in_plane), kLine, lines,
          p.in_plane * size - (lines - 1) * kLine, lines * (end - first)};
}

template <class T>
void run_packed(const Pass<T>& p, const Bands& bands, const Cut& cut, const Block& b, int64_t group, int64_t i0, int64_t i1) {
  thread_local std::vector<int64_t> offsets, first;
  thread_local std::vector<Segment> parts;
  const GemmTable<T>& t = gemm_table<T>();
  const int64_t taps = bands.gather().tap_count(), k_most = cut.channels * taps, nr = t.nr, slack = 64;
  const bool plain = bands.plain();
  split_panels(b, nr, parts, first);
  const int64_t panels = ceil_div(b.pixels, nr);
  const bool in_place = b.bands.size() == 1 && p.out_step[2] == 1 && p.out_step[1] == 1 && p.out_size[2] == bands.gather().grid[2];
  const auto [a_pack, b_pack, band, results] = scratch<T>(
      {t.mr * k_most, panels * nr * k_most + slack, plain ? 0 : cut.channels * b.channel + slack, in_place ? 0 : (i1 - i0) * panels * nr});
  T* c = in_place ? p.out + group * p.out_group + i0 * p.out_plane + b.places[0].n * p.out_batch + p.out_at(b.places[0]) : results;
  const int64_t c_row = in_place ? p.out_plane : panels * nr;
  for (int64_t c0 = 0; c0 < p.channels; c0 += cut.channels) {
    const int64_t c1 = std::min(p.channels, c0 + cut.channels), k = (c1 - c0) * taps;
    const T* from = p.in + group * p.in_group;
    if (plain) {
      from += c0 * p.in_plane;
    } else {
      bands.fill(b, band, from, p.in_batch, p.in_plane, c0, c1);
      from = band;
    }
    offsets_of<T>(b, plain ? p.in_plane : b.channel, c1 - c0, offsets);
    for (int64_t j = 0; j < panels; ++j) {
      const int64_t s = first[static_cast<size_t>(j)], end = first[static_cast<size_t>(j + 1)];
      conv_table<T>().copy_rows({b_pack + j * nr * k, nr, from, offsets.data(), k, parts.data() + s, end - s});
    }
    const bool last = c1 == p.channels;
    GemmBlock<T> g{
        0, b.pixels, k, nullptr, k, 1, 0, b_pack, nr, nr * k, nullptr, c_row, {T(1), c0 > 0 ? T(1) : T(0), nullptr, nullptr, false}, {}};
    const int64_t slivers = ceil_div(i1 - i0, t.mr);  // of equal height
    for (int64_t sliver = 0; sliver < slivers; ++sliver) {
      const int64_t i = i0 + (i1 - i0) * sliver / slivers, end = i0 + (i1 - i0) * (sliver + 1) / slivers;
      g.c = c + (i - i0) * c_row;
      if (plain) g.next = read_ahead(p, b, group, c1, cut.channels, sliver, slivers);
      g.out.bias_m = last && p.bias ? p.bias + group * p.rows + i : nullptr;
      multiply(p, group, g, i, end - i, c0, c1, a_pack);
    }
  }
  if (!in_place) write_out<T>(p, group, runs_of(p, b, false), c, c_row, i0, i1);
}

// ---- threads ---------------------------------------------------------------------------------------------------

template <class T>
bool run_transformed(const Pass<T>& p) {
  if constexpr (sizeof(T) == 4) return run_winograd(p);
  return false;
}

// Planes as rows, where every place is by itself: then blocks need not end with a row.
template <class T>
void flatten(Pass<T>& p) {
  Gather& g = p.gather;
  const bool whole = std::equal(p.out_size, p.out_size + 3, g.grid) && p.out_step[0] * p.out_step[1] * p.out_step[2] == 1;
  if (!g.is_plain() || !whole) return;
  g.in[2] = g.grid[2] = p.out_size[2] = g.grid[0] * g.grid[1] * g.grid[2];
  for (int d = 0; d < 2; ++d) g.in[d] = g.grid[d] = p.out_size[d] = 1;
}

template <class T>
void run_sums(Pass<T> p) {
  if (p.channels == 1 && p.rows == 1) return run_depthwise(p);
  flatten(p);
  const Cut cut = cut_of(p);
  const Bands bands(p.gather, cut.pixels, cut.direct);
  const int64_t work = p.gather.batch * p.gather.grid[0] * p.gather.grid[1] * p.gather.grid[2] * p.gather.tap_count() * p.channels;
  if (cut.direct) {
    // groups of one channel are many: they share the plan of a block
    const int64_t share = std::max<int64_t>(1, std::min(p.groups, 65536 / std::max<int64_t>(1, p.channels * p.rows * bands.widest())));
    const int64_t parts = ceil_div(p.groups, share), tasks = bands.count() * parts;
    const int64_t grain = std::max<int64_t>(1, 32768 * tasks / std::max<int64_t>(1, work * p.groups * p.rows / 8));
    parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
      Block b;
      int64_t planned = -1;
      for (int64_t task = begin; task < end; ++task) {
        if (planned != task / parts) bands.plan(planned = task / parts, p.in_batch, b);
        run_direct(p, bands, b, task % parts * p.groups / parts, (task % parts + 1) * p.groups / parts);
      }
    });
    return;
  }
  const int64_t mr = gemm_table<T>().mr, pairs = bands.count() * p.groups;
  const int64_t slivers = ceil_div(p.rows, mr), parts = row_parts(pairs, slivers), tasks = pairs * parts;
  const int64_t grain = std::max<int64_t>(1, 65536 * tasks / std::max<int64_t>(1, work * p.groups * p.rows / 16));
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    Block b;
    int64_t planned = -1;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task % parts, group = task / parts % p.groups, block = task / parts / p.groups;
      if (planned != block) bands.plan(planned = block, p.in_batch, b);
      const int64_t i0 = slivers * part / parts * mr, i1 = std::min(p.rows, slivers * (part + 1) / parts * mr);
      run_packed(p, bands, cut, b, group, i0, i1);
    }
  });
}

}  // namespace

int64_t row_parts(int64_t tasks, int64_t most) {
  const int64_t threads = in_parallel_region() ? 1 : num_threads();
  if (tasks >= 8 * threads) return 1;
  for (int64_t parts = 1; parts <= std::min(threads, most); ++parts) {
    if (tasks * parts % threads == 0) return parts;
  }
  return std::min(threads, most);
}

template <class T>
void forward(const Shape& s, const T* in, const T* weight, const T* bias, T* out) {
  Pass<T> p{};
  p.gather = forward_gather(s);
  p.groups = s.groups, p.channels = s.c, p.rows = s.o;
  p.in = in, p.in_plane = s.in_plane(), p.in_group = s.c * p.in_plane, p.in_batch = s.groups * p.in_group;
  p.weight = weight, p.w_channel = s.taps(), p.w_row = s.c * p.w_channel, p.w_group = s.o * p.w_row;
  for (int64_t t = 0; t < s.taps(); ++t) p.w_taps.push_back(t);
  p.bias = bias;
  p.out = out, p.out_plane = s.out_plane(), p.out_group = s.o * p.out_plane, p.out_batch = s.groups * p.out_group;
  for (int d = 0; d < 3; ++d) p.out_size[d] = s.out[d], p.out_step[d] = 1;
  if (run_transformed(p)) return;
  if constexpr (sizeof(T) == 4) {
    if (narrow_forward(s, in, weight, bias, out)) return;
  }
  run_sums(p);
}

template <class T>
void backward_input(const Shape& s, const T* out_grad, const T* weight, const T* bias, T* in_grad) {
  if constexpr (sizeof(T) == 4) {
    if (narrow_input(s, out_grad, weight, bias, in_grad)) return;
  }
  if (depthwise_input(s, out_grad, weight, bias, in_grad)) return;
  Pass<T> p{};
  p.groups = s.groups, p.channels = s.o, p.rows = s.c;
  p.in = out_grad, p.in_plane = s.out_plane(), p.in_group = s.o * p.in_plane, p.in_batch = s.groups * p.in_group;
  p.weight = weight, p.w_row = s.taps(), p.w_channel = s.c * p.w_row, p.w_group = s.o * p.w_channel;
  p.bias = bias;
  p.out = in_grad, p.out_plane = s.in_plane(), p.out_group = s.c * p.out_plane, p.out_batch = s.groups * p.out_group;
  std::vector<int64_t> phases[3];  // that some tap reaches
  bool bare = false;               // are there others?
  for (int d = 0; d < 3; ++d) {
    p.out_size[d] = s.in[d];
    p.out_step[d] = s.stride[d];
    for (int64_t k = 0; k < s.kernel[d]; ++k) {
      const int64_t phase = ((k * s.dilation[d] - s.padding[d]) % s.stride[d] + s.stride[d]) % s.stride[d];
      if (phase < s.in[d] && std::find(phases[d].begin(), phases[d].end(), phase) == phases[d].end()) phases[d].push_back(phase);
    }
    bare = bare || static_cast<int64_t>(phases[d].size()) < std::min(s.stride[d], s.in[d]);
  }
  if (bare) {
    const int64_t planes = s.batch * s.groups * s.c;
    parallel_for(planes, std::max<int64_t>(1, 65536 / p.out_plane), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) std::fill_n(in_grad + i * p.out_plane, p.out_plane, bias ? bias[i % (s.groups * s.c)] : T(0));
    });
  }
  for (const int64_t d : phases[0]) {
    for (const int64_t h : phases[1]) {
      for (const int64_t w : phases[2]) {
        const int64_t phase[] = {d, h, w};
        backward_gather(s, phase, p.gather, p.w_taps);
        std::copy_n(phase, 3, p.out_first);
        if (!run_transformed(p)) run_sums(p);
      }
    }
  }
}

template void forward(const Shape&, const float*, const float*, const float*, float*);
template void forward(const Shape&, const double*, const double*, const double*, double*);
template void backward_input(const Shape&, const float*, const float*, const float*, float*);
template void backward_input(const Shape&, const double*, const double*, const double*, double*);

}  // namespace pydl::conv
