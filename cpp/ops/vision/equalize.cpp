// Histogram equalisation of images of bytes.
#include <algorithm>

#include "core/parallel.h"
#include "kernels/vision/bytes.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/registry.h"

namespace pydl {

namespace {

// Pillow's table: a value becomes (the number of smaller pixels + step / 2) / step. False where all of it stays.
bool table_of(const int64_t* counts, int64_t pixels, uint8_t* table) {
  int last = 255;
  while (last > 0 && counts[last] == 0) --last;
  const int64_t step = (pixels - counts[last]) / 255;
  if (step == 0) return false;
  int64_t below = 0;
  for (int v = 0; v < 256; ++v) {
    table[v] = static_cast<uint8_t>(std::min<int64_t>((below + step / 2) / step, 255));
    below += counts[v];
  }
  return true;
}

Tensor equalize(const Tensor& input) {
  PYDL_CHECK(input.ndim() >= 2, ShapeError, "equalize(): input must have sizes (..., H, W), got ", IntSpan(input.sizes()));
  PYDL_CHECK(input.dtype() == DType::UInt8, NotImplemented, "equalize(): not implemented for ", input.dtype());
  const Tensor x = contiguous(input), y = empty(x.sizes(), DType::UInt8, "equalize");
  const int64_t pixels = x.size(x.ndim() - 2) * x.size(x.ndim() - 1);
  if (x.numel() == 0) return y;
  const auto& fns = kernels::vision::bytes();
  parallel_for(x.numel() / pixels, std::max<int64_t>(1, (1 << 16) / pixels), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const uint8_t* from = x.data<uint8_t>() + p * pixels;
      uint8_t* to = y.data<uint8_t>() + p * pixels;
      int64_t counts[256];
      uint8_t table[256];
      fns.count(counts, from, pixels);
      if (table_of(counts, pixels, table)) {
        fns.look_up(to, from, table, pixels);
      } else {
        std::copy_n(from, pixels, to);
      }
    }
  });
  return y;
}

}  // namespace

PYDL_OP(equalize, "_equalize(input: Tensor) -> Tensor", Private, R"doc(
Each plane of `input` (..., H, W), uint8, with its values spread so that all occur about equally often.
)doc");

}  // namespace pydl
