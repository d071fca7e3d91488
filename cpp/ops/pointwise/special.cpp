#include "ops/pointwise/special.h"

#include <cmath>
#include <limits>

#include "kernels/pointwise/special.h"
#include "ops/activation/activation.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/trig.h"
#include "ops/pointwise/unary.h"

namespace pydl {

namespace kernel = kernels::pointwise;

namespace {

// 2 / sqrt(pi) exp(-x^2)
Tensor erf_slope(const Tensor& x) { return mul(exp(neg(mul(x, x))), Operand(M_2_SQRTPI)); }

}  // namespace

PYDL_UNARY_X(erf, "ErfBackward0", kernel::erf(), 6, mul(g, erf_slope(x)), R"doc(
The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

Example:
    >>> pydl.erf(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.8427])
)doc");
PYDL_UNARY_X(erfc, "ErfcBackward0", kernel::erfc(), 8, neg(mul(g, erf_slope(x))), R"doc(
1 - erf(x), exact for large x too.

Example:
    >>> pydl.erfc(pydl.tensor([0., 1.]))
    tensor([1.0000, 0.1573])
)doc");
PYDL_UNARY_Y(erfinv, "ErfinvBackward0", kernel::erfinv(), 10, mul(g, mul(exp(mul(y, y)), Operand(1 / M_2_SQRTPI))), R"doc(
The inverse of the error function; NaN outside [-1, 1].

Example:
    >>> pydl.erfinv(pydl.tensor([0., 0.5]))
    tensor([0.0000, 0.4769])
)doc");
PYDL_UNARY_X(lgamma, "LgammaBackward0", kernel::lgamma(), 40, mul(g, digamma(x)), R"doc(
The logarithm of |gamma(x)|.

Example:
    >>> pydl.lgamma(pydl.tensor([1., 4.]))
    tensor([0.0000, 1.7918])
)doc");

PYDL_UNARY_X(digamma, "DigammaBackward0", kernel::digamma(), 40, mul(g, polygamma(1, x)), R"doc(
The derivative of `lgamma`.

Example:
    >>> pydl.digamma(pydl.tensor([1.]))
    tensor([-0.5772])
)doc");

Tensor polygamma(int64_t n, const Tensor& input, const Dest& dest) {
  PYDL_CHECK(n >= 0 && n <= 150, Error, "polygamma(): n must be in [0, 150], got ", n);  // 150! is near the largest double
  if (n == 0) return digamma(input, dest);
  const Tensor before = original(input, dest);
  const Tensor out = pointwise({"polygamma", kernel::polygamma(), TypeRule::Float, &n, 60}, {input}, dest);
  if (autograd::needs_grad(input)) {
    record(dest, "PolygammaBackward0", out, {&input}, [n, x = autograd::save(before), fit = Fit(input, out)](autograd::Backward& b) {
      b.set(0, fit(mul(b.grad(), polygamma(n + 1, x.get(b)))));
    });
  }
  return out;
}
namespace {
Tensor polygamma_method(const Tensor& input, int64_t n, const Dest& dest) { return polygamma(n, input, dest); }
}  // namespace
PYDL_OP(polygamma, "polygamma(n: int, input: Tensor) -> Tensor", Function | Special | Out, R"doc(
The n-th derivative of digamma, 0 <= n <= 150 (Abramowitz and Stegun 6.4.10).

Example:
    >>> pydl.polygamma(1, pydl.tensor([1.]))
    tensor([1.6449])
)doc");
PYDL_OP(polygamma_method, "polygamma(input: Tensor, n: int) -> Tensor", Method | Inplace, R"doc(
The n-th derivative of digamma at this tensor, see `pydl.polygamma`.

Example:
    >>> pydl.tensor([1.]).polygamma(1)
    tensor([1.6449])
)doc");

