#include "ops/pointwise/comparison.h"

#include <cmath>

#include "kernels/pointwise/comparison.h"
#include "kernels/pointwise/select.h"
#include "ops/copy/copy.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/run.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
namespace kernel = kernels::pointwise;

namespace {

// In place the result is written in the input's own dtype, and the graph ends: the gradient of a comparison is 0.
Tensor compare(const char* op, const kernels::StripTable& table, const Tensor& input, const Operand& other, const Dest& dest) {
  if (!dest.is_inplace()) return pointwise({op, table, TypeRule::Compare}, {input, other}, dest);
  check_inplace(op, input);
  const Tensor truth = pointwise({op, table, TypeRule::Compare}, {input, other});
  return copy_(input, truth);
}

}  // namespace

// A comparison: name and docstring.
#define PYDL_COMPARE(name, text)                                                                                                          \
  Tensor name(const Tensor& input, const Operand& other, const Dest& dest) { return compare(#name, kernel::name(), input, other, dest); } \
  PYDL_OP(name, #name "(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, text);                      \
  static_assert(true)

PYDL_COMPARE(eq, R"doc(
input == other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.eq(pydl.tensor([1, 2]), 2)
    tensor([False,  True])
)doc");
PYDL_COMPARE(ne, R"doc(
input != other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.ne(pydl.tensor([1, 2]), 2)
    tensor([ True, False])
)doc");
PYDL_ALIAS("not_equal", "ne");
PYDL_COMPARE(lt, R"doc(
input < other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.lt(pydl.tensor([1, 2]), 2)
    tensor([ True, False])
)doc");
PYDL_ALIAS("less", "lt");
PYDL_COMPARE(le, R"doc(
input <= other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.le(pydl.tensor([1, 3]), 2)
    tensor([ True, False])
)doc");
PYDL_ALIAS("less_equal", "le");
PYDL_COMPARE(gt, R"doc(
input > other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.gt(pydl.tensor([1, 3]), 2)
    tensor([False,  True])
)doc");
PYDL_ALIAS("greater", "gt");
PYDL_COMPARE(ge, R"doc(
input >= other, element by element, broadcast: a bool tensor.

Example:
    >>> pydl.ge(pydl.tensor([1, 2]), 2)
    tensor([False,  True])
)doc");
PYDL_ALIAS("greater_equal", "ge");

namespace {

Tensor logical(const char* op, const kernels::StripTable& table, const Tensor& input, const Tensor& other, const Dest& dest) {
  return compare(op, table, input, other, dest);
}
Tensor logical_or(const Tensor& input, const Tensor& other, const Dest& dest) {
  return logical("logical_or", kernel::logical_or(), input, other, dest);
}
Tensor logical_xor(const Tensor& input, const Tensor& other, const Dest& dest) {
  return logical("logical_xor", kernel::logical_xor(), input, other, dest);
}

Tensor test(const char* op, const kernels::StripTable& table, bool of_integers, const Tensor& input) {
  if (is_integral_or_bool(input.dtype())) {
    const Tensor out = empty(input.sizes(), DType::Bool, op);
    fill_raw(out, Scalar(of_integers));
    return out;
  }
  return pointwise({op, table, TypeRule::Compare}, {input});
}
Tensor isnan(const Tensor& input) { return test("isnan", kernel::isnan(), false, input); }
Tensor isinf(const Tensor& input) { return test("isinf", kernel::isinf(), false, input); }
Tensor isfinite(const Tensor& input) { return test("isfinite", kernel::isfinite(), true, input); }
Tensor isreal(const Tensor& input) {
  const autograd::GradGuard off(false);
  return is_complex(input.dtype()) ? eq(imag(input), Operand(0)) : eq(zeros(input.sizes(), DType::Bool), Operand(0));
}

Tensor equals_infinity(const char* op, const Tensor& input, double infinity, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, op, "(): does not support complex inputs.");
  const Tensor truth = is_floating(input.dtype()) ? eq(input, Operand(infinity)) : zeros(input.sizes(), DType::Bool);
  return place(op, truth, dest, {input});
}
Tensor isneginf(const Tensor& input, const Dest& dest) { return equals_infinity("isneginf", input, -HUGE_VAL, dest); }
Tensor isposinf(const Tensor& input, const Dest& dest) { return equals_infinity("isposinf", input, HUGE_VAL, dest); }

Tensor signbit(const Tensor& input, const Dest& dest) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, "signbit(): is not implemented for complex tensors.");
  if (is_floating(input.dtype())) return pointwise({"signbit", kernel::signbit(), TypeRule::Compare}, {input}, dest);
  const Tensor truth = input.dtype() == DType::Bool ? zeros(input.sizes(), DType::Bool) : lt(input, Operand(0));
  return place("signbit", truth, dest, {input});
}

}  // namespace

