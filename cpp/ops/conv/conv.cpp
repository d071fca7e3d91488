#include "ops/conv/conv.h"

#include <algorithm>

#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/compound.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

using conv::Geometry;

// The arguments that all convolutions share.
struct Options {
  const char* op;
  int dims;
  Dims stride, padding, dilation, output_padding;
  int64_t groups = 1;
  bool transposed = false;
  bool same = false;  // the result has the size of the input; what `padding` lacks for that is behind the end
};

// One number for all dims, or one for each.
Dims per_dim(const Options& o, const char* name, IntSpan values) {
  PYDL_CHECK(values.size() == 1 || values.size() == static_cast<size_t>(o.dims), Error, o.op, "(): expected ", name,
             " to be a single integer value or a list of ", o.dims, " values to match the convolution dimensions, but got ", name, "=",
             values);
  Dims out(values);
  if (values.size() == 1) out = Dims(o.dims, values[0]);
  return out;
}

// a * b + c, which must fit.
int64_t affine(const Options& o, int64_t a, int64_t b, int64_t c) {
  int64_t out;
  const bool overflow = __builtin_mul_overflow(a, b, &out) || __builtin_add_overflow(out, c, &out);
  PYDL_CHECK(!overflow, ShapeError, o.op, "(): the sizes of the convolution overflow int64");
  return out;
}

Options make_options(const char* op, int dims, IntSpan stride, IntSpan padding, IntSpan dilation, int64_t groups) {
  Options o{op, dims, {}, {}, {}, Dims(dims, 0), groups, false};
  o.stride = per_dim(o, "stride", stride);
  o.padding = per_dim(o, "padding", padding);
  o.dilation = per_dim(o, "dilation", dilation);
  return o;
}

void check_options(const Options& o) {
  const auto each = [](const Dims& d, int64_t least) { return std::all_of(d.begin(), d.end(), [&](int64_t v) { return v >= least; }); };
  PYDL_CHECK(each(o.stride, 1), Error, o.op, "(): non-positive stride is not supported, got ", IntSpan(o.stride));
  PYDL_CHECK(each(o.padding, 0), Error, o.op, "(): negative padding is not supported, got ", IntSpan(o.padding));
  PYDL_CHECK(each(o.dilation, 1), Error, o.op, "(): dilation should be greater than zero, but got ", IntSpan(o.dilation));
  PYDL_CHECK(each(o.output_padding, 0), Error, o.op, "(): negative output_padding is not supported, got ", IntSpan(o.output_padding));
  PYDL_CHECK(o.groups >= 1, Error, o.op, "(): non-positive groups is not supported, got ", o.groups);
  for (int d = 0; d < o.dims && o.transposed; ++d) {
    PYDL_CHECK(o.output_padding[d] < o.stride[d] || o.output_padding[d] < o.dilation[d], Error, o.op,
               "(): output padding must be smaller than either stride or dilation, but got output_padding ", IntSpan(o.output_padding),
               " with stride ", IntSpan(o.stride), " and dilation ", IntSpan(o.dilation));
  }
}

// As torch: all signed integers and uint8 where neighbouring elements are summed, else int64 alone.
bool takes_integers(const Options& o, DType dtype) {
  if (dtype == DType::Int64) return true;
  const bool plain = !o.transposed && std::all_of(o.dilation.begin(), o.dilation.end(), [](int64_t d) { return d == 1; });
  return plain && (dtype == DType::UInt8 || dtype == DType::Int8 || dtype == DType::Int16 || dtype == DType::Int32);
}

