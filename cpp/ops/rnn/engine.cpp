#include "ops/rnn/engine.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/parallel.h"
#include "kernels/matmul/gemm.h"
#include "kernels/rnn/cells.h"
#include "ops/copy/copy.h"
#include "ops/matmul/gemm.h"
#include "ops/matmul/workspace.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/rnn/weights.h"

namespace pydl::rnn {

using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;
using kernels::matmul::ReadAhead;
using kernels::rnn::CellGradient;
using kernels::rnn::cells;
using kernels::rnn::CellStep;
using kernels::rnn::CellTable;
using kernels::rnn::FewRows;
using kernels::rnn::kFewRows;

namespace {

// A fork and join costs about 3000 cycles: below this many multiply-adds a step stays on one thread.
constexpr int64_t kParallelWork = int64_t{1} << 17;
// Threads can share out the samples, each taking its own through all steps without waiting for another, as long as the
// weight that all of them read fits a core's L2 and the products keep enough rows. Else they share out the units of a step.
constexpr int64_t kPrivateBytes = 1280 * 1024;
constexpr int64_t kPrivateSamples = 8;
// From this many samples a step on, and for weights that stay in cache, the products with the input are part of the step:
// their results are used while they are in cache.
constexpr int64_t kJointSamples = 8;

thread_local Workspace row_space, sum_space;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A row length that is no multiple of 4 KiB: the rows of a tile would share a few cache sets.
int64_t padded(int64_t columns) { return ceil_div(columns, 16) * 16 + 16; }

template <class T>
T* at(const Tensor& t, int64_t offset) {
  return t.defined() ? t.data<T>() + offset : nullptr;
}

// A matrix b[k, n] in panels, for products with many blocks of few rows.
template <class T>
struct Packed {
  Tensor buffer;
  int64_t k = 0, n = 0, panel = 0;

  // Part `part` of `parts` of b's columns is packed on its own, so that it begins with a panel.
  Packed(const Tensor& w, int64_t b_row, int64_t b_col, int64_t rows, int64_t columns, int64_t parts) : k(rows), n(columns) {
    const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
    panel = k * t.nr;
    const int64_t panels = ceil_div(n, t.nr);
    buffer = empty(Dims{parts * panels * panel}, w.dtype(), "rnn");
    parallel_for(parts * panels, std::max<int64_t>(1, kParallelWork / 4 / std::max<int64_t>(panel, 1)), [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t part = begin / panels, stop = std::min(end, (part + 1) * panels), column = begin % panels * t.nr;
        t.pack_b(buffer.data<T>() + begin * panel, panel, w.data<T>() + (part * n + column) * b_col, w.dtype(), b_row, b_col, k,
                 std::min((stop - begin) * t.nr, n - column));
        begin = stop;
      }
    });
  }
  // Column `column`, a multiple of the panel width, of a part.
  const T* panel_at(int64_t part, int64_t column) const {
    const int64_t nr = kernels::matmul::gemm_table<T>().nr;
    return buffer.data<T>() + (part * ceil_div(n, nr) + column / nr) * panel;
  }
};

// c[rows, columns] = a[rows, k] b + (add ? c : 0) + bias; b: packed panels of `panel_k` rows, from its row 0.
template <class T>
struct Product {
  int64_t rows, k, columns;
  const T* a;
  int64_t a_row;
  const T* b;
  int64_t panel;
  T* c;
  int64_t c_row;
  bool add;
  const T* bias;
  bool few;  // rows in the whole problem: a thread's share must not choose differently
  ReadAhead next = {};

  void run() const {
    const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
    if (few) return cells<T>().few_rows(FewRows<T>{rows, k, columns, a, a_row, b, panel, c, c_row, add, bias});
    const int64_t blocks = std::max<int64_t>(1, ceil_div(k, t.kc)), step = ceil_div(k, blocks);
    for (int64_t p = 0; p < std::max<int64_t>(k, 1); p += std::max<int64_t>(step, 1)) {
      const int64_t depth = std::min(step, k - p);
      t.block(GemmBlock<T>{rows,
                           columns,
                           depth,
                           a + p,
                           a_row,
                           1,
                           t.mr * a_row,
                           b + p * t.nr,
                           t.nr,
                           panel,
                           c,
                           c_row,
                           {T(1), T(add || p > 0 ? 1 : 0), p + depth >= k ? bias : nullptr, nullptr, false},
                           p == 0 ? next : ReadAhead{}});
    }
  }
};

// Both weights of a layer as one, for rows [x | h]: for each panel of units the panels of its gates, and their biases.
template <class T>
struct JointWeights {
  Tensor buffer, bias;
  int64_t k = 0, inputs = 0, gates = 0, nr = kernels::matmul::gemm_table<T>().nr;

