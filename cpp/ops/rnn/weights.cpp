#include "ops/rnn/weights.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "kernels/matmul/gemm.h"
#include "kernels/rnn/cells.h"
#include "ops/matmul/workspace.h"

namespace pydl::rnn {

using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;
using kernels::matmul::ReadAhead;

namespace {

constexpr int64_t kParallelWork = int64_t{1} << 18;
// Columns of the gates' gradient that are read together: whole cache lines, and whole tiles of every instruction set.
constexpr int64_t kStrip = 48;
constexpr int64_t kLine = 64;

thread_local Workspace b_space;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Columns of the gates' gradient, all on one side of the split.
struct Strip {
  int64_t first, count;
};

// What one thread computes: strips [s0, s1) times panels [p0, p1), and the sums of its strips if it has the first panels.
struct Part {
  size_t s0, s1;
  int64_t p0, p1;
  bool sums;
};

template <class T>
class WeightPass {
 public:
  WeightPass(const GateGradient& gates, const Factor& input, const Factor& recurrent)
      : gates_(gates), factors_{&input, &recurrent}, table_(kernels::matmul::gemm_table<T>()) {
    for (size_t f = 0; f < 2; ++f) panels_[f] = factors_[f]->weight.defined() ? ceil_div(factors_[f]->columns, table_.nr) : 0;
    const int64_t blocks = std::max<int64_t>(1, ceil_div(gates.total, table_.kc));
    step_ = std::max<int64_t>(8, ceil_div(ceil_div(gates.total, blocks), 8) * 8);
    add_strips(0, gates.split);
    add_strips(gates.split, gates.columns);
  }

  void run() const {
    const int64_t work = gates_.total * gates_.columns * (panels_[0] + panels_[1]) * table_.nr;
    const int64_t threads = work < kParallelWork ? 1 : num_threads(), panels = std::max<int64_t>(1, panels_[0] + panels_[1]);
    const int64_t strips = static_cast<int64_t>(strips_.size());
    // As in the matrix product: the time of the largest part, and of packing its share of b.
    int64_t rows = 1, best = INT64_MAX;
    for (int64_t r = 1; r <= threads; ++r) {
      const int64_t cost = ceil_div(panels, threads / r) * (ceil_div(strips, r) * kStrip + 16);
      if (cost < best) best = cost, rows = r;
    }
    const int64_t columns = std::min(threads / rows, panels);
    parallel_tasks(rows * columns, [&](int64_t task) {
      const int64_t r = task / columns, c = task % columns;
      run_part({static_cast<size_t>(strips * r / rows), static_cast<size_t>(strips * (r + 1) / rows),
                (panels_[0] + panels_[1]) * c / columns, (panels_[0] + panels_[1]) * (c + 1) / columns, c == 0});
    });
  }

 private:
  void add_strips(int64_t begin, int64_t end) {
    for (; begin < end; begin += kStrip) strips_.push_back({begin, std::min(kStrip, end - begin)});
  }

  // As many panels at a time as a block in L2 holds.
  void run_part(const Part& whole) const {
    const int64_t most = std::max<int64_t>(1, table_.nc / table_.nr), chunks = std::max<int64_t>(1, ceil_div(whole.p1 - whole.p0, most));
    for (int64_t i = 0; i < chunks; ++i) {
      Part p = whole;
      p.p0 = whole.p0 + (whole.p1 - whole.p0) * i / chunks;
      p.p1 = whole.p0 + (whole.p1 - whole.p0) * (i + 1) / chunks;
      p.sums = whole.sums && i == 0;
      T* b = b_space.get<T>((p.p1 - p.p0) * step_ * table_.nr);
      for (int64_t k = 0; k < gates_.total; k += step_) run_block(p, k, std::min(step_, gates_.total - k), b);
    }
  }

  // Rows [first, first + k) of both sides.
  void run_block(const Part& p, int64_t first, int64_t k, T* b) const {
    for (size_t f = 0; f < 2; ++f) {
      const Range r = range(p, f);
      if (r.count > 0) pack(f, r, first, k, b + r.panel * table_.nr * k);
    }
    for (size_t s = p.s0; s < p.s1; ++s) {
      for (size_t f = 0; f < 2; ++f) multiply(p, f, s, first, k, b);
      if (p.sums) add_sums(strips_[s], first, k);
    }
  }

  // The columns of a factor that are a part's.
  struct Range {
    int64_t column, count, panel;  // `panel` counts from the part's first one
  };
  Range range(const Part& p, size_t f) const {
    const int64_t base = f == 0 ? 0 : panels_[0];
    const int64_t begin = std::clamp<int64_t>(p.p0 - base, 0, panels_[f]), end = std::clamp<int64_t>(p.p1 - base, 0, panels_[f]);
    const int64_t column = begin * table_.nr;
    return {column, std::min(end * table_.nr, factors_[f]->columns) - column, base + begin - p.p0};
  }

