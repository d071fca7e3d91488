// Matrix multiplication on raw memory.
#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace pydl {

enum class BiasMode : uint8_t { None, PerColumn, PerRow };
enum class Activation : uint8_t { None, Relu };

// c[m, n] = activation(alpha * a[m, k] b[k, n] + beta * c + bias). Strides count elements; the column stride of c is 1
// (for a column-major c, pass the transposed problem). beta == 0 does not read c; k == 0 leaves beta * c + bias.
// Integers wrap, float16 and bfloat16 accumulate in float32 and are rounded once, when c is written.
struct GemmArgs {
  DType dtype;  // of a, b, c and bias; any but bool and complex32
  int64_t m, n, k;
  const void* a;
  int64_t a_row, a_col;
  const void* b;
  int64_t b_row, b_col;
  void* c;
  int64_t c_row;
  double alpha = 1;
  double beta = 0;
  const void* bias = nullptr;
  BiasMode bias_mode = BiasMode::None;
  Activation activation = Activation::None;
};

// True where gemm() accepts the dtype.
bool gemm_supports(DType dtype);

// Every element of c is summed in an order fixed by the shapes alone: same bits for any number of threads.
void gemm(const GemmArgs& args);

// `batch` products; the batch strides count elements. A stride of 0 shares one operand. The bias is shared.
void gemm_batched(const GemmArgs& args, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch);

}  // namespace pydl
