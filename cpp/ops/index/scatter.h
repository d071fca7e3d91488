// Writing at indices.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor scatter_src(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
Tensor scatter_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
// Multiplied by `src` at the positions: the "prod" of scatter_reduce.
Tensor scatter_prod(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src);
// The index as contiguous int64, after all checks that scatter makes of its arguments.
Tensor check_scatter_arguments(const char* op, const Tensor& input, int d, const Tensor& index, const Tensor& src);
Tensor index_fill_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});

}  // namespace pydl
