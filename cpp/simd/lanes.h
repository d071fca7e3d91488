// Arrays by vectors whose last one may be partial.
#pragma once

#include "simd/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
PYDL_INLINE Mask<T> lanes_below(int n) {
  using I = SignedLike<T>;
  Vec<I> index;
  for (int i = 0; i < Vec<I>::size; ++i) index.raw[i] = static_cast<I>(i);
  return mask_cast<T>(index < static_cast<I>(n));
}
// Lanes beyond are zero.
template <class T>
PYDL_INLINE Vec<T> load_lanes(const T* p, int lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
}
template <class T>
PYDL_INLINE void store_lanes(T* p, Vec<T> v, int lanes) {
  if (lanes == Vec<T>::size) {
    v.store(p);
  } else {
    v.store(p, lanes);
  }
}
// v in the first lanes, zero beyond.
template <class T>
PYDL_INLINE Vec<T> first_lanes(Vec<T> v, int lanes) {
  return lanes == Vec<T>::size ? v : select(lanes_below<T>(lanes), v, Vec<T>(T(0)));
}
// Visits an array by vectors, f(i, lanes) with the last one partial.
template <class T, class F>
PYDL_INLINE void visit(int64_t n, const F& f) {
  constexpr int lanes = Vec<T>::size;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) f(i, lanes);
  if (i < n) f(i, static_cast<int>(n - i));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
