// One recurrent layer in one direction, over a whole sequence: raw values without history.
#pragma once

#include <vector>

#include "ops/types.h"

namespace pydl::rnn {

enum class Cell : uint8_t { Tanh, Relu, Lstm, Gru };
constexpr int64_t gates_of(Cell cell) { return cell == Cell::Lstm ? 4 : cell == Cell::Gru ? 3 : 1; }

// Some samples of one time step. Rows count in the packed layout: all samples of step 0, all of step 1, ...
struct Segment {
  int64_t row, rows;
  int64_t sample;  // of the first row
  int64_t prev;    // row of the state before, -1: the initial state
  int64_t whole;   // rows before a thread took its share: what decides how products are formed
};

// In the order in which the direction visits them.
struct Steps {
  std::vector<int64_t> sizes;  // samples at each time step, not increasing
  std::vector<int64_t> starts;
  std::vector<Segment> segments;
  int64_t batch = 0, total = 0;
  bool uniform = true, reverse = false;

  Steps(std::vector<int64_t> sizes, bool reverse);
  // The row where sample `s` is seen last.
  int64_t last_row(int64_t s) const;
};

// Contiguous, of one dtype, float32 or float64. x (total, input), h0 (batch, out), c0 (batch, hidden), w_ih (gates * hidden,
// input), w_hh (gates * hidden, out), biases (gates * hidden) or undefined, w_hr (out, hidden) or undefined.
struct Inputs {
  Tensor x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr;
};

struct Outputs {
  Tensor out, hn, cn;
  // For backward: gates after the activations (rows padded), cells, GRU's recurrent part, the hidden state before the projection.
  Tensor gates, cells, recurrent, unprojected;
};
Outputs forward(Cell cell, const Steps& steps, const Inputs& in);

struct Needs {
  bool x, h0, w_ih, w_hh, b_ih, b_hh, w_hr;
};
struct Gradients {
  Tensor x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr;
};
// `grad_out`, `grad_hn`, `grad_cn`: contiguous or undefined. `grad_out` may be one row that stands for all.
Gradients backward(Cell cell, const Steps& steps, const Inputs& in, const Outputs& saved, const Tensor& grad_out, const Tensor& grad_hn,
                   const Tensor& grad_cn, const Needs& needs);

}  // namespace pydl::rnn
