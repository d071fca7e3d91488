#include "kernels/norm/norm.h"

#include "kernels/cpu/norm/sums.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;
using norm::Runs;

// ---- runs with one set of numbers -------------------------------------------------------------------------------

template <class T>
double pilot(const void* x_bytes, int64_t n) {
  return near_mean(static_cast<const T*>(x_bytes), n);
}

// Short runs lie far apart, where the processor's own prefetchers do not follow: each run fetches the one behind it, which is
// visited next, with the next channel. Longer ones find their way, and it would be too early: then the distance is 0.
inline constexpr int64_t kFetchBytes = 1024;
template <class T>
PYDL_INLINE int64_t fetch_distance(const Runs& r) {
  return r.n * static_cast<int64_t>(sizeof(T)) <= kFetchBytes ? r.n : 0;
}

template <class T>
void moments(double out[2], const void* x_bytes, Runs r, double shift) {
  const auto* x = static_cast<const T*>(x_bytes);
  const Vec<T> k(static_cast<T>(shift));
  const int64_t ahead = fetch_distance<T>(r);
  pair_sums<T>(out, r.count, r.n, [&](int64_t run, int64_t i, int lanes) __attribute__((always_inline)) {
    __builtin_prefetch(x + run * r.stride + i + ahead);
    const Vec<T> d = first_lanes(load_lanes(x + run * r.stride + i, lanes) - k, lanes);
    return VecPair<T>{d, d};
  });
}
// The map in vectors. What it clips, gradients do not pass: where y <= 0 or y >= ceiling, as after relu and hardtanh.
template <class T, bool kClipped>
struct Mapping {
  TwoWords<T> mean;
  Vec<T> scale, offset, ceiling;
  PYDL_INLINE explicit Mapping(const norm::Affine& map)
      : mean(map.mean), scale(static_cast<T>(map.scale)), offset(static_cast<T>(map.offset)), ceiling(static_cast<T>(map.ceiling)) {}
  PYDL_INLINE Vec<T> affine(Vec<T> below) const { return mul_add(below, scale, offset); }
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> y = affine(mean.below(x));
    if constexpr (!kClipped) return y;
    const Vec<T> positive = max_second(Vec<T>(T(0)), y);
    return select(positive > ceiling, ceiling, positive);
  }
  PYDL_INLINE Vec<T> passed(Vec<T> g, Vec<T> below) const {
    if constexpr (!kClipped) return g;
    const Vec<T> y = affine(below), zero(T(0));
    return select(y >= ceiling, zero, select(y <= T(0), zero, g));
  }
};

template <class T, bool kClipped>
void apply_as(T* y, const T* x, Runs r, const norm::Affine& map) {
  const Mapping<T, kClipped> f(map);
  const int64_t ahead = fetch_distance<T>(r);
  for (int64_t run = 0; run < r.count; ++run) {
    visit<T>(r.n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      __builtin_prefetch(y + run * r.stride + i + ahead, 1);
      store_lanes(y + run * r.stride + i, f(load_lanes(x + run * r.stride + i, lanes)), lanes);
    });
  }
}
template <class T>
void apply(void* y, const void* x, Runs r, const norm::Affine& map) {
  (map.clipped ? apply_as<T, true> : apply_as<T, false>)(static_cast<T*>(y), static_cast<const T*>(x), r, map);
}

template <class T, bool kClipped>
void gradient_sums_as(double out[2], const T* g, const T* x, Runs r, const norm::Affine& map) {
  const Mapping<T, kClipped> f(map);
  const int64_t ahead = fetch_distance<T>(r);
  pair_sums<T>(out, r.count, r.n, [&](int64_t run, int64_t i, int lanes) __attribute__((always_inline)) {
    const int64_t at = run * r.stride + i;
    __builtin_prefetch(x + at + ahead);
    __builtin_prefetch(g + at + ahead);
    const Vec<T> below = f.mean.below(load_lanes(x + at, lanes));
    return VecPair<T>{f.passed(load_lanes(g + at, lanes), below), below};
  });
}
template <class T>
void gradient_sums(double out[2], const void* g, const void* x, Runs r, const norm::Affine& map) {
  (map.clipped ? gradient_sums_as<T, true> : gradient_sums_as<T, false>)(out, static_cast<const T*>(g), static_cast<const T*>(x), r, map);
}