  JointWeights(const Tensor& w_ih, const Tensor& w_hh, const Tensor& b, int64_t hidden)
      : k(w_ih.size(1) + w_hh.size(1)), inputs(w_ih.size(1)), gates(w_hh.size(0) / hidden) {
    const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
    const int64_t panels = ceil_div(hidden, nr) * gates, width = k - inputs;
    buffer = empty(Dims{panels * k * nr}, w_hh.dtype(), "rnn");
    if (b.defined()) bias = zeros(Dims{panels * nr}, w_hh.dtype());
    parallel_for(panels, std::max<int64_t>(1, kParallelWork / 4 / std::max<int64_t>(1, k * nr)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t u = i / gates * nr, row = i % gates * hidden + u, units = std::min(nr, hidden - u);
        T* out = buffer.data<T>() + i * k * nr;
        t.pack_b(out, k * nr, at<T>(w_ih, row * inputs), w_ih.dtype(), 1, inputs, inputs, units);
        t.pack_b(out + inputs * nr, k * nr, at<T>(w_hh, row * width), w_hh.dtype(), 1, width, width, units);
        if (b.defined()) std::memcpy(at<T>(bias, i * nr), at<T>(b, row), static_cast<size_t>(units) * sizeof(T));
      }
    });
  }
  const T* panel_at(int64_t gate, int64_t unit) const { return at<T>(buffer, (unit / nr * gates + gate) * k * nr); }
  const T* bias_at(int64_t gate, int64_t unit) const { return at<T>(bias, (unit / nr * gates + gate) * nr); }
};

// What a cell will touch, fetched during the product before it: short runs of rows far apart, which the processor's own
// prefetchers do not follow.
class Ahead {
 public:
  // A block of a matrix, nothing if `p` is null.
  template <class T>
  void add(const T* p, int64_t row, int64_t rows, int64_t columns) {
    const int64_t step = row * static_cast<int64_t>(sizeof(T)), lines = ceil_div(columns * static_cast<int64_t>(sizeof(T)), kLine);
    if (!p || rows == 0) return;
    blocks_[count_] = {reinterpret_cast<const char*>(p), step, rows, kLine - (rows - 1) * step, rows * lines};
    if (count_ > 0) blocks_[count_ - 1].after = &blocks_[count_];
    ++count_;
  }
  // Elements one after the other.
  template <class T>
  void add_run(const T* p, int64_t count) {
    add(p, kLine / static_cast<int64_t>(sizeof(T)), ceil_div(count * static_cast<int64_t>(sizeof(T)), kLine), 1);
  }
  ReadAhead get() const { return blocks_[0]; }

 private:
  static constexpr int64_t kLine = 64;
  static constexpr size_t kMost = 12;  // GRU's derivative: 2 x 3 gates and 4 blocks
  std::array<ReadAhead, kMost> blocks_{};
  size_t count_ = 0;
};

// Runs f(first, last) over ranges of units that begin with a panel.
template <class T, class F>
void over_units(int64_t units, int64_t work, const F& f) {
  const int64_t nr = kernels::matmul::gemm_table<T>().nr, panels = ceil_div(units, nr);
  parallel_for(panels, std::max<int64_t>(1, panels * kParallelWork / std::max<int64_t>(work, 1)),
               [&](int64_t begin, int64_t end) { f(begin * nr, std::min(units, end * nr)); });
}

// Samples [first, last) of a segment.
Segment clip(const Segment& s, int64_t first, int64_t last) {
  const int64_t begin = std::max(first, s.sample), end = std::min(last, s.sample + s.rows), skip = begin - s.sample;
  return {s.row + skip, std::max<int64_t>(end - begin, 0), begin, s.prev < 0 ? -1 : s.prev + skip, s.whole};
}

// Runs f(first, last) over ranges of samples, all of them where threads share out units instead.
template <class F>
void over_samples(const Steps& s, const Tensor& weight, const F& f) {
  const int64_t threads = num_threads();
  const bool apart = s.uniform && s.batch >= threads * kPrivateSamples && weight.numel() * weight.item_size() <= kPrivateBytes &&
                     s.total * weight.numel() >= 2 * kParallelWork;
  const int64_t parts = apart ? threads : 1;
  parallel_tasks(parts, [&](int64_t part) { f(s.batch * part / parts, s.batch * (part + 1) / parts); });
}

