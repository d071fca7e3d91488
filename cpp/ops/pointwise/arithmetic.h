// Elementwise arithmetic.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor add(const Tensor& input, const Operand& other, const Scalar& alpha = Scalar(1), const Dest& dest = {});
Tensor sub(const Tensor& input, const Operand& other, const Scalar& alpha = Scalar(1), const Dest& dest = {});
Tensor rsub(const Tensor& input, const Operand& other, const Scalar& alpha = Scalar(1));
Tensor mul(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor div(const Tensor& input, const Operand& other, std::optional<std::string_view> rounding_mode = std::nullopt, const Dest& dest = {});
Tensor remainder(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor pow(const Tensor& input, const Operand& exponent, const Dest& dest = {});
Tensor pow_scalar_base(const Scalar& base, const Tensor& exponent, const Dest& dest = {});
Tensor neg(const Tensor& input, const Dest& dest = {});
Tensor abs(const Tensor& input, const Dest& dest = {});
Tensor sign(const Tensor& input, const Dest& dest = {});
Tensor square(const Tensor& input, const Dest& dest = {});
Tensor reciprocal(const Tensor& input, const Dest& dest = {});
Tensor conj(const Tensor& input);  // the tensor itself when it is real
Tensor maximum(const Tensor& input, const Tensor& other, const Dest& dest = {});
Tensor minimum(const Tensor& input, const Tensor& other, const Dest& dest = {});
Tensor clamp(const Tensor& input, std::optional<Scalar> min, std::optional<Scalar> max, const Dest& dest = {});

}  // namespace pydl
