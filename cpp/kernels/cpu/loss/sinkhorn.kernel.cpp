#include "kernels/loss/sinkhorn.h"

#include "simd/lanes.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using V = Vec<double>;
constexpr int kLanes = V::size;

double largest(const double* shift, const double* cost, int64_t n) {
  V most(-FloatTraits<double>::infinity);
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) most = maximum(most, V::load(shift + j) - V::load(cost + j));
  double result = reduce_maximum(most);
  for (; j < n; ++j) {
    const double d = shift[j] - cost[j];
    result = d > result || d != d ? d : result;
  }
  return result;
}

double exponentials(double* out, const double* shift, const double* cost, double offset, double inverse, int64_t n) {
  V sum(0.0);
  visit<double>(n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
    const V e = exp((load_lanes(shift + j, lanes) - load_lanes(cost + j, lanes) + V(offset)) * V(inverse));
    store_lanes(out + j, e, lanes);
    sum = sum + first_lanes(e, lanes);
  });
  return reduce_add(sum);
}

void raise(double* most, const double* cost, double shift, int64_t n) {
  visit<double>(n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
    store_lanes(most + j, maximum(load_lanes(most + j, lanes), V(shift) - load_lanes(cost + j, lanes)), lanes);
  });
}

void accumulate(double* sum, const double* cost, const double* most, double shift, double inverse, int64_t n) {
  visit<double>(n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
    const V e = exp((V(shift) - load_lanes(cost + j, lanes) - load_lanes(most + j, lanes)) * V(inverse));
    store_lanes(sum + j, load_lanes(sum + j, lanes) + e, lanes);
  });
}

double dot(const double* a, const double* b, int64_t n) {
  V sums[4] = {V(0.0), V(0.0), V(0.0), V(0.0)};
  int64_t j = 0;
  for (; j + 4 * kLanes <= n; j += 4 * kLanes) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) sums[u] = mul_add(V::load(a + j + u * kLanes), V::load(b + j + u * kLanes), sums[u]);
  }
  for (; j < n; j += kLanes) {
    const int lanes = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    sums[0] = mul_add(load_lanes(a + j, lanes), load_lanes(b + j, lanes), sums[0]);
  }
  return reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void add(double* y, const double* x, double factor, int64_t n) {
  visit<double>(n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
    store_lanes(y + j, mul_add(load_lanes(x + j, lanes), V(factor), load_lanes(y + j, lanes)), lanes);
  });
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::loss::PYDL_ISA {

constinit const SinkhornFns sinkhorn = {&simd::PYDL_ISA::largest,    &simd::PYDL_ISA::exponentials, &simd::PYDL_ISA::raise,
                                        &simd::PYDL_ISA::accumulate, &simd::PYDL_ISA::dot,          &simd::PYDL_ISA::add};

}  // namespace pydl::kernels::loss::PYDL_ISA
