// Between tensors and the reduction engine.
#pragma once

#include "ops/reduce/engine.h"
#include "ops/types.h"

namespace pydl {

// The dims that are reduced, and the shapes of the result with and without them.
struct ReducedShape {
  uint64_t mask;
  Dims kept;      // sizes of the result
  Dims full;      // the same with reduced dims as 1
  int64_t count;  // elements combined per result
  ReducedShape(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, const char* op);
};

// Runs `op` from `input` into `out` and `second` (either may be undefined), of shape.full or shape.kept.
void run_reduce(const char* name, ReduceOp op, const Tensor& input, const ReducedShape& shape, const Tensor& out, const Tensor& second = {},
                double correction = 1);
// A reduced tensor seen with its reduced dims as size 1, so that it broadcasts against the input.
Tensor restore_dims(const Tensor& reduced, const Dims& full);

}  // namespace pydl
