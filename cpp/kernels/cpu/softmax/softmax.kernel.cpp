// Softmax over rows: maximum, exponentials and their sum, scale - three passes over data that stays in cache.
//
// Sums use four accumulators over blocks of 4096 elements; blocks join in two words (Dekker's sum), so the error does not
// grow with the row. Rows of up to 16 elements are transposed into registers' lanes, one row per lane.
#include "kernels/softmax/softmax.h"

#include "simd/lanes.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;

inline constexpr int64_t kSumBlock = 4096;
inline constexpr int64_t kShortRow = 16;

template <class T>
PYDL_INLINE Vec<T> load_or(const T* p, int n, T fill) {
  return select(lanes_below<T>(n), Vec<T>::load(p, n), Vec<T>(fill));
}

// A sum in two words.
template <class T>
struct LongSum {
  Vec<T> hi{T(0)}, lo{T(0)};
  PYDL_INLINE void add(Vec<T> block) {
    const Pair<T> s = two_sum(hi, block);
    hi = s.hi;
    lo = lo + s.lo;
  }
  // An infinite or NaN sum leaves NaN in the low word.
  PYDL_INLINE Vec<T> total() const { return select(abs(hi) < FloatTraits<T>::infinity, hi + lo, hi); }
};

// Visits a row by vectors, f(i, lanes) with the last one partial, and sums what f returns.
template <class T, class F>
PYDL_INLINE T sum_over(int64_t n, const F& f) {
  constexpr int lanes = Vec<T>::size;
  LongSum<T> sum;
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t stop = start + kSumBlock < n ? start + kSumBlock : n;
    Vec<T> s[4] = {Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0))};
    int64_t i = start;
    for (; i + 4 * lanes <= stop; i += 4 * lanes) {
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) s[u] = s[u] + f(i + u * lanes, lanes);
    }
#pragma GCC unroll 1
    for (; i < stop; i += lanes) s[0] = s[0] + f(i, static_cast<int>(stop - i < lanes ? stop - i : lanes));
    sum.add((s[0] + s[1]) + (s[2] + s[3]));
  }
  return reduce_add(sum.total());
}

template <class T>
PYDL_INLINE T row_max(const T* x, int64_t n) {
  constexpr int lanes = Vec<T>::size;
  const Vec<T> lowest(-FloatTraits<T>::infinity);
  Vec<T> m[4] = {lowest, lowest, lowest, lowest};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) m[u] = max_second(Vec<T>::load(x + i + u * lanes), m[u]);
  }
  for (; i + lanes <= n; i += lanes) m[0] = max_second(Vec<T>::load(x + i), m[0]);
  if (i < n) m[0] = max_second(load_or(x + i, static_cast<int>(n - i), -FloatTraits<T>::infinity), m[0]);
  return reduce_maximum(max_second(max_second(m[0], m[1]), max_second(m[2], m[3])));
}
template <class T>
PYDL_INLINE T log_of(T x) {
  return log(Vec<T>(x)).raw[0];
}
// Where the maximum is infinite, shifting by it would make NaN of a well-defined log-sum.
template <class T>
PYDL_INLINE T finite_or_zero(T m) {
  return m - m == 0 ? m : T(0);
}
template <class T>
PYDL_INLINE T sum_exp(const T* x, int64_t n, T m) {
  return sum_over<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
    const Vec<T> e = exp(load_lanes(x + i, lanes) - Vec<T>(m));
    return lanes == Vec<T>::size ? e : select(lanes_below<T>(lanes), e, Vec<T>(T(0)));
  });
}

