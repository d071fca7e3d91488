// The rate at which memory is read when nothing else is done: the limit of a reduction.
//   read_bench BYTES [threads]
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "benchmarks/cpp/timing.h"
#include "core/cpu_info.h"
#include "core/parallel.h"
#include "core/tensor.h"

namespace {

using V [[gnu::vector_size(32)]] = float;

// Eight chains of additions of 32 bytes, which is what streams fastest from memory on the processors that we have measured.
[[gnu::always_inline]] inline float sum_of(const float* x, int64_t n) {
  V acc[8] = {};
  for (int64_t i = 0; i + 64 <= n; i += 64) {
#pragma GCC unroll 8
    for (int64_t u = 0; u < 8; ++u) {
      V v;
      __builtin_memcpy(&v, x + i + 8 * u, sizeof v);
      acc[u] += v;
    }
  }
  for (int u = 1; u < 8; ++u) acc[0] += acc[u];
  return acc[0][0];
}
float sum(const float* x, int64_t n) { return sum_of(x, n); }
#if defined(__x86_64__)
[[gnu::target("avx2")]] float sum_avx(const float* x, int64_t n) { return sum_of(x, n); }
#endif

}  // namespace

int main(int argc, char** argv) {
  const int64_t n = (argc > 1 ? std::atoll(argv[1]) : int64_t{32} << 20) / 4;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  pydl::set_num_threads(threads);
  const pydl::Tensor memory = pydl::empty(pydl::Dims{n}, pydl::DType::Float32, "read_bench");  // as tensors lie: in huge pages
  float* x = memory.data<float>();
  for (int64_t i = 0; i < n; ++i) x[i] = 1;
  float (*read)(const float*, int64_t) = sum;
#if defined(__x86_64__)
  if (pydl::cpu_level() != pydl::CpuLevel::Baseline) read = sum_avx;
#endif
  std::vector<float> sink(static_cast<size_t>(threads) * 64);
  const double t = bench::median_seconds([&] {
    pydl::parallel_tasks(threads, [&](int64_t k) {
      const int64_t begin = n * k / threads, end = n * (k + 1) / threads;
      sink[static_cast<size_t>(k) * 64] = read(x + begin, end - begin);
    });
  });
  std::printf("read %.2f GB/s\n", 4 * static_cast<double>(n) / t * 1e-9);
  return 0;
}
