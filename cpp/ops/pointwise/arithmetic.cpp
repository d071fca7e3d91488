#include "ops/pointwise/arithmetic.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/pointwise/arithmetic.h"
#include "kernels/pointwise/division.h"
#include "kernels/pointwise/power.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;
namespace kernel = kernels::pointwise;

namespace {

// A Python number in the compute dtype of the call, for kernels that take it as a parameter.
struct Number {
  alignas(16) char bytes[16];
  Number(const char* op, TypeRule rule, std::initializer_list<Operand> inputs, const Scalar& value) {
    value.store(pointwise_compute_type(op, rule, {inputs.begin(), inputs.size()}), bytes);
  }
};

void check_alpha(const char* op, const Tensor& input, const Operand& other, const Scalar& alpha) {
  const DType dtype = pointwise_compute_type(op, TypeRule::Same, std::initializer_list<Operand>{input, other});
  PYDL_CHECK(!alpha.is_bool() || dtype == DType::Bool, Error, op, "(): Boolean alpha only supported for Boolean results.");
  PYDL_CHECK(is_differentiable(dtype) || alpha.is_integral(), Error, op,
             "(): For integral input tensors, argument alpha must not be a floating point number.");
  PYDL_CHECK(is_complex(dtype) || !alpha.is_complex(), Error, op,
             "(): For non-complex input tensors, argument alpha must not be a complex number.");
}

Scalar conjugate(const Scalar& s) { return s.is_complex() ? Scalar(std::conj(s.to_complex())) : s; }

Tensor add_sub(const char* op, const char* node, const kernels::StripTable& plain, const Tensor& input, const Operand& other,
               const Scalar& alpha, const Scalar& factor, const Dest& dest) {
  Tensor out;
  if (alpha.kind() != Scalar::Kind::Bool && alpha.equals(1)) {
    out = pointwise({op, plain}, {input, other}, dest);
  } else {
    check_alpha(op, input, other, alpha);
    if (other.is_tensor() && input.dtype() == DType::Bool && other.tensor().dtype() == DType::Bool) {  // or: alpha is a mask
      return pointwise({op, plain}, {input, Operand(mul(other.tensor(), Operand(Scalar(alpha.to_bool()))))}, dest);
    }
    const Number number(op, TypeRule::Same, {input, other}, factor);
    out = pointwise({op, kernel::add_scaled(), TypeRule::Same, number.bytes}, {input, other}, dest);
  }
  if (needs_grad(input, other.tensor())) {
    record(dest, node, out, {&input, &other.tensor()},
           [fit_input = Fit(input, out), fit_other = Fit(other.tensor(), out), factor](Backward& b) {
             if (b.needs(0)) b.set(0, fit_input(b.grad()));
             if (b.needs(1))
               b.set(1, fit_other(factor.equals(1) ? b.grad() : factor.equals(-1) ? neg(b.grad()) : mul(b.grad(), conjugate(factor))));
           });
  }
  return out;
}

bool is_bool(const Operand& o) { return o.is_tensor() ? o.tensor().dtype() == DType::Bool : o.scalar().is_bool(); }

}  // namespace

Tensor add(const Tensor& input, const Operand& other, const Scalar& alpha, const Dest& dest) {
  return add_sub("add", "AddBackward0", kernel::add(), input, other, alpha, alpha, dest);
}
PYDL_OP(add, "add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor", Function | Method | Inplace | Out, R"doc(
input + alpha * other, broadcast.

Raises RuntimeError if the shapes do not broadcast, or if `alpha` does not fit integer tensors.

Example:
    >>> pydl.add(pydl.tensor([1, 2]), 10)
    tensor([11, 12])
)doc");

