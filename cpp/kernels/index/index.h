// Selecting and scattering by int64 indices. Strides are in bytes. Indices have been checked: see `first_bad`.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::index {

// Position of the first index outside [low, high), or -1. `stride` is in bytes.
using FirstBadFn = int64_t (*)(const int64_t* indices, int64_t stride, int64_t n, int64_t low, int64_t high);

// Row copies: out row i = in row indices[i] (gather), out row indices[i] = in row i (scatter); negative indices count from
// the end of `size` rows.
struct Rows {
  char* out;
  int64_t out_row;
  const char* in;
  int64_t in_row;
  const int64_t* indices;
  int64_t index_stride;
  int64_t n;
  int64_t size;
  int64_t bytes;  // of a row
  bool stream;    // gather: the result is larger than a cache will keep
};
using RowsFn = void (*)(const Rows&);

// Elements of one line: out[i] = in[indices[i]] (gather), out[indices[i]] = in[i] (scatter). All four strides are in bytes.
struct Line {
  char* out;
  int64_t out_stride;
  const char* in;
  int64_t in_stride;
  const int64_t* indices;
  int64_t index_stride;
  int64_t n;
  int64_t size;
};
using LineFn = void (*)(const Line&);

// out[indices[i]] += in[i], in the order of i, for those i whose index lies in [low, high); returns how many these are. The
// indices need no check: together, ranges that cover [0, size) count n only if each index lies in one of them. Packed lines.
using OwnedFn = int64_t (*)(const Line&, int64_t low, int64_t high);

// out[j] += alpha * in[j] for n elements at byte strides.
using AddFn = void (*)(char* out, int64_t out_stride, const char* in, int64_t in_stride, int64_t n, double alpha);

// The positions, in order, of those of n values that are above (or below) the limit; NaN and comparisons with NaN count as
// such. Returns how many there are, at most n.
using FilterFn = int64_t (*)(const float* v, int64_t n, float limit, bool above, int32_t* positions);

struct IndexTable {
  FirstBadFn first_bad;
  RowsFn gather_rows, scatter_rows;
  LineFn gather[5], scatter[5];  // by log2 of the item size
  ByDType<LineFn> scatter_add;   // out[indices[i]] += in[i], in the order of i
  ByDType<OwnedFn> scatter_add_owned;
  ByDType<AddFn> add;
  FilterFn filter;
};
PYDL_KERNEL(IndexTable, indexing);

}  // namespace pydl::kernels::index
