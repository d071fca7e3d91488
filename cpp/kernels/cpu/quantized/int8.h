// The kernels of kernels/quantized/int8.h. Included once per instruction set. The sums are exact, so every instruction set
// gives the same bits.
#pragma once

#include "kernels/quantized/int8.h"
#include "simd/vec.h"

namespace pydl::kernels::quantized::PYDL_ISA {
namespace {

using namespace simd::PYDL_ISA;

using Sums = Vec<int32_t>;
constexpr int kLanes = Sums::size;
// Register tile: rows of activations by two vectors of columns.
constexpr int kRows = PYDL_ISA_LEVEL == 2 ? 12 : PYDL_ISA_LEVEL == 1 ? 6 : 4;
constexpr int kVecs = 2;
constexpr int kCols = kVecs * kLanes;
static_assert(kPanel % kCols == 0);

#if defined(__AVX512VNNI__)
constexpr int kStep = 4;
using Element = uint8_t;
PYDL_INLINE Sums weights(const int8_t* b) { return (Sums::Raw)_mm512_loadu_si512(b); }
PYDL_INLINE Sums dot(Sums sum, Sums a, Sums b) { return (Sums::Raw)_mm512_dpbusd_epi32((__m512i)sum.raw, (__m512i)a.raw, (__m512i)b.raw); }
#else
constexpr int kStep = 2;
using Element = int16_t;
#if PYDL_ISA_LEVEL == 2
PYDL_INLINE Sums weights(const int8_t* b) {
  return (Sums::Raw)_mm512_maskz_cvtepi8_epi16(0xffffffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
}
PYDL_INLINE Sums dot(Sums sum, Sums a, Sums b) {
  return sum + Sums((Sums::Raw)_mm512_maskz_madd_epi16(0xffff, (__m512i)a.raw, (__m512i)b.raw));
}
#elif PYDL_ISA_LEVEL == 1
PYDL_INLINE Sums weights(const int8_t* b) { return (Sums::Raw)_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b))); }
PYDL_INLINE Sums dot(Sums sum, Sums a, Sums b) { return sum + Sums((Sums::Raw)_mm256_madd_epi16((__m256i)a.raw, (__m256i)b.raw)); }
#else
typedef int16_t Pairs __attribute__((vector_size(4 * kLanes)));
typedef int8_t BytePairs __attribute__((vector_size(2 * kLanes)));
PYDL_INLINE Sums weights(const int8_t* b) {
  BytePairs v;
  __builtin_memcpy(&v, b, sizeof v);
  return (Sums::Raw) __builtin_convertvector(v, Pairs);
}
// The two halves of a lane by shifts: every instruction set has those.
PYDL_INLINE Sums dot(Sums sum, Sums a, Sums b) {
  return sum + Sums(((a << 16) >> 16).raw * ((b << 16) >> 16).raw) + Sums((a >> 16).raw * (b >> 16).raw);
}
#endif
#endif

PYDL_INLINE Sums activations(const char* at) {
  int32_t group;
  __builtin_memcpy(&group, at, 4);
  return Sums(group);
}

template <int MR>
PYDL_INLINE void accumulate(const Int8Block& g, const char* a, const int8_t* b, Sums (&sums)[MR][kVecs]) {
  for (int64_t t = 0; t < g.tap_count; ++t) {
    const char* at = a + g.taps[t];
    for (int64_t p = 0; p < g.groups; ++p, at += 4, b += kPanel * kStep) {
      Sums w[kVecs];
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) w[v] = weights(b + v * kLanes * kStep);
#pragma GCC unroll 12
      for (int i = 0; i < MR; ++i) {
        const Sums x = activations(at + i * g.a_row);
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; ++v) sums[i][v] = dot(sums[i][v], x, w[v]);
      }
    }
  }
}

