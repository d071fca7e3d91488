#include "ops/matmul/gemm.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "kernels/matmul/gemm.h"
#include "ops/matmul/workspace.h"

namespace pydl {
namespace {

using kernels::matmul::GemmBlock;
using kernels::matmul::GemmOutput;
using kernels::matmul::GemmTable;
using kernels::matmul::kMaxSkinnyRows;
using kernels::matmul::SkinnyGemm;

// A fork/join costs about 3000 cycles: below this many multiply-adds one thread is faster.
constexpr int64_t kParallelWork = int64_t{1} << 18;
// Operands that fit the caches together are multiplied where they lie.
constexpr int64_t kDirectBytes = 192 * 1024;
// Products with a huge k and few elements are cut along k into at most this many parts, added in order.
constexpr int64_t kMaxSplits = 16;
// Slivers of a that are packed together where its columns are contiguous: whole cache lines are read.
constexpr int64_t kSliverGroup = 8;
// Up to this many rows of c, packing b is a large part of the work: narrow blocks, the next one fetched meanwhile.
constexpr int64_t kThinRows = 96;
constexpr int64_t kThinBytes = 512;
constexpr int64_t kSplitElements = 512 * 512;

thread_local Workspace a_space, b_space, c_space;

// A product in the compute type T; a, b, c point to elements of `source`, which is T or a 16-bit format (then c is a T
// buffer and the caller rounds).
template <class T>
struct Problem {
  DType source;
  int64_t source_size;
  int64_t m, n, k;
  const char* a;
  int64_t a_row, a_col;
  const char* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;
  GemmOutput<T> out;
};

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const T* shift(const T* p, int64_t n) {
  return p ? p + n : nullptr;
}

template <class T>
Problem<T> part(const Problem<T>& p, int64_t i, int64_t m, int64_t j, int64_t n) {
  Problem<T> q = p;
  q.m = m;
  q.n = n;
  q.a += i * p.a_row * p.source_size;
  q.b += j * p.b_col * p.source_size;
  q.c += i * p.c_row + j;
  q.out.bias_m = shift(p.out.bias_m, i);
  q.out.bias_n = shift(p.out.bias_n, j);
  return q;
}

template <class T>
void write_output(T* c, int64_t c_row, int64_t c_col, const T* y, int64_t y_row, int64_t m, int64_t n, const GemmOutput<T>& out) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      T v = y ? out.alpha * y[i * y_row + j] : T(0);
      T& target = c[i * c_row + j * c_col];
      if (out.beta != 0) v += out.beta * target;
      if (out.bias_n) v += out.bias_n[j];
      if (out.bias_m) v += out.bias_m[i];
      target = out.relu && v < 0 ? T(0) : v;
    }
  }
}

// ---- small: no packing, except of a b whose rows are not contiguous ----

template <class T>
bool is_direct(const Problem<T>& p) {
  if (p.source_size != static_cast<int64_t>(sizeof(T))) return false;
  const int64_t bytes = (p.m * p.k + p.k * p.n + p.m * p.n) * static_cast<int64_t>(sizeof(T));
  return bytes <= kDirectBytes;
}

template <class T>
void run_direct(const Problem<T>& p) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  GemmBlock<T> g{p.m,
                 p.n,
                 p.k,
                 reinterpret_cast<const T*>(p.a),
                 p.a_row,
                 p.a_col,
                 t.mr * p.a_row,
                 reinterpret_cast<const T*>(p.b),
                 p.b_row,
                 t.nr,
                 p.c,
                 p.c_row,
                 p.out,
                 {}};
  if (p.b_col != 1 && p.n > 1) {
    T* packed = b_space.get<T>(ceil_div(p.n, t.nr) * t.nr * p.k);
    t.pack_b(packed, p.k * t.nr, p.b, p.source, p.b_row, p.b_col, p.k, p.n);
    g.b = packed;
    g.b_row = t.nr;
    g.b_panel = p.k * t.nr;
  }
  t.block(g);
}

// ---- general: Goto blocking on one thread ----

// Equal blocks of k: a thin last one costs a pass over c.
template <class T>
int64_t k_block(int64_t k) {
  return ceil_div(ceil_div(k, ceil_div(k, int64_t{kernels::matmul::gemm_table<T>().kc})), 8) * 8;
}

// Equal blocks of columns, whole panels of at most `widest`.
int64_t column_block(int64_t n, int64_t nr, int64_t widest) {
  const int64_t panels = ceil_div(n, nr);
  return ceil_div(panels, ceil_div(panels * nr, widest)) * nr;
}

