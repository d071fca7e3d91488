// Activation functions and their fused derivatives; floating dtypes (relu and hardtanh integers as well).
// Forward operands: out, x. Backward operands: out, grad, and the saved tensor named with each. Params in the dtype.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

template <class T>
struct SlopeParams {
  T slope;
};
// x > 0: scale * x, else alpha * scale * (exp(input_scale * x) - 1).
template <class T>
struct EluParams {
  T alpha, scale, input_scale;
};
// Linear where beta * x > threshold.
template <class T>
struct SoftplusParams {
  T beta, threshold;
};
template <class T>
struct HardtanhParams {
  T low, high;
};
template <class T>
struct ThresholdParams {
  T threshold, value;
};

PYDL_KERNEL(StripTable, relu);
PYDL_KERNEL(StripTable, relu_backward);        // saved: the result
PYDL_KERNEL(StripTable, leaky_relu);           // SlopeParams
PYDL_KERNEL(StripTable, leaky_relu_backward);  // saved: x
PYDL_KERNEL(StripTable, elu);                  // EluParams
PYDL_KERNEL(StripTable, elu_backward);         // saved: x
PYDL_KERNEL(StripTable, elu_backward_result);  // saved: the result
PYDL_KERNEL(StripTable, threshold);            // ThresholdParams; x where x > threshold, else value
PYDL_KERNEL(StripTable, threshold_backward);   // saved: x; ThresholdParams
PYDL_KERNEL(StripTable, hardtanh);             // HardtanhParams
PYDL_KERNEL(StripTable, hardtanh_backward);    // saved: x
PYDL_KERNEL(StripTable, hardsigmoid);
PYDL_KERNEL(StripTable, hardsigmoid_backward);  // saved: x
PYDL_KERNEL(StripTable, hardswish);
PYDL_KERNEL(StripTable, hardswish_backward);  // saved: x
PYDL_KERNEL(StripTable, sigmoid);
PYDL_KERNEL(StripTable, sigmoid_backward);  // saved: the result
PYDL_KERNEL(StripTable, tanh_backward);     // saved: the result
PYDL_KERNEL(StripTable, logsigmoid);
PYDL_KERNEL(StripTable, logsigmoid_backward);  // saved: x
PYDL_KERNEL(StripTable, silu);
PYDL_KERNEL(StripTable, silu_backward);  // saved: x
PYDL_KERNEL(StripTable, mish);
PYDL_KERNEL(StripTable, mish_backward);      // saved: x
PYDL_KERNEL(StripTable, softplus);           // SoftplusParams
PYDL_KERNEL(StripTable, softplus_backward);  // saved: x; SoftplusParams
PYDL_KERNEL(StripTable, gelu);
PYDL_KERNEL(StripTable, gelu_backward);  // saved: x
PYDL_KERNEL(StripTable, gelu_tanh);
PYDL_KERNEL(StripTable, gelu_tanh_backward);  // saved: x

}  // namespace pydl::kernels::pointwise
