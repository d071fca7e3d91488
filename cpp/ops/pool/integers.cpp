// Poolings of integers, all in int64, which holds their values: there are no derivatives.
#include <algorithm>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pool/windows.h"
#include "ops/view/view.h"

namespace pydl::pool {
namespace {

// f(place) for the places of the plane that window (d, h, w) covers.
template <class F>
void over_window(const Layout& l, int64_t od, int64_t oh, int64_t ow, F&& f) {
  for (int64_t d = l.begin[0][od]; d < l.end[0][od]; d += l.step[0]) {
    for (int64_t h = l.begin[1][oh]; h < l.end[1][oh]; h += l.step[1]) {
      for (int64_t w = l.begin[2][ow]; w < l.end[2][ow]; w += l.step[2]) f((d * l.in[1] + h) * l.in[2] + w);
    }
  }
}

// f(plane of the input, d, h, w, place of the result) for all results.
template <class F>
void over_results(const Layout& l, const Tensor& x, int64_t results, F&& f) {
  const int64_t plane = l.out_plane();
  if (plane == 0) return;
  parallel_for(results / plane, std::max<int64_t>(1, 16384 / std::max(l.in_plane(), plane)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t* in = x.data<int64_t>() + i * l.in_plane();
      int64_t at = i * plane;
      for (int64_t d = 0; d < l.out[0]; ++d) {
        for (int64_t h = 0; h < l.out[1]; ++h) {
          for (int64_t w = 0; w < l.out[2]; ++w) f(in, d, h, w, at++);
        }
      }
    }
  });
}

}  // namespace

std::tuple<Tensor, Tensor> integer_maxima(const char* op, const Tensor& input, const Layout& l) {
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(to_dtype(input, DType::Int64));
  const Tensor values = empty(l.out_sizes(x), DType::Int64, op), places = empty(values.sizes(), DType::Int32, op);
  over_results(l, x, values.numel(), [&](const int64_t* in, int64_t d, int64_t h, int64_t w, int64_t at) {
    int64_t best = -1;
    over_window(l, d, h, w, [&](int64_t place) {
      if (best < 0 || in[place] > in[best]) best = place;
    });
    values.data<int64_t>()[at] = in[best];
    places.data<int32_t>()[at] = static_cast<int32_t>(best);
  });
  return {to_dtype(values, input.dtype()), places};
}

// Rounded towards zero, as torch divides.
Tensor integer_means(const char* op, const Tensor& input, const Layout& l) {
  const autograd::GradGuard off(false);
  const Tensor x = contiguous(to_dtype(input, DType::Int64));
  const Tensor out = empty(l.out_sizes(x), DType::Int64, op);
  over_results(l, x, out.numel(), [&](const int64_t* in, int64_t d, int64_t h, int64_t w, int64_t at) {
    uint64_t sum = 0;  // wraps
    over_window(l, d, h, w, [&](int64_t place) { sum += static_cast<uint64_t>(in[place]); });
    const auto divisor = static_cast<int64_t>(l.divisor[0][static_cast<size_t>(d)] * l.divisor[1][static_cast<size_t>(h)] *
                                              l.divisor[2][static_cast<size_t>(w)]);
    const auto total = static_cast<int64_t>(sum);
    out.data<int64_t>()[at] = divisor == -1 ? static_cast<int64_t>(0 - sum) : total / divisor;
  });
  return out;
}

}  // namespace pydl::pool
