// Selection by int64 indices on raw memory. Strides are in bytes; indices may be negative (counted from the end).
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"

namespace pydl {

// Position of the first of n indices outside [-size, size), or -1. Call it before anything below.
int64_t first_bad_index(const int64_t* indices, int64_t index_stride, int64_t n, int64_t size);
// The same for n contiguous indices that must lie in [low, high), on all threads.
int64_t first_outside(const int64_t* indices, int64_t n, int64_t low, int64_t high);

// out row i = in row indices[i]; rows of `bytes` contiguous bytes. `size`: number of rows of `in`.
void index_select_rows(char* out, int64_t out_row, const char* in, int64_t in_row, const int64_t* indices, int64_t index_stride, int64_t n,
                       int64_t size, int64_t bytes);

// out row indices[i] = in row i, later i win. `size`: number of rows of `out`.
void index_copy_rows(char* out, int64_t out_row, const char* in, int64_t in_row, const int64_t* indices, int64_t index_stride, int64_t n,
                     int64_t size, int64_t bytes);

// out row indices[i] += alpha * in row i, in the order of i for each row: same bits for any number of threads.
void index_add_rows(DType dtype, char* out, int64_t out_row, int64_t out_stride, const char* in, int64_t in_row, int64_t in_stride,
                    const int64_t* indices, int64_t index_stride, int64_t n, int64_t size, int64_t row_elements, double alpha);

// out row s = the sum (or mean) of the rows of `in` that indices[starts[s]] .. indices[starts[s + 1] - 1] name, for real
// floating-point rows of `features` elements. The indices are not negative and have been checked.
struct SegmentSums {
  DType dtype;
  char* out;
  const char* in;
  const int64_t* rows;
  const int64_t* starts;
  int64_t segments, features;
  bool mean;
};
void segment_sums(const SegmentSums& spec);

// The reverse: out row v = the sum of the rows of `in` at the positions where indices[i] == v, in the order of i; with
// `sources`, of the rows sources[i]. Every row of `out` is written once. Sums of 16-bit formats are formed in float32.
void sum_rows_by_index(DType dtype, char* out, const char* in, const int64_t* indices, const int64_t* sources, int64_t n, int64_t size,
                       int64_t features);

// Elements of `in` whose byte in `mask` is not 0, packed. `parts` holds how many there are in each block of kMaskBlock.
inline constexpr int64_t kMaskBlock = 16384;
std::vector<int64_t> count_mask(const uint8_t* mask, int64_t n);
void compress(const char* in, const uint8_t* mask, int64_t n, int64_t item, const std::vector<int64_t>& parts, char* out);

// gather, scatter and scatter_add along one dimension. The index has sizes (line_sizes[0..line_dims), n): each position of
// the leading dimensions is one line of n indices; out, in and index have their own strides over lines and along the line.
struct IndexLines {
  DType dtype;
  int line_dims = 0;
  int64_t line_sizes[kMaxDims];
  char* out;
  int64_t out_lines[kMaxDims], out_stride;
  const char* in;
  int64_t in_lines[kMaxDims], in_stride;
  const int64_t* indices;
  int64_t index_lines[kMaxDims], index_stride;
  int64_t n;     // indices per line
  int64_t size;  // of the indexed dimension: of `in` for gather, of `out` for scatter
};
void gather_lines(const IndexLines& spec);
void scatter_lines(const IndexLines& spec);
void scatter_add_lines(const IndexLines& spec);
// The same for one packed line (is_packed_line) whose indices have not been checked and may not be negative: false, with
// `out` half written, if one of them lies outside of [0, size).
bool is_packed_line(const IndexLines& spec);
bool scatter_add_unchecked(const IndexLines& spec);

}  // namespace pydl
