// Complex numbers for scalar loops: std::complex would leave weak symbols, and its product calls the run-time library.
#pragma once

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct Complex {
  T real, imag;

  PYDL_INLINE friend Complex operator+(Complex a, Complex b) { return {a.real + b.real, a.imag + b.imag}; }
  PYDL_INLINE friend Complex operator-(Complex a, Complex b) { return {a.real - b.real, a.imag - b.imag}; }
  PYDL_INLINE friend Complex operator-(Complex a) { return {-a.real, -a.imag}; }
  PYDL_INLINE friend Complex operator*(Complex a, Complex b) {
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
  }
  // Smith, "Algorithm 116: Complex division", 1962: scaled by the larger part of the divisor.
  PYDL_INLINE friend Complex operator/(Complex a, Complex b) {
    const T re = b.real < 0 ? -b.real : b.real, im = b.imag < 0 ? -b.imag : b.imag;
    if (re >= im) {
      if (re == 0 && im == 0) return {a.real / re, a.imag / im};
      const T ratio = b.imag / b.real, scale = 1 / (b.real + b.imag * ratio);
      return {(a.real + a.imag * ratio) * scale, (a.imag - a.real * ratio) * scale};
    }
    const T ratio = b.real / b.imag, scale = 1 / (b.real * ratio + b.imag);
    return {(a.real * ratio + a.imag) * scale, (a.imag * ratio - a.real) * scale};
  }
  PYDL_INLINE friend bool operator==(Complex a, Complex b) { return a.real == b.real && a.imag == b.imag; }
  PYDL_INLINE friend bool operator!=(Complex a, Complex b) { return !(a == b); }
};

using Complex64 = Complex<float>;
using Complex128 = Complex<double>;

// Both complex slots, from functors on Complex<float> and Complex<double>.
template <class F64, class F128, int Inputs>
consteval StripTable complex_table() {
  StripTable t;
  t.slot[static_cast<int>(DType::Complex64)] = &scalar_strip<F64, Inputs, Complex64, Complex64>;
  t.slot[static_cast<int>(DType::Complex128)] = &scalar_strip<F128, Inputs, Complex128, Complex128>;
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA
