// Goto & van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), with the register tile along rows of C:
// the columns of a tile are vectors of B, the elements of A are broadcast. Broadcasting takes an element from any address,
// so A needs no transposition whatever its layout; only B is brought into panels.
//
// Every element of C is one chain of multiply-adds in the order of k, whichever tile, edge or thread it belongs to.
#include "kernels/matmul/gemm.h"

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::matmul::PYDL_ISA {
namespace {

#if PYDL_ISA_LEVEL == 2
constexpr int kMr = 12, kNcBytes = 2048;
constexpr int kSkinnyK = 8;
#elif PYDL_ISA_LEVEL == 1
constexpr int kMr = 6, kNcBytes = 1536;
constexpr int kSkinnyK = 4;
#else
constexpr int kMr = 4, kNcBytes = 1024;
constexpr int kSkinnyK = 4;
#endif
constexpr int kNv = 2;  // vectors per tile row
template <class T>
constexpr int kNr = kNv * kLanes<T>;
template <class T>
constexpr int kKc = PYDL_ISA_LEVEL == 2 ? 384 : 256;

template <class T>
struct TileArgs {
  int64_t k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  const T* bias_n;
  const T* bias_m;
  const char* fetch;  // read ahead, a line per step along k
  int64_t fetch_step, fetch_count, fetch_jump;
  int64_t fetch_left;   // lines until the next jump
  int64_t fetch_total;  // lines of this run and those after it; 0: no more
  const ReadAhead* fetch_after;
  int tail;  // lanes in use in the last vector of a masked tile
};

template <class T>
PYDL_INLINE void begin_fetch(TileArgs<T>& t, const ReadAhead& r) {
  t.fetch = r.p;
  t.fetch_step = r.step;
  t.fetch_left = t.fetch_count = r.count;
  t.fetch_jump = r.jump - r.step;
  t.fetch_total = r.total;
  t.fetch_after = r.after;
}

// At the end of a run: `t.fetch` is a step past its last line.
template <class T>
PYDL_INLINE void next_run(TileArgs<T>& t) {
  t.fetch_left = t.fetch_count;
  t.fetch_total -= t.fetch_count;
  if (t.fetch_total > 0) {
    t.fetch += t.fetch_jump;
  } else if (t.fetch_after) {
    begin_fetch(t, *t.fetch_after);
  } else {
    t.fetch -= t.fetch_step;  // the last line again until the tile ends
    t.fetch_step = 0;
    t.fetch_left = INT64_MAX;
  }
}

template <class T, bool kMasked>
PYDL_INLINE V<T> load_tail(const T* p, int tail, bool last) {
  if (kMasked && last) return load_part(p, tail);
  return load(p);
}

template <class T, int MR, int NV, bool kMasked, bool kAhead = false>
void tile(TileArgs<T>& t, const GemmOutput<T>& out) {
  constexpr int L = kLanes<T>;
  V<T> acc[MR][NV];
#pragma GCC unroll 12
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) acc[i][j] = V<T>{};
  }
  const int64_t ar = t.a_row, ac = t.a_col, br = t.b_row;
  // One pointer per three rows: base, base + ar, base + 2 ar are x86 addressing modes.
  constexpr int kBases = (MR + 2) / 3;
  const T* a[kBases];
#pragma GCC unroll 4
  for (int g = 0; g < kBases; ++g) a[g] = t.a + 3 * g * ar;
  const T* b = t.b;
  const char* fetch = t.fetch;
  int64_t fetch_step = t.fetch_step, fetch_left = t.fetch_left;
  const int tail = t.tail;
  const auto step = [&]() __attribute__((always_inline)) {
    V<T> bv[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) bv[j] = load_tail<T, kMasked>(b + j * L, tail, j == NV - 1);
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) {
      V<T> x = splat(a[i / 3][(i % 3) * ar]);
      if constexpr (NV > 1) pin(x);
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[i][j] = fma(x, bv[j], acc[i][j]);
    }
    if constexpr (kAhead) {
      __builtin_prefetch(fetch, 0, 2);
      fetch += fetch_step;
      if (--fetch_left == 0) [[unlikely]] {
        t.fetch = fetch;
        next_run(t);
        fetch = t.fetch, fetch_step = t.fetch_step, fetch_left = t.fetch_left;
      }
    }
    b += br;
#pragma GCC unroll 4
    for (int g = 0; g < kBases; ++g) a[g] += ac;
  };
  // The rows of C are fetched one after the other: all at once would hold back the loads of B.
  const T* c = t.c;
  const T* const c_last = c + (MR - 1) * t.c_row;
  for (int64_t left = t.k; left > 0;) {
    __builtin_prefetch(c, 1);
    if constexpr (NV * sizeof(V<T>) > 64) __builtin_prefetch(c + L, 1);
    c = c == c_last ? c : c + t.c_row;
    const int64_t end = left > 8 ? left - 8 : 0;
#pragma GCC unroll 1
    for (; left > end; --left) step();
  }
  if constexpr (kAhead) t.fetch = fetch, t.fetch_left = fetch_left;
  // One test for all vectors: the usual product has none of these.
  const auto each = [&](const auto& f) __attribute__((always_inline)) {
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) f(i, j, acc[i][j]);
    }
  };
  const auto part = [&](const T* p, int j) __attribute__((always_inline)) { return load_tail<T, kMasked>(p + j * L, tail, j == NV - 1); };
  if (out.alpha != 1) {
    const V<T> alpha = splat(out.alpha);
    each([&](int, int, V<T>& v) __attribute__((always_inline)) { v = alpha * v; });
  }
  if (out.beta != 0) {
    const V<T> beta = splat(out.beta);
    each([&](int i, int j, V<T>& v) __attribute__((always_inline)) { v = v + beta * part(t.c + i * t.c_row, j); });
  }
  if (t.bias_n) each([&](int, int j, V<T>& v) __attribute__((always_inline)) { v = v + part(t.bias_n, j); });
  if (t.bias_m) each([&](int i, int, V<T>& v) __attribute__((always_inline)) { v = v + splat(t.bias_m[i]); });
  if (out.relu) each([&](int, int, V<T>& v) __attribute__((always_inline)) { v = v < V<T>{} ? V<T>{} : v; });
  each([&](int i, int j, V<T>& v) __attribute__((always_inline)) {
    T* at = t.c + i * t.c_row + j * L;
    if (kMasked && j == NV - 1) {
      store_part(at, v, tail);
    } else {
      store(at, v);
    }
  });
}

