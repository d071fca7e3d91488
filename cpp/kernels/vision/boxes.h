// Boxes against boxes, and windows of maps.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::vision {

// Boxes by coordinate, `count` of each.
struct BoxColumns {
  const void *x1, *y1, *x2, *y2, *area;
  int64_t count;
};
struct BoxFns {
  // overlap[j] = |i n j| / |i u j| for j in [begin, count).
  void (*overlap)(void* overlap, const BoxColumns& boxes, int64_t i, int64_t begin);
  // gone[j] = 1 where the overlap of i and j > i is more than the threshold; an array of the boxes' type.
  void (*suppress)(void* gone, const BoxColumns& boxes, int64_t i, double threshold);
};
PYDL_KERNEL(ByDType<const BoxFns*>, boxes);

// The pixels [y0, y1) x [x0, x1) of a map `width` wide whose `channels` lie side by side.
struct Window {
  int64_t y0, y1, x0, x1, width, channels;
};
// The maximum over a window for each channel and the first pixel that has it; NaN wins. The window is not empty.
using WindowMaxFn = void (*)(void* out, int64_t* arg, const void* x, const Window& w);
PYDL_KERNEL(ByDType<WindowMaxFn>, window_max);

}  // namespace pydl::kernels::vision
