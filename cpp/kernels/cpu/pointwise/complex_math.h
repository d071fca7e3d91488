// Complex elementary functions, from the C library.
#pragma once

#include "kernels/cpu/pointwise/complex_value.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct BuiltinComplex;
template <>
struct BuiltinComplex<float> {
  typedef __complex__ float Type;
};
template <>
struct BuiltinComplex<double> {
  typedef __complex__ double Type;
};
template <class T>
PYDL_INLINE typename BuiltinComplex<T>::Type to_builtin(Complex<T> a) {
  typename BuiltinComplex<T>::Type z;
  __real__ z = a.real;
  __imag__ z = a.imag;
  return z;
}

#define PYDL_COMPLEX_FUNCTION(Name, function)               \
  template <class T>                                        \
  struct Name {                                             \
    explicit Name(const void*) {}                           \
    PYDL_INLINE Complex<T> operator()(Complex<T> a) const { \
      typename BuiltinComplex<T>::Type r;                   \
      if constexpr (sizeof(T) == 4) {                       \
        r = __builtin_##function##f(to_builtin(a));         \
      } else {                                              \
        r = __builtin_##function(to_builtin(a));            \
      }                                                     \
      return {__real__ r, __imag__ r};                      \
    }                                                       \
  };

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
