// Convolutions of few channels with small images (kernels/conv/narrow.h). Each function is false where another way is faster;
// then nothing is computed. Winograd's method, where it pays, comes first.
#pragma once

#include "ops/conv/band.h"

namespace pydl::conv {

bool narrow_forward(const Shape& s, const float* in, const float* weight, const float* bias, float* out);
bool narrow_input(const Shape& s, const float* out_grad, const float* weight, const float* bias, float* in_grad);
bool narrow_weight(const Shape& s, const float* in, const float* out_grad, float* weight_grad, float* bias_grad);

}  // namespace pydl::conv
