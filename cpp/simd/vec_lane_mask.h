// Masks as integer vectors of zeros and ones-complements: the baseline and AVX2. Included by vec.h.
#pragma once

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct Mask {
  using Raw = typename Vec<SignedLike<T>>::Raw;
  Raw raw;
};

#define PYDL_VEC_COMPARE(op)                                             \
  template <class T>                                                     \
  PYDL_INLINE Mask<T> operator op(Vec<T> a, Vec<T> b) {                  \
    return {(typename Mask<T>::Raw)(a.raw op b.raw)};                    \
  }                                                                      \
  template <class T>                                                     \
  PYDL_INLINE Mask<T> operator op(Vec<T> a, std::type_identity_t<T> b) { \
    return a op Vec<T>(b);                                               \
  }
PYDL_VEC_COMPARE(==)
PYDL_VEC_COMPARE(!=)
PYDL_VEC_COMPARE(<)
PYDL_VEC_COMPARE(<=)
PYDL_VEC_COMPARE(>)
PYDL_VEC_COMPARE(>=)
#undef PYDL_VEC_COMPARE

template <class T>
PYDL_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {
  return {a.raw & b.raw};
}
template <class T>
PYDL_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {
  return {a.raw | b.raw};
}
template <class T>
PYDL_INLINE Mask<T> operator^(Mask<T> a, Mask<T> b) {
  return {a.raw ^ b.raw};
}
template <class T>
PYDL_INLINE Mask<T> operator~(Mask<T> a) {
  return {~a.raw};
}
template <class To, class T>
PYDL_INLINE Mask<To> mask_cast(Mask<T> m) {
  static_assert(sizeof(To) == sizeof(T));
  return {m.raw};
}

// One byte per lane, 0 or 1.
template <class T>
PYDL_INLINE void store_bool(uint8_t* p, Mask<T> m) {
  typedef int8_t Bytes __attribute__((vector_size(Vec<T>::size)));
  typedef Bytes Unaligned __attribute__((aligned(1), may_alias));
  *reinterpret_cast<Unaligned*>(p) = __builtin_convertvector(m.raw, Bytes) & 1;
}
// Lane i is set when byte i is not zero.
template <class T>
PYDL_INLINE Mask<T> load_bool(const uint8_t* p) {
  typedef int8_t Bytes __attribute__((vector_size(Vec<T>::size)));
  typedef Bytes Unaligned __attribute__((aligned(1), may_alias));
  return {__builtin_convertvector(*reinterpret_cast<const Unaligned*>(p) != 0, typename Mask<T>::Raw)};
}
template <class T>
PYDL_INLINE Vec<T> ones_where(Mask<T> m) {
  return bit_cast<T>(Vec<SignedLike<T>>(m.raw)) & Vec<T>(T(1));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
