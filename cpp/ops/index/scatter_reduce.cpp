// Writes by index that combine with what is there: sums, products, means, extremes; put.
#include <cmath>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/dispatch.h"
#include "ops/index/engine.h"
#include "ops/index/index.h"
#include "ops/index/scatter.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;
using autograd::save_output;

namespace {

using AccumulatorTypes = TypeList<uint8_t, int8_t, int16_t, int32_t, int64_t, float, double, std::complex<float>, std::complex<double>>;

enum class Reduce : uint8_t { Sum, Prod, Mean, Amax, Amin };

Reduce reduce_of(const char* op, std::string_view name) {
  if (name == "sum") return Reduce::Sum;
  if (name == "prod") return Reduce::Prod;
  if (name == "mean") return Reduce::Mean;
  if (name == "amax") return Reduce::Amax;
  if (name == "amin") return Reduce::Amin;
  throw Error(text(op, "(): reduce argument must be either sum, prod, mean, amax or amin, got ", name));
}

template <class T>
T combined(Reduce kind, T a, T b, bool logical) {
  if constexpr (!std::is_same_v<T, std::complex<float>> && !std::is_same_v<T, std::complex<double>>) {
    if (kind == Reduce::Amax) return b > a || b != b ? b : a;
    if (kind == Reduce::Amin) return b < a || b != b ? b : a;
  }
  if constexpr (std::is_integral_v<T>) {
    if (logical) return kind == Reduce::Prod ? a & b : a | b;
    const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);  // wraps
    return static_cast<T>(kind == Reduce::Prod ? x * y : x + y);
  } else {
    return kind == Reduce::Prod ? a * b : a + b;
  }
}

// Lines of `out` along d, each with its own lines of `index` and `src`: threads share whole lines, so that the order in which
// elements meet does not depend on their number.
template <class T>
void reduce_lines(Reduce kind, const Tensor& out, const Tensor& counts, const Tensor& index, const Tensor& src, int d, bool fresh,
                  bool logical) {
  int64_t lines = 1;
  for (int i = 0; i < index.ndim(); ++i) lines *= i == d ? 1 : index.size(i);
  const int64_t n = index.size(d);
  parallel_for(lines, std::max<int64_t>(1, 8192 / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      int64_t rest = line, to = 0, from = 0, at = 0, count = 0;
      for (int i = index.ndim(); i-- > 0;) {
        if (i == d) continue;
        const int64_t k = rest % index.size(i);
        rest /= index.size(i);
        to += k * out.stride(i), from += k * src.stride(i), at += k * index.stride(i), count += k * counts.stride(i);
      }
      for (int64_t k = 0; k < n; ++k) {
        const int64_t place = index.data<int64_t>()[at + k * index.stride(d)];
        T& target = out.data<T>()[to + place * out.stride(d)];
        int64_t& seen = counts.data<int64_t>()[count + place * counts.stride(d)];
        const T v = src.data<T>()[from + k * src.stride(d)];
        target = fresh && seen == 0 ? v : combined(kind, target, v, logical);
        ++seen;
      }
    }
  });
}

Tensor vector_of(const Tensor& t) { return t.ndim() ? t : reshape(t, Dims{1}); }

struct Reduced {
  Tensor values;
  Tensor counts;  // elements that met at each place, without that of the input
};

Reduced reduce_values(const char* op, Reduce kind, const Tensor& input, int d, const Tensor& index, const Tensor& src, bool include_self) {
  const autograd::GradGuard off(false);
  const DType dtype = input.dtype(), type = compute_type(dtype);
  PYDL_CHECK(!is_complex(dtype) || kind == Reduce::Sum || kind == Reduce::Prod || kind == Reduce::Mean, NotImplemented, op,
             "(): not implemented for ", dtype);
  const Tensor out = input.dtype() == type ? clone(input, MemoryFormat::Contiguous) : contiguous(to_dtype(input, type));
  const Tensor counts = zeros(input.sizes(), DType::Int64);
  if (index.numel()) {
    const Tensor from = to_dtype(src, type);
    dispatch(op, type, AccumulatorTypes{}, [&]<class T>(T) {
      reduce_lines<T>(kind, vector_of(out), vector_of(counts), vector_of(index), vector_of(from), d, !include_self, dtype == DType::Bool);
    });
  }
  if (kind != Reduce::Mean) return {to_dtype(out, dtype), counts};
  const Tensor n = include_self ? add(counts, Operand(1)) : maximum(counts, ones({}, DType::Int64));
  const Tensor mean = is_differentiable(type) ? div(out, n) : div(out, n, "floor");
  return {to_dtype(mean, dtype), counts};
}

