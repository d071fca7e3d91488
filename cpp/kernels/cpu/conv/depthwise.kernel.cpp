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
  switch (g.window.stride_w) {
    case 1:
      return sum_rows<T, 1>(g);
    case 2:
      return sum_rows<T, 2>(g);
    default:
      return sum_rows<T, 0>(g);
  }
}

}  // namespace

constinit const DepthwiseTable<float> depthwise_f32 = {conv<float>, sums<float>};
constinit const DepthwiseTable<double> depthwise_f64 = {conv<double>, sums<double>};

}  // namespace pydl::kernels::conv::PYDL_ISA
