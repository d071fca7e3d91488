#include "kernels/conv/conv.h"

#include "kernels/cpu/conv/lanes.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

// ---- bands -----------------------------------------------------------------------------------------------------

// A row of `width`, from the places [begin, end) of `in`; writes up to a vector too far.
template <class T>
PYDL_INLINE void band_row(T* out, const T* in, int64_t width, int64_t begin, int64_t end, int64_t step) {
  constexpr int L = kLanes<T>;
  for (int64_t x = 0; x < width; x += L) {
    const int a = clamp_lane(begin - x, L), b = clamp_lane(end - x, L);
    V<T> v;
    if (a >= b) {
      v = V<T>{};
    } else if (step == 1) {
      v = a == 0 && b == L ? load(in + x) : load_lanes(in + x, a, b);
    } else if (step == 2) {
      const int first = 2 * a, last = 2 * b - 1;  // of the 2 L elements that the two loads span
      const V<T> low = load_lanes(in + 2 * x, clamp_lane(first, L), clamp_lane(last, L));
      const V<T> high = load_lanes(in + 2 * x + L, clamp_lane(first - L, L), clamp_lane(last - L, L));
      v = even_lanes(low, high, typename MakeIndices<L>::Type{});
    } else {
      T part[L] = {};
      for (int i = a; i < b; ++i) part[i] = in[(x + i) * step];
      v = load(part);
    }
    store(out + x, v);
  }
}

template <class T>
void band_rows(const BandRows<T>& g) {
  // first and last + 1 place whose source lies inside a row
  int64_t begin = g.start < 0 ? (-g.start + g.step - 1) / g.step : 0;
  int64_t end = g.start < g.in_width ? (g.in_width - 1 - g.start) / g.step + 1 : 0;
  if (begin > g.width) begin = g.width;
  if (end > g.width) end = g.width;
  for (int64_t r = 0; r < g.count; ++r) {
    const int64_t row = g.rows[r];
    if (row < 0) {
      band_row<T>(g.out + r * g.width, nullptr, g.width, 0, 0, 1);
    } else if (g.step == 1) {
      band_row<T>(g.out + r * g.width, g.in + row + g.start, g.width, begin, end, 1);
    } else if (g.step == 2) {
      band_row<T>(g.out + r * g.width, g.in + row + g.start, g.width, begin, end, 2);
    } else {
      band_row<T>(g.out + r * g.width, g.in + row + g.start, g.width, begin, end, g.step);
    }
  }
}

// ---- packing ---------------------------------------------------------------------------------------------------

// A vector of packed lanes is put together from the parts of segments that lie in it.
struct Part {
  int64_t base;  // of the vector's lane 0
  int begin, end;
};
constexpr int kMostParts = 3;
template <class T>
struct Lanes {
  Part part[kMostParts];
  int count;
  bool whole;  // one part that fills the vector
};

// Takes the next vector's parts from `segments`, at most kMostParts of them: what is left is for another pass over the vector.
template <class T>
PYDL_INLINE bool next_lanes(const CopyRows<T>& g, int64_t& s, int64_t vector, Lanes<T>& out) {
  constexpr int L = kLanes<T>;
  out.count = 0;
  while (s < g.count && out.count < kMostParts) {
    const Segment& seg = g.segments[s];
    const int64_t from = seg.lane - vector, to = from + seg.len;
    if (from >= L) break;
    out.part[out.count++] = {seg.base - from, clamp_lane(from, L), clamp_lane(to, L)};
    if (to > L) break;
    ++s;
    if (to == L) break;
  }
  out.whole = out.count == 1 && out.part[0].begin == 0 && out.part[0].end == L;
  return s < g.count && out.count == kMostParts && g.segments[s].lane < vector + L;
}

template <class T, int N>
PYDL_INLINE V<T> gather_lanes(const T* in, const Lanes<T>& lanes) {
  V<T> v = load_lanes(in + lanes.part[0].base, lanes.part[0].begin, lanes.part[0].end);
#pragma GCC unroll 3
  for (int i = 1; i < N; ++i) v += load_lanes(in + lanes.part[i].base, lanes.part[i].begin, lanes.part[i].end);
  return v;
}

