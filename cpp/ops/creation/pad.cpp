// Padding.
#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

// ---- a constant ------------------------------------------------------------------------------------------------

Tensor constant_pad(const Tensor& input, IntSpan pad, const Scalar& value) {
  PYDL_CHECK(pad.size() % 2 == 0, Error, "constant_pad_nd(): Length of pad must be even but instead it equals ", pad.size());
  const int n = input.ndim(), padded = static_cast<int>(pad.size() / 2);
  PYDL_CHECK(padded <= n, Error,
             "constant_pad_nd(): Length of pad should be no more than twice the number of dimensions of the input. Pad length is ",
             pad.size(), " while the input has ", n, " dimensions.");
  PYDL_CHECK(!value.is_complex() || is_complex(input.dtype()), Error, "constant_pad_nd(): value cannot be converted to type ",
             input.dtype());
  Dims sizes = input.sizes(), inside = input.sizes();
  Tensor from = input;
  for (int i = 0; i < padded; ++i) {
    const int d = n - 1 - i;
    const int64_t before = pad[static_cast<size_t>(2 * i)], after = pad[static_cast<size_t>(2 * i + 1)], size = input.size(d);
    int64_t total;
    const bool overflow = __builtin_add_overflow(size, before, &total) || __builtin_add_overflow(total, after, &total);
    PYDL_CHECK(!overflow && total >= 0, ShapeError, "constant_pad_nd(): The input size ", size, ", plus negative padding ", before, " and ",
               after, ", resulted in a negative output size, which is invalid. Check dimension ", d, " of your input.");
    sizes[d] = total;
    const int64_t first = std::min(std::max<int64_t>(-before, 0), size), last = std::max(first, size - std::max<int64_t>(-after, 0));
    inside[d] = last - first;
  }
  const Tensor out = empty(sizes, input.dtype(), "constant_pad_nd");
  {
    const autograd::GradGuard off(false);
    if (out.numel() != numel_of(inside)) fill_raw(out, value);
    Tensor to = out;
    for (int i = 0; i < padded; ++i) {
      const int d = n - 1 - i;
      const int64_t before = pad[static_cast<size_t>(2 * i)];
      from = slice(from, d, std::max<int64_t>(-before, 0), std::max<int64_t>(-before, 0) + inside[d], 1);
      to = slice(to, d, std::max<int64_t>(before, 0), std::max<int64_t>(before, 0) + inside[d], 1);
    }
    if (from.numel() && from.sizes() == to.sizes()) copy_raw(to, from);
  }
  if (needs_grad(input)) {
    Dims back;
    for (const int64_t p : pad) back.push_back(-p);
    record({}, "ConstantPadNdBackward0", out, {&input}, [back](Backward& b) { b.set(0, constant_pad(b.grad(), back, Scalar(0))); });
  }
  return out;
}

// ---- reflected, repeated and circular edges --------------------------------------------------------------------

enum class Edge : uint8_t { Reflect, Replicate, Circular };

// The last three dims (missing ones of size 1) and, for each, where every element of the result comes from.
struct Source {
  int64_t planes = 1;
  int64_t in[3] = {1, 1, 1}, out[3] = {1, 1, 1};
  std::vector<int64_t> from[3];
};

int64_t source_index(Edge edge, int64_t i, int64_t n) {
  if (i >= 0 && i < n) return i;
  if (edge == Edge::Replicate) return i < 0 ? 0 : n - 1;
  return i < 0 ? -i : 2 * (n - 1) - i;
}

void check_edge(Edge edge, int64_t before, int64_t after, int64_t n, int d, const Tensor& input) {
  PYDL_CHECK(n > 0, ShapeError, "pad(): expected non-zero sizes for the padded dimensions, but input has size ", IntSpan(input.sizes()));
  if (edge == Edge::Reflect) {
    PYDL_CHECK(before < n && after < n, Error,
               "pad(): Padding size should be less than the corresponding input dimension, but got: padding (", before, ", ", after,
               ") at dimension ", d, " of input ", IntSpan(input.sizes()));
  } else if (edge == Edge::Circular) {
    PYDL_CHECK(before <= n && after <= n, Error, "pad(): Padding value causes wrapping around more than once.");
  }
}

