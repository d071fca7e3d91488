// Convolutions of one channel with one kernel: a few multiply-adds for each element that is read, so everything is read
// where it lies.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::conv {

// Result (h, w) reads place (start_h + stride_h * h + tap_h[i], start_w + stride_w * w + tap_w[j]) of some planes; places
// outside of the planes are zeros.
struct Window {
  int64_t rows, columns;  // results
  int64_t height, width;  // of the planes
  int64_t start_h, stride_h, start_w, stride_w;
  const int64_t* tap_h;
  const int64_t* tap_w;
  int64_t taps_h, taps_w;
};

// out[h * out_row + w * out_step] = bias + sum over planes p and taps of weight[p][i * taps_w + j] * in[p][place].
template <class T>
struct PlaneConv {
  Window window;
  const T* const* in;
  const T* const* weight;
  int64_t planes;
  T bias;
  T* out;
  int64_t out_row, out_step;
};

// sums[i * taps_w + j] += sum over the results of grad[h * columns + w] * in[place].
template <class T>
struct PlaneSums {
  Window window;
  const T* in;
  const T* grad;
  T* sums;
};

// in[2 h + i - padding_h][2 w + j - padding_w] += weight[3 i + j] * grad[h][w], from a bias on: the transpose of a kernel of 3x3
// taps with a stride of 2.
template <class T>
struct PlaneSpread {
  const T* grad;
  int64_t rows, columns;
  const T* weight;
  T bias;
  T* in;
  int64_t height, width, padding_h, padding_w;
};

template <class T>
struct DepthwiseTable {
  void (*conv)(const PlaneConv<T>&);
  void (*sums)(const PlaneSums<T>&);
  void (*spread)(const PlaneSpread<T>&);
};

PYDL_KERNEL(DepthwiseTable<float>, depthwise_f32);
PYDL_KERNEL(DepthwiseTable<double>, depthwise_f64);

}  // namespace pydl::kernels::conv
