// Functions of two and three tensors that are one kernel, and small compounds.
#include "ops/pointwise/compound.h"

#include <cmath>
#include <limits>

#include "kernels/pointwise/arithmetic.h"
#include "kernels/pointwise/power.h"
#include "kernels/pointwise/trig.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/trig.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
namespace kernel = kernels::pointwise;

namespace {

struct Number {
  alignas(16) char bytes[16];
  Number(const char* op, TypeRule rule, std::initializer_list<Operand> inputs, const Scalar& value) {
    value.store(pointwise_compute_type(op, rule, {inputs.begin(), inputs.size()}), bytes);
  }
};

// f(x, y) with its partial derivatives.
using Partial = Tensor (*)(const Tensor& g, const Tensor& x, const Tensor& y, const Tensor& out);
Tensor binary(const PointwiseCall& call, const char* node, const Tensor& input, const Tensor& other, const Dest& dest, Partial by_input,
              Partial by_other) {
  const Tensor before = original(input, dest);
  const Tensor out = pointwise(call, {input, other}, dest);
  if (needs_grad(input, other)) {
    record(dest, node, out, {&input, &other},
           [x = save(before), y = save(other), r = autograd::save_output(out), fit_x = Fit(input, out), fit_y = Fit(other, out), by_input,
            by_other](Backward& b) {
             const Tensor a = x.get(b), c = y.get(b), result = r.get(b);
             if (b.needs(0)) b.set(0, fit_x(by_input(b.grad(), a, c, result)));
             if (b.needs(1)) b.set(1, fit_y(by_other(b.grad(), a, c, result)));
           });
  }
  return out;
}

Tensor masked(const Tensor& condition, const Tensor& g) { return where(condition, g, Operand(0)); }

}  // namespace

Tensor atan2(const Tensor& input, const Tensor& other, const Dest& dest) {
  return binary(
      {"atan2", kernel::atan2(), TypeRule::Float, nullptr, 12}, "Atan2Backward0", input, other, dest,
      [](const Tensor& g, const Tensor& y, const Tensor& x, const Tensor&) { return mul(g, div(x, add(mul(x, x), mul(y, y)))); },
      [](const Tensor& g, const Tensor& y, const Tensor& x, const Tensor&) { return mul(g, div(neg(y), add(mul(x, x), mul(y, y)))); });
}

Tensor lerp(const Tensor& input, const Tensor& end, const Operand& weight, const Dest& dest) {
  PYDL_CHECK(input.dtype() == end.dtype(), Error, "lerp(): expected dtype ", input.dtype(), " for `end` but got dtype ", end.dtype());
  PYDL_CHECK(!weight.is_tensor() || weight.tensor().dtype() == input.dtype(), Error, "lerp(): expected dtype ", input.dtype(),
             " for `weight` but got dtype ", weight.is_tensor() ? weight.tensor().dtype() : input.dtype());
  const Tensor& w = weight.tensor();
  const Tensor before = original(input, dest);
  if (is_complex(input.dtype())) {
    const Tensor step = sub(end, before);
    const Tensor scaled = weight.is_tensor() ? mul(step, w) : mul(step, weight.scalar());
    return deliver("lerp", add(before, scaled), dest, {input, end, weight});
  }
  const Tensor out = pointwise({"lerp", kernel::lerp(), TypeRule::Same, nullptr, 2}, {input, end, weight}, dest);
  if (needs_grad(input, end, w)) {
    record(dest, "LerpBackward0", out, {&input, &end, &w},
           [a = save(before), e = save(end), ws = w.defined() ? save(w) : autograd::Saved(), number = weight.scalar(),
            fit_a = Fit(input, out), fit_e = Fit(end, out), fit_w = Fit(w, out)](Backward& b) {
             const Tensor share = ws.defined() ? ws.get(b) : scalar_tensor(number, b.grad().dtype());
             if (b.needs(0)) b.set(0, fit_a(mul(b.grad(), rsub(share, Operand(1)))));
             if (b.needs(1)) b.set(1, fit_e(mul(b.grad(), share)));
             if (b.needs(2)) b.set(2, fit_w(mul(b.grad(), sub(e.get(b), a.get(b)))));
           });
  }
  return out;
}

