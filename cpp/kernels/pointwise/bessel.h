// Bessel and Airy functions. Operands: out, a; floating.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, i0);
PYDL_KERNEL(StripTable, i0e);
PYDL_KERNEL(StripTable, i1);
PYDL_KERNEL(StripTable, i1e);
PYDL_KERNEL(StripTable, bessel_j0);
PYDL_KERNEL(StripTable, bessel_j1);
PYDL_KERNEL(StripTable, bessel_y0);
PYDL_KERNEL(StripTable, bessel_y1);
PYDL_KERNEL(StripTable, bessel_k0);
PYDL_KERNEL(StripTable, bessel_k1);
PYDL_KERNEL(StripTable, bessel_k0e);
PYDL_KERNEL(StripTable, bessel_k1e);
PYDL_KERNEL(StripTable, spherical_bessel_j0);
PYDL_KERNEL(StripTable, airy_ai);

}  // namespace pydl::kernels::pointwise