template <class T>
using TileFn = void (*)(TileArgs<T>&, const GemmOutput<T>&);
template <class T>
struct Tiles {
  TileFn<T> ahead[kMr + 1], full[kMr + 1], wide[kMr + 1], narrow[kMr + 1];
};
template <class T, int... I>
constexpr Tiles<T> make_tiles(Indices<I...>) {
  return {{nullptr, tile<T, I + 1, 2, false, true>...},
          {nullptr, tile<T, I + 1, 2, false>...},
          {nullptr, tile<T, I + 1, 2, true>...},
          {nullptr, tile<T, I + 1, 1, true>...}};
}
template <class T>
constexpr Tiles<T> kTiles = make_tiles<T>(MakeIndices<kMr>::Type{});

template <class T>
void block(const GemmBlock<T>& g) {
  constexpr int NR = kNr<T>, L = kLanes<T>;
  // Rows at one stride may be cut anywhere: equal tiles beat a thin last one.
  const bool even = g.a_panel == kMr * g.a_row;
  const int64_t tiles = (g.m + kMr - 1) / kMr;
  TileArgs<T> t;
  t.k = g.k;
  t.a_row = g.a_row;
  t.a_col = g.a_col;
  t.b_row = g.b_row;
  t.c_row = g.c_row;
  begin_fetch(t, g.next);
  for (int64_t j = 0; j < g.n; j += NR) {
    const int64_t cols = g.n - j < NR ? g.n - j : NR;
    const TileFn<T>* fns = cols == NR ? kTiles<T>.full : cols > L ? kTiles<T>.wide : kTiles<T>.narrow;
    t.tail = static_cast<int>(cols > L ? cols - L : cols);
    t.b = g.b + (j / NR) * g.b_panel;
    t.bias_n = g.out.bias_n ? g.out.bias_n + j : nullptr;
    int64_t i = 0;
    for (int64_t s = 0; s < tiles; ++s) {
      const int64_t end = even ? g.m * (s + 1) / tiles : (s + 1) * kMr < g.m ? (s + 1) * kMr : g.m;
      t.a = even ? g.a + i * g.a_row : g.a + s * g.a_panel;
      t.c = g.c + i * g.c_row + j;
      t.bias_m = g.out.bias_m ? g.out.bias_m + i : nullptr;
      if (cols == NR && t.fetch_total > 0) {
        kTiles<T>.ahead[end - i](t, g.out);
      } else {
        fns[end - i](t, g.out);
      }
      i = end;
    }
  }
}

