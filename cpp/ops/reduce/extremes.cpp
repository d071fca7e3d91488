// max, min, their positions, variances and norms.
#include "ops/copy/copy.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/run.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;

namespace {

void check_not_empty(const char* op, const Tensor& input, const ReducedShape& shape) {
  PYDL_CHECK(shape.count > 0, IndexError, op,
             "(): Expected reduction dim to be specified for input.numel() == 0, or to have non-zero size. Got input of size ",
             IntSpan(input.sizes()));
}

// The value alone; ties share the gradient evenly.
Tensor extreme_value(const char* op, const char* node, ReduceOp kind, const Tensor& input, std::optional<IntSpan> dim, bool keepdim) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, op, "(): does not support complex inputs");
  const ReducedShape shape(input, dim, keepdim, op);
  check_not_empty(op, input, shape);
  const Tensor out = empty(shape.kept, input.dtype(), op);
  run_reduce(op, kind, input, shape, out);
  if (needs_grad(input)) {
    record({}, node, out, {&input}, [x = save(input), y = save_output(out), full = shape.full, mask = shape.mask](Backward& b) {
      Dims dims;
      for (int i = 0; i < full.size(); ++i) {
        if (mask >> i & 1) dims.push_back(i);
      }
      const Tensor hit = eq(x.get(b), restore_dims(y.get(b), full));
      const Tensor count = dims.empty() ? to_dtype(hit, b.grad().dtype()) : sum(hit, IntSpan(dims), true, b.grad().dtype());
      b.set(0, mul(div(restore_dims(b.grad(), full), count), hit));
    });
  }
  return out;
}

// Value and position of the first extreme along one dim.
std::tuple<Tensor, Tensor> extreme_along(const char* op, const char* node, ReduceOp kind, const Tensor& input, int64_t dim, bool keepdim) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, op, "(): does not support complex inputs");
  const int64_t dims[] = {wrap_dim(dim, input.ndim(), op)};
  const ReducedShape shape(input, IntSpan(dims), keepdim, op);
  check_not_empty(op, input, shape);
  const Tensor values = empty(shape.kept, input.dtype(), op), indices = empty(shape.kept, DType::Int64, op);
  run_reduce(op, kind, input, shape, values, indices);
  if (needs_grad(input)) {
    record({}, node, values, {&input}, [at = save(indices), full = shape.full, sizes = input.sizes(), d = dims[0]](Backward& b) {
      b.set(0, scatter_along(restore_dims(b.grad(), full), restore_dims(at.get(b), full), sizes, d));
    });
  }
  return {values, indices};
}

Tensor position(const char* op, ReduceOp kind, const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  PYDL_CHECK(!is_complex(input.dtype()), Error, op, "(): does not support complex inputs");
  const int64_t dims[] = {dim ? wrap_dim(*dim, input.ndim(), op) : 0};
  const ReducedShape shape(input, dim ? std::optional<IntSpan>(IntSpan(dims)) : std::nullopt, keepdim, op);
  check_not_empty(op, input, shape);
  const Tensor out = empty(shape.kept, DType::Int64, op);
  run_reduce(op, kind, input, shape, {}, out);
  return out;
}

Tensor max_all(const Tensor& input) { return extreme_value("max", "MaxBackward1", ReduceOp::Max, input, std::nullopt, false); }
Tensor min_all(const Tensor& input) { return extreme_value("min", "MinBackward1", ReduceOp::Min, input, std::nullopt, false); }
std::tuple<Tensor, Tensor> max_dim(const Tensor& input, int64_t dim, bool keepdim) {
  return extreme_along("max", "MaxBackward0", ReduceOp::Max, input, dim, keepdim);
}
std::tuple<Tensor, Tensor> min_dim(const Tensor& input, int64_t dim, bool keepdim) {
  return extreme_along("min", "MinBackward0", ReduceOp::Min, input, dim, keepdim);
}
Tensor max_other(const Tensor& input, const Tensor& other, const Dest& dest) { return maximum(input, other, dest); }
Tensor min_other(const Tensor& input, const Tensor& other, const Dest& dest) { return minimum(input, other, dest); }

}  // namespace

Tensor amax(const Tensor& input, IntSpan dim, bool keepdim) {
  return extreme_value("amax", "AmaxBackward0", ReduceOp::Max, input, dim, keepdim);
}
Tensor amin(const Tensor& input, IntSpan dim, bool keepdim) {
  return extreme_value("amin", "AminBackward0", ReduceOp::Min, input, dim, keepdim);
}
Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  return position("argmax", ReduceOp::Max, input, dim, keepdim);
}
namespace {
Tensor argmin(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  return position("argmin", ReduceOp::Min, input, dim, keepdim);
}
}  // namespace

