// Softmax and its logarithm.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype = std::nullopt);
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype = std::nullopt);

}  // namespace pydl
