#include "core/allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "core/error.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PYDL_PLAIN_ALLOCATOR 1  // let the sanitizer see every block; the paths of the cache lie idle
#pragma GCC diagnostic ignored "-Wunused-function"
#else
#define PYDL_PLAIN_ALLOCATOR 0
#endif

namespace pydl {
namespace {

constexpr size_t kSmallLimit = 1024;
constexpr size_t kMediumLimit = size_t{1} << 20;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSlab = size_t{256} << 10;
constexpr int kSmallClasses = kSmallLimit / 64;
constexpr int kThreadCacheMax = 512;  // blocks per class before a thread hands its list to the shared pool
constexpr size_t kCheckAvailableAbove = size_t{256} << 20;

struct FreeBlock {
  FreeBlock* next;
};

std::atomic<int64_t> fail_countdown{0};

// ---- shared state ----------------------------------------------------------------------------------------------

struct Shared {
  std::mutex mutex;
  FreeBlock* small[kSmallClasses] = {};
  FreeBlock* medium[64] = {};
  std::multimap<size_t, void*> large;  // size -> block, free ones
  size_t cache_limit = 0;
  size_t cached = 0;  // bytes in `medium` and `large`
  size_t held = 0;    // bytes from the operating system
  int64_t system_calls = 0;
  std::vector<struct ThreadCache*> threads;
  int64_t retired_small_bytes = 0, retired_count = 0;  // of threads that ended
  std::atomic<int64_t> big_bytes{0}, big_peak{0};
  std::atomic<int64_t> big_count{0};
};

// Never destroyed: blocks may be freed while the process exits.
Shared& shared() {
  static Shared& s = *new Shared;
  return s;
}

struct ThreadCache {
  FreeBlock* list[kSmallClasses] = {};
  int count[kSmallClasses] = {};
  // Written by the owner only; read by memory_stats from other threads.
  std::atomic<int64_t> bytes{0}, calls{0};
  ThreadCache() {
    Shared& s = shared();
    std::lock_guard lock(s.mutex);
    s.threads.push_back(this);
  }
  ~ThreadCache();
};

thread_local ThreadCache* cache_pointer = nullptr;
thread_local bool cache_gone = false;

struct CacheOwner {
  ThreadCache cache;
  CacheOwner() { cache_pointer = &cache; }
  ~CacheOwner() {
    cache_pointer = nullptr;
    cache_gone = true;
  }
};

ThreadCache* thread_cache() {
  if (cache_pointer) [[likely]]
    return cache_pointer;
  if (cache_gone) return nullptr;  // late frees of an ending thread go to the shared lists
  thread_local CacheOwner owner;
  return cache_pointer;
}

ThreadCache::~ThreadCache() {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  for (int c = 0; c < kSmallClasses; ++c) {
    while (FreeBlock* b = list[c]) {
      list[c] = b->next;
      b->next = s.small[c];
      s.small[c] = b;
    }
  }
  s.retired_small_bytes += bytes.load(std::memory_order_relaxed);
  s.retired_count += calls.load(std::memory_order_relaxed);
  std::erase(s.threads, this);
}

// ---- operating system ------------------------------------------------------------------------------------------

[[noreturn]] void out_of_memory(size_t bytes) { throw OutOfMemoryError(text("cannot allocate ", static_cast<uint64_t>(bytes), " bytes")); }

size_t physical_memory() { return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// Memory that the kernel could give without swapping or killing; SIZE_MAX where unknown. The kernel's
// over-commit heuristic grants mappings that no memory stands behind, and kills the process on first touch.
size_t available_memory() {
  FILE* f = std::fopen("/proc/meminfo", "r");
  if (!f) return SIZE_MAX;
  char line[128];
  size_t kib = 0;
  while (std::fgets(line, sizeof line, f)) {
    if (std::sscanf(line, "MemAvailable: %zu kB", &kib) == 1) break;
  }
  std::fclose(f);
  return kib ? kib << 10 : SIZE_MAX;
}

void* map_huge(size_t bytes) {
  if (bytes > SIZE_MAX - kHugePage) return nullptr;
  if (bytes > kCheckAvailableAbove && bytes > available_memory()) return nullptr;
  char* p = static_cast<char*>(mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (p == MAP_FAILED) return nullptr;
  const uintptr_t start = (reinterpret_cast<uintptr_t>(p) + kHugePage - 1) & ~(kHugePage - 1);
  char* block = reinterpret_cast<char*>(start);
  if (block > p) munmap(p, static_cast<size_t>(block - p));
  const size_t tail = static_cast<size_t>(p + bytes + kHugePage - (block + bytes));
  if (tail) munmap(block + bytes, tail);
  madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

// ---- size classes ----------------------------------------------------------------------------------------------

size_t round_large(size_t bytes) { return (bytes + kHugePage - 1) & ~(kHugePage - 1); }

// Classes above 1 KiB: 2^k * {1.25, 1.5, 1.75, 2}.
int medium_class(size_t bytes) {
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log+1)
  const size_t step = size_t{1} << (log - 2);
  const int quarter = static_cast<int>((bytes - (size_t{1} << log) + step - 1) / step);  // 1..4
  return (log - 10) * 4 + quarter - 1;
}
size_t medium_size(int c) {
  const int log = c / 4 + 10;
  return (size_t{1} << log) + static_cast<size_t>(c % 4 + 1) * (size_t{1} << (log - 2));
}

void count_big(int64_t bytes) {
  Shared& s = shared();
  const int64_t now = s.big_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (bytes <= 0) return;
  s.big_count.fetch_add(1, std::memory_order_relaxed);
  int64_t peak = s.big_peak.load(std::memory_order_relaxed);
  while (now > peak && !s.big_peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

void release_cached(Shared& s) {
  for (auto& [size, block] : s.large) {
    munmap(block, size);
    s.held -= size;
  }
  s.large.clear();
  for (int c = 0; c < 64; ++c) {
    while (FreeBlock* b = s.medium[c]) {
      s.medium[c] = b->next;
      std::free(b);
      s.held -= medium_size(c);
    }
  }
  s.cached = 0;
}

void* allocate_medium(size_t bytes) {
  Shared& s = shared();
  const int c = medium_class(bytes);
  const size_t size = medium_size(c);
  std::lock_guard lock(s.mutex);
  if (FreeBlock* b = s.medium[c]) {
    s.medium[c] = b->next;
    s.cached -= size;
    return b;
  }
  void* p = std::aligned_alloc(kAlignment, size);
  if (!p) {
    release_cached(s);
    p = std::aligned_alloc(kAlignment, size);
    if (!p) out_of_memory(bytes);
  }
  s.held += size;
  ++s.system_calls;
  return p;
}

void* allocate_large(size_t bytes) {
  if (bytes > SIZE_MAX / 4) out_of_memory(bytes);
  Shared& s = shared();
  const size_t size = round_large(bytes);
  std::lock_guard lock(s.mutex);
  // A block is given away whole and comes back by its rounded request, so only an exact size may be reused.
  if (const auto it = s.large.find(size); it != s.large.end()) {
    void* p = it->second;
    s.large.erase(it);
    s.cached -= size;
    return p;
  }
  void* p = map_huge(size);
  if (!p) {
    release_cached(s);
    p = map_huge(size);
    if (!p) out_of_memory(bytes);
  }
  s.held += size;
  ++s.system_calls;
  return p;
}

void deallocate_big(void* p, size_t bytes) {
  Shared& s = shared();
  const bool medium = bytes <= kMediumLimit;
  const size_t size = medium ? medium_size(medium_class(bytes)) : round_large(bytes);
  std::lock_guard lock(s.mutex);
  if (s.cache_limit == 0) {
    const char* env = std::getenv("PYDL_CACHE_LIMIT");
    s.cache_limit = env ? std::max<size_t>(1, std::strtoull(env, nullptr, 10)) : physical_memory() / 4;
  }
  if (s.cached + size > s.cache_limit) {
    medium ? std::free(p) : static_cast<void>(munmap(p, size));
    s.held -= size;
    return;
  }
  s.cached += size;
  if (medium) {
    FreeBlock* b = static_cast<FreeBlock*>(p);
    const int c = medium_class(bytes);
    b->next = s.medium[c];
    s.medium[c] = b;
  } else {
    s.large.emplace(size, p);
  }
}

// ---- small blocks ----------------------------------------------------------------------------------------------

void refill(ThreadCache& cache, int c) {
  Shared& s = shared();
  const size_t size = static_cast<size_t>(c + 1) * 64;
  std::lock_guard lock(s.mutex);
  for (int i = 0; i < kThreadCacheMax / 2 && s.small[c]; ++i) {
    FreeBlock* b = s.small[c];
    s.small[c] = b->next;
    b->next = cache.list[c];
    cache.list[c] = b;
    ++cache.count[c];
  }
  if (cache.list[c]) return;
  const size_t count = std::clamp<size_t>(kSlab / size / 16, 8, 256);
  char* slab = static_cast<char*>(std::aligned_alloc(kAlignment, count * size));
  if (!slab) out_of_memory(size);
  s.held += count * size;
  ++s.system_calls;
  for (size_t i = count; i-- > 0;) {
    FreeBlock* b = reinterpret_cast<FreeBlock*>(slab + i * size);
    b->next = cache.list[c];
    cache.list[c] = b;
  }
  cache.count[c] = static_cast<int>(count);
}

void hand_over(ThreadCache& cache, int c) {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  for (int i = 0; i < kThreadCacheMax / 2; ++i) {
    FreeBlock* b = cache.list[c];
    cache.list[c] = b->next;
    b->next = s.small[c];
    s.small[c] = b;
  }
  cache.count[c] -= kThreadCacheMax / 2;
}

void* allocate_orphan(int c) {  // a thread that is ending
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  if (FreeBlock* b = s.small[c]) {
    s.small[c] = b->next;
    return b;
  }
  void* p = std::aligned_alloc(kAlignment, static_cast<size_t>(c + 1) * 64);
  if (!p) out_of_memory(static_cast<size_t>(c + 1) * 64);
  return p;
}

void check_failure_hook(size_t bytes) {
  if (fail_countdown.load(std::memory_order_relaxed) > 0 && fail_countdown.fetch_sub(1) == 1) out_of_memory(bytes);
}

}  // namespace

#if PYDL_PLAIN_ALLOCATOR

void* allocate(size_t bytes) {
  check_failure_hook(bytes);
  if (bytes > SIZE_MAX / 4 || (bytes > kCheckAvailableAbove && bytes > available_memory())) out_of_memory(bytes);
  void* p = nullptr;
  if (posix_memalign(&p, kAlignment, bytes ? bytes : 1) != 0) out_of_memory(bytes);
  count_big(static_cast<int64_t>(bytes));
  return p;
}
void deallocate(void* p, size_t bytes) noexcept {
  std::free(p);
  count_big(-static_cast<int64_t>(bytes));
}

#else

void* allocate(size_t bytes) {
  check_failure_hook(bytes);
  if (bytes > kSmallLimit) {
    void* p = bytes <= kMediumLimit ? allocate_medium(bytes) : allocate_large(bytes);
    count_big(static_cast<int64_t>(bytes <= kMediumLimit ? medium_size(medium_class(bytes)) : round_large(bytes)));
    return p;
  }
  const int c = bytes == 0 ? 0 : static_cast<int>((bytes - 1) / 64);
  ThreadCache* cache = thread_cache();
  if (!cache) return allocate_orphan(c);
  if (!cache->list[c]) [[unlikely]]
    refill(*cache, c);
  FreeBlock* b = cache->list[c];
  cache->list[c] = b->next;
  --cache->count[c];
  cache->bytes.store(cache->bytes.load(std::memory_order_relaxed) + (c + 1) * 64, std::memory_order_relaxed);
  cache->calls.store(cache->calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return b;
}

void deallocate(void* p, size_t bytes) noexcept {
  if (bytes > kSmallLimit) {
    count_big(-static_cast<int64_t>(bytes <= kMediumLimit ? medium_size(medium_class(bytes)) : round_large(bytes)));
    deallocate_big(p, bytes);
    return;
  }
  const int c = bytes == 0 ? 0 : static_cast<int>((bytes - 1) / 64);
  FreeBlock* b = static_cast<FreeBlock*>(p);
  ThreadCache* cache = thread_cache();
  if (!cache) {
    Shared& s = shared();
    std::lock_guard lock(s.mutex);
    b->next = s.small[c];
    s.small[c] = b;
    return;
  }
  b->next = cache->list[c];
  cache->list[c] = b;
  cache->bytes.store(cache->bytes.load(std::memory_order_relaxed) - (c + 1) * 64, std::memory_order_relaxed);
  if (++cache->count[c] > kThreadCacheMax) [[unlikely]]
    hand_over(*cache, c);
}

#endif

MemoryStats memory_stats() {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  int64_t small = s.retired_small_bytes, calls = s.retired_count;
  for (const ThreadCache* t : s.threads) {
    small += t->bytes.load(std::memory_order_relaxed);
    calls += t->calls.load(std::memory_order_relaxed);
  }
  MemoryStats stats{};
  const int64_t big = s.big_bytes.load();
  stats.allocated_bytes = big + small;
  stats.peak_allocated_bytes = std::max(s.big_peak.load(), big) + small;
  stats.cached_bytes = static_cast<int64_t>(s.cached);
  stats.system_allocations = s.system_calls;
  stats.system_bytes = static_cast<int64_t>(s.held);
  stats.allocations = s.big_count.load() + calls;
  return stats;
}

void reset_peak_memory_stats() { shared().big_peak.store(shared().big_bytes.load()); }

void empty_cache() {
  Shared& s = shared();
  std::lock_guard lock(s.mutex);
  release_cached(s);
}

void fail_allocation_after(int64_t k) { fail_countdown.store(k); }

}  // namespace pydl
