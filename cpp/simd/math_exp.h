// Exponentials and logarithms, float and double.
//
// exp: Cody and Waite, "Software Manual for the Elementary Functions", 1980: x = n ln 2 + r, |r| <= ln 2 / 2, and a
// minimax polynomial for (e^r - 1 - r) / r^2, added to 1 + r last so that its rounding errors do not count.
// log: x = 2^e m, m in [sqrt(1/2), sqrt(2)); the leading terms are carried in two words, so that every base is as good.
// Polynomials: Remez exchange, relative error of the function below 2^-28 (float) and 2^-57 (double).
#pragma once

#include "simd/math_table.h"
#include "simd/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  static constexpr float log2_e = 0x1.715476p+0f;
  // ln 2 in two words; the first has 8 trailing zeros so that n * ln2_hi is exact without FMA as well.
  static constexpr float ln2_hi = 0x1.62e4p-1f, ln2_lo = 0x1.7f7d1cp-20f;
  static constexpr float highest = 89.0f, lowest = -105.0f;
  static constexpr float expm1_lowest = -20.0f;
  static constexpr float tail[] = {0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.123a2p-7f, 0x1.6a23eep-10f};
};
template <>
struct ExpConstants<double> {
  static constexpr double log2_e = 0x1.71547652b82fep+0;
  static constexpr double ln2_hi = 0x1.62e42fefap-1, ln2_lo = 0x1.cf79abc9e3b3ap-40;
  static constexpr double highest = 710.0, lowest = -746.0;
  static constexpr double expm1_lowest = -40.0;
  static constexpr double tail[] = {0x1.0p-1,
                                    0x1.555555555555cp-3,
                                    0x1.555555555555ep-5,
                                    0x1.111111110eb95p-7,
                                    0x1.6c16c16c135c7p-10,
                                    0x1.a01a01b3c6c6p-13,
                                    0x1.a01a01b443af9p-16,
                                    0x1.71ddef7624caap-19,
                                    0x1.27e4bf55edcbcp-22,
                                    0x1.af6d01806fb7ep-26,
                                    0x1.1f9db61b0e75cp-29};
};

// e^(x + x_lo) = 2^n (1 + r + tail), for x inside the constants' range.
template <class T>
struct ExpParts {
  Rounded<T> n;
  Vec<T> r, tail;
};
template <class T>
PYDL_INLINE ExpParts<T> exp_parts(Vec<T> x, Vec<T> x_lo = Vec<T>(T(0))) {
  using C = ExpConstants<T>;
  const Rounded<T> n = round_to_int(x, C::log2_e);
  const Vec<T> high = neg_mul_add(n.value, C::ln2_hi, x);
  const Vec<T> low = neg_mul_add(n.value, C::ln2_lo, x_lo);
  const Vec<T> r = high + low;
  const Vec<T> r_lo = (high - r) + low;
  return {n, r, mul_add(r * r, polynomial(r, C::tail), r_lo)};
}

// min and max keep NaN: it is the second operand.
template <class T>
PYDL_INLINE Vec<T> clamp_keeping_nan(Vec<T> x, T low, T high) {
  return max_second(Vec<T>(low), min_second(Vec<T>(high), x));
}

// e^x for x inside the constants' range, or NaN.
template <class T>
PYDL_INLINE Vec<T> exp_inside(Vec<T> x) {
  using C = ExpConstants<T>;
  const Rounded<T> n = round_to_int(x, C::log2_e);
  const Vec<T> r = neg_mul_add(n.value, C::ln2_lo, neg_mul_add(n.value, C::ln2_hi, x));
  return scale_by_power(T(1) + mul_add(r * r, polynomial(r, C::tail), r), n);
}

