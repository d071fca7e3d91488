// Indexing with tensors.
#pragma once

#include "ops/types.h"

namespace pydl {

// One index per dim of `input`, undefined where the dim is taken whole; integer or bool tensors (a bool tensor covers as many
// dims as it has). NumPy's rules for the place of the resulting dims.
Tensor index(const Tensor& input, std::vector<Tensor> indices);
Tensor index_put_(const Tensor& input, std::vector<Tensor> indices, const Tensor& values, bool accumulate);
Tensor nonzero(const Tensor& input);
Tensor gather(const Tensor& input, int64_t dim, const Tensor& index);
Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index);
// zeros(sizes) with `source` added at positions `index` along `dim`: the derivative of gather. Differentiable.
Tensor scatter_along(const Tensor& source, const Tensor& index, IntSpan sizes, int64_t dim);

}  // namespace pydl
