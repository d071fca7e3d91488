// The incomplete gamma functions, the Hurwitz zeta function and the normal distribution's tail, one double at a time.
#pragma once

#include "simd/math_erf.h"
#include "simd/math_gamma.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

// log(1 + u) - u
inline double log1p_minus(double u) {
  if (__builtin_fabs(u) > 0.125) return __builtin_log1p(u) - u;
  double sum = 0;
  for (int k = 20; k >= 2; --k) sum = (k % 2 ? 1.0 : -1.0) / k + sum * u;
  return sum * u * u;
}
// The part of log(gamma(a + 1)) beyond Stirling's formula (Abramowitz and Stegun 6.1.40).
inline double stirling_rest(double a) {
  const double z = 1 / (a * a);
  return (1.0 / 12 - z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188))))) / a;
}
// x^a e^-x / gamma(a + 1)
inline double gamma_density(double a, double x) {
  if (a < 10) return __builtin_exp(a * __builtin_log(x) - x - lgamma_scalar(a + 1));
  constexpr double two_pi = 0x1.921fb54442d18p+2;
  const double exponent = __builtin_fabs(x - a) < a / 2 ? a * log1p_minus((x - a) / a) : a * __builtin_log(x / a) - (x - a);
  return __builtin_exp(exponent - stirling_rest(a)) / __builtin_sqrt(two_pi * a);
}
// The lower function by its series (6.5.29).
inline double lower_series(double a, double x) {
  double term = 1, sum = 1;
  for (double k = a + 1; term > 1e-17 * sum; ++k) {
    term *= x / k;
    sum += term;
  }
  return sum * gamma_density(a, x);
}
// The upper one by the series of the lower without its first term: for small a and x, where 1 - P cancels.
inline double upper_series(double a, double x) {
  double term = 1, sum = 0;
  for (int k = 1; k < 200; ++k) {
    term *= -x / k;
    sum += term / (a + k);
    if (__builtin_fabs(term) < 1e-18 * __builtin_fabs(sum)) break;
  }
  const double exponent = a * __builtin_log(x) - lgamma_scalar(a + 1);
  return -__builtin_expm1(exponent) - __builtin_exp(exponent) * a * sum;
}
// By the continued fraction 6.5.31, by Lentz's method.
inline double upper_fraction(double a, double x) {
  constexpr double tiny = 1e-300;
  double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
  for (int i = 1; i < 2000; ++i) {
    const double an = -i * (i - a);
    b += 2;
    d = an * d + b;
    if (__builtin_fabs(d) < tiny) d = tiny;
    c = b + an / c;
    if (__builtin_fabs(c) < tiny) c = tiny;
    d = 1 / d;
    const double step = d * c;
    h *= step;
    if (__builtin_fabs(step - 1) < 1e-16) break;
  }
  return h * a * gamma_density(a, x);
}
// For large a: the smaller of the two by Gauss-Legendre quadrature over the ten or so deviations that count.
struct Tail {
  double value;
  bool upper;
};
inline Tail tail_by_quadrature(double a, double x) {
  static constexpr double nodes[] = {
      0x1.cdf94ca307200p-11, 0x1.2fe1f2bf95440p-8, 0x1.7492aec843120p-7, 0x1.58bed3a6078a0p-6, 0x1.1332e072735e8p-5, 0x1.9100d764edd90p-5,
      0x1.1283d2f057f04p-4,  0x1.6731b3e583bc0p-4, 0x1.c607afc6a6240p-4, 0x1.1739e220b3b14p-3, 0x1.4fea963d0398cp-3, 0x1.8cbeac535a8e2p-3,
      0x1.cd587d6df506cp-3,  0x1.08aa49dc89aacp-2, 0x1.2c2521d2eb097p-2, 0x1.50e62688f4cb5p-2, 0x1.76b4c1be15f78p-2, 0x1.9d56be21bd13ap-2,
      0x1.c490a0f1b9f8dp-2,  0x1.ec26058da6390p-2, 0x1.09ecfd392ce38p-1, 0x1.1db7af872303ap-1, 0x1.3154a0ef21763p-1, 0x1.44a59f20f5044p-1,
      0x1.578cecbb859a6p-1,  0x1.69ed6f168a7b4p-1, 0x1.7baadb11bb2aap-1, 0x1.8ca9e0a482be5p-1, 0x1.9cd054eb295c8p-1, 0x1.ac055a70bf19dp-1,
      0x1.ba318777d313bp-1,  0x1.c73f0a072b3b8p-1, 0x1.d319c9834f888p-1, 0x1.ddaf85a1f5020p-1, 0x1.e6eff289b1227p-1, 0x1.eeccd1f8d8ca2p-1,
      0x1.f53a0962cfc3bp-1,  0x1.fa2db544def3cp-1, 0x1.fda03c1a80d58p-1, 0x1.ff8c81acd73e4p-1};
  static constexpr double weights[] = {
      0x1.284e71463cf0fp-9, 0x1.5801fe5cda2e1p-8, 0x1.0d0ae92dd2e30p-7, 0x1.6c79dab0af34cp-7, 0x1.c9b84cd4f2e1fp-7, 0x1.121b1d8e9a257p-6,
      0x1.3db419e3c969ep-6, 0x1.6763f67ce7b64p-6, 0x1.8eea82a7d68eap-6, 0x1.b40ae2c10a3e3p-6, 0x1.d68bed38b193ep-6, 0x1.f6388251875f2p-6,
      0x1.096feee7215bdp-5, 0x1.162af0fc7e7e7p-5, 0x1.2139adc432370p-5, 0x1.2a8b1efb50a2dp-5, 0x1.3210ebf5b81f0p-5, 0x1.37bf7fb3ffa4cp-5,
      0x1.3b8e1ab8156c6p-5, 0x1.3d76e07d0145bp-5, 0x1.3d76e07d0145bp-5, 0x1.3b8e1ab8156c6p-5, 0x1.37bf7fb3ffa4cp-5, 0x1.3210ebf5b81f0p-5,
      0x1.2a8b1efb50a2dp-5, 0x1.2139adc432370p-5, 0x1.162af0fc7e7e7p-5, 0x1.096feee7215bdp-5, 0x1.f6388251875f2p-6, 0x1.d68bed38b193ep-6,
      0x1.b40ae2c10a3e3p-6, 0x1.8eea82a7d68eap-6, 0x1.6763f67ce7b64p-6, 0x1.3db419e3c969ep-6, 0x1.121b1d8e9a257p-6, 0x1.c9b84cd4f2e1fp-7,
      0x1.6c79dab0af34cp-7, 0x1.0d0ae92dd2e30p-7, 0x1.5801fe5cda2e1p-8, 0x1.284e71463cf0fp-9};
  constexpr double two_pi = 0x1.921fb54442d18p+2;
  const double mode = a - 1, deviation = __builtin_sqrt(mode);
  const bool upper = x > mode;
  const double far = upper ? __builtin_fmax(mode + 11.5 * deviation, x + 6 * deviation)
                           : __builtin_fmax(0, __builtin_fmin(mode - 7.5 * deviation, x - 5 * deviation));
  double sum = 0;
  for (int i = 0; i < 40; ++i) {
    const double step = (x - mode) + (far - x) * nodes[i];
    sum += weights[i] * __builtin_exp(mode * log1p_minus(step / mode));
  }
  return {sum * __builtin_fabs(far - x) * __builtin_exp(-stirling_rest(mode)) / __builtin_sqrt(two_pi * mode), upper};
}

