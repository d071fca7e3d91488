// How a kernel is declared once and found at run time.
//
// A kernel is a table (of functions, indexed by dtype, or a struct of functions) that exists once per instruction-set
// level. `PYDL_KERNEL(Type, name)` declares the copies and a function `name()` that returns the one for this processor.
// The tables themselves are `constinit` variables defined in kernels/cpu/<family>/*.kernel.cpp, which is compiled once
// per level with PYDL_ISA set to `baseline`, `avx2` or `avx512`.
#pragma once

#include "core/cpu_info.h"
#include "core/dtype.h"

namespace pydl::kernels {

// Indexed by dtype; an empty slot means "not implemented for this dtype", reported by the op as a uniform error.
template <class Fn>
struct ByDType {
  Fn slot[kNumDTypes] = {};
  [[gnu::always_inline]] constexpr Fn operator[](DType d) const { return slot[static_cast<int>(d)]; }
};

#if defined(__x86_64__)
#define PYDL_KERNEL(Type, name)                                                                                              \
  namespace baseline {                                                                                                       \
  extern const Type name;                                                                                                    \
  }                                                                                                                          \
  namespace avx2 {                                                                                                           \
  extern const Type name;                                                                                                    \
  }                                                                                                                          \
  namespace avx512 {                                                                                                         \
  extern const Type name;                                                                                                    \
  }                                                                                                                          \
  [[gnu::always_inline]] inline const Type& name() {                                                                         \
    const ::pydl::CpuLevel level = ::pydl::cpu_level();                                                                      \
    return level == ::pydl::CpuLevel::Avx512 ? avx512::name : level == ::pydl::CpuLevel::Avx2 ? avx2::name : baseline::name; \
  }                                                                                                                          \
  static_assert(true)
#else
#define PYDL_KERNEL(Type, name)                                               \
  namespace baseline {                                                        \
  extern const Type name;                                                     \
  }                                                                           \
  [[gnu::always_inline]] inline const Type& name() { return baseline::name; } \
  static_assert(true)
#endif

}  // namespace pydl::kernels
