#include "ops/attention/engine.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "core/parallel.h"
#include "kernels/attention/attention.h"
#include "kernels/matmul/gemm.h"
#include "kernels/random/philox.h"
#include "ops/copy/copy.h"

namespace pydl::attention {

using kernels::attention::AttentionTable;
using kernels::attention::Tile;
using kernels::matmul::GemmBlock;
using kernels::matmul::GemmTable;
using kernels::matmul::SkinnyGemm;

namespace {

constexpr int64_t kKeys = 384;    // columns of a tile: a panel of values for them fits L1
constexpr int64_t kQueries = 48;  // rows of a forward tile
constexpr int64_t kBackwardKeys = 256, kBackwardQueries = 96;
constexpr int64_t kTileRow = kKeys + 16;  // rows of a tile do not fall on the same cache sets
constexpr int64_t kBackwardTileRow = kBackwardKeys + 16;
constexpr int64_t kFewQueries = 4;  // up to so many, packing keys and values would be most of the work
constexpr int64_t kParallelWork = int64_t{1} << 17;
constexpr double kLog2E = 1.4426950408889634;
// Scores (base 2) up to so many in magnitude need no maximum: 2^score and sums of it are far from the ends of float32, and
// so are products with values whose largest row is inside the limits of its sum of squares.
// Fewer queries than kManyQueries do not pay for finding that out.
constexpr int64_t kManyQueries = 128;
constexpr double kSmallScore = 24, kSmallestValue = 0x1p-80, kLargestValue = 0x1p80;

template <class T>
const AttentionTable<T>& passes() {
  if constexpr (sizeof(T) == 4) {
    return kernels::attention::table_f32();
  } else {
    return kernels::attention::table_f64();
  }
}

// Scratch memory of one task.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count)
      : bytes_(static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {}
  ~Buffer() { deallocate(data_, bytes_); }
  Buffer(const Buffer&) = delete;
  T* get() const { return data_; }
  operator T*() const { return data_; }

 private:
  size_t bytes_;
  T* data_;
};

// A batch of matrices: where each begins, in elements, and the distance of rows.
class Matrices {
 public:
  int64_t row = 0;

  explicit Matrices(const Tensor& t) {
    if (!t.defined()) return;
    const int lead = t.ndim() - 2;
    row = t.stride(lead);
    for (int d = 0; d < lead; ++d) {
      sizes_.push_back(t.size(d));
      strides_.push_back(t.stride(d));
    }
  }
  int64_t count() const { return numel_of(sizes_); }
  int64_t at(int64_t n) const {
    int64_t offset = 0;
    for (int d = sizes_.size() - 1; d >= 0; --d) {
      offset += n % sizes_[d] * strides_[d];
      n /= sizes_[d];
    }
    return offset;
  }
  template <class T>
  T* begin(const Tensor& t, int64_t n) const {
    return t.data<T>() + at(n);
  }

 private:
  Dims sizes_, strides_;
};

// Strides of a dense tensor of `sizes` whose dims, but for the last, lie in memory in the order of those of `like`.
Dims strides_in_order(const Tensor& like, const Dims& sizes) {
  const int last = sizes.size() - 1;
  std::vector<int> order(static_cast<size_t>(last));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return like.stride(a) > like.stride(b); });
  Dims strides(sizes.size(), 1);
  int64_t step = std::max<int64_t>(sizes[last], 1);
  for (auto d = order.rbegin(); d != order.rend(); ++d) {
    strides[*d] = step;
    step *= std::max<int64_t>(sizes[*d], 1);
  }
  return strides;
}
Tensor empty_in_order(const Tensor& like, const Dims& sizes) {
  return empty_strided(sizes, strides_in_order(like, sizes), like.dtype(), "scaled_dot_product_attention");
}

int64_t panels(int64_t n, int64_t nr) { return (n + nr - 1) / nr; }

template <class T>
constexpr DType kDType = sizeof(T) == 4 ? DType::Float32 : DType::Float64;

template <class T>
void copy_rows(T* to, int64_t to_row, const T* from, int64_t from_row, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) std::memcpy(to + i * to_row, from + i * from_row, static_cast<size_t>(columns) * sizeof(T));
}

