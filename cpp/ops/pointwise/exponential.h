// Exponentials, logarithms, roots.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor exp(const Tensor& input, const Dest& dest = {});
Tensor exp2(const Tensor& input, const Dest& dest = {});
Tensor expm1(const Tensor& input, const Dest& dest = {});
Tensor log(const Tensor& input, const Dest& dest = {});
Tensor log2(const Tensor& input, const Dest& dest = {});
Tensor log10(const Tensor& input, const Dest& dest = {});
Tensor log1p(const Tensor& input, const Dest& dest = {});
Tensor sqrt(const Tensor& input, const Dest& dest = {});
Tensor rsqrt(const Tensor& input, const Dest& dest = {});

}  // namespace pydl
