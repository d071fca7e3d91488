// Squared distances of a few queries from a chunk of points at a time: only the smallest of each chunk is kept, and the chunk that
// holds the winner is looked through once more for its position.
#include "kernels/loss/nearest.h"

#include "simd/vec.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using kernels::loss::Cloud;
using kernels::loss::kNearestChunk;

inline constexpr int kQueries = 4;

// Width: the number of coordinates where it is known at compile time, else 0.
template <class T, int Width>
PYDL_INLINE void squared(Vec<T> (&d)[kQueries], const T* const (&query)[kQueries], const T* points, int64_t stride, int64_t width) {
  for (int q = 0; q < kQueries; ++q) d[q] = Vec<T>(T(0));
  const int64_t n = Width ? Width : width;
#pragma GCC unroll 4
  for (int64_t k = 0; k < n; ++k) {
    const Vec<T> p = Vec<T>::load(points + k * stride);
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
      const Vec<T> e = Vec<T>(query[q][k]) - p;
      d[q] = mul_add(e, e, d[q]);
    }
  }
}

template <class T, int Width>
void few(const Cloud& c, const T* const (&query)[kQueries], int64_t* out, int wanted) {
  constexpr int lanes = Vec<T>::size;
  using I = SignedLike<T>;
  const T* points = static_cast<const T*>(c.points);
  const Vec<T> infinite(FloatTraits<T>::infinity);
  Vec<T> best[kQueries] = {infinite, infinite, infinite, infinite}, where[kQueries];
  for (int q = 0; q < kQueries; ++q) where[q] = Vec<T>(T(0));
  for (int64_t start = 0; start < c.count; start += kNearestChunk) {
    Vec<T> least[kQueries] = {infinite, infinite, infinite, infinite};
    for (int64_t j = start; j < start + kNearestChunk; j += lanes) {
      Vec<T> d[kQueries];
      squared<T, Width>(d, query, points + j, c.stride, c.width);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) least[q] = min_second(d[q], least[q]);
    }
    const Vec<T> chunk = bit_cast<T>(Vec<I>(static_cast<I>(start / kNearestChunk)));
    for (int q = 0; q < kQueries; ++q) {
      where[q] = select(least[q] < best[q], chunk, where[q]);
      best[q] = min_second(least[q], best[q]);
    }
  }
  // In each query's turn: the earliest chunk with its smallest distance, and in it the first point.
  for (int q = 0; q < wanted; ++q) {
    T smallest[lanes];
    I chunk[lanes];
    best[q].store(smallest);
    bit_cast<I>(where[q]).store(chunk);
    int lane = 0;
    for (int l = 1; l < lanes; ++l) {
      if (smallest[l] < smallest[lane] || (smallest[l] == smallest[lane] && chunk[l] < chunk[lane])) lane = l;
    }
    const int64_t start = static_cast<int64_t>(chunk[lane]) * kNearestChunk;
    out[q] = start;
    bool found = false;
    for (int64_t j = start; j < start + kNearestChunk && !found; j += lanes) {
      Vec<T> d[kQueries];
      squared<T, Width>(d, query, points + j, c.stride, c.width);
      T values[lanes];
      d[q].store(values);
      for (int l = 0; l < lanes && !found; ++l) {
        found = values[l] == smallest[lane] && j + l < c.count;
        if (found) out[q] = j + l;
      }
    }
  }
}

template <class T, int Width>
void all(const Cloud& c, int64_t begin, int64_t end) {
  const T* queries = static_cast<const T*>(c.queries);
  for (int64_t i = begin; i < end; i += kQueries) {
    const int wanted = static_cast<int>(end - i < kQueries ? end - i : kQueries);
    const T* query[kQueries];
    for (int q = 0; q < kQueries; ++q) query[q] = queries + (i + (q < wanted ? q : 0)) * c.width;
    few<T, Width>(c, query, c.index + i, wanted);
  }
}

template <class T>
void nearest_of(const Cloud& c, int64_t begin, int64_t end) {
  c.width == 3 ? all<T, 3>(c, begin, end) : c.width == 2 ? all<T, 2>(c, begin, end) : all<T, 0>(c, begin, end);
}

consteval kernels::ByDType<kernels::loss::NearestFn> nearest_table() {
  kernels::ByDType<kernels::loss::NearestFn> t;
  t.slot[static_cast<int>(DType::Float32)] = &nearest_of<float>;
  t.slot[static_cast<int>(DType::Float64)] = &nearest_of<double>;
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::loss::PYDL_ISA {

constinit const ByDType<NearestFn> nearest = simd::PYDL_ISA::nearest_table();

}  // namespace pydl::kernels::loss::PYDL_ISA
