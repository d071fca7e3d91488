// Geometry of elementwise loops: broadcasting, ordering and merging of dims, and cutting into 2-D strips.
#pragma once

#include "core/tensor.h"

namespace pydl {

inline constexpr int kMaxIterOperands = 6;

// Operands seen through one common shape, dims ordered from the innermost (smallest stride of operand 0) outwards
// and merged where possible. Strides are in bytes; a broadcast dim has stride 0.
struct StripPlan {
  int operands = 0;
  int ndim = 0;
  int64_t numel = 0;
  char* data[kMaxIterOperands];
  int64_t size[kMaxDims];
  int64_t stride[kMaxIterOperands][kMaxDims];

  // `shape` is the broadcast shape, to which every added operand must broadcast.
  explicit StripPlan(IntSpan shape);
  void add(const Tensor& t);
  void add_scalar(void* value);
  void finish();

  // Calls f(data, inner strides, outer strides, n0, n1) for strips that together cover elements [begin, end) of the
  // plan's order. Ranges may begin and end in the middle of a row.
  template <class F>
  void strips(int64_t begin, int64_t end, F&& f) const;

 private:
  void position(int64_t row, char** out, int64_t* index) const;
};

template <class F>
void StripPlan::strips(int64_t begin, int64_t end, F&& f) const {
  char* at[kMaxIterOperands];
  int64_t inner[kMaxIterOperands], outer[kMaxIterOperands];
  for (int k = 0; k < operands; ++k) {
    inner[k] = ndim > 0 ? stride[k][0] : 0;
    outer[k] = ndim > 1 ? stride[k][1] : 0;
  }
  const int64_t n0 = ndim > 0 ? size[0] : 1;
  int64_t index[kMaxDims];
  while (begin < end) {
    const int64_t row = begin / n0, first = begin % n0;
    position(row, at, index);
    for (int k = 0; k < operands; ++k) at[k] += first * inner[k];
    if (first != 0 || end - begin < n0) {  // part of a row
      const int64_t n = std::min(n0 - first, end - begin);
      f(at, inner, outer, n, int64_t{1});
      begin += n;
      continue;
    }
    int64_t rows = (end - begin) / n0;  // whole rows, up to the end of dim 1
    rows = std::min(rows, ndim > 1 ? size[1] - index[1] : int64_t{1});
    f(at, inner, outer, n0, rows);
    begin += rows * n0;
  }
}

}  // namespace pydl
