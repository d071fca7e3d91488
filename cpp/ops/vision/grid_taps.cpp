#include "ops/vision/grid_taps.h"

#include <algorithm>
#include <cmath>

namespace pydl::vision {

namespace {

struct Position {
  double at, slope;
};

Position clip(Position p, int64_t size) {
  const double last = static_cast<double>(size - 1);
  if (!(p.at > 0)) return {0, 0};  // NaN as well
  return p.at >= last ? Position{last, 0} : p;
}

// Mirrored at the edges until inside: at the centres of the outermost places, or at their outer sides.
Position reflect(Position p, const AxisRule& rule) {
  const double low = rule.align_corners ? 0 : -0.5, span = static_cast<double>(rule.align_corners ? rule.size - 1 : rule.size);
  if (span <= 0) return {0, 0};
  double from = p.at - low, slope = p.slope;
  if (from < 0) from = -from, slope = -slope;
  const double extra = std::fmod(from, span), flips = std::floor(from / span);
  if (std::fmod(flips, 2) == 0) return {extra + low, slope};
  return {span - extra + low, -slope};
}

Position mapped(Position p, const AxisRule& rule) {
  if (rule.outside == Outside::Zeros) return p;
  return clip(rule.outside == Outside::Reflection ? reflect(p, rule) : p, rule.size);
}

int64_t inside(double place, const AxisRule& rule) {
  return place >= 0 && place <= static_cast<double>(rule.size - 1) ? static_cast<int64_t>(place) : -1;
}

// Keys (1981) with a = -0.75: values and derivatives of the four weights at fraction t.
void cubic(double t, AxisTaps& r) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const auto near_slope = [](double x) { return (3 * (a + 2) * x - 2 * (a + 3)) * x; };
  const auto far_slope = [](double x) { return (3 * a * x - 10 * a) * x + 8 * a; };
  r.weight[0] = far(t + 1), r.weight[1] = near(t), r.weight[2] = near(1 - t), r.weight[3] = far(2 - t);
  r.derivative[0] = far_slope(t + 1), r.derivative[1] = near_slope(t);
  r.derivative[2] = -near_slope(1 - t), r.derivative[3] = -far_slope(2 - t);
}

}  // namespace

AxisTaps axis_taps(double coordinate, const AxisRule& rule) {
  const double size = static_cast<double>(rule.size);
  Position p = rule.align_corners ? Position{(coordinate + 1) / 2 * (size - 1), (size - 1) / 2}
                                  : Position{((coordinate + 1) * size - 1) / 2, size / 2};
  AxisTaps r;
  if (rule.sampling != Sampling::Cubic) p = mapped(p, rule);
  if (rule.sampling == Sampling::Nearest) {
    r.fraction = r.slope = 0;
    r.place[0] = inside(std::nearbyint(p.at), rule);
    r.weight[0] = 1, r.derivative[0] = 0;
    return r;
  }
  const double floor = std::floor(p.at);
  r.fraction = p.at - floor, r.slope = p.slope;
  if (!(r.fraction >= 0)) {  // an infinite or undefined position looks at nothing
    r.fraction = r.slope = 0;
    for (int k = 0; k < kMaxTaps; ++k) r.place[k] = -1, r.weight[k] = r.derivative[k] = 0;
    return r;
  }
  if (rule.sampling == Sampling::Linear) {
    for (int k = 0; k < 2; ++k) r.place[k] = inside(floor + k, rule);
    r.weight[0] = 1 - r.fraction, r.weight[1] = r.fraction;
    r.derivative[0] = -1, r.derivative[1] = 1;
    return r;
  }
  for (int k = 0; k < 4; ++k) {
    const double place = std::nearbyint(mapped({floor - 1 + k, 1}, rule).at);
    r.place[k] = inside(place, rule);
  }
  cubic(r.fraction, r);
  return r;
}

}  // namespace pydl::vision
