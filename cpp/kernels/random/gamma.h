// The derivative of a gamma-distributed number by its shape parameter, at a fixed level of the distribution function.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::random {

// out[i] = d sample[i] / d alpha[i] for numbers of Gamma(alpha, 1).
using GammaSlopeFn = void (*)(const double* alpha, const double* sample, double* out, int64_t n);
struct GammaTable {
  GammaSlopeFn slope;
};
PYDL_KERNEL(GammaTable, gamma);

}  // namespace pydl::kernels::random
