#include "ops/copy/copy.h"

#include <cstring>

#include "autograd/node.h"
#include "core/parallel.h"
#include "kernels/pointwise/cast.h"
#include "ops/copy/engine.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

constexpr int64_t kParallelBytes = int64_t{256} << 10;

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.sizes() == b.sizes() && (a.strides() == b.strides() || (a.contiguous() && b.contiguous())) && is_dense(a);
}

// Large copies between different layouts of one dtype: by tiles, so that both sides move whole cache lines.
bool copy_strided(const Tensor& target, const Tensor& source) {
  constexpr int64_t kSmall = 1024;  // elements; below, the plain loop has less to set up
  constexpr int kEngineDims = 16;
  if (target.numel() < kSmall || target.ndim() > kEngineDims) return false;
  const int n = target.ndim(), lead = n - source.ndim();
  const int64_t item = target.item_size();
  int64_t out[kEngineDims], in[kEngineDims];
  for (int i = 0; i < n; ++i) {
    out[i] = target.stride(i) * item;
    in[i] = i < lead || source.size(i - lead) == 1 ? 0 : source.stride(i - lead) * item;
  }
  strided_copy(n, target.sizes().data(), target->data, out, source->data, in, item);
  return true;
}

}  // namespace

void copy_raw(const Tensor& target, const Tensor& source) {
  if (target.numel() == 0) return;
  if (target.dtype() == source.dtype() && same_layout(target, source)) {
    const int64_t bytes = target.numel() * target.item_size();
    parallel_for(bytes, kParallelBytes, [&](int64_t begin, int64_t end) {
      std::memmove(target->data + begin, source->data + begin, static_cast<size_t>(end - begin));
    });
    return;
  }
  if (target.dtype() == source.dtype() && copy_strided(target, source)) return;
  const kernels::StripFn fn = kernels::pointwise::cast()(target.dtype(), source.dtype());
  const StripOperand operands[] = {{&target, nullptr, target.dtype()}, {&source, nullptr, source.dtype()}};
  run_strips(fn, target.sizes(), 1, operands, nullptr, 1);
}

void fill_raw(const Tensor& target, const Scalar& value) {
  alignas(16) char bytes[16];
  value.store(target.dtype(), bytes);
  const StripOperand operands[] = {{&target, nullptr, target.dtype()}};
  run_strips(kernels::pointwise::fill()[target.dtype()], target.sizes(), 1, operands, bytes, 0.5);
}

void zero_raw(const Tensor& target) {
  if (!is_dense(target)) return fill_raw(target, Scalar(0));
  const int64_t bytes = target.numel() * target.item_size();
  parallel_for(bytes, kParallelBytes,
               [&](int64_t begin, int64_t end) { std::memset(target->data + begin, 0, static_cast<size_t>(end - begin)); });
}

Tensor zeros(IntSpan size, DType dtype) {
  Tensor t = empty(size, dtype, "zeros");
  zero_raw(t);
  return t;
}

Tensor clone_as(const Tensor& input, IntSpan strides) {
  const Tensor out = empty_strided(input.sizes(), strides, input.dtype(), "clone");
  copy_raw(out, input);
  if (needs_grad(input)) record({}, "CloneBackward0", out, {&input}, [](Backward& b) { b.set(0, b.grad()); });
  return out;
}

Tensor clone(const Tensor& input, MemoryFormat format) {
  if (format == MemoryFormat::Preserve) return clone_as(input, is_dense(input) ? input.strides() : contiguous_strides(input.sizes()));
  return clone_as(input, format_strides(input.sizes(), format, "clone"));
}
PYDL_OP(clone, "clone(input: Tensor, *, memory_format: memory_format = preserve_format) -> Tensor", Function | Method, R"doc(
A copy of `input` with memory of its own, recorded by autograd.

Example:
    >>> x = pydl.tensor([1., 2.])
    >>> pydl.clone(x)
    tensor([1., 2.])
)doc");

Tensor contiguous(const Tensor& input, MemoryFormat format) {
  if (format == MemoryFormat::Preserve || format == MemoryFormat::Contiguous) {
    return input.contiguous() ? input : clone_as(input, contiguous_strides(input.sizes()));
  }
  const Dims strides = format_strides(input.sizes(), format, "contiguous");
  return input.strides() == strides ? input : clone_as(input, strides);
}
PYDL_OP(contiguous, "contiguous(input: Tensor, *, memory_format: memory_format = contiguous_format) -> Tensor", Method, R"doc(
`input` itself if its memory is already in the asked order, otherwise a copy that is.

Example:
    >>> pydl.ones(2, 3).t().contiguous().stride()
    (2, 1)
)doc");

Tensor to_dtype(const Tensor& input, DType dtype) {
  if (input.dtype() == dtype) return input;
  const Tensor out = is_dense(input) && !input.contiguous() ? empty_strided(input.sizes(), input.strides(), dtype, "to")
                                                            : empty(input.sizes(), dtype, "to");
  copy_raw(out, input);
  if (needs_grad(input) && is_differentiable(dtype)) {
    record({}, "ToCopyBackward0", out, {&input}, [from = input.dtype()](Backward& b) {
      b.set(0, to_dtype(is_complex(b.grad().dtype()) && !is_complex(from) ? real(b.grad()) : b.grad(), from));
    });
  }
  return out;
}

