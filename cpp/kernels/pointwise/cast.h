// Conversion between element types.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

// Operands: out, in. Indexed [destination][source], all dtypes.
//
// To bool: x != 0. Floating to integer: truncated; a value outside int32 (for targets of up to 32 bits) or int64 (uint32,
// 64-bit targets) gives that type's lowest value, then wraps to the target - what x86 and torch do; 2^64 and more gives
// uint64 0. Complex to real: the
// real part. To a half format: through float32, to nearest even.
struct CastTable {
  StripFn slot[kNumDTypes][kNumDTypes] = {};
  [[gnu::always_inline]] constexpr StripFn operator()(DType to, DType from) const {
    return slot[static_cast<int>(to)][static_cast<int>(from)];
  }
};
PYDL_KERNEL(CastTable, cast);

// Operand 0 is the output; params points to one value of its dtype. Indexed by dtype.
PYDL_KERNEL(StripTable, fill);

}  // namespace pydl::kernels::pointwise