// The part of the output that belongs to rows [pc, pc + k) of b and columns from jc.
template <class T>
GemmOutput<T> block_output(const Problem<T>& p, int64_t pc, int64_t k, int64_t jc) {
  GemmOutput<T> out = p.out;
  if (pc > 0) out.beta = 1;
  if (pc + k < p.k) out.bias_n = out.bias_m = nullptr, out.relu = false;
  out.bias_n = shift(out.bias_n, jc);
  return out;
}

template <class T>
const char* b_at(const Problem<T>& p, int64_t pc, int64_t jc) {
  return p.b + (pc * p.b_row + jc * p.b_col) * p.source_size;
}

// Reading `rows` runs of `bytes` in the order in which they are packed: long runs one after the other, short ones line by line.
kernels::matmul::ReadAhead read_ahead(const char* p, int64_t stride, int64_t rows, int64_t bytes) {
  const int64_t lines = ceil_div(bytes, 64);
  if (bytes >= 1024) return {p, 64, lines, stride - (lines - 1) * 64, rows * lines};
  return {p, stride, rows, 64 - (rows - 1) * stride, rows * lines};
}

// A sliver of mr rows of a stays in L1 while the block of b, in L2, streams past it.
template <class T>
void run_blocked(const Problem<T>& p) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  const int64_t nr = t.nr, kc = k_block<T>(p.k), nc = column_block(p.n, nr, t.nc);
  const bool by_panels = p.a_row == 1 && p.a_col != 1;
  const int64_t rows = (by_panels ? kSliverGroup : 1) * t.mr;
  T* a_pack = a_space.get<T>(rows * std::min(p.k, kc));
  T* b_pack = b_space.get<T>(nc * std::min(p.k, kc));
  for (int64_t jc = 0; jc < p.n; jc += nc) {
    const int64_t n = std::min(nc, p.n - jc);
    for (int64_t pc = 0; pc < p.k; pc += kc) {
      const int64_t k = std::min(kc, p.k - pc);
      const GemmOutput<T> out = block_output(p, pc, k, jc);
      t.pack_b(b_pack, nr * k, b_at(p, pc, jc), p.source, p.b_row, p.b_col, k, n);
      for (int64_t i = 0; i < p.m; i += rows) {
        const char* a = p.a + (i * p.a_row + pc * p.a_col) * p.source_size;
        const int64_t m = std::min(rows, p.m - i), next = std::min(m, p.m - i - m);
        t.pack_a(a_pack, a, p.source, p.a_row, p.a_col, m, k);
        GemmBlock<T> g{m,        n,      k,  a_pack, by_panels ? 1 : k,      by_panels ? t.mr : 1,
                       t.mr * k, b_pack, nr, nr * k, p.c + i * p.c_row + jc, p.c_row,
                       out,      {}};
        g.out.bias_m = shift(out.bias_m, i);
        g.next = by_panels ? read_ahead(a + m * p.source_size, p.a_col * p.source_size, k, next * p.source_size)
                           : read_ahead(a + m * p.a_row * p.source_size, p.a_row * p.source_size, next, k * p.source_size);
        t.block(g);
      }
    }
  }
}

// Few rows: packing b is a large part of the work. Its blocks are narrow, so that the next one can be fetched into L2 while
// this one is multiplied; a, which is small, is packed once for each block of k.
template <class T>
void run_thin(const Problem<T>& p) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  const int64_t nr = t.nr, kc = k_block<T>(p.k), nc = column_block(p.n, nr, std::max<int64_t>(nr, kThinBytes / p.source_size));
  const bool by_panels = p.a_row == 1 && p.a_col != 1;
  T* a_pack = a_space.get<T>(ceil_div(p.m, t.mr) * t.mr * std::min(p.k, kc));
  T* b_pack = b_space.get<T>(nc * std::min(p.k, kc));
  for (int64_t pc = 0; pc < p.k; pc += kc) {
    const int64_t k = std::min(kc, p.k - pc);
    t.pack_a(a_pack, p.a + pc * p.a_col * p.source_size, p.source, p.a_row, p.a_col, p.m, k);
    for (int64_t jc = 0; jc < p.n; jc += nc) {
      const int64_t n = std::min(nc, p.n - jc);
      t.pack_b(b_pack, nr * k, b_at(p, pc, jc), p.source, p.b_row, p.b_col, k, n);
      GemmBlock<T> g{p.m,    n,  k,      a_pack,   by_panels ? 1 : k, by_panels ? t.mr : 1,       t.mr * k,
                     b_pack, nr, nr * k, p.c + jc, p.c_row,           block_output(p, pc, k, jc), {}};
      const bool beside = jc + n < p.n;
      const char* next = beside ? b_at(p, pc, jc + n) : b_at(p, pc + k, 0);
      if (beside || pc + k < p.k) {
        const int64_t size = p.source_size;
        g.next = p.b_col == 1 ? read_ahead(next, p.b_row * size, k, nc * size) : read_ahead(next, p.b_col * size, nc, k * size);
      }
      t.block(g);
    }
  }
}

