#include "kernels/conv/depthwise.h"

#include "kernels/cpu/conv/lanes.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

// Results are worked on column by column of vectors, so that the ends of rows are looked at once for many rows; as many
// rows at a time as stay in the first-level cache.
constexpr int64_t kBlockBytes = 16 * 1024;

// Where the lanes of one tap of a vector of results lie in a row: places x + stride * i. kStride 0 stands for any.
template <class T, int kStride>
struct Reach {
  int64_t x, stride, width;
  LaneMask<T> low, high;
  PYDL_INLINE Reach(int64_t at, int64_t step, int64_t size)
      : x(at), stride(step), width(size), low(inside<T>(at, size)), high(inside<T>(at + kLanes<T>, size)) {}
  PYDL_INLINE V<T> load(const T* row) const {
    if constexpr (kStride == 1) {
      return load_lanes(row + x, low);
    } else if constexpr (kStride == 2) {
      return even_lanes(load_lanes(row + x, low), load_lanes(row + x + kLanes<T>, high), typename MakeIndices<kLanes<T>>::Type{});
    } else {
      T lane[kLanes<T>];
      for (int i = 0; i < kLanes<T>; ++i) {
        const int64_t place = x + stride * i;
        lane[i] = place >= 0 && place < width ? row[place] : T(0);
      }
      return kernels::load(lane);
    }
  }
};

// The row of plane `in` that row h of the results reads with tap i, or null.
template <class T>
PYDL_INLINE const T* row_of(const Window& w, const T* in, int64_t h, int64_t i) {
  const int64_t y = w.start_h + w.stride_h * h + w.tap_h[i];
  return y >= 0 && y < w.height ? in + y * w.width : nullptr;
}

PYDL_INLINE int64_t block_rows(const Window& w, int size) {
  const int64_t fit = kBlockBytes / size / (w.width * w.stride_h + 1), least = fit > 4 ? fit : 4;
  return least < w.rows ? least : w.rows;
}

// Calls f(first row, last row, first column) for blocks of rows and vectors of columns.
template <class T, class F>
PYDL_INLINE void for_vectors(const Window& w, F&& f) {
  const int64_t rows = block_rows(w, sizeof(T));
  for (int64_t h = 0; h < w.rows; h += rows) {
    const int64_t end = h + rows < w.rows ? h + rows : w.rows;
    for (int64_t x = 0; x < w.columns; x += kLanes<T>) f(h, end, x);
  }
}

template <class T>
PYDL_INLINE void write(T* out, int64_t step, V<T> v, int n) {
  if (step == 1) {
    n == kLanes<T> ? store(out, v) : store_part(out, v, n);
  } else if (step == 2) {
    store_spread<T>(out, v, n);
  } else {
    T lane[kLanes<T>];
    store(lane, v);
    for (int i = 0; i < n; ++i) out[i * step] = lane[i];
  }
}

template <class T>
PYDL_INLINE V<T> read(const T* out, int64_t step, int n) {
  if (step == 1) return load_part(out, n);
  T lane[kLanes<T>] = {};
  for (int i = 0; i < n; ++i) lane[i] = out[i * step];
  return load(lane);
}

// ---- kernels of few taps, side by side, in float32 ----------------------------------------------------------------

// Some rows of results together, so that every row of the planes is loaded once for all rows of results that it adds to.
constexpr int kRows = 4;

template <int kHeight, int kWidth, int kStep>
struct Kernel {
  static constexpr int kHigh = kHeight, kWide = kWidth, kStride = kStep;
};

// Are the taps neighbours? They are in order, or the other way around.
PYDL_INLINE bool are_neighbours(const int64_t* taps, int64_t count, int64_t wanted) {
  if (count != wanted) return false;
  const bool descending = taps[0] != 0;
  for (int64_t i = 0; i < count; ++i) {
    if (taps[i] != (descending ? count - 1 - i : i)) return false;
  }
  return true;
}

