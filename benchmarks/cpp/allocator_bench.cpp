// Nanoseconds of allocate + deallocate by size, beside malloc + free; the first touch of every page included or not.
#include <cstdio>
#include <cstdlib>

#include "benchmarks/cpp/timing.h"
#include "core/allocator.h"

namespace {

void touch(void* p, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(p)[i] = 1;
}

}  // namespace

int main() {
  std::printf("%12s %14s %14s %18s %18s\n", "bytes", "pydl ns", "malloc ns", "pydl touched ns", "malloc touched ns");
  for (const int64_t bytes : {16, 64, 256, 1024, 16 << 10, 128 << 10, 1 << 20, 16 << 20, 64 << 20}) {
    const size_t n = static_cast<size_t>(bytes);
    const auto pydl_time = bench::median_seconds([n] { pydl::deallocate(pydl::allocate(n), n); });
    const auto malloc_time = bench::median_seconds([n] {
      void* p = std::malloc(n);
      asm volatile("" ::"r"(p) : "memory");
      std::free(p);
    });
    const auto pydl_touched = bench::median_seconds([n, bytes] {
      void* p = pydl::allocate(n);
      touch(p, bytes);
      pydl::deallocate(p, n);
    });
    const auto malloc_touched = bench::median_seconds([n, bytes] {
      void* p = std::malloc(n);
      touch(p, bytes);
      std::free(p);
    });
    std::printf("%12ld %14.1f %14.1f %18.1f %18.1f\n", long(bytes), pydl_time * 1e9, malloc_time * 1e9, pydl_touched * 1e9,
                malloc_touched * 1e9);
  }
  return 0;
}