template <class T>
void run_packed(const Problem<T>& p) {
  p.m <= kThinRows ? run_thin(p) : run_blocked(p);
}

// The same product with the roles of rows and columns exchanged, for a result whose columns are contiguous.
template <class T>
Problem<T> turned(const Problem<T>& p) {
  Problem<T> q = p;
  std::swap(q.m, q.n);
  q.a = p.b, q.a_row = p.b_col, q.a_col = p.b_row;
  q.b = p.a, q.b_row = p.a_col, q.b_col = p.a_row;
  q.c_row = 1;
  std::swap(q.out.bias_m, q.out.bias_n);
  return q;
}

// Cuts c into a grid of independent parts, as square as the thread count allows: each part packs what it needs.
template <class T>
void run_grid(const Problem<T>& p, void (*run)(const Problem<T>&)) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  const int64_t threads = p.m * p.n * p.k < kParallelWork || in_parallel_region() ? 1 : num_threads();
  if (threads == 1) return run(p);
  const int64_t row_tiles = ceil_div(p.m, t.mr), col_tiles = ceil_div(p.n, t.nr);
  int64_t best_rows = 1;
  double best = -1;
  for (int64_t rows = 1; rows <= threads; ++rows) {
    const int64_t cols = threads / rows;
    // Time of the largest part: its tiles, plus packing its share of a and b (about 16 multiply-adds per element).
    const double m = static_cast<double>(ceil_div(row_tiles, rows) * t.mr), n = static_cast<double>(ceil_div(col_tiles, cols) * t.nr);
    const double cost = m * n + 16 * (m + n);
    if (best < 0 || cost < best) best = cost, best_rows = rows;
  }
  const int64_t rows = std::min(best_rows, row_tiles), cols = std::min(threads / best_rows, col_tiles);
  parallel_tasks(rows * cols, [&](int64_t task) {
    const int64_t r = task / cols, c = task % cols;
    const int64_t i0 = std::min(p.m, row_tiles * r / rows * t.mr), i1 = std::min(p.m, row_tiles * (r + 1) / rows * t.mr);
    const int64_t j0 = std::min(p.n, col_tiles * c / cols * t.nr), j1 = std::min(p.n, col_tiles * (c + 1) / cols * t.nr);
    if (i1 > i0 && j1 > j0) run(part(p, i0, i1 - i0, j0, j1 - j0));
  });
}

// ---- huge k, few elements: parts of k in parallel, summed in order ----

template <class T>
int64_t split_count(const Problem<T>& p) {
  const int64_t least = 2048;
  if (p.m * p.n > kSplitElements || p.k < 2 * least || p.k < 8 * std::max(p.m, p.n)) return 1;
  return std::min(kMaxSplits, p.k / least);
}

template <class T>
void run_split(const Problem<T>& p, int64_t splits) {
  const int64_t size = p.m * p.n, kc = kernels::matmul::gemm_table<T>().kc, blocks = ceil_div(p.k, kc);
  T* partial = c_space.get<T>(splits * size);
  const auto task = [&](int64_t s) {
    const int64_t begin = std::min(p.k, blocks * s / splits * kc), end = std::min(p.k, blocks * (s + 1) / splits * kc);
    Problem<T> q = p;
    q.k = end - begin;
    q.a += begin * p.a_col * p.source_size;
    q.b += begin * p.b_row * p.source_size;
    q.c = partial + s * size;
    q.c_row = p.n;
    q.out = {T(1), T(0), nullptr, nullptr, false};
    run_packed(q);
  };
  parallel_tasks(splits, task);
  parallel_for(size, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t s = 1; s < splits; ++s) {
      const T* from = partial + s * size;
      for (int64_t i = begin; i < end; ++i) partial[i] += from[i];
    }
  });
  write_output(p.c, p.c_row, int64_t{1}, partial, p.n, p.m, p.n, p.out);
}

// ---- few rows (or, transposed, few columns) ----