// ---- packing ----

PYDL_INLINE float widen(float x) { return x; }
PYDL_INLINE double widen(double x) { return x; }
PYDL_INLINE float widen(bfloat16 x) { return to_float(x); }
#if PYDL_ISA_LEVEL >= 1
PYDL_INLINE float widen(float16 x) { return _cvtsh_ss(x.bits); }
#else
PYDL_INLINE float widen(float16 x) { return to_float(x); }
#endif

template <class T, class S>
PYDL_INLINE void copy_row(T* out, const S* in, int64_t n) {
  if constexpr (__is_same(T, S)) {
    int64_t i = 0;
    for (; i + kLanes<T> <= n; i += kLanes<T>) store(out + i, load(in + i));
    if (i < n) store_part(out + i, load_part(in + i, static_cast<int>(n - i)), static_cast<int>(n - i));
  } else {
    for (int64_t i = 0; i < n; ++i) out[i] = widen(in[i]);
  }
}

// Panels of columns that are contiguous along k: L x L transposes.
template <class T>
void pack_b_transposed(T* out, int64_t panel, const T* b, int64_t b_col, int64_t k, int64_t n) {
  constexpr int NR = kNr<T>, L = kLanes<T>;
  for (int64_t j = 0; j < n; j += NR, out += panel) {
    for (int64_t g = 0; g < NR; g += L) {
      const int64_t left = n - j - g;
      const int cols = static_cast<int>(left < 0 ? 0 : left < L ? left : L);
      const T* base = b + (j + g) * b_col;
      for (int64_t p = 0; p < k; p += L) {
        const int rows = static_cast<int>(k - p < L ? k - p : L);
        V<T> r[L];
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) {
          r[i] = i >= cols ? V<T>{} : rows == L ? load(base + i * b_col + p) : load_part(base + i * b_col + p, rows);
        }
        transpose<L>(r);
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) {
          if (i < rows) store(out + (p + i) * NR + g, r[i]);
        }
      }
    }
  }
}

template <class T, class S>
void pack_b_from(T* out, int64_t panel, const S* b, int64_t b_row, int64_t b_col, int64_t k, int64_t n) {
  constexpr int NR = kNr<T>;
  if constexpr (__is_same(T, S)) {
    if (b_row == 1 && b_col != 1) return pack_b_transposed(out, panel, b, b_col, k, n);
  }
  const int64_t whole = n / NR * NR, rest = n - whole;
  for (int64_t p = 0; p < k; ++p) {
    T* o = out + p * NR;
    const S* row = b + p * b_row;
    if (b_col == 1) {
      for (int64_t j = 0; j < whole; j += NR, o += panel) copy_row<T, S>(o, row + j, NR);
    } else {
      for (int64_t j = 0; j < whole; j += NR, o += panel) {
        for (int i = 0; i < NR; ++i) o[i] = widen(row[(j + i) * b_col]);
      }
    }
    if (rest) {
      for (int64_t i = 0; i < NR; ++i) o[i] = i < rest ? widen(row[(whole + i) * b_col]) : T(0);
    }
  }
}

template <class T, class S>
void pack_a_from(T* out, const S* a, int64_t a_row, int64_t a_col, int64_t m, int64_t k) {
  if (a_row == 1 && a_col != 1) {
    for (int64_t p = 0; p < k; ++p) {
      const S* column = a + p * a_col;
      T* o = out + p * kMr;
      for (int64_t i = 0; i < m; i += kMr, o += kMr * k) {
        // Short runs at a long stride, which the processor's own prefetchers do not follow.
        __builtin_prefetch(column + 8 * a_col + i);
        copy_row<T, S>(o, column + i, m - i < kMr ? m - i : kMr);
      }
    }
    return;
  }
  for (int64_t i = 0; i < m; ++i, out += k) {
    const S* row = a + i * a_row;
    if (a_col == 1) {
      copy_row<T, S>(out, row, k);
    } else {
      for (int64_t p = 0; p < k; ++p) out[p] = widen(row[p * a_col]);
    }
  }
}