// e^(x + x_lo) = 2^n (1 + rest), for a result that is scaled after its last rounding: small ones become denormal once.
template <class T>
struct ScaledExp {
  Rounded<T> n;
  Vec<T> rest;
  PYDL_INLINE Vec<T> value() const { return scale_by_power(T(1) + rest, n); }
  PYDL_INLINE Vec<T> times(Vec<T> y) const { return scale_by_power(mul_add(y, rest, y), n); }
};
// For x from twice the constants' lowest on.
template <class T>
PYDL_INLINE ScaledExp<T> scaled_exp(Vec<T> x) {
  using C = ExpConstants<T>;
  const Rounded<T> n = round_to_int(x, C::log2_e);
  const Vec<T> r = neg_mul_add(n.value, C::ln2_lo, neg_mul_add(n.value, C::ln2_hi, x));
  return {n, mul_add(r * r, polynomial(r, C::tail), r)};
}
template <class T>
PYDL_INLINE ScaledExp<T> scaled_exp(Vec<T> x, Vec<T> x_lo) {
  const ExpParts<T> p = exp_parts(x, x_lo);
  return {p.n, p.r + p.tail};
}

template <class T>
PYDL_INLINE Vec<T> exp(Vec<T> x) {
  using C = ExpConstants<T>;
  return exp_inside(clamp_keeping_nan(x, C::lowest, C::highest));
}

// e^x / 2, which does not overflow before e^x / 2 does.
template <class T>
PYDL_INLINE Vec<T> half_exp(Vec<T> x) {
  using C = ExpConstants<T>;
  const ExpParts<T> p = exp_parts(clamp_keeping_nan(x, C::lowest, C::highest + T(2)));
  return scale_by_power(T(1) + (p.r + p.tail), p.n.integer - SignedLike<T>(1));
}

template <class T>
PYDL_INLINE Vec<T> exp2(Vec<T> x) {
  using C = ExpConstants<T>;
  constexpr T bound = sizeof(T) == 4 ? 160 : 1100;
  x = clamp_keeping_nan(x, -bound, bound);
  const Rounded<T> n = round_to_int(x);
  const Vec<T> f = x - n.value;
  // f ln 2 in two words.
  constexpr T ln2 = sizeof(T) == 4 ? T(0x1.62e43p-1) : T(0x1.62e42fefa39efp-1);
  constexpr T ln2_rest = sizeof(T) == 4 ? T(-0x1.05c61p-29) : T(0x1.abc9e3b39803fp-56);
  const Pair<T> r = two_product(f, Vec<T>(ln2));
  const Vec<T> tail = mul_add(r.hi * r.hi, polynomial(r.hi, C::tail), mul_add(f, ln2_rest, r.lo));
  return scale_by_power(T(1) + (r.hi + tail), n.integer);
}

// 2 (2^(n-1) r + (2^(n-1) - 1/2) + 2^(n-1) tail), the first two terms summed exactly.
template <class T>
PYDL_INLINE Vec<T> expm1(Vec<T> x) {
  using C = ExpConstants<T>;
  const ExpParts<T> p = exp_parts(clamp_keeping_nan(x, C::expm1_lowest, C::highest));
  const Vec<T> s = power_of_two<T>(p.n.integer - SignedLike<T>(1));
  const Vec<T> base = s - T(0.5);
  const Vec<T> base_lo = (s - base) - T(0.5);
  const Pair<T> sum = two_sum(base, s * p.r);
  const Vec<T> y = (sum.hi + mul_add(s, p.tail, sum.lo + base_lo)) * T(2);
  return select(abs(x) < T(sizeof(T) == 4 ? 0x1p-26 : 0x1p-55), x, y);
}

// For x < 0 through e^x, so that small values keep their digits.
template <class T>
PYDL_INLINE Vec<T> sigmoid(Vec<T> x) {
  ScaledExp<T> e = scaled_exp(-min_second(Vec<T>(T(sizeof(T) == 4 ? 112 : 760)), abs(x)));
  const Vec<T> value = e.value(), d = T(1) + value, y = T(1) / d;
  e.rest = neg_mul_add((T(1) - d) + value, y, e.rest);  // what 1 + e lost
  return select(x < T(0), e.times(y), y);
}

