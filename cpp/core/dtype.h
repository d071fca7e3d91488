// Element types: the enumeration, the C++ type behind each member, and plain facts about them.
#pragma once

#include <complex>
#include <cstdint>

#include "core/half.h"

namespace pydl {

enum class DType : uint8_t {
  Bool,
  UInt8,
  Int8,
  UInt16,
  Int16,
  UInt32,
  Int32,
  UInt64,
  Int64,
  Float16,
  BFloat16,
  Float32,
  Float64,
  ComplexHalf,  // storage only, as in PyTorch
  Complex64,
  Complex128,
};
inline constexpr int kNumDTypes = 16;

// complex32: a pair of float16, storage only.
struct complex_half {
  float16 real, imag;
};

// PYDL_FOR_EACH_DTYPE(X): X(enumerator, C++ type, torch name)
#define PYDL_FOR_EACH_DTYPE(X)                   \
  X(Bool, bool, "bool")                          \
  X(UInt8, uint8_t, "uint8")                     \
  X(Int8, int8_t, "int8")                        \
  X(UInt16, uint16_t, "uint16")                  \
  X(Int16, int16_t, "int16")                     \
  X(UInt32, uint32_t, "uint32")                  \
  X(Int32, int32_t, "int32")                     \
  X(UInt64, uint64_t, "uint64")                  \
  X(Int64, int64_t, "int64")                     \
  X(Float16, float16, "float16")                 \
  X(BFloat16, bfloat16, "bfloat16")              \
  X(Float32, float, "float32")                   \
  X(Float64, double, "float64")                  \
  X(ComplexHalf, complex_half, "complex32")      \
  X(Complex64, std::complex<float>, "complex64") \
  X(Complex128, std::complex<double>, "complex128")

template <DType>
struct CppTypeOf;
template <class>
struct DTypeOf;
#define PYDL_DTYPE_TRAITS(name, type, text)     \
  template <>                                   \
  struct CppTypeOf<DType::name> {               \
    using Type = type;                          \
  };                                            \
  template <>                                   \
  struct DTypeOf<type> {                        \
    static constexpr DType value = DType::name; \
  };
PYDL_FOR_EACH_DTYPE(PYDL_DTYPE_TRAITS)
#undef PYDL_DTYPE_TRAITS

template <DType D>
using CppType = typename CppTypeOf<D>::Type;
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

[[gnu::always_inline]] constexpr int64_t item_size(DType dtype) {
  constexpr int8_t sizes[kNumDTypes] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8, 4, 8, 16};
  return sizes[static_cast<int>(dtype)];
}

[[gnu::always_inline]] constexpr const char* dtype_name(DType dtype) {
  constexpr const char* names[kNumDTypes] = {"bool",  "uint8",   "int8",     "uint16",  "int16",   "uint32",    "int32",     "uint64",
                                             "int64", "float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"};
  return names[static_cast<int>(dtype)];
}

[[gnu::always_inline]] constexpr bool is_complex(DType d) { return d >= DType::ComplexHalf; }
[[gnu::always_inline]] constexpr bool is_floating(DType d) { return d >= DType::Float16 && d <= DType::Float64; }
// Integers without bool.
[[gnu::always_inline]] constexpr bool is_integer(DType d) { return d >= DType::UInt8 && d <= DType::Int64; }
[[gnu::always_inline]] constexpr bool is_integral_or_bool(DType d) { return d <= DType::Int64; }
[[gnu::always_inline]] constexpr bool is_half(DType d) { return d == DType::Float16 || d == DType::BFloat16; }
[[gnu::always_inline]] constexpr bool is_unsigned(DType d) {
  return d == DType::UInt8 || d == DType::UInt16 || d == DType::UInt32 || d == DType::UInt64;
}
// What may require a gradient.
[[gnu::always_inline]] constexpr bool is_differentiable(DType d) { return d >= DType::Float16; }

[[gnu::always_inline]] constexpr DType real_type(DType d) {
  return d == DType::ComplexHalf ? DType::Float16 : d == DType::Complex64 ? DType::Float32 : d == DType::Complex128 ? DType::Float64 : d;
}
[[gnu::always_inline]] constexpr DType complex_type(DType d) {
  return d == DType::Float64 ? DType::Complex128 : d == DType::Float16 ? DType::ComplexHalf : is_complex(d) ? d : DType::Complex64;
}
// The type in which arithmetic on `d` is carried out: the 16-bit formats compute in float32.
[[gnu::always_inline]] constexpr DType compute_type(DType d) {
  return is_half(d) ? DType::Float32 : d == DType::ComplexHalf ? DType::Complex64 : d;
}

// torch's promotion table for two dtypes of equal category rank (torch.promote_types).
DType promote_types(DType a, DType b);

}  // namespace pydl
