#include "ops/pointwise/exponential.h"

#include "kernels/pointwise/exponential.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/complex.h"
#include "ops/pointwise/unary.h"
#include "ops/view/view.h"

namespace pydl {

namespace kernel = kernels::pointwise;

namespace {
constexpr double kLn2 = 0.693147180559945309417;
constexpr double kLn10 = 2.302585092994045684018;
}  // namespace

PYDL_UNARY_Y(exp, "ExpBackward0", kernel::exp(), 3, mul(g, conj(y)), R"doc(
e ** input.

Example:
    >>> pydl.exp(pydl.tensor([0., 1.]))
    tensor([1.0000, 2.7183])
)doc");
PYDL_UNARY_Y_COMPLEX(exp2, "Exp2Backward0", kernel::exp2(), 3, mul(mul(g, conj(y)), Operand(kLn2)), R"doc(
2 ** input.

Example:
    >>> pydl.exp2(pydl.tensor([0., 3.]))
    tensor([1., 8.])
)doc");
PYDL_ALIAS("special.exp2", "exp2");
PYDL_UNARY_Y_COMPLEX(expm1, "Expm1Backward0", kernel::expm1(), 4, mul(g, conj(add(y, Operand(1)))), R"doc(
e ** input - 1, exact for small inputs.

Example:
    >>> pydl.expm1(pydl.tensor([0., 1.]))
    tensor([0.0000, 1.7183])
)doc");
PYDL_ALIAS("special.expm1", "expm1");
PYDL_UNARY_X(log, "LogBackward0", kernel::log(), 4, div(g, conj(x)), R"doc(
The natural logarithm.

Example:
    >>> pydl.log(pydl.tensor([1., 10.]))
    tensor([0.0000, 2.3026])
)doc");
PYDL_UNARY_X_COMPLEX(log2, "Log2Backward0", kernel::log2(), 4, div(g, mul(conj(x), Operand(kLn2))), R"doc(
The logarithm to base 2.

Example:
    >>> pydl.log2(pydl.tensor([1., 8.]))
    tensor([0., 3.])
)doc");
PYDL_UNARY_X_COMPLEX(log10, "Log10Backward0", kernel::log10(), 4, div(g, mul(conj(x), Operand(kLn10))), R"doc(
The logarithm to base 10.

Example:
    >>> pydl.log10(pydl.tensor([1., 100.]))
    tensor([0., 2.])
)doc");
PYDL_UNARY_X_COMPLEX(log1p, "Log1PBackward0", kernel::log1p(), 4, div(g, conj(add(x, Operand(1)))), R"doc(
log(1 + input), exact for small inputs.

Example:
    >>> pydl.log1p(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.6931])
)doc");
PYDL_ALIAS("special.log1p", "log1p");
PYDL_UNARY_Y(sqrt, "SqrtBackward0", kernel::sqrt(), 2, div(g, mul(conj(y), Operand(2))), R"doc(
The square root; NaN for negative inputs.

Example:
    >>> pydl.sqrt(pydl.tensor([1., 4.]))
    tensor([1., 2.])
)doc");
PYDL_UNARY_Y_COMPLEX(rsqrt, "RsqrtBackward0", kernel::rsqrt(), 3, mul(mul(g, conj(pow(y, Operand(3)))), Operand(-0.5)), R"doc(
1 / sqrt(input).

Example:
    >>> pydl.rsqrt(pydl.tensor([1., 4.]))
    tensor([1.0000, 0.5000])
)doc");

// The larger plus the logarithm of 1 and the exponential of the negative distance.
namespace {
Tensor log_sum(const char* op, const Tensor& input, const Tensor& other, double ln_base) {
  PYDL_CHECK(is_differentiable(input.dtype()) && is_differentiable(other.dtype()), Error, op,
             "(): expected floating point or complex tensors, got ", input.dtype(), " and ", other.dtype());
  const auto scaled = [ln_base](const Tensor& t, double factor) { return ln_base == 1 ? t : mul(t, Operand(factor)); };
  if (is_complex(input.dtype()) || is_complex(other.dtype())) {
    const Tensor first = ge(real(input), real(other));
    const Tensor larger = where(first, input, other), smaller = where(first, other, input);
    return add(larger, scaled(log(add(exp(scaled(sub(smaller, larger), ln_base)), Operand(1))), 1 / ln_base));
  }
  // Equal infinities have no distance.
  const Tensor distance = where(eq(input, other), Operand(0), abs(sub(input, other)));
  const Tensor power = ln_base == 1 ? exp(neg(distance)) : exp2(neg(distance));
  return add(maximum(input, other), scaled(log1p(power), 1 / ln_base));
}
Tensor logaddexp(const Tensor& input, const Tensor& other) { return log_sum("logaddexp", input, other, 1); }
Tensor logaddexp2(const Tensor& input, const Tensor& other) { return log_sum("logaddexp2", input, other, kLn2); }
}  // namespace
PYDL_OP(logaddexp, "logaddexp(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
log(exp(input) + exp(other)) without overflow.

Example:
    >>> pydl.logaddexp(pydl.tensor([1000.]), pydl.tensor([1000.]))
    tensor([1000.6932])
)doc");
PYDL_OP(logaddexp2, "logaddexp2(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
log2(2 ** input + 2 ** other) without overflow.

Example:
    >>> pydl.logaddexp2(pydl.tensor([1000.]), pydl.tensor([1000.]))
    tensor([1001.])
)doc");

}  // namespace pydl
