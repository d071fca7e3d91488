// A recurrent layer as a composition of differentiable ops: what its derivative is differentiated through.
#pragma once

#include "ops/rnn/engine.h"

namespace pydl::rnn {

struct Composed {
  Tensor out, hn, cn;
};
Composed compose(Cell cell, const Steps& steps, const Inputs& in);

}  // namespace pydl::rnn
