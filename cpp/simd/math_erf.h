// The error function and its relatives.
//
// The tail of the normal distribution is exp(-a^2 / 2) t P(t) with t = 1 / (1 + 0.296875 a): the form of Hastings
// (Abramowitz and Stegun 7.1.26) with a minimax P. a^2 is carried in two words, so the relative error stays at a few
// ulp down to the smallest denormal - which is what GELU needs for negative arguments.
#pragma once

#include "simd/math_exp.h"
#include "simd/math_table.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

// P is in t minus a centre: about the middle of the range, where the coefficients stay small, and such that the first of
// them is a number of the format but for a small part of its last place.
inline constexpr float kTailCentre = 0.484375f;
inline constexpr float kTailSeries[] = {0x1.b824ecp-3f, 0x1.44ca98p-2f,  0x1.5ad0e8p-2f, 0x1.d4a22ep-3f, 0x1.7137d8p-5f,
                                        -0x1.219a1p-4f, -0x1.72bca8p-5f, 0x1.e96d04p-6f, 0x1.ad1ceap-6f, -0x1.590e64p-6f};
inline constexpr double kDoubleTailCentre = 0.390625;
inline constexpr double kDoubleTailSeries[] = {0x1.1fd67d3193997p-3,  0x1.ace5400d4edc6p-3,  0x1.17d84bc87b011p-2,  0x1.39cda3b9bbdddp-2,
                                               0x1.249a7747f36e0p-2,  0x1.a8d50107b98f5p-3,  0x1.902df613fdf97p-4,  0x1.a7bcf6bdc1235p-9,
                                               -0x1.389e3c5d93b40p-5, -0x1.a6a22788843acp-6, 0x1.41c756ce2f523p-8,  0x1.0eec6e7630690p-6,
                                               0x1.0274f28b95b69p-8,  -0x1.2815b4bce8c4fp-7, -0x1.541ef7a0182dep-8, 0x1.552948dc94458p-8,
                                               0x1.361f008f1b9c9p-8,  -0x1.d9cd0f0d8f157p-9, -0x1.10aa8693bfd08p-8, 0x1.f8187c883082ep-9,
                                               0x1.5fdb8164e53acp-9,  -0x1.5885d116c879dp-8, 0x1.78e4598a1bc30p-9,  -0x1.2ccfc856d4a04p-11};

// A polynomial in two words, the second from the last addition.
template <class T, int N>
PYDL_INLINE Pair<T> polynomial_two_words(Vec<T> x, const T (&c)[N]) {
  Vec<T> rest(c[N - 1]);
#pragma GCC unroll 32
  for (int i = N - 2; i > 0; --i) rest = mul_add(rest, x, Vec<T>(c[i]));
  const Vec<T> hi = mul_add(rest, x, Vec<T>(c[0]));
  return {hi, mul_add(rest, x, c[0] - hi)};
}

// t = 1 / (1 + scale a), and what its rounding errors do to t P(t), relative to it: `slope`, the logarithmic derivative of
// t P(t) by t, is up to 4, so that an error of t in the last place would show.
template <class T>
struct TailArgument {
  Vec<T> t, correction;
};
template <class T>
PYDL_INLINE TailArgument<T> tail_argument(Vec<T> a, T scale, T slope_2, T slope_1, T slope_0) {
  Vec<T> q, q_lo, miss;
  if constexpr (kHasFma) {
    q = mul_add(a, scale, Vec<T>(T(1)));
    q_lo = mul_add(a, scale, T(1) - q);
  } else {
    const Pair<T> product = two_product(a, Vec<T>(scale));
    q = T(1) + product.hi;
    q_lo = ((T(1) - q) + product.hi) + product.lo;
  }
  const Vec<T> t = reciprocal(q);
  if constexpr (kHasFma) {
    miss = neg_mul_add(t, q_lo, neg_mul_add(q, t, Vec<T>(T(1))));
  } else {
    const Pair<T> one = two_product(q, t);
    miss = neg_mul_add(t, q_lo, (T(1) - one.hi) - one.lo);
  }
  return {t, miss * mul_add(mul_add(t, slope_2, Vec<T>(slope_1)), t, Vec<T>(slope_0))};
}

// 2^n (1 + s) times xt + xt_lo and p: rounded once but for second-order terms.
template <class T>
PYDL_INLINE Vec<T> scaled_product(const Rounded<T>& n, Vec<T> s, const Pair<T>& xt, const Pair<T>& p) {
  const Pair<T> y = two_product(xt.hi, p.hi);
  const Vec<T> lo = mul_add(xt.lo, p.hi, mul_add(xt.hi, p.lo, y.lo));
  return scale_by_power(y.hi + mul_add(y.hi, s, lo), n);
}

