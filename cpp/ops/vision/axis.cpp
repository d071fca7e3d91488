// Positions as in PyTorch: pixels are areas, of which align_corners joins the centres of the outermost.
#include "ops/vision/axis.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace pydl::vision {

Filter filter_of(std::string_view mode) {
  if (mode == "nearest") return Filter::Nearest;
  if (mode == "nearest-exact") return Filter::NearestExact;
  if (mode == "linear" || mode == "bilinear" || mode == "trilinear") return Filter::Linear;
  if (mode == "bicubic") return Filter::Cubic;
  if (mode == "area") return Filter::Area;
  throw ValueError(text("interpolate(): unknown mode '", mode, "'"));
}

bool AxisTable::identity() const {
  if (in != out) return false;
  for (int64_t j = 0; j < out; ++j) {
    const size_t at = static_cast<size_t>(j);
    if (start[at] != j || count[at] != 1 || weights[at * static_cast<size_t>(taps)] != 1) return false;
  }
  return true;
}

namespace {

struct Tap {
  int64_t place;
  double weight;
};

class Builder {
 public:
  Builder(int64_t in, int64_t out) : rows_(static_cast<size_t>(out)) {
    table_.in = in;
    table_.out = out;
  }
  // Taps of result j, in rising order of their places once those are cut to the axis; equal ones join.
  void add(int64_t j, std::initializer_list<Tap> taps) {
    for (const Tap& t : taps) add(j, t.place, t.weight);
  }
  void add(int64_t j, int64_t place, double weight) {
    std::vector<Tap>& row = rows_[static_cast<size_t>(j)];
    place = std::clamp<int64_t>(place, 0, table_.in - 1);
    if (!row.empty() && row.back().place == place) {
      row.back().weight += weight;
    } else {
      row.push_back({place, weight});
    }
  }
  AxisTable finish() {
    size_t taps = 1;
    for (const auto& row : rows_) taps = std::max(taps, row.size());
    table_.taps = static_cast<int64_t>(taps);
    table_.weights.assign(rows_.size() * taps, 0);
    for (size_t j = 0; j < rows_.size(); ++j) {
      table_.start.push_back(rows_[j].empty() ? 0 : rows_[j].front().place);
      table_.count.push_back(static_cast<int64_t>(rows_[j].size()));
      for (size_t t = 0; t < rows_[j].size(); ++t) table_.weights[j * taps + t] = rows_[j][t].weight;
    }
    return std::move(table_);
  }

 private:
  AxisTable table_;
  std::vector<std::vector<Tap>> rows_;
};

// Keys (1981): a piecewise cubic with free parameter a.
double cubic_near(double x, double a) { return ((a + 2) * x - (a + 3)) * x * x + 1; }
double cubic_far(double x, double a) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; }

double kernel_value(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::Linear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  return x < 1 ? cubic_near(x, a) : x < 2 ? cubic_far(x, a) : 0;
}

// How many places of the input one place of the result is wide.
double step_of(int64_t in, int64_t out, bool align_corners, std::optional<double> scale) {
  if (align_corners) return out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0;
  return scale && *scale > 0 ? 1 / *scale : static_cast<double>(in) / static_cast<double>(out);
}

// float32 decides which place is nearest, as in PyTorch: a tie of exact arithmetic may be none in it.
int64_t nearest_place(int64_t j, int64_t in, int64_t out, std::optional<double> scale, bool exact) {
  if (!exact && in == out) return j;
  if (!exact && out == 2 * in) return j / 2;
  const float step = scale && *scale > 0 ? static_cast<float>(1 / *scale) : static_cast<float>(in) / static_cast<float>(out);
  const float at = std::floor((static_cast<float>(j) + (exact ? 0.5F : 0.0F)) * step);
  return at < static_cast<float>(in) ? std::min(static_cast<int64_t>(at), in - 1) : in - 1;
}

void add_linear(Builder& b, int64_t j, int64_t in, double at) {
  at = std::clamp(at, 0.0, static_cast<double>(in - 1));
  const int64_t first = std::min(static_cast<int64_t>(at), in - 1);
  const double share = std::min(at - static_cast<double>(first), 1.0);
  b.add(j, {{first, 1 - share}, {first + 1, share}});
}

void add_cubic(Builder& b, int64_t j, int64_t in, double at) {
  constexpr double a = -0.75;
  // Beyond two places outside every tap is the outermost place.
  at = std::clamp(at, -3.0, static_cast<double>(in) + 2);
  const double floor = std::floor(at), t = at - floor;
  const int64_t first = static_cast<int64_t>(floor);
  b.add(j,
        {{first - 1, cubic_far(t + 1, a)}, {first, cubic_near(t, a)}, {first + 1, cubic_near(1 - t, a)}, {first + 2, cubic_far(2 - t, a)}});
}

// The filter stretched to the step when that is longer than a place, normalised over the places inside.
void add_smoothed(Builder& b, int64_t j, int64_t in, double step, Filter filter) {
  const double size = filter == Filter::Linear ? 2 : 4, support = (step >= 1 ? size * step : size) / 2;
  const double centre = step * (static_cast<double>(j) + 0.5), inverse = step >= 1 ? 1 / step : 1, end = static_cast<double>(in);
  const int64_t first = static_cast<int64_t>(std::clamp(centre - support + 0.5, 0.0, end - 1));
  const int64_t last = std::max(first + 1, static_cast<int64_t>(std::clamp(centre + support + 0.5, 0.0, end)));
  const auto weight = [&](int64_t i) { return kernel_value(filter, (static_cast<double>(i) - centre + 0.5) * inverse); };
  double total = 0;
  for (int64_t i = first; i < last; ++i) total += weight(i);
  for (int64_t i = first; i < last; ++i) b.add(j, i, total != 0 ? weight(i) / total : 0);
}

void add_area(Builder& b, int64_t j, int64_t in, int64_t out) {
  const auto wide = [](int64_t v) { return static_cast<__int128>(v); };
  const int64_t first = static_cast<int64_t>(wide(j) * in / out), last = static_cast<int64_t>((wide(j + 1) * in + out - 1) / out);
  for (int64_t i = first; i < last; ++i) b.add(j, i, 1 / static_cast<double>(last - first));
}

}  // namespace

AxisTable make_axis(int64_t in, int64_t out, const AxisOptions& o, std::optional<double> scale) {
  Builder b(in, out);
  const double step = step_of(in, out, o.align_corners, scale);
  for (int64_t j = 0; j < out; ++j) {
    const double at = o.align_corners ? step * static_cast<double>(j) : step * (static_cast<double>(j) + 0.5) - 0.5;
    if (o.filter == Filter::Nearest || o.filter == Filter::NearestExact) {
      b.add(j, nearest_place(j, in, out, scale, o.filter == Filter::NearestExact), 1);
    } else if (o.filter == Filter::Area) {
      add_area(b, j, in, out);
    } else if (o.antialias) {
      add_smoothed(b, j, in, step, o.filter);
    } else if (o.filter == Filter::Cubic) {
      add_cubic(b, j, in, at);
    } else {
      in == out ? b.add(j, j, 1) : add_linear(b, j, in, at);
    }
  }
  return b.finish();
}

AxisTable AxisTable::transposed() const {
  Builder b(out, in);
  for (int64_t j = 0; j < out; ++j) {
    const size_t at = static_cast<size_t>(j);
    for (int64_t t = 0; t < count[at]; ++t) b.add(start[at] + t, j, weights[at * static_cast<size_t>(taps) + static_cast<size_t>(t)]);
  }
  return b.finish();
}

}  // namespace pydl::vision
