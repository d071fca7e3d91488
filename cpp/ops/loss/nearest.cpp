// Which point of a set is nearest: what Chamfer and Hausdorff distances need. The distances themselves, and their derivatives, come
// from the pairs (pydl.losses).
#include "kernels/loss/nearest.h"

#include <algorithm>
#include <limits>

#include "autograd/mode.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

// (batch, count, width) by coordinates: (batch, width, stride), infinite beyond `count`.
template <class T>
Tensor by_coordinate(const Tensor& points, int64_t stride) {
  const int64_t batch = points.size(0), count = points.size(1), width = points.size(2);
  const Tensor out = empty(Dims{batch, width, stride}, points.dtype(), "_nearest");
  parallel_for(batch * width, 1 + 20000 / stride, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* from = points.data<T>() + row / width * count * width + row % width;
      T* to = out.data<T>() + row * stride;
      for (int64_t i = 0; i < count; ++i) to[i] = from[i * width];
      std::fill(to + count, to + stride, std::numeric_limits<T>::infinity());
    }
  });
  return out;
}

Tensor nearest_point(const Tensor& input, const Tensor& other) {
  PYDL_CHECK(input.ndim() == 3 && other.ndim() == 3 && input.size(0) == other.size(0) && input.size(2) == other.size(2), ShapeError,
             "_nearest(): input and other must be of sizes (batch, points, width), got ", IntSpan(input.sizes()), " and ",
             IntSpan(other.sizes()));
  PYDL_CHECK(input.dtype() == other.dtype() && kernels::loss::nearest()[input.dtype()], NotImplemented, "_nearest(): not implemented for ",
             input.dtype(), " and ", other.dtype());
  const int64_t batch = input.size(0), rows = input.size(1), count = other.size(1), width = input.size(2);
  PYDL_CHECK(count > 0 || batch * rows == 0, ShapeError, "_nearest(): other has no points");
  PYDL_CHECK(count < std::numeric_limits<int32_t>::max(), ShapeError, "_nearest(): other has ", count, " points, more than 2**31");
  const autograd::GradGuard off(false);
  const Tensor out = empty(Dims{batch, rows}, DType::Int64, "_nearest");
  if (out.numel() == 0) return out;
  const Tensor queries = contiguous(input), points = contiguous(other);
  const int64_t stride = (count + kernels::loss::kNearestChunk - 1) / kernels::loss::kNearestChunk * kernels::loss::kNearestChunk;
  const bool single = input.dtype() == DType::Float32;
  const Tensor columns = single ? by_coordinate<float>(points, stride) : by_coordinate<double>(points, stride);
  const int64_t item = input.item_size();
  const auto run = kernels::loss::nearest()[input.dtype()];
  parallel_for(batch * rows, 1 + 40000 / ((1 + width) * stride), [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t b = begin / rows, stop = std::min(end, (b + 1) * rows);
      const kernels::loss::Cloud cloud{.queries = queries->data + b * rows * width * item,
                                       .points = columns->data + b * width * stride * item,
                                       .index = out.data<int64_t>() + b * rows,
                                       .width = width,
                                       .count = count,
                                       .stride = stride};
      run(cloud, begin - b * rows, stop - b * rows);
      begin = stop;
    }
  });
  return out;
}

}  // namespace

PYDL_OP(nearest_point, "_nearest(input: Tensor, other: Tensor) -> Tensor", Private, R"doc(
For each point of `input` (batch, rows, width) the position of the nearest one of `other` (batch, points, width), of the first if
several are as near: (batch, rows), int64. Takes memory for the points alone.
)doc");

}  // namespace pydl