  void pack(size_t f, const Range& r, int64_t first, int64_t k, T* out) const {
    int64_t begin = 0;  // of the run
    for (const RowRun& run : factors_[f]->runs) {
      const int64_t from = std::max(first, begin), to = std::min(first + k, begin + run.count), columns = factors_[f]->columns;
      if (from < to) {
        table_.pack_b(out + (from - first) * table_.nr, table_.nr * k, run.t.data<T>() + (run.first + from - begin) * columns + r.column,
                      run.t.dtype(), columns, 1, to - from, r.count);
      }
      begin += run.count;
    }
  }

  struct Source {
    const T* p;
    int64_t row;
  };
  Source source(size_t f, const Strip& s, int64_t k) const {
    if (f == 1 && s.first >= gates_.split) {
      return {gates_.rest.data<T>() + k * gates_.rest_row + (s.first - gates_.split), gates_.rest_row};
    }
    return {gates_.all.data<T>() + k * gates_.row + s.first, gates_.row};
  }

  // The gates' gradient is read where it lies, transposed: its rows are padded, so that they spread over the cache's sets.
  void multiply(const Part& p, size_t f, size_t strip, int64_t first, int64_t k, const T* b) const {
    const Range r = range(p, f);
    if (r.count <= 0) return;
    const Strip& s = strips_[strip];
    const Source a = source(f, s, first);
    const int64_t columns = factors_[f]->columns, panel = table_.nr * k;
    GemmBlock<T> g{s.count,
                   r.count,
                   k,
                   a.p,
                   1,
                   a.row,
                   table_.mr,
                   b + r.panel * panel,
                   table_.nr,
                   panel,
                   factors_[f]->weight.template data<T>() + s.first * columns + r.column,
                   columns,
                   {T(1), T(first > 0 ? 1 : 0), nullptr, nullptr, false},
                   {}};
    ReadAhead then;
    const bool shared = f == 1 && s.first < gates_.split && range(p, 0).count > 0;  // the other factor has fetched it
    if (strip + 1 < p.s1) {
      if (!shared) g.next = strip_lines(f, strips_[strip + 1], first, k);
    } else if (const int64_t next = first + k; next < gates_.total) {
      const int64_t rows = std::min(step_, gates_.total - next);
      g.next = factor_lines(f, r, next, rows);
      if (!shared) {
        then = strip_lines(f, strips_[p.s0], next, rows);
        g.next.after = &then;
      }
    }
    table_.block(g);
  }

  static ReadAhead lines(const T* p, int64_t row, int64_t rows, int64_t columns) {
    const int64_t size = static_cast<int64_t>(sizeof(T)), count = ceil_div(columns * size, kLine);
    return {reinterpret_cast<const char*>(p), kLine, count, row * size - (count - 1) * kLine, rows * count};
  }
  ReadAhead strip_lines(size_t f, const Strip& s, int64_t first, int64_t k) const {
    const Source a = source(f, s, first);
    return lines(a.p, a.row, k, s.count);
  }
  // Of a factor's rows, those that lie in the run of the first one.
  ReadAhead factor_lines(size_t f, const Range& r, int64_t first, int64_t k) const {
    int64_t begin = 0;
    for (const RowRun& run : factors_[f]->runs) {
      if (first < begin + run.count) {
        const int64_t columns = factors_[f]->columns;
        return lines(run.t.data<T>() + (run.first + first - begin) * columns + r.column, columns, std::min(k, begin + run.count - first),
                     r.count);
      }
      begin += run.count;
    }
    return {};
  }

  // The sums of both factors differ behind the split alone.
  void add_sums(const Strip& s, int64_t first, int64_t k) const {
    for (size_t f = 0; f < 2; ++f) {
      if (!factors_[f]->bias.defined()) continue;
      T* out = factors_[f]->bias.template data<T>() + s.first;
      const Source a = source(f, s, first);
      if (f == 1 && s.first < gates_.split && factors_[0]->bias.defined()) {
        std::memcpy(out, factors_[0]->bias.template data<T>() + s.first, static_cast<size_t>(s.count) * sizeof(T));
      } else {
        kernels::rnn::cells<T>().column_sums({k, s.count, a.p, a.row, out, first > 0});
      }
    }
  }

  const GateGradient& gates_;
  std::array<const Factor*, 2> factors_;
  const GemmTable<T>& table_;
  std::array<int64_t, 2> panels_;
  int64_t step_;
  std::vector<Strip> strips_;
};

}  // namespace

void weight_gradients(const GateGradient& gates, const Factor& input, const Factor& recurrent) {
  gates.all.dtype() == DType::Float32 ? WeightPass<float>(gates, input, recurrent).run()
                                      : WeightPass<double>(gates, input, recurrent).run();
}

}  // namespace pydl::rnn
