#include "kernels/conv/winograd.h"

#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::conv::PYDL_ISA {
namespace {

constexpr int L = kLanes<float>;
using Lanes = typename MakeIndices<L>::Type;

template <int... I>
PYDL_INLINE VF even(VF a, VF b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I)...);
}
template <int... I>
PYDL_INLINE VF odd(VF a, VF b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <int... I>
PYDL_INLINE VF zip_low(VF a, VF b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (I / 2 + I % 2 * L)...);
}
template <int... I>
PYDL_INLINE VF zip_high(VF a, VF b, Indices<I...>) {
  return __builtin_shufflevector(a, b, (L / 2 + I / 2 + I % 2 * L)...);
}

PYDL_INLINE int clamp_lane(int64_t x) { return static_cast<int>(x < 0 ? 0 : x > L ? L : x); }

// row[x + i] for the places inside [0, width), else 0.
PYDL_INLINE VF load_inside(const float* row, int64_t x, int64_t width) {
  if (x >= 0 && x + L <= width) return load(row + x);
  if (x >= 0) return load_part(row + x, clamp_lane(width - x));
  float part[L] = {};
  for (int64_t i = -x; i < L && x + i < width; ++i) part[i] = row[x + i];
  return load(part);
}

// ---- tiles of the input ----------------------------------------------------------------------------------------

// Columns q = 0..3 of the L tiles whose first one begins at x.
template <bool kDense>
PYDL_INLINE void tile_columns(const float* row, int64_t x, int64_t step, int64_t width, VF* out) {
  if (kDense && x >= 0 && x + 2 * L + 2 <= width) {
    const float* p = row + x;
    const VF a = load(p), b = load(p + L), c = load(p + 2), d = load(p + L + 2);
    out[0] = even(a, b, Lanes{});
    out[1] = odd(a, b, Lanes{});
    out[2] = even(c, d, Lanes{});
    out[3] = odd(c, d, Lanes{});
    return;
  }
  if (kDense) {
    const VF a = load_inside(row, x, width), b = load_inside(row, x + L, width);
    const VF c = load_inside(row, x + 2, width), d = load_inside(row, x + L + 2, width);
    out[0] = even(a, b, Lanes{});
    out[1] = odd(a, b, Lanes{});
    out[2] = even(c, d, Lanes{});
    out[3] = odd(c, d, Lanes{});
    return;
  }
  float first[L + 1], second[L + 1];
  const auto at = [&](int64_t place) { return place >= 0 && place < width ? row[place] : 0.0f; };
  for (int i = 0; i <= L; ++i) {
    first[i] = at(x + step * (2 * i));
    second[i] = at(x + step * (2 * i + 1));
  }
  out[0] = load(first);
  out[1] = load(second);
  out[2] = load(first + 1);
  out[3] = load(second + 1);
}

// B^T d, in place.
PYDL_INLINE void input_transform(VF& a, VF& b, VF& c, VF& d) {
  const VF r0 = a - c, r1 = b + c, r2 = c - b, r3 = d - b;
  a = r0, b = r1, c = r2, d = r3;
}

template <bool kDense>
void tiles_in_as(const TilesIn& g) {
  for (int64_t c = 0; c < g.count; ++c) {
    float* out = g.out + c * g.out_step;
    for (int64_t j = 0; j < g.len; j += L) {
      VF v[4][4];
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        if (g.in[r]) {
          tile_columns<kDense>(g.in[r] + c * g.in_step, g.x + 2 * j * g.step, g.step, g.width, v[r]);
        } else {
          v[r][0] = v[r][1] = v[r][2] = v[r][3] = VF{};
        }
      }
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) input_transform(v[0][q], v[1][q], v[2][q], v[3][q]);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        input_transform(v[r][0], v[r][1], v[r][2], v[r][3]);
#pragma GCC unroll 4
        for (int q = 0; q < 4; ++q) store(out + (4 * r + q) * g.plane_step + j, v[r][q]);
      }
    }
  }
}

void tiles_in(const TilesIn& g) { g.step == 1 ? tiles_in_as<true>(g) : tiles_in_as<false>(g); }

// ---- results ---------------------------------------------------------------------------------------------------

// A^T m.
PYDL_INLINE VF sum_first(VF a, VF b, VF c) { return a + b + c; }
PYDL_INLINE VF sum_second(VF b, VF c, VF d) { return b - c + d; }

