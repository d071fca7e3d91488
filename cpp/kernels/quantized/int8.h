// Products of unsigned 8-bit activations with signed 8-bit weights, summed in 32-bit integers.
#pragma once

#include <cstdint>

#include "kernels/kernel.h"

namespace pydl::kernels::quantized {

// Weights stand in panels of this many columns: [panel][group along k][column][step].
inline constexpr int kPanel = 32;

// `bands` bands of `rows` rows. Row i of band h begins at a + h * a_band + i * a_row, and its piece of tap t is taps[t] bytes further:
// `groups` groups of 4 bytes. c[h * c_band + i * c_row + j * c_col] = (sum - offset[j]) * scale[j] + bias[j], which is cut at zero
// with `relu`. offset, scale and bias are filled up to whole panels.
struct Int8Block {
  int64_t bands, rows, cols;
  const char* a;
  int64_t a_band, a_row;
  const int64_t* taps;
  int64_t tap_count, groups;
  const int8_t* b;
  int64_t b_panel;
  float* c;
  int64_t c_band, c_row, c_col;
  const int32_t* offset;
  const float* scale;
  const float* bias;
  bool relu;
};

// q = clamp(round(x * inverse) + zero, 0, 255); not a number becomes 0.
struct Int8Rule {
  float inverse;
  int32_t zero;
};

struct Int8Table {
  int step;  // elements in a group of 4 bytes: 4 of 8 bits, or 2 of 16 bits where the processor has no product of 8 bits
  void (*block)(const Int8Block&);
  // Widens low <= 0 <= high to take in the finite ones of n numbers.
  void (*range)(const float* from, int64_t n, float& low, float& high);
  // n numbers side by side, the last group filled with zeros.
  void (*quantize)(char* to, const float* from, int64_t n, Int8Rule);
  // n pixels, `pixel` bytes apart in `to`, of up to `step` channels, `plane` elements apart in `from`: a group per pixel.
  void (*quantize_pixels)(char* to, int64_t pixel, const float* from, int64_t plane, int64_t channels, int64_t n, Int8Rule);
};

PYDL_KERNEL(Int8Table, int8_plain);
#if defined(__x86_64__)
namespace avx512vnni {
extern const Int8Table int8;
}
#endif

}  // namespace pydl::kernels::quantized
