// Special functions. Operands: out, a; floating.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, erf);
PYDL_KERNEL(StripTable, erfc);
PYDL_KERNEL(StripTable, erfinv);
PYDL_KERNEL(StripTable, lgamma);
PYDL_KERNEL(StripTable, digamma);
PYDL_KERNEL(StripTable, polygamma);  // params: pointer to the order, int64, >= 1

}  // namespace pydl::kernels::pointwise
