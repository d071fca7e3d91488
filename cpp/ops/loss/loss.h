// Loss functions.
#pragma once

#include "ops/types.h"

namespace pydl {

enum class Reduction : uint8_t { None, Mean, Sum };
// Throws ValueError for anything but 'none', 'mean' and 'sum'.
Reduction reduction_of(std::string_view text);

Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, Reduction reduction);
Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, Reduction reduction,
                     double label_smoothing);

}  // namespace pydl
