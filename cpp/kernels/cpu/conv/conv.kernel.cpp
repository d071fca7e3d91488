#include "kernels/conv/conv.h"

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

// ---- bands -----------------------------------------------------------------------------------------------------

template <int N, class X, int... I>
PYDL_INLINE X even_lanes(X a, X b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}

// out[x] = in[x * step] for x in [begin, end)
template <class T>
PYDL_INLINE void copy_steps(T* out, const T* in, int64_t begin, int64_t end, int64_t step) {
  constexpr int L = kLanes<T>;
  int64_t x = begin;
  if (step == 1) {
    for (; x + L <= end; x += L) store(out + x, load(in + x));
    if (x < end) store_part(out + x, load_part(in + x, static_cast<int>(end - x)), static_cast<int>(end - x));
    return;
  }
  if (step == 2) {
    // the last pair of a vector would read one element behind the last one that counts
    for (; x + L < end; x += L)
      store(out + x, even_lanes<L>(load(in + 2 * x), load(in + 2 * x + L), typename MakeIndices<L>::Type{}));
  }
  for (; x < end; ++x) out[x] = in[x * step];
}

template <class T>
void band_rows(const BandRows<T>& g) {
  // first and last + 1 place whose source lies inside a row
  int64_t begin = g.start < 0 ? (-g.start + g.step - 1) / g.step : 0;
  int64_t end = g.start < g.in_width ? (g.in_width - 1 - g.start) / g.step + 1 : 0;
  if (begin > g.width) begin = g.width;
  if (end > g.width) end = g.width;
  if (end < begin) end = begin;
  for (int64_t r = 0; r < g.count; ++r) {
    T* out = g.out + r * g.width;
    const bool inside = g.rows[r] >= 0;
    const int64_t b = inside ? begin : g.width, e = inside ? end : g.width;
    for (int64_t x = 0; x < b; ++x) out[x] = T(0);
    if (inside) copy_steps(out, g.in + g.rows[r] + g.start, b, e, g.step);
    for (int64_t x = e; x < g.width; ++x) out[x] = T(0);
  }
}

// ---- packing ---------------------------------------------------------------------------------------------------

template <class T, bool kExact>
PYDL_INLINE void copy_segments(T* out, const T* in, const Segment* segments, int64_t count) {
  constexpr int L = kLanes<T>;
  for (int64_t s = 0; s < count; ++s) {
    const T* from = in + segments[s].base;
    T* to = out + segments[s].lane;
    const int64_t len = segments[s].len;
    int64_t i = 0;
    if constexpr (kExact) {
      for (; i + L <= len; i += L) store(to + i, load(from + i));
      if (i < len) store_part(to + i, load_part(from + i, static_cast<int>(len - i)), static_cast<int>(len - i));
    } else {
      for (; i < len; i += L) store(to + i, load(from + i));  // what is too much is overwritten by the next segment
    }
  }
}

template <class T>
void copy_rows(const CopyRows<T>& g) {
  constexpr int L = kLanes<T>;
  if (g.count == 1 && g.segments[0].len == 2 * L) {  // one whole panel from one place
    const T* in = g.in + g.segments[0].base;
    T* out = g.out + g.segments[0].lane;
    for (int64_t r = 0; r < g.rows; ++r, out += g.pitch) {
      const T* from = in + g.offsets[r];
      store(out, load(from));
      store(out + L, load(from + L));
    }
    return;
  }
  for (int64_t r = 0; r < g.rows; ++r) {
    T* out = g.out + r * g.pitch;
    const T* in = g.in + g.offsets[r];
    g.exact ? copy_segments<T, true>(out, in, g.segments, g.count) : copy_segments<T, false>(out, in, g.segments, g.count);
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

// ---- one channel's weight gradient -----------------------------------------------------------------------------

template <class T, int N>
PYDL_INLINE void dot_taps(const TapDots<T>& g, int64_t t) {
  constexpr int L = kLanes<T>;
  V<T> acc[N];
  const T* b[N];
#pragma GCC unroll 9
  for (int i = 0; i < N; ++i) {
    acc[i] = V<T>{};
    b[i] = g.b + g.offsets[t + i];
  }
  for (int64_t r = 0; r < g.rows; ++r) {
    const T* a = g.a + r * g.a_row;
    const int64_t at = r * g.b_row;
    int64_t j = 0;
    for (; j + L <= g.n; j += L) {
      const V<T> x = load(a + j);
#pragma GCC unroll 9
      for (int i = 0; i < N; ++i) acc[i] = fma(x, load(b[i] + at + j), acc[i]);
    }
    if (j < g.n) {
      const int rest = static_cast<int>(g.n - j);
      const V<T> x = load_part(a + j, rest);
#pragma GCC unroll 9
      for (int i = 0; i < N; ++i) acc[i] = fma(x, load_part(b[i] + at + j, rest), acc[i]);
    }
  }
#pragma GCC unroll 9
  for (int i = 0; i < N; ++i) g.out[t + i] += sum_lanes<T>(acc[i]);
}

template <class T>
void tap_dots(const TapDots<T>& g) {
  int64_t t = 0;
  for (; t + 9 <= g.taps; t += 9) dot_taps<T, 9>(g, t);
  for (; t + 4 <= g.taps; t += 4) dot_taps<T, 4>(g, t);
  for (; t < g.taps; ++t) dot_taps<T, 1>(g, t);
}

template <class T>
constexpr ConvTable<T> make_table() {
  return {band_rows<T>, copy_rows<T>, direct<T>, tap_dots<T>};
}

}  // namespace

constinit const ConvTable<float> conv_f32 = make_table<float>();
constinit const ConvTable<double> conv_f64 = make_table<double>();

}  // namespace pydl::kernels::conv::PYDL_ISA
