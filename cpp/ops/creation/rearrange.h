// Copies of parts of tensors in another arrangement.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor flip(const Tensor& input, IntSpan dims);
Tensor repeat(const Tensor& input, IntSpan repeats);
Tensor tril(const Tensor& input, int64_t diagonal, const Dest& dest = {});
Tensor triu(const Tensor& input, int64_t diagonal, const Dest& dest = {});

}  // namespace pydl
