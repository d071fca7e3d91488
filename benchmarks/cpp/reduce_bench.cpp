// Microseconds and GB/s of reductions of float32 matrices.
//   reduce_bench [threads]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/parallel.h"
#include "ops/reduce/engine.h"

namespace {

using Clock = std::chrono::steady_clock;

template <class F>
double median_time(F&& f) {
  f();
  std::vector<double> samples;
  for (int s = 0; s < 31; ++s) {
    const auto start = Clock::now();
    f();
    samples.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(samples.begin(), samples.end());
  return samples[samples.size() / 2];
}

// kind 0: everything, 1: along rows, 2: along columns
void measure(const char* name, pydl::ReduceOp op, int64_t rows, int64_t cols, int kind, bool positions) {
  std::vector<float> x(static_cast<size_t>(rows * cols)), out(static_cast<size_t>(rows + cols));
  std::vector<int64_t> second(out.size());
  uint32_t state = 1;
  for (float& v : x) v = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
  pydl::ReduceSpec s;
  s.in = reinterpret_cast<const char*>(x.data());
  s.in_dtype = s.out_dtype = pydl::DType::Float32;
  s.out = reinterpret_cast<char*>(out.data());
  s.second = positions ? reinterpret_cast<char*>(second.data()) : nullptr;
  const int64_t sizes[2] = {rows, cols}, strides[2] = {4 * cols, 4};
  for (int d = 0; d < 2; ++d) {
    if (kind == 0 || (kind == 1) == (d == 1)) {
      s.reduced_sizes[s.reduced_dims] = sizes[d];
      s.reduced_in[s.reduced_dims++] = strides[d];
    } else {
      s.kept_sizes[0] = sizes[d];
      s.kept_in[0] = strides[d];
      s.kept_out[0] = 4;
      s.kept_second[0] = 8;
      s.kept_dims = 1;
    }
  }
  const double t = median_time([&] { pydl::reduce(op, s); });
  const char* kinds[] = {"all", "rows", "columns"};
  std::printf("%-8s %-8s %6ld x %6ld  %10.2f us  %7.2f GB/s\n", name, kinds[kind], long(rows), long(cols), t * 1e6,
              static_cast<double>(rows * cols * 4) / t * 1e-9);
}

}  // namespace

int main(int argc, char** argv) {
  pydl::set_num_threads(argc > 1 ? std::atoi(argv[1]) : pydl::num_threads());
  const int64_t shapes[][2] = {{4096, 2048}, {256, 256}, {100000, 10}};
  for (const auto& s : shapes) {
    for (int kind = 0; kind < 3; ++kind) {
      measure("sum", pydl::ReduceOp::Sum, s[0], s[1], kind, false);
      measure("max", pydl::ReduceOp::Max, s[0], s[1], kind, true);
      measure("var", pydl::ReduceOp::Var, s[0], s[1], kind, false);
      measure("norm", pydl::ReduceOp::NormL2, s[0], s[1], kind, false);
      measure("prod", pydl::ReduceOp::Prod, s[0], s[1], kind, false);
    }
  }
  return 0;
}
