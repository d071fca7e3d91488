// Special functions.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor erf(const Tensor& input, const Dest& dest = {});
Tensor erfc(const Tensor& input, const Dest& dest = {});
Tensor erfinv(const Tensor& input, const Dest& dest = {});
Tensor lgamma(const Tensor& input, const Dest& dest = {});
Tensor digamma(const Tensor& input, const Dest& dest = {});
Tensor polygamma(int64_t n, const Tensor& input, const Dest& dest = {});
Tensor xlogy(const Tensor& input, const Operand& other, const Dest& dest = {});

}  // namespace pydl
