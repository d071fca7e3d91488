#include "kernels/cpu/quantized/int8.h"

namespace pydl::kernels::quantized::PYDL_ISA {

constinit const Int8Table int8 = {kStep, &block, &range, &quantize, &quantize_pixels};

}  // namespace pydl::kernels::quantized::PYDL_ISA