void check_operands(const Options& o, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const int n = o.dims + 2;
  PYDL_CHECK(w.ndim() == n, ShapeError, o.op, "(): Expected ", n, "-dimensional weight, but got weight of size ", IntSpan(w.sizes()));
  PYDL_CHECK(x.ndim() == n || x.ndim() == n - 1, ShapeError, o.op, "(): Expected ", n - 1, "D (unbatched) or ", n, "D (batched) input to ",
             o.op, ", but got input of size: ", IntSpan(x.sizes()));
  PYDL_CHECK(x.dtype() == w.dtype(), Error, o.op, "(): Input type (", x.dtype(), ") and weight type (", w.dtype(), ") should be the same");
  PYDL_CHECK(!bias.defined() || bias.dtype() == x.dtype(), Error, o.op, "(): Input type (", x.dtype(), ") and bias type (",
             bias.defined() ? bias.dtype() : x.dtype(), ") should be the same");
  PYDL_CHECK(is_floating(x.dtype()) || is_complex(x.dtype()) || takes_integers(o, x.dtype()), NotImplemented, o.op, "(): \"", o.op,
             "\" not implemented for ", x.dtype());
  PYDL_CHECK(w.size(0) >= o.groups && w.size(0) % o.groups == 0, ShapeError, o.op, "(): Given groups=", o.groups,
             ", expected weight to be at least ", o.groups, " and divisible by it at dimension 0, but got weight of size ",
             IntSpan(w.sizes()), " instead");
  const int64_t channels = x.size(x.ndim() - n + 1), wanted = o.transposed ? w.size(0) : affine(o, w.size(1), o.groups, 0);
  PYDL_CHECK(channels == wanted, ShapeError, o.op, "(): Given transposed=", o.transposed ? 1 : 0, ", groups=", o.groups,
             ", weight of size ", IntSpan(w.sizes()), ", expected input", IntSpan(x.sizes()), " to have ", wanted, " channels, but got ",
             channels, " channels instead");
  const int64_t results = o.transposed ? affine(o, w.size(1), o.groups, 0) : w.size(0);
  PYDL_CHECK(!bias.defined() || (bias.ndim() == 1 && bias.size(0) == results), ShapeError, o.op, "(): Given weight of size ",
             IntSpan(w.sizes()), ", expected bias to be 1-dimensional with ", results, " elements, but got bias of size ",
             bias.defined() ? IntSpan(bias.sizes()) : IntSpan(), " instead");
  for (int d = 2; d < n; ++d)
    PYDL_CHECK(w.size(d) > 0, ShapeError, o.op, "(): kernel size should be greater than zero, but got weight of size ", IntSpan(w.sizes()));
}

int64_t output_size(const Options& o, int64_t in, int64_t kernel, int d) {
  const int64_t room = affine(o, o.padding[d], 2, in), reach = affine(o, o.dilation[d], kernel - 1, 1);
  PYDL_CHECK(room >= reach && in > 0, ShapeError, o.op, "(): Calculated padded input size per channel: ", room, " in dimension ", d,
             ". Kernel size: ", reach, ". Kernel size can't be greater than actual input size");
  return (room - reach) / o.stride[d] + 1;
}

int64_t transposed_size(const Options& o, int64_t in, int64_t kernel, int d) {
  int64_t size = affine(o, in - 1, o.stride[d], affine(o, o.dilation[d], kernel - 1, 1));
  size = affine(o, 1, size, affine(o, o.padding[d], -2, o.output_padding[d]));
  PYDL_CHECK(size > 0 && in > 0, ShapeError, o.op, "(): Given input size per channel: ", in, " in dimension ", d,
             ". Calculated output size per channel: ", size, ". Output size is too small");
  return size;
}

// The rows of the input between the first tap and the last are kept together; a reach of gigabytes is refused.
void check_reach(const Options& o, const conv::Shape& s) {
  double elements = s.kernel[0];
  for (int d = 1; d < 3; ++d)
    elements *= static_cast<double>(s.dilation[d]) * static_cast<double>(s.kernel[d] - 1) / static_cast<double>(s.stride[d]) + 1024;
  PYDL_CHECK(elements < 1e9, OutOfMemoryError, o.op, "(): a kernel that reaches over ", elements, " elements does not fit into memory");
}

