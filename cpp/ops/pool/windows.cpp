#include "ops/pool/windows.h"

#include <algorithm>

namespace pydl::pool {

kernels::pool::Windows Layout::windows() const {
  kernels::pool::Windows w{};
  for (int d = 0; d < 3; ++d) {
    w.in[d] = in[d];
    w.out[d] = out[d];
    w.begin[d] = begin[d].data();
    w.end[d] = end[d].data();
    w.step[d] = step[d];
  }
  w.stride = stride;
  w.padding = padding;
  w.taps = taps;
  return w;
}

namespace {
Dims with_plane(const Tensor& t, int dims, const int64_t* plane) {
  Dims sizes = t.sizes();
  for (int d = 0; d < dims; ++d) sizes[t.ndim() - dims + d] = plane[3 - dims + d];
  return sizes;
}
}  // namespace

Dims Layout::out_sizes(const Tensor& input) const { return with_plane(input, dims, out); }
Dims Layout::in_sizes(const Tensor& output) const { return with_plane(output, dims, in); }

Dims per_dim(const char* op, const char* name, IntSpan values, int dims) {
  PYDL_CHECK(values.size() == 1 || values.size() == static_cast<size_t>(dims), Error, op, "(): ", name,
             " must either be a single int, or a tuple of ", dims, " ints, got ", values);
  return values.size() == 1 ? Dims(dims, values[0]) : Dims(values);
}

namespace {
bool takes(DType dtype, Integers integers) {
  const bool is_signed = is_integer(dtype) && !is_unsigned(dtype);
  return is_floating(dtype) || (integers != Integers::None && dtype == DType::Int64) ||
         (integers == Integers::All && (is_signed || dtype == DType::UInt8));
}
}  // namespace

void check_input(const char* op, int dims, const Tensor& input, Integers integers) {
  PYDL_CHECK(input.ndim() == dims + 1 || input.ndim() == dims + 2, ShapeError, op, "(): Expected ", dims + 1, "D or ", dims + 2,
             "D input, but got input of size ", IntSpan(input.sizes()));
  PYDL_CHECK(takes(input.dtype(), integers), NotImplemented, op, "(): \"", op, "\" not implemented for ", input.dtype());
  double plane = 1;
  for (int d = input.ndim() - dims - 1; d < input.ndim(); ++d) {
    PYDL_CHECK(input.size(d) > 0, ShapeError, op, "(): Expected input with non-zero size for non-batch dimensions, but got ",
               IntSpan(input.sizes()));
    if (d >= input.ndim() - dims) plane *= static_cast<double>(input.size(d));
  }
  PYDL_CHECK(plane < 0x7fffff00, ShapeError, op, "(): planes of 2**31 and more elements are not supported, got input of size ",
             IntSpan(input.sizes()));
}

namespace {

void dims_without_windows(Layout& l) {
  for (int d = 0; d < 3 - l.dims; ++d) {
    l.in[d] = l.out[d] = 1;
    l.begin[d] = {0};
    l.end[d] = {1};
    l.divisor[d] = {1.0};
  }
}

struct Numbers {
  int64_t kernel, stride, padding, dilation;
};

void check_numbers(const Options& o, const Numbers& n) {
  PYDL_CHECK(n.kernel > 0, Error, o.op, "(): kernel size should be greater than zero, but got ", n.kernel);
  PYDL_CHECK(n.stride > 0, Error, o.op, "(): stride should be greater than zero, but got ", n.stride);
  PYDL_CHECK(n.dilation > 0, Error, o.op, "(): dilation should be greater than zero, but got ", n.dilation);
  constexpr int64_t kMost = int64_t{1} << 31;
  PYDL_CHECK(n.kernel < kMost && n.stride < kMost && n.dilation < kMost, ShapeError, o.op, "(): kernel size ", n.kernel, ", stride ",
             n.stride, " and dilation ", n.dilation, " must be below 2**31");
  const int64_t reach = n.dilation * (n.kernel - 1) + 1;
  PYDL_CHECK(n.padding >= 0, Error, o.op, "(): pad must be non-negative, but got pad: ", n.padding);
  PYDL_CHECK(n.padding <= reach / 2, Error, o.op, "(): pad should be at most half of effective kernel size, but got pad=", n.padding,
             ", kernel_size=", n.kernel, " and dilation=", n.dilation);
}

int64_t output_size(const Options& o, const Numbers& n, int64_t in) {
  const int64_t room = in + 2 * n.padding - n.dilation * (n.kernel - 1) - 1 + (o.ceil_mode ? n.stride - 1 : 0);
  int64_t out = room < 0 ? 0 : room / n.stride + 1;
  if (o.ceil_mode && out > 0 && (out - 1) * n.stride >= in + n.padding) --out;  // the last window must begin inside
  PYDL_CHECK(out >= 1, ShapeError, o.op, "(): Given input size ", in, ", kernel size ", n.kernel, ", padding ", n.padding, " and dilation ",
             n.dilation, ": calculated output size ", out, ". Output size is too small");
  return out;
}

void add_windows(const Options& o, const Numbers& n, int64_t in, int d, Layout& l) {
  for (int64_t i = 0; i < l.out[d]; ++i) {
    int64_t first = i * n.stride - n.padding, last = first + n.dilation * (n.kernel - 1) + 1;
    const int64_t padded = std::min(last, in + n.padding) - first;
    if (first < 0) first += (-first + n.dilation - 1) / n.dilation * n.dilation;
    last = std::max(first, std::min(last, in));
    l.begin[d].push_back(static_cast<int32_t>(std::min(first, in)));
    l.end[d].push_back(static_cast<int32_t>(last));
    l.divisor[d].push_back(static_cast<double>(o.count_include_pad ? padded : last - first));
  }
}

}  // namespace

LayoutPtr moving_windows(const Options& o, const Tensor& input) {
  const Dims kernel = per_dim(o.op, "kernel_size", o.kernel, o.dims);
  const Dims stride = o.stride.empty() ? kernel : per_dim(o.op, "stride", o.stride, o.dims);
  const Dims padding = per_dim(o.op, "padding", o.padding, o.dims), dilation = per_dim(o.op, "dilation", o.dilation, o.dims);
  PYDL_CHECK(!o.divisor || *o.divisor != 0, Error, o.op, "(): divisor must be not zero");
  for (int i = 0; i < o.dims; ++i) check_numbers(o, {kernel[i], stride[i], padding[i], dilation[i]});
  check_input(o.op, o.dims, input, o.integers);
  auto l = std::make_shared<Layout>();
  l->dims = o.dims;
  dims_without_windows(*l);
  for (int d = 3 - o.dims; d < 3; ++d) {
    const int i = d - (3 - o.dims);
    const Numbers n{kernel[i], stride[i], padding[i], dilation[i]};
    l->in[d] = input.size(input.ndim() - 3 + d);
    l->out[d] = output_size(o, n, l->in[d]);
    l->step[d] = n.dilation;
    add_windows(o, n, l->in[d], d, *l);
    if (o.divisor) std::fill(l->divisor[d].begin(), l->divisor[d].end(), 1.0);
    // The scratch row of a plain pooling reaches to the last tap, which may be far outside.
    if (d == 2 && n.stride <= 2 && n.dilation * n.kernel <= 4 * l->in[2] + 64)
      l->stride = n.stride, l->padding = n.padding, l->taps = n.kernel;
  }
  if (o.divisor) std::fill(l->divisor[0].begin(), l->divisor[0].end(), static_cast<double>(*o.divisor));
  return l;
}

LayoutPtr even_windows(const char* op, int dims, const Tensor& input, IntSpan output_size) {
  const Dims out = per_dim(op, "output_size", output_size, dims);
  check_input(op, dims, input);
  auto l = std::make_shared<Layout>();
  l->dims = dims;
  dims_without_windows(*l);
  for (int i = 0; i < dims; ++i)
    PYDL_CHECK(out[i] >= 0, Error, op, "(): elements of output_size must be greater than or equal to 0, got ", IntSpan(out));
  // Before the tables are made, which are as long as the result's sides.
  Dims sizes = input.sizes();
  for (int i = 0; i < dims; ++i) sizes[input.ndim() - dims + i] = out[i];
  constexpr int64_t kMost = int64_t{1} << 27;  // of a side, whose tables have 16 bytes for each
  static_cast<void>(checked_numel(sizes, input.item_size(), op));
  for (int d = 3 - dims; d < 3; ++d) {
    l->in[d] = input.size(input.ndim() - 3 + d);
    l->out[d] = out[d - (3 - dims)];
    PYDL_CHECK(l->out[d] < kMost, OutOfMemoryError, op, "(): output_size ", l->out[d], " does not fit into memory");
    for (int64_t o = 0; o < l->out[d]; ++o) {
      l->begin[d].push_back(static_cast<int32_t>(o * l->in[d] / l->out[d]));
      l->end[d].push_back(static_cast<int32_t>(((o + 1) * l->in[d] + l->out[d] - 1) / l->out[d]));
      l->divisor[d].push_back(static_cast<double>(l->end[d].back() - l->begin[d].back()));
    }
  }
  return l;
}

}  // namespace pydl::pool
