// Triangular systems and LU: what NumPy's LAPACK interface does not offer.
#include "kernels/linalg/factor.h"

#include <algorithm>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/creation/rearrange.h"
#include "ops/matmul/gemm.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/complex.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;

namespace {

constexpr int64_t kBlock = 48;     // of the unblocked kernels
constexpr int64_t kColumns = 128;  // right-hand sides that one task solves

Dims lead(const Tensor& t) {
  Dims d;
  for (int i = 0; i + 2 < t.ndim(); ++i) d.push_back(t.size(i));
  return d;
}
int64_t rows_of(const Tensor& t) { return t.size(t.ndim() - 2); }
int64_t columns_of(const Tensor& t) { return t.size(t.ndim() - 1); }

void check_matrix(const char* op, const char* name, const Tensor& t) {
  PYDL_CHECK(t.ndim() >= 2, ShapeError, op, "(): The input tensor ", name, " must have at least 2 dimensions, got ", t.ndim());
  PYDL_CHECK(kernels::linalg::factor().panel[t.dtype()] != nullptr, NotImplemented, op,
             "(): Expected a floating point or complex tensor of 32 or 64 bit parts as ", name, ", got ", t.dtype());
}

Tensor contiguous_like(const Tensor& t, IntSpan batch) {
  Dims sizes;
  for (const int64_t s : batch) sizes.push_back(s);
  sizes.push_back(rows_of(t));
  sizes.push_back(columns_of(t));
  return contiguous(t.sizes() == sizes ? t : expand(t, sizes));
}

// One n x n triangle against `columns` right-hand sides, in place. Blocks of kBlock rows; what earlier blocks found is
// taken off by one product each.
void solve_one(DType dtype, kernels::linalg::Triangular s) {
  const auto solve = kernels::linalg::factor().triangular[dtype];
  const int64_t item = item_size(dtype);
  const char* t = static_cast<const char*>(s.t);
  char* b = static_cast<char*>(s.b);
  const int64_t n = s.n;
  for (int64_t done = 0; done < n; done += kBlock) {
    const int64_t size = std::min(kBlock, n - done), at = s.upper ? n - done - size : done, known = s.upper ? n - done : 0;
    if (done) {
      gemm({.dtype = dtype,
            .m = size,
            .n = s.columns,
            .k = done,
            .a = t + (at * s.t_row + known * s.t_col) * item,
            .a_row = s.t_row,
            .a_col = s.t_col,
            .b = b + known * s.b_row * item,
            .b_row = s.b_row,
            .b_col = 1,
            .c = b + at * s.b_row * item,
            .c_row = s.b_row,
            .alpha = -1,
            .beta = 1});
    }
    kernels::linalg::Triangular block = s;
    block.t = t + at * (s.t_row + s.t_col) * item;
    block.n = size;
    block.b = b + at * s.b_row * item;
    solve(block);
  }
}

// X of T X = B for batches; T (..., n, n), B (..., n, k) already broadcast and contiguous.
Tensor solve_left(const Tensor& t, const Tensor& b, bool upper, bool unit) {
  const Tensor x = clone(b, MemoryFormat::Contiguous);
  const int64_t n = rows_of(t), k = columns_of(b), item = t.item_size();
  if (x.numel() == 0) return x;
  const int64_t batch = x.numel() / (n * k), strips = (k + kColumns - 1) / kColumns;
  parallel_for(batch * strips, 1 + 100000 / (n * n * std::min(k, kColumns)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t m = i / strips, first = i % strips * kColumns;
      solve_one(t.dtype(), {.t = t->data + m * n * n * item,
                            .t_row = n,
                            .t_col = 1,
                            .b = x->data + (m * n * k + first) * item,
                            .b_row = k,
                            .n = n,
                            .columns = std::min(kColumns, k - first),
                            .upper = upper,
                            .unit = unit});
    }
  });
  return x;
}

Tensor masked(const Tensor& t, bool upper, bool unit) { return upper ? triu(t, unit ? 1 : 0) : tril(t, unit ? -1 : 0); }

// Sums over the dims that broadcasting added.
Tensor unbroadcast(const Tensor& gradient, IntSpan sizes) { return gradient.sizes() == sizes ? gradient : sum_to_size(gradient, sizes); }

}  // namespace

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
  constexpr const char* op = "linalg.solve_triangular";
  check_matrix(op, "A", a);
  check_matrix(op, "B", b);
  PYDL_CHECK(a.dtype() == b.dtype(), Error, op, "(): Expected A and B to have the same dtype, but got A with dtype ", a.dtype(),
             " and B with dtype ", b.dtype());
  PYDL_CHECK(rows_of(a) == columns_of(a), ShapeError, op, "(): A must be batches of square matrices, but they are ", rows_of(a), " by ",
             columns_of(a), " matrices");
  PYDL_CHECK((left ? rows_of(b) : columns_of(b)) == rows_of(a), ShapeError, op, "(): Incompatible shapes of A and B for the equation ",
             left ? "AX = B" : "XA = B", " (", rows_of(a), "x", columns_of(a), " and ", rows_of(b), "x", columns_of(b), ")");
  if (!left)  // X A = B  <=>  A^T X^T = B^T
    return matrix_transpose(solve_triangular(matrix_transpose(a), matrix_transpose(b), !upper, true, unitriangular));
  const Dims batch = broadcast_shapes(lead(a), lead(b), op);
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = solve_left(contiguous_like(a, batch), contiguous_like(b, batch), upper, unitriangular);
  }
  if (needs_grad(a, b)) {
    record({}, "LinalgSolveTriangularBackward0", out, {&a, &b},
           [t = save(a), x = save_output(out), upper, unitriangular, a_sizes = a.sizes(), b_sizes = b.sizes()](Backward& c) {
             const Tensor g = solve_triangular(conj(matrix_transpose(t.get(c))), c.grad(), !upper, true, unitriangular);
             if (c.needs(0)) {
               const Tensor d = neg(matmul(g, conj(matrix_transpose(x.get(c)))));
               c.set(0, unbroadcast(masked(d, upper, unitriangular), a_sizes));
             }
             if (c.needs(1)) c.set(1, unbroadcast(g, b_sizes));
           });
  }
  return out;
}
PYDL_OP(solve_triangular,
        "solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor", Linalg | Out,
        R"doc(
X of A X = B (of X A = B without `left`) for triangular matrices A (*, n, n) and B (*, n, k), batches broadcast.

Only the triangle that `upper` names is read; with `unitriangular` the diagonal counts as ones. A zero on the diagonal
gives infinities, no error. Raises ShapeError if the shapes do not fit, RuntimeError if the dtypes differ.
Blocked substitution: Golub, van Loan, "Matrix computations", 2013, section 3.1.

Example:
    >>> pydl.linalg.solve_triangular(pydl.tensor([[2., 0.], [1., 1.]]), pydl.tensor([[2.], [3.]]), upper=False)
    tensor([[1.],
            [2.]])
)doc");