PYDL_OP(to_dtype, "_to_dtype(input: Tensor, dtype: dtype) -> Tensor", Method, R"doc()doc");

Tensor copy_(const Tensor& input, const Tensor& source, bool) {
  const Dims shape = broadcast_shapes(input.sizes(), source.sizes(), "copy_");
  const Dest dest = Dest::inplace(input);
  PYDL_CHECK(shape == input.sizes(), ShapeError, "copy_(): output with shape ", IntSpan(input.sizes()),
             " doesn't match the broadcast shape ", IntSpan(shape));
  PYDL_CHECK(!input->storage->read_only(), Error, "copy_(): the memory of input is read-only");
  check_inplace("copy_", input);
  PYDL_CHECK(!has_internal_overlap(input), Error,
             "copy_(): unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
             "clone() the tensor before performing the operation.");
  const Tensor& from = source;
  if (memory_overlap(input, from) == Overlap::Partial) {
    const autograd::GradGuard off(false);
    copy_raw(input, clone(from));
  } else if (!input.same(from)) {
    copy_raw(input, from);
  }
  input->bump_version();
  if (needs_grad(input, source)) {
    record(dest, "CopyBackwards", input, {&input, &source}, [fit = Fit(source, input)](Backward& b) {
      if (b.needs(0)) b.set(0, zeros(b.grad().sizes(), b.grad().dtype()));
      if (b.needs(1)) b.set(1, fit(b.grad()));
    });
  }
  return input;
}
PYDL_OP(copy_, "copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor", Method | InplaceOnly, R"doc(
Writes the values of `src`, broadcast and converted to this tensor's dtype, into this tensor.

Example:
    >>> pydl.zeros(2, 2).copy_(pydl.tensor([1., 2.]))
    tensor([[1., 2.],
            [1., 2.]])
)doc");

Tensor fill_(const Tensor& input, const Operand& value) {
  PYDL_CHECK(!value.is_tensor() || value.tensor().ndim() == 0, Error,
             "fill_(): only supports 0-dimension value tensor but got tensor with ", value.is_tensor() ? value.tensor().ndim() : 0,
             " dimensions");
  PYDL_CHECK(!input->storage->read_only(), Error, "fill_(): the memory of input is read-only");
  check_inplace("fill_", input);
  PYDL_CHECK(!has_internal_overlap(input), Error,
             "fill_(): unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
             "clone() the tensor before performing the operation.");
  const Tensor& tensor = value.tensor();
  const Scalar number = value.is_tensor() ? Scalar::load(tensor.dtype(), tensor->data) : value.scalar();
  PYDL_CHECK(!number.is_complex() || is_complex(input.dtype()), Error, "fill_(): a complex value cannot be converted to type ",
             input.dtype());
  fill_raw(input, number);
  input->bump_version();
  if (needs_grad(input, tensor)) {
    record(Dest::inplace(input), "FillBackward0", input, {&input, &tensor}, [fit = Fit(tensor, input)](Backward& b) {
      if (b.needs(0)) b.set(0, zeros(b.grad().sizes(), b.grad().dtype()));
      if (b.needs(1)) b.set(1, fit(b.grad()));
    });
  }
  return input;
}
PYDL_OP(fill_, "fill_(input: Tensor, value: Tensor | Number) -> Tensor", Function | Method | InplaceOnly, R"doc(
Sets every element to `value`, a number or a 0-d tensor.

Example:
    >>> pydl.empty(2).fill_(3)
    tensor([3., 3.])
)doc");

namespace {
Tensor fill(const Tensor& input, const Operand& value) {
  const Tensor out = empty_strided(input.sizes(), dense_strides_like(input), input.dtype(), "fill");
  return fill_(out, value);
}
}  // namespace
PYDL_OP(fill, "fill(input: Tensor, value: Tensor | Number) -> Tensor", Function | Out, R"doc(
A tensor like `input` with every element `value`, a number or a 0-d tensor.

Example:
    >>> pydl.fill(pydl.zeros(2), 3)
    tensor([3., 3.])
)doc");

Tensor zero_(const Tensor& input) { return fill_(input, Operand(0)); }
PYDL_OP(zero_, "zero_(input: Tensor) -> Tensor", Function | Method | InplaceOnly, R"doc(
Sets every element to 0.

Example:
    >>> pydl.ones(2).zero_()
    tensor([0., 0.])
)doc");

// What a function written in Python found goes to its out= through this op, with the checks that all ops share.
Tensor result_of(const Tensor& input) { return input; }
PYDL_OP(result_of, "_result(input: Tensor) -> Tensor", Private | Out, R"doc(
`input` itself; with `out=` its values are written there.
)doc");

}  // namespace pydl