namespace {

// input + value * t1 * t2, or input + value * t1 / t2.
Tensor add_third(const char* op, const char* node, const kernels::StripTable& table, bool divides, const Tensor& input, const Tensor& t1,
                 const Tensor& t2, const Scalar& value, const Dest& dest) {
  const DType dtype = pointwise_compute_type(op, TypeRule::Same, std::initializer_list<Operand>{input, t1, t2});
  PYDL_CHECK(!divides || !is_integral_or_bool(dtype), Error, op, "(): Integer division with addcdiv is no longer supported.");
  PYDL_CHECK(is_differentiable(dtype) || value.is_integral(), Error, op,
             "(): For integral input tensors, argument value must not be a floating point number.");
  const Number number(op, TypeRule::Same, {input, t1, t2}, value);
  const Tensor out = pointwise({op, table, TypeRule::Same, number.bytes, 2}, {input, t1, t2}, dest);
  if (needs_grad(input, t1, t2)) {
    record(dest, node, out, {&input, &t1, &t2},
           [a = save(t1), c = save(t2), value, divides, fit = Fit(input, out), fit_1 = Fit(t1, out), fit_2 = Fit(t2, out)](Backward& b) {
             const Tensor x = a.get(b), y = c.get(b);
             if (b.needs(0)) b.set(0, fit(b.grad()));
             const Tensor g = mul(b.grad(), value);
             if (b.needs(1)) b.set(1, fit_1(divides ? div(g, conj(y)) : mul(g, conj(y))));
             if (b.needs(2)) b.set(2, fit_2(divides ? neg(mul(g, conj(div(x, mul(y, y))))) : mul(g, conj(x))));
           });
  }
  return out;
}

Tensor addcmul(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value, const Dest& dest) {
  return add_third("addcmul", "AddcmulBackward0", kernel::addcmul(), false, input, tensor1, tensor2, value, dest);
}
Tensor addcdiv(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value, const Dest& dest) {
  return add_third("addcdiv", "AddcdivBackward0", kernel::addcdiv(), true, input, tensor1, tensor2, value, dest);
}

Tensor hypot(const Tensor& input, const Tensor& other, const Dest& dest) {
  return binary(
      {"hypot", kernel::hypot(), TypeRule::Same, nullptr, 8}, "HypotBackward0", input, other, dest,
      [](const Tensor& g, const Tensor& x, const Tensor&, const Tensor& r) { return mul(g, div(x, r)); },
      [](const Tensor& g, const Tensor&, const Tensor& y, const Tensor& r) { return mul(g, div(y, r)); });
}
Tensor copysign(const Tensor& input, const Operand& other, const Dest& dest) {
  const Tensor sign_of =
      other.is_tensor() ? other.tensor() : scalar_tensor(other.scalar(), is_floating(input.dtype()) ? input.dtype() : default_dtype());
  return binary(
      {"copysign", kernel::copysign(), TypeRule::Float, nullptr, 1}, "CopysignBackward0", input, sign_of, dest,
      [](const Tensor& g, const Tensor& x, const Tensor&, const Tensor& r) {
        return where(eq(x, Operand(0)), Operand(0), mul(g, div(r, x)));
      },
      [](const Tensor& g, const Tensor&, const Tensor&, const Tensor&) { return mul(g, Operand(0)); });
}
// NaN only where both are. Ties give the whole gradient to `input`, as in torch.
Tensor fmax(const Tensor& input, const Tensor& other, const Dest& dest) {
  if (!is_differentiable(pointwise_compute_type("fmax", TypeRule::Same, std::initializer_list<Operand>{input, other})))
    return maximum(input, other, dest);
  return binary(
      {"fmax", kernel::fmax()}, "FmaxBackward0", input, other, dest,
      [](const Tensor& g, const Tensor& x, const Tensor& y, const Tensor&) { return masked(add(ge(x, y), ne(y, y)), g); },
      [](const Tensor& g, const Tensor& x, const Tensor& y, const Tensor&) { return masked(logical_not(add(ge(x, y), ne(y, y))), g); });
}
Tensor fmin(const Tensor& input, const Tensor& other, const Dest& dest) {
  if (!is_differentiable(pointwise_compute_type("fmin", TypeRule::Same, std::initializer_list<Operand>{input, other})))
    return minimum(input, other, dest);
  return binary(
      {"fmin", kernel::fmin()}, "FminBackward0", input, other, dest,
      [](const Tensor& g, const Tensor& x, const Tensor& y, const Tensor&) { return masked(add(le(x, y), ne(y, y)), g); },
      [](const Tensor& g, const Tensor& x, const Tensor& y, const Tensor&) { return masked(logical_not(add(le(x, y), ne(y, y))), g); });
}

Tensor scaled(const char* op, const Tensor& input, double factor, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, op, "(): is not supported for complex tensors.");
  return mul(is_integral_or_bool(input.dtype()) && dest.is_new() ? to_dtype(input, default_dtype()) : input, Operand(factor), dest);
}
Tensor rad2deg(const Tensor& input, const Dest& dest) { return scaled("rad2deg", input, 180 / M_PI, dest); }
Tensor deg2rad(const Tensor& input, const Dest& dest) { return scaled("deg2rad", input, M_PI / 180, dest); }

