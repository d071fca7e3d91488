#include "kernels/vision/bytes.h"

#ifdef __SSE4_1__
#include <immintrin.h>
#endif

#include "simd/lanes.h"

namespace pydl::kernels::vision::PYDL_ISA {
namespace {

constexpr int kTile = 16;  // rows and columns turned at a time

// Two neighbouring taps at a time: bytes as 16-bit numbers, side by side with those of the next row, times a pair of weights.
// The halves come out of order and are packed back into it.
#if PYDL_ISA_LEVEL == 2
// The forms with a mask of all lanes: the others trip GCC's check for uninitialised variables.
using Wide = __m512i;
constexpr int kLanes = 32;
PYDL_INLINE Wide all(int32_t v) { return _mm512_set1_epi32(v); }
PYDL_INLINE Wide load(const uint8_t* p) { return _mm512_maskz_cvtepu8_epi16(~0U, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
PYDL_INLINE Wide low(Wide sum, Wide a, Wide b, Wide w) { return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_unpacklo_epi16(a, b), w)); }
PYDL_INLINE Wide high(Wide sum, Wide a, Wide b, Wide w) { return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_unpackhi_epi16(a, b), w)); }
PYDL_INLINE void store(uint8_t* p, Wide lo, Wide hi, __m128i bits) {
  const Wide both = _mm512_packs_epi32(_mm512_maskz_sra_epi32(0xffff, lo, bits), _mm512_maskz_sra_epi32(0xffff, hi, bits));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtusepi16_epi8(~0U, _mm512_max_epi16(both, _mm512_setzero_si512())));
}
#elif PYDL_ISA_LEVEL == 1
using Wide = __m256i;
constexpr int kLanes = 16;
PYDL_INLINE Wide all(int32_t v) { return _mm256_set1_epi32(v); }
PYDL_INLINE Wide load(const uint8_t* p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
PYDL_INLINE Wide low(Wide sum, Wide a, Wide b, Wide w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w)); }
PYDL_INLINE Wide high(Wide sum, Wide a, Wide b, Wide w) { return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w)); }
PYDL_INLINE void store(uint8_t* p, Wide lo, Wide hi, __m128i bits) {
  const Wide both = _mm256_packs_epi32(_mm256_sra_epi32(lo, bits), _mm256_sra_epi32(hi, bits));
  const Wide bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(both, both), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bytes));
}
#elif defined(__SSE4_1__)
using Wide = __m128i;
constexpr int kLanes = 8;
PYDL_INLINE Wide all(int32_t v) { return _mm_set1_epi32(v); }
PYDL_INLINE Wide load(const uint8_t* p) { return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
PYDL_INLINE Wide low(Wide sum, Wide a, Wide b, Wide w) { return _mm_add_epi32(sum, _mm_madd_epi16(_mm_unpacklo_epi16(a, b), w)); }
PYDL_INLINE Wide high(Wide sum, Wide a, Wide b, Wide w) { return _mm_add_epi32(sum, _mm_madd_epi16(_mm_unpackhi_epi16(a, b), w)); }
PYDL_INLINE void store(uint8_t* p, Wide lo, Wide hi, __m128i bits) {
  const Wide both = _mm_packs_epi32(_mm_sra_epi32(lo, bits), _mm_sra_epi32(hi, bits));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(both, both));
}
#endif

#ifdef __SSE4_1__
// The sums of N vectors of neighbouring bytes.
template <int N>
PYDL_INLINE void sums(uint8_t* to, const uint8_t* x, const ByteAxis& a, const int16_t* w, int64_t count) {
  Wide lo[N], hi[N];
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) lo[n] = hi[n] = all(int32_t{1} << (a.bits - 1));
  for (int64_t t = 0; t < count; t += 2) {
    const bool two = t + 1 < count;
    const Wide pair = all((two ? static_cast<int32_t>(static_cast<uint32_t>(w[t + 1]) << 16) : 0) | static_cast<uint16_t>(w[t]));
    const uint8_t *first = x + t * a.inner, *second = two ? first + a.inner : first;
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
      const Wide p = load(first + n * kLanes), q = load(second + n * kLanes);
      lo[n] = low(lo[n], p, q, pair), hi[n] = high(hi[n], p, q, pair);
    }
  }
