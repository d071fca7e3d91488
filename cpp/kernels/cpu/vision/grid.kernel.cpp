#include "kernels/vision/grid.h"

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
constinit const vision::GridFns table = {&sample<T>, &backward<T>};

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
