// Comparisons and logic: inputs of the table's dtype, output bool.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

// out, a, b; every dtype but the half formats, complex in eq and ne only.
PYDL_KERNEL(StripTable, eq);
PYDL_KERNEL(StripTable, ne);
PYDL_KERNEL(StripTable, lt);
PYDL_KERNEL(StripTable, le);
PYDL_KERNEL(StripTable, gt);
PYDL_KERNEL(StripTable, ge);

// On the truth values x != 0 of out, a, b (out, a for not); every dtype but the half formats.
PYDL_KERNEL(StripTable, logical_and);
PYDL_KERNEL(StripTable, logical_or);
PYDL_KERNEL(StripTable, logical_xor);
PYDL_KERNEL(StripTable, logical_not);

// out, a; floating and complex (either part; finite: both).
PYDL_KERNEL(StripTable, isnan);
PYDL_KERNEL(StripTable, isinf);
PYDL_KERNEL(StripTable, isfinite);

PYDL_KERNEL(StripTable, signbit);  // out, a; floating

}  // namespace pydl::kernels::pointwise
