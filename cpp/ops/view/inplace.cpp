// In-place writes and autograd: what is refused, and how the history of a base learns of a write to its view.
#include <cstring>

#include "core/iter.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::AutogradMeta;
using autograd::Backward;
using autograd::Edge;
using autograd::make_meta;
using autograd::meta;
using autograd::needs_grad;
using autograd::Node;

Tensor as_view(const Tensor& base, Tensor view, bool multi_output) {
  const AutogradMeta* m = meta(base);
  const bool tracked = base->requires_grad || (m && m->view);
  // A view of a plain tensor is tracked too: the base may come to require a gradient by a write to the view.
  if (!tracked && !autograd::mode.grad) return view;
  if (!is_differentiable(view.dtype()) || inference_mode) return view;
  AutogradMeta& v = make_meta(view);
  v.view = std::make_unique<autograd::ViewMeta>();
  v.view->base = m && m->view ? m->view->base : base;
  v.view->version = view->version();
  v.view->multi_output = multi_output || (m && m->view && m->view->multi_output);
  v.view->no_grad_view = !autograd::mode.grad;
  return view;
}

void check_inplace(const char* op, const Tensor& t) {
  PYDL_CHECK(!t->is_inference || inference_mode, Error, op,
             "(): Inplace update to inference tensor outside InferenceMode is not allowed. You can make a clone to get a normal tensor "
             "before doing inplace update.");
  if (!needs_grad(t)) return;
  PYDL_CHECK(!autograd::is_leaf(t), Error, op, "(): a leaf Variable that requires grad is being used in an in-place operation.");
  const AutogradMeta* m = meta(t);
  if (!m || !m->view) return;
  PYDL_CHECK(!m->view->multi_output, Error, op,
             "(): Output of a function that returns multiple views is being modified inplace. This is forbidden; replace the in-place "
             "operation by an out-of-place one.");
  PYDL_CHECK(!m->view->no_grad_view, Error, op,
             "(): A view was created in no_grad mode and is being modified inplace with grad mode enabled.");
  PYDL_CHECK(!(m->view->base->requires_grad && autograd::is_leaf(m->view->base)), Error, op,
             "(): a view of a leaf Variable that requires grad is being used in an in-place operation.");
}

namespace {

// The base as its view of another dtype sees it: complex numbers as pairs, pairs as complex numbers.
Tensor seen_as(const Tensor& base, DType dtype) {
  if (base.dtype() == dtype) return base;
  if (real_type(base.dtype()) == dtype) return view_as_real(base);
  PYDL_CHECK(complex_type(base.dtype()) == dtype && base.contiguous() && base.numel() % 2 == 0, NotImplemented,
             "a view of another dtype cannot be used after its base was written to in place");
  return view_as_complex(as_strided(base, Dims{base.numel() / 2, 2}, Dims{2, 1}));
}

// The new value of a base of which a view was written by `fn`: the gradient of the base is that of its new value with
// the written part replaced by what flows through fn.
class CopySlices final : public Node {
 public:
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> fn)
      : Node(1),
        sizes_(base.sizes()),
        base_strides_(base.strides()),
        view_sizes_(view.sizes()),
        view_strides_(view.strides()),
        view_dtype_(view.dtype()),
        fn_(std::move(fn)) {
    {
      const autograd::GradGuard off(false);
      offset_ = view->offset - seen_as(base, view_dtype_)->offset;
    }
    add_edge_of(base);
    // fn may stand in the graph a second time, as the maker of an output that it saved: its turn comes after ours.
    if (fn_->topology >= topology) topology = fn_->topology + 1;
    for (int i = 1; i < fn_->num_edges(); ++i) add_edge(fn_->edge(i));
  }
  std::string name() const override { return "CopySlices"; }
  void release_saved() override {
    if (fn_->ref_count() == 1) fn_->release_saved();
    released = true;
  }

  void apply(Backward& b) override {
    const Tensor whole = clone_as(b.grad(), base_strides_);
    const Tensor seen = seen_as(whole, view_dtype_);
    const Tensor part = as_strided(seen, view_sizes_, view_strides_, seen->offset + offset_);
    Tensor in[1] = {clone(part)};
    std::vector<Tensor> out(static_cast<size_t>(fn_->num_edges()));
    Backward inner(in, out, *fn_);
    fn_->apply(inner);
    if (b.needs(0)) {
      out[0].defined() ? copy_(part, out[0]) : zero_(part);
      b.set(0, whole);
    }
    for (int i = 1; i < fn_->num_edges(); ++i) b.set(i, out[static_cast<size_t>(i)]);
  }

 private:
  Dims sizes_, base_strides_, view_sizes_, view_strides_;
  DType view_dtype_;
  int64_t offset_ = 0;
  Ref<Node> fn_;
};

}  // namespace

void rebase_history(const Tensor& t, Ref<Node> node) {
  AutogradMeta& m = make_meta(t);
  if (!m.view) {
    autograd::set_history(t, std::move(node));
    return;
  }
  const Tensor base = m.view->base;
  // The base's history as of before this write: its own grad_fn is current, a base is never a view.
  autograd::set_history(base, Ref<Node>::adopt(new CopySlices(base, t, std::move(node))));
  t->requires_grad = true;
  m.view->version = t->version() - 1;  // stale: the next look regenerates the view's function from the base
}

