#include "kernels/index/index.h"

#if PYDL_ISA_LEVEL >= 1
#include <immintrin.h>
#endif

namespace pydl::kernels::index::PYDL_ISA {
namespace {

#define PYDL_INLINE [[gnu::always_inline]] inline

PYDL_INLINE int64_t index_at(const int64_t* indices, int64_t stride, int64_t i, int64_t size) {
  int64_t k;
  __builtin_memcpy(&k, reinterpret_cast<const char*>(indices) + i * stride, sizeof k);
  return k < 0 ? k + size : k;
}

int64_t first_bad(const int64_t* indices, int64_t stride, int64_t n, int64_t low, int64_t high) {
  constexpr int64_t kStep = 256;
  const auto bad = [=](int64_t i) {
    int64_t k;
    __builtin_memcpy(&k, reinterpret_cast<const char*>(indices) + i * stride, sizeof k);
    return k < low || k >= high;
  };
  for (int64_t begin = 0; begin < n; begin += kStep) {
    const int64_t end = begin + kStep < n ? begin + kStep : n;
    bool any = false;
    if (stride == 8) {  // either difference has its sign bit set outside the range
      uint64_t signs = 0;
      for (int64_t i = begin; i < end; ++i) {
        const auto k = static_cast<uint64_t>(indices[i]);
        signs |= (k - static_cast<uint64_t>(low)) | (static_cast<uint64_t>(high) - 1 - k);
      }
      any = signs >> 63;
    } else {
      for (int64_t i = begin; i < end; ++i) any |= bad(i);
    }
    if (!any) continue;
    for (int64_t i = begin; i < end; ++i) {
      if (bad(i)) return i;
    }
  }
  return -1;
}

// The row that comes sixteen later is fetched while this one is copied: into the second-level cache, which waits for more
// lines at once than the first.
constexpr int64_t kAhead = 16;

PYDL_INLINE void prefetch(const char* p, int64_t bytes) {
  for (int64_t b = 0; b < bytes && b < 512; b += 64) __builtin_prefetch(p + b, 0, 2);
}

// Rows of a few cache lines are copied line by line: no call, no look at the length.
PYDL_INLINE void copy_row(char* out, const char* in, int64_t bytes) {
  if (bytes > 1024) {
    __builtin_memcpy(out, in, static_cast<size_t>(bytes));
    return;
  }
  int64_t b = 0;
  for (; b + 64 <= bytes; b += 64) __builtin_memcpy(out + b, in + b, 64);
  for (; b + 8 <= bytes; b += 8) __builtin_memcpy(out + b, in + b, 8);
  for (; b < bytes; ++b) out[b] = in[b];
}

#if PYDL_ISA_LEVEL >= 1
// Past the caches: lines that are written whole need not be read first.
PYDL_INLINE void stream_row(char* out, const char* in, int64_t bytes) {
  for (int64_t b = 0; b < bytes; b += 32) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out + b), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + b)));
  }
}
#endif

void gather_rows(const Rows& r) {
#if PYDL_ISA_LEVEL >= 1
  if (r.stream && (reinterpret_cast<uintptr_t>(r.out) | static_cast<uintptr_t>(r.out_row | r.bytes)) % 64 == 0) {
    for (int64_t i = 0; i < r.n; ++i) {
      if (i + kAhead < r.n) prefetch(r.in + index_at(r.indices, r.index_stride, i + kAhead, r.size) * r.in_row, r.bytes);
      stream_row(r.out + i * r.out_row, r.in + index_at(r.indices, r.index_stride, i, r.size) * r.in_row, r.bytes);
    }
    _mm_sfence();
    return;
  }
#endif
  for (int64_t i = 0; i < r.n; ++i) {
    if (i + kAhead < r.n) prefetch(r.in + index_at(r.indices, r.index_stride, i + kAhead, r.size) * r.in_row, r.bytes);
    copy_row(r.out + i * r.out_row, r.in + index_at(r.indices, r.index_stride, i, r.size) * r.in_row, r.bytes);
  }
}

void scatter_rows(const Rows& r) {
  for (int64_t i = 0; i < r.n; ++i) {
    __builtin_memcpy(r.out + index_at(r.indices, r.index_stride, i, r.size) * r.out_row, r.in + i * r.in_row, static_cast<size_t>(r.bytes));
  }
}

struct Wide {
  uint64_t a, b;
};

PYDL_INLINE bool is_packed(const Line& l, int64_t item) { return l.out_stride == item && l.in_stride == item && l.index_stride == 8; }
PYDL_INLINE int64_t wrapped(int64_t k, int64_t size) { return k + (k >> 63 & size); }

