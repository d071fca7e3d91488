// Unary pointwise ops from a kernel and a derivative.
#pragma once

#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {

// derivative(gradient, input). `input` is what it was before an in-place call.
using Derivative = Tensor (*)(const Tensor& gradient, const Tensor& saved);

// The values of a function of complex numbers that has no kernel for them.
using ComplexValues = Tensor (*)(const Tensor& z);

inline Tensor unary_values(const PointwiseCall& call, const Tensor& input, const Dest& dest, ComplexValues complex_values) {
  if (!complex_values || !is_complex(input.dtype())) return pointwise(call, {input}, dest);
  Tensor values;
  {
    const autograd::GradGuard off(false);
    values = complex_values(input);
  }
  return place(call.op, values, dest, {input});
}

inline Tensor unary_of_input(const PointwiseCall& call, const char* node, const Tensor& input, const Dest& dest, Derivative derivative,
                             ComplexValues complex_values = nullptr) {
  const Tensor before = original(input, dest);
  const Tensor out = unary_values(call, input, dest, complex_values);
  if (autograd::needs_grad(input)) {
    record(dest, node, out, {&input}, [x = autograd::save(before), fit = Fit(input, out), derivative](autograd::Backward& b) {
      b.set(0, fit(derivative(b.grad(), x.get(b))));
    });
  }
  return out;
}

// derivative(gradient, result).
inline Tensor unary_of_result(const PointwiseCall& call, const char* node, const Tensor& input, const Dest& dest, Derivative derivative,
                              ComplexValues complex_values = nullptr) {
  const Tensor out = unary_values(call, input, dest, complex_values);
  if (autograd::needs_grad(input)) {
    record(dest, node, out, {&input}, [y = autograd::save_output(out), fit = Fit(input, out), derivative](autograd::Backward& b) {
      b.set(0, fit(derivative(b.grad(), y.get(b))));
    });
  }
  return out;
}

// One function of one tensor: defines pydl::name and registers it. `text` is the docstring with its example; the
// derivative is an expression in g (gradient) and x (the input) or y (the result).
#define PYDL_UNARY_FROM(save_kind, saved, name, Node, kernel_table, cost, derivative, complex_values, text)          \
  Tensor name(const Tensor& input, const Dest& dest) {                                                               \
    return save_kind(                                                                                                \
        {#name, kernel_table, TypeRule::Float, nullptr, cost}, Node, input, dest,                                    \
        [](const Tensor& g, [[maybe_unused]] const Tensor& saved) -> Tensor { return derivative; }, complex_values); \
  }                                                                                                                  \
  PYDL_OP(name, #name "(input: Tensor) -> Tensor", Function | Method | Inplace | Out, text)
#define PYDL_UNARY_X(name, Node, kernel_table, cost, derivative, text) \
  PYDL_UNARY_FROM(unary_of_input, x, name, Node, kernel_table, cost, derivative, nullptr, text)
#define PYDL_UNARY_Y(name, Node, kernel_table, cost, derivative, text) \
  PYDL_UNARY_FROM(unary_of_result, y, name, Node, kernel_table, cost, derivative, nullptr, text)
// The same with complex_values::name for complex numbers.
#define PYDL_UNARY_X_COMPLEX(name, Node, kernel_table, cost, derivative, text) \
  PYDL_UNARY_FROM(unary_of_input, x, name, Node, kernel_table, cost, derivative, &complex_values::name, text)
#define PYDL_UNARY_Y_COMPLEX(name, Node, kernel_table, cost, derivative, text) \
  PYDL_UNARY_FROM(unary_of_result, y, name, Node, kernel_table, cost, derivative, &complex_values::name, text)

}  // namespace pydl