Tensor logical_and(const Tensor& input, const Tensor& other, const Dest& dest) {
  return logical("logical_and", kernel::logical_and(), input, other, dest);
}
Tensor logical_not(const Tensor& input, const Dest& dest) {
  if (!dest.is_inplace()) return pointwise({"logical_not", kernel::logical_not(), TypeRule::Compare}, {input}, dest);
  return copy_(input, pointwise({"logical_not", kernel::logical_not(), TypeRule::Compare}, {input}));
}

PYDL_OP(logical_and, "logical_and(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Are both elements true (not zero)?

Example:
    >>> pydl.logical_and(pydl.tensor([True, True]), pydl.tensor([True, False]))
    tensor([ True, False])
)doc");
PYDL_OP(logical_or, "logical_or(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Is at least one element true (not zero)?

Example:
    >>> pydl.logical_or(pydl.tensor([True, False]), pydl.tensor([False, False]))
    tensor([ True, False])
)doc");
PYDL_OP(logical_xor, "logical_xor(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Is exactly one element true (not zero)?

Example:
    >>> pydl.logical_xor(pydl.tensor([True, True]), pydl.tensor([True, False]))
    tensor([False,  True])
)doc");
PYDL_OP(logical_not, "logical_not(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Is the element false (zero)?

Example:
    >>> pydl.logical_not(pydl.tensor([0, 2]))
    tensor([ True, False])
)doc");
PYDL_OP(isnan, "isnan(input: Tensor) -> Tensor", Function | Method, R"doc(
Where is the input NaN?

Example:
    >>> pydl.isnan(pydl.tensor([1., float('nan')]))
    tensor([False,  True])
)doc");
PYDL_OP(isinf, "isinf(input: Tensor) -> Tensor", Function | Method, R"doc(
Where is the input infinite?

Example:
    >>> pydl.isinf(pydl.tensor([1., float('inf')]))
    tensor([False,  True])
)doc");
PYDL_OP(isfinite, "isfinite(input: Tensor) -> Tensor", Function | Method, R"doc(
Where is the input neither NaN nor infinite?

Example:
    >>> pydl.isfinite(pydl.tensor([1., float('inf')]))
    tensor([ True, False])
)doc");

PYDL_OP(isneginf, "isneginf(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
Where is the input -inf? Nowhere in tensors of integers.

Example:
    >>> pydl.isneginf(pydl.tensor([-float('inf'), float('inf')]))
    tensor([ True, False])
)doc");
PYDL_OP(isposinf, "isposinf(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
Where is the input +inf? Nowhere in tensors of integers.

Example:
    >>> pydl.isposinf(pydl.tensor([-float('inf'), float('inf')]))
    tensor([False,  True])
)doc");
PYDL_OP(isreal, "isreal(input: Tensor) -> Tensor", Function | Method, R"doc(
Where is the imaginary part 0? Everywhere in real tensors.

Example:
    >>> pydl.isreal(pydl.tensor([1+0j, 1+1j]))
    tensor([ True, False])
)doc");
PYDL_OP(signbit, "signbit(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
Where is the sign bit set? That of -0. is.

Example:
    >>> pydl.signbit(pydl.tensor([-1., 0., -0.]))
    tensor([ True, False,  True])
)doc");

// ---- selection -------------------------------------------------------------------------------------------------