// One row alone is two chains of sums, each waiting for its last product: its groups go to four such rows in turn.
template <>
PYDL_INLINE void accumulate<1>(const Int8Block& g, const char* a, const int8_t* b, Sums (&sums)[1][kVecs]) {
  constexpr int kChains = 4, kGroup = kPanel * kStep;
  Sums chains[kChains][kVecs];
#pragma GCC unroll 4
  for (int q = 0; q < kChains; ++q) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) chains[q][v] = Sums(0);
  }
  for (int64_t t = 0; t < g.tap_count; ++t) {
    const char* at = a + g.taps[t];
    int64_t p = 0;
    for (; p + kChains <= g.groups; p += kChains, at += 4 * kChains, b += kChains * kGroup) {
#pragma GCC unroll 4
      for (int q = 0; q < kChains; ++q) {
        const Sums x = activations(at + 4 * q);
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; ++v) chains[q][v] = dot(chains[q][v], x, weights(b + q * kGroup + v * kLanes * kStep));
      }
    }
    for (; p < g.groups; ++p, at += 4, b += kGroup) {
      const Sums x = activations(at);
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) chains[0][v] = dot(chains[0][v], x, weights(b + v * kLanes * kStep));
    }
  }
#pragma GCC unroll 2
  for (int v = 0; v < kVecs; ++v) sums[0][v] = (chains[0][v] + chains[1][v]) + (chains[2][v] + chains[3][v]);
}

template <int MR>
void tile(const Int8Block& g, const char* a, const int8_t* b, float* c, int64_t j, int64_t cols) {
  Sums sums[MR][kVecs];
#pragma GCC unroll 12
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) sums[i][v] = Sums(0);
  }
  accumulate<MR>(g, a, b, sums);
  float out[MR][kCols];
#pragma GCC unroll 2
  for (int v = 0; v < kVecs; ++v) {
    const int64_t first = j + v * kLanes;
    const Sums offset = Sums::load(g.offset + first);
    const Vec<float> scale = Vec<float>::load(g.scale + first), bias = Vec<float>::load(g.bias + first);
    const Vec<float> floor(g.relu ? 0.0f : -FloatTraits<float>::infinity);
#pragma GCC unroll 12
    for (int i = 0; i < MR; ++i) {
      const Vec<float> value = __builtin_convertvector((sums[i][v] - offset).raw, Vec<float>::Raw);
      const Vec<float> result = max_second(value * scale + bias, floor);
      if (g.c_col == 1 && cols == kCols)
        result.store(c + i * g.c_row + v * kLanes);
      else
        result.store(out[i] + v * kLanes);
    }
  }
  if (g.c_col == 1 && cols == kCols) return;
  if (g.c_row == 1) {
    for (int64_t q = 0; q < cols; ++q) {
#pragma GCC unroll 12
      for (int i = 0; i < MR; ++i) c[q * g.c_col + i] = out[i][q];
    }
    return;
  }
  for (int i = 0; i < MR; ++i) {
    for (int64_t q = 0; q < cols; ++q) c[i * g.c_row + q * g.c_col] = out[i][q];
  }
}

using TileFn = void (*)(const Int8Block&, const char*, const int8_t*, float*, int64_t, int64_t);
#if PYDL_ISA_LEVEL == 2
constexpr TileFn kTiles[] = {nullptr, tile<1>, tile<2>, tile<3>,  tile<4>,  tile<5>, tile<6>,
                             tile<7>, tile<8>, tile<9>, tile<10>, tile<11>, tile<12>};
#elif PYDL_ISA_LEVEL == 1
constexpr TileFn kTiles[] = {nullptr, tile<1>, tile<2>, tile<3>, tile<4>, tile<5>, tile<6>};
#else
constexpr TileFn kTiles[] = {nullptr, tile<1>, tile<2>, tile<3>, tile<4>};
#endif

