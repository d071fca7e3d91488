// Bitwise ops on integers and bool.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor bitwise_and(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor bitwise_or(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor bitwise_xor(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor bitwise_not(const Tensor& input, const Dest& dest = {});
Tensor bitwise_left_shift(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor bitwise_right_shift(const Tensor& input, const Operand& other, const Dest& dest = {});

}  // namespace pydl
