// Incomplete and multivariate gamma functions, and the zeta function.
#include <cmath>

#include "kernels/pointwise/special.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/special.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
namespace kernel = kernels::pointwise;

namespace {

// P(a, x) or Q(a, x); the derivative by x is x^(a-1) e^-x / gamma(a) or its negative.
Tensor incomplete(const char* op, const char* node, const kernels::StripTable& table, bool upper, const Tensor& input, const Tensor& other,
                  const Dest& dest) {
  PYDL_CHECK(is_floating(input.dtype()) || is_floating(other.dtype()), Error, op, "(): not implemented for ", input.dtype());
  const Tensor before = original(input, dest);
  const Tensor out = pointwise({op, table, TypeRule::Float, nullptr, 200}, {input, other}, dest);
  if (needs_grad(input, other)) {
    record(dest, node, out, {&input, &other},
           [op, upper, a = autograd::save(before), x = autograd::save(other), fit = Fit(other, out)](Backward& b) {
             PYDL_CHECK(!b.needs(0), Error, op, "(): the derivative for '", op, ": input' is not implemented.");
             const Tensor order = a.get(b), at = x.get(b);
             const Tensor exponent = sub(sub(mul(sub(order, Operand(1)), log(at)), at), lgamma(order));
             const Tensor slope = mul(b.grad(), exp(exponent));
             b.set(1, fit(upper ? neg(slope) : slope));
           });
  }
  return out;
}
Tensor igamma(const Tensor& input, const Tensor& other, const Dest& dest) {
  return incomplete("igamma", "IgammaBackward0", kernel::igamma(), false, input, other, dest);
}
Tensor igammac(const Tensor& input, const Tensor& other, const Dest& dest) {
  return incomplete("igammac", "IgammacBackward0", kernel::igammac(), true, input, other, dest);
}

// log of pi^(p (p - 1) / 4) times the product of gamma(x - i / 2), i = 0 .. p - 1.
Tensor mvlgamma(const Tensor& input, int64_t p, const Dest& dest) {
  PYDL_CHECK(p >= 1, Error, "mvlgamma(): p has to be greater than or equal to 1, got ", p);
  PYDL_CHECK(!is_complex(input.dtype()), Error, "mvlgamma(): not implemented for ", input.dtype());
  const Tensor x = is_integral_or_bool(input.dtype()) ? to_dtype(input, default_dtype()) : original(input, dest);
  const double order = static_cast<double>(p);
  const Tensor steps = mul(arange(Scalar(int64_t{0}), Scalar(p), Scalar(int64_t{1}), x.dtype()), Operand(-0.5));
  const Tensor logs = lgamma(add(unsqueeze(x, -1), steps));
  const int64_t last = -1;
  const Tensor out = add(sum(logs, IntSpan(&last, 1), false, std::nullopt), Operand(order * (order - 1) / 4 * std::log(M_PI)));
  return deliver("mvlgamma", out, dest, {input});
}

Tensor zeta_of(const Tensor& input, const Tensor& other, const Dest& dest) {
  const Tensor out = pointwise({"zeta", kernel::zeta(), TypeRule::Float, nullptr, 200}, {input, other}, dest);
  if (needs_grad(input, other)) {
    record(dest, "SpecialZetaBackward0", out, {&input, &other},
           [s = autograd::save(input), q = autograd::save(other), fit = Fit(other, out)](Backward& b) {
             PYDL_CHECK(!b.needs(0), Error, "zeta(): the derivative for 'zeta' is not implemented.");
             const Tensor power = s.get(b);
             b.set(1, fit(neg(mul(b.grad(), mul(power, zeta_of(add(power, Operand(1)), q.get(b), {}))))));
           });
  }
  return out;
}
Tensor zeta(const Tensor& input, const Operand& other, const Dest& dest) {
  if (other.is_tensor()) return zeta_of(input, other.tensor(), dest);
  return zeta_of(input, scalar_tensor(other.scalar(), Promotion().add(input).add(other.scalar()).result()), dest);
}
Tensor zeta_of_number(const Scalar& input, const Tensor& other, const Dest& dest) {
  return zeta_of(scalar_tensor(input, Promotion().add(input).add(other).result()), other, dest);
}

}  // namespace
PYDL_OP(igamma, "igamma(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The regularised lower incomplete gamma function of order `input` at `other`. Differentiable by `other` alone.

Example:
    >>> pydl.igamma(pydl.tensor([1.]), pydl.tensor([2.]))
    tensor([0.8647])
)doc");
PYDL_OP(igammac, "igammac(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The regularised upper incomplete gamma function of order `input` at `other`. Differentiable by `other` alone.

Example:
    >>> pydl.igammac(pydl.tensor([1.]), pydl.tensor([2.]))
    tensor([0.1353])
)doc");
PYDL_OP(mvlgamma, "mvlgamma(input: Tensor, p: int) -> Tensor", Function | Method | Inplace | Out, R"doc(
The logarithm of the multivariate gamma function of dimension `p`; RuntimeError for p < 1.

Example:
    >>> pydl.mvlgamma(pydl.tensor([3.]), 2)
    tensor([1.5502])
)doc");
PYDL_OP(zeta, "zeta(input: Tensor, other: Tensor | Number) -> Tensor", Special | Out, R"doc(
The Hurwitz zeta function: the sum of (other + k) ** -input over k >= 0. Differentiable by `other` alone.

Example:
    >>> pydl.special.zeta(pydl.tensor([2.]), 1)
    tensor([1.6449])
)doc");
PYDL_OP(zeta_of_number, "zeta(input: Number, other: Tensor) -> Tensor", Special | Out, R"doc()doc");
PYDL_ALIAS("special.gammainc", "igamma");
PYDL_ALIAS("special.gammaincc", "igammac");
PYDL_ALIAS("special.multigammaln", "mvlgamma");

}  // namespace pydl