void block(const Int8Block& g) {
  const int64_t tiles = (g.rows + kRows - 1) / kRows;
  for (int64_t j = 0; j < g.cols; j += kCols) {
    const int8_t* b = g.b + j / kPanel * g.b_panel + j % kPanel * kStep;
    const int64_t cols = g.cols - j < kCols ? g.cols - j : kCols;
    for (int64_t h = 0; h < g.bands; ++h) {
      // Equal tiles beat a thin last one.
      for (int64_t s = 0, i = 0; s < tiles; ++s) {
        const int64_t end = g.rows * (s + 1) / tiles;
        kTiles[end - i](g, g.a + h * g.a_band + i * g.a_row, b, g.c + h * g.c_band + i * g.c_row + j * g.c_col, j, cols);
        i = end;
      }
    }
  }
}

void range(const float* from, int64_t n, float& low, float& high) {
  constexpr int kChains = 4, kSize = Vec<float>::size;
  Vec<float> lows[kChains], highs[kChains];
  for (int c = 0; c < kChains; ++c) lows[c] = highs[c] = Vec<float>(0.0f);
  const auto take = [&](int c, Vec<float> x) {
    const Vec<float> finite = select(x - x == Vec<float>(0.0f), x, Vec<float>(0.0f));
    lows[c] = min_second(finite, lows[c]);
    highs[c] = max_second(finite, highs[c]);
  };
  int64_t i = 0;
  for (; i + kChains * kSize <= n; i += kChains * kSize) {
    for (int c = 0; c < kChains; ++c) take(c, Vec<float>::load(from + i + c * kSize));
  }
  for (; i < n; i += kSize) take(0, Vec<float>::load(from + i, static_cast<int>(n - i < kSize ? n - i : kSize)));
  for (int c = 0; c < kChains; ++c) {
    const float least = -reduce_maximum(-lows[c]), most = reduce_maximum(highs[c]);
    low = least < low ? least : low;
    high = most > high ? most : high;
  }
}

struct Quantizer {
  Vec<float> inverse, low, high;
  Sums zero;

  PYDL_INLINE explicit Quantizer(Int8Rule r)
      : inverse(r.inverse), low(static_cast<float>(-r.zero)), high(static_cast<float>(255 - r.zero)), zero(r.zero) {}
  // Of a NaN the bounds make `low`, that is 0.
  PYDL_INLINE Sums operator()(Vec<float> x) const { return round_to_int(min_second(max_second(x * inverse, low), high)).integer + zero; }
};

void quantize(char* to, const float* from, int64_t n, Int8Rule rule) {
  const Quantizer q(rule);
  Element* out = reinterpret_cast<Element*>(to);
  // By way of 16 bits: GCC 12 takes a vector apart for a step from 32 to 8.
  typedef int16_t Halves __attribute__((vector_size(kLanes * sizeof(int16_t))));
  typedef Element Narrow __attribute__((vector_size(kLanes * sizeof(Element))));
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Narrow values = __builtin_convertvector(__builtin_convertvector(q(Vec<float>::load(from + i)).raw, Halves), Narrow);
    __builtin_memcpy(out + i, &values, sizeof values);
  }
  const int64_t end = (n + kStep - 1) / kStep * kStep;
  if (i < n) {
    int32_t last[kLanes];
    q(Vec<float>::load(from + i, static_cast<int>(n - i))).store(last);
    for (int64_t l = i; l < n; ++l) out[l] = static_cast<Element>(last[l - i]);
  }
  for (i = n; i < end; ++i) out[i] = 0;
}

void quantize_pixels(char* to, int64_t pixel, const float* from, int64_t plane, int64_t channels, int64_t n, Int8Rule rule) {
  const Quantizer q(rule);
  constexpr int kBits = 32 / kStep;
  int32_t groups[kLanes];
  for (int64_t i = 0; i < n; i += kLanes) {
    const int count = static_cast<int>(n - i < kLanes ? n - i : kLanes);
    Sums group(0);
    for (int64_t c = 0; c < channels; ++c)
      group = group | (q(Vec<float>::load(from + c * plane + i, count)) << static_cast<int>(c * kBits));
    group.store(groups);
    for (int l = 0; l < count; ++l) __builtin_memcpy(to + (i + l) * pixel, groups + l, 4);
  }
}

}  // namespace
}  // namespace pydl::kernels::quantized::PYDL_ISA
