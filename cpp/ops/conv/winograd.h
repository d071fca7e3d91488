// Convolutions by Winograd's method (kernels/conv/winograd.h), in float32: 1.4 to 2.25 times fewer products. The sums are as
// exact as direct ones to a factor of one to four (docs/design.md). They take differences of what a direct sum adds, so that
// infinite operands would make NaN of infinite results: where a result is not finite the convolution is repeated directly.
#pragma once

#include <algorithm>

#include "kernels/conv/winograd.h"
#include "ops/conv/pass.h"

namespace pydl::conv {

// Rows of tiles that cover the results of a gather; with a dilation d, one for every phase modulo d, but for columns two apart,
// whose phases share rows.
class Tiling {
 public:
  struct Segment {
    int64_t n, d, h, w, len;  // the first result of `len` tiles
  };
  // Finds the method, if there is one. Bands of tiles are cut later, by `cut`.
  explicit Tiling(const Gather& g);
  bool pays(int64_t channels, int64_t rows) const;  // for `channels` (times the taps along depth) to `rows` channels
  void cut(int64_t most);                           // into blocks of at most `most` tiles
  int64_t blocks() const { return static_cast<int64_t>(starts_.size()) - 1; }
  int64_t widest() const { return widest_; }  // tiles of a block
  void plan(int64_t block, std::vector<Segment>& out) const;

  const Gather& gather() const { return g_; }
  const kernels::conv::Scheme& scheme() const { return kernels::conv::kSchemes[scheme_]; }
  const kernels::conv::WinogradKernels& kernels() const { return kernels::conv::winograd().scheme[scheme_]; }
  int planes() const { return scheme().h.planes * scheme().w.planes; }
  int taps() const { return scheme().h.taps * scheme().w.taps; }
  int64_t depth() const { return static_cast<int64_t>(g_.taps[0].size()); }
  int64_t dilation_h() const { return dilation_[1]; }
  int64_t dilation_w() const { return dilation_[2]; }

 private:
  // Are the two phases of dilated columns in one segment?
  bool paired(int d) const { return d == 2 && dilation_[2] == 2; }
  int64_t phases_w() const { return paired(2) ? 1 : std::min(dilation_[2], g_.grid[2]); }
  int64_t tiles_along(int d, int results) const;
  int64_t tiles() const { return tiles_along(1, scheme().h.results) * tiles_along(2, scheme().w.results); }  // of a plane

  Gather g_;
  int64_t dilation_[3] = {};
  int scheme_ = -1;
  std::vector<Segment> plane_;
  std::vector<int64_t> starts_;  // of each block, in segments
  int64_t widest_ = 0;
};

// The transformed tiles of channels [c0, c1) of a group, for every tap along depth; `in` is the group's first plane.
// out[plane * plane_step + (tap * (c1 - c0) + c - c0) * out_step + tile].
struct TileInput {
  const float* in;
  int64_t in_batch, in_plane;
};
void transform_tiles(const Tiling& tiling, const std::vector<Tiling::Segment>& block, const TileInput& from, int64_t c0, int64_t c1,
                     float* out, int64_t plane_step, int64_t out_step);

// How many tiles at the end of a block have so much of their vector empty that sums with channels on the lanes are faster.
int64_t tail_of(int64_t tiles);

// At least `size` elements as an odd number of lines: neighbours at this distance do not compete for the same sets of the
// cache.
constexpr int64_t odd_lines(int64_t size) { return ((size + 15) / 16 | 1) * 16; }

// False if it does not pay, or a result is not finite: then results are still to be computed.
bool run_winograd(const Pass<float>& p);
bool winograd_weight(const Shape& s, const float* in, const float* out_grad, float* weight_grad, float* bias_grad);

}  // namespace pydl::conv
