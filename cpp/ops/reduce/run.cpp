#include "ops/reduce/run.h"

#include "ops/copy/copy.h"
#include "ops/view/view.h"

namespace pydl {

ReducedShape::ReducedShape(const Tensor& input, std::optional<IntSpan> dim, bool keepdim, const char* op)
    : mask(dim_mask(dim.value_or(IntSpan()), input.ndim(), op)), full(input.sizes()), count(1) {
  if (input.ndim() == 0) mask = 0;
  for (int i = 0; i < input.ndim(); ++i) {
    const bool reduced = mask >> i & 1;
    if (reduced) {
      count *= input.size(i);
      full[i] = 1;
    }
    if (!reduced || keepdim) kept.push_back(reduced ? 1 : input.size(i));
  }
}

namespace {

struct Axis {
  int64_t size, in, out, second;
};

// Merges neighbours that form one run in every array.
int merge(Axis* axes, int n) {
  int last = -1;
  for (int i = 0; i < n; ++i) {
    const Axis& a = axes[i];
    if (last >= 0 && axes[last].in == a.in * a.size && axes[last].out == a.out * a.size && axes[last].second == a.second * a.size) {
      axes[last] = {axes[last].size * a.size, a.in, a.out, a.second};
    } else {
      axes[++last] = a;
    }
  }
  return last + 1;
}

}  // namespace

void run_reduce(const char* name, ReduceOp op, const Tensor& input, const ReducedShape& shape, const Tensor& out, const Tensor& second,
                double correction) {
  PYDL_CHECK(reduce_supports(op, input.dtype()), NotImplemented, "\"", name, "\" not implemented for ", input.dtype());
  Axis kept[kMaxDims], reduced[kMaxDims];
  int n_kept = 0, n_reduced = 0;
  const int64_t item = input.item_size();
  const Dims out_strides = contiguous_strides(shape.full);
  for (int i = 0; i < input.ndim(); ++i) {
    if (shape.mask >> i & 1) {
      if (input.size(i) != 1) reduced[n_reduced++] = {input.size(i), input.stride(i) * item, 0, 0};
    } else if (input.size(i) != 1) {
      kept[n_kept++] = {input.size(i), input.stride(i) * item, out.defined() ? out_strides[i] * out.item_size() : 0,
                        second.defined() ? out_strides[i] * second.item_size() : 0};
    }
  }
  n_kept = merge(kept, n_kept);
  // Positions count in index order, so reduced dims keep theirs; merging does not change it.
  n_reduced = merge(reduced, n_reduced);
  if (n_kept > ReduceSpec::kMaxDims || n_reduced > ReduceSpec::kMaxDims) {
    // In contiguous memory only dims between kept and reduced ones stay apart: more of them than 2^32 elements have.
    PYDL_CHECK(!input.contiguous(), NotImplemented, name, "(): more than ", ReduceSpec::kMaxDims, " dimensions that cannot be merged");
    return run_reduce(name, op, clone(input, MemoryFormat::Contiguous), shape, out, second, correction);
  }
  ReduceSpec spec{};
  spec.in = input->data;
  spec.in_dtype = input.dtype();
  spec.out = out.defined() ? out->data : nullptr;
  spec.out_dtype = out.defined() ? out.dtype() : input.dtype();
  spec.second = second.defined() ? second->data : nullptr;
  spec.correction = correction;
  spec.kept_dims = n_kept;
  for (int i = 0; i < n_kept; ++i) {
    spec.kept_sizes[i] = kept[i].size;
    spec.kept_in[i] = kept[i].in;
    spec.kept_out[i] = kept[i].out;
    spec.kept_second[i] = kept[i].second;
  }
  spec.reduced_dims = n_reduced;
  for (int i = 0; i < n_reduced; ++i) {
    spec.reduced_sizes[i] = reduced[i].size;
    spec.reduced_in[i] = reduced[i].in;
  }
  reduce(op, spec);
}

Tensor restore_dims(const Tensor& reduced, const Dims& full) { return reduced.sizes() == full ? reduced : reshape(reduced, full); }

}  // namespace pydl
