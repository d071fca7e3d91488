// sum, mean, prod and what follows from them.
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/creation/rearrange.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/run.h"
#include "ops/reduce/scan.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

DType sum_dtype(const Tensor& input, std::optional<DType> dtype) {
  return dtype.value_or(is_integral_or_bool(input.dtype()) ? DType::Int64 : input.dtype());
}

}  // namespace

Tensor sum(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  const DType result = sum_dtype(input, dtype);
  // Widened before adding where the caller asks for another type; integers widen inside the engine.
  const Tensor in =
      dtype && *dtype != input.dtype() && !(is_integral_or_bool(input.dtype()) && *dtype == DType::Int64) ? to_dtype(input, *dtype) : input;
  const ReducedShape shape(in, dim, keepdim, "sum");
  const Tensor out = empty(shape.kept, result, "sum");
  run_reduce("sum", ReduceOp::Sum, in, shape, out);
  if (needs_grad(in)) {
    record({}, dim ? "SumBackward1" : "SumBackward0", out, {&in}, [full = shape.full, sizes = in.sizes(), from = in.dtype()](Backward& b) {
      b.set(0, to_dtype(expand(restore_dims(b.grad(), full), sizes), from));
    });
  }
  return out;
}
PYDL_OP(sum, "sum(input: Tensor, dim: int | Size | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor",
        Function | Method | Out, R"doc(
The sum of all elements, or over `dim`. Integers and bool add up in int64 unless `dtype` says otherwise. Floating sums are
taken over a fixed tree of blocks: the bits do not depend on the number of threads.

Example:
    >>> pydl.sum(pydl.tensor([[1., 2.], [3., 4.]]), dim=0)
    tensor([4., 6.])
)doc");

Tensor mean(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  const DType result = dtype.value_or(input.dtype());
  PYDL_CHECK(is_differentiable(result), Error,
             "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: ", result);
  const Tensor in = to_dtype(input, result);
  const ReducedShape shape(in, dim, keepdim, "mean");
  const Tensor out = empty(shape.kept, result, "mean");
  run_reduce("mean", ReduceOp::Mean, in, shape, out);
  if (needs_grad(in)) {
    record({}, dim ? "MeanBackward1" : "MeanBackward0", out, {&in}, [full = shape.full, sizes = in.sizes(), n = shape.count](Backward& b) {
      b.set(0, expand(restore_dims(div(b.grad(), Operand(static_cast<double>(n))), full), sizes));
    });
  }
  return out;
}
PYDL_OP(mean, "mean(input: Tensor, dim: int | Size | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor",
        Function | Method | Out, R"doc(
The mean of all elements, or over `dim`. Raises RuntimeError for integers unless `dtype` is a floating type.

Example:
    >>> pydl.mean(pydl.tensor([[1., 2.], [3., 4.]]), dim=1)
    tensor([1.5000, 3.5000])
)doc");

Tensor sum_to_size(const Tensor& input, IntSpan size) {
  if (std::equal(size.begin(), size.end(), input.sizes().begin(), input.sizes().end())) return input;
  const int lead = input.ndim() - static_cast<int>(size.size());
  PYDL_CHECK(lead >= 0, ShapeError, "sum_to_size(): size ", size, " is not expandable to size ", IntSpan(input.sizes()));
  Dims dims;
  for (int i = 0; i < input.ndim(); ++i) {
    const bool sums = i < lead || (size[static_cast<size_t>(i - lead)] == 1 && input.size(i) != 1);
    PYDL_CHECK(sums || size[static_cast<size_t>(i - lead)] == input.size(i), ShapeError, "sum_to_size(): size ", size,
               " is not expandable to size ", IntSpan(input.sizes()));
    if (sums) dims.push_back(i);
  }
  const Tensor reduced = dims.empty() ? input : sum(input, IntSpan(dims), true);
  return lead > 0 || dims.empty() ? reshape(reduced, size) : reduced;
}
PYDL_OP(sum_to_size, "sum_to_size(input: Tensor, size: Size) -> Tensor", Method, R"doc(
The sum over the dims that broadcasting from `size` to this tensor's shape would add or repeat.

Example:
    >>> pydl.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
)doc");