Geometry geometry(const Options& o, const Tensor& x, const Tensor& w) {
  Geometry g{o.dims, {}};
  conv::Shape& s = g.s;
  s.batch = x.size(0);
  s.groups = o.groups;
  s.o = w.size(0) / o.groups;
  s.c = w.size(1);
  for (int d = 0; d < 3; ++d) {
    const int i = d - (3 - o.dims);
    s.in[d] = s.out[d] = s.kernel[d] = s.stride[d] = s.dilation[d] = 1;
    s.padding[d] = 0;
    if (i < 0) continue;
    s.kernel[d] = w.size(i + 2);
    s.stride[d] = o.stride[i];
    s.padding[d] = o.padding[i];
    s.dilation[d] = o.dilation[i];
    (o.transposed ? s.out : s.in)[d] = x.size(i + 2);
    if (o.transposed) {
      s.in[d] = transposed_size(o, x.size(i + 2), s.kernel[d], i);
    } else if (o.same) {
      s.out[d] = x.size(i + 2);
    } else {
      s.out[d] = output_size(o, x.size(i + 2), s.kernel[d], i);
    }
  }
  check_reach(o, s);
  return g;
}

Tensor add_bias(const Tensor& out, const Tensor& bias) {
  if (!bias.defined()) return out;
  Dims shape(out.ndim(), 1);
  shape[1] = bias.numel();
  return add(out, reshape(bias, shape));
}

// Of complex numbers: four real convolutions.
Tensor run_complex(const Geometry& g, const Tensor& x, const Tensor& w, const Tensor& bias, bool transposed) {
  const auto product = [&](const Tensor& a, const Tensor& b) {
    return transposed ? conv::spread(g, a, b, Tensor()) : conv::correlate(g, a, b, Tensor());
  };
  const Tensor xr = real(x), xi = imag(x), wr = real(w), wi = imag(w);
  return add_bias(complex(sub(product(xr, wr), product(xi, wi)), add(product(xr, wi), product(xi, wr))), bias);
}

Tensor run_batch(const Options& o, const Geometry& g, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (is_complex(x.dtype())) return run_complex(g, x, weight, bias, o.transposed);
  if (!is_floating(x.dtype())) return add_bias(conv::integer_convolution(o.op, g, x, weight, o.transposed), bias);
  return o.transposed ? conv::spread(g, x, weight, bias) : conv::correlate(g, x, weight, bias);
}

Tensor run(const Options& o, const Tensor& input, const Tensor& weight, const Tensor& bias) {
  check_options(o);
  check_operands(o, input, weight, bias);
  const bool batched = input.ndim() == o.dims + 2;
  const Tensor x = batched ? input : unsqueeze(input, 0);
  const Geometry g = geometry(o, x, weight);
  const Tensor out = run_batch(o, g, x, weight, bias);
  const int64_t first[] = {0};
  return batched ? out : squeeze(out, IntSpan(first));
}

// 'same' pads by what the kernel reaches beyond its centre; an odd number has its larger half at the end.
Tensor run_padded(const char* op, int dims, const Tensor& input, const Tensor& weight, const Tensor& bias, IntSpan stride,
                  std::string_view padding, IntSpan dilation, int64_t groups) {
  const int64_t zero[] = {0};
  Options o = make_options(op, dims, stride, zero, dilation, groups);
  PYDL_CHECK(padding == "same" || padding == "valid", Error, op, "(): Invalid padding string: '", padding, "'");
  if (padding == "valid") return run(o, input, weight, bias);
  PYDL_CHECK(std::all_of(o.stride.begin(), o.stride.end(), [](int64_t s) { return s == 1; }), Error, op,
             "(): padding='same' is not supported for strided convolutions");
  check_options(o);
  check_operands(o, input, weight, bias);
  o.same = true;
  for (int d = 0; d < dims; ++d) o.padding[d] = affine(o, o.dilation[d], weight.size(d + 2) - 1, 0) / 2;
  return run(o, input, weight, bias);
}

