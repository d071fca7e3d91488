// The unblocked parts of triangular solves and LU: one block each, the rest of the work is matrix products.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::linalg {

// T X = B for a triangular n x n matrix T, in place in B: rows of `columns` elements, `b_row` apart.
struct Triangular {
  const void* t;
  int64_t t_row, t_col;
  void* b;
  int64_t b_row;
  int64_t n, columns;
  bool upper, unit;
};
using TriangularFn = void (*)(const Triangular&);

// LU of an m x n panel in place, rows `row` apart. Row i was exchanged with row pivots[i] (from 0) for i < min(m, n);
// without `pivot` no rows move. Returns 1 + the first column whose pivot is zero, or 0.
struct Panel {
  void* a;
  int64_t row;
  int64_t m, n;
  int32_t* pivots;
  bool pivot;
};
using PanelFn = int64_t (*)(const Panel&);

struct FactorTable {
  ByDType<TriangularFn> triangular;
  ByDType<PanelFn> panel;
};
PYDL_KERNEL(FactorTable, factor);  // float32, float64, complex64, complex128

}  // namespace pydl::kernels::linalg
