// Interpolation to another size, axis by axis. A linear map: its derivative is the same with transposed tables.
#include "kernels/vision/resample.h"

#include <memory>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/index/index.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/rounding.h"
#include "ops/registry.h"
#include "ops/view/view.h"
#include "ops/vision/axis.h"
#include "ops/vision/bytes.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using vision::AxisTable;
using Tables = std::vector<AxisTable>;

namespace {

constexpr int64_t kGrain = 8192;  // results per thread, about 4 cycles each

// A table with weights of the element type.
struct TypedAxis {
  std::vector<float> narrow;
  kernels::vision::Axis axis;
  TypedAxis(const AxisTable& t, DType d, int64_t inner)
      : axis{t.in, t.out, inner, t.taps, t.start.data(), t.count.data(), t.weights.data()} {
    if (d != DType::Float32) return;
    narrow.assign(t.weights.begin(), t.weights.end());
    axis.weights = narrow.data();
  }
};

// One axis of contiguous data at a time; from the last, whose results are the fewest when all axes grow.
Tensor apply_axis(const Tensor& x, const AxisTable& table, int dim) {
  if (table.identity()) return x;
  Dims shape = x.sizes();
  shape[dim] = table.out;
  const Tensor y = empty(shape, x.dtype(), "interpolate");
  int64_t inner = 1;
  for (int i = dim + 1; i < x.ndim(); ++i) inner *= x.size(i);
  const TypedAxis typed(table, x.dtype(), inner);
  const auto& fns = *kernels::vision::resample()[x.dtype()];
  const int64_t rows = inner == 1 ? y.numel() / table.out : y.numel() / inner;
  const int64_t cost = (inner == 1 ? table.out : inner) * table.taps;
  parallel_for(rows, std::max<int64_t>(1, kGrain / cost),
               [&](int64_t begin, int64_t end) { fns.axis(y->data, x->data, typed.axis, begin, end); });
  return y;
}

// Two axes of each plane in turn while the plane is in cache.
Tensor apply_planes(const Tensor& x, const AxisTable& rows, const AxisTable& columns) {
  const int n = x.ndim();
  Dims shape = x.sizes();
  shape[n - 2] = rows.out, shape[n - 1] = columns.out;
  const Tensor y = empty(shape, x.dtype(), "interpolate");
  const TypedAxis across(rows, x.dtype(), columns.out), along(columns, x.dtype(), 1);
  const auto& fns = *kernels::vision::resample()[x.dtype()];
  const int64_t item = x.item_size(), from = rows.in * columns.in * item, to = rows.out * columns.out * item;
  parallel_for(x.numel() * item / from, std::max<int64_t>(1, kGrain * item / to), [&](int64_t begin, int64_t end) {
    const Tensor between = empty(Dims{rows.in, columns.out}, x.dtype(), "interpolate");
    for (int64_t p = begin; p < end; ++p) {
      fns.axis(between->data, x->data + p * from, along.axis, 0, rows.in);
      fns.axis(y->data + p * to, between->data, across.axis, 0, columns.out == 1 ? 1 : rows.out);  // one column is one row
    }
  });
  return y;
}

Tensor apply_raw(const Tensor& input, const Tables& tables) {
  const autograd::GradGuard off(false);
  Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
  const int n = x.ndim(), axes = static_cast<int>(tables.size());
  int first = axes;  // the axes still to be done are those before it
  if (axes >= 2 && x.numel()) {
    const AxisTable &rows = tables[tables.size() - 2], &columns = tables.back();
    const int64_t plane = std::max(rows.in, rows.out) * columns.out;
    if (!rows.identity() && !columns.identity() && x.numel() / (rows.in * columns.in) >= 2 * num_threads() && plane <= 1 << 20) {
      x = apply_planes(x, rows, columns);
      first = axes - 2;
    }
  }
  for (int i = first - 1; i >= 0; --i) x = apply_axis(x, tables[static_cast<size_t>(i)], n - axes + i);
  return to_dtype(x.same(input) ? clone(x) : x, input.dtype());
}

// Tables of the map and of its transpose, which is the map's derivative; made when first needed.
struct Map {
  std::shared_ptr<const Tables> forward, backward;
  static std::shared_ptr<const Tables> transpose(const Tables& tables) {
    auto result = std::make_shared<Tables>();
    for (const AxisTable& t : tables) result->push_back(t.transposed());
    return result;
  }
};

Tensor apply(const Tensor& input, const Map& map) {
  const Tensor out = apply_raw(input, *map.forward);
  if (needs_grad(input)) {
    record({}, "UpsampleBackward0", out, {&input},
           [map](Backward& b) { b.set(0, apply(b.grad(), Map{map.backward ? map.backward : Map::transpose(*map.forward), map.forward})); });
  }
  return out;
}

// Places picked as they are: any dtype.
Tensor pick(const Tensor& input, const Tables& tables) {
  Tensor x = input;
  for (size_t i = 0; i < tables.size(); ++i) {
    const Tensor index = empty(Dims{tables[i].out}, DType::Int64, "interpolate");
    std::copy(tables[i].start.begin(), tables[i].start.end(), index.data<int64_t>());
    x = index_select(x, input.ndim() - static_cast<int>(tables.size()) + static_cast<int>(i), index);
  }
  return x;
}

Tensor resample(const Tensor& input, IntSpan size, std::string_view mode, bool align_corners, bool antialias, std::optional<double> scale0,
                std::optional<double> scale1, std::optional<double> scale2) {
  const int axes = static_cast<int>(size.size());
  PYDL_CHECK(axes >= 1 && axes <= 3 && input.ndim() == axes + 2, ShapeError, "interpolate(): expected input of ", axes + 2,
             " dimensions (N, C, and those of the size), got ", input.ndim());
  const vision::AxisOptions options{vision::filter_of(mode), align_corners, antialias};
  Dims shape = input.sizes();
  for (int i = 0; i < axes; ++i) {
    shape[2 + i] = size[static_cast<size_t>(i)];
    PYDL_CHECK(input.size(2 + i) > 0 && shape[2 + i] > 0, ShapeError,
               "interpolate(): Input and output sizes should be greater than 0, but got input size ", IntSpan(input.sizes()),
               " and output size ", size);
  }
  const bool picks = options.filter == vision::Filter::Nearest || options.filter == vision::Filter::NearestExact;
  PYDL_CHECK(is_floating(input.dtype()) || input.dtype() == DType::UInt8, NotImplemented, "interpolate(): not implemented for ",
             input.dtype());
  if (checked_numel(shape, 8, "interpolate") == 0) return zeros(shape, input.dtype());
  static_cast<void>(empty(shape, input.dtype(), "interpolate"));  // a result that is too large is refused before its tables are
  const std::optional<double> scales[] = {scale0, scale1, scale2};
  auto tables = std::make_shared<Tables>();
  for (int i = 0; i < axes; ++i) tables->push_back(vision::make_axis(input.size(2 + i), shape[2 + i], options, scales[i]));
  if (input.dtype() == DType::UInt8) {
    if (picks) return pick(input, *tables);
    if (axes == 2 && options.filter != vision::Filter::Area) {
      return vision::resample_bytes(contiguous(input), tables->front(), tables->back());
    }
    const Tensor wide = apply_raw(to_dtype(input, DType::Float32), *tables);
    return to_dtype(clamp(round(wide, 0), Scalar(0.0), Scalar(255.0)), DType::UInt8);
  }
  return apply(input, Map{tables, nullptr});
}

}  // namespace

PYDL_OP(resample,
        "resample(input: Tensor, size: Size, mode: str, align_corners: bool = False, antialias: bool = False, scale0: float | None = None, "
        "scale1: float | None = None, scale2: float | None = None) -> Tensor",
        Nn, R"doc(
`input` (N, C, d...) interpolated to the sizes `size` of its last one to three dims; the scales, where given, say how much longer
each is. A mode for several dims is that of each of them.
)doc");

}  // namespace pydl
