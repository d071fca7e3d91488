// Weighted sums of neighbouring places along one axis: one step of interpolation, and of its derivative.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::vision {

// Place j of the result is the sum of count[j] places of the input from start[j] on, times weights[j * taps ...]. Around the
// axis lie `inner` consecutive elements.
struct Axis {
  int64_t in, out, inner, taps;
  const int64_t *start, *count;
  const void* weights;
};

struct ResampleFns {
  // inner == 1: rows begin..end of the input, each a whole axis; otherwise rows of the result, each `inner` elements long.
  void (*axis)(void* out, const void* in, const Axis& a, int64_t begin, int64_t end);
};
PYDL_KERNEL(ByDType<const ResampleFns*>, resample);

}  // namespace pydl::kernels::vision
