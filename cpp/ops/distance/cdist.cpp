// Distances between all rows of two matrices: the loops; pydl.linalg._distance has the checks and the derivative.
#include "kernels/distance/cdist.h"

#include "autograd/mode.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

int64_t batch_of(const char* op, const Tensor& a, const Tensor& b) {
  PYDL_CHECK(a.ndim() == 3 && b.ndim() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(2), ShapeError, op,
             "(): x1 and x2 must be of sizes (batch, rows, width), got ", IntSpan(a.sizes()), " and ", IntSpan(b.sizes()));
  PYDL_CHECK(a.dtype() == b.dtype() && kernels::distance::cdist().forward[a.dtype()], NotImplemented, op, "(): not implemented for ",
             a.dtype(), " and ", b.dtype());
  return a.size(0);
}

void run(kernels::distance::RowsFn fn, const Tensor& a, const Tensor& b, const Tensor& grad, const Tensor& distance, const Tensor& out,
         double p) {
  const int64_t n = a.size(1), m = b.size(1), width = a.size(2), item = a.item_size();
  const int64_t grain = 1 + 20000 / std::max<int64_t>(1, m * width);
  for (int64_t i = 0; i < a.size(0); ++i) {
    const kernels::distance::Rows rows{.a = a->data + i * n * width * item,
                                       .b = b->data + i * m * width * item,
                                       .grad = grad.defined() ? grad->data + i * n * m * item : nullptr,
                                       .distance = distance.defined() ? distance->data + i * n * m * item : nullptr,
                                       .out = out->data + i * n * out.size(2) * item,
                                       .b_rows = m,
                                       .width = width,
                                       .p = p};
    parallel_for(n, grain, [&](int64_t begin, int64_t end) { fn(rows, begin, end); });
  }
}

Tensor cdist_values(const Tensor& x1, const Tensor& x2, double p) {
  const int64_t batch = batch_of("_cdist", x1, x2);
  const autograd::GradGuard off(false);
  const Tensor out = empty(Dims{batch, x1.size(1), x2.size(1)}, x1.dtype(), "cdist");
  if (out.numel()) run(kernels::distance::cdist().forward[x1.dtype()], contiguous(x1), contiguous(x2), {}, {}, out, p);
  return out;
}

Tensor cdist_gradient(const Tensor& grad, const Tensor& x1, const Tensor& x2, double p, const Tensor& distance) {
  const int64_t batch = batch_of("_cdist_backward", x1, x2);
  const Dims sizes{batch, x1.size(1), x2.size(1)};
  PYDL_CHECK(grad.sizes() == sizes && distance.sizes() == sizes && grad.dtype() == x1.dtype() && distance.dtype() == x1.dtype(), ShapeError,
             "_cdist_backward(): grad and distance must be of size ", IntSpan(sizes), " and dtype ", x1.dtype());
  const autograd::GradGuard off(false);
  const Tensor out = empty(x1.sizes(), x1.dtype(), "cdist");
  if (out.numel())
    run(kernels::distance::cdist().backward[x1.dtype()], contiguous(x1), contiguous(x2), contiguous(grad), contiguous(distance), out, p);
  return out;
}

}  // namespace

PYDL_OP(cdist_values, "_cdist(x1: Tensor, x2: Tensor, p: float) -> Tensor", Private, R"doc(
The p-norms of the differences of all rows: (b, n, w) and (b, m, w) give (b, n, m).
)doc");
PYDL_OP(cdist_gradient, "_cdist_backward(grad: Tensor, x1: Tensor, x2: Tensor, p: float, distance: Tensor) -> Tensor", Private, R"doc(
The gradient of `_cdist` for `x1`, from the gradient of the distances and the distances.
)doc");

}  // namespace pydl