Tensor scatter_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self,
                      const Dest& dest);

// ---- derivatives (formulas: those of the reductions, with the places' own elements as one more) -------------------------

struct Call {
  Reduce kind;
  int d;
  bool include_self;
};

// How many elements share each place's result, itself included where it counts.
Tensor sharers(const Tensor& counts, const Call& c, DType dtype) {
  const Tensor n = c.include_self ? add(counts, Operand(1)) : maximum(counts, ones({}, DType::Int64));
  return to_dtype(n, dtype);
}

void extreme_gradient(Backward& b, const Call& c, const Tensor& x, const Tensor& index, const Tensor& src, const Tensor& y,
                      const Tensor& untouched) {
  const Tensor& g = b.grad();
  const Tensor own = c.include_self ? eq(x, y) : logical_and(eq(x, y), untouched);
  const Tensor hit = to_dtype(eq(src, gather(y, c.d, index)), g.dtype());
  const Tensor many = add(to_dtype(own, g.dtype()), scatter_along(hit, index, x.sizes(), c.d));
  const Tensor share = div(g, maximum(many, ones({}, g.dtype())));
  if (b.needs(0)) b.set(0, mul(share, own));
  if (b.needs(1)) b.set(1, mul(gather(share, c.d, index), hit));
}

// prod: each factor's slope is the product of the others. With one zero at a place only that factor has a slope, with
// two none has: the zeros are counted and left out of the product `rest`. For the derivative of the slopes the result y is
// formed again as an op, and of two zeros each has the slope other * rest, where other = the sum of both - itself: a formula
// that holds around the point too. (Of three zeros slopes and their first derivatives are 0.)
void product_gradient(Backward& b, const Call& c, const Tensor& x, const Tensor& index, const Tensor& src, const Tensor& saved_y,
                      const Tensor& untouched) {
  const Tensor& g = b.grad();
  const Tensor one = ones({}, g.dtype());
  const Tensor counts_self = c.include_self ? logical_not(zeros(x.sizes(), DType::Bool)) : untouched;
  const Tensor own_zero = logical_and(eq(x, Operand(0)), counts_self), zero = eq(src, Operand(0));
  const Tensor zeros_at = add(scatter_along(to_dtype(zero, g.dtype()), index, x.sizes(), c.d), to_dtype(own_zero, g.dtype()));
  const Tensor start = where(logical_and(counts_self, logical_not(own_zero)), x, one);
  const Tensor rest = scatter_prod(start, c.d, index, where(zero, one, src));
  const bool again = autograd::mode.grad;
  const Tensor y = again ? scatter_reduce(x, c.d, index, src, "prod", c.include_self, {}) : saved_y;
  Tensor both;
  if (again) both = add(scatter_along(where(zero, src, Operand(0)), index, x.sizes(), c.d), where(own_zero, x, Operand(0)));
  const auto slope = [&](const Tensor& factor, const Tensor& is_zero, const auto& here) {
    const Tensor z = here(zeros_at), r = here(rest);
    Tensor of_zero = where(eq(z, Operand(1)), r, Operand(0));
    if (again) of_zero = where(eq(z, Operand(2)), mul(sub(here(both), factor), r), of_zero);
    return conj(where(is_zero, of_zero, div(here(y), where(eq(factor, Operand(0)), one, factor))));
  };
  if (b.needs(0)) {
    const Tensor own = slope(x, own_zero, [](const Tensor& t) { return t; });
    b.set(0, mul(g, where(counts_self, own, Operand(0))));
  }
  if (b.needs(1)) {
    const auto here = [&](const Tensor& t) { return gather(t, c.d, index); };
    b.set(1, mul(here(g), slope(src, zero, here)));
  }
}

