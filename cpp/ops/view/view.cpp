#include "ops/view/view.h"

#include <numeric>

#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

PYDL_OP(as_strided, "as_strided(input: Tensor, size: Size, stride: Size, storage_offset: int | None = None) -> Tensor", Function | Method,
        R"doc(
A view of `input`'s storage with the given `size`, `stride` and `storage_offset` (elements), which must lie inside it.

Example:
    >>> pydl.as_strided(pydl.arange(6), (2, 2), (1, 2))
    tensor([[0, 2],
            [1, 3]])
)doc");

Tensor view(const Tensor& input, IntSpan size) {
  const Dims sizes = infer_size(size, input.numel(), "view");
  const std::optional<Dims> strides = view_strides(input, sizes);
  PYDL_CHECK(strides, Error, "view(): view size ", IntSpan(sizes), " is not compatible with input tensor's size ", IntSpan(input.sizes()),
             " and stride ", IntSpan(input.strides()),
             " (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.");
  return record_view("ViewBackward0", input, raw_view(input, sizes, *strides, input->offset),
                     [from = input.sizes()](Backward& b) { b.set(0, reshape(b.grad(), from)); });
}
PYDL_OP(view, "view(input: Tensor, size: Size) -> Tensor", Method, R"doc(
The same memory seen with another shape; one size may be -1. Raises RuntimeError where that needs a copy.

Example:
    >>> pydl.arange(6).view(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
)doc");

Tensor reshape(const Tensor& input, IntSpan shape) {
  const Dims sizes = infer_size(shape, input.numel(), "reshape");
  if (view_strides(input, sizes)) return view(input, sizes);
  return view(clone(input, MemoryFormat::Contiguous), sizes);
}
PYDL_OP(reshape, "reshape(input: Tensor, shape: Size) -> Tensor", Function | Method, R"doc(
`input` with another shape of as many elements: a view where possible, else a copy. One size may be -1.

Example:
    >>> pydl.arange(4).reshape(2, 2)
    tensor([[0, 1],
            [2, 3]])
)doc");

Tensor permute(const Tensor& input, IntSpan dims) {
  const int n = input.ndim();
  PYDL_CHECK(
      static_cast<int>(dims.size()) == n, Error,
      "permute(): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions: input.dim() = ",
      n, " is not equal to len(dims) = ", dims.size());
  static_cast<void>(dim_mask(dims, n, "permute"));
  Dims order(n, 0), inverse(n, 0), sizes(n, 0), strides(n, 0);
  for (int i = 0; i < n; ++i) {
    order[i] = wrap_dim(dims[static_cast<size_t>(i)], n, "permute");
    inverse[static_cast<int>(order[i])] = i;
    sizes[i] = input.size(static_cast<int>(order[i]));
    strides[i] = input.stride(static_cast<int>(order[i]));
  }
  return record_view("PermuteBackward0", input, raw_view(input, sizes, strides, input->offset),
                     [inverse](Backward& b) { b.set(0, permute(b.grad(), inverse)); });
}
PYDL_OP(permute, "permute(input: Tensor, dims: Size) -> Tensor", Function | Method, R"doc(
A view with the dims in another order.

Example:
    >>> pydl.ones(2, 3, 5).permute(2, 0, 1).shape
    torch.Size([5, 2, 3])
)doc");

Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1) {
  const int a = wrap_dim(dim0, input.ndim(), "transpose", "dim0"), b = wrap_dim(dim1, input.ndim(), "transpose", "dim1");
  Dims sizes = input.sizes(), strides = input.strides();
  if (input.ndim() > 0) {
    std::swap(sizes[a], sizes[b]);
    std::swap(strides[a], strides[b]);
  }
  return record_view("TransposeBackward0", input, raw_view(input, sizes, strides, input->offset),
                     [a, b](Backward& bw) { bw.set(0, transpose(bw.grad(), a, b)); });
}
namespace {
// transpose also takes a tuple of axes, as NumPy's does (opt_einsum calls it so).
Tensor transpose_axes(const Tensor& input, IntSpan axes) { return permute(input, axes); }
Tensor t(const Tensor& input) {
  PYDL_CHECK(input.ndim() <= 2, Error, "t() expects a tensor with <= 2 dimensions, but input is ", input.ndim(), "D");
  return transpose(input, 0, input.ndim() == 2 ? 1 : 0);
}
}  // namespace
PYDL_OP(transpose, "transpose(input: Tensor, dim0: int, dim1: int) -> Tensor", Function | Method, R"doc(
A view with two dims exchanged.

Example:
    >>> pydl.tensor([[1, 2], [3, 4]]).transpose(0, 1)
    tensor([[1, 3],
            [2, 4]])
)doc");
PYDL_OP(transpose_axes, "transpose(input: Tensor, axes: Size) -> Tensor", Function, R"doc()doc");
PYDL_OP(transpose, "swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor", Function | Method, R"doc(
Alias of `transpose`.

Example:
    >>> pydl.ones(2, 3).swapaxes(0, 1).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(transpose, "swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor", Function | Method, R"doc(
Alias of `transpose`.

Example:
    >>> pydl.ones(2, 3).swapdims(0, 1).shape
    torch.Size([3, 2])
)doc");
PYDL_OP(t, "t(input: Tensor) -> Tensor", Function | Method, R"doc(
The transpose of a matrix; tensors of fewer dims are returned as they are.

Example:
    >>> pydl.ones(2, 3).t().shape
    torch.Size([3, 2])
)doc");

Tensor matrix_transpose(const Tensor& input) {
  PYDL_CHECK(input.ndim() >= 2, Error, "tensor.mT is only supported on matrices or batches of matrices. Got ", input.ndim(), "-D tensor.");
  return transpose(input, -2, -1);
}

Tensor expand(const Tensor& input, IntSpan size) {
  const int n = static_cast<int>(size.size()), lead = n - input.ndim();
  PYDL_CHECK(lead >= 0, ShapeError, "expand(): the number of sizes provided (", n,
             ") must be greater or equal to the number of dimensions in the tensor (", input.ndim(), ")");
  Dims sizes(size), strides(n, 0);
  for (int i = 0; i < n; ++i) {
    const int64_t have = i < lead ? 1 : input.size(i - lead);
    if (sizes[i] == -1) {
      PYDL_CHECK(i >= lead, ShapeError, "expand(): the expanded size -1 isn't allowed in a leading, non-existing dimension ", i);
      sizes[i] = have;
    }
    PYDL_CHECK(sizes[i] == have || (have == 1 && sizes[i] >= 0), ShapeError, "expand(): The expanded size of the tensor (", sizes[i],
               ") must match the existing size (", have, ") at non-singleton dimension ", i, ". Target sizes: ", size,
               ". Tensor sizes: ", IntSpan(input.sizes()));
    strides[i] = i < lead || (have == 1 && sizes[i] != 1) ? 0 : input.stride(i - lead);
  }
  static_cast<void>(checked_numel(sizes, input.item_size(), "expand"));
  return record_view("ExpandBackward0", input, raw_view(input, sizes, strides, input->offset),
                     [from = input.sizes()](Backward& b) { b.set(0, sum_to_size(b.grad(), from)); });
}
namespace {
Tensor expand_as(const Tensor& input, const Tensor& other) { return expand(input, other.sizes()); }
}  // namespace
PYDL_OP(expand, "expand(input: Tensor, size: Size) -> Tensor", Method, R"doc(
A view in which dims of size 1 (and new leading dims) are repeated without copying; -1 keeps a size.

Example:
    >>> pydl.tensor([[1], [2]]).expand(2, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
)doc");
PYDL_OP(expand, "broadcast_to(input: Tensor, size: Size) -> Tensor", Function | Method, R"doc(
`input` broadcast to the shape `size`: a view, see `Tensor.expand`.

Example:
    >>> pydl.broadcast_to(pydl.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
)doc");
PYDL_OP(expand_as, "expand_as(input: Tensor, other: Tensor) -> Tensor", Method, R"doc(
`input` expanded to the size of `other`.

Example:
    >>> pydl.ones(1).expand_as(pydl.zeros(3))
    tensor([1., 1., 1.])
)doc");

Tensor squeeze(const Tensor& input, std::optional<IntSpan> dim) {
  const uint64_t mask = dim ? (dim->empty() ? 0 : dim_mask(*dim, input.ndim(), "squeeze")) : ~uint64_t{0};
  Dims sizes, strides;
  for (int i = 0; i < input.ndim(); ++i) {
    if (input.size(i) == 1 && (mask >> i & 1)) continue;
    sizes.push_back(input.size(i));
    strides.push_back(input.stride(i));
  }
  return record_view("SqueezeBackward0", input, raw_view(input, sizes, strides, input->offset),
                     [from = input.sizes()](Backward& b) { b.set(0, reshape(b.grad(), from)); });
}
PYDL_OP(squeeze, "squeeze(input: Tensor, dim: int | Size | None = None) -> Tensor", Function | Method, R"doc(
A view without the dims of size 1 (all, or those in `dim`).

Example:
    >>> pydl.ones(1, 2, 1).squeeze().shape
    torch.Size([2])
)doc");

Tensor unsqueeze(const Tensor& input, int64_t dim) {
  const int n = input.ndim() + 1;
  PYDL_CHECK(n <= kMaxDims, ShapeError, "unsqueeze(): tensors have at most ", kMaxDims, " dimensions");
  const int d = wrap_dim(dim, n, "unsqueeze");
  Dims sizes = input.sizes(), strides = input.strides();
  const int64_t step = d < input.ndim() ? input.size(d) * input.stride(d) : 1;
  sizes.insert(d, 1);
  strides.insert(d, step);
  return record_view("UnsqueezeBackward0", input, raw_view(input, sizes, strides, input->offset),
                     [from = input.sizes()](Backward& b) { b.set(0, reshape(b.grad(), from)); });
}
PYDL_OP(unsqueeze, "unsqueeze(input: Tensor, dim: int) -> Tensor", Function | Method, R"doc(
A view with a new dim of size 1 at position `dim`.

Example:
    >>> pydl.tensor([1, 2]).unsqueeze(1)
    tensor([[1],
            [2]])
)doc");

Tensor select(const Tensor& input, int64_t dim, int64_t index) {
  PYDL_CHECK(input.ndim() > 0, IndexError, "select(): cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim(), "select");
  const int64_t n = input.size(d);
  PYDL_CHECK(index >= -n && index < n, IndexError, "select(): index ", index, " out of range for tensor of size ", IntSpan(input.sizes()),
             " at dimension ", d);
  const int64_t i = index < 0 ? index + n : index;
  Dims sizes = input.sizes(), strides = input.strides();
  sizes.erase(d);
  strides.erase(d);
  return record_view("SelectBackward0", input, raw_view(input, sizes, strides, input->offset + i * input.stride(d)),
                     [from = input.sizes(), d, i](Backward& b) {
                       b.set(0, scatter_view(b.grad(), from, [d, i](const Tensor& t) { return select(t, d, i); }));
                     });
}
PYDL_OP(select, "select(input: Tensor, dim: int, index: int) -> Tensor", Function | Method, R"doc(
The slice at `index` of dim `dim`, which is removed: a view.

Example:
    >>> pydl.tensor([[1, 2], [3, 4]]).select(1, 0)
    tensor([1, 3])
)doc");

Tensor slice(const Tensor& input, int64_t dim, int64_t start, int64_t stop, int64_t step) {
  const int d = wrap_dim(dim, input.ndim(), "slice");
  PYDL_CHECK(input.ndim() > 0, IndexError, "slice(): cannot be applied to a 0-dim tensor.");
  PYDL_CHECK(step > 0, ValueError, "slice(): step must be greater than zero, got ", step);
  const int64_t n = input.size(d);
  const auto clip = [n](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + n : v, 0, n); };
  const int64_t first = clip(start), last = std::max(clip(stop), first);
  const int64_t length = (last - first) / step + ((last - first) % step != 0);
  if (length == n && step == 1)
    return as_view(input, [&] {
      Tensor v = raw_alias(input);
      if (needs_grad(input)) autograd::record("AliasBackward0", v, {&input}, [](Backward& b) { b.set(0, b.grad()); });
      return v;
    }());
  Dims sizes = input.sizes(), strides = input.strides();
  sizes[d] = length;
  if (length > 1) strides[d] *= step;
  const int64_t offset = length ? input->offset + first * input.stride(d) : input->offset;
  return record_view(
      "SliceBackward0", input, raw_view(input, sizes, strides, offset), [from = input.sizes(), d, first, last, step](Backward& b) {
        b.set(0, scatter_view(b.grad(), from, [d, first, last, step](const Tensor& t) { return slice(t, d, first, last, step); }));
      });
}

Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  PYDL_CHECK(input.ndim() > 0, Error, "narrow(): cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim(), "narrow");
  const int64_t n = input.size(d);
  PYDL_CHECK(length >= 0, Error, "narrow(): length must be non-negative, got ", length);
  PYDL_CHECK(start >= -n && start <= n, IndexError, "narrow(): start must be in [", -n, ", ", n, "], got ", start);
  const int64_t first = start < 0 ? start + n : start;
  PYDL_CHECK(length <= n - first, Error, "narrow(): start (", first, ") + length (", length, ") exceeds dimension size (", n, ").");
  return slice(input, d, first, first + length, 1);
}
PYDL_OP(narrow, "narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor", Function | Method, R"doc(
The elements start .. start + length - 1 of dim `dim`: a view.

Example:
    >>> pydl.arange(5).narrow(0, 1, 3)
    tensor([1, 2, 3])
)doc");

Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  const int a = wrap_dim(dim1, input.ndim(), "diagonal", "dim1"), c = wrap_dim(dim2, input.ndim(), "diagonal", "dim2");
  PYDL_CHECK(input.ndim() >= 2 && a != c, Error, "diagonal(): diagonal dimensions cannot be identical ", dim1, ", ", dim2);
  // Beyond the matrix the diagonal is empty; clamped first so that the arithmetic cannot wrap.
  const int64_t shift = std::clamp<int64_t>(offset, -input.size(a), input.size(c));
  const int64_t length =
      std::max<int64_t>(0, shift >= 0 ? std::min(input.size(a), input.size(c) - shift) : std::min(input.size(a) + shift, input.size(c)));
  const int64_t start = length == 0 ? 0 : shift >= 0 ? shift * input.stride(c) : -shift * input.stride(a);
  Dims sizes = input.sizes(), strides = input.strides();
  int64_t step;  // too large only where it is never taken
  if (__builtin_add_overflow(input.stride(a), input.stride(c), &step)) step = 1;
  for (const int d : {std::max(a, c), std::min(a, c)}) {
    sizes.erase(d);
    strides.erase(d);
  }
  sizes.push_back(length);
  strides.push_back(step);
  return record_view("DiagonalBackward0", input, raw_view(input, sizes, strides, input->offset + start),
                     [from = input.sizes(), shift, a, c](Backward& b) {
                       b.set(0, scatter_view(b.grad(), from, [shift, a, c](const Tensor& t) { return diagonal(t, shift, a, c); }));
                     });
}
PYDL_OP(diagonal, "diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor", Function | Method, R"doc(
The diagonal over two dims as a view; it becomes the last dim.

Example:
    >>> pydl.tensor([[1, 2], [3, 4]]).diagonal()
    tensor([1, 4])
)doc");

Tensor unfold(const Tensor& input, int64_t dimension, int64_t size, int64_t step) {
  const int d = wrap_dim(dimension, input.ndim(), "unfold", "dimension");
  const int64_t n = input.ndim() == 0 ? 1 : input.size(d);
  PYDL_CHECK(size >= 0 && size <= n, Error, "unfold(): maximum size for tensor at dimension ", d, " is ", n, " but size is ", size);
  PYDL_CHECK(step > 0, Error, "unfold(): step is ", step, " but must be > 0");
  Dims sizes = input.sizes(), strides = input.strides();
  if (input.ndim() > 0) {
    sizes[d] = (n - size) / step + 1;
    if (sizes[d] > 1) strides[d] *= step;
  }
  sizes.push_back(size);
  strides.push_back(input.ndim() == 0 ? 1 : input.stride(d));
  // The same windows over a contiguous base of this shape, for the gradient.
  Dims base_strides = contiguous_strides(input.sizes()), window_strides = base_strides;
  if (input.ndim() > 0 && sizes[d] > 1) window_strides[d] *= step;
  window_strides.push_back(input.ndim() == 0 ? 1 : base_strides[d]);
  return record_view(
      "UnfoldBackward0", input, raw_view(input, sizes, strides, input->offset),
      [from = input.sizes(), sizes, window_strides](Backward& b) { b.set(0, gather_windows(b.grad(), from, sizes, window_strides, 0)); });
}
PYDL_OP(unfold, "unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor", Method, R"doc(
All windows of `size` elements along `dimension`, `step` apart: a view with the window as its last dim.

Example:
    >>> pydl.arange(4).unfold(0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
)doc");

Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim) {
  const int a = wrap_dim(start_dim, input.ndim(), "flatten", "start_dim"), z = wrap_dim(end_dim, input.ndim(), "flatten", "end_dim");
  PYDL_CHECK(a <= z, Error, "flatten() has invalid args: start_dim cannot come after end_dim, got ", start_dim, " and ", end_dim);
  if (input.ndim() == 0) return reshape(input, Dims{1});
  if (a == z) return input;
  Dims sizes;
  for (int i = 0; i < a; ++i) sizes.push_back(input.size(i));
  sizes.push_back(numel_of(IntSpan(input.sizes()).subspan(static_cast<size_t>(a), static_cast<size_t>(z - a + 1))));
  for (int i = z + 1; i < input.ndim(); ++i) sizes.push_back(input.size(i));
  return reshape(input, sizes);
}
namespace {
Tensor ravel(const Tensor& input) { return reshape(input, Dims{-1}); }
Tensor unflatten(const Tensor& input, int64_t dim, IntSpan sizes) {
  const int d = wrap_dim(dim, input.ndim(), "unflatten");
  PYDL_CHECK(!sizes.empty(), Error, "unflatten(): sizes must be non-empty");
  const Dims inner = infer_size(sizes, input.ndim() ? input.size(d) : 1, "unflatten");
  Dims all;
  for (int i = 0; i < d; ++i) all.push_back(input.size(i));
  for (const int64_t s : inner) all.push_back(s);
  for (int i = d + 1; i < input.ndim(); ++i) all.push_back(input.size(i));
  return view(input, all);
}
Tensor view_as(const Tensor& input, const Tensor& other) { return view(input, other.sizes()); }
Tensor reshape_as(const Tensor& input, const Tensor& other) { return reshape(input, other.sizes()); }
Tensor movedim(const Tensor& input, IntSpan source, IntSpan destination) {
  const int n = input.ndim();
  PYDL_CHECK(source.size() == destination.size(), Error, "movedim(): source and destination must have as many dims, got ", source, " and ",
             destination);
  static_cast<void>(dim_mask(source, n, "movedim"));
  static_cast<void>(dim_mask(destination, n, "movedim"));
  Dims order(n, -1);
  uint64_t used = 0;
  for (size_t i = 0; i < source.size(); ++i) {
    const int s = wrap_dim(source[i], n, "movedim", "source");
    if (n) order[wrap_dim(destination[i], n, "movedim", "destination")] = s;
    used |= uint64_t{1} << s;
  }
  int next = 0;
  for (int i = 0; i < n; ++i) {
    if (order[i] >= 0) continue;
    while (used >> next & 1) ++next;
    order[i] = next++;
  }
  return permute(input, order);
}
}  // namespace
PYDL_OP(flatten, "flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor", Function | Method, R"doc(
Dims start_dim .. end_dim merged into one; a view where possible.

Example:
    >>> pydl.ones(2, 3, 4).flatten(1).shape
    torch.Size([2, 12])
)doc");
PYDL_OP(ravel, "ravel(input: Tensor) -> Tensor", Function | Method, R"doc(
One-dimensional `input`; a view where possible.

Example:
    >>> pydl.tensor([[1, 2], [3, 4]]).ravel()
    tensor([1, 2, 3, 4])
)doc");
PYDL_OP(unflatten, "unflatten(input: Tensor, dim: int, sizes: Size) -> Tensor", Function | Method, R"doc(
Dim `dim` split into `sizes`, one of which may be -1.

Example:
    >>> pydl.arange(6).unflatten(0, (2, -1)).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(view_as, "view_as(input: Tensor, other: Tensor) -> Tensor", Method, R"doc(
`input.view(other.size())`.

Example:
    >>> pydl.arange(4).view_as(pydl.ones(2, 2)).shape
    torch.Size([2, 2])
)doc");
PYDL_OP(reshape_as, "reshape_as(input: Tensor, other: Tensor) -> Tensor", Method, R"doc(
`input.reshape(other.size())`.

Example:
    >>> pydl.arange(4).reshape_as(pydl.ones(2, 2)).shape
    torch.Size([2, 2])
)doc");
PYDL_OP(movedim, "movedim(input: Tensor, source: int | Size, destination: int | Size) -> Tensor", Function | Method, R"doc(
A view with dims `source` moved to positions `destination`, the others in their order.

Example:
    >>> pydl.ones(2, 3, 5).movedim(0, -1).shape
    torch.Size([3, 5, 2])
)doc");
PYDL_OP(movedim, "moveaxis(input: Tensor, source: int | Size, destination: int | Size) -> Tensor", Function | Method, R"doc(
Alias of `movedim`.

Example:
    >>> pydl.ones(2, 3, 5).moveaxis(0, -1).shape
    torch.Size([3, 5, 2])
)doc");

Tensor detach(const Tensor& input) {
  Tensor v = raw_alias(input);
  return v;
}
PYDL_OP(detach, "detach(input: Tensor) -> Tensor", Function | Method, R"doc(
A tensor on the same memory that is not part of the graph.

Example:
    >>> pydl.ones(2, requires_grad=True).detach().requires_grad
    False
)doc");

namespace {
Tensor detach_(const Tensor& input) {
  autograd::AutogradMeta* m = autograd::meta(input);
  PYDL_CHECK(!m || !m->view, Error, "detach_(): Can't detach views in-place. Use detach() instead.");
  if (m) m->grad_fn = {};
  if (m) m->output_nr = 0;
  input->requires_grad = false;
  return input;
}
Tensor adjoint(const Tensor& input) { return conj(input.ndim() ? matrix_transpose(input) : input); }
}  // namespace
PYDL_OP(detach_, "detach_(input: Tensor) -> Tensor", Function | Method | InplaceOnly, R"doc(
Takes the tensor out of the graph that made it: it becomes a leaf without gradient.

RuntimeError for a view, which shares its history with its base.

Example:
    >>> x = pydl.ones(2, requires_grad=True) * 2
    >>> x.detach_().requires_grad
    False
)doc");
PYDL_OP(adjoint, "adjoint(input: Tensor) -> Tensor", Function | Method, R"doc(
The conjugate of the tensor with the last two dims exchanged.

Example:
    >>> pydl.adjoint(pydl.tensor([[1+1j, 2]]))
    tensor([[1.-1.j],
            [2.-0.j]])
)doc");

// ---- complex ---------------------------------------------------------------------------------------------------

namespace {

Tensor part_of(const Tensor& input, int64_t part, const char* node, std::complex<double> unit) {
  const DType dtype = real_type(input.dtype());
  Dims strides = input.strides();
  for (int64_t& s : strides) s *= 2;
  Tensor v(Ref<TensorImpl>::adopt(new TensorImpl(input->storage, dtype, input.sizes(), strides, 2 * input->offset + part)));
  v->own_version = input->own_version;
  return record_view(node, input, v, [unit, to = input.dtype()](Backward& b) { b.set(0, mul(to_dtype(b.grad(), to), Scalar(unit))); });
}

}  // namespace

Tensor real(const Tensor& input) { return is_complex(input.dtype()) ? part_of(input, 0, "RealBackward0", {1, 0}) : input; }
Tensor imag(const Tensor& input) {
  PYDL_CHECK(is_complex(input.dtype()), Error, "imag is not implemented for tensors with non-complex dtypes, got ", input.dtype());
  return part_of(input, 1, "ImagBackward0", {0, 1});
}
PYDL_OP(real, "real(input: Tensor) -> Tensor", Function, R"doc(
The real part as a view; real tensors are returned as they are.

Example:
    >>> pydl.real(pydl.tensor([1+2j]))
    tensor([1.])
)doc");
PYDL_OP(imag, "imag(input: Tensor) -> Tensor", Function, R"doc(
The imaginary part of a complex tensor as a view.

Example:
    >>> pydl.imag(pydl.tensor([1+2j]))
    tensor([2.])
)doc");

// ---- several views at once -------------------------------------------------------------------------------------

void check_parts(const char* op, int64_t parts) {
  constexpr int64_t kMost = int64_t{1} << 22;  // each part is an object of its own: some GB of them
  PYDL_CHECK(parts <= kMost, OutOfMemoryError, op, "(): ", parts, " tensors are more than the ", kMost, " that one call may make");
}

namespace {

// One node for all parts, so that their gradients meet in one tensor.
template <class Place>
std::vector<Tensor> record_parts(const char* name, const Tensor& input, std::vector<Tensor> parts, Place place) {
  if (needs_grad(input)) {
    const auto node = autograd::make_node(name, static_cast<uint32_t>(parts.size()), {&input}, [from = input.sizes(), place](Backward& b) {
      Tensor sum;
      for (int i = 0; i < b.num_grads(); ++i) {
        if (!b.grad(i).defined()) continue;
        const auto at = [place, i](const Tensor& t) { return place(t, i); };
        if (!autograd::mode.grad) {
          if (!sum.defined()) sum = zeros(from, b.grad(i).dtype());
          copy_raw(at(sum), b.grad(i));
        } else {
          const Tensor one = scatter_view(b.grad(i), from, at);
          sum = sum.defined() ? add(sum, one) : one;
        }
      }
      b.set(0, sum);
    });
    uint32_t nr = 0;
    for (const Tensor& p : parts) autograd::set_history(p, node, nr++);
  }
  for (Tensor& p : parts) p = as_view(input, p, true);
  return parts;
}

}  // namespace

std::vector<Tensor> unbind(const Tensor& input, int64_t dim) {
  PYDL_CHECK(input.ndim() > 0, Error, "unbind(): cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim(), "unbind");
  check_parts("unbind", input.size(d));
  std::vector<Tensor> parts;
  {
    const autograd::GradGuard off(false);
    for (int64_t i = 0; i < input.size(d); ++i) parts.push_back(raw_alias(select(input, d, i)));
  }
  return record_parts("UnbindBackward0", input, std::move(parts), [d](const Tensor& t, int i) { return select(t, d, i); });
}
PYDL_OP(unbind, "unbind(input: Tensor, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
The slices along `dim` as a tuple of views.

Example:
    >>> pydl.unbind(pydl.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
)doc");

std::vector<Tensor> split_sizes(const Tensor& input, IntSpan sizes, int64_t dim) {
  PYDL_CHECK(input.ndim() > 0, Error, "split(): cannot be applied to a 0-dim tensor.");
  const int d = wrap_dim(dim, input.ndim(), "split");
  int64_t total = 0;
  bool overflow = false;
  for (const int64_t s : sizes) {
    PYDL_CHECK(s >= 0, Error, "split(): expects split_sizes have only non-negative entries, got ", sizes);
    overflow |= __builtin_add_overflow(total, s, &total);
  }
  PYDL_CHECK(!overflow && total == input.size(d), Error, "split(): expects split_sizes to sum exactly to ", input.size(d),
             " (input tensor's size at dimension ", d, "), got ", sizes);
  Dims starts;
  std::vector<Tensor> parts;
  std::vector<int64_t> begin, end;
  {
    const autograd::GradGuard off(false);
    int64_t at = 0;
    for (const int64_t s : sizes) {
      parts.push_back(raw_alias(slice(input, d, at, at + s, 1)));
      begin.push_back(at);
      at += s;
      end.push_back(at);
    }
  }
  return record_parts("SplitBackward0", input, std::move(parts), [d, begin, end](const Tensor& t, int i) {
    return slice(t, d, begin[static_cast<size_t>(i)], end[static_cast<size_t>(i)], 1);
  });
}
namespace {
std::vector<Tensor> split(const Tensor& input, int64_t size, int64_t dim) {
  PYDL_CHECK(input.ndim() > 0, Error, "split(): cannot be applied to a 0-dim tensor.");
  const int64_t n = input.size(wrap_dim(dim, input.ndim(), "split"));
  PYDL_CHECK(size > 0 || (size == 0 && n == 0), Error, "split(): split_size must be positive, got ", size);
  check_parts("split", size ? n / size : 0);
  std::vector<int64_t> sizes;
  for (int64_t at = 0; at < n; at += std::min(size, n - at)) sizes.push_back(std::min(size, n - at));
  if (sizes.empty()) sizes.push_back(0);
  return split_sizes(input, sizes, dim);
}
std::vector<Tensor> chunk(const Tensor& input, int64_t chunks, int64_t dim) {
  PYDL_CHECK(input.ndim() > 0, Error, "chunk(): expects at least a 1-dimensional tensor");
  PYDL_CHECK(chunks > 0, Error, "chunk(): expects `chunks` to be greater than 0, got: ", chunks);
  const int64_t n = input.size(wrap_dim(dim, input.ndim(), "chunk"));
  if (n == 0) return split_sizes(input, std::vector<int64_t>(static_cast<size_t>(std::min<int64_t>(chunks, 1024)), 0), dim);
  return split(input, (n - 1) / chunks + 1, dim);
}
}  // namespace
PYDL_OP(split, "split(input: Tensor, split_size_or_sections: int, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
Views of `split_size_or_sections` elements each along `dim` (the last may be smaller), or of the sizes in a list.

Example:
    >>> pydl.arange(5).split(2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
)doc");
PYDL_OP(split_sizes, "split(input: Tensor, split_size_or_sections: Size, dim: int = 0) -> Sequence[Tensor]", Function | Method,
        R"doc()doc");
PYDL_OP(chunk, "chunk(input: Tensor, chunks: int, dim: int = 0) -> Sequence[Tensor]", Function | Method, R"doc(
At most `chunks` views of equal size along `dim` (the last may be smaller).

Example:
    >>> pydl.arange(4).chunk(2)
    (tensor([0, 1]), tensor([2, 3]))
)doc");

}  // namespace pydl