Tensor heaviside(const Tensor& input, const Tensor& values, const Dest& dest) {
  PYDL_CHECK(input.dtype() == values.dtype(), Error, "heaviside(): is not yet implemented for tensors with different dtypes.");
  if (dest.is_inplace()) check_inplace("heaviside", input);
  const autograd::GradGuard off(false);
  const Tensor step = to_dtype(gt(input, Operand(0)), input.dtype());
  const Tensor out = where(eq(input, Operand(0)), values, where(ne(input, input), input, step));
  return deliver("heaviside", out, dest, {input, values});
}

std::pair<double, double> limits(DType d) {
  switch (d) {
    case DType::Float16:
      return {-65504.0, 65504.0};
    case DType::BFloat16:
      return {-3.3895313892515355e38, 3.3895313892515355e38};
    case DType::Float32:
      return {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
    default:
      return {std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()};
  }
}
Tensor nan_to_num(const Tensor& input, std::optional<double> nan, std::optional<double> posinf, std::optional<double> neginf,
                  const Dest& dest) {
  if (is_complex(input.dtype())) {  // part by part
    const Tensor z = original(input, dest);
    return deliver("nan_to_num", complex(nan_to_num(real(z), nan, posinf, neginf, {}), nan_to_num(imag(z), nan, posinf, neginf, {})), dest,
                   {input});
  }
  if (!is_floating(input.dtype())) return deliver("nan_to_num", clone(input), dest, {input});
  const auto [lowest, highest] = limits(input.dtype());
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor x = original(input, dest);
  Tensor out = where(ne(x, x), Operand(nan.value_or(0)), x);
  out = where(eq(x, Operand(infinity)), Operand(posinf.value_or(highest)), out);
  out = where(eq(x, Operand(-infinity)), Operand(neginf.value_or(lowest)), out);
  return deliver("nan_to_num", out, dest, {input});
}

// ---- complex numbers -------------------------------------------------------------------------------------------

Tensor angle(const Tensor& input) {
  if (is_complex(input.dtype())) return atan2(imag(input), real(input));
  const Tensor x = is_integral_or_bool(input.dtype()) ? to_dtype(input, default_dtype()) : input;
  const Tensor flat = where(lt(x, Operand(0)), Operand(M_PI), mul(x, Operand(0)));
  return where(ne(x, x), x, flat);
}

}  // namespace

Tensor complex(const Tensor& real_part, const Tensor& imag_part) {
  PYDL_CHECK(real_part.dtype() == imag_part.dtype(), Error, "complex(): Expected object of scalar type ", real_part.dtype(),
             " but got scalar type ", imag_part.dtype(), " for second argument");
  if (real_part.dtype() == DType::Float16)  // complex32 has storage alone
    return to_dtype(complex(to_dtype(real_part, DType::Float32), to_dtype(imag_part, DType::Float32)), DType::ComplexHalf);
  PYDL_CHECK(real_part.dtype() == DType::Float32 || real_part.dtype() == DType::Float64, Error,
             "complex(): Expected both inputs to be Float or Double tensors but got ", real_part.dtype(), " and ", imag_part.dtype());
  const Dims shape = broadcast_shapes(real_part.sizes(), imag_part.sizes(), "complex");
  const Tensor out = empty(shape, complex_type(real_part.dtype()), "complex");
  {
    const autograd::GradGuard off(false);
    copy_raw(real(out), expand(real_part, shape));
    copy_raw(imag(out), expand(imag_part, shape));
  }
  if (needs_grad(real_part, imag_part)) {
    record({}, "ComplexBackward0", out, {&real_part, &imag_part},
           [fit_r = Fit(real_part, real(out)), fit_i = Fit(imag_part, real(out))](Backward& b) {
             if (b.needs(0)) b.set(0, fit_r(real(b.grad())));
             if (b.needs(1)) b.set(1, fit_i(imag(b.grad())));
           });
  }
  return out;
}

namespace {

Tensor polar(const Tensor& abs, const Tensor& angle) { return complex(mul(abs, cos(angle)), mul(abs, sin(angle))); }

Tensor resolve(const Tensor& input) { return input; }
Tensor conj_physical(const Tensor& input, const Dest& dest) {
  const Tensor x = original(input, dest);
  return deliver("conj_physical", is_complex(x.dtype()) ? conj(x) : clone(x), dest, {input});
}

}  // namespace