Tensor sub(const Tensor& input, const Operand& other, const Scalar& alpha, const Dest& dest) {
  PYDL_CHECK(
      !(input.dtype() == DType::Bool && is_bool(other)), Error,
      "sub(): Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.");
  PYDL_CHECK(input.dtype() != DType::Bool && !is_bool(other), Error,
             "sub(): Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` "
             "or `logical_not()` operator instead.");
  return add_sub("sub", "SubBackward0", kernel::sub(), input, other, alpha, alpha.negated(), dest);
}
PYDL_OP(sub, "sub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor", Function | Method | Inplace | Out, R"doc(
input - alpha * other, broadcast.

Example:
    >>> pydl.sub(pydl.tensor([1., 2.]), 0.5)
    tensor([0.5000, 1.5000])
)doc");
PYDL_ALIAS("subtract", "sub");

Tensor rsub(const Tensor& input, const Operand& other, const Scalar& alpha) {
  if (other.is_tensor()) return sub(other.tensor(), input, alpha);
  PYDL_CHECK(input.dtype() != DType::Bool && !is_bool(other), Error,
             "rsub(): Subtraction, the `-` operator, with a bool tensor is not supported.");
  const Tensor out =
      alpha.equals(1) ? pointwise({"rsub", kernel::sub()}, {other, input}) : sub(mul(neg(input), alpha), Operand(other.scalar().negated()));
  if (alpha.equals(1) && needs_grad(input)) {
    record({}, "RsubBackward1", out, {&input}, [fit = Fit(input, out)](Backward& b) { b.set(0, fit(neg(b.grad()))); });
  }
  return out;
}
PYDL_OP(rsub, "rsub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor", Function, R"doc(
other - alpha * input.

Example:
    >>> pydl.rsub(pydl.tensor([1, 2]), 10)
    tensor([9, 8])
)doc");

Tensor mul(const Tensor& input, const Operand& other, const Dest& dest) {
  const Tensor& o = other.tensor();
  const bool grad = needs_grad(input, o);
  const Tensor before = grad && needs_grad(o) ? original(input, dest) : input;
  const Tensor out = pointwise({"mul", kernel::mul()}, {input, other}, dest);
  if (grad) {
    record(dest, "MulBackward0", out, {&input, &o},
           [a = needs_grad(o) ? save(before) : autograd::Saved(), c = needs_grad(input) && o.defined() ? save(o) : autograd::Saved(),
            fit_input = Fit(input, out), fit_other = Fit(o, out), number = other.scalar()](Backward& b) {
             if (b.needs(0)) b.set(0, fit_input(c.defined() ? mul(b.grad(), conj(c.get(b))) : mul(b.grad(), Operand(conjugate(number)))));
             if (b.needs(1)) b.set(1, fit_other(mul(b.grad(), conj(a.get(b)))));
           });
  }
  return out;
}
PYDL_OP(mul, "mul(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
input * other, element by element, broadcast.

Example:
    >>> pydl.mul(pydl.tensor([1., 2.]), pydl.tensor([3., 4.]))
    tensor([3., 8.])
)doc");
PYDL_ALIAS("multiply", "mul");

namespace {

bool integral(const Tensor& input, const Operand& other) {
  return is_integral_or_bool(pointwise_compute_type("div", TypeRule::Same, std::initializer_list<Operand>{input, other}));
}

void check_divisor(const char* op, const Tensor& input, const Operand& other) {
  if (!integral(input, other)) return;
  const bool zero = other.is_tensor() ? has_zero(other.tensor()) : !other.scalar().to_bool();
  PYDL_CHECK(!zero, Error, op, "(): ZeroDivisionError: integer division or modulo by zero in argument other");
}

Tensor rounded_div(const char* op, const kernels::StripTable& table, const Tensor& input, const Operand& other, const Dest& dest) {
  check_divisor(op, input, other);
  const Tensor out = pointwise({op, table, TypeRule::Same, nullptr, 6}, {input, other}, dest);
  if (needs_grad(input, other.tensor())) {
    record(dest, "DivBackward1", out, {&input, &other.tensor()},
           [shape = input.sizes(), other_shape = other.tensor().defined() ? other.tensor().sizes() : Dims(), a = input.dtype(),
            c = other.is_tensor() ? other.tensor().dtype() : DType::Float32](Backward& b) {
             if (b.needs(0)) b.set(0, zeros(shape, a));
             if (b.needs(1)) b.set(1, zeros(other_shape, c));
           });
  }
  return out;
}

}  // namespace