// Calls f(Kernel) for the kernel of this window; false if there is none.
template <class F, class... Kernels>
PYDL_INLINE bool with_one_of(const Window& w, F&& f, Kernels... kernels) {
  const auto fits = [&](auto k) {
    return w.stride_h == k.kStride && w.stride_w == k.kStride && are_neighbours(w.tap_h, w.taps_h, k.kHigh) &&
           are_neighbours(w.tap_w, w.taps_w, k.kWide);
  };
  return ((fits(kernels) && (f(kernels), true)) || ...);
}

// Reads the places of the taps of a row for a vector of results at column x.
template <class K>
struct Reaches {
  // Of a stride of 2, an even and an odd tap lie in the same vectors.
  static constexpr int kLoads = K::kStride == 1 ? K::kWide : (K::kWide + 1) / 2;
  int64_t at;
  LaneMask<float> low[kLoads], high[kLoads];
  PYDL_INLINE Reaches(const Window& w, int64_t x) : at(w.start_w + w.stride_w * x) {
#pragma GCC unroll 5
    for (int i = 0; i < kLoads; ++i) {
      low[i] = inside<float>(at + K::kStride * i, w.width);
      high[i] = inside<float>(at + K::kStride * i + kLanes<float>, w.width);
    }
  }
  PYDL_INLINE void load(const float* p, VF* v) const {
#pragma GCC unroll 5
    for (int i = 0; i < kLoads; ++i) {
      if constexpr (K::kStride == 1) {
        v[i] = load_lanes(p + i, low[i]);
      } else {
        const VF a = load_lanes(p + 2 * i, low[i]), b = load_lanes(p + 2 * i + kLanes<float>, high[i]);
        v[2 * i] = even_lanes(a, b, typename MakeIndices<kLanes<float>>::Type{});
        if (2 * i + 1 < K::kWide) v[2 * i + 1] = odd_lanes(a, b, typename MakeIndices<kLanes<float>>::Type{});
      }
    }
  }
};

// Calls f(k, r, v) for those of kCount rows of results from row h on that a row of the plane adds to, with tap row k; v are the
// places of the taps.
template <class K, int kCount, class F>
PYDL_INLINE void for_rows(const Window& w, const Reaches<K>& reaches, const float* in, int64_t h, F&& f) {
  constexpr int kSpan = (kCount - 1) * K::kStride + K::kHigh;
  const int64_t top = w.start_h + w.stride_h * h, width = w.width, height = w.height;
  const float* row = in + top * width + reaches.at;
#pragma GCC unroll 16
  for (int i = 0; i < kSpan; ++i, row += width) {
    if (top + i < 0 || top + i >= height) continue;
    VF v[K::kWide];
    reaches.load(row, v);
#pragma GCC unroll 8
    for (int r = 0; r < kCount; ++r) {
      const int k = i - r * K::kStride;
      if (k >= 0 && k < K::kHigh) f(k, r, v);
    }
  }
}

// The weights in the order of places.
template <class K>
void weights_of(const Window& w, const float* from, float* out) {
  for (int i = 0; i < K::kHigh; ++i) {
    for (int j = 0; j < K::kWide; ++j) out[w.tap_h[i] * K::kWide + w.tap_w[j]] = from[i * K::kWide + j];
  }
}

template <class K, int kCount>
PYDL_INLINE void conv_block(const PlaneConv<float>& g, const float* weights, const Reaches<K>& reaches, int64_t h, int64_t x, int n) {
  VF acc[kCount];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) acc[r] = splat(g.bias);
  for_rows<K, kCount>(g.window, reaches, g.in[0], h, [&](int k, int r, const VF* v) __attribute__((always_inline)) {
#pragma GCC unroll 5
    for (int j = 0; j < K::kWide; ++j) acc[r] = fma(splat(weights[k * K::kWide + j]), v[j], acc[r]);
  });
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) write<float>(g.out + (h + r) * g.out_row + x * g.out_step, g.out_step, acc[r], n);
}

