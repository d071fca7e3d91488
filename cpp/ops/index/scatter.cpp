#include "ops/index/scatter.h"

#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/index/engine.h"
#include "ops/index/index.h"
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

namespace {

// The tensor that an op writes into: a copy of `input`, out=, or `input` itself, checked.
Tensor begin_write(const char* op, const Tensor& input, const Dest& dest) {
  const autograd::GradGuard off(false);
  if (dest.is_new()) return clone(input, MemoryFormat::Contiguous);
  if (dest.is_inplace()) {
    const autograd::GradGuard on(true);
    check_inplace(op, input);
  }
  check_writable(op, dest, input.sizes(), input.dtype(), {});
  if (dest.is_out()) copy_raw(dest.tensor(), input);
  return dest.tensor();
}
void end_write(const Tensor& out, const Dest& dest) {
  if (!dest.is_new()) out->bump_version();
}

Tensor int64_index(const char* op, const Tensor& index) {
  PYDL_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, Error, op, "(): Expected dtype int64 for index, got ",
             index.dtype());
  const autograd::GradGuard off(false);
  return contiguous(to_dtype(index, DType::Int64));
}

void check_indices(const char* op, const Tensor& index, int64_t size, int dim) {
  const int64_t bad = first_outside(index.data<int64_t>(), index.numel(), 0, size);
  PYDL_CHECK(bad < 0, IndexError, op, "(): index ", index.data<int64_t>()[bad], " is out of bounds for dimension ", dim, " with size ",
             size);
}

// ---- scatter: one index per element ----------------------------------------------------------------------------

void check_scatter(const char* op, const Tensor& input, const Tensor& index, int d, const Tensor& src) {
  PYDL_CHECK(std::max(index.ndim(), 1) == std::max(input.ndim(), 1) || index.numel() == 0, ShapeError, op,
             "(): Index tensor must have the same number of dimensions as self tensor");
  for (int i = 0; i < index.ndim() && index.numel() && input.ndim(); ++i) {
    PYDL_CHECK(i == d || index.size(i) <= input.size(i), ShapeError, op, "(): Expected index ", IntSpan(index.sizes()),
               " to be no larger than self ", IntSpan(input.sizes()), " apart from dimension ", d);
  }
  if (!src.defined()) return;
  PYDL_CHECK(src.dtype() == input.dtype(), Error, op, "(): Expected self.dtype to be equal to src.dtype, got ", input.dtype(), " and ",
             src.dtype());
  PYDL_CHECK(std::max(index.ndim(), 1) == std::max(src.ndim(), 1) || index.numel() == 0, ShapeError, op,
             "(): Index tensor must have the same number of dimensions as src tensor");
  for (int i = 0; i < index.ndim() && index.numel(); ++i) {
    PYDL_CHECK(index.size(i) <= (src.ndim() ? src.size(i) : 1), ShapeError, op, "(): Expected index ", IntSpan(index.sizes()),
               " to be no larger than src ", IntSpan(src.sizes()));
  }
}

// 0-d tensors count as vectors of one element.
Tensor at_least_1d(const Tensor& t) { return t.ndim() ? t : raw_view(t, Dims{1}, Dims{1}, t->offset); }

}  // namespace

IndexLines index_lines(const Tensor& out_, const Tensor& in_, const Tensor& index_, int d, int64_t size) {
  const Tensor out = at_least_1d(out_), in = at_least_1d(in_), index = at_least_1d(index_);
  IndexLines s;
  const int64_t item = out.item_size();
  s.dtype = out.dtype();
  s.line_dims = 0;
  for (int i = 0; i < out.ndim(); ++i) {
    if (i == d) continue;
    s.line_sizes[s.line_dims] = index.size(i);
    s.out_lines[s.line_dims] = out.stride(i) * item;
    s.in_lines[s.line_dims] = in.stride(i) * item;
    s.index_lines[s.line_dims++] = index.stride(i) * 8;
  }
  s.out = out->data;
  s.in = in->data;
  s.indices = index.data<int64_t>();
  s.out_stride = out.stride(d) * item;
  s.in_stride = in.stride(d) * item;
  s.index_stride = index.stride(d) * 8;
  s.n = index.size(d);
  s.size = size;
  return s;
}

