// AVX2 and FMA forms of the contract's primitives. Included by vec.h.
#pragma once

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr bool kHasFma = true;

// A window into this table, n elements from its middle, is the mask of the first n lanes.
alignas(64) inline constexpr int32_t kFirstLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

template <class T>
PYDL_INLINE __m256i first_lanes(int n) {
  const int words = n * static_cast<int>(sizeof(T) / 4);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(kFirstLanes + 8 - words));
}

template <class T>
PYDL_INLINE Vec<T> Vec<T>::load(const T* p, int n) {
  if constexpr (sizeof(T) >= 4) {
    return (Raw)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), first_lanes<T>(n));
  } else {
    alignas(kVecBytes) T lanes[size] = {};
    __builtin_memcpy(lanes, p, static_cast<unsigned>(n) * sizeof(T));
    return load(lanes);
  }
}
template <class T>
PYDL_INLINE void Vec<T>::store(T* p, int n) const {
  if constexpr (sizeof(T) >= 4) {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), first_lanes<T>(n), (__m256i)raw);
  } else {
    alignas(kVecBytes) T lanes[size];
    store(lanes);
    __builtin_memcpy(p, lanes, static_cast<unsigned>(n) * sizeof(T));
  }
}

template <class T>
PYDL_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Same<T> b) {
  return (typename Vec<T>::Raw)_mm256_blendv_epi8((__m256i)b.raw, (__m256i)a.raw, (__m256i)m.raw);
}
template <class T>
PYDL_INLINE bool any(Mask<T> m) {
  return _mm256_testz_si256((__m256i)m.raw, (__m256i)m.raw) == 0;
}

PYDL_INLINE Vec<float> mul_add(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm256_fmadd_ps(a.raw, b.raw, c.raw); }
PYDL_INLINE Vec<double> mul_add(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm256_fmadd_pd(a.raw, b.raw, c.raw); }
PYDL_INLINE Vec<float> sqrt(Vec<float> a) { return _mm256_sqrt_ps(a.raw); }
PYDL_INLINE Vec<double> sqrt(Vec<double> a) { return _mm256_sqrt_pd(a.raw); }

PYDL_INLINE Vec<float> native_min(Vec<float> a, Vec<float> b) { return _mm256_min_ps(a.raw, b.raw); }
PYDL_INLINE Vec<float> native_max(Vec<float> a, Vec<float> b) { return _mm256_max_ps(a.raw, b.raw); }
PYDL_INLINE Vec<double> native_min(Vec<double> a, Vec<double> b) { return _mm256_min_pd(a.raw, b.raw); }
PYDL_INLINE Vec<double> native_max(Vec<double> a, Vec<double> b) { return _mm256_max_pd(a.raw, b.raw); }

#define PYDL_VEC_ROUND(name, mode)                                                                         \
  PYDL_INLINE Vec<float> name(Vec<float> a) { return _mm256_round_ps(a.raw, (mode) | _MM_FROUND_NO_EXC); } \
  PYDL_INLINE Vec<double> name(Vec<double> a) { return _mm256_round_pd(a.raw, (mode) | _MM_FROUND_NO_EXC); }
PYDL_VEC_ROUND(floor, _MM_FROUND_TO_NEG_INF)
PYDL_VEC_ROUND(ceil, _MM_FROUND_TO_POS_INF)
PYDL_VEC_ROUND(trunc, _MM_FROUND_TO_ZERO)
PYDL_VEC_ROUND(rint, _MM_FROUND_TO_NEAREST_INT)
#undef PYDL_VEC_ROUND

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
