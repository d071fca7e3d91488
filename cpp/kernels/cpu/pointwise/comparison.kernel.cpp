// Comparisons and logic, stored as bytes 0 and 1.
#include "kernels/pointwise/comparison.h"

#include "kernels/cpu/pointwise/complex_value.h"
#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

#define PYDL_COMPARISON(Name, op)                 \
  struct Name : NoParams {                        \
    using NoParams::NoParams;                     \
    template <class V>                            \
    PYDL_INLINE auto operator()(V a, V b) const { \
      return a op b;                              \
    }                                             \
  };
PYDL_COMPARISON(Equal, ==)
PYDL_COMPARISON(NotEqual, !=)
PYDL_COMPARISON(Less, <)
PYDL_COMPARISON(LessEqual, <=)
PYDL_COMPARISON(Greater, >)
PYDL_COMPARISON(GreaterEqual, >=)
#undef PYDL_COMPARISON

// The truth value of a lane or of a complex number.
template <class T>
PYDL_INLINE Mask<T> truth(Vec<T> a) {
  return a != T(0);
}
template <class T>
PYDL_INLINE bool truth(Complex<T> a) {
  return a.real != 0 || a.imag != 0;
}
PYDL_INLINE bool negate(bool a) { return !a; }
template <class T>
PYDL_INLINE Mask<T> negate(Mask<T> a) {
  return ~a;
}

#define PYDL_LOGIC(Name, op)                                      \
  struct Name : NoParams {                                        \
    using NoParams::NoParams;                                     \
    template <class V>                                            \
    PYDL_INLINE decltype(truth(V())) operator()(V a, V b) const { \
      return truth(a) op truth(b);                                \
    }                                                             \
  };
PYDL_LOGIC(LogicalAnd, &)
PYDL_LOGIC(LogicalOr, |)
PYDL_LOGIC(LogicalXor, ^)
#undef PYDL_LOGIC
struct LogicalNot : NoParams {
  using NoParams::NoParams;
  template <class V>
  PYDL_INLINE auto operator()(V a) const {
    return negate(truth(a));
  }
};

struct IsNan : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Mask<T> operator()(Vec<T> a) const {
    return a != a;
  }
  template <class T>
  PYDL_INLINE bool operator()(Complex<T> a) const {
    return a.real != a.real || a.imag != a.imag;
  }
};
struct IsInf : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Mask<T> operator()(Vec<T> a) const {
    return simd::PYDL_ISA::abs(a) == FloatTraits<T>::infinity;
  }
  template <class T>
  PYDL_INLINE bool operator()(Complex<T> a) const {
    constexpr T inf = FloatTraits<T>::infinity;
    return a.real == inf || a.real == -inf || a.imag == inf || a.imag == -inf;
  }
};
struct IsFinite : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Mask<T> operator()(Vec<T> a) const {
    return simd::PYDL_ISA::abs(a) < FloatTraits<T>::infinity;
  }
  template <class T>
  PYDL_INLINE bool operator()(Complex<T> a) const {
    return a.real - a.real == 0 && a.imag - a.imag == 0;
  }
};
struct SignBit : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Mask<T> operator()(Vec<T> a) const {
    return mask_cast<T>(bit_cast<SignedLike<T>>(a) < SignedLike<T>(0));
  }
};

template <class F, int Inputs>
consteval StripTable complex_test() {
  StripTable t;
  t.slot[static_cast<int>(DType::Complex64)] = &scalar_strip<F, Inputs, bool, Complex64>;
  t.slot[static_cast<int>(DType::Complex128)] = &scalar_strip<F, Inputs, bool, Complex128>;
  return t;
}
template <class F, int Inputs>
consteval StripTable ordered() {
  return test_table<F, Inputs, 2>(AllInts{}) | test_table<F, Inputs, 2>(Types<bool, float, double>{});
}
// Equality and truth do not depend on the sign.
template <class F, int Inputs>
consteval StripTable unordered() {
  StripTable t = test_table<F, Inputs, 2>(Types<bool, uint8_t, uint16_t, uint32_t, uint64_t, float, double>{}) | complex_test<F, Inputs>();
  t.slot[static_cast<int>(DType::Int8)] = t[DType::UInt8];
  t.slot[static_cast<int>(DType::Int16)] = t[DType::UInt16];
  t.slot[static_cast<int>(DType::Int32)] = t[DType::UInt32];
  t.slot[static_cast<int>(DType::Int64)] = t[DType::UInt64];
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable eq = unordered<Equal, 2>();
constinit const StripTable ne = unordered<NotEqual, 2>();
constinit const StripTable lt = ordered<Less, 2>();
constinit const StripTable le = ordered<LessEqual, 2>();
constinit const StripTable gt = ordered<Greater, 2>();
constinit const StripTable ge = ordered<GreaterEqual, 2>();
constinit const StripTable logical_and = unordered<LogicalAnd, 2>();
constinit const StripTable logical_or = unordered<LogicalOr, 2>();
constinit const StripTable logical_xor = unordered<LogicalXor, 2>();
constinit const StripTable logical_not = unordered<LogicalNot, 1>();
constinit const StripTable isnan = test_table<IsNan, 1, 2>(Floats{}) | complex_test<IsNan, 1>();
constinit const StripTable isinf = test_table<IsInf, 1, 2>(Floats{}) | complex_test<IsInf, 1>();
constinit const StripTable isfinite = test_table<IsFinite, 1, 2>(Floats{}) | complex_test<IsFinite, 1>();
constinit const StripTable signbit = test_table<SignBit, 1, 2>(Floats{});

PYDL_KERNELS_END
