#include "kernels/vision/grid.h"

#include <algorithm>
#include <cmath>

#include "simd/lanes.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;
using vision::Taps;

template <class T>
void sample(void* out, const void* x_bytes, const Taps& t) {
  const auto* x = static_cast<const T*>(x_bytes);
  for (int64_t p = 0; p < t.points; ++p) {
    const int64_t* pixel = t.pixel + p * t.taps;
    const T* w = static_cast<const T*>(t.weight) + p * t.taps;
    T* to = static_cast<T*>(out) + p * t.stride;
    visit<T>(t.channels, [&](int64_t c, int lanes) __attribute__((always_inline)) {
      Vec<T> sum(T(0));
      for (int64_t k = 0; k < t.taps; ++k) {
        if (pixel[k] >= 0) sum = mul_add(load_lanes(x + pixel[k] * t.stride + c, lanes), Vec<T>(w[k]), sum);
      }
      store_lanes(to + c, sum, lanes);
    });
  }
}

constexpr int kBlock = 64;

// A tap of each point of a block: its pixel, 0 where it looks at none, whether it looks at one, and its weight.
template <class T>
struct BlockTaps {
  int64_t pixel[kBlock];
  T weight[kBlock], keep[kBlock];
};

// Positions along an axis, in pixels.
template <class T>
PYDL_INLINE void positions(double* at, const T* grid, int axis, int64_t size, const vision::Planes& p, int count) {
  const double n = static_cast<double>(size), scale = p.align_corners ? (n - 1) / 2 : n / 2, shift = p.align_corners ? 0.0 : 0.5;
  const double last = n - 1;
  for (int i = 0; i < count; ++i) at[i] = (static_cast<double>(grid[2 * i + axis]) + 1) * scale - shift;
  if (p.border) {
    for (int i = 0; i < count; ++i) at[i] = at[i] > 0 ? (at[i] < last ? at[i] : last) : 0;  // NaN: 0
  }
}

// The tap of pixel (y, x), where these lie inside the image.
template <class T>
PYDL_INLINE void set_taps(BlockTaps<T>& t, const double* y, const double* x, const double* weight, const vision::Planes& p, int count) {
  const double bottom = static_cast<double>(p.height - 1), right = static_cast<double>(p.width - 1);
  for (int i = 0; i < count; ++i) {
    const bool in = (y[i] >= 0) & (y[i] <= bottom) & (x[i] >= 0) & (x[i] <= right);
    const double row = in ? y[i] : 0, column = in ? x[i] : 0;
    t.pixel[i] = static_cast<int64_t>(row) * p.width + static_cast<int64_t>(column);
    t.keep[i] = in ? T(1) : T(0);
    t.weight[i] = in ? static_cast<T>(weight[i]) : T(0);
  }
}

template <class T, int Taps>
PYDL_INLINE void add_planes(T* out, const T* x, const BlockTaps<T>* taps, const vision::Planes& p, int count) {
  for (int64_t c = 0; c < p.channels; ++c) {
    const T* plane = x + c * p.height * p.width;
    T* to = out + c * p.out_plane;
    for (int i = 0; i < count; ++i) {
      T sum(0);
#pragma GCC unroll 4
      for (int k = 0; k < Taps; ++k) {
        const T value = plane[taps[k].pixel[i]];
        sum += taps[k].keep[i] != 0 ? value * taps[k].weight[i] : T(0);  // what is not looked at may be NaN
      }
      to[i] = sum;
    }
  }
}

