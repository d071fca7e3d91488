// Gamma-function relatives, one element at a time.
#pragma once

#include "simd/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_INLINE double lgamma_scalar(double x) {
  int sign;
  return __builtin_lgamma_r(x, &sign);
}

// Reflection for negative x, recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.7, 6.3.5, 6.3.18).
inline double digamma_scalar(double x) {
  constexpr double pi = 0x1.921fb54442d18p+1;
  if (x == 0) return __builtin_copysign(__builtin_inf(), -x);
  double result = 0;
  if (x < 0) {
    const double fraction = x - __builtin_trunc(x);
    if (fraction == 0) return __builtin_nan("");
    result = -pi / __builtin_tan(pi * fraction);
    x = 1 - x;
  }
  while (x < 10) {
    result -= 1 / x;
    x += 1;
  }
  static constexpr double series[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
  const double z = 1 / (x * x);
  double sum = 0;
  for (int i = 6; i >= 0; --i) sum = (sum + series[i]) * z;
  return result + (__builtin_log(x) - 0.5 / x - sum);
}

// The n-th derivative of digamma, n >= 1: (-1)^(n+1) n! zeta(n + 1, x), by the Euler-Maclaurin formula for the Hurwitz zeta
// function (Abramowitz and Stegun 6.4.10 and 23.1.30). Poles at 0, -1, -2, ... give infinity.
inline double polygamma_scalar(int n, double x) {
  if (x <= 0 && x == __builtin_floor(x)) return __builtin_inf();
  if (!(x > -1e4)) {  // far to the left only the nearest poles count: the function is periodic up to a vanishing term
    if (!(x > -0x1p53)) return __builtin_nan("");
    x -= __builtin_floor(x) + 1e4;
  }
  const double s = n + 1;
  double sum = 0;
  while (x < 14) {
    sum += 1 / __builtin_powi(x, n + 1);
    x += 1;
  }
  const double tail = 1 / __builtin_powi(x, n + 1);
  sum += x * tail / (s - 1) + 0.5 * tail;
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
  double term = s * tail / x;  // s (s+1) ... (s+2j-2) x^(-s-2j+1)
  for (int j = 0; j < 9; ++j) {
    sum += series[j] * term;
    term *= (s + 2 * j + 1) * (s + 2 * j + 2) / (x * x);
  }
  double factorial = 1;
  for (int i = 2; i <= n; ++i) factorial *= i;
  return (n % 2 ? 1 : -1) * factorial * sum;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
