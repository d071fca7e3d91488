// Sums of rows that an index picks, one sum for each segment of the index.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::index {

// out row s = the sum, or the mean, of in rows rows[starts[s]] .. rows[starts[s + 1] - 1]; zeros where there is none. Rows of
// both have `features` elements, one after the other. The indices have been checked.
struct Segments {
  char* out;
  const char* in;
  const int64_t* rows;
  const int64_t* starts;
  int64_t features;
  bool mean;
};
// Of the segments [begin, end).
using SegmentsFn = void (*)(const Segments&, int64_t begin, int64_t end);
using SegmentTable = ByDType<SegmentsFn>;
PYDL_KERNEL(SegmentTable, segment_sums);

}  // namespace pydl::kernels::index
