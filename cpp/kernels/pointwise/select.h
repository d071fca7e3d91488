// Choice between two tensors.
#pragma once

#include "kernels/pointwise/strip.h"

namespace pydl::kernels::pointwise {

// Operands: out, condition (bool), a, b: condition ? a : b. Every dtype, bits are copied.
PYDL_KERNEL(StripTable, where);

}  // namespace pydl::kernels::pointwise