template <class T>
void sample_planes(void* out_bytes, const void* x_bytes, const void* grid_bytes, const vision::Planes& p) {
  auto* out = static_cast<T*>(out_bytes);
  const auto *x = static_cast<const T*>(x_bytes), *grid = static_cast<const T*>(grid_bytes);
  BlockTaps<T> taps[4];
  double px[kBlock], py[kBlock], x0[kBlock], y0[kBlock], x1[kBlock], y1[kBlock], fx[kBlock], fy[kBlock], w[kBlock];
  for (int64_t first = 0; first < p.points; first += kBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kBlock, p.points - first));
    positions(px, grid + 2 * first, 0, p.width, p, count);
    positions(py, grid + 2 * first, 1, p.height, p, count);
    if (p.nearest) {
      for (int i = 0; i < count; ++i) x0[i] = std::rint(px[i]), y0[i] = std::rint(py[i]), w[i] = 1;
      set_taps(taps[0], y0, x0, w, p, count);
      add_planes<T, 1>(out + first, x, taps, p, count);
      continue;
    }
    for (int i = 0; i < count; ++i) {
      x0[i] = std::floor(px[i]), y0[i] = std::floor(py[i]);
      x1[i] = x0[i] + 1, y1[i] = y0[i] + 1;
      fx[i] = px[i] - x0[i], fy[i] = py[i] - y0[i];
    }
    for (int i = 0; i < count; ++i) w[i] = (1 - fy[i]) * (1 - fx[i]);
    set_taps(taps[0], y0, x0, w, p, count);
    for (int i = 0; i < count; ++i) w[i] = (1 - fy[i]) * fx[i];
    set_taps(taps[1], y0, x1, w, p, count);
    for (int i = 0; i < count; ++i) w[i] = fy[i] * (1 - fx[i]);
    set_taps(taps[2], y1, x0, w, p, count);
    for (int i = 0; i < count; ++i) w[i] = fy[i] * fx[i];
    set_taps(taps[3], y1, x1, w, p, count);
    add_planes<T, 4>(out + first, x, taps, p, count);
  }
}

template <class T, int Axes>
PYDL_INLINE void backward_points(T* dx, T* dgrid, const T* grad, const T* x, const Taps& t, const void* const* slope) {
  for (int64_t p = 0; p < t.points; ++p) {
    const int64_t* pixel = t.pixel + p * t.taps;
    const T* w = static_cast<const T*>(t.weight) + p * t.taps;
    const T* g = grad + p * t.stride;
    Vec<T> sums[3] = {Vec<T>(T(0)), Vec<T>(T(0)), Vec<T>(T(0))};
    for (int64_t k = 0; k < t.taps; ++k) {
      if (pixel[k] < 0) continue;
      const int64_t at = pixel[k] * t.stride;
      const Vec<T> weight(w[k]);
      Vec<T> rate[3];
      for (int a = 0; a < Axes; ++a) rate[a] = Vec<T>(static_cast<const T*>(slope[a])[p * t.taps + k]);
      visit<T>(t.channels, [&](int64_t c, int lanes) __attribute__((always_inline)) {
        const Vec<T> value = load_lanes(g + c, lanes);
        if (dx) store_lanes(dx + at + c, mul_add(value, weight, load_lanes(dx + at + c, lanes)), lanes);
        if (Axes == 0) return;
        const Vec<T> product = value * load_lanes(x + at + c, lanes);
#pragma GCC unroll 3
        for (int a = 0; a < Axes; ++a) sums[a] = mul_add(product, rate[a], sums[a]);
      });
    }
#pragma GCC unroll 3
    for (int a = 0; a < Axes; ++a) dgrid[p * Axes + Axes - 1 - a] = reduce_add(sums[a]);
  }
}
template <class T>
void backward(void* dx_bytes, void* dgrid_bytes, const void* g_bytes, const void* x_bytes, const Taps& t, const void* const* slope,
              int64_t axes) {
  auto *dx = static_cast<T*>(dx_bytes), *dgrid = static_cast<T*>(dgrid_bytes);
  const auto *x = static_cast<const T*>(x_bytes), *g = static_cast<const T*>(g_bytes);
  if (!dgrid) {
    backward_points<T, 0>(dx, dgrid, g, x, t, slope);
  } else if (axes == 2) {
    backward_points<T, 2>(dx, dgrid, g, x, t, slope);
  } else {
    backward_points<T, 3>(dx, dgrid, g, x, t, slope);
  }
}

template <class T>
constinit const vision::GridFns table = {&sample<T>, &sample_planes<T>, &backward<T>};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::vision::PYDL_ISA {

constinit const ByDType<const GridFns*> grid = [] {
  ByDType<const GridFns*> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::table<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::table<double>;
  return t;
}();

}  // namespace pydl::kernels::vision::PYDL_ISA
