// Recurrent layers: one op for each layer and direction, with one node in the graph.
#include "autograd/engine.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/rnn/engine.h"
#include "ops/rnn/formula.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::Saved;

namespace {

using rnn::Cell;
using rnn::Inputs;
using rnn::Steps;

constexpr const char* kOp = "_rnn_layer";
constexpr int kInputs = 8;
constexpr int64_t kMaxSteps = int64_t{1} << 26;  // each takes time and some bytes, even where there are no samples

Cell cell_of(std::string_view mode) {
  if (mode == "LSTM") return Cell::Lstm;
  if (mode == "GRU") return Cell::Gru;
  if (mode == "RNN_TANH") return Cell::Tanh;
  if (mode == "RNN_RELU") return Cell::Relu;
  throw ValueError(pydl::text("Unrecognized RNN mode: ", mode));
}
const char* node_name(Cell cell) { return cell == Cell::Lstm ? "LstmBackward0" : cell == Cell::Gru ? "GruBackward0" : "RnnBackward0"; }

std::vector<int64_t> step_sizes(const Tensor& batch_sizes, const Tensor& input) {
  if (!batch_sizes.defined()) {
    PYDL_CHECK(input.ndim() == 3, ShapeError, kOp, "(): input must have 3 dimensions, got ", input.ndim());
    PYDL_CHECK(input.size(0) > 0, Error, "Expected sequence length to be larger than 0 in RNN");
    PYDL_CHECK(input.size(0) <= kMaxSteps, ShapeError, kOp, "(): expected at most ", kMaxSteps, " steps, got ", input.size(0));
    return std::vector<int64_t>(static_cast<size_t>(input.size(0)), input.size(1));
  }
  PYDL_CHECK(input.ndim() == 2, ShapeError, kOp, "(): packed input must have 2 dimensions, got ", input.ndim());
  PYDL_CHECK(batch_sizes.ndim() == 1 && batch_sizes.dtype() == DType::Int64 && batch_sizes.numel() > 0, Error, kOp,
             "(): batch_sizes must be a one-dimensional int64 tensor that is not empty");
  PYDL_CHECK(batch_sizes.numel() <= kMaxSteps, ShapeError, kOp, "(): expected at most ", kMaxSteps, " steps, got ", batch_sizes.numel());
  const Tensor values = contiguous(batch_sizes);
  const std::vector<int64_t> sizes(values.data<int64_t>(), values.data<int64_t>() + values.numel());
  int64_t left = input.size(0), last = left;
  for (const int64_t n : sizes) {
    PYDL_CHECK(n > 0 && n <= last && n <= left, Error, kOp, "(): batch_sizes must be positive, must not increase and must sum up to ",
               input.size(0), " rows of the input");
    left -= n;
    last = n;
  }
  PYDL_CHECK(left == 0, Error, kOp, "(): batch_sizes must sum up to the ", input.size(0), " rows of the input");
  return sizes;
}

void check_shape(const char* name, const Tensor& t, int64_t rows, int64_t columns, DType dtype) {
  if (!t.defined()) return;
  const Dims expected = columns < 0 ? Dims{rows} : Dims{rows, columns};
  PYDL_CHECK(t.sizes() == expected, ShapeError, kOp, "(): ", name, " must have shape ", IntSpan(expected), ", got ", IntSpan(t.sizes()));
  PYDL_CHECK(t.dtype() == dtype, Error, kOp, "(): ", name, " must have the input's dtype ", dtype, ", got ", t.dtype());
}

void check(Cell cell, const Steps& steps, const Inputs& in) {
  const DType dtype = in.x.dtype();
  PYDL_CHECK(is_floating(dtype), NotImplemented, kOp, "(): not implemented for ", dtype);
  PYDL_CHECK(in.w_ih.ndim() == 2 && in.w_hh.ndim() == 2, ShapeError, kOp, "(): weights must have 2 dimensions");
  const int64_t gates = gates_of(cell), columns = in.w_hh.size(0), hidden = columns / gates;
  PYDL_CHECK(columns > 0 && columns % gates == 0, ShapeError, kOp, "(): weight_hh must have a multiple of ", gates, " rows, got ", columns);
  PYDL_CHECK(!in.w_hr.defined() || cell == Cell::Lstm, Error, kOp, "(): only LSTM has a projection");
  PYDL_CHECK(in.b_ih.defined() == in.b_hh.defined(), Error, kOp, "(): expected both biases or none");
  PYDL_CHECK(in.c0.defined() == (cell == Cell::Lstm), Error, kOp, "(): LSTM, and no other cell, has a second state");
  const int64_t width = in.w_hr.defined() ? (in.w_hr.ndim() == 2 ? in.w_hr.size(0) : -1) : hidden;
  PYDL_CHECK(width >= 0, ShapeError, kOp, "(): weight_hr must have 2 dimensions, got ", in.w_hr.ndim());
  check_shape("weight_ih", in.w_ih, columns, in.x.size(1), dtype);
  check_shape("weight_hh", in.w_hh, columns, width, dtype);
  check_shape("weight_hr", in.w_hr, width, hidden, dtype);
  check_shape("bias_ih", in.b_ih, columns, -1, dtype);
  check_shape("bias_hh", in.b_hh, columns, -1, dtype);
  check_shape("the hidden state", in.h0, steps.batch, width, dtype);
  check_shape("the cell state", in.c0, steps.batch, hidden, dtype);
}

template <class F>
Inputs map(const Inputs& in, const F& f) {
  const auto g = [&](const Tensor& t) { return t.defined() ? f(t) : t; };
  return {g(in.x), g(in.h0), g(in.c0), g(in.w_ih), g(in.w_hh), g(in.b_ih), g(in.b_hh), g(in.w_hr)};
}
std::array<const Tensor*, kInputs> list(const Inputs& in) {
  return {&in.x, &in.h0, &in.c0, &in.w_ih, &in.w_hh, &in.b_ih, &in.b_hh, &in.w_hr};
}

// What backward needs: inputs and results, each with its version.
struct Kept {
  Cell cell;
  Steps steps;
  std::array<Saved, kInputs> inputs;
  Saved out;
  Tensor gates, cells, recurrent, unprojected;

