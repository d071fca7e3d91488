// Sampling at positions: weighted sums of pixels whose channels lie side by side, and the derivatives.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::vision {

// `taps` pixels for each of `points` results; a negative pixel is none. Pixels and results are `stride` elements apart, of
// which `channels` count.
struct Taps {
  int64_t points, taps, channels, stride;
  const int64_t* pixel;
  const void* weight;
};

// Images whose channels are planes of `height` x `width`, at most 2^31 - 1 pixels; points as x, y from -1 to 1. Results are `out_plane`
// apart.
struct Planes {
  int64_t points, channels, height, width, out_plane;
  bool align_corners, border, nearest;
};

struct GridFns {
  void (*sample)(void* out, const void* x, const Taps& t);
  // The same for few channels, bilinear or nearest, with zeros or the border's pixels outside.
  void (*sample_planes)(void* out, const void* x, const void* grid, const Planes& p);
  // Of one plane: dx[pixel] += weight * g; dgrid[point] = the sum of g * x by x and by y. Either may be null.
  void (*backward_plane)(void* dx, void* dgrid, const void* g, const void* x, const void* grid, const Planes& p);
  // dx[pixel] += weight * g for each tap; dgrid[point][axis] = the sum over the taps of slope[axis][point][tap] * (g . x[pixel]).
  // Either may be null.
  void (*backward)(void* dx, void* dgrid, const void* g, const void* x, const Taps& t, const void* const* slope, int64_t axes);
};
PYDL_KERNEL(ByDType<const GridFns*>, grid);

}  // namespace pydl::kernels::vision
