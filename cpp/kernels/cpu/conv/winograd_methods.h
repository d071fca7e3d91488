// The matrices of Winograd's method along one dim, as additions of vectors. Each struct has B^T (`input`), G (`kernel`),
// A^T (`result`), A (`gradient`) and G^T (`sums`). Included by *.kernel.cpp only.
#pragma once

#include "kernels/conv/winograd.h"
#include "kernels/cpu/matmul/vec.h"

namespace pydl::kernels::conv {
namespace {

// A tap by itself: no saving, for the dim that a kernel lacks.
struct OneTap {
  static constexpr const Method& kMethod = kOneTap;
  PYDL_INLINE static void input(const VF* d, VF* v) { v[0] = d[0]; }
  PYDL_INLINE static void kernel(const VF* g, VF* u) { u[0] = g[0]; }
  PYDL_INLINE static void result(const VF* m, VF* y) { y[0] = m[0]; }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { m[0] = y[0]; }
  PYDL_INLINE static void sums(const VF* s, VF* g) { g[0] = s[0]; }
};

struct TwoTaps {
  static constexpr const Method& kMethod = kTwoTaps;
  PYDL_INLINE static void input(const VF* d, VF* v) { v[0] = d[0] - d[1], v[1] = d[1], v[2] = d[2] - d[1]; }
  PYDL_INLINE static void kernel(const VF* g, VF* u) { u[0] = g[0], u[1] = g[0] + g[1], u[2] = g[1]; }
  PYDL_INLINE static void result(const VF* m, VF* y) { y[0] = m[0] + m[1], y[1] = m[1] + m[2]; }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { m[0] = y[0], m[1] = y[0] + y[1], m[2] = y[1]; }
  PYDL_INLINE static void sums(const VF* s, VF* g) { g[0] = s[0] + s[1], g[1] = s[1] + s[2]; }
};

struct ThreeTaps {
  static constexpr const Method& kMethod = kThreeTaps;
  PYDL_INLINE static void input(const VF* d, VF* v) { v[0] = d[0] - d[2], v[1] = d[1] + d[2], v[2] = d[2] - d[1], v[3] = d[3] - d[1]; }
  PYDL_INLINE static void kernel(const VF* g, VF* u) {
    const VF half = splat(0.5f), ends = g[0] + g[2];
    u[0] = g[0], u[1] = half * (ends + g[1]), u[2] = half * (ends - g[1]), u[3] = g[2];
  }
  PYDL_INLINE static void result(const VF* m, VF* y) { y[0] = m[0] + m[1] + m[2], y[1] = m[1] - m[2] + m[3]; }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { m[0] = y[0], m[1] = y[0] + y[1], m[2] = y[0] - y[1], m[3] = y[1]; }
  PYDL_INLINE static void sums(const VF* s, VF* g) {
    const VF half = splat(0.5f), p = half * (s[1] + s[2]);
    g[0] = s[0] + p, g[1] = half * (s[1] - s[2]), g[2] = p + s[3];
  }
};

struct FiveTaps {
  static constexpr const Method& kMethod = kFiveTaps;
  PYDL_INLINE static void input(const VF* d, VF* v) { ThreeTaps::input(d, v), TwoTaps::input(d + 3, v + 4); }
  PYDL_INLINE static void kernel(const VF* g, VF* u) { ThreeTaps::kernel(g, u), TwoTaps::kernel(g + 3, u + 4); }
  PYDL_INLINE static void result(const VF* m, VF* y) {
    VF z[2];
    ThreeTaps::result(m, y), TwoTaps::result(m + 4, z);
    y[0] = y[0] + z[0], y[1] = y[1] + z[1];
  }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { ThreeTaps::gradient(y, m), TwoTaps::gradient(y, m + 4); }
  PYDL_INLINE static void sums(const VF* s, VF* g) { ThreeTaps::sums(s, g), TwoTaps::sums(s + 4, g + 3); }
};

struct ThreeTapsBy2 {
  static constexpr const Method& kMethod = kThreeTapsBy2;
  PYDL_INLINE static void input(const VF* d, VF* v) { v[0] = d[0] - d[2], v[1] = d[2], v[2] = d[4] - d[2], v[3] = d[1], v[4] = d[3]; }
  PYDL_INLINE static void kernel(const VF* g, VF* u) { u[0] = g[0], u[1] = g[0] + g[2], u[2] = g[2], u[3] = u[4] = g[1]; }
  PYDL_INLINE static void result(const VF* m, VF* y) { y[0] = m[0] + m[1] + m[3], y[1] = m[1] + m[2] + m[4]; }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { m[0] = m[3] = y[0], m[1] = y[0] + y[1], m[2] = m[4] = y[1]; }
  PYDL_INLINE static void sums(const VF* s, VF* g) { g[0] = s[0] + s[1], g[1] = s[3] + s[4], g[2] = s[1] + s[2]; }
};

struct FourTapsBy2 {
  static constexpr const Method& kMethod = kFourTapsBy2;
  PYDL_INLINE static void input(const VF* d, VF* v) {
    v[0] = d[0] - d[2], v[1] = d[2], v[2] = d[4] - d[2], v[3] = d[1] - d[3], v[4] = d[3], v[5] = d[5] - d[3];
  }
  PYDL_INLINE static void kernel(const VF* g, VF* u) {
    u[0] = g[0], u[1] = g[0] + g[2], u[2] = g[2], u[3] = g[1], u[4] = g[1] + g[3], u[5] = g[3];
  }
  PYDL_INLINE static void result(const VF* m, VF* y) { y[0] = m[0] + m[1] + (m[3] + m[4]), y[1] = m[1] + m[2] + (m[4] + m[5]); }
  PYDL_INLINE static void gradient(const VF* y, VF* m) { m[0] = m[3] = y[0], m[1] = m[4] = y[0] + y[1], m[2] = m[5] = y[1]; }
  PYDL_INLINE static void sums(const VF* s, VF* g) { g[0] = s[0] + s[1], g[1] = s[3] + s[4], g[2] = s[1] + s[2], g[3] = s[4] + s[5]; }
};

}  // namespace
}  // namespace pydl::kernels::conv
