// gemm() against a long double reference: shapes, layouts, epilogues, dtypes, and the same bits for any thread count.
#include "ops/matmul/gemm.h"

#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <vector>

#include "core/parallel.h"
#include "tests/check.h"

namespace {

using namespace pydl;
using test::Random;

struct Case {
  int64_t m, n, k;
  bool ta, tb;
  double alpha = 1, beta = 0;
  BiasMode bias = BiasMode::None;
  Activation activation = Activation::None;
  int64_t pad = 0;   // extra elements per row or column
  int64_t step = 1;  // distance of neighbours
};

template <class T>
struct Setup {
  std::vector<T> a, b, c, bias;
  GemmArgs g;
};

template <class T>
T convert(double x) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<T, float16>) {
    return to_float16(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<int64_t>(x * 40));
  } else {
    return static_cast<T>(x);
  }
}
template <class T>
long double value(T x) {
  if constexpr (std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>) {
    return to_float(x);
  } else {
    return static_cast<long double>(x);
  }
}

template <class T>
Setup<T> make(const Case& t) {
  Setup<T> s;
  const int64_t lda = (t.ta ? t.m : t.k) * t.step + t.pad, ldb = (t.tb ? t.k : t.n) * t.step + t.pad, ldc = t.n + t.pad;
  s.a.resize(static_cast<size_t>((t.ta ? t.k : t.m) * lda + 1));
  s.b.resize(static_cast<size_t>((t.tb ? t.n : t.k) * ldb + 1));
  s.c.resize(static_cast<size_t>(t.m * ldc + 1));
  s.bias.resize(static_cast<size_t>(t.m + t.n + 1));
  Random random;
  for (auto* v : {&s.a, &s.b, &s.c, &s.bias}) {
    for (T& x : *v) x = convert<T>(random());
  }
  GemmArgs& g = s.g;
  g.dtype = dtype_of<T>;
  g.m = t.m, g.n = t.n, g.k = t.k;
  g.a = s.a.data(), g.a_row = t.ta ? t.step : lda, g.a_col = t.ta ? lda : t.step;
  g.b = s.b.data(), g.b_row = t.tb ? t.step : ldb, g.b_col = t.tb ? ldb : t.step;
  g.c = s.c.data(), g.c_row = ldc;
  g.alpha = t.alpha, g.beta = t.beta;
  g.bias = s.bias.data(), g.bias_mode = t.bias;
  g.activation = t.activation;
  return s;
}

// `unit`: rounding unit of the arithmetic; `store_unit`: of the result type.
template <class T>
void check_case(const Case& t, long double unit, long double store_unit) {
  Setup<T> s = make<T>(t);
  const std::vector<T> c0 = s.c;
  if (t.beta == 0 && !std::is_integral_v<T>) {
    for (T& x : s.c) x = convert<T>(std::numeric_limits<double>::quiet_NaN());
  }
  const GemmArgs& g = s.g;
  const std::vector<T> before = s.c;
  gemm(g);
  for (int64_t i = 0; i < t.m; ++i) {
    for (int64_t j = 0; j < t.n; ++j) {
      long double sum = 0, magnitude = 0;
      for (int64_t p = 0; p < t.k; ++p) {
        const long double x =
            value(s.a[static_cast<size_t>(i * g.a_row + p * g.a_col)]) * value(s.b[static_cast<size_t>(p * g.b_row + j * g.b_col)]);
        sum += x;
        magnitude += std::fabs(x);
      }
      sum *= t.alpha;
      magnitude *= std::fabs(t.alpha);
      long double other = t.beta != 0 ? t.beta * value(c0[static_cast<size_t>(i * g.c_row + j)]) : 0.0L;
      if (t.bias != BiasMode::None) other += value(s.bias[static_cast<size_t>(t.bias == BiasMode::PerColumn ? j : i)]);
      sum += other;
      magnitude += std::fabs(other);
      if (t.activation == Activation::Relu && sum < 0) sum = 0;
      const long double got = value(s.c[static_cast<size_t>(i * g.c_row + j)]);
      if constexpr (std::is_integral_v<T>) {
        CHECK(static_cast<T>(static_cast<int64_t>(sum)) == static_cast<T>(got), "dtype %s n %ld k %ld at (%ld,%ld): got %Lg expected %Lg",
              dtype_name(dtype_of<T>), long(t.n), long(t.k), long(i), long(j), got, sum);
      } else {
        const long double tiny = std::is_same_v<T, float16> ? 0x1p-25L : 1e-30L;  // half the spacing of float16 denormals
        const long double bound = (static_cast<long double>(t.k) + 4) * unit * magnitude + store_unit * std::fabs(sum) + tiny;
        CHECK(std::fabs(got - sum) <= bound, "dtype %s m %ld n %ld k %ld ta %d tb %d at (%ld,%ld): got %Lg expected %Lg",
              dtype_name(dtype_of<T>), long(t.m), long(t.n), long(t.k), t.ta, t.tb, long(i), long(j), got, sum);
      }
    }
    // Padding between rows stays untouched.
    for (int64_t j = t.n; j < g.c_row; ++j) {
      const size_t at = static_cast<size_t>(i * g.c_row + j);
      CHECK(std::memcmp(&s.c[at], &before[at], sizeof(T)) == 0);
    }
  }
}

