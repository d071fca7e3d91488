// Copies between layouts of the same dtype. Strides are in bytes; out and in do not overlap.
#pragma once

#include <cstdint>

namespace pydl {

// out[j][i] = in[i][j], i < rows, j < cols; item_size is 1, 2, 4, 8 or 16.
void transpose2d(void* out, int64_t out_row_stride, const void* in, int64_t in_row_stride, int64_t rows, int64_t cols, int64_t item_size);

// Copies an n-dimensional block between any two layouts (an input stride of 0 broadcasts). dims <= 16.
void strided_copy(int dims, const int64_t* sizes, void* out, const int64_t* out_strides, const void* in, const int64_t* in_strides,
                  int64_t item_size);

void fill_zero(void* out, int64_t bytes);

}  // namespace pydl
