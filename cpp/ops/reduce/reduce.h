// Reductions over dims.
#pragma once

#include <tuple>

#include "ops/types.h"

namespace pydl {

Tensor sum(const Tensor& input, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false, std::optional<DType> dtype = std::nullopt);
Tensor mean(const Tensor& input, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false,
            std::optional<DType> dtype = std::nullopt);
Tensor amax(const Tensor& input, IntSpan dim, bool keepdim = false);
Tensor amin(const Tensor& input, IntSpan dim, bool keepdim = false);
Tensor any(const Tensor& input, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false);
Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim = false);
Tensor var(const Tensor& input, std::optional<IntSpan> dim, const Scalar& correction, bool keepdim = false);
Tensor vector_norm(const Tensor& input, const Scalar& ord, std::optional<IntSpan> dim = std::nullopt, bool keepdim = false);
// Sums away what broadcasting from `size` added.
Tensor sum_to_size(const Tensor& input, IntSpan size);

}  // namespace pydl
