// Powers and lengths.
#include "kernels/pointwise/power.h"

#include "kernels/cpu/pointwise/complex_math.h"
#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

// log2 to 2^-50 and 2^x to 2^-41, more than a float result needs.
PYDL_INLINE Vec<double> log2_as_float(Vec<double> x) {
  const LogParts<double> p = log_parts(x);
  // With s = f / (2 + f), ln(1 + f) = 2 s + s^3 R(s^2).
  const Vec<double> s = p.fraction * reciprocal(p.fraction + 2.0), z = s * s;
  return log_specials(x, mul_add(s * mul_add(z, polynomial(z, kLogSeries), 2.0), 0x1.71547652b82fep+0, p.exponent));
}
// The Taylor series of e^(f ln 2), |f| <= 1/2.
PYDL_INLINE Vec<double> exp2_as_float(Vec<double> x) {
  static constexpr double series[] = {1.0,       1.0,        1.0 / 2,     1.0 / 6,      1.0 / 24,     1.0 / 120,
                                      1.0 / 720, 1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800};
  x = clamp_keeping_nan(x, -200.0, 200.0);
  const Rounded<double> n = round_to_int(x);
  return scale_by_power(polynomial((x - n.value) * 0x1.62e42fefa39efp-1, series), n);
}
// x^y for floats as exp2(y log2 |x|) in double: the error leaves room for one float rounding. Zeros, infinities, NaN and
// negative bases of odd integer power take the sign and limits of IEEE 754 pow.
PYDL_INLINE Vec<double> pow_as_float(Vec<double> x, Vec<double> y) {
  const Vec<double> a = abs(x);
  Vec<double> r = exp2_as_float(y * log2_as_float(a));
  const Mask<double> integer = rint(y) == y;
  const Vec<double> half = y * 0.5;
  const Mask<double> odd = integer & (rint(half) != half);
  r = select((x < 0.0) & ~integer & (a < FloatTraits<double>::infinity), Vec<double>(FloatTraits<double>::quiet_nan), r);
  const Mask<double> negative = mask_cast<double>(bit_cast<int64_t>(x) < int64_t(0));
  r = select(negative & odd, -r, r);
  const Vec<double> one(1.0);
  r = select((a == 1.0) & (abs(y) == FloatTraits<double>::infinity), one, r);
  return select((x == 1.0) | (y == 0.0), one, r);
}
struct Pow : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<float> operator()(Vec<float> x, Vec<float> y) const {
    const DoublePair a = widen(x), b = widen(y);
    return narrow(DoublePair{pow_as_float(a.low, b.low), pow_as_float(a.high, b.high)});
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
