// Vectors of the widest register the instruction-set level has: 16, 32 or 64 bytes.
//
// Arithmetic comes from the compiler's vector extensions and is the same on every level; what the extensions cannot
// say well (masks, fused multiply-add, rounding, partial loads) is in vec_generic.h, vec_avx2.h and vec_avx512.h.
// Everything has internal linkage: an instruction-set object must not export inline code (see kernels/kernel.h).
//
// A partial load or store runs the last elements of an array through the same vector code as the rest, so the result
// for an element never depends on its position.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#if PYDL_ISA_LEVEL >= 1
#include <immintrin.h>
#endif

#define PYDL_INLINE [[gnu::always_inline]] inline

// Kernels use a fraction of the contract each.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr int kVecBytes = 16 << PYDL_ISA_LEVEL;

template <class T, int Bytes = kVecBytes>
struct RawOf {
  typedef T Type __attribute__((vector_size(Bytes)));
  typedef T Unaligned __attribute__((vector_size(Bytes), aligned(1), may_alias));
};

template <int Bytes>
struct IntOf;
template <>
struct IntOf<1> {
  using Signed = int8_t;
  using Unsigned = uint8_t;
};
template <>
struct IntOf<2> {
  using Signed = int16_t;
  using Unsigned = uint16_t;
};
template <>
struct IntOf<4> {
  using Signed = int32_t;
  using Unsigned = uint32_t;
};
template <>
struct IntOf<8> {
  using Signed = int64_t;
  using Unsigned = uint64_t;
};
// The integer of the same size as T.
template <class T>
using SignedLike = typename IntOf<sizeof(T)>::Signed;
template <class T>
using UnsignedLike = typename IntOf<sizeof(T)>::Unsigned;

template <class T>
struct Vec {
  using Scalar = T;
  using Raw = typename RawOf<T>::Type;
  static constexpr int size = kVecBytes / static_cast<int>(sizeof(T));

  Raw raw;

  Vec() = default;
  PYDL_INLINE Vec(Raw r) : raw(r) {}
  // x - 0 is x for every x, -0 included.
  PYDL_INLINE Vec(T value) : raw(value - Raw{}) {}

  PYDL_INLINE static Vec load(const T* p) { return *reinterpret_cast<const typename RawOf<T>::Unaligned*>(p); }
  PYDL_INLINE void store(T* p) const { *reinterpret_cast<typename RawOf<T>::Unaligned*>(p) = raw; }
  // The first n elements, 0 <= n <= size; lanes beyond are zero on load and untouched in memory on store.
  PYDL_INLINE static Vec load(const T* p, int n);
  PYDL_INLINE void store(T* p, int n) const;
};

template <class To, class T>
PYDL_INLINE Vec<To> bit_cast(Vec<T> v) {
  return (typename Vec<To>::Raw)v.raw;
}

// A parameter of this type takes scalars as well: only the first argument decides T.
template <class T>
using Same = std::type_identity_t<Vec<T>>;

#define PYDL_VEC_OPERATOR(op)                                           \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, Vec<T> b) {                  \
    return a.raw op b.raw;                                              \
  }                                                                     \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, std::type_identity_t<T> b) { \
    return a.raw op Vec<T>(b).raw;                                      \
  }                                                                     \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(std::type_identity_t<T> a, Vec<T> b) { \
    return Vec<T>(a).raw op b.raw;                                      \
  }
PYDL_VEC_OPERATOR(/)
#undef PYDL_VEC_OPERATOR

// Signed integers wrap: the sum is formed in the unsigned type.
#define PYDL_VEC_OPERATOR(op)                                           \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, Vec<T> b) {                  \
    if constexpr (std::is_integral_v<T>) {                              \
      using U = typename Vec<UnsignedLike<T>>::Raw;                     \
      return (typename Vec<T>::Raw)((U)a.raw op(U) b.raw);              \
    } else {                                                            \
      return a.raw op b.raw;                                            \
    }                                                                   \
  }                                                                     \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, std::type_identity_t<T> b) { \
    return a op Vec<T>(b);                                              \
  }                                                                     \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(std::type_identity_t<T> a, Vec<T> b) { \
    return Vec<T>(a) op b;                                              \
  }
PYDL_VEC_OPERATOR(+)
PYDL_VEC_OPERATOR(-)
PYDL_VEC_OPERATOR(*)
#undef PYDL_VEC_OPERATOR

