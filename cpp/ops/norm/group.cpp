// Normalisation of groups of channels of each sample.
#include "ops/norm/norm.h"
#include "ops/registry.h"

namespace pydl {

using norm::Layout;
using norm::Normalized;

namespace {

Layout group_layout(const char* op, const Tensor& input, const Tensor& weight, const Tensor& bias, int64_t batch, int64_t channels,
                    int64_t groups) {
  PYDL_CHECK(groups > 0, Error, op, "(): Expected num groups to be greater than 0, got ", groups);
  PYDL_CHECK(channels % groups == 0, ShapeError, op,
             "(): Expected number of channels in input to be divisible by num_groups, but got input of shape ", IntSpan(input.sizes()),
             " and num_groups=", groups);
  for (const auto& [name, t] : {std::pair("weight", &weight), std::pair("bias", &bias)}) {
    PYDL_CHECK(!t->defined() || ((*t).ndim() == 1 && (*t).numel() == channels), ShapeError, op, "(): Expected ", name,
               " to be a vector of size equal to the number of channels in input, but got ", name, " of shape ",
               t->defined() ? IntSpan((*t).sizes()) : IntSpan(), " and input of shape ", IntSpan(input.sizes()));
    norm::check_parameter_dtype(op, input, *t);
  }
  const int64_t inner = batch > 0 && channels > 0 ? input.numel() / (batch * channels) : 0;
  return {batch, groups, channels / groups, inner, false};
}

Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias, double eps, bool) {
  PYDL_CHECK(input.ndim() >= 2, ShapeError, "group_norm(): Expected at least 2 dimensions for input tensor but received ", input.ndim());
  const Layout l = group_layout("group_norm", input, weight, bias, input.size(0), input.size(1), num_groups);
  return norm::normalize({"group_norm", "NativeGroupNormBackward0", input, weight, bias, l, eps}).out;
}

std::tuple<Tensor, Tensor, Tensor> native_group_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, int64_t n, int64_t c,
                                                     int64_t hxw, int64_t group, double eps) {
  PYDL_CHECK(n >= 0 && c >= 0 && hxw >= 0 && checked_numel(Dims{n, c, hxw}, 1, "native_group_norm") == input.numel(), ShapeError,
             "native_group_norm(): expected N * C * HxW = ", input.numel(), " elements, got N=", n, ", C=", c, ", HxW=", hxw);
  const Layout l = group_layout("native_group_norm", input, weight, bias, n, c, group);
  const Normalized r = norm::normalize({"native_group_norm", "NativeGroupNormBackward0", input, weight, bias, l, eps});
  const DType d = weight.defined() ? weight.dtype() : bias.defined() ? bias.dtype() : input.dtype();
  return {r.out, norm::statistics_column(r.stats, 0, Dims{n, group}, d), norm::statistics_column(r.stats, 1, Dims{n, group}, d)};
}

}  // namespace

PYDL_OP(group_norm,
        "group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-05, "
        "cudnn_enabled: bool = True) -> Tensor",
        Function, R"doc(
(x - mean) / sqrt(variance + eps) over each of `num_groups` groups of channels of each sample of `input` (N, C, *), then
weight * . + bias with one number for each channel (Wu and He, 2018).

Raises RuntimeError for a number of groups that does not divide C, or sizes and dtypes that do not fit.

Example:
    >>> pydl.group_norm(pydl.tensor([[1., 3., 5., 5.]]), 2)
    tensor([[-1.0000,  1.0000,  0.0000,  0.0000]])
)doc");
PYDL_OP(native_group_norm,
        "native_group_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float) -> "
        "tuple[Tensor, Tensor, Tensor]",
        Function, R"doc(
`group_norm` with the sizes given, the means (N, group) and the reciprocal standard deviations; the latter two carry no gradient.

Example:
    >>> pydl.native_group_norm(pydl.tensor([[1., 3.]]), None, None, 1, 2, 1, 1, 0.)[1]
    tensor([[2.]])
)doc");

}  // namespace pydl
