// Sums with matrix products: beta * input + alpha * product.
#include "ops/copy/copy.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

// With beta 0 the values of `input` do not count, not even NaN.
Tensor combine(const char* op, const Tensor& input, const Tensor& product, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  PYDL_CHECK(input.dtype() == product.dtype(), Error, op, "(): self and the product must have the same dtype, but got ", input.dtype(),
             " and ", product.dtype());
  PYDL_CHECK(is_differentiable(input.dtype()) || (beta.is_integral() && alpha.is_integral()), Error, op,
             "(): For integral input tensors, beta and alpha must not be floating point numbers.");
  PYDL_CHECK(broadcast_shapes(input.sizes(), product.sizes(), op) == product.sizes(), ShapeError, op,
             "(): The expanded size of the tensor ", IntSpan(product.sizes()), " must match the existing size ", IntSpan(input.sizes()));
  const Tensor scaled = alpha.equals(1) ? product : mul(product, alpha);
  if (dest.is_inplace()) {
    check_writable(op, dest, product.sizes(), input.dtype(), {});
    if (beta.equals(0)) return copy_(input, scaled);
    return beta.equals(1) ? add(input, scaled, Scalar(1), dest) : copy_(input, add(scaled, mul(input, beta)));
  }
  const Tensor base = beta.equals(1)   ? input
                      : beta.equals(0) ? where(scalar_tensor(Scalar(false), DType::Bool), input, Operand(0))
                                       : mul(input, beta);
  return add(scaled, base, Scalar(1), dest);
}

Tensor addmm(const Tensor& input, const Tensor& mat1, const Tensor& mat2, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  return combine("addmm", input, mm(mat1, mat2), beta, alpha, dest);
}
Tensor addmv(const Tensor& input, const Tensor& mat, const Tensor& vec, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  return combine("addmv", input, mv(mat, vec), beta, alpha, dest);
}
Tensor addr(const Tensor& input, const Tensor& vec1, const Tensor& vec2, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  PYDL_CHECK(vec1.ndim() == 1 && vec2.ndim() == 1, ShapeError, "addr(): Expected 1-D arguments, got ", vec1.ndim(), "-D and ", vec2.ndim(),
             "-D");
  return combine("addr", input, mul(unsqueeze(vec1, 1), unsqueeze(vec2, 0)), beta, alpha, dest);
}
Tensor baddbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  return combine("baddbmm", input, bmm(batch1, batch2), beta, alpha, dest);
}
Tensor addbmm(const Tensor& input, const Tensor& batch1, const Tensor& batch2, const Scalar& beta, const Scalar& alpha, const Dest& dest) {
  return combine("addbmm", input, sum(bmm(batch1, batch2), IntSpan(Dims{0})), beta, alpha, dest);
}

}  // namespace

PYDL_OP(addmm, "addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
beta * input + alpha * (mat1 @ mat2); `input` broadcasts.

Example:
    >>> pydl.addmm(pydl.ones(1), pydl.ones(2, 3), pydl.ones(3, 2))
    tensor([[4., 4.],
            [4., 4.]])
)doc");
PYDL_OP(addmv, "addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
beta * input + alpha * (mat @ vec).

Example:
    >>> pydl.addmv(pydl.ones(2), pydl.ones(2, 3), pydl.ones(3))
    tensor([4., 4.])
)doc");
PYDL_OP(addr, "addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
beta * input + alpha * outer(vec1, vec2).

Example:
    >>> pydl.addr(pydl.ones(1), pydl.tensor([1.]), pydl.tensor([2.]))
    tensor([[3.]])
)doc");
PYDL_OP(baddbmm, "baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
beta * input + alpha * (batch1 @ batch2), matrix by matrix.

Example:
    >>> pydl.baddbmm(pydl.ones(1), pydl.ones(1, 1, 3), pydl.ones(1, 3, 1))
    tensor([[[4.]]])
)doc");
PYDL_OP(addbmm, "addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
beta * input + alpha * the sum of batch1 @ batch2 over the batch.

Example:
    >>> pydl.addbmm(pydl.ones(1), pydl.ones(2, 1, 3), pydl.ones(2, 3, 1))
    tensor([[7.]])
)doc");

}  // namespace pydl