PYDL_OP(max_all, "max(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
The largest element; with `dim`, a named tuple (values, indices) along it, the first of equal ones; with another tensor,
`maximum`. NaN counts as the largest.

Example:
    >>> pydl.max(pydl.tensor([1., 5., 3.]))
    tensor(5.)
    >>> pydl.tensor([[1, 5], [7, 2]]).max(dim=1).indices
    tensor([1, 0])
)doc");
PYDL_OP(max_dim, "max(input: Tensor, dim: int, keepdim: bool = False) -> (values: Tensor, indices: Tensor)", Function | Method | Out,
        R"doc()doc");
PYDL_OP(max_other, "max(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc()doc");
PYDL_OP(min_all, "min(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
The smallest element; with `dim`, a named tuple (values, indices) along it, the first of equal ones; with another tensor,
`minimum`. NaN counts as the smallest.

Example:
    >>> pydl.min(pydl.tensor([4., 1., 3.]))
    tensor(1.)
)doc");
PYDL_OP(min_dim, "min(input: Tensor, dim: int, keepdim: bool = False) -> (values: Tensor, indices: Tensor)", Function | Method | Out,
        R"doc()doc");
PYDL_OP(min_other, "min(input: Tensor, other: Tensor) -> Tensor", Function | Method | Out, R"doc()doc");
PYDL_OP(amax, "amax(input: Tensor, dim: int | Size = (), keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
The largest element over several dims (all by default). Equal ones share the gradient.

Example:
    >>> pydl.amax(pydl.tensor([[1, 5], [7, 2]]), dim=1)
    tensor([5, 7])
)doc");
PYDL_OP(amin, "amin(input: Tensor, dim: int | Size = (), keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
The smallest element over several dims (all by default). Equal ones share the gradient.

Example:
    >>> pydl.amin(pydl.tensor([[1, 5], [7, 2]]), dim=1)
    tensor([1, 2])
)doc");
PYDL_OP(argmax, "argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
The position of the first largest element, of the flattened tensor or along `dim`, as int64.

Example:
    >>> pydl.argmax(pydl.tensor([1., 5., 3.]))
    tensor(1)
)doc");
PYDL_OP(argmin, "argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor", Function | Method | Out, R"doc(
The position of the first smallest element, of the flattened tensor or along `dim`, as int64.

Example:
    >>> pydl.argmin(pydl.tensor([1., 5., 0.]))
    tensor(2)
)doc");

// ---- variance --------------------------------------------------------------------------------------------------

