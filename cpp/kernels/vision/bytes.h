// Images of bytes: interpolation in whole numbers, what it needs to go along rows, and tables of their values.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::vision {

// As `Axis` of resample.h, with weights in units of 2^-bits: a result is the sum rounded (halves up) and cut to a byte.
struct ByteAxis {
  int64_t in, out, inner, taps;
  const int64_t *start, *count;
  const int16_t* weights;
  int bits;
};

struct ByteFns {
  // Rows begin..end of the result, each `inner` bytes long.
  void (*across)(uint8_t* out, const uint8_t* in, const ByteAxis& a, int64_t begin, int64_t end);
  // out[x * out_stride + y] = in[y * in_stride + x] for y < rows, x < columns.
  void (*transpose)(uint8_t* out, int64_t out_stride, const uint8_t* in, int64_t in_stride, int64_t rows, int64_t columns);
  // How many of n bytes have each of the 256 values.
  void (*count)(int64_t* counts, const uint8_t* in, int64_t n);
  // out[i] = table[in[i]]
  void (*look_up)(uint8_t* out, const uint8_t* in, const uint8_t* table, int64_t n);
};
PYDL_KERNEL(ByteFns, bytes);

}  // namespace pydl::kernels::vision