template <class T, int N>
void copy_lanes(const CopyRows<T>& g, int64_t vector, const Lanes<T>& given) {
  const Lanes<T> lanes = given;
  T* out = g.out + vector;
  for (int64_t r = 0; r < g.rows; ++r, out += g.pitch) store(out, gather_lanes<T, N>(g.in + g.offsets[r], lanes));
}

template <class T>
void copy_whole(const CopyRows<T>& g, int64_t vector, int64_t base) {
  T* out = g.out + vector;
  const T* in = g.in + base;
  for (int64_t r = 0; r < g.rows; ++r, out += g.pitch) store(out, load(in + g.offsets[r]));
}

// Two neighbouring vectors at a time fill whole lines of the panels.
template <class T>
void copy_pair(const CopyRows<T>& g, int64_t vector, int64_t first, int64_t second) {
  constexpr int L = kLanes<T>;
  T* out = g.out + vector;
  for (int64_t r = 0; r < g.rows; ++r, out += g.pitch) {
    const T* in = g.in + g.offsets[r];
    store(out, load(in + first));
    store(out + L, load(in + second));
  }
}

// Vectors into which more parts fall than registers are kept for: element by element.
template <class T>
void copy_many(const CopyRows<T>& g, int64_t s, int64_t vector) {
  constexpr int L = kLanes<T>;
  for (; s < g.count && g.segments[s].lane < vector + L; ++s) {
    const Segment& seg = g.segments[s];
    const int64_t begin = seg.lane < vector ? vector - seg.lane : 0;
    const int64_t end = seg.lane + seg.len < vector + L ? seg.len : vector + L - seg.lane;
    for (int64_t r = 0; r < g.rows; ++r) {
      T* out = g.out + r * g.pitch + seg.lane;
      const T* in = g.in + g.offsets[r] + seg.base;
      for (int64_t i = begin; i < end; ++i) out[i] = in[i];
    }
  }
}

// Vectors must be complete when the one behind them is written, because the last one of a row reaches into the next row: so
// the last vector of a row, if it is not full, is stored up to its end alone.
template <class T>
void copy_tail(const CopyRows<T>& g, int64_t vector, const Lanes<T>& lanes, int used) {
  for (int64_t r = 0; r < g.rows; ++r) {
    const T* in = g.in + g.offsets[r];
    V<T> v = load_lanes(in + lanes.part[0].base, lanes.part[0].begin, lanes.part[0].end);
    for (int i = 1; i < lanes.count; ++i) v += load_lanes(in + lanes.part[i].base, lanes.part[i].begin, lanes.part[i].end);
    store_part(g.out + r * g.pitch + vector, v, used);
  }
}

template <class T>
void copy_rows(const CopyRows<T>& g) {
  constexpr int L = kLanes<T>;
  const int64_t total = g.segments[g.count - 1].lane + g.segments[g.count - 1].len;
  int64_t s = 0;
  for (int64_t vector = 0; vector < total; vector += L) {
    Lanes<T> lanes;
    const int64_t first = s;
    if (next_lanes(g, s, vector, lanes)) {
      copy_many(g, first, vector);
      while (s < g.count && g.segments[s].lane + g.segments[s].len <= vector + L) ++s;
      continue;
    }
    if (total - vector < L) {
      copy_tail(g, vector, lanes, static_cast<int>(total - vector));
    } else if (lanes.whole) {
      const int64_t mark = s;
      Lanes<T> next;
      if (vector + 2 * L <= total && !next_lanes(g, s, vector + L, next) && next.whole) {
        copy_pair(g, vector, lanes.part[0].base, next.part[0].base);
        vector += L;
      } else {
        s = mark;
        copy_whole(g, vector, lanes.part[0].base);
      }
    } else if (lanes.count == 1) {
      copy_lanes<T, 1>(g, vector, lanes);
    } else if (lanes.count == 2) {
      copy_lanes<T, 2>(g, vector, lanes);
    } else {
      copy_lanes<T, 3>(g, vector, lanes);
    }
  }
}

// ---- few rows: products straight from the band -----------------------------------------------------------------

