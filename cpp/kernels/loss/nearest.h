// The nearest of many points, without a table of all distances.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::loss {

// Queries are rows of `width` numbers. The points are stored by coordinate, `stride` apart, so that a vector holds one coordinate of
// neighbouring points; `stride` is a multiple of kNearestChunk and coordinates beyond `points` are infinite.
struct Cloud {
  const void* queries;
  const void* points;
  int64_t* index;  // of the nearest point, of the first one where several are
  int64_t width, count, stride;
};
inline constexpr int64_t kNearestChunk = 256;
using NearestFn = void (*)(const Cloud&, int64_t begin, int64_t end);

PYDL_KERNEL(ByDType<NearestFn>, nearest);  // float32, float64

}  // namespace pydl::kernels::loss