template <class K>
void conv_small(const PlaneConv<float>& g) {
  const Window& w = g.window;
  const int64_t ahead = block_rows(w, sizeof(float)) * w.stride_h * w.width;
  float weights[K::kHigh * K::kWide];
  weights_of<K>(w, g.weight[0], weights);
  for_vectors<float>(w, [&](int64_t first, int64_t last, int64_t x) __attribute__((always_inline)) {
    const Reaches<K> reaches(w, x);
    const int n = clamp_lane(w.columns - x, kLanes<float>);
    const float* next = g.in[0] + w.stride_h * first * w.width + w.stride_w * x + ahead;
    int64_t h = first;
    for (; h + kRows <= last; h += kRows) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) __builtin_prefetch(next + (h - first + r) * w.stride_h * w.width, 0, 2);
      conv_block<K, kRows>(g, weights, reaches, h, x, n);
    }
    if (h < last && last - first >= kRows) {
      conv_block<K, kRows>(g, weights, reaches, last - kRows, x, n);  // some of them twice
      return;
    }
    for (; h < last; ++h) conv_block<K, 1>(g, weights, reaches, h, x, n);
  });
}

bool conv_of_few(const PlaneConv<float>& g) {
  if (g.planes != 1) return false;
  return with_one_of(
      g.window, [&](auto k) { conv_small<decltype(k)>(g); }, Kernel<3, 3, 1>{}, Kernel<3, 3, 2>{}, Kernel<5, 5, 1>{}, Kernel<5, 5, 2>{},
      Kernel<2, 2, 1>{}, Kernel<1, 2, 1>{}, Kernel<2, 1, 1>{}, Kernel<1, 1, 1>{});
}

template <class K, int kCount>
PYDL_INLINE void sum_block(const PlaneSums<float>& g, const Reaches<K>& reaches, LaneMask<float> columns, int64_t h, int64_t x, VF* acc) {
  const Window& w = g.window;
  VF y[kCount];
#pragma GCC unroll 8
  for (int r = 0; r < kCount; ++r) y[r] = load_lanes(g.grad + (h + r) * w.columns + x, columns);
  for_rows<K, kCount>(w, reaches, g.in, h, [&](int k, int r, const VF* v) __attribute__((always_inline)) {
#pragma GCC unroll 5
    for (int j = 0; j < K::kWide; ++j) acc[k * K::kWide + j] = fma(y[r], v[j], acc[k * K::kWide + j]);
  });
}

template <class K>
void sum_small(const PlaneSums<float>& g) {
  const Window& w = g.window;
  const int64_t ahead = block_rows(w, sizeof(float)) * w.stride_h * w.width, grad_ahead = block_rows(w, sizeof(float)) * w.columns;
  constexpr int kTaps = K::kHigh * K::kWide;
  VF total[kTaps] = {};
  for_vectors<float>(w, [&](int64_t first, int64_t last, int64_t x) __attribute__((always_inline)) {
    VF acc[kTaps];  // in registers
#pragma GCC unroll 25
    for (int t = 0; t < kTaps; ++t) acc[t] = total[t];
    const Reaches<K> reaches(w, x);
    const LaneMask<float> columns = inside<float>(x, w.columns);
    const float* next = g.in + w.stride_w * x + ahead;
    int64_t h = first;
    for (; h + kRows <= last; h += kRows) {
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        __builtin_prefetch(next + (h + r) * w.stride_h * w.width, 0, 2);
        __builtin_prefetch(g.grad + (h + r) * w.columns + x + grad_ahead, 0, 2);
      }
      sum_block<K, kRows>(g, reaches, columns, h, x, acc);
    }
    for (; h < last; ++h) sum_block<K, 1>(g, reaches, columns, h, x, acc);
#pragma GCC unroll 25
    for (int t = 0; t < kTaps; ++t) total[t] = acc[t];
  });
  for (int t = 0; t < kTaps; ++t) g.sums[t] += sum_lanes<float>(total[t]);
}

bool sums_of_few(const PlaneSums<float>& g) {
  return with_one_of(
      g.window, [&](auto k) { sum_small<decltype(k)>(g); }, Kernel<3, 3, 1>{}, Kernel<3, 3, 2>{}, Kernel<5, 5, 1>{}, Kernel<5, 5, 2>{});
}