// Whether the rows of a register tile fall on the same cache sets, and would not in a copy.
template <class T>
bool crowded(int64_t row, int64_t columns) {
  return row != columns && row * static_cast<int64_t>(sizeof(T)) % 4096 == 0;
}

template <class T>
struct Rows {
  T* begin = nullptr;
  int64_t row = 0;
  T* at(int64_t i) const { return begin + i * row; }
};

// The rows of a matrix, or of a copy where they are crowded.
template <class T>
Rows<const T> spread_rows(Buffer<T>& copy, const T* p, int64_t row, int64_t rows, int64_t columns) {
  if (!crowded<T>(row, columns)) return {p, row};
  copy_rows(copy.get(), columns, p, row, rows, columns);
  return {copy, columns};
}

// A matrix in the panels that products want on their right side: of its rows, or of its columns (the transpose).
template <class T>
class Panels {
 public:
  Panels(int64_t k, int64_t n)
      : panel_(k * kernels::matmul::gemm_table<T>().nr), k_(k), n_(n), data_(panels(n, kernels::matmul::gemm_table<T>().nr) * panel_) {}
  void pack(const T* b, int64_t b_row, int64_t b_col) {
    kernels::matmul::gemm_table<T>().pack_b(data_, panel_, b, kDType<T>, b_row, b_col, k_, n_);
  }
  // From row k0 and column n0, a multiple of the panels' width.
  const T* at(int64_t k0, int64_t n0) const {
    const int64_t nr = kernels::matmul::gemm_table<T>().nr;
    return data_.get() + n0 / nr * panel_ + k0 * nr;
  }
  int64_t panel() const { return panel_; }

 private:
  int64_t panel_, k_, n_;
  Buffer<T> data_;
};

// c[m, n] = alpha a b (+ c).
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t panel, T* c, int64_t c_row,
              double alpha, bool add) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  t.block(GemmBlock<T>{m,
                       n,
                       k,
                       a,
                       a_row,
                       a_col,
                       t.mr * a_row,
                       b,
                       t.nr,
                       panel,
                       c,
                       c_row,
                       {static_cast<T>(alpha), T(add ? 1 : 0), nullptr, nullptr, false},
                       {}});
}

// What forward and backward share.
template <class T>
struct Shape {
  const Inputs& in;
  Matrices q, k, v, mask;
  int64_t batch, queries, keys, depth, width;

  explicit Shape(const Inputs& given)
      : in(given),
        q(given.q),
        k(given.k),
        v(given.v),
        mask(given.mask),
        batch(q.count()),
        queries(given.q.size(given.q.ndim() - 2)),
        keys(given.k.size(given.k.ndim() - 2)),
        depth(given.q.size(given.q.ndim() - 1)),
        width(given.v.size(given.v.ndim() - 1)) {}

  int64_t work() const { return queries * keys * (depth + width); }

  // Of up to `most` keys from j, those that some of the queries from i see; 0 or less: none.
  int64_t visible(int64_t i, int64_t rows, int64_t j, int64_t most) const {
    const int64_t here = std::min(most, keys - j);
    return in.causal ? std::min(here, i + rows - j) : here;
  }

  Tile<T> tile(int64_t n, int64_t i, int64_t rows, int64_t j, int64_t columns, T* s, int64_t s_row, T* drop) const {
    Tile<T> t{};
    t.rows = rows, t.cols = columns, t.limit = in.causal ? i - j + 1 : columns;
    t.s = s, t.s_row = s_row;
    t.kept_scale = static_cast<T>(in.dropout < 1 ? 1 / (1 - in.dropout) : 0);
    t.mask_row = mask.row;
    if (in.mask.defined()) {
      const int64_t at = mask.at(n) + i * mask.row + j;
      if (in.mask.dtype() == DType::Bool) {
        t.keep = in.mask.data<uint8_t>() + at;
      } else {
        t.bias = in.mask.data<T>() + at;
      }
    }
    if (in.dropout > 0) {
      t.drop = drop;
      for (int64_t r = 0; r < rows; ++r) {
        fill_kept(drop + r * s_row, (n * queries + i + r) * keys + j, std::clamp<int64_t>(t.limit + r, 0, columns));
      }
    }
    return t;
  }

