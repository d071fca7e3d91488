// Elementary functions: error in units in the last place against the C library in higher precision, special values, and
// independence of an element's bits from its position, its strides and the length of the strip, on every level.
//
// Needs the objects of exponential, power, trig, special and activation.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "core/cpu_info.h"
#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/exponential.h"
#include "kernels/pointwise/power.h"
#include "kernels/pointwise/special.h"
#include "kernels/pointwise/trig.h"

using namespace pydl;
using namespace pydl::kernels;

namespace {

int failures = 0;

template <class T>
void apply(StripFn fn, T* out, const T* in, int64_t n, int64_t out_step = 1, int64_t in_step = 1) {
  Strip s{};
  s.data[0] = reinterpret_cast<char*>(out);
  s.data[1] = reinterpret_cast<char*>(const_cast<T*>(in));
  s.inner[0] = out_step * static_cast<int64_t>(sizeof(T));
  s.inner[1] = in_step * static_cast<int64_t>(sizeof(T));
  s.n0 = n;
  s.n1 = 1;
  fn(s);
}

template <class T>
double ulp_error(T value, long double exact) {
  if (std::isnan(exact)) return std::isnan(value) ? 0 : 1e9;
  const T rounded = static_cast<T>(exact);
  if (value == rounded)
    return std::isinf(rounded)
               ? 0
               : std::fabs(static_cast<double>(
                     (value - exact) / (std::nextafter(std::fabs(rounded), std::numeric_limits<T>::infinity()) - std::fabs(rounded))));
  if (std::isinf(rounded) || !std::isfinite(value)) return 1e9;
  int exponent;
  std::frexp(exact, &exponent);
  const int lowest = std::numeric_limits<T>::min_exponent;
  const long double unit = std::ldexp(1.0L, (exponent < lowest ? lowest : exponent) - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs((value - exact) / unit));
}

using Reference = long double (*)(long double);

template <class T>
void check(const char* name, StripFn fn, Reference reference, double bound, const std::vector<T>& points) {
  std::vector<T> out(points.size());
  apply(fn, out.data(), points.data(), static_cast<int64_t>(points.size()));
  double worst = 0;
  T where = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    const double error = ulp_error(out[i], reference(static_cast<long double>(points[i])));
    if (!(error <= worst)) {
      worst = error;
      where = points[i];
    }
  }
  const bool bad = !(worst <= bound);
  failures += bad;
  std::printf("%-9s %-8s %-12s %6.3f ulp (bound %.2f) at %.9g%s\n", cpu_level_name(cpu_level()), sizeof(T) == 4 ? "float32" : "float64",
              name, worst, bound, static_cast<double>(where), bad ? "  FAILED" : "");

  // The same elements, elsewhere.
  std::vector<T> again(4 * points.size());
  for (int64_t start = 0; start < 40; ++start) {
    for (int64_t n : {1, 3, 16, 63, 300}) {
      apply(fn, again.data() + start, points.data() + start, n);
      bool same = std::memcmp(again.data() + start, out.data() + start, static_cast<size_t>(n) * sizeof(T)) == 0;
      apply(fn, again.data(), points.data() + start, n, 3, 1);
      for (int64_t i = 0; i < n; ++i)
        same = same && std::memcmp(&again[static_cast<size_t>(3 * i)], &out[static_cast<size_t>(start + i)], sizeof(T)) == 0;
      if (!same) {
        ++failures;
        std::printf("%s: bits depend on the position (start %d, n %d)\n", name, static_cast<int>(start), static_cast<int>(n));
        return;
      }
    }
  }
}

template <class T>
std::vector<T> points_between(double low, double high, bool specials) {
  std::vector<T> x;
  const int n = 20000;
  for (int i = 0; i <= n; ++i) x.push_back(static_cast<T>(low + (high - low) * i / n));
  for (double scale = 1e-30; scale < 1; scale *= 3) {
    for (double sign : {-1.0, 1.0}) {
      if (sign * scale >= low && sign * scale <= high) x.push_back(static_cast<T>(sign * scale));
    }
  }
  if (specials) {
    using L = std::numeric_limits<T>;
    for (T v : {T(0), L::infinity(), -L::infinity(), L::quiet_NaN(), L::min(), L::denorm_min(), -L::denorm_min(), L::max(), L::lowest()})
      x.push_back(v);
  }
  return x;
}

long double sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }
long double gelu(long double x) { return x * std::erfc(-x * std::sqrt(0.5L)) / 2; }
long double rsqrt(long double x) { return 1 / std::sqrt(x); }

