#include "ops/pointwise/engine.h"

#include <cstring>

#include "core/iter.h"
#include "core/parallel.h"
#include "kernels/pointwise/cast.h"
#include "ops/copy/copy.h"
#include "ops/reduce/reduce.h"
#include "ops/view/view.h"

namespace pydl {
namespace {

static_assert(kMaxIterOperands == kernels::kMaxOperands);

// Work below this many cycles stays on one thread: opening a region costs about 3000 (KERNELS.md 16).
constexpr double kCyclesPerThread = 40e3;

int64_t grain_of(double cost, int64_t bytes_per_element) {
  const double cycles = std::max(cost, static_cast<double>(bytes_per_element) / 8.0);
  return std::max<int64_t>(256, static_cast<int64_t>(kCyclesPerThread / cycles));
}

// Strips with conversion: rows are cut into blocks that fit the first-level cache, operands of another dtype are
// converted into scratch memory on the way in, outputs on the way out.
struct Converter {
  static constexpr int64_t kBlock = 512;
  kernels::StripFn fn;
  int operands, outputs;
  const kernels::pointwise::CastTable& cast = kernels::pointwise::cast();
  DType stored[kMaxIterOperands], wanted[kMaxIterOperands];
  bool convert[kMaxIterOperands];
  const void* params;

  void run(char* const* data, const int64_t* inner, const int64_t* outer, int64_t n0, int64_t n1) const {
    alignas(kAlignment) char scratch[kMaxIterOperands][kBlock * 16];
    for (int64_t j = 0; j < n1; ++j) {
      for (int64_t i = 0; i < n0; i += kBlock) {
        const int64_t n = std::min(kBlock, n0 - i);
        kernels::Strip s;
        s.n0 = n;
        s.n1 = 1;
        s.params = params;
        for (int k = 0; k < operands; ++k) {
          char* at = data[k] + i * inner[k] + j * outer[k];
          s.outer[k] = 0;
          if (!convert[k]) {
            s.data[k] = at;
            s.inner[k] = inner[k];
            continue;
          }
          s.data[k] = scratch[k];
          s.inner[k] = item_size(wanted[k]);
          if (k >= outputs) {
            const bool one = inner[k] == 0;
            copy_block(scratch[k], item_size(wanted[k]), wanted[k], at, inner[k], stored[k], one ? 1 : n);
            if (one) s.inner[k] = 0;
          }
        }
        fn(s);
        for (int k = 0; k < outputs; ++k) {
          if (convert[k])
            copy_block(data[k] + i * inner[k] + j * outer[k], inner[k], stored[k], scratch[k], item_size(wanted[k]), wanted[k], n);
        }
      }
    }
  }