bool joins_input(const Steps& s, const Tensor& w_ih) {
  const int64_t steps = static_cast<int64_t>(s.segments.size());
  return steps > 1 && s.total >= steps * kJointSamples && w_ih.numel() * w_ih.item_size() <= kPrivateBytes;
}

// c[m, n] = a b (+ c) (+ bias along columns).
struct Matrix {
  const Tensor& t;
  int64_t offset, row, col;
};
void multiply(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Matrix& c, bool add, const Tensor& bias = Tensor()) {
  const int64_t size = a.t.item_size();
  gemm({.dtype = a.t.dtype(),
        .m = m,
        .n = n,
        .k = k,
        .a = a.t->data + a.offset * size,
        .a_row = a.row,
        .a_col = a.col,
        .b = b.t->data + b.offset * size,
        .b_row = b.row,
        .b_col = b.col,
        .c = c.t->data + c.offset * size,
        .c_row = c.row,
        .beta = add ? 1.0 : 0.0,
        .bias = bias.defined() ? bias->data : nullptr,
        .bias_mode = bias.defined() ? BiasMode::PerColumn : BiasMode::None});
}

// Both biases where they meet before an activation; GRU adds the recurrent one of its candidate inside the product.
Tensor input_bias(Cell cell, const Inputs& in, int64_t hidden) {
  if (!in.b_ih.defined()) return in.b_ih;
  if (cell != Cell::Gru) return add(in.b_ih, in.b_hh);
  const Tensor both = clone(in.b_ih);
  const Tensor part = raw_view(both, Dims{2 * hidden}, Dims{1}, both->offset);
  copy_raw(part, add(part, raw_view(in.b_hh, Dims{2 * hidden}, Dims{1}, in.b_hh->offset)));
  return both;
}

void gather_last(const Steps& s, const Tensor& from, const Tensor& to) {
  const int64_t bytes = from.size(1) * from.item_size();
  if (bytes == 0) return;
  for (int64_t i = 0; i < s.batch; ++i) std::memcpy(to->data + i * bytes, from->data + s.last_row(i) * bytes, static_cast<size_t>(bytes));
}

// ---- forward ---------------------------------------------------------------------------------------------------

template <class T>
class Forward {
 public:
  Forward(Cell cell, const Steps& steps, const Inputs& in)
      : cell_(cell), steps_(steps), in_(in), inputs_(in.x.size(1)), hidden_(in.w_hh.size(0) / gates_of(cell)), width_(in.w_hh.size(1)) {}

  Outputs run() {
    const bool simple = gates_of(cell_) == 1;
    o_.out = empty(Dims{steps_.total, width_}, in_.x.dtype(), "rnn");
    if (in_.w_hr.defined()) o_.unprojected = empty(Dims{steps_.total, hidden_}, in_.x.dtype(), "rnn");
    gates_row_ = simple ? hidden_ : padded(gates_of(cell_) * hidden_);
    o_.gates = simple ? o_.out : empty(Dims{steps_.total, gates_row_}, in_.x.dtype(), "rnn");
    if (cell_ == Cell::Lstm) o_.cells = empty(Dims{steps_.total, hidden_}, in_.x.dtype(), "rnn");
    if (cell_ == Cell::Gru) o_.recurrent = empty(Dims{steps_.total, hidden_}, in_.x.dtype(), "rnn");
    bias_ = input_bias(cell_, in_, hidden_);
    joint_ = joins_input(steps_, in_.w_ih);
    if (!joint_) {
      multiply(steps_.total, gates_of(cell_) * hidden_, inputs_, {in_.x, 0, inputs_, 1}, {in_.w_ih, 0, 1, inputs_},
               {o_.gates, 0, gates_row_, 1}, false, bias_);
    }
    run_steps();
    o_.hn = empty(in_.h0.sizes(), in_.x.dtype(), "rnn");
    gather_last(steps_, o_.out, o_.hn);
    if (cell_ == Cell::Lstm) {
      o_.cn = empty(in_.c0.sizes(), in_.x.dtype(), "rnn");
      gather_last(steps_, o_.cells, o_.cn);
    }
    return o_;
  }

 private:
  void run_steps() {
    if (steps_.segments.size() == 1) return run_single();  // nothing to gain from packing
    if (joint_) return run_joint();
    const Packed<T> weight(in_.w_hh, 1, width_, width_, hidden_, gates_of(cell_));
    if (in_.w_hr.defined()) {
      for (const Segment& s : steps_.segments) {
        run_segment(s, weight);
        project(s);
      }
      return;
    }
    over_samples(steps_, weight.buffer, [&](int64_t first, int64_t last) {
      for (const Segment& s : steps_.segments) run_segment(clip(s, first, last), weight);
    });
  }

