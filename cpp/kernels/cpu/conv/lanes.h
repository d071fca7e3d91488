// Loads and stores of a part of a vector. Included by *.kernel.cpp only.
#pragma once

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::conv {
namespace {

// Which lanes of a vector to load; memory of the others is not touched, they are zeros.
#if PYDL_ISA_LEVEL == 2
template <class T>
struct LaneMask {
  uint32_t bits;
  LaneMask() = default;
  PYDL_INLINE LaneMask(int begin, int end) : bits(((1u << end) - 1) & ~((1u << begin) - 1)) {}
};
PYDL_INLINE VF load_lanes(const float* p, LaneMask<float> m) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>(m.bits), p); }
PYDL_INLINE VD load_lanes(const double* p, LaneMask<double> m) { return _mm512_maskz_loadu_pd(static_cast<__mmask8>(m.bits), p); }
PYDL_INLINE void store_lanes(float* p, VF v, LaneMask<float> m) { _mm512_mask_storeu_ps(p, static_cast<__mmask16>(m.bits), v); }
PYDL_INLINE void store_lanes(double* p, VD v, LaneMask<double> m) { _mm512_mask_storeu_pd(p, static_cast<__mmask8>(m.bits), v); }
#elif PYDL_ISA_LEVEL == 1
template <class T>
struct LaneMask {
  __m256i bits;
  LaneMask() = default;
  PYDL_INLINE LaneMask(int begin, int end)
      : bits(_mm256_andnot_si256(lane_mask(begin * static_cast<int>(sizeof(T)) / 4), lane_mask(end * static_cast<int>(sizeof(T)) / 4))) {}
};
PYDL_INLINE VF load_lanes(const float* p, LaneMask<float> m) { return _mm256_maskload_ps(p, m.bits); }
PYDL_INLINE VD load_lanes(const double* p, LaneMask<double> m) { return _mm256_maskload_pd(p, m.bits); }
PYDL_INLINE void store_lanes(float* p, VF v, LaneMask<float> m) { _mm256_maskstore_ps(p, m.bits, v); }
PYDL_INLINE void store_lanes(double* p, VD v, LaneMask<double> m) { _mm256_maskstore_pd(p, m.bits, v); }
#else
template <class T>
struct LaneMask {
  int begin, end;
  LaneMask() = default;
  PYDL_INLINE LaneMask(int b, int e) : begin(b), end(e) {}
};
template <class T>
PYDL_INLINE V<T> load_lanes(const T* p, LaneMask<T> m) {
  if (m.begin == 0 && m.end == kLanes<T>) return load(p);
  T v[kLanes<T>] = {};
  for (int i = m.begin; i < m.end; ++i) v[i] = p[i];
  return load(v);
}
template <class T>
PYDL_INLINE void store_lanes(T* p, V<T> v, LaneMask<T> m) {
  if (m.begin == 0 && m.end == kLanes<T>) return store(p, v);
  for (int i = m.begin; i < m.end; ++i) p[i] = v[i];
}
#endif
template <class T>
PYDL_INLINE V<T> load_lanes(const T* p, int begin, int end) {
  return load_lanes(p, LaneMask<T>(begin, end));
}

PYDL_INLINE int clamp_lane(int64_t x, int lanes) { return static_cast<int>(x < 0 ? 0 : x > lanes ? lanes : x); }

// The lanes of a vector at x that lie in [0, width); of an empty range none.
template <class T>
PYDL_INLINE LaneMask<T> inside(int64_t x, int64_t width) {
  constexpr int L = kLanes<T>;
  const int begin = clamp_lane(-x, L), end = clamp_lane(width - x, L);
  return LaneMask<T>(begin < end ? begin : 0, begin < end ? end : 0);
}

template <class X, int... I>
PYDL_INLINE X even_lanes(X a, X b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}
template <class X, int... I>
PYDL_INLINE X odd_lanes(X a, X b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + 1)...);
}

template <class X, int... I>
PYDL_INLINE void zip_lanes(X a, X b, X* out, Indices<I...>) {
  constexpr int N = sizeof...(I);
  out[0] = __builtin_shufflevector(a, b, (I / 2 + I % 2 * N)...);
  out[1] = __builtin_shufflevector(a, b, (N / 2 + I / 2 + I % 2 * N)...);
}
// a[0] b[0] a[1] b[1] ...
PYDL_INLINE void zip(VF a, VF b, VF* out) { zip_lanes(a, b, out, typename MakeIndices<kLanes<float>>::Type{}); }
PYDL_INLINE void zip(VD a, VD b, VD* out) { zip_lanes(a, b, out, typename MakeIndices<kLanes<double>>::Type{}); }

// p[2 i] = v[i] for i < n; the elements between stay.
template <class T>
PYDL_INLINE void store_spread(T* p, V<T> v, int n) {
#if PYDL_ISA_LEVEL == 2
  constexpr int L = kLanes<T>;
  V<T> pairs[2];
  zip(v, v, pairs);
  const uint32_t mask = 0x55555555u & static_cast<uint32_t>((uint64_t{1} << (2 * n)) - 1);
  if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask), pairs[0]);
    _mm512_mask_storeu_ps(p + L, static_cast<__mmask16>(mask >> L), pairs[1]);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask), pairs[0]);
    _mm512_mask_storeu_pd(p + L, static_cast<__mmask8>(mask >> L), pairs[1]);
  }
#else
  T lane[kLanes<T>];
  store(lane, v);
  for (int i = 0; i < n; ++i) p[2 * i] = lane[i];
#endif
}

}  // namespace
}  // namespace pydl::kernels::conv
