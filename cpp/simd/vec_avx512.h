// AVX-512 (F, BW, VL, DQ) forms of the contract's primitives; masks are mask registers. Included by vec.h.
#pragma once

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr bool kHasFma = true;

template <int Lanes>
struct MaskBits;
template <>
struct MaskBits<8> {
  using Type = __mmask8;
};
template <>
struct MaskBits<16> {
  using Type = __mmask16;
};
template <>
struct MaskBits<32> {
  using Type = __mmask32;
};
template <>
struct MaskBits<64> {
  using Type = __mmask64;
};

template <class T>
struct Mask {
  using Bits = typename MaskBits<Vec<T>::size>::Type;
  Bits bits;
};

template <class T>
PYDL_INLINE typename Mask<T>::Bits first_lanes(int n) {
  return static_cast<typename Mask<T>::Bits>(_bzhi_u64(~uint64_t(0), static_cast<unsigned>(n)));
}

template <class T>
PYDL_INLINE Vec<T> Vec<T>::load(const T* p, int n) {
  const auto m = first_lanes<T>(n);
  if constexpr (sizeof(T) == 1) return (Raw)_mm512_maskz_loadu_epi8(m, p);
  if constexpr (sizeof(T) == 2) return (Raw)_mm512_maskz_loadu_epi16(m, p);
  if constexpr (sizeof(T) == 4) return (Raw)_mm512_maskz_loadu_epi32(m, p);
  if constexpr (sizeof(T) == 8) return (Raw)_mm512_maskz_loadu_epi64(m, p);
}
template <class T>
PYDL_INLINE void Vec<T>::store(T* p, int n) const {
  const auto m = first_lanes<T>(n);
  if constexpr (sizeof(T) == 1) _mm512_mask_storeu_epi8(p, m, (__m512i)raw);
  if constexpr (sizeof(T) == 2) _mm512_mask_storeu_epi16(p, m, (__m512i)raw);
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_epi32(p, m, (__m512i)raw);
  if constexpr (sizeof(T) == 8) _mm512_mask_storeu_epi64(p, m, (__m512i)raw);
}

template <int IntPredicate, int FloatPredicate, class T>
PYDL_INLINE Mask<T> compare(Vec<T> a, Vec<T> b) {
  if constexpr (std::is_same_v<T, float>) {
    return {_mm512_cmp_ps_mask(a.raw, b.raw, FloatPredicate)};
  } else if constexpr (std::is_same_v<T, double>) {
    return {_mm512_cmp_pd_mask(a.raw, b.raw, FloatPredicate)};
  } else {
    const __m512i x = (__m512i)a.raw, y = (__m512i)b.raw;
    if constexpr (std::is_signed_v<T>) {
      if constexpr (sizeof(T) == 1) return {_mm512_cmp_epi8_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 2) return {_mm512_cmp_epi16_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 4) return {_mm512_cmp_epi32_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 8) return {_mm512_cmp_epi64_mask(x, y, IntPredicate)};
    } else {
      if constexpr (sizeof(T) == 1) return {_mm512_cmp_epu8_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 2) return {_mm512_cmp_epu16_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 4) return {_mm512_cmp_epu32_mask(x, y, IntPredicate)};
      if constexpr (sizeof(T) == 8) return {_mm512_cmp_epu64_mask(x, y, IntPredicate)};
    }
  }
}

#define PYDL_VEC_COMPARE(op, int_predicate, float_predicate)             \
  template <class T>                                                     \
  PYDL_INLINE Mask<T> operator op(Vec<T> a, Vec<T> b) {                  \
    return compare<int_predicate, float_predicate>(a, b);                \
  }                                                                      \
  template <class T>                                                     \
  PYDL_INLINE Mask<T> operator op(Vec<T> a, std::type_identity_t<T> b) { \
    return compare<int_predicate, float_predicate>(a, Vec<T>(b));        \
  }
