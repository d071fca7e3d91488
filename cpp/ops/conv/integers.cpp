// Convolutions of integers, straight from their definition. Sums wrap as those of the dtype would: those of up to 32 bits are
// formed in 32.
#include <algorithm>

#include "core/parallel.h"
#include "ops/conv/conv.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/view/view.h"

namespace pydl::conv {
namespace {

// f(tap, place in the input, place in the output, n): n neighbouring results of one row, whose inputs lie a stride apart.
template <class F>
void over_rows(const Shape& s, F&& f) {
  for (int64_t od = 0; od < s.out[0]; ++od) {
    for (int64_t oh = 0; oh < s.out[1]; ++oh) {
      for (int64_t tap = 0; tap < s.kernel[0] * s.kernel[1] * s.kernel[2]; ++tap) {
        const int64_t kd = tap / (s.kernel[1] * s.kernel[2]), kh = tap / s.kernel[2] % s.kernel[1], kw = tap % s.kernel[2];
        const int64_t d = od * s.stride[0] - s.padding[0] + kd * s.dilation[0];
        const int64_t h = oh * s.stride[1] - s.padding[1] + kh * s.dilation[1], shift = kw * s.dilation[2] - s.padding[2];
        if (d < 0 || d >= s.in[0] || h < 0 || h >= s.in[1] || shift >= s.in[2]) continue;
        const int64_t first = shift < 0 ? (-shift + s.stride[2] - 1) / s.stride[2] : 0;
        const int64_t last = std::min(s.out[2], (s.in[2] - 1 - shift) / s.stride[2] + 1);
        if (first < last) {
          f(tap, (d * s.in[1] + h) * s.in[2] + first * s.stride[2] + shift, (od * s.out[1] + oh) * s.out[2] + first, last - first);
        }
      }
    }
  }
}

template <class T>
void convolve(const Shape& s, const T* x, const T* weight, bool spreads, T* out) {
  const int64_t in = s.in[0] * s.in[1] * s.in[2], results = s.out[0] * s.out[1] * s.out[2];
  const int64_t taps = s.kernel[0] * s.kernel[1] * s.kernel[2], step = s.stride[2];
  const int64_t planes = spreads ? s.c : s.o, summed = spreads ? s.o : s.c;
  const int64_t work = std::max<int64_t>(1, results) * std::min<int64_t>(summed * taps, 1 << 20);
  parallel_for(s.batch * s.groups * planes, std::max<int64_t>(1, 65536 / std::max<int64_t>(1, work)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t image = i / planes, plane = i % planes, group = image % s.groups;  // image: of a batch's group
      T* to = out + i * (spreads ? in : results);
      for (int64_t k = 0; k < summed; ++k) {
        const T* from = x + (image * summed + k) * (spreads ? results : in);
        const T* w = weight + ((group * s.o + (spreads ? k : plane)) * s.c + (spreads ? plane : k)) * taps;
        over_rows(s, [&](int64_t tap, int64_t inner, int64_t outer, int64_t n) {
          const T factor = w[tap];
          for (int64_t j = 0; j < n && !spreads; ++j) to[outer + j] += factor * from[inner + j * step];
          for (int64_t j = 0; j < n && spreads; ++j) to[inner + j * step] += factor * from[outer + j];
        });
      }
    }
  });
}

}  // namespace

Tensor integer_convolution(const char* op, const Geometry& g, const Tensor& x, const Tensor& weight, bool spreads) {
  const autograd::GradGuard off(false);
  const DType type = x.dtype() == DType::Int64 ? DType::Int64 : DType::Int32;
  const Tensor from = contiguous(to_dtype(x, type)), w = contiguous(to_dtype(weight, type));
  Dims sizes{g.s.batch, g.s.groups * (spreads ? g.s.c : g.s.o)};
  for (int d = 3 - g.dims; d < 3; ++d) sizes.push_back((spreads ? g.s.in : g.s.out)[d]);
  const Tensor out = empty(sizes, type, op);
  zero_raw(out);
  dispatch(op, type, TypeList<int32_t, int64_t>{}, [&]<class T>(T) {
    using U = std::make_unsigned_t<T>;  // wraps
    convolve<U>(g.s, reinterpret_cast<const U*>(from.data<T>()), reinterpret_cast<const U*>(w.data<T>()), spreads,
                reinterpret_cast<U*>(out.data<T>()));
  });
  return to_dtype(out, x.dtype());
}

}  // namespace pydl::conv
