// Philox4x32-10 by blocks of 16 counters, and the distributions made from its words.
//
// Nothing here may use a fused multiply-add: every instruction set must round alike.
#include "kernels/random/philox.h"

#include "simd/math_exp.h"
#include "simd/math_trig.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;
using Words = Vec<uint32_t>;

inline constexpr int kBlockCounters = 16, kBlockWords = 64;

struct WideProduct {
  Words low, high;
};
PYDL_INLINE WideProduct wide_product(Words a, uint32_t b) {
  // The products of the even and of the odd lanes hold both halves: a third multiplication for the low ones would cost more.
#if PYDL_ISA_LEVEL == 2
  const __m512i x = (__m512i)a.raw, m = _mm512_set1_epi32(static_cast<int>(b));
  const __m512i even = _mm512_maskz_mul_epu32(0xff, x, m), odd = _mm512_maskz_mul_epu32(0xff, _mm512_maskz_srli_epi64(0xff, x, 32), m);
  const __m512i low = _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA);
  return {(Words::Raw)low, (Words::Raw)_mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB)};
#elif PYDL_ISA_LEVEL == 1
  const __m256i x = (__m256i)a.raw, m = _mm256_set1_epi32(static_cast<int>(b));
  const __m256i even = _mm256_mul_epu32(x, m), odd = _mm256_mul_epu32(_mm256_srli_epi64(x, 32), m);
  const __m256i low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
  return {(Words::Raw)low, (Words::Raw)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa)};
#else
  Words high;
  for (int i = 0; i < Words::size; ++i) high.raw[i] = static_cast<uint32_t>((static_cast<uint64_t>(a.raw[i]) * b) >> 32);
  return {a * b, high};
#endif
}

PYDL_INLINE Words xor3(Words a, Words b, uint32_t c) {
#if PYDL_ISA_LEVEL == 2
  return (Words::Raw)_mm512_ternarylogic_epi32((__m512i)a.raw, (__m512i)b.raw, _mm512_set1_epi32(static_cast<int>(c)), 0x96);
#else
  return a ^ b ^ c;
#endif
}

alignas(64) inline constexpr uint32_t kLanes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// The 64 words of the block whose first counter is `counter`.
PYDL_INLINE void philox_block(uint32_t* words, uint64_t seed, uint64_t counter) {
  for (int first = 0; first < kBlockCounters; first += Words::size) {
    Words x0, x1;
    const uint64_t start = counter + static_cast<uint64_t>(first);
    if (static_cast<uint32_t>(start) <= UINT32_MAX - kBlockCounters) {
      x0 = Words::load(kLanes) + static_cast<uint32_t>(start);
      x1 = Words(static_cast<uint32_t>(start >> 32));
    } else {
      for (int i = 0; i < Words::size; ++i) {
        const uint64_t c = start + static_cast<uint64_t>(i);
        x0.raw[i] = static_cast<uint32_t>(c);
        x1.raw[i] = static_cast<uint32_t>(c >> 32);
      }
    }
    Words x2(0u), x3(0u);
    uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const WideProduct a = wide_product(x0, 0xd2511f53u), b = wide_product(x2, 0xcd9e8d57u);
      x0 = xor3(b.high, x1, key0);
      x1 = b.low;
      x2 = xor3(a.high, x3, key1);
      x3 = a.low;
      key0 += 0x9e3779b9u;
      key1 += 0xbb67ae85u;
    }
    x0.store(words + first);
    x1.store(words + first + 16);
    x2.store(words + first + 32);
    x3.store(words + first + 48);
  }
}

