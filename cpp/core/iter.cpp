#include "core/iter.h"

#include <cstdlib>

namespace pydl {

StripPlan::StripPlan(IntSpan shape) : ndim(static_cast<int>(shape.size())), numel(numel_of(shape)) {
  for (int i = 0; i < ndim; ++i) size[i] = shape[static_cast<size_t>(ndim - 1 - i)];
}

void StripPlan::add(const Tensor& t) {
  int64_t* s = stride[operands];
  const int64_t item = t.item_size();
  const int n = t.ndim();
  for (int i = 0; i < ndim; ++i) {
    const bool has = i < n && t.size(n - 1 - i) != 1;
    s[i] = has ? t.stride(n - 1 - i) * item : 0;
  }
  data[operands++] = t->data;
}

void StripPlan::add_scalar(void* value) {
  std::fill_n(stride[operands], ndim, int64_t{0});
  data[operands++] = static_cast<char*>(value);
}

void StripPlan::finish() {
  // Drop dims of size 1, keep the innermost first.
  int n = 0;
  for (int i = 0; i < ndim; ++i) {
    if (size[i] == 1) continue;
    if (n != i) {
      size[n] = size[i];
      for (int k = 0; k < operands; ++k) stride[k][n] = stride[k][i];
    }
    ++n;
  }
  ndim = n;
  // Order by the strides of the first operand, then the next where those tie or are 0: insertion sort, stable.
  const auto inside = [&](int a, int b) {  // dim a belongs inside dim b
    for (int k = 0; k < operands; ++k) {
      const int64_t x = std::abs(stride[k][a]), y = std::abs(stride[k][b]);
      if (x == 0 || y == 0 || x == y) continue;
      return x < y;
    }
    return false;
  };
  for (int i = 1; i < ndim; ++i) {
    for (int j = i; j > 0 && inside(j, j - 1); --j) {
      std::swap(size[j], size[j - 1]);
      for (int k = 0; k < operands; ++k) std::swap(stride[k][j], stride[k][j - 1]);
    }
  }
  // Merge neighbours that are one run for every operand.
  int last = 0;
  for (int i = 1; i < ndim; ++i) {
    bool merge = true;
    for (int k = 0; k < operands; ++k) merge &= stride[k][i] == stride[k][last] * size[last];
    if (merge) {
      size[last] *= size[i];
    } else {
      ++last;
      size[last] = size[i];
      for (int k = 0; k < operands; ++k) stride[k][last] = stride[k][i];
    }
  }
  if (ndim > 0) ndim = last + 1;
}

void StripPlan::position(int64_t row, char** out, int64_t* index) const {
  for (int k = 0; k < operands; ++k) out[k] = data[k];
  for (int d = 1; d < ndim; ++d) {
    index[d] = row % size[d];
    row /= size[d];
    for (int k = 0; k < operands; ++k) out[k] += index[d] * stride[k][d];
  }
}

}  // namespace pydl
