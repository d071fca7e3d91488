#include "ops/pointwise/rounding.h"

#include <cmath>

#include "kernels/pointwise/rounding.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {

using autograd::Backward;
namespace kernel = kernels::pointwise;

namespace {

// Integers are their own rounding; the derivative is 0 wherever it exists.
Tensor rounded(const char* op, const char* node, const kernels::StripTable& table, const Tensor& input, const Dest& dest) {
  PYDL_CHECK(input.dtype() != DType::Bool && !is_complex(input.dtype()), Error, op, "(): not implemented for ", input.dtype());
  if (is_integer(input.dtype())) {
    if (dest.is_new()) return clone(input);
    return dest.tensor().same(input) ? input : copy_(dest.tensor(), input);
  }
  const Tensor out = pointwise({op, table}, {input}, dest);
  if (autograd::needs_grad(input))
    record(dest, node, out, {&input}, [](Backward& b) { b.set(0, zeros(b.grad().sizes(), b.grad().dtype())); });
  return out;
}

Tensor frac(const Tensor& input, const Dest& dest) {
  PYDL_CHECK(is_floating(input.dtype()), Error, "frac(): \"frac\" not implemented for ", input.dtype());
  const Tensor out = pointwise({"frac", kernel::frac()}, {input}, dest);
  if (autograd::needs_grad(input)) record(dest, "FracBackward0", out, {&input}, [](Backward& b) { b.set(0, b.grad()); });
  return out;
}

}  // namespace

Tensor floor(const Tensor& input, const Dest& dest) { return rounded("floor", "FloorBackward0", kernel::floor(), input, dest); }
Tensor ceil(const Tensor& input, const Dest& dest) { return rounded("ceil", "CeilBackward0", kernel::ceil(), input, dest); }
Tensor trunc(const Tensor& input, const Dest& dest) { return rounded("trunc", "TruncBackward0", kernel::trunc(), input, dest); }
Tensor round(const Tensor& input, int64_t decimals, const Dest& dest) {
  if (decimals == 0) return rounded("round", "RoundBackward0", kernel::round(), input, dest);
  PYDL_CHECK(is_floating(input.dtype()), Error, "round(): decimals is not implemented for ", input.dtype());
  if (is_half(input.dtype())) {
    const Tensor out = to_dtype(round(to_dtype(input, DType::Float32), decimals), input.dtype());
    return deliver("round", out, dest, {input});
  }
  const double scale = std::pow(10.0, std::fabs(static_cast<double>(decimals)));
  const Tensor scaled = decimals > 0 ? mul(input, Operand(scale)) : div(input, Operand(scale));
  const Tensor whole = round(scaled, 0);
  const Tensor out = decimals > 0 ? div(whole, Operand(scale)) : mul(whole, Operand(scale));
  return deliver("round", out, dest, {input});
}

PYDL_OP(floor, "floor(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The largest integer not above each element.

Example:
    >>> pydl.floor(pydl.tensor([-1.5, 1.5]))
    tensor([-2.,  1.])
)doc");
PYDL_OP(ceil, "ceil(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The smallest integer not below each element.

Example:
    >>> pydl.ceil(pydl.tensor([-1.5, 1.5]))
    tensor([-1.,  2.])
)doc");
PYDL_OP(trunc, "trunc(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
Each element without its fraction.

Example:
    >>> pydl.trunc(pydl.tensor([-1.5, 1.5]))
    tensor([-1.,  1.])
)doc");
PYDL_ALIAS("fix", "trunc");
PYDL_OP(round, "round(input: Tensor, *, decimals: int = 0) -> Tensor", Function | Method | Inplace | Out, R"doc(
Each element rounded to the nearest integer, or to `decimals` places; ties go to the even neighbour.

Example:
    >>> pydl.round(pydl.tensor([0.5, 1.5]))
    tensor([0., 2.])
)doc");
PYDL_ALIAS("special.round", "round");
PYDL_OP(frac, "frac(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The fraction of each element, with its sign.

Example:
    >>> pydl.frac(pydl.tensor([-1.5, 2.25]))
    tensor([-0.5000,  0.2500])
)doc");

}  // namespace pydl
