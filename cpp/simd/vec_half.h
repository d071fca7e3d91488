// float16 and bfloat16 to float32 and back, a float vector at a time; to nearest even, NaN stays NaN.
#pragma once

#include "core/half.h"
#include "simd/vec.h"

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr int kFloatLanes = Vec<float>::size;

// As many 16-bit items as there are float lanes.
struct HalfBits {
  typedef uint16_t Raw __attribute__((vector_size(kVecBytes / 2)));
  typedef Raw Unaligned __attribute__((aligned(1), may_alias));
  Raw raw;
  PYDL_INLINE static HalfBits load(const void* p) { return {*static_cast<const Unaligned*>(p)}; }
  PYDL_INLINE void store(void* p) const { *static_cast<Unaligned*>(p) = raw; }
};

PYDL_INLINE Vec<float> widen_bfloat16(HalfBits h) {
  const Vec<uint32_t> wide = __builtin_convertvector(h.raw, Vec<uint32_t>::Raw);
  return bit_cast<float>(wide << 16);
}
PYDL_INLINE HalfBits narrow_bfloat16(Vec<float> v) {
  const Vec<uint32_t> u = bit_cast<uint32_t>(v);
  const Vec<uint32_t> rounded = u + 0x7fffu + ((u >> 16) & 1u);
  const Vec<uint32_t> bits = select(mask_cast<uint32_t>(isnan(v)), u | 0x400000u, rounded) >> 16;
  return {__builtin_convertvector(bits.raw, HalfBits::Raw)};
}

#if PYDL_ISA_LEVEL == 2
PYDL_INLINE Vec<float> widen_float16(HalfBits h) { return _mm512_maskz_cvtph_ps(0xffff, (__m256i)h.raw); }
PYDL_INLINE HalfBits narrow_float16(Vec<float> v) {
  return {(HalfBits::Raw)_mm512_maskz_cvtps_ph(0xffff, v.raw, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
#elif PYDL_ISA_LEVEL == 1
PYDL_INLINE Vec<float> widen_float16(HalfBits h) { return _mm256_cvtph_ps((__m128i)h.raw); }
PYDL_INLINE HalfBits narrow_float16(Vec<float> v) {
  return {(HalfBits::Raw)_mm256_cvtps_ph(v.raw, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
#else
PYDL_INLINE Vec<float> widen_float16(HalfBits h) {
  Vec<float> v;
  for (int i = 0; i < kFloatLanes; ++i) v.raw[i] = to_float(float16{h.raw[i]});
  return v;
}
PYDL_INLINE HalfBits narrow_float16(Vec<float> v) {
  HalfBits h;
  for (int i = 0; i < kFloatLanes; ++i) h.raw[i] = to_float16(v.raw[i]).bits;
  return h;
}
#endif

template <class Half>
PYDL_INLINE Vec<float> widen(HalfBits h) {
  if constexpr (std::is_same_v<Half, float16>) {
    return widen_float16(h);
  } else {
    return widen_bfloat16(h);
  }
}
template <class Half>
PYDL_INLINE HalfBits narrow(Vec<float> v) {
  if constexpr (std::is_same_v<Half, float16>) {
    return narrow_float16(v);
  } else {
    return narrow_bfloat16(v);
  }
}

// Whole and partial vectors of a half array as float vectors.
template <class Half>
PYDL_INLINE Vec<float> load_half(const Half* p) {
  return widen<Half>(HalfBits::load(p));
}
template <class Half>
PYDL_INLINE Vec<float> load_half(const Half* p, int n) {
  uint16_t bits[kFloatLanes] = {};
  __builtin_memcpy(bits, p, static_cast<unsigned>(n) * sizeof(Half));
  return widen<Half>(HalfBits::load(bits));
}
template <class Half>
PYDL_INLINE void store_half(Half* p, Vec<float> v) {
  narrow<Half>(v).store(p);
}
template <class Half>
PYDL_INLINE void store_half(Half* p, Vec<float> v, int n) {
  uint16_t bits[kFloatLanes];
  narrow<Half>(v).store(bits);
  __builtin_memcpy(p, bits, static_cast<unsigned>(n) * sizeof(Half));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
