// Non-maximum suppression: greedy, by groups, and soft. pydl.vision.ops has the public functions.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <vector>

#include "autograd/mode.h"
#include "core/parallel.h"
#include "kernels/vision/boxes.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/registry.h"

namespace pydl {
namespace {

using kernels::vision::BoxColumns;

void check(const char* op, const Tensor& boxes, const Tensor& scores) {
  PYDL_CHECK(boxes.ndim() == 2 && boxes.size(1) == 4, ShapeError, op, "(): boxes must have sizes (N, 4), got ", IntSpan(boxes.sizes()));
  PYDL_CHECK(scores.ndim() == 1 && scores.size(0) == boxes.size(0), ShapeError, op, "(): scores must have sizes [", boxes.size(0),
             "] as there are boxes, got ", IntSpan(scores.sizes()));
  PYDL_CHECK(is_floating(boxes.dtype()) && is_floating(scores.dtype()), TypeError, op,
             "(): boxes and scores must be of a floating-point dtype, got ", boxes.dtype(), " and ", scores.dtype());
}

// Chosen boxes, by coordinate.
template <class T>
struct Columns {
  std::vector<T> data;
  BoxColumns view;
  Columns(const T* boxes, const std::vector<int64_t>& chosen) : data(5 * chosen.size()), view{} {
    const size_t n = chosen.size();
    T* column = data.data();
    for (size_t i = 0; i < n; ++i) {
      const T* b = boxes + 4 * chosen[i];
      for (size_t k = 0; k < 4; ++k) column[k * n + i] = b[k];
      column[4 * n + i] = (b[2] - b[0]) * (b[3] - b[1]);
    }
    view = {column, column + n, column + 2 * n, column + 3 * n, column + 4 * n, static_cast<int64_t>(n)};
  }
};

// Falling scores, the smaller index first among equals, NaN last.
template <class T>
std::vector<int64_t> by_score(const T* scores, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [scores](int64_t a, int64_t b) { return scores[a] > scores[b] || (std::isnan(scores[b]) && !std::isnan(scores[a])); });
  return order;
}

// Marks the boxes of `ordered` that stay.
template <class T>
void keep_best(const T* boxes, const std::vector<int64_t>& ordered, double threshold, char* keep) {
  const auto& fns = *kernels::vision::boxes()[dtype_of<T>];
  const Columns<T> columns(boxes, ordered);
  std::vector<T> gone(ordered.size());
  for (size_t i = 0; i < ordered.size(); ++i) {
    if (gone[i] != 0) continue;
    keep[ordered[i]] = 1;
    fns.suppress(gone.data(), columns.view, static_cast<int64_t>(i), threshold);
  }
}

template <class T>
Tensor nms_values(const Tensor& boxes, const Tensor& scores, const Tensor& groups, double threshold) {
  const int64_t n = boxes.size(0);
  const std::vector<int64_t> order = by_score(scores.data<T>(), n);
  std::vector<char> keep(static_cast<size_t>(n));
  if (groups.defined()) {
    std::unordered_map<int64_t, size_t> place;
    std::vector<std::vector<int64_t>> parts;
    for (const int64_t i : order) {
      const auto [found, is_new] = place.try_emplace(groups.data<int64_t>()[i], parts.size());
      if (is_new) parts.emplace_back();
      parts[found->second].push_back(i);
    }
    parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) keep_best(boxes.data<T>(), parts[static_cast<size_t>(p)], threshold, keep.data());
    });
  } else {
    keep_best(boxes.data<T>(), order, threshold, keep.data());
  }
  std::vector<int64_t> kept;
  std::copy_if(order.begin(), order.end(), std::back_inserter(kept), [&](int64_t i) { return keep[static_cast<size_t>(i)] != 0; });
  const Tensor out = empty(Dims{static_cast<int64_t>(kept.size())}, DType::Int64, "nms");
  std::copy(kept.begin(), kept.end(), out.data<int64_t>());
  return out;
}

Tensor nms(const Tensor& boxes, const Tensor& scores, double iou_threshold, const Tensor& groups) {
  check("nms", boxes, scores);
  PYDL_CHECK(!std::isnan(iou_threshold), ValueError, "nms(): iou_threshold must be a number, got nan");
  PYDL_CHECK(!groups.defined() || (groups.sizes() == scores.sizes() && !is_floating(groups.dtype()) && !is_complex(groups.dtype())),
             ShapeError, "batched_nms(): idxs must be integers of sizes ", IntSpan(scores.sizes()));
  const autograd::GradGuard off(false);
  const Tensor of = groups.defined() ? contiguous(to_dtype(groups, DType::Int64)) : Tensor();
  const bool wide = boxes.dtype() == DType::Float64 || scores.dtype() == DType::Float64;
  const DType d = wide ? DType::Float64 : DType::Float32;
  const Tensor b = contiguous(to_dtype(boxes, d)), s = contiguous(to_dtype(scores, d));
  return wide ? nms_values<double>(b, s, of, iou_threshold) : nms_values<float>(b, s, of, iou_threshold);
}

