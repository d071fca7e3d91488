// Vector loops over contiguous elements. Included by *.kernel.cpp only.
//
// Sums: eight float accumulators over 128 vectors, folded as a tree and carried in float64. That costs no more than plain
// float32 accumulation and keeps the error of a sum near one unit in the last place.
#pragma once

#include "kernels/cpu/matmul/vec.h"
#include "kernels/kernel.h"

namespace pydl::kernels {
namespace {

// ---- loads: 16-bit formats are widened to float ----

template <class S>
struct ComputeOf {
  using Type = S;
};
template <>
struct ComputeOf<float16> {
  using Type = float;
};
template <>
struct ComputeOf<bfloat16> {
  using Type = float;
};
template <class S>
using Compute = typename ComputeOf<S>::Type;

PYDL_INLINE float value_of(float x) { return x; }
PYDL_INLINE double value_of(double x) { return x; }
PYDL_INLINE float value_of(float16 x) { return to_float(x); }
PYDL_INLINE float value_of(bfloat16 x) { return to_float(x); }

template <class S>
PYDL_INLINE V<Compute<S>> load_wide(const S* p) {
  if constexpr (sizeof(S) > 2) {
    return load(p);
  } else {
#if PYDL_ISA_LEVEL >= 1
    using Bits = uint16_t __attribute__((vector_size(kVectorBytes / 2)));
    Bits bits;
    __builtin_memcpy(&bits, p, sizeof bits);
    if constexpr (__is_same(S, float16)) {
#if PYDL_ISA_LEVEL == 2
      return _mm512_maskz_cvtph_ps(0xffff, reinterpret_cast<__m256i>(bits));
#else
      return _mm256_cvtph_ps(reinterpret_cast<__m128i>(bits));
#endif
    }
    return reinterpret_cast<VF>(__builtin_convertvector(bits, Vec<uint32_t>) << 16);
#else
    float lane[kLanes<float>];
    for (int i = 0; i < kLanes<float>; ++i) lane[i] = to_float(p[i]);
    return load(lane);
#endif
  }
}

template <class S>
PYDL_INLINE V<Compute<S>> load_padded(const S* p, int n, Compute<S> pad) {
  using T = Compute<S>;
  T lane[kLanes<T>];
  for (int i = 0; i < kLanes<T>; ++i) lane[i] = i < n ? value_of(p[i]) : pad;
  return load(lane);
}

// Sums read half a cache line at a time, as a piece: the second read of a line moves the processor's prefetcher on. Zen 4
// streams 31 GB/s from memory that way and 26 GB/s by whole lines; from its caches both are as fast.
#if PYDL_ISA_LEVEL == 2
template <class T>
struct PieceOf {
  typedef T Type __attribute__((vector_size(32)));
};
PYDL_INLINE __m256 fma(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }
PYDL_INLINE __m256d fma(__m256d a, __m256d b, __m256d c) { return _mm256_fmadd_pd(a, b, c); }
#else
template <class T>
struct PieceOf : VecType<T> {};
#endif
template <>
struct PieceOf<float16> : VecType<float> {};
template <>
struct PieceOf<bfloat16> : VecType<float> {};
template <class S>
using Piece = typename PieceOf<S>::Type;
template <class S>
inline constexpr int kPiece = static_cast<int>(sizeof(Piece<S>) / sizeof(Compute<S>));
template <class S>
inline constexpr int64_t kFold = 128 * kPiece<S>;  // elements

template <class S>
PYDL_INLINE Piece<S> load_piece(const S* p) {
  if constexpr (sizeof(S) == 2) {
    return load_wide(p);
  } else {
    Piece<S> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
}
template <class S>
PYDL_INLINE Piece<S> load_piece(const S* p, int n, Compute<S> pad) {
  Compute<S> lane[kPiece<S>];
  for (int i = 0; i < kPiece<S>; ++i) lane[i] = i < n ? value_of(p[i]) : pad;
  Piece<S> v;
  __builtin_memcpy(&v, lane, sizeof v);
  return v;
}

// Asks for what is read next into the second-level cache. One stream the processor's own prefetcher follows well enough; where
// two are read side by side, Zen 4 streams 25 % faster so.
template <class S>
PYDL_INLINE void fetch_ahead(const S* p, int64_t elements) {
  constexpr int64_t kAhead = 1024, kLine = 64;
  const char* at = reinterpret_cast<const char*>(p) + kAhead;
#pragma GCC unroll 8
  for (int64_t b = 0; b < elements * static_cast<int64_t>(sizeof(S)); b += kLine) __builtin_prefetch(at + b, 0, 2);
}

// The sum of eight pieces: lanes that are one vector, or half of one, apart are added.
template <class T, class X>
PYDL_INLINE V<T> fold(const X* x) {
  const X low = (x[0] + x[1]) + (x[2] + x[3]), high = (x[4] + x[5]) + (x[6] + x[7]);
  if constexpr (sizeof(X) == kVectorBytes) {
    return low + high;
  } else {
    const X both[2] = {low, high};
    V<T> v;
    __builtin_memcpy(&v, both, sizeof v);
    return v;
  }
}

// ---- float64 carries ----

// Adds the lanes of v, in float64, to the carry.
struct Carry {
  VD low{}, high{};
  PYDL_INLINE void add(VD v) { low += v; }
  PYDL_INLINE void add(VF v) {
    using Half = float __attribute__((vector_size(kVectorBytes / 2)));
    Half part[2];
    __builtin_memcpy(part, &v, sizeof v);
    low += __builtin_convertvector(part[0], VD);
    high += __builtin_convertvector(part[1], VD);
  }
  PYDL_INLINE double total() const { return sum_lanes<double>(low + high); }
  // Sums of the even and of the odd lanes: real and imaginary parts.
  PYDL_INLINE void split(double* even, double* odd) const {
    double lane[kLanes<double>];
    const VD v = low + high;
    __builtin_memcpy(lane, &v, sizeof v);
    *even = *odd = 0;
    for (int i = 0; i < kLanes<double>; i += 2) *even += lane[i], *odd += lane[i + 1];
  }
};

// map(acc, x) adds a function of x to acc; map(acc, pad) must leave acc as it is.
template <class S, class Map>
PYDL_INLINE Carry accumulate(const S* p, int64_t n, Compute<S> pad, Map map) {
  constexpr int L = kPiece<S>;
  Carry carry;
  while (n > 0) {
    const int64_t len = n < kFold<S> ? n : kFold<S>;
    Piece<S> acc[8] = {};
    int64_t i = 0;
    for (; i + 8 * L <= len; i += 8 * L) {
#pragma GCC unroll 8
      for (int u = 0; u < 8; ++u) acc[u] = map(acc[u], load_piece(p + i + u * L));
    }
    for (; i + L <= len; i += L) acc[0] = map(acc[0], load_piece(p + i));
    if (i < len) acc[1] = map(acc[1], load_piece(p + i, static_cast<int>(len - i), pad));
    carry.add(fold<Compute<S>>(acc));
    p += len;
    n -= len;
  }
  return carry;
}

// Sums of x - m and of its square in one pass.
struct Deviations {
  double sum, square;
};
template <class S>
PYDL_INLINE Deviations deviations(const S* p, int64_t n, Compute<S> m) {
  using T = Compute<S>;
  constexpr int L = kLanes<T>, kChains = 4;
  const V<T> shift = splat(m);
  Carry sums, squares;
  while (n > 0) {
    const int64_t len = n < 64 * L ? n : 64 * L;
    V<T> sum[kChains] = {}, square[kChains] = {};
    const auto take = [&](int u, V<T> x) {
      const V<T> d = x - shift;
      sum[u] = sum[u] + d;
      square[u] = fma(d, d, square[u]);
    };
    int64_t i = 0;
    for (; i + kChains * L <= len; i += kChains * L) {
#pragma GCC unroll 4
      for (int u = 0; u < kChains; ++u) take(u, load_wide(p + i + u * L));
    }
    for (; i + L <= len; i += L) take(0, load_wide(p + i));
    if (i < len) take(1, load_padded(p + i, static_cast<int>(len - i), m));
    sums.add((sum[0] + sum[1]) + (sum[2] + sum[3]));
    squares.add((square[0] + square[1]) + (square[2] + square[3]));
    p += len;
    n -= len;
  }
  return {sums.total(), squares.total()};
}

struct AddMap {
  template <class X>
  PYDL_INLINE X operator()(X acc, X x) const {
    return acc + x;
  }
};
template <class X>
PYDL_INLINE X abs(X x) {
  using Bits = decltype(x < x);
  return reinterpret_cast<X>(reinterpret_cast<Bits>(x) & ~reinterpret_cast<Bits>(-X{}));  // -0: the sign bit alone
}
struct AbsMap {
  template <class X>
  PYDL_INLINE X operator()(X acc, X x) const {
    return acc + abs(x);
  }
};
struct SquareMap {
  template <class X>
  PYDL_INLINE X operator()(X acc, X x) const {
    return fma(x, x, acc);
  }
};

// ---- extrema ----

// True where x must replace best: better, or the first NaN.
template <bool kMax, class T>
PYDL_INLINE bool replaces(T x, T best) {
  const bool better = kMax ? x > best : x < best;
  return better || (x != x && best == best);
}

template <bool kMax, class X>
PYDL_INLINE X extremum(X best, X x) {
  if constexpr (kMax) {
    return ((x > best) | (x != x)) ? x : best;
  } else {
    return ((x < best) | (x != x)) ? x : best;
  }
}

// kMagnitude: of |x|. n >= 1.
template <bool kMax, bool kMagnitude, class T>
PYDL_INLINE T extreme_run(const T* p, int64_t n) {
  constexpr int L = kLanes<T>;
  const auto get = [](const T* q) {
    Vec<T> v;
    __builtin_memcpy(&v, q, sizeof v);
    if constexpr (kMagnitude) v = abs(v);
    return v;
  };
  if (n >= L) {
    Vec<T> best[4];
    best[0] = best[1] = best[2] = best[3] = get(p);
    int64_t i = 0;
    for (; i + 4 * L <= n; i += 4 * L) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) best[u] = extremum<kMax>(best[u], get(p + i + u * L));
    }
    for (; i + L <= n; i += L) best[0] = extremum<kMax>(best[0], get(p + i));
    best[1] = extremum<kMax>(best[1], get(p + n - L));
    const Vec<T> all = extremum<kMax>(extremum<kMax>(best[0], best[1]), extremum<kMax>(best[2], best[3]));
    T lane[L];
    __builtin_memcpy(lane, &all, sizeof all);
    T result = lane[0];
    for (int l = 1; l < L; ++l) result = replaces<kMax>(lane[l], result) ? lane[l] : result;
    return result;
  }
  const auto one = [](T x) {
    if constexpr (kMagnitude) {
      return x < 0 ? -x : x;
    } else {
      return x;
    }
  };
  T result = one(p[0]);
  for (int64_t i = 1; i < n; ++i) {
    const T x = one(p[i]);
    result = replaces<kMax>(x, result) ? x : result;
  }
  return result;
}

// Position of the first element equal to `value` (the first NaN, if it is one).
template <class T>
PYDL_INLINE int64_t find_first(const T* p, int64_t n, T value) {
  constexpr int64_t kStep = 4 * kLanes<T>;
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    Vec<T> v[4];
    __builtin_memcpy(v, p + i, sizeof v);
    const Vec<T> want = value - Vec<T>{};
    auto hit = v[0] == want;
    if (nan) {
      hit = (v[0] != v[0]) | (v[1] != v[1]) | (v[2] != v[2]) | (v[3] != v[3]);
    } else {
      hit = hit | (v[1] == want) | (v[2] == want) | (v[3] == want);
    }
    int64_t words[kVectorBytes / 8], any = 0;
    __builtin_memcpy(words, &hit, sizeof hit);
    for (const int64_t w : words) any |= w;
    if (any) break;
  }
  for (; i < n; ++i) {
    if (nan ? p[i] != p[i] : p[i] == value) return i;
  }
  return 0;
}

}  // namespace
}  // namespace pydl::kernels
