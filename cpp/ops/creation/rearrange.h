// Copies of parts of tensors in another arrangement.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor flip(const Tensor& input, IntSpan dims);
Tensor roll(const Tensor& input, IntSpan shifts, IntSpan dims);
// Matrices with the last dim on their diagonals, over dims dim1 and dim2 of the result.
Tensor diag_embed(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2);
Tensor repeat(const Tensor& input, IntSpan repeats);
Tensor tril(const Tensor& input, int64_t diagonal, const Dest& dest = {});
Tensor triu(const Tensor& input, int64_t diagonal, const Dest& dest = {});

}  // namespace pydl