Tensor div(const Tensor& input, const Operand& other, std::optional<std::string_view> rounding_mode, const Dest& dest) {
  if (rounding_mode) {
    if (*rounding_mode == "floor") return rounded_div("div", kernel::floor_divide(), input, other, dest);
    PYDL_CHECK(*rounding_mode == "trunc", Error, "div(): expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
               *rounding_mode, "'");
    return rounded_div("div", kernel::trunc_divide(), input, other, dest);
  }
  const Tensor& o = other.tensor();
  const bool grad = needs_grad(input, o);
  const Tensor before = grad && needs_grad(o) ? original(input, dest) : input;
  const Tensor out = pointwise({"div", kernel::div(), TypeRule::Float, nullptr, 2}, {input, other}, dest);
  if (grad) {
    record(dest, "DivBackward0", out, {&input, &o},
           [a = needs_grad(o) ? save(before) : autograd::Saved(), c = o.defined() ? save(o) : autograd::Saved(),
            fit_input = Fit(input, out), fit_other = Fit(o, out), number = other.scalar()](Backward& b) {
             const Tensor divisor = c.get(b);
             const Tensor by_input = divisor.defined() ? div(b.grad(), conj(divisor)) : div(b.grad(), Operand(conjugate(number)));
             if (b.needs(0)) b.set(0, fit_input(by_input));
             if (b.needs(1)) b.set(1, fit_other(neg(mul(by_input, conj(div(a.get(b), divisor))))));
           });
  }
  return out;
}
PYDL_OP(div, "div(input: Tensor, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor", Function | Method | Inplace | Out,
        R"doc(
input / other, broadcast; integers are divided in the default dtype. With `rounding_mode` 'trunc' or 'floor' the quotient
is rounded and keeps the promoted dtype.

Example:
    >>> pydl.div(pydl.tensor([7, -7]), 2, rounding_mode='floor')
    tensor([ 3, -4])
)doc");
PYDL_ALIAS("divide", "div");
namespace {
Tensor true_divide(const Tensor& input, const Operand& other, const Dest& dest) { return div(input, other, std::nullopt, dest); }
Tensor floor_divide(const Tensor& input, const Operand& other, const Dest& dest) {
  return rounded_div("floor_divide", kernel::floor_divide(), input, other, dest);
}
}  // namespace
PYDL_OP(true_divide, "true_divide(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
Alias of `div` without rounding.

Example:
    >>> pydl.true_divide(pydl.tensor([1]), 4)
    tensor([0.2500])
)doc");
PYDL_OP(floor_divide, "floor_divide(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
input / other rounded down, in the promoted dtype. Integer division by zero raises RuntimeError.

Example:
    >>> pydl.floor_divide(pydl.tensor([7, -7]), 2)
    tensor([ 3, -4])
)doc");

namespace {

Tensor modulo(const char* op, const char* node, const char* rounding, const kernels::StripTable& table, const Tensor& input,
              const Operand& other, const Dest& dest) {
  check_divisor(op, input, other);
  const Tensor& o = other.tensor();
  const bool grad = needs_grad(input, o);
  const Tensor before = grad && needs_grad(o) ? original(input, dest) : input;
  const Tensor out = pointwise({op, table, TypeRule::Same, nullptr, 6}, {input, other}, dest);
  if (grad) {
    record(dest, node, out, {&input, &o},
           [a = needs_grad(o) ? save(before) : autograd::Saved(), c = needs_grad(o) ? save(o) : autograd::Saved(),
            fit_input = Fit(input, out), fit_other = Fit(o, out), rounding](Backward& b) {
             if (b.needs(0)) b.set(0, fit_input(b.grad()));
             if (b.needs(1)) b.set(1, fit_other(neg(mul(b.grad(), div(a.get(b), c.get(b), rounding)))));
           });
  }
  return out;
}
Tensor fmod(const Tensor& input, const Operand& other, const Dest& dest) {
  return modulo("fmod", "FmodBackward0", "trunc", kernel::fmod(), input, other, dest);
}

}  // namespace