PYDL_VEC_COMPARE(==, _MM_CMPINT_EQ, _CMP_EQ_OQ)
PYDL_VEC_COMPARE(!=, _MM_CMPINT_NE, _CMP_NEQ_UQ)
PYDL_VEC_COMPARE(<, _MM_CMPINT_LT, _CMP_LT_OQ)
PYDL_VEC_COMPARE(<=, _MM_CMPINT_LE, _CMP_LE_OQ)
PYDL_VEC_COMPARE(>, _MM_CMPINT_NLE, _CMP_GT_OQ)
PYDL_VEC_COMPARE(>=, _MM_CMPINT_NLT, _CMP_GE_OQ)
#undef PYDL_VEC_COMPARE

#define PYDL_MASK_OPERATOR(op)                                      \
  template <class T>                                                \
  PYDL_INLINE Mask<T> operator op(Mask<T> a, Mask<T> b) {           \
    return {static_cast<typename Mask<T>::Bits>(a.bits op b.bits)}; \
  }
PYDL_MASK_OPERATOR(&)
PYDL_MASK_OPERATOR(|)
PYDL_MASK_OPERATOR(^)
#undef PYDL_MASK_OPERATOR
template <class T>
PYDL_INLINE Mask<T> operator~(Mask<T> a) {
  return {static_cast<typename Mask<T>::Bits>(~a.bits)};
}
template <class To, class T>
PYDL_INLINE Mask<To> mask_cast(Mask<T> m) {
  static_assert(sizeof(To) == sizeof(T));
  return {m.bits};
}

template <class T>
PYDL_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Same<T> b) {
  using Raw = typename Vec<T>::Raw;
  if constexpr (std::is_same_v<T, float>) return _mm512_mask_blend_ps(m.bits, b.raw, a.raw);
  if constexpr (std::is_same_v<T, double>) return _mm512_mask_blend_pd(m.bits, b.raw, a.raw);
  const __m512i x = (__m512i)a.raw, y = (__m512i)b.raw;
  if constexpr (sizeof(T) == 1) return (Raw)_mm512_mask_blend_epi8(m.bits, y, x);
  if constexpr (sizeof(T) == 2) return (Raw)_mm512_mask_blend_epi16(m.bits, y, x);
  if constexpr (sizeof(T) == 4) return (Raw)_mm512_mask_blend_epi32(m.bits, y, x);
  if constexpr (sizeof(T) == 8) return (Raw)_mm512_mask_blend_epi64(m.bits, y, x);
}
template <class T>
PYDL_INLINE bool any(Mask<T> m) {
  return m.bits != 0;
}

// One byte per lane, 0 or 1.
template <class T>
PYDL_INLINE void store_bool(uint8_t* p, Mask<T> m) {
  if constexpr (sizeof(T) == 1) _mm512_storeu_si512(p, _mm512_maskz_set1_epi8(m.bits, 1));
  if constexpr (sizeof(T) == 2) _mm256_storeu_si256(reinterpret_cast<__m256i_u*>(p), _mm256_maskz_set1_epi8(m.bits, 1));
  if constexpr (sizeof(T) == 4) _mm_storeu_si128(reinterpret_cast<__m128i_u*>(p), _mm_maskz_set1_epi8(m.bits, 1));
  if constexpr (sizeof(T) == 8) _mm_storel_epi64(reinterpret_cast<__m128i_u*>(p), _mm_maskz_set1_epi8(m.bits, 1));
}
// Lane i is set when byte i is not zero.
template <class T>
PYDL_INLINE Mask<T> load_bool(const uint8_t* p) {
  if constexpr (sizeof(T) == 1) {
    const __m512i v = _mm512_loadu_si512(p);
    return {_mm512_test_epi8_mask(v, v)};
  } else if constexpr (sizeof(T) == 2) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(p));
    return {_mm256_test_epi8_mask(v, v)};
  } else if constexpr (sizeof(T) == 4) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i_u*>(p));
    return {_mm_test_epi8_mask(v, v)};
  } else {
    const __m128i v = _mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p));
    return {static_cast<__mmask8>(_mm_test_epi8_mask(v, v))};
  }
}
template <class T>
PYDL_INLINE Vec<T> ones_where(Mask<T> m) {
  return select(m, Vec<T>(T(1)), Vec<T>(T(0)));
}

