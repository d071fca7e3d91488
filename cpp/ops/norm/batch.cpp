// Normalisation over the batch, and over each channel of each sample, both with running statistics.
#include <cmath>

#include "ops/activation/activation.h"
#include "ops/copy/copy.h"
#include "ops/norm/norm.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using norm::Layout;
using norm::Normalized;

namespace {

struct Parameters {
  const char* op;
  const Tensor &weight, &bias, &running_mean, &running_var;
  void check(const Tensor& input, int64_t channels) const {
    const std::pair<const char*, const Tensor*> all[] = {
        {"running_mean", &running_mean}, {"running_var", &running_var}, {"weight", &weight}, {"bias", &bias}};
    for (const auto& [name, t] : all) {
      PYDL_CHECK(!t->defined() || ((*t).ndim() == 1 && (*t).numel() == channels), ShapeError, op, "(): ", name, " should contain ",
                 channels, " elements not ", t->defined() ? (*t).numel() : 0);
      norm::check_parameter_dtype(op, input, *t);
    }
    PYDL_CHECK(running_mean.defined() == running_var.defined(), Error, op,
               "(): running_mean and running_var must both be given, or neither");
  }
};

// Channels last, as in NHWC: the memory of a tensor (N, C, d...) is that of a contiguous (N, d..., C).
bool lies_channels_last(const Tensor& t) {
  if (t.contiguous() || t.ndim() < 3 || t.numel() == 0) return false;
  int64_t expected = t.size(1);
  if (t.size(1) > 1 && t.stride(1) != 1) return false;
  for (int i = t.ndim() - 1; i >= 0; --i) {
    if (i == 1) continue;
    if (t.size(i) > 1 && t.stride(i) != expected) return false;
    expected *= t.size(i);
  }
  return true;
}

Layout batch_layout(const Tensor& input, bool channels_last) {
  const int64_t n = input.size(0), c = input.size(1), inner = n > 0 && c > 0 ? input.numel() / (n * c) : 0;
  return channels_last ? Layout{n * inner, c, 1, 1, true} : Layout{n, c, 1, inner, true};
}

// running = (1 - momentum) * running + momentum * new, the variance without bias.
void update_running(const Parameters& p, const std::vector<double>& means, const std::vector<double>& variances, double momentum) {
  const autograd::GradGuard off(false);
  for (const auto& [target, fresh] : {std::pair(&p.running_mean, &means), std::pair(&p.running_var, &variances)}) {
    const Tensor values = contiguous(to_dtype(clone(*target), DType::Float64));
    for (int64_t i = 0; i < values.numel(); ++i) {
      double& v = values.data<double>()[i];
      v = (1 - momentum) * v + momentum * (*fresh)[static_cast<size_t>(i)];
    }
    copy_raw(*target, values);
    (*target)->bump_version();
  }
}
// The unbiased variance behind 1 / sqrt(variance + eps).
double unbiased(double rstd, double eps, double count) {
  const double variance = 1 / (rstd * rstd) - eps;
  return (variance < 0 ? 0 : variance) * count / (count - 1);
}

Tensor fixed_statistics(const Parameters& p, double eps) {
  const autograd::GradGuard off(false);
  const Tensor mean = contiguous(to_dtype(p.running_mean, DType::Float64)), var = contiguous(to_dtype(p.running_var, DType::Float64));
  const Tensor stats = empty(Dims{mean.numel(), 2}, DType::Float64, p.op);
  for (int64_t i = 0; i < mean.numel(); ++i) {
    stats.data<double>()[2 * i] = mean.data<double>()[i];
    stats.data<double>()[2 * i + 1] = 1 / std::sqrt(var.data<double>()[i] + eps);
  }
  return stats;
}

Normalized run(const Parameters& p, const Tensor& input, bool training, double momentum, double eps, const norm::Clip& clip = {}) {
  PYDL_CHECK(input.ndim() >= 2, IndexError, p.op, "(): expected input of at least 2 dimensions (N, C, ...), got ", input.ndim());
  p.check(input, input.size(1));
  if (!training) {
    PYDL_CHECK(p.running_mean.defined(), Error, p.op, "(): running_mean must be defined in evaluation mode");
  } else if (p.running_mean.defined()) {
    check_inplace(p.op, p.running_mean), check_inplace(p.op, p.running_var);
  }
  const bool last = lies_channels_last(input);
  const Layout l = batch_layout(input, last);
  const char* node = !clip.on ? "NativeBatchNormBackward0" : std::isnan(clip.ceiling) ? "ReluBackward0" : "HardtanhBackward0";
  const norm::Call call{p.op, node, input, p.weight, p.bias, l, eps, true, last, clip};
  if (!training) return norm::normalize(call, fixed_statistics(p, eps));
  Normalized r = norm::normalize(call);
  if (p.running_mean.defined() && input.numel()) {
    std::vector<double> means, variances;
    for (int64_t c = 0; c < l.groups; ++c) {
      means.push_back(r.stats.data<double>()[2 * c]);
      variances.push_back(unbiased(r.stats.data<double>()[2 * c + 1], eps, static_cast<double>(l.count())));
    }
    update_running(p, means, variances, momentum);
  }
  return r;
}

Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var,
                  bool training, double momentum, double eps, bool) {
  return run({"batch_norm", weight, bias, running_mean, running_var}, input, training, momentum, eps).out;
}

