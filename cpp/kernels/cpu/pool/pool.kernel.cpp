// Every result is found in two steps: over the rows of its window, for a whole row of columns at a time, and then over the
// columns of that row. The maxima of two or three columns, two columns apart, are found in one.
#include "kernels/pool/pool.h"

#include "kernels/cpu/conv/lanes.h"

namespace pydl::kernels::pool::PYDL_ISA {
namespace {

template <class T>
struct PlaceType;
template <>
struct PlaceType<float> {
  using Type = int32_t;
};
template <>
struct PlaceType<double> {
  using Type = int64_t;
};
// Places in the plane, as wide as the values, so that one mask serves both.
template <class T>
using Place = typename PlaceType<T>::Type;

using VI32 = int32_t __attribute__((vector_size(kVectorBytes)));
using VI64 = int64_t __attribute__((vector_size(kVectorBytes)));
template <class T>
struct PlaceVector;
template <>
struct PlaceVector<float> {
  using Type = VI32;
};
template <>
struct PlaceVector<double> {
  using Type = VI64;
};
template <class T>
using VP = typename PlaceVector<T>::Type;

template <class T>
PYDL_INLINE VP<T> load_places(const Place<T>* p) {
  VP<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
PYDL_INLINE void store_places(Place<T>* p, VP<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
template <class T>
PYDL_INLINE VP<T> iota() {
  VP<T> v;
  for (int i = 0; i < kLanes<T>; ++i) v[i] = i;
  return v;
}

template <class T, class X>
PYDL_INLINE X even(X a, X b) {
  return conv::even_lanes(a, b, typename MakeIndices<kLanes<T>>::Type{});
}
template <class T, class X>
PYDL_INLINE X odd(X a, X b) {
  return conv::odd_lanes(a, b, typename MakeIndices<kLanes<T>>::Type{});
}

// ---- maxima ----------------------------------------------------------------------------------------------------

template <class T>
constexpr T kLowest = -__builtin_huge_val();

// The largest of each column over the rows of window (d, h), and where it is.
template <class T>
void max_of_columns(const Windows& w, const T* in, int64_t od, int64_t oh, T* value, Place<T>* place) {
  constexpr int L = kLanes<T>;
  const int64_t width = w.in[2];
  bool first = true;
  for (int64_t d = w.begin[0][od]; d < w.end[0][od]; d += w.step[0]) {
    for (int64_t h = w.begin[1][oh]; h < w.end[1][oh]; h += w.step[1]) {
      const int64_t row = (d * w.in[1] + h) * width;
      const T* from = in + row;
      for (int64_t x = 0; x < width; x += L) {
        const int64_t left = width - x;
        const V<T> v = left >= L ? load(from + x) : load_part(from + x, static_cast<int>(left));
        const VP<T> here = iota<T>() + static_cast<Place<T>>(row + x);
        if (first) {
          store(value + x, v);
          store_places<T>(place + x, here);
        } else {
          const V<T> best = load(value + x);
          const VP<T> better = (v > best) | (v != v);
          store(value + x, better ? v : best);
          store_places<T>(place + x, better ? here : load_places<T>(place + x));
        }
      }
      first = false;
    }
  }
  // The last vector may have gone beyond the row.
  for (int64_t x = width; x < (width + L - 1) / L * L; ++x) {
    value[x] = kLowest<T>;
    place[x] = static_cast<Place<T>>(0x7fffffff);
  }
}

// Is (v, at) to replace (best, where)? Of equal values the earlier place counts, of NaNs the last, as a scan would have it.
template <class X, class P>
PYDL_INLINE auto replaces(X v, P at, X best, P where) {
  return (v > best) | ((v == best) & (at < where)) | ((v != v) & ((best == best) | (at > where)));
}

template <class T, int S>
void max_of_row(const Windows& w, const T* value, const Place<T>* place, T* out, int32_t* index) {
  constexpr int L = kLanes<T>;
  for (int64_t o = 0; o < w.out[2]; o += L) {
    V<T> best{};
    VP<T> where{};
    for (int64_t k = 0; k < w.taps; ++k) {
      const int64_t x = o * S + k * w.step[2];
      V<T> v = load(value + x);
      VP<T> at = load_places<T>(place + x);
      if constexpr (S == 2) {
        v = even<T>(v, load(value + x + L));
        at = even<T>(at, load_places<T>(place + x + L));
      }
      if (k == 0) {
        best = v;
        where = at;
      } else {
        const VP<T> better = replaces(v, at, best, where);
        best = better ? v : best;
        where = better ? at : where;
      }
    }
    const int64_t left = w.out[2] - o;
    if (left >= L) {
      store(out + o, best);
      for (int i = 0; i < L; ++i) index[o + i] = static_cast<int32_t>(where[i]);
    } else {
      store_part(out + o, best, static_cast<int>(left));
      Place<T> part[L];
      store_places<T>(part, where);
      for (int64_t i = 0; i < left; ++i) index[o + i] = static_cast<int32_t>(part[i]);
    }
  }
}

template <class T>
void max_of_windows(const Windows& w, const T* value, const Place<T>* place, T* out, int32_t* index) {
  for (int64_t o = 0; o < w.out[2]; ++o) {
    int64_t x = w.begin[2][o];
    T best = value[x];
    Place<T> where = place[x];
    for (x += w.step[2]; x < w.end[2][o]; x += w.step[2]) {
      if (replaces(value[x], place[x], best, where)) {
        best = value[x];
        where = place[x];
      }
    }
    out[o] = best;
    index[o] = static_cast<int32_t>(where);
  }
}

template <class T>
PYDL_INLINE void store_index(int32_t* index, VP<T> where, int n) {
  Place<T> lane[kLanes<T>];
  store_places<T>(lane, where);
  for (int i = 0; i < n; ++i) index[i] = static_cast<int32_t>(lane[i]);
}
template <>
PYDL_INLINE void store_index<float>(int32_t* index, VI32 where, int n) {
  float* p = reinterpret_cast<float*>(index);  // moved, not computed with
  n == kLanes<float> ? store(p, (VF)where) : store_part(p, (VF)where, n);
}

// A vector of results from column o on, of kTaps columns two apart. Without kInside some columns may lie outside of the rows.
template <class T, int kTaps, bool kInside>
PYDL_INLINE void max_by_two(const Windows& w, const T* in, int64_t od, int64_t oh, int64_t o, T* out, int32_t* index) {
  constexpr int L = kLanes<T>, kLoads = (kTaps + 1) / 2 * 2;
  const int64_t x = 2 * o - w.padding, width = w.in[2];
  conv::LaneMask<T> masks[kLoads];
  VP<T> outside[kLoads];
  if constexpr (!kInside) {
    for (int i = 0; i < kLoads; ++i) {
      const int64_t at = x + i / 2 * 2 + i % 2 * L;
      masks[i] = conv::inside<T>(at, width);
      const VP<T> place = iota<T>() + static_cast<Place<T>>(at);
      outside[i] = (place < 0) | (place >= static_cast<Place<T>>(width));
    }
  }
  const VP<T> columns = 2 * iota<T>() + static_cast<Place<T>>(x);
  V<T> best = splat(kLowest<T>);
  VP<T> where = (columns < 0 ? VP<T>{} : columns) + static_cast<Place<T>>((w.begin[0][od] * w.in[1] + w.begin[1][oh]) * width);
  for (int64_t d = w.begin[0][od]; d < w.end[0][od]; d += w.step[0]) {
    for (int64_t h = w.begin[1][oh]; h < w.end[1][oh]; h += w.step[1]) {
      const int64_t row = (d * w.in[1] + h) * width;
      V<T> v[kLoads];
#pragma GCC unroll 4
      for (int i = 0; i < kLoads; ++i) {
        const T* from = in + row + x + i / 2 * 2 + i % 2 * L;
        if constexpr (kInside) {
          v[i] = load(from);
        } else {
          v[i] = outside[i] ? splat(kLowest<T>) : conv::load_lanes(from, masks[i]);
        }
      }
#pragma GCC unroll 3
      for (int k = 0; k < kTaps; ++k) {
        const V<T> a = v[k / 2 * 2], b = v[k / 2 * 2 + 1], value = k % 2 ? odd<T>(a, b) : even<T>(a, b);
        const VP<T> better = (value > best) | (value != value);
        best = better ? value : best;
        where = better ? columns + static_cast<Place<T>>(row + k) : where;
      }
    }
  }
  const int n = conv::clamp_lane(w.out[2] - o, L);
  n == L ? store(out + o, best) : store_part(out + o, best, n);
  store_index<T>(index + o, where, n);
}

template <class T, int kTaps>
void max_by_two(const Windows& w, const T* in, T* out, int32_t* index) {
  constexpr int L = kLanes<T>;
  for (int64_t d = 0; d < w.out[0]; ++d) {
    for (int64_t h = 0; h < w.out[1]; ++h, out += w.out[2], index += w.out[2]) {
      for (int64_t o = 0; o < w.out[2]; o += L) {
        const int64_t x = 2 * o - w.padding, reach = x + 2 * L + (kTaps > 2 ? 2 : 0);
        if (x >= 0 && reach <= w.in[2]) {
          max_by_two<T, kTaps, true>(w, in, d, h, o, out, index);
        } else {
          max_by_two<T, kTaps, false>(w, in, d, h, o, out, index);
        }
      }
    }
  }
}

template <class T>
void max(const Windows& w, const T* in, T* out, int32_t* index, void* scratch) {
  if (w.stride == 2 && w.step[2] == 1 && w.taps == 2) return max_by_two<T, 2>(w, in, out, index);
  if (w.stride == 2 && w.step[2] == 1 && w.taps == 3) return max_by_two<T, 3>(w, in, out, index);
  const bool plain = w.stride == 1 || w.stride == 2;
  const int64_t reach = scratch_size(w) / 2, pad = plain ? w.padding : 0;
  T* value = static_cast<T*>(scratch);
  Place<T>* place = reinterpret_cast<Place<T>*>(static_cast<char*>(scratch) + reach * 8);
  if (plain) {
    for (int64_t x = 0; x < reach; ++x) {
      value[x] = kLowest<T>;
      place[x] = static_cast<Place<T>>(0x7fffffff);
    }
  }
  for (int64_t d = 0; d < w.out[0]; ++d) {
    for (int64_t h = 0; h < w.out[1]; ++h, out += w.out[2], index += w.out[2]) {
      max_of_columns(w, in, d, h, value + pad, place + pad);
      if (w.stride == 1) {
        max_of_row<T, 1>(w, value, place, out, index);
      } else if (w.stride == 2) {
        max_of_row<T, 2>(w, value, place, out, index);
      } else {
        max_of_windows(w, value, place, out, index);
      }
    }
  }
}

// ---- means -----------------------------------------------------------------------------------------------------

template <class T>
void sum_of_columns(const Windows& w, const T* in, int64_t od, int64_t oh, T* total) {
  constexpr int L = kLanes<T>;
  const int64_t width = w.in[2];
  for (int64_t x = 0; x < width; x += L) {
    const int n = static_cast<int>(width - x < L ? width - x : L);
    V<T> sum{};
    for (int64_t d = w.begin[0][od]; d < w.end[0][od]; ++d) {
      const T* from = in + (d * w.in[1] + w.begin[1][oh]) * width + x;
      const int64_t rows = w.end[1][oh] - w.begin[1][oh];
      for (int64_t h = 0; h < rows; ++h) sum += n == L ? load(from + h * width) : load_part(from + h * width, n);
    }
    if (n == L) {
      store(total + x, sum);
    } else {
      store_part(total + x, sum, n);
    }
  }
}

template <class T, int S>
void sum_of_row(const Windows& w, const T* total, const T* divisor, T rows, T* out) {
  constexpr int L = kLanes<T>;
  for (int64_t o = 0; o < w.out[2]; o += L) {
    V<T> sum{};
    for (int64_t k = 0; k < w.taps; ++k) {
      const T* from = total + o * S + k;
      if constexpr (S == 1) {
        sum += load(from);
      } else {
        sum += even<T>(load(from), load(from + L));
      }
    }
    const int64_t left = w.out[2] - o;
    if (left >= L) {
      store(out + o, sum / (splat(rows) * load(divisor + o)));
    } else {
      const int n = static_cast<int>(left);
      store_part(out + o, sum / (splat(rows) * load_part(divisor + o, n)), n);
    }
  }
}

template <class T>
void mean(const Windows& w, const T* in, const T* const* divisor, T* out, void* scratch) {
  const bool plain = w.stride == 1 || w.stride == 2;
  T* total = static_cast<T*>(scratch);
  const int64_t reach = scratch_size(w) / 2, pad = plain ? w.padding : 0;
  if (plain) {
    for (int64_t x = 0; x < reach; ++x) total[x] = T(0);
  }
  for (int64_t d = 0; d < w.out[0]; ++d) {
    for (int64_t h = 0; h < w.out[1]; ++h, out += w.out[2]) {
      const T rows = divisor[0][d] * divisor[1][h];
      sum_of_columns(w, in, d, h, total + pad);
      if (w.stride == 1) {
        sum_of_row<T, 1>(w, total, divisor[2], rows, out);
      } else if (w.stride == 2) {
        sum_of_row<T, 2>(w, total, divisor[2], rows, out);
      } else {
        for (int64_t o = 0; o < w.out[2]; ++o) {
          T sum = 0;
          for (int64_t x = w.begin[2][o]; x < w.end[2][o]; ++x) sum += total[x];
          out[o] = sum / (rows * divisor[2][o]);
        }
      }
    }
  }
}

template <class X, int... I>
PYDL_INLINE X low_pairs(X a, X b, Indices<I...>) {
  constexpr int L = sizeof...(I);
  return __builtin_shufflevector(a, b, ((I % 2) * L + I / 2)...);
}
template <class X, int... I>
PYDL_INLINE X high_pairs(X a, X b, Indices<I...>) {
  constexpr int L = sizeof...(I);
  return __builtin_shufflevector(a, b, ((I % 2) * L + L / 2 + I / 2)...);
}

// row[o * S + k] = the sum of share[o] for k < taps, from the side of the row: no sum waits for the one before it.
template <class T, int S>
void spread_row(const Windows& w, const T* share, T* row) {
  constexpr int L = kLanes<T>;
  const auto lanes = typename MakeIndices<L>::Type{};
  const int64_t length = w.in[2] + w.padding;
  for (int64_t i = 0; i * S < length; i += L) {
    V<T> sum[S]{};
    for (int64_t k = 0; k < w.taps; ++k) sum[k % S] += load(share + i - k / S);
    if constexpr (S == 1) {
      store(row + i, sum[0]);
    } else {
      store(row + 2 * i, low_pairs(sum[0], sum[1], lanes));
      store(row + 2 * i + L, high_pairs(sum[0], sum[1], lanes));
    }
  }
}

template <class T>
void shares(const Windows& w, const T* out, const T* divisor, T rows, T* share) {
  constexpr int L = kLanes<T>;
  int64_t o = 0;
  for (; o + L <= w.out[2]; o += L) store(share + o, load(out + o) / (splat(rows) * load(divisor + o)));
  for (; o < w.out[2]; ++o) share[o] = out[o] / (rows * divisor[o]);
}

template <class T>
void spread(const Windows& w, const T* out, const T* const* divisor, T* in, void* scratch) {
  constexpr int L = kLanes<T>;
  const bool plain = w.stride == 1 || w.stride == 2;
  const int64_t width = w.in[2], size = w.in[0] * w.in[1] * width, reach = scratch_size(w) / 2;
  T* buffer = static_cast<T*>(scratch);
  T* row = buffer + (plain ? w.padding : 0);
  T* share = buffer + reach + w.taps;  // with zeros around it
  for (int64_t x = 0; x < 2 * reach; ++x) buffer[x] = T(0);
  for (int64_t i = 0; i < size; ++i) in[i] = T(0);
  for (int64_t d = 0; d < w.out[0]; ++d) {
    for (int64_t h = 0; h < w.out[1]; ++h, out += w.out[2]) {
      shares(w, out, divisor[2], divisor[0][d] * divisor[1][h], share);
      if (w.stride == 1) {
        spread_row<T, 1>(w, share, buffer);
      } else if (w.stride == 2) {
        spread_row<T, 2>(w, share, buffer);
      } else {
        for (int64_t x = 0; x < width; ++x) row[x] = T(0);
        for (int64_t o = 0; o < w.out[2]; ++o) {
          for (int64_t x = w.begin[2][o]; x < w.end[2][o]; ++x) row[x] += share[o];
        }
      }
      for (int64_t i = w.begin[0][d]; i < w.end[0][d]; ++i) {
        for (int64_t j = w.begin[1][h]; j < w.end[1][h]; ++j) {
          T* to = in + (i * w.in[1] + j) * width;
          int64_t x = 0;
          for (; x + L <= width; x += L) store(to + x, load(to + x) + load(row + x));
          for (; x < width; ++x) to[x] += row[x];
        }
      }
    }
  }
}

template <class T>
constexpr PoolTable<T> make_table() {
  return {max<T>, mean<T>, spread<T>};
}

}  // namespace

constinit const PoolTable<float> pool_f32 = make_table<float>();
constinit const PoolTable<double> pool_f64 = make_table<double>();

}  // namespace pydl::kernels::pool::PYDL_ISA
