// The places and weights from which interpolation along one axis makes its results.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pydl::vision {

enum class Filter : uint8_t { Nearest, NearestExact, Linear, Cubic, Area };
Filter filter_of(std::string_view mode);

// Result j is the sum of count[j] places from start[j] on with weights[j * taps + t].
struct AxisTable {
  int64_t in = 0, out = 0, taps = 0;
  std::vector<int64_t> start, count;
  std::vector<double> weights;
  bool identity() const;
  // The table of the derivative: from `out` places to `in`.
  AxisTable transposed() const;
};

struct AxisOptions {
  Filter filter;
  bool align_corners, antialias;
};
// scale: how much longer the result is, where that is not out / in.
AxisTable make_axis(int64_t in, int64_t out, const AxisOptions& options, std::optional<double> scale);

}  // namespace pydl::vision
