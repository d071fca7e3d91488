#include "kernels/distance/cdist.h"

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::kernels::distance::PYDL_ISA {
namespace {

enum class Norm { Zero, One, Two, Max, Any };

PYDL_INLINE Norm norm_of(double p) {
  return p == 0 ? Norm::Zero : p == 1 ? Norm::One : p == 2 ? Norm::Two : p == __builtin_inf() ? Norm::Max : Norm::Any;
}
PYDL_INLINE float power(float x, float p) { return __builtin_powf(x, p); }
PYDL_INLINE double power(double x, double p) { return __builtin_pow(x, p); }
PYDL_INLINE float root(float x) { return __builtin_sqrtf(x); }
PYDL_INLINE double root(double x) { return __builtin_sqrt(x); }
// Without a branch, so that the loops become vectors.
PYDL_INLINE float magnitude(float x) { return __builtin_fabsf(x); }
PYDL_INLINE double magnitude(double x) { return __builtin_fabs(x); }
template <class T>
PYDL_INLINE T larger(T a, T b) {  // NaN wins
  return (a > b) | (a != a) ? a : b;
}

template <class T, Norm N>
PYDL_INLINE T term(T d, T p) {
  const T x = magnitude(d);
  if constexpr (N == Norm::Zero) return x != 0 ? T(1) : T(0);
  if constexpr (N == Norm::Two) return d * d;
  if constexpr (N == Norm::Any) return power(x, p);
  return x;
}

// Sixteen running sums, so that the order of additions is the same at every vector width.
template <class T, Norm N>
T distance_of(const T* a, const T* b, int64_t n, T p) {
  constexpr int64_t kLanes = 16;
  T sums[kLanes] = {};
  const auto merge = [](T s, T v) { return N == Norm::Max ? larger(v, s) : s + v; };
  int64_t k = 0;
  for (; k + kLanes <= n; k += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) sums[l] = merge(sums[l], term<T, N>(a[k + l] - b[k + l], p));
  }
  for (int64_t l = 0; k + l < n; ++l) sums[l] = merge(sums[l], term<T, N>(a[k + l] - b[k + l], p));
  for (int64_t w = kLanes / 2; w; w /= 2) {
    for (int64_t l = 0; l < w; ++l) sums[l] = merge(sums[l], sums[l + w]);
  }
  if constexpr (N == Norm::Two) return root(sums[0]);
  if constexpr (N == Norm::Any) return power(sums[0], 1 / p);
  return sums[0];
}

template <class T, Norm N>
void forward_rows(const Rows& r, int64_t begin, int64_t end) {
  const T p = static_cast<T>(r.p);
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < r.b_rows; ++j) {
      static_cast<T*>(r.out)[i * r.b_rows + j] =
          distance_of<T, N>(static_cast<const T*>(r.a) + i * r.width, static_cast<const T*>(r.b) + j * r.width, r.width, p);
    }
  }
}

// g d|d|_p / d d_k, from the distance: sign(d) (|d| / distance)^(p - 1), zero where the norm has a corner.
template <class T, Norm N>
PYDL_INLINE T slope(T d, T distance, T inverse, T p) {
  const T sign = d > 0 ? T(1) : d < 0 ? T(-1) : T(0), x = magnitude(d);
  if constexpr (N == Norm::One) return sign;
  if constexpr (N == Norm::Two) return d * inverse;
  if constexpr (N == Norm::Max) return x == distance ? sign : T(0);
  if constexpr (N == Norm::Any) return d == 0 ? T(0) : sign * power(x * inverse, p - 1);
  return T(0);
}

template <class T, Norm N>
void backward_rows(const Rows& r, int64_t begin, int64_t end) {
  const T p = static_cast<T>(r.p);
  for (int64_t i = begin; i < end; ++i) {
    const T* a = static_cast<const T*>(r.a) + i * r.width;
    T* out = static_cast<T*>(r.out) + i * r.width;
    for (int64_t k = 0; k < r.width; ++k) out[k] = 0;
    for (int64_t j = 0; j < r.b_rows; ++j) {
      const T g = static_cast<const T*>(r.grad)[i * r.b_rows + j], distance = static_cast<const T*>(r.distance)[i * r.b_rows + j];
      if (distance == 0) continue;
      const T inverse = 1 / distance;
      const T* b = static_cast<const T*>(r.b) + j * r.width;
      for (int64_t k = 0; k < r.width; ++k) out[k] += g * slope<T, N>(a[k] - b[k], distance, inverse, p);
    }
  }
}

template <class T>
void forward(const Rows& r, int64_t begin, int64_t end) {
  switch (norm_of(r.p)) {
    case Norm::Zero:
      return forward_rows<T, Norm::Zero>(r, begin, end);
    case Norm::One:
      return forward_rows<T, Norm::One>(r, begin, end);
    case Norm::Two:
      return forward_rows<T, Norm::Two>(r, begin, end);
    case Norm::Max:
      return forward_rows<T, Norm::Max>(r, begin, end);
    case Norm::Any:
      return forward_rows<T, Norm::Any>(r, begin, end);
  }
}

template <class T>
void backward(const Rows& r, int64_t begin, int64_t end) {
  switch (norm_of(r.p)) {
    case Norm::Zero:
      return backward_rows<T, Norm::Zero>(r, begin, end);
    case Norm::One:
      return backward_rows<T, Norm::One>(r, begin, end);
    case Norm::Two:
      return backward_rows<T, Norm::Two>(r, begin, end);
    case Norm::Max:
      return backward_rows<T, Norm::Max>(r, begin, end);
    case Norm::Any:
      return backward_rows<T, Norm::Any>(r, begin, end);
  }
}

consteval DistanceTable make_table() {
  DistanceTable t;
  t.forward.slot[static_cast<int>(DType::Float32)] = &forward<float>;
  t.forward.slot[static_cast<int>(DType::Float64)] = &forward<double>;
  t.backward.slot[static_cast<int>(DType::Float32)] = &backward<float>;
  t.backward.slot[static_cast<int>(DType::Float64)] = &backward<double>;
  return t;
}

}  // namespace

constinit const DistanceTable cdist = make_table();

}  // namespace pydl::kernels::distance::PYDL_ISA
