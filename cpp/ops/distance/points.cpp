// Neighbours in point clouds for pydl.geometric: checks, layout and threads.
#include "kernels/distance/points.h"

#include <limits>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

using kernels::distance::Cloud;
using kernels::distance::kPointBlock;

// The clouds of a batch (b, n, width), one row per coordinate.
class Clouds {
 public:
  Clouds(const char* op, const Tensor& points) : table_(kernels::distance::points()[points.dtype()]) {
    PYDL_CHECK(points.ndim() == 3, ShapeError, op, "(): points must be of size (batch, points, coordinates), got ",
               IntSpan(points.sizes()));
    PYDL_CHECK(table_, NotImplemented, op, "(): not implemented for ", points.dtype());
    count_ = points.size(1), width_ = points.size(2);
    PYDL_CHECK(count_ < std::numeric_limits<int32_t>::max() - kPointBlock, ShapeError, op, "(): too many points: ", count_);
    stride_ = (count_ + kPointBlock - 1) / kPointBlock * kPointBlock;
    rows_ = empty(Dims{points.size(0), width_, stride_}, points.dtype(), op);
    const Tensor packed = contiguous(points);
    if (!rows_.numel()) return;
    if (points.dtype() == DType::Float32)
      fill<float>(packed);
    else
      fill<double>(packed);
  }

  Cloud operator[](int64_t i) const { return {rows_->data + i * width_ * stride_ * rows_.item_size(), count_, stride_, width_}; }
  const kernels::distance::PointsTable* operator->() const { return table_; }
  int64_t stride() const { return stride_; }

  // fn(i, begin, end) for runs of queries, counted through all entries, of batch entry i, on several threads.
  template <class F>
  void for_queries(int64_t batch, int64_t queries, const F& fn) const {
    const int64_t grain = 1 + 100000 / std::max<int64_t>(1, stride_ * (width_ + 1));
    parallel_for(batch * queries, grain, [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t i = begin / queries, stop = std::min(end, (i + 1) * queries);
        fn(i, begin, stop);
        begin = stop;
      }
    });
  }

 private:
  template <class T>
  void fill(const Tensor& points) const {
    const T* from = points.data<T>();
    T* to = rows_.data<T>();
    parallel_for(points.size(0) * width_, 1 + 20000 / stride_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const T* column = from + i / width_ * count_ * width_ + i % width_;
        for (int64_t j = 0; j < stride_; ++j) to[i * stride_ + j] = j < count_ ? column[j * width_] : std::numeric_limits<T>::infinity();
      }
    });
  }

  const kernels::distance::PointsTable* table_;
  int64_t count_, width_, stride_;
  Tensor rows_;
};

// Queries (b, s, width) that go with the points.
Tensor queries_of(const char* op, const Tensor& points, const Tensor& queries) {
  PYDL_CHECK(points.ndim() == 3 && queries.ndim() == 3 && points.size(0) == queries.size(0) && points.size(2) == queries.size(2),
             ShapeError, op, "(): points and queries must be of sizes (batch, points, coordinates) and (batch, queries, coordinates), got ",
             IntSpan(points.sizes()), " and ", IntSpan(queries.sizes()));
  PYDL_CHECK(points.dtype() == queries.dtype(), TypeError, op, "(): points and queries must have the same dtype, got ", points.dtype(),
             " and ", queries.dtype());
  return contiguous(queries);
}

std::tuple<Tensor, Tensor> nearest_points(const Tensor& x, const Tensor& y, int64_t k) {
  const char* op = "knn";
  const Tensor queries = queries_of(op, x, y);
  PYDL_CHECK(k >= 0 && k <= x.size(1), ValueError, op, "(): k must be in [0, ", x.size(1), "], the number of points, got ", k);
  const Clouds clouds(op, x);
  const int64_t batch = x.size(0), count = y.size(1);
  const Tensor distance = empty(Dims{batch, count, k}, x.dtype(), op), index = empty(Dims{batch, count, k}, DType::Int64, op);
  if (!index.numel()) return {distance, index};
  const int64_t item = y.item_size(), row = y.size(2) * item;
  clouds.for_queries(batch, count, [&](int64_t i, int64_t begin, int64_t end) {
    if (k == 1) {
      clouds->closest(clouds[i], queries->data + begin * row, end - begin, distance->data + begin * item, index.data<int64_t>() + begin);
      return;
    }
    for (int64_t r = begin; r < end; ++r) {
      clouds->nearest(clouds[i], queries->data + r * row, k, distance->data + r * k * item, index.data<int64_t>() + r * k);
    }
  });
  return {distance, index};
}