namespace {

// ---- as_strided and its derivative -----------------------------------------------------------------------------

struct Geometry {
  Dims sizes, strides;
  int64_t offset;
};

template <class T>
void scatter_add(const Tensor& view, const Tensor& gradient) {
  StripPlan plan(view.sizes());
  plan.add(view);
  plan.add(gradient);
  // No finish(): elements are visited in index order, one after the other, so overlapping ones add up in a fixed order.
  plan.strips(0, plan.numel, [](char* const* data, const int64_t* inner, const int64_t* outer, int64_t n0, int64_t n1) {
    for (int64_t j = 0; j < n1; ++j) {
      for (int64_t i = 0; i < n0; ++i) {
        *reinterpret_cast<T*>(data[0] + i * inner[0] + j * outer[0]) += *reinterpret_cast<const T*>(data[1] + i * inner[1] + j * outer[1]);
      }
    }
  });
}

void scatter_add(const Tensor& view, const Tensor& gradient) {
  switch (view.dtype()) {
    case DType::Float32:
      return scatter_add<float>(view, gradient);
    case DType::Float64:
      return scatter_add<double>(view, gradient);
    case DType::Complex64:
      return scatter_add<std::complex<float>>(view, gradient);
    case DType::Complex128:
      return scatter_add<std::complex<double>>(view, gradient);
    default:
      throw NotImplemented(text("as_strided(): no gradient for overlapping views of ", view.dtype()));
  }
}

Tensor as_strided_backward(const Tensor& gradient, const Geometry& base, const Geometry& view) {
  const Tensor out = empty_strided(base.sizes, base.strides, gradient.dtype(), "as_strided");
  zero_raw(out);
  const Tensor window = raw_view(out, view.sizes, view.strides, view.offset);
  has_internal_overlap(window) ? scatter_add(window, gradient) : copy_raw(window, gradient);
  if (needs_grad(gradient)) {
    record({}, "AsStridedBackwardBackward", out, {&gradient},
           [base, view](Backward& b) { b.set(0, as_strided(clone_as(b.grad(), base.strides), view.sizes, view.strides, view.offset)); });
  }
  return out;
}

// One past the last element of a geometry that has elements, which fits: it was checked against a storage.
int64_t end_of(const Geometry& g) {
  int64_t last = g.offset;
  for (int i = 0; i < g.sizes.size(); ++i) last += (g.sizes[i] - 1) * g.strides[i];
  return last + 1;
}

// The derivative for any input: a buffer as large as both geometries reach takes the sum of the gradients of each memory
// cell, from which every element of the input reads its part; elements that share a cell share its gradient equally. The
// adjoint of this map is the same one with `from` and `to` exchanged.
Tensor transfer(const Tensor& gradient, const Geometry& from, const Geometry& to, const Geometry& input) {
  if (gradient.numel() == 0 || numel_of(to.sizes) == 0) return zeros(to.sizes, gradient.dtype());
  const int64_t begin = std::min(from.offset, to.offset), n = std::max(end_of(from), end_of(to)) - begin;
  const DType dtype = gradient.dtype(), wide = item_size(dtype) == 2 ? DType::Float32 : dtype;
  const autograd::GradGuard no_grad(false);
  const auto window = [&](const Tensor& buffer, const Geometry& g) { return raw_view(buffer, g.sizes, g.strides, g.offset - begin); };
  Tensor cells = zeros(Dims{n}, wide);
  scatter_add(window(cells, from), to_dtype(gradient, wide));
  if (const Tensor counts = zeros(Dims{n}, DType::Float64); has_internal_overlap(window(counts, input))) {
    scatter_add(window(counts, input), ones(input.sizes, DType::Float64));
    cells = to_dtype(div(cells, Operand(maximum(counts, ones({}, DType::Float64)))), wide);
  }
  return clone(to_dtype(window(cells, to), dtype), MemoryFormat::Contiguous);
}
Tensor transfer_recorded(const Tensor& gradient, const Geometry& from, const Geometry& to, const Geometry& input) {
  const Tensor out = transfer(gradient, from, to, input);
  if (needs_grad(gradient)) {
    record({}, "AsStridedBackwardBackward", out, {&gradient}, [=](Backward& b) { b.set(0, transfer_recorded(b.grad(), to, from, input)); });
  }
  return out;
}

Ref<Node> as_strided_node(const Tensor& input, IntSpan size, IntSpan stride, int64_t offset) {
  Geometry base{input.sizes(), input.strides(), 0}, window{Dims(size), Dims(stride), offset - input->offset};
  const bool inside = is_dense(input) && window.offset >= 0 && (numel_of(size) == 0 || end_of(window) <= input.numel());
  if (!inside) {
    return autograd::make_node("AsStridedBackward0", 1, {&input},
                               [base, window](Backward& b) { b.set(0, transfer_recorded(b.grad(), window, base, base)); });
  }
  return autograd::make_node("AsStridedBackward0", 1, {&input},
                             [base, window](Backward& b) { b.set(0, as_strided_backward(b.grad(), base, window)); });
}

void check_geometry(const Tensor& input, IntSpan size, IntSpan stride, int64_t offset) {
  PYDL_CHECK(size.size() == stride.size(), Error, "as_strided(): mismatch in length of strides and shape: size ", size, ", stride ",
             stride);
  const int64_t n = checked_numel(size, input.item_size(), "as_strided");
  PYDL_CHECK(offset >= 0, Error, "as_strided(): storage_offset must not be negative, got ", offset);
  int64_t last = offset;
  bool overflow = false;
  for (size_t i = 0; i < size.size(); ++i) {
    PYDL_CHECK(stride[i] >= 0, Error, "as_strided(): negative strides are not supported, got strides ", stride);
    int64_t reach = 0;
    // Even a stride that is never taken must stay a number of bytes: other views multiply it.
    overflow |= __builtin_mul_overflow(std::max<int64_t>(size[i], 1), stride[i], &reach) ||
                __builtin_mul_overflow(reach, input.item_size(), &reach);
    if (n) overflow |= __builtin_mul_overflow(size[i] - 1, stride[i], &reach) || __builtin_add_overflow(last, reach, &last);
  }
  int64_t bytes;
  overflow |= __builtin_add_overflow(last, n != 0, &last) || __builtin_mul_overflow(last, input.item_size(), &bytes);
  PYDL_CHECK(!overflow && (bytes <= input->storage->bytes() || n == 0), Error, "as_strided(): setStorage: sizes ", size, ", strides ",
             stride, ", storage offset ", offset, " are out of bounds for storage of size ", input->storage->bytes());
}

}  // namespace

