#include "ops/pointwise/trig.h"

#include "kernels/pointwise/trig.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/complex.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/unary.h"

namespace pydl {

namespace kernel = kernels::pointwise;

namespace {
Tensor one_minus_square(const Tensor& x) { return rsub(mul(x, x), Operand(1)); }
Tensor one_plus_square(const Tensor& x) { return add(mul(x, x), Operand(1)); }
// In the complex plane the root of the product has another branch cut than the product of the roots.
Tensor acosh_slope(const Tensor& x) {
  if (!is_complex(x.dtype())) return rsqrt(sub(mul(x, x), Operand(1)));
  return mul(rsqrt(sub(x, Operand(1))), rsqrt(add(x, Operand(1))));
}
}  // namespace

PYDL_UNARY_X(sin, "SinBackward0", kernel::sin(), 6, mul(g, conj(cos(x))), R"doc(
The sine of an angle in radians.

Example:
    >>> pydl.sin(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.8415])
)doc");
PYDL_UNARY_X(cos, "CosBackward0", kernel::cos(), 6, neg(mul(g, conj(sin(x)))), R"doc(
The cosine of an angle in radians.

Example:
    >>> pydl.cos(pydl.tensor([0., 1.]))
    tensor([1.0000, 0.5403])
)doc");
PYDL_UNARY_Y(tan, "TanBackward0", kernel::tan(), 8, mul(g, conj(one_plus_square(y))), R"doc(
The tangent of an angle in radians.

Example:
    >>> pydl.tan(pydl.tensor([0., 1.]))
    tensor([0.0000, 1.5574])
)doc");
PYDL_UNARY_X_COMPLEX(asin, "AsinBackward0", kernel::asin(), 8, mul(g, conj(rsqrt(one_minus_square(x)))), R"doc(
The arc sine in radians; NaN outside [-1, 1].

Example:
    >>> pydl.asin(pydl.tensor([0., 1.]))
    tensor([0.0000, 1.5708])
)doc");
PYDL_ALIAS("arcsin", "asin");
PYDL_UNARY_X_COMPLEX(acos, "AcosBackward0", kernel::acos(), 8, neg(mul(g, conj(rsqrt(one_minus_square(x))))), R"doc(
The arc cosine in radians; NaN outside [-1, 1].

Example:
    >>> pydl.acos(pydl.tensor([0., 1.]))
    tensor([1.5708, 0.0000])
)doc");
PYDL_ALIAS("arccos", "acos");
PYDL_UNARY_X_COMPLEX(atan, "AtanBackward0", kernel::atan(), 8, div(g, conj(one_plus_square(x))), R"doc(
The arc tangent in radians.

Example:
    >>> pydl.atan(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.7854])
)doc");
PYDL_ALIAS("arctan", "atan");
PYDL_UNARY_X(sinh, "SinhBackward0", kernel::sinh(), 6, mul(g, conj(cosh(x))), R"doc(
The hyperbolic sine.

Example:
    >>> pydl.sinh(pydl.tensor([0., 1.]))
    tensor([0.0000, 1.1752])
)doc");
PYDL_UNARY_X(cosh, "CoshBackward0", kernel::cosh(), 6, mul(g, conj(sinh(x))), R"doc(
The hyperbolic cosine.

Example:
    >>> pydl.cosh(pydl.tensor([0., 1.]))
    tensor([1.0000, 1.5431])
)doc");
PYDL_UNARY_X_COMPLEX(asinh, "AsinhBackward0", kernel::asinh(), 8, mul(g, conj(rsqrt(one_plus_square(x)))), R"doc(
The inverse hyperbolic sine.

Example:
    >>> pydl.asinh(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.8814])
)doc");
PYDL_ALIAS("arcsinh", "asinh");
PYDL_UNARY_X_COMPLEX(acosh, "AcoshBackward0", kernel::acosh(), 8, mul(g, conj(acosh_slope(x))), R"doc(
The inverse hyperbolic cosine; NaN below 1.

Example:
    >>> pydl.acosh(pydl.tensor([1., 2.]))
    tensor([0.0000, 1.3170])
)doc");
PYDL_ALIAS("arccosh", "acosh");
PYDL_UNARY_X_COMPLEX(atanh, "AtanhBackward0", kernel::atanh(), 8, div(g, conj(one_minus_square(x))), R"doc(
The inverse hyperbolic tangent; NaN outside [-1, 1].

Example:
    >>> pydl.atanh(pydl.tensor([0., 0.5]))
    tensor([0.0000, 0.5493])
)doc");
PYDL_ALIAS("arctanh", "atanh");

}  // namespace pydl