// P(a, x), or Q(a, x) = 1 - P(a, x).
template <bool Upper>
inline double incomplete_gamma(double a, double x) {
  constexpr double at_once = Upper ? 0 : 1;  // all of the mass lies below x
  if (!(a >= 0) || !(x >= 0)) return __builtin_nan("");
  if (a == 0) return x > 0 ? at_once : __builtin_nan("");
  if (x == 0) return 1 - at_once;
  if (__builtin_isinf(a)) return __builtin_isinf(x) ? __builtin_nan("") : 1 - at_once;
  if (__builtin_isinf(x)) return at_once;
  if (a >= 100) {
    const Tail tail = tail_by_quadrature(a, x);
    return tail.upper == Upper ? tail.value : 1 - tail.value;
  }
  if (x <= 1.1 && x <= a + 1) {
    if (Upper && (a < 1 || x > a)) return upper_series(a, x);
    const double lower = lower_series(a, x);
    return Upper ? 1 - lower : lower;
  }
  if (x < a + 1) {
    const double lower = lower_series(a, x);
    return Upper ? 1 - lower : lower;
  }
  const double upper = upper_fraction(a, x);
  return Upper ? upper : 1 - upper;
}

// The sum of (q + k)^-s over k >= 0, by the Euler-Maclaurin formula (Abramowitz and Stegun 23.1.30).
inline double hurwitz_zeta(double s, double q) {
  if (!(s >= 1) || __builtin_isinf(s) || __builtin_isinf(q) || q != q) return __builtin_nan("");
  if (s == 1) return __builtin_inf();
  if (q <= 0) {
    if (q == __builtin_floor(q)) return __builtin_inf();
    if (s != __builtin_floor(s)) return __builtin_nan("");
    // Far to the left only the nearest poles count: the function is periodic up to a vanishing term.
    if (q < -1e4) q -= __builtin_floor(q) + 1e4;
  }
  double sum = 0, x = q;
  for (double term = 1; x < 14 + s / 2; x += 1) {
    term = __builtin_pow(x, -s);
    sum += term;
    if (x > 1 && !(term > 1e-17 * __builtin_fabs(sum))) return sum;  // also when both are 0, or the sum is not finite
  }
  // B_2j / (2j)!
  static constexpr double series[] = {1.0 / 12,
                                      -1.0 / 720,
                                      1.0 / 30240,
                                      -1.0 / 1209600,
                                      1.0 / 47900160,
                                      -691.0 / 1307674368000.0,
                                      1.0 / 74724249600.0,
                                      -3617.0 / 10670622842880000.0,
                                      43867.0 / 5109094217170944000.0};
  const double tail = __builtin_pow(x, -s);
  sum += x * tail / (s - 1) + 0.5 * tail;
  double term = s * tail / x;
  for (int j = 0; j < 9; ++j) {
    sum += series[j] * term;
    term *= (s + 2 * j + 1) / x * ((s + 2 * j + 2) / x);
  }
  return sum;
}

