// GFLOP/s of matrix products and their fraction of the multiply-add peak measured in the same run.
//   gemm_bench [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/cpu_info.h"
#include "core/parallel.h"
#include "ops/matmul/gemm.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Median seconds of one call, over 11 samples of at least `least` seconds.
template <class F>
double median_time(F&& f, double least = 0.02) {
  f();
  int64_t calls = 1;
  for (;;) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < calls; ++i) f();
    const double t = seconds_since(start);
    if (t > least) break;
    calls = std::max(calls * 2, static_cast<int64_t>(static_cast<double>(calls) * least / std::max(t, 1e-9)));
  }
  std::vector<double> samples;
  for (int s = 0; s < 11; ++s) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < calls; ++i) f();
    samples.push_back(seconds_since(start) / static_cast<double>(calls));
  }
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

// A loop of independent multiply-adds at the given level, on every thread: flop per second.
#if defined(__x86_64__)
#define PYDL_FMA_LOOP(name, isa, T, V, set1, fmadd)                                       \
  [[gnu::target(isa)]] void name(int64_t n, T* out) {                                     \
    V acc[12];                                                                            \
    V x = set1(T(0.999)), y = set1(T(0.001));                                             \
    for (int i = 0; i < 12; ++i) acc[i] = set1(T(i));                                     \
    for (int64_t k = 0; k < n; ++k) {                                                     \
      _Pragma("GCC unroll 12") for (int i = 0; i < 12; ++i) acc[i] = fmadd(acc[i], x, y); \
    }                                                                                     \
    for (int i = 1; i < 12; ++i) acc[0] = acc[0] + acc[i];                                \
    *out = acc[0][0];                                                                     \
  }
PYDL_FMA_LOOP(fma_512, "avx512f", float, __m512, _mm512_set1_ps, _mm512_fmadd_ps)
PYDL_FMA_LOOP(fma_512, "avx512f", double, __m512d, _mm512_set1_pd, _mm512_fmadd_pd)
PYDL_FMA_LOOP(fma_256, "avx2,fma", float, __m256, _mm256_set1_ps, _mm256_fmadd_ps)
PYDL_FMA_LOOP(fma_256, "avx2,fma", double, __m256d, _mm256_set1_pd, _mm256_fmadd_pd)
#undef PYDL_FMA_LOOP
#endif

// Without fused multiply-adds: a multiplication and an addition.
template <class T>
[[gnu::noinline]] void mul_add(int64_t n, T* out) {
  using V [[gnu::vector_size(16)]] = T;
  V acc[12];
  const V x = V{} + static_cast<T>(0.999), y = V{} + static_cast<T>(0.001);
  for (int i = 0; i < 12; ++i) acc[i] = V{} + static_cast<T>(i);
  for (int64_t k = 0; k < n; ++k) {
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) acc[i] = acc[i] * x + y;
  }
  for (int i = 1; i < 12; ++i) acc[0] += acc[i];
  *out = acc[0][0];
}

template <class T>
double peak(int threads) {
  constexpr int64_t n = 400000;
  int lanes = 16 / static_cast<int>(sizeof(T));
  void (*run)(int64_t, T*) = mul_add<T>;
#if defined(__x86_64__)
  if (pydl::cpu_level() == pydl::CpuLevel::Avx512) run = fma_512, lanes *= 4;
  if (pydl::cpu_level() == pydl::CpuLevel::Avx2) run = fma_256, lanes *= 2;
#endif
  std::vector<T> sink(static_cast<size_t>(threads) * 64);
  double best = 1e9;
  for (int s = 0; s < 9; ++s) {
    const auto start = Clock::now();
    pydl::parallel_tasks(threads, [&](int64_t t) { run(n, &sink[static_cast<size_t>(t) * 64]); });
    best = std::min(best, seconds_since(start));
  }
  return 2.0 * 12 * lanes * static_cast<double>(n) * threads / best;
}

