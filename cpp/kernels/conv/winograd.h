// Winograd's minimal filtering in float32 (Winograd, "Arithmetic Complexity of Computations", 1980; Lavin & Gray, "Fast
// Algorithms for Convolutional Neural Networks", 2016). Two neighbouring results y of a kernel g over the data d are
//
//   y = A^T [(G g) * (B^T d)]
//
// with fewer products than taps. The matrices of two dims apply one after the other to the rows and the columns of a tile;
// the gradient by the kernel is G^T [(A y) * (B^T d)] G. The products at one place of the transformed tiles, a "plane", are
// a product of matrices: channels by tiles.
//
// A segment is a run of tiles in one row of tiles. Of columns two apart it has both kinds, which take turns: tiles 2 i and
// 2 i + 1 have their columns at 2 * results * stride * i, one behind the other.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::conv {

// A method along one dim: `planes` products for `results` neighbouring results of `taps` taps, which read `span` places.
struct Method {
  int taps, stride, planes, span, results;
};
// A pair of methods for rows and columns.
struct Scheme {
  Method h, w;
};

inline constexpr Method kOneTap{1, 1, 1, 1, 1};
inline constexpr Method kTwoTaps{2, 1, 3, 3, 2};       // F(2, 2)
inline constexpr Method kThreeTaps{3, 1, 4, 4, 2};     // F(2, 3)
inline constexpr Method kFiveTaps{5, 1, 7, 6, 2};      // the sum of F(2, 3) and F(2, 2)
inline constexpr Method kThreeTapsBy2{3, 2, 5, 5, 2};  // stride 2: F(2, 2) on the outer taps, the middle one as it is
inline constexpr Method kFourTapsBy2{4, 2, 6, 6, 2};   // stride 2: F(2, 2) on the even and on the odd taps
inline constexpr Scheme kSchemes[] = {{kThreeTaps, kThreeTaps},       {kTwoTaps, kTwoTaps},         {kFiveTaps, kFiveTaps},
                                      {kThreeTapsBy2, kThreeTapsBy2}, {kFourTapsBy2, kFourTapsBy2}, {kOneTap, kThreeTaps},
                                      {kOneTap, kFiveTaps},           {kOneTap, kTwoTaps},          {kTwoTaps, kOneTap}};
inline constexpr int kSchemeCount = sizeof(kSchemes) / sizeof(Scheme);
inline constexpr int kMostSpan = 6, kMostTaps = 5;

// A segment is written in whole vectors, up to this many elements beyond its end.
inline constexpr int64_t kTileSlack = 16;

// out[plane * plane_step + channel * out_step + j] = (B^T d B)[plane] of the tiles d of `count` channels. Tile j has its
// columns at x + step * (results * stride * j + q), q < span, unless step is 2.
struct TilesIn {
  float* out;
  int64_t plane_step, out_step;
  const float* in[kMostSpan];  // the rows of a tile in the first channel; null: zeros
  int64_t in_step, count;
  int64_t x, step, width;  // columns outside of [0, width) are zeros
  int64_t len;
};

// From products m[plane * plane_step + channel * in_step + j] the results A^T m A + bias. Result r of a row goes to
// x + step * r, r < columns. `paired`: those of columns two apart, of both kinds.
struct TilesOut {
  const float* in;
  int64_t plane_step, in_step;
  float* out[2];  // the rows of the tiles in the first channel; the second may be null
  int64_t out_step, count;
  const float* bias;  // of each channel, or null
  int64_t x, step, columns;
  int64_t len;
  bool paired;
};

// (A y A^T)[plane] of the tiles y of `count` channels in panels of `panel` channels, a multiple of the vector:
// out[plane * plane_step + channel / panel * panel_step + tile * panel + channel % panel], in whole vectors of channels.
// Element q of a row is at x + step * q, or with a step of 2 at x + q; those from `width` on are zeros. sums[channel] += all of y, unless
// null.
struct TilesOfGradient {
  float* out;
  int64_t plane_step, panel_step, panel;
  const float* in[2];  // the second may be null
  int64_t in_step, count;
  int64_t x, step, width;
  int64_t len;
  float* sums;
};

// out[plane * plane_step + i] = (G g G^T)[plane] of the kernel g with taps in[i * in_step + at[...]], which are not negative.
struct KernelsIn {
  float* out;
  int64_t plane_step;
  const float* in;
  int64_t in_step, count;
  int64_t at[kMostTaps * kMostTaps];
};

// out[i * out_step + tap] = (G^T s G)[tap] of the sums s[plane * plane_step + i].
struct KernelsOut {
  float* out;
  int64_t out_step;
  const float* in;
  int64_t plane_step, count;
};

struct WinogradKernels {
  void (*tiles_in)(const TilesIn&);
  bool (*tiles_out)(const TilesOut&);  // are all results finite?
  void (*tiles_of_gradient)(const TilesOfGradient&);
  void (*kernels_in)(const KernelsIn&);
  bool (*kernels_out)(const KernelsOut&);
};
struct WinogradTable {
  WinogradKernels scheme[kSchemeCount];
};

PYDL_KERNEL(WinogradTable, winograd);

}  // namespace pydl::kernels::conv
