// Trigonometric and hyperbolic functions and their inverses.
//
// Written for double (about 1 ulp); float results are those of double rounded once. Arguments beyond the range where
// Cody-Waite reduction is exact go to the C library one by one (it reduces by Payne and Hanek's method).
// The case splits for the inverse functions are those of fdlibm; polynomials by Remez exchange.
#pragma once

#include "simd/math_exp.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

using Doubles = Vec<double>;

inline constexpr double kHalfPi = 0x1.921fb54442d18p+0, kHalfPiRest = 0x1.1a62633145c07p-54;
inline constexpr double kPi = 0x1.921fb54442d18p+1, kPiRest = 0x1.1a62633145c07p-53;

// x = n pi/2 + r + r_lo. pi/2 in three words, the first two of 33 bits: n times them is exact for |n| < 2^20.
struct Quadrant {
  Vec<int64_t> n;
  Doubles r, r_lo;
};
inline constexpr double kTrigLimit = 0x1p20;
PYDL_INLINE Quadrant reduce_half_pi(Doubles x) {
  constexpr double p1 = 0x1.921fb544p+0, p2 = 0x1.0b4611a6p-34, p3 = 0x1.3198a2e037073p-69;
  const Rounded<double> n = round_to_int(x, 0x1.45f306dc9c883p-1);
  const Doubles a = x - n.value * p1;
  const Doubles w = n.value * p2;
  const Doubles b = a - w;
  const Doubles w2 = ((a - b) - w) - n.value * p3;
  const Doubles r = b + w2;
  return {n.integer, r, (b - r) + w2};
}
inline constexpr double kSinSeries[] = {-0x1.5555555555555p-3,  0x1.111111111111p-7,   -0x1.a01a01a01993p-13, 0x1.71de3a545f9b2p-19,
                                        -0x1.ae6454110e23bp-26, 0x1.61217dacd9b67p-33, -0x1.ab17041785874p-41};
PYDL_INLINE Doubles sin_kernel(Doubles r, Doubles r_lo) {
  const Doubles z = r * r;
  return r + mul_add(r * z, polynomial(z, kSinSeries), r_lo);
}
inline constexpr double kCosSeries[] = {0x1.5555555555555p-5,  -0x1.6c16c16c16c16p-10, 0x1.a01a01a019d07p-16, -0x1.27e4fb771265dp-22,
                                        0x1.1eed8dead2a82p-29, -0x1.9394b8d28d60fp-37, 0x1.ab77a0c32ea6p-45};
PYDL_INLINE Doubles cos_kernel(Doubles r, Doubles r_lo) {
  const Doubles z = r * r;
  const Doubles half = 0.5 * z;
  const Doubles w = 1.0 - half;
  return w + (((1.0 - w) - half) + (z * z * polynomial(z, kCosSeries) - r * r_lo));
}
// The lanes with bit `bit` of n set.
PYDL_INLINE Mask<double> bit_mask(Vec<int64_t> n, int64_t bit) { return mask_cast<double>((n & bit) != int64_t(0)); }
PYDL_INLINE Doubles negate_if(Mask<double> m, Doubles x) { return select(m, -x, x); }
PYDL_INLINE Mask<double> beyond_reduction(Doubles x) { return ~(abs(x) < kTrigLimit); }

PYDL_INLINE Doubles sin(Doubles x) {
  const Quadrant q = reduce_half_pi(x);
  const Doubles y = negate_if(bit_mask(q.n, 2), select(bit_mask(q.n, 1), cos_kernel(q.r, q.r_lo), sin_kernel(q.r, q.r_lo)));
  return patch_lanes(beyond_reduction(x), select(x == 0.0, x, y), [](double v) { return __builtin_sin(v); }, x);
}
PYDL_INLINE Doubles cos(Doubles x) {
  const Quadrant q = reduce_half_pi(x);
  const Doubles y = negate_if(bit_mask(q.n + int64_t(1), 2), select(bit_mask(q.n, 1), sin_kernel(q.r, q.r_lo), cos_kernel(q.r, q.r_lo)));
  return patch_lanes(beyond_reduction(x), y, [](double v) { return __builtin_cos(v); }, x);
}
PYDL_INLINE Doubles tan(Doubles x) {
  const Quadrant q = reduce_half_pi(x);
  const Doubles s = sin_kernel(q.r, q.r_lo), c = cos_kernel(q.r, q.r_lo);
  const Mask<double> odd = bit_mask(q.n, 1);
  const Doubles y = select(odd, -c, s) / select(odd, s, c);
  return patch_lanes(beyond_reduction(x), select(x == 0.0, x, y), [](double v) { return __builtin_tan(v); }, x);
}