  void run_segment(const Segment& s, const Packed<T>& weight) {
    over_units<T>(hidden_, s.rows * gates_of(cell_) * hidden_ * width_, [&](int64_t first, int64_t last) {
      // One panel of each gate, then the cell while they are in cache. Few rows are better served by long products.
      const int64_t step = s.whole <= kFewRows ? last - first : kernels::matmul::gemm_table<T>().nr;
      for (int64_t u = first; u < last; u += step) {
        const int64_t units = std::min(step, last - u);
        for (int64_t g = 0; g < gates_of(cell_); ++g) add_product(s, weight, g, u, units);
        activate(cell_step(s, u, units));
      }
    });
  }

  void run_joint() {
    const JointWeights<T> weight(in_.w_ih, in_.w_hh, bias_, hidden_);
    const std::vector<Segment>& all = steps_.segments;
    const auto range = [&](int64_t first, int64_t last) {
      T* rows = row_space.get<T>((last - first) * padded(weight.k));
      for (size_t i = 0; i < all.size(); ++i) {
        const Segment s = clip(all[i], first, last), next = i + 1 < all.size() ? clip(all[i + 1], first, last) : Segment{};
        join_rows(s, rows, padded(weight.k));
        over_units<T>(hidden_, s.rows * gates_of(cell_) * hidden_ * weight.k, [&](int64_t begin, int64_t end) {
          for (int64_t u = begin; u < end; u += weight.nr) run_panel(s, next, weight, rows, u);
        });
        project(s);
      }
    };
    in_.w_hr.defined() ? range(0, steps_.batch) : over_samples(steps_, in_.w_hh, range);
  }

  // [x | h before] of a step.
  void join_rows(const Segment& s, T* rows, int64_t row) const {
    const T *x = at<T>(in_.x, s.row * inputs_), *h = prev_hidden(s);
    for (int64_t r = 0; r < s.rows; ++r, rows += row) {
      std::copy_n(x + r * inputs_, inputs_, rows);
      std::copy_n(h + r * width_, width_, rows + inputs_);
    }
  }

  // One panel of units: the sums of all its gates, then the cell while they are in cache.
  void run_panel(const Segment& s, const Segment& next, const JointWeights<T>& weight, const T* rows, int64_t u) {
    const bool gru = cell_ == Cell::Gru;
    const int64_t nr = weight.nr, units = std::min(nr, hidden_ - u), width = gates_of(cell_) * nr, row = padded(weight.k);
    CellStep<T> cell = cell_step(s, u, units);
    T* sums = sum_space.get<T>(s.rows * width);
    cell.sums = sums, cell.sums_row = width, cell.sum_step = nr;
    Ahead ahead = touched(cell);
    const int64_t share = next.rows * inputs_, from = share * u / hidden_;  // of the next step's input
    ahead.add_run(at<T>(in_.x, next.row * inputs_) + from, share * (u + units) / hidden_ - from);
    const bool few = s.whole <= kFewRows;
    Product<T> p{s.rows, weight.k, gru ? 2 * nr : width, rows, row,        weight.panel_at(0, u), weight.k * nr, sums,
                 width,  false,    weight.bias_at(0, u), few,  ahead.get()};
    p.run();
    if (gru) {  // the reset gate stands between the two products of the candidate
      p.next = {};
      p.k = inputs_, p.columns = nr, p.b = weight.panel_at(2, u), p.c = sums + 2 * nr, p.bias = weight.bias_at(2, u);
      p.run();
      p.k = width_, p.columns = units, p.a = rows + inputs_, p.b += inputs_ * nr;
      p.c = at<T>(o_.recurrent, s.row * hidden_ + u), p.c_row = hidden_, p.bias = at<T>(in_.b_hh, 2 * hidden_ + u);
      p.run();
    }
    activate(cell);
  }

  void run_single() {
    const Segment& s = steps_.segments[0];
    const int64_t joint = (cell_ == Cell::Gru ? 2 : gates_of(cell_)) * hidden_;
    multiply(s.rows, joint, width_, {in_.h0, 0, width_, 1}, {in_.w_hh, 0, 1, width_}, {o_.gates, 0, gates_row_, 1}, true);
    if (cell_ == Cell::Gru) {
      Tensor bias;
      if (in_.b_hh.defined()) bias = raw_view(in_.b_hh, Dims{hidden_}, Dims{1}, in_.b_hh->offset + 2 * hidden_);
      multiply(s.rows, hidden_, width_, {in_.h0, 0, width_, 1}, {in_.w_hh, 2 * hidden_ * width_, 1, width_}, {o_.recurrent, 0, hidden_, 1},
               false, bias);
    }
    activate(cell_step(s, 0, hidden_));
    project(s);
  }

