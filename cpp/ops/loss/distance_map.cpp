// Exact Euclidean distance maps: one pass of two scans along the last dim, then the lower envelope of parabolas along each other
// (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012). In float64, where squares of distances in
// pixels are exact.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autograd/mode.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();
// Neighbouring lines that are read together along a dim with a stride: as many as fill a cache line.
constexpr int64_t kLines = 8;

// out[i] = weight * (distance to the nearest position where `mask` is `seed`)^2
void scan_line(const uint8_t* mask, uint8_t seed, double weight, double* out, int64_t n) {
  double distance = kFar;
  for (int64_t i = 0; i < n; ++i) {
    distance = mask[i] == seed ? 0 : distance + 1;
    out[i] = distance;
  }
  distance = kFar;
  for (int64_t i = n; i-- > 0;) {
    distance = mask[i] == seed ? 0 : distance + 1;
    const double least = std::min(distance, out[i]);
    out[i] = weight * (least * least);
  }
}

// min over j of weight (i - j)^2 + f[j], for all i.
class Envelope {
 public:
  explicit Envelope(int64_t n) : vertex_(static_cast<size_t>(n)), from_(static_cast<size_t>(n) + 1) {}

  void run(const double* f, double weight, double* out, int64_t n) {
    int64_t* vertex = vertex_.data();
    double* from = from_.data();  // where each parabola begins to be the lowest
    int64_t last = -1;
    for (int64_t q = 0; q < n; ++q) {
      if (f[q] == kFar) continue;
      double start = -kFar;
      while (last >= 0) {
        const int64_t v = vertex[last];
        start = (static_cast<double>(q + v) + (f[q] - f[v]) / (weight * static_cast<double>(q - v))) / 2;
        if (start > from[last]) break;
        --last;
        start = -kFar;
      }
      ++last;
      vertex[last] = q;
      from[last] = start;
    }
    if (last < 0) return std::fill(out, out + n, kFar);
    from[last + 1] = kFar;
    for (int64_t i = 0, k = 0; i < n; ++i) {
      while (from[k + 1] < static_cast<double>(i)) ++k;
      const auto d = static_cast<double>(i - vertex[k]);
      out[i] = weight * (d * d) + f[vertex[k]];
    }
  }

 private:
  std::vector<int64_t> vertex_;
  std::vector<double> from_;
};

// Along a dim of `length` whose elements are `inner` apart, in place.
void envelopes(double* map, int64_t outer, int64_t length, int64_t inner, double weight) {
  const int64_t tiles = (inner + kLines - 1) / kLines;
  parallel_for(outer * tiles, 1 + 4000 / (length * kLines), [&](int64_t begin, int64_t end) {
    Envelope envelope(length);
    std::vector<double> lines(static_cast<size_t>(length * kLines)), line(static_cast<size_t>(length));
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = tile % tiles * kLines, count = std::min(kLines, inner - first);
      double* base = map + tile / tiles * length * inner + first;
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t k = 0; k < count; ++k) lines[static_cast<size_t>(k * length + i)] = base[i * inner + k];
      }
      for (int64_t k = 0; k < count; ++k) {
        envelope.run(&lines[static_cast<size_t>(k * length)], weight, line.data(), length);
        for (int64_t i = 0; i < length; ++i) base[i * inner + k] = line[static_cast<size_t>(i)];
      }
    }
  });
}

// Squared distances of every pixel of all images from the nearest one that is `seed`.
void distance_map(const uint8_t* mask, uint8_t seed, const Dims& sizes, const double* sampling, double* map) {
  const int last = static_cast<int>(sizes.size()) - 1;
  int64_t count = 1;
  for (const int64_t s : sizes) count *= s;
  const int64_t width = sizes[last];
  parallel_for(count / width, 1 + 20000 / width, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      scan_line(mask + r * width, seed, sampling[last - 1] * sampling[last - 1], map + r * width, width);
    }
  });
  int64_t inner = width;
  for (int d = last - 1; d >= 1; --d) {
    envelopes(map, count / (inner * sizes[d]), sizes[d], inner, sampling[d - 1] * sampling[d - 1]);
    inner *= sizes[d];
  }
}

template <class T>
void combine(const uint8_t* mask, const double* outside, const double* inside, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(mask[i] ? -std::sqrt(inside[i]) : std::sqrt(outside[i]));
}

Tensor signed_distance_map(const Tensor& mask, const Tensor& sampling, DType dtype) {
  PYDL_CHECK(mask.dtype() == DType::Bool && mask.ndim() >= 2, ShapeError,
             "_signed_distance(): mask must be a bool tensor (images, sizes...), got ", mask.dtype(), " of size ", IntSpan(mask.sizes()));
  PYDL_CHECK(sampling.ndim() == 1 && sampling.size(0) == mask.ndim() - 1 && sampling.dtype() == DType::Float64, ShapeError,
             "_signed_distance(): sampling must be float64 of size ", mask.ndim() - 1, ", got ", sampling.dtype(), " of size ",
             IntSpan(sampling.sizes()));
  PYDL_CHECK(dtype == DType::Float32 || dtype == DType::Float64, NotImplemented, "_signed_distance(): not implemented for ", dtype);
  const autograd::GradGuard off(false);
  const Tensor out = empty(mask.sizes(), dtype, "_signed_distance");
  if (out.numel() == 0) return out;
  const Tensor m = contiguous(mask), spacing = contiguous(sampling);
  const Tensor outside = empty(mask.sizes(), DType::Float64, "_signed_distance"),
               inside = empty(mask.sizes(), DType::Float64, "_signed_distance");
  const auto* bits = reinterpret_cast<const uint8_t*>(m->data);
  distance_map(bits, 1, mask.sizes(), spacing.data<double>(), outside.data<double>());
  distance_map(bits, 0, mask.sizes(), spacing.data<double>(), inside.data<double>());
  const int64_t images = mask.size(0), pixels = mask.numel() / images;
  parallel_for(images, 1 + 20000 / pixels, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * pixels; i < end * pixels; i += pixels) {
      const auto seeds = std::count(bits + i, bits + i + pixels, uint8_t{1});
      char* to = out->data + i * out.item_size();
      if (seeds == 0 || seeds == pixels) {  // no contour to be distant from
        std::fill(to, to + pixels * out.item_size(), char{0});
      } else if (dtype == DType::Float32) {
        combine(bits + i, outside.data<double>() + i, inside.data<double>() + i, pixels, reinterpret_cast<float*>(to));
      } else {
        combine(bits + i, outside.data<double>() + i, inside.data<double>() + i, pixels, reinterpret_cast<double*>(to));
      }
    }
  });
  return out;
}

}  // namespace

PYDL_OP(signed_distance_map, "_signed_distance(mask: Tensor, sampling: Tensor, dtype: dtype) -> Tensor", Private, R"doc(
For each pixel of masks (images, sizes...) the Euclidean distance to the nearest pixel of the other kind, negative inside the mask;
`sampling` (float64) is the spacing along each of the sizes. Empty and full masks give zeros.
)doc");

}  // namespace pydl
