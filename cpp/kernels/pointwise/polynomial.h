// Orthogonal polynomials. Operands: out, x, n (the degree, its fraction dropped); floating.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, chebyshev_polynomial_t);
PYDL_KERNEL(StripTable, chebyshev_polynomial_u);
PYDL_KERNEL(StripTable, chebyshev_polynomial_v);
PYDL_KERNEL(StripTable, chebyshev_polynomial_w);
PYDL_KERNEL(StripTable, shifted_chebyshev_polynomial_t);
PYDL_KERNEL(StripTable, shifted_chebyshev_polynomial_u);
PYDL_KERNEL(StripTable, shifted_chebyshev_polynomial_v);
PYDL_KERNEL(StripTable, shifted_chebyshev_polynomial_w);
PYDL_KERNEL(StripTable, hermite_polynomial_h);
PYDL_KERNEL(StripTable, hermite_polynomial_he);
PYDL_KERNEL(StripTable, laguerre_polynomial_l);
PYDL_KERNEL(StripTable, legendre_polynomial_p);

}  // namespace pydl::kernels::pointwise
