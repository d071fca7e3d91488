#include "ops/reduce/scan.h"

#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/creation/rearrange.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

Tensor scan_raw(const char* op, ScanOp kind, const Tensor& input, int d) {
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
  PYDL_CHECK(scan_supports(kind, x.dtype()), NotImplemented, op, "(): not implemented for ", input.dtype());
  const Tensor out = empty(x.sizes(), x.dtype(), op);
  int64_t outer = 1, n = 1, inner = 1;
  for (int i = 0; i < x.ndim(); ++i) (i < d ? outer : i == d ? n : inner) *= x.size(i);
  if (x.numel()) scan(kind, x.dtype(), x->data, out->data, outer, n, inner);
  return to_dtype(out, input.dtype());
}

DType scan_dtype(const Tensor& input, std::optional<DType> dtype) {
  return dtype.value_or(is_integral_or_bool(input.dtype()) ? DType::Int64 : input.dtype());
}

}  // namespace

Tensor cumsum_along(const Tensor& input, int d) {
  const Tensor out = scan_raw("cumsum", ScanOp::Sum, input, d);
  if (needs_grad(input)) {
    record({}, "CumsumBackward0", out, {&input}, [d](Backward& b) {
      const Dims dims{d};
      b.set(0, b.grad().ndim() ? flip(cumsum_along(flip(b.grad(), dims), d), dims) : b.grad());
    });
  }
  return out;
}

namespace {

// grad x_k = sum over j >= k of g_j * (product of x_0 .. x_j without x_k).
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, const Tensor& y, int d) {
  const Dims dims{d};
  if (!autograd::mode.grad && !has_zero(x)) return div(flip(cumsum_along(flip(mul(g, conj(y)), dims), d), dims), conj(x));
  std::vector<Tensor> parts;
  for (int64_t k = 0; k < x.size(d); ++k) {
    const Tensor pieces[] = {narrow(x, d, 0, k), ones(narrow(x, d, k, 1).sizes(), x.dtype()), narrow(x, d, k + 1, x.size(d) - k - 1)};
    const Tensor products = narrow(cumprod_along(cat(pieces, d), d), d, k, x.size(d) - k);
    parts.push_back(sum(mul(narrow(g, d, k, x.size(d) - k), conj(products)), IntSpan(dims), true));
  }
  return parts.empty() ? mul(g, Operand(0)) : cat(parts, d);
}

}  // namespace

Tensor cumprod_along(const Tensor& input, int d) {
  const Tensor out = scan_raw("cumprod", ScanOp::Prod, input, d);
  if (needs_grad(input)) {
    record({}, "CumprodBackward0", out, {&input}, [x = save(input), y = autograd::save_output(out), d](Backward& b) {
      b.set(0, b.grad().ndim() ? cumprod_gradient(b.grad(), x.get(b), y.get(b), d) : b.grad());
    });
  }
  return out;
}

namespace {

Tensor written(const char* op, const Tensor& out, const Dest& dest, const Tensor& input) {
  PYDL_CHECK(!dest.is_inplace() || dest.tensor().dtype() == out.dtype(), Error, op,
             "_(): provided dtype must match the dtype of self tensor. Got ", dest.tensor().dtype(), " and ", out.dtype());
  return deliver(op, out, dest, {input});
}
Tensor cumsum(const Tensor& input, int64_t dim, std::optional<DType> dtype, const Dest& dest) {
  const DType type = scan_dtype(input, dest.is_inplace() && !dtype ? input.dtype() : dtype);
  const int d = wrap_dim(dim, input.ndim(), "cumsum");
  return written("cumsum", cumsum_along(to_dtype(original(input, dest), type), d), dest, input);
}
Tensor cumprod(const Tensor& input, int64_t dim, std::optional<DType> dtype, const Dest& dest) {
  const DType type = scan_dtype(input, dest.is_inplace() && !dtype ? input.dtype() : dtype);
  const int d = wrap_dim(dim, input.ndim(), "cumprod");
  return written("cumprod", cumprod_along(to_dtype(original(input, dest), type), d), dest, input);
}

}  // namespace

PYDL_OP(cumsum, "cumsum(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor", Function | Method | Inplace | Out, R"doc(
Running sums along `dim`; of integers as int64.

Example:
    >>> pydl.cumsum(pydl.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
)doc");
PYDL_OP(cumprod, "cumprod(input: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor", Function | Method | Inplace | Out, R"doc(
Running products along `dim`; of integers as int64.

Example:
    >>> pydl.cumprod(pydl.tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
)doc");

}  // namespace pydl