  const T* prev_hidden(const Segment& s) const { return s.prev < 0 ? at<T>(in_.h0, s.sample * width_) : at<T>(o_.out, s.prev * width_); }

  void add_product(const Segment& s, const Packed<T>& weight, int64_t gate, int64_t u, int64_t units) {
    const bool apart = cell_ == Cell::Gru && gate == 2;
    Product<T>{s.rows,
               width_,
               units,
               prev_hidden(s),
               width_,
               weight.panel_at(gate, u),
               weight.panel,
               apart ? at<T>(o_.recurrent, s.row * hidden_ + u) : at<T>(o_.gates, s.row * gates_row_ + gate * hidden_ + u),
               apart ? hidden_ : gates_row_,
               !apart,
               apart ? at<T>(in_.b_hh, 2 * hidden_ + u) : nullptr,
               s.whole <= kFewRows}
        .run();
  }

  CellStep<T> cell_step(const Segment& s, int64_t u, int64_t units) const {
    const Tensor& hidden = in_.w_hr.defined() ? o_.unprojected : o_.out;
    CellStep<T> c{};
    c.rows = s.rows, c.units = units;
    c.gates = at<T>(o_.gates, s.row * gates_row_ + u), c.gates_row = gates_row_, c.gate_step = hidden_;
    c.sums = c.gates, c.sums_row = c.gates_row, c.sum_step = c.gate_step;
    c.recurrent = at<T>(o_.recurrent, s.row * hidden_ + u), c.recurrent_row = hidden_;
    c.cell = at<T>(o_.cells, s.row * hidden_ + u), c.cell_row = hidden_;
    c.hidden = at<T>(hidden, s.row * hidden_ + u), c.hidden_row = hidden_;
    c.prev_row = hidden_;
    if (cell_ == Cell::Gru) c.prev = prev_hidden(s) + u;
    if (cell_ == Cell::Lstm) c.prev = s.prev < 0 ? at<T>(in_.c0, s.sample * hidden_ + u) : at<T>(o_.cells, s.prev * hidden_ + u);
    return c;
  }

  // What a cell reads and writes besides the sums.
  Ahead touched(const CellStep<T>& c) const {
    Ahead a;
    for (int64_t g = 0; g < gates_of(cell_) && c.hidden != c.gates; ++g) {
      a.add(c.gates + g * c.gate_step, c.gates_row, c.rows, c.units);
    }
    a.add(c.hidden, c.hidden_row, c.rows, c.units);
    a.add(c.cell, c.cell_row, c.rows, c.units);
    a.add(c.prev, c.prev_row, c.rows, c.units);
    return a;
  }

  void activate(const CellStep<T>& c) const {
    const CellTable<T>& t = cells<T>();
    (cell_ == Cell::Tanh ? t.tanh : cell_ == Cell::Relu ? t.relu : cell_ == Cell::Lstm ? t.lstm : t.gru)(c);
  }

  void project(const Segment& s) {
    if (!in_.w_hr.defined()) return;
    multiply(s.rows, width_, hidden_, {o_.unprojected, s.row * hidden_, hidden_, 1}, {in_.w_hr, 0, 1, hidden_},
             {o_.out, s.row * width_, width_, 1}, false);
  }

  Cell cell_;
  const Steps& steps_;
  const Inputs& in_;
  int64_t inputs_, hidden_, width_, gates_row_ = 0;
  bool joint_ = false;
  Tensor bias_;
  Outputs o_;
};

// ---- backward --------------------------------------------------------------------------------------------------

template <class T>
class Reverse {
 public:
  Reverse(Cell cell, const Steps& steps, const Inputs& in, const Outputs& saved, const Tensor& grad_out)
      : cell_(cell),
        steps_(steps),
        in_(in),
        saved_(saved),
        grad_out_(grad_out),
        inputs_(in.x.size(1)),
        hidden_(in.w_hh.size(0) / gates_of(cell)),
        width_(in.w_hh.size(1)),
        columns_(gates_of(cell) * hidden_),
        row_(padded(columns_)),
        rest_row_(padded(hidden_)),
        grad_row_(grad_out.defined() && grad_out.size(0) == steps.total ? width_ : 0) {}

