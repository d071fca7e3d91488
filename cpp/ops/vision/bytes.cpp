#include "ops/vision/bytes.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/vision/bytes.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/view/view.h"

namespace pydl::vision {

namespace {

constexpr int64_t kRows = 64;        // turned at a time, so that a step along them is a step across their bytes
constexpr int64_t kGrain = 1 << 19;  // sums of one byte per thread
constexpr int kMostBits = 22;        // so that the sums of bytes stay below 2^31

// The weights in units of 2^-bits, as fine as 16 bits hold them; halves are rounded away from zero.
struct WholeAxis {
  std::vector<int16_t> weights;
  kernels::vision::ByteAxis axis;
  WholeAxis(const AxisTable& t, int64_t inner) : axis{t.in, t.out, inner, t.taps, t.start.data(), t.count.data(), nullptr, 0} {
    const double largest = *std::max_element(t.weights.begin(), t.weights.end());
    while (axis.bits < kMostBits && largest * static_cast<double>(2 << axis.bits) + 0.5 < 32768) ++axis.bits;
    weights.reserve(t.weights.size());
    for (const double w : t.weights) {
      const double scaled = w * static_cast<double>(1 << axis.bits);
      weights.push_back(static_cast<int16_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
    axis.weights = weights.data();
  }
};

Tensor along(const Tensor& x, const AxisTable& columns) {
  Dims shape = x.sizes();
  shape[x.ndim() - 1] = columns.out;
  const Tensor y = empty(shape, DType::UInt8, "interpolate");
  const auto& fns = kernels::vision::bytes();
  const WholeAxis whole(columns, kRows);
  const int64_t rows = x.numel() / columns.in, cost = columns.out * columns.taps * kRows;
  parallel_for((rows + kRows - 1) / kRows, std::max<int64_t>(1, kGrain / cost), [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> in(static_cast<size_t>(columns.in * kRows)), out(static_cast<size_t>(columns.out * kRows));
    for (int64_t first = begin * kRows; first < std::min(end * kRows, rows); first += kRows) {
      const int64_t count = std::min(kRows, rows - first);
      fns.transpose(in.data(), kRows, x.data<uint8_t>() + first * columns.in, columns.in, count, columns.in);
      fns.across(out.data(), in.data(), whole.axis, 0, columns.out);
      fns.transpose(y.data<uint8_t>() + first * columns.out, columns.out, out.data(), kRows, columns.out, count);
    }
  });
  return y;
}

Tensor across(const Tensor& x, const AxisTable& rows) {
  Dims shape = x.sizes();
  shape[x.ndim() - 2] = rows.out;
  const Tensor y = empty(shape, DType::UInt8, "interpolate");
  const WholeAxis whole(rows, x.size(x.ndim() - 1));
  const int64_t cost = whole.axis.inner * rows.taps;
  parallel_for(y.numel() / whole.axis.inner, std::max<int64_t>(1, kGrain / cost), [&](int64_t begin, int64_t end) {
    kernels::vision::bytes().across(y.data<uint8_t>(), x.data<uint8_t>(), whole.axis, begin, end);
  });
  return y;
}

}  // namespace

Tensor resample_bytes(const Tensor& x, const AxisTable& rows, const AxisTable& columns) {
  const Tensor narrow = columns.in == columns.out ? x : along(x, columns);
  const Tensor y = rows.in == rows.out ? narrow : across(narrow, rows);
  return y.same(x) ? clone(x) : y;
}

}  // namespace pydl::vision
