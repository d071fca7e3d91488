// Bessel and Airy functions. Those of torch without a derivative have none here either.
#include "kernels/pointwise/bessel.h"

#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/unary.h"

namespace pydl {

namespace kernel = kernels::pointwise;

namespace {

// i1e and i0e need each other.
Tensor i0e(const Tensor& input, const Dest& dest);
Tensor i1e(const Tensor& input, const Dest& dest);
Tensor i1(const Tensor& input, const Dest& dest);

// y / x, and the limit 1/2 of I1(x) / x at 0.
Tensor over(const Tensor& y, const Tensor& x) {
  const Tensor zero = eq(x, Operand(0));
  return where(zero, Operand(0.5), div(y, where(zero, Operand(1), x)));
}

Tensor i0(const Tensor& input, const Dest& dest) {
  return unary_of_input({"i0", kernel::i0(), TypeRule::Float, nullptr, 100}, "I0Backward0", input, dest,
                        [](const Tensor& g, const Tensor& x) { return mul(g, i1(x, {})); });
}
Tensor i0e(const Tensor& input, const Dest& dest) {
  return unary_of_input({"i0e", kernel::i0e(), TypeRule::Float, nullptr, 80}, "SpecialI0EBackward0", input, dest,
                        [](const Tensor& g, const Tensor& x) { return mul(g, sub(i1e(x, {}), mul(sign(x), i0e(x, {})))); });
}
Tensor i1(const Tensor& input, const Dest& dest) {
  return unary_of_input({"i1", kernel::i1(), TypeRule::Float, nullptr, 100}, "SpecialI1Backward0", input, dest,
                        [](const Tensor& g, const Tensor& x) { return mul(g, sub(i0(x, {}), over(i1(x, {}), x))); });
}
Tensor i1e(const Tensor& input, const Dest& dest) {
  return unary_of_input({"i1e", kernel::i1e(), TypeRule::Float, nullptr, 80}, "SpecialI1EBackward0", input, dest,
                        [](const Tensor& g, const Tensor& x) {
                          const Tensor y = i1e(x, {});
                          return mul(g, sub(sub(i0e(x, {}), mul(sign(x), y)), over(y, x)));
                        });
}

}  // namespace
PYDL_OP(i0, "i0(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The modified Bessel function of the first kind of order 0.

Example:
    >>> pydl.i0(pydl.tensor([0., 1.]))
    tensor([1.0000, 1.2661])
)doc");
PYDL_ALIAS("special.i0", "i0");
PYDL_OP(i0e, "i0e(input: Tensor) -> Tensor", Special | Out, R"doc(
The modified Bessel function `i0` times exp(-|x|).

Example:
    >>> pydl.special.i0e(pydl.tensor([1.0]))
    tensor([0.4658])
)doc");
PYDL_OP(i1, "i1(input: Tensor) -> Tensor", Special | Out, R"doc(
The modified Bessel function of the first kind of order 1.

Example:
    >>> pydl.special.i1(pydl.tensor([1.0]))
    tensor([0.5652])
)doc");
PYDL_OP(i1e, "i1e(input: Tensor) -> Tensor", Special | Out, R"doc(
The modified Bessel function `i1` times exp(-|x|).

Example:
    >>> pydl.special.i1e(pydl.tensor([1.0]))
    tensor([0.2079])
)doc");

// A function without a derivative.
#define PYDL_PLAIN(name, kernel_name, cost, text)                                                    \
  namespace {                                                                                        \
  Tensor name(const Tensor& input, const Dest& dest) {                                               \
    return pointwise({#name, kernel::kernel_name(), TypeRule::Float, nullptr, cost}, {input}, dest); \
  }                                                                                                  \
  }                                                                                                  \
  PYDL_OP(name, #name "(input: Tensor) -> Tensor", Special | Out, text)

PYDL_PLAIN(airy_ai, airy_ai, 80, R"doc(
The Airy function Ai; NaN at infinities.

Example:
    >>> pydl.special.airy_ai(pydl.tensor([1.0]))
    tensor([0.1353])
)doc");
PYDL_PLAIN(bessel_j0, bessel_j0, 80, R"doc(
The Bessel function of the first kind of order 0; NaN at infinities.

Example:
    >>> pydl.special.bessel_j0(pydl.tensor([1.0]))
    tensor([0.7652])
)doc");
PYDL_PLAIN(bessel_j1, bessel_j1, 80, R"doc(
The Bessel function of the first kind of order 1; NaN at infinities.

Example:
    >>> pydl.special.bessel_j1(pydl.tensor([1.0]))
    tensor([0.4401])
)doc");
PYDL_PLAIN(bessel_y0, bessel_y0, 80, R"doc(
The Bessel function of the second kind of order 0; NaN below 0.

Example:
    >>> pydl.special.bessel_y0(pydl.tensor([1.0]))
    tensor([0.0883])
)doc");
PYDL_PLAIN(bessel_y1, bessel_y1, 80, R"doc(
The Bessel function of the second kind of order 1; NaN below 0.

Example:
    >>> pydl.special.bessel_y1(pydl.tensor([1.0]))
    tensor([-0.7812])
)doc");
PYDL_PLAIN(modified_bessel_i0, i0, 80, R"doc(
The modified Bessel function of the first kind of order 0, `i0` without a derivative.

Example:
    >>> pydl.special.modified_bessel_i0(pydl.tensor([1.0]))
    tensor([1.2661])
)doc");
PYDL_PLAIN(modified_bessel_i1, i1, 80, R"doc(
The modified Bessel function of the first kind of order 1, `i1` without a derivative.

Example:
    >>> pydl.special.modified_bessel_i1(pydl.tensor([1.0]))
    tensor([0.5652])
)doc");
PYDL_PLAIN(modified_bessel_k0, bessel_k0, 80, R"doc(
The modified Bessel function of the second kind of order 0; NaN below 0.

Example:
    >>> pydl.special.modified_bessel_k0(pydl.tensor([1.0]))
    tensor([0.4210])
)doc");
PYDL_PLAIN(modified_bessel_k1, bessel_k1, 80, R"doc(
The modified Bessel function of the second kind of order 1; NaN below 0.

Example:
    >>> pydl.special.modified_bessel_k1(pydl.tensor([1.0]))
    tensor([0.6019])
)doc");
PYDL_PLAIN(scaled_modified_bessel_k0, bessel_k0e, 80, R"doc(
`modified_bessel_k0` times exp(x).

Example:
    >>> pydl.special.scaled_modified_bessel_k0(pydl.tensor([1.0]))
    tensor([1.1445])
)doc");
PYDL_PLAIN(scaled_modified_bessel_k1, bessel_k1e, 80, R"doc(
`modified_bessel_k1` times exp(x).

Example:
    >>> pydl.special.scaled_modified_bessel_k1(pydl.tensor([1.0]))
    tensor([1.6362])
)doc");
PYDL_PLAIN(spherical_bessel_j0, spherical_bessel_j0, 80, R"doc(
The spherical Bessel function of the first kind of order 0, sin(x) / x.

Example:
    >>> pydl.special.spherical_bessel_j0(pydl.tensor([1.0]))
    tensor([0.8415])
)doc");

}  // namespace pydl
