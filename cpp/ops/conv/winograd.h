// Convolutions with kernels of 3 x 3 in their last two dims by Winograd's F(2x2, 3x3), in float32: 2.25 times fewer
// products. Its sums are as exact as direct ones to a factor of about two (docs/design.md), but they mix the places of a
// tile, so a result that is not finite would spoil its neighbours: such convolutions are repeated directly.
#pragma once

#include "ops/conv/pass.h"

namespace pydl::conv {

// Rows of 2 x 2 tiles that cover the results of a gather; with a dilation d, one for every phase modulo d.
class Tiling {
 public:
  struct Segment {
    int64_t n, d, h, w, len;  // the first result of `len` tiles; the second row is dilation_h below
  };
  Tiling(const Gather& g, int64_t most);  // blocks of at most `most` tiles

  int64_t dilation_h, dilation_w;
  int64_t count() const { return static_cast<int64_t>(starts_.size()) - 1; }
  int64_t widest() const { return widest_; }  // tiles of a block
  void plan(int64_t block, std::vector<Segment>& out) const;
  static int64_t tiles(const Gather& g);  // of one plane

 private:
  int64_t depth_;
  std::vector<Segment> plane_;
  std::vector<int64_t> starts_;  // of each block, in segments
  int64_t widest_ = 0;
};

// Whether the method applies to the gather and pays for `channels` (and the taps along depth) to `rows` channels.
bool winograd_pays(const Gather& g, int64_t channels, int64_t rows);

// The transformed tiles of channels [c0, c1) of a group, for every tap along depth; `in` is the group's first plane.
// out[plane * plane_step + (tap * (c1 - c0) + c - c0) * out_step + tile].
struct TileInput {
  const float* in;
  int64_t in_batch, in_plane;
};
void transform_tiles(const Gather& g, const Tiling& tiling, const std::vector<Tiling::Segment>& block, const TileInput& from, int64_t c0,
                     int64_t c1, float* out, int64_t plane_step, int64_t out_step);

// At least `size` elements as an odd number of lines: neighbours at this distance do not compete for the same sets of the
// cache.
constexpr int64_t odd_lines(int64_t size) { return ((size + 15) / 16 | 1) * 16; }

// False if it does not pay, or a result is not finite: then results are still to be computed.
bool run_winograd(const Pass<float>& p);
bool winograd_weight(const Shape& s, const float* in, const float* out_grad, float* weight_grad, float* bias_grad);

}  // namespace pydl::conv
