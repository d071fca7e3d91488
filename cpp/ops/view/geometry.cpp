// Plain arithmetic on sizes and strides behind the views.
#include <cstdlib>

#include "ops/view/view.h"

namespace pydl {

namespace {

// Dims of size > 1 from the largest stride to the smallest; ties keep their order.
int order_by_stride(const Tensor& t, int* order) {
  int n = 0;
  for (int i = 0; i < t.ndim(); ++i) order[n++] = i;
  std::stable_sort(order, order + n, [&](int a, int b) { return t.stride(a) > t.stride(b); });
  return n;
}

}  // namespace

bool is_dense(const Tensor& t) {
  if (t.contiguous()) return true;
  int order[kMaxDims];
  int64_t expected = 1;
  for (int i = order_by_stride(t, order); i-- > 0;) {
    const int d = order[i];
    if (t.size(d) == 1) continue;
    if (t.stride(d) != expected) return false;
    expected *= t.size(d);
  }
  return true;
}

Dims dense_strides_like(const Tensor& t) {
  int order[kMaxDims];
  Dims strides(t.ndim(), 1);
  int64_t step = 1;
  for (int i = order_by_stride(t, order); i-- > 0;) {
    strides[order[i]] = step;
    step *= std::max<int64_t>(t.size(order[i]), 1);
  }
  return strides;
}

Dims format_strides(IntSpan sizes, MemoryFormat format, const char* op) {
  if (format == MemoryFormat::Contiguous || format == MemoryFormat::Preserve) return contiguous_strides(sizes);
  const size_t want = format == MemoryFormat::ChannelsLast ? 4 : 5;
  PYDL_CHECK(sizes.size() == want, Error, op, "(): required rank ", want, " tensor to use this memory_format, got rank ", sizes.size());
  Dims strides(static_cast<int>(want), 1);
  int64_t step = 1;
  const auto place = [&](size_t d) {
    strides[static_cast<int>(d)] = step;
    step *= std::max<int64_t>(sizes[d], 1);
  };
  place(1);  // channels
  for (size_t d = want; d-- > 2;) place(d);
  place(0);
  return strides;
}

// Walks both shapes from the back: each run of input dims that is one block of memory must equal a run of new dims.
std::optional<Dims> view_strides(const Tensor& t, IntSpan sizes) {
  if (t.contiguous()) return contiguous_strides(sizes);
  Dims strides(static_cast<int>(sizes.size()), 1);
  if (t.numel() == 0) return t.sizes() == Dims(sizes) ? std::optional(t.strides()) : std::optional(contiguous_strides(sizes));
  int view_dim = static_cast<int>(sizes.size()) - 1;
  int64_t base_stride = t.ndim() ? t.stride(t.ndim() - 1) : 1;
  int64_t run = 1, seen = 1;
  for (int d = t.ndim() - 1; d >= 0; --d) {
    run *= t.size(d);
    const bool run_ends = d == 0 || (t.size(d - 1) != 1 && t.stride(d - 1) != run * base_stride);
    if (!run_ends) continue;
    while (view_dim >= 0 && (seen < run || sizes[static_cast<size_t>(view_dim)] == 1)) {
      strides[view_dim] = seen * base_stride;
      seen *= sizes[static_cast<size_t>(view_dim)];
      --view_dim;
    }
    if (seen != run) return std::nullopt;
    if (d > 0) {
      base_stride = t.stride(d - 1);
      run = seen = 1;
    }
  }
  return view_dim == -1 ? std::optional(strides) : std::nullopt;
}

Dims infer_size(IntSpan size, int64_t numel, const char* op) {
  Dims out(size);
  int64_t known = 1, reach = 1;
  int infer = -1;
  bool overflow = false;
  for (int i = 0; i < out.size(); ++i) {
    if (out[i] == -1) {
      PYDL_CHECK(infer < 0, Error, op, "(): only one dimension can be inferred, got shape ", size);
      infer = i;
    } else {
      PYDL_CHECK(out[i] >= 0, ShapeError, op, "(): invalid shape dimension ", out[i], " in ", size);
      overflow |= __builtin_mul_overflow(known, out[i], &known);
      // Strides of an empty shape are products too.
      overflow |= __builtin_mul_overflow(reach, std::max<int64_t>(out[i], 1), &reach);
    }
  }
  if (infer >= 0 && !overflow) {
    PYDL_CHECK(known != 0, ShapeError, op, "(): cannot reshape tensor of ", numel, " elements into shape ", size,
               " because the unspecified dimension size -1 can be any value and is ambiguous");
    if (numel % known == 0) {
      out[infer] = numel / known;
      return out;
    }
  }
  PYDL_CHECK(!overflow && infer < 0 && known == numel, ShapeError, op, "(): shape '", size, "' is invalid for input of size ", numel);
  return out;
}

}  // namespace pydl