// ---- any taps --------------------------------------------------------------------------------------------------

// Adds taps [j, j + kTaps) of every row of the kernel; the first call begins with the bias.
template <class T, int kStride, int kTaps>
void conv_taps(const PlaneConv<T>& g, int64_t j) {
  const Window& w = g.window;
  const int64_t ahead = block_rows(w, sizeof(T)) * w.stride_h * w.width;  // the next block, or the next plane
  for_vectors<T>(w, [&](int64_t first, int64_t last, int64_t x) {
    const int64_t at = w.start_w + w.stride_w * x;
    const auto reach = [&](int k) { return Reach<T, kStride>(at + w.tap_w[j + (k < kTaps ? k : 0)], w.stride_w, w.width); };
    const Reach<T, kStride> reaches[5] = {reach(0), reach(1), reach(2), reach(3), reach(4)};
    const int n = clamp_lane(w.columns - x, kLanes<T>);
    for (int64_t h = first; h < last; ++h) {
      T* out = g.out + h * g.out_row + x * g.out_step;
      V<T> acc = j == 0 ? splat(g.bias) : read(out, g.out_step, n);
      for (int64_t p = 0; p < g.planes; ++p) {
        for (int64_t i = 0; i < w.taps_h; ++i) {
          const T* row = row_of(w, g.in[p], h, i);
          if (!row) continue;
          const T* weight = g.weight[p] + i * w.taps_w + j;
          if (i == 0) __builtin_prefetch(row + at + ahead, 0, 2);
#pragma GCC unroll 5
          for (int k = 0; k < kTaps; ++k) acc = fma(splat(weight[k]), reaches[k].load(row), acc);
        }
      }
      write<T>(out, g.out_step, acc, n);
    }
  });
}

template <class T, int kStride>
void conv_rows(const PlaneConv<T>& g) {
  int64_t j = 0;
  for (; g.window.taps_w - j >= 5; j += 5) conv_taps<T, kStride, 5>(g, j);
  for (; g.window.taps_w - j >= 3; j += 3) conv_taps<T, kStride, 3>(g, j);
  for (; g.window.taps_w - j >= 2; j += 2) conv_taps<T, kStride, 2>(g, j);
  for (; j < g.window.taps_w; ++j) conv_taps<T, kStride, 1>(g, j);
}

template <class T>
void conv(const PlaneConv<T>& g) {
  if constexpr (sizeof(T) == 4) {
    if (conv_of_few(g)) return;
  }
  switch (g.window.stride_w) {
    case 1:
      return conv_rows<T, 1>(g);
    case 2:
      return conv_rows<T, 2>(g);
    default:
      return conv_rows<T, 0>(g);
  }
}

// ---- the gradient of the kernel --------------------------------------------------------------------------------

// Taps [j, j + kTaps) of row i of the kernel.
template <class T, int kStride, int kTaps>
void sum_taps(const PlaneSums<T>& g, int64_t i, int64_t j) {
  const Window& w = g.window;
  V<T> acc[kTaps] = {};
  const int64_t ahead = block_rows(w, sizeof(T)) * w.stride_h * w.width, grad_ahead = block_rows(w, sizeof(T)) * w.columns;
  for_vectors<T>(w, [&](int64_t first, int64_t last, int64_t x) {
    const int64_t at = w.start_w + w.stride_w * x;
    const auto reach = [&](int k) { return Reach<T, kStride>(at + w.tap_w[j + (k < kTaps ? k : 0)], w.stride_w, w.width); };
    const Reach<T, kStride> reaches[5] = {reach(0), reach(1), reach(2), reach(3), reach(4)};
    const LaneMask<T> columns = inside<T>(x, w.columns);
    for (int64_t h = first; h < last; ++h) {
      const T* row = row_of(w, g.in, h, i);
      if (!row) continue;
      if (i == 0) {
        __builtin_prefetch(row + at + ahead, 0, 2);
        __builtin_prefetch(g.grad + h * w.columns + x + grad_ahead, 0, 2);
      }
      const V<T> y = load_lanes(g.grad + h * w.columns + x, columns);
#pragma GCC unroll 5
      for (int k = 0; k < kTaps; ++k) acc[k] = fma(y, reaches[k].load(row), acc[k]);
    }
  });
#pragma GCC unroll 5
  for (int k = 0; k < kTaps; ++k) g.sums[i * w.taps_w + j + k] += sum_lanes<T>(acc[k]);
}

