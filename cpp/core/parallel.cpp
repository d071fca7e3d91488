#include "core/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "core/error.h"

namespace pydl {
namespace {

// Threads that the control group may use at once, rounded up; 0 where there is no quota.
int cgroup_quota() {
  long quota = -1, period = 0;
  if (FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {  // version 2
    char word[32];
    if (std::fscanf(f, "%31s %ld", word, &period) == 2) quota = std::strtol(word, nullptr, 10);
    std::fclose(f);
  } else {
    FILE* q = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");  // version 1
    FILE* p = std::fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
    if (q && p && (std::fscanf(q, "%ld", &quota) != 1 || std::fscanf(p, "%ld", &period) != 1)) quota = -1;
    if (q) std::fclose(q);
    if (p) std::fclose(p);
  }
  return quota > 0 && period > 0 ? static_cast<int>((quota + period - 1) / period) : 0;
}

int detect_threads() {
  if (const char* env = std::getenv("OMP_NUM_THREADS")) {
    const int n = std::atoi(env);
    if (n > 0) return n;
  }
  int n = omp_get_num_procs();  // honours the affinity mask
  const int quota = cgroup_quota();
  if (quota > 0) n = std::min(n, quota);
  return std::max(n, 1);
}

std::atomic<int> g_threads{0};

// libgomp's pool does not survive fork: release it before, so that parent and child make new ones (gcc bug 60035).
void before_fork() { omp_pause_resource_all(omp_pause_soft); }
const int g_fork_handler = pthread_atfork(before_fork, nullptr, nullptr);

}  // namespace

int default_num_threads() {
  static const int n = detect_threads();
  return n;
}

int num_threads() {
  int n = g_threads.load(std::memory_order_relaxed);
  if (n == 0) [[unlikely]] {
    n = default_num_threads();
    g_threads.store(n);
  }
  // omp_set_num_threads (threadpoolctl, users) limits the calling thread.
  return n == 1 ? 1 : std::min(n, omp_get_max_threads());
}

void set_num_threads(int threads) {
  PYDL_CHECK(threads >= 1 && threads <= 4096, ValueError, "set_num_threads(): n must be in [1, 4096], got ", threads);
  g_threads.store(threads);
  omp_set_num_threads(threads);
}

bool in_parallel_region() { return omp_in_parallel() != 0; }

void detail::parallel_run(int64_t tasks, void* context, void (*task)(void*, int64_t)) {
  const int threads = static_cast<int>(std::min<int64_t>(tasks, num_threads()));
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
#pragma omp parallel num_threads(threads)
  {
    const int64_t id = omp_get_thread_num(), count = omp_get_num_threads();
    for (int64_t i = tasks * id / count, end = tasks * (id + 1) / count; i < end; ++i) {
      try {
        task(context, i);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
  }
  if (failed.load()) std::rethrow_exception(failure);
}

}  // namespace pydl