Tensor remainder(const Tensor& input, const Operand& other, const Dest& dest) {
  return modulo("remainder", "RemainderBackward0", "floor", kernel::remainder(), input, other, dest);
}
namespace {
Tensor remainder_of_number(const Scalar& self, const Tensor& other, const Dest& dest) {
  const DType dtype = Promotion().add(self).add(other).result();
  return remainder(scalar_tensor(self, dtype), Operand(other), dest);
}
}  // namespace
PYDL_OP(remainder_of_number, "remainder(self: Number, other: Tensor) -> Tensor", Function | Out, R"doc()doc");
PYDL_OP(remainder, "remainder(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
Python's modulus: the result has the sign of `other`.

Example:
    >>> pydl.remainder(pydl.tensor([-3., 3.]), 2)
    tensor([1., 1.])
)doc");
PYDL_OP(fmod, "fmod(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
C's fmod: the result has the sign of `input`.

Example:
    >>> pydl.fmod(pydl.tensor([-3., 3.]), 2)
    tensor([-1.,  1.])
)doc");

// ---- powers ----------------------------------------------------------------------------------------------------

namespace {

// d(x^n)/dx for a number n; 0 where n is 0, also at x = 0.
Tensor pow_gradient(const Tensor& g, const Tensor& x, const Scalar& n) {
  if (n.equals(0)) return zeros(g.sizes(), g.dtype());
  if (n.equals(1)) return g;
  if (n.equals(2)) return mul(g, mul(conj(x), Operand(2)));
  const bool integer = n.is_integral() && n.to_int() > INT64_MIN;  // below it only a double can count down
  const Scalar less = n.is_complex() ? Scalar(n.to_complex() - 1.0) : integer ? Scalar(n.to_int() - 1) : Scalar(n.to_double() - 1);
  return mul(g, conj(mul(pow(x, Operand(less)), Operand(n))));
}

// result * log(base), 0 where base is 0 and the exponent is not negative.
Tensor pow_exponent_gradient(const Tensor& g, const Tensor& base, const Tensor& exponent, const Tensor& result) {
  const Tensor zero_base =
      mul(eq(base, Operand(0)), is_complex(exponent.dtype()) ? ge(real(exponent), Operand(0)) : ge(exponent, Operand(0)));
  const Tensor log_base = log(where(zero_base, Operand(1), base));
  return mul(g, conj(where(zero_base, Operand(0), mul(result, log_base))));
}

}  // namespace

Tensor pow(const Tensor& input, const Operand& exponent, const Dest& dest) {
  const Tensor& e = exponent.tensor();
  const bool grad = needs_grad(input, e);
  const Tensor before = grad ? original(input, dest) : input;
  PYDL_CHECK(e.defined() || !(is_integral_or_bool(input.dtype()) && exponent.scalar().is_integral() && exponent.scalar().to_int() < 0),
             Error, "pow(): Integers to negative integer powers are not allowed.");
  const Tensor out = !e.defined() && exponent.scalar().equals(2) && input.dtype() != DType::Bool && !exponent.scalar().is_bool() &&
                             (exponent.scalar().is_integral() || is_differentiable(input.dtype()))
                         ? pointwise({"pow", kernel::square()}, {input}, dest)
                         : pointwise({"pow", kernel::pow(), TypeRule::Same, nullptr, 20}, {input, exponent}, dest);
  if (!grad) return out;
  if (!e.defined()) {
    record(dest, "PowBackward0", out, {&input}, [x = save(before), fit = Fit(input, out), n = exponent.scalar()](Backward& b) {
      b.set(0, fit(pow_gradient(b.grad(), x.get(b), n)));
    });
    return out;
  }
  const bool needs_result = needs_grad(e);
  record(dest, "PowBackward1", out, {&input, &e},
         [x = save(before), y = save(e), r = needs_result ? save_output(out) : autograd::Saved(), fit_input = Fit(input, out),
          fit_exponent = Fit(e, out)](Backward& b) {
           const Tensor base = x.get(b), power = y.get(b);
           if (b.needs(0)) {
             const Tensor slope = mul(b.grad(), conj(mul(power, pow(base, sub(power, Operand(1))))));
             b.set(0, fit_input(where(eq(power, Operand(0)), Operand(0), slope)));
           }
           if (b.needs(1)) b.set(1, fit_exponent(pow_exponent_gradient(b.grad(), base, power, r.get(b))));
         });
  return out;
}
PYDL_OP(pow, "pow(input: Tensor, exponent: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
input ** exponent, broadcast. Integers to a negative integer number raise RuntimeError.

Example:
    >>> pydl.pow(pydl.tensor([1., 2., 3.]), 2)
    tensor([1., 4., 9.])
)doc");