  Gradients run(const Tensor& grad_hn, const Tensor& grad_cn, const Needs& needs) {
    const DType dtype = in_.x.dtype();
    grad_gates_ = empty(Dims{steps_.total, row_}, dtype, "rnn");
    if (cell_ == Cell::Gru) grad_rest_ = empty(Dims{steps_.total, rest_row_}, dtype, "rnn");
    Gradients g;
    g.h0 = grad_hn.defined() ? clone(grad_hn) : zeros(in_.h0.sizes(), dtype);
    if (cell_ == Cell::Lstm) g.c0 = grad_cn.defined() ? clone(grad_cn) : zeros(in_.c0.sizes(), dtype);
    state_ = g.h0;
    grad_cell_ = g.c0;
    needs_state_ = needs.h0;
    if (needs.x) g.x = empty(in_.x.sizes(), dtype, "rnn");
    const bool joint = needs.x && !in_.w_hr.defined() && joins_input(steps_, in_.w_ih);
    if (joint) grad_x_ = g.x;
    if (in_.w_hr.defined()) {
      run_projected();
      if (needs.w_hr) g.w_hr = projection_gradient();
    } else {
      run_steps();
    }
    if (needs.x && !joint) {
      multiply(steps_.total, inputs_, columns_, {grad_gates_, 0, row_, 1}, {in_.w_ih, 0, inputs_, 1}, {g.x, 0, inputs_, 1}, false);
    }
    finish(g, needs);
    return g;
  }

 private:
  // The product that brings a segment's gradient to the state before it and the derivative of the segment before, on the same
  // units, need no other unit's result: one parallel region per step.
  void run_steps() {
    const Packed<T> weight(in_.w_hh, width_, 1, columns_, width_, 1);
    const Packed<T> input(in_.w_ih, inputs_, 1, columns_, grad_x_.defined() ? inputs_ : 0, 1);
    over_samples(steps_, weight.buffer, [&](int64_t begin, int64_t end) {
      Segment later{};
      for (size_t i = steps_.segments.size(); i-- > 0;) {
        const Segment s = clip(steps_.segments[i], begin, end);
        over_units<T>(hidden_, s.rows * columns_ * width_, [&](int64_t first, int64_t last) { step(s, later, weight, first, last); });
        if (grad_x_.defined()) to_input(s, input);
        later = s;
      }
      if (!needs_state_) return;
      over_units<T>(width_, later.rows * columns_ * width_,
                    [&](int64_t first, int64_t last) { to_state(later, weight, first, last - first, {}); });
    });
  }

  // A panel of the state's gradient, then the cells that need it, while it is in cache. Few rows are better served by long
  // products.
  void step(const Segment& s, const Segment& later, const Packed<T>& weight, int64_t first, int64_t last) {
    const int64_t width = s.whole <= kFewRows ? last - first : kernels::matmul::gemm_table<T>().nr;
    for (int64_t u = first; u < last; u += width) {
      const int64_t units = std::min(width, last - u);
      const CellGradient<T> cell = cell_gradient(s, u, units, state_, s.sample, grad_out_);
      const Ahead ahead = touched(cell);
      if (later.rows) to_state(later, weight, u, units, ahead.get());
      differentiate(cell);
    }
  }

  void run_projected() {
    const Packed<T> weight(in_.w_hh, width_, 1, columns_, width_, 1);
    grad_hidden_ = empty(Dims{steps_.total, width_}, in_.x.dtype(), "rnn");
    const Tensor part = empty(Dims{steps_.batch, hidden_}, in_.x.dtype(), "rnn");
    for (size_t i = steps_.segments.size(); i-- > 0;) {
      const Segment& s = steps_.segments[i];
      for (int64_t r = 0; r < s.rows; ++r) {
        T* sum = at<T>(grad_hidden_, (s.row + r) * width_);
        const T* later = at<T>(state_, (s.sample + r) * width_);
        const T* grad = at<T>(grad_out_, (s.row + r) * grad_row_);
        for (int64_t j = 0; j < width_; ++j) sum[j] = later[j] + (grad ? grad[j] : T(0));
      }
      multiply(s.rows, hidden_, width_, {grad_hidden_, s.row * width_, width_, 1}, {in_.w_hr, 0, hidden_, 1}, {part, 0, hidden_, 1}, false);
      over_units<T>(hidden_, s.rows * columns_,
                    [&](int64_t first, int64_t last) { differentiate(cell_gradient(s, first, last - first, part, 0, Tensor())); });
      over_units<T>(width_, s.rows * columns_ * width_, [&](int64_t first, int64_t last) { to_state(s, weight, first, last - first, {}); });
    }
  }

