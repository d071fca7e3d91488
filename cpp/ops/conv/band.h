// The geometry of a convolution, seen from its results: which part of the input a block of results reads, and where.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/conv/conv.h"

namespace pydl::conv {

// Three spatial dims; those that a convolution lacks come first, with size 1.
struct Shape {
  int64_t batch, groups;
  int64_t c, o;  // channels of input and output, per group
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];

  int64_t in_plane() const { return in[0] * in[1] * in[2]; }
  int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
};

// Result (d, h, w) of the grid reads, with every tap, input start + stride * (d, h, w) + tap, which is 0 outside the input.
struct Gather {
  int64_t batch;
  int64_t in[3], grid[3], stride[3], start[3];
  std::vector<int64_t> taps[3];  // >= 0

  int64_t tap_count() const { return static_cast<int64_t>(taps[0].size() * taps[1].size() * taps[2].size()); }
  int64_t span(int d) const;
  bool is_plain() const;  // a result reads the input of its own place alone
};

Gather forward_gather(const Shape& s);
// The input positions congruent to `phase`, which some tap reaches, modulo the stride, reading the output's gradient. `used`
// gets the place of each tap in the kernel.
void backward_gather(const Shape& s, const int64_t phase[3], Gather& g, std::vector<int64_t>& used);

// A run of results in one row of the grid (or, for a plain gather, in several rows).
struct Place {
  int64_t n, d, h, w;
};

// Some consecutive rows of the grid, over all images.
struct Block {
  struct Band {
    Place first;
    int64_t rows, at;  // at: its first row in the buffer
  };
  std::vector<Band> bands;
  std::vector<kernels::conv::Segment> segments;  // lanes count the results of the block
  std::vector<Place> places;                     // of each segment
  std::vector<int64_t> tap_offsets;              // in a channel's part of the buffer
  int64_t pixels, width, height;                 // of the buffer: `height` rows of `width` in each phase
  int64_t channel;                               // elements of the buffer for one channel
  int64_t flat;                                  // results are at segment bases below this
};

class Bands {
 public:
  // Blocks of at most `pixels` results, or one row. A plain gather needs no buffer, unless one is wanted.
  Bands(const Gather& g, int64_t pixels, bool buffered = false);
  bool plain() const { return plain_; }
  int64_t count() const { return blocks_; }
  int64_t widest() const { return row_width_ * rows_; }
  int64_t row_width() const { return row_width_; }
  // Without a buffer the segments point into the input itself.
  void plan(int64_t block, int64_t in_batch, Block& out) const;
  // Fills the buffer for channels [first, last) whose planes start at `in`.
  template <class T>
  void fill(const Block& b, T* buffer, const T* in, int64_t in_batch, int64_t in_plane, int64_t first, int64_t last) const;
  const Gather& gather() const { return g_; }

 private:
  Gather g_;
  bool plain_;
  int64_t row_width_, pieces_;  // a row that is longer than a block is cut
  int64_t rows_, blocks_;
  std::vector<int64_t> phases_h_, phases_w_;  // that some tap uses
  std::vector<int64_t> slot_h_, slot_w_;      // of each tap
};

}  // namespace pydl::conv
