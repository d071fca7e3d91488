#include "ops/pointwise/complex.h"

#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/compound.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/trig.h"
#include "ops/view/view.h"

namespace pydl::complex_values {

namespace {

constexpr double kLn2 = 0.693147180559945309417;
constexpr double kLn10 = 2.302585092994045684018;

Tensor half(const Tensor& x) { return mul(x, Operand(0.5)); }
Tensor twice(const Tensor& x) { return mul(x, Operand(2)); }
Tensor plus_one(const Tensor& x) { return add(x, Operand(1)); }
Tensor one_minus(const Tensor& x) { return rsub(x, Operand(1)); }
Tensor times_i(const Tensor& z) { return complex(neg(imag(z)), real(z)); }
Tensor times_minus_i(const Tensor& z) { return complex(imag(z), neg(real(z))); }
// Real and imaginary part of conj(a) * b.
Tensor inner_part(const Tensor& a, const Tensor& b) { return add(mul(real(a), real(b)), mul(imag(a), imag(b))); }
Tensor cross_part(const Tensor& a, const Tensor& b) { return sub(mul(real(a), imag(b)), mul(imag(a), real(b))); }

}  // namespace

Tensor exp2(const Tensor& z) { return exp(mul(z, Operand(kLn2))); }
// cos y - 1 = -2 sin(y/2)^2 keeps the digits of small numbers.
Tensor expm1(const Tensor& z) {
  const Tensor x = real(z), y = imag(z), s = sin(half(y));
  return complex(sub(mul(pydl::expm1(x), cos(y)), twice(mul(s, s))), mul(exp(x), sin(y)));
}
Tensor log2(const Tensor& z) { return div(log(z), Operand(kLn2)); }
Tensor log10(const Tensor& z) { return div(log(z), Operand(kLn10)); }
// |1 + z|^2 = 1 + x (2 + x) + y^2, near 0 without the rounding of 1 + z.
Tensor log1p(const Tensor& z) {
  const Tensor x = real(z), y = imag(z);
  const Tensor near = complex(half(pydl::log1p(add(mul(x, add(x, Operand(2))), mul(y, y)))), atan2(y, plus_one(x)));
  return where(lt(abs(z), Operand(0.5)), near, log(plus_one(z)));
}
Tensor rsqrt(const Tensor& z) { return reciprocal(sqrt(z)); }
Tensor sigmoid(const Tensor& z) { return reciprocal(plus_one(exp(neg(z)))); }
Tensor silu(const Tensor& z) { return div(z, plus_one(exp(neg(z)))); }

// W. Kahan, "Branch cuts for complex elementary functions", 1987: products of roots have no cancellation.
Tensor asin(const Tensor& z) {
  const Tensor a = sqrt(one_minus(z)), b = sqrt(plus_one(z));
  return complex(atan2(real(z), sub(mul(real(a), real(b)), mul(imag(a), imag(b)))), pydl::asinh(cross_part(a, b)));
}
Tensor acos(const Tensor& z) {
  const Tensor a = sqrt(one_minus(z)), b = sqrt(plus_one(z));
  return complex(twice(atan2(real(a), real(b))), pydl::asinh(cross_part(b, a)));
}
Tensor acosh(const Tensor& z) {
  const Tensor a = sqrt(sub(z, Operand(1))), b = sqrt(plus_one(z));
  return complex(pydl::asinh(inner_part(a, b)), twice(atan2(imag(a), real(b))));
}
Tensor asinh(const Tensor& z) { return times_minus_i(complex_values::asin(times_i(z))); }
Tensor atanh(const Tensor& z) {
  const Tensor x = real(z), y = imag(z), rest = one_minus(x), square = mul(y, y);
  const Tensor gain = pydl::log1p(div(mul(x, Operand(4)), add(mul(rest, rest), square)));
  return complex(mul(gain, Operand(0.25)), half(atan2(twice(y), sub(mul(rest, plus_one(x)), square))));
}
Tensor atan(const Tensor& z) { return times_minus_i(complex_values::atanh(times_i(z))); }

}  // namespace pydl::complex_values