#if PYDL_ISA_LEVEL == 2
constexpr int kMr = 12, kAccumulators = 24;
#elif PYDL_ISA_LEVEL == 1
constexpr int kMr = 6, kAccumulators = 12;
#else
constexpr int kMr = 4, kAccumulators = 8;
#endif

constexpr int vectors_for(int rows) { return kAccumulators / rows < 8 ? kAccumulators / rows : 8; }

template <class T, int MR, int NV>
void direct_tile(const Direct<T>& g, int64_t i, int64_t j) {
  constexpr int L = kLanes<T>;
  V<T> acc[MR][NV];
#pragma GCC unroll 12
  for (int r = 0; r < MR; ++r) {
    const V<T> first = g.bias ? splat(g.bias[i + r]) : V<T>{};
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[r][v] = first;
  }
  const T* a = g.a + i * g.a_row;
  const T* b = g.b + j;
  const int64_t ar = g.a_row, k = g.k;
  const int64_t* offsets = g.offsets;
#pragma GCC unroll 2
  for (int64_t p = 0; p < k; ++p) {
    const T* from = b + offsets[p];
    V<T> bv[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) bv[v] = load(from + v * L);
#pragma GCC unroll 12
    for (int r = 0; r < MR; ++r) {
      V<T> x = splat(a[r * ar + p]);
      if constexpr (NV > 1) pin(x);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[r][v] = fma(x, bv[v], acc[r][v]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) store(g.c + (i + r) * g.c_row + j + v * L, acc[r][v]);
  }
}

template <class T, int MR>
void direct_rows(const Direct<T>& g, int64_t i) {
  constexpr int NV = vectors_for(MR), L = kLanes<T>;
  int64_t j = 0;
  for (; j + (NV - 1) * L < g.n; j += NV * L) direct_tile<T, MR, NV>(g, i, j);
  constexpr int kHalf = NV / 2 > 0 ? NV / 2 : 1;
  for (; j < g.n; j += kHalf * L) direct_tile<T, MR, kHalf>(g, i, j);
}

template <class T>
using DirectFn = void (*)(const Direct<T>&, int64_t);
template <class T>
struct DirectFns {
  DirectFn<T> rows[kMr + 1];
};
template <class T, int... I>
constexpr DirectFns<T> make_direct(Indices<I...>) {
  return {{nullptr, direct_rows<T, I + 1>...}};
}
template <class T>
constexpr DirectFns<T> kDirect = make_direct<T>(MakeIndices<kMr>::Type{});

template <class T>
void direct(const Direct<T>& g) {
  const int64_t tiles = (g.m + kMr - 1) / kMr;
  int64_t i = 0;
  for (int64_t s = 0; s < tiles; ++s) {
    const int64_t end = g.m * (s + 1) / tiles;
    kDirect<T>.rows[end - i](g, i);
    i = end;
  }
}

// ---- results ---------------------------------------------------------------------------------------------------

template <class T>
void write_runs(const WriteRuns<T>& g) {
  constexpr int L = kLanes<T>;
  for (int64_t r = 0; r < g.rows; ++r) {
    for (int64_t i = 0; i < g.count; ++i) {
      const Run& run = g.runs[i];
      const T* from = g.in + r * g.in_row + run.from;
      T* to = g.out + r * g.out_row + run.to;
      if (g.step == 2) {
        for (int64_t x = 0; x < run.len; x += L) {
          const int n = clamp_lane(run.len - x, L);
          store_spread<T>(to + 2 * x, load_part(from + x, n), n);
        }
        continue;
      }
      if (g.step != 1) {
        for (int64_t x = 0; x < run.len; ++x) to[x * g.step] = from[x];
        continue;
      }
      int64_t x = 0;
      for (; x + L <= run.len; x += L) store(to + x, load(from + x));
      if (x < run.len) store_part(to + x, load_part(from + x, static_cast<int>(run.len - x)), static_cast<int>(run.len - x));
    }
  }
}

template <class T>
constexpr ConvTable<T> make_table() {
  return {band_rows<T>, copy_rows<T>, direct<T>, write_runs<T>};
}

}  // namespace

constinit const ConvTable<float> conv_f32 = make_table<float>();
constinit const ConvTable<double> conv_f64 = make_table<double>();

}  // namespace pydl::kernels::conv::PYDL_ISA