template <class T>
void check_all(DType d) {
  const bool f = sizeof(T) == 4;
  auto all = points_between<T>(f ? -104 : -745, f ? 89 : 710, true);
  auto unit = points_between<T>(-1, 1, true);
  auto wide = points_between<T>(-3000, 3000, true);
  auto positive = points_between<T>(0, 30, true);
  using namespace pointwise;
#define CHECK_ONE(name, bound32, bound64, points) \
  check<T>(#name, name()[d], [](long double x) { return std::name(x); }, f ? bound32 : bound64, points)
  CHECK_ONE(exp, 1, 1, all);
  CHECK_ONE(exp2, 1, 1, all);
  CHECK_ONE(expm1, 1.2, 1.2, all);
  CHECK_ONE(log, 1, 1, positive);
  CHECK_ONE(log2, 1.25, 1.25, positive);
  CHECK_ONE(log10, 1.1, 1.1, positive);
  CHECK_ONE(log1p, 1, 1, positive);
  CHECK_ONE(log1p, 1, 1, unit);
  CHECK_ONE(sqrt, 0.5, 0.5, positive);
  check<T>("rsqrt", pointwise::rsqrt()[d], &::rsqrt, 1.5, positive);
  CHECK_ONE(sin, 2, 1, wide);
  CHECK_ONE(cos, 2, 1, wide);
  CHECK_ONE(tan, 2, 2.5, wide);
  CHECK_ONE(asin, 1, 1, unit);
  CHECK_ONE(acos, 1, 1, unit);
  CHECK_ONE(atan, 1, 2, wide);
  CHECK_ONE(sinh, 1, 2.5, all);
  CHECK_ONE(cosh, 1, 2, all);
  CHECK_ONE(tanh, 1.3, 2.5, all);
  CHECK_ONE(asinh, 1, 3, wide);
  CHECK_ONE(acosh, 1, 3, wide);
  CHECK_ONE(atanh, 1, 3, unit);
  CHECK_ONE(erf, 1.5, 1, all);
  CHECK_ONE(erfc, 1, 2, points_between<T>(-6, f ? 10 : 26, true));
  check<T>("sigmoid", pointwise::sigmoid()[d], &::sigmoid, 2, all);
  check<T>("gelu", pointwise::gelu()[d], &::gelu, 2, points_between<T>(f ? -13 : -36, 12, false));
#undef CHECK_ONE
}

// Float powers: special pairs exactly as the C library, others within an ulp, near 1 with large exponents as well.
void check_pow() {
  using L = std::numeric_limits<float>;
  std::vector<float> x, y;
  const float special[] = {0.0f,  -0.0f, 1.0f,      -1.0f, L::infinity(), -L::infinity(),  L::quiet_NaN(),   2.0f,
                           -2.0f, 0.5f,  L::max(),  3.0f,  -3.0f,         L::denorm_min(), -L::denorm_min(), 2.5f,
                           -2.5f, 1e30f, -L::max(), 1e-30f};
  for (float a : special) {
    for (float b : special) x.push_back(a), y.push_back(b);
  }
  for (double spread : {1e-3, 1.0, 40.0}) {
    for (int i = 0; i < 5000; ++i) {
      const double log_x = spread * (i % 1999 - 999) / 999, target = 80.0 * (i % 1013 - 506) / 506;
      if (log_x == 0) continue;
      x.push_back(static_cast<float>(std::exp(log_x)));
      y.push_back(static_cast<float>(target / log_x));
    }
  }
  std::vector<float> out(x.size());
  Strip s{};
  s.data[0] = reinterpret_cast<char*>(out.data());
  s.data[1] = reinterpret_cast<char*>(x.data());
  s.data[2] = reinterpret_cast<char*>(y.data());
  for (int k = 0; k < 3; ++k) s.inner[k] = sizeof(float);
  s.n0 = static_cast<int64_t>(x.size());
  s.n1 = 1;
  pointwise::pow()[DType::Float32](s);
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::pow(static_cast<long double>(x[i]), static_cast<long double>(y[i]));
    const bool sign_differs = !std::isnan(exact) && std::signbit(exact) != std::signbit(out[i]);
    worst = std::fmax(worst, sign_differs ? 1e9 : ulp_error(out[i], exact));
  }
  const bool bad = !(worst <= 1);
  failures += bad;
  std::printf("%-9s float32  pow          %6.3f ulp (bound 1.00)%s\n", cpu_level_name(cpu_level()), worst, bad ? "  FAILED" : "");
}

}  // namespace

int main() {
  const CpuLevel best = cpu_info().supported;
  for (CpuLevel level : {CpuLevel::Baseline, CpuLevel::Avx2, CpuLevel::Avx512}) {
    if (level > best) continue;
    detail::active_level = level;
    check_all<float>(DType::Float32);
    check_all<double>(DType::Float64);
    check_pow();
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