#pragma GCC unroll 2
  for (int n = 0; n < N; ++n) store(to + n * kLanes, lo[n], hi[n], _mm_cvtsi32_si128(a.bits));
}
#endif
PYDL_INLINE uint8_t sum_of_one(const uint8_t* x, const ByteAxis& a, const int16_t* w, int64_t count) {
  int32_t sum = int32_t{1} << (a.bits - 1);
  for (int64_t t = 0; t < count; ++t) sum += int32_t{w[t]} * int32_t{x[t * a.inner]};
  sum >>= a.bits;
  return static_cast<uint8_t>(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void across(uint8_t* out, const uint8_t* in, const ByteAxis& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t j = r % a.out, count = a.count[j];
    const int16_t* w = a.weights + j * a.taps;
    const uint8_t* x = in + (r / a.out * a.in + a.start[j]) * a.inner;
    uint8_t* to = out + r * a.inner;
    int64_t i = 0;
#ifdef __SSE4_1__
    for (; i + 2 * kLanes <= a.inner; i += 2 * kLanes) sums<2>(to + i, x + i, a, w, count);
    for (; i + kLanes <= a.inner; i += kLanes) sums<1>(to + i, x + i, a, w, count);
#endif
    for (; i < a.inner; ++i) to[i] = sum_of_one(x + i, a, w, count);
  }
}

using Row = uint8_t __attribute__((vector_size(kTile)));

// Of 16 rows rows i and i + 8 are merged byte by byte; four times that, and rows are columns.
PYDL_INLINE void merge(Row* to, const Row* from) {
  for (int i = 0; i < kTile / 2; ++i) {
    to[2 * i] = __builtin_shufflevector(from[i], from[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    to[2 * i + 1] = __builtin_shufflevector(from[i], from[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  }
}
PYDL_INLINE void tile(uint8_t* out, int64_t out_stride, const uint8_t* in, int64_t in_stride) {
  Row a[kTile], b[kTile];
  for (int i = 0; i < kTile; ++i) __builtin_memcpy(&a[i], in + i * in_stride, kTile);
  merge(b, a), merge(a, b), merge(b, a), merge(a, b);
  for (int i = 0; i < kTile; ++i) __builtin_memcpy(out + i * out_stride, &a[i], kTile);
}

void transpose(uint8_t* out, int64_t out_stride, const uint8_t* in, int64_t in_stride, int64_t rows, int64_t columns) {
  const int64_t whole_rows = rows / kTile * kTile, whole_columns = columns / kTile * kTile;
  for (int64_t y = 0; y < whole_rows; y += kTile) {
    for (int64_t x = 0; x < whole_columns; x += kTile) tile(out + x * out_stride + y, out_stride, in + y * in_stride + x, in_stride);
  }
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = y < whole_rows ? whole_columns : 0; x < columns; ++x) out[x * out_stride + y] = in[y * in_stride + x];
  }
}

// Neighbours are often equal: counters of their own do not wait for each other.
void count(int64_t* counts, const uint8_t* in, int64_t n) {
  constexpr int ways = 4;
  int64_t parts[ways][256] = {};
  int64_t i = 0;
  for (; i + ways <= n; i += ways) {
#pragma GCC unroll 4
    for (int k = 0; k < ways; ++k) ++parts[k][in[i + k]];
  }
  for (; i < n; ++i) ++parts[0][in[i]];
  for (int v = 0; v < 256; ++v) counts[v] = parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
}

void look_up(uint8_t* __restrict out, const uint8_t* __restrict in, const uint8_t* __restrict table, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = table[in[i]];
}

}  // namespace

constinit const ByteFns bytes = {&across, &transpose, &count, &look_up};

}  // namespace pydl::kernels::vision::PYDL_ISA
