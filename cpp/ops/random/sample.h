// Random numbers on raw memory, for the ops of this folder. A null generator is the default one.
#pragma once

#include "ops/types.h"

namespace pydl {

void fill_words(uint64_t* out, int64_t n, Generator* g);
void fill_unit(double* out, int64_t n, Generator* g);  // [0, 1)
// A mask that can be made again: elements [begin, begin + count) of the mask at `s` of length n are 1 with the probability.
Generator::State reserve_mask(int64_t n, Generator* g);
void fill_mask(uint8_t* out, int64_t begin, int64_t count, Generator::State s, double probability);
// Throws unless from < to and both fit an integer dtype.
void check_bounds(const char* op, DType dtype, int64_t from, int64_t to);

}  // namespace pydl