Tensor pow_scalar_base(const Scalar& base, const Tensor& exponent, const Dest& dest) {
  const Tensor out = pointwise({"pow", kernel::pow(), TypeRule::Same, nullptr, 20}, {Operand(base), Operand(exponent)}, dest);
  if (needs_grad(exponent)) {
    record(dest, "PowBackward2", out, {&exponent}, [base, y = save(exponent), r = save_output(out), fit = Fit(exponent, out)](Backward& b) {
      const Tensor number = scalar_tensor(base, r.get(b).dtype());
      b.set(0, fit(pow_exponent_gradient(b.grad(), number, y.get(b), r.get(b))));
    });
  }
  return out;
}
PYDL_OP(pow_scalar_base, "pow(self: Number, exponent: Tensor) -> Tensor", Function | Out, R"doc()doc");

// ---- one operand -----------------------------------------------------------------------------------------------

Tensor neg(const Tensor& input, const Dest& dest) {
  PYDL_CHECK(input.dtype() != DType::Bool, Error,
             "neg(): Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or "
             "`logical_not()` operator instead.");
  const Tensor out = pointwise({"neg", kernel::neg()}, {input}, dest);
  if (needs_grad(input)) record(dest, "NegBackward0", out, {&input}, [](Backward& b) { b.set(0, neg(b.grad())); });
  return out;
}
PYDL_OP(neg, "neg(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
-input.

Example:
    >>> pydl.neg(pydl.tensor([1, -2]))
    tensor([-1,  2])
)doc");
PYDL_ALIAS("negative", "neg");

namespace {
// Complex: x / |x|, 0 at 0.
Tensor sgn(const Tensor& input, const Dest& dest) {
  if (!is_complex(input.dtype())) return sign(input, dest);
  const Tensor size = abs(input);
  const Tensor zero = eq(size, Operand(0));
  const Tensor unit = where(zero, Operand(0), div(input, where(zero, Operand(1), size)));
  if (dest.is_new()) return unit;
  return copy_(dest.tensor(), unit);
}
}  // namespace

Tensor abs(const Tensor& input, const Dest& dest) {
  const bool complex = is_complex(input.dtype());
  PYDL_CHECK(!(complex && dest.is_inplace()), Error, "abs_(): In-place abs is not supported for complex tensors.");
  const Tensor before = original(input, dest);
  const Tensor out = pointwise({"abs", complex ? kernel::abs_complex() : kernel::abs(), TypeRule::AbsLike}, {input}, dest);
  if (needs_grad(input))
    record(dest, "AbsBackward0", out, {&input}, [x = save(before)](Backward& b) { b.set(0, mul(b.grad(), sgn(x.get(b), {}))); });
  return out;
}
PYDL_OP(abs, "abs(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The absolute value; of complex numbers, the modulus as a real tensor.

Example:
    >>> pydl.abs(pydl.tensor([-1, 2]))
    tensor([1, 2])
)doc");
PYDL_ALIAS("absolute", "abs");