  void fill_kept(T* out, int64_t begin, int64_t count) const {
    const kernels::random::BernoulliParams p{1 - in.dropout};
    kernels::random::bernoulli()[kDType<T>](out, begin, count, in.state.seed, in.state.position, &p);
  }
};

// ---- forward ---------------------------------------------------------------------------------------------------

template <class T>
class ForwardTask {
 public:
  ForwardTask(const Shape<T>& s, const Outputs& o)
      : s_(s),
        o_(o),
        out_(o.out),
        few_(s.queries <= kFewQueries),
        keys_(few_ ? 0 : s.depth, few_ ? 0 : s.keys),
        values_(few_ ? 0 : s.keys, few_ ? 0 : s.width),
        part_(few_ ? kFewQueries * s.width : 0),
        query_(kQueries * s.depth),
        tile_(kQueries * kTileRow),
        drop_(s.in.dropout > 0 ? kQueries * kTileRow : 0),
        sum_(kQueries * std::max<int64_t>(s.width, 1)) {}

  // Blocks of queries count through all matrices.
  void run(int64_t begin, int64_t end) {
    const int64_t blocks = panels(s_.queries, kQueries);
    int64_t packed = -1;
    for (int64_t b = begin; b < end; ++b) {
      const int64_t n = b / blocks, i = s_.queries * (b % blocks) / blocks, end_of_block = s_.queries * (b % blocks + 1) / blocks;
      if (n != packed && !few_) {
        load(n);
        packed = n;
      }
      block(n, i, end_of_block - i);
    }
  }

 private:
  void load(int64_t n) {
    const T* k = s_.k.template begin<T>(s_.in.k, n);
    const T* v = s_.v.template begin<T>(s_.in.v, n);
    if (s_.queries >= kManyQueries && !s_.in.mask_adds()) {
      key_square_ = passes<T>().largest_square(k, s_.k.row, s_.keys, s_.depth);
      const bool flat = s_.v.row == s_.width;  // as one row: the limits are wide enough for a sum over all
      const double value_square = passes<T>().largest_square(v, s_.v.row, flat ? 1 : s_.keys, flat ? s_.keys * s_.width : s_.width);
      small_values_ = value_square >= kSmallestValue && value_square <= kLargestValue;
    }
    keys_.pack(k, 1, s_.k.row);
    values_.pack(v, s_.v.row, 1);
  }

  void block(int64_t n, int64_t i, int64_t rows) {
    T max[kQueries], sum[kQueries] = {};
    const T* query = s_.q.template begin<T>(s_.in.q, n) + i * s_.q.row;
    const double query_square = passes<T>().scale_rows(query_, query, s_.q.row, rows, s_.depth, static_cast<T>(s_.in.scale * kLog2E));
    T* result = out_.template begin<T>(o_.out, n) + i * out_.row;
    // By the inequality of Cauchy and Schwarz.
    const bool small = small_values_ && key_square_ * query_square <= kSmallScore * kSmallScore;
    std::fill_n(max, rows, small ? T(0) : -std::numeric_limits<T>::infinity());
    const bool direct = out_.row == s_.width || !(few_ || crowded<T>(out_.row, s_.width));
    const Rows<T> out = direct ? Rows<T>{result, out_.row} : Rows<T>{sum_, s_.width};
    for (int64_t r = 0; s_.keys == 0 && r < rows; ++r) std::fill_n(out.at(r), s_.width, T(0));
    for (int64_t j = 0; j < s_.keys; j += kKeys) {
      const int64_t columns = s_.visible(i, rows, j, kKeys);
      if (columns <= 0) break;
      form_scores(n, rows, j, columns);
      const Tile<T> tile = s_.tile(n, i, rows, j, columns, tile_, kTileRow, drop_);
      if (small) {
        passes<T>().forward_small({tile, sum, j == 0});
      } else {
        passes<T>().forward({tile, max, sum, out.begin, out.row, s_.width, j == 0});
      }
      add_values(n, rows, j, columns, out);
    }
    T* log_sum = o_.log_sum.template data<T>() + n * s_.queries + i;
    passes<T>().finish(out.begin, out.row, s_.width, rows, max, sum, log_sum);
    if (!direct) copy_rows(result, out_.row, static_cast<const T*>(out.begin), s_.width, rows, s_.width);
  }