  Inputs get(const Backward& b) const {
    const auto at = [&](int i) { return inputs[static_cast<size_t>(i)].defined() ? inputs[static_cast<size_t>(i)].get(b) : Tensor(); };
    return {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)};
  }
};

Tensor plain(const Tensor& t) { return t.defined() ? contiguous(t) : t; }

// The gradient of a sum is one value in every place: one row of it will do.
Tensor plain_rows(const Tensor& t) {
  const bool same = t.defined() && t.size(0) > 1 && t.stride(0) == 0;
  return plain(same ? narrow(t, 0, 0, 1) : t);
}

void fused_backward(const Kept& k, Backward& b) {
  const Inputs in = map(k.get(b), [](const Tensor& t) { return contiguous(t); });
  const Tensor out = k.out.get(b);
  rnn::Outputs saved{out, {}, {}, k.gates.defined() ? k.gates : out, k.cells, k.recurrent, k.unprojected};
  const rnn::Needs needs{b.needs(0), b.needs(1), b.needs(3), b.needs(4), b.needs(5), b.needs(6), b.needs(7)};
  rnn::Gradients g = rnn::backward(k.cell, k.steps, in, saved, plain_rows(b.grad(0)), plain(b.grad(1)),
                                   k.cell == Cell::Lstm ? plain(b.grad(2)) : Tensor(), needs);
  Tensor* const all[kInputs] = {&g.x, &g.h0, &g.c0, &g.w_ih, &g.w_hh, &g.b_ih, &g.b_hh, &g.w_hr};
  for (int i = 0; i < kInputs; ++i) {
    if (b.needs(i)) b.set(i, std::move(*all[i]));
  }
}

