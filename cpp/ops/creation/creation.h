// New tensors.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor full(IntSpan size, const Scalar& value, std::optional<DType> dtype);
Tensor ones(IntSpan size, DType dtype);
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype);
Tensor cat(TensorSpan tensors, int64_t dim);
Tensor stack(TensorSpan tensors, int64_t dim);

}  // namespace pydl