void scatter_add_new(const char* op, const Tensor& out, const Tensor& in, const Tensor& index, int d) {
  const int64_t size = out.ndim() ? out.size(d) : 1;
  const IndexLines lines = index_lines(out, in, index, d, size);
  if (is_packed_line(lines)) {  // the check reads the index once more only where it is needed for the message
    if (!scatter_add_unchecked(lines)) check_indices(op, index, size, d);
    return;
  }
  check_indices(op, index, size, d);
  scatter_add_lines(lines);
}

namespace {

// The part of `src` that the index covers.
Tensor covered(Tensor src, const Tensor& index) {
  for (int i = 0; i < src.ndim() && i < index.ndim(); ++i) {
    if (src.size(i) != index.size(i)) src = slice(src, i, 0, index.size(i), 1);
  }
  return src;
}

Tensor scatter_with(const char* op, const char* node, bool adds, const Tensor& input, int64_t dim, const Tensor& index_, const Tensor& src_,
                    const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), op);
  const int64_t size = input.ndim() ? input.size(d) : 1;
  check_scatter(op, input, index_, d, src_);
  const Tensor index = int64_index(op, index_);
  const bool is_new = adds && dest.is_new();  // a result that nobody has seen yet may be thrown away half written
  if (!is_new) check_indices(op, index, size, d);
  const Tensor src = covered(src_, index);
  const Tensor out = begin_write(op, input, dest);
  if (index.numel()) {
    const autograd::GradGuard off(false);
    const Tensor from = memory_overlap(out, src) == Overlap::None ? src : clone(src);
    adds ? scatter_add_new(op, out, from, index, d) : scatter_lines(index_lines(out, from, index, d, size));
  }
  end_write(out, dest);
  if (needs_grad(input, src)) {
    record(dest, node, out, {&input, &src}, [at = save(index), d, adds](Backward& b) {
      const Tensor where_to = at.get(b);
      if (b.needs(0)) b.set(0, adds ? b.grad() : scatter_value(b.grad(), d, where_to, Scalar(0)));
      if (b.needs(1)) b.set(1, gather(b.grad(), d, where_to));
    });
  }
  return out;
}

}  // namespace

Tensor check_scatter_arguments(const char* op, const Tensor& input, int d, const Tensor& index, const Tensor& src) {
  check_scatter(op, input, index, d, src);
  const Tensor at = int64_index(op, index);
  check_indices(op, at, input.ndim() ? input.size(d) : 1, d);
  return at;
}

Tensor scatter_src(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest) {
  return scatter_with("scatter", "ScatterBackward0", false, input, dim, index, src, dest);
}
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest) {
  return scatter_with("scatter_add", "ScatterAddBackward0", true, input, dim, index, src, dest);
}
Tensor scatter_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest) {
  PYDL_CHECK(!value.is_complex() || is_complex(input.dtype()), Error, "scatter(): value cannot be converted to type ", input.dtype());
  return scatter_with("scatter", "ScatterBackward1", false, input, dim, index, expand(scalar_tensor(value, input.dtype()), index.sizes()),
                      dest);
}

// ---- whole slices along one dim --------------------------------------------------------------------------------