// Calls convert(values, words) for every block that overlaps the range; a block yields PerBlock elements.
template <class T, int PerBlock, class Convert>
PYDL_INLINE void fill_blocks(void* out_bytes, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const Convert& convert) {
  auto* out = static_cast<T*>(out_bytes);
  alignas(64) uint32_t words[kBlockWords];
  alignas(64) T values[PerBlock];
  for (int64_t i = begin; i < begin + count;) {
    const int64_t block = i / PerBlock, skip = i % PerBlock;
    const int64_t rest = begin + count - i;
    const int64_t n = rest < PerBlock - skip ? rest : PerBlock - skip;
    philox_block(words, seed, offset + static_cast<uint64_t>(block) * kBlockCounters);
    if (n == PerBlock) {
      convert(out + (i - begin), words);
    } else {
      convert(values, words);
      __builtin_memcpy(out + (i - begin), values + skip, static_cast<uint64_t>(n) * sizeof(T));
    }
    i += n;
  }
}
PYDL_INLINE uint64_t two_words(const uint32_t* words, int i) { return static_cast<uint64_t>(words[i + 32]) << 32 | words[i]; }

void fill_bits32(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void*) {
  fill_blocks<uint32_t, 64>(out, begin, count, seed, offset,
                            [](uint32_t* values, const uint32_t* words) { __builtin_memcpy(values, words, sizeof(uint32_t) * 64); });
}
void fill_bits64(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void*) {
  fill_blocks<uint64_t, 32>(out, begin, count, seed, offset, [](uint64_t* values, const uint32_t* words) {
    for (int i = 0; i < 32; ++i) values[i] = two_words(words, i);
  });
}

void fill_uniform32(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  const auto& p = *static_cast<const random::UniformParams*>(params);
  const float low = static_cast<float>(p.low), width = static_cast<float>(p.high - p.low);
  fill_blocks<float, 64>(out, begin, count, seed, offset, [=](float* values, const uint32_t* words) {
    for (int i = 0; i < 64; ++i) values[i] = (static_cast<float>(static_cast<int32_t>(words[i] >> 8)) * 0x1p-24f) * width + low;
  });
}
void fill_uniform64(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  const auto& p = *static_cast<const random::UniformParams*>(params);
  const double low = p.low, width = p.high - p.low;
  fill_blocks<double, 32>(out, begin, count, seed, offset, [=](double* values, const uint32_t* words) {
    for (int i = 0; i < 32; ++i) values[i] = (static_cast<double>(static_cast<int64_t>(two_words(words, i) >> 11)) * 0x1p-53) * width + low;
  });
}

// Horner's rule with two roundings per step on every level.
template <int N>
PYDL_INLINE Doubles plain_polynomial(Doubles x, const double (&c)[N]) {
  Doubles y(c[N - 1]);
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; --i) y = y * x + c[i];
  return y;
}
// Box and Muller, 1958: sqrt(-2 ln u) times cos and sin of 2 pi v, u in (0, 1], v in [0, 1), to about 2^-50.
struct NormalPair {
  Doubles first, second;
};
PYDL_INLINE NormalPair box_muller(Doubles u, Doubles v) {
  const LogParts<double> p = log_parts(u);
  const Doubles f = p.fraction, s = f / (f + 2.0), z = s * s, half_square = f * f * 0.5;
  const Doubles tail = s * (z * plain_polynomial(z, kLogSeries) + half_square) - half_square;
  const Doubles log_u = p.exponent * kBaseE<double>.step_hi + (f + (p.exponent * kBaseE<double>.step_lo + tail));
  const Doubles radius = simd::PYDL_ISA::sqrt(log_u * -2.0);
  // A quarter turn at a time: v - n / 4 is exact.
  const Rounded<double> n = round_to_int(v * 4.0);
  const Doubles r = (v * 4.0 - n.value) * kHalfPi, q = r * r;
  const Doubles sine = r + r * q * plain_polynomial(q, kSinSeries);
  const Doubles cosine = 1.0 - (q * 0.5 - q * q * plain_polynomial(q, kCosSeries));
  const Mask<double> odd = bit_mask(n.integer, 1);
  const Doubles cos_v = negate_if(bit_mask(n.integer + int64_t(1), 2), select(odd, sine, cosine));
  const Doubles sin_v = negate_if(bit_mask(n.integer, 2), select(odd, cosine, sine));
  return {radius * cos_v, radius * sin_v};
}

