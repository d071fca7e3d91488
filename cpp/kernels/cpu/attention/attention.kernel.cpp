// Softmax over blocks of keys with a running maximum: Milakov and Gimelshein, "Online normalizer calculation for softmax"
// (2018); tiles as in Dao, "FlashAttention-2" (2023).
#include "kernels/attention/attention.h"

#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels::attention;

template <class T>
PYDL_INLINE Vec<T> get(const T* p, int lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
}
template <class T>
PYDL_INLINE void put(T* p, Vec<T> v, int lanes) {
  if (lanes == Vec<T>::size) {
    v.store(p);
  } else {
    v.store(p, lanes);
  }
}
template <class T>
PYDL_INLINE Vec<T> numbered_lanes() {
  Vec<T> index;
  for (int i = 0; i < Vec<T>::size; ++i) index.raw[i] = static_cast<T>(i);
  return index;
}
// v where the lane is below n, else `rest`.
template <class T>
PYDL_INLINE Vec<T> first_lanes(Vec<T> v, int n, T rest) {
  return select(numbered_lanes<T>() < Vec<T>(static_cast<T>(n)), v, Vec<T>(rest));
}

// 2^x for x <= 0: a weight needs no better than a rounding of a sum of weights, so one polynomial does. Chebyshev fit of
// (2^f - 1) / f on [-1/2, 1/2], relative error of 2^f below 1e-7 before rounding; below -150 the result is 0. kSmall: for
// any x of magnitude up to 100.
template <class T, bool kSmall = false>
PYDL_INLINE Vec<T> weight(Vec<T> x) {
  if constexpr (sizeof(T) == 4) {
    static constexpr float c[] = {0x1.62e42ap-1f, 0x1.ebf9bcp-3f, 0x1.c6b752p-5f, 0x1.3cea88p-7f, 0x1.5bba12p-10f};
    const Vec<float> bounded = kSmall ? x : max_second(Vec<float>(-150.0f), x);  // keeps NaN
#if PYDL_ISA_LEVEL == 2
    const Vec<float> whole = rint(bounded), f = bounded - whole;
    return _mm512_maskz_scalef_ps(0xffff, mul_add(polynomial(f, c), f, Vec<float>(1.0f)).raw, whole.raw);
#else
    const Rounded<float> n = round_to_int(bounded);
    const Vec<float> f = bounded - n.value;
    return scale_by_power(mul_add(polynomial(f, c), f, Vec<float>(1.0f)), n);
#endif
  } else {
    return exp2(x);
  }
}

// A score with its masks; lanes that do not count are -inf.
template <class T>
PYDL_INLINE Vec<T> score(const Tile<T>& t, int64_t r, int64_t i, int64_t valid) {
  constexpr int lanes = Vec<T>::size;
  const int n = static_cast<int>(valid - i < lanes ? valid - i : lanes);
  Vec<T> v = get(t.s + r * t.s_row + i, n);
  if (t.bias) v = mul_add(get(t.bias + r * t.mask_row + i, n), Vec<T>(T(0x1.71547652b82fep+0)), v);
  if (t.keep) {
    T flags[lanes];
    for (int k = 0; k < lanes; ++k) flags[k] = k < n && t.keep[r * t.mask_row + i + k] ? T(1) : T(0);
    v = select(Vec<T>::load(flags) > T(0), v, Vec<T>(-FloatTraits<T>::infinity));
  }
  return n == lanes ? v : first_lanes(v, n, -FloatTraits<T>::infinity);
}

template <class T>
PYDL_INLINE int64_t valid_keys(const Tile<T>& t, int64_t r) {
  const int64_t limit = t.limit + r;
  return limit < 0 ? 0 : limit < t.cols ? limit : t.cols;
}

