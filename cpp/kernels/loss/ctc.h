// Connectionist temporal classification: one time step over the states of a path.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::loss {

struct CtcFns {
  // next[s] = log(exp(previous[s]) + exp(previous[s - 1]) + exp(previous[s - 2] + skip[s])) + emit[s]. The two numbers before
  // `previous` are read as well.
  void (*step)(double* next, const double* previous, const double* skip, const double* emit, int64_t n);
  // out[s] = exp(a[s] + b[s] - emit[s] + shift)
  void (*occupancy)(double* out, const double* a, const double* b, const double* emit, double shift, int64_t n);
};
PYDL_KERNEL(CtcFns, ctc);

}  // namespace pydl::kernels::loss
