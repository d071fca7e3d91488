// Building blocks of matrix multiplication for float32 and float64: packing, a macro-kernel on one cache block, and
// kernels for matrices with few rows. Strides count elements. The driver in ops/matmul/gemm.cpp combines them.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::matmul {

// What happens to the accumulated product before it is written: c = act(alpha * acc + beta * c + bias).
template <class T>
struct GemmOutput {
  T alpha;
  T beta;           // 0: c is not read
  const T* bias_n;  // per column, or null
  const T* bias_m;  // per row, or null
  bool relu;
};

// Memory that the caller will read next, as runs of `count` lines that are `step` bytes apart, each run `jump` bytes after
// the last line of the one before. A line is fetched with each step along k, `total` of them, a multiple of `count`; then
// those of `after`. The processor's own prefetchers stop at the end of a page.
struct ReadAhead {
  const char* p;
  int64_t step, count, jump, total;
  const ReadAhead* after = nullptr;
};

// c[m, n] (row stride c_row, column stride 1) from a[m, k] and b[k, n] (column stride 1 inside a panel).
// Row i of `a` lies in panel i / mr at distance a_panel; column j of `b` in panel j / nr at distance b_panel.
template <class T>
struct GemmBlock {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col, a_panel;
  const T* b;
  int64_t b_row, b_panel;
  T* c;
  int64_t c_row;
  GemmOutput<T> out;
  ReadAhead next;
};

// Few rows: y[i, j] = sum_p a[i, p] * b(p, j) for i < m <= kMaxSkinnyRows, y contiguous with row stride y_row.
inline constexpr int kMaxSkinnyRows = 8;
template <class T>
struct SkinnyGemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_stride;  // distance of rows (skinny_rows) or of columns (skinny_dots), the other stride is 1
  T* y;
  int64_t y_row;
};

template <class T>
struct GemmTable {
  int mr, nr;  // register tile
  int kc, nc;  // cache block: mr x kc of a lives in L1, kc x nc of b in L2
  void (*block)(const GemmBlock<T>&);
  // out[j / nr][p][j % nr] = b[p, j], panels padded with zeros to nr columns.
  void (*pack_b)(T* out, int64_t panel, const void* b, DType dtype, int64_t b_row, int64_t b_col, int64_t k, int64_t n);
  // Rows stay rows (out[i * k + p]) unless a_row == 1: then out[i / mr][p][i % mr].
  void (*pack_a)(T* out, const void* a, DType dtype, int64_t a_row, int64_t a_col, int64_t m, int64_t k);
  void (*skinny_rows)(const SkinnyGemm<T>&);  // rows of b are contiguous; a must be contiguous along k for speed only
  void (*skinny_dots)(const SkinnyGemm<T>&);  // columns of b and rows of a are contiguous
};

PYDL_KERNEL(GemmTable<float>, gemm_f32);
PYDL_KERNEL(GemmTable<double>, gemm_f64);

// Every other dtype: rows [row_begin, row_end) of the product by plain loops.
struct PlainGemm {
  int64_t n, k;
  const void* a;
  int64_t a_row, a_col;
  const void* b;
  int64_t b_row, b_col;
  void* c;
  int64_t c_row;
  double alpha, beta;
  const void* bias;
  int64_t bias_n, bias_m;  // strides of the bias along columns and rows (0 or 1)
  bool relu;
};
using PlainGemmFn = void (*)(const PlainGemm&, int64_t row_begin, int64_t row_end);
PYDL_KERNEL(ByDType<PlainGemmFn>, plain_gemm);

// The kernels of an element type.
template <class T>
const GemmTable<T>& gemm_table() {
  if constexpr (sizeof(T) == 4) {
    return gemm_f32();
  } else {
    return gemm_f64();
  }
}

}  // namespace pydl::kernels::matmul
