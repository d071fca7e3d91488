// Reductions of strided memory over any set of dimensions.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/reduce/reduce.h"

namespace pydl {

using ReduceOp = kernels::reduce::Op;

// Strides are in bytes. Kept dimensions index the outputs; reduced ones, in row-major order, number the elements that are
// combined (positions of Max and Min count in that order).
struct ReduceSpec {
  static constexpr int kMaxDims = 16;
  const char* in;
  DType in_dtype;
  char* out;               // null: values are not wanted (Max and Min only)
  DType out_dtype;         // of `out`; a sum of integers may go to any integer or floating dtype
  char* second = nullptr;  // Max, Min: int64 positions. Var, Std: the mean, of out_dtype. May be null.
  int kept_dims = 0;
  int64_t kept_sizes[kMaxDims];
  int64_t kept_in[kMaxDims];
  int64_t kept_out[kMaxDims];
  int64_t kept_second[kMaxDims];  // read only if `second` is set
  int reduced_dims = 0;
  int64_t reduced_sizes[kMaxDims];
  int64_t reduced_in[kMaxDims];
  double correction = 1;  // Var, Std
};

// False where the op does not take the dtype (compare ReducerTables).
bool reduce_supports(ReduceOp op, DType in_dtype);

// Reduces; an empty reduction gives the identity (0, 1, true, NaN for mean and variance). The caller rejects it for Max and Min.
// The tree of additions depends on the shape alone: same bits for any number of threads.
void reduce(ReduceOp op, const ReduceSpec& spec);

// sum x[i] y[i] over contiguous float32 or float64 memory, carried in float64.
double dot(DType dtype, const void* x, const void* y, int64_t n);

enum class ScanOp : uint8_t { Sum, Prod };

// Running sums or products along the middle of (outer, n, inner) contiguous elements, none of the sizes 0. Same dtype in and out.
void scan(ScanOp op, DType dtype, const char* in, char* out, int64_t outer, int64_t n, int64_t inner);
bool scan_supports(ScanOp op, DType dtype);

}  // namespace pydl
