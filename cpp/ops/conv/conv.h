// Convolutions of up to three dims, their transposes and the gradients of both: three functions of two tensors each, in
// which each other's derivatives can be written.
#pragma once

#include "ops/conv/band.h"
#include "ops/types.h"

namespace pydl {

namespace conv {

// `dims` spatial dims; input (batch, groups * c, in...), weight (groups * o, c, kernel...), output (batch, groups * o, out...).
struct Geometry {
  int dims;
  Shape s;
};

Tensor correlate(const Geometry& g, const Tensor& input, const Tensor& weight, const Tensor& bias);
// From the output's side to the input's: the gradient of the input, and the transposed convolution.
Tensor spread(const Geometry& g, const Tensor& output, const Tensor& weight, const Tensor& bias);
// Of integers, which wrap; `spreads` as `spread`. No derivatives.
Tensor integer_convolution(const char* op, const Geometry& g, const Tensor& x, const Tensor& weight, bool spreads);
// The gradient of the weight.
Tensor weigh(const Geometry& g, const Tensor& input, const Tensor& output);

}  // namespace conv

}  // namespace pydl
