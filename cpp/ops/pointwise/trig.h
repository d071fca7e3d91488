// Trigonometric and hyperbolic functions.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor sin(const Tensor& input, const Dest& dest = {});
Tensor cos(const Tensor& input, const Dest& dest = {});
Tensor tan(const Tensor& input, const Dest& dest = {});
Tensor asin(const Tensor& input, const Dest& dest = {});
Tensor acos(const Tensor& input, const Dest& dest = {});
Tensor atan(const Tensor& input, const Dest& dest = {});
Tensor sinh(const Tensor& input, const Dest& dest = {});
Tensor cosh(const Tensor& input, const Dest& dest = {});
Tensor tanh(const Tensor& input, const Dest& dest = {});
Tensor asinh(const Tensor& input, const Dest& dest = {});
Tensor acosh(const Tensor& input, const Dest& dest = {});
Tensor atanh(const Tensor& input, const Dest& dest = {});

}  // namespace pydl
