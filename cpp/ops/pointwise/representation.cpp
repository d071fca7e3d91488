// Functions of a number's representation, and powers of two and in double precision.
#include "kernels/pointwise/representation.h"

#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
namespace kernel = kernels::pointwise;

namespace {

std::tuple<Tensor, Tensor> frexp(const Tensor& input) {
  PYDL_CHECK(is_floating(input.dtype()), Error, "frexp(): only supports floating-point dtypes, got ", input.dtype());
  const Tensor mantissa = empty(input.sizes(), input.dtype(), "frexp"), exponent = empty(input.sizes(), DType::Int32, "frexp");
  const DType compute = compute_type(input.dtype());
  const StripOperand operands[] = {{&mantissa, nullptr, compute}, {&exponent, nullptr, DType::Int32}, {&input, nullptr, compute}};
  run_strips(kernel::frexp()[compute], input.sizes(), 2, operands, nullptr, 6);
  if (needs_grad(input)) {
    record({}, "FrexpBackward0", mantissa, {&input}, [e = autograd::save(exponent), dtype = input.dtype()](Backward& b) {
      b.set(0, mul(b.grad(), to_dtype(exp2(neg(to_dtype(e.get(b), DType::Float64))), dtype)));
    });
  }
  return {mantissa, exponent};
}

// Exact for whole exponents, even where the power alone would overflow.
Tensor ldexp(const Tensor& input, const Tensor& other, const Dest& dest) {
  if (!is_integral_or_bool(other.dtype()) || is_complex(input.dtype())) return mul(input, pow_scalar_base(Scalar(2.0), other), dest);
  const Tensor out = pointwise({"ldexp", kernel::ldexp(), TypeRule::Float, nullptr, 8}, {input, other}, dest);
  if (needs_grad(input)) {
    record(dest, "LdexpBackward0", out, {&input},
           [n = autograd::save(other), fit = Fit(input, out)](Backward& b) { b.set(0, fit(ldexp(b.grad(), n.get(b), {}))); });
  }
  return out;
}

Tensor nextafter(const Tensor& input, const Tensor& other, const Dest& dest) {
  const Tensor out = pointwise({"nextafter", kernel::nextafter(), TypeRule::Stored, nullptr, 4}, {input, other}, dest);
  if (needs_grad(input, other)) {  // a derivative of 0, as torch has it
    record(dest, "NextafterBackward0", out, {&input, &other}, [fit = Fit(input, out), fit_other = Fit(other, out)](Backward& b) {
      const Tensor none = zeros(b.grad().sizes(), b.grad().dtype());
      if (b.needs(0)) b.set(0, fit(none));
      if (b.needs(1)) b.set(1, fit_other(none));
    });
  }
  return out;
}

// ---- powers in double precision --------------------------------------------------------------------------------

DType wide(bool complex) { return complex ? DType::Complex128 : DType::Float64; }
bool has_complex(const Operand& o) { return o.is_tensor() ? is_complex(o.tensor().dtype()) : o.scalar().is_complex(); }

Tensor float_power(const Tensor& input, const Operand& exponent, const Dest& dest) {
  const DType dtype = wide(is_complex(input.dtype()) || has_complex(exponent));
  if (dest.is_inplace()) check_inplace("float_power_", input);
  PYDL_CHECK(dest.is_new() || dest.tensor().dtype() == dtype, Error, dest.is_inplace() ? "float_power_" : "float_power",
             "(): the result of dtype ", dtype, " can't be cast to the desired output type ", dest.tensor().dtype());
  const Tensor base = to_dtype(input, dtype);
  return exponent.is_tensor() ? pow(base, Operand(to_dtype(exponent.tensor(), dtype)), dest) : pow(base, exponent, dest);
}
Tensor float_power_of_number(const Scalar& self, const Tensor& exponent, const Dest& dest) {
  const DType dtype = wide(self.is_complex() || is_complex(exponent.dtype()));
  PYDL_CHECK(dest.is_new() || dest.tensor().dtype() == dtype, Error, "float_power(): the result has dtype ", dtype,
             " but the output has dtype ", dest.tensor().dtype());
  return pow_scalar_base(self, to_dtype(exponent, dtype), dest);
}

Tensor positive(const Tensor& input) {
  PYDL_CHECK(input.dtype() != DType::Bool, Error, "positive(): The `+` operator, on a bool tensor is not supported.");
  return input;
}

}  // namespace
PYDL_OP(frexp, "frexp(input: Tensor) -> (mantissa: Tensor, exponent: Tensor)", Function | Method | Out, R"doc(
Mantissa and int32 exponent of each element: input = mantissa * 2 ** exponent, 1/2 <= |mantissa| < 1.

Example:
    >>> mantissa, exponent = pydl.frexp(pydl.tensor([9.]))
    >>> mantissa, exponent
    (tensor([0.5625]), tensor([4], dtype=torch.int32))
)doc");
PYDL_OP(ldexp, "ldexp(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
input * 2 ** other.

Example:
    >>> pydl.ldexp(pydl.tensor([1.]), pydl.tensor([3]))
    tensor([8.])
)doc");
PYDL_OP(nextafter, "nextafter(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The next number of the dtype after `input` in the direction of `other`.

Example:
    >>> pydl.nextafter(pydl.tensor([1.]), pydl.tensor([2.])) == 1 + pydl.finfo(pydl.float32).eps
    tensor([True])
)doc");
PYDL_OP(float_power, "float_power(input: Tensor, exponent: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
input ** exponent in float64, or complex128 if either is complex.

Example:
    >>> pydl.float_power(pydl.tensor([2, 3]), 2)
    tensor([4., 9.], dtype=torch.float64)
)doc");
PYDL_OP(float_power_of_number, "float_power(self: Number, exponent: Tensor) -> Tensor", Function | Out, R"doc()doc");
PYDL_OP(positive, "positive(input: Tensor) -> Tensor", Function | Method, R"doc(
`input` itself; RuntimeError for a bool tensor.

Example:
    >>> pydl.positive(pydl.tensor([-1.]))
    tensor([-1.])
)doc");

}  // namespace pydl