template <class T>
void gather(const Line& l) {
  if (is_packed(l, sizeof(T))) {
    T* __restrict out = reinterpret_cast<T*>(l.out);
    const T* in = reinterpret_cast<const T*>(l.in);
    const int64_t* indices = l.indices;
    const int64_t n = l.n, size = l.size;
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; ++i) out[i] = in[wrapped(indices[i], size)];
    return;
  }
  for (int64_t i = 0; i < l.n; ++i) {
    *reinterpret_cast<T*>(l.out + i * l.out_stride) =
        *reinterpret_cast<const T*>(l.in + index_at(l.indices, l.index_stride, i, l.size) * l.in_stride);
  }
}

template <class T>
void scatter(const Line& l) {
  for (int64_t i = 0; i < l.n; ++i) {
    *reinterpret_cast<T*>(l.out + index_at(l.indices, l.index_stride, i, l.size) * l.out_stride) =
        *reinterpret_cast<const T*>(l.in + i * l.in_stride);
  }
}

// How a dtype adds: sums of 16-bit formats are rounded at each step, as they are stored.
template <class T>
struct Plain {
  using Storage = T;
  PYDL_INLINE static T add(T x, T y, double alpha) { return x + static_cast<T>(alpha) * y; }
};
template <class T>
struct Wrapping {
  using Storage = T;
  PYDL_INLINE static T add(T x, T y, double alpha) {
    return static_cast<T>(static_cast<uint64_t>(x) + static_cast<uint64_t>(static_cast<int64_t>(alpha)) * static_cast<uint64_t>(y));
  }
};
struct Bool {
  using Storage = uint8_t;
  PYDL_INLINE static uint8_t add(uint8_t x, uint8_t y, double alpha) { return (x | (alpha != 0 ? y : 0)) != 0; }
};
struct Half {
  using Storage = float16;
  PYDL_INLINE static float16 add(float16 x, float16 y, double alpha) {
    return to_float16(to_float(x) + static_cast<float>(alpha) * to_float(y));
  }
};
struct Brain {
  using Storage = bfloat16;
  PYDL_INLINE static bfloat16 add(bfloat16 x, bfloat16 y, double alpha) {
    return to_bfloat16(to_float(x) + static_cast<float>(alpha) * to_float(y));
  }
};
template <class T>
struct Complex {
  struct Storage {
    T re, im;
  };
  PYDL_INLINE static Storage add(Storage x, Storage y, double alpha) {
    return {x.re + static_cast<T>(alpha) * y.re, x.im + static_cast<T>(alpha) * y.im};
  }
};

template <class K>
void scatter_add(const Line& l) {
  using S = typename K::Storage;
  if (is_packed(l, sizeof(S))) {
    S* out = reinterpret_cast<S*>(l.out);
    const S* in = reinterpret_cast<const S*>(l.in);
    const int64_t* indices = l.indices;
    const int64_t n = l.n, size = l.size;
#pragma GCC unroll 4
    for (int64_t i = 0; i < n; ++i) {
      S& o = out[wrapped(indices[i], size)];
      o = K::add(o, in[i], 1);
    }
    return;
  }
  for (int64_t i = 0; i < l.n; ++i) {
    S* o = reinterpret_cast<S*>(l.out + index_at(l.indices, l.index_stride, i, l.size) * l.out_stride);
    *o = K::add(*o, *reinterpret_cast<const S*>(l.in + i * l.in_stride), 1);
  }
}

// The positions, in order, of those of n <= 2^31 indices that lie in [low, high); up to kSpare more places are written.
constexpr int64_t kSpare = 16;

PYDL_INLINE int64_t positions_within(const int64_t* indices, int64_t n, int64_t low, int64_t high, int32_t* positions) {
  const auto span = static_cast<uint64_t>(high - low);
  int64_t count = 0, i = 0;
#if PYDL_ISA_LEVEL == 2
  const __m512i first = _mm512_set1_epi64(low), spans = _mm512_set1_epi64(static_cast<int64_t>(span));
  __m512i at = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const auto inside = [=](const int64_t* k) { return _mm512_cmplt_epu64_mask(_mm512_sub_epi64(_mm512_loadu_si512(k), first), spans); };
  for (; i + 16 <= n; i += 16) {
    const __mmask16 hits = _mm512_kunpackb(inside(indices + i + 8), inside(indices + i));
    _mm512_storeu_si512(positions + count, _mm512_maskz_compress_epi32(hits, at));  // compressing to memory is slow on Zen 4
    count += __builtin_popcount(hits);
    at = _mm512_add_epi32(at, _mm512_set1_epi32(16));
  }
#endif
  for (; i < n; ++i) {
    positions[count] = static_cast<int32_t>(i);
    count += static_cast<uint64_t>(indices[i]) - static_cast<uint64_t>(low) < span;
  }
  return count;
}

