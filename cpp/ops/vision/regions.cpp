#include "ops/vision/regions.h"

#include <algorithm>
#include <cmath>

namespace pydl::vision {

namespace {

// Adds the linear interpolation at `at`: positions up to one beyond the axis count as its ends, others as zero.
void add_sample(double at, int64_t size, double share, std::vector<double>& row, Range& used) {
  if (!(at >= -1 && at <= static_cast<double>(size))) return;
  at = std::max(at, 0.0);
  int64_t low = static_cast<int64_t>(at), high = low + 1;
  double fraction = at - static_cast<double>(low);
  if (low >= size - 1) low = high = size - 1, fraction = 0;
  row[static_cast<size_t>(low)] += (1 - fraction) * share;
  row[static_cast<size_t>(high)] += fraction * share;
  used = {std::min(used.first, low), std::max(used.last, high + 1)};
}

}  // namespace

Range bin_range(double start, double bin_size, int64_t i, int64_t limit) {
  const double top = static_cast<double>(limit), at = static_cast<double>(i);
  const auto clipped = [top](double v) { return v > 0 ? static_cast<int64_t>(std::min(v, top)) : 0; };
  return {clipped(std::floor(at * bin_size) + start), clipped(std::ceil((at + 1) * bin_size) + start)};
}

void RegionAxis::bins_of(double low, double high, int64_t begin, int64_t end, std::vector<Bin>& out, std::vector<double>& row) const {
  out.resize(static_cast<size_t>(end - begin));
  for (Bin& b : out) b.weight.clear();
  if (rule == RegionRule::PositionPool) {
    pooled(low * scale, high * scale, begin, out);
  } else {
    sampled(low * scale, high * scale, begin, out, row);
  }
}

// He et al. 2017: the mean of samples in the middle of equal parts of the bin.
void RegionAxis::sampled(double low, double high, int64_t begin, std::vector<Bin>& out, std::vector<double>& row) const {
  const bool shifted = aligned || rule == RegionRule::PositionAlign;
  double extent = high - low;
  if (!shifted) extent = std::max(extent, 1.0);
  const double start = shifted ? low - 0.5 : low, bin = extent / static_cast<double>(bins);
  const double grid = samples > 0 ? static_cast<double>(samples) : std::ceil(bin);
  if (!(grid >= 1) || !std::isfinite(bin) || !std::isfinite(start)) return;
  for (size_t b = 0; b < out.size(); ++b) {
    const double from = start + static_cast<double>(begin + static_cast<int64_t>(b)) * bin;
    // Of very many samples those near the axis alone are visited: they are at least half a pixel apart.
    double first = 0, last = grid - 1;
    if (samples <= 0) {
      first = std::max(first, std::floor((-1 - from) * grid / bin - 0.5));
      last = std::min({last, std::ceil((static_cast<double>(size) - from) * grid / bin), first + 2 * static_cast<double>(size) + 8});
    }
    Range used{size, 0};
    const int64_t count = last >= first ? static_cast<int64_t>(last - first) + 1 : 0;
    for (int64_t k = 0; k < count; ++k) add_sample(from + (first + static_cast<double>(k) + 0.5) * bin / grid, size, 1 / grid, row, used);
    if (used.first >= used.last) continue;
    out[b].first = used.first;
    const auto from_row = row.begin() + used.first, to_row = row.begin() + used.last;
    out[b].weight.assign(from_row, to_row);
    std::fill(from_row, to_row, 0.0);
  }
}

// Dai et al. 2016: whole pixels from rounded corners. As in torchvision the last row and column are never reached.
void RegionAxis::pooled(double low, double high, int64_t begin, std::vector<Bin>& out) const {
  const double start = std::round(low), bin = std::max(std::round(high) - start, 1.0) / static_cast<double>(bins);
  if (!std::isfinite(start) || !std::isfinite(bin)) return;
  for (size_t b = 0; b < out.size(); ++b) {
    const Range r = bin_range(start, bin, begin + static_cast<int64_t>(b), size - 1);
    out[b].first = r.first;
    if (r.last > r.first) out[b].weight.assign(static_cast<size_t>(r.last - r.first), 1 / static_cast<double>(r.last - r.first));
  }
}

}  // namespace pydl::vision
