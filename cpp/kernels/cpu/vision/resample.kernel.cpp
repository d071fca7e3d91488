#include "kernels/vision/resample.h"

#include "simd/lanes.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;
using vision::Axis;

// Twice as long with two taps, as most upsampling is: where the weights repeat, pairs of results need no table.
template <class T>
bool doubles(const Axis& a, T even[2], T odd[2]) {
  if (a.taps != 2 || a.out != 2 * a.in || a.in < 8) return false;
  const auto* w = static_cast<const T*>(a.weights);
  for (int t = 0; t < 2; ++t) even[t] = w[2 * 4 + t], odd[t] = w[2 * 5 + t];
  for (int64_t j = 2; j < a.out - 2; ++j) {
    const T* expected = j % 2 ? odd : even;
    if (a.count[j] != 2 || a.start[j] != (j - 1) / 2 || w[2 * j] != expected[0] || w[2 * j + 1] != expected[1]) return false;
  }
  return true;
}
// Half as long with four taps: the derivative of the same.
template <class T>
bool halves(const Axis& a, T pattern[4]) {
  if (a.taps != 4 || a.in != 2 * a.out || a.out < 8) return false;
  const auto* w = static_cast<const T*>(a.weights);
  for (int t = 0; t < 4; ++t) pattern[t] = w[4 * 4 + t];
  for (int64_t j = 2; j < a.out - 2; ++j) {
    if (a.count[j] != 4 || a.start[j] != 2 * j - 1) return false;
    for (int t = 0; t < 4; ++t) {
      if (w[4 * j + t] != pattern[t]) return false;
    }
  }
  return true;
}

template <class T>
PYDL_INLINE T place(const T* row, const Axis& a, int64_t j) {
  const T* w = static_cast<const T*>(a.weights) + j * a.taps;
  const T* x = row + a.start[j];
  T sum = w[0] * x[0];
  for (int64_t t = 1; t < a.count[j]; ++t) sum += w[t] * x[t];
  return sum;
}
template <class T>
void along(T* out, const T* in, const Axis& a, int64_t begin, int64_t end) {
  T even[2] = {}, odd[2] = {}, pattern[4] = {};
  const auto* w = static_cast<const T*>(a.weights);
  const bool twice = doubles(a, even, odd), half = halves(a, pattern);
  for (int64_t r = begin; r < end; ++r) {
    const T* row = in + r * a.in;
    T* to = out + r * a.out;
    if (twice) {
      to[0] = place(row, a, 0), to[a.out - 1] = place(row, a, a.out - 1);
      for (int64_t k = 0; k < a.in - 1; ++k) {
        to[2 * k + 1] = row[k] * odd[0] + row[k + 1] * odd[1];
        to[2 * k + 2] = row[k] * even[0] + row[k + 1] * even[1];
      }
      to[1] = place(row, a, 1), to[a.out - 2] = place(row, a, a.out - 2);
    } else if (half) {
      for (int64_t j = 0; j < 2; ++j) to[j] = place(row, a, j), to[a.out - 1 - j] = place(row, a, a.out - 1 - j);
      for (int64_t j = 2; j < a.out - 2; ++j) {
        const T* x = row + 2 * j - 1;
        to[j] = (x[0] * pattern[0] + x[1] * pattern[1]) + (x[2] * pattern[2] + x[3] * pattern[3]);
      }
    } else if (a.taps == 1) {
      for (int64_t j = 0; j < a.out; ++j) to[j] = a.count[j] ? w[j] * row[a.start[j]] : T(0);
    } else {
      for (int64_t j = 0; j < a.out; ++j) to[j] = a.count[j] ? place(row, a, j) : T(0);
    }
  }
}

template <class T>
void across(T* out, const T* in, const Axis& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t j = r % a.out, n = a.count[j];
    const T* w = static_cast<const T*>(a.weights) + j * a.taps;
    const T* x = in + (r / a.out * a.in + a.start[j]) * a.inner;
    T* to = out + r * a.inner;
    if (n == 1 && w[0] == T(1)) {
      visit<T>(a.inner, [&](int64_t i, int lanes) __attribute__((always_inline)) { store_lanes(to + i, load_lanes(x + i, lanes), lanes); });
      continue;
    }
    visit<T>(a.inner, [&](int64_t i, int lanes) __attribute__((always_inline)) {
      Vec<T> sum(T(0));
      for (int64_t t = 0; t < n; ++t) sum = mul_add(load_lanes(x + t * a.inner + i, lanes), Vec<T>(w[t]), sum);
      store_lanes(to + i, sum, lanes);
    });
  }
}

template <class T>
void axis(void* out, const void* in, const Axis& a, int64_t begin, int64_t end) {
  (a.inner == 1 ? along<T> : across<T>)(static_cast<T*>(out), static_cast<const T*>(in), a, begin, end);
}

template <class T>
constinit const vision::ResampleFns table = {&axis<T>};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::vision::PYDL_ISA {

constinit const ByDType<const ResampleFns*> resample = [] {
  ByDType<const ResampleFns*> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::table<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::table<double>;
  return t;
}();

}  // namespace pydl::kernels::vision::PYDL_ISA
