// Optimizer steps over many tensors at once. All arrays of a tensor are contiguous and of one dtype (float32 or float64).
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernels/optim/rules.h"

namespace pydl {

struct SgdTensor {
  DType dtype;
  int64_t n;
  void* param;
  const void* grad;
  void* momentum_buffer;  // null if momentum == 0
  bool first_step;        // the buffer holds nothing yet
};
struct SgdOptions {
  double lr, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, maximize = false;
};
void sgd_step(const SgdTensor* tensors, int64_t count, const SgdOptions& options);

struct AdamTensor {
  DType dtype;
  int64_t n;
  void* param;
  const void* grad;
  void* exp_avg;
  void* exp_avg_sq;
  void* max_exp_avg_sq;  // null without amsgrad
  double step;           // number of this step, from 1
};
struct AdamOptions {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool decoupled = false;  // AdamW
  bool maximize = false;
};
void adam_step(const AdamTensor* tensors, int64_t count, const AdamOptions& options);

// A tensor under one of the rules of kernels/optim/rules.h.
struct RuleTensor {
  DType dtype;
  int64_t n;
  void* param;
  const void* grad;
  void* state[kernels::optim::kMostStates];
};
void rule_step(const kernels::ByDType<kernels::optim::UpdateFn>& kernel, const RuleTensor* tensors, int64_t count, const double* options);

struct FloatRange {
  DType dtype;  // float32 or float64
  int64_t n;
  void* data;
};
// Euclidean norm of all ranges together, summed in an order that only their sizes determine.
double global_l2_norm(const FloatRange* ranges, int64_t count);
void scale_ranges(const FloatRange* ranges, int64_t count, double factor);

}  // namespace pydl
