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
  int32_t pixel[kBlock];
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
  const auto width = static_cast<int32_t>(p.width);
  const double bottom = static_cast<double>(p.height - 1), right = static_cast<double>(p.width - 1);
  for (int i = 0; i < count; ++i) {
    const bool in = (y[i] >= 0) & (y[i] <= bottom) & (x[i] >= 0) & (x[i] <= right);
    const double row = in ? y[i] : 0, column = in ? x[i] : 0;
    t.pixel[i] = static_cast<int32_t>(row) * width + static_cast<int32_t>(column);
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

// The taps of a block of points, and where they lie between the first and the last of these.
template <class T>
struct Block {
  BlockTaps<T> taps[4];
  double px[kBlock], py[kBlock], fx[kBlock], fy[kBlock];

  void fill(const T* grid, const vision::Planes& p, int count) {
    double x0[kBlock], y0[kBlock], x1[kBlock], y1[kBlock], w[kBlock];
    positions(px, grid, 0, p.width, p, count);
    positions(py, grid, 1, p.height, p, count);
    if (p.nearest) {
      for (int i = 0; i < count; ++i) x0[i] = std::rint(px[i]), y0[i] = std::rint(py[i]), w[i] = 1;
      set_taps(taps[0], y0, x0, w, p, count);
      return;
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
  }

  // How fast a position moves with its coordinate: not at all where it is held at the border.
  static void slopes(T* slope, const double* at, int64_t size, const vision::Planes& p, int count) {
    const double last = static_cast<double>(size - 1), rate = static_cast<double>(p.align_corners ? size - 1 : size) / 2;
    for (int i = 0; i < count; ++i) slope[i] = p.border && !(at[i] > 0 && at[i] < last) ? T(0) : static_cast<T>(rate);
  }
};

template <class T>
void sample_planes(void* out_bytes, const void* x_bytes, const void* grid_bytes, const vision::Planes& p) {
  auto* out = static_cast<T*>(out_bytes);
  const auto *x = static_cast<const T*>(x_bytes), *grid = static_cast<const T*>(grid_bytes);
  Block<T> block;
  for (int64_t first = 0; first < p.points; first += kBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kBlock, p.points - first));
    block.fill(grid + 2 * first, p, count);
    if (p.nearest) {
      add_planes<T, 1>(out + first, x, block.taps, p, count);
    } else {
      add_planes<T, 4>(out + first, x, block.taps, p, count);
    }
  }
}

template <class T>
PYDL_INLINE void grid_block(T* dgrid, const T* g, const T* x, const Block<T>& b, const vision::Planes& p, int count) {
  T slope_x[kBlock], slope_y[kBlock];
  Block<T>::slopes(slope_x, b.px, p.width, p, count);
  Block<T>::slopes(slope_y, b.py, p.height, p, count);
  for (int i = 0; i < count; ++i) {
    T v[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const T value = x[b.taps[k].pixel[i]];
      v[k] = b.taps[k].keep[i] != 0 ? value : T(0);
    }
    // A point that looks at nothing has no defined place between pixels either
    const bool any = b.taps[0].keep[i] + b.taps[1].keep[i] + b.taps[2].keep[i] + b.taps[3].keep[i] > 0;
    const T fx = any ? static_cast<T>(b.fx[i]) : T(0), fy = any ? static_cast<T>(b.fy[i]) : T(0);
    const T by_x = (v[1] - v[0]) * (1 - fy) + (v[3] - v[2]) * fy, by_y = (v[2] - v[0]) * (1 - fx) + (v[3] - v[1]) * fx;
    dgrid[2 * i] = g[i] * by_x * slope_x[i];
    dgrid[2 * i + 1] = g[i] * by_y * slope_y[i];
  }
}

template <class T>
void backward_plane(void* dx_bytes, void* dgrid_bytes, const void* g_bytes, const void* x_bytes, const void* grid_bytes,
                    const vision::Planes& p) {
  auto *dx = static_cast<T*>(dx_bytes), *dgrid = static_cast<T*>(dgrid_bytes);
  const auto *g = static_cast<const T*>(g_bytes), *x = static_cast<const T*>(x_bytes), *grid = static_cast<const T*>(grid_bytes);
  Block<T> block;
  for (int64_t first = 0; first < p.points; first += kBlock) {
    const int count = static_cast<int>(std::min<int64_t>(kBlock, p.points - first));
    block.fill(grid + 2 * first, p, count);
    for (int i = 0; i < count && dx; ++i) {
      for (int k = 0; k < (p.nearest ? 1 : 4); ++k) {
        const BlockTaps<T>& t = block.taps[k];
        if (t.keep[i] != 0) dx[t.pixel[i]] += t.weight[i] * g[first + i];
      }
    }
    if (dgrid && !p.nearest) grid_block(dgrid + 2 * first, g + first, x, block, p, count);
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
constinit const vision::GridFns table = {&sample<T>, &sample_planes<T>, &backward_plane<T>, &backward<T>};

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
