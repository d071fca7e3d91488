// Which places along an axis the bins of a region look at, and with which weights.
#pragma once

#include <cstdint>
#include <vector>

namespace pydl::vision {

enum class RegionRule : uint8_t { Align, PositionAlign, PositionPool };

// Consecutive places from `first` on.
struct Bin {
  int64_t first = 0;
  std::vector<double> weight;
};

struct RegionAxis {
  RegionRule rule;
  int64_t size, bins, samples;  // samples <= 0: as many as pixels
  double scale;
  bool aligned;
  // The bins [begin, end) of the region from `low` to `high` in the coordinates of the boxes; `row` is working space of `size`
  // zeros.
  void bins_of(double low, double high, int64_t begin, int64_t end, std::vector<Bin>& out, std::vector<double>& row) const;

 private:
  void sampled(double low, double high, int64_t begin, std::vector<Bin>& out, std::vector<double>& row) const;
  void pooled(double low, double high, int64_t begin, std::vector<Bin>& out) const;
};

// [first, last) of bin `i` of the region whose pixels begin at `start`, clipped to [0, limit].
struct Range {
  int64_t first, last;
};
Range bin_range(double start, double bin_size, int64_t i, int64_t limit);

}  // namespace pydl::vision
