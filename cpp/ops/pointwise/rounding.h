// Rounding to integers.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor floor(const Tensor& input, const Dest& dest = {});
Tensor ceil(const Tensor& input, const Dest& dest = {});
Tensor trunc(const Tensor& input, const Dest& dest = {});
Tensor round(const Tensor& input, int64_t decimals = 0, const Dest& dest = {});

}  // namespace pydl
