// Elementary functions of complex numbers that have no kernel of their own: formulas of ops that have one. They give
// values only, without history; the derivatives are those of the ops that call them.
#pragma once

#include "ops/types.h"

namespace pydl::complex_values {

Tensor exp2(const Tensor& z);
Tensor expm1(const Tensor& z);
Tensor log2(const Tensor& z);
Tensor log10(const Tensor& z);
Tensor log1p(const Tensor& z);
Tensor rsqrt(const Tensor& z);
Tensor sigmoid(const Tensor& z);
Tensor silu(const Tensor& z);
Tensor asin(const Tensor& z);
Tensor acos(const Tensor& z);
Tensor atan(const Tensor& z);
Tensor asinh(const Tensor& z);
Tensor acosh(const Tensor& z);
Tensor atanh(const Tensor& z);

}  // namespace pydl::complex_values
