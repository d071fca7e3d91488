// Copies that change the order of elements. All strides are in bytes.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::copy {

// out[j][i] = in[i][j] for i < rows, j < cols: input rows and output rows are contiguous.
using TransposeFn = void (*)(char* out, int64_t out_row, const char* in, int64_t in_row, int64_t rows, int64_t cols);
// n elements at two strides.
using StridedFn = void (*)(char* out, int64_t out_stride, const char* in, int64_t in_stride, int64_t n);

struct CopyTable {
  TransposeFn transpose[5];  // by log2 of the item size: 1, 2, 4, 8, 16 bytes
  StridedFn strided[5];
};
PYDL_KERNEL(CopyTable, copies);

}  // namespace pydl::kernels::copy
