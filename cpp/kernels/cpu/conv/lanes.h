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

}  // namespace
}  // namespace pydl::kernels::conv
