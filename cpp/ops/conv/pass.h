#pragma once

#include <vector>

#include "ops/conv/band.h"

namespace pydl::conv {

// A pass over results: a gather, the weights in the roles that it gives them, and where results go.
template <class T>
struct Pass {
  Gather gather;
  int64_t groups, channels, rows;
  const T* in;
  int64_t in_batch, in_group, in_plane;
  const T* weight;  // of (group, row, channel, tap): group * w_group + row * w_row + channel * w_channel + w_taps[tap]
  int64_t w_group, w_row, w_channel;
  std::vector<int64_t> w_taps;
  const T* bias;
  T* out;  // result (d, h, w) of the grid is at place first + step * (d, h, w) of the plane
  int64_t out_batch, out_group, out_plane;
  int64_t out_size[3], out_first[3], out_step[3];

  int64_t out_at(const Place& p) const {
    return ((out_first[0] + p.d * out_step[0]) * out_size[1] + out_first[1] + p.h * out_step[1]) * out_size[2] + out_first[2] +
           p.w * out_step[2];
  }
  bool contiguous_weights() const {
    const int64_t taps = static_cast<int64_t>(w_taps.size());
    if (w_channel != taps) return false;
    for (int64_t t = 0; t < taps; ++t) {
      if (w_taps[static_cast<size_t>(t)] != t) return false;
    }
    return true;
  }
};

// The fewest equal parts of the rows with which every thread gets the same number of tasks.
int64_t row_parts(int64_t tasks, int64_t most);

}  // namespace pydl::conv