  void form_scores(int64_t n, int64_t rows, int64_t j, int64_t columns) {
    if (!few_) {
      return multiply<T>(rows, columns, s_.depth, query_, s_.depth, 1, keys_.at(0, j), keys_.panel(), tile_, kTileRow, 1, false);
    }
    const T* keys = s_.k.template begin<T>(s_.in.k, n) + j * s_.k.row;
    kernels::matmul::gemm_table<T>().skinny_dots(
        SkinnyGemm<T>{rows, columns, s_.depth, query_, s_.depth, 1, keys, s_.k.row, tile_, kTileRow});
  }

  void add_values(int64_t n, int64_t rows, int64_t j, int64_t columns, const Rows<T>& out) {
    if (!few_) {
      return multiply<T>(rows, s_.width, columns, tile_, kTileRow, 1, values_.at(j, 0), values_.panel(), out.begin, out.row, 1, j > 0);
    }
    const T* values = s_.v.template begin<T>(s_.in.v, n) + j * s_.v.row;
    T* part = j > 0 ? part_.get() : out.begin;
    kernels::matmul::gemm_table<T>().skinny_rows(
        SkinnyGemm<T>{rows, s_.width, columns, tile_, kTileRow, 1, values, s_.v.row, part, s_.width});
    for (int64_t c = 0; j > 0 && c < rows * s_.width; ++c) out.begin[c] += part[c];
  }

  const Shape<T>& s_;
  const Outputs& o_;
  Matrices out_;
  bool few_, small_values_ = false;
  double key_square_ = 0;
  Panels<T> keys_, values_;
  Buffer<T> part_, query_, tile_, drop_, sum_;
};

template <class T>
Outputs run_forward(const Inputs& in) {
  const Shape<T> s(in);
  Dims sizes = in.q.sizes();
  sizes.back() = s.width;
  Outputs o;
  o.out = empty_in_order(in.q, sizes);
  sizes.erase(sizes.size() - 1);
  o.log_sum = empty(sizes, in.q.dtype(), "scaled_dot_product_attention");
  if (o.out.numel() == 0) {  // however many keys there are
    fill_raw(o.log_sum, Scalar(std::numeric_limits<double>::infinity()));
    return o;
  }
  const int64_t blocks = s.batch * panels(s.queries, kQueries);
  const int64_t grain =
      std::max<int64_t>(1, kParallelWork / std::max<int64_t>(1, std::min(kQueries, s.queries) * s.keys * (s.depth + s.width)));
  parallel_for(blocks, grain, [&](int64_t begin, int64_t end) { ForwardTask<T>(s, o).run(begin, end); });
  return o;
}

// ---- backward --------------------------------------------------------------------------------------------------

// Ranges of queries and keys, multiples of the tiles but for the ends.
struct Range {
  int64_t begin, end;
};

// One matrix of the batch. Each gradient is summed over its tiles in the same order whatever else is computed beside it.
template <class T>
class BackwardTask {
 public:
  BackwardTask(const Shape<T>& s, const Outputs& saved, const Tensor& grad)
      : s_(s),
        saved_(saved),
        grad_(grad),
        out_at_(saved.out),
        grad_at_(grad),
        keys_by_depth_(s.depth, s.keys),
        keys_(s.keys, s.depth),
        values_by_width_(s.width, s.keys),
        queries_(s.queries, s.depth),
        grads_(s.queries, s.width),
        query_copy_(crowded<T>(s.q.row, s.depth) ? s.queries * s.depth : 0),
        grad_copy_(crowded<T>(grad_at_.row, s.width) ? s.queries * s.width : 0),
        delta_(s.queries),
        s_tile_(kBackwardQueries * kBackwardTileRow),
        ds_tile_(kBackwardQueries * kBackwardTileRow),
        drop_(s.in.dropout > 0 ? kBackwardQueries * kBackwardTileRow : 0) {}

