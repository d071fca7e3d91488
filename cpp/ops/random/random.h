// Random tensors.
#pragma once

#include "ops/types.h"

namespace pydl {

// Writes numbers of [low, high) or of a normal distribution over a tensor of any layout and floating dtype.
void fill_uniform(const Tensor& t, double low, double high, Generator* generator = nullptr);
void fill_normal(const Tensor& t, double mean, double deviation, Generator* generator = nullptr);
// Integers low .. low + range - 1; range 0 stands for 2^64.
void fill_integers(const Tensor& t, int64_t low, uint64_t range, Generator* generator = nullptr);
void fill_bernoulli(const Tensor& t, double probability, Generator* generator = nullptr);

Tensor dropout(const Tensor& input, double p, bool train);

}  // namespace pydl
