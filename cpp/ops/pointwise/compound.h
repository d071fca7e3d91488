// Functions of several tensors, element by element.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor atan2(const Tensor& input, const Tensor& other, const Dest& dest = {});
// Complex numbers from their parts, of one floating dtype.
Tensor complex(const Tensor& real_part, const Tensor& imag_part);
Tensor lerp(const Tensor& input, const Tensor& end, const Operand& weight, const Dest& dest = {});

}  // namespace pydl
