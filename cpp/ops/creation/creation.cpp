#include "ops/creation/creation.h"

#include <cmath>

#include "autograd/node.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

// The options that every factory takes: dtype decided, layout and device checked, requires_grad set.
Tensor finish(Tensor t, bool requires_grad, const char* op) {
  PYDL_CHECK(!requires_grad || is_differentiable(t.dtype()), Error, op,
             "(): Only Tensors of floating point and complex dtype can require gradients");
  t->requires_grad = requires_grad;
  return t;
}

// Memory that the caller will see before it is written: bytes that are neither 0 nor 1 are no bools.
Tensor unwritten(Tensor t) {
  if (t.dtype() == DType::Bool) zero_raw(t);
  return t;
}

Tensor zeros_op(IntSpan size, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(zeros(size, dtype.value_or(default_dtype())), requires_grad, "zeros");
}
Tensor ones_op(IntSpan size, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(ones(size, dtype.value_or(default_dtype())), requires_grad, "ones");
}
Tensor empty_op(IntSpan size, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat format, bool) {
  const DType type = dtype.value_or(default_dtype());
  const Dims strides = format == MemoryFormat::Contiguous
                           ? Dims()
                           : (static_cast<void>(checked_numel(size, 1, "empty")), format_strides(size, format, "empty"));
  return finish(unwritten(format == MemoryFormat::Contiguous ? empty(size, type) : empty_strided(size, strides, type, "empty")),
                requires_grad, "empty");
}
Tensor full_op(IntSpan size, const Scalar& value, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(full(size, value, dtype), requires_grad, "full");
}

Tensor like(const Tensor& input, std::optional<DType> dtype, const char* op) {
  const DType type = dtype.value_or(input.dtype());
  return input.contiguous() ? empty(input.sizes(), type, op) : empty_strided(input.sizes(), dense_strides_like(input), type, op);
}
Tensor zeros_like(const Tensor& input, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  const Tensor t = like(input, dtype, "zeros_like");
  zero_raw(t);
  return finish(t, requires_grad, "zeros_like");
}
Tensor full_like(const Tensor& input, const Scalar& fill_value, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  const Tensor t = like(input, dtype, "full_like");
  fill_raw(t, fill_value);
  return finish(t, requires_grad, "full_like");
}
Tensor ones_like(const Tensor& input, std::optional<DType> dtype, Device d, bool requires_grad, MemoryFormat f) {
  return full_like(input, Scalar(1), dtype, d, requires_grad, f);
}
Tensor empty_like(const Tensor& input, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  return finish(unwritten(like(input, dtype, "empty_like")), requires_grad, "empty_like");
}
Tensor new_zeros(const Tensor& input, IntSpan size, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(zeros(size, dtype.value_or(input.dtype())), requires_grad, "new_zeros");
}
Tensor new_ones(const Tensor& input, IntSpan size, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(ones(size, dtype.value_or(input.dtype())), requires_grad, "new_ones");
}
Tensor new_empty(const Tensor& input, IntSpan size, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(unwritten(empty(size, dtype.value_or(input.dtype()), "new_empty")), requires_grad, "new_empty");
}
Tensor new_full(const Tensor& input, IntSpan size, const Scalar& fill_value, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(full(size, fill_value, dtype.value_or(input.dtype())), requires_grad, "new_full");
}

}  // namespace

Tensor ones(IntSpan size, DType dtype) {
  const Tensor t = empty(size, dtype, "ones");
  fill_raw(t, Scalar(1));
  return t;
}

Tensor full(IntSpan size, const Scalar& value, std::optional<DType> dtype) {
  const Tensor t = empty(size, dtype.value_or(scalar_dtype(value)), "full");
  fill_raw(t, value);
  return t;
}