// The other operand is streamed once. c may have any strides here.
template <class T>
void run_skinny(const Problem<T>& p, int64_t c_col, bool dots) {
  const GemmTable<T>& t = kernels::matmul::gemm_table<T>();
  const T* a = reinterpret_cast<const T*>(p.a);
  const T* b = reinterpret_cast<const T*>(p.b);
  int64_t a_row = p.a_row, a_col = p.a_col;
  if (dots && a_col != 1) {
    T* copy = a_space.get<T>(p.m * p.k);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t q = 0; q < p.k; ++q) copy[i * p.k + q] = a[i * a_row + q * a_col];
    }
    a = copy;
    a_row = p.k;
    a_col = 1;
  }
  T* y = c_space.get<T>(p.m * p.n);
  const int64_t grain = std::max<int64_t>(64, kParallelWork / 4 / (p.m * p.k));
  parallel_for(p.n, grain, [&](int64_t begin, int64_t end) {
    const SkinnyGemm<T> g{p.m, end - begin, p.k, a, a_row, a_col, b + begin * p.b_col, dots ? p.b_col : p.b_row, y + begin, p.n};
    (dots ? t.skinny_dots : t.skinny_rows)(g);
  });
  write_output(p.c, p.c_row, c_col, y, p.n, p.m, p.n, p.out);
}

template <class T>
bool try_skinny(const Problem<T>& p) {
  if (p.source_size != static_cast<int64_t>(sizeof(T)) || p.k < 16) return false;
  if (p.m <= kMaxSkinnyRows && p.n >= 32) {
    if (p.b_col == 1 || p.b_row == 1) return run_skinny(p, 1, p.b_col != 1), true;
  }
  if (p.n <= kMaxSkinnyRows && p.m >= 32 && (p.a_col == 1 || p.a_row == 1)) {
    const Problem<T> q = turned(p);
    return run_skinny(q, p.c_row, q.b_col != 1), true;
  }
  return false;
}

// Few rows times a wide b whose columns are contiguous (the weight of a linear layer): as its transpose, where b needs no
// transposition on the way into its panels. The result, which is small, is turned at the end.
template <class T>
void run_turned(const Problem<T>& p) {
  constexpr int64_t kBlock = 16;
  Problem<T> q = turned(p);
  T* y = c_space.get<T>(p.m * p.n);
  q.c = y;
  q.c_row = p.m;
  q.out = {T(1), T(0), nullptr, nullptr, false};
  run_grid(q, run_blocked<T>);
  parallel_for(ceil_div(p.n, kBlock), 64, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t j = block * kBlock, n = std::min(kBlock, p.n - j);
      T row[kBlock];
      for (int64_t i = 0; i < p.m; ++i) {
        for (int64_t c = 0; c < n; ++c) row[c] = y[(j + c) * p.m + i];
        GemmOutput<T> out = p.out;
        out.bias_m = shift(out.bias_m, i);
        out.bias_n = shift(out.bias_n, j);
        write_output(p.c + i * p.c_row + j, p.c_row, int64_t{1}, row, kBlock, int64_t{1}, n, out);
      }
    }
  });
}

template <class T>
bool is_turnable(const Problem<T>& p) {
  return p.m <= kThinRows && p.n >= 4 * p.m && p.b_row == 1 && p.b_col != 1;
}

// Chooses the method by the shape of the whole problem: the parts of a threaded run must not choose differently.
template <class T>
void run(const Problem<T>& p) {
  if (try_skinny(p)) return;
  if (is_direct(p)) return run_grid(p, run_direct<T>);
  const int64_t splits = split_count(p);
  if (splits > 1) return run_split(p, splits);
  if (is_turnable(p)) return run_turned(p);
  run_grid(p, run_packed<T>);
}

template <class T>
Problem<T> make_problem(const GemmArgs& g) {
  Problem<T> p;
  p.source = g.dtype;
  p.source_size = item_size(g.dtype);
  p.m = g.m, p.n = g.n, p.k = g.k;
  p.a = static_cast<const char*>(g.a), p.a_row = g.a_row, p.a_col = g.k == 1 ? 1 : g.a_col;
  p.b = static_cast<const char*>(g.b), p.b_row = g.b_row, p.b_col = g.n == 1 ? 1 : g.b_col;
  p.c = static_cast<T*>(g.c), p.c_row = g.c_row;
  const T* bias = static_cast<const T*>(g.bias);
  p.out.alpha = static_cast<T>(g.alpha);
  p.out.beta = static_cast<T>(g.beta);
  p.out.bias_n = g.bias_mode == BiasMode::PerColumn ? bias : nullptr;
  p.out.bias_m = g.bias_mode == BiasMode::PerRow ? bias : nullptr;
  p.out.relu = g.activation == Activation::Relu;
  return p;
}