Ref<Node> strided_view_node(const Tensor& input, IntSpan size, IntSpan stride, int64_t offset) {
  return as_strided_node(input, size, stride, offset);
}

Tensor gather_windows(const Tensor& gradient, IntSpan sizes, IntSpan view_sizes, IntSpan view_strides, int64_t offset) {
  return as_strided_backward(gradient, {Dims(sizes), contiguous_strides(sizes), 0}, {Dims(view_sizes), Dims(view_strides), offset});
}

Tensor as_strided(const Tensor& input, IntSpan size, IntSpan stride, std::optional<int64_t> storage_offset) {
  int64_t offset = storage_offset.value_or(input->offset);
  check_geometry(input, size, stride, offset);
  if (numel_of(size) == 0) offset = 0;
  Tensor view = raw_view(input, size, stride, offset);
  if (needs_grad(input)) autograd::set_history(view, as_strided_node(input, size, stride, offset));
  return as_view(input, std::move(view));
}

namespace {

// For views whose base was written to: their value is that part of the base's new value.
Ref<Node> regenerate(const Tensor& view) {
  const Tensor& base = meta(view)->view->base;
  if (!base->requires_grad) return nullptr;
  return as_strided_node(seen_as(base, view.dtype()), view.sizes(), view.strides(), view->offset);
}

[[maybe_unused]] const bool g_installed = (autograd::ops.view_grad_fn = &regenerate, true);

}  // namespace

namespace {

// With `wrap` the diagonal of a tall matrix goes on below one empty row, again and again.
Tensor fill_diagonal_(const Tensor& input, const Scalar& value, bool wrap) {
  PYDL_CHECK(input.ndim() >= 2, Error, "fill_diagonal_(): expected a tensor of at least 2 dims, got ", input.ndim());
  const int64_t rows = input.size(0), columns = input.size(1);
  for (int i = 0; input.ndim() > 2 && i < input.ndim(); ++i) {
    PYDL_CHECK(input.size(i) == rows, Error, "fill_diagonal_(): all dimensions of input must be of equal length, got ", input.sizes());
  }
  int64_t step = 0;
  for (const int64_t s : input.strides()) step += s;
  const int64_t start = input->offset, jump = input.strides()[0] * (columns + 1);
  const int64_t length = std::min(rows, columns);
  const int64_t whole = wrap && input.ndim() == 2 && columns > 0 ? (rows + 1) / (columns + 1) : 0;
  if (whole <= 1) fill_(as_strided(input, Dims{length}, Dims{step}, start), Operand(value));
  if (whole > 1) fill_(as_strided(input, Dims{whole, columns}, Dims{jump, step}, start), Operand(value));
  const int64_t rest = whole >= 1 ? rows - whole * (columns + 1) : 0;
  if (rest > 0) fill_(as_strided(input, Dims{rest}, Dims{step}, start + whole * jump), Operand(value));
  return input;
}

}  // namespace
PYDL_OP(fill_diagonal_, "fill_diagonal_(input: Tensor, fill_value: Number, wrap: bool = False) -> Tensor", Method | InplaceOnly, R"doc(
Sets the main diagonal to `fill_value`: the elements whose indices are all equal.

A tensor of more than two dims must have equal sizes. With `wrap` the diagonal of a tall matrix starts again below an empty row.

Example:
    >>> pydl.zeros(2, 2).fill_diagonal_(5)
    tensor([[5., 0.],
            [0., 5.]])
)doc");

}  // namespace pydl
