#include "kernels/linalg/factor.h"

#include "kernels/cpu/pointwise/complex_value.h"

namespace pydl::kernels::linalg::PYDL_ISA {
namespace {

using pydl::simd::PYDL_ISA::Complex128;
using pydl::simd::PYDL_ISA::Complex64;

PYDL_INLINE float size_of(float x) { return x < 0 ? -x : x; }
PYDL_INLINE double size_of(double x) { return x < 0 ? -x : x; }
// |re| + |im|, by which LAPACK compares complex pivots (izamax).
template <class C>
PYDL_INLINE auto size_of(C x) {
  return size_of(x.real) + size_of(x.imag);
}
PYDL_INLINE bool is_zero(float x) { return x == 0; }
PYDL_INLINE bool is_zero(double x) { return x == 0; }
template <class C>
PYDL_INLINE bool is_zero(C x) {
  return x.real == 0 && x.imag == 0;
}

// to[j] -= factor * from[j]
template <class T>
PYDL_INLINE void subtract_row(T* __restrict to, const T* __restrict from, T factor, int64_t n) {
  for (int64_t j = 0; j < n; ++j) to[j] = to[j] - factor * from[j];
}

template <class T>
void triangular(const Triangular& s) {
  const T* t = static_cast<const T*>(s.t);
  T* b = static_cast<T*>(s.b);
  for (int64_t k = 0; k < s.n; ++k) {
    const int64_t i = s.upper ? s.n - 1 - k : k;
    T* row = b + i * s.b_row;
    for (int64_t p = 0; p < k; ++p) {
      const int64_t j = s.upper ? s.n - 1 - p : p;
      subtract_row(row, static_cast<const T*>(b + j * s.b_row), t[i * s.t_row + j * s.t_col], s.columns);
    }
    if (s.unit) continue;
    const T d = t[i * s.t_row + i * s.t_col];
    for (int64_t j = 0; j < s.columns; ++j) row[j] = row[j] / d;
  }
}

template <class T>
int64_t panel(const Panel& p) {
  T* a = static_cast<T*>(p.a);
  int64_t first_zero = 0;
  for (int64_t k = 0; k < p.n && k < p.m; ++k) {
    int64_t best = k;
    if (p.pivot) {
      for (int64_t i = k + 1; i < p.m; ++i) {
        if (size_of(a[i * p.row + k]) > size_of(a[best * p.row + k])) best = i;
      }
    }
    p.pivots[k] = static_cast<int32_t>(best);
    if (is_zero(a[best * p.row + k])) {
      if (!first_zero) first_zero = k + 1;
      // A zero column has nothing to eliminate; without exchanges the division below gives what it gives.
      if (p.pivot) continue;
    }
    if (best != k) {
      for (int64_t j = 0; j < p.n; ++j) {
        const T x = a[k * p.row + j];
        a[k * p.row + j] = a[best * p.row + j];
        a[best * p.row + j] = x;
      }
    }
    for (int64_t i = k + 1; i < p.m; ++i) {
      T* row = a + i * p.row;
      row[k] = row[k] / a[k * p.row + k];
      subtract_row(row + k + 1, static_cast<const T*>(a + k * p.row + k + 1), row[k], p.n - k - 1);
    }
  }
  return first_zero;
}

consteval FactorTable make_table() {
  FactorTable t;
  const auto set = [&t](DType d, TriangularFn solve, PanelFn lu) {
    t.triangular.slot[static_cast<int>(d)] = solve;
    t.panel.slot[static_cast<int>(d)] = lu;
  };
  set(DType::Float32, &triangular<float>, &panel<float>);
  set(DType::Float64, &triangular<double>, &panel<double>);
  set(DType::Complex64, &triangular<Complex64>, &panel<Complex64>);
  set(DType::Complex128, &triangular<Complex128>, &panel<Complex128>);
  return t;
}

}  // namespace

constinit const FactorTable factor = make_table();

}  // namespace pydl::kernels::linalg::PYDL_ISA
