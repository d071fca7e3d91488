// Rows of a table.
#include "ops/copy/copy.h"
#include "ops/index/engine.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

struct Table {
  int64_t rows;
  int64_t padding_idx;  // negative: none
  bool scale_by_freq;
};

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq, bool sparse);

// 1 / occurrences of each index, times 0 for the padding row: what each row of the gradient is multiplied with.
Tensor row_factors(const Tensor& at, const Table& table, DType dtype) {
  const Tensor out = empty(Dims{at.numel()}, DType::Float64, "embedding");
  const int64_t* v = at.data<int64_t>();
  std::vector<int64_t> count(table.scale_by_freq ? static_cast<size_t>(table.rows) : 0);
  for (int64_t i = 0; i < at.numel() && table.scale_by_freq; ++i) ++count[static_cast<size_t>(v[i])];
  for (int64_t i = 0; i < at.numel(); ++i) {
    out.data<double>()[i] = v[i] == table.padding_idx ? 0
                            : table.scale_by_freq     ? 1.0 / static_cast<double>(count[static_cast<size_t>(v[i])])
                                                      : 1;
  }
  return to_dtype(out, dtype);
}

// zeros(rows, features) with the rows of `gradient` (one for each index) added.
Tensor add_rows(const Tensor& gradient, const Tensor& at, int64_t rows) {
  const int64_t features = gradient.size(1);
  const Tensor out = zeros(Dims{rows, features}, gradient.dtype());
  {
    const autograd::GradGuard off(false);
    const Tensor g = contiguous(gradient);
    const int64_t item = g.item_size();
    if (g.numel()) {
      index_add_rows(g.dtype(), out->data, features * item, item, g->data, features * item, item, at.data<int64_t>(), 8, at.numel(), rows,
                     features, 1);
    }
  }
  if (needs_grad(gradient)) {
    record({}, "EmbeddingDenseBackwardBackward0", out, {&gradient},
           [i = save(at)](Backward& b) { b.set(0, embedding(b.grad(), i.get(b), -1, false, false)); });
  }
  return out;
}

Tensor embedding_backward(const Tensor& gradient, const Tensor& at, const Table& table) {
  const int64_t features = gradient.size(gradient.ndim() - 1);
  Tensor g = reshape(gradient, Dims{at.numel(), features});
  if (table.scale_by_freq) {
    g = mul(g, unsqueeze(row_factors(at, table, g.dtype()), 1));
    return add_rows(g, at, table.rows);
  }
  const Tensor out = add_rows(g, at, table.rows);
  if (table.padding_idx < 0) return out;
  if (autograd::mode.grad) return add_rows(mul(g, unsqueeze(row_factors(at, table, g.dtype()), 1)), at, table.rows);
  zero_raw(select(out, 0, table.padding_idx));
  return out;
}

Tensor embedding(const Tensor& weight, const Tensor& indices, int64_t padding_idx, bool scale_grad_by_freq, bool sparse) {
  PYDL_CHECK(weight.ndim() == 2, ShapeError, "embedding(): 'weight' must be 2-D");
  PYDL_CHECK(indices.dtype() == DType::Int64 || indices.dtype() == DType::Int32, Error,
             "embedding(): Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got ",
             indices.dtype(), " instead");
  PYDL_CHECK(!sparse, NotImplemented, "embedding(): sparse gradients are not supported");
  const int64_t rows = weight.size(0), features = weight.size(1);
  Tensor at, table;
  {
    const autograd::GradGuard off(false);
    at = reshape(contiguous(to_dtype(indices, DType::Int64)), Dims{indices.numel()});
    table = contiguous(weight);
  }
  for (int64_t i = 0; i < at.numel(); ++i) {
    const int64_t v = at.data<int64_t>()[i];
    PYDL_CHECK(v >= 0 && v < rows, IndexError, "embedding(): index out of range in self: ", v, " for ", rows, " rows");
  }
  Dims shape = indices.sizes();
  shape.push_back(features);
  const Tensor out = empty(shape, weight.dtype(), "embedding");
  const int64_t bytes = features * weight.item_size();
  if (out.numel()) index_select_rows(out->data, bytes, table->data, bytes, at.data<int64_t>(), 8, at.numel(), rows, bytes);
  if (needs_grad(weight)) {
    record({}, "EmbeddingBackward0", out, {&weight}, [i = save(at), t = Table{rows, padding_idx, scale_grad_by_freq}](Backward& b) {
      b.set(0, embedding_backward(b.grad(), i.get(b), t));
    });
  }
  return out;
}

}  // namespace

PYDL_OP(
    embedding,
    "embedding(weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor",
    Function, R"doc(
The rows of the matrix `weight` that `indices` name, in its shape with one dim more. Row `padding_idx` gets no gradient;
`scale_grad_by_freq` divides the gradient of a row by how often it is used.

Raises IndexError for a row that does not exist.

Example:
    >>> pydl.embedding(pydl.tensor([[1., 2.], [3., 4.]]), pydl.tensor([1]))
    tensor([[3., 4.]])
)doc");

}  // namespace pydl