// The derivative of the composition, as a graph of its own. The inputs are renamed: one tensor may stand in two places.
void composed_backward(const Kept& k, Backward& b) {
  const Inputs in = map(k.get(b), [](const Tensor& t) { return view(t, t.sizes()); });
  const rnn::Composed made = rnn::compose(k.cell, k.steps, in);
  std::vector<Tensor> outputs, gradients, wanted;
  const Tensor results[] = {made.out, made.hn, made.cn};
  for (int i = 0; i < 3; ++i) {
    if (!b.grad(i).defined() || !results[i].defined()) continue;
    outputs.push_back(results[i]);
    gradients.push_back(b.grad(i));
  }
  const auto all = list(in);
  for (int i = 0; i < kInputs; ++i) {
    if (b.needs(i)) wanted.push_back(*all[static_cast<size_t>(i)]);
  }
  std::vector<Tensor> found =
      autograd::grad(outputs, gradients, wanted, {.retain_graph = true, .create_graph = true}, /*allow_unused=*/true);
  size_t next = 0;
  for (int i = 0; i < kInputs; ++i) {
    if (b.needs(i)) b.set(i, std::move(found[next++]));
  }
}

using Triple = std::tuple<Tensor, Tensor, Tensor>;

Triple run(Cell cell, Steps steps, const Inputs& given) {
  rnn::Outputs o;
  {
    const autograd::GradGuard off(false);
    o = rnn::forward(cell, steps, map(given, [](const Tensor& t) { return contiguous(t); }));
  }
  if (!o.cn.defined()) o.cn = empty(Dims{0}, o.out.dtype(), kOp);
  const auto all = list(given);
  if (!std::any_of(all.begin(), all.end(), [](const Tensor* t) { return needs_grad(*t); })) return {o.out, o.hn, o.cn};
  Kept kept{cell, std::move(steps), {}, autograd::save_output(o.out), {}, o.cells, o.recurrent, o.unprojected};
  if (!o.gates.same(o.out)) kept.gates = o.gates;
  for (size_t i = 0; i < kInputs; ++i) {
    if (all[i]->defined()) kept.inputs[i] = save(*all[i]);
  }
  const Ref<autograd::Node> node = autograd::make_node(
      node_name(cell), 3, {all[0], all[1], all[2], all[3], all[4], all[5], all[6], all[7]}, [k = std::move(kept)](Backward& b) {
        if (!b.grad(0).defined() && !b.grad(1).defined() && !(k.cell == Cell::Lstm && b.grad(2).defined())) return;
        autograd::mode.grad ? composed_backward(k, b) : fused_backward(k, b);
      });
  autograd::set_history(o.out, node, 0);
  autograd::set_history(o.hn, node, 1);
  if (cell == Cell::Lstm) autograd::set_history(o.cn, node, 2);
  return {o.out, o.hn, o.cn};
}

Triple rnn_layer(const Tensor& input, const Tensor& batch_sizes, const Tensor& h0, const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh,
                 const Tensor& b_ih, const Tensor& b_hh, const Tensor& w_hr, std::string_view mode, bool reverse) {
  const Cell cell = cell_of(mode);
  Steps steps(step_sizes(batch_sizes, input), reverse);
  const bool packed = batch_sizes.defined();
  const Tensor x = packed ? input : reshape(input, Dims{steps.total, input.size(2)});
  Inputs in{x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr};
  check(cell, steps, in);
  const DType dtype = input.dtype();
  if (is_half(dtype)) in = map(in, [](const Tensor& t) { return to_dtype(t, DType::Float32); });
  auto [out, hn, cn] = run(cell, std::move(steps), in);
  if (!packed) out = reshape(out, Dims{input.size(0), input.size(1), out.size(1)});
  return {to_dtype(out, dtype), to_dtype(hn, dtype), to_dtype(cn, dtype)};
}

}  // namespace

PYDL_OP(rnn_layer,
        "_rnn_layer(input: Tensor, batch_sizes: Tensor | None, h0: Tensor, c0: Tensor | None, w_ih: Tensor, w_hh: Tensor, "
        "b_ih: Tensor | None = None, b_hh: Tensor | None = None, w_hr: Tensor | None = None, mode: str = 'LSTM', reverse: bool = False) "
        "-> (Tensor, Tensor, Tensor)",
        Private, R"doc(
One layer of a recurrent network in one direction: outputs, last hidden state, last cell state (empty but for LSTM).

Input (steps, batch, features), or packed (rows, features) with `batch_sizes`; states (batch, hidden).
)doc");

}  // namespace pydl
