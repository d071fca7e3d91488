// What this processor can do, and which level of kernels is in use.
#pragma once

#include <cstdint>

namespace pydl {

// Microarchitecture levels of the x86-64 psABI: v2, v3, v4. Other architectures have the baseline only.
enum class CpuLevel : uint8_t { Baseline = 0, Avx2 = 1, Avx512 = 2 };

struct CpuInfo {
  CpuLevel supported;  // what the hardware and the operating system allow
  CpuLevel level;      // in use: `supported`, lowered by PYDL_CPU_LEVEL
  bool avx512_bf16;    // only when level == Avx512
  bool avx512_vnni;
  char brand[64];
  int64_t l1d_bytes, l2_bytes, l3_bytes;  // 0 where unknown
};

const CpuInfo& cpu_info();
const char* cpu_level_name(CpuLevel level);

namespace detail {
extern CpuLevel active_level;  // set before main; kernels are chosen by it
}
[[gnu::always_inline]] inline CpuLevel cpu_level() { return detail::active_level; }

}  // namespace pydl