template <class T>
void run_float(const GemmArgs& g) {
  const Problem<T> p = make_problem<T>(g);
  if (p.k == 0 || p.out.alpha == 0) return write_output<T>(p.c, p.c_row, 1, nullptr, 0, p.m, p.n, p.out);
  run(p);
}

float widen(float16 x) { return to_float(x); }
float widen(bfloat16 x) { return to_float(x); }
void narrow(float16& out, float x) { out = to_float16(x); }
void narrow(bfloat16& out, float x) { out = to_bfloat16(x); }

// The product is formed in a float32 buffer and rounded once.
template <class H>
void run_half(const GemmArgs& g) {
  thread_local Workspace space;
  float* y = space.get<float>(g.m * g.n);
  GemmArgs plain = g;
  plain.c = y;
  plain.c_row = g.n;
  plain.alpha = 1;
  plain.beta = 0;
  plain.bias = nullptr;
  plain.bias_mode = BiasMode::None;
  plain.activation = Activation::None;
  run_float<float>(plain);
  const float alpha = static_cast<float>(g.alpha), beta = static_cast<float>(g.beta);
  const H* bias = static_cast<const H*>(g.bias);
  H* c = static_cast<H*>(g.c);
  parallel_for(g.m, std::max<int64_t>(1, 16384 / g.n), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        float v = alpha * y[i * g.n + j];
        if (beta != 0) v += beta * widen(c[i * g.c_row + j]);
        if (g.bias_mode != BiasMode::None) v += widen(bias[g.bias_mode == BiasMode::PerColumn ? j : i]);
        if (g.activation == Activation::Relu && v < 0) v = 0;
        narrow(c[i * g.c_row + j], v);
      }
    }
  });
}

void run_plain(const GemmArgs& g) {
  const kernels::matmul::PlainGemmFn fn = kernels::matmul::plain_gemm()[g.dtype];
  const kernels::matmul::PlainGemm p{g.n,
                                     g.k,
                                     g.a,
                                     g.a_row,
                                     g.a_col,
                                     g.b,
                                     g.b_row,
                                     g.b_col,
                                     g.c,
                                     g.c_row,
                                     g.alpha,
                                     g.beta,
                                     g.bias_mode == BiasMode::None ? nullptr : g.bias,
                                     g.bias_mode == BiasMode::PerColumn,
                                     g.bias_mode == BiasMode::PerRow,
                                     g.activation == Activation::Relu};
  parallel_for(g.m, std::max<int64_t>(1, kParallelWork / 8 / (g.n * std::max<int64_t>(g.k, 1))),
               [&](int64_t begin, int64_t end) { fn(p, begin, end); });
}

}  // namespace

bool gemm_supports(DType dtype) {
  return dtype == DType::Float32 || dtype == DType::Float64 || is_half(dtype) || kernels::matmul::plain_gemm()[dtype] != nullptr;
}

void gemm(const GemmArgs& args) {
  if (args.m == 0 || args.n == 0) return;
  switch (args.dtype) {
    case DType::Float32:
      return run_float<float>(args);
    case DType::Float64:
      return run_float<double>(args);
    case DType::Float16:
      return run_half<float16>(args);
    case DType::BFloat16:
      return run_half<bfloat16>(args);
    default:
      return run_plain(args);
  }
}

void gemm_batched(const GemmArgs& args, int64_t batch, int64_t a_batch, int64_t b_batch, int64_t c_batch) {
  if (args.m == 0 || args.n == 0 || batch == 0) return;
  GemmArgs g = args;
  const bool rows_follow = batch > 1 && a_batch == g.m * g.a_row && c_batch == g.m * g.c_row;
  if (b_batch == 0 && rows_follow && g.bias_mode != BiasMode::PerRow) {  // one tall product
    g.m *= batch;
    return gemm(g);
  }
  const int64_t size = item_size(g.dtype);
  const auto one = [&](int64_t i) {
    GemmArgs h = g;
    h.a = static_cast<const char*>(g.a) + i * a_batch * size;
    h.b = static_cast<const char*>(g.b) + i * b_batch * size;
    h.c = static_cast<char*>(g.c) + i * c_batch * size;
    gemm(h);
  };
  const int64_t work = std::max<int64_t>(1, g.m * g.n * g.k);
  if (batch >= num_threads()) {
    parallel_for(batch, std::max<int64_t>(1, kParallelWork / 2 / work), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i);
    });
  } else {
    for (int64_t i = 0; i < batch; ++i) one(i);
  }
}

}  // namespace pydl
