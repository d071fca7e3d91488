#include "kernels/index/segments.h"

#include "simd/lanes.h"
#include "simd/vec_half.h"

namespace pydl::kernels::index::PYDL_ISA {
namespace {

using namespace simd::PYDL_ISA;

// How a dtype is read and written as vectors of what it is added in: 16-bit formats in float32.
template <class T>
struct Plain {
  using Storage = T;
  using Value = T;
  PYDL_INLINE static Vec<T> load(const T* p, int lanes) { return load_lanes(p, lanes); }
  PYDL_INLINE static void store(T* p, Vec<T> v, int lanes) { store_lanes(p, v, lanes); }
};
template <class H>
struct Half {
  using Storage = H;
  using Value = float;
  PYDL_INLINE static Vec<float> load(const H* p, int lanes) { return lanes == kFloatLanes ? load_half(p) : load_half(p, lanes); }
  PYDL_INLINE static void store(H* p, Vec<float> v, int lanes) { lanes == kFloatLanes ? store_half(p, v) : store_half(p, v, lanes); }
};

// While rows [p, p + 1) are added, the row that comes so much later is fetched: further than one segment reaches.
constexpr int64_t kAhead = 16;
constexpr int64_t kFetched = 512;  // bytes of it: the processor's own prefetcher has found the rest by then
// Sums of so many rows are added up in turn, which keeps the error of long segments small.
constexpr int64_t kBlock = 64;

// kVectors vectors from column `at` of the rows [p, end) added up, times `scale` if there is a mean to form.
template <class D, int kVectors>
PYDL_INLINE void columns(const Segments& s, typename D::Storage* out, int64_t at, int lanes, int64_t p, int64_t end, int64_t last,
                         double scale) {
  using T = typename D::Value;
  using S = typename D::Storage;
  const S* in = reinterpret_cast<const S*>(s.in) + at;
  const int64_t fetched = at == 0 ? (s.features * int64_t(sizeof(S)) < kFetched ? s.features * int64_t(sizeof(S)) : kFetched) : 0;
  Vec<T> total[kVectors];
  for (int u = 0; u < kVectors; ++u) total[u] = Vec<T>(T(0));
  while (p < end) {
    const int64_t stop = p + kBlock < end ? p + kBlock : end;
    Vec<T> sum[kVectors];
    for (int u = 0; u < kVectors; ++u) sum[u] = Vec<T>(T(0));
    for (; p < stop; ++p) {
      if (p + kAhead < last) {
        const char* next = reinterpret_cast<const char*>(in + s.rows[p + kAhead] * s.features);
        for (int64_t b = 0; b < fetched; b += 64) __builtin_prefetch(next + b);
      }
      const S* row = in + s.rows[p] * s.features;
#pragma GCC unroll 8
      for (int u = 0; u < kVectors; ++u) sum[u] = sum[u] + D::load(row + u * Vec<T>::size, lanes);
    }
    for (int u = 0; u < kVectors; ++u) total[u] = total[u] + sum[u];
  }
  for (int u = 0; u < kVectors; ++u) {
    D::store(out + at + u * Vec<T>::size, s.mean ? total[u] / Vec<T>(static_cast<T>(scale)) : total[u], lanes);
  }
}

template <class D>
void segment_sums(const Segments& s, int64_t begin, int64_t end) {
  using S = typename D::Storage;
  constexpr int kLanes = Vec<typename D::Value>::size, kVectors = 8;
  const int64_t last = s.starts[end];
  for (int64_t i = begin; i < end; ++i) {
    S* out = reinterpret_cast<S*>(s.out) + i * s.features;
    const int64_t p = s.starts[i], stop = s.starts[i + 1];
    if (p == stop) {
      __builtin_memset(out, 0, static_cast<size_t>(s.features) * sizeof(S));
      continue;
    }
    const auto count = static_cast<double>(stop - p);
    int64_t at = 0;
    for (; at + kVectors * kLanes <= s.features; at += kVectors * kLanes) columns<D, kVectors>(s, out, at, kLanes, p, stop, last, count);
    for (; at + kLanes <= s.features; at += kLanes) columns<D, 1>(s, out, at, kLanes, p, stop, last, count);
    if (at < s.features) columns<D, 1>(s, out, at, static_cast<int>(s.features - at), p, stop, last, count);
  }
}

constexpr SegmentTable make_table() {
  SegmentTable t{};
  t.slot[static_cast<int>(DType::Float16)] = segment_sums<Half<float16>>;
  t.slot[static_cast<int>(DType::BFloat16)] = segment_sums<Half<bfloat16>>;
  t.slot[static_cast<int>(DType::Float32)] = segment_sums<Plain<float>>;
  t.slot[static_cast<int>(DType::Float64)] = segment_sums<Plain<double>>;
  return t;
}

}  // namespace

constinit const SegmentTable segment_sums = make_table();

}  // namespace pydl::kernels::index::PYDL_ISA
