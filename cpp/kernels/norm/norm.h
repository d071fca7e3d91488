// Sums and affine maps behind batch, layer, group and instance normalisation, for float and double.
//
// Sums of float are formed in float over at most kNormChunk elements, joined in double. Differences from the mean are taken
// as (x - high) - low with the mean in two words: the folded form x * scale + offset loses the digits that a large mean takes.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::norm {

inline constexpr int64_t kNormChunk = 4096;

// `count` runs of n consecutive elements, `stride` elements apart.
struct Runs {
  int64_t count, n, stride;
};

// y = (x - mean) * scale + offset; where `clipped`, then min(max(y, 0), ceiling), of which NaN is no ceiling.
struct Affine {
  double mean, scale, offset;
  bool clipped;
  double ceiling;
};

struct NormFns {
  // A number near the values: the mean of the first few.
  double (*pilot)(const void* x, int64_t n);
  // out = sum(x - shift), sum((x - shift)^2); the shift is a number of the element type.
  void (*moments)(double out[2], const void* x, Runs runs, double shift);
  void (*apply)(void* y, const void* x, Runs runs, const Affine& map);
  // out = sum(g), sum(g * (x - mean)). Here and below g counts as 0 where `map` has clipped y; otherwise the mean alone is read.
  void (*gradient_sums)(double out[2], const void* g, const void* x, Runs runs, const Affine& map);
  // dx = a * g + b * (x - mean) + c
  void (*gradient)(void* dx, const void* g, const void* x, Runs runs, const Affine& map, double a, double b, double c);

  // Rows of n elements, each with its own statistics; the weights of row r are weight + (r % period) * n. stats holds the
  // mean and 1 / sqrt(variance + eps) of each row. Not centred: the mean stays 0 (root mean square).
  void (*rows)(void* y, const void* x, const void* weight, const void* bias, double* stats, int64_t rows, int64_t n, int64_t period,
               double eps, bool centered);
  // dx, and the sums over these rows for dweight and dbias (period * n elements each); dx, dweight or dbias may be null.
  void (*rows_backward)(void* dx, void* dweight, void* dbias, const void* g, const void* x, const void* weight, const double* stats,
                        int64_t rows, int64_t n, int64_t period, bool centered);

  // The same as the first functions with one set of numbers for each of n columns.
  void (*column_moments)(double* sums, double* squares, const void* x, int64_t rows, int64_t n, const void* shift);
  void (*column_apply)(void* y, const void* x, int64_t rows, int64_t n, const double* mean, const double* scale, const double* offset);
  void (*column_gradient_sums)(double* sums, double* products, const void* g, const void* x, int64_t rows, int64_t n, const double* mean);
  void (*column_gradient)(void* dx, const void* g, const void* x, int64_t rows, int64_t n, const double* mean, const double* a,
                          const double* b, const double* c);
};
PYDL_KERNEL(ByDType<const NormFns*>, fns);

}  // namespace pydl::kernels::norm
