#include "kernels/conv/winograd.h"

#include "kernels/cpu/conv/lanes.h"
#include "kernels/cpu/conv/winograd_methods.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

constexpr int L = kLanes<float>;
using Lanes = typename MakeIndices<L>::Type;

// ---- tiles of the input ----------------------------------------------------------------------------------------

// What lies side by side in a row, for columns kStep apart: one number of each of kStep neighbouring tiles.
template <int kStep>
struct Neighbours {
  using Type = VF;
};
template <>
struct Neighbours<2> {
  using Type = VD;  // as bits
};
template <int kStep>
using VN = typename Neighbours<kStep>::Type;
template <int kStep>
using NeighbourLanes = typename MakeIndices<L / kStep>::Type;

// out[q][i] = p[N i + q] of such elements for q < N, N = 1, 2, 4 or 8; one mask for each of the N vectors that lie there.
template <int N, int kStep>
PYDL_INLINE void split_columns(const float* p, const LaneMask<float>* masks, VN<kStep>* out) {
  if constexpr (N == 1) {
    out[0] = (VN<kStep>)load_lanes(p, masks[0]);
  } else {
    VN<kStep> low[N / 2], high[N / 2];
    split_columns<N / 2, kStep>(p, masks, low);
    split_columns<N / 2, kStep>(p + N / 2 * L, masks + N / 2, high);
#pragma GCC unroll 4
    for (int q = 0; q < N / 2; ++q) {
      out[q] = even_lanes(low[q], high[q], NeighbourLanes<kStep>{});
      out[q + N / 2] = odd_lanes(low[q], high[q], NeighbourLanes<kStep>{});
    }
  }
}

// Reads the kSpan columns of L tiles at x, kApart columns from one tile to the next. What lies inside of a row is the same
// for all rows and channels.
template <int kSpan, int kApart, int kStep>
struct Columns {
  static constexpr int kParts = (kSpan + kApart - 1) / kApart;
  int64_t x;
  LaneMask<float> masks[kParts][kApart];

  PYDL_INLINE Columns(int64_t at, int64_t, int64_t width) : x(at) {
    for (int i = 0; i < kParts; ++i) {
      for (int n = 0; n < kApart; ++n) masks[i][n] = inside<float>(x + kStep * kApart * i + L * n, width);
    }
  }
  PYDL_INLINE void read(const float* row, VF* out) const {
    VN<kStep> part[kParts][kApart];
#pragma GCC unroll 3
    for (int i = 0; i < kParts; ++i) split_columns<kApart, kStep>(row + x + kStep * kApart * i, masks[i], part[i]);
#pragma GCC unroll 6
    for (int q = 0; q < kSpan; ++q) out[q] = (VF)part[q / kApart][q % kApart];
  }
};

// The same for any distance of columns.
template <int kSpan, int kApart>
struct Columns<kSpan, kApart, 0> {
  int64_t x, step, width;
  PYDL_INLINE Columns(int64_t at, int64_t apart, int64_t size) : x(at), step(apart), width(size) {}
  PYDL_INLINE void read(const float* row, VF* out) const {
    for (int q = 0; q < kSpan; ++q) {
      float lane[L];
      for (int i = 0; i < L; ++i) {
        const int64_t place = x + step * (kApart * i + q);
        lane[i] = place >= 0 && place < width ? row[place] : 0.0f;
      }
      out[q] = load(lane);
    }
  }
};

template <class H, class W, int kStep>
void tiles_in_as(const TilesIn& g) {
  constexpr Method kH = H::kMethod, kW = W::kMethod;
  constexpr int kApart = kW.results * kW.stride;
  for (int64_t j = 0; j < g.len; j += L) {
    const Columns<kW.span, kApart, kStep> columns(g.x + kApart * j * (kStep ? 1 : g.step), g.step, g.width);
    for (int64_t c = 0; c < g.count; ++c) {
      VF rows[kW.planes][kH.span];  // the columns are transformed as they come
#pragma GCC unroll 6
      for (int r = 0; r < kH.span; ++r) {
        VF d[kW.span] = {}, v[kW.planes];
        if (g.in[r]) columns.read(g.in[r] + c * g.in_step, d);
        W::input(d, v);
#pragma GCC unroll 7
        for (int q = 0; q < kW.planes; ++q) rows[q][r] = v[q];
      }
      float* out = g.out + c * g.out_step + j;
#pragma GCC unroll 7
      for (int q = 0; q < kW.planes; ++q) {
        VF v[kH.planes];
        H::input(rows[q], v);
#pragma GCC unroll 7
        for (int r = 0; r < kH.planes; ++r) store(out + (kW.planes * r + q) * g.plane_step, v[r]);
      }
    }
  }
}