// x / (1 + e^-z) with e^-|z| given: for negative z as x e^z / (1 + e^z). NaN for infinities that cancel, as in torch.
template <class T>
PYDL_INLINE Vec<T> gated(Vec<T> x, const ScaledExp<T>& e) {
  const Vec<T> y = x / (T(1) + e.value());
  return select(x > T(0), y, e.times(y));
}
template <class T>
PYDL_INLINE Vec<T> silu(Vec<T> x) {
  constexpr T end = T(sizeof(T) == 4 ? 112 : 760);  // x e^x is below half the smallest denormal
  const Vec<T> a = abs(x);
  const Vec<T> b = min_second(Vec<T>(end), a);
  const Vec<T> y = gated(select(x > T(0), x, copysign(b, x)), scaled_exp(-b));
  return y - select(x > T(0), Vec<T>(T(0)), x - x);
}

template <class T>
PYDL_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> a = abs(x);
#if PYDL_ISA_LEVEL == 2
  if constexpr (sizeof(T) == 4) return tanh_by_table(x);
#endif
  if constexpr (sizeof(T) == 4) {
    // (tanh(x) / x - 1) / x^2 in x^2 on [0, 1].
    static constexpr float c[] = {-0x1.555552p-2f, 0x1.11105ep-3f, -0x1.b9fbdap-5f,  0x1.64ebc8p-6f,
                                  -0x1.19a50cp-7f, 0x1.938478p-9f, -0x1.b8ff7ep-11f, 0x1.fd7c2p-14f};
    const Vec<T> z = x * x;
    const Vec<T> small = mul_add(x * z, polynomial(z, c), x);
    // 1 from 9.02 on.
    const Vec<T> b = min_second(Vec<T>(T(10)), a);
    const Vec<T> large = neg_mul_add(Vec<T>(T(2)), reciprocal(exp_inside(b + b) + T(1)), Vec<T>(T(1)));
    return copysign(select(a < T(1), small, large), x);
  } else {
    const Vec<T> e = expm1(a + a);
    const Vec<T> y = e / (e + T(2));
    return copysign(select(a > T(20), select(isnan(a), a, Vec<T>(T(1))), y), x);
  }
}

