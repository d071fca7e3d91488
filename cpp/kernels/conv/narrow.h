// Convolutions of few channels with small images: the channels stand on the lanes of vectors, in float32. Rows of such an
// image fill no vector, and packing it costs as much as its products.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::conv {

// sum over q < outer and i < inner of a[r * a_step + outer_at[q] + i * inner_step] * b[(q * inner + i) * lanes + lane] for
// r < rows and lane < lanes, whole vectors, which replaces or is added to out[r * out_step + lane].
struct NarrowProduct {
  int64_t rows, lanes;
  const float* a;
  int64_t a_step;
  const int64_t* outer_at;
  int64_t outer, inner, inner_step;
  const float* b;
  float* out;
  int64_t out_step;
  bool add;
};

// out[r * out_row + i * out_step + x] += in[r * in_row + i * in_step + x] for r < rows, i < places, x < width, where the
// places of a row may overlap. Place by place, because each waits for the stores of the one before. in is read in whole vectors.
struct Overlap {
  float* out;
  int64_t out_row, out_step;
  const float* in;
  int64_t in_row, in_step;
  int64_t rows, places, width;
};

// out[i * out_step + channel] = in[channel * plane + i] for i < count, with zeros for channels from `channels` to the end of
// the vector. sums[channel] += all of them, unless null.
struct ToLanes {
  float* out;
  int64_t out_step;
  const float* in;
  int64_t plane, channels, count;
  float* sums;
};

// out[channel * plane + i] = in[i * in_step + channel] + bias[channel], which may be null. in is read in whole vectors, up to
// the end of the last one's row.
struct FromLanes {
  float* out;
  int64_t plane, channels, count;
  const float* in;
  int64_t in_step;
  const float* bias;
};

struct NarrowTable {
  int64_t lanes;  // of a vector
  void (*product)(const NarrowProduct&);
  void (*overlap)(const Overlap&);
  void (*to_lanes)(const ToLanes&);
  void (*from_lanes)(const FromLanes&);
};

PYDL_KERNEL(NarrowTable, narrow);

}  // namespace pydl::kernels::conv