template <class K>
int64_t scatter_add_owned(const Line& l, int64_t low, int64_t high) {
  using S = typename K::Storage;
  constexpr int64_t kBlock = 1024;
  int32_t positions[kBlock + kSpare];
  int64_t total = 0;
  for (int64_t begin = 0; begin < l.n; begin += kBlock) {
    const int64_t n = l.n - begin < kBlock ? l.n - begin : kBlock;
    const Line block{l.out, l.out_stride, l.in + begin * l.in_stride, l.in_stride, l.indices + begin, l.index_stride, n, l.size};
    if (low == 0 && high == l.size && first_bad(block.indices, 8, n, low, high) < 0) {  // one owner of everything
      scatter_add<K>(block);
      total += n;
      continue;
    }
    const int64_t count = positions_within(block.indices, n, low, high, positions);
    S* out = reinterpret_cast<S*>(l.out);
    const S* in = reinterpret_cast<const S*>(block.in);
    for (int64_t p = 0; p < count; ++p) {
      S& o = out[block.indices[positions[p]]];
      o = K::add(o, in[positions[p]], 1);
    }
    total += count;
  }
  return total;
}

template <class K>
void add(char* out, int64_t out_stride, const char* in, int64_t in_stride, int64_t n, double alpha) {
  using S = typename K::Storage;
  constexpr int64_t size = sizeof(S);
  if (out_stride == size && in_stride == size) {
    S* o = reinterpret_cast<S*>(out);
    const S* x = reinterpret_cast<const S*>(in);
#pragma GCC ivdep
    for (int64_t j = 0; j < n; ++j) o[j] = K::add(o[j], x[j], alpha);
  } else {
    for (int64_t j = 0; j < n; ++j) {
      S* o = reinterpret_cast<S*>(out + j * out_stride);
      *o = K::add(*o, *reinterpret_cast<const S*>(in + j * in_stride), alpha);
    }
  }
}

// ---- filtering -------------------------------------------------------------------------------------------------

// The comparisons are put so that NaN, on either side, passes.
PYDL_INLINE bool passes(float v, float limit, bool above) { return above ? !(v <= limit) : !(v >= limit); }

template <bool kAbove>
PYDL_INLINE int64_t pass(const float* v, int64_t n, float limit, int32_t* positions) {
  int64_t count = 0, i = 0;
#if PYDL_ISA_LEVEL >= 1
  constexpr int kCompare = kAbove ? _CMP_NLE_UQ : _CMP_NGE_UQ;
#if PYDL_ISA_LEVEL == 2
  constexpr int kLanes = 16;
  const __m512 last = _mm512_set1_ps(limit);
#else
  constexpr int kLanes = 8;
  const __m256 last = _mm256_set1_ps(limit);
#endif
  for (; i + kLanes <= n; i += kLanes) {
#if PYDL_ISA_LEVEL == 2
    auto bits = static_cast<uint32_t>(_mm512_cmp_ps_mask(_mm512_loadu_ps(v + i), last, kCompare));
#else
    auto bits = static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(v + i), last, kCompare)));
#endif
    for (; bits; bits &= bits - 1) positions[count++] = static_cast<int32_t>(i) + __builtin_ctz(bits);
  }
#endif
  for (; i < n; ++i) {
    if (passes(v[i], limit, kAbove)) positions[count++] = static_cast<int32_t>(i);
  }
  return count;
}

int64_t filter(const float* v, int64_t n, float limit, bool above, int32_t* positions) {
  return above ? pass<true>(v, n, limit, positions) : pass<false>(v, n, limit, positions);
}

template <class K>
constexpr void set(IndexTable& t, DType d) {
  t.scatter_add.slot[static_cast<int>(d)] = scatter_add<K>;
  t.scatter_add_owned.slot[static_cast<int>(d)] = scatter_add_owned<K>;
  t.add.slot[static_cast<int>(d)] = add<K>;
}

constexpr IndexTable make_table() {
  IndexTable t{first_bad,
               gather_rows,
               scatter_rows,
               {gather<uint8_t>, gather<uint16_t>, gather<uint32_t>, gather<uint64_t>, gather<Wide>},
               {scatter<uint8_t>, scatter<uint16_t>, scatter<uint32_t>, scatter<uint64_t>, scatter<Wide>},
               {},
               {},
               {},
               filter};
  set<Bool>(t, DType::Bool);
  set<Wrapping<uint8_t>>(t, DType::UInt8);
  set<Wrapping<int8_t>>(t, DType::Int8);
  set<Wrapping<uint16_t>>(t, DType::UInt16);
  set<Wrapping<int16_t>>(t, DType::Int16);
  set<Wrapping<uint32_t>>(t, DType::UInt32);
  set<Wrapping<int32_t>>(t, DType::Int32);
  set<Wrapping<uint64_t>>(t, DType::UInt64);
  set<Wrapping<int64_t>>(t, DType::Int64);
  set<Half>(t, DType::Float16);
  set<Brain>(t, DType::BFloat16);
  set<Plain<float>>(t, DType::Float32);
  set<Plain<double>>(t, DType::Float64);
  set<Complex<float>>(t, DType::Complex64);
  set<Complex<double>>(t, DType::Complex128);
  return t;
}

}  // namespace

constinit const IndexTable indexing = make_table();

}  // namespace pydl::kernels::index::PYDL_ISA
