// Pointwise kernels on one thread: time per element, and bandwidth as a part of memcpy's in the same run.
#include <cstdio>
#include <vector>

#include "benchmarks/cpp/timing.h"
#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/arithmetic.h"
#include "kernels/pointwise/exponential.h"
#include "kernels/pointwise/trig.h"

namespace {

using pydl::kernels::Strip;
using pydl::kernels::StripTable;

void measure(const char* name, const StripTable& table, int inputs, int64_t n, double bandwidth) {
  std::vector<std::vector<float>> memory(static_cast<size_t>(inputs) + 1, std::vector<float>(static_cast<size_t>(n), 0.5f));
  Strip s{};
  for (int k = 0; k <= inputs; ++k) {
    s.data[k] = reinterpret_cast<char*>(memory[static_cast<size_t>(k)].data());
    s.inner[k] = sizeof(float);
  }
  s.n0 = n;
  s.n1 = 1;
  const auto fn = table[pydl::DType::Float32];
  const double t = bench::median_seconds([&] { fn(s); });
  const double bytes = static_cast<double>((inputs + 1) * n) * sizeof(float);
  std::printf("%-10s %10ld elements  %7.3f ns/element  %6.1f GB/s  %4.0f %% of copy\n", name, long(n), t * 1e9 / static_cast<double>(n),
              bytes / t * 1e-9, 100 * bytes / t / bandwidth);
}

}  // namespace

int main() {
  namespace kernel = pydl::kernels::pointwise;
  for (const int64_t n : {int64_t{1} << 12, int64_t{1} << 16, int64_t{1} << 23}) {
    const double bandwidth = bench::copy_bandwidth(n * 4);
    measure("add", kernel::add(), 2, n, bandwidth);
    measure("mul", kernel::mul(), 2, n, bandwidth);
    measure("relu", kernel::relu(), 1, n, bandwidth);
    measure("exp", kernel::exp(), 1, n, bandwidth);
    measure("tanh", kernel::tanh(), 1, n, bandwidth);
    measure("sigmoid", kernel::sigmoid(), 1, n, bandwidth);
    measure("gelu", kernel::gelu(), 1, n, bandwidth);
  }
  return 0;
}
