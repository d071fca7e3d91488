// Trigonometric and hyperbolic functions. Operands: out, a; floating (sin, cos, tan, sinh, cosh, tanh complex as well).
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, sin);
PYDL_KERNEL(StripTable, cos);
PYDL_KERNEL(StripTable, tan);
PYDL_KERNEL(StripTable, asin);
PYDL_KERNEL(StripTable, acos);
PYDL_KERNEL(StripTable, atan);
PYDL_KERNEL(StripTable, sinh);
PYDL_KERNEL(StripTable, cosh);
PYDL_KERNEL(StripTable, tanh);
PYDL_KERNEL(StripTable, asinh);
PYDL_KERNEL(StripTable, acosh);
PYDL_KERNEL(StripTable, atanh);
PYDL_KERNEL(StripTable, atan2);  // out, y, x; floating

}  // namespace pydl::kernels::pointwise