// Taylor-like minimax series: (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi / 4.
inline constexpr float kShortSine[] = {-0x1.555546p-3f, 0x1.11073ap-7f, -0x1.9943f2p-13f};
inline constexpr float kShortCosine[] = {0x1.55554ap-5f, -0x1.6c0c1ap-10f, 0x1.99eb9cp-16f};
// (ln(1 + f) - f) / f^2 on [sqrt(1/2) - 1, sqrt(2) - 1], as in log1p_tail.
inline constexpr float kShortLog[] = {-0x1.fffff8p-2f, 0x1.555544p-2f,  -0x1.0003fep-2f, 0x1.99a97p-3f,  -0x1.54323ap-3f,
                                      0x1.2210f4p-3f,  -0x1.0e844ap-3f, 0x1.0a590cp-3f,  -0x1.4075c6p-4f};
using Floats = Vec<float>;

template <int N>
PYDL_INLINE Floats plain_polynomial(Floats x, const float (&c)[N]) {
  Floats y(c[N - 1]);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; --i) y = y * x + c[i];
  return y;
}

struct ShortPair {
  Floats first, second;
};
// Box and Muller in float32, to a few ulp; u in (0, 1], v a multiple of 2^-24 in [0, 1).
PYDL_INLINE ShortPair box_muller(Floats u, Floats v) {
  const LogParts<float> p = log_parts(u);
  const Floats f = p.fraction;
  const Floats tail = f * f * plain_polynomial(f, kShortLog);
  const Floats log_u = p.exponent * kBaseE<float>.step_hi + (f + (p.exponent * kBaseE<float>.step_lo + tail));
  const Floats radius = simd::PYDL_ISA::sqrt(log_u * -2.0f);
  const Rounded<float> n = round_to_int(v * 4.0f);
  const Floats r = (v * 4.0f - n.value) * 0x1.921fb6p+0f, q = r * r;
  const Floats sine = r + r * q * plain_polynomial(q, kShortSine);
  const Floats cosine = 1.0f - (q * 0.5f - q * q * plain_polynomial(q, kShortCosine));
  const auto bit = [&](const Vec<int32_t>& k, int32_t b) { return mask_cast<float>((k & b) != 0); };
  const Mask<float> odd = bit(n.integer, 1);
  const Floats c = select(odd, sine, cosine), s = select(odd, cosine, sine);
  const Floats cos_v = select(bit(n.integer + 1, 2), -c, c), sin_v = select(bit(n.integer, 2), -s, s);
  return {radius * cos_v, radius * sin_v};
}

void fill_normal32(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  const auto& p = *static_cast<const random::NormalParams*>(params);
  const float mean = static_cast<float>(p.mean), deviation = static_cast<float>(p.deviation);
  fill_blocks<float, 64>(out, begin, count, seed, offset, [=](float* values, const uint32_t* words) {
    alignas(64) float u[64];
    for (int i = 0; i < 32; ++i) {
      // The half keeps zero away; small numbers keep all their bits, so that the tails reach 6.6 deviations.
      const uint32_t high = words[i] >> 1;
      u[i] = (static_cast<float>(static_cast<int32_t>(high)) + 0.5f) * 0x1p-31f;
      u[i + 32] = static_cast<float>(static_cast<int32_t>(words[i + 32] >> 8)) * 0x1p-24f;
    }
    for (int i = 0; i < 32; i += Floats::size) {
      const ShortPair pair = box_muller(Floats::load(u + i), Floats::load(u + i + 32));
      (pair.first * deviation + mean).store(values + i);
      (pair.second * deviation + mean).store(values + i + 32);
    }
  });
}

