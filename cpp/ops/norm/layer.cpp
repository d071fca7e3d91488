// Normalisation of the last dims.
#include <limits>

#include "ops/norm/norm.h"
#include "ops/registry.h"

namespace pydl {

using norm::Layout;
using norm::Normalized;

namespace {

double epsilon_of(DType d) {
  switch (d) {
    case DType::Float64:
      return std::numeric_limits<double>::epsilon();
    default:
      return static_cast<double>(std::numeric_limits<float>::epsilon());
  }
}

Layout checked_layout(const char* op, const Tensor& input, IntSpan shape, const Tensor& weight, const Tensor& bias) {
  PYDL_CHECK(
      !shape.empty(), ShapeError, op,
      "(): Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = ",
      shape);
  for (const auto& [name, t] : {std::pair("weight", &weight), std::pair("bias", &bias)}) {
    PYDL_CHECK(!t->defined() || std::ranges::equal(IntSpan((*t).sizes()), shape), ShapeError, op, "(): Expected ", name,
               " to be of same shape as normalized_shape, but got ", name, " of shape ", IntSpan((*t).sizes()),
               " and normalized_shape = ", shape);
    norm::check_parameter_dtype(op, input, *t);
  }
  const int n = static_cast<int>(shape.size()), first = input.ndim() - n;
  PYDL_CHECK(first >= 0 && std::equal(shape.begin(), shape.end(), input.sizes().begin() + first), ShapeError, op,
             "(): Given normalized_shape=", shape, ", expected input with shape [*, ", text(shape).substr(1), ", but got input of size",
             IntSpan(input.sizes()));
  int64_t rows = 1, features = 1;
  for (int i = 0; i < input.ndim(); ++i) (i < first ? rows : features) *= input.size(i);
  return {rows, 1, features, 1, false};
}

Normalized layer(const char* node, const Tensor& input, IntSpan shape, const Tensor& weight, const Tensor& bias, double eps) {
  const Layout l = checked_layout("layer_norm", input, shape, weight, bias);
  return norm::normalize({"layer_norm", node, input, weight, bias, l, eps});
}

Tensor layer_norm(const Tensor& input, IntSpan normalized_shape, const Tensor& weight, const Tensor& bias, double eps, bool) {
  return layer("NativeLayerNormBackward0", input, normalized_shape, weight, bias, eps).out;
}

std::tuple<Tensor, Tensor, Tensor> native_layer_norm(const Tensor& input, IntSpan normalized_shape, const Tensor& weight,
                                                     const Tensor& bias, double eps) {
  const Normalized r = layer("NativeLayerNormBackward0", input, normalized_shape, weight, bias, eps);
  Dims shape = input.sizes();
  const int n = static_cast<int>(normalized_shape.size());
  for (int i = shape.size() - n; i < shape.size(); ++i) shape[i] = 1;
  const DType d = weight.defined() ? weight.dtype() : bias.defined() ? bias.dtype() : input.dtype();
  return {r.out, norm::statistics_column(r.stats, 0, shape, d), norm::statistics_column(r.stats, 1, shape, d)};
}

Tensor rms_norm(const Tensor& input, IntSpan normalized_shape, const Tensor& weight, std::optional<double> eps) {
  const Tensor none;
  const Layout l = checked_layout("rms_norm", input, normalized_shape, weight, none);
  return norm::normalize({"rms_norm", "FusedRmsNormBackward0", input, weight, none, l, eps.value_or(epsilon_of(input.dtype())), false}).out;
}

}  // namespace

PYDL_OP(layer_norm,
        "layer_norm(input: Tensor, normalized_shape: Size, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05, "
        "cudnn_enable: bool = True) -> Tensor",
        Function, R"doc(
(x - mean) / sqrt(variance + eps) * weight + bias over the last dims, whose sizes are `normalized_shape`, as are those of
`weight` and `bias` (Ba, Kiros and Hinton, 2016). The statistics keep their digits beside a large mean. `cudnn_enable` says nothing here.

Raises RuntimeError for sizes or dtypes that do not fit.

Example:
    >>> pydl.layer_norm(pydl.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
)doc");
PYDL_OP(native_layer_norm,
        "native_layer_norm(input: Tensor, normalized_shape: Size, weight: Tensor | None, bias: Tensor | None, eps: float) -> "
        "tuple[Tensor, Tensor, Tensor]",
        Function, R"doc(
`layer_norm`, the means and the reciprocal standard deviations; the latter two carry no gradient.

Example:
    >>> pydl.native_layer_norm(pydl.tensor([[1., 3.]]), (2,), None, None, 0.)[1]
    tensor([[2.]])
)doc");
PYDL_OP(rms_norm, "rms_norm(input: Tensor, normalized_shape: Size, weight: Tensor | None = None, eps: float | None = None) -> Tensor",
        Function, R"doc(
x / sqrt(mean(x^2) + eps) * weight over the last dims, whose sizes are `normalized_shape` (Zhang and Sennrich, 2019). Without
`eps` it is the machine epsilon.

Raises RuntimeError for sizes or dtypes that do not fit.

Example:
    >>> pydl.rms_norm(pydl.tensor([[3., 4.]]), (2,))
    tensor([[0.8485, 1.1314]])
)doc");

}  // namespace pydl
