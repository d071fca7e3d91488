// Medians of repeated runs, and the bandwidth of a plain copy to compare with.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bench {

inline double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Median seconds of one call of f, over samples that take about 0.2 s altogether.
template <class F>
double median_seconds(F&& f) {
  f();
  int64_t n = 1;
  for (double t = 0; t < 1e-3 && n < (1 << 24); n *= 2) {
    const double start = seconds_now();
    for (int64_t i = 0; i < n; ++i) f();
    t = seconds_now() - start;
  }
  std::vector<double> samples;
  const double end = seconds_now() + 0.2;
  while (seconds_now() < end || samples.size() < 7) {
    const double start = seconds_now();
    for (int64_t i = 0; i < n; ++i) f();
    samples.push_back((seconds_now() - start) / static_cast<double>(n));
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<int64_t>(samples.size() / 2), samples.end());
  return samples[samples.size() / 2];
}

// Bytes per second (read and written) of memcpy on `bytes` of memory, one thread.
inline double copy_bandwidth(int64_t bytes) {
  std::vector<char> from(static_cast<size_t>(bytes), 1), to(static_cast<size_t>(bytes), 2);
  const double t = median_seconds([&] {
    std::memcpy(to.data(), from.data(), from.size());
    asm volatile("" ::"r"(to.data()) : "memory");
  });
  return 2 * static_cast<double>(bytes) / t;
}

}  // namespace bench