// Bits; for floating point on the representation.
#define PYDL_VEC_OPERATOR(op)                                           \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, Vec<T> b) {                  \
    using U = typename Vec<UnsignedLike<T>>::Raw;                       \
    return (typename Vec<T>::Raw)((U)a.raw op(U) b.raw);                \
  }                                                                     \
  template <class T>                                                    \
  PYDL_INLINE Vec<T> operator op(Vec<T> a, std::type_identity_t<T> b) { \
    return a op Vec<T>(b);                                              \
  }
PYDL_VEC_OPERATOR(&)
PYDL_VEC_OPERATOR(|)
PYDL_VEC_OPERATOR(^)
#undef PYDL_VEC_OPERATOR

template <class T>
PYDL_INLINE Vec<T> operator~(Vec<T> a) {
  using U = typename Vec<UnsignedLike<T>>::Raw;
  return (typename Vec<T>::Raw)(~(U)a.raw);
}
template <class T>
PYDL_INLINE Vec<T> operator-(Vec<T> a) {
  if constexpr (std::is_integral_v<T>) {
    return Vec<T>(T(0)) - a;
  } else {
    return -a.raw;
  }
}
// Counts are in [0, bits). Right shifts of signed integers copy the sign.
template <class T>
PYDL_INLINE Vec<T> operator<<(Vec<T> a, int count) {
  using U = typename Vec<UnsignedLike<T>>::Raw;
  return (typename Vec<T>::Raw)((U)a.raw << count);
}
template <class T>
PYDL_INLINE Vec<T> operator>>(Vec<T> a, int count) {
  return a.raw >> count;
}

template <class T>
struct Mask;

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#if PYDL_ISA_LEVEL == 2
#include "simd/vec_avx512.h"
#else
#include "simd/vec_lane_mask.h"
#if PYDL_ISA_LEVEL == 1
#include "simd/vec_avx2.h"
#else
#include "simd/vec_generic.h"
#endif
#endif

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
inline constexpr UnsignedLike<T> kSignBit = UnsignedLike<T>(1) << (8 * sizeof(T) - 1);

template <class T>
PYDL_INLINE Vec<T> sign_bit(Vec<T> a) {
  return bit_cast<T>(bit_cast<UnsignedLike<T>>(a) & kSignBit<T>);
}
template <class T>
PYDL_INLINE Vec<T> abs(Vec<T> a) {
  if constexpr (std::is_floating_point_v<T>) {
    return bit_cast<T>(bit_cast<UnsignedLike<T>>(a) & UnsignedLike<T>(~kSignBit<T>));
  } else if constexpr (std::is_signed_v<T>) {
    return select(a < Vec<T>(T(0)), -a, a);
  } else {
    return a;
  }
}
template <class T>
PYDL_INLINE Vec<T> copysign(Vec<T> magnitude, Vec<T> sign) {
#if PYDL_ISA_LEVEL == 2
  const __m512i mask = (__m512i)Vec<T>(T(-0.0)).raw;
  return Vec<T>((typename Vec<T>::Raw)_mm512_ternarylogic_epi64(mask, (__m512i)sign.raw, (__m512i)magnitude.raw, 0xca));
#else
  return abs(magnitude) | sign_bit(sign);
#endif
}
template <class T>
PYDL_INLINE Mask<T> isnan(Vec<T> a) {
  return a != a;
}

// The second operand when either is NaN (the x86 rule), which is the fastest.
template <class T>
PYDL_INLINE Vec<T> min_second(Vec<T> a, Same<T> b) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return native_min(a, b);
  } else {
    return select(a < b, a, b);
  }
}
template <class T>
PYDL_INLINE Vec<T> max_second(Vec<T> a, Same<T> b) {
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>) {
    return native_max(a, b);
  } else {
    return select(a > b, a, b);
  }
}
// NaN when either operand is.
template <class T>
PYDL_INLINE Vec<T> minimum(Vec<T> a, Vec<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    return select(isnan(a), a, min_second(a, b));
  } else {
    return min_second(a, b);
  }
}
template <class T>
PYDL_INLINE Vec<T> maximum(Vec<T> a, Vec<T> b) {
  if constexpr (std::is_floating_point_v<T>) {
    return select(isnan(a), a, max_second(a, b));
  } else {
    return max_second(a, b);
  }
}

