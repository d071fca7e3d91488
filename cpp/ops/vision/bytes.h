// Interpolation of images of bytes.
#pragma once

#include "core/tensor.h"
#include "ops/vision/axis.h"

namespace pydl::vision {

// Planes (..., H, W), contiguous: first along rows, then across them, with weights in whole numbers and bytes between the two
// passes, as Pillow and PyTorch compute.
Tensor resample_bytes(const Tensor& x, const AxisTable& rows, const AxisTable& columns);

}  // namespace pydl::vision
