// Arithmetic, element by element. Operand 0 is the output; dtypes in, out and compute are the same unless noted.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

PYDL_KERNEL(StripTable, add);         // out, a, b: a + b (bool: or); every dtype but the half formats
PYDL_KERNEL(StripTable, sub);         // out, a, b: a - b; no bool
PYDL_KERNEL(StripTable, mul);         // out, a, b: a * b (bool: and)
PYDL_KERNEL(StripTable, add_scaled);  // out, a, b: a + alpha * b; params: pointer to alpha; no bool
PYDL_KERNEL(StripTable, div);         // out, a, b: a / b; floating and complex

PYDL_KERNEL(StripTable, maximum);  // out, a, b: NaN when either is; bool, integers, floating
PYDL_KERNEL(StripTable, minimum);  // out, a, b: NaN when either is; bool, integers, floating
PYDL_KERNEL(StripTable, fmax);     // out, a, b: NaN only when both are; floating
PYDL_KERNEL(StripTable, fmin);     // out, a, b: NaN only when both are; floating

PYDL_KERNEL(StripTable, neg);         // out, a; integers, floating, complex
PYDL_KERNEL(StripTable, abs);         // out, a; bool, integers, floating
PYDL_KERNEL(StripTable, conj);        // out, a; complex
PYDL_KERNEL(StripTable, sign);        // out, a: -1, 0, 1 (NaN: 0); bool, integers, floating
PYDL_KERNEL(StripTable, square);      // out, a; integers, floating, complex
PYDL_KERNEL(StripTable, reciprocal);  // out, a; floating, complex
PYDL_KERNEL(StripTable, copysign);    // out, a, b; floating

PYDL_KERNEL(StripTable, addcmul);  // out, a, b, c: a + value * b * c; params: pointer to value; integers, floating, complex
PYDL_KERNEL(StripTable, addcdiv);  // out, a, b, c: a + value * b / c; params: pointer to value; floating, complex
PYDL_KERNEL(StripTable, lerp);     // out, a, b, w: from a to b, exact at w = 0 and w = 1; floating

template <class T>
struct ClampParams {
  T low, high;
};
PYDL_KERNEL(StripTable, clamp);         // out, a; params: ClampParams of the dtype; NaN stays, low > high gives high
PYDL_KERNEL(StripTable, clamp_tensor);  // out, a, low, high: NaN when any of the three is

}  // namespace pydl::kernels::pointwise
