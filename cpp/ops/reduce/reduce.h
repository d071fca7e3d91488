// Reductions over dims.
#pragma once

#include <tuple>

#include "ops/types.h"

namespace pydl {

Tensor sum(const Tensor& input, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false, std::optional<DType> dtype = std::nullopt);
Tensor mean(const Tensor& input, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false, std::optional<DType> dtype = std::nullopt);
// Sums away what broadcasting from `size` added.
Tensor sum_to_size(const Tensor& input, IntSpan size);

}  // namespace pydl
