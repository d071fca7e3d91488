// Powers and lengths.
#include "kernels/pointwise/power.h"

#include "kernels/cpu/pointwise/complex_math.h"
#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

// 1 / x to 2^-42 from an estimate to 2^-14, or exactly.
PYDL_INLINE Vec<double> reciprocal_as_float(Vec<double> x) {
#if PYDL_ISA_LEVEL == 2
  const Vec<double> y = _mm512_maskz_rcp14_pd(0xff, x.raw);
  const Vec<double> miss = neg_mul_add(x, y, Vec<double>(1.0));
  return mul_add(mul_add(miss, miss, miss), y, y);
#else
  return 1.0 / x;
#endif
}
// log2 to 2^-40 and 2^x to 2^-32: their errors leave room for the one rounding to float.
PYDL_INLINE Vec<double> log2_as_float(Vec<double> x) {
  // With s = f / (2 + f), ln(1 + f) = 2 s + s^3 R(s^2). R is minimax for |s| up to 3 - 2 sqrt(2).
  static constexpr double series[] = {0x1.555555561e61dp-1, 0x1.999996a8f0ee6p-2, 0x1.2494121657ef6p-2, 0x1.c62b0697829a6p-3,
                                      0x1.911665d983571p-3};
  const LogParts<double> p = log_parts(x);
  const Vec<double> s = p.fraction * reciprocal_as_float(p.fraction + 2.0), z = s * s;
  return log_specials(x, mul_add(s * mul_add(z, polynomial(z, series), 2.0), 0x1.71547652b82fep+0, p.exponent));
}
// 2^f as a polynomial in f, |f| <= 1/2, of least relative error.
PYDL_INLINE Vec<double> exp2_as_float(Vec<double> x) {
  static constexpr double series[] = {0x1.ffffffffabbcbp-1, 0x1.62e42ff1162aep-1,  0x1.ebfbe0a4be780p-3,  0x1.c6b08aaf2d246p-5,
                                      0x1.3b29dc40f22d9p-7, 0x1.5d8a70899adecp-10, 0x1.446a1fc35387cp-13, 0x1.fe17828295299p-17};
  x = clamp_keeping_nan(x, -200.0, 200.0);
  const Rounded<double> n = round_to_int(x);
  return scale_by_power(polynomial(x - n.value, series), n);
}
// x^y for floats as exp2(y log2 |x|) in double. Zeros, infinities, NaN and negative bases of odd integer power take the
// sign and limits of IEEE 754 pow.
struct Pow : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<float> operator()(Vec<float> x, Vec<float> y) const {
    const Vec<float> a = abs(x);
    const DoublePair base = widen(a), power = widen(y);
    Vec<float> r =
        narrow(DoublePair{exp2_as_float(power.low * log2_as_float(base.low)), exp2_as_float(power.high * log2_as_float(base.high))});
    const Mask<float> integer = rint(y) == y;
    const Vec<float> half = y * 0.5f;
    const Mask<float> odd = integer & (rint(half) != half);
    r = select((x < 0.0f) & ~integer & (a < FloatTraits<float>::infinity), Vec<float>(FloatTraits<float>::quiet_nan), r);
    const Mask<float> negative = mask_cast<float>(bit_cast<int32_t>(x) < int32_t(0));
    r = select(negative & odd, -r, r);
    const Vec<float> one(1.0f);
    r = select((a == 1.0f) & (abs(y) == FloatTraits<float>::infinity), one, r);
    return select((x == 1.0f) | (y == 0.0f), one, r);
  }
};
PYDL_BINARY(PowScalar, __builtin_pow(a, b))

// By squaring, modulo 2^bits. The reciprocal of an integer is 0 unless it is 1 or -1.
struct IntPow : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T base, T exponent) const {
    if constexpr (std::is_signed_v<T>) {
      if (exponent < 0) {
        if (base == 1) return 1;
        if (base == static_cast<T>(-1)) return static_cast<T>(exponent & 1 ? -1 : 1);
        return 0;
      }
    }
    using Wide = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
    Wide result = 1, b = static_cast<Wide>(base);
    for (auto e = static_cast<UnsignedLike<T>>(exponent); e != 0; e = static_cast<UnsignedLike<T>>(e >> 1)) {
      if (e & 1) result *= b;
      b *= b;
    }
    return static_cast<T>(result);
  }
};
template <class T>
struct ComplexPow : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Complex<T> operator()(Complex<T> a, Complex<T> b) const {
    typename BuiltinComplex<T>::Type r;
    if (b.real == 0 && b.imag == 0) return {1, 0};
    if (a.real == 0 && a.imag == 0 && b.imag == 0 && b.real > 0) return {0, 0};
    if constexpr (sizeof(T) == 4) {
      r = __builtin_cpowf(to_builtin(a), to_builtin(b));
    } else {
      r = __builtin_cpow(to_builtin(a), to_builtin(b));
    }
    return {__real__ r, __imag__ r};
  }
};

PYDL_INLINE float hypot_scalar(float a, float b) {
  if (__builtin_isinf(a) || __builtin_isinf(b)) return __builtin_inff();
  return static_cast<float>(__builtin_sqrt(static_cast<double>(a) * a + static_cast<double>(b) * b));
}
PYDL_INLINE double hypot_scalar(double a, double b) { return __builtin_hypot(a, b); }
PYDL_BINARY(Hypot, hypot_scalar(a, b))
template <class T>
struct AbsComplex : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE T operator()(Complex<T> a) const { return hypot_scalar(a.real, a.imag); }
};

consteval StripTable abs_complex_table() {
  StripTable t;
  t.slot[static_cast<int>(DType::Complex64)] = &scalar_strip<AbsComplex<float>, 1, float, Complex64>;
  t.slot[static_cast<int>(DType::Complex128)] = &scalar_strip<AbsComplex<double>, 1, double, Complex128>;
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable pow = scalar_table<IntPow, 2>(AllInts{}) | map_table<Pow, 2, 0>(Types<float>{}) |
                                 scalar_table<PowScalar, 2>(Types<double>{}) | complex_table<ComplexPow<float>, ComplexPow<double>, 2>();
constinit const StripTable hypot = scalar_table<Hypot, 2>(Floats{});
constinit const StripTable abs_complex = abs_complex_table();

PYDL_KERNELS_END
