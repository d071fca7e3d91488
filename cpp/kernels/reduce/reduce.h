// Reductions: single-thread kernels that turn a run, or a block of rows, into partial states, and the combination and
// conversion of states. The engine (ops/reduce/engine.h) cuts every reduction into runs fixed by the shape alone.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::reduce {

enum class Op : uint8_t {
  Sum,
  Mean,
  Prod,
  Max,  // value and position of the first largest element; NaN counts as the largest
  Min,
  All,
  Any,
  CountNonzero,
  NormL1,
  NormL2,
  SumSquares,
  NormInf,     // max |x|
  NormNegInf,  // min |x|
  Var,         // second output: mean
  Std,         // second output: mean
};
inline constexpr int kNumOps = 15;

// Partial result. Sum, Mean, norms: (a, b) real and imaginary part or integer bits in i. Max, Min: value in a (floats) or i
// (integers), position in n. Var: mean a, sum of squared deviations b, count n.
struct State {
  double a, b;
  int64_t i, n;
};

struct Finish {
  char* out;  // may be null
  DType out_dtype;
  char* second;   // position (int64) for Max and Min, mean (out_dtype) for Var and Std; may be null
  int64_t count;  // elements reduced into one output
  double correction;
};

inline constexpr int64_t kBlock = 16384;       // elements in one run
inline constexpr int64_t kColumnStripe = 512;  // columns in one call of `columns`

struct Reducer {
  // n <= kBlock contiguous elements; `position` is that of the first.
  void (*run)(const char* in, int64_t n, int64_t position, State* out);
  // Column sums and their like: `cols` <= kColumnStripe contiguous columns over `rows` rows.
  void (*columns)(const char* in, int64_t row_stride, int64_t rows, int64_t cols, int64_t position, State* out);
  // Whole rows of n <= kBlock contiguous elements each, straight to the outputs.
  void (*rows)(const char* in, int64_t row_stride, int64_t rows, int64_t n, const Finish& finish, int64_t out_stride,
               int64_t second_stride);
  void (*combine)(State* into, const State* from);
  void (*finish)(const State* states, int64_t n, const Finish& finish, int64_t out_stride, int64_t second_stride);
  State identity;
};
// Null where the op does not take the dtype.
using ReducerTable = ByDType<const Reducer*>;
struct ReducerTables {
  ReducerTable op[kNumOps];
};
PYDL_KERNEL(ReducerTables, reducers);

// sum of x[i] * y[i] over n <= kBlock contiguous elements (float32, float64).
using DotFn = double (*)(const void* x, const void* y, int64_t n);
PYDL_KERNEL(ByDType<DotFn>, dot);

// Running sums and products of `lines` lines of `n` elements each, of which in and out have the same strides, in bytes; carried in
// float64 (floats) or exactly (integers, which wrap). Lines are neighbours in memory where `line` is the size of an element.
struct Scan {
  const char* in;
  char* out;
  int64_t line, step;
  int64_t lines, n;
};
using ScanFn = void (*)(const Scan&);
PYDL_KERNEL(ByDType<ScanFn>, cumsum);
PYDL_KERNEL(ByDType<ScanFn>, cumprod);

}  // namespace pydl::kernels::reduce
