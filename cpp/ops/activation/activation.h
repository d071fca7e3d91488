// Activation functions.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor relu(const Tensor& input, const Dest& dest = {});
Tensor relu6(const Tensor& input, const Dest& dest = {});
Tensor sigmoid(const Tensor& input, const Dest& dest = {});
Tensor logsigmoid(const Tensor& input, const Dest& dest = {});
Tensor softplus(const Tensor& input, double beta, double threshold, const Dest& dest = {});

}  // namespace pydl