template <class H, class W>
void tiles_in(const TilesIn& g) {
  if (g.step == 1) return tiles_in_as<H, W, 1>(g);
  if constexpr (W::kMethod.stride == 1) {  // others are not dilated
    g.step == 2 ? tiles_in_as<H, W, 2>(g) : tiles_in_as<H, W, 0>(g);
  }
}

// ---- results ---------------------------------------------------------------------------------------------------

// Results of L tiles, the first `columns` of them, to row[step * r].
template <int kResults>
PYDL_INLINE void write_columns(float* row, int64_t step, int64_t columns, bool paired, const VF* y) {
  VF flat[kResults] = {y[0]};
  if constexpr (kResults == 2) {
    if (paired) {
      VD pairs[2];
      zip((VD)y[0], (VD)y[1], pairs);
      flat[0] = (VF)pairs[0], flat[1] = (VF)pairs[1];
    } else {
      zip(y[0], y[1], flat);
    }
  }
  if (step <= 2) {
#pragma GCC unroll 2
    for (int i = 0; i < kResults; ++i) {
      const int n = clamp_lane(columns - i * L, L);
      if (step == 2) {
        store_spread(row + 2 * i * L, flat[i], n);
      } else if (n == L) {
        store(row + i * L, flat[i]);
      } else {
        store_part(row + i * L, flat[i], n);
      }
    }
    return;
  }
  float lane[kResults][L];
#pragma GCC unroll 2
  for (int i = 0; i < kResults; ++i) store(lane[i], flat[i]);
  for (int64_t r = 0; r < columns; ++r) row[r * step] = lane[r / L][r % L];
}

PYDL_INLINE VF first_lanes(VF v, int n) {
  float lane[L];
  store(lane, v);
  return load_part(lane, n);
}

// x * 0 is 0 for finite numbers alone.
PYDL_INLINE bool all_finite(VF zeros) {
  float lane[L];
  store(lane, zeros);
  float sum = 0;
  for (int i = 0; i < L; ++i) sum += lane[i];
  return sum == 0;
}

template <class H, class W>
bool tiles_out(const TilesOut& g) {
  constexpr Method kH = H::kMethod, kW = W::kMethod;
  VF zeros{};
  for (int64_t c = 0; c < g.count; ++c) {
    const float* in = g.in + c * g.in_step;
    const VF bias = splat(g.bias ? g.bias[c] : 0.0f);
    for (int64_t j = 0; j < g.len; j += L) {
      VF rows[kH.results][kW.planes];
#pragma GCC unroll 7
      for (int q = 0; q < kW.planes; ++q) {
        VF m[kH.planes], y[kH.results];
#pragma GCC unroll 7
        for (int r = 0; r < kH.planes; ++r) m[r] = load(in + (kW.planes * r + q) * g.plane_step + j);
        H::result(m, y);
#pragma GCC unroll 2
        for (int r = 0; r < kH.results; ++r) rows[r][q] = y[r];
      }
      const int64_t left = g.len - j, first = j * kW.results;
      const int64_t in_tiles = (left < L ? left : L) * kW.results, room = g.columns - first;
      const int64_t columns = in_tiles < room ? in_tiles : room;
#pragma GCC unroll 2
      for (int r = 0; r < kH.results; ++r) {
        if (!g.out[r]) continue;
        VF y[kW.results], zero{};
        W::result(rows[r], y);
#pragma GCC unroll 2
        for (int q = 0; q < kW.results; ++q) {
          zero = zero + y[q] * VF{};
          y[q] = y[q] + bias;
        }
        zeros = zeros + (left >= L ? zero : first_lanes(zero, static_cast<int>(left)));
        write_columns<kW.results>(g.out[r] + c * g.out_step + g.x + first * g.step, g.step, columns, g.paired, y);
      }
    }
  }
  return all_finite(zeros);
}

// ---- tiles of the gradient -------------------------------------------------------------------------------------

// L columns from x on as vectors of channels.
PYDL_INLINE void gradient_columns(const TilesOfGradient& g, const float* row, int64_t c, int64_t x, VF* out) {
  const int64_t channels = g.count - c;
  const LaneMask<float> mask = inside<float>(x, g.width);
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) {
    if (!row || i >= channels) {
      out[i] = VF{};
    } else if (g.step <= 2) {
      out[i] = load_lanes(row + i * g.in_step + x, mask);
    } else {
      float part[L];
      for (int q = 0; q < L; ++q) part[q] = x + q * g.step < g.width ? row[i * g.in_step + x + q * g.step] : 0.0f;
      out[i] = load(part);
    }
  }
  transpose<L>(out);
}

