// Implicit reparameterisation (Figurnov, Mohamed, Mnih, "Implicit reparameterization gradients", NeurIPS 2018): with the
// density p and the distribution function P, dz/da = -(dP/da) / p(z).
#include "kernels/random/gamma.h"

#include "simd/math_gamma.h"

namespace pydl::kernels::random::PYDL_ISA {
namespace {

using pydl::simd::PYDL_ISA::digamma_scalar;

// z below the mean. P = z^a exp(-z) sum z^k / gamma(a + k + 1) (Abramowitz and Stegun 6.5.29), differentiated term by
// term; all terms are positive as z < exp(psi(a + 1)).
double by_series(double a, double z) {
  double term = 1 / a, psi = digamma_scalar(a + 1) - __builtin_log(z), sum = 0;
  for (int k = 1; k < 20000; ++k) {
    const double part = term * psi;
    sum += part;
    if (part < sum * 1e-17) break;
    term *= z / (a + k);
    psi += 1 / (a + k);
  }
  return z * sum;
}

// z above: the integral of the score ln t - psi(a) over the upper tail, divided by p(z). With t = z + w v and
// v = exp(pi/2 sinh s) the trapezoidal rule converges exponentially (Takahasi and Mori, 1974).
double by_quadrature(double a, double z) {
  const double psi = digamma_scalar(a), start = __builtin_log(z) - psi;
  const double slope = 1 - (a - 1) / z, curve = (a > 1 ? __builtin_sqrt(a - 1) : 0) / z;
  const double w = 1 / (slope > curve ? slope : curve);
  constexpr double kStep = 0.0625;
  double sum = 0;
  for (int i = -56; i <= 56; ++i) {
    const double s = i * kStep, e = __builtin_exp(s), inverse = 1 / e;
    const double v = __builtin_exp(0.7853981633974483 * (e - inverse)), u = w * v;
    const double weight = u * 0.7853981633974483 * (e + inverse), grown = __builtin_log1p(u / z);
    const double density = __builtin_exp((a - 1) * grown - u);
    if (density > 0) sum += weight * density * (start + grown);
  }
  return sum * kStep;
}

// Large a: the Wilson-Hilferty cube root is normal, z = a (1 - 1/(9a) + x / (3 sqrt(a)))^3, refined by the Cornish-Fisher
// series z = a + sqrt(a) x + (x^2 - 1)/3 + (x^3 - 7x)/(36 sqrt a) - (3x^4 + 7x^2 - 16)/(810 a)
// + (9x^5 + 256x^3 - 433x)/(38880 a^1.5) (Abramowitz and Stegun 26.4.11 doubled), differentiated at fixed x.
double by_expansion(double a, double z) {
  const double r = __builtin_sqrt(a);
  double x = 3 * r * (__builtin_cbrt(z / a) - 1 + 1 / (9 * a));
  for (int i = 0; i < 2; ++i) {  // Newton on the series
    const double q = x * x;
    const double f = a + r * x + (q - 1) / 3 + (q - 7) * x / (36 * r) - ((3 * q + 7) * q - 16) / (810 * a) +
                     ((9 * q + 256) * q - 433) * x / (38880 * a * r) - z;
    x -= f / (r + 2 * x / 3 + (3 * q - 7) / (36 * r));
  }
  const double q = x * x;
  return 1 + x / (2 * r) - (q - 7) * x / (72 * a * r) + ((3 * q + 7) * q - 16) / (810 * a * a) -
         ((9 * q + 256) * q - 433) * x / (25920 * a * a * r);
}

void slope(const double* alpha, const double* sample, double* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double a = alpha[i], z = sample[i];
    if (!(a > 0) || !(z >= 0)) {
      out[i] = __builtin_nan("");
    } else if (z == 0) {
      out[i] = 0;
    } else if (a > 1e4) {
      out[i] = by_expansion(a, z);
    } else {
      out[i] = z <= a ? by_series(a, z) : by_quadrature(a, z);
    }
  }
}

}  // namespace

constinit const GammaTable gamma = {&slope};

}  // namespace pydl::kernels::random::PYDL_ISA
