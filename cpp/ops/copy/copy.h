// Copies and conversions.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor clone(const Tensor& input, MemoryFormat format = MemoryFormat::Preserve);
Tensor contiguous(const Tensor& input, MemoryFormat format = MemoryFormat::Contiguous);
Tensor to_dtype(const Tensor& input, DType dtype);  // the tensor itself if it already has the dtype
Tensor copy_(const Tensor& input, const Tensor& source, bool non_blocking = false);
Tensor fill_(const Tensor& input, const Operand& value);
Tensor zero_(const Tensor& input);

// Without autograd or checks: writes `source`, broadcast and converted, into `target`; fills with a number; zeroes.
void copy_raw(const Tensor& target, const Tensor& source);
void fill_raw(const Tensor& target, const Scalar& value);
void zero_raw(const Tensor& target);
// A plain copy of the values with the given strides (dense ones), recorded.
Tensor clone_as(const Tensor& input, IntSpan strides);

// A zero-filled contiguous tensor.
Tensor zeros(IntSpan size, DType dtype);

}  // namespace pydl
