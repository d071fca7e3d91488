// The caching allocator without Python: alignment, reuse, statistics, failure, and blocks freed on other threads.
#include "core/allocator.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "core/error.h"
#include "tests/check.h"

namespace {

using namespace pydl;

// Every class boundary, and the sizes just beside it.
std::vector<size_t> boundary_sizes() {
  std::vector<size_t> sizes = {0, 1};
  for (size_t s = 64; s <= size_t{8} << 20; s *= 2) {
    for (size_t quarter = 4; quarter < 8; ++quarter) {
      const size_t edge = s / 4 * quarter;
      sizes.insert(sizes.end(), {edge - 1, edge, edge + 1});
    }
  }
  return sizes;
}

void check_alignment_and_separation() {
  struct Block {
    unsigned char* p;
    size_t bytes;
  };
  std::vector<Block> blocks;
  const auto sizes = boundary_sizes();
  for (size_t i = 0; i < sizes.size(); ++i) {
    auto* p = static_cast<unsigned char*>(allocate(sizes[i]));
    CHECK(p && reinterpret_cast<uintptr_t>(p) % kAlignment == 0, "%zu bytes at %p", sizes[i], static_cast<void*>(p));
    std::memset(p, static_cast<int>(i % 251), sizes[i]);
    blocks.push_back({p, sizes[i]});
  }
  for (size_t i = 0; i < blocks.size(); ++i) {  // no block was written by another's memset
    bool own = true;
    for (size_t k = 0; k < blocks[i].bytes; ++k) own &= blocks[i].p[k] == i % 251;
    CHECK(own, "block of %zu bytes", blocks[i].bytes);
  }
  for (const Block& b : blocks) deallocate(b.p, b.bytes);
}

void check_steady_state() {
  const auto step = [] {
    for (const size_t bytes : boundary_sizes()) deallocate(allocate(bytes), bytes);
  };
  step();
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 10; ++i) step();
  const MemoryStats after = memory_stats();
  CHECK(after.system_allocations == before.system_allocations, "%lld", static_cast<long long>(after.system_allocations));
  CHECK(after.allocated_bytes == before.allocated_bytes);
  CHECK(after.allocations > before.allocations);
}

void check_statistics() {
  const size_t bytes = size_t{48} << 20;
  empty_cache();
  reset_peak_memory_stats();
  const MemoryStats before = memory_stats();
  void* p = allocate(bytes);
  const MemoryStats held = memory_stats();
  deallocate(p, bytes);
  const MemoryStats freed = memory_stats();
  empty_cache();
  const MemoryStats emptied = memory_stats();
  CHECK(held.allocated_bytes - before.allocated_bytes >= static_cast<int64_t>(bytes));
  CHECK(freed.allocated_bytes == before.allocated_bytes && freed.peak_allocated_bytes >= held.allocated_bytes);
  CHECK(freed.cached_bytes - before.cached_bytes >= static_cast<int64_t>(bytes));
  CHECK(emptied.cached_bytes < static_cast<int64_t>(bytes) && emptied.system_bytes < held.system_bytes);
}

template <class F>
bool out_of_memory(F f) {
  try {
    f();
  } catch (const OutOfMemoryError&) {
    return true;
  }
  return false;
}

void check_failure() {
  for (const size_t bytes : {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() - 4096, size_t{1} << 62}) {
    CHECK(out_of_memory([&] { deallocate(allocate(bytes), bytes); }), "%zu bytes", bytes);
  }
  fail_allocation_after(3);
  deallocate(allocate(64), 64);
  deallocate(allocate(100000), 100000);
  CHECK(out_of_memory([] { deallocate(allocate(64), 64); }));
  fail_allocation_after(0);
  deallocate(allocate(64), 64);
}

// Blocks made on one thread and freed on another go back without loss: the second round asks the system for nothing.
void check_other_threads() {
  constexpr int kThreads = 4, kBlocks = 2000;
  const auto round = [] {
    std::vector<std::vector<void*>> made(kThreads);
    const auto size = [](int t, int i) { return static_cast<size_t>(1 + (t * 7919 + i * 131) % 200000); };
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kBlocks; ++i) {
          made[static_cast<size_t>(t)].push_back(allocate(size(t, i)));
          std::memset(made[static_cast<size_t>(t)].back(), t, size(t, i));
        }
      });
    }
    for (auto& t : threads) t.join();
    threads.clear();
    std::atomic<int> wrong{0};
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const int other = (t + 1) % kThreads;
        for (int i = 0; i < kBlocks; ++i) {
          auto* p = static_cast<unsigned char*>(made[static_cast<size_t>(other)][static_cast<size_t>(i)]);
          const size_t n = size(other, i);
          if (p[0] != other || p[n - 1] != other) ++wrong;
          deallocate(p, n);
        }
      });
    }
    for (auto& t : threads) t.join();
    CHECK(wrong == 0, "%d blocks", wrong.load());
  };
  const int64_t before = memory_stats().allocated_bytes;
  round();
  const MemoryStats first = memory_stats();
  round();
  const MemoryStats second = memory_stats();
  CHECK(first.allocated_bytes == before && second.allocated_bytes == before);
  // Small classes are carved per thread from 64-byte steps, so a second round may take a few slabs more, not a copy of everything.
  CHECK(second.system_bytes - first.system_bytes <= first.system_bytes / 4, "%lld after %lld", static_cast<long long>(second.system_bytes),
        static_cast<long long>(first.system_bytes));
}

}  // namespace

int main() {
  check_alignment_and_separation();
  check_steady_state();
  check_statistics();
  check_failure();
  check_other_threads();
  return test::report("allocator");
}
