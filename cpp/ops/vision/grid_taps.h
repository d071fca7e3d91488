// Which places along an axis a coordinate of a sampling grid looks at, and with which weights.
#pragma once

#include <cstdint>

namespace pydl::vision {

enum class Sampling : uint8_t { Linear, Nearest, Cubic };
enum class Outside : uint8_t { Zeros, Border, Reflection };

inline constexpr int kMaxTaps = 4;
inline int taps_of(Sampling s) { return s == Sampling::Linear ? 2 : s == Sampling::Nearest ? 1 : 4; }

struct AxisRule {
  int64_t size;
  Sampling sampling;
  Outside outside;
  bool align_corners;
};
// The position is `fraction` behind the place of the tap before it; it moves by `slope` places with the coordinate.
struct AxisTaps {
  double fraction, slope;
  int64_t place[kMaxTaps];                        // -1: none
  double weight[kMaxTaps], derivative[kMaxTaps];  // the derivative with respect to the position
};
AxisTaps axis_taps(double coordinate, const AxisRule& rule);

}  // namespace pydl::vision
