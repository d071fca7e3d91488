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

template <class T>
void moments(double out[2], const void* x_bytes, Runs r, double shift) {
  const auto* x = static_cast<const T*>(x_bytes);
  const Vec<T> k(static_cast<T>(shift));
  pair_sums<T>(out, r.count, r.n, [&](int64_t run, int64_t i, int lanes) __attribute__((always_inline)) {
    const Vec<T> d = first_lanes(load_lanes(x + run * r.stride + i, lanes) - k, lanes);
    return VecPair<T>{d, d};
  });
}
template <class T>
void apply(void* y_bytes, const void* x_bytes, Runs r, double mean, double scale, double offset) {
  const auto* x = static_cast<const T*>(x_bytes);
  auto* y = static_cast<T*>(y_bytes);
  const TwoWords<T> m(mean);
  const Vec<T> s(static_cast<T>(scale)), o(static_cast<T>(offset));
  for (int64_t run = 0; run < r.count; ++run) {
    visit<T>(r.n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      store_lanes(y + run * r.stride + i, mul_add(m.below(load_lanes(x + run * r.stride + i, lanes)), s, o), lanes);
    });
  }
}
template <class T>
void gradient_sums(double out[2], const void* g_bytes, const void* x_bytes, Runs r, double mean) {
  const auto* x = static_cast<const T*>(x_bytes);
  const auto* g = static_cast<const T*>(g_bytes);
  const TwoWords<T> m(mean);
  pair_sums<T>(out, r.count, r.n, [&](int64_t run, int64_t i, int lanes) __attribute__((always_inline)) {
    const int64_t at = run * r.stride + i;
    return VecPair<T>{load_lanes(g + at, lanes), m.below(load_lanes(x + at, lanes))};
  });
}
template <class T>
void gradient(void* dx_bytes, const void* g_bytes, const void* x_bytes, Runs r, double mean, double a, double b, double c) {
  const auto* x = static_cast<const T*>(x_bytes);
  const auto* g = static_cast<const T*>(g_bytes);
  auto* dx = static_cast<T*>(dx_bytes);
  const TwoWords<T> m(mean);
  const Vec<T> va(static_cast<T>(a)), vb(static_cast<T>(b)), vc(static_cast<T>(c));
  for (int64_t run = 0; run < r.count; ++run) {
    visit<T>(r.n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      const int64_t at = run * r.stride + i;
      const Vec<T> rest = mul_add(m.below(load_lanes(x + at, lanes)), vb, vc);
      store_lanes(dx + at, mul_add(load_lanes(g + at, lanes), va, rest), lanes);
    });
  }
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

inline constexpr int64_t kColumnRows = 256;  // rows at a time: summed in T, and few enough to stay in cache

// f(begin, end, i, lanes) over blocks of rows and vectors of columns.
template <class T, class F>
PYDL_INLINE void tiles(int64_t rows, int64_t n, const F& f) {
  for (int64_t begin = 0; begin < rows; begin += kColumnRows) {
    const int64_t end = begin + kColumnRows < rows ? begin + kColumnRows : rows;
    visit<T>(n, [&](int64_t i, int lanes) __attribute__((always_inline)) { f(begin, end, i, lanes); });
  }
}
// sums = the sum of f.first, products = that of f.first * f.second for each column, where f(row) comes from make(i, lanes).
template <class T, class Make>
PYDL_INLINE void column_sums(double* sums, double* products, int64_t rows, int64_t n, const Make& make) {
  for (int64_t i = 0; i < n; ++i) sums[i] = products[i] = 0;
  tiles<T>(rows, n, [&](int64_t begin, int64_t end, int64_t i, int lanes) __attribute__((always_inline)) {
    const auto f = make(i, lanes);
    Vec<T> s(T(0)), p(T(0)), s2(T(0)), p2(T(0));
    int64_t r = begin;
    for (; r + 2 <= end; r += 2) {
      const VecPair<T> v = f(r), u = f(r + 1);
      s = s + v.first, p = mul_add(v.first, v.second, p);
      s2 = s2 + u.first, p2 = mul_add(u.first, u.second, p2);
    }
    if (r < end) {
      const VecPair<T> v = f(r);
      s = s + v.first, p = mul_add(v.first, v.second, p);
    }
    const Vec<T> a = s + s2, b = p + p2;
    for (int l = 0; l < lanes; ++l) sums[i + l] += static_cast<double>(a.raw[l]), products[i + l] += static_cast<double>(b.raw[l]);
  });
}
// Up to a vector of doubles, rounded; and what remains of them.
template <class T>
PYDL_INLINE Vec<T> rounded(const double* p, int lanes) {
  T h[Vec<T>::size] = {};
  for (int i = 0; i < lanes; ++i) h[i] = static_cast<T>(p[i]);
  return Vec<T>::load(h);
}
template <class T>
PYDL_INLINE Vec<T> remainders(const double* p, int lanes) {
  T l[Vec<T>::size] = {};
  for (int i = 0; i < lanes; ++i) l[i] = low_word(p[i], static_cast<T>(p[i]));
  return Vec<T>::load(l);
}

