// Convolutions whose groups have one channel on either side.
#pragma once

#include "ops/conv/pass.h"

namespace pydl::conv {

template <class T>
void run_depthwise(const Pass<T>& p);
// The gradient of the input where one pass serves all phases (3x3 taps, stride 2), else false.
template <class T>
bool depthwise_input(const Shape& s, const T* out_grad, const T* weight, const T* bias, T* in_grad);
template <class T>
void depthwise_weight(const Shape& s, const T* in, const T* out_grad, T* weight_grad, T* bias_grad);

}  // namespace pydl::conv