struct SoftRule {
  double sigma, score_threshold, iou_threshold;
  bool linear;
  double factor(double overlap) const {
    if (linear) return overlap > iou_threshold ? 1 - overlap : 1;
    return overlap > 0 ? std::exp(-overlap * overlap / sigma) : 1;
  }
};

// The boxes that remain are kept at the front, so that each round looks at them alone.
template <class T>
std::tuple<Tensor, Tensor> soft_values(const Tensor& boxes, const Tensor& scores, const SoftRule& rule) {
  const auto& fns = *kernels::vision::boxes()[dtype_of<T>];
  const int64_t n = boxes.size(0);
  std::vector<int64_t> all(static_cast<size_t>(n)), taken;
  std::iota(all.begin(), all.end(), int64_t{0});
  const Columns<T> columns(boxes.data<T>(), all);
  std::vector<double> left(scores.data<T>(), scores.data<T>() + n), values;
  std::vector<T> overlap(static_cast<size_t>(n));
  for (int64_t round = 0; round < n; ++round) {
    int64_t best = -1;
    for (const int64_t i : all) {
      const double score = left[static_cast<size_t>(i)];
      if (score >= rule.score_threshold && (best < 0 || score > left[static_cast<size_t>(best)])) best = i;
    }
    if (best < 0) break;
    taken.push_back(best);
    values.push_back(left[static_cast<size_t>(best)]);
    fns.overlap(overlap.data(), columns.view, best, 0);
    std::erase_if(all, [&](int64_t i) {
      double& score = left[static_cast<size_t>(i)];
      if (i != best) score *= rule.factor(static_cast<double>(overlap[static_cast<size_t>(i)]));
      return i == best || !(score >= rule.score_threshold);
    });
  }
  const Dims size{static_cast<int64_t>(taken.size())};
  const Tensor index = empty(size, DType::Int64, "soft_nms"), value = empty(size, dtype_of<T>, "soft_nms");
  std::copy(taken.begin(), taken.end(), index.data<int64_t>());
  std::transform(values.begin(), values.end(), value.data<T>(), [](double v) { return static_cast<T>(v); });
  return {index, value};
}

std::tuple<Tensor, Tensor> soft_nms(const Tensor& boxes, const Tensor& scores, double sigma, double score_threshold, double iou_threshold,
                                    std::string_view method) {
  check("soft_nms", boxes, scores);
  PYDL_CHECK(method == "gaussian" || method == "linear", ValueError, "soft_nms(): method must be 'gaussian' or 'linear', got '", method,
             "'");
  PYDL_CHECK(sigma > 0, ValueError, "soft_nms(): sigma must be positive, got ", sigma);
  const autograd::GradGuard off(false);
  const SoftRule rule{sigma, score_threshold, iou_threshold, method == "linear"};
  const bool wide = boxes.dtype() == DType::Float64 || scores.dtype() == DType::Float64;
  const DType d = wide ? DType::Float64 : DType::Float32;
  const Tensor b = contiguous(to_dtype(boxes, d)), s = contiguous(to_dtype(scores, d));
  auto [index, value] = wide ? soft_values<double>(b, s, rule) : soft_values<float>(b, s, rule);
  return {index, to_dtype(value, scores.dtype())};
}

}  // namespace

PYDL_OP(nms, "_nms(boxes: Tensor, scores: Tensor, iou_threshold: float, groups: Tensor | None = None) -> Tensor", Private, R"doc(
The boxes (N, 4) that are not overlapped, by more than the threshold, by a box of a higher score that stays (of their group, int64
(N,)): int64 indices by falling score.
)doc");
PYDL_OP(soft_nms,
        "_soft_nms(boxes: Tensor, scores: Tensor, sigma: float, score_threshold: float, iou_threshold: float, method: str) -> "
        "tuple[Tensor, Tensor]",
        Private, R"doc(
Boxes in the order in which they have the best score, after every one taken lowered those of its neighbours: indices and scores.
)doc");

}  // namespace pydl
