// The kernels of a compute type.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/matmul/gemm.h"

namespace pydl::conv {

template <class T>
const kernels::matmul::GemmTable<T>& gemm_table() {
  if constexpr (sizeof(T) == 4) {
    return kernels::matmul::gemm_f32();
  } else {
    return kernels::matmul::gemm_f64();
  }
}

template <class T>
const kernels::conv::ConvTable<T>& conv_table() {
  if constexpr (sizeof(T) == 4) {
    return kernels::conv::conv_f32();
  } else {
    return kernels::conv::conv_f64();
  }
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace pydl::conv
