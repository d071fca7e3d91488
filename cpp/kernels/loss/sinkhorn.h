// Entropic transport: sweeps over the rows of a float64 matrix.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::loss {

struct SinkhornFns {
  // max over j of shift[j] - cost[j]
  double (*largest)(const double* shift, const double* cost, int64_t n);
  // out[j] = exp((shift[j] - cost[j] + offset) * inverse); returns their sum
  double (*exponentials)(double* out, const double* shift, const double* cost, double offset, double inverse, int64_t n);
  // most[j] = max(most[j], shift - cost[j])
  void (*raise)(double* most, const double* cost, double shift, int64_t n);
  // sum[j] += exp((shift - cost[j] - most[j]) * inverse)
  void (*accumulate)(double* sum, const double* cost, const double* most, double shift, double inverse, int64_t n);
  // sum of a[j] b[j]
  double (*dot)(const double* a, const double* b, int64_t n);
  // y[j] += factor x[j]
  void (*add)(double* y, const double* x, double factor, int64_t n);
};
PYDL_KERNEL(SinkhornFns, sinkhorn);

}  // namespace pydl::kernels::loss