  void copy_block(char* out, int64_t out_stride, DType to, char* in, int64_t in_stride, DType from, int64_t n) const {
    kernels::Strip s;
    s.data[0] = out;
    s.data[1] = in;
    s.inner[0] = out_stride;
    s.inner[1] = in_stride;
    s.outer[0] = s.outer[1] = 0;
    s.n0 = n;
    s.n1 = 1;
    s.params = nullptr;
    cast(to, from)(s);
  }
};

}  // namespace

void run_strips(kernels::StripFn fn, IntSpan shape, int outputs, std::span<const StripOperand> ops, const void* params, double cost) {
  StripPlan plan(shape);
  if (plan.numel == 0) return;
  bool convert = false;
  int64_t bytes = 0;
  Converter c{
      .fn = fn, .operands = static_cast<int>(ops.size()), .outputs = outputs, .stored = {}, .wanted = {}, .convert = {}, .params = params};
  for (size_t k = 0; k < ops.size(); ++k) {
    c.wanted[k] = ops[k].kernel_dtype;
    c.stored[k] = ops[k].tensor ? ops[k].tensor->dtype() : ops[k].kernel_dtype;
    c.convert[k] = c.stored[k] != c.wanted[k];
    convert |= c.convert[k];
    if (ops[k].tensor) {
      plan.add(*ops[k].tensor);
      bytes += item_size(c.stored[k]);
    } else {
      plan.add_scalar(const_cast<void*>(ops[k].number));
    }
  }
  plan.finish();
  const auto range = [&](int64_t begin, int64_t end) {
    plan.strips(begin, end, [&](char* const* data, const int64_t* inner, const int64_t* outer, int64_t n0, int64_t n1) {
      if (convert) {
        c.run(data, inner, outer, n0, n1);
        return;
      }
      kernels::Strip s;
      for (int k = 0; k < plan.operands; ++k) {
        s.data[k] = data[k];
        s.inner[k] = inner[k];
        s.outer[k] = outer[k];
      }
      s.n0 = n0;
      s.n1 = n1;
      s.params = params;
      fn(s);
    });
  };
  parallel_for(plan.numel, grain_of(cost, bytes), range);
}

// ---- types -----------------------------------------------------------------------------------------------------

namespace {

DType promoted(std::span<const Operand> inputs) {
  Promotion p;
  for (const Operand& o : inputs) o.is_tensor() ? p.add(o.tensor()) : p.add(o.scalar());
  return p.result();
}

struct Types {
  DType compute, result;
};

Types apply_rule(TypeRule rule, DType common) {
  if (rule == TypeRule::Float && is_integral_or_bool(common)) common = default_dtype();
  if (rule == TypeRule::Stored) return {common, common};
  const DType compute = compute_type(common);
  if (rule == TypeRule::Compare) return {compute, DType::Bool};
  if (rule == TypeRule::AbsLike) return {compute, real_type(common)};
  return {compute, common};
}

// Permuted but dense inputs give a result of the same layout, as in torch.
Tensor make_result(IntSpan shape, DType dtype, std::span<const Operand> inputs, const char* op) {
  for (const Operand& o : inputs) {
    if (!o.is_tensor() || o.tensor().ndim() != static_cast<int>(shape.size())) continue;
    const Tensor& t = o.tensor();
    if (t.contiguous() || !std::equal(shape.begin(), shape.end(), t.sizes().begin())) return empty(shape, dtype, op);
    return empty_strided(shape, dense_strides_like(t), dtype, op);
  }
  return empty(shape, dtype, op);
}

bool can_cast(DType from, DType to) {  // torch.can_cast
  const auto kind = [](DType d) { return is_complex(d) ? 3 : is_floating(d) ? 2 : d == DType::Bool ? 0 : 1; };
  return kind(from) <= kind(to);
}

}  // namespace

DType pointwise_compute_type(const char*, TypeRule rule, std::span<const Operand> inputs) {
  return apply_rule(rule, promoted(inputs)).compute;
}

void check_writable(const char* op, const Dest& dest, IntSpan shape, DType result, std::span<const Operand> inputs) {
  if (dest.is_new()) return;
  const Tensor& t = dest.tensor();
  PYDL_CHECK(can_cast(result, t.dtype()), Error, op, "(): result type ", result, " can't be cast to the desired output type ", t.dtype());
  PYDL_CHECK(!t->storage->read_only(), Error, op, "(): the output's memory is read-only");
  if (dest.is_inplace()) {
    PYDL_CHECK(std::equal(shape.begin(), shape.end(), t.sizes().begin(), t.sizes().end()), ShapeError, op, "(): output with shape ",
               IntSpan(t.sizes()), " doesn't match the broadcast shape ", shape);
    check_inplace(op, t);
  } else {
    PYDL_CHECK(!autograd::needs_grad(t), Error, op,
               "(): functions with out=... arguments don't support automatic differentiation, but out requires grad.");
    for (const Operand& o : inputs) {
      PYDL_CHECK(!o.is_tensor() || !autograd::needs_grad(o.tensor()), Error, op,
                 "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
    }
    resize_out(op, t, shape);
  }
  PYDL_CHECK(!has_internal_overlap(t), Error, op,
             "(): unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() "
             "the tensor before performing the operation.");
  for (const Operand& o : inputs) {
    PYDL_CHECK(!o.is_tensor() || memory_overlap(t, o.tensor()) != Overlap::Partial, Error, op,
               "(): unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
               "Please clone() the tensor before performing the operation.");
  }
}

Tensor deliver(const char* op, const Tensor& result, const Dest& dest, std::initializer_list<Operand> inputs) {
  if (dest.is_new()) return result;
  check_writable(op, dest, result.sizes(), result.dtype(), inputs);
  return copy_(dest.tensor(), result);
}

Tensor place(const char* op, const Tensor& values, const Dest& dest, std::initializer_list<Operand> inputs) {
  if (dest.is_new()) return values;
  check_writable(op, dest, values.sizes(), values.dtype(), inputs);
  copy_raw(dest.tensor(), values);
  dest.tensor()->bump_version();
  return dest.tensor();
}

void resize_out(const char* op, const Tensor& out, IntSpan shape) {
  if (std::equal(shape.begin(), shape.end(), out.sizes().begin(), out.sizes().end())) return;
  const int64_t bytes = checked_numel(shape, out.item_size(), op) * out.item_size();
  PYDL_CHECK(!out->storage->foreign() || out->storage->bytes() >= bytes, Error, op, "(): out= shares memory that cannot be resized to ",
             shape);
  out->set_storage(out->storage->bytes() >= bytes && out->storage->ref_count() == 1 ? out->storage : Storage::make(bytes), out.dtype(),
                   shape);
}

Tensor original(const Tensor& input, const Dest& dest) { return dest.is_inplace() && autograd::needs_grad(input) ? clone(input) : input; }

void attach(const Dest& dest, const Tensor& result, Ref<autograd::Node> node) {
  if (dest.is_inplace()) {
    rebase_history(result, std::move(node));
  } else {
    autograd::set_history(result, std::move(node));
  }
}

// ---- the call --------------------------------------------------------------------------------------------------

Tensor pointwise(const PointwiseCall& call, std::span<const Operand> inputs, const Dest& dest) {
  const Types types = apply_rule(call.rule, promoted(inputs));
  const kernels::StripFn fn = call.table[types.compute];
  PYDL_CHECK(fn, Error, "\"", call.op, "\" not implemented for ", types.result == DType::Bool ? types.compute : types.result);
  // Most calls: one or two contiguous tensors of one shape and dtype.
  const Operand* first = nullptr;
  bool simple = dest.is_new() && types.compute == types.result;
  for (const Operand& o : inputs) {
    if (!o.is_tensor()) continue;
    if (!first) first = &o;
    const Tensor& t = o.tensor();
    simple &= t.contiguous() && t.dtype() == types.compute && t.sizes() == first->tensor().sizes();
  }
  PYDL_CHECK(first, TypeError, call.op, "(): at least one argument must be a Tensor");
  alignas(16) char numbers[kMaxIterOperands][16];
  if (simple && first->tensor().numel() <= 2048) {
    const Tensor& model = first->tensor();
    Tensor out(Ref<TensorImpl>::adopt(new TensorImpl(Storage::make(model.numel() * model.item_size()), types.result, model.sizes())));
    kernels::Strip s;
    const int64_t item = item_size(types.compute);
    s.data[0] = out->data;
    s.inner[0] = item;
    s.outer[0] = 0;
    int k = 1;
    for (const Operand& o : inputs) {
      s.inner[k] = o.is_tensor() ? item : 0;
      s.outer[k] = 0;
      if (o.is_tensor()) {
        s.data[k] = o.tensor()->data;
      } else {
        o.scalar().store(types.compute, numbers[k]);
        s.data[k] = numbers[k];
      }
      ++k;
    }
    s.n0 = model.numel();
    s.n1 = 1;
    s.params = call.params;
    if (s.n0) fn(s);
    return out;
  }

  Dims shape = first->tensor().sizes();
  for (const Operand& o : inputs) {
    if (o.is_tensor() && !(o.tensor().sizes() == shape)) shape = broadcast_shapes(shape, o.tensor().sizes(), call.op);
  }
  check_writable(call.op, dest, shape, types.result, inputs);
  const Tensor out = dest.is_new() ? make_result(shape, types.result, inputs, call.op) : dest.tensor();
  StripOperand ops[kMaxIterOperands];
  const bool as_is = call.rule == TypeRule::Stored || (types.result == DType::Bool && call.rule == TypeRule::Compare);
  ops[0] = {&out, nullptr, as_is ? types.result : compute_type(types.result)};
  size_t k = 1;
  for (const Operand& o : inputs) {
    if (o.is_tensor()) {
      ops[k] = {&o.tensor(), nullptr, types.compute};
    } else {
      o.scalar().store(types.compute, numbers[k]);
      ops[k] = {nullptr, numbers[k], types.compute};
    }
    ++k;
  }
  run_strips(fn, shape, 1, {ops, k}, call.params, call.cost);
  if (!dest.is_new()) out->bump_version();
  return out;
}

// ---- gradients of broadcast inputs -----------------------------------------------------------------------------

Fit::Fit(const Tensor& input, const Tensor& result) {
  if (!input.defined() || !is_differentiable(input.dtype())) return;
  same_ = input.sizes() == result.sizes() && input.dtype() == result.dtype();
  if (same_) return;
  sizes_ = input.sizes();
  dtype_ = input.dtype();
}

Tensor Fit::operator()(const Tensor& gradient) const {
  if (same_) return gradient;
  Tensor g = sum_to_size(gradient, sizes_);
  if (is_complex(g.dtype()) && !is_complex(dtype_)) g = real(g);
  return to_dtype(g, dtype_);
}

}  // namespace pydl