  void load(int64_t n) {
    n_ = n;
    const T* k = s_.k.template begin<T>(s_.in.k, n);
    const T* v = s_.v.template begin<T>(s_.in.v, n);
    const T* q = s_.q.template begin<T>(s_.in.q, n);
    const T* g = grad_at_.begin<T>(grad_, n);
    keys_by_depth_.pack(k, 1, s_.k.row);
    keys_.pack(k, s_.k.row, 1);
    values_by_width_.pack(v, 1, s_.v.row);
    queries_.pack(q, s_.q.row, 1);
    grads_.pack(g, grad_at_.row, 1);
    query_rows_ = spread_rows(query_copy_, q, s_.q.row, s_.queries, s_.depth);
    grad_rows_ = spread_rows(grad_copy_, g, grad_at_.row, s_.queries, s_.width);
    passes<T>().delta(delta_, out_at_.begin<T>(saved_.out, n), out_at_.row, g, grad_at_.row, s_.width, s_.queries);
  }

  // Adds to dq of the queries and to dk and dv of the keys, where given; of the whole matrix.
  void run(Range queries, Range keys, const Rows<T>& dq, const Rows<T>& dk, const Rows<T>& dv) {
    for (int64_t j = keys.begin; j < keys.end; j += kBackwardKeys) {
      for (int64_t i = queries.begin; i < queries.end; i += kBackwardQueries) {
        const int64_t rows = std::min(kBackwardQueries, queries.end - i), columns = s_.visible(i, rows, j, kBackwardKeys);
        if (columns > 0) tile(i, rows, j, columns, dq, dk, dv);
      }
    }
  }

 private:
  void tile(int64_t i, int64_t rows, int64_t j, int64_t columns, const Rows<T>& dq, const Rows<T>& dk, const Rows<T>& dv) {
    multiply<T>(rows, columns, s_.depth, query_rows_.at(i), query_rows_.row, 1, keys_by_depth_.at(0, j), keys_by_depth_.panel(), s_tile_,
                kBackwardTileRow, s_.in.scale * kLog2E, false);
    multiply<T>(rows, columns, s_.width, grad_rows_.at(i), grad_rows_.row, 1, values_by_width_.at(0, j), values_by_width_.panel(), ds_tile_,
                kBackwardTileRow, 1, false);
    const T* log_sum = saved_.log_sum.template data<T>() + n_ * s_.queries + i;
    passes<T>().backward({s_.tile(n_, i, rows, j, columns, s_tile_, kBackwardTileRow, drop_), ds_tile_, log_sum, delta_ + i});
    if (dv.begin)
      multiply<T>(columns, s_.width, rows, s_tile_, 1, kBackwardTileRow, grads_.at(i, 0), grads_.panel(), dv.at(j), dv.row, 1, true);
    if (dk.begin) {
      multiply<T>(columns, s_.depth, rows, ds_tile_, 1, kBackwardTileRow, queries_.at(i, 0), queries_.panel(), dk.at(j), dk.row,
                  s_.in.scale, true);
    }
    if (dq.begin) {
      multiply<T>(rows, s_.depth, columns, ds_tile_, kBackwardTileRow, 1, keys_.at(j, 0), keys_.panel(), dq.at(i), dq.row, s_.in.scale,
                  true);
    }
  }

  const Shape<T>& s_;
  const Outputs& saved_;
  const Tensor& grad_;
  Matrices out_at_, grad_at_;
  Panels<T> keys_by_depth_, keys_, values_by_width_, queries_, grads_;
  Buffer<T> query_copy_, grad_copy_, delta_, s_tile_, ds_tile_, drop_;
  Rows<const T> query_rows_, grad_rows_;
  int64_t n_ = 0;
};