template <class T>
void pack_a(T* out, const void* a, DType dtype, int64_t a_row, int64_t a_col, int64_t m, int64_t k) {
  if constexpr (sizeof(T) == 4) {
    if (dtype == DType::BFloat16) return pack_a_from(out, static_cast<const bfloat16*>(a), a_row, a_col, m, k);
    if (dtype == DType::Float16) return pack_a_from(out, static_cast<const float16*>(a), a_row, a_col, m, k);
  }
  static_cast<void>(dtype);
  pack_a_from(out, static_cast<const T*>(a), a_row, a_col, m, k);
}

template <class T>
void pack_b(T* out, int64_t panel, const void* b, DType dtype, int64_t b_row, int64_t b_col, int64_t k, int64_t n) {
  if constexpr (sizeof(T) == 4) {
    if (dtype == DType::BFloat16) return pack_b_from(out, panel, static_cast<const bfloat16*>(b), b_row, b_col, k, n);
    if (dtype == DType::Float16) return pack_b_from(out, panel, static_cast<const float16*>(b), b_row, b_col, k, n);
  }
  static_cast<void>(dtype);
  pack_b_from(out, panel, static_cast<const T*>(b), b_row, b_col, k, n);
}

// ---- few rows ----

// Lines of b side by side are streams far apart, of which memory sends a fifth less than of one. While a group of lines is read,
// the next group therefore comes in, straight through, where lines lie one behind the other and two groups fit the second level.
template <class T>
PYDL_INLINE bool streams_through(const SkinnyGemm<T>& g, int64_t group, int64_t length, int64_t lines) {
  constexpr int64_t kGroupBytes = 256 << 10, kFar = 8 << 20;
  const int64_t bytes = length * static_cast<int64_t>(sizeof(T));
  return g.b_stride == length && group * bytes <= kGroupBytes && lines * bytes >= kFar;
}
template <int64_t kBytes, class T>
PYDL_INLINE void fetch(const T* p) {
#pragma GCC unroll 8
  for (int64_t b = 0; b < kBytes; b += 64) __builtin_prefetch(reinterpret_cast<const char*>(p) + b, 0, 2);
}

// kSkinnyK rows of b are streamed at a time into the m rows of y, which stay in cache.
template <class T, int KB>
PYDL_INLINE void skinny_step(const SkinnyGemm<T>& g, int64_t p, bool first, const T* next) {
  constexpr int L = kLanes<T>;
  const T* b = g.b + p * g.b_stride;
  for (int64_t i = 0; i < g.m; i += 2) {
    const int64_t second = i + 1 < g.m ? 1 : 0;  // an odd last row is computed twice, stored twice: same value
    V<T> x0[KB], x1[KB];
#pragma GCC unroll 8
    for (int q = 0; q < KB; ++q) {
      x0[q] = splat(g.a[i * g.a_row + (p + q) * g.a_col]);
      x1[q] = splat(g.a[(i + second) * g.a_row + (p + q) * g.a_col]);
    }
    T* y0 = g.y + i * g.y_row;
    T* y1 = y0 + second * g.y_row;
    for (int64_t j = 0; j < g.n; j += L) {
      if (next && i == 0) fetch<KB * kVectorBytes>(next + j * KB);
      const int n = static_cast<int>(g.n - j < L ? g.n - j : L);
      V<T> s0{}, s1{};
      if (n == L) {
        if (!first) s0 = load(y0 + j), s1 = load(y1 + j);
#pragma GCC unroll 8
        for (int q = 0; q < KB; ++q) {
          const V<T> bv = load(b + q * g.b_stride + j);
          s0 = fma(x0[q], bv, s0);
          s1 = fma(x1[q], bv, s1);
        }
        store(y0 + j, s0);
        store(y1 + j, s1);
      } else {
        if (!first) s0 = load_part(y0 + j, n), s1 = load_part(y1 + j, n);
#pragma GCC unroll 8
        for (int q = 0; q < KB; ++q) {
          const V<T> bv = load_part(b + q * g.b_stride + j, n);
          s0 = fma(x0[q], bv, s0);
          s1 = fma(x1[q], bv, s1);
        }
        store_part(y0 + j, s0, n);
        store_part(y1 + j, s1, n);
      }
    }
  }
}