template <class T>
void fill_normal(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  const auto& p = *static_cast<const random::NormalParams*>(params);
  const double mean = p.mean, deviation = p.deviation;
  fill_blocks<T, 64>(out, begin, count, seed, offset, [=](T* values, const uint32_t* words) {
    alignas(64) double u[64];
    for (int i = 0; i < 32; ++i) {
      u[i] = (static_cast<double>(words[i]) + 1.0) * 0x1p-32;
      u[i + 32] = static_cast<double>(words[i + 32]) * 0x1p-32;
    }
    for (int i = 0; i < 32; i += Doubles::size) {
      const NormalPair pair = box_muller(Doubles::load(u + i), Doubles::load(u + i + 32));
      (pair.first * deviation + mean).store(u + i);
      (pair.second * deviation + mean).store(u + i + 32);
    }
    for (int i = 0; i < 64; ++i) values[i] = static_cast<T>(u[i]);
  });
}

template <class T>
void fill_bernoulli(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  // A probability of 1 lies above every word.
  const auto threshold = static_cast<uint64_t>(static_cast<const random::BernoulliParams*>(params)->probability * 0x1p32);
  fill_blocks<T, 64>(out, begin, count, seed, offset, [=](T* values, const uint32_t* words) {
    for (int i = 0; i < 64; ++i) values[i] = static_cast<T>(words[i] < threshold);
  });
}

// Bit k: whether word k of a block is at most `last`.
PYDL_INLINE uint64_t words_up_to(const uint32_t* words, uint32_t last) {
  uint64_t bits = 0;
#if PYDL_ISA_LEVEL == 2
  const __m512i limit = _mm512_set1_epi32(static_cast<int>(last));
  for (int k = 0; k < kBlockWords; k += 16)
    bits |= static_cast<uint64_t>(_mm512_cmple_epu32_mask(_mm512_load_si512(words + k), limit)) << k;
#else
  for (int k = 0; k < kBlockWords; ++k) bits |= static_cast<uint64_t>(words[k] <= last) << k;
#endif
  return bits;
}

// Of up to a block of elements. The product, not a choice: NaN and infinity stay visible.
template <class T>
PYDL_INLINE void drop_block(T* to, const T* from, int64_t n, uint64_t bits, T factor) {
  if (n < kBlockWords) {
    for (int64_t k = 0; k < n; ++k) to[k] = from[k] * (bits >> k & 1 ? factor : T(0));
    return;
  }
#if PYDL_ISA_LEVEL == 2
  using V = Vec<T>;
  for (int k = 0; k < kBlockWords; k += V::size) {
    const Mask<T> mask{static_cast<typename Mask<T>::Bits>(bits >> k)};
    (V::load(from + k) * select(mask, V(factor), V(T(0)))).store(to + k);
  }
#else
  for (int half = 0; half < 2; ++half, to += 32, from += 32) {
    const auto word = static_cast<uint32_t>(bits >> 32 * half);
    for (uint32_t k = 0; k < 32; ++k) to[k] = from[k] * (word >> k & 1u ? factor : T(0));
  }
#endif
}

template <class T>
void dropout(void* out_bytes, const void* in_bytes, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, double keep, double scale,
             uint64_t* kept) {
  auto* out = static_cast<T*>(out_bytes);
  const auto* in = static_cast<const T*>(in_bytes);
  const auto threshold = static_cast<uint64_t>(keep * 0x1p32);
  const T factor = threshold ? static_cast<T>(scale) : T(0);
  const auto last = static_cast<uint32_t>(threshold ? threshold - 1 : 0);
  alignas(64) uint32_t words[kBlockWords];
  const int64_t first = begin / kBlockWords;
  for (int64_t i = 0; i * kBlockWords < count; ++i) {
    const int64_t at = i * kBlockWords, n = count - at < kBlockWords ? count - at : kBlockWords;
    philox_block(words, seed, offset + static_cast<uint64_t>(first + i) * kBlockCounters);
    const uint64_t bits = threshold ? words_up_to(words, last) : 0;
    if (kept) kept[i] = bits;
    drop_block(out + at, in + at, n, bits, factor);
  }
}
template <class T>
void dropout_again(void* out_bytes, const void* in_bytes, int64_t count, double scale, const uint64_t* kept) {
  auto* out = static_cast<T*>(out_bytes);
  const auto* in = static_cast<const T*>(in_bytes);
  for (int64_t at = 0; at < count; at += kBlockWords) {
    drop_block(out + at, in + at, count - at < kBlockWords ? count - at : kBlockWords, *kept++, static_cast<T>(scale));
  }
}

