// Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2,
// 3", 2011), key = seed.
//
// Element i of a fill depends on (seed, offset, i) alone: any split of the elements and any instruction set give the same
// bits. 16 counters make a block of 64 words: word e of block b is word e / 16 of counter offset + 16 b + e % 16. A
// 32-bit kind (bits32, uniform float32, bernoulli) spends one word per element. A 64-bit kind takes words e and e + 32 of a
// block for its element e of 32. Normals take both words of such a pair and return two elements, at e and e + 32.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::random {

// Elements [begin, begin + count) of the fill are written to out[0 .. count).
using Fill = void (*)(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params);
using FillTable = ByDType<Fill>;

// Counters that a fill of n elements uses up; the next fill starts at offset + counters.
constexpr uint64_t counters_used(int64_t n, bool two_words_each) {
  const uint64_t per_block = two_words_each ? 32 : 64;
  return (static_cast<uint64_t>(n) + per_block - 1) / per_block * 16;
}

struct UniformParams {
  double low, high;  // values low + u (high - low), u in [0, 1) a multiple of 2^-24 (float32) or 2^-53 (float64)
};
struct NormalParams {
  double mean, deviation;
};
struct BernoulliParams {
  double probability;
};
struct RandintParams {
  int64_t low;
  uint64_t range;  // values low .. low + range - 1; 0 stands for 2^64
};

PYDL_KERNEL(FillTable, bits);       // uint32 (one word), uint64 (two); no params
PYDL_KERNEL(FillTable, uniform);    // float32 (one word), float64 (two); UniformParams
PYDL_KERNEL(FillTable, normal);     // float32, float64 (one word per element: the pair makes two); NormalParams
PYDL_KERNEL(FillTable, bernoulli);  // bool, integers, floating; 1 with the probability, one word; BernoulliParams
PYDL_KERNEL(FillTable, randint);    // bool, integers, floating; two words; RandintParams

// out = in * scale where bernoulli (with probability `keep`) gives 1, in * 0 elsewhere; both point at element `begin`, a
// multiple of 64. Where `kept` is not null it takes these decisions, 64 to a word.
using Dropout = void (*)(void* out, const void* in, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, double keep, double scale,
                         uint64_t* kept);
PYDL_KERNEL(ByDType<Dropout>, dropout);  // float32, float64
// The same by decisions made before.
using DropoutAgain = void (*)(void* out, const void* in, int64_t count, double scale, const uint64_t* kept);
PYDL_KERNEL(ByDType<DropoutAgain>, dropout_again);

}  // namespace pydl::kernels::random