// a * b + c where the instruction set can do it with one rounding, else with two.
template <class T>
PYDL_INLINE Vec<T> mul_sub(Vec<T> a, Same<T> b, Same<T> c) {
  return mul_add(a, b, -c);
}
// c - a * b
template <class T>
PYDL_INLINE Vec<T> neg_mul_add(Vec<T> a, Same<T> b, Same<T> c) {
  // Spelled out, since a shared -a would cost an instruction.
#if PYDL_ISA_LEVEL == 2
  if constexpr (std::is_same_v<T, float>) return _mm512_fnmadd_ps(a.raw, b.raw, c.raw);
  if constexpr (std::is_same_v<T, double>) return _mm512_fnmadd_pd(a.raw, b.raw, c.raw);
#elif PYDL_ISA_LEVEL == 1
  if constexpr (std::is_same_v<T, float>) return _mm256_fnmadd_ps(a.raw, b.raw, c.raw);
  if constexpr (std::is_same_v<T, double>) return _mm256_fnmadd_pd(a.raw, b.raw, c.raw);
#endif
  return mul_add(-a, b, c);
}

// a * b == hi + lo exactly (barring overflow and underflow). Without FMA: Dekker, "A floating-point technique for
// extending the available precision", 1971.
template <class T>
struct Pair {
  Vec<T> hi, lo;
};
template <class T>
PYDL_INLINE Pair<T> two_product(Vec<T> a, Same<T> b) {
  const Vec<T> hi = a * b;
  if constexpr (kHasFma) {
    return {hi, mul_sub(a, b, hi)};
  } else {
    // The high half by clearing bits, not by Veltkamp's product, so that large operands do not overflow.
    constexpr int low_bits = sizeof(T) == 4 ? 12 : 27;
    constexpr UnsignedLike<T> keep = static_cast<UnsignedLike<T>>(~((UnsignedLike<T>(1) << low_bits) - 1));
    const Vec<T> a1 = bit_cast<T>(bit_cast<UnsignedLike<T>>(a) & keep), a2 = a - a1;
    const Vec<T> b1 = bit_cast<T>(bit_cast<UnsignedLike<T>>(b) & keep), b2 = b - b1;
    return {hi, ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2};
  }
}
// a + b == hi + lo exactly when |a| >= |b|.
template <class T>
PYDL_INLINE Pair<T> fast_two_sum(Vec<T> a, Same<T> b) {
  const Vec<T> hi = a + b;
  return {hi, b - (hi - a)};
}
template <class T>
PYDL_INLINE Pair<T> two_sum(Vec<T> a, Same<T> b) {
  const Vec<T> hi = a + b;
  const Vec<T> b1 = hi - a;
  return {hi, (a - (hi - b1)) + (b - b1)};
}

// c[0] + x * (c[1] + x * (...)) by Horner's rule.
template <class T, int N>
PYDL_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[N]) {
  Vec<T> y(c[N - 1]);
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; --i) y = mul_add(y, x, Vec<T>(c[i]));
  return y;
}

// A float vector as two double vectors and back (rounded to nearest even).
struct DoublePair {
  Vec<double> low, high;
};
typedef float HalfFloats __attribute__((vector_size(kVecBytes / 2)));
struct FloatHalves {
  HalfFloats low, high;
};
PYDL_INLINE DoublePair widen(Vec<float> v) {
  const auto halves = std::bit_cast<FloatHalves>(v.raw);
  return {__builtin_convertvector(halves.low, Vec<double>::Raw), __builtin_convertvector(halves.high, Vec<double>::Raw)};
}
PYDL_INLINE Vec<float> narrow(DoublePair p) {
  return std::bit_cast<Vec<float>::Raw>(
      FloatHalves{__builtin_convertvector(p.low.raw, HalfFloats), __builtin_convertvector(p.high.raw, HalfFloats)});
}

// v with the lanes of m replaced by f(args...) computed one by one: for the rare cases a vector form leaves out.
template <class T, class F, class... Args>
PYDL_INLINE Vec<T> patch_lanes(Mask<T> m, Vec<T> v, const F& f, Args... args) {
  if (!any(m)) return v;
  uint8_t chosen[Vec<T>::size];
  store_bool<T>(chosen, m);
#pragma GCC unroll 1
  for (int i = 0; i < Vec<T>::size; ++i) {
    if (chosen[i] != 0) v.raw[i] = f(args.raw[i]...);
  }
  return v;
}

