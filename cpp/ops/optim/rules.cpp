// One step of any optimizer whose update is a rule per element. The Python classes in pydl/optim compute the options.
#include "kernels/optim/rules.h"

#include <algorithm>
#include <string_view>

#include "ops/optim/buffers.h"
#include "ops/optim/engine.h"

namespace pydl {
namespace {

struct Rule {
  std::string_view name;
  const kernels::ByDType<kernels::optim::UpdateFn>& (*kernel)();
  size_t states, options;
};
constexpr Rule kRules[] = {
    {"adadelta", kernels::optim::adadelta, 2, 4},
    {"adagrad", kernels::optim::adagrad, 1, 2},
    {"adamax", kernels::optim::adamax, 2, 5},
    {"asgd", kernels::optim::asgd, 1, 3},
    {"nadam", kernels::optim::nadam, 2, 8},
    {"radam", kernels::optim::radam, 2, 9},
    {"rmsprop", kernels::optim::rmsprop, 1, 5},
    {"rmsprop_centered", kernels::optim::rmsprop_centered, 2, 5},
    {"rmsprop_momentum", kernels::optim::rmsprop_momentum, 2, 5},
    {"rmsprop_centered_momentum", kernels::optim::rmsprop_centered_momentum, 3, 5},
    {"rprop", kernels::optim::rprop, 2, 4},
};

const Rule& rule_named(std::string_view name) {
  for (const Rule& rule : kRules) {
    if (rule.name == name) return rule;
  }
  throw ValueError(text("rule_step(): unknown rule \"", name, "\""));
}

// `states` holds the first state of every parameter, then the second, ...
void step(std::string_view name, TensorSpan params, TensorSpan grads, TensorSpan states, const Tensor& options) {
  const autograd::GradGuard off(false);
  const Rule& rule = rule_named(name);
  const size_t count = params.size();
  check_params("rule_step", params);
  check_list("rule_step", "grads", grads, params, false);
  PYDL_CHECK(states.size() == count * rule.states, ValueError, "rule_step(): ", name, " has ", rule.states,
             " states for each parameter, got ", states.size(), " for ", count, " parameters");
  for (size_t k = 0; k < rule.states; ++k) check_state("rule_step", "states", states.subspan(k * count, count), params, false);
  const int64_t wanted = static_cast<int64_t>(kernels::optim::kCommonOptions + rule.options);
  PYDL_CHECK(options.dtype() == DType::Float64 && options.contiguous() && options.numel() == wanted, ValueError, "rule_step(): ", name,
             " takes ", wanted, " options in contiguous float64, got ", options.numel(), " in ", options.dtype());
  Buffers memory;
  std::vector<RuleTensor> tensors;
  for (size_t i = 0; i < count; ++i) {
    if (params[i].numel() == 0) continue;
    RuleTensor t{.dtype = step_type(params[i].dtype()),
                 .n = step_count(params[i]),
                 .param = memory.writable(params[i]),
                 .grad = memory.readable(grads[i]),
                 .state = {}};
    for (size_t k = 0; k < rule.states; ++k) t.state[k] = memory.writable(states[k * count + i]);
    tensors.push_back(t);
  }
  rule_step(rule.kernel(), tensors.data(), static_cast<int64_t>(tensors.size()), options.data<double>());
  memory.finish();
}

}  // namespace

PYDL_OP(step, "_rule_step(rule: str, params: Sequence[Tensor], grads: Sequence[Tensor], states: Sequence[Tensor], options: Tensor) -> None",
        Private, R"doc()doc");

}  // namespace pydl