// atan(t) - t on |t| <= tan(pi/8).
PYDL_INLINE Doubles atan_tail(Doubles t) {
  static constexpr double c[] = {-0x1.5555555555555p-2, 0x1.9999999999957p-3, -0x1.249249248dbp-3,   0x1.c71c71c326eacp-4,
                                 -0x1.745d16640dfe8p-4, 0x1.3b13937c72b95p-4, -0x1.110e92957f1fdp-4, 0x1.e19af48921b86p-5,
                                 -0x1.ac8096d02a416p-5, 0x1.74f7626a85d94p-5, -0x1.1b711646c7f4fp-5, 0x1.0b529fad6921cp-6};
  const Doubles z = t * t;
  return t * z * polynomial(z, c);
}
// Of a >= 0 given as a fraction: no overflow for any a.
PYDL_INLINE Doubles atan_positive(Doubles a) {
  const Mask<double> large = a > 2.414213562373095, middle = (a > 0.4142135623730950) & ~large;
  const Doubles t = select(large, Doubles(-1.0), select(middle, a - 1.0, a)) / select(large, a, select(middle, a + 1.0, Doubles(1.0)));
  const Doubles base = select(large, Doubles(kHalfPi), select(middle, Doubles(kHalfPi / 2), Doubles(0.0)));
  const Doubles rest = select(large, Doubles(kHalfPiRest), select(middle, Doubles(kHalfPiRest / 2), Doubles(0.0)));
  const Pair<double> sum = two_sum(base, t);
  return sum.hi + (sum.lo + (rest + atan_tail(t)));
}
PYDL_INLINE Doubles atan(Doubles x) { return copysign(atan_positive(abs(x)), x); }

PYDL_INLINE Doubles atan2(Doubles y, Doubles x) {
  const Doubles ay = abs(y), ax = abs(x);
  const Mask<double> steep = ay > ax;
  const Doubles small = select(steep, ax, ay), large = select(steep, ay, ax);
  Doubles ratio = small / large;
  ratio = select(small == large, select(large == 0.0, large, Doubles(1.0)), ratio);
  Doubles angle = atan_positive(ratio);
  angle = select(steep, (kHalfPi - angle) + kHalfPiRest, angle);
  angle = select(mask_cast<double>(bit_cast<int64_t>(x) < int64_t(0)), (kPi - angle) + kPiRest, angle);
  return select(isnan(x) | isnan(y), x + y, copysign(angle, y));
}

