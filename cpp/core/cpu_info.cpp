#include "core/cpu_info.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string_view>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pydl {
namespace {

#if defined(__x86_64__)
CpuLevel supported_level() {
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (!v3) return CpuLevel::Baseline;
  const bool v4 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return v4 ? CpuLevel::Avx512 : CpuLevel::Avx2;
}

void read_brand(char* out) {
  unsigned regs[12] = {};
  for (unsigned i = 0; i < 3; ++i) __get_cpuid(0x80000002u + i, &regs[4 * i], &regs[4 * i + 1], &regs[4 * i + 2], &regs[4 * i + 3]);
  std::memcpy(out, regs, 48);
  out[48] = 0;
}
#endif

CpuInfo detect() {
  CpuInfo info{};
#if defined(__x86_64__)
  info.supported = supported_level();
  read_brand(info.brand);
#else
  info.supported = CpuLevel::Baseline;
#endif
  info.level = info.supported;
  if (const char* env = std::getenv("PYDL_CPU_LEVEL")) {
    const std::string_view want(env);
    const CpuLevel asked = want == "baseline" ? CpuLevel::Baseline : want == "avx2" ? CpuLevel::Avx2 : CpuLevel::Avx512;
    if (asked < info.level) info.level = asked;
  }
#if defined(__x86_64__)
  const bool avx512 = info.level == CpuLevel::Avx512;
  info.avx512_bf16 = avx512 && __builtin_cpu_supports("avx512bf16");
  info.avx512_vnni = avx512 && __builtin_cpu_supports("avx512vnni");
#endif
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  info.l1d_bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE);
  info.l2_bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  info.l3_bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  return info;
}

}  // namespace

const CpuInfo& cpu_info() {
  static const CpuInfo info = detect();
  return info;
}

const char* cpu_level_name(CpuLevel level) { return level == CpuLevel::Avx512 ? "avx512" : level == CpuLevel::Avx2 ? "avx2" : "baseline"; }

namespace detail {
CpuLevel active_level = cpu_info().level;
}

}  // namespace pydl
