// Update rules of the optimizers besides SGD and Adam, each one pass over a parameter, its gradient and its state.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::optim {

inline constexpr int kMostStates = 3;

// One range. `options` are float64 and rounded once to the type of the arrays: first the sign of the gradient, the L2 penalty and the
// factor of the parameter (decoupled weight decay), then those of the rule, in the order that its kernel gives.
struct Update {
  int64_t n;
  void* param;
  const void* grad;
  void* state[kMostStates];
  const double* options;
};
using UpdateFn = void (*)(const Update&);

inline constexpr int kCommonOptions = 3;

PYDL_KERNEL(ByDType<UpdateFn>, adadelta);
PYDL_KERNEL(ByDType<UpdateFn>, adagrad);
PYDL_KERNEL(ByDType<UpdateFn>, adamax);
PYDL_KERNEL(ByDType<UpdateFn>, asgd);
PYDL_KERNEL(ByDType<UpdateFn>, nadam);
PYDL_KERNEL(ByDType<UpdateFn>, radam);
PYDL_KERNEL(ByDType<UpdateFn>, rmsprop);
PYDL_KERNEL(ByDType<UpdateFn>, rmsprop_centered);
PYDL_KERNEL(ByDType<UpdateFn>, rmsprop_momentum);
PYDL_KERNEL(ByDType<UpdateFn>, rmsprop_centered_momentum);
PYDL_KERNEL(ByDType<UpdateFn>, rprop);

}  // namespace pydl::kernels::optim
