// Exact Euclidean distance maps: the ends of runs along the last dim, then the lower envelope of parabolas along each other
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

// Every pixel has the square of its distance to the nearest pixel of the other kind, among those in the dims that were done. So a line
// falls apart into runs of one kind: nothing behind the ends of its run is nearer than the pixels of the other kind that stand
// there.
template <class F>
void for_each_run(const uint8_t* mask, int64_t n, const F& f) {
  for (int64_t begin = 0, end = 0; begin < n; begin = end) {
    while (end < n && mask[end] == mask[begin]) ++end;
    f(begin, end);
  }
}

// The first dim: the ends of the run are all there is.
void scan_line(const uint8_t* mask, double weight, double* out, int64_t n) {
  for_each_run(mask, n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double left = begin > 0 ? static_cast<double>(i - begin + 1) : kFar, right = end < n ? static_cast<double>(end - i) : kFar;
      const double least = std::min(left, right);
      out[i] = weight * (least * least);
    }
  });
}

// A line of a further dim: f[i] becomes the min over j of weight (i - j)^2 + f[j] in its run, with 0 for what stands at its ends.
class Envelope {
 public:
  Envelope(int64_t n, double weight)
      : weight_(weight), vertex_(static_cast<size_t>(n)), from_(vertex_.size() + 1), height_(vertex_.size()), inverse_(vertex_.size() + 1) {
    for (size_t d = 1; d < inverse_.size(); ++d) inverse_[d] = 1 / (weight * static_cast<double>(d));
  }

  void run(const uint8_t* mask, double* f, int64_t n) {
    for_each_run(mask, n, [&](int64_t begin, int64_t end) {
      last_ = -1;
      if (begin > 0) add(begin - 1, 0);
      for (int64_t q = begin; q < end; ++q) {
        if (f[q] != kFar) add(q, f[q]);
      }
      if (end < n) add(end, 0);
      if (last_ < 0) return;  // no pixel of the other kind so far
      from_[static_cast<size_t>(last_ + 1)] = kFar;
      size_t k = 0;
      for (int64_t i = begin; i < end; ++i) {
        while (from_[k + 1] < static_cast<double>(i)) ++k;
        const auto d = static_cast<double>(i - vertex_[k]);
        f[i] = weight_ * (d * d) + height_[k];
      }
    });
  }

 private:
  void add(int64_t q, double height) {
    double start = -kFar;
    for (; last_ >= 0; --last_) {
      const auto top = static_cast<size_t>(last_);
      const int64_t v = vertex_[top];
      start = (static_cast<double>(q + v) + (height - height_[top]) * inverse_[static_cast<size_t>(q - v)]) / 2;
      if (start > from_[top]) break;
      start = -kFar;
    }
    const auto top = static_cast<size_t>(++last_);
    vertex_[top] = q;
    height_[top] = height;
    from_[top] = start;
  }

  double weight_;
  int64_t last_ = -1;
  std::vector<int64_t> vertex_;
  std::vector<double> from_, height_;  // where each parabola begins to be the lowest, and its lowest value
  std::vector<double> inverse_;
};

// Along a dim of `length` whose elements are `inner` apart, in place.
void envelopes(const uint8_t* mask, double* map, int64_t outer, int64_t length, int64_t inner, double weight) {
  const int64_t tiles = (inner + kLines - 1) / kLines;
  parallel_for(outer * tiles, 1 + 4000 / (length * kLines), [&](int64_t begin, int64_t end) {
    Envelope envelope(length, weight);
    std::vector<double> lines(static_cast<size_t>(length * kLines));
    std::vector<uint8_t> kinds(lines.size());
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t first = tile % tiles * kLines, count = std::min(kLines, inner - first);
      const int64_t base = tile / tiles * length * inner + first;
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t k = 0; k < count; ++k) {
          lines[static_cast<size_t>(k * length + i)] = map[base + i * inner + k];
          kinds[static_cast<size_t>(k * length + i)] = mask[base + i * inner + k];
        }
      }
      for (int64_t k = 0; k < count; ++k)
        envelope.run(&kinds[static_cast<size_t>(k * length)], &lines[static_cast<size_t>(k * length)], length);
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t k = 0; k < count; ++k) map[base + i * inner + k] = lines[static_cast<size_t>(k * length + i)];
      }
    }
  });
}

// Squared distances of every pixel of all images from the nearest one of the other kind.
void distance_map(const uint8_t* mask, const Dims& sizes, const double* sampling, double* map) {
  const int last = static_cast<int>(sizes.size()) - 1;
  int64_t count = 1;
  for (const int64_t s : sizes) count *= s;
  const int64_t width = sizes[last];
  parallel_for(count / width, 1 + 20000 / width, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) scan_line(mask + r * width, sampling[last - 1] * sampling[last - 1], map + r * width, width);
  });
  int64_t inner = width;
  for (int d = last - 1; d >= 1; --d) {
    envelopes(mask, map, count / (inner * sizes[d]), sizes[d], inner, sampling[d - 1] * sampling[d - 1]);
    inner *= sizes[d];
  }
}

template <class T>
void with_sign(const uint8_t* mask, const double* squares, int64_t n, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(mask[i] ? -std::sqrt(squares[i]) : std::sqrt(squares[i]));
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
  const Tensor squares = empty(mask.sizes(), DType::Float64, "_signed_distance");
  const auto* bits = reinterpret_cast<const uint8_t*>(m->data);
  distance_map(bits, mask.sizes(), spacing.data<double>(), squares.data<double>());
  const int64_t images = mask.size(0), pixels = mask.numel() / images;
  parallel_for(images, 1 + 20000 / pixels, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * pixels; i < end * pixels; i += pixels) {
      const double* from = squares.data<double>() + i;
      char* to = out->data + i * out.item_size();
      if (*from == kFar) {  // all of one kind: no contour to be distant from
        std::fill(to, to + pixels * out.item_size(), char{0});
      } else if (dtype == DType::Float32) {
        with_sign(bits + i, from, pixels, reinterpret_cast<float*>(to));
      } else {
        with_sign(bits + i, from, pixels, reinterpret_cast<double*>(to));
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