template <class T, bool kClipped>
void gradient_as(T* dx, const T* g, const T* x, Runs r, const norm::Affine& map, double a, double b, double c) {
  const Mapping<T, kClipped> f(map);
  const Vec<T> va(static_cast<T>(a)), vb(static_cast<T>(b)), vc(static_cast<T>(c));
  const bool flat = b == 0;  // given statistics: an infinite x has no part in the slope, where 0 * x would give NaN
  const int64_t ahead = fetch_distance<T>(r);
  for (int64_t run = 0; run < r.count; ++run) {
    visit<T>(r.n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      const int64_t at = run * r.stride + i;
      __builtin_prefetch(dx + at + ahead, 1);
      const Vec<T> below = f.mean.below(load_lanes(x + at, lanes));
      const Vec<T> rest = flat ? vc : mul_add(below, vb, vc);
      store_lanes(dx + at, mul_add(f.passed(load_lanes(g + at, lanes), below), va, rest), lanes);
    });
  }
}
template <class T>
void gradient(void* dx, const void* g, const void* x, Runs r, const norm::Affine& map, double a, double b, double c) {
  (map.clipped ? gradient_as<T, true> : gradient_as<T, false>)(static_cast<T*>(dx), static_cast<const T*>(g), static_cast<const T*>(x), r,
                                                               map, a, b, c);
}

// ---- rows with statistics of their own ----------------------------------------------------------------------------

template <class T>
Moments row_moments(const T* x, int64_t n, double eps, bool centered) {
  double sums[2];
  const auto about = [&](double shift) __attribute__((always_inline)) {
    const Vec<T> k(static_cast<T>(shift));
    pair_sums<T>(sums, 1, n, [&](int64_t, int64_t i, int lanes) __attribute__((always_inline)) {
      const Vec<T> d = first_lanes(load_lanes(x + i, lanes) - k, lanes);
      return VecPair<T>{d, d};
    });
  };
  if (!centered) {
    about(0);
    return {0, 1 / __builtin_sqrt(sums[1] / static_cast<double>(n) + eps)};
  }
  double shift = near_mean(x, n);
  for (int round = 0;; ++round) {
    about(shift);
    const double d = sums[0] / static_cast<double>(n), variance = sums[1] / static_cast<double>(n) - d * d;
    // The subtraction costs few bits only while the shift is within two standard deviations of the mean.
    if (round == 0 && d * d > 4 * variance) {
      shift = static_cast<double>(static_cast<T>(shift + d));
      continue;
    }
    return {shift + d, 1 / __builtin_sqrt((variance < 0 ? 0 : variance) + eps)};
  }
}

template <class T>
void rows(void* y_bytes, const void* x_bytes, const void* weight, const void* bias, double* stats, int64_t rows, int64_t n, int64_t period,
          double eps, bool centered) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = static_cast<const T*>(x_bytes) + r * n;
    T* y = static_cast<T*>(y_bytes) + r * n;
    const T* w = weight ? static_cast<const T*>(weight) + r % period * n : nullptr;
    const T* b = bias ? static_cast<const T*>(bias) + r % period * n : nullptr;
    const Moments s = row_moments(x, n, eps, centered);
    stats[2 * r] = s.mean, stats[2 * r + 1] = s.rstd;
    const TwoWords<T> m(s.mean);
    const Vec<T> scale(static_cast<T>(s.rstd));
    const auto normal = [&](int64_t i, int lanes) __attribute__((always_inline)) { return m.below(load_lanes(x + i, lanes)) * scale; };
    if (w && b) {
      visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
        store_lanes(y + i, mul_add(normal(i, lanes), load_lanes(w + i, lanes), load_lanes(b + i, lanes)), lanes);
      });
    } else if (w) {
      visit<T>(n, [&](int64_t i, int lanes)
                      __attribute__((always_inline)) { store_lanes(y + i, normal(i, lanes) * load_lanes(w + i, lanes), lanes); });
    } else {
      visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
        store_lanes(y + i, b ? normal(i, lanes) + load_lanes(b + i, lanes) : normal(i, lanes), lanes);
      });
    }
  }
}

