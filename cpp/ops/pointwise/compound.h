// Functions of several tensors, element by element.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor atan2(const Tensor& input, const Tensor& other, const Dest& dest = {});
Tensor lerp(const Tensor& input, const Tensor& end, const Operand& weight, const Dest& dest = {});

}  // namespace pydl
