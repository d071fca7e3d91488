// The kernels of a compute type.
#pragma once

#include <array>

#include "kernels/conv/conv.h"
#include "kernels/matmul/gemm.h"
#include "ops/matmul/workspace.h"

namespace pydl::conv {

using kernels::matmul::gemm_table;

Workspace& scratch_space();

template <class T>
const kernels::conv::ConvTable<T>& conv_table() {
  if constexpr (sizeof(T) == 4) {
    return kernels::conv::conv_f32();
  } else {
    return kernels::conv::conv_f64();
  }
}

// The scratch memory of this thread, shared by all passes: a part for each of `sizes` elements, on lines of their own.
template <class T, size_t N>
std::array<T*, N> scratch(const int64_t (&sizes)[N]) {
  constexpr int64_t kLine = 64 / sizeof(T);
  int64_t total = 0;
  for (const int64_t n : sizes) total += (n + kLine - 1) / kLine * kLine;
  T* p = scratch_space().get<T>(total);
  std::array<T*, N> parts;
  for (size_t i = 0; i < N; ++i) {
    parts[i] = p;
    p += (sizes[i] + kLine - 1) / kLine * kLine;
  }
  return parts;
}

// Do rows at this distance, in bytes, lie in different sets of the first-level cache?
inline bool apart_in_cache(int64_t distance) {
  constexpr int64_t kSets = 2048, kApart = 128;
  distance %= kSets;
  return distance >= kApart && distance <= kSets - kApart;
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace pydl::conv
