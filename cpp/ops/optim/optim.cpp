// Optimizer steps as one call over lists of tensors. The Python classes in pydl/optim decide what to pass.
#include "ops/optim/buffers.h"
#include "ops/optim/engine.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {
namespace {

void sgd(TensorSpan params, TensorSpan grads, TensorSpan momentum_buffers, double lr, double momentum, double dampening,
         double weight_decay, bool nesterov, bool maximize, bool first_step) {
  const autograd::GradGuard off(false);
  check_params("sgd_step", params);
  check_list("sgd_step", "grads", grads, params, false);
  check_state("sgd_step", "momentum_buffers", momentum_buffers, params, momentum == 0);
  Buffers memory;
  std::vector<SgdTensor> tensors;
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].numel() == 0) continue;
    tensors.push_back({.dtype = step_type(params[i].dtype()),
                       .n = step_count(params[i]),
                       .param = memory.writable(params[i]),
                       .grad = memory.readable(grads[i]),
                       .momentum_buffer = momentum_buffers.empty() ? nullptr : memory.writable(momentum_buffers[i]),
                       .first_step = first_step});
  }
  sgd_step(
      tensors.data(), static_cast<int64_t>(tensors.size()),
      {.lr = lr, .momentum = momentum, .dampening = dampening, .weight_decay = weight_decay, .nesterov = nesterov, .maximize = maximize});
  memory.finish();
}

void adam(TensorSpan params, TensorSpan grads, TensorSpan exp_avgs, TensorSpan exp_avg_sqs, TensorSpan max_exp_avg_sqs, double lr,
          double beta1, double beta2, double eps, double weight_decay, int64_t step, bool amsgrad, bool maximize, bool decoupled) {
  const autograd::GradGuard off(false);
  check_params("adam_step", params);
  check_list("adam_step", "grads", grads, params, false);
  check_state("adam_step", "exp_avgs", exp_avgs, params, false);
  check_state("adam_step", "exp_avg_sqs", exp_avg_sqs, params, false);
  check_state("adam_step", "max_exp_avg_sqs", max_exp_avg_sqs, params, !amsgrad);
  Buffers memory;
  std::vector<AdamTensor> tensors;
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].numel() == 0) continue;
    tensors.push_back({.dtype = step_type(params[i].dtype()),
                       .n = step_count(params[i]),
                       .param = memory.writable(params[i]),
                       .grad = memory.readable(grads[i]),
                       .exp_avg = memory.writable(exp_avgs[i]),
                       .exp_avg_sq = memory.writable(exp_avg_sqs[i]),
                       .max_exp_avg_sq = amsgrad ? memory.writable(max_exp_avg_sqs[i]) : nullptr,
                       .step = static_cast<double>(step)});
  }
  adam_step(
      tensors.data(), static_cast<int64_t>(tensors.size()),
      {.lr = lr, .beta1 = beta1, .beta2 = beta2, .eps = eps, .weight_decay = weight_decay, .decoupled = decoupled, .maximize = maximize});
  memory.finish();
}

Tensor grad_norm(TensorSpan tensors, double p) {
  const autograd::GradGuard off(false);
  if (tensors.empty()) return zeros(IntSpan(), default_dtype());
  if (p == 2) {
    Buffers memory;
    std::vector<FloatRange> ranges;
    bool plain = true;
    for (const Tensor& t : tensors) {
      plain &= is_floating(t.dtype());
      if (plain)
        ranges.push_back(
            {.dtype = is_half(t.dtype()) ? DType::Float32 : t.dtype(), .n = t.numel(), .data = const_cast<void*>(memory.readable(t))});
    }
    if (plain) return scalar_tensor(Scalar(global_l2_norm(ranges.data(), static_cast<int64_t>(ranges.size()))), tensors[0].dtype());
  }
  std::vector<double> norms;
  for (const Tensor& t : tensors) {
    const Tensor n = vector_norm(t, Scalar(p));
    norms.push_back(Scalar::load(n.dtype(), n->data).to_double());
  }
  const int64_t size[] = {static_cast<int64_t>(norms.size())};
  const Tensor all = empty(size, DType::Float64);
  std::copy(norms.begin(), norms.end(), all.data<double>());
  return to_dtype(vector_norm(all, Scalar(p)), real_type(tensors[0].dtype()));
}

}  // namespace

PYDL_OP(sgd,
        "_sgd_step(params: Sequence[Tensor], grads: Sequence[Tensor], momentum_buffers: Sequence[Tensor], *, lr: float, momentum: float, "
        "dampening: float, weight_decay: float, nesterov: bool, maximize: bool, first_step: bool) -> None",
        Private, R"doc()doc");
PYDL_OP(adam,
        "_adam_step(params: Sequence[Tensor], grads: Sequence[Tensor], exp_avgs: Sequence[Tensor], exp_avg_sqs: Sequence[Tensor], "
        "max_exp_avg_sqs: Sequence[Tensor], *, lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, step: int, amsgrad: "
        "bool, maximize: bool, decoupled: bool) -> None",
        Private, R"doc()doc");
PYDL_OP(grad_norm, "_grad_norm(tensors: Sequence[Tensor], p: float) -> Tensor", Private, R"doc()doc");

}  // namespace pydl