namespace {

// A contiguous tensor around the indexed dim.
struct Rows {
  int64_t outer = 1, size = 1, inner = 1;
  Rows(const Tensor& t, int d) {
    for (int i = 0; i < t.ndim(); ++i) (i < d ? outer : i == d ? size : inner) *= t.size(i);
  }
};

Tensor row_index(const char* op, const Tensor& index, int64_t size, int d) {
  PYDL_CHECK(index.ndim() <= 1, IndexError, op, "(): Index is supposed to be a vector, but got dim: ", index.ndim());
  const Tensor at = int64_index(op, reshape(index, Dims{index.numel()}));
  const int64_t bad = first_bad_index(at.data<int64_t>(), 8, at.numel(), size);
  PYDL_CHECK(bad < 0, IndexError, op, "(): index ", at.data<int64_t>()[bad], " is out of bounds for dimension ", d, " with size ", size);
  return at;
}

void check_rows(const char* op, const Tensor& input, const Tensor& source, int d, int64_t n) {
  PYDL_CHECK(source.dtype() == input.dtype(), Error, op, "(): self and source expected to have the same dtype, but got (self) ",
             input.dtype(), " and (source) ", source.dtype());
  Dims wanted = input.sizes();
  if (input.ndim()) wanted[d] = n;
  PYDL_CHECK(source.sizes() == wanted || (input.ndim() == 0 && source.numel() == n), ShapeError, op, "(): source of shape ",
             IntSpan(source.sizes()), " does not fit, expected ", IntSpan(wanted));
}

enum class RowWrite : uint8_t { Copy, Add };

void write_rows(RowWrite kind, const Tensor& out, const Tensor& source, const Tensor& at, int d, double alpha) {
  const autograd::GradGuard off(false);
  const Tensor to = contiguous(out), from = contiguous(memory_overlap(out, source) == Overlap::None ? source : clone(source));
  const Rows r(to, d);
  const int64_t n = at.numel(), item = to.item_size(), row = r.inner * item;
  for (int64_t o = 0; o < r.outer && n && r.inner; ++o) {
    char* t = to->data + o * r.size * row;
    const char* f = from->data + o * n * row;
    if (kind == RowWrite::Copy) {
      index_copy_rows(t, row, f, row, at.data<int64_t>(), 8, n, r.size, row);
    } else {
      index_add_rows(to.dtype(), t, row, item, f, row, item, at.data<int64_t>(), 8, n, r.size, r.inner, alpha);
    }
  }
  if (!to.same(out)) copy_raw(out, to);
}

}  // namespace

Tensor index_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha, const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "index_add");
  const Tensor at = row_index("index_add", index, input.ndim() ? input.size(d) : 1, d);
  check_rows("index_add", input, source, d, at.numel());
  PYDL_CHECK(!alpha.is_complex() && (is_differentiable(input.dtype()) || alpha.is_integral()), Error, "index_add(): alpha does not fit ",
             input.dtype());
  const Tensor out = begin_write("index_add", input, dest);
  write_rows(RowWrite::Add, out, source, at, d, alpha.to_double());
  end_write(out, dest);
  if (needs_grad(input, source)) {
    record(dest, "IndexAddBackward0", out, {&input, &source}, [i = save(at), d, alpha, sizes = source.sizes()](Backward& b) {
      if (b.needs(0)) b.set(0, b.grad());
      if (b.needs(1)) b.set(1, reshape(mul(index_select(b.grad(), d, i.get(b)), alpha), sizes));
    });
  }
  return out;
}

namespace {

Tensor index_copy(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "index_copy");
  const Tensor at = row_index("index_copy", index, input.ndim() ? input.size(d) : 1, d);
  check_rows("index_copy", input, source, d, at.numel());
  const Tensor out = begin_write("index_copy", input, dest);
  write_rows(RowWrite::Copy, out, source, at, d, 1);
  end_write(out, dest);
  if (needs_grad(input, source)) {
    record(dest, "IndexCopyBackward0", out, {&input, &source}, [i = save(at), d, sizes = source.sizes()](Backward& b) {
      if (b.needs(0)) b.set(0, index_fill_value(b.grad(), d, i.get(b), Scalar(0)));
      if (b.needs(1)) b.set(1, reshape(index_select(b.grad(), d, i.get(b)), sizes));
    });
  }
  return out;
}

Tensor index_fill(const Tensor& input, int64_t dim, const Tensor& index, const Operand& value, const Dest& dest) {
  const int d = wrap_dim(dim, input.ndim(), "index_fill");
  const Tensor at = row_index("index_fill", index, input.ndim() ? input.size(d) : 1, d);
  const Tensor& v = value.tensor();
  PYDL_CHECK(!v.defined() || v.ndim() == 0, Error, "index_fill(): only supports a 0-dimensional value tensor, but got tensor with ",
             v.defined() ? v.ndim() : 0, " dimension(s).");
  PYDL_CHECK(v.defined() || !value.scalar().is_complex() || is_complex(input.dtype()), Error,
             "index_fill(): Converting complex Scalar to non-complex type is not supported");
  const Tensor out = begin_write("index_fill", input, dest);
  {
    const autograd::GradGuard off(false);
    Dims shape = input.sizes();
    if (input.ndim()) shape[d] = at.numel();
    const Tensor number = v.defined() ? to_dtype(v, input.dtype()) : scalar_tensor(value.scalar(), input.dtype());
    write_rows(RowWrite::Copy, out, expand(number, shape), at, d, 1);
  }
  end_write(out, dest);
  if (needs_grad(input, v)) {
    record(dest, "IndexFillBackward0", out, {&input, &v}, [i = save(at), d](Backward& b) {
      if (b.needs(0)) b.set(0, index_fill_value(b.grad(), d, i.get(b), Scalar(0)));
      if (b.needs(1)) b.set(1, sum(index_select(b.grad(), d, i.get(b))));
    });
  }
  return out;
}

}  // namespace

