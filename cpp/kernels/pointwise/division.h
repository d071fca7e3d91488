// Quotients and remainders. Operands: out, a, b, all of the table's dtype.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

// Integer division by zero gives 0 here (the op reports it beforehand); the lowest value over -1 wraps.
PYDL_KERNEL(StripTable, floor_divide);  // out, a, b: quotient rounded down; integers and floating
PYDL_KERNEL(StripTable, trunc_divide);  // out, a, b: quotient rounded towards zero; integers and floating
PYDL_KERNEL(StripTable, remainder);     // out, a, b: a - b * floor(a / b), the sign of b; integers and floating
PYDL_KERNEL(StripTable, fmod);          // out, a, b: a - b * trunc(a / b), the sign of a; integers and floating
PYDL_KERNEL(StripTable, gcd);           // out, a, b: greatest common divisor, not negative; integers
PYDL_KERNEL(StripTable, lcm);           // out, a, b: least common multiple, not negative, modulo 2^bits; integers

}  // namespace pydl::kernels::pointwise