namespace {

void exchange_rows(char* a, int64_t bytes, const int32_t* pivots, int64_t first, int64_t count, int64_t begin, int64_t end) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t p = pivots[first + i], k = first + i;
    if (p != k) std::swap_ranges(a + k * bytes + begin, a + k * bytes + end, a + p * bytes + begin);
  }
}

// Right-looking blocked LU in place (Golub, van Loan, algorithm 3.4.1 with the blocking of 3.2.10).
int32_t factor_one(DType dtype, char* a, int64_t m, int64_t n, int32_t* pivots, bool pivot) {
  const auto panel = kernels::linalg::factor().panel[dtype];
  const int64_t item = item_size(dtype);
  int64_t info = 0;
  for (int64_t k = 0; k < std::min(m, n); k += kBlock) {
    const int64_t nb = std::min(kBlock, std::min(m, n) - k), right = n - k - nb, below = m - k - nb;
    char* corner = a + (k * n + k) * item;
    const int64_t zero = panel({.a = corner, .row = n, .m = m - k, .n = nb, .pivots = pivots + k, .pivot = pivot});
    if (zero && !info) info = k + zero;
    for (int64_t i = 0; i < nb; ++i) pivots[k + i] += static_cast<int32_t>(k);
    exchange_rows(a, n * item, pivots, k, nb, 0, k * item);
    exchange_rows(a, n * item, pivots, k, nb, (k + nb) * item, n * item);
    if (right == 0) continue;
    char* top = corner + nb * item;
    for (int64_t j = 0; j < right; j += kColumns) {
      kernels::linalg::factor().triangular[dtype]({.t = corner,
                                                   .t_row = n,
                                                   .t_col = 1,
                                                   .b = top + j * item,
                                                   .b_row = n,
                                                   .n = nb,
                                                   .columns = std::min(kColumns, right - j),
                                                   .upper = false,
                                                   .unit = true});
    }
    if (below == 0) continue;
    gemm({.dtype = dtype,
          .m = below,
          .n = right,
          .k = nb,
          .a = corner + nb * n * item,
          .a_row = n,
          .a_col = 1,
          .b = top,
          .b_row = n,
          .b_col = 1,
          .c = corner + (nb * n + nb) * item,
          .c_row = n,
          .alpha = -1,
          .beta = 1});
  }
  return static_cast<int32_t>(info);
}

std::tuple<Tensor, Tensor, Tensor> lu_factors(const Tensor& a, bool pivot) {
  check_matrix("linalg.lu_factor", "A", a);
  const autograd::GradGuard off(false);
  const Tensor lu = clone(a, MemoryFormat::Contiguous);
  const int64_t m = rows_of(a), n = columns_of(a), k = std::min(m, n);
  PYDL_CHECK(std::max(m, n) < int64_t{1} << 31, ShapeError, "linalg.lu_factor(): A has too many rows or columns: ", m, " by ", n);
  const Dims batch = lead(a);
  Dims pivot_sizes = batch;
  pivot_sizes.push_back(k);
  const Tensor pivots = empty(pivot_sizes, DType::Int32, "linalg.lu_factor");
  const Tensor info = empty(batch, DType::Int32, "linalg.lu_factor");
  const int64_t count = info.numel();
  std::fill_n(info.data<int32_t>(), count, 0);
  if (lu.numel() == 0) return {lu, pivots, info};
  const auto one = [&](int64_t i) {
    int32_t* p = pivots.data<int32_t>() + i * k;
    info.data<int32_t>()[i] = factor_one(a.dtype(), lu->data + i * m * n * lu.item_size(), m, n, p, pivot);
    for (int64_t j = 0; j < k; ++j) ++p[j];  // LAPACK counts from 1
  };
  if (count == 1) {
    one(0);  // the products open threads
  } else {
    parallel_for(count, 1 + 100000 / (m * n * k), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i);
    });
  }
  return {lu, pivots, info};
}

}  // namespace

PYDL_OP(lu_factors, "_lu(A: Tensor, pivot: bool = True) -> (LU: Tensor, pivots: Tensor, info: Tensor)", Private, R"doc(
L (unit lower) and U of P A = L U in one matrix (*, m, n), LAPACK's pivots counted from 1, and 0 or the first zero pivot.
)doc");

}  // namespace pydl