Source source_of(Edge edge, const Tensor& input, IntSpan pad) {
  Source s;
  const int n = input.ndim(), padded = static_cast<int>(pad.size() / 2);
  for (int i = 0; i < 3; ++i) {
    const int d = n - 1 - i, slot = 2 - i;
    if (i >= padded) {
      s.from[slot].push_back(0);
      continue;
    }
    const int64_t before = pad[static_cast<size_t>(2 * i)], after = pad[static_cast<size_t>(2 * i + 1)], size = input.size(d);
    check_edge(edge, before, after, size, d, input);
    int64_t total;
    const bool overflow = __builtin_add_overflow(size, before, &total) || __builtin_add_overflow(total, after, &total);
    PYDL_CHECK(!overflow && total >= 1 && before > -size && after > -size, ShapeError, "pad(): input of size ", size,
               " is too small for padding (", before, ", ", after, ") at dimension ", d);
    // The table of places below has 8 bytes for each.
    PYDL_CHECK(total < int64_t{1} << 30, OutOfMemoryError, "pad(): a dimension of ", total, " elements with padding (", before, ", ", after,
               ") is too long for this mode");
    s.in[slot] = size;
    s.out[slot] = total;
    // What wraps around is the part that negative padding leaves.
    const int64_t cut = std::max<int64_t>(-before, 0), core = size - cut - std::max<int64_t>(-after, 0);
    for (int64_t k = 0; k < total; ++k) {
      const int64_t at = k - before;
      s.from[slot].push_back(edge == Edge::Circular ? cut + ((at - cut) % core + core) % core : source_index(edge, at, size));
    }
  }
  for (int d = 0; d < n - padded; ++d) s.planes *= input.size(d);
  return s;
}

// f(result row, input row, source columns) over rows of planes [begin, end); planes are independent of each other.
template <class F>
void for_rows(const Source& s, F&& f) {
  const int64_t work = std::max<int64_t>(1, s.out[0] * s.out[1] * s.out[2]);
  parallel_for(s.planes, std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      for (int64_t i = 0; i < s.out[0]; ++i) {
        for (int64_t j = 0; j < s.out[1]; ++j) {
          const int64_t to = ((p * s.out[0] + i) * s.out[1] + j) * s.out[2];
          const int64_t from = ((p * s.in[0] + s.from[0][static_cast<size_t>(i)]) * s.in[1] + s.from[1][static_cast<size_t>(j)]) * s.in[2];
          f(to, from);
        }
      }
    }
  });
}

struct Bytes16 {
  uint64_t low, high;
};

template <class T>
void pad_values(const Source& s, const char* in, char* out, int64_t before) {
  const T* x = reinterpret_cast<const T*>(in);
  T* y = reinterpret_cast<T*>(out);
  const int64_t* columns = s.from[2].data();
  const int64_t first = std::max<int64_t>(before, 0), skip = std::max<int64_t>(-before, 0);
  const int64_t run = std::min(s.in[2] - skip, s.out[2] - first);
  for_rows(s, [&](int64_t to, int64_t from) {
    for (int64_t k = 0; k < first; ++k) y[to + k] = x[from + columns[k]];
    std::memcpy(y + to + first, x + from + skip, static_cast<size_t>(run) * sizeof(T));
    for (int64_t k = first + run; k < s.out[2]; ++k) y[to + k] = x[from + columns[k]];
  });
}

template <class T>
void add_values(const Source& s, const char* in, char* out) {
  const T* g = reinterpret_cast<const T*>(in);
  T* y = reinterpret_cast<T*>(out);
  const int64_t* columns = s.from[2].data();
  for_rows(s, [&](int64_t to, int64_t from) {
    for (int64_t k = 0; k < s.out[2]; ++k) y[from + columns[k]] += g[to + k];
  });
}

Tensor edge_pad(Edge edge, const Tensor& input, IntSpan pad);

