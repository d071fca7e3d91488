// Softmax and what shares its row statistics, for float and double.
//
// Row functions work on `rows` contiguous rows of n elements; any split of the rows gives the same bits. The `_inner`
// functions normalise along the middle of [outer][n][inner]; any split of `outer` gives the same bits.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::softmax {

struct SoftmaxFns {
  using Unary = void (*)(void* out, const void* in, int64_t rows, int64_t n);
  using Backward = void (*)(void* grad_in, const void* grad_out, const void* out, int64_t rows, int64_t n);
  using UnaryInner = void (*)(void* out, const void* in, int64_t outer, int64_t n, int64_t inner);
  using BackwardInner = void (*)(void* grad_in, const void* grad_out, const void* out, int64_t outer, int64_t n, int64_t inner);

  // exp(x - max) / sum; a row of -inf or with +inf gives NaN.
  Unary softmax;
  Unary log_softmax;
  // out[row] = log(sum(exp(x))); -inf and +inf rows give themselves.
  Unary logsumexp;
  Backward softmax_backward;      // out = softmax(x): out * (grad - sum(grad * out))
  Backward log_softmax_backward;  // out = log_softmax(x): grad - exp(out) * sum(grad)

  UnaryInner softmax_inner;
  UnaryInner log_softmax_inner;
  UnaryInner logsumexp_inner;  // out is [outer][inner]
  BackwardInner softmax_backward_inner;
  BackwardInner log_softmax_backward_inner;

  // Class-index cross entropy, unweighted, of logits x: lse[row] as logsumexp and loss[row] = lse - x[target], 0 where
  // the target is ignore_index. Targets have been checked.
  void (*cross_entropy)(void* loss, void* lse, const void* x, const int64_t* target, int64_t rows, int64_t n, int64_t ignore_index);
  // grad[row] = scale[row] * (exp(x - lse) - onehot(target)), 0 where the target is ignore_index.
  void (*cross_entropy_backward)(void* grad, const void* x, const void* lse, const int64_t* target, const void* scale, int64_t rows,
                                 int64_t n, int64_t ignore_index);
};
PYDL_KERNEL(ByDType<const SoftmaxFns*>, fns);

}  // namespace pydl::kernels::softmax
