#include "core/shape.h"

namespace pydl {

int64_t checked_numel(IntSpan sizes, int64_t item_size, const char* op) {
  int64_t n = 1;
  bool overflow = false, zero = false;
  for (const int64_t s : sizes) {
    PYDL_CHECK(s >= 0, ShapeError, op, "(): sizes must not be negative, got ", sizes);
    zero |= s == 0;
    overflow |= __builtin_mul_overflow(n, s == 0 ? 1 : s, &n);
  }
  int64_t bytes;
  overflow |= __builtin_mul_overflow(n, item_size, &bytes);
  // Strides of an empty tensor are products too, so an overflow is an error even when one size is 0.
  PYDL_CHECK(!overflow, ShapeError, op, "(): the number of bytes of a tensor of size ", sizes, " does not fit 64 bits");
  return zero ? 0 : n;
}

int64_t numel_of(IntSpan sizes) {
  int64_t n = 1;
  // Unsigned, for shapes like [2^62, 2^62, 0] whose product passes through what does not fit.
  for (const int64_t s : sizes) n = static_cast<int64_t>(static_cast<uint64_t>(n) * static_cast<uint64_t>(s));
  return n;
}

Dims contiguous_strides(IntSpan sizes) {
  Dims strides(static_cast<int>(sizes.size()), 1);
  int64_t step = 1;
  for (int i = strides.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(sizes[static_cast<size_t>(i)], 1);
  }
  return strides;
}

int wrap_dim(int64_t dim, int ndim, const char* op, const char* argument) {
  const int n = std::max(ndim, 1);
  PYDL_CHECK(dim >= -n && dim < n, IndexError, op, "(): Dimension out of range (expected ", argument, " to be in [", -n, ", ", n - 1,
             "], but got ", dim, ")");
  return static_cast<int>(dim < 0 ? dim + n : dim);
}

uint64_t dim_mask(IntSpan dims, int ndim, const char* op) {
  if (dims.empty()) return ndim == 64 ? ~uint64_t{0} : (uint64_t{1} << ndim) - 1;
  uint64_t mask = 0;
  for (const int64_t d : dims) {
    const uint64_t bit = uint64_t{1} << wrap_dim(d, ndim, op);
    PYDL_CHECK(!(mask & bit), Error, op, "(): dim ", d, " appears multiple times in the list of dims ", dims);
    mask |= bit;
  }
  return ndim == 0 ? 0 : mask;
}

Dims broadcast_shapes(IntSpan a, IntSpan b, const char* op) {
  const int n = static_cast<int>(std::max(a.size(), b.size()));
  Dims out(n, 1);
  for (int i = 0; i < n; ++i) {  // from the last dim
    const int64_t x = i < static_cast<int>(a.size()) ? a[a.size() - 1 - static_cast<size_t>(i)] : 1;
    const int64_t y = i < static_cast<int>(b.size()) ? b[b.size() - 1 - static_cast<size_t>(i)] : 1;
    PYDL_CHECK(x == y || x == 1 || y == 1, ShapeError, op, "(): The size of tensor a (", x, ") must match the size of tensor b (", y,
               ") at non-singleton dimension ", n - 1 - i, ": shapes ", a, " and ", b, " cannot be broadcast");
    out[n - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace pydl
