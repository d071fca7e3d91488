// Rows of a table.
#include <algorithm>

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

void check_rows(const char* op, const Tensor& at, int64_t rows) {
  const int64_t bad = first_outside(at.data<int64_t>(), at.numel(), 0, rows);
  PYDL_CHECK(bad < 0, IndexError, op, "(): index out of range in self: ", at.data<int64_t>()[bad], " for ", rows, " rows");
}

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

// The table of which row v is the sum of the rows of `gradient`, or of its rows `sources`, at the indices that are v.
Tensor summed_rows(const Tensor& gradient, const Tensor& at, const Tensor& sources, int64_t rows) {
  const autograd::GradGuard off(false);
  const Tensor g = contiguous(gradient);
  const int64_t features = g.size(1), item = g.item_size();
  if (!is_floating(g.dtype())) {  // complex
    const Tensor out = zeros(Dims{rows, features}, g.dtype());
    if (g.numel()) {
      index_add_rows(g.dtype(), out->data, features * item, item, g->data, features * item, item, at.data<int64_t>(), 8, at.numel(), rows,
                     features, 1);
    }
    return out;
  }
  const Tensor out = empty(Dims{rows, features}, g.dtype(), "embedding");
  if (out.numel()) {
    sum_rows_by_index(g.dtype(), out->data, g->data, at.data<int64_t>(), sources.defined() ? sources.data<int64_t>() : nullptr, at.numel(),
                      rows, features);
  }
  return out;
}

// The same, differentiable, for one row of `gradient` for each index.
Tensor add_rows(const Tensor& gradient, const Tensor& at, int64_t rows) {
  const Tensor out = summed_rows(gradient, at, {}, rows);
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
  check_rows("embedding", at, rows);
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

// ---- bags ------------------------------------------------------------------------------------------------------

// The bag of each index: s for the indices starts[s] .. starts[s + 1] - 1.
Tensor bag_of(const Tensor& starts, int64_t n) {
  const Tensor out = zeros(Dims{n}, DType::Int64);
  const int64_t* v = starts.data<int64_t>();
  for (int64_t s = 0; s + 1 < starts.numel(); ++s) std::fill(out.data<int64_t>() + v[s], out.data<int64_t>() + v[s + 1], s);
  return out;
}

// Each row of `gradient` by how many indices its bag has.
Tensor by_length(const Tensor& gradient, const Tensor& starts) {
  const int64_t bags = starts.numel() - 1;
  const Tensor lengths = empty(Dims{bags, 1}, DType::Float64, "embedding_bag");
  const int64_t* v = starts.data<int64_t>();
  for (int64_t s = 0; s < bags; ++s) lengths.data<double>()[s] = static_cast<double>(std::max<int64_t>(1, v[s + 1] - v[s]));
  return div(gradient, to_dtype(lengths, gradient.dtype()));
}

Tensor embedding_sums_backward(const Tensor& gradient, const Tensor& at, const Tensor& starts, int64_t rows, bool mean) {
  const Tensor g = mean ? by_length(gradient, starts) : gradient;
  const Tensor bags = bag_of(starts, at.numel());
  return autograd::mode.grad ? add_rows(index_select(g, 0, bags), at, rows) : summed_rows(g, at, bags, rows);
}

Tensor embedding_sums(const Tensor& weight, const Tensor& indices, const Tensor& offsets, bool mean) {
  PYDL_CHECK(weight.ndim() == 2 && indices.ndim() == 1 && offsets.ndim() == 1 && offsets.numel() > 0, ShapeError,
             "embedding_bag(): expected a matrix and two vectors, got ", IntSpan(weight.sizes()), ", ", IntSpan(indices.sizes()), " and ",
             IntSpan(offsets.sizes()));
  PYDL_CHECK(is_floating(weight.dtype()) && indices.dtype() == DType::Int64 && offsets.dtype() == DType::Int64, Error,
             "embedding_bag(): expected floating-point weight, int64 indices and offsets, got ", weight.dtype(), ", ", indices.dtype(),
             " and ", offsets.dtype());
  const int64_t rows = weight.size(0), features = weight.size(1), bags = offsets.numel() - 1;
  Tensor at, starts, table;
  {
    const autograd::GradGuard off(false);
    at = contiguous(indices), starts = contiguous(offsets), table = contiguous(weight);
  }
  const int64_t* v = starts.data<int64_t>();
  PYDL_CHECK(v[0] == 0 && v[bags] == at.numel() && std::is_sorted(v, v + bags + 1), Error,
             "embedding_bag(): offsets have to rise from 0 to the number of indices");
  check_rows("embedding_bag", at, rows);
  const Tensor out = empty(Dims{bags, features}, weight.dtype(), "embedding_bag");
  if (out.numel()) segment_sums({weight.dtype(), out->data, table->data, at.data<int64_t>(), v, bags, features, mean});
  if (needs_grad(weight)) {
    record({}, "EmbeddingBagBackward0", out, {&weight}, [i = save(at), o = save(starts), rows, mean](Backward& b) {
      b.set(0, embedding_sums_backward(b.grad(), i.get(b), o.get(b), rows, mean));
    });
  }
  return out;
}

}  // namespace

PYDL_OP(embedding_sums, "_embedding_sums(weight: Tensor, indices: Tensor, offsets: Tensor, mean: bool = False) -> Tensor", Private, R"doc(
The sum or mean, for each bag s, of the rows of the matrix `weight` that indices[offsets[s]] .. indices[offsets[s + 1] - 1] name.
)doc");

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