namespace {

// d var / dx = 2 (x - mean) / (n - correction)
Tensor var_gradient(const Tensor& g, const Tensor& x, const Dims& full, uint64_t mask, double divisor) {
  Dims dims;
  for (int i = 0; i < full.size(); ++i) {
    if (mask >> i & 1) dims.push_back(i);
  }
  const Tensor centre = mean(x, dims.empty() ? std::nullopt : std::optional<IntSpan>(IntSpan(dims)), !dims.empty());
  return mul(mul(sub(x, x.ndim() == 0 ? x : centre), Operand(2.0 / divisor)), restore_dims(g, full));
}

std::tuple<Tensor, Tensor> moments(const char* op, ReduceOp kind, const Tensor& input, std::optional<IntSpan> dim, const Scalar& correction,
                                   bool keepdim, bool with_mean) {
  PYDL_CHECK(is_floating(input.dtype()), Error, op, "(): only supports floating point dtypes, got ", input.dtype());
  const ReducedShape shape(input, dim, keepdim, op);
  const Tensor out = empty(shape.kept, input.dtype(), op);
  const Tensor centre = with_mean ? empty(shape.kept, input.dtype(), op) : Tensor();
  run_reduce(op, kind, input, shape, out, centre, correction.to_double());
  if (needs_grad(input)) {
    const double divisor = std::max(0.0, static_cast<double>(shape.count) - correction.to_double());
    const bool root = kind == ReduceOp::Std;
    record({}, root ? "StdBackward0" : "VarBackward0", out, {&input},
           [x = save(input), y = root ? save_output(out) : autograd::Saved(), full = shape.full, mask = shape.mask, divisor](Backward& b) {
             const Tensor result = y.get(b);
             // At zero deviation the slope of the root is taken as 0.
             const Tensor g =
                 result.defined() ? where(eq(result, Operand(0)), Operand(0), div(b.grad(), mul(result, Operand(2)))) : b.grad();
             b.set(0, var_gradient(g, x.get(b), full, mask, divisor));
           });
    if (with_mean) {
      record({}, "MeanBackward1", centre, {&input}, [full = shape.full, sizes = input.sizes(), n = shape.count](Backward& b) {
        b.set(0, expand(restore_dims(div(b.grad(), Operand(static_cast<double>(n))), full), sizes));
      });
    }
  }
  return {out, centre};
}

Scalar correction_of(const Scalar& correction, std::optional<bool> unbiased) {
  return unbiased ? Scalar(static_cast<int64_t>(*unbiased)) : correction;
}
Tensor var_op(const Tensor& input, std::optional<IntSpan> dim, std::optional<bool> unbiased, bool keepdim, const Scalar& correction) {
  return var(input, dim, correction_of(correction, unbiased), keepdim);
}
Tensor std_op(const Tensor& input, std::optional<IntSpan> dim, std::optional<bool> unbiased, bool keepdim, const Scalar& correction) {
  return std::get<0>(moments("std", ReduceOp::Std, input, dim, correction_of(correction, unbiased), keepdim, false));
}
Tensor var_all(const Tensor& input, bool unbiased) { return var(input, std::nullopt, Scalar(static_cast<int64_t>(unbiased)), false); }
Tensor std_all(const Tensor& input, bool unbiased) { return std_op(input, std::nullopt, unbiased, false, Scalar(1)); }
std::tuple<Tensor, Tensor> var_mean(const Tensor& input, std::optional<IntSpan> dim, std::optional<bool> unbiased, bool keepdim,
                                    const Scalar& correction) {
  return moments("var_mean", ReduceOp::Var, input, dim, correction_of(correction, unbiased), keepdim, true);
}

std::tuple<Tensor, Tensor> std_mean(const Tensor& input, std::optional<IntSpan> dim, std::optional<bool> unbiased, bool keepdim,
                                    const Scalar& correction) {
  return moments("std_mean", ReduceOp::Std, input, dim, correction_of(correction, unbiased), keepdim, true);
}
std::tuple<Tensor, Tensor> var_mean_all(const Tensor& input, bool unbiased) {
  return var_mean(input, std::nullopt, unbiased, false, Scalar(1));
}
std::tuple<Tensor, Tensor> std_mean_all(const Tensor& input, bool unbiased) {
  return std_mean(input, std::nullopt, unbiased, false, Scalar(1));
}

}  // namespace

Tensor var(const Tensor& input, std::optional<IntSpan> dim, const Scalar& correction, bool keepdim) {
  return std::get<0>(moments("var", ReduceOp::Var, input, dim, correction, keepdim, false));
}
PYDL_OP(var_all, "var(input: Tensor, unbiased: bool) -> Tensor", Function | Method, R"doc(
The variance over `dim` (all by default) with divisor n - `correction`. `unbiased` is torch's older spelling of correction 1.

Example:
    >>> pydl.var(pydl.tensor([1., 2., 3.]))
    tensor(1.)
)doc");
PYDL_OP(var_op,
        "var(input: Tensor, dim: int | Size | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Number = 1) "
        "-> Tensor",
        Function | Method | Out, R"doc()doc");
PYDL_OP(std_all, "std(input: Tensor, unbiased: bool) -> Tensor", Function | Method, R"doc(
The standard deviation, the root of `var`.

Example:
    >>> pydl.std(pydl.tensor([1., 2., 3.]))
    tensor(1.)
)doc");
PYDL_OP(std_op,
        "std(input: Tensor, dim: int | Size | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Number = 1) "
        "-> Tensor",
        Function | Method | Out, R"doc()doc");
PYDL_OP(var_mean,
        "var_mean(input: Tensor, dim: int | Size | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Number "
        "= 1) -> (Tensor, Tensor)",
        Function, R"doc(
Variance and mean in one pass.

Example:
    >>> pydl.var_mean(pydl.tensor([1., 2., 3.]))
    (tensor(1.), tensor(2.))
)doc");

PYDL_OP(var_mean_all, "var_mean(input: Tensor, unbiased: bool) -> (Tensor, Tensor)", Function, R"doc()doc");
PYDL_OP(std_mean,
        "std_mean(input: Tensor, dim: int | Size | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: Number "
        "= 1) -> (Tensor, Tensor)",
        Function, R"doc(
Standard deviation and mean in one pass.

Example:
    >>> pydl.std_mean(pydl.tensor([1., 2., 3.]))
    (tensor(1.), tensor(2.))
)doc");
PYDL_OP(std_mean_all, "std_mean(input: Tensor, unbiased: bool) -> (Tensor, Tensor)", Function, R"doc()doc");