PYDL_OP(atan2, "atan2(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The angle of the point (other, input) with the x-axis, in (-pi, pi].

Example:
    >>> pydl.atan2(pydl.tensor([1.]), pydl.tensor([0.]))
    tensor([1.5708])
)doc");
PYDL_ALIAS("arctan2", "atan2");
PYDL_OP(lerp, "lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
input + weight * (end - input).

Example:
    >>> pydl.lerp(pydl.tensor([0.]), pydl.tensor([10.]), 0.3)
    tensor([3.])
)doc");
PYDL_OP(addcmul, "addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
input + value * tensor1 * tensor2.

Example:
    >>> pydl.addcmul(pydl.ones(1), pydl.tensor([2.]), pydl.tensor([3.]))
    tensor([7.])
)doc");
PYDL_OP(addcdiv, "addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
input + value * tensor1 / tensor2.

Example:
    >>> pydl.addcdiv(pydl.ones(1), pydl.tensor([6.]), pydl.tensor([3.]))
    tensor([3.])
)doc");
PYDL_OP(hypot, "hypot(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
sqrt(input^2 + other^2) without overflow.

Example:
    >>> pydl.hypot(pydl.tensor([3.]), pydl.tensor([4.]))
    tensor([5.])
)doc");
PYDL_OP(copysign, "copysign(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
|input| with the sign of `other`.

Example:
    >>> pydl.copysign(pydl.tensor([1., -2.]), -1)
    tensor([-1., -2.])
)doc");
PYDL_OP(fmax, "fmax(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
The larger of two elements; NaN only if both are.

Example:
    >>> pydl.fmax(pydl.tensor([1., float('nan')]), pydl.tensor([3., 2.]))
    tensor([3., 2.])
)doc");
PYDL_OP(fmin, "fmin(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
The smaller of two elements; NaN only if both are.

Example:
    >>> pydl.fmin(pydl.tensor([1., float('nan')]), pydl.tensor([3., 2.]))
    tensor([1., 2.])
)doc");
PYDL_OP(rad2deg, "rad2deg(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Radians as degrees.

Example:
    >>> pydl.rad2deg(pydl.tensor([0.]))
    tensor([0.])
)doc");
PYDL_OP(deg2rad, "deg2rad(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Degrees as radians.

Example:
    >>> pydl.deg2rad(pydl.tensor([180.]))
    tensor([3.1416])
)doc");
PYDL_OP(heaviside, "heaviside(input: Tensor, values: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
0 below zero, 1 above, `values` at zero.

Example:
    >>> pydl.heaviside(pydl.tensor([-1., 0., 2.]), pydl.tensor(0.5))
    tensor([0.0000, 0.5000, 1.0000])
)doc");
PYDL_OP(nan_to_num,
        "nan_to_num(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
NaN replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest and lowest finite numbers).

Example:
    >>> pydl.nan_to_num(pydl.tensor([1., float('nan')]))
    tensor([1., 0.])
)doc");
PYDL_OP(angle, "angle(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
The argument of each element, in radians: 0 or pi for real numbers.

Example:
    >>> pydl.angle(pydl.tensor([-1., 1.]))
    tensor([3.1416, 0.0000])
)doc");
PYDL_OP(complex, "complex(real: Tensor, imag: Tensor) -> Tensor", Function | Out, R"doc(
Complex numbers from their parts, float32 or float64.

Example:
    >>> pydl.complex(pydl.tensor([1.]), pydl.tensor([2.]))
    tensor([1.+2.j])
)doc");
PYDL_OP(polar, "polar(abs: Tensor, angle: Tensor) -> Tensor", Function | Out, R"doc(
Complex numbers from modulus and argument.

Example:
    >>> pydl.polar(pydl.tensor([2.]), pydl.tensor([0.]))
    tensor([2.+0.j])
)doc");
PYDL_OP(resolve, "resolve_conj(input: Tensor) -> Tensor", Function | Method, R"doc(
`input` itself: conjugates are never lazy here.

Example:
    >>> pydl.tensor([1.]).resolve_conj()
    tensor([1.])
)doc");
PYDL_OP(resolve, "resolve_neg(input: Tensor) -> Tensor", Function | Method, R"doc(
`input` itself: negation is never lazy here.

Example:
    >>> pydl.tensor([1.]).resolve_neg()
    tensor([1.])
)doc");
PYDL_OP(conj_physical, "conj_physical(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The complex conjugate as a copy.

Example:
    >>> pydl.conj_physical(pydl.tensor([1+2j]))
    tensor([1.-2.j])
)doc");

}  // namespace pydl