// exp(-a^2 / 2) = 2^n (1 + density) and the normal tail probability 2^n (1 + s) t p. What is made of them is scaled last,
// so that denormal results are rounded once.
template <class T>
struct NormalTail {
  Rounded<T> n;
  Vec<T> density, s, t;
  Pair<T> p;
  PYDL_INLINE Vec<T> times(Vec<T> x) const { return scaled_product(n, s, two_product(x, t), p); }
  PYDL_INLINE Vec<T> probability() const { return scaled_product(n, s, {t, Vec<T>(T(0))}, p); }
};
// For a >= 0. Beyond the bounds everything is below half the smallest denormal.
inline constexpr float kNormalEnd = 14.5f;
PYDL_INLINE NormalTail<float> normal_tail(Vec<float> a) {
  a = min_second(Vec<float>(kNormalEnd), a);
  const Pair<float> exponent = two_product(a, -0.5f * a);
  const ExpParts<float> e = exp_parts(exponent.hi, exponent.lo);
  const Vec<float> density = e.r + e.tail;
  const TailArgument<float> at = tail_argument(a, 0.296875f, 0.3305f, 1.5082f, 0.9114f);
  return {e.n, density, mul_add(at.correction, density + 1.0f, density), at.t, polynomial_two_words(at.t - kTailCentre, kTailSeries)};
}
inline constexpr double kDoubleNormalEnd = 39.0;
PYDL_INLINE NormalTail<double> normal_tail(Vec<double> a) {
  a = min_second(Vec<double>(kDoubleNormalEnd), a);
  const Pair<double> exponent = two_product(a, -0.5 * a);
  const ExpParts<double> e = exp_parts(exponent.hi, exponent.lo);
  const Vec<double> density = e.r + e.tail;
  const TailArgument<double> at = tail_argument(a, 0.21875, 2.0188, 0.63, 1.0321);
  return {e.n, density, mul_add(at.correction, density + 1.0, density), at.t,
          polynomial_two_words(at.t - kDoubleTailCentre, kDoubleTailSeries)};
}

// exp(-x^2) t P(t), t = 1 / (1 + 0.296875 x), for x >= 0.
inline constexpr double kErfcCentre = 0.46875;
inline constexpr double kErfcSeries[] = {0x1.38c0e5959b94ap-2,  0x1.013a5e2376486p-1,  0x1.6bab0e34c7bfep-1,  0x1.b2e4aa6555818p-1,
                                         0x1.ab121b8466ae0p-1,  0x1.4441e16fd70eep-1,  0x1.43da0b87223ebp-2,  0x1.e16e4cace1d03p-6,
                                         -0x1.a352af16626dbp-4, -0x1.2970aaa6cfc61p-4, 0x1.73b3a244e7766p-7,  0x1.5119b40bc667ap-5,
                                         0x1.076169e687eaap-7,  -0x1.5af3f89c5a9e8p-6, -0x1.2b5a3f70d8f37p-7, 0x1.898e0302d8118p-7,
                                         0x1.c4b6fcd9b66a0p-8,  -0x1.06e31a8794a85p-7, -0x1.1c24a236437d7p-8, 0x1.87d0f56d484a6p-8,
                                         0x1.9b49971feb242p-10, -0x1.df4272328e2e9p-9, 0x1.227b23257931ep-11, 0x1.052045c0222c7p-11};
PYDL_INLINE Vec<double> erfc_positive(Vec<double> x) {
  x = min_second(Vec<double>(28.0), x);
  const Pair<double> square = two_product(x, -x);
  const ExpParts<double> e = exp_parts(square.hi, square.lo);
  const TailArgument<double> at = tail_argument(x, 0.296875, 2.2764, 0.4944, 1.0481);
  const Vec<double> density = e.r + e.tail;
  return scaled_product(e.n, mul_add(at.correction, density + 1.0, density), {at.t, Vec<double>(0.0)},
                        polynomial_two_words(at.t - kErfcCentre, kErfcSeries));
}

// x Phi(x), with the normal distribution function Phi. Small steps towards x where it is positive: x - x (1 - Phi(x)).
template <class T>
PYDL_INLINE Vec<T> gelu_by_tail(Vec<T> x) {
  constexpr T end = sizeof(T) == 4 ? T(kNormalEnd) : T(kDoubleNormalEnd);
  const Vec<T> a = min_second(Vec<T>(end), abs(x));
  const Vec<T> y = normal_tail(a).times(copysign(a, x));
  // x - x is NaN for infinities, as torch has it for -inf.
  return copysign(select(x > T(0), x - y, y - (x - x)), x);
}
// Around 0 by the Taylor series of Phi: the tail's polynomial would be up to its full error there.
PYDL_INLINE Vec<double> gelu(Vec<double> x) {
  static constexpr double c[] = {0x1.9884533d43651p-2,   -0x1.1058377e2cee0p-4,  0x1.46d04297691dap-7,
                                 -0x1.37403f6ba1100p-10, 0x1.e42b0d5216fc8p-14,  -0x1.3ce8fac15e2c4p-17,
                                 0x1.658a2177b2739p-21,  -0x1.62226a4aabe03p-25, 0x1.3878b823c4d4ep-29};
  const Vec<double> near = x * mul_add(x, polynomial(x * x, c), Vec<double>(0.5));
  return select(abs(x) < 0.25, near, gelu_by_tail(x));
}
PYDL_INLINE Vec<float> gelu(Vec<float> x) {
#if PYDL_ISA_LEVEL == 2
  const Mask<float> far = ~(abs(x) < kGeluTableEnd);
  const Vec<float> near = gelu_by_table(x);
  if (!any(far)) [[likely]]
    return near;
  return select(far, gelu_by_tail(x), near);
#else
  if constexpr (kHasFma) return gelu_by_tail(x);
  const DoublePair p = widen(x);
  return narrow(DoublePair{gelu_by_tail(p.low), gelu_by_tail(p.high)});
#endif
}

