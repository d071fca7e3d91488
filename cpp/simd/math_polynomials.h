// Orthogonal polynomials of doubles, one element at a time (Abramowitz and Stegun, chapter 22). Degrees below 0 give 0.
#pragma once

#include "simd/math_bessel.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

enum class Chebyshev { T, U, V, W };

// Degrees up to which the recurrence runs. Beyond, closed forms and asymptotic ones keep any degree affordable.
inline constexpr int64_t kChebyshevSteps = 32, kLongSteps = 1 << 20;

inline int64_t degree_of(double n) { return n == n ? (n >= 0x1p62 ? int64_t(1) << 62 : n <= -1 ? -1 : static_cast<int64_t>(n)) : -1; }
inline double sign_of_power(int64_t n) { return n % 2 ? -1.0 : 1.0; }

template <Chebyshev Kind>
inline double chebyshev_closed(double x, int64_t n) {
  const double k = static_cast<double>(n);
  if (x < 0) {  // reflection exchanges V and W
    constexpr Chebyshev mirror = Kind == Chebyshev::V ? Chebyshev::W : Kind == Chebyshev::W ? Chebyshev::V : Kind;
    return sign_of_power(n) * chebyshev_closed<mirror>(-x, n);
  }
  if (x == 1) return Kind == Chebyshev::U ? k + 1 : Kind == Chebyshev::W ? 2 * k + 1 : 1;
  if (x < 1) {
    const double angle = __builtin_acos(x);
    if constexpr (Kind == Chebyshev::T) return __builtin_cos(k * angle);
    if constexpr (Kind == Chebyshev::U) return __builtin_sin((k + 1) * angle) / __builtin_sin(angle);
    if constexpr (Kind == Chebyshev::V) return __builtin_cos((k + 0.5) * angle) / __builtin_cos(angle / 2);
    return __builtin_sin((k + 0.5) * angle) / __builtin_sin(angle / 2);
  }
  const double area = __builtin_acosh(x);
  if constexpr (Kind == Chebyshev::T) return __builtin_cosh(k * area);
  if constexpr (Kind == Chebyshev::U) return __builtin_sinh((k + 1) * area) / __builtin_sinh(area);
  if constexpr (Kind == Chebyshev::V) return __builtin_cosh((k + 0.5) * area) / __builtin_cosh(area / 2);
  return __builtin_sinh((k + 0.5) * area) / __builtin_sinh(area / 2);
}
template <Chebyshev Kind>
inline double chebyshev_polynomial(double x, double degree) {
  const int64_t n = degree_of(degree);
  if (n < 0) return 0;
  if (n == 0) return 1;
  if (x != x) return x;
  if (n > kChebyshevSteps || x == 1 || x == -1) return chebyshev_closed<Kind>(x, n);
  double p = 1, q = Kind == Chebyshev::T ? x : Kind == Chebyshev::U ? 2 * x : Kind == Chebyshev::V ? 2 * x - 1 : 2 * x + 1;
  for (int64_t k = 1; k < n; ++k) {
    const double r = 2 * x * q - p;
    p = q;
    q = r;
  }
  return q;
}

// q = p_n from p_(k+1) = f(k, p_k, p_(k-1)), ended early by an overflow.
template <class F>
inline double recurrence(int64_t n, double p, double q, F f) {
  for (int64_t k = 1; k < n && q - q == 0; ++k) {
    const double r = f(static_cast<double>(k), q, p);
    p = q;
    q = r;
  }
  return q;
}
inline double hermite_h(double x, double degree) {
  const int64_t n = degree_of(degree);
  if (n <= 0) return n < 0 ? 0 : 1;
  return recurrence(n, 1, 2 * x, [x](double k, double q, double p) { return 2 * x * q - 2 * k * p; });
}
inline double hermite_he(double x, double degree) {
  const int64_t n = degree_of(degree);
  if (n <= 0) return n < 0 ? 0 : 1;
  return recurrence(n, 1, x, [x](double k, double q, double p) { return x * q - k * p; });
}
// For large degrees by the formulas of Hilb's type (Szego, "Orthogonal Polynomials", 8.21 and 8.22).
inline double legendre_p(double x, double degree) {
  const int64_t n = degree_of(degree);
  if (n <= 0) return n < 0 ? 0 : 1;
  if (x == 1 || x == -1) return x == 1 ? 1 : sign_of_power(n);
  if (n > kLongSteps && x - x == 0) {
    const double a = __builtin_fabs(x), k = static_cast<double>(n) + 0.5, sign = x < 0 ? sign_of_power(n) : 1;
    if (a < 1) {
      const double angle = __builtin_acos(a);
      return sign * __builtin_sqrt(angle / __builtin_sin(angle)) * __builtin_j0(k * angle);
    }
    const double area = __builtin_acosh(a);
    return sign * __builtin_sqrt(area / __builtin_sinh(area)) * bessel_i0(k * area);
  }
  return recurrence(n, 1, x, [x](double k, double q, double p) { return ((2 * k + 1) * x * q - k * p) / (k + 1); });
}
inline double laguerre_l(double x, double degree) {
  const int64_t n = degree_of(degree);
  if (n <= 0) return n < 0 ? 0 : 1;
  if (n > kLongSteps && x - x == 0) {
    const double argument = 2 * __builtin_sqrt((static_cast<double>(n) + 0.5) * __builtin_fabs(x));
    return __builtin_exp(x / 2) * (x >= 0 ? __builtin_j0(argument) : bessel_i0(argument));
  }
  return recurrence(n, 1, 1 - x, [x](double k, double q, double p) { return ((2 * k + 1 - x) * q - k * p) / (k + 1); });
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
