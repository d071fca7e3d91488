// Sums, products, extrema and their compounds.

// These run at the speed of memory, which 32-byte accesses use best: the second one to a line moves Zen 4's prefetcher on.
#if PYDL_ISA_LEVEL == 2
#undef PYDL_ISA_LEVEL
#define PYDL_ISA_LEVEL 1
#endif

#include "kernels/pointwise/arithmetic.h"

#include "kernels/cpu/pointwise/complex_value.h"
#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_BINARY(Add, a + b)
PYDL_BINARY(Sub, a - b)
PYDL_BINARY(Mul, a* b)
PYDL_BINARY(Div, a / b)
PYDL_BINARY(Or, a | b)
PYDL_BINARY(And, a& b)
PYDL_BINARY(Maximum, simd::PYDL_ISA::maximum(a, b))
PYDL_BINARY(Minimum, simd::PYDL_ISA::minimum(a, b))
PYDL_BINARY(Fmax, select(isnan(b), a, max_second(a, b)))
PYDL_BINARY(Fmin, select(isnan(b), a, min_second(a, b)))
PYDL_UNARY(Neg, -a)
PYDL_UNARY(Abs, simd::PYDL_ISA::abs(a))
template <class T>
struct Sign : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> a) const { return ones_where(a > T(0)) - ones_where(a < T(0)); }
};
PYDL_UNARY(Square, a* a)
template <class T>
struct Reciprocal : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> a) const { return Vec<T>(T(1)) / a; }
};
template <class T>
struct ComplexReciprocal : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Complex<T> operator()(Complex<T> a) const { return Complex<T>{1, 0} / a; }
};
PYDL_BINARY(CopySign, simd::PYDL_ISA::copysign(a, b))

template <class T>
struct Constant {
  T value;
  explicit Constant(const void* params) : value(*static_cast<const T*>(params)) {}
};
template <class T>
struct AddScaled : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return mul_add(Vec<T>(this->value), b, a);
    } else {
      return a + this->value * b;
    }
  }
};
template <class T>
struct ComplexAddScaled : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE T operator()(T a, T b) const { return a + this->value * b; }
};
template <class T>
struct AddCMul : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b, Vec<T> c) const { return a + (this->value * b) * c; }
};
template <class T>
struct ComplexAddCMul : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE T operator()(T a, T b, T c) const { return a + (this->value * b) * c; }
};
template <class T>
struct AddCDiv : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b, Vec<T> c) const { return a + (this->value * b) / c; }
};
template <class T>
struct ComplexAddCDiv : Constant<T> {
  using Constant<T>::Constant;
  PYDL_INLINE T operator()(T a, T b, T c) const { return a + (this->value * b) / c; }
};
// From the nearer end, as torch does, so that both ends are exact.
template <class T>
struct Lerp : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b, Vec<T> w) const {
    const Mask<T> near_a = simd::PYDL_ISA::abs(w) < T(0.5);
    return mul_add(select(near_a, w, w - T(1)), b - a, select(near_a, a, b));
  }
};
template <class T>
struct Clamp {
  pointwise::ClampParams<T> range;
  explicit Clamp(const void* params) : range(*static_cast<const pointwise::ClampParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> a) const {
    return simd::PYDL_ISA::minimum(simd::PYDL_ISA::maximum(a, Vec<T>(range.low)), Vec<T>(range.high));
  }
};
struct ClampTensor : NoParams {
  using NoParams::NoParams;
  template <class V>
  PYDL_INLINE V operator()(V a, V low, V high) const {
    return simd::PYDL_ISA::minimum(simd::PYDL_ISA::maximum(a, low), high);
  }
};

template <class T>
struct Conj : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Complex<T> operator()(Complex<T> a) const { return {a.real, -a.imag}; }
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable add =
    wrapping_table<Add, 2, 1>() | map_table<Add, 2, 4>(Floats{}) | map_table<Or, 2, 4>(Types<bool>{}) | complex_table<Add, Add, 2>();
constinit const StripTable sub = wrapping_table<Sub, 2, 1>() | map_table<Sub, 2, 4>(Floats{}) | complex_table<Sub, Sub, 2>();
constinit const StripTable mul =
    wrapping_table<Mul, 2, 1>() | map_table<Mul, 2, 4>(Floats{}) | map_table<And, 2, 4>(Types<bool>{}) | complex_table<Mul, Mul, 2>();
constinit const StripTable add_scaled = wrapping_table<AddScaled, 2, 1>() | map_table<AddScaled, 2, 4>(Floats{}) |
                                        complex_table<ComplexAddScaled<Complex64>, ComplexAddScaled<Complex128>, 2>();
constinit const StripTable div = map_table<Div, 2, 4>(Floats{}) | complex_table<Div, Div, 2>();

constinit const StripTable maximum = map_table<Maximum, 2, 1>(AllInts{}) | map_table<Maximum, 2, 2>(Types<bool, float, double>{});
constinit const StripTable minimum = map_table<Minimum, 2, 1>(AllInts{}) | map_table<Minimum, 2, 2>(Types<bool, float, double>{});
constinit const StripTable fmax = map_table<Fmax, 2, 2>(Floats{});
constinit const StripTable fmin = map_table<Fmin, 2, 2>(Floats{});

constinit const StripTable neg = wrapping_table<Neg, 1, 1>() | map_table<Neg, 1, 4>(Floats{}) | complex_table<Neg, Neg, 1>();
constinit const StripTable abs = map_table<Abs, 1, 1>(AllInts{}) | map_table<Abs, 1, 4>(Types<bool, float, double>{});
constinit const StripTable conj = complex_table<Conj<float>, Conj<double>, 1>();
constinit const StripTable sign = map_table<Sign, 1, 1>(AllInts{}) | map_table<Sign, 1, 2>(Types<bool, float, double>{});
constinit const StripTable square = wrapping_table<Square, 1, 1>() | map_table<Square, 1, 4>(Floats{}) | complex_table<Square, Square, 1>();
constinit const StripTable reciprocal =
    map_table<Reciprocal, 1, 4>(Floats{}) | complex_table<ComplexReciprocal<float>, ComplexReciprocal<double>, 1>();
constinit const StripTable copysign = map_table<CopySign, 2, 2>(Floats{});

constinit const StripTable addcmul = wrapping_table<AddCMul, 3, 1>() | map_table<AddCMul, 3, 2>(Floats{}) |
                                     complex_table<ComplexAddCMul<Complex64>, ComplexAddCMul<Complex128>, 3>();
constinit const StripTable addcdiv =
    map_table<AddCDiv, 3, 2>(Floats{}) | complex_table<ComplexAddCDiv<Complex64>, ComplexAddCDiv<Complex128>, 3>();
constinit const StripTable lerp = map_table<Lerp, 3, 2>(Floats{});
constinit const StripTable clamp = map_table<Clamp, 1, 1>(AllInts{}) | map_table<Clamp, 1, 2>(Floats{});
constinit const StripTable clamp_tensor = map_table<ClampTensor, 3, 1>(AllInts{}) | map_table<ClampTensor, 3, 1>(Floats{});

PYDL_KERNELS_END