// Results at columns x + step * (2 j) from `first` and x + step * (2 j + 1) from `second`, for tiles [0, len).
template <bool kDense>
PYDL_INLINE void write_columns(float* row, int64_t x, int64_t step, int64_t width, int64_t len, VF first, VF second) {
  if constexpr (kDense) {
    const int64_t most = 2 * len, room = width - x, n = most < room ? most : room;
    const VF low = zip_low(first, second, Lanes{}), high = zip_high(first, second, Lanes{});
    if (n >= 2 * L) {
      store(row + x, low);
      store(row + x + L, high);
    } else {
      store_part(row + x, low, clamp_lane(n));
      if (n > L) store_part(row + x + L, high, clamp_lane(n - L));
    }
  } else {
    float a[L], b[L];
    store(a, first);
    store(b, second);
    for (int64_t i = 0; i < L && i < len; ++i) {
      const int64_t at = x + step * 2 * i;
      if (at < width) row[at] = a[i];
      if (at + step < width) row[at + step] = b[i];
    }
  }
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

template <bool kDense>
bool tiles_out_as(const TilesOut& g) {
  VF zeros{};
  for (int64_t c = 0; c < g.count; ++c) {
    const float* in = g.in + c * g.in_step;
    const VF bias = splat(g.bias ? g.bias[c] : 0.0f);
    for (int64_t j = 0; j < g.len; j += L) {
      VF top[4], bottom[4];
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) {
        const float* m = in + q * g.plane_step + j;
        const VF a = load(m), b = load(m + 4 * g.plane_step), d = load(m + 8 * g.plane_step), e = load(m + 12 * g.plane_step);
        top[q] = sum_first(a, b, d);
        bottom[q] = sum_second(b, d, e);
      }
      VF y[2][2] = {{sum_first(top[0], top[1], top[2]), sum_second(top[1], top[2], top[3])},
                    {sum_first(bottom[0], bottom[1], bottom[2]), sum_second(bottom[1], bottom[2], bottom[3])}};
      const int64_t len = g.len - j, x = g.x + 2 * j * g.step;
#pragma GCC unroll 2
      for (int r = 0; r < 2; ++r) {
        if (!g.out[r]) continue;
        write_columns<kDense>(g.out[r] + c * g.out_step, x, g.step, g.width, len, y[r][0] + bias, y[r][1] + bias);
        const VF zero = y[r][0] * VF{} + y[r][1] * VF{};
        zeros = zeros + (len >= L ? zero : first_lanes(zero, static_cast<int>(len)));
      }
    }
  }
  return all_finite(zeros);
}

bool tiles_out(const TilesOut& g) { return g.step == 1 ? tiles_out_as<true>(g) : tiles_out_as<false>(g); }

// ---- tiles of the gradient -------------------------------------------------------------------------------------

// L columns from x on, as they are met in tiles: vectors of channels.
PYDL_INLINE void gradient_columns(const TilesOfGradient& g, const float* row, int64_t c, int64_t x, VF* out) {
  const int64_t channels = g.count - c;
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) {
    if (!row || i >= channels) {
      out[i] = VF{};
    } else if (g.step == 1) {
      out[i] = load_inside(row + i * g.in_step, x, g.width);
    } else {
      float part[L];
      for (int q = 0; q < L; ++q) part[q] = x + q * g.step < g.width ? row[i * g.in_step + x + q * g.step] : 0.0f;
      out[i] = load(part);
    }
  }
  transpose<L>(out);
}

void tiles_of_gradient(const TilesOfGradient& g) {
  constexpr int kTiles = L / 2;
  for (int64_t c = 0; c < g.count; c += L) {
    VF sum{};
    float* panel = g.out + c / g.panel * g.panel_step + c % g.panel;
    for (int64_t j = 0; j < g.len; j += kTiles) {
      VF top[L], bottom[L];
      const int64_t x = g.x + 2 * j * g.step;
      gradient_columns(g, g.in[0] + c * g.in_step, c, x, top);
      gradient_columns(g, g.in[1] ? g.in[1] + c * g.in_step : nullptr, c, x, bottom);
      const int64_t tiles = g.len - j < kTiles ? g.len - j : kTiles;
      for (int64_t t = 0; t < tiles; ++t) {
        const VF a = top[2 * t], b = top[2 * t + 1], d = bottom[2 * t], e = bottom[2 * t + 1];
        const VF rows[4][2] = {{a, b}, {a + d, b + e}, {a - d, b - e}, {d, e}};
        float* out = panel + (j + t) * g.panel;
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
          store(out + (4 * r) * g.plane_step, rows[r][0]);
          store(out + (4 * r + 1) * g.plane_step, rows[r][0] + rows[r][1]);
          store(out + (4 * r + 2) * g.plane_step, rows[r][0] - rows[r][1]);
          store(out + (4 * r + 3) * g.plane_step, rows[r][1]);
        }
        sum = sum + (rows[1][0] + rows[1][1]);
      }
    }
    if (g.sums) {
      const int n = clamp_lane(g.count - c);
      store_part(g.sums + c, load_part(g.sums + c, n) + sum, n);
    }
  }
}