template <class T>
void skinny_rows(const SkinnyGemm<T>& g) {
  int64_t p = 0;
  const bool through = streams_through(g, kSkinnyK, g.n, g.k);
  for (; p + kSkinnyK <= g.k; p += kSkinnyK) {
    skinny_step<T, kSkinnyK>(g, p, p == 0, through && p + 2 * kSkinnyK <= g.k ? g.b + (p + kSkinnyK) * g.b_stride : nullptr);
  }
  for (; p < g.k; ++p) skinny_step<T, 1>(g, p, p == 0, nullptr);
}

// MI rows times JT columns as vector dot products; one chain of accumulators per element. Memory at `next` is asked for, in its
// order, into the second-level cache, as much of it as is read here.
template <class T, int MI, int JT, bool kFetch = false>
PYDL_INLINE void dots(const SkinnyGemm<T>& g, int64_t i, int64_t j, [[maybe_unused]] const T* next = nullptr) {
  constexpr int L = kLanes<T>;
  const T* a = g.a + i * g.a_row;
  const T* b = g.b + j * g.b_stride;
  V<T> acc[MI][JT];
#pragma GCC unroll 4
  for (int r = 0; r < MI; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < JT; ++c) acc[r][c] = V<T>{};
  }
  int64_t p = 0;
  for (; p + L <= g.k; p += L) {
    V<T> x[MI];
#pragma GCC unroll 4
    for (int r = 0; r < MI; ++r) x[r] = load(a + r * g.a_row + p);
    if constexpr (kFetch) fetch<JT * kVectorBytes>(next + p * JT);
#pragma GCC unroll 8
    for (int c = 0; c < JT; ++c) {
      const V<T> y = load(b + c * g.b_stride + p);
#pragma GCC unroll 4
      for (int r = 0; r < MI; ++r) acc[r][c] = fma(x[r], y, acc[r][c]);
    }
  }
  if (p < g.k) {
    const int n = static_cast<int>(g.k - p);
    V<T> x[MI];
#pragma GCC unroll 4
    for (int r = 0; r < MI; ++r) x[r] = load_part(a + r * g.a_row + p, n);
#pragma GCC unroll 8
    for (int c = 0; c < JT; ++c) {
      const V<T> y = load_part(b + c * g.b_stride + p, n);
#pragma GCC unroll 4
      for (int r = 0; r < MI; ++r) acc[r][c] = fma(x[r], y, acc[r][c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < MI; ++r) {
#pragma GCC unroll 8
    for (int c = 0; c < JT; ++c) g.y[(i + r) * g.y_row + j + c] = sum_lanes<T>(acc[r][c]);
  }
}

template <class T, int JT>
PYDL_INLINE void dots_rows(const SkinnyGemm<T>& g, int64_t j, const T* next) {
  int64_t i = 0;
  if (next) {
    i = g.m > 1 ? 2 : 1;
    i == 2 ? dots<T, 2, JT, true>(g, 0, j, next) : dots<T, 1, JT, true>(g, 0, j, next);
  }
  for (; i + 2 <= g.m; i += 2) dots<T, 2, JT>(g, i, j);
  if (i < g.m) dots<T, 1, JT>(g, i, j);
}

template <class T>
void skinny_dots(const SkinnyGemm<T>& g) {
  constexpr int JT = PYDL_ISA_LEVEL == 2 ? 8 : 4;
  const bool through = streams_through(g, JT, g.k, g.n);
  int64_t j = 0;
  for (; j + JT <= g.n; j += JT) {
    dots_rows<T, JT>(g, j, through && j + 2 * JT <= g.n ? g.b + (j + JT) * g.b_stride : nullptr);
  }
  for (; j < g.n; ++j) dots_rows<T, 1>(g, j, nullptr);
}

template <class T>
constexpr GemmTable<T> make_table() {
  return {kMr, kNr<T>, kKc<T>, kNcBytes / static_cast<int>(sizeof(T)), block<T>, pack_b<T>, pack_a<T>, skinny_rows<T>, skinny_dots<T>};
}

}  // namespace

constinit const GemmTable<float> gemm_f32 = make_table<float>();
constinit const GemmTable<double> gemm_f64 = make_table<double>();

}  // namespace pydl::kernels::matmul::PYDL_ISA