PYDL_OP(zeros_op, "zeros(size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> Tensor",
        Function | Out, R"doc(
A tensor of zeros.

Example:
    >>> pydl.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
)doc");
PYDL_OP(ones_op, "ones(size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> Tensor",
        Function | Out, R"doc(
A tensor of ones.

Example:
    >>> pydl.ones(2)
    tensor([1., 1.])
)doc");
PYDL_OP(empty_op,
        "empty(size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False, memory_format: "
        "memory_format = contiguous_format, pin_memory: bool = False) -> Tensor",
        Function | Out, R"doc(
A tensor whose elements are whatever was in memory.

Example:
    >>> pydl.empty(2, 3).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(full_op,
        "full(size: Size, fill_value: Number, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> "
        "Tensor",
        Function | Out, R"doc(
A tensor filled with one number, whose type gives the default dtype.

Example:
    >>> pydl.full((2,), 7)
    tensor([7, 7])
)doc");
PYDL_OP(zeros_like,
        "zeros_like(input: Tensor, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False, "
        "memory_format: memory_format = preserve_format) -> Tensor",
        Function, R"doc(
Zeros with the size and dtype of `input`.

Example:
    >>> pydl.zeros_like(pydl.tensor([1, 2]))
    tensor([0, 0])
)doc");
PYDL_OP(ones_like,
        "ones_like(input: Tensor, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False, memory_format: "
        "memory_format = preserve_format) -> Tensor",
        Function, R"doc(
Ones with the size and dtype of `input`.

Example:
    >>> pydl.ones_like(pydl.tensor([1, 2]))
    tensor([1, 1])
)doc");
PYDL_OP(empty_like,
        "empty_like(input: Tensor, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False, "
        "memory_format: memory_format = preserve_format) -> Tensor",
        Function, R"doc(
Uninitialised memory with the size and dtype of `input`.

Example:
    >>> pydl.empty_like(pydl.ones(2, 3)).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(full_like,
        "full_like(input: Tensor, fill_value: Number, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = "
        "False, memory_format: memory_format = preserve_format) -> Tensor",
        Function, R"doc(
A tensor with the size and dtype of `input`, filled with one number.

Example:
    >>> pydl.full_like(pydl.tensor([1, 2]), 5)
    tensor([5, 5])
)doc");
PYDL_OP(new_zeros,
        "new_zeros(input: Tensor, size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> "
        "Tensor",
        Method, R"doc(
Zeros with this tensor's dtype.

Example:
    >>> pydl.tensor([1]).new_zeros(2)
    tensor([0, 0])
)doc");
PYDL_OP(new_ones,
        "new_ones(input: Tensor, size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> "
        "Tensor",
        Method, R"doc(
Ones with this tensor's dtype.

Example:
    >>> pydl.tensor([1]).new_ones(2)
    tensor([1, 1])
)doc");
PYDL_OP(new_empty,
        "new_empty(input: Tensor, size: Size, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> "
        "Tensor",
        Method, R"doc(
Uninitialised memory with this tensor's dtype.

Example:
    >>> pydl.tensor([1]).new_empty(2).dtype
    torch.int64
)doc");
PYDL_OP(new_full,
        "new_full(input: Tensor, size: Size, fill_value: Number, *, dtype: dtype | None = None, device: device | None = None, "
        "requires_grad: bool = False) -> Tensor",
        Method, R"doc(
A tensor with this tensor's dtype, filled with one number.

Example:
    >>> pydl.tensor([1]).new_full((2,), 3)
    tensor([3, 3])
)doc");

// ---- ranges ----------------------------------------------------------------------------------------------------

namespace {

template <class F>
void fill_range(const Tensor& t, F value) {
  switch (t.dtype()) {
    case DType::Float32:
      for (int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = static_cast<float>(value(i));
      return;
    case DType::Float64:
      for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = static_cast<double>(value(i));
      return;
    case DType::Int64:
      for (int64_t i = 0; i < t.numel(); ++i) t.data<int64_t>()[i] = Scalar(value(i)).to_int();
      return;
    default:
      for (int64_t i = 0; i < t.numel(); ++i) Scalar(value(i)).store(t.dtype(), t->data + i * t.item_size());
  }
}

int64_t range_length(const char* op, double start, double end, double step) {
  PYDL_CHECK(step != 0, Error, op, "(): step must be nonzero");
  PYDL_CHECK(std::isfinite(start) && std::isfinite(end) && std::isfinite(step), Error, op, "(): unsupported range: ", start, " -> ", end);
  PYDL_CHECK((step > 0) == (end >= start) || end == start, Error, op, "(): upper bound and lower bound inconsistent with step sign: start ",
             start, ", end ", end, ", step ", step);
  const double n = std::ceil((end - start) / step);
  PYDL_CHECK(n <= 0x1p62, ShapeError, op, "(): invalid size, possible overflow");
  return static_cast<int64_t>(std::max(n, 0.0));
}

// Exact for 64-bit integers: ceil((end - start) / step) without passing through double.
int64_t integer_range_length(int64_t start, int64_t end, int64_t step) {
  PYDL_CHECK(step != 0, Error, "arange(): step must be nonzero");
  PYDL_CHECK(start == end || (step > 0) == (end > start), Error,
             "arange(): upper bound and lower bound inconsistent with step sign: start ", start, ", end ", end, ", step ", step);
  const __int128 span = static_cast<__int128>(end) - start;
  const __int128 n = (span + step - (step > 0 ? 1 : -1)) / step;
  PYDL_CHECK(n <= INT64_MAX, ShapeError, "arange(): invalid size, possible overflow");
  return static_cast<int64_t>(n);
}

}  // namespace

Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype) {
  PYDL_CHECK(!start.is_complex() && !end.is_complex() && !step.is_complex(), Error, "arange(): complex numbers are not supported");
  const bool integers = start.is_integral() && end.is_integral() && step.is_integral();
  const DType type = dtype.value_or(integers ? DType::Int64 : default_dtype());
  PYDL_CHECK(type != DType::Bool && !is_complex(type), Error, "arange(): \"arange\" not implemented for ", type);
  if (integers) {
    const int64_t a = start.to_int(), s = step.to_int();
    const int64_t n[] = {integer_range_length(a, end.to_int(), s)};
    const Tensor t = empty(n, type, "arange");
    fill_range(t, [a, s](int64_t i) {
      return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(i) * static_cast<uint64_t>(s));
    });
    return t;
  }
  const double a = start.to_double(), s = step.to_double();
  const int64_t n[] = {range_length("arange", a, end.to_double(), s)};
  const Tensor t = empty(n, type, "arange");
  fill_range(t, [a, s](int64_t i) { return a + static_cast<double>(i) * s; });
  return t;
}
namespace {
Tensor arange_op(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(arange(start, end, step, dtype), requires_grad, "arange");
}
Tensor arange_end(const Scalar& end, std::optional<DType> dtype, Device, bool requires_grad) {
  return finish(arange(Scalar(0), end, Scalar(1), dtype), requires_grad, "arange");
}

// Both ends are exact: the second half counts from the end.
Tensor linspace(const Scalar& start, const Scalar& end, int64_t steps, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(steps >= 0, Error, "linspace(): number of steps must be non-negative, got ", steps);
  PYDL_CHECK(!start.is_complex() && !end.is_complex(), Error, "linspace(): complex numbers are not supported");
  const int64_t n[] = {steps};
  const Tensor t = empty(n, dtype.value_or(default_dtype()), "linspace");
  const double a = start.to_double(), z = end.to_double(), step = steps > 1 ? (z - a) / static_cast<double>(steps - 1) : 0;
  fill_range(t, [=](int64_t i) {
    return i < steps / 2 || steps == 1 ? a + step * static_cast<double>(i) : z - step * static_cast<double>(steps - 1 - i);
  });
  return finish(t, requires_grad, "linspace");
}

Tensor eye(int64_t n, std::optional<int64_t> m, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(n >= 0 && m.value_or(0) >= 0, Error, "eye(): n and m must be greater or equal to 0, got ", n, " and ", m.value_or(n));
  const int64_t size[] = {n, m.value_or(n)};
  const Tensor t = zeros(size, dtype.value_or(default_dtype()));
  if (t.numel()) fill_raw(diagonal(t, 0, 0, 1), Scalar(1));
  return finish(t, requires_grad, "eye");
}
}  // namespace
PYDL_OP(arange_end,
        "arange(end: Number, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> Tensor",
        Function | Out, R"doc(
The numbers start, start + step, ... below `end`. int64 if all arguments are integers, else the default dtype.

Example:
    >>> pydl.arange(1, 2, 0.5)
    tensor([1.0000, 1.5000])
)doc");
PYDL_OP(arange_op,
        "arange(start: Number, end: Number, step: Number = 1, *, dtype: dtype | None = None, device: device | None = None, requires_grad: "
        "bool = False) -> Tensor",
        Function | Out, R"doc()doc");
PYDL_OP(linspace,
        "linspace(start: Number, end: Number, steps: int, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool "
        "= False) -> Tensor",
        Function | Out, R"doc(
`steps` evenly spaced numbers from `start` to `end`, both included.

Example:
    >>> pydl.linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
)doc");
PYDL_OP(
    eye,
    "eye(n: int, m: int | None = None, *, dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> Tensor",
    Function | Out, R"doc(
An (n, m) matrix with ones on the diagonal.

Example:
    >>> pydl.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
)doc");

// ---- joining ---------------------------------------------------------------------------------------------------

Tensor cat(TensorSpan tensors, int64_t dim) {
  PYDL_CHECK(!tensors.empty(), Error, "cat(): expected a non-empty list of Tensors");
  const auto legacy_empty = [](const Tensor& t) { return t.ndim() == 1 && t.numel() == 0; };  // torch lets these pass with any shape
  const Tensor* model = &tensors[0];
  Promotion p;
  for (const Tensor& t : tensors) {
    p.add(t);
    PYDL_CHECK(t.ndim() > 0, Error, "cat(): zero-dimensional tensor cannot be concatenated");
    if (legacy_empty(*model)) model = &t;
  }
  const int d = wrap_dim(dim, model->ndim(), "cat");
  Dims sizes = model->sizes();
  sizes[d] = 0;
  for (const Tensor& t : tensors) {
    if (legacy_empty(t) && model->ndim() != 1) continue;
    PYDL_CHECK(t.ndim() == model->ndim(), ShapeError, "cat(): Tensors must have same number of dimensions: got ", model->ndim(), " and ",
               t.ndim());
    for (int i = 0; i < t.ndim(); ++i) {
      PYDL_CHECK(i == d || t.size(i) == sizes[i], ShapeError, "cat(): Sizes of tensors must match except in dimension ", d,
                 ". Expected size ", sizes[i], " but got size ", t.size(i), " for dimension ", i);
    }
    PYDL_CHECK(!__builtin_add_overflow(sizes[d], t.size(d), &sizes[d]), ShapeError, "cat(): the result does not fit 64 bits");
  }
  const Tensor out = empty(sizes, p.result(), "cat");
  struct Part {
    int64_t start, length;
    DType dtype;
    Dims sizes;
  };
  std::vector<Part> parts;
  int64_t at = 0;
  bool grad = false;
  {
    const autograd::GradGuard off(false);
    for (const Tensor& t : tensors) {
      const int64_t n = legacy_empty(t) && model->ndim() != 1 ? 0 : t.size(d);
      if (n) copy_raw(slice(out, d, at, at + n, 1), t);
      parts.push_back({at, n, t.dtype(), t.sizes()});
      at += n;
    }
  }
  for (const Tensor& t : tensors) grad |= needs_grad(t);
  if (grad) {
    auto node = autograd::make_node("CatBackward0", 1, {}, [parts, d](Backward& b) {
      for (size_t i = 0; i < parts.size(); ++i) {
        const Part& part = parts[i];
        if (!b.needs(static_cast<int>(i))) continue;
        const Tensor piece =
            part.length ? slice(b.grad(), d, part.start, part.start + part.length, 1) : zeros(part.sizes, b.grad().dtype());
        b.set(static_cast<int>(i), to_dtype(is_complex(piece.dtype()) && !is_complex(part.dtype) ? real(piece) : piece, part.dtype));
      }
    });
    for (const Tensor& t : tensors) node->add_edge_of(t);
    autograd::set_history(out, std::move(node));
  }
  return out;
}

Tensor stack(TensorSpan tensors, int64_t dim) {
  PYDL_CHECK(!tensors.empty(), Error, "stack(): expected a non-empty list of Tensors");
  const int d = wrap_dim(dim, tensors[0].ndim() + 1, "stack");
  std::vector<Tensor> rows;
  for (const Tensor& t : tensors) {
    PYDL_CHECK(t.sizes() == tensors[0].sizes(), ShapeError, "stack(): expects each tensor to be equal size, but got ",
               IntSpan(tensors[0].sizes()), " at entry 0 and ", IntSpan(t.sizes()), " at entry ", rows.size());
    rows.push_back(unsqueeze(t, d));
  }
  return cat(rows, d);
}
PYDL_OP(cat, "cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor", Function | Out, R"doc(
The tensors joined along an existing dim; their dtypes are promoted.

Example:
    >>> pydl.cat([pydl.tensor([1, 2]), pydl.tensor([3])])
    tensor([1, 2, 3])
)doc");
PYDL_OP(cat, "concat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor", Function | Out, R"doc(
Alias of `cat`.

Example:
    >>> pydl.concat([pydl.tensor([1]), pydl.tensor([3])])
    tensor([1, 3])
)doc");
PYDL_OP(stack, "stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor", Function | Out, R"doc(
Tensors of one size joined along a new dim.

Example:
    >>> pydl.stack([pydl.tensor([1, 2]), pydl.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
)doc");

}  // namespace pydl
