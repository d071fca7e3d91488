// The only door to threads. OpenMP is used in parallel.cpp and nowhere else.
#pragma once

#include <cstdint>
#include <type_traits>

namespace pydl {

int num_threads();                  // threads that a parallel region may use now
void set_num_threads(int threads);  // throws ValueError below 1; may be called at any time
int default_num_threads();          // from OMP_NUM_THREADS, affinity mask and cgroup quota
bool in_parallel_region();

namespace detail {
void parallel_run(int64_t tasks, void* context, void (*task)(void*, int64_t));
}

// Runs f(task) for task in [0, tasks), static assignment to threads, never nested (a nested call runs serially).
// An exception thrown by a task is rethrown in the caller after the region ended.
template <class F>
void parallel_tasks(int64_t tasks, F&& f) {
  if (tasks <= 1 || num_threads() == 1 || in_parallel_region()) {
    for (int64_t i = 0; i < tasks; ++i) f(i);
    return;
  }
  using Fn = std::remove_reference_t<F>;
  detail::parallel_run(tasks, const_cast<void*>(static_cast<const void*>(&f)), [](void* ctx, int64_t i) { (*static_cast<Fn*>(ctx))(i); });
}

// Splits [0, n) into contiguous ranges of at least `grain` and runs f(begin, end) on each.
// The split depends on the number of threads, so f must give results that do not depend on where ranges begin.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  const int64_t limit = grain > 0 ? (n + grain - 1) / grain : n;
  const int64_t threads = limit < num_threads() ? limit : num_threads();
  if (threads <= 1 || in_parallel_region()) {
    f(int64_t{0}, n);
    return;
  }
  auto task = [&](int64_t i) { f(n * i / threads, n * (i + 1) / threads); };
  parallel_tasks(threads, task);
}

}  // namespace pydl