Tensor where(const Tensor& condition, const Operand& input, const Operand& other) {
  PYDL_CHECK(condition.dtype() == DType::Bool || condition.dtype() == DType::UInt8, Error,
             "where(): expected condition to be a boolean tensor, but got a tensor with dtype ", condition.dtype());
  Promotion p;
  input.is_tensor() ? p.add(input.tensor()) : p.add(input.scalar());
  other.is_tensor() ? p.add(other.tensor()) : p.add(other.scalar());
  const DType dtype = p.result();
  const Tensor& a = input.tensor();
  const Tensor& b = other.tensor();
  Dims shape = condition.sizes();
  if (a.defined()) shape = broadcast_shapes(shape, a.sizes(), "where");
  if (b.defined()) shape = broadcast_shapes(shape, b.sizes(), "where");
  const Tensor out = empty(shape, dtype, "where");
  alignas(16) char numbers[2][16];
  const auto operand = [&](const Operand& o, char* number) -> StripOperand {
    if (o.is_tensor()) return {&o.tensor(), nullptr, dtype};
    o.scalar().store(dtype, number);
    return {nullptr, number, dtype};
  };
  const StripOperand operands[] = {
      {&out, nullptr, dtype}, {&condition, nullptr, DType::Bool}, operand(input, numbers[0]), operand(other, numbers[1])};
  run_strips(kernel::where()[dtype], shape, 1, operands, nullptr, 1);
  if (needs_grad(a, b)) {
    record({}, "WhereBackward0", out, {&a, &b}, [c = save(condition), fit_a = Fit(a, out), fit_b = Fit(b, out)](Backward& bw) {
      if (bw.needs(0)) bw.set(0, fit_a(where(c.get(bw), bw.grad(), Operand(0))));
      if (bw.needs(1)) bw.set(1, fit_b(where(c.get(bw), Operand(0), bw.grad())));
    });
  }
  return out;
}
namespace {
Tensor where_method(const Tensor& input, const Tensor& condition, const Operand& other) { return where(condition, input, other); }
std::vector<Tensor> where_positions(const Tensor& condition) {
  return unbind(nonzero(condition.ndim() ? condition : reshape(condition, Dims{1})), 1);
}
Tensor masked_fill(const Tensor& input, const Tensor& mask, const Operand& value, const Dest& dest) {
  PYDL_CHECK(mask.dtype() == DType::Bool, Error, "masked_fill(): only supports boolean masks, but got mask with dtype ", mask.dtype());
  PYDL_CHECK(!value.is_tensor() || value.tensor().ndim() == 0, Error, "masked_fill(): only supports a 0-dimensional value tensor");
  if (dest.is_inplace()) check_inplace("masked_fill_", input);
  const Tensor number = value.is_tensor() ? to_dtype(value.tensor(), input.dtype()) : scalar_tensor(value.scalar(), input.dtype());
  PYDL_CHECK(value.is_tensor() || !value.scalar().is_complex() || is_complex(input.dtype()), Error,
             "masked_fill(): value cannot be converted to type ", input.dtype());
  const Tensor out = where(mask, number, original(input, dest));
  return deliver("masked_fill", out, dest, {input, mask, value});
}
}  // namespace
PYDL_OP(where, "where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor", Function | Out, R"doc(
`input` where `condition` is True, `other` elsewhere; all three broadcast. With the condition alone: the positions where it
is True, one index tensor per dim.

Example:
    >>> pydl.where(pydl.tensor([True, False]), 1., 0.)
    tensor([1., 0.])
)doc");
PYDL_OP(where_positions, "where(condition: Tensor) -> Sequence[Tensor]", Function, R"doc()doc");
PYDL_OP(where_method, "where(input: Tensor, condition: Tensor, other: Tensor | Number) -> Tensor", Method, R"doc(
This tensor where `condition` is True, `other` elsewhere.

Example:
    >>> pydl.tensor([1, 2]).where(pydl.tensor([True, False]), 0)
    tensor([1, 0])
)doc");
PYDL_OP(masked_fill, "masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor", Function | Method | Inplace, R"doc(
`input` with `value` where the bool tensor `mask` (broadcast) is True.

Example:
    >>> pydl.tensor([1., 2.]).masked_fill(pydl.tensor([True, False]), 0)
    tensor([0., 2.])
)doc");

bool is_nonzero_any(const Tensor& t) {
  const autograd::GradGuard off(false);
  if (t.numel() == 0) return false;
  const Tensor found = any(t);
  return *found.data<uint8_t>() != 0;
}

bool has_zero(const Tensor& t) {
  const autograd::GradGuard off(false);
  return is_nonzero_any(eq(t, Operand(0)));
}

