#include "ops/conv/depthwise.h"

#include <algorithm>

#include "core/parallel.h"
#include "kernels/conv/depthwise.h"

namespace pydl::conv {

namespace {

using kernels::conv::DepthwiseTable;
using kernels::conv::Window;

template <class T>
const DepthwiseTable<T>& depthwise_table() {
  if constexpr (sizeof(T) == 4) {
    return kernels::conv::depthwise_f32();
  } else {
    return kernels::conv::depthwise_f64();
  }
}

Window window_of(const Gather& g) {
  return {g.grid[1],
          g.grid[2],
          g.in[1],
          g.in[2],
          g.start[1],
          g.stride[1],
          g.start[2],
          g.stride[2],
          g.taps[1].data(),
          g.taps[2].data(),
          static_cast<int64_t>(g.taps[1].size()),
          static_cast<int64_t>(g.taps[2].size())};
}

// Planes of about this many multiply-adds are worth a thread.
constexpr int64_t kGrain = 32768;

template <class T>
T sum_of(const T* from, int64_t count) {
  constexpr int64_t kLanes = 16;
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] += from[i + l];
  }
  for (; i < count; ++i) lanes[0] += from[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

}  // namespace

template <class T>
void run_depthwise(const Pass<T>& p) {
  const Gather& g = p.gather;
  const Window window = window_of(g);
  const int64_t depth = static_cast<int64_t>(g.taps[0].size()), taps = window.taps_h * window.taps_w;
  const int64_t work = window.rows * window.columns * taps * depth;
  parallel_for(g.batch * p.groups * g.grid[0], std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)), [&](int64_t begin, int64_t end) {
    std::vector<T> weights(static_cast<size_t>(depth * taps));
    std::vector<const T*> planes, kernels;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t d = i % g.grid[0], group = i / g.grid[0] % p.groups, n = i / g.grid[0] / p.groups;
      for (size_t t = 0; t < weights.size(); ++t) weights[t] = p.weight[group * p.w_group + p.w_taps[t]];
      planes.clear();
      kernels.clear();
      for (int64_t t = 0; t < depth; ++t) {
        const int64_t from = g.start[0] + d * g.stride[0] + g.taps[0][static_cast<size_t>(t)];
        if (from < 0 || from >= g.in[0]) continue;
        planes.push_back(p.in + n * p.in_batch + group * p.in_group + from * g.in[1] * g.in[2]);
        kernels.push_back(weights.data() + t * taps);
      }
      depthwise_table<T>().conv({window, planes.data(), kernels.data(), static_cast<int64_t>(planes.size()), p.bias ? p.bias[group] : T(0),
                                 p.out + n * p.out_batch + group * p.out_group + p.out_at({n, d, 0, 0}), p.out_step[1] * p.out_size[2],
                                 p.out_step[2]});
    }
  });
}

template <class T>
bool depthwise_input(const Shape& s, const T* out_grad, const T* weight, const T* bias, T* in_grad) {
  if (s.c != 1 || s.o != 1 || s.kernel[0] != 1 || s.in[0] != 1 || s.out[0] != 1 || s.padding[0] != 0) return false;
  for (int d = 1; d < 3; ++d) {
    if (s.kernel[d] != 3 || s.stride[d] != 2 || s.dilation[d] != 1) return false;
  }
  parallel_for(s.batch * s.groups, std::max<int64_t>(1, kGrain / s.in_plane()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i % s.groups;
      depthwise_table<T>().spread({out_grad + i * s.out_plane(), s.out[1], s.out[2], weight + group * 9, bias ? bias[group] : T(0),
                                   in_grad + i * s.in_plane(), s.in[1], s.in[2], s.padding[1], s.padding[2]});
    }
  });
  return true;
}

template <class T>
void depthwise_weight(const Shape& s, const T* in, const T* out_grad, T* weight_grad, T* bias_grad) {
  const Gather g = forward_gather(s);
  const Window window = window_of(g);
  const int64_t taps = s.taps(), per_plane = s.kernel[1] * s.kernel[2], in_plane = s.in[1] * s.in[2], out_plane = s.out[1] * s.out[2];
  const int64_t work = s.batch * s.out_plane() * taps;
  parallel_for(s.groups, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)), [&](int64_t begin, int64_t end) {
    std::fill_n(weight_grad + begin * taps, (end - begin) * taps, T(0));
    if (bias_grad) std::fill_n(bias_grad + begin, end - begin, T(0));
    for (int64_t group = begin; group < end; ++group) {
      for (int64_t n = 0; n < s.batch; ++n) {
        const T* from = in + (n * s.groups + group) * s.in_plane();
        const T* grad = out_grad + (n * s.groups + group) * s.out_plane();
        for (int64_t d = 0; d < s.out[0]; ++d) {
          for (int64_t t = 0; t < s.kernel[0]; ++t) {
            const int64_t place = g.start[0] + d * s.stride[0] + t * s.dilation[0];
            if (place < 0 || place >= s.in[0]) continue;
            depthwise_table<T>().sums({window, from + place * in_plane, grad + d * out_plane, weight_grad + group * taps + t * per_plane});
          }
        }
        if (bias_grad) bias_grad[group] += sum_of(grad, s.out_plane());
      }
    }
  });
}

template void run_depthwise(const Pass<float>&);
template void run_depthwise(const Pass<double>&);
template bool depthwise_input(const Shape&, const float*, const float*, const float*, float*);
template bool depthwise_input(const Shape&, const double*, const double*, const double*, double*);
template void depthwise_weight(const Shape&, const float*, const float*, float*, float*);
template void depthwise_weight(const Shape&, const double*, const double*, double*, double*);

}  // namespace pydl::conv