// asin(t) - t for t^2 = z <= 1/4.
PYDL_INLINE Doubles asin_tail(Doubles t, Doubles z) {
  static constexpr double c[] = {0x1.5555555555556p-3, 0x1.3333333332e38p-4, 0x1.6db6db6e3f9d7p-5, 0x1.f1c71c15a8ecep-6,
                                 0x1.6e8bb2ffbe5bap-6, 0x1.1c4d19f352c05p-6, 0x1.c9d22f8df290ap-7, 0x1.780830a3c4308p-7,
                                 0x1.5301d1895aa86p-7, 0x1.5f5da7a8ed409p-8, 0x1.214aa025c1753p-6, -0x1.f382a5cb51d33p-7,
                                 0x1.db77f218dd8b5p-6};
  return t * z * polynomial(z, c);
}
// For a > 1/2: half of acos(a), as sqrt((1 - a) / 2) = root + root_lo and the tail of asin there.
struct HalfAngle {
  Doubles root, rest;
};
PYDL_INLINE HalfAngle half_acos(Doubles a) {
  const Doubles z = (1.0 - a) * 0.5;
  const Doubles root = simd::PYDL_ISA::sqrt(z);
  const Pair<double> square = two_product(root, root);
  const Doubles root_lo = select(root > 0.0, ((z - square.hi) - square.lo) / (root + root), Doubles(0.0));
  return {root, root_lo + asin_tail(root, z)};
}
PYDL_INLINE Doubles asin(Doubles x) {
  const Doubles a = abs(x);
  const Doubles near_zero = x + asin_tail(x, x * x);
  const HalfAngle h = half_acos(a);
  const Pair<double> sum = two_sum(Doubles(kHalfPi), -2.0 * h.root);
  const Doubles near_one = sum.hi + (sum.lo + (kHalfPiRest - 2.0 * h.rest));
  return select(a <= 0.5, near_zero, copysign(near_one, x));
}
PYDL_INLINE Doubles acos(Doubles x) {
  const Doubles a = abs(x);
  const Pair<double> middle = two_sum(Doubles(kHalfPi), -x);
  const Doubles near_zero = middle.hi + (middle.lo + (kHalfPiRest - asin_tail(x, x * x)));
  const HalfAngle h = half_acos(a);
  const Doubles near_one = 2.0 * (h.root + h.rest);
  const Pair<double> sum = two_sum(Doubles(kPi), -2.0 * h.root);
  const Doubles near_minus_one = sum.hi + (sum.lo + (kPiRest - 2.0 * h.rest));
  return select(a <= 0.5, near_zero, select(x > 0.0, near_one, near_minus_one));
}

PYDL_INLINE Doubles sinh(Doubles x) {
  const Doubles a = abs(x);
  const Doubles e = expm1(min_second(Doubles(2.0), a));
  const Doubles small = 0.5 * (e + e / (e + 1.0));
  const Doubles h = half_exp(a);
  return copysign(select(a < 1.0, small, h - 0.25 / h), x);
}
PYDL_INLINE Doubles cosh(Doubles x) {
  const Doubles h = half_exp(abs(x));
  return h + 0.25 / h;
}
inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;
PYDL_INLINE Doubles asinh(Doubles x) {
  const Doubles a = abs(x);
  const Mask<double> large = a > 0x1p28;
  const Doubles b = select(large, Doubles(1.0), a);
  const Doubles square = b * b;
  const Doubles y = log1p(select(large, a - 1.0, b + square / (1.0 + simd::PYDL_ISA::sqrt(square + 1.0))));
  return copysign(select(large, y + kLn2, select(isnan(a), a, y)), x);
}
PYDL_INLINE Doubles acosh(Doubles x) {
  const Mask<double> large = x > 0x1p28;
  const Doubles t = x - 1.0;
  const Doubles y = log1p(select(large, t, t + simd::PYDL_ISA::sqrt(2.0 * t + t * t)));
  return select(x >= 1.0, select(large, y + kLn2, y), Doubles(FloatTraits<double>::quiet_nan));
}
PYDL_INLINE Doubles atanh(Doubles x) {
  const Doubles a = abs(x);
  return copysign(0.5 * log1p((a + a) / (1.0 - a)), x);
}