template <class H, class W>
void tiles_of_gradient(const TilesOfGradient& g) {
  constexpr Method kH = H::kMethod, kW = W::kMethod;
  constexpr int kTiles = L / kW.results;
  for (int64_t c = 0; c < g.count; c += L) {
    VF sum{};
    float* panel = g.out + c / g.panel * g.panel_step + c % g.panel;
    for (int64_t j = 0; j < g.len; j += kTiles) {
      VF in[kH.results][L];
      for (int r = 0; r < kH.results; ++r) {
        gradient_columns(g, g.in[r] ? g.in[r] + c * g.in_step : nullptr, c, g.x + kW.results * j * (g.step <= 2 ? 1 : g.step), in[r]);
      }
      const int64_t tiles = g.len - j < kTiles ? g.len - j : kTiles;
      for (int64_t t = 0; t < tiles; ++t) {
        // Neighbouring tiles of columns two apart take turns.
        const int64_t first = g.step == 2 ? t / 2 * 2 * kW.results + t % 2 : t * kW.results, apart = g.step == 2 ? 2 : 1;
        VF columns[kW.results][kH.planes];
#pragma GCC unroll 2
        for (int q = 0; q < kW.results; ++q) {
          VF y[kH.results];
#pragma GCC unroll 2
          for (int r = 0; r < kH.results; ++r) {
            y[r] = in[r][first + apart * q];
            sum = sum + y[r];
          }
          H::gradient(y, columns[q]);
        }
        float* out = panel + (j + t) * g.panel;
#pragma GCC unroll 7
        for (int r = 0; r < kH.planes; ++r) {
          VF y[kW.results], m[kW.planes];
#pragma GCC unroll 2
          for (int q = 0; q < kW.results; ++q) y[q] = columns[q][r];
          W::gradient(y, m);
#pragma GCC unroll 7
          for (int q = 0; q < kW.planes; ++q) store(out + (kW.planes * r + q) * g.plane_step, m[q]);
        }
      }
    }
    if (g.sums) {
      const int n = clamp_lane(g.count - c, L);
      store_part(g.sums + c, load_part(g.sums + c, n) + sum, n);
    }
  }
}

// ---- kernels ---------------------------------------------------------------------------------------------------

#if PYDL_ISA_LEVEL == 2
// out[q] has element q of p[0], p[step], ..., p[15 * step]: four numbers of each.
PYDL_INLINE void load_fours(const float* p, int64_t step, VF* out) {
  using Four = float __attribute__((vector_size(16)));
  VF v[4];  // v[r] has the kernels r, 4 + r, 8 + r and 12 + r
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    Four part[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) __builtin_memcpy(&part[i], p + (4 * i + r) * step, sizeof(Four));
    const auto low = __builtin_shufflevector(part[0], part[1], 0, 1, 2, 3, 4, 5, 6, 7);
    const auto high = __builtin_shufflevector(part[2], part[3], 0, 1, 2, 3, 4, 5, 6, 7);
    v[r] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  // Transposes of four by four, in each quarter.
  const auto pairs = [](VF a, VF b, bool second) __attribute__((always_inline)) {
    return second ? __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
                  : __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  };
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const VF a = pairs(v[0], v[1], i), b = pairs(v[2], v[3], i);
    out[2 * i] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    out[2 * i + 1] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
}

// The taps of 16 kernels, if they are neighbours, in order or the other way around.
template <int kTaps>
PYDL_INLINE bool load_neighbours(const KernelsIn& g, const float* in, VF* taps) {
  if (kTaps < 4) return false;
  const bool descending = g.at[0] != 0;
  for (int t = 0; t < kTaps; ++t) {
    if (g.at[t] != (descending ? kTaps - 1 - t : t)) return false;
  }
  VF all[kTaps];
#pragma GCC unroll 6
  for (int t = 0; t + 4 <= kTaps; t += 4) load_fours(in + t, g.in_step, all + t);
  if constexpr (kTaps % 4 != 0) load_fours(in + kTaps - 4, g.in_step, all + kTaps - 4);
#pragma GCC unroll 25
  for (int t = 0; t < kTaps; ++t) taps[t] = descending ? all[kTaps - 1 - t] : all[t];
  return true;
}
#else
template <int kTaps>
PYDL_INLINE bool load_neighbours(const KernelsIn&, const float*, VF*) {
  return false;
}
#endif