Tensor sign(const Tensor& input, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, "sign(): Unlike NumPy, pydl.sign doesn't support complex tensors; use sgn");
  const Tensor out = pointwise({"sign", kernel::sign()}, {input}, dest);
  if (needs_grad(input))
    record(dest, "SignBackward0", out, {&input}, [](Backward& b) { b.set(0, zeros(b.grad().sizes(), b.grad().dtype())); });
  return out;
}
PYDL_OP(sign, "sign(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
-1, 0 or 1.

Example:
    >>> pydl.sign(pydl.tensor([-2., 0., 3.]))
    tensor([-1.,  0.,  1.])
)doc");
PYDL_OP(sgn, "sgn(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
`sign`, and x / |x| for complex tensors.

Example:
    >>> pydl.sgn(pydl.tensor([-2., 0.]))
    tensor([-1.,  0.])
)doc");

Tensor square(const Tensor& input, const Dest& dest) { return pow(input, Operand(2), dest); }
PYDL_OP(square, "square(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
input * input.

Example:
    >>> pydl.square(pydl.tensor([3.]))
    tensor([9.])
)doc");

Tensor reciprocal(const Tensor& input, const Dest& dest) {
  const Tensor out = pointwise({"reciprocal", kernel::reciprocal(), TypeRule::Float, nullptr, 2}, {input}, dest);
  if (needs_grad(input)) {
    record(dest, "ReciprocalBackward0", out, {&input}, [r = save_output(out)](Backward& b) {
      const Tensor y = conj(r.get(b));
      b.set(0, neg(mul(b.grad(), mul(y, y))));
    });
  }
  return out;
}
PYDL_OP(reciprocal, "reciprocal(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
1 / input.

Example:
    >>> pydl.reciprocal(pydl.tensor([4.]))
    tensor([0.2500])
)doc");

Tensor conj(const Tensor& input) {
  if (!is_complex(input.dtype())) return input;
  const Tensor out = pointwise({"conj", kernel::conj()}, {input});
  if (needs_grad(input)) record({}, "ConjBackward0", out, {&input}, [](Backward& b) { b.set(0, conj(b.grad())); });
  return out;
}
PYDL_OP(conj, "conj(input: Tensor) -> Tensor", Function | Method, R"doc(
The complex conjugate; real tensors are returned as they are.

Example:
    >>> pydl.conj(pydl.tensor([1+2j]))
    tensor([1.-2.j])
)doc");

// ---- extremes --------------------------------------------------------------------------------------------------

namespace {

// Ties split the gradient evenly, as in torch.
Tensor extreme(const char* op, const char* node, const kernels::StripTable& table, bool largest, const Tensor& input, const Tensor& other,
               const Dest& dest) {
  const bool grad = needs_grad(input, other);
  const Tensor before = original(input, dest);
  const Tensor out = pointwise({op, table}, {input, other}, dest);
  if (grad) {
    record(dest, node, out, {&input, &other},
           [a = save(before), c = save(other), fit_input = Fit(input, out), fit_other = Fit(other, out), largest](Backward& b) {
             const Tensor x = a.get(b), y = c.get(b);
             const Tensor shared = where(eq(x, y), div(b.grad(), Operand(2)), b.grad());
             const auto part = [&](const Tensor& loses) { return where(loses, Operand(0), shared); };
             if (b.needs(0)) b.set(0, fit_input(part(largest ? lt(x, y) : gt(x, y))));
             if (b.needs(1)) b.set(1, fit_other(part(largest ? lt(y, x) : gt(y, x))));
           });
  }
  return out;
}

}  // namespace

