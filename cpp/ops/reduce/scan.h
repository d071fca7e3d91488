// Running sums and products.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor cumsum_along(const Tensor& input, int d);
Tensor cumprod_along(const Tensor& input, int d);

}  // namespace pydl
