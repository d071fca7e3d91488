// The shape of work that every pointwise kernel accepts.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels {

inline constexpr int kMaxOperands = 6;

// A two-dimensional strip: element (i, j) of operand k lies at data[k] + i * inner[k] + j * outer[k] (strides in bytes),
// 0 <= i < n0, 0 <= j < n1. Operand 0 is the output (operands 0..n_out-1 for kernels with several outputs).
// An inner stride of 0 is a broadcast (scalar operands arrive that way). The output may be exactly one of the inputs
// (in-place); partial overlap never reaches a kernel.
struct Strip {
  char* data[kMaxOperands];
  int64_t inner[kMaxOperands];
  int64_t outer[kMaxOperands];
  int64_t n0;
  int64_t n1;
  const void* params;  // kernel-specific constants, documented where the kernel is declared
};

using StripFn = void (*)(const Strip&);
// Indexed by the dtype in which the kernel computes (inputs have been converted to it).
using StripTable = ByDType<StripFn>;

}  // namespace pydl::kernels
