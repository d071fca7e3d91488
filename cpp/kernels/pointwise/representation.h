// Functions of a number's representation; floating dtypes.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, frexp);      // mantissa, exponent (int32), a: a = mantissa * 2^exponent, |mantissa| in [1/2, 1)
PYDL_KERNEL(StripTable, ldexp);      // out, a, n: a * 2^n rounded once, n a whole number
PYDL_KERNEL(StripTable, nextafter);  // out, a, b: the neighbour of a towards b; in the 16-bit formats too

}  // namespace pydl::kernels::pointwise
