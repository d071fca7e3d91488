// The few vector operations that the matrix kernels need. Included by *.kernel.cpp only, inside one translation unit per
// instruction set, hence the anonymous namespace.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define PYDL_INLINE [[gnu::always_inline]] inline

namespace pydl::kernels {
namespace {

#if PYDL_ISA_LEVEL == 2
inline constexpr int kVectorBytes = 64;
#elif PYDL_ISA_LEVEL == 1
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

template <class T>
using Vec [[gnu::vector_size(kVectorBytes)]] = T;
template <class T>
inline constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

using VF = float __attribute__((vector_size(kVectorBytes)));
using VD = double __attribute__((vector_size(kVectorBytes)));

template <class T>
struct VecType;
template <>
struct VecType<float> {
  using Type = VF;
};
template <>
struct VecType<double> {
  using Type = VD;
};
template <class T>
using V = typename VecType<T>::Type;

template <class T>
PYDL_INLINE V<T> load(const T* p) {
  V<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
PYDL_INLINE void store(T* p, V<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
template <class T>
PYDL_INLINE V<T> splat(T x) {
  return x - V<T>{};  // x - 0 keeps -0 and NaN; compiles to one broadcast
}

#if PYDL_ISA_LEVEL == 2
PYDL_INLINE VF fma(VF a, VF b, VF c) { return _mm512_fmadd_ps(a, b, c); }
PYDL_INLINE VD fma(VD a, VD b, VD c) { return _mm512_fmadd_pd(a, b, c); }
PYDL_INLINE VF load_part(const float* p, int n) { return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p); }
PYDL_INLINE VD load_part(const double* p, int n) { return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p); }
PYDL_INLINE void store_part(float* p, VF v, int n) { _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v); }
PYDL_INLINE void store_part(double* p, VD v, int n) { _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v); }
#elif PYDL_ISA_LEVEL == 1
PYDL_INLINE VF fma(VF a, VF b, VF c) { return _mm256_fmadd_ps(a, b, c); }
PYDL_INLINE VD fma(VD a, VD b, VD c) { return _mm256_fmadd_pd(a, b, c); }
alignas(64) constexpr int32_t kMaskWindow[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
PYDL_INLINE __m256i lane_mask(int n32) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMaskWindow + 8 - n32)); }
PYDL_INLINE VF load_part(const float* p, int n) { return _mm256_maskload_ps(p, lane_mask(n)); }
PYDL_INLINE VD load_part(const double* p, int n) { return _mm256_maskload_pd(p, lane_mask(2 * n)); }
PYDL_INLINE void store_part(float* p, VF v, int n) { _mm256_maskstore_ps(p, lane_mask(n), v); }
PYDL_INLINE void store_part(double* p, VD v, int n) { _mm256_maskstore_pd(p, lane_mask(2 * n), v); }
#else
// No fused multiply-add at this level: two roundings.
PYDL_INLINE VF fma(VF a, VF b, VF c) { return a * b + c; }
PYDL_INLINE VD fma(VD a, VD b, VD c) { return a * b + c; }
template <class T>
PYDL_INLINE V<T> load_part(const T* p, int n) {
  V<T> v{};
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
}
template <class T>
PYDL_INLINE void store_part(T* p, V<T> v, int n) {
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < n) p[i] = v[i];
  }
}
#endif

// Adds the lanes as a binary tree, so the order is the same wherever it is used.
template <class T>
PYDL_INLINE T sum_lanes(V<T> v) {
  T lane[kLanes<T>];
  __builtin_memcpy(lane, &v, sizeof v);
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

// Keeps a broadcast in a register: otherwise it is folded into every use as a memory operand and the load ports saturate.
template <class X>
PYDL_INLINE void pin(X& v) {
#if PYDL_ISA_LEVEL == 2
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#endif
}

template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using Type = Indices<I...>;
};

// One butterfly stage of a transpose: swaps the off-diagonal S-wide parts of rows `a` (upper) and `b` (lower).
template <int S, int N, class X, int... I>
PYDL_INLINE void exchange(X& a, X& b, Indices<I...>) {
  const X low = __builtin_shufflevector(a, b, ((I & S) ? N + (I ^ S) : I)...);
  const X high = __builtin_shufflevector(a, b, ((I & S) ? N + I : (I ^ S))...);
  a = low;
  b = high;
}

template <int S, int N, class X>
PYDL_INLINE void exchange_all(X* rows) {
#pragma GCC unroll 64
  for (int i = 0; i < N; ++i) {
    if (!(i & S)) exchange<S, N>(rows[i], rows[i | S], typename MakeIndices<N>::Type{});
  }
  if constexpr (S > 1) exchange_all<S / 2, N>(rows);
}

// Transposes N vectors of N lanes in registers, log2(N) stages (Eklundh's method).
template <int N, class X>
PYDL_INLINE void transpose(X* rows) {
  exchange_all<N / 2, N>(rows);
}

}  // namespace
}  // namespace pydl::kernels
