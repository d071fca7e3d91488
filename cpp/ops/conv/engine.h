// Convolution on raw memory, NCDHW, in float32 or float64. Every element of a result is summed in an order fixed by the
// shapes alone: same bits for any number of threads.
#pragma once

#include "ops/conv/band.h"

namespace pydl::conv {

// out[n, g, o] = bias + sum over channels and taps of weight[g, o, c, tap] * in. bias may be null.
template <class T>
void forward(const Shape& s, const T* in, const T* weight, const T* bias, T* out);
// The transpose: from (groups of) s.o channels of size s.out to s.c channels of size s.in; `bias` for the latter.
template <class T>
void backward_input(const Shape& s, const T* out_grad, const T* weight, const T* bias, T* in_grad);
// weight_grad has the weight's shape; bias_grad, the sums of out_grad, may be null.
template <class T>
void backward_weight(const Shape& s, const T* in, const T* out_grad, T* weight_grad, T* bias_grad);

}  // namespace pydl::conv
