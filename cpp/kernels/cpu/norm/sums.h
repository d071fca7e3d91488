// Sums over runs, and numbers in two words.
#pragma once

#include "kernels/norm/norm.h"
#include "simd/lanes.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct VecPair {
  Vec<T> first, second;
};
struct Moments {
  double mean, rstd;
};

// What a double has beyond its rounding to T; 0 where the rounding is infinite or NaN, which then says it all.
template <class T>
PYDL_INLINE T low_word(double value, T high) {
  const double rest = value - static_cast<double>(high);
  return rest - rest == 0 ? static_cast<T>(rest) : T(0);
}
template <class T>
struct TwoWords {
  Vec<T> high, low;
  PYDL_INLINE explicit TwoWords(double value) : high(static_cast<T>(value)), low(low_word(value, static_cast<T>(value))) {}
  PYDL_INLINE TwoWords(Vec<T> high, Vec<T> low) : high(high), low(low) {}
  // x - value
  PYDL_INLINE Vec<T> below(Vec<T> x) const { return (x - high) - low; }
};

// The mean of the first 32 elements, rounded to T: a shift that keeps squares small.
template <class T>
PYDL_INLINE double near_mean(const T* x, int64_t n) {
  const int64_t count = n < 32 ? n : 32;
  double s[4] = {0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int u = 0; u < 4; ++u) s[u] += static_cast<double>(x[i + u]);
  }
  for (; i < count; ++i) s[0] += static_cast<double>(x[i]);
  return static_cast<double>(static_cast<T>(((s[0] + s[1]) + (s[2] + s[3])) / static_cast<double>(count)));
}

// out = sum of f.first and of f.first * f.second, where f(run, i, lanes) looks at element i of a run of n.
template <class T, class F>
PYDL_INLINE void pair_sums(double out[2], int64_t runs, int64_t n, const F& f) {
  constexpr int lanes = Vec<T>::size;
  const Vec<T> zero(T(0));
  Vec<T> s[4] = {zero, zero, zero, zero}, p[4] = {zero, zero, zero, zero};
  double total = 0, products = 0;
  int64_t since = 0;
  for (int64_t run = 0; run < runs; ++run) {
    for (int64_t begin = 0; begin < n; begin += kernels::norm::kNormChunk) {
      const int64_t end = begin + kernels::norm::kNormChunk < n ? begin + kernels::norm::kNormChunk : n;
      int64_t i = begin;
      for (; i + 4 * lanes <= end; i += 4 * lanes) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; ++u) {
          const VecPair<T> v = f(run, i + u * lanes, lanes);
          s[u] = s[u] + v.first, p[u] = mul_add(v.first, v.second, p[u]);
        }
      }
      for (; i + lanes <= end; i += lanes) {
        const VecPair<T> v = f(run, i, lanes);
        s[0] = s[0] + v.first, p[0] = mul_add(v.first, v.second, p[0]);
      }
      if (i < end) {
        const VecPair<T> v = f(run, i, static_cast<int>(end - i));
        s[1] = s[1] + v.first, p[1] = mul_add(v.first, v.second, p[1]);
      }
      since += end - begin;
      if (since < kernels::norm::kNormChunk) continue;
      total += static_cast<double>(reduce_add((s[0] + s[1]) + (s[2] + s[3])));
      products += static_cast<double>(reduce_add((p[0] + p[1]) + (p[2] + p[3])));
      for (int u = 0; u < 4; ++u) s[u] = p[u] = zero;
      since = 0;
    }
  }
  out[0] = total + static_cast<double>(reduce_add((s[0] + s[1]) + (s[2] + s[3])));
  out[1] = products + static_cast<double>(reduce_add((p[0] + p[1]) + (p[2] + p[3])));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
