// The error function and its relatives.
//
// The tail of the normal distribution is exp(-a^2 / 2) t P(t) with t = 1 / (1 + 0.296875 a): the form of Hastings
// (Abramowitz and Stegun 7.1.26) with a minimax P. a^2 is carried in two words, so the relative error stays at a few
// ulp down to the smallest denormal - which is what GELU needs for negative arguments.
#pragma once

#include "simd/math_exp.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

// P is in t minus this: about the middle of its range, where the coefficients stay small.
inline constexpr float kTailCentre = 0.5625f;
inline constexpr float kTailSeries[] = {0x1.ef5a5ap-3f,  0x1.7f587ep-2f,  0x1.930e18p-2f, 0x1.e7d75ap-3f, 0x1.c66628p-7f,
                                        -0x1.6638dcp-4f, -0x1.9e14a6p-6f, 0x1.52f3e2p-5f, 0x1.72f53p-7f,  -0x1.4ed914p-6f};

// exp(-square / 2) and exp(-square / 2) t P(t), the normal tail probability.
template <class T>
struct NormalTail {
  Vec<T> density, probability;  // the density without its factor 1 / sqrt(2 pi)
};
template <class T>
PYDL_INLINE Vec<T> exp_two_words(Vec<T> hi, Vec<T> lo) {
  using C = ExpConstants<T>;
  const Mask<T> inside = hi > C::lowest;
  const ExpParts<T> p = exp_parts(max_second(Vec<T>(C::lowest), hi), select(inside, lo, Vec<T>(T(0))));
  return scale_by_power(T(1) + (p.r + p.tail), p.n);
}
// For a >= 0.
PYDL_INLINE NormalTail<float> normal_tail(Vec<float> a) {
  // Beyond, both are below half the smallest denormal.
  a = min_second(Vec<float>(14.5f), a);
  const Pair<float> exponent = two_product(a, -0.5f * a);
  const ExpParts<float> e = exp_parts(exponent.hi, exponent.lo);
  const Vec<float> density = scale_by_power(1.0f + (e.r + e.tail), e.n);
  const Vec<float> t = 1.0f / mul_add(a, 0.296875f, 1.0f);
  return {density, density * (t * polynomial(t - kTailCentre, kTailSeries))};
}

// exp(-x^2) t P(t), t = 1 / (1 + 0.296875 x), for x >= 0.
PYDL_INLINE Vec<double> erfc_positive(Vec<double> x) {
  static constexpr double c[] = {0x1.7029f7d3c5249p-2,  0x1.526c2f415c14cp-1,   0x1.ff5d25006f057p-1, 0x1.391d6876a592p+0,
                                 0x1.2c441271b021dp+0,  0x1.9f5ab4d851d1dp-1,   0x1.38fc2d5163339p-2, -0x1.17462964f0ab7p-4,
                                 -0x1.3a4cd78b7b91p-3,  -0x1.572c89c3482f1p-5,  0x1.b2726c3f1a7c2p-5, 0x1.195dd8bc96f97p-5,
                                 -0x1.47a4196b5a492p-6, -0x1.50480fdf3b071p-6,  0x1.48d37c0e07e49p-7, 0x1.7f501a018fecap-7,
                                 -0x1.bf64df01dd986p-8, -0x1.a1c10d215325cp-8,  0x1.58f22b6acf18bp-8, 0x1.87d30aeb5bdd4p-9,
                                 -0x1.d20f8dcc7e475p-9, -0x1.d51ca00f676a3p-11, 0x1.71be329b31a58p-10};
  x = min_second(Vec<double>(40.0), x);
  const Pair<double> square = two_product(x, x);
  const Vec<double> t = 1.0 / mul_add(x, 0.296875, 1.0);
  return exp_two_words(-square.hi, -square.lo) * (t * polynomial(t - double(kTailCentre), c));
}
PYDL_INLINE NormalTail<double> normal_tail(Vec<double> a) {
  constexpr double root_half = 0x1.6a09e667f3bcdp-1, root_half_rest = -0x1.bdd3413b26456p-55;
  a = min_second(Vec<double>(60.0), a);
  const Pair<double> square = two_product(a, a);
  const Vec<double> density = exp_two_words(-0.5 * square.hi, -0.5 * square.lo);
  // erfc(a / sqrt 2) / 2 with the argument's rounding error taken to first order into the exponent.
  const Pair<double> x = two_product(a, Vec<double>(root_half));
  const Vec<double> lo = mul_add(a, root_half_rest, x.lo);
  return {density, 0.5 * erfc_positive(x.hi) * (1.0 - 2.0 * x.hi * lo)};
}

// Phi(x), the normal distribution function.
template <class T>
PYDL_INLINE Vec<T> normal_cdf(Vec<T> x, const NormalTail<T>& tail) {
  return select(x < T(0), tail.probability, T(1) - tail.probability);
}

PYDL_INLINE Vec<float> erf(Vec<float> x) {
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
