// Winograd's minimal filtering F(2x2, 3x3) in float32 (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016): a tile of 2 x 2 results of a 3 x 3 kernel takes 16 products per channel in place of 36. With the matrices
//
//   B^T = 1  0 -1  0    G = 1    0   0     A^T = 1  1  1  0
//         0  1  1  0        1/2  1/2 1/2         0  1 -1  1
//         0 -1  1  0        1/2 -1/2 1/2
//         0 -1  0  1        0    0   1
//
// a tile is A^T [(G g G^T) * (B^T d B)] A, its gradient by the weights G^T [(A y A^T) * (B^T d B)] G. The 16 products at one
// place of the transformed tiles are a product of matrices: channels by tiles. "Planes" below are those places.
//
// A segment is a run of tiles in one row of tiles: tile j has its columns at x + step * (2 j + q).
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::conv {

inline constexpr int kPlanes = 16;
// A segment is written in whole vectors, up to this many elements beyond its end.
inline constexpr int64_t kTileSlack = 16;

// out[plane * plane_step + channel * out_step + j] = (B^T d B)[plane] of the tiles d of `count` channels.
struct TilesIn {
  float* out;
  int64_t plane_step, out_step;
  const float* in[4];  // the rows of a tile in the first channel; null: zeros
  int64_t in_step, count;
  int64_t x, step, width;  // columns outside of [0, width) are zeros
  int64_t len;
};

// From products m[plane * plane_step + channel * in_step + j] the results A^T m A + bias.
struct TilesOut {
  const float* in;
  int64_t plane_step, in_step;
  float* out[2];  // the rows of the tiles in the first channel; the second may be null
  int64_t out_step, count;
  const float* bias;       // of each channel, or null
  int64_t x, step, width;  // columns from `width` on are no results
  int64_t len;
};

// (A y A^T)[plane] of the 2 x 2 tiles y of `count` channels in panels of `panel` channels, a multiple of the vector:
// out[plane * plane_step + channel / panel * panel_step + tile * panel + channel % panel], in whole vectors of channels.
// sums[channel] += all of y, unless null.
struct TilesOfGradient {
  float* out;
  int64_t plane_step, panel_step, panel;
  const float* in[2];  // the second may be null
  int64_t in_step, count;
  int64_t x, step, width;
  int64_t len;
  float* sums;
};

// out[plane * plane_step + i] = (G g G^T)[plane] of the kernel g at in[i * in_step], whose rows or columns may be turned round.
struct KernelsIn {
  float* out;
  int64_t plane_step;
  const float* in;
  int64_t in_step, count;
  bool flip_h, flip_w;
};

// out[i * out_step + tap] = (G^T s G)[tap] of the sums s[plane * plane_step + i].
struct KernelsOut {
  float* out;
  int64_t out_step;
  const float* in;
  int64_t plane_step, count;
};

struct WinogradTable {
  void (*tiles_in)(const TilesIn&);
  bool (*tiles_out)(const TilesOut&);  // are all results finite?
  void (*tiles_of_gradient)(const TilesOfGradient&);
  void (*kernels_in)(const KernelsIn&);
  bool (*kernels_out)(const KernelsOut&);
};

PYDL_KERNEL(WinogradTable, winograd);

}  // namespace pydl::kernels::conv
