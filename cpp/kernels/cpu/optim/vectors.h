// Walking arrays by vectors, for optimizer updates.
#pragma once

#include "kernels/cpu/matmul/vec.h"
#include "kernels/kernel.h"

namespace pydl::kernels::optim::PYDL_ISA {
namespace {

PYDL_INLINE VF square_root(VF x) {
#if PYDL_ISA_LEVEL == 2
  return _mm512_maskz_sqrt_ps(0xffff, x);
#elif PYDL_ISA_LEVEL == 1
  return _mm256_sqrt_ps(x);
#else
  VF r = x;
  for (int i = 0; i < kLanes<float>; ++i) r[i] = __builtin_sqrtf(x[i]);
  return r;
#endif
}
PYDL_INLINE VD square_root(VD x) {
#if PYDL_ISA_LEVEL == 2
  return _mm512_maskz_sqrt_pd(0xff, x);
#elif PYDL_ISA_LEVEL == 1
  return _mm256_sqrt_pd(x);
#else
  VD r = x;
  for (int i = 0; i < kLanes<double>; ++i) r[i] = __builtin_sqrt(x[i]);
  return r;
#endif
}

// Calls body(offset, get, put) for every vector, masked for the last one.
template <class T, class Body>
PYDL_INLINE void for_vectors(int64_t n, Body body) {
  constexpr int L = kLanes<T>;
  int64_t i = 0;
  for (; i + L <= n; i += L) {
    body([i](const T* p) { return load(p + i); }, [i](T* p, V<T> v) { store(p + i, v); });
  }
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    body([i, rest](const T* p) { return load_part(p + i, rest); }, [i, rest](T* p, V<T> v) { store_part(p + i, v, rest); });
  }
}

template <class Fn>
constexpr ByDType<Fn> make_table(Fn f32, Fn f64) {
  ByDType<Fn> t;
  t.slot[static_cast<int>(DType::Float32)] = f32;
  t.slot[static_cast<int>(DType::Float64)] = f64;
  return t;
}

}  // namespace
}  // namespace pydl::kernels::optim::PYDL_ISA