PYDL_INLINE Vec<float> erf(Vec<float> x) {
#if PYDL_ISA_LEVEL == 2
  return erf_by_table(x);
#else
  // erf(x) / x - 1 in x^2 on [0, 1].
  static constexpr float c[] = {0x1.06eba8p-3f,   -0x1.812746p-2f, 0x1.ce2f2p-4f,    -0x1.b82cbcp-6f, 0x1.565898p-8f,
                                -0x1.bfe238p-11f, 0x1.f586dap-14f, -0x1.d2e0dap-17f, 0x1.1c92aep-20f};
  const Vec<float> a = abs(x);
  const Vec<float> small = mul_add(x, polynomial(x * x, c), x);
  // From 4 on, 1. The tail is below 0.16 of the result: one word of a^2 is enough.
  const Vec<float> b = min_second(Vec<float>(4.0f), a);
  const Vec<float> t = reciprocal(mul_add(b, 0x1.adebc2p-2f, 1.0f));
  const Vec<float> tail = exp_inside(-b * b) * (t * polynomial(t - kTailCentre, kTailSeries));
  const Vec<float> large = neg_mul_add(tail, Vec<float>(2.0f), Vec<float>(1.0f));
  return select(a < 1.0f, small, copysign(large, x));
#endif
}
PYDL_INLINE Vec<double> erf(Vec<double> x) {
  static constexpr double c[] = {0x1.06eba8214db69p-3,  -0x1.812746b0379e7p-2,  0x1.ce2f21a042be2p-4,  -0x1.b82ce31288b47p-6,
                                 0x1.565bcd0e6a2f8p-8,  -0x1.c02db40036183p-11, 0x1.f9a326f7b28f4p-14, -0x1.f4d25bfa5d81ep-17,
                                 0x1.b9e6c39bb8584p-20, -0x1.5f73c4776c5b8p-23, 0x1.fcbb3f1cff626p-27, -0x1.517d3ce2c125bp-30,
                                 0x1.9a12f1514fddp-34,  -0x1.b41e98712560ap-38, 0x1.3c26d1a8bd666p-42};
  const Vec<double> a = abs(x);
  const Vec<double> small = mul_add(x, polynomial(x * x, c), x);
  return select(a < 1.0, small, copysign(1.0 - erfc_positive(a), x));
}
PYDL_INLINE Vec<double> erfc(Vec<double> x) {
  const Vec<double> y = erfc_positive(abs(x));
  return select(abs(x) < 0.5, 1.0 - erf(x), select(x < 0.0, 2.0 - y, y));
}
PYDL_INLINE Vec<float> erfc(Vec<float> x) {
  const DoublePair p = widen(x);
  return narrow(DoublePair{erfc(p.low), erfc(p.high)});
}

// M. Giles, "Approximating the erfinv function", GPU Computing Gems, 2010 (the single precision form), then Halley steps
// on erf or, beyond 1/2, on its complement.
PYDL_INLINE Vec<double> erfinv(Vec<double> x) {
  static constexpr double central[] = {1.50140941,      0.246640727,    -0.00417768164, -0.00125372503, 0.00021858087,
                                       -4.39150654e-06, -3.5233877e-06, 3.43273939e-07, 2.81022636e-08};
  static constexpr double outer[] = {2.83297682,     1.00167406,    0.00943887047,  -0.0076224613,  0.00573950773,
                                     -0.00367342844, 0.00134934322, 0.000100950558, -0.000200214257};
  const Vec<double> a = abs(x);
  const Vec<double> rest = 1.0 - a;
  const Vec<double> w = -log(rest * (1.0 + a));
  const Vec<double> far = simd::PYDL_ISA::sqrt(w) - 3.0;
  Vec<double> y = a * select(w < 5.0, polynomial(w - 2.5, central), polynomial(far, outer));
  const Mask<double> near = a < 0.5;
#pragma GCC unroll 1
  for (int step = 0; step < 2; ++step) {
    const Vec<double> miss = select(near, erf(y) - a, rest - erfc_positive(y));
    const Vec<double> u = miss * (0x1.c5bf891b4ef6bp-1 * exp(y * y));
    y = y - u / mul_add(y, u, 1.0);
  }
  y = select(a == 1.0, Vec<double>(FloatTraits<double>::infinity), y);
  y = select(a <= 1.0, y, Vec<double>(FloatTraits<double>::quiet_nan));
  return select(x == 0.0, x, copysign(y, x));
}
PYDL_INLINE Vec<float> erfinv(Vec<float> x) {
  const DoublePair p = widen(x);
  return narrow(DoublePair{erfinv(p.low), erfinv(p.high)});
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
