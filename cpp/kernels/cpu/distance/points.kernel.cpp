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
constexpr PointsTable kTable{&nearest<T>, &within<T>, &spread<T>};

consteval ByDType<const PointsTable*> make_table() {
  ByDType<const PointsTable*> t;
  t.slot[static_cast<int>(DType::Float32)] = &kTable<float>;
  t.slot[static_cast<int>(DType::Float64)] = &kTable<double>;
  return t;
}

}  // namespace

constinit const ByDType<const PointsTable*> points = make_table();

}  // namespace pydl::kernels::distance::PYDL_ISA