void reduce_gradient(Backward& b, const Call& c, const Tensor& x, const Tensor& index, const Tensor& src, const Tensor& y,
                     const Tensor& counts) {
  const Tensor& g = b.grad();
  const Tensor untouched = eq(counts, Operand(0));
  if (c.kind == Reduce::Amax || c.kind == Reduce::Amin) return extreme_gradient(b, c, x, index, src, y, untouched);
  if (c.kind == Reduce::Prod) return product_gradient(b, c, x, index, src, y, untouched);
  const Tensor share = c.kind == Reduce::Mean ? div(g, sharers(counts, c, g.dtype())) : g;
  if (b.needs(0)) b.set(0, c.include_self ? share : mul(g, untouched));
  if (b.needs(1)) b.set(1, gather(share, c.d, index));
}

}  // namespace

// ---- the ops ---------------------------------------------------------------------------------------------------

namespace {

Tensor covered(Tensor src, const Tensor& index) {
  for (int i = 0; i < src.ndim() && i < index.ndim(); ++i) {
    if (src.size(i) != index.size(i)) src = slice(src, i, 0, index.size(i), 1);
  }
  return src;
}

Tensor reduce_at(const char* op, const Tensor& input, int d, const Tensor& index, const Tensor& src, Reduce kind, bool include_self,
                 const Dest& dest) {
  const Tensor x = original(input, dest);
  const Reduced r = reduce_values(op, kind, x, d, index, src, include_self);
  const Tensor out = place(op, r.values, dest, {input, index, src});
  if (needs_grad(input, src)) {
    const Call call{kind, d, include_self};
    const bool keeps = kind != Reduce::Sum && kind != Reduce::Mean;
    record(dest, "ScatterReduceBackward0", out, {&input, &src},
           [call, i = save(index), n = save(r.counts), x = keeps ? save(x) : autograd::Saved(), s = keeps ? save(src) : autograd::Saved(),
            y = keeps ? save(r.values) : autograd::Saved()](Backward& b) {
             reduce_gradient(b, call, x.get(b), i.get(b), s.get(b), y.get(b), n.get(b));
           });
  }
  return out;
}

Tensor scatter_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce, bool include_self,
                      const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "scatter_reduce");
  const Reduce kind = reduce_of("scatter_reduce", reduce);
  const Tensor at = check_scatter_arguments("scatter_reduce", input, d, index, src);
  return reduce_at("scatter_reduce", input, d, at, covered(src, at), kind, include_self, dest);
}

// The older spelling: 'add' or 'multiply', with the derivative of the first alone, as in torch.
Reduce old_reduce(std::string_view name) {
  PYDL_CHECK(name == "add" || name == "multiply", Error, "scatter(): reduce argument must be either add or multiply, got ", name);
  return name == "add" ? Reduce::Sum : Reduce::Prod;
}
Tensor scatter_with_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, std::string_view reduce,
                           const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "scatter");
  const Reduce kind = old_reduce(reduce);
  const Tensor at = check_scatter_arguments("scatter", input, d, index, src);
  return reduce_at("scatter", input, d, at, covered(src, at), kind, true, dest);
}
Tensor scatter_value_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, std::string_view reduce,
                            const Dest& dest) {
  PYDL_CHECK(!value.is_complex() || is_complex(input.dtype()), Error, "scatter(): value cannot be converted to type ", input.dtype());
  return scatter_with_reduce(input, dim, index, expand(scalar_tensor(value, input.dtype()), index.sizes()), reduce, dest);
}

