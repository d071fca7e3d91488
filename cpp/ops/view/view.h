// Views: other sizes and strides over the same memory.
#pragma once

#include "autograd/node.h"
#include "ops/types.h"

namespace pydl {

Tensor as_strided(const Tensor& input, IntSpan size, IntSpan stride, std::optional<int64_t> storage_offset = std::nullopt);
Tensor view(const Tensor& input, IntSpan size);
Tensor reshape(const Tensor& input, IntSpan shape);
Tensor permute(const Tensor& input, IntSpan dims);
Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1);
Tensor matrix_transpose(const Tensor& input);  // of the last two dims
Tensor expand(const Tensor& input, IntSpan size);
Tensor squeeze(const Tensor& input, std::optional<IntSpan> dim);
Tensor unsqueeze(const Tensor& input, int64_t dim);
Tensor select(const Tensor& input, int64_t dim, int64_t index);
Tensor slice(const Tensor& input, int64_t dim, int64_t start, int64_t stop, int64_t step);
Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length);
Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2);
Tensor unfold(const Tensor& input, int64_t dimension, int64_t size, int64_t step);
Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim);
Tensor view_as_real(const Tensor& input);     // of a complex tensor
Tensor view_as_complex(const Tensor& input);  // of a real one with a last dim of 2
Tensor detach(const Tensor& input);
Tensor real(const Tensor& input);
Tensor imag(const Tensor& input);
std::vector<Tensor> unbind(const Tensor& input, int64_t dim);
std::vector<Tensor> split_sizes(const Tensor& input, IntSpan sizes, int64_t dim);

// Throws for a number of tensors that no call should make.
void check_parts(const char* op, int64_t parts);

// ---- for other ops ---------------------------------------------------------------------------------------------

// Marks `view` as a view of `base` (for in-place writes) and returns it.
Tensor as_view(const Tensor& base, Tensor view, bool multi_output = false);

template <class F>
Tensor record_view(const char* name, const Tensor& base, Tensor view, F backward) {
  if (autograd::needs_grad(base)) autograd::set_history(view, autograd::make_node(name, 1, {&base}, std::move(backward)));
  return as_view(base, std::move(view));
}

// zeros(sizes) with `gradient` written where `f(zeros)` looks: the derivative of the view f. Differentiable.
template <class F>
Tensor scatter_view(const Tensor& gradient, IntSpan sizes, F f);

// The derivative of a strided view of a contiguous tensor of `sizes`: `gradient`, of size `view_sizes`, is added up
// where the view's strides and offset point. Differentiable.
Tensor gather_windows(const Tensor& gradient, IntSpan sizes, IntSpan view_sizes, IntSpan view_strides, int64_t offset);

// The function behind a view with these strides of a tensor in any dense layout.
Ref<autograd::Node> strided_view_node(const Tensor& input, IntSpan size, IntSpan stride, int64_t offset);

// No two elements share memory and there are no gaps: numel consecutive elements in some order.
bool is_dense(const Tensor& t);
// Strides of a fresh tensor that keeps the dim order of `t` (dense or not).
Dims dense_strides_like(const Tensor& t);
Dims format_strides(IntSpan sizes, MemoryFormat format, const char* op);
// The strides with which `t` can be seen as `sizes`, if it can.
std::optional<Dims> view_strides(const Tensor& t, IntSpan sizes);
// Replaces one -1 in `size`; throws if the sizes do not fit `numel`.
Dims infer_size(IntSpan size, int64_t numel, const char* op);

// ---- writing in place ------------------------------------------------------------------------------------------

// Throws if autograd forbids to overwrite `t`: a leaf that requires grad, a view of one, one of several views of an op.
void check_inplace(const char* op, const Tensor& t);
// Makes `node` the function that made the new value of `t`, and of the base that it views.
void rebase_history(const Tensor& t, Ref<autograd::Node> node);

// ---- implementation --------------------------------------------------------------------------------------------

void copy_raw(const Tensor& target, const Tensor& source);
Tensor zeros(IntSpan size, DType dtype);

template <class F>
Tensor scatter_view(const Tensor& gradient, IntSpan sizes, F f) {
  const Tensor out = zeros(sizes, gradient.dtype());
  {
    const autograd::GradGuard off(false);
    copy_raw(f(out), gradient);
  }
  if (autograd::needs_grad(gradient)) {
    autograd::record("ScatterViewBackward", out, {&gradient}, [f](autograd::Backward& b) { b.set(0, f(b.grad())); });
  }
  return out;
}

}  // namespace pydl
