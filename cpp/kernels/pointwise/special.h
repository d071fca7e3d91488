// Special functions. Operands: out, a; floating.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, erf);
PYDL_KERNEL(StripTable, erfc);
PYDL_KERNEL(StripTable, erfinv);
PYDL_KERNEL(StripTable, lgamma);
PYDL_KERNEL(StripTable, digamma);
PYDL_KERNEL(StripTable, erfcx);
PYDL_KERNEL(StripTable, log_ndtr);
PYDL_KERNEL(StripTable, ndtri);
PYDL_KERNEL(StripTable, igamma);     // out, a, x: the regularised lower incomplete gamma function
PYDL_KERNEL(StripTable, igammac);    // out, a, x: the upper one
PYDL_KERNEL(StripTable, zeta);       // out, s, q: Hurwitz's
PYDL_KERNEL(StripTable, polygamma);  // params: pointer to the order, int64, >= 1

}  // namespace pydl::kernels::pointwise
