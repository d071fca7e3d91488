// Bit operations. Operands: out, a, b (out, a for not); bool and integers, shifts integers only.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, bitwise_and);
PYDL_KERNEL(StripTable, bitwise_or);
PYDL_KERNEL(StripTable, bitwise_xor);
PYDL_KERNEL(StripTable, bitwise_not);  // bool: logical not

// A count that is negative or not below the width shifts everything out: 0, or the sign for a signed right shift.
PYDL_KERNEL(StripTable, left_shift);
PYDL_KERNEL(StripTable, right_shift);

}  // namespace pydl::kernels::pointwise
