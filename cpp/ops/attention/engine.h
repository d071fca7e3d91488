// Scaled dot-product attention on raw values, tile by tile: no matrix of all scores exists.
#pragma once

#include <vector>

#include "ops/types.h"

namespace pydl::attention {

// Of one dtype, float32 or float64; the last dim contiguous; leading dims already broadcast to `batch`.
struct Inputs {
  Tensor q, k, v;  // (*batch, L, E), (*batch, S, E), (*batch, S, Ev)
  Tensor mask;     // bool or the dtype, (*batch, L, S), the last dim contiguous; may be undefined
  bool causal = false;
  double scale = 1;
  double dropout = 0;
  Generator::State state{};  // of the dropout

  bool mask_adds() const { return mask.defined() && mask.dtype() != DType::Bool; }
};

struct Outputs {
  Tensor out;      // (*batch, L, Ev), its dims in memory as those of q
  Tensor log_sum;  // (*batch, L)
};
Outputs forward(const Inputs& in);

struct Gradients {
  Tensor q, k, v;  // of the broadcast inputs
};
Gradients backward(const Inputs& in, const Outputs& saved, const Tensor& grad);

// Which weights stay, as 0 and 1, (*batch, L, S).
Tensor kept_weights(const Inputs& in, DType dtype);

}  // namespace pydl::attention
