#include "kernels/vision/boxes.h"

#include "simd/lanes.h"

namespace pydl::kernels::vision::PYDL_ISA {
namespace {

// In the order of operations of torchvision's nms, so that ties fall alike. A NaN gives no intersection.
template <class T>
PYDL_INLINE T overlap_of(const BoxColumns& b, int64_t i, int64_t j) {
  const T *x1 = static_cast<const T*>(b.x1), *y1 = static_cast<const T*>(b.y1), *x2 = static_cast<const T*>(b.x2),
          *y2 = static_cast<const T*>(b.y2), *area = static_cast<const T*>(b.area);
  const T left = x1[i] < x1[j] ? x1[j] : x1[i], right = x2[j] < x2[i] ? x2[j] : x2[i];
  const T top = y1[i] < y1[j] ? y1[j] : y1[i], bottom = y2[j] < y2[i] ? y2[j] : y2[i];
  const T width = right - left, height = bottom - top;
  const T common = (width > 0 ? width : T(0)) * (height > 0 ? height : T(0));
  return common / (area[i] + area[j] - common);
}

template <class T>
void overlap(void* out, const BoxColumns& b, int64_t i, int64_t begin) {
  auto* to = static_cast<T*>(out);
  for (int64_t j = begin; j < b.count; ++j) to[j] = overlap_of<T>(b, i, j);
}

// The largest T that is not above a double: x > threshold is the same question for either.
template <class T>
PYDL_INLINE T rounded_down(double threshold) {
  T t = static_cast<T>(threshold);
  if (static_cast<double>(t) > threshold) t = static_cast<T>(__builtin_nextafterf(static_cast<float>(t), -__builtin_inff()));
  return t;
}

template <class T>
void suppress(void* gone_bytes, const BoxColumns& b, int64_t i, double threshold) {
  auto* __restrict gone = static_cast<T*>(gone_bytes);
  const T limit = rounded_down<T>(threshold);
  for (int64_t j = i + 1; j < b.count; ++j) gone[j] = overlap_of<T>(b, i, j) > limit ? T(1) : gone[j];
}

template <class T>
void maximum(void* out, int64_t* __restrict arg, const void* x, const Window& w) {
  auto* __restrict best = static_cast<T*>(out);
  const T* values = static_cast<const T*>(x);
  const int64_t first = w.y0 * w.width + w.x0;
  for (int64_t c = 0; c < w.channels; ++c) best[c] = values[first * w.channels + c], arg[c] = first;
  for (int64_t y = w.y0; y < w.y1; ++y) {
    for (int64_t p = y * w.width + w.x0; p < y * w.width + w.x1; ++p) {
      const T* row = values + p * w.channels;
      for (int64_t c = 0; c < w.channels; ++c) {
        const bool better = (row[c] > best[c]) | ((row[c] != row[c]) & (best[c] == best[c]));
        best[c] = better ? row[c] : best[c];
        arg[c] = better ? p : arg[c];
      }
    }
  }
}

template <class T>
constinit const BoxFns table = {&overlap<T>, &suppress<T>};

}  // namespace

constinit const ByDType<const BoxFns*> boxes = [] {
  ByDType<const BoxFns*> t;
  t.slot[static_cast<int>(DType::Float32)] = &table<float>;
  t.slot[static_cast<int>(DType::Float64)] = &table<double>;
  return t;
}();

constinit const ByDType<WindowMaxFn> window_max = [] {
  ByDType<WindowMaxFn> t;
  t.slot[static_cast<int>(DType::Float32)] = &maximum<float>;
  t.slot[static_cast<int>(DType::Float64)] = &maximum<double>;
  return t;
}();

}  // namespace pydl::kernels::vision::PYDL_ISA