Tensor maximum(const Tensor& input, const Tensor& other, const Dest& dest) {
  return extreme("maximum", "MaximumBackward0", kernel::maximum(), true, input, other, dest);
}
Tensor minimum(const Tensor& input, const Tensor& other, const Dest& dest) {
  return extreme("minimum", "MinimumBackward0", kernel::minimum(), false, input, other, dest);
}
PYDL_OP(maximum, "maximum(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
The larger of two elements; NaN if either is NaN.

Example:
    >>> pydl.maximum(pydl.tensor([1, 5]), pydl.tensor([3, 2]))
    tensor([3, 5])
)doc");
PYDL_OP(minimum, "minimum(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc(
The smaller of two elements; NaN if either is NaN.

Example:
    >>> pydl.minimum(pydl.tensor([1, 5]), pydl.tensor([3, 2]))
    tensor([1, 2])
)doc");

namespace {

// The limits that are not given are the ends of the type, which change nothing.
void clamp_params(DType dtype, char* out, const std::optional<Scalar>& low, const std::optional<Scalar>& high) {
  PYDL_CHECK(dtype != DType::Bool, Error, "clamp(): not supported for ", dtype);
  dispatch("clamp", dtype, RealTypes{}, [&]<class T>(T) {
    using Limits = std::numeric_limits<T>;
    kernel::ClampParams<T> p{Limits::has_infinity ? -Limits::infinity() : Limits::lowest(),
                             Limits::has_infinity ? Limits::infinity() : Limits::max()};
    if (low) low->store(dtype, &p.low);
    if (high) high->store(dtype, &p.high);
    std::memcpy(out, &p, sizeof p);
  });
}

}  // namespace