template <class T>
struct Operands {
  std::vector<T> a, b, c;
};

template <class T>
Operands<T> operands(int64_t m, int64_t n, int64_t k, int64_t batch = 1) {
  Operands<T> o{std::vector<T>(static_cast<size_t>(m * k * batch)), std::vector<T>(static_cast<size_t>(k * n * batch)),
                std::vector<T>(static_cast<size_t>(m * n * batch))};
  uint32_t state = 1;
  const auto fill = [&state](std::vector<T>& v) {
    for (T& x : v) x = static_cast<T>(static_cast<double>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24 - 0.5);
  };
  fill(o.a);
  fill(o.b);
  return o;
}

template <class T>
void measure(const char* name, int64_t m, int64_t n, int64_t k, bool ta, bool tb, double peak_rate, int64_t batch = 1) {
  Operands<T> o = operands<T>(m, n, k, batch);
  pydl::GemmArgs g;
  g.dtype = pydl::dtype_of<T>;
  g.m = m, g.n = n, g.k = k;
  g.a = o.a.data(), g.a_row = ta ? 1 : k, g.a_col = ta ? m : 1;
  g.b = o.b.data(), g.b_row = tb ? 1 : n, g.b_col = tb ? k : 1;
  g.c = o.c.data(), g.c_row = n;
  const double t = median_time([&] {
    if (batch == 1) {
      pydl::gemm(g);
    } else {
      pydl::gemm_batched(g, batch, m * k, k * n, m * n);
    }
  });
  const double rate = 2.0 * static_cast<double>(m * n * k * batch) / t;
  std::printf("%-9s %c%c %5ld x %5ld x %6ld batch %4ld  %10.2f us  %8.1f GFLOP/s  %5.1f %%\n", name, ta ? 'T' : 'N', tb ? 'T' : 'N',
              long(m), long(n), long(k), long(batch), t * 1e6, rate * 1e-9, 100 * rate / peak_rate);
}

template <class T>
void suite(const char* name, int threads) {
  const double p = peak<T>(threads);
  std::printf("%s: peak %.1f GFLOP/s with %d thread(s)\n", name, p * 1e-9, threads);
  for (int64_t size : {8, 16, 32, 64, 128, 256, 512, 1024, 2048}) {
    for (int t = 0; t < 4; ++t) measure<T>(name, size, size, size, t & 2, t & 1, p);
  }
  measure<T>(name, 32, 32, 32, false, false, p, 512);
  measure<T>(name, 64, 64, 64, false, true, p, 64);
  measure<T>(name, 32, 1024, 4096, false, true, p);
  measure<T>(name, 32, 4096, 1024, false, false, p);
  measure<T>(name, 32, 4096, 1024, false, true, p);
  for (int64_t m : {1, 2, 4, 8}) {
    measure<T>(name, m, 4096, 1024, false, false, p);
    measure<T>(name, m, 4096, 1024, false, true, p);
  }
  measure<T>(name, 4096, 1, 4096, false, false, p);
  measure<T>(name, 4096, 1, 4096, true, false, p);
  measure<T>(name, 256, 256, 16384, true, false, p);
  measure<T>(name, 128, 784, 16384, true, false, p);
  measure<T>(name, 64, 64, 65536, true, false, p);
}

}  // namespace

// gemm_bench [threads]: all shapes. gemm_bench --peak [threads]: the float32 multiply-add peak alone.
int main(int argc, char** argv) {
  const bool only_peak = argc > 1 && std::string_view(argv[1]) == "--peak";
  const int at = only_peak ? 2 : 1;
  const int threads = argc > at ? std::atoi(argv[at]) : pydl::num_threads();
  pydl::set_num_threads(threads);
  if (only_peak) {
    std::printf("float32 peak: %.1f GFLOP/s\n", peak<float>(threads) * 1e-9);
    return 0;
  }
  suite<float>("float32", threads);
  suite<double>("float64", threads);
  return 0;
}
