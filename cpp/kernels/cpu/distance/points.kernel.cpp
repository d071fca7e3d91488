#include "kernels/distance/points.h"

#include "simd/vec.h"

namespace pydl::kernels::distance::PYDL_ISA {
namespace {

using namespace simd::PYDL_ISA;

template <class T>
inline constexpr int kVecs = static_cast<int>(kPointBlock) / Vec<T>::size;
template <class T>
inline constexpr T kInfinity = FloatTraits<T>::infinity;

// Squared distances of the query to the points [first, first + kPointBlock).
template <class T>
struct Block {
  Vec<T> square[kVecs<T>];

  PYDL_INLINE Block(const Cloud& cloud, const T* query, int64_t first) {
    const T* row = static_cast<const T*>(cloud.rows) + first;
    for (int v = 0; v < kVecs<T>; ++v) square[v] = Vec<T>(T(0));
    for (int64_t d = 0; d < cloud.width; ++d, row += cloud.stride) {
      const Vec<T> q(query[d]);
      for (int v = 0; v < kVecs<T>; ++v) {
        const Vec<T> step = Vec<T>::load(row + v * Vec<T>::size) - q;
        square[v] = mul_add(step, step, square[v]);
      }
    }
  }

  PYDL_INLINE void store(T* to) const {
    for (int v = 0; v < kVecs<T>; ++v) square[v].store(to + v * Vec<T>::size);
  }
};

template <class T>
PYDL_INLINE int64_t ends(const Cloud& cloud, int64_t first) {
  return cloud.count - first < kPointBlock ? cloud.count - first : kPointBlock;
}

// The nearest points so far, in rising order.
template <class T>
struct Nearest {
  T* distance;
  int64_t* index;
  int64_t k, count = 0;

  // What a point has to be below to enter.
  PYDL_INLINE T bound() const { return count < k ? kInfinity<T> : distance[k - 1]; }