template <class T>
struct Rows {
  static void softmax(T* out, const T* x, int64_t n) {
    const T m = row_max(x, n);
    const T sum = sum_over<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      const Vec<T> e = exp(load_lanes(x + i, lanes) - Vec<T>(m));
      store_lanes(out + i, e, lanes);
      return lanes == Vec<T>::size ? e : select(lanes_below<T>(lanes), e, Vec<T>(T(0)));
    });
    const Vec<T> inverse(T(1) / sum);  // one division for the row: they are as dear as the exponentials
    visit<T>(
        n, [&](int64_t i, int lanes) __attribute__((always_inline)) { store_lanes(out + i, load_lanes(out + i, lanes) * inverse, lanes); });
  }
  static void log_softmax(T* out, const T* x, int64_t n) {
    const T m = row_max(x, n);
    const T shift = log_of(sum_exp(x, n, m));
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      store_lanes(out + i, (load_lanes(x + i, lanes) - Vec<T>(m)) - Vec<T>(shift), lanes);
    });
  }
  static void logsumexp(T* out, const T* x, int64_t n) {
    const T m = finite_or_zero(row_max(x, n));
    *out = m + log_of(sum_exp(x, n, m));
  }
  static void softmax_backward(T* dx, const T* g, const T* y, int64_t n) {
    const T dot = sum_over<T>(
        n, [&](int64_t i, int lanes) __attribute__((always_inline)) { return load_lanes(g + i, lanes) * load_lanes(y + i, lanes); });
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      store_lanes(dx + i, load_lanes(y + i, lanes) * (load_lanes(g + i, lanes) - Vec<T>(dot)), lanes);
    });
  }
  static void log_softmax_backward(T* dx, const T* g, const T* y, int64_t n) {
    const T sum = sum_over<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) { return load_lanes(g + i, lanes); });
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      store_lanes(dx + i, load_lanes(g + i, lanes) - exp(load_lanes(y + i, lanes)) * Vec<T>(sum), lanes);
    });
  }
};

// One vector of independent columns, n elements at distance `stride`.
template <class T>
struct Columns {
  template <class F>
  PYDL_INLINE static Vec<T> sum(int64_t n, const F& f) {
    LongSum<T> total;
    for (int64_t start = 0; start < n; start += kSumBlock) {
      const int64_t stop = start + kSumBlock < n ? start + kSumBlock : n;
      Vec<T> s[2] = {Vec<T>(T(0)), Vec<T>(T(0))};
      int64_t k = start;
      for (; k + 2 <= stop; k += 2) {
        s[0] = s[0] + f(k);
        s[1] = s[1] + f(k + 1);
      }
      if (k < stop) s[0] = s[0] + f(k);
      total.add(s[0] + s[1]);
    }
    return total.total();
  }
  PYDL_INLINE static Vec<T> max(const T* x, int64_t n, int64_t stride, int lanes) {
    Vec<T> m(-FloatTraits<T>::infinity);
    for (int64_t k = 0; k < n; ++k) m = max_second(load_lanes(x + k * stride, lanes), m);
    return m;
  }
  static void softmax(T* out, const T* x, int64_t n, int64_t stride, int lanes) {
    const Vec<T> m = max(x, n, stride, lanes);
    const Vec<T> total = sum(n, [&](int64_t k) __attribute__((always_inline)) {
      const Vec<T> e = exp(load_lanes(x + k * stride, lanes) - m);
      store_lanes(out + k * stride, e, lanes);
      return e;
    });
    const Vec<T> inverse = T(1) / total;
    for (int64_t k = 0; k < n; ++k) store_lanes(out + k * stride, load_lanes(out + k * stride, lanes) * inverse, lanes);
  }
  static void log_softmax(T* out, const T* x, int64_t n, int64_t stride, int lanes) {
    const Vec<T> m = max(x, n, stride, lanes);
    const Vec<T> shift = log(sum(n, [&](int64_t k) __attribute__((always_inline)) { return exp(load_lanes(x + k * stride, lanes) - m); }));
    for (int64_t k = 0; k < n; ++k) store_lanes(out + k * stride, (load_lanes(x + k * stride, lanes) - m) - shift, lanes);
  }
  static void logsumexp(T* out, const T* x, int64_t n, int64_t stride, int lanes) {
    Vec<T> m = max(x, n, stride, lanes);
    m = select(abs(m) < FloatTraits<T>::infinity, m, Vec<T>(T(0)));
    const Vec<T> total = sum(n, [&](int64_t k) __attribute__((always_inline)) { return exp(load_lanes(x + k * stride, lanes) - m); });
    store_lanes(out, m + log(total), lanes);
  }
  static void softmax_backward(T* dx, const T* g, const T* y, int64_t n, int64_t stride, int lanes) {
    const Vec<T> dot = sum(
        n, [&](int64_t k) __attribute__((always_inline)) { return load_lanes(g + k * stride, lanes) * load_lanes(y + k * stride, lanes); });
    for (int64_t k = 0; k < n; ++k) {
      store_lanes(dx + k * stride, load_lanes(y + k * stride, lanes) * (load_lanes(g + k * stride, lanes) - dot), lanes);
    }
  }
  static void log_softmax_backward(T* dx, const T* g, const T* y, int64_t n, int64_t stride, int lanes) {
    const Vec<T> total = sum(n, [&](int64_t k) __attribute__((always_inline)) { return load_lanes(g + k * stride, lanes); });
    for (int64_t k = 0; k < n; ++k) {
      store_lanes(dx + k * stride, load_lanes(g + k * stride, lanes) - exp(load_lanes(y + k * stride, lanes)) * total, lanes);
    }
  }
};