  CellGradient<T> cell_gradient(const Segment& s, int64_t u, int64_t units, const Tensor& state, int64_t state_first,
                                const Tensor& grad) const {
    const bool simple = gates_of(cell_) == 1;
    const int64_t gates_row = simple ? hidden_ : row_;
    CellGradient<T> c{};
    c.rows = s.rows, c.units = units;
    c.gates = at<T>(saved_.gates, s.row * gates_row + u), c.gates_row = gates_row, c.gate_step = hidden_;
    c.recurrent = at<T>(saved_.recurrent, s.row * hidden_ + u), c.recurrent_row = hidden_;
    c.cell = at<T>(saved_.cells, s.row * hidden_ + u), c.cell_row = hidden_;
    c.prev_row = hidden_;
    if (cell_ == Cell::Gru) c.prev = s.prev < 0 ? at<T>(in_.h0, s.sample * hidden_ + u) : at<T>(saved_.out, s.prev * hidden_ + u);
    if (cell_ == Cell::Lstm) c.prev = s.prev < 0 ? at<T>(in_.c0, s.sample * hidden_ + u) : at<T>(saved_.cells, s.prev * hidden_ + u);
    c.grad = at<T>(grad, s.row * grad_row_ + u), c.grad_row = grad_row_;
    c.state = at<T>(state, state_first * hidden_ + u), c.state_row = hidden_;
    c.grad_cell = at<T>(grad_cell_, s.sample * hidden_ + u), c.grad_cell_row = hidden_;
    c.out = at<T>(grad_gates_, s.row * row_ + u), c.out_row = row_;
    c.out_recurrent = at<T>(grad_rest_, s.row * rest_row_ + u), c.out_recurrent_row = rest_row_;
    return c;
  }

  // Of a cell, what the product before it does not touch.
  Ahead touched(const CellGradient<T>& c) const {
    Ahead a;
    for (int64_t g = 0; g < gates_of(cell_); ++g) {
      a.add(c.gates + g * c.gate_step, c.gates_row, c.rows, c.units);
      a.add(c.out + g * c.gate_step, c.out_row, c.rows, c.units);
    }
    a.add(c.recurrent, c.recurrent_row, c.rows, c.units);
    a.add(c.prev, c.prev_row, c.rows, c.units);
    a.add(c.cell, c.cell_row, c.rows, c.units);
    a.add(c.out_recurrent, c.out_recurrent_row, c.rows, c.units);
    if (grad_row_ > 0) a.add(c.grad, c.grad_row, c.rows, c.units);
    return a;
  }

  void differentiate(const CellGradient<T>& c) const {
    const CellTable<T>& t = cells<T>();
    (cell_ == Cell::Tanh   ? t.tanh_gradient
     : cell_ == Cell::Relu ? t.relu_gradient
     : cell_ == Cell::Lstm ? t.lstm_gradient
                           : t.gru_gradient)(c);
  }

  // state (+)= gradient of the gates times the recurrent weight.
  void to_state(const Segment& s, const Packed<T>& weight, int64_t u, int64_t units, const ReadAhead& next) const {
    const bool gru = cell_ == Cell::Gru;
    Product<T> p{s.rows,       gru ? 2 * hidden_ : columns_,
                 units,        at<T>(grad_gates_, s.row * row_),
                 row_,         weight.panel_at(0, u),
                 weight.panel, at<T>(state_, s.sample * width_ + u),
                 width_,       gru,
                 nullptr,      s.whole <= kFewRows,
                 next};
    p.run();
    if (!gru) return;
    p.next = {};
    p.b += p.k * kernels::matmul::gemm_table<T>().nr;
    p.k = hidden_;
    p.a = at<T>(grad_rest_, s.row * rest_row_);
    p.a_row = rest_row_;
    p.run();
  }

  // The gradient of the input while that of the gates is in cache.
  void to_input(const Segment& s, const Packed<T>& weight) const {
    over_units<T>(inputs_, s.rows * columns_ * inputs_, [&](int64_t first, int64_t last) {
      Product<T>{s.rows,       columns_,
                 last - first, at<T>(grad_gates_, s.row * row_),
                 row_,         weight.panel_at(0, first),
                 weight.panel, at<T>(grad_x_, s.row * inputs_ + first),
                 inputs_,      false,
                 nullptr,      s.whole <= kFewRows}
          .run();
    });
  }

  Tensor projection_gradient() const {
    const Tensor out = empty(in_.w_hr.sizes(), in_.x.dtype(), "rnn");
    multiply(width_, hidden_, steps_.total, {grad_hidden_, 0, 1, width_}, {saved_.unprojected, 0, hidden_, 1}, {out, 0, hidden_, 1}, false);
    return out;
  }