Tensor clamp(const Tensor& input, std::optional<Scalar> min, std::optional<Scalar> max, const Dest& dest) {
  PYDL_CHECK(min || max, Error, "clamp(): At least one of 'min' or 'max' must not be None");
  PYDL_CHECK(!is_complex(input.dtype()) && !(min && min->is_complex()) && !(max && max->is_complex()), Error,
             "clamp(): is not supported for complex types");
  Promotion p;
  p.add(input);
  if (min) p.add(*min);
  if (max) p.add(*max);
  const DType common = p.result();
  alignas(16) char params[16];
  const bool nan = (min && min->to_double() != min->to_double()) || (max && max->to_double() != max->to_double());
  clamp_params(compute_type(common), params, min, max);
  const Tensor before = original(input, dest);
  const Tensor wide = to_dtype(input, common);
  PYDL_CHECK(!dest.is_inplace() || wide.same(input), Error, "clamp_(): result type ", common, " can't be cast to the desired output type ",
             input.dtype());
  Tensor out = nan ? fill_(dest.is_new() ? empty(input.sizes(), common) : dest.tensor(), Operand(static_cast<double>(NAN)))
                   : pointwise({"clamp", kernel::clamp(), TypeRule::Same, params}, {wide}, dest);
  if (!nan && needs_grad(wide)) {
    record(dest, "ClampBackward1", out, {&wide}, [x = save(dest.is_inplace() ? before : wide), min, max](Backward& b) {
      Tensor inside = x.get(b);
      Tensor keep;
      if (min) keep = ge(inside, Operand(*min));
      if (max) keep = keep.defined() ? mul(keep, le(inside, Operand(*max))) : le(inside, Operand(*max));
      b.set(0, where(keep, b.grad(), Operand(0)));
    });
  }
  return out;
}
namespace {

// Bounds for each element. Where they cross, the upper one holds; ties belong to the input, as in torch.
Tensor clamp_between(const Tensor& input, const Tensor& min, const Tensor& max, const Dest& dest) {
  PYDL_CHECK(min.defined() || max.defined(), Error, "clamp(): At least one of 'min' or 'max' must not be None");
  const Tensor before = original(input, dest);
  const Tensor out = !max.defined()   ? pointwise({"clamp", kernel::maximum()}, {input, min}, dest)
                     : !min.defined() ? pointwise({"clamp", kernel::minimum()}, {input, max}, dest)
                                      : pointwise({"clamp", kernel::clamp_tensor()}, {input, min, max}, dest);
  if (needs_grad(input, min, max)) {
    record(dest, "ClampBackward0", out, {&input, &min, &max},
           [x = save(before), low = min.defined() ? save(min) : autograd::Saved(), high = max.defined() ? save(max) : autograd::Saved(),
            fit = Fit(input, out), fit_low = Fit(min, out), fit_high = Fit(max, out)](Backward& b) {
             const Tensor a = x.get(b), from = low.defined() ? low.get(b) : Tensor(), to = high.defined() ? high.get(b) : Tensor();
             const auto masked = [&](const Tensor& where_one) { return where(where_one, b.grad(), Operand(0)); };
             const Tensor below = from.defined() ? lt(a, from) : Tensor(), above = to.defined() ? gt(a, to) : Tensor();
             if (b.needs(0)) {
               const Tensor outside = !above.defined() ? below : !below.defined() ? above : add(below, above);
               b.set(0, fit(masked(logical_not(outside))));
             }
             if (b.needs(1)) b.set(1, fit_low(masked(to.defined() ? logical_and(below, lt(from, to)) : below)));
             if (b.needs(2)) b.set(2, fit_high(masked(from.defined() ? add(above, gt(from, to)) : above)));
           });
  }
  return out;
}
Tensor clamp_min(const Tensor& input, const Scalar& min, const Dest& dest) { return clamp(input, min, std::nullopt, dest); }
Tensor clamp_max(const Tensor& input, const Scalar& max, const Dest& dest) { return clamp(input, std::nullopt, max, dest); }
Tensor clamp_min_each(const Tensor& input, const Tensor& min, const Dest& dest) { return clamp_between(input, min, Tensor(), dest); }
Tensor clamp_max_each(const Tensor& input, const Tensor& max, const Dest& dest) { return clamp_between(input, Tensor(), max, dest); }

}  // namespace
PYDL_OP(clamp, "clamp(input: Tensor, min: Number | None = None, max: Number | None = None) -> Tensor", Function | Method | Inplace | Out,
        R"doc(
Every element limited to [min, max], two numbers or two tensors; NaN stays NaN. If min > max, the result is max.

Example:
    >>> pydl.clamp(pydl.tensor([-1., 0.5, 2.]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
)doc");
PYDL_OP(clamp_between, "clamp(input: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor",
        Function | Method | Inplace | Out, R"doc()doc");
PYDL_ALIAS("clip", "clamp");
PYDL_OP(clamp_min, "clamp_min(input: Tensor, min: Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
Every element limited to at least `min`.

Example:
    >>> pydl.clamp_min(pydl.tensor([-1., 2.]), 0)
    tensor([0., 2.])
)doc");
PYDL_OP(clamp_min_each, "clamp_min(input: Tensor, min: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc()doc");
PYDL_OP(clamp_max, "clamp_max(input: Tensor, max: Number) -> Tensor", Function | Method | Inplace | Out, R"doc(
Every element limited to at most `max`.

Example:
    >>> pydl.clamp_max(pydl.tensor([-1., 2.]), 0)
    tensor([-1.,  0.])
)doc");
PYDL_OP(clamp_max_each, "clamp_max(input: Tensor, max: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc()doc");

namespace {

[[maybe_unused]] const bool g_installed = [] {
  autograd::ops.add = [](const Tensor& a, const Tensor& c) { return add(a, c); };
  autograd::ops.add_ = [](const Tensor& a, const Tensor& c) { static_cast<void>(add(a, c, Scalar(1), Dest::inplace(a))); };
  autograd::ops.ones_like = [](const Tensor& t) {
    const Tensor one = empty(t.sizes(), t.dtype());
    fill_raw(one, Scalar(1));
    return one;
  };
  autograd::ops.clone = [](const Tensor& t) { return clone(t, MemoryFormat::Contiguous); };
  autograd::ops.has_nan = [](const Tensor& t) {
    const autograd::GradGuard off(false);
    return is_nonzero_any(ne(t, t));
  };
  return true;
}();

}  // namespace

}  // namespace pydl
