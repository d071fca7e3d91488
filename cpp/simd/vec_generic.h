// What the compiler's vector extensions cannot express, for any architecture. Included by vec.h.
#pragma once

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr bool kHasFma = false;

template <class T>
PYDL_INLINE Vec<T> Vec<T>::load(const T* p, int n) {
  alignas(kVecBytes) T lanes[size] = {};
  __builtin_memcpy(lanes, p, static_cast<unsigned>(n) * sizeof(T));
  return load(lanes);
}
template <class T>
PYDL_INLINE void Vec<T>::store(T* p, int n) const {
  alignas(kVecBytes) T lanes[size];
  store(lanes);
  __builtin_memcpy(p, lanes, static_cast<unsigned>(n) * sizeof(T));
}

template <class T>
PYDL_INLINE Vec<T> select(Mask<T> m, Vec<T> a, Same<T> b) {
  using I = typename Mask<T>::Raw;
  return (typename Vec<T>::Raw)((m.raw & (I)a.raw) | (~m.raw & (I)b.raw));
}
template <class T>
PYDL_INLINE bool any(Mask<T> m) {
  const Vec<int64_t> bits((typename Vec<int64_t>::Raw)m.raw);
  int64_t all = 0;
  for (int i = 0; i < Vec<int64_t>::size; ++i) all |= bits.raw[i];
  return all != 0;
}

template <class T>
PYDL_INLINE Vec<T> mul_add(Vec<T> a, Same<T> b, Same<T> c) {
  return a.raw * b.raw + c.raw;
}

template <class T>
PYDL_INLINE Vec<T> native_min(Vec<T> a, Vec<T> b) {
  return a.raw < b.raw ? a.raw : b.raw;
}
template <class T>
PYDL_INLINE Vec<T> native_max(Vec<T> a, Vec<T> b) {
  return a.raw > b.raw ? a.raw : b.raw;
}

#define PYDL_VEC_LANEWISE(name, builtin)     \
  template <class T>                         \
  PYDL_INLINE Vec<T> name(Vec<T> a) {        \
    Vec<T> r;                                \
    for (int i = 0; i < Vec<T>::size; ++i) { \
      if constexpr (sizeof(T) == 4) {        \
        r.raw[i] = builtin##f(a.raw[i]);     \
      } else {                               \
        r.raw[i] = builtin(a.raw[i]);        \
      }                                      \
    }                                        \
    return r;                                \
  }
PYDL_VEC_LANEWISE(sqrt, __builtin_sqrt)
PYDL_VEC_LANEWISE(floor, __builtin_floor)
PYDL_VEC_LANEWISE(ceil, __builtin_ceil)
PYDL_VEC_LANEWISE(trunc, __builtin_trunc)
PYDL_VEC_LANEWISE(rint, __builtin_rint)
#undef PYDL_VEC_LANEWISE

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