// ---- norms -----------------------------------------------------------------------------------------------------

Tensor vector_norm(const Tensor& input, const Scalar& ord, std::optional<IntSpan> dim, bool keepdim) {
  PYDL_CHECK(is_differentiable(input.dtype()), Error, "linalg.vector_norm(): Expected a floating point or complex tensor as input. Got ",
             input.dtype());
  const double p = ord.to_double();
  PYDL_CHECK(!ord.is_complex(), Error, "linalg.vector_norm(): ord must be a real number");
  if (is_complex(input.dtype())) return vector_norm(abs(input), ord, dim, keepdim);
  const ReducedShape shape(input, dim, keepdim, "linalg.vector_norm");
  const std::optional<ReduceOp> direct = p == 2           ? std::optional(ReduceOp::NormL2)
                                         : p == 1         ? std::optional(ReduceOp::NormL1)
                                         : p == INFINITY  ? std::optional(ReduceOp::NormInf)
                                         : p == -INFINITY ? std::optional(ReduceOp::NormNegInf)
                                                          : std::nullopt;
  if (!direct) {
    if (p == 0) {  // a count: in the graph, but without a gradient, as in torch
      const Tensor count = sum(to_dtype(ne(input, Operand(0)), input.dtype()), dim, keepdim);
      if (needs_grad(input)) record({}, "LinalgVectorNormBackward0", count, {&input}, [](Backward&) {});
      return count;
    }
    return pow(sum(pow(abs(input), Operand(p)), dim, keepdim), Operand(1 / p));
  }
  PYDL_CHECK(shape.count > 0 || p == 2 || p == 1, Error, "linalg.vector_norm(): cannot compute the ", p, " norm on an empty tensor");
  const Tensor out = empty(shape.kept, input.dtype(), "linalg.vector_norm");
  run_reduce("linalg.vector_norm", *direct, input, shape, out);
  if (needs_grad(input)) {
    record({}, "LinalgVectorNormBackward0", out, {&input},
           [x = save(input), y = save_output(out), full = shape.full, mask = shape.mask, p](Backward& b) {
             const Tensor v = x.get(b), n = restore_dims(y.get(b), full), g = restore_dims(b.grad(), full);
             if (p == 1) {
               b.set(0, mul(g, sign(v)));
             } else if (p == 2) {  // 0 where the norm vanishes
               b.set(0, mul(v, where(eq(n, Operand(0)), Operand(0), div(g, n))));
             } else {
               Dims dims;
               for (int i = 0; i < full.size(); ++i) {
                 if (mask >> i & 1) dims.push_back(i);
               }
               const Tensor hit = eq(abs(v), n);
               const Tensor count = dims.empty() ? to_dtype(hit, g.dtype()) : sum(hit, IntSpan(dims), true, g.dtype());
               b.set(0, mul(mul(sign(v), hit), div(g, count)));
             }
           });
  }
  return out;
}
namespace {
Tensor vector_norm_op(const Tensor& x, const Scalar& ord, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  return vector_norm(dtype ? to_dtype(x, *dtype) : x, ord, dim, keepdim);
}
Tensor norm(const Tensor& input, std::optional<Scalar> p, std::optional<IntSpan> dim, bool keepdim, std::optional<DType> dtype) {
  return vector_norm(dtype ? to_dtype(input, *dtype) : input, p.value_or(Scalar(2.0)), dim, keepdim);
}
}  // namespace
PYDL_OP(vector_norm_op,
        "vector_norm(x: Tensor, ord: Number = 2, dim: int | Size | None = None, keepdim: bool = False, *, dtype: dtype | None = None) -> "
        "Tensor",
        Linalg | Out,
        R"doc(
The `ord`-norm of the elements over `dim` (all by default): (sum |x|^ord)^(1/ord); ord may be inf, -inf or 0. Carried in
float64, so that the float32 result is right to the last bit or two at any length.

Example:
    >>> pydl.linalg.vector_norm(pydl.tensor([3., -4.]))
    tensor(5.)
)doc");
PYDL_OP(
    norm,
    "norm(input: Tensor, p: Number | None = 2, dim: int | Size | None = None, keepdim: bool = False, dtype: dtype | None = None) -> Tensor",
    Function | Method | Out, R"doc(
The vector p-norm, see `linalg.vector_norm`.

Example:
    >>> pydl.norm(pydl.tensor([3., -4.]), 1)
    tensor(7.)
)doc");

}  // namespace pydl
