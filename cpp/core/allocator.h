// Caching memory allocator of the library. Every tensor's bytes and every small core object come from here.
//
// * up to 1 KiB: 64-byte classes, per-thread free lists carved from slabs;
// * up to 1 MiB: classes in powers of two with four steps each, shared lists behind a mutex;
// * above: 2 MiB-granular blocks, aligned to 2 MiB and advised for huge pages, reused by equal size.
// Freed blocks stay mapped, so a steady training step touches no new page. The cache is bounded
// (PYDL_CACHE_LIMIT bytes, default a quarter of physical memory) and `empty_cache` returns it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pydl {

inline constexpr size_t kAlignment = 64;

// 64-byte aligned, uninitialised. Throws OutOfMemoryError. bytes == 0 returns a valid unique-enough pointer.
void* allocate(size_t bytes);
// `bytes` must be the size that was asked for.
void deallocate(void* p, size_t bytes) noexcept;

struct MemoryStats {
  int64_t allocated_bytes;       // in use by tensors and core objects, rounded to block sizes
  int64_t peak_allocated_bytes;  // of medium and large blocks plus slabs
  int64_t cached_bytes;          // free, kept for reuse
  int64_t system_allocations;    // times that memory was asked of the operating system
  int64_t system_bytes;          // held from the operating system
  int64_t allocations;           // calls of allocate()
};
MemoryStats memory_stats();
void reset_peak_memory_stats();
void empty_cache();

// Test hook: the k-th allocation from now fails with OutOfMemoryError (k >= 1), 0 disarms.
void fail_allocation_after(int64_t k);

// Base for core objects that live in the small size classes.
struct Pooled {
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, size_t bytes) noexcept { deallocate(p, bytes); }
};

}  // namespace pydl
