// A Python number: bool, int, float or complex, kept exactly.
#pragma once

#include <complex>
#include <cstdint>

#include "core/dtype.h"
#include "core/error.h"

namespace pydl {

class Scalar {
 public:
  enum class Kind : uint8_t { Bool, Int, Float, Complex };
  Scalar() : Scalar(int64_t{0}) {}
  Scalar(bool v) : kind_(Kind::Bool), i_(v) {}
  Scalar(int v) : kind_(Kind::Int), i_(v) {}
  Scalar(int64_t v) : kind_(Kind::Int), i_(v) {}
  Scalar(double v) : kind_(Kind::Float), d_(v) {}
  Scalar(std::complex<double> v) : kind_(Kind::Complex), d_(v.real()), imag_(v.imag()) {}

  Kind kind() const { return kind_; }
  bool is_complex() const { return kind_ == Kind::Complex; }
  bool is_floating() const { return kind_ == Kind::Float; }
  bool is_integral() const { return kind_ <= Kind::Int; }
  bool is_bool() const { return kind_ == Kind::Bool; }

  double to_double() const { return kind_ <= Kind::Int ? static_cast<double>(i_) : d_; }
  std::complex<double> to_complex() const { return {to_double(), kind_ == Kind::Complex ? imag_ : 0.0}; }
  int64_t to_int() const;  // truncates; saturates outside int64, NaN gives INT64_MIN
  bool to_bool() const { return kind_ <= Kind::Int ? i_ != 0 : d_ != 0 || (kind_ == Kind::Complex && imag_ != 0); }
  bool equals(double v) const { return kind_ != Kind::Complex && to_double() == v; }
  Scalar negated() const;

  // Writes the value, converted to `dtype`, to `out` (item_size(dtype) bytes).
  void store(DType dtype, void* out) const;
  static Scalar load(DType dtype, const void* in);

 private:
  Kind kind_;
  union {
    int64_t i_;
    double d_;
  };
  double imag_ = 0;
};

}  // namespace pydl