// Reductions over lanes, in a fixed tree.
template <class T>
PYDL_INLINE T reduce_add(Vec<T> v) {
  T lanes[Vec<T>::size];
  v.store(lanes);
#pragma GCC unroll 8
  for (int step = Vec<T>::size / 2; step > 0; step /= 2) {
    for (int i = 0; i < step; ++i) lanes[i] += lanes[i + step];
  }
  return lanes[0];
}
// NaN if any lane is.
template <class T>
PYDL_INLINE T reduce_maximum(Vec<T> v) {
  T lanes[Vec<T>::size];
  v.store(lanes);
  T best = lanes[0];
  for (int i = 1; i < Vec<T>::size; ++i) best = lanes[i] > best || lanes[i] != lanes[i] ? lanes[i] : best;
  return best;
}

// The integer exponent field arithmetic below is shared by the elementary functions.
template <class T>
struct FloatTraits;
template <>
struct FloatTraits<float> {
  using Int = int32_t;
  static constexpr int mantissa_bits = 23, exponent_bias = 127;
  static constexpr float infinity = __builtin_inff();
  static constexpr float quiet_nan = __builtin_nanf("");
  static constexpr float smallest_normal = 0x1p-126f;
  static constexpr float round_magic = 0x1.8p23f;
};
template <>
struct FloatTraits<double> {
  using Int = int64_t;
  static constexpr int mantissa_bits = 52, exponent_bias = 1023;
  static constexpr double infinity = __builtin_inf();
  static constexpr double quiet_nan = __builtin_nan("");
  static constexpr double smallest_normal = 0x1p-1022;
  static constexpr double round_magic = 0x1.8p52;
};

// For |x| < 2^(mantissa_bits - 2): rounds to the nearest integer (ties to even), which is also returned as an integer.
template <class T>
struct Rounded {
  Vec<T> value;
  Vec<SignedLike<T>> integer;
};
template <class T>
PYDL_INLINE Rounded<T> round_to_int(Vec<T> x) {
  const Vec<T> magic(FloatTraits<T>::round_magic);
  const Vec<T> shifted = x + magic;
  return {shifted - magic, bit_cast<SignedLike<T>>(shifted) - bit_cast<SignedLike<T>>(magic)};
}
// scale * x rounded, in one operation less.
template <class T>
PYDL_INLINE Rounded<T> round_to_int(Vec<T> x, T scale) {
  const Vec<T> magic(FloatTraits<T>::round_magic);
  const Vec<T> shifted = mul_add(x, Vec<T>(scale), magic);
  return {shifted - magic, bit_cast<SignedLike<T>>(shifted) - bit_cast<SignedLike<T>>(magic)};
}
// The reverse, for |n| < 2^(mantissa_bits - 2).
template <class T>
PYDL_INLINE Vec<T> small_int_to_float(Vec<SignedLike<T>> n) {
  const Vec<T> magic(FloatTraits<T>::round_magic);
  return bit_cast<T>(n + bit_cast<SignedLike<T>>(magic)) - magic;
}
// 2^n for n in the range of normal exponents.
template <class T>
PYDL_INLINE Vec<T> power_of_two(Vec<SignedLike<T>> n) {
  return bit_cast<T>((n + SignedLike<T>(FloatTraits<T>::exponent_bias)) << FloatTraits<T>::mantissa_bits);
}
#if PYDL_ISA_LEVEL < 2
template <class T>
PYDL_INLINE Vec<T> reciprocal(Vec<T> x) {
  return T(1) / x;
}
// x * 2^n with |n| <= about twice the exponent bias, where the result is denormal rounded once.
template <class T>
PYDL_INLINE Vec<T> scale_by_power(Vec<T> x, Vec<SignedLike<T>> n) {
  const Vec<SignedLike<T>> half = n >> 1;
  return (x * power_of_two<T>(half)) * power_of_two<T>(n - half);
}
#endif

// x * 2^n with n in whichever form is cheaper.
template <class T>
PYDL_INLINE Vec<T> scale_by_power(Vec<T> x, const Rounded<T>& n) {
#if PYDL_ISA_LEVEL == 2
  return scale_by_float_power(x, n.value);
#else
  return scale_by_power(x, n.integer);
#endif
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
