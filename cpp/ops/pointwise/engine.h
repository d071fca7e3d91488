// Running pointwise kernels over tensors: promotion, allocation, conversion, in-place and out= rules, threads.
#pragma once

#include <span>

#include "autograd/node.h"
#include "kernels/pointwise/strip.h"
#include "ops/types.h"

namespace pydl {

// The dtype in which an op computes and that of its result, from the promoted dtype of its inputs.
enum class TypeRule : uint8_t {
  Same,     // result = promoted
  Float,    // integers and bool become the default dtype
  Compare,  // computes in the promoted dtype, gives bool
  AbsLike,  // complex gives the real type
  Stored,   // computes in the promoted dtype itself, 16-bit formats included
};

// A pointwise call: inputs in the kernel's order. `cost` is roughly the cycles per element, for the choice of threads.
struct PointwiseCall {
  const char* op;
  const kernels::StripTable& table;
  TypeRule rule = TypeRule::Same;
  const void* params = nullptr;  // in the compute dtype, if it depends on it use `make_params`
  double cost = 1;
};

Tensor pointwise(const PointwiseCall& call, std::span<const Operand> inputs, const Dest& dest);
inline Tensor pointwise(const PointwiseCall& call, std::initializer_list<Operand> inputs, const Dest& dest = {}) {
  return pointwise(call, std::span<const Operand>(inputs.begin(), inputs.size()), dest);
}
// The dtype in which `call` would compute on these inputs: for params that are numbers of that type.
DType pointwise_compute_type(const char* op, TypeRule rule, std::span<const Operand> inputs);

// The lower layer. Every operand has the dtype in which the kernel wants it; tensors of other dtypes are converted
// block by block on the way. outputs come first.
struct StripOperand {
  const Tensor* tensor;  // null for a number
  const void* number;    // already in `kernel_dtype`
  DType kernel_dtype;
};
void run_strips(kernels::StripFn fn, IntSpan shape, int outputs, std::span<const StripOperand> operands, const void* params, double cost);

// ---- destinations ----------------------------------------------------------------------------------------------

// Checks that may be made before anything is computed: in place on a leaf that requires grad, overlapping memory,
// a result dtype that cannot be stored, read-only memory.
void check_writable(const char* op, const Dest& dest, IntSpan shape, DType result, std::span<const Operand> inputs);
// The result of a composite where the caller wants it: itself, or written once to out= or the in-place target, after the
// checks of check_writable. In place, `result` must have been computed from original(input, dest), its history is then that
// of the target.
Tensor deliver(const char* op, const Tensor& result, const Dest& dest, std::initializer_list<Operand> inputs);
// Values without history written there: the caller records.
Tensor place(const char* op, const Tensor& values, const Dest& dest, std::initializer_list<Operand> inputs);
// Resizes `out` (with torch's rules: only an empty or fitting one silently) to `shape`.
void resize_out(const char* op, const Tensor& out, IntSpan shape);
// The input as it was before an in-place op overwrites it, for saving: a copy when dest is in place and a gradient is needed.
Tensor original(const Tensor& input, const Dest& dest);
// Attaches history: to the new tensor, or to the input that was written in place (and the base that it views).
void attach(const Dest& dest, const Tensor& result, Ref<autograd::Node> node);

template <class F>
void record(const Dest& dest, const char* name, const Tensor& result, std::initializer_list<const Tensor*> inputs, F f) {
  PYDL_CHECK(!dest.is_out(), Error, name,
             ": functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
  attach(dest, result, autograd::make_node(name, 1, inputs, std::move(f)));
}

// ---- gradients of broadcast inputs -----------------------------------------------------------------------------

// Remembers an input's shape and dtype where they differ from the result's, and brings a gradient back to them.
class Fit {
 public:
  Fit(const Tensor& input, const Tensor& result);
  Tensor operator()(const Tensor& gradient) const;

 private:
  Dims sizes_;
  DType dtype_ = DType::Float32;
  bool same_ = true;
};

}  // namespace pydl
