// From a dtype, which is known at run time, to a C++ type.
#pragma once

#include <complex>

#include "core/error.h"
#include "core/half.h"

namespace pydl {

template <class... T>
struct TypeList {};
using RealTypes = TypeList<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t, float, double>;
using ValueTypes = TypeList<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t, float16, bfloat16, float, double,
                            std::complex<float>, std::complex<double>>;

// Calls f(T{}) for the type in which `d` is stored, one of the list; bool is stored like uint8.
template <class... T, class F>
void dispatch(const char* op, DType d, TypeList<T...>, F&& f) {
  const DType stored = d == DType::Bool ? DType::UInt8 : d;
  const bool found = ((stored == dtype_of<T> && (static_cast<void>(f(T{})), true)) || ...);
  PYDL_CHECK(found, NotImplemented, op, "(): \"", op, "\" not implemented for ", d);
}

}  // namespace pydl