template <class T>
void check_layouts(Case t, long double unit, long double store_unit) {
  for (int layout = 0; layout < 4; ++layout) {
    t.ta = layout & 1;
    t.tb = layout & 2;
    check_case<T>(t, unit, store_unit);
  }
}

template <class T>
void sweep(long double unit, long double store_unit) {
  const int64_t sizes[] = {0, 1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 49, 65};
  for (int64_t m : sizes) {
    for (int64_t n : sizes) {
      for (int64_t k : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{16}, int64_t{35}})
        check_layouts<T>({m, n, k, false, false}, unit, store_unit);
    }
  }
  const int64_t shapes[][3] = {{200, 150, 300}, {481, 70, 257}, {97, 290, 513}, {1, 700, 300},  {3, 333, 100},
                               {8, 257, 129},   {700, 1, 300},  {333, 5, 77},   {260, 8, 1000}, {20, 30, 5000},
                               {12, 4200, 20},  {13, 17, 9001}, {9, 40, 20},    {1, 1, 3000}};
  for (const auto& s : shapes) {
    Case t{s[0], s[1], s[2], false, false};
    check_layouts<T>(t, unit, store_unit);
    t.alpha = 1.5, t.beta = -0.5, t.bias = BiasMode::PerColumn, t.pad = 3;
    check_layouts<T>(t, unit, store_unit);
    t.alpha = -2, t.beta = 1, t.bias = BiasMode::PerRow, t.activation = Activation::Relu, t.step = 2;
    check_layouts<T>(t, unit, store_unit);
  }
}

template <class T>
void check_threads() {
  const int64_t shapes[][3] = {{300, 310, 700}, {5, 3000, 400}, {3000, 5, 400}, {64, 64, 20000},
                               {37, 2000, 64},  {2000, 37, 64}, {130, 129, 128}};
  for (const auto& s : shapes) {
    for (int layout = 0; layout < 4; ++layout) {
      Setup<T> x = make<T>({s[0], s[1], s[2], bool(layout & 1), bool(layout & 2), 1.25, 0, BiasMode::PerColumn});
      set_num_threads(1);
      gemm(x.g);
      const std::vector<T> once = x.c;
      for (int threads = 2; threads <= 4; ++threads) {
        set_num_threads(threads);
        std::memset(x.c.data(), 0xff, x.c.size() * sizeof(T) - sizeof(T));
        gemm(x.g);
        CHECK(std::memcmp(once.data(), x.c.data(), (x.c.size() - 1) * sizeof(T)) == 0, "threads %d m %ld n %ld k %ld layout %d", threads,
              long(s[0]), long(s[1]), long(s[2]), layout);
      }
    }
  }
  set_num_threads(2);
}

