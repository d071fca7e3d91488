// Gradients of both weights of a recurrent layer, and of their biases, in one pass over the gradient of the gates.
#pragma once

#include <array>

#include "ops/types.h"

namespace pydl::rnn {

// Rows [first, first + count) of a contiguous matrix.
struct RowRun {
  Tensor t;
  int64_t first = 0, count = 0;
};

// A weight and what its product was applied to.
struct Factor {
  std::array<RowRun, 2> runs;  // rows that follow one another, in up to two places
  int64_t columns = 0;
  Tensor weight, bias;  // results: (gates, columns) and (gates); undefined: not needed
};

// Gradient of the gates before the activations, (total, columns) with rows `row` elements apart. GRU: from column `split` on the
// recurrent weight sees `rest` instead.
struct GateGradient {
  Tensor all, rest;
  int64_t row, rest_row, total, columns, split;
};

// weight = gates^T rows, bias = the sum of the gates' rows, for the input's weight and the recurrent one.
void weight_gradients(const GateGradient& gates, const Factor& input, const Factor& recurrent);

}  // namespace pydl::rnn