template <class T>
void rows_backward(void* dx_bytes, void* dweight, void* dbias, const void* g_bytes, const void* x_bytes, const void* weight,
                   const double* stats, int64_t rows, int64_t n, int64_t period, bool centered) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* x = static_cast<const T*>(x_bytes) + r * n;
    const T* g = static_cast<const T*>(g_bytes) + r * n;
    const int64_t at = r % period * n;
    const T* w = weight ? static_cast<const T*>(weight) + at : nullptr;
    T* dw = dweight ? static_cast<T*>(dweight) + at : nullptr;
    T* db = dbias ? static_cast<T*>(dbias) + at : nullptr;
    const TwoWords<T> m(stats[2 * r]);
    const double rstd = stats[2 * r + 1];
    const Vec<T> scale(static_cast<T>(rstd));
    double sums[2];  // of g w and of g w xhat
    pair_sums<T>(sums, 1, n, [&](int64_t, int64_t i, int lanes) __attribute__((always_inline)) {
      const Vec<T> grad = load_lanes(g + i, lanes), xhat = m.below(load_lanes(x + i, lanes)) * scale;
      if (dw) store_lanes(dw + i, mul_add(grad, xhat, load_lanes(dw + i, lanes)), lanes);
      if (db) store_lanes(db + i, grad + load_lanes(db + i, lanes), lanes);
      return VecPair<T>{w ? grad * load_lanes(w + i, lanes) : grad, xhat};
    });
    if (!dx_bytes) continue;
    T* dx = static_cast<T*>(dx_bytes) + r * n;
    // dx = rstd (g w - mean(g w) - xhat mean(g w xhat)), with xhat = (x - mean) rstd
    const double count = static_cast<double>(n);
    const Vec<T> b(static_cast<T>(-rstd * rstd * sums[1] / count)), c(static_cast<T>(centered ? -rstd * sums[0] / count : 0.0));
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      const Vec<T> rest = mul_add(m.below(load_lanes(x + i, lanes)), b, c);
      const Vec<T> grad = load_lanes(g + i, lanes);
      store_lanes(dx + i, mul_add(w ? grad * load_lanes(w + i, lanes) : grad, scale, rest), lanes);
    });
  }
}

// ---- columns ------------------------------------------------------------------------------------------------------

// Rows at a time: summed in T, and few enough to stay in cache. Columns at a time: their sums and numbers lie in L1. Rows side
// by side: what is loaded for a column serves all of them.
inline constexpr int64_t kColumnRows = 256, kColumns = 512;
inline constexpr int kSide = 4;

// f(begin, end, first, last) over blocks of rows and of columns.
template <class F>
PYDL_INLINE void tiles(int64_t rows, int64_t n, const F& f) {
  for (int64_t begin = 0; begin < rows; begin += kColumnRows) {
    const int64_t end = begin + kColumnRows < rows ? begin + kColumnRows : rows;
    for (int64_t first = 0; first < n; first += kColumns) f(begin, end, first, first + kColumns < n ? first + kColumns : n);
  }
}
template <int N>
struct Count {
  static constexpr int value = N;
};
// f(rows, r, i, lanes): `rows` rows from r of a vector of columns from i, along the rows as they lie in memory.
template <class T, class F>
PYDL_INLINE void walk(int64_t begin, int64_t end, int64_t columns, const F& f) {
  int64_t r = begin;
  for (; r + kSide <= end; r += kSide) {
    visit<T>(columns, [&](int64_t i, int lanes) __attribute__((always_inline)) { f(Count<kSide>(), r, i, lanes); });
  }
  for (; r < end; ++r) {
    visit<T>(columns, [&](int64_t i, int lanes) __attribute__((always_inline)) { f(Count<1>(), r, i, lanes); });
  }
}

// Numbers of the columns of a tile in T, rounded, and what remains of them.
template <class T>
struct ColumnNumbers {
  T high[kColumns];
  PYDL_INLINE ColumnNumbers(const double* p, int64_t n) {
    for (int64_t i = 0; i < n; ++i) high[i] = static_cast<T>(p[i]);
  }
  PYDL_INLINE Vec<T> at(int64_t i) const { return Vec<T>::load(high + i); }
};
template <class T>
struct ColumnMeans : ColumnNumbers<T> {
  T low[kColumns];
  PYDL_INLINE ColumnMeans(const double* p, int64_t n) : ColumnNumbers<T>(p, n) {
    for (int64_t i = 0; i < n; ++i) low[i] = low_word(p[i], this->high[i]);
  }
  PYDL_INLINE TwoWords<T> words(int64_t i) const { return {this->at(i), Vec<T>::load(low + i)}; }
};

// sums = the sum of f.first, products = that of f.first * f.second for each column, where f(r, i, lanes) comes from make(first, n).
template <class T, class Make>
PYDL_INLINE void column_sums(double* sums, double* products, int64_t rows, int64_t n, const Make& make) {
  for (int64_t i = 0; i < n; ++i) sums[i] = products[i] = 0;
  tiles(rows, n, [&](int64_t begin, int64_t end, int64_t first, int64_t last) __attribute__((always_inline)) {
    T s[kColumns] = {}, p[kColumns] = {};
    const auto f = make(first, last - first);
    walk<T>(begin, end, last - first, [&](auto side, int64_t r, int64_t i, int lanes) __attribute__((always_inline)) {
      constexpr int kRows = decltype(side)::value;
      const auto column = f(i, lanes);
      Vec<T> sum(T(0)), product = Vec<T>::load(p + i);
#pragma GCC unroll 4
      for (int u = 0; u < kRows; ++u) {
        const VecPair<T> v = column(r + u);
        sum = sum + v.first, product = mul_add(v.first, v.second, product);
      }
      (Vec<T>::load(s + i) + sum).store(s + i);
      product.store(p + i);
    });
    for (int64_t i = first; i < last; ++i) {
      sums[i] += static_cast<double>(s[i - first]), products[i] += static_cast<double>(p[i - first]);
    }
  });
}

