// Neighbours in point clouds: exact, by comparing with every point.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::distance {

// The points of a cloud, one row per coordinate. A row has `stride` elements, a multiple of kPointBlock; those behind `count` are infinite.
struct Cloud {
  const void* rows;
  int64_t count, stride, width;
};
inline constexpr int64_t kPointBlock = 64;

struct PointsTable {
  // The nearest point to each of n queries that stand side by side: squared distance and place, of equally distant points the first.
  void (*closest)(const Cloud& cloud, const void* queries, int64_t n, void* distance, int64_t* index);
  // The k <= count nearest points to one query: squared distances, rising, and places; of equally distant points the first.
  void (*nearest)(const Cloud& cloud, const void* query, int64_t k, void* distance, int64_t* index);
  // The first `most` points with a squared distance <= square, the places behind filled with the first; returns how many there are.
  int64_t (*within)(const Cloud& cloud, const void* query, double square, int64_t most, int64_t* index);
  // `taken` points beginning with index[0], each the farthest from those before it. `nearest` is scratch of `stride` elements.
  void (*spread)(const Cloud& cloud, int64_t taken, void* nearest, int64_t* index);
};
PYDL_KERNEL(ByDType<const PointsTable*>, points);

}  // namespace pydl::kernels::distance