// x = 2^e m with m in [sqrt(1/2), sqrt(2)); denormals are normalised first.
template <class T>
struct LogParts {
  Vec<T> exponent, fraction;  // fraction = m - 1
  Vec<SignedLike<T>> e;
};
template <class T>
PYDL_INLINE LogParts<T> log_parts(Vec<T> x) {
#if PYDL_ISA_LEVEL == 2
  if constexpr (sizeof(T) == 8) {
    const __m512d m = _mm512_maskz_getmant_pd(0xff, x.raw, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
    const __m512d e = _mm512_maskz_getexp_pd(0xff, x.raw), one = _mm512_set1_pd(1.0);
    const __mmask8 upper = _mm512_cmp_pd_mask(m, _mm512_set1_pd(0x1.6a09e667f3bcdp+0), _CMP_GE_OQ);
    const Vec<double> exponent = _mm512_mask_add_pd(e, upper, e, one);
    const Vec<double> fraction = Vec<double>(_mm512_mask_mul_pd(m, upper, m, _mm512_set1_pd(0.5))) - 1.0;
    return {exponent, fraction, (Vec<int64_t>::Raw)_mm512_maskz_cvtpd_epi64(0xff, exponent.raw)};
  }
  if constexpr (sizeof(T) == 4) {
    const __m512 m = _mm512_maskz_getmant_ps(0xffff, x.raw, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero);
    const __m512 e = _mm512_maskz_getexp_ps(0xffff, x.raw), one = _mm512_set1_ps(1.0f);
    const __mmask16 upper = _mm512_cmp_ps_mask(m, _mm512_set1_ps(0x1.6a09e6p+0f), _CMP_GE_OQ);
    const Vec<float> exponent = _mm512_mask_add_ps(e, upper, e, one);
    const Vec<float> fraction = Vec<float>(_mm512_mask_mul_ps(m, upper, m, _mm512_set1_ps(0.5f))) - 1.0f;
    return {exponent, fraction, (Vec<int32_t>::Raw)_mm512_maskz_cvtps_epi32(0xffff, exponent.raw)};
  }
#endif
  using I = SignedLike<T>;
  using F = FloatTraits<T>;
  constexpr I sqrt_half = sizeof(T) == 4 ? I(0x3f3504f3) : I(0x3fe6a09e667f3bcd);
  const Mask<T> denormal = x < F::smallest_normal;
  const Vec<T> scaled = select(denormal, x * T(I(1) << F::mantissa_bits), x);
  const Vec<I> bits = bit_cast<I>(scaled) - sqrt_half;
  Vec<I> e = bits >> F::mantissa_bits;
  const Vec<T> m = bit_cast<T>((bits & I((I(1) << F::mantissa_bits) - 1)) + sqrt_half);
  e = e - select(mask_cast<I>(denormal), Vec<I>(I(F::mantissa_bits)), Vec<I>(I(0)));
  return {small_int_to_float<T>(e), m - T(1), e};
}

inline constexpr double kLogSeries[] = {0x1.5555555555558p-1, 0x1.999999999513fp-2, 0x1.2492492e1d0d9p-2, 0x1.c71c62b042dfcp-3,
                                        0x1.7462c33b3e8d7p-3, 0x1.39fc8c69341e7p-3, 0x1.2b6e3cf95449ap-3};

// ln(1 + f) - f to a few ulp, for f in [sqrt(1/2) - 1, sqrt(2) - 1].
template <class T>
PYDL_INLINE Vec<T> log1p_tail(Vec<T> f) {
  if constexpr (sizeof(T) == 4) {
    static constexpr float c[] = {-0x1.fffff8p-2f, 0x1.555544p-2f,  -0x1.0003fep-2f, 0x1.99a97p-3f,  -0x1.54323ap-3f,
                                  0x1.2210f4p-3f,  -0x1.0e844ap-3f, 0x1.0a590cp-3f,  -0x1.4075c6p-4f};
    return f * f * polynomial(f, c);
  } else {
    // With s = f / (2 + f), ln(1 + f) = 2 s + s R(s^2), arranged as in fdlibm so that f stays exact.
    const Vec<T> s = f / (T(2) + f);
    const Vec<T> z = s * s;
    const Vec<T> half_square = T(0.5) * f * f;
    return s * mul_add(z, polynomial(z, kLogSeries), half_square) - half_square;
  }
}

// A base's 1 / ln(base) and ln 2 / ln(base), in two words each; the latter's first is exact times any exponent.
template <class T>
struct LogBase {
  T scale_hi, scale_lo, step_hi, step_lo;
};
template <class T>
inline constexpr LogBase<T> kBaseE = sizeof(T) == 4 ? LogBase<T>{T(1), T(0), T(0x1.62e4p-1), T(0x1.7f7d1cp-20)}
                                                    : LogBase<T>{T(1), T(0), T(0x1.62e42fefap-1), T(0x1.cf79abc9e3b3ap-40)};
template <class T>
inline constexpr LogBase<T> kBase2 = sizeof(T) == 4 ? LogBase<T>{T(0x1.715476p+0), T(0x1.4ae0cp-26), T(1), T(0)}
                                                    : LogBase<T>{T(0x1.71547652b82fep+0), T(0x1.777d0ffda0d24p-56), T(1), T(0)};
template <class T>
inline constexpr LogBase<T> kBase10 =
    sizeof(T) == 4 ? LogBase<T>{T(0x1.bcb7b2p-2), T(-0x1.5b235ep-27), T(0x1.3442p-2), T(-0x1.95ec1p-19)}
                   : LogBase<T>{T(0x1.bcb7b1526e50ep-2), T(0x1.95355baaafad3p-57), T(0x1.34413509f78p-2), T(0x1.fef311f12b358p-46)};

// log(2^e (1 + f)) + correction * scale, before the special cases.
template <class T>
PYDL_INLINE Vec<T> log_combine(const LogParts<T>& p, const LogBase<T>& base, Vec<T> correction) {
  const Vec<T> tail = log1p_tail(p.fraction) + correction;
  if (base.scale_hi == T(1)) {
    return mul_add(p.exponent, base.step_hi, p.fraction + mul_add(p.exponent, base.step_lo, tail));
  }
  const Pair<T> lead = two_product(p.fraction, Vec<T>(base.scale_hi));
  const Pair<T> sum = two_sum(p.exponent * base.step_hi, lead.hi);
  Vec<T> lo = mul_add(p.fraction, base.scale_lo, lead.lo);
  lo = mul_add(p.exponent, base.step_lo, lo);
  return sum.hi + (sum.lo + mul_add(tail, base.scale_hi, lo));
}
// Zero gives -inf, negative NaN, +inf itself.
template <class T>
PYDL_INLINE Vec<T> log_specials(Vec<T> x, Vec<T> y) {
#if PYDL_ISA_LEVEL == 2
  // By class of x, from the lowest four bits: NaN and NaN keep x, 0 gives -inf, 1 y, -inf NaN, inf itself, x < 0 NaN, x > 0 y.
  if constexpr (sizeof(T) == 4) {
    return Vec<T>(_mm512_fixupimm_ps(y.raw, x.raw, _mm512_set1_epi32(0x03530422), 0));
  } else {
    return Vec<T>(_mm512_fixupimm_pd(y.raw, x.raw, _mm512_set1_epi64(0x03530422), 0));
  }
#else
  using F = FloatTraits<T>;
  y = select(x == F::infinity, x, y);
  y = select(x == T(0), Vec<T>(-F::infinity), y);
  return select(x >= T(0), y, Vec<T>(F::quiet_nan));
#endif
}
template <class T>
PYDL_INLINE Vec<T> log_in_base(Vec<T> x, const LogBase<T>& base) {
  return log_specials(x, log_combine(log_parts(x), base, Vec<T>(T(0))));
}
template <class T>
PYDL_INLINE Vec<T> log(Vec<T> x) {
  return log_in_base(x, kBaseE<T>);
}
template <class T>
PYDL_INLINE Vec<T> log2(Vec<T> x) {
  return log_in_base(x, kBase2<T>);
}
template <class T>
PYDL_INLINE Vec<T> log10(Vec<T> x) {
  return log_in_base(x, kBase10<T>);
}

// 1 + x in two words; the second is scaled along and joins the fraction.
template <class T>
PYDL_INLINE Vec<T> log1p(Vec<T> x) {
  const Pair<T> u = two_sum(Vec<T>(T(1)), x);
  LogParts<T> p = log_parts(u.hi);
  // Beyond 2^(bias - 1) the rest is far below the last place; the bound keeps the power a normal number.
  const Vec<T> rest = u.lo * power_of_two<T>(max_second(-p.e, Vec<SignedLike<T>>(1 - FloatTraits<T>::exponent_bias)));
  const Vec<T> exact = p.fraction;
  p.fraction = exact + rest;
  const Vec<T> lost = (exact - p.fraction) + rest;
  const Vec<T> y = log_combine(p, kBaseE<T>, select(abs(u.hi) < T(sizeof(T) == 4 ? 0x1p24 : 0x1p53), lost, Vec<T>(T(0))));
  return select(abs(x) < T(sizeof(T) == 4 ? 0x1p-30 : 0x1p-60), x, log_specials(u.hi, select(x == FloatTraits<T>::infinity, x, y)));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
