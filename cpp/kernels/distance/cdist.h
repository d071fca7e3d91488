// Distances of rows in the p-norm.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::distance {

// Contiguous rows of `width` elements. forward: out[i, j] = |a_i - b_j|_p for rows a_i in [begin, end) and all b_j.
// backward: out_i = sum over j of grad[i, j] d|a_i - b_j|_p / d a_i, given the distances.
struct Rows {
  const void* a;
  const void* b;
  const void* grad;
  const void* distance;
  void* out;
  int64_t b_rows, width;
  double p;
};
using RowsFn = void (*)(const Rows&, int64_t begin, int64_t end);

struct DistanceTable {
  ByDType<RowsFn> forward, backward;  // float32, float64
};
PYDL_KERNEL(DistanceTable, cdist);

}  // namespace pydl::kernels::distance
