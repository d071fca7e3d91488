// Scaled dot-product attention: Vaswani et al., "Attention is all you need", NeurIPS 2017.
#include <cmath>
#include <limits>

#include "autograd/engine.h"
#include "ops/attention/engine.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/creation/rearrange.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/random/sample.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/softmax/softmax.h"
#include "ops/view/view.h"

namespace pydl {

using attention::Inputs;
using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::Saved;

namespace {

constexpr const char* kOp = "scaled_dot_product_attention";
constexpr int64_t kPadding = 64;  // at least the columns of a panel: matrices are padded to whole ones

IntSpan lead(const Tensor& t) { return IntSpan(t.sizes()).subspan(0, static_cast<size_t>(t.ndim() - 2)); }
int64_t rows_of(const Tensor& t) { return t.size(t.ndim() - 2); }
int64_t columns_of(const Tensor& t) { return t.size(t.ndim() - 1); }

// The values with the last dim contiguous.
Tensor with_contiguous_rows(const Tensor& t) {
  const autograd::GradGuard off(false);
  return !t.defined() || t.stride(t.ndim() - 1) == 1 || columns_of(t) == 1 ? t : contiguous(t);
}
Inputs raw(const Inputs& in) {
  Inputs r = in;
  r.q = with_contiguous_rows(in.q), r.k = with_contiguous_rows(in.k), r.v = with_contiguous_rows(in.v);
  // A column that stands for all keys is spread out, once for each row that exists.
  if (in.mask.defined() && in.mask.stride(in.mask.ndim() - 1) != 1 && columns_of(in.mask) > 1) {
    Dims sizes = in.mask.sizes();
    Tensor base = in.mask;
    for (int d = 0; d + 1 < base.ndim(); ++d) {
      if (base.stride(d) == 0 && base.size(d) > 1) base = narrow(base, d, 0, 1);
    }
    r.mask = expand(contiguous(base), sizes);
  }
  return r;
}

// ---- as a composition of differentiable ops ---------------------------------------------------------------------

Tensor compose(const Inputs& in) {
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  Tensor scores = mul(matmul(in.q, matrix_transpose(in.k)), Operand(in.scale));
  if (in.mask.defined()) {
    scores = in.mask.dtype() == DType::Bool ? where(in.mask, scores, Operand(kHidden)) : add(scores, in.mask);
  }
  if (in.causal) {
    const Tensor below = tril(ones(Dims{rows_of(in.q), rows_of(in.k)}, DType::Bool), 0);
    scores = where(below, scores, Operand(kHidden));
  }
  const int64_t dims[] = {-1};
  // Rows that see no key give zeros, and no NaN on the way.
  const Tensor sees = any(ne(detach(scores), Operand(kHidden)), IntSpan(dims), true);
  Tensor weights = where(sees, softmax(where(sees, scores, Operand(0)), -1, std::nullopt), Operand(0));
  if (in.dropout > 0) {
    const Tensor kept = attention::kept_weights(in, weights.dtype());
    weights = mul(weights, in.dropout < 1 ? div(kept, Operand(1 - in.dropout)) : kept);
  }
  return matmul(weights, in.v);
}

// The derivative of the composition, as a graph of its own. The inputs are renamed: one tensor may stand in several places.
void composed_backward(Inputs in, Backward& b) {
  Tensor* const all[] = {&in.q, &in.k, &in.v};
  std::vector<Tensor> wanted;
  for (int i = 0; i < 3; ++i) {
    *all[i] = view(*all[i], all[i]->sizes());
    if (b.needs(i)) wanted.push_back(*all[i]);
  }
  const Tensor outputs[] = {compose(in)}, gradients[] = {b.grad()};
  std::vector<Tensor> found =
      autograd::grad(outputs, gradients, wanted, {.retain_graph = true, .create_graph = true}, /*allow_unused=*/true);
  size_t next = 0;
  for (int i = 0; i < 3; ++i) {
    if (b.needs(i)) b.set(i, std::move(found[next++]));
  }
}

// ---- fused -----------------------------------------------------------------------------------------------------

Tensor fused(const Inputs& in) {
  attention::Outputs o;
  {
    const autograd::GradGuard off(false);
    o = attention::forward(raw(in));
  }
  if (!needs_grad(in.q, in.k, in.v)) return o.out;
  record({}, "ScaledDotProductFlashAttentionForCpuBackward0", o.out, {&in.q, &in.k, &in.v},
         [q = save(in.q), k = save(in.k), v = save(in.v), mask = in.mask.defined() ? save(in.mask) : Saved(),
          out = autograd::save_output(o.out), log_sum = o.log_sum, causal = in.causal, scale = in.scale, dropout = in.dropout,
          state = in.state](Backward& b) {
           const Inputs in{q.get(b), k.get(b), v.get(b), mask.defined() ? mask.get(b) : Tensor(), causal, scale, dropout, state};
           if (autograd::mode.grad) return composed_backward(in, b);
           attention::Gradients g = attention::backward(raw(in), {out.get(b), log_sum}, with_contiguous_rows(b.grad()));
           if (b.needs(0)) b.set(0, std::move(g.q));
           if (b.needs(1)) b.set(1, std::move(g.k));
           if (b.needs(2)) b.set(2, std::move(g.v));
         });
  return o.out;
}

// ---- the op ----------------------------------------------------------------------------------------------------

void check(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double dropout) {
  PYDL_CHECK(q.ndim() >= 2 && k.ndim() >= 2 && v.ndim() >= 2, ShapeError, kOp,
             "(): Expected query, key, and value to all be at least 2 dimensional, but got query.dim: ", q.ndim(), " key.dim: ", k.ndim(),
             " and value.dim: ", v.ndim());
  PYDL_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), Error, kOp,
             "(): Expected query, key, and value to have the same dtype, but got query.dtype: ", q.dtype(), " key.dtype: ", k.dtype(),
             " and value.dtype: ", v.dtype());
  PYDL_CHECK(is_floating(q.dtype()), NotImplemented, kOp, "(): not implemented for ", q.dtype());
  PYDL_CHECK(columns_of(q) == columns_of(k), ShapeError, kOp, "(): query and key must have the same last size, got ", columns_of(q),
             " and ", columns_of(k));
  PYDL_CHECK(rows_of(k) == rows_of(v), ShapeError, kOp, "(): key and value must have the same length, got ", rows_of(k), " and ",
             rows_of(v));
  PYDL_CHECK(dropout >= 0 && dropout <= 1, Error, kOp, "(): dropout probability has to be between 0 and 1, but got ", dropout);
  if (!mask.defined()) return;
  PYDL_CHECK(mask.dtype() == DType::Bool || mask.dtype() == DType::Float32 || mask.dtype() == q.dtype(), Error, kOp,
             "(): Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: ", mask.dtype(),
             " and query.dtype: ", q.dtype(), " instead.");
  PYDL_CHECK(mask.ndim() >= 2, ShapeError, kOp, "(): attn_mask must have at least 2 dimensions, got ", mask.ndim());
}

