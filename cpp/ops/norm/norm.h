// Normalisation: statistics, the normalised values and their gradients, for the three ways in which statistics lie in memory.
//
// The engine works on contiguous data of float32 or float64 and knows nothing of autograd; statistics are float64.
#pragma once

#include "autograd/node.h"
#include "ops/types.h"

namespace pydl::norm {

// A tensor seen as [outer][groups][features][inner].
struct Layout {
  int64_t outer, groups, features, inner;
  bool over_batch;  // statistics for each group over outer, features and inner; otherwise for each outer and group
  int64_t channels() const { return groups * features; }  // weights
  int64_t rows() const { return outer * groups; }         // statistics, unless over the batch
  int64_t statistics() const { return over_batch ? groups : rows(); }
  int64_t count() const { return (over_batch ? outer : 1) * features * inner; }  // elements behind each statistic
  int64_t numel() const { return outer * groups * features * inner; }
};

struct Gradients {
  Tensor input, weight, bias;  // weight and bias flat
};
// relu (no ceiling: NaN) or relu6 behind a normalisation of planes, in the same pass over memory; gradients ask for the bias too.
struct Clip {
  bool on = false;
  double ceiling = 0;
  Tensor offset = {};
};
struct Wanted {
  bool input, weight, bias;
};

// float64 [statistics][2]: mean (0 when not centred) and 1 / sqrt(variance + eps), of which `forward` fills its own.
Tensor forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const Layout& l, double eps, bool centered,
               Tensor* stats, const Clip& clip = {});
// With the given statistics, over the batch.
Tensor forward_fixed(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const Layout& l, const Tensor& stats,
                     const Clip& clip = {});
Gradients backward(const char* op, const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& stats, const Layout& l,
                   bool centered, bool fixed, Wanted wanted, const Clip& clip = {});
// The same by differentiable ops. Undefined stats: as functions of x.
Gradients backward_formula(const Tensor& g, const Tensor& x, const Tensor& weight, const Tensor& stats, const Layout& l, double eps,
                           bool centered, Wanted wanted);

// ---- what the ops share -----------------------------------------------------------------------------------------

// The checked inputs of a call and how to record it. Weight and bias may be undefined, or float32 beside 16-bit input.
struct Call {
  const char* op;
  const char* node;
  const Tensor &input, &weight, &bias;
  Layout layout;
  double eps;
  bool centered = true;
  bool channels_last = false;  // the input lies in memory as [outer][inner][channels]; the layout is that of the memory
  Clip clip = {};
};
struct Normalized {
  Tensor out, stats;
};
Normalized normalize(const Call& call, const Tensor& fixed_stats = {});

// Throws unless `t` is undefined or of the input's dtype, or float32 where the input has 16 bits.
void check_parameter_dtype(const char* op, const Tensor& input, const Tensor& t);
// One column of float64 statistics [n][2] in another shape and dtype.
Tensor statistics_column(const Tensor& stats, int column, IntSpan shape, DType dtype);

}  // namespace pydl::norm