namespace {

bool equal(const Tensor& input, const Tensor& other) {
  const autograd::GradGuard off(false);
  return input.sizes() == other.sizes() && !is_nonzero_any(ne(input, other));
}

// |input - other| <= atol + rtol * |other|
Tensor isclose(const Tensor& input, const Tensor& other, double rtol, double atol, bool equal_nan) {
  PYDL_CHECK(input.dtype() == other.dtype(), Error, "isclose(): ", input.dtype(), " did not match ", other.dtype());
  PYDL_CHECK(rtol >= 0 && atol >= 0, Error, "isclose(): rtol and atol must be greater than or equal to zero, but got ", rtol, " and ",
             atol);
  const autograd::GradGuard off(false);
  const Tensor same = eq(input, other);
  Tensor close = same;
  if (is_differentiable(input.dtype()) || atol > 0 || rtol > 0) {
    const Tensor a = is_integral_or_bool(input.dtype()) ? to_dtype(input, DType::Float64) : input;
    const Tensor b = is_integral_or_bool(other.dtype()) ? to_dtype(other, DType::Float64) : other;
    const Tensor error = abs(sub(a, b));
    close = mul(le(error, add(mul(abs(b), Operand(rtol)), Operand(atol))), isfinite(error));
    close = add(close, same);
  }
  return equal_nan ? add(close, mul(isnan(input), isnan(other))) : close;
}
bool allclose(const Tensor& input, const Tensor& other, double rtol, double atol, bool equal_nan) {
  return !has_zero(isclose(input, other, rtol, atol, equal_nan));
}

bool is_nonzero(const Tensor& input) {
  PYDL_CHECK(input.numel() != 0, Error, "is_nonzero(): Boolean value of Tensor with no values is ambiguous");
  PYDL_CHECK(input.numel() == 1, Error, "is_nonzero(): Boolean value of Tensor with more than one value is ambiguous");
  return is_nonzero_any(input);
}
bool is_same_size(const Tensor& input, const Tensor& other) { return input.sizes() == other.sizes(); }
bool is_signed(const Tensor& input) { return input.dtype() != DType::Bool && !is_unsigned(input.dtype()); }
bool never(const Tensor&) { return false; }

}  // namespace
PYDL_OP(is_nonzero, "is_nonzero(input: Tensor) -> bool", Function | Method, R"doc(
Is the one element of the tensor not zero? RuntimeError for any other number of elements.

Example:
    >>> pydl.is_nonzero(pydl.tensor([0.]))
    False
)doc");
PYDL_OP(is_same_size, "is_same_size(input: Tensor, other: Tensor) -> bool", Function | Method, R"doc(
Do both tensors have the same size?

Example:
    >>> pydl.is_same_size(pydl.ones(2), pydl.ones(3))
    False
)doc");
PYDL_OP(is_signed, "is_signed(input: Tensor) -> bool", Function | Method, R"doc(
Can the dtype hold negative numbers?

Example:
    >>> pydl.tensor([1], dtype=pydl.uint8).is_signed()
    False
)doc");
PYDL_OP(never, "is_conj(input: Tensor) -> bool", Function | Method, R"doc(
False: conjugates are never lazy here.

Example:
    >>> pydl.tensor([1j]).conj().is_conj()
    False
)doc");
PYDL_OP(never, "is_neg(input: Tensor) -> bool", Function | Method, R"doc(
False: negation is never lazy here.

Example:
    >>> pydl.tensor([1.]).is_neg()
    False
)doc");
PYDL_OP(equal, "equal(input: Tensor, other: Tensor) -> bool", Function | Method, R"doc(
Do both tensors have the same size and elements?

Example:
    >>> pydl.equal(pydl.tensor([1, 2]), pydl.tensor([1, 2]))
    True
)doc");
PYDL_OP(isclose, "isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor",
        Function | Method, R"doc(
|input - other| <= atol + rtol * |other|, element by element.

Example:
    >>> pydl.isclose(pydl.tensor([1., 2.]), pydl.tensor([1., 2.1]))
    tensor([ True, False])
)doc");
PYDL_OP(allclose, "allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool",
        Function | Method, R"doc(
Are all elements close, see `isclose`?

Example:
    >>> pydl.allclose(pydl.tensor([1.]), pydl.tensor([1. + 1e-9]))
    True
)doc");

}  // namespace pydl