  PYDL_INLINE void insert(T d, int64_t place) {
    int64_t low = 0, high = count;
    while (low < high) {  // behind those that are as near
      const int64_t middle = (low + high) / 2;
      if (distance[middle] <= d)
        low = middle + 1;
      else
        high = middle;
    }
    if (count < k) ++count;
    const size_t behind = static_cast<size_t>(count - 1 - low);
    __builtin_memmove(distance + low + 1, distance + low, behind * sizeof(T));
    __builtin_memmove(index + low + 1, index + low, behind * sizeof(int64_t));
    distance[low] = d;
    index[low] = place;
  }
};

template <class T>
void nearest(const Cloud& cloud, const void* query, int64_t k, void* distance, int64_t* index) {
  if (k == 0) return;
  const T* q = static_cast<const T*>(query);
  Nearest<T> found{static_cast<T*>(distance), index, k};
  T squares[kPointBlock];
  for (int64_t first = 0; first < cloud.count; first += kPointBlock) {
    const Block<T> block(cloud, q, first);
    Mask<T> below = block.square[0] < Vec<T>(found.bound());
    for (int v = 1; v < kVecs<T>; ++v) below = below | (block.square[v] < Vec<T>(found.bound()));
    if (!any(below)) continue;
    block.store(squares);
    for (int64_t j = 0; j < ends<T>(cloud, first); ++j) {
      if (squares[j] < found.bound()) found.insert(squares[j], first + j);
    }
  }
  // Points at an infinite or undefined distance are below no bound.
  for (int64_t first = 0; first < cloud.count && found.count < k; first += kPointBlock) {
    Block<T>(cloud, q, first).store(squares);
    for (int64_t j = 0; j < ends<T>(cloud, first) && found.count < k; ++j) {
      if (squares[j] < kInfinity<T>) continue;
      found.distance[found.count] = squares[j];
      found.index[found.count++] = first + j;
    }
  }
}

// Squared distances of a few queries from a chunk of points at a time: only the smallest of each chunk is kept, and the chunk that
// holds the winner is looked through once more for its position.
inline constexpr int kQueries = 4;
inline constexpr int64_t kChunk = 4 * kPointBlock;

// Width: the number of coordinates where it is known at compile time, else 0.
template <class T, int Width>
PYDL_INLINE void squared(Vec<T> (&d)[kQueries], const T* const (&query)[kQueries], const Cloud& cloud, int64_t first) {
  const T* points = static_cast<const T*>(cloud.rows) + first;
  for (int q = 0; q < kQueries; ++q) d[q] = Vec<T>(T(0));
  const int64_t n = Width ? Width : cloud.width;
#pragma GCC unroll 4
  for (int64_t k = 0; k < n; ++k) {
    const Vec<T> p = Vec<T>::load(points + k * cloud.stride);
#pragma GCC unroll 4
    for (int q = 0; q < kQueries; ++q) {
      const Vec<T> e = p - Vec<T>(query[q][k]);
      d[q] = mul_add(e, e, d[q]);
    }
  }
}

template <class T, int Width>
void few(const Cloud& cloud, const T* const (&query)[kQueries], int wanted, T* distance, int64_t* index) {
  constexpr int lanes = Vec<T>::size;
  using I = SignedLike<T>;
  const auto end_of = [&](int64_t start) { return cloud.stride - start < kChunk ? cloud.stride : start + kChunk; };
  const Vec<T> infinite(kInfinity<T>);
  Vec<T> best[kQueries] = {infinite, infinite, infinite, infinite}, where[kQueries];
  for (int q = 0; q < kQueries; ++q) where[q] = Vec<T>(T(0));
  for (int64_t start = 0; start < cloud.stride; start += kChunk) {
    Vec<T> least[kQueries] = {infinite, infinite, infinite, infinite};
    for (int64_t j = start; j < end_of(start); j += lanes) {
      Vec<T> d[kQueries];
      squared<T, Width>(d, query, cloud, j);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) least[q] = min_second(d[q], least[q]);
    }
    const Vec<T> chunk = bit_cast<T>(Vec<I>(static_cast<I>(start / kChunk)));
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
    const int64_t start = static_cast<int64_t>(chunk[lane]) * kChunk;
    bool found = false;
    for (int64_t j = start; j < end_of(start) && !found; j += lanes) {
      Vec<T> d[kQueries];
      squared<T, Width>(d, query, cloud, j);
      T values[lanes];
      d[q].store(values);
      for (int l = 0; l < lanes && !found; ++l) {
        // Where all distances are infinite or undefined the first point is taken.
        found = values[l] == smallest[lane] || !(smallest[lane] < kInfinity<T>);
        if (found) distance[q] = values[l], index[q] = j + l;
      }
    }
  }
}

template <class T, int Width>
void closest_of(const Cloud& cloud, const T* queries, int64_t n, T* distance, int64_t* index) {
  for (int64_t i = 0; i < n; i += kQueries) {
    const int wanted = static_cast<int>(n - i < kQueries ? n - i : kQueries);
    const T* query[kQueries];
    for (int q = 0; q < kQueries; ++q) query[q] = queries + (i + (q < wanted ? q : 0)) * cloud.width;
    few<T, Width>(cloud, query, wanted, distance + i, index + i);
  }
}

template <class T>
void closest(const Cloud& cloud, const void* queries, int64_t n, void* distance, int64_t* index) {
  const T* q = static_cast<const T*>(queries);
  T* d = static_cast<T*>(distance);
  if (cloud.width == 3) return closest_of<T, 3>(cloud, q, n, d, index);
  if (cloud.width == 2) return closest_of<T, 2>(cloud, q, n, d, index);
  return closest_of<T, 0>(cloud, q, n, d, index);
}

template <class T>
int64_t within(const Cloud& cloud, const void* query, double square, int64_t most, int64_t* index) {
  const T bound = static_cast<T>(square);
  int64_t count = 0;
  T squares[kPointBlock];
  for (int64_t first = 0; first < cloud.count && count < most; first += kPointBlock) {
    const Block<T> block(cloud, static_cast<const T*>(query), first);
    Mask<T> inside = block.square[0] <= Vec<T>(bound);
    for (int v = 1; v < kVecs<T>; ++v) inside = inside | (block.square[v] <= Vec<T>(bound));
    if (!any(inside)) continue;
    block.store(squares);
    for (int64_t j = 0; j < ends<T>(cloud, first) && count < most; ++j) {
      if (squares[j] <= bound) index[count++] = first + j;
    }
  }
  for (int64_t j = count; count && j < most; ++j) index[j] = index[0];
  return count;
}

template <class T>
void spread(const Cloud& cloud, int64_t taken, void* scratch, int64_t* index) {
  constexpr int n = Vec<T>::size;
  using Int = SignedLike<T>;
  T* nearest = static_cast<T*>(scratch);
  for (int64_t j = 0; j < cloud.stride; ++j) nearest[j] = j < cloud.count ? kInfinity<T> : T(-1);
  T query[kPointBlock];  // the op admits no more coordinates
  for (int64_t i = 0; i + 1 < taken; ++i) {
    for (int64_t d = 0; d < cloud.width; ++d) query[d] = static_cast<const T*>(cloud.rows)[d * cloud.stride + index[i]];
    Vec<T> best(T(-1));
    Vec<Int> at(Int(0));
    for (int64_t first = 0; first < cloud.stride; first += kPointBlock) {
      const Block<T> block(cloud, query, first);
      for (int v = 0; v < kVecs<T>; ++v) {
        const Vec<T> distance = min_second(block.square[v], Vec<T>::load(nearest + first + v * n));
        distance.store(nearest + first + v * n);
        const Mask<T> farther = distance > best;
        best = select(farther, distance, best);
        at = select(mask_cast<Int>(farther), Vec<Int>(static_cast<Int>(first + v * n)), at);
      }
    }
    // `at` has the place of a lane's first element; of equal distances the first place wins.
    T values[n];
    Int places[n];
    best.store(values);
    at.store(places);
    int lane = 0;
    for (int l = 1; l < n; ++l) {
      if (values[l] > values[lane] || (values[l] == values[lane] && places[l] + l < places[lane] + lane)) lane = l;
    }
    index[i + 1] = places[lane] + lane;
  }
}

template <class T>
constexpr PointsTable kTable{&closest<T>, &nearest<T>, &within<T>, &spread<T>};

consteval ByDType<const PointsTable*> make_table() {
  ByDType<const PointsTable*> t;
  t.slot[static_cast<int>(DType::Float32)] = &kTable<float>;
  t.slot[static_cast<int>(DType::Float64)] = &kTable<double>;
  return t;
}

}  // namespace

constinit const ByDType<const PointsTable*> points = make_table();

}  // namespace pydl::kernels::distance::PYDL_ISA
