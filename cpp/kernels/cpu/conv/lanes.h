// Loads of a part of a vector. Included by *.kernel.cpp only.
#pragma once

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::conv {
namespace {

// Lanes [begin, end) from memory, zeros elsewhere; memory of other lanes is not touched.
#if PYDL_ISA_LEVEL == 2
PYDL_INLINE uint32_t lanes(int begin, int end) { return ((1u << end) - 1) & ~((1u << begin) - 1); }
PYDL_INLINE VF load_lanes(const float* p, int begin, int end) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(lanes(begin, end)), p);
}
PYDL_INLINE VD load_lanes(const double* p, int begin, int end) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(lanes(begin, end)), p);
}
#elif PYDL_ISA_LEVEL == 1
PYDL_INLINE __m256i lanes(int begin, int end) { return _mm256_andnot_si256(lane_mask(begin), lane_mask(end)); }
PYDL_INLINE VF load_lanes(const float* p, int begin, int end) { return _mm256_maskload_ps(p, lanes(begin, end)); }
PYDL_INLINE VD load_lanes(const double* p, int begin, int end) { return _mm256_maskload_pd(p, lanes(2 * begin, 2 * end)); }
#else
template <class T>
PYDL_INLINE V<T> load_lanes(const T* p, int begin, int end) {
  T v[kLanes<T>] = {};
  for (int i = begin; i < end; ++i) v[i] = p[i];
  return load(v);
}
#endif

PYDL_INLINE int clamp_lane(int64_t x, int lanes) { return static_cast<int>(x < 0 ? 0 : x > lanes ? lanes : x); }

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
