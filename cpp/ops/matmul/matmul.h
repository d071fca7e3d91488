// Products of matrices and vectors.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor mm(const Tensor& input, const Tensor& mat2);
Tensor bmm(const Tensor& input, const Tensor& mat2);
Tensor mv(const Tensor& input, const Tensor& vec);
Tensor inner(const Tensor& input, const Tensor& tensor);  // of two vectors: torch.dot
Tensor matmul(const Tensor& input, const Tensor& other);
// input @ weight.T + bias in one pass; `bias` may be undefined.
Tensor linear(const Tensor& input, const Tensor& weight, const Tensor& bias);

}  // namespace pydl