PYDL_INLINE uint64_t high_product(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(a) * b) >> 64);
}
template <class T>
void fill_randint(void* out, int64_t begin, int64_t count, uint64_t seed, uint64_t offset, const void* params) {
  const auto& p = *static_cast<const random::RandintParams*>(params);
  const auto low = static_cast<uint64_t>(p.low);
  const uint64_t range = p.range;
  fill_blocks<T, 32>(out, begin, count, seed, offset, [=](T* values, const uint32_t* words) {
    for (int i = 0; i < 32; ++i) {
      const uint64_t u = two_words(words, i);
      values[i] = static_cast<T>(static_cast<int64_t>(low + (range == 0 ? u : high_product(u, range))));
    }
  });
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::random::PYDL_ISA {
using namespace ::pydl::simd::PYDL_ISA;

namespace {

struct Slot {
  DType dtype;
  Fill fill;
};
template <int N>
consteval FillTable table_of(const Slot (&slots)[N]) {
  FillTable t;
  for (const Slot& s : slots) t.slot[static_cast<int>(s.dtype)] = s.fill;
  return t;
}

}  // namespace

constinit const FillTable bits = table_of({{DType::UInt32, &fill_bits32}, {DType::UInt64, &fill_bits64}});
constinit const FillTable uniform = table_of({{DType::Float32, &fill_uniform32}, {DType::Float64, &fill_uniform64}});
constinit const FillTable normal = table_of({{DType::Float32, &fill_normal32}, {DType::Float64, &fill_normal<double>}});
constinit const FillTable bernoulli = table_of({{DType::Bool, &fill_bernoulli<uint8_t>},
                                                {DType::UInt8, &fill_bernoulli<uint8_t>},
                                                {DType::Int8, &fill_bernoulli<uint8_t>},
                                                {DType::UInt16, &fill_bernoulli<uint16_t>},
                                                {DType::Int16, &fill_bernoulli<uint16_t>},
                                                {DType::UInt32, &fill_bernoulli<uint32_t>},
                                                {DType::Int32, &fill_bernoulli<uint32_t>},
                                                {DType::UInt64, &fill_bernoulli<uint64_t>},
                                                {DType::Int64, &fill_bernoulli<uint64_t>},
                                                {DType::Float32, &fill_bernoulli<float>},
                                                {DType::Float64, &fill_bernoulli<double>}});
constinit const FillTable randint = table_of({{DType::Bool, &fill_randint<uint8_t>},
                                              {DType::UInt8, &fill_randint<uint8_t>},
                                              {DType::Int8, &fill_randint<uint8_t>},
                                              {DType::UInt16, &fill_randint<uint16_t>},
                                              {DType::Int16, &fill_randint<uint16_t>},
                                              {DType::UInt32, &fill_randint<uint32_t>},
                                              {DType::Int32, &fill_randint<uint32_t>},
                                              {DType::UInt64, &fill_randint<uint64_t>},
                                              {DType::Int64, &fill_randint<uint64_t>},
                                              {DType::Float32, &fill_randint<float>},
                                              {DType::Float64, &fill_randint<double>}});
constinit const ByDType<Dropout> dropout = [] {
  ByDType<Dropout> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::dropout<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::dropout<double>;
  return t;
}();
constinit const ByDType<DropoutAgain> dropout_again = [] {
  ByDType<DropoutAgain> t;
  t.slot[static_cast<int>(DType::Float32)] = &simd::PYDL_ISA::dropout_again<float>;
  t.slot[static_cast<int>(DType::Float64)] = &simd::PYDL_ISA::dropout_again<double>;
  return t;
}();

}  // namespace pydl::kernels::random::PYDL_ISA