// The adjoint: gradients of copies of an element are added up in the order of the result.
Tensor edge_pad_backward(Edge edge, const Tensor& gradient, const Dims& sizes, const Dims& pad) {
  Tensor out;
  {
    const autograd::GradGuard off(false);
    const DType type = compute_type(gradient.dtype());
    const Tensor g = contiguous(to_dtype(gradient, type)), sum = zeros(sizes, type);
    const Source s = source_of(edge, sum, pad);
    switch (type) {
      case DType::Float32:
        add_values<float>(s, g->data, sum->data);
        break;
      case DType::Float64:
        add_values<double>(s, g->data, sum->data);
        break;
      case DType::Complex64:
        add_values<std::complex<float>>(s, g->data, sum->data);
        break;
      default:
        add_values<std::complex<double>>(s, g->data, sum->data);
    }
    out = to_dtype(sum, gradient.dtype());
  }
  if (needs_grad(gradient)) {
    record({}, "PadBackwardBackward0", out, {&gradient}, [edge, pad](Backward& b) { b.set(0, edge_pad(edge, b.grad(), pad)); });
  }
  return out;
}

Tensor edge_pad(Edge edge, const Tensor& input, IntSpan pad) {
  const Source s = source_of(edge, input, pad);
  Dims sizes = input.sizes();
  for (size_t i = 0; i < pad.size() / 2; ++i) sizes[input.ndim() - 1 - static_cast<int>(i)] = s.out[2 - i];
  const Tensor out = empty(sizes, input.dtype(), "pad");
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(input);
    switch (x.item_size()) {
      case 1:
        pad_values<uint8_t>(s, x->data, out->data, pad[0]);
        break;
      case 2:
        pad_values<uint16_t>(s, x->data, out->data, pad[0]);
        break;
      case 4:
        pad_values<uint32_t>(s, x->data, out->data, pad[0]);
        break;
      case 8:
        pad_values<uint64_t>(s, x->data, out->data, pad[0]);
        break;
      default:
        pad_values<Bytes16>(s, x->data, out->data, pad[0]);
    }
  }
  if (needs_grad(input)) {
    record({}, "PadBackward0", out, {&input},
           [edge, from = input.sizes(), pad = Dims(pad)](Backward& b) { b.set(0, edge_pad_backward(edge, b.grad(), from, pad)); });
  }
  return out;
}

Tensor pad(const Tensor& input, IntSpan padding, std::string_view mode, const std::optional<Scalar> value) {
  PYDL_CHECK(padding.size() % 2 == 0, Error, "pad(): Padding length must be divisible by 2, got ", padding.size());
  PYDL_CHECK(static_cast<int>(padding.size()) <= 2 * input.ndim(), Error,
             "pad(): Padding length should be less than or equal to two times the input dimension but got padding length ", padding.size(),
             " and input of dimension ", input.ndim());
  if (mode == "constant") return constant_pad(input, padding, value.value_or(Scalar(0)));
  PYDL_CHECK(!value || value->equals(0), Error, "pad(): Padding mode \"", mode, "\" doesn't take in value argument");
  const std::optional<Edge> edge = mode == "reflect"     ? std::optional(Edge::Reflect)
                                   : mode == "replicate" ? std::optional(Edge::Replicate)
                                   : mode == "circular"  ? std::optional(Edge::Circular)
                                                         : std::nullopt;
  PYDL_CHECK(edge, NotImplemented, "pad(): Unrecognised padding mode ", mode);
  const int padded = static_cast<int>(padding.size() / 2);
  PYDL_CHECK(padded >= 1 && padded <= 3 && (input.ndim() == padded + 1 || input.ndim() == padded + 2), NotImplemented,
             "pad(): Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now, got ", padding.size(),
             " numbers for an input of ", input.ndim(), " dims");
  return edge_pad(*edge, input, padding);
}

}  // namespace

PYDL_OP(constant_pad, "constant_pad_nd(input: Tensor, pad: Size, value: Number = 0) -> Tensor", Function | Out, R"doc(
`input` with `value` around it: `pad` holds how many places before and after the last dim, then the one before it, and so on.
Negative numbers cut off.

Raises RuntimeError for an odd number of entries, more than the dims take, or a negative size of the result.

Example:
    >>> pydl.constant_pad_nd(pydl.tensor([1, 2]), (1, 2), 7)
    tensor([7, 1, 2, 7, 7])
)doc");
PYDL_OP(pad, "pad(input: Tensor, pad: Size, mode: str = 'constant', value: Number | None = None) -> Tensor", Nn, R"doc(
See `nn.functional.pad`.
)doc");

}  // namespace pydl