template <class T>
PYDL_INLINE T max_lanes(Vec<T> v) {
  T lane[Vec<T>::size];
  v.store(lane);
#pragma GCC unroll 4
  for (int half = Vec<T>::size / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

// Masks are applied once: the second pass reads plain scores.
template <class T>
PYDL_INLINE T row_maximum(const Tile<T>& t, int64_t r, int64_t valid) {
  constexpr int lanes = Vec<T>::size;
  T* s = t.s + r * t.s_row;
  Vec<T> m[2] = {Vec<T>(-FloatTraits<T>::infinity), Vec<T>(-FloatTraits<T>::infinity)};
  int64_t i = 0;
  if (!t.bias && !t.keep) {
    for (; i + 2 * lanes <= valid; i += 2 * lanes) {
      m[0] = max_second(Vec<T>::load(s + i), m[0]);
      m[1] = max_second(Vec<T>::load(s + i + lanes), m[1]);
    }
  }
  for (; i < valid; i += lanes) {
    const Vec<T> v = score(t, r, i, valid);
    if (t.bias || t.keep) put(s + i, v, static_cast<int>(valid - i < lanes ? valid - i : lanes));
    m[0] = max_second(v, m[0]);
  }
  return max_lanes(max_second(m[0], m[1]));
}

template <class T>
PYDL_INLINE Vec<T> dropped(const Tile<T>& t, int64_t r, int64_t i, int n, Vec<T> v) {
  return t.drop ? v * (get(t.drop + r * t.s_row + i, n) * t.kept_scale) : v;
}

// Rows whose maxima are found before their exponentials: a chain of comparisons then hides behind those of other rows.
inline constexpr int64_t kRowGroup = 16;

// s becomes the weights of the row; returns their sum.
template <class T>
PYDL_INLINE T exponentiate(const Tile<T>& t, int64_t r, int64_t valid, Vec<T> shift) {
  constexpr int lanes = Vec<T>::size;
  T* s = t.s + r * t.s_row;
  Vec<T> sum[2] = {Vec<T>(T(0)), Vec<T>(T(0))};
  int64_t i = 0;
  for (; i + 2 * lanes <= valid; i += 2 * lanes) {
#pragma GCC unroll 2
    for (int u = 0; u < 2; ++u) {
      const Vec<T> p = weight(Vec<T>::load(s + i + u * lanes) - shift);
      sum[u] = sum[u] + p;
      dropped(t, r, i + u * lanes, lanes, p).store(s + i + u * lanes);
    }
  }
  for (; i < valid; i += lanes) {
    const int n = static_cast<int>(valid - i < lanes ? valid - i : lanes);
    const Vec<T> p = first_lanes(weight(get(s + i, n) - shift), n, T(0));
    sum[0] = sum[0] + p;
    put(s + i, dropped(t, r, i, n, p), n);
  }
  for (i = valid; i < t.cols; ++i) s[i] = 0;
  return reduce_add(sum[0] + sum[1]);
}

template <class T>
PYDL_INLINE void rescale(T* out, int64_t n, T factor) {
  constexpr int lanes = Vec<T>::size;
  for (int64_t i = 0; i < n; i += lanes) {
    const int part = static_cast<int>(n - i < lanes ? n - i : lanes);
    put(out + i, get(out + i, part) * factor, part);
  }
}

template <class T>
void forward_tile(const Forward<T>& f) {
  const Tile<T> t = f.tile;  // a copy: what is stored cannot change it
  for (int64_t begin = 0; begin < t.rows; begin += kRowGroup) {
    const int64_t end = begin + kRowGroup < t.rows ? begin + kRowGroup : t.rows;
    T before[kRowGroup];
    for (int64_t r = begin; r < end; ++r) {
      const T old = f.first ? -FloatTraits<T>::infinity : f.max[r], here = row_maximum(t, r, valid_keys(t, r));
      before[r - begin] = old;
      f.max[r] = here > old ? here : old;
    }
    for (int64_t r = begin; r < end; ++r) {
      const T m = f.max[r], old = before[r - begin];
      const Vec<T> shift(m == -FloatTraits<T>::infinity ? T(0) : m);
      const T total = exponentiate(t, r, valid_keys(t, r), shift);
      if (f.first || old == m) {
        f.sum[r] = f.first ? total : f.sum[r] + total;
        continue;
      }
      const T factor = weight(Vec<T>(old) - shift).raw[0];
      f.sum[r] = f.sum[r] * factor + total;
      rescale(f.out + r * f.out_row, f.out_cols, factor);
    }
  }
}

template <class T>
PYDL_INLINE Vec<T> where_kept(const uint8_t* keep, int n, Vec<T> v) {
  constexpr int lanes = Vec<T>::size;
  T flags[lanes];
  for (int k = 0; k < lanes; ++k) flags[k] = k < n && keep[k] ? T(1) : T(0);
  return select(Vec<T>::load(flags) > T(0), v, Vec<T>(T(0)));
}

template <class T>
void small_tile(const Small<T>& f) {
  constexpr int lanes = Vec<T>::size;
  const Tile<T> t = f.tile;
  for (int64_t r = 0; r < t.rows; ++r) {
    const int64_t valid = valid_keys(t, r);
    T* s = t.s + r * t.s_row;
    Vec<T> sum[2] = {Vec<T>(T(0)), Vec<T>(T(0))};
    int64_t i = 0;
    if (!t.keep) {
      for (; i + 2 * lanes <= valid; i += 2 * lanes) {
#pragma GCC unroll 2
        for (int u = 0; u < 2; ++u) {
          const Vec<T> p = weight<T, true>(Vec<T>::load(s + i + u * lanes));
          sum[u] = sum[u] + p;
          dropped(t, r, i + u * lanes, lanes, p).store(s + i + u * lanes);
        }
      }
    }
    for (; i < valid; i += lanes) {
      const int n = static_cast<int>(valid - i < lanes ? valid - i : lanes);
      Vec<T> p = first_lanes(weight<T, true>(get(s + i, n)), n, T(0));
      if (t.keep) p = where_kept(t.keep + r * t.mask_row + i, n, p);
      sum[0] = sum[0] + p;
      put(s + i, dropped(t, r, i, n, p), n);
    }
    for (i = valid; i < t.cols; ++i) s[i] = 0;
    const T total = reduce_add(sum[0] + sum[1]);
    f.sum[r] = f.first ? total : f.sum[r] + total;
  }
}

// f(i, lanes) gives the vector at column i of a row, `lanes` of it in use.
template <class T, class F>
PYDL_INLINE T square_of_row(int64_t cols, const F& f) {
  constexpr int lanes = Vec<T>::size;
  Vec<T> sum[2] = {Vec<T>(T(0)), Vec<T>(T(0))};
  int64_t i = 0;
  for (; i + 2 * lanes <= cols; i += 2 * lanes) {
    const Vec<T> a = f(i, lanes), b = f(i + lanes, lanes);
    sum[0] = mul_add(a, a, sum[0]);
    sum[1] = mul_add(b, b, sum[1]);
  }
  for (; i < cols; i += lanes) {
    const Vec<T> a = f(i, static_cast<int>(cols - i < lanes ? cols - i : lanes));
    sum[0] = mul_add(a, a, sum[0]);
  }
  return reduce_add(sum[0] + sum[1]);
}
// Keeps infinity; a NaN becomes one.
template <class T>
PYDL_INLINE T larger(T square, T largest) {
  return square <= largest ? largest : square < FloatTraits<T>::infinity ? square : FloatTraits<T>::infinity;
}

template <class T>
T largest_square(const T* p, int64_t row, int64_t rows, int64_t cols) {
  T largest = 0;
  for (int64_t r = 0; r < rows; ++r, p += row) {
    largest = larger(square_of_row<T>(cols, [p](int64_t i, int n) { return get(p + i, n); }), largest);
  }
  return largest;
}

template <class T>
T scale_rows(T* out, const T* p, int64_t row, int64_t rows, int64_t cols, T factor) {
  T largest = 0;
  for (int64_t r = 0; r < rows; ++r, p += row, out += cols) {
    const auto scaled = [=](int64_t i, int n) {
      const Vec<T> v = get(p + i, n) * factor;
      put(out + i, v, n);
      return v;
    };
    largest = larger(square_of_row<T>(cols, scaled), largest);
  }
  return largest;
}

template <class T>
void finish_rows(T* out, int64_t out_row, int64_t out_cols, int64_t rows, const T* max, const T* sum, T* log_sum) {
  constexpr int lanes = Vec<T>::size;
  for (int64_t r = 0; r < rows; ++r, out += out_row) {
    const bool empty = sum[r] == 0;
    const T factor = empty ? T(1) : 1 / sum[r];
    for (int64_t i = 0; i < out_cols; i += lanes) {
      const int n = static_cast<int>(out_cols - i < lanes ? out_cols - i : lanes);
      put(out + i, get(out + i, n) * factor, n);
    }
    log_sum[r] = empty ? FloatTraits<T>::infinity : max[r] + log2(Vec<T>(sum[r])).raw[0];
  }
}

template <class T>
void backward_tile(const Backward<T>& b) {
  constexpr int lanes = Vec<T>::size;
  const Tile<T> t = b.tile;
  for (int64_t r = 0; r < t.rows; ++r) {
    const int64_t valid = valid_keys(t, r);
    T* s = t.s + r * t.s_row;
    T* ds = b.ds + r * t.s_row;
    const Vec<T> shift(b.log_sum[r]), delta(b.delta[r]);
    const bool masked = t.bias || t.keep;
    int64_t i = 0;
    if (!masked) {
      for (; i + 2 * lanes <= valid; i += 2 * lanes) {
#pragma GCC unroll 2
        for (int u = 0; u < 2; ++u) {
          const int64_t c = i + u * lanes;
          const Vec<T> p = weight(Vec<T>::load(s + c) - shift);
          (p * (dropped(t, r, c, lanes, Vec<T>::load(ds + c)) - delta)).store(ds + c);
          dropped(t, r, c, lanes, p).store(s + c);
        }
      }
    }
    for (; i < valid; i += lanes) {
      const int n = static_cast<int>(valid - i < lanes ? valid - i : lanes);
      const Vec<T> p = weight((masked ? score(t, r, i, valid) : get(s + i, n)) - shift);
      put(ds + i, p * (dropped(t, r, i, n, get(ds + i, n)) - delta), n);
      put(s + i, dropped(t, r, i, n, p), n);
    }
    for (i = valid; i < t.cols; ++i) s[i] = ds[i] = 0;
  }
}

template <class T>
void delta_rows(T* delta, const T* out, int64_t out_row, const T* grad, int64_t grad_row, int64_t cols, int64_t rows) {
  constexpr int lanes = Vec<T>::size;
  for (int64_t r = 0; r < rows; ++r, out += out_row, grad += grad_row) {
    Vec<T> sum(T(0));
    for (int64_t i = 0; i < cols; i += lanes) {
      const int n = static_cast<int>(cols - i < lanes ? cols - i : lanes);
      sum = mul_add(get(out + i, n), get(grad + i, n), sum);
    }
    delta[r] = reduce_add(sum);
  }
}

template <class T>
constexpr AttentionTable<T> make_table() {
  return {&forward_tile<T>, &small_tile<T>, &largest_square<T>, &scale_rows<T>, &finish_rows<T>, &backward_tile<T>, &delta_rows<T>};
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::attention::PYDL_ISA {

constinit const AttentionTable<float> table_f32 = simd::PYDL_ISA::make_table<float>();
constinit const AttentionTable<double> table_f64 = simd::PYDL_ISA::make_table<double>();

}  // namespace pydl::kernels::attention::PYDL_ISA