Tensor index_fill_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest) {
  return index_fill(input, dim, index, Operand(value), dest);
}

// ---- several indices, masks, flat positions --------------------------------------------------------------------

namespace {

Tensor put_at(const Tensor& input, TensorSpan indices, const Tensor& values, bool accumulate) {
  PYDL_CHECK(values.dtype() == input.dtype(), Error, "index_put_(): Index put requires the source and destination dtypes match, got ",
             input.dtype(), " for the destination and ", values.dtype(), " for the source.");
  return index_put_(input, std::vector<Tensor>(indices.begin(), indices.end()), values, accumulate);
}
Tensor index_put(const Tensor& input, TensorSpan indices, const Tensor& values, bool accumulate) {
  return put_at(clone(input), indices, values, accumulate);
}

Tensor masked_scatter(const Tensor& input, const Tensor& mask, const Tensor& source, const Dest& dest) {
  PYDL_CHECK(mask.dtype() == DType::Bool, Error, "masked_scatter(): only supports boolean masks, but got mask with dtype ", mask.dtype());
  PYDL_CHECK(source.dtype() == input.dtype(), Error, "masked_scatter(): expected self and source to have same dtypes but got ",
             input.dtype(), " and ", source.dtype());
  const Tensor target = dest.is_inplace()
                            ? input
                            : clone(dest.is_new() ? expand(input, broadcast_shapes(input.sizes(), mask.sizes(), "masked_scatter")) : input);
  const Tensor full = expand(mask, target.sizes());
  const Tensor at = nonzero(reshape(full, Dims{full.numel()}));
  const int64_t count = at.size(0);
  PYDL_CHECK(count <= source.numel(), Error,
             "masked_scatter(): expected source to have at least as many elements as the number of ones in mask, got ", source.numel(),
             " and ", count);
  const Tensor values = slice(reshape(source, Dims{source.numel()}), 0, 0, count, 1);
  if (target.ndim() == 0) {
    if (count) copy_(target, reshape(values, IntSpan()));
  } else {
    index_put_(target, {full}, values, false);
  }
  return dest.is_out() ? copy_(dest.tensor(), target) : target;
}

Tensor take(const Tensor& input, const Tensor& index_) {
  PYDL_CHECK(index_.dtype() == DType::Int64, Error, "take(): Expected a long tensor for index, but got ", index_.dtype());
  PYDL_CHECK(input.numel() > 0 || index_.numel() == 0, IndexError, "take(): tried to take from an empty tensor");
  const Tensor flat = reshape(input, Dims{input.numel()});
  return reshape(index(flat, {reshape(index_, Dims{index_.numel()})}), index_.sizes());
}

Tensor take_along_dim(const Tensor& input, const Tensor& indices, std::optional<int64_t> dim) {
  PYDL_CHECK(indices.dtype() == DType::Int64, Error, "take_along_dim(): dtype of indices should be Long but got ", indices.dtype());
  if (!dim) return gather(reshape(input, Dims{input.numel()}), 0, reshape(indices, Dims{indices.numel()}));
  PYDL_CHECK(input.ndim() == indices.ndim(), ShapeError,
             "take_along_dim(): input and indices should have the same number of dimensions, but got ", input.ndim(),
             " dimensions for input, and ", indices.ndim(), " dimensions for indices");
  const int d = wrap_dim(*dim, input.ndim(), "take_along_dim");
  Dims a = input.sizes(), b = indices.sizes();
  if (input.ndim()) a[d] = b[d] = 1;
  Dims shape = broadcast_shapes(a, b, "take_along_dim"), index_shape = shape;
  if (input.ndim()) shape[d] = input.size(d), index_shape[d] = indices.size(d);
  return gather(expand(input, shape), d, expand(indices, index_shape));
}

}  // namespace

