#include "core/scalar.h"

#include <cstring>
#include <type_traits>

namespace pydl {

int64_t Scalar::to_int() const {
  if (kind_ <= Kind::Int) return i_;
  if (!(d_ >= -0x1p63)) return INT64_MIN;
  return d_ >= 0x1p63 ? INT64_MAX : static_cast<int64_t>(d_);
}

Scalar Scalar::negated() const {
  switch (kind_) {
    case Kind::Bool:
    case Kind::Int:
      return Scalar(static_cast<int64_t>(-static_cast<uint64_t>(i_)));
    case Kind::Float:
      return Scalar(-d_);
    default:
      return Scalar(std::complex<double>(-d_, -imag_));
  }
}

void Scalar::store(DType dtype, void* out) const {
  const auto put = [out](auto v) { std::memcpy(out, &v, sizeof v); };
  switch (dtype) {
    case DType::Bool:
      return put(to_bool());
    case DType::UInt8:
      return put(static_cast<uint8_t>(to_int()));
    case DType::Int8:
      return put(static_cast<int8_t>(to_int()));
    case DType::UInt16:
      return put(static_cast<uint16_t>(to_int()));
    case DType::Int16:
      return put(static_cast<int16_t>(to_int()));
    case DType::UInt32:
      return put(static_cast<uint32_t>(to_int()));
    case DType::Int32:
      return put(static_cast<int32_t>(to_int()));
    case DType::UInt64:
      return put(static_cast<uint64_t>(to_int()));
    case DType::Int64:
      return put(to_int());
    case DType::Float16:
      return put(to_float16(static_cast<float>(to_double())));
    case DType::BFloat16:
      return put(to_bfloat16(static_cast<float>(to_double())));
    case DType::Float32:
      return put(static_cast<float>(to_double()));
    case DType::Float64:
      return put(to_double());
    case DType::ComplexHalf: {
      const auto c = to_complex();
      return put(complex_half{to_float16(static_cast<float>(c.real())), to_float16(static_cast<float>(c.imag()))});
    }
    case DType::Complex64:
      return put(std::complex<float>(to_complex()));
    case DType::Complex128:
      return put(to_complex());
  }
}

Scalar Scalar::load(DType dtype, const void* in) {
  const auto get = [in]<class T>(T) {
    T v;
    std::memcpy(&v, in, sizeof v);
    return v;
  };
  switch (dtype) {
    case DType::Bool:
      return Scalar(get(uint8_t{}) != 0);
    case DType::UInt8:
      return Scalar(static_cast<int64_t>(get(uint8_t{})));
    case DType::Int8:
      return Scalar(static_cast<int64_t>(get(int8_t{})));
    case DType::UInt16:
      return Scalar(static_cast<int64_t>(get(uint16_t{})));
    case DType::Int16:
      return Scalar(static_cast<int64_t>(get(int16_t{})));
    case DType::UInt32:
      return Scalar(static_cast<int64_t>(get(uint32_t{})));
    case DType::Int32:
      return Scalar(static_cast<int64_t>(get(int32_t{})));
    case DType::UInt64:
      return Scalar(static_cast<int64_t>(get(uint64_t{})));
    case DType::Int64:
      return Scalar(get(int64_t{}));
    case DType::Float16:
      return Scalar(static_cast<double>(to_float(get(float16{}))));
    case DType::BFloat16:
      return Scalar(static_cast<double>(to_float(get(bfloat16{}))));
    case DType::Float32:
      return Scalar(static_cast<double>(get(float{})));
    case DType::Float64:
      return Scalar(get(double{}));
    case DType::ComplexHalf: {
      const auto c = get(complex_half{});
      return Scalar(std::complex<double>(static_cast<double>(to_float(c.real)), static_cast<double>(to_float(c.imag))));
    }
    case DType::Complex64:
      return Scalar(std::complex<double>(get(std::complex<float>{})));
    case DType::Complex128:
      return Scalar(get(std::complex<double>{}));
  }
  return Scalar();
}

}  // namespace pydl
