#include "ops/optim/engine.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/optim/update.h"
#include "kernels/reduce/reduce.h"

namespace pydl {
namespace {

// Elements per task: a chunk of every array of an update fits L2.
constexpr int64_t kChunk = 16384;

template <class T>
T* advance(T* p, int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
  return p ? static_cast<T*>(static_cast<Byte*>(p) + bytes) : nullptr;
}

// Calls f(tensor, begin, end) for chunks of all tensors, spread over the threads by one prefix table.
template <class Item, class F>
void for_chunks(const Item* items, int64_t count, F&& f) {
  if (count == 1 && items[0].n <= kChunk) {
    if (items[0].n > 0) f(items[0], int64_t{0}, items[0].n, int64_t{0});
    return;
  }
  std::vector<int64_t> first(static_cast<size_t>(count) + 1);
  int64_t work = 0;
  for (int64_t i = 0; i < count; ++i) {
    first[static_cast<size_t>(i) + 1] = first[static_cast<size_t>(i)] + (items[i].n + kChunk - 1) / kChunk;
    work += items[i].n;
  }
  const int64_t chunks = first.back();
  const int64_t grain = work <= kChunk ? chunks : std::max<int64_t>(1, chunks * kChunk / std::max<int64_t>(work, 1) / 2);
  parallel_for(chunks, grain, [&](int64_t begin, int64_t end) {
    int64_t t = std::upper_bound(first.begin(), first.end(), begin) - first.begin() - 1;
    for (int64_t c = begin; c < end; ++c) {
      while (c >= first[static_cast<size_t>(t) + 1]) ++t;
      const int64_t from = (c - first[static_cast<size_t>(t)]) * kChunk;
      f(items[t], from, std::min(from + kChunk, items[t].n), c);
    }
  });
}

}  // namespace

void sgd_step(const SgdTensor* tensors, int64_t count, const SgdOptions& o) {
  for_chunks(tensors, count, [&](const SgdTensor& t, int64_t begin, int64_t end, int64_t) {
    const int64_t at = begin * item_size(t.dtype);
    kernels::optim::sgd()[t.dtype]({end - begin, advance(t.param, at), advance(t.grad, at), advance(t.momentum_buffer, at), o.lr,
                                    o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize, t.first_step});
  });
}

void adam_step(const AdamTensor* tensors, int64_t count, const AdamOptions& o) {
  for_chunks(tensors, count, [&](const AdamTensor& t, int64_t begin, int64_t end, int64_t) {
    const int64_t at = begin * item_size(t.dtype);
    const double step_size = o.lr / (1 - std::pow(o.beta1, t.step)), correction = std::sqrt(1 - std::pow(o.beta2, t.step));
    kernels::optim::adam()[t.dtype]({end - begin, advance(t.param, at), advance(t.grad, at), advance(t.exp_avg, at),
                                     advance(t.exp_avg_sq, at), advance(t.max_exp_avg_sq, at), o.lr, o.beta1, o.beta2, o.eps,
                                     o.weight_decay, step_size, correction, o.decoupled, o.maximize});
  });
}

void rule_step(const kernels::ByDType<kernels::optim::UpdateFn>& kernel, const RuleTensor* tensors, int64_t count, const double* options) {
  for_chunks(tensors, count, [&](const RuleTensor& t, int64_t begin, int64_t end, int64_t) {
    const int64_t at = begin * item_size(t.dtype);
    kernels::optim::Update range{end - begin, advance(t.param, at), advance(t.grad, at), {}, options};
    for (int i = 0; i < kernels::optim::kMostStates; ++i) range.state[i] = advance(t.state[i], at);
    kernel[t.dtype](range);
  });
}

double global_l2_norm(const FloatRange* ranges, int64_t count) {
  int64_t chunks = 0;
  for (int64_t i = 0; i < count; ++i) chunks += (ranges[i].n + kChunk - 1) / kChunk;
  std::vector<double> sums(static_cast<size_t>(chunks));
  const auto& table = kernels::reduce::reducers().op[static_cast<int>(kernels::reduce::Op::SumSquares)];
  for_chunks(ranges, count, [&](const FloatRange& r, int64_t begin, int64_t end, int64_t chunk) {
    kernels::reduce::State state{};
    table[r.dtype]->run(static_cast<const char*>(r.data) + begin * item_size(r.dtype), end - begin, 0, &state);
    sums[static_cast<size_t>(chunk)] = state.a;
  });
  double total = 0;
  for (const double s : sums) total += s;
  return std::sqrt(total);
}

void scale_ranges(const FloatRange* ranges, int64_t count, double factor) {
  for_chunks(ranges, count, [&](const FloatRange& r, int64_t begin, int64_t end, int64_t) {
    kernels::optim::scale()[r.dtype](static_cast<char*>(r.data) + begin * item_size(r.dtype), end - begin, factor);
  });
}

}  // namespace pydl