// ---- the normal distribution -----------------------------------------------------------------------------------

// exp(x^2) erfc(x)
inline double erfcx_scalar(double x) {
  constexpr double root_pi = 0x1.c5bf891b4ef6ap+0;
  if (x < 0) {
    const double square = x * x, a = __builtin_fabs(x);
    if (a > 27) return __builtin_inf();
    // The rounding error of the square, by halves of 26 bits.
    const double high = static_cast<double>(static_cast<float>(a)), low = a - high;
    const double rest = ((high * high - square) + 2 * high * low) + low * low;
    const double e = __builtin_exp(square);
    return 2 * (e + e * rest) - erfcx_scalar(a);
  }
  if (x > 27) {  // Abramowitz and Stegun 7.1.23
    const double z = 0.5 / (x * x);
    return (1 - z * (1 - z * (3 - z * (15 - z * (105 - z * (945 - 10395 * z)))))) / (x * root_pi);
  }
  const double t = 1 / (1 + 0.296875 * x), u = t - kErfcCentre;
  double p = 0;
  for (int i = static_cast<int>(sizeof(kErfcSeries) / sizeof(double)) - 1; i >= 0; --i) p = p * u + kErfcSeries[i];
  return x == x ? t * p : x;
}
inline constexpr double kRootHalf = 0x1.6a09e667f3bcdp-1;
inline double log_ndtr_scalar(double x) {
  if (x < -1) return __builtin_log(erfcx_scalar(-x * kRootHalf) / 2) - x * x / 2;
  return __builtin_log1p(-__builtin_erfc(x * kRootHalf) / 2);
}
// The inverse of the normal distribution function: Newton's method on its logarithm, which is concave, from the left.
inline double ndtri_scalar(double p) {
  if (!(p >= 0 && p <= 1)) return __builtin_nan("");
  if (p == 0 || p == 1) return p == 0 ? -__builtin_inf() : __builtin_inf();
  if (p == 0.5) return 0;
  if (p > 0.5) return -ndtri_scalar(1 - p);
  const double goal = __builtin_log(p);
  double y = -__builtin_sqrt(-2 * goal);
  for (int i = 0; i < 12; ++i) {
    // In the middle the difference itself, whose digits the logarithms would lose.
    const double miss = p > 0.1 ? (__builtin_erf(y * kRootHalf) - (2 * p - 1)) / (2 * p) : log_ndtr_scalar(y) - goal;
    const double hazard = 0x1.9884533d43651p-1 / erfcx_scalar(-y * kRootHalf);
    const double step = miss / hazard;
    y -= step;
    if (__builtin_fabs(step) <= 1e-16 * __builtin_fabs(y)) break;
  }
  return y;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
