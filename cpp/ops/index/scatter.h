// Writing at indices.
#pragma once

#include "ops/index/engine.h"
#include "ops/types.h"

namespace pydl {

Tensor scatter_src(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
Tensor scatter_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});
Tensor scatter_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src, const Dest& dest = {});
// The geometry of a gather, scatter or scatter_add along dim d, which has `size` positions.
IndexLines index_lines(const Tensor& out, const Tensor& in, const Tensor& index, int d, int64_t size);
// `in` added to `out` at unchecked positions along dim d; `out` is half written when this raises IndexError.
void scatter_add_new(const char* op, const Tensor& out, const Tensor& in, const Tensor& index, int d);
// Multiplied by `src` at the positions: the "prod" of scatter_reduce.
Tensor scatter_prod(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& src);
// The index as contiguous int64, after all checks that scatter makes of its arguments.
Tensor check_scatter_arguments(const char* op, const Tensor& input, int d, const Tensor& index, const Tensor& src);
Tensor index_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha, const Dest& dest = {});
Tensor index_fill_value(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value, const Dest& dest = {});

}  // namespace pydl