// Several query heads share one key head: the head dim becomes (key heads, queries per key head).
struct Grouped {
  Tensor q, k, v, mask;
};
Tensor split_heads(const Tensor& t, int64_t groups) {
  Dims sizes = t.sizes();
  const int at = t.ndim() - 3;
  sizes.insert(at, groups);
  sizes[at + 1] /= groups;
  return reshape(t, sizes);
}
Grouped group_heads(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  PYDL_CHECK(q.ndim() >= 3 && k.ndim() >= 3 && v.ndim() >= 3, ShapeError, kOp,
             "(): enable_gqa needs a head dimension, got query.dim: ", q.ndim(), " key.dim: ", k.ndim(), " and value.dim: ", v.ndim());
  const int64_t heads = q.size(q.ndim() - 3), groups = k.size(k.ndim() - 3);
  PYDL_CHECK(groups == v.size(v.ndim() - 3) && groups > 0 && heads % groups == 0, ShapeError, kOp,
             "(): Number of heads in key and value must divide the number of heads in query, got ", groups, ", ", v.size(v.ndim() - 3),
             " and ", heads);
  Grouped g{split_heads(q, groups), unsqueeze(k, -3), unsqueeze(v, -3), mask};
  if (mask.defined() && mask.ndim() >= 3) {
    g.mask = mask.size(mask.ndim() - 3) == 1 ? unsqueeze(mask, -3) : split_heads(mask, groups);
  }
  return g;
}

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double dropout, bool causal, double scale) {
  const Dims batch = broadcast_shapes(broadcast_shapes(lead(q), lead(k), kOp), lead(v), kOp);
  const auto widened = [&](const Tensor& t, int64_t rows, int64_t columns) {
    Dims sizes = batch;
    sizes.push_back(rows);
    sizes.push_back(columns);
    checked_numel(sizes, 8, kOp);
    checked_numel(Dims{rows + kPadding, columns + kPadding}, 8, kOp);
    return t.sizes() == sizes ? t : expand(t, sizes);
  };
  Inputs in{widened(q, rows_of(q), columns_of(q)),
            widened(k, rows_of(k), columns_of(k)),
            widened(v, rows_of(v), columns_of(v)),
            mask.defined() ? widened(mask, rows_of(q), rows_of(k)) : mask,
            causal,
            scale,
            dropout,
            {}};
  if (in.mask.defined() && in.mask.dtype() != DType::Bool) in.mask = to_dtype(in.mask, q.dtype());
  if (dropout > 0) {
    Dims sizes = batch;
    sizes.push_back(rows_of(q));
    sizes.push_back(rows_of(k));
    in.state = reserve_mask(checked_numel(sizes, 8, kOp), nullptr);
  }
  return needs_grad(in.mask) ? compose(in) : fused(in);
}

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attn_mask, double dropout_p,
                                    bool is_causal, std::optional<double> scale, bool enable_gqa) {
  check(query, key, value, attn_mask, dropout_p);
  const double factor = scale.value_or(1 / std::sqrt(static_cast<double>(columns_of(query))));
  const DType dtype = query.dtype(), compute = compute_type(dtype);
  Grouped g{to_dtype(query, compute), to_dtype(key, compute), to_dtype(value, compute), attn_mask};
  if (!enable_gqa) return to_dtype(attend(g.q, g.k, g.v, g.mask, dropout_p, is_causal, factor), dtype);
  g = group_heads(g.q, g.k, g.v, g.mask);
  const Tensor out = attend(g.q, g.k, g.v, g.mask, dropout_p, is_causal, factor);
  return to_dtype(flatten(out, -4, -3), dtype);
}

}  // namespace

PYDL_OP(scaled_dot_product_attention,
        "scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0, "
        "is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False) -> Tensor",
        Nn, R"doc(
softmax(query @ key^T * scale + mask) @ value, computed tile by tile in memory that grows linearly with the lengths.

Query (*, L, E), key (*, S, E), value (*, S, Ev), result (*, L, Ev); the leading dims broadcast. `attn_mask`, which broadcasts to
(*, L, S), is bool (True: may look) or is added to the scores. `is_causal`: query i looks at keys 0 .. i. `scale` defaults to
1 / sqrt(E). With probability `dropout_p` a weight is dropped, whatever the mode of a module. `enable_gqa`: dim -3 of key and
value divides that of the query, whose heads share them in groups. A query that sees no key gives zeros.

Raises ShapeError for sizes that do not fit, RuntimeError for dtypes that differ.

Vaswani et al., "Attention is all you need" (2017); Dao, "FlashAttention-2" (2023).

Example:
    >>> q = pydl.zeros(1, 2, 4)
    >>> pydl.nn.functional.scaled_dot_product_attention(q, q, pydl.tensor([[[1.], [3.]]])).flatten()
    tensor([2., 2.])
)doc");

}  // namespace pydl
