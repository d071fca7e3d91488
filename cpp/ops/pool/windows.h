// The windows of poolings, and running the kernels over all planes of a tensor.
#pragma once

#include <memory>
#include <tuple>
#include <vector>

#include "kernels/pool/pool.h"
#include "ops/types.h"

namespace pydl::pool {

// Windows over the last `dims` dims of a tensor (batch, channels, ...) or (channels, ...).
struct Layout {
  int dims;
  int64_t in[3], out[3];
  std::vector<int32_t> begin[3], end[3];
  std::vector<double> divisor[3];
  int64_t step[3] = {1, 1, 1};
  int64_t stride = 0, padding = 0, taps = 0;  // of the last dim, where it is plain

  int64_t in_plane() const { return in[0] * in[1] * in[2]; }
  int64_t out_plane() const { return out[0] * out[1] * out[2]; }
  kernels::pool::Windows windows() const;
  Dims out_sizes(const Tensor& input) const;
  Dims in_sizes(const Tensor& output) const;
};
using LayoutPtr = std::shared_ptr<const Layout>;

// The integers that an op takes, as torch's: none, int64, or uint8 and the signed ones.
enum class Integers : uint8_t { None, Int64, All };

// What poolings with a moving window take.
struct Options {
  const char* op;
  int dims;
  IntSpan kernel, stride, padding, dilation;  // an empty stride is the kernel
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<int64_t> divisor = std::nullopt;
  Integers integers = Integers::None;
};
LayoutPtr moving_windows(const Options& o, const Tensor& input);
// Windows that divide the input as evenly as possible.
LayoutPtr even_windows(const char* op, int dims, const Tensor& input, IntSpan output_size);

// One number for all dims, or one for each.
Dims per_dim(const char* op, const char* name, IntSpan values, int dims);
void check_input(const char* op, int dims, const Tensor& input, Integers integers = Integers::None);

// Of integers: largest elements with their places (int32, in the plane), and means.
std::tuple<Tensor, Tensor> integer_maxima(const char* op, const Tensor& input, const Layout& l);
Tensor integer_means(const char* op, const Tensor& input, const Layout& l);

}  // namespace pydl::pool