namespace {

Tensor prod_gradient(const Tensor& g, const Tensor& x, uint64_t mask);

Tensor prod(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  const DType result = sum_dtype(input, dtype);
  const Tensor in = to_dtype(input, result);
  const ReducedShape shape(in, dim, keepdim, "prod");
  const Tensor out = empty(shape.kept, result, "prod");
  run_reduce("prod", ReduceOp::Prod, in, shape, out);
  if (needs_grad(in)) {
    record({}, "ProdBackward0", out, {&in}, [x = save(in), full = shape.full, mask = shape.mask](Backward& b) {
      b.set(0, prod_gradient(restore_dims(b.grad(), full), x.get(b), mask));
    });
  }
  return out;
}

// Products of all other elements of each row by running products from both ends, as ops, so that the formula holds at zeros
// and can be differentiated again.
Tensor products_of_others(const Tensor& rows) {
  const int64_t n = rows.size(1);
  const Tensor one = ones(Dims{rows.size(0), 1}, rows.dtype());
  if (!autograd::mode.grad) {
    const Dims back{1};
    const auto running = [&](const Tensor& t) {
      const Tensor pieces[] = {one, narrow(t, 1, 0, n - 1)};
      return cumprod_along(cat(pieces, 1), 1);
    };
    return mul(running(rows), flip(running(flip(rows, back)), back));
  }
  std::vector<Tensor> left{select(one, 1, 0)}, slopes(static_cast<size_t>(n));
  for (int64_t i = 0; i + 1 < n; ++i) left.push_back(mul(left.back(), select(rows, 1, i)));
  Tensor right = left.front();
  for (int64_t i = n; i-- > 0;) {
    slopes[static_cast<size_t>(i)] = mul(left[static_cast<size_t>(i)], right);
    right = mul(right, select(rows, 1, i));
  }
  return stack(slopes, 1);
}

// d prod / dx_i is the product of the others: the reduced dims are moved to the back and merged.
Tensor prod_gradient(const Tensor& g, const Tensor& x, uint64_t mask) {
  if (x.numel() == 0) return zeros(x.sizes(), x.dtype());
  Dims order, inverse(x.ndim(), 0);
  for (int pass = 0; pass < 2; ++pass) {
    for (int i = 0; i < x.ndim(); ++i) {
      if (static_cast<int>(mask >> i & 1) == pass) order.push_back(i);
    }
  }
  for (int i = 0; i < x.ndim(); ++i) inverse[static_cast<int>(order[i])] = i;
  const Tensor moved = permute(x, order);
  int64_t n = 1, rows = 1;
  for (int i = 0; i < x.ndim(); ++i) (mask >> i & 1 ? n : rows) *= x.size(i);
  const Tensor others = products_of_others(reshape(moved, Dims{rows, n}));
  return mul(g, conj(permute(reshape(others, moved.sizes()), inverse)));
}

Tensor prod_dim(const Tensor& input, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  const int64_t dims[] = {dim};
  return prod(input, IntSpan(dims), keepdim, dtype);
}
Tensor prod_all(const Tensor& input, std::optional<DType> dtype) { return prod(input, std::nullopt, false, dtype); }

Tensor count_nonzero(const Tensor& input, std::optional<IntSpan> dim) {
  const ReducedShape shape(input, dim, false, "count_nonzero");
  const Tensor out = empty(shape.kept, DType::Int64, "count_nonzero");
  run_reduce("count_nonzero", ReduceOp::CountNonzero, input, shape, out);
  return out;
}

Tensor logic(const char* op, ReduceOp kind, const Tensor& input, std::optional<IntSpan> dim, bool keepdim) {
  const ReducedShape shape(input, dim, keepdim, op);
  const Tensor out = empty(shape.kept, input.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool, op);
  const Tensor truth = out.dtype() == DType::Bool ? out : empty(shape.kept, DType::Bool, op);
  run_reduce(op, kind, input, shape, truth);
  if (!truth.same(out)) copy_raw(out, truth);
  return out;
}
Tensor all(const Tensor& input, std::optional<IntSpan> dim, bool keepdim) { return logic("all", ReduceOp::All, input, dim, keepdim); }

}  // namespace

Tensor any(const Tensor& input, std::optional<IntSpan> dim, bool keepdim) { return logic("any", ReduceOp::Any, input, dim, keepdim); }

PYDL_OP(prod_all, "prod(input: Tensor, *, dtype: dtype | None = None) -> Tensor", Function | Method, R"doc(
The product of all elements, or over one `dim`. Integers multiply in int64.

Example:
    >>> pydl.prod(pydl.tensor([2., 3.]))
    tensor(6.)
)doc");
PYDL_OP(prod_dim, "prod(input: Tensor, dim: int, keepdim: bool = False, *, dtype: dtype | None = None) -> Tensor", Function | Method | Out,
        R"doc()doc");
PYDL_OP(count_nonzero, "count_nonzero(input: Tensor, dim: int | Size | None = None) -> Tensor", Function | Method, R"doc(
How many elements are not zero, as int64.

Example:
    >>> pydl.count_nonzero(pydl.tensor([0, 3, 5]))
    tensor(2)
)doc");
PYDL_OP(all, "all(input: Tensor, dim: int | Size | None = None, keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
Are all elements true (not zero)? bool; uint8 for uint8 input.

Example:
    >>> pydl.all(pydl.tensor([True, False]))
    tensor(False)
)doc");
PYDL_OP(any, "any(input: Tensor, dim: int | Size | None = None, keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
Is any element true (not zero)? bool; uint8 for uint8 input.

Example:
    >>> pydl.any(pydl.tensor([True, False]))
    tensor(True)
)doc");

// ---- logsumexp -------------------------------------------------------------------------------------------------

namespace {

Tensor logsumexp(const Tensor& input, IntSpan dim, bool keepdim) {
  const Tensor in = is_integral_or_bool(input.dtype()) ? to_dtype(input, default_dtype()) : input;
  PYDL_CHECK(is_floating(in.dtype()), Error, "logsumexp(): Expected floating point or integral type, got ", input.dtype());
  if (in.numel() == 0) return log(sum(exp(in), dim, keepdim));
  Tensor shift;
  {
    const autograd::GradGuard off(false);
    shift = amax(in, dim, true);
    shift = where(eq(abs(shift), Operand(static_cast<double>(INFINITY))), Operand(0), shift);
  }
  const Tensor total = log(sum(exp(sub(in, shift)), dim, keepdim));
  return add(total, keepdim ? shift : reshape(shift, total.sizes()));
}

}  // namespace
PYDL_OP(logsumexp, "logsumexp(input: Tensor, dim: int | Size, keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
log(sum(exp(input))) over `dim`, without overflow.

Example:
    >>> pydl.logsumexp(pydl.tensor([1000., 1000.]), 0)
    tensor(1000.6932)
)doc");
PYDL_ALIAS("special.logsumexp", "logsumexp");

}  // namespace pydl