// ---- kernels ---------------------------------------------------------------------------------------------------

// G g.
PYDL_INLINE void kernel_transform(VF a, VF b, VF c, VF* out) {
  const VF half = splat(0.5f), ends = a + c;
  out[0] = a;
  out[1] = half * (ends + b);
  out[2] = half * (ends - b);
  out[3] = c;
}

// The nine weights of n kernels as vectors of kernels.
PYDL_INLINE void load_kernels(const KernelsIn& g, int64_t i, int n, VF* taps) {
  const float* in = g.in + i * g.in_step;
  if constexpr (L >= 9) {
    VF rows[L];
#pragma GCC unroll 16
    for (int q = 0; q < L; ++q) rows[q] = q < n ? load_part(in + q * g.in_step, 9) : VF{};
    transpose<L>(rows);
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) taps[t] = rows[t];
  } else {
    float part[9][L] = {};
    for (int q = 0; q < n; ++q) {
#pragma GCC unroll 9
      for (int t = 0; t < 9; ++t) part[t][q] = in[q * g.in_step + t];
    }
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) taps[t] = load(part[t]);
  }
}

PYDL_INLINE void swap(VF& a, VF& b) {
  const VF c = a;
  a = b, b = c;
}

void kernels_in(const KernelsIn& g) {
  for (int64_t i = 0; i < g.count; i += L) {
    const int n = clamp_lane(g.count - i);
    VF taps[9];
    load_kernels(g, i, n, taps);
    if (g.flip_h) swap(taps[0], taps[6]), swap(taps[1], taps[7]), swap(taps[2], taps[8]);
    if (g.flip_w) swap(taps[0], taps[2]), swap(taps[3], taps[5]), swap(taps[6], taps[8]);
    VF rows[3][4];
#pragma GCC unroll 3
    for (int q = 0; q < 3; ++q) kernel_transform(taps[q], taps[3 + q], taps[6 + q], rows[q]);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) {
      VF v[4];
      kernel_transform(rows[0][r], rows[1][r], rows[2][r], v);
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q) store_part(g.out + (4 * r + q) * g.plane_step + i, v[q], n);
    }
  }
}

// G^T s.
PYDL_INLINE void sums_transform(const VF* s, VF* out) {
  const VF half = splat(0.5f), p = half * (s[1] + s[2]), m = half * (s[1] - s[2]);
  out[0] = s[0] + p;
  out[1] = m;
  out[2] = p + s[3];
}

PYDL_INLINE void store_kernels(const KernelsOut& g, int64_t i, int n, const VF* taps) {
  float* out = g.out + i * g.out_step;
  if constexpr (L >= 9) {
    VF rows[L] = {};
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) rows[t] = taps[t];
    transpose<L>(rows);
#pragma GCC unroll 16
    for (int q = 0; q < L; ++q) {
      if (q < n) store_part(out + q * g.out_step, rows[q], 9);
    }
  } else {
    float part[9][L];
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) store(part[t], taps[t]);
    for (int q = 0; q < n; ++q) {
#pragma GCC unroll 9
      for (int t = 0; t < 9; ++t) out[q * g.out_step + t] = part[t][q];
    }
  }
}

bool kernels_out(const KernelsOut& g) {
  VF zeros{};
  for (int64_t i = 0; i < g.count; i += L) {
    const int n = clamp_lane(g.count - i);
    VF rows[3][4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      VF s[4], r[3];
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) s[p] = load_part(g.in + (4 * p + q) * g.plane_step + i, n);
      sums_transform(s, r);
      rows[0][q] = r[0], rows[1][q] = r[1], rows[2][q] = r[2];
    }
    VF taps[9];
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r) sums_transform(rows[r], taps + 3 * r);
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) zeros = zeros + taps[t] * VF{};
    store_kernels(g, i, n, taps);
  }
  return all_finite(zeros);
}

}  // namespace

constinit const WinogradTable winograd = {tiles_in, tiles_out, tiles_of_gradient, kernels_in, kernels_out};

}  // namespace pydl::kernels::conv::PYDL_ISA