// x log(y), 0 where x is 0 and y is not NaN.
Tensor xlogy(const Tensor& input, const Operand& other, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, "xlogy(): not implemented for ", input.dtype());
  const Tensor y =
      other.is_tensor() ? other.tensor() : scalar_tensor(other.scalar(), is_floating(input.dtype()) ? input.dtype() : default_dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = mul(input, log(where(logical_and(eq(input, Operand(0)), eq(y, y)), Operand(1), y)));
  }
  const Tensor before = original(input, dest);
  out = place("xlogy", out, dest, {input, y});
  if (autograd::needs_grad(input, y)) {
    record(
        dest, "XlogyBackward0", out, {&input, &y},
        [x = autograd::save(before), other_saved = autograd::save(y), fit_x = Fit(input, out), fit_y = Fit(y, out)](autograd::Backward& b) {
          const Tensor a = x.get(b), c = other_saved.get(b);
          // As torch: no gradient to x at x = 0 where the logarithm is not finite.
          const Tensor dead = logical_and(eq(a, Operand(0)), le(c, Operand(0)));
          if (b.needs(0)) b.set(0, fit_x(where(dead, Operand(0), mul(b.grad(), log(where(dead, Operand(1), c))))));
          if (b.needs(1)) b.set(1, fit_y(mul(b.grad(), div(a, c))));
        });
  }
  return out;
}
namespace {
Tensor xlogy_of_number(const Scalar& self, const Tensor& other, const Dest& dest) {
  return xlogy(scalar_tensor(self, Promotion().add(self).add(other).result()), Operand(other), dest);
}
}  // namespace
PYDL_OP(xlogy_of_number, "xlogy(self: Number, other: Tensor) -> Tensor", Function | Out | Special, R"doc()doc");
PYDL_OP(xlogy, "xlogy(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out | Special, R"doc(
input * log(other), 0 where `input` is 0 (and `other` not NaN).

Example:
    >>> pydl.xlogy(pydl.tensor([0., 1.]), pydl.tensor([0., 1.]))
    tensor([0., 0.])
)doc");

namespace {

// log(x / (1 - x)), x limited to [eps, 1 - eps].
Tensor logit(const Tensor& input, std::optional<double> eps, const Dest& dest) {
  Tensor x = is_integral_or_bool(input.dtype()) ? to_dtype(input, default_dtype()) : original(input, dest);
  if (eps) x = clamp(x, Scalar(*eps), Scalar(1 - *eps));
  const Tensor out = log(div(x, rsub(x, Operand(1))));
  return deliver("logit", out, dest, {input});
}

Tensor entr(const Tensor& input) {
  const Tensor out = rsub(xlogy(input, input), Operand(0));
  return where(lt(input, Operand(0)), Operand(-std::numeric_limits<double>::infinity()), out);
}

// sin(pi x) / (pi x), 1 at 0.
Tensor sinc(const Tensor& input, const Dest& dest) {
  const Tensor x = is_integral_or_bool(input.dtype()) ? to_dtype(input, default_dtype()) : original(input, dest);
  const Tensor zero = eq(x, Operand(0));
  const Tensor angle = where(zero, Operand(1), mul(x, Operand(M_PI)));
  const Tensor out = where(zero, Operand(1), div(sin(angle), angle));
  return deliver("sinc", out, dest, {input});
}

// Phi(x) = erfc(-x / sqrt(2)) / 2
Tensor ndtr(const Tensor& input) { return mul(erfc(mul(input, Operand(-M_SQRT1_2))), Operand(0.5)); }

}  // namespace
namespace {

// erfcx' = 2 x erfcx - 2 / sqrt(pi)
Tensor erfcx(const Tensor& input, const Dest& dest) {
  return unary_of_input(
      {"erfcx", kernel::erfcx(), TypeRule::Float, nullptr, 40}, "SpecialErfcxBackward0", input, dest,
      [](const Tensor& g, const Tensor& x) { return mul(g, sub(mul(mul(x, erfcx(x, {})), Operand(2)), Operand(M_2_SQRTPI))); });
}
// The hazard sqrt(2 / pi) / erfcx(-x / sqrt 2)
Tensor log_ndtr(const Tensor& input, const Dest& dest) {
  return unary_of_input({"log_ndtr", kernel::log_ndtr(), TypeRule::Float, nullptr, 60}, "SpecialLogNdtrBackward0", input, dest,
                        [](const Tensor& g, const Tensor& x) {
                          return mul(div(g, erfcx(mul(x, Operand(-M_SQRT1_2)), {})), Operand(M_2_SQRTPI * M_SQRT1_2));
                        });
}
// sqrt(2 pi) exp(y^2 / 2)
Tensor ndtri(const Tensor& input, const Dest& dest) {
  return unary_of_result({"ndtri", kernel::ndtri(), TypeRule::Float, nullptr, 300}, "SpecialNdtriBackward0", input, dest,
                         [](const Tensor& g, const Tensor& y) {
                           return mul(g, mul(exp(mul(mul(y, y), Operand(0.5))), Operand(2 / (M_2_SQRTPI * M_SQRT1_2))));
                         });
}

// x log(1 + y), 0 where x is 0 and y is not NaN.
Tensor xlog1py_of(const Tensor& input, const Tensor& other, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()) && !is_complex(other.dtype()), Error, "xlog1py(): not implemented for ", input.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = mul(input, log1p(where(logical_and(eq(input, Operand(0)), eq(other, other)), Operand(0), other)));
  }
  out = place("xlog1py", out, dest, {input, other});
  if (autograd::needs_grad(input, other)) {
    record(dest, "SpecialXlog1PyBackward0", out, {&input, &other},
           [x = autograd::save(input), y = autograd::save(other), fit_x = Fit(input, out), fit_y = Fit(other, out)](autograd::Backward& b) {
             const Tensor a = x.get(b), c = y.get(b);
             // As torch: no gradient to x at x = 0 where the logarithm is not finite.
             const Tensor dead = logical_and(eq(a, Operand(0)), le(c, Operand(-1)));
             if (b.needs(0)) b.set(0, fit_x(where(dead, Operand(0), mul(b.grad(), log1p(where(dead, Operand(0), c))))));
             if (b.needs(1)) b.set(1, fit_y(mul(b.grad(), div(a, add(c, Operand(1))))));
           });
  }
  return out;
}
Tensor xlog1py(const Tensor& input, const Operand& other, const Dest& dest) {
  if (other.is_tensor()) return xlog1py_of(input, other.tensor(), dest);
  return xlog1py_of(input, scalar_tensor(other.scalar(), Promotion().add(input).add(other.scalar()).result()), dest);
}
Tensor xlog1py_of_number(const Scalar& input, const Tensor& other, const Dest& dest) {
  return xlog1py_of(scalar_tensor(input, Promotion().add(input).add(other).result()), other, dest);
}

}  // namespace
PYDL_OP(erfcx, "erfcx(input: Tensor) -> Tensor", Special | Out, R"doc(
exp(x^2) erfc(x), which does not underflow.

Example:
    >>> pydl.special.erfcx(pydl.tensor([0., 10.]))
    tensor([1.0000, 0.0561])
)doc");
PYDL_OP(log_ndtr, "log_ndtr(input: Tensor) -> Tensor", Special | Out, R"doc(
The logarithm of the distribution function of the standard normal, exact far to the left too.

Example:
    >>> pydl.special.log_ndtr(pydl.tensor([0., -100.]))
    tensor([-6.9315e-01, -5.0055e+03])
)doc");
PYDL_OP(ndtri, "ndtri(input: Tensor) -> Tensor", Special | Out, R"doc(
The quantile of the standard normal, the inverse of `ndtr`; NaN outside [0, 1].

Example:
    >>> pydl.special.ndtri(pydl.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
)doc");
PYDL_OP(xlog1py, "xlog1py(input: Tensor, other: Tensor | Number) -> Tensor", Special | Out, R"doc(
input * log(1 + other), 0 where `input` is 0 (and `other` not NaN).

Example:
    >>> pydl.special.xlog1py(pydl.tensor([0., 1.]), pydl.tensor([-1., 1.]))
    tensor([0.0000, 0.6931])
)doc");
PYDL_OP(xlog1py_of_number, "xlog1py(input: Number, other: Tensor) -> Tensor", Special | Out, R"doc()doc");
PYDL_OP(logit, "logit(input: Tensor, eps: float | None = None) -> Tensor", Function | Method | Inplace | Out | Special, R"doc(
log(x / (1 - x)), the inverse of `sigmoid`; with `eps` x is limited to [eps, 1 - eps] first.

Example:
    >>> pydl.logit(pydl.tensor([0.5, 0.75]))
    tensor([0.0000, 1.0986])
)doc");
PYDL_OP(sinc, "sinc(input: Tensor) -> Tensor", Function | Method | Inplace | Out | Special, R"doc(
sin(pi x) / (pi x), 1 at 0.

Example:
    >>> pydl.sinc(pydl.tensor([0., 0.5]))
    tensor([1.0000, 0.6366])
)doc");
PYDL_OP(entr, "entr(input: Tensor) -> Tensor", Special | Out, R"doc(
-x log(x), 0 at 0 and -inf below.

Example:
    >>> pydl.special.entr(pydl.tensor([0., 0.5]))
    tensor([0.0000, 0.3466])
)doc");
PYDL_OP(ndtr, "ndtr(input: Tensor) -> Tensor", Special | Out, R"doc(
The distribution function of the standard normal.

Example:
    >>> pydl.special.ndtr(pydl.tensor([0.]))
    tensor([0.5000])
)doc");
PYDL_ALIAS("special.erf", "erf");
PYDL_ALIAS("special.erfc", "erfc");
PYDL_ALIAS("special.erfinv", "erfinv");
PYDL_ALIAS("special.gammaln", "lgamma");
PYDL_ALIAS("special.digamma", "digamma");
PYDL_ALIAS("special.psi", "digamma");

}  // namespace pydl
