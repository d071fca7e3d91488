// Convolutions whose groups have one channel on either side.
#pragma once

#include "ops/conv/pass.h"

namespace pydl::conv {

template <class T>
void run_depthwise(const Pass<T>& p);
template <class T>
void depthwise_weight(const Shape& s, const T* in, const T* out_grad, T* weight_grad, T* bias_grad);

}  // namespace pydl::conv