PYDL_OP(scatter_src, "scatter(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
A copy of `input` with `src` (a tensor or a number) written at the positions `index` along `dim`: for dim 0,
out[index[i][j]][j] = src[i][j]. The inverse of `gather`.

Raises IndexError for an index outside `input`.

Example:
    >>> pydl.zeros(3).scatter(0, pydl.tensor([2, 0]), pydl.tensor([5., 6.]))
    tensor([6., 0., 5.])
)doc");
PYDL_OP(scatter_value, "scatter(input: Tensor, dim: int, index: Tensor, value: Number) -> Tensor", Function | Method | Inplace | Out,
        R"doc()doc");
PYDL_OP(scatter_add, "scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
A copy of `input` with `src` added at the positions `index` along `dim`. Raises IndexError for an index outside `input`.

Example:
    >>> pydl.zeros(2).scatter_add(0, pydl.tensor([1, 1]), pydl.tensor([5., 6.]))
    tensor([ 0., 11.])
)doc");
PYDL_OP(index_add, "index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor",
        Function | Method | Inplace | Out, R"doc(
A copy of `input` with alpha * the slices of `source` added to its slices at `index` along `dim`.

Example:
    >>> pydl.zeros(2).index_add(0, pydl.tensor([1, 1]), pydl.tensor([5., 6.]))
    tensor([ 0., 11.])
)doc");
PYDL_OP(index_copy, "index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor", Function | Method | Inplace | Out,
        R"doc(
A copy of `input` with the slices of `source` in place of its slices at `index` along `dim`.

Example:
    >>> pydl.zeros(3).index_copy(0, pydl.tensor([2, 0]), pydl.tensor([5., 6.]))
    tensor([6., 0., 5.])
)doc");
PYDL_OP(index_fill, "index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor", Function | Method | Inplace,
        R"doc(
A copy of `input` with its slices at `index` along `dim` filled with `value`.

Example:
    >>> pydl.zeros(3).index_fill(0, pydl.tensor([0, 2]), 1)
    tensor([1., 0., 1.])
)doc");
PYDL_OP(put_at, "index_put_(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor",
        Function | Method | InplaceOnly, R"doc(
Writes `values` at the positions that the index tensors name together, or adds them with `accumulate`.

Example:
    >>> pydl.zeros(3).index_put_((pydl.tensor([0, 2]),), pydl.tensor([1., 2.]))
    tensor([1., 0., 2.])
)doc");
PYDL_OP(index_put, "index_put(input: Tensor, indices: Sequence[Tensor], values: Tensor, accumulate: bool = False) -> Tensor",
        Function | Method, R"doc(
A copy of `input` with `values` at the positions that the index tensors name together.

Example:
    >>> pydl.zeros(3).index_put((pydl.tensor([0, 2]),), pydl.tensor([1., 2.]))
    tensor([1., 0., 2.])
)doc");
PYDL_OP(masked_scatter, "masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor", Function | Method | Inplace, R"doc(
A copy of `input` with the elements of `source`, in order, where `mask` is True.

Example:
    >>> pydl.zeros(3).masked_scatter(pydl.tensor([True, False, True]), pydl.tensor([1., 2.]))
    tensor([1., 0., 2.])
)doc");
PYDL_OP(take, "take(input: Tensor, index: Tensor) -> Tensor", Function | Method | Out, R"doc(
The elements at positions of the flattened `input`.

Example:
    >>> pydl.take(pydl.tensor([[1, 2], [3, 4]]), pydl.tensor([0, 3]))
    tensor([1, 4])
)doc");
PYDL_OP(take_along_dim, "take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor", Function | Method | Out, R"doc(
`gather` with broadcasting of the other dims; of the flattened tensor without `dim`.

Example:
    >>> pydl.take_along_dim(pydl.tensor([[3, 1]]), pydl.tensor([[1]]), dim=1)
    tensor([[1]])
)doc");

}  // namespace pydl
