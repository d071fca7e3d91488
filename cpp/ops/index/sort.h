// Order.
#pragma once

#include <tuple>

#include "ops/types.h"

namespace pydl {

// Values in order along `dim` and where they came from; equal elements keep their order, NaN is the largest.
std::tuple<Tensor, Tensor> sort(const Tensor& input, int64_t dim, bool descending = false, bool stable = true);

}  // namespace pydl