// Batch normalisation and relu, or relu6. One pass over memory for both, where the layout and dtype allow it.
Tensor batch_norm_clipped(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                          const Tensor& running_var, bool training, double momentum, double eps, bool six) {
  const Parameters p{"batch_norm", weight, bias, running_mean, running_var};
  const bool planes = input.ndim() > 2 && input.numel() > input.size(0) * input.size(1) && !lies_channels_last(input);
  const bool exact = input.dtype() == DType::Float32 || input.dtype() == DType::Float64;
  if (planes && exact) return run(p, input, training, momentum, eps, {true, six ? 6.0 : std::nan("")}).out;
  const Tensor y = run(p, input, training, momentum, eps).out;
  return six ? relu6(y) : relu(y);
}

std::tuple<Tensor, Tensor, Tensor> native_batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                                                     const Tensor& running_mean, const Tensor& running_var, bool training, double momentum,
                                                     double eps) {
  const Normalized r = run({"native_batch_norm", weight, bias, running_mean, running_var}, input, training, momentum, eps);
  const DType d = weight.defined() ? weight.dtype() : running_mean.defined() ? running_mean.dtype() : input.dtype();
  if (!training) return {r.out, zeros(Dims{0}, d), zeros(Dims{0}, d)};
  const Dims shape{input.size(1)};
  return {r.out, norm::statistics_column(r.stats, 0, shape, d), norm::statistics_column(r.stats, 1, shape, d)};
}

Tensor instance_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var,
                     bool use_input_stats, double momentum, double eps, bool) {
  const Parameters p{"instance_norm", weight, bias, running_mean, running_var};
  PYDL_CHECK(use_input_stats || (running_mean.defined() && running_var.defined()), Error,
             "instance_norm(): Expected running_mean and running_var to be defined when use_input_stats is false");
  if (!use_input_stats) return run(p, input, false, momentum, eps).out;
  PYDL_CHECK(input.ndim() >= 2, IndexError, "instance_norm(): expected input of at least 2 dimensions (N, C, ...), got ", input.ndim());
  const int64_t n = input.size(0), c = input.size(1);
  p.check(input, c);
  if (running_mean.defined()) check_inplace(p.op, running_mean), check_inplace(p.op, running_var);
  const Layout l{n, c, 1, n > 0 && c > 0 ? input.numel() / (n * c) : 0, false};
  const Normalized r = norm::normalize({p.op, "NativeBatchNormBackward0", input, weight, bias, l, eps});
  if (running_mean.defined() && input.numel()) {
    std::vector<double> means(static_cast<size_t>(c)), variances(static_cast<size_t>(c));
    for (int64_t i = 0; i < n * c; ++i) {
      const size_t channel = static_cast<size_t>(i % c);
      means[channel] += r.stats.data<double>()[2 * i] / static_cast<double>(n);
      variances[channel] += unbiased(r.stats.data<double>()[2 * i + 1], eps, static_cast<double>(l.inner)) / static_cast<double>(n);
    }
    update_running(p, means, variances, momentum);
  }
  return r.out;
}

}  // namespace

PYDL_OP(batch_norm,
        "batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None, "
        "training: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor",
        Function, R"doc(
(x - mean) / sqrt(variance + eps) * weight + bias for each channel of `input` (N, C, *), with the statistics of the batch in
training and the running ones otherwise (Ioffe and Szegedy, 2015). Training moves the running statistics by `momentum` towards
those of the batch, with the unbiased variance.

Raises RuntimeError for sizes or dtypes that do not fit, or without running statistics in evaluation.

Example:
    >>> pydl.batch_norm(pydl.tensor([[1.], [3.]]), None, None, None, None, True, 0.1, 0., False)
    tensor([[-1.],
            [ 1.]])
)doc");
PYDL_OP(batch_norm_clipped,
        "_batch_norm_clipped(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, "
        "running_var: Tensor | None, training: bool, momentum: float, eps: float, six: bool) -> Tensor",
        Private, R"doc()doc");
PYDL_OP(native_batch_norm,
        "native_batch_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, "
        "running_var: Tensor | None, training: bool, momentum: float, eps: float) -> tuple[Tensor, Tensor, Tensor]",
        Function, R"doc(
`batch_norm`, and in training the means and the reciprocal standard deviations (else empty), which carry no gradient.

Example:
    >>> pydl.native_batch_norm(pydl.tensor([[1.], [3.]]), None, None, None, None, True, 0.1, 0.)[1]
    tensor([2.])
)doc");
PYDL_OP(instance_norm,
        "instance_norm(input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, "
        "running_var: Tensor | None, use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool) -> Tensor",
        Function, R"doc(
`batch_norm` with statistics of each channel of each sample (Ulyanov et al., 2016); the running statistics, if any, move towards
their mean over the samples, and serve where `use_input_stats` is false.

Raises RuntimeError for sizes or dtypes that do not fit, or without any statistics.

Example:
    >>> pydl.instance_norm(pydl.tensor([[[1., 3.]]]), None, None, None, None, True, 0.1, 0., False)
    tensor([[[-1.,  1.]]])
)doc");

}  // namespace pydl