// Short rows, a vector of them at a time: transposed on the way in and out.
template <class T>
struct Transposed {
  static constexpr int lanes = Vec<T>::size;
  alignas(64) T data[kShortRow * lanes];
  PYDL_INLINE void load(const T* x, int64_t n, int rows) {
    for (int r = 0; r < lanes; ++r) {
      for (int64_t k = 0; k < n; ++k) data[k * lanes + r] = r < rows ? x[r * n + k] : T(0);
    }
  }
  PYDL_INLINE void store(T* x, int64_t n, int rows) const {
    for (int r = 0; r < rows; ++r) {
      for (int64_t k = 0; k < n; ++k) x[r * n + k] = data[k * lanes + r];
    }
  }
};

template <class T, void (*Row)(T*, const T*, int64_t), void (*Column)(T*, const T*, int64_t, int64_t, int), bool Reduces>
void unary_rows(void* out_bytes, const void* in_bytes, int64_t rows, int64_t n) {
  auto* out = static_cast<T*>(out_bytes);
  const auto* in = static_cast<const T*>(in_bytes);
  if (n > kShortRow) {
    for (int64_t r = 0; r < rows; ++r) Row(out + r * (Reduces ? 1 : n), in + r * n, n);
    return;
  }
  constexpr int lanes = Vec<T>::size;
  for (int64_t r = 0; r < rows; r += lanes) {
    const int count = static_cast<int>(rows - r < lanes ? rows - r : lanes);
    Transposed<T> a, b;
    a.load(in + r * n, n, count);
    Column(b.data, a.data, n, lanes, lanes);
    b.store(out + r * (Reduces ? 1 : n), Reduces ? 1 : n, count);
  }
}
template <class T, void (*Row)(T*, const T*, const T*, int64_t), void (*Column)(T*, const T*, const T*, int64_t, int64_t, int)>
void backward_rows(void* out_bytes, const void* grad_bytes, const void* saved_bytes, int64_t rows, int64_t n) {
  auto* out = static_cast<T*>(out_bytes);
  const auto* grad = static_cast<const T*>(grad_bytes);
  const auto* saved = static_cast<const T*>(saved_bytes);
  if (n > kShortRow) {
    for (int64_t r = 0; r < rows; ++r) Row(out + r * n, grad + r * n, saved + r * n, n);
    return;
  }
  constexpr int lanes = Vec<T>::size;
  for (int64_t r = 0; r < rows; r += lanes) {
    const int count = static_cast<int>(rows - r < lanes ? rows - r : lanes);
    Transposed<T> g, y, dx;
    g.load(grad + r * n, n, count);
    y.load(saved + r * n, n, count);
    Column(dx.data, g.data, y.data, n, lanes, lanes);
    dx.store(out + r * n, n, count);
  }
}
template <class T, void (*Column)(T*, const T*, int64_t, int64_t, int), bool Reduces>
void unary_inner(void* out_bytes, const void* in_bytes, int64_t outer, int64_t n, int64_t inner) {
  auto* out = static_cast<T*>(out_bytes);
  const auto* in = static_cast<const T*>(in_bytes);
  for (int64_t o = 0; o < outer; ++o) {
    visit<T>(inner,
             [&](int64_t i, int lanes) { Column(out + o * inner * (Reduces ? 1 : n) + i, in + o * n * inner + i, n, inner, lanes); });
  }
}
template <class T, void (*Column)(T*, const T*, const T*, int64_t, int64_t, int)>
void backward_inner(void* out, const void* grad, const void* saved, int64_t outer, int64_t n, int64_t inner) {
  for (int64_t o = 0; o < outer; ++o) {
    visit<T>(inner, [&](int64_t i, int lanes) {
      const int64_t at = o * n * inner + i;
      Column(static_cast<T*>(out) + at, static_cast<const T*>(grad) + at, static_cast<const T*>(saved) + at, n, inner, lanes);
    });
  }
}

