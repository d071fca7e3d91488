// Pooling of one plane (of up to three dims): maxima with their places, sums, and the transposes of both.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::pool {

// Result o of dim d covers the input places begin[d][o], begin[d][o] + step[d], ... below end[d][o], all inside the input.
// Where `stride` is 1 or 2 the windows of the last dim are those of a plain pooling: begin is o * stride - padding, cut to
// the input, with `taps` places.
struct Windows {
  int64_t in[3], out[3];
  const int32_t* begin[3];
  const int32_t* end[3];
  int64_t step[3];
  int64_t stride, padding, taps;
};

// A buffer of scratch(w) elements of 8 bytes for the functions below.
inline int64_t scratch_size(const Windows& w) {
  const int64_t reach = w.out[2] * (w.stride > 0 ? w.stride : 1) + w.taps * w.step[2];
  const int64_t row = w.in[2] + w.padding;
  return 2 * ((row > reach ? row : reach) + 256);
}

template <class T>
struct PoolTable {
  // The largest element of each window (a NaN is larger than everything) and its place in the plane; of equal ones the first.
  void (*max)(const Windows& w, const T* in, T* out, int32_t* index, void* scratch);
  // Sums divided by divisor[0][d] * divisor[1][h] * divisor[2][w] of the result's place.
  void (*mean)(const Windows& w, const T* in, const T* const* divisor, T* out, void* scratch);
  // The transpose of mean: overwrites `in`.
  void (*spread)(const Windows& w, const T* out, const T* const* divisor, T* in, void* scratch);
};

PYDL_KERNEL(PoolTable<float>, pool_f32);
PYDL_KERNEL(PoolTable<double>, pool_f64);

}  // namespace pydl::kernels::pool