template <int kDims>
constexpr const char* kName = kDims == 1   ? "conv1d"
                              : kDims == 2 ? "conv2d"
                                           : "conv3d";
template <int kDims>
constexpr const char* kTransposedName = kDims == 1   ? "conv_transpose1d"
                                        : kDims == 2 ? "conv_transpose2d"
                                                     : "conv_transpose3d";

template <int kDims>
Tensor conv_nd(const Tensor& input, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding, IntSpan dilation,
               int64_t groups) {
  return run(make_options(kName<kDims>, kDims, stride, padding, dilation, groups), input, weight, bias);
}
template <int kDims>
Tensor conv_nd_named(const Tensor& input, const Tensor& weight, const Tensor& bias, IntSpan stride, std::string_view padding,
                     IntSpan dilation, int64_t groups) {
  return run_padded(kName<kDims>, kDims, input, weight, bias, stride, padding, dilation, groups);
}
template <int kDims>
Tensor conv_transpose_nd(const Tensor& input, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding,
                         IntSpan output_padding, int64_t groups, IntSpan dilation) {
  Options o = make_options(kTransposedName<kDims>, kDims, stride, padding, dilation, groups);
  o.output_padding = per_dim(o, "output_padding", output_padding);
  o.transposed = true;
  return run(o, input, weight, bias);
}

Tensor convolution(const Tensor& input, const Tensor& weight, const Tensor& bias, IntSpan stride, IntSpan padding, IntSpan dilation,
                   bool transposed, IntSpan output_padding, int64_t groups) {
  const int dims = weight.ndim() - 2;
  PYDL_CHECK(dims >= 1 && dims <= 3, ShapeError, "convolution(): expected weight of 3, 4 or 5 dims, got ", weight.ndim());
  Options o = make_options("convolution", dims, stride, padding, dilation, groups);
  o.output_padding = per_dim(o, "output_padding", output_padding);
  o.transposed = transposed;
  return run(o, input, weight, bias);
}

}  // namespace