template <class T>
void cross_entropy(void* loss, void* lse, const void* x, const int64_t* target, int64_t rows, int64_t n, int64_t ignore_index) {
  auto* log_sums = static_cast<T*>(lse);
  unary_rows<T, &Rows<T>::logsumexp, &Columns<T>::logsumexp, true>(lse, x, rows, n);
  for (int64_t r = 0; r < rows; ++r) {
    const bool ignored = target[r] == ignore_index;
    static_cast<T*>(loss)[r] = ignored ? T(0) : log_sums[r] - static_cast<const T*>(x)[r * n + target[r]];
  }
}
template <class T>
void cross_entropy_backward(void* grad, const void* x, const void* lse, const int64_t* target, const void* scale, int64_t rows, int64_t n,
                            int64_t ignore_index) {
  for (int64_t r = 0; r < rows; ++r) {
    const bool ignored = target[r] == ignore_index;
    const T log_sum = static_cast<const T*>(lse)[r], factor = static_cast<const T*>(scale)[r];
    const T* row = static_cast<const T*>(x) + r * n;
    T* out = static_cast<T*>(grad) + r * n;
    if (ignored) {
      for (int64_t i = 0; i < n; ++i) out[i] = 0;
      continue;
    }
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      store_lanes(out + i, exp(load_lanes(row + i, lanes) - Vec<T>(log_sum)) * Vec<T>(factor), lanes);
    });
    out[target[r]] = (exp(Vec<T>(row[target[r]] - log_sum)).raw[0] - T(1)) * factor;
  }
}

template <class T>
constinit const softmax::SoftmaxFns table = {
    &unary_rows<T, &Rows<T>::softmax, &Columns<T>::softmax, false>,
    &unary_rows<T, &Rows<T>::log_softmax, &Columns<T>::log_softmax, false>,
    &unary_rows<T, &Rows<T>::logsumexp, &Columns<T>::logsumexp, true>,
    &backward_rows<T, &Rows<T>::softmax_backward, &Columns<T>::softmax_backward>,
    &backward_rows<T, &Rows<T>::log_softmax_backward, &Columns<T>::log_softmax_backward>,
    &unary_inner<T, &Columns<T>::softmax, false>,
    &unary_inner<T, &Columns<T>::log_softmax, false>,
    &unary_inner<T, &Columns<T>::logsumexp, true>,
    &backward_inner<T, &Columns<T>::softmax_backward>,
    &backward_inner<T, &Columns<T>::log_softmax_backward>,
    &cross_entropy<T>,
    &cross_entropy_backward<T>,
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::softmax::PYDL_ISA {

constinit const ByDType<const SoftmaxFns*> fns = [] {
  ByDType<const SoftmaxFns*> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::table<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::table<double>;
  return t;
}();

}  // namespace pydl::kernels::softmax::PYDL_ISA