// The taps of n kernels as vectors of kernels.
template <int kTaps>
PYDL_INLINE void load_kernels(const KernelsIn& g, int64_t i, int n, VF* taps) {
  const float* in = g.in + i * g.in_step;
  if (n == L && load_neighbours<kTaps>(g, in, taps)) return;
  int64_t last = 0;
  for (int t = 0; t < kTaps; ++t) last = last > g.at[t] ? last : g.at[t];
  if (L == 16 && last < L) {  // a kernel fits into a vector
    VF rows[L];
#pragma GCC unroll 16
    for (int q = 0; q < L; ++q) rows[q] = q < n ? load_part(in + q * g.in_step, static_cast<int>(last + 1)) : VF{};
    transpose<L>(rows);
    for (int t = 0; t < kTaps; ++t) taps[t] = rows[g.at[t]];
    return;
  }
  for (int t = 0; t < kTaps; ++t) {
    float lane[L] = {};
    for (int q = 0; q < n; ++q) lane[q] = in[q * g.in_step + g.at[t]];
    taps[t] = load(lane);
  }
}

template <class H, class W>
void kernels_in(const KernelsIn& g) {
  constexpr Method kH = H::kMethod, kW = W::kMethod;
  for (int64_t i = 0; i < g.count; i += L) {
    const int n = clamp_lane(g.count - i, L);
    VF taps[kH.taps * kW.taps], rows[kW.planes][kH.taps];
    load_kernels<kH.taps * kW.taps>(g, i, n, taps);
#pragma GCC unroll 5
    for (int r = 0; r < kH.taps; ++r) {
      VF u[kW.planes];
      W::kernel(taps + kW.taps * r, u);
#pragma GCC unroll 7
      for (int q = 0; q < kW.planes; ++q) rows[q][r] = u[q];
    }
#pragma GCC unroll 7
    for (int q = 0; q < kW.planes; ++q) {
      VF u[kH.planes];
      H::kernel(rows[q], u);
#pragma GCC unroll 7
      for (int r = 0; r < kH.planes; ++r) store_part(g.out + (kW.planes * r + q) * g.plane_step + i, u[r], n);
    }
  }
}

template <int kTaps>
PYDL_INLINE void store_kernels(const KernelsOut& g, int64_t i, int n, const VF* taps) {
  float* out = g.out + i * g.out_step;
  if constexpr (L == 16 && kTaps <= L) {
    VF rows[L] = {};
#pragma GCC unroll 16
    for (int t = 0; t < kTaps; ++t) rows[t] = taps[t];
    transpose<L>(rows);
#pragma GCC unroll 16
    for (int q = 0; q < L; ++q) {
      if (q < n) store_part(out + q * g.out_step, rows[q], kTaps);
    }
  } else {
    for (int t = 0; t < kTaps; ++t) {
      float lane[L];
      store(lane, taps[t]);
      for (int q = 0; q < n; ++q) out[q * g.out_step + t] = lane[q];
    }
  }
}

template <class H, class W>
bool kernels_out(const KernelsOut& g) {
  constexpr Method kH = H::kMethod, kW = W::kMethod;
  VF zeros{};
  for (int64_t i = 0; i < g.count; i += L) {
    const int n = clamp_lane(g.count - i, L);
    VF rows[kH.taps][kW.planes], taps[kH.taps * kW.taps];
#pragma GCC unroll 7
    for (int q = 0; q < kW.planes; ++q) {
      VF s[kH.planes], r[kH.taps];
#pragma GCC unroll 7
      for (int p = 0; p < kH.planes; ++p) s[p] = load_part(g.in + (kW.planes * p + q) * g.plane_step + i, n);
      H::sums(s, r);
#pragma GCC unroll 5
      for (int t = 0; t < kH.taps; ++t) rows[t][q] = r[t];
    }
#pragma GCC unroll 5
    for (int r = 0; r < kH.taps; ++r) W::sums(rows[r], taps + kW.taps * r);
#pragma GCC unroll 25
    for (int t = 0; t < kH.taps * kW.taps; ++t) zeros = zeros + taps[t] * VF{};
    store_kernels<kH.taps * kW.taps>(g, i, n, taps);
  }
  return all_finite(zeros);
}

template <class H, class W>
constexpr WinogradKernels kernels_of() {
  return {tiles_in<H, W>, tiles_out<H, W>, tiles_of_gradient<H, W>, kernels_in<H, W>, kernels_out<H, W>};
}

}  // namespace

// In the order of kSchemes.
constinit const WinogradTable winograd = {{kernels_of<ThreeTaps, ThreeTaps>(), kernels_of<TwoTaps, TwoTaps>(),
                                           kernels_of<FiveTaps, FiveTaps>(), kernels_of<ThreeTapsBy2, ThreeTapsBy2>(),
                                           kernels_of<FourTapsBy2, FourTapsBy2>(), kernels_of<OneTap, ThreeTaps>(),
                                           kernels_of<OneTap, FiveTaps>(), kernels_of<OneTap, TwoTaps>(), kernels_of<TwoTaps, OneTap>()}};

}  // namespace pydl::kernels::conv::PYDL_ISA
