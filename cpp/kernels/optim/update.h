// Fused optimizer updates on contiguous ranges: one pass reads and writes every array once.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::optim {

// torch.optim.SGD for one range. `momentum_buffer` may be null when momentum == 0.
struct Sgd {
  int64_t n;
  void* param;
  const void* grad;
  void* momentum_buffer;
  double lr, momentum, dampening, weight_decay;
  bool nesterov, maximize;
  bool first_step;  // the momentum buffer is set to the gradient instead of being blended
};
using SgdFn = void (*)(const Sgd&);
PYDL_KERNEL(ByDType<SgdFn>, sgd);

// torch.optim.Adam / AdamW for one range. `max_exp_avg_sq` null: no amsgrad.
struct Adam {
  int64_t n;
  void* param;
  const void* grad;
  void* exp_avg;
  void* exp_avg_sq;
  void* max_exp_avg_sq;
  double lr, beta1, beta2, eps, weight_decay;
  double step_size;              // lr / (1 - beta1^t)
  double bias_correction2_sqrt;  // sqrt(1 - beta2^t)
  bool decoupled;                // AdamW: param *= 1 - lr * weight_decay
  bool maximize;
};
using AdamFn = void (*)(const Adam&);
PYDL_KERNEL(ByDType<AdamFn>, adam);

// x[i] *= factor
using ScaleFn = void (*)(void* x, int64_t n, double factor);
PYDL_KERNEL(ByDType<ScaleFn>, scale);

}  // namespace pydl::kernels::optim
