// Writing at indices.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor scatter_src(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
Tensor scatter_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
Tensor index_fill_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});

}  // namespace pydl
