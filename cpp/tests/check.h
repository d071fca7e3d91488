// Assertions of the C++ tests: report, count, go on.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace pydl::test {

inline int failures = 0;

// Deterministic uniform numbers in [-0.5, 0.5).
struct Random {
  uint64_t state = 1;
  double operator()() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<double>(state >> 11) * 0x1p-53 - 0.5;
  }
  int64_t below(int64_t n) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(n));
  }
};

[[gnu::format(printf, 1, 2)]] inline void note(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::vprintf(format, args);
  va_end(args);
  std::printf("\n");
}

inline int report(const char* name) {
  std::printf("%s: %s (%d failures)\n", name, failures ? "FAILED" : "passed", failures);
  return failures ? 1 : 0;
}

}  // namespace pydl::test

#define CHECK(condition, ...)                                     \
  do {                                                            \
    if (!(condition) && ++::pydl::test::failures <= 20) {         \
      std::printf("%s:%d: %s  ", __FILE__, __LINE__, #condition); \
      ::pydl::test::note(" " __VA_ARGS__);                        \
    }                                                             \
  } while (0)