Tensor index_reduce(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, std::string_view reduce, bool include_self,
                    const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "index_reduce");
  PYDL_CHECK(reduce == "prod" || reduce == "mean" || reduce == "amax" || reduce == "amin", Error,
             "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got ", reduce, ".");
  PYDL_CHECK(index.ndim() <= 1, IndexError, "index_reduce(): Index is supposed to be a vector, but got dim: ", index.ndim());
  PYDL_CHECK(input.ndim() == source.ndim() || input.ndim() == 0, ShapeError, "index_reduce(): source has ", source.ndim(),
             " dims, expected ", input.ndim());
  Dims along(std::max(input.ndim(), 1), 1);
  along[d] = index.numel();
  PYDL_CHECK(source.ndim() == 0 || source.size(d) == index.numel(), ShapeError, "index_reduce(): Number of indices (", index.numel(),
             ") should be equal to the size of source in dim ", d, ", ", source.ndim() ? source.size(d) : 1);
  for (int i = 0; i < source.ndim() && input.ndim(); ++i) {
    PYDL_CHECK(i == d || source.size(i) == input.size(i), ShapeError, "index_reduce(): source of shape ", IntSpan(source.sizes()),
               " does not fit input of shape ", IntSpan(input.sizes()));
  }
  const Tensor wide = source.ndim() ? expand(reshape(index, along), source.sizes()) : reshape(index, IntSpan());
  const Tensor at = check_scatter_arguments("index_reduce", input, d, wide, source);
  return reduce_at("index_reduce", input, d, at, source, reduce_of("index_reduce", reduce), include_self, dest);
}

// Flat positions, negative ones from the end; written one after the other.
Tensor put(const Tensor& input, const Tensor& index, const Tensor& source, bool accumulate, const Dest& dest) {
  PYDL_CHECK(index.dtype() == DType::Int64, Error, "put(): Expected a long tensor for index, but got ", index.dtype());
  PYDL_CHECK(source.dtype() == input.dtype(), Error,
             "put(): Expected self and source to have the same dtype, but got self.dtype = ", input.dtype(),
             " and source.dtype = ", source.dtype());
  PYDL_CHECK(index.numel() == source.numel(), ShapeError, "put(): Expected source and index to have the same number of elements, but got ",
             "source.numel() = ", source.numel(), ", index.numel() = ", index.numel());
  const int64_t n = input.numel();
  const Tensor flat = clone(reshape(original(input, dest), Dims{n}), MemoryFormat::Contiguous);
  if (index.numel()) index_put_(flat, {reshape(index, Dims{index.numel()})}, reshape(source, Dims{index.numel()}), accumulate);
  return deliver("put", reshape(flat, input.sizes()), dest, {input, index, source});
}

}  // namespace

Tensor scatter_prod(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter_reduce(input, dim, index, src, "prod", true, {});
}

PYDL_OP(scatter_reduce,
        "scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
A copy of `input` in which the elements of `src` are combined into the positions `index` along `dim` by 'sum', 'prod', 'mean',
'amax' or 'amin'; with include_self=False what `input` had there does not take part.

Raises RuntimeError for another `reduce` or shapes that do not fit, IndexError for an index outside `input`.

Example:
    >>> pydl.ones(2).scatter_reduce(0, pydl.tensor([1, 1]), pydl.tensor([5., 6.]), 'amax')
    tensor([1., 6.])
)doc");
PYDL_OP(scatter_with_reduce, "scatter(input: Tensor, dim: int, index: Tensor, src: Tensor, *, reduce: str) -> Tensor",
        Function | Method | Inplace | Out, R"doc()doc");
PYDL_OP(scatter_value_reduce, "scatter(input: Tensor, dim: int, index: Tensor, value: Number, *, reduce: str) -> Tensor",
        Function | Method | Inplace | Out, R"doc()doc");
PYDL_OP(index_reduce,
        "index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
A copy of `input` in which the slices of `source` are combined into its slices at `index` along `dim` by 'prod', 'mean', 'amax'
or 'amin'; with include_self=False what `input` had there does not take part.

Example:
    >>> pydl.ones(2).index_reduce(0, pydl.tensor([1, 1]), pydl.tensor([5., 6.]), 'prod')
    tensor([ 1., 30.])
)doc");
PYDL_OP(put, "put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor", Function | Method | Inplace, R"doc(
A copy of `input` with the elements of `source` at positions of the flattened tensor, or added there with `accumulate`.

Example:
    >>> pydl.put(pydl.zeros(2, 2), pydl.tensor([0, 3]), pydl.tensor([1., 2.]))
    tensor([[1., 0.],
            [0., 2.]])
)doc");

}  // namespace pydl
