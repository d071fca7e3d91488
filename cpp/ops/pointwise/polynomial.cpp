// Orthogonal polynomials of a degree given for each element; torch has no derivatives of them.
#include "kernels/pointwise/polynomial.h"

#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {

namespace kernel = kernels::pointwise;

#define PYDL_POLYNOMIAL(name, text)                                                                              \
  namespace {                                                                                                    \
  Tensor name(const Tensor& input, const Operand& n, const Dest& dest) {                                         \
    return pointwise({#name, kernel::name(), TypeRule::Float, nullptr, 60}, {Operand(input), n}, dest);          \
  }                                                                                                              \
  Tensor name##_of_number(const Scalar& input, const Tensor& n, const Dest& dest) {                              \
    return pointwise({#name, kernel::name(), TypeRule::Float, nullptr, 60}, {Operand(input), Operand(n)}, dest); \
  }                                                                                                              \
  }                                                                                                              \
  PYDL_OP(name, #name "(input: Tensor, n: Tensor | Number) -> Tensor", Special | Out, text);                     \
  PYDL_OP_AGAIN(name##_of_number, #name "(input: Number, n: Tensor) -> Tensor", Special | Out, R"doc()doc")

PYDL_POLYNOMIAL(chebyshev_polynomial_t, R"doc(
The Chebyshev polynomial of the first kind of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.chebyshev_polynomial_t(pydl.tensor([0.5]), 3)
    tensor([-1.])
)doc");
PYDL_POLYNOMIAL(chebyshev_polynomial_u, R"doc(
The Chebyshev polynomial of the second kind of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.chebyshev_polynomial_u(pydl.tensor([0.5]), 3)
    tensor([-1.])
)doc");
PYDL_POLYNOMIAL(chebyshev_polynomial_v, R"doc(
The Chebyshev polynomial of the third kind of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.chebyshev_polynomial_v(pydl.tensor([0.5]), 3)
    tensor([-1.])
)doc");
PYDL_POLYNOMIAL(chebyshev_polynomial_w, R"doc(
The Chebyshev polynomial of the fourth kind of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.chebyshev_polynomial_w(pydl.tensor([0.5]), 3)
    tensor([-1.])
)doc");
PYDL_POLYNOMIAL(shifted_chebyshev_polynomial_t, R"doc(
The Chebyshev polynomial of the first kind of degree `n` at 2 x - 1. Degrees below 0 give 0.

Example:
    >>> pydl.special.shifted_chebyshev_polynomial_t(pydl.tensor([0.5]), 3)
    tensor([-0.])
)doc");
PYDL_POLYNOMIAL(shifted_chebyshev_polynomial_u, R"doc(
The Chebyshev polynomial of the second kind of degree `n` at 2 x - 1. Degrees below 0 give 0.

Example:
    >>> pydl.special.shifted_chebyshev_polynomial_u(pydl.tensor([0.5]), 3)
    tensor([-0.])
)doc");
PYDL_POLYNOMIAL(shifted_chebyshev_polynomial_v, R"doc(
The Chebyshev polynomial of the third kind of degree `n` at 2 x - 1. Degrees below 0 give 0.

Example:
    >>> pydl.special.shifted_chebyshev_polynomial_v(pydl.tensor([0.5]), 3)
    tensor([1.])
)doc");
PYDL_POLYNOMIAL(shifted_chebyshev_polynomial_w, R"doc(
The Chebyshev polynomial of the fourth kind of degree `n` at 2 x - 1. Degrees below 0 give 0.

Example:
    >>> pydl.special.shifted_chebyshev_polynomial_w(pydl.tensor([0.5]), 3)
    tensor([-1.])
)doc");
PYDL_POLYNOMIAL(hermite_polynomial_h, R"doc(
The physicists' Hermite polynomial of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.hermite_polynomial_h(pydl.tensor([0.5]), 3)
    tensor([-5.])
)doc");
PYDL_POLYNOMIAL(hermite_polynomial_he, R"doc(
The probabilists' Hermite polynomial of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.hermite_polynomial_he(pydl.tensor([0.5]), 3)
    tensor([-1.3750])
)doc");
PYDL_POLYNOMIAL(laguerre_polynomial_l, R"doc(
The Laguerre polynomial of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.laguerre_polynomial_l(pydl.tensor([0.5]), 3)
    tensor([-0.1458])
)doc");
PYDL_POLYNOMIAL(legendre_polynomial_p, R"doc(
The Legendre polynomial of degree `n`. Degrees below 0 give 0.

Example:
    >>> pydl.special.legendre_polynomial_p(pydl.tensor([0.5]), 3)
    tensor([-0.4375])
)doc");

}  // namespace pydl
