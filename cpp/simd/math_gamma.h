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

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