template <class T>
void check_batched() {
  const int64_t shapes[][4] = {{7, 5, 6, 9}, {33, 40, 20, 3}, {1, 64, 64, 40}, {90, 80, 100, 2}};
  for (const auto& s : shapes) {
    const int64_t m = s[0], n = s[1], k = s[2], batch = s[3];
    for (const bool shared : {false, true}) {
      Setup<T> x = make<T>({m * batch, n, k * batch, false, false});
      GemmArgs g = x.g;
      g.m = m, g.k = k;
      g.a_row = k;
      gemm_batched(g, batch, m * k, shared ? 0 : k * n, m * g.c_row);
      for (int64_t i = 0; i < batch; ++i) {
        std::vector<T> c(static_cast<size_t>(m * n));
        GemmArgs h = g;
        h.a = x.a.data() + i * m * k;
        h.b = x.b.data() + (shared ? 0 : i * k * n);
        h.c = c.data();
        h.c_row = n;
        gemm(h);
        for (int64_t r = 0; r < m * n; ++r) {
          const double got = static_cast<double>(x.c[static_cast<size_t>(i * m * g.c_row + r / n * g.c_row + r % n)]);
          CHECK(std::fabs(got - static_cast<double>(c[static_cast<size_t>(r)])) < 1e-4, "batch %ld", long(i));
        }
      }
    }
  }
}

void check_complex() {
  const int64_t m = 9, n = 140, k = 11;
  std::vector<std::complex<double>> a(m * k), b(k * n), c(m * n);
  Random random;
  for (auto* v : {&a, &b}) {
    for (auto& x : *v) x = {random(), random()};
  }
  GemmArgs g;
  g.dtype = DType::Complex128;
  g.m = m, g.n = n, g.k = k;
  g.a = a.data(), g.a_row = k, g.a_col = 1;
  g.b = b.data(), g.b_row = n, g.b_col = 1;
  g.c = c.data(), g.c_row = n;
  gemm(g);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      std::complex<double> sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += a[static_cast<size_t>(i * k + p)] * b[static_cast<size_t>(p * n + j)];
      CHECK(std::abs(sum - c[static_cast<size_t>(i * n + j)]) < 1e-13);
    }
  }
}

// NaN and infinity in the operands reach the result.
void check_special() {
  for (int64_t m : {2, 40, 300}) {
    Setup<float> s = make<float>({m, 70, 90, false, false});
    s.a[static_cast<size_t>(90 * (m - 1) + 5)] = std::numeric_limits<float>::quiet_NaN();
    s.a[3] = std::numeric_limits<float>::infinity();
    s.g.activation = Activation::Relu;
    gemm(s.g);
    CHECK(std::isnan(s.c[static_cast<size_t>(70 * (m - 1) + 69)]));
    CHECK(std::isinf(s.c[0]) || s.c[0] == 0);
  }
}

}  // namespace

int main() {
  sweep<float>(0x1p-24L, 0);
  sweep<double>(0x1p-53L, 0);
  sweep<bfloat16>(0x1p-24L, 0x1p-8L);
  sweep<float16>(0x1p-24L, 0x1p-11L);
  for (int64_t n : {1, 5, 130}) {
    check_layouts<int32_t>({9, n, 21, false, false, 2, 3, BiasMode::PerRow, Activation::Relu}, 0, 0);
    check_layouts<int64_t>({9, n, 21, false, false}, 0, 0);
    check_layouts<uint8_t>({9, n, 21, false, false}, 0, 0);
    check_layouts<int8_t>({3, n, 300, false, false}, 0, 0);
  }
  check_complex();
  check_threads<float>();
  check_threads<double>();
  check_batched<float>();
  check_batched<double>();
  check_special();
  return test::report("gemm_test");
}
