#include "ops/rnn/formula.h"

#include "ops/activation/activation.h"
#include "ops/creation/creation.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/trig.h"
#include "ops/view/view.h"

namespace pydl::rnn {

namespace {

struct State {
  Tensor h, c;
};

State step(Cell cell, const Tensor& gates, const State& before, const Inputs& in) {
  const int64_t units = in.w_hh.size(0) / gates_of(cell);
  const Tensor recurrent = linear(before.h, in.w_hh, in.b_hh);
  const auto gate = [&](const Tensor& t, int64_t g) { return narrow(t, 1, g * units, units); };
  if (cell == Cell::Tanh) return {tanh(add(gates, recurrent)), {}};
  if (cell == Cell::Relu) return {relu(add(gates, recurrent)), {}};
  if (cell == Cell::Gru) {
    const Tensor reset = sigmoid(add(gate(gates, 0), gate(recurrent, 0)));
    const Tensor update = sigmoid(add(gate(gates, 1), gate(recurrent, 1)));
    const Tensor candidate = tanh(add(gate(gates, 2), mul(reset, gate(recurrent, 2))));
    return {add(candidate, mul(update, sub(before.h, candidate))), {}};
  }
  const Tensor all = add(gates, recurrent);
  const Tensor kept = mul(sigmoid(gate(all, 1)), before.c);
  const Tensor c = add(kept, mul(sigmoid(gate(all, 0)), tanh(gate(all, 2))));
  const Tensor h = mul(sigmoid(gate(all, 3)), tanh(c));
  return {in.w_hr.defined() ? linear(h, in.w_hr, Tensor()) : h, c};
}

// The states of samples that end, from the last to the first: sequences are sorted by length.
class Ended {
 public:
  void keep(const Tensor& t, int64_t running) {
    if (t.defined()) parts_.push_back(narrow(t, 0, running, t.size(0) - running));
  }
  Tensor join(const Tensor& running) {
    if (!running.defined()) return running;
    parts_.push_back(running);
    return cat(std::vector<Tensor>(parts_.rbegin(), parts_.rend()), 0);
  }

 private:
  std::vector<Tensor> parts_;
};

Tensor first_rows(const Tensor& t, int64_t n) { return t.defined() ? narrow(t, 0, 0, n) : t; }
Tensor joined_by(const Tensor& running, const Tensor& initial, int64_t n) {
  if (!running.defined()) return first_rows(initial, n);
  const Tensor parts[] = {running, narrow(initial, 0, running.size(0), n - running.size(0))};
  return cat(parts, 0);
}

}  // namespace

Composed compose(Cell cell, const Steps& steps, const Inputs& in) {
  const Tensor gates = linear(in.x, in.w_ih, in.b_ih);
  const size_t length = steps.sizes.size();
  std::vector<Tensor> outs(length);
  State state;
  Ended ended_h, ended_c;
  for (size_t i = 0; i < length; ++i) {
    const size_t t = steps.reverse ? length - 1 - i : i;
    const int64_t n = steps.sizes[t], running = state.h.defined() ? state.h.size(0) : 0;
    if (!state.h.defined() || n > running) {
      state = {joined_by(state.h, in.h0, n), in.c0.defined() ? joined_by(state.c, in.c0, n) : Tensor()};
    } else if (n < running) {
      ended_h.keep(state.h, n);
      ended_c.keep(state.c, n);
      state = {first_rows(state.h, n), first_rows(state.c, n)};
    }
    outs[t] = (state = step(cell, narrow(gates, 0, steps.starts[t], n), state, in)).h;
  }
  return {cat(outs, 0), ended_h.join(state.h), ended_c.join(state.c)};
}

}  // namespace pydl::rnn