  // What does not take part in the recurrence.
  void finish(Gradients& g, const Needs& needs) const {
    const DType dtype = in_.x.dtype();
    const int64_t total = steps_.total;
    const bool gru = cell_ == Cell::Gru;
    const auto made = [&](bool needed, const Tensor& like) {
      return !needed ? Tensor() : total ? empty(like.sizes(), dtype, "rnn") : zeros(like.sizes(), dtype);
    };
    g.w_ih = made(needs.w_ih, in_.w_ih), g.w_hh = made(needs.w_hh, in_.w_hh);
    const bool biases = needs.b_ih || needs.b_hh;
    g.b_ih = made(biases, in_.b_ih), g.b_hh = made(biases, in_.b_hh);  // each becomes the gradient of a tensor of its own
    if (!biases && !needs.w_ih && !needs.w_hh) return;
    weight_gradients({grad_gates_, grad_rest_, row_, rest_row_, total, columns_, gru ? 2 * hidden_ : columns_},
                     {{RowRun{in_.x, 0, total}, {}}, inputs_, g.w_ih, g.b_ih}, {states_before(), width_, g.w_hh, g.b_hh});
  }

  // The state before each row: where all samples run through all steps, rows of the output and those of h0.
  std::array<RowRun, 2> states_before() const {
    const int64_t batch = steps_.batch, rest = steps_.total - batch;
    if (!steps_.uniform) return {RowRun{gathered_states(), 0, steps_.total}, {}};
    const RowRun initial{in_.h0, 0, batch};
    if (steps_.reverse) return {RowRun{saved_.out, batch, rest}, initial};
    return {initial, RowRun{saved_.out, 0, rest}};
  }

  Tensor gathered_states() const {
    const Tensor out = empty(saved_.out.sizes(), in_.x.dtype(), "rnn");
    const int64_t bytes = width_ * out.item_size();
    for (const Segment& s : steps_.segments) {
      const char* from = s.prev < 0 ? in_.h0->data + s.sample * bytes : saved_.out->data + s.prev * bytes;
      std::memcpy(out->data + s.row * bytes, from, static_cast<size_t>(s.rows * bytes));
    }
    return out;
  }

  Cell cell_;
  const Steps& steps_;
  const Inputs& in_;
  const Outputs& saved_;
  const Tensor& grad_out_;
  int64_t inputs_, hidden_, width_, columns_, row_, rest_row_, grad_row_;
  bool needs_state_ = true;
  Tensor grad_gates_, grad_rest_, grad_hidden_, state_, grad_cell_, grad_x_;
};

}  // namespace

Steps::Steps(std::vector<int64_t> given, bool backwards) : sizes(std::move(given)), reverse(backwards) {
  const size_t length = sizes.size();
  for (const int64_t n : sizes) {
    starts.push_back(total);
    total += n;
    uniform = uniform && n == sizes[0];
  }
  batch = length ? sizes[0] : 0;
  segments.reserve(length);
  for (size_t i = 0; i < length; ++i) {
    const size_t t = reverse ? length - 1 - i : i;
    if (!reverse) {
      segments.push_back({starts[t], sizes[t], 0, t ? starts[t - 1] : -1, sizes[t]});
      continue;
    }
    // Samples that were running at the step after continue it, the others begin here.
    const int64_t running = t + 1 < length ? sizes[t + 1] : 0;
    if (running) segments.push_back({starts[t], running, 0, starts[t + 1], running});
    if (sizes[t] > running) segments.push_back({starts[t] + running, sizes[t] - running, running, -1, sizes[t] - running});
  }
}

int64_t Steps::last_row(int64_t s) const {
  if (reverse || uniform) return (reverse ? 0 : starts.back()) + s;
  const auto end = std::partition_point(sizes.begin(), sizes.end(), [&](int64_t n) { return n > s; });
  return starts[static_cast<size_t>(end - sizes.begin()) - 1] + s;
}

Outputs forward(Cell cell, const Steps& steps, const Inputs& in) {
  return in.x.dtype() == DType::Float32 ? Forward<float>(cell, steps, in).run() : Forward<double>(cell, steps, in).run();
}

Gradients backward(Cell cell, const Steps& steps, const Inputs& in, const Outputs& saved, const Tensor& grad_out, const Tensor& grad_hn,
                   const Tensor& grad_cn, const Needs& needs) {
  return in.x.dtype() == DType::Float32 ? Reverse<float>(cell, steps, in, saved, grad_out).run(grad_hn, grad_cn, needs)
                                        : Reverse<double>(cell, steps, in, saved, grad_out).run(grad_hn, grad_cn, needs);
}

}  // namespace pydl::rnn
