#include "kernels/conv/narrow.h"

#include <utility>

#include "kernels/cpu/conv/lanes.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

constexpr int L = kLanes<float>;
// Sums of a tile, which leave registers for a row of b.
constexpr int kSums = PYDL_ISA_LEVEL == 2 ? 28 : 12, kMostRows = PYDL_ISA_LEVEL == 2 ? 16 : 12;

template <int kRows, int kVecs>
void tile(const NarrowProduct& g, int64_t r, int64_t lane) {
  VF sums[kRows][kVecs] = {};
  const float* b = g.b + lane;
  for (int64_t q = 0; q < g.outer; ++q) {
    const float* a = g.a + r * g.a_step + g.outer_at[q];
    for (int64_t i = 0; i < g.inner; ++i, a += g.inner_step, b += g.lanes) {
      VF w[kVecs];
#pragma GCC unroll 2
      for (int v = 0; v < kVecs; ++v) w[v] = load(b + v * L);
#pragma GCC unroll 16
      for (int k = 0; k < kRows; ++k) {
        const VF x = splat(a[k * g.a_step]);
#pragma GCC unroll 2
        for (int v = 0; v < kVecs; ++v) sums[k][v] = fma(x, w[v], sums[k][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int k = 0; k < kRows; ++k) {
    float* out = g.out + (r + k) * g.out_step + lane;
#pragma GCC unroll 2
    for (int v = 0; v < kVecs; ++v) store(out + v * L, g.add ? load(out + v * L) + sums[k][v] : sums[k][v]);
  }
}

using TileFn = void (*)(const NarrowProduct&, int64_t, int64_t);
template <int kVecs, int... kRows>
constexpr auto tiles_of(std::integer_sequence<int, kRows...>) {
  struct {
    TileFn fn[sizeof...(kRows)];
  } tiles = {{tile<kRows + 1, kVecs>...}};
  return tiles;
}
constexpr int kRowsOf[] = {kSums < kMostRows ? kSums : kMostRows, kSums / 2};
constexpr auto kSingle = tiles_of<1>(std::make_integer_sequence<int, kRowsOf[0]>());
constexpr auto kDouble = tiles_of<2>(std::make_integer_sequence<int, kRowsOf[1]>());

void product(const NarrowProduct& g) {
  for (int64_t lane = 0; lane < g.lanes;) {
    const bool two = g.lanes - lane > L;
    const int64_t most = kRowsOf[two], pieces = (g.rows + most - 1) / most;
    for (int64_t i = 0, r = 0; i < pieces; ++i) {  // of equal height
      const int64_t end = g.rows * (i + 1) / pieces;
      (two ? kDouble.fn : kSingle.fn)[end - r - 1](g, r, lane);
      r = end;
    }
    lane += two ? 2 * L : L;
  }
}

void overlap(const Overlap& g) {
  for (int64_t i = 0; i < g.places; ++i) {
    for (int64_t r = 0; r < g.rows; ++r) {
      const float* in = g.in + r * g.in_row + i * g.in_step;
      float* out = g.out + r * g.out_row + i * g.out_step;
      int64_t x = 0;
      for (; x + L <= g.width; x += L) store(out + x, load(out + x) + load(in + x));
      const int n = clamp_lane(g.width - x, L);
      if (n > 0) store_part(out + x, load_part(out + x, n) + load(in + x), n);
    }
  }
}

void to_lanes(const ToLanes& g) {
  for (int64_t c = 0; c < g.channels; c += L) {
    const int channels = clamp_lane(g.channels - c, L);
    const float* in = g.in + c * g.plane;
    VF sum{};
    for (int64_t i = 0; i < g.count; i += L) {
      const int n = clamp_lane(g.count - i, L);
      VF v[L];
#pragma GCC unroll 16
      for (int q = 0; q < L; ++q) v[q] = q < channels ? load_part(in + q * g.plane + i, n) : VF{};
      transpose<L>(v);
      float* out = g.out + i * g.out_step + c;
#pragma GCC unroll 16
      for (int q = 0; q < L; ++q) {
        if (q < n) store(out + q * g.out_step, v[q]);
        sum = sum + v[q];
      }
    }
    if (g.sums) store_part(g.sums + c, load_part(g.sums + c, channels) + sum, channels);
  }
}

void from_lanes(const FromLanes& g) {
  for (int64_t c = 0; c < g.channels; c += L) {
    const int channels = clamp_lane(g.channels - c, L);
    const VF bias = g.bias ? load_part(g.bias + c, channels) : VF{};
    float* out = g.out + c * g.plane;
    for (int64_t i = 0; i < g.count; i += L) {
      const int n = clamp_lane(g.count - i, L);
      const float* in = g.in + i * g.in_step + c;
      VF v[L];
#pragma GCC unroll 16
      for (int q = 0; q < L; ++q) v[q] = q < n ? load(in + q * g.in_step) + bias : VF{};
      transpose<L>(v);
#pragma GCC unroll 16
      for (int q = 0; q < L; ++q) {
        if (q < channels) store_part(out + q * g.plane + i, v[q], n);
      }
    }
  }
}

}  // namespace

constinit const NarrowTable narrow = {L, product, overlap, to_lanes, from_lanes};

}  // namespace pydl::kernels::conv::PYDL_ISA
