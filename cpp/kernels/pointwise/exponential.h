// Exponentials, logarithms and roots. Operands: out, a; floating (exp, log and sqrt complex as well).
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, exp);
PYDL_KERNEL(StripTable, exp2);
PYDL_KERNEL(StripTable, expm1);
PYDL_KERNEL(StripTable, log);
PYDL_KERNEL(StripTable, log2);
PYDL_KERNEL(StripTable, log10);
PYDL_KERNEL(StripTable, log1p);
PYDL_KERNEL(StripTable, sqrt);
PYDL_KERNEL(StripTable, rsqrt);  // 1 / sqrt(a), two roundings

}  // namespace pydl::kernels::pointwise