// Float sine and cosine of arguments up to 2^15 natively. x = m pi + r with |r| <= pi/2, m whole for the sine and half-odd
// for the cosine, so that both are the sine of r but for the sign; pi in three words of 24 bits, of which the first is
// taken off exactly. Without FMA, and beyond, by double.
inline constexpr float kFloatTrigLimit = 0x1p15f;
// Rounding must not lead out of [-1, 1].
PYDL_INLINE Vec<float> limit_to_one(Vec<float> y) {
#if PYDL_ISA_LEVEL == 2
  return _mm512_maskz_range_ps(0xffff, y.raw, _mm512_set1_ps(1.0f), 2);  // the smaller magnitude, the sign of y
#else
  return clamp_keeping_nan(y, -1.0f, 1.0f);
#endif
}
template <bool Cosine>
PYDL_INLINE Vec<float> sin_or_cos(Vec<float> x) {
  static constexpr float series[] = {-0x1.555556p-3f, 0x1.111136p-7f, -0x1.a023ccp-13f, 0x1.72cdd2p-19f, -0x1.b6219ap-26f};
  constexpr float p1 = 0x1.921fb6p+1f, p2 = -0x1.777a5cp-24f, p3 = -0x1.ee59dap-49f, per_pi = 0x1.45f306p-2f;
  const Rounded<float> n = Cosine ? round_to_int(mul_add(x, per_pi, Vec<float>(0.5f))) : round_to_int(x, per_pi);
  const Vec<float> m = Cosine ? n.value - 0.5f : n.value;
  const Vec<float> r = neg_mul_add(m, p3, neg_mul_add(m, p2, neg_mul_add(m, p1, x)));
  const Vec<float> z = r * r;
  const Vec<float> y = limit_to_one(mul_add(r * z, polynomial(z, series), r)) ^ bit_cast<float>(n.integer << 31);
  const Mask<float> far = ~(abs(x) < kFloatTrigLimit);
  if constexpr (Cosine) {
    return patch_lanes(far, y, [](float v) { return static_cast<float>(__builtin_cos(v)); }, x);
  } else {
    return patch_lanes(far, select(x == 0.0f, x, y), [](float v) { return static_cast<float>(__builtin_sin(v)); }, x);
  }
}
PYDL_INLINE Vec<float> sin(Vec<float> x) {
  if constexpr (kHasFma) return sin_or_cos<false>(x);
  const DoublePair p = widen(x);
  return narrow(DoublePair{sin(p.low), sin(p.high)});
}
PYDL_INLINE Vec<float> cos(Vec<float> x) {
  if constexpr (kHasFma) return sin_or_cos<true>(x);
  const DoublePair p = widen(x);
  return narrow(DoublePair{cos(p.low), cos(p.high)});
}

// x = n pi/2 + r with |r| <= pi/4; tan(r) in two words, inverted where n is odd.
PYDL_INLINE Vec<float> tan(Vec<float> x) {
  if constexpr (!kHasFma) {
    const DoublePair d = widen(x);
    return narrow(DoublePair{tan(d.low), tan(d.high)});
  } else {
    // (tan(r) / r - 1) / r^2
    static constexpr float series[] = {0x1.55556p-2f,  0x1.110d9cp-3f,  0x1.bada4ap-5f, 0x1.5cba3cp-6f,
                                       0x1.62f14ep-7f, 0x1.8208ccp-14f, 0x1.1ec804p-8f};
    constexpr float p1 = 0x1.921fb6p+0f, p2 = -0x1.777a5cp-25f, p3 = -0x1.ee59dap-50f;
    const Rounded<float> n = round_to_int(x, 0x1.45f306p-1f);
    const Vec<float> r = neg_mul_add(n.value, p3, neg_mul_add(n.value, p2, neg_mul_add(n.value, p1, x)));
    const Vec<float> z = r * r;
    const Vec<float> tail = r * z * polynomial(z, series);
    const Vec<float> t = r + tail, t_lo = (r - t) + tail;
    const Vec<float> inverse = reciprocal(t);
    const Vec<float> miss = neg_mul_add(t_lo, inverse, neg_mul_add(t, inverse, Vec<float>(1.0f)));
    const Vec<float> y = select(mask_cast<float>((n.integer & 1) != 0), -mul_add(miss, inverse, inverse), t);
    return patch_lanes(
        ~(abs(x) < kFloatTrigLimit), select(x == 0.0f, x, y), [](float v) { return static_cast<float>(__builtin_tan(v)); }, x);
  }
}

#define PYDL_VIA_DOUBLE(name)                             \
  PYDL_INLINE Vec<float> name(Vec<float> x) {             \
    const DoublePair p = widen(x);                        \
    return narrow(DoublePair{name(p.low), name(p.high)}); \
  }
PYDL_VIA_DOUBLE(asin)
PYDL_VIA_DOUBLE(acos)
PYDL_VIA_DOUBLE(atan)
PYDL_VIA_DOUBLE(sinh)
PYDL_VIA_DOUBLE(cosh)
PYDL_VIA_DOUBLE(asinh)
PYDL_VIA_DOUBLE(acosh)
PYDL_VIA_DOUBLE(atanh)
#undef PYDL_VIA_DOUBLE

PYDL_INLINE Vec<float> atan2(Vec<float> y, Vec<float> x) {
  const DoublePair a = widen(y), b = widen(x);
  return narrow(DoublePair{atan2(a.low, b.low), atan2(a.high, b.high)});
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