PYDL_OP(conv_nd<1>,
        "conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: int | Size = 0, "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
The cross-correlation of signals with kernels: input (N, C, L) or (C, L), weight (O, C / groups, K), bias (O).
A size S of the input and K of the kernel give (S + 2 padding - dilation (K - 1) - 1) / stride + 1, rounded down, in the
result (N, O, ...). Each group of output channels sees its own input channels. Integers, which wrap, give integers: int64, and
without dilation uint8 to int32.

Raises RuntimeError for sizes, strides or paddings that do not fit each other.

Example:
    >>> pydl.conv1d(pydl.tensor([[[1., 2., 4.]]]), pydl.tensor([[[1., -1.]]]))
    tensor([[[-1., -2.]]])
)doc");
PYDL_OP(conv_nd_named<1>,
        "conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: str = 'valid', "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
`padding` by name: 'valid' is none, 'same' keeps the sizes (with stride 1).
)doc");
PYDL_OP(conv_nd<2>,
        "conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: int | Size = 0, "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
The cross-correlation of images with kernels: input (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O).
A size S of the input and K of the kernel give (S + 2 padding - dilation (K - 1) - 1) / stride + 1, rounded down, in the
result (N, O, ...). Each group of output channels sees its own input channels. Integers, which wrap, give integers: int64, and
without dilation uint8 to int32.

Raises RuntimeError for sizes, strides or paddings that do not fit each other.

Example:
    >>> pydl.conv2d(pydl.ones(1, 1, 3, 3), pydl.ones(1, 1, 2, 2)).shape
    torch.Size([1, 1, 2, 2])
)doc");
PYDL_OP(conv_nd_named<2>,
        "conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: str = 'valid', "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
`padding` by name: 'valid' is none, 'same' keeps the sizes (with stride 1).
)doc");
PYDL_OP(conv_nd<3>,
        "conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: int | Size = 0, "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
The cross-correlation of volumes with kernels: input (N, C, D, H, W) or (C, D, H, W), weight (O, C / groups, KD, KH, KW), bias (O).
A size S of the input and K of the kernel give (S + 2 padding - dilation (K - 1) - 1) / stride + 1, rounded down, in the
result (N, O, ...). Each group of output channels sees its own input channels. Integers, which wrap, give integers: int64, and
without dilation uint8 to int32.

Raises RuntimeError for sizes, strides or paddings that do not fit each other.

Example:
    >>> pydl.conv3d(pydl.ones(1, 1, 3, 3, 3), pydl.ones(1, 1, 2, 2, 2)).shape
    torch.Size([1, 1, 2, 2, 2])
)doc");
PYDL_OP(conv_nd_named<3>,
        "conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, padding: str = 'valid', "
        "dilation: int | Size = 1, groups: int = 1) -> Tensor",
        Function, R"doc(
`padding` by name: 'valid' is none, 'same' keeps the sizes (with stride 1).
)doc");
PYDL_OP(conv_transpose_nd<1>,
        "conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, "
        "padding: int | Size = 0, output_padding: int | Size = 0, groups: int = 1, dilation: int | Size = 1) -> Tensor",
        Function, R"doc(
The transpose of `conv1d` as a linear map, which is its derivative: input (N, C, L) or (C, L), weight
(C, O / groups, K), bias (O). A size S of the input and K of the kernel give
(S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

Raises RuntimeError for sizes that do not fit, or output_padding not below both stride and dilation.

Example:
    >>> pydl.conv_transpose1d(pydl.ones(1, 1, 2), pydl.ones(1, 1, 3), stride=2).shape
    torch.Size([1, 1, 5])
)doc");
PYDL_OP(conv_transpose_nd<2>,
        "conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, "
        "padding: int | Size = 0, output_padding: int | Size = 0, groups: int = 1, dilation: int | Size = 1) -> Tensor",
        Function, R"doc(
The transpose of `conv2d` as a linear map, which is its derivative: input (N, C, H, W) or (C, H, W), weight
(C, O / groups, KH, KW), bias (O). A size S of the input and K of the kernel give
(S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

Raises RuntimeError for sizes that do not fit, or output_padding not below both stride and dilation.

Example:
    >>> pydl.conv_transpose2d(pydl.ones(1, 1, 2, 2), pydl.ones(1, 1, 3, 3), stride=2).shape
    torch.Size([1, 1, 5, 5])
)doc");
PYDL_OP(conv_transpose_nd<3>,
        "conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: int | Size = 1, "
        "padding: int | Size = 0, output_padding: int | Size = 0, groups: int = 1, dilation: int | Size = 1) -> Tensor",
        Function, R"doc(
The transpose of `conv3d` as a linear map, which is its derivative: input (N, C, D, H, W) or (C, D, H, W), weight
(C, O / groups, KD, KH, KW), bias (O). A size S of the input and K of the kernel give
(S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

Raises RuntimeError for sizes that do not fit, or output_padding not below both stride and dilation.

Example:
    >>> pydl.conv_transpose3d(pydl.ones(1, 1, 2, 2, 2), pydl.ones(1, 1, 3, 3, 3), stride=2).shape
    torch.Size([1, 1, 5, 5, 5])
)doc");
PYDL_OP(convolution,
        "convolution(input: Tensor, weight: Tensor, bias: Tensor | None, stride: int | Size, padding: int | Size, dilation: int | Size, "
        "transposed: bool, output_padding: int | Size, groups: int) -> Tensor",
        Function, R"doc(
A convolution, or transposed convolution, of as many dims as the weight has behind its first two.

Example:
    >>> pydl.convolution(pydl.ones(1, 1, 3), pydl.ones(1, 1, 2), None, 1, 0, 1, False, 0, 1)
    tensor([[[2., 2.]]])
)doc");

}  // namespace pydl
