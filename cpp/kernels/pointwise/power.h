// Powers and lengths.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, pow);          // out, a, b: a ** b; integers (a negative exponent: 0 unless |a| == 1), floating, complex
PYDL_KERNEL(StripTable, abs_complex);  // out (real), a (complex); slot of the complex dtype
PYDL_KERNEL(StripTable, hypot);        // out, a, b; floating

}  // namespace pydl::kernels::pointwise