PYDL_INLINE Vec<float> mul_add(Vec<float> a, Vec<float> b, Vec<float> c) { return _mm512_fmadd_ps(a.raw, b.raw, c.raw); }
PYDL_INLINE Vec<double> mul_add(Vec<double> a, Vec<double> b, Vec<double> c) { return _mm512_fmadd_pd(a.raw, b.raw, c.raw); }
// Zero-masked forms: GCC 12 warns about the undefined source operand of the plain ones.
PYDL_INLINE Vec<float> sqrt(Vec<float> a) { return _mm512_maskz_sqrt_ps(0xffff, a.raw); }
PYDL_INLINE Vec<double> sqrt(Vec<double> a) { return _mm512_maskz_sqrt_pd(0xff, a.raw); }

PYDL_INLINE Vec<float> native_min(Vec<float> a, Vec<float> b) { return _mm512_maskz_min_ps(0xffff, a.raw, b.raw); }
PYDL_INLINE Vec<float> native_max(Vec<float> a, Vec<float> b) { return _mm512_maskz_max_ps(0xffff, a.raw, b.raw); }
PYDL_INLINE Vec<double> native_min(Vec<double> a, Vec<double> b) { return _mm512_maskz_min_pd(0xff, a.raw, b.raw); }
PYDL_INLINE Vec<double> native_max(Vec<double> a, Vec<double> b) { return _mm512_maskz_max_pd(0xff, a.raw, b.raw); }

// x * 2^n, rounded once.
PYDL_INLINE Vec<float> scale_by_float_power(Vec<float> x, Vec<float> n) { return _mm512_maskz_scalef_ps(0xffff, x.raw, n.raw); }
PYDL_INLINE Vec<double> scale_by_float_power(Vec<double> x, Vec<double> n) { return _mm512_maskz_scalef_pd(0xff, x.raw, n.raw); }
template <class T>
PYDL_INLINE Vec<T> scale_by_power(Vec<T> x, Vec<SignedLike<T>> n) {
  if constexpr (sizeof(T) == 4) {
    return _mm512_maskz_scalef_ps(0xffff, x.raw, _mm512_maskz_cvtepi32_ps(0xffff, (__m512i)n.raw));
  } else {
    return _mm512_maskz_scalef_pd(0xff, x.raw, _mm512_maskz_cvtepi64_pd(0xff, (__m512i)n.raw));
  }
}

// 1 / x to 0.57 ulp, for x of magnitude 2^-125 to 2^125: 14 bits and one Newton step take 2 cycles, a division 16.
PYDL_INLINE Vec<float> reciprocal(Vec<float> x) {
  const Vec<float> y = _mm512_maskz_rcp14_ps(0xffff, x.raw);
  return mul_add(y, Vec<float>(_mm512_fnmadd_ps(x.raw, y.raw, _mm512_set1_ps(1.0f))), y);
}
// To 2 ulp, by two steps.
PYDL_INLINE Vec<double> reciprocal(Vec<double> x) {
  const __m512d one = _mm512_set1_pd(1.0), y = _mm512_maskz_rcp14_pd(0xff, x.raw);
  const __m512d z = _mm512_fmadd_pd(y, _mm512_fnmadd_pd(x.raw, y, one), y);
  return _mm512_fmadd_pd(z, _mm512_fnmadd_pd(x.raw, z, one), z);
}
#define PYDL_VEC_ROUND(name, mode)                                                                      \
  PYDL_INLINE Vec<float> name(Vec<float> a) { return _mm512_maskz_roundscale_ps(0xffff, a.raw, mode); } \
  PYDL_INLINE Vec<double> name(Vec<double> a) { return _mm512_maskz_roundscale_pd(0xff, a.raw, mode); }
PYDL_VEC_ROUND(floor, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
PYDL_VEC_ROUND(ceil, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)
PYDL_VEC_ROUND(trunc, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)
PYDL_VEC_ROUND(rint, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#undef PYDL_VEC_ROUND

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