template <class T>
void column_moments(double* sums, double* squares, const void* x_bytes, int64_t rows, int64_t n, const void* shift) {
  column_sums<T>(sums, squares, rows, n, [&](int64_t first, int64_t) __attribute__((always_inline)) {
    const T *x = static_cast<const T*>(x_bytes) + first, *near = static_cast<const T*>(shift) + first;
    return [=](int64_t i, int lanes) __attribute__((always_inline)) {
      return [=, k = load_lanes(near + i, lanes)](int64_t r) __attribute__((always_inline)) {
        const Vec<T> d = load_lanes(x + r * n + i, lanes) - k;
        return VecPair<T>{d, d};
      };
    };
  });
}
template <class T>
void column_apply(void* y_bytes, const void* x_bytes, int64_t rows, int64_t n, const double* mean, const double* scale,
                  const double* offset) {
  tiles(rows, n, [&](int64_t begin, int64_t end, int64_t first, int64_t last) __attribute__((always_inline)) {
    const T* x = static_cast<const T*>(x_bytes) + first;
    T* y = static_cast<T*>(y_bytes) + first;
    const ColumnMeans<T> centre(mean + first, last - first);
    const ColumnNumbers<T> scales(scale + first, last - first), offsets(offset + first, last - first);
    walk<T>(begin, end, last - first, [&](auto side, int64_t r, int64_t i, int lanes) __attribute__((always_inline)) {
      const TwoWords<T> m = centre.words(i);
      const Vec<T> s = scales.at(i), o = offsets.at(i);
#pragma GCC unroll 4
      for (int u = 0; u < decltype(side)::value; ++u) {
        const int64_t at = (r + u) * n + i;
        store_lanes(y + at, mul_add(m.below(load_lanes(x + at, lanes)), s, o), lanes);
      }
    });
  });
}
template <class T>
void column_gradient_sums(double* sums, double* products, const void* g_bytes, const void* x_bytes, int64_t rows, int64_t n,
                          const double* mean) {
  column_sums<T>(sums, products, rows, n, [&](int64_t first, int64_t columns) __attribute__((always_inline)) {
    const T *x = static_cast<const T*>(x_bytes) + first, *g = static_cast<const T*>(g_bytes) + first;
    return [=, centre = ColumnMeans<T>(mean + first, columns)](int64_t i, int lanes) __attribute__((always_inline)) {
      return [=, m = centre.words(i)](int64_t r) __attribute__((always_inline)) {
        const int64_t at = r * n + i;
        return VecPair<T>{load_lanes(g + at, lanes), m.below(load_lanes(x + at, lanes))};
      };
    };
  });
}
template <class T>
void column_gradient(void* dx_bytes, const void* g_bytes, const void* x_bytes, int64_t rows, int64_t n, const double* mean, const double* a,
                     const double* b, const double* c) {
  tiles(rows, n, [&](int64_t begin, int64_t end, int64_t first, int64_t last) __attribute__((always_inline)) {
    const T *x = static_cast<const T*>(x_bytes) + first, *g = static_cast<const T*>(g_bytes) + first;
    T* dx = static_cast<T*>(dx_bytes) + first;
    const int64_t columns = last - first;
    const ColumnMeans<T> centre(mean + first, columns);
    const ColumnNumbers<T> as(a + first, columns), bs(b + first, columns), cs(c + first, columns);
    walk<T>(begin, end, columns, [&](auto side, int64_t r, int64_t i, int lanes) __attribute__((always_inline)) {
      const TwoWords<T> m = centre.words(i);
      const Vec<T> va = as.at(i), vb = bs.at(i), vc = cs.at(i);
#pragma GCC unroll 4
      for (int u = 0; u < decltype(side)::value; ++u) {
        const int64_t at = (r + u) * n + i;
        const Vec<T> rest = select(vb == T(0), vc, mul_add(m.below(load_lanes(x + at, lanes)), vb, vc));
        store_lanes(dx + at, mul_add(load_lanes(g + at, lanes), va, rest), lanes);
      }
    });
  });
}

template <class T>
constinit const norm::NormFns table = {
    &pilot<T>,         &moments<T>,        &apply<T>,        &gradient_sums<T>,        &gradient<T>,        &rows<T>,
    &rows_backward<T>, &column_moments<T>, &column_apply<T>, &column_gradient_sums<T>, &column_gradient<T>,
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::norm::PYDL_ISA {

constinit const ByDType<const NormFns*> fns = [] {
  ByDType<const NormFns*> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::table<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::table<double>;
  return t;
}();

}  // namespace pydl::kernels::norm::PYDL_ISA