template <class T, int kStride>
void sum_rows(const PlaneSums<T>& g) {
  for (int64_t i = 0; i < g.window.taps_h; ++i) {
    int64_t j = 0;
    for (; g.window.taps_w - j >= 5; j += 5) sum_taps<T, kStride, 5>(g, i, j);
    for (; g.window.taps_w - j >= 3; j += 3) sum_taps<T, kStride, 3>(g, i, j);
    for (; j < g.window.taps_w; ++j) sum_taps<T, kStride, 1>(g, i, j);
  }
}

template <class T>
void sums(const PlaneSums<T>& g) {
  if constexpr (sizeof(T) == 4) {
    if (sums_of_few(g)) return;
  }
  switch (g.window.stride_w) {
    case 1:
      return sum_rows<T, 1>(g);
    case 2:
      return sum_rows<T, 2>(g);
    default:
      return sum_rows<T, 0>(g);
  }
}

// ---- the gradient of the planes, stride 2 ------------------------------------------------------------------------

// Column 2 w - padding has the outer taps of results w and w - 1, the column behind it the middle tap of w; rows likewise. Every
// row of results is loaded once, and every row of the plane written once.
template <class T>
void spread(const PlaneSpread<T>& args) {
  constexpr int L = kLanes<T>;
  const PlaneSpread<T> g = args;
  V<T> weight[9];
  for (int i = 0; i < 9; ++i) weight[i] = splat(g.weight[i]);
  const V<T> bias = splat(g.bias);
  const int64_t last = (g.height - 1 + g.padding_h) / 2;
  for (int64_t w = g.padding_w / 2; 2 * w - g.padding_w < g.width; w += L) {
    const int64_t x = 2 * w - g.padding_w;
    const LaneMask<T> here = inside<T>(w, g.columns), before = inside<T>(w - 1, g.columns);
    const LaneMask<T> low = inside<T>(x, g.width), high = inside<T>(x + L, g.width);
    const auto read = [&](int64_t h, V<T>* v) __attribute__((always_inline)) {
      const bool valid = h >= 0 && h < g.rows;
      const T* row = g.grad + h * g.columns + w;
      v[0] = valid ? load_lanes(row, here) : V<T>{};
      v[1] = valid ? load_lanes(row - 1, before) : V<T>{};
    };
    const auto write = [&](int64_t y, V<T> even, V<T> odd) __attribute__((always_inline)) {
      V<T> flat[2];
      zip(even, odd, flat);
      T* row = g.in + y * g.width + x;
      store_lanes(row, flat[0], low);
      store_lanes(row + L, flat[1], high);
    };
    V<T> v[2], above[2];
    read(g.padding_h / 2 - 1, above);
    for (int64_t h = g.padding_h / 2; h <= last; ++h) {
      read(h, v);
      const int64_t y = 2 * h - g.padding_h;
      if (y >= 0) {
        const V<T> even = fma(weight[2], v[1], fma(weight[0], v[0], bias));
        write(y, fma(weight[8], above[1], fma(weight[6], above[0], even)), fma(weight[7], above[0], fma(weight[1], v[0], bias)));
      }
      if (y + 1 < g.height) write(y + 1, fma(weight[5], v[1], fma(weight[3], v[0], bias)), fma(weight[4], v[0], bias));
      above[0] = v[0];
      above[1] = v[1];
    }
  }
}

}  // namespace

constinit const DepthwiseTable<float> depthwise_f32 = {conv<float>, sums<float>, spread<float>};
constinit const DepthwiseTable<double> depthwise_f64 = {conv<double>, sums<double>, spread<double>};

}  // namespace pydl::kernels::conv::PYDL_ISA