Tensor points_in_ball(double radius, int64_t nsample, const Tensor& xyz, const Tensor& new_xyz) {
  const char* op = "ball_query";
  const Tensor queries = queries_of(op, xyz, new_xyz);
  PYDL_CHECK(radius >= 0, ValueError, op, "(): radius must be at least 0, got ", radius);
  PYDL_CHECK(nsample >= 1, ValueError, op, "(): nsample must be at least 1, got ", nsample);
  const Clouds clouds(op, xyz);
  const int64_t batch = xyz.size(0), count = new_xyz.size(1);
  PYDL_CHECK(xyz.size(1) > 0 || batch == 0 || count == 0, ShapeError, op, "(): xyz must have at least one point, got ",
             IntSpan(xyz.sizes()));
  const Tensor index = empty(Dims{batch, count, nsample}, DType::Int64, op);
  if (!index.numel()) return index;
  const int64_t row = xyz.size(2) * xyz.item_size();
  clouds.for_queries(batch, count, [&](int64_t i, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t* out = index.data<int64_t>() + r * nsample;
      if (clouds->within(clouds[i], queries->data + r * row, radius * radius, nsample, out)) continue;
      double distance;  // of either dtype
      clouds->closest(clouds[i], queries->data + r * row, 1, &distance, out);
      for (int64_t j = 1; j < nsample; ++j) out[j] = out[0];
    }
  });
  return index;
}

Tensor farthest_points(const Tensor& xyz, int64_t npoint, const Tensor& start) {
  const char* op = "farthest_point_sample";
  const Clouds clouds(op, xyz);
  const int64_t batch = xyz.size(0), count = xyz.size(1);
  PYDL_CHECK(xyz.size(2) <= kPointBlock, ShapeError, op, "(): at most ", kPointBlock, " coordinates, got ", IntSpan(xyz.sizes()));
  PYDL_CHECK(npoint >= 0 && npoint <= count, ValueError, op, "(): npoint must be in [0, ", count, "], the number of points, got ", npoint);
  PYDL_CHECK(start.ndim() == 1 && start.size(0) == batch && start.dtype() == DType::Int64, ShapeError, op,
             "(): start must have one int64 index for each of ", batch, " clouds, got ", start.dtype(), " of size ",
             IntSpan(start.sizes()));
  const Tensor first = contiguous(start), index = empty(Dims{batch, npoint}, DType::Int64, op);
  if (!index.numel()) return index;
  for (int64_t i = 0; i < batch; ++i) {
    const int64_t at = first.data<int64_t>()[i];
    PYDL_CHECK(at >= 0 && at < count, IndexError, op, "(): start must be in [0, ", count, "), got ", at);
    index.data<int64_t>()[i * npoint] = at;
  }
  const Tensor scratch = empty(Dims{batch, clouds.stride()}, xyz.dtype(), op);
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      clouds->spread(clouds[i], npoint, scratch->data + i * clouds.stride() * xyz.item_size(), index.data<int64_t>() + i * npoint);
    }
  });
  return index;
}

}  // namespace

PYDL_OP(nearest_points, "_knn(x: Tensor, y: Tensor, k: int) -> (Tensor, Tensor)", Private, R"doc(
The k nearest rows of `x` (b, n, d) for each row of `y` (b, s, d): squared distances and indices (b, s, k), nearest first, ties by index.
)doc");
PYDL_OP(points_in_ball, "_ball_query(radius: float, nsample: int, xyz: Tensor, new_xyz: Tensor) -> Tensor", Private, R"doc(
The first `nsample` rows of `xyz` within `radius` of each row of `new_xyz`; see pydl.geometric.ball_query.
)doc");
PYDL_OP(farthest_points, "_farthest_point_sample(xyz: Tensor, npoint: int, start: Tensor) -> Tensor", Private, R"doc(
Indices (b, npoint) of points, each the farthest from those before it; see pydl.geometric.farthest_point_sample.
)doc");

}  // namespace pydl
