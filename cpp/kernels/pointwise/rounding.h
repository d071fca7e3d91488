// Rounding to integers. Operands: out, a; floating.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, floor);
PYDL_KERNEL(StripTable, ceil);
PYDL_KERNEL(StripTable, round);  // ties to even
PYDL_KERNEL(StripTable, trunc);
PYDL_KERNEL(StripTable, frac);  // a - trunc(a)

}  // namespace pydl::kernels::pointwise
