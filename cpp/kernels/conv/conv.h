// Building blocks of convolution for float32 and float64. A convolution reads its input through a band: the rows that a
// block of results needs, with zeros around them and, where the stride is above 1, sorted by phase. In a band every tap of
// the kernel is the same memory at another offset, so nothing below looks at strides, dilation or edges.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::conv {

// Rows of a band: element x < width of row r is in[rows[r] + start + x * step] where start + x * step lies in
// [0, in_width), else 0; a negative rows[r] is a row of zeros. May write up to one vector beyond the end.
template <class T>
struct BandRows {
  T* out;
  const T* in;
  const int64_t* rows;
  int64_t count, width;
  int64_t start, step, in_width;
};

// A run of `len` neighbouring results: at `base` in the band, at `lane` in the packed row.
struct Segment {
  int64_t base;
  int32_t lane, len;
};

// out[r * pitch + lane...] = in[offsets[r] + base...] for every segment. The segments fill the lanes from 0 without gaps.
template <class T>
struct CopyRows {
  T* out;
  int64_t pitch;
  const T* in;
  const int64_t* offsets;
  int64_t rows;
  const Segment* segments;
  int64_t count;
};

// c[i, j] = bias[i] + sum_p a[i, p] * b[offsets[p] + j]; reads of b and writes of c go up to kDirectSlack beyond n.
template <class T>
struct Direct {
  int64_t m, n, k;
  const T* a;
  int64_t a_row;
  const T* b;
  const int64_t* offsets;
  T* c;
  int64_t c_row;
  const T* bias;
};
inline constexpr int64_t kDirectSlack = 256;

// A run of `len` results at `from` in a buffer, whose places in the output begin at `to`.
struct Run {
  int64_t from, to, len;
};

// out[r * out_row + run.to + x * step] = in[r * in_row + run.from + x] for every run, r < rows.
template <class T>
struct WriteRuns {
  T* out;
  int64_t out_row;
  const T* in;
  int64_t in_row, rows;
  const Run* runs;
  int64_t count, step;
};

template <class T>
struct ConvTable {
  void (*band_rows)(const BandRows<T>&);
  void (*copy_rows)(const CopyRows<T>&);
  void (*direct)(const Direct<T>&);
  void (*write_runs)(const WriteRuns<T>&);
};

PYDL_KERNEL(ConvTable<float>, conv_f32);
PYDL_KERNEL(ConvTable<double>, conv_f64);

}  // namespace pydl::kernels::conv