// The sums of one gradient: the matrix itself, or a buffer where its rows are crowded.
template <class T>
class Sums {
 public:
  Sums(const Tensor& grad, int64_t rows, int64_t columns)
      : grad_(grad),
        at_(grad),
        rows_(rows),
        columns_(columns),
        buffered_(crowded<T>(at_.row, columns)),
        buffer_(buffered_ ? rows * columns : 0) {}
  Rows<T> clear(int64_t n) {
    const Rows<T> sums = buffered_ ? Rows<T>{buffer_, columns_} : Rows<T>{at_.begin<T>(grad_, n), at_.row};
    for (int64_t r = 0; r < rows_; ++r) std::fill_n(sums.at(r), columns_, T(0));
    return sums;
  }
  void write(int64_t n) const {
    if (buffered_) copy_rows(at_.begin<T>(grad_, n), at_.row, static_cast<const T*>(buffer_), columns_, rows_, columns_);
  }

 private:
  const Tensor& grad_;
  Matrices at_;
  int64_t rows_, columns_;
  bool buffered_;
  Buffer<T> buffer_;
};

template <class T>
Gradients run_backward(const Inputs& in, const Outputs& saved, const Tensor& grad) {
  const Shape<T> s(in);
  Gradients g{empty_in_order(in.q, in.q.sizes()), empty_in_order(in.k, in.k.sizes()), empty_in_order(in.v, in.v.sizes())};
  if (saved.out.numel() == 0) {
    for (const Tensor* t : {&g.q, &g.k, &g.v}) zero_raw(*t);
    return g;
  }
  const Range queries{0, s.queries}, keys{0, s.keys};
  if (s.batch >= num_threads() || s.work() < kParallelWork) {
    parallel_for(s.batch, std::max<int64_t>(1, kParallelWork / std::max<int64_t>(1, s.work())), [&](int64_t begin, int64_t end) {
      BackwardTask<T> task(s, saved, grad);
      Sums<T> dq(g.q, s.queries, s.depth), dk(g.k, s.keys, s.depth), dv(g.v, s.keys, s.width);
      for (int64_t n = begin; n < end; ++n) {
        task.load(n);
        task.run(queries, keys, dq.clear(n), dk.clear(n), dv.clear(n));
        for (const Sums<T>* sums : {&dq, &dk, &dv}) sums->write(n);
      }
    });
    return g;
  }
  // Fewer matrices than threads: parts of the keys for dk and dv, then parts of the queries for dq, scores formed twice.
  const int64_t key_blocks = panels(s.keys, kBackwardKeys), query_blocks = panels(s.queries, kBackwardQueries);
  Sums<T> dq(g.q, s.queries, s.depth), dk(g.k, s.keys, s.depth), dv(g.v, s.keys, s.width);
  for (int64_t n = 0; n < s.batch; ++n) {
    const Rows<T> q = dq.clear(n), k = dk.clear(n), v = dv.clear(n);
    parallel_for(key_blocks, 1, [&](int64_t begin, int64_t end) {
      BackwardTask<T> task(s, saved, grad);
      task.load(n);
      task.run(queries, {begin * kBackwardKeys, std::min(s.keys, end * kBackwardKeys)}, {}, k, v);
    });
    parallel_for(query_blocks, 1, [&](int64_t begin, int64_t end) {
      BackwardTask<T> task(s, saved, grad);
      task.load(n);
      task.run({begin * kBackwardQueries, std::min(s.queries, end * kBackwardQueries)}, keys, q, {}, {});
    });
    for (const Sums<T>* sums : {&dq, &dk, &dv}) sums->write(n);
  }
  return g;
}

}  // namespace

Outputs forward(const Inputs& in) { return in.q.dtype() == DType::Float32 ? run_forward<float>(in) : run_forward<double>(in); }

Gradients backward(const Inputs& in, const Outputs& saved, const Tensor& grad) {
  return in.q.dtype() == DType::Float32 ? run_backward<float>(in, saved, grad) : run_backward<double>(in, saved, grad);
}

Tensor kept_weights(const Inputs& in, DType dtype) {
  Dims sizes = in.q.sizes();
  sizes.back() = in.k.size(in.k.ndim() - 2);
  const Tensor out = empty(sizes, dtype, "scaled_dot_product_attention");
  const kernels::random::BernoulliParams p{1 - in.dropout};
  if (out.numel()) kernels::random::bernoulli()[dtype](out->data, 0, out.numel(), in.state.seed, in.state.position, &p);
  return out;
}

}  // namespace pydl::attention