template <class T>
void column_moments(double* sums, double* squares, const void* x_bytes, int64_t rows, int64_t n, const void* shift) {
  const auto* x = static_cast<const T*>(x_bytes);
  column_sums<T>(sums, squares, rows, n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
    return [=, k = load_lanes(static_cast<const T*>(shift) + i, lanes)](int64_t r) __attribute__((always_inline)) {
      const Vec<T> d = load_lanes(x + r * n + i, lanes) - k;
      return VecPair<T>{d, d};
    };
  });
}
template <class T>
void column_apply(void* y_bytes, const void* x_bytes, int64_t rows, int64_t n, const double* mean, const double* scale,
                  const double* offset) {
  const auto* x = static_cast<const T*>(x_bytes);
  auto* y = static_cast<T*>(y_bytes);
  tiles<T>(rows, n, [&](int64_t begin, int64_t end, int64_t i, int lanes) __attribute__((always_inline)) {
    const Vec<T> high = rounded<T>(mean + i, lanes), low = remainders<T>(mean + i, lanes);
    const Vec<T> s = rounded<T>(scale + i, lanes), o = rounded<T>(offset + i, lanes);
    for (int64_t r = begin; r < end; ++r) {
      store_lanes(y + r * n + i, mul_add((load_lanes(x + r * n + i, lanes) - high) - low, s, o), lanes);
    }
  });
}
template <class T>
void column_gradient_sums(double* sums, double* products, const void* g_bytes, const void* x_bytes, int64_t rows, int64_t n,
                          const double* mean) {
  const auto* x = static_cast<const T*>(x_bytes);
  const auto* g = static_cast<const T*>(g_bytes);
  column_sums<T>(sums, products, rows, n, [&](int64_t i, int lanes) __attribute__((always_inline)) {
    return [=, high = rounded<T>(mean + i, lanes), low = remainders<T>(mean + i, lanes)](int64_t r) __attribute__((always_inline)) {
      return VecPair<T>{load_lanes(g + r * n + i, lanes), (load_lanes(x + r * n + i, lanes) - high) - low};
    };
  });
}
template <class T>
void column_gradient(void* dx_bytes, const void* g_bytes, const void* x_bytes, int64_t rows, int64_t n, const double* mean, const double* a,
                     const double* b, const double* c) {
  const auto* x = static_cast<const T*>(x_bytes);
  const auto* g = static_cast<const T*>(g_bytes);
  auto* dx = static_cast<T*>(dx_bytes);
  tiles<T>(rows, n, [&](int64_t begin, int64_t end, int64_t i, int lanes) __attribute__((always_inline)) {
    const Vec<T> high = rounded<T>(mean + i, lanes), low = remainders<T>(mean + i, lanes);
    const Vec<T> va = rounded<T>(a + i, lanes), vb = rounded<T>(b + i, lanes), vc = rounded<T>(c + i, lanes);
    for (int64_t r = begin; r < end; ++r) {
      const Vec<T> rest = mul_add((load_lanes(x + r * n + i, lanes) - high) - low, vb, vc);
      store_lanes(dx + r * n + i, mul_add(load_lanes(g + r * n + i, lanes), va, rest), lanes);
    }
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
