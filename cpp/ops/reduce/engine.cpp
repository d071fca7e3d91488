#include "ops/reduce/engine.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/parallel.h"

namespace pydl {
namespace {

using kernels::reduce::Finish;
using kernels::reduce::kBlock;
using kernels::reduce::kColumnStripe;
using kernels::reduce::Reducer;
using kernels::reduce::State;

constexpr int kMaxDims = ReduceSpec::kMaxDims;
constexpr int64_t kGrain = 32768;   // elements that are worth a thread
constexpr int64_t kGather = 4096;   // elements collected before a kernel sees them
constexpr int64_t kShortRun = 32;   // shorter runs are gathered
constexpr int64_t kLongRun = 1024;  // bytes of a run that outweigh a state in memory
constexpr int64_t kShortRow = 16;   // rows up to this length are transposed

// Combines states in the order they arrive as a binary tree: state i of 2^k neighbours always meets the same partners.
class Cascade {
 public:
  explicit Cascade(const Reducer& reducer) : reducer_(reducer) {}
  void push(const State& s) {
    State top = s;
    int level = 0;
    for (uint64_t c = count_; c & 1; c >>= 1, ++level) {
      State left = levels_[level];
      reducer_.combine(&left, &top);
      top = left;
    }
    levels_[level] = top;
    ++count_;
  }
  State total() const {
    State result = reducer_.identity;
    bool any = false;
    for (int level = 0; level < 64; ++level) {
      if (!(count_ >> level & 1)) continue;
      State left = levels_[level];
      if (any) reducer_.combine(&left, &result);
      result = left;
      any = true;
    }
    return result;
  }

 private:
  const Reducer& reducer_;
  uint64_t count_ = 0;
  State levels_[64];
};

struct Dims {
  int count = 0;
  int64_t size[kMaxDims];
  int64_t stride[kMaxDims][3];  // in, out, second

  int64_t total() const {
    int64_t n = 1;
    for (int d = 0; d < count; ++d) n *= size[d];
    return n;
  }
  // Offsets of element `index` in row-major order.
  void offsets(int64_t index, int64_t* at) const {
    at[0] = at[1] = at[2] = 0;
    for (int d = count - 1; d >= 0; --d) {
      const int64_t i = index % size[d];
      index /= size[d];
      for (int k = 0; k < 3; ++k) at[k] += i * stride[d][k];
    }
  }
};

// Drops dimensions of size 1 and joins neighbours that one stride describes.
Dims coalesce(int count, const int64_t* sizes, const int64_t* in, const int64_t* out, const int64_t* second) {
  Dims dims;
  for (int d = 0; d < count; ++d) {
    if (sizes[d] == 1) continue;
    const int64_t stride[3] = {in[d], out ? out[d] : 0, second ? second[d] : 0};
    if (dims.count > 0) {
      int64_t* last = dims.stride[dims.count - 1];
      if (last[0] == stride[0] * sizes[d] && last[1] == stride[1] * sizes[d] && last[2] == stride[2] * sizes[d]) {
        dims.size[dims.count - 1] *= sizes[d];
        std::copy(stride, stride + 3, last);
        continue;
      }
    }
    dims.size[dims.count] = sizes[d];
    std::copy(stride, stride + 3, dims.stride[dims.count++]);
  }
  return dims;
}

void gather(char* out, const char* in, int64_t stride, int64_t n, int64_t size) {
  const auto copy = [&](auto type) {
    using T = decltype(type);
    T* o = reinterpret_cast<T*>(out);
    for (int64_t i = 0; i < n; ++i) o[i] = *reinterpret_cast<const T*>(in + i * stride);
  };
  struct Wide {
    uint64_t a, b;
  };
  switch (size) {
    case 1:
      return copy(uint8_t{});
    case 2:
      return copy(uint16_t{});
    case 4:
      return copy(uint32_t{});
    case 8:
      return copy(uint64_t{});
    default:
      return copy(Wide{});
  }
}

// One reduction, planned: the elements of an output are a sequence of segments fixed by the shape.
struct Plan {
  const Reducer& reducer;
  Dims kept, reduced;
  int64_t item;
  int64_t count;     // elements per output
  int64_t run;       // length of a contiguous run, or 0 where elements are gathered
  int64_t runs;      // runs per output
  int64_t pieces;    // segments per run
  int64_t segments;  // segments per output
  Finish finish;

  State segment(const char* base, int64_t s) const {
    State state = reducer.identity;
    if (run > 0) {
      const int64_t r = s / pieces, begin = s % pieces * kBlock;
      int64_t at[3];
      outer(r, at);
      reducer.run(base + at[0] + begin * item, std::min(kBlock, run - begin), r * run + begin, &state);
    } else {
      alignas(64) char buffer[kGather * 16];
      const int64_t begin = s * kGather, n = std::min(kGather, count - begin);
      collect(buffer, base, begin, n);
      reducer.run(buffer, n, begin, &state);
    }
    return state;
  }

  // Offset of run r: all reduced dimensions but the innermost.
  void outer(int64_t r, int64_t* at) const {
    Dims d = reduced;
    --d.count;
    d.offsets(r, at);
  }

  void collect(char* buffer, const char* base, int64_t begin, int64_t n) const {
    const int last = reduced.count - 1;
    const int64_t inner = last >= 0 ? reduced.size[last] : 1, stride = last >= 0 ? reduced.stride[last][0] : 0;
    while (n > 0) {
      int64_t at[3] = {0, 0, 0};
      if (last > 0) outer(begin / inner, at);
      const int64_t first = begin % inner, len = std::min(n, inner - first);
      gather(buffer, base + at[0] + first * stride, stride, len, item);
      buffer += len * item;
      begin += len;
      n -= len;
    }
  }

  void write(const State& state, const int64_t* at) const {
    const int64_t none[3] = {0, 0, 0};
    write(&state, 1, at, none);
  }
  void write(const State* states, int64_t n, const int64_t* at, const int64_t* stride) const {
    Finish f = finish;
    if (f.out) f.out += at[1];
    if (f.second) f.second += at[2];
    reducer.finish(states, n, f, stride[1], stride[2]);
  }
};

// The segments of all outputs are spread over the threads: where there are few outputs, or, `across` them, in the order of
// memory where the runs of one output lie far apart and those of its neighbours between them.
void reduce_segments(const Plan& p, const char* in, int64_t outputs, bool across) {
  std::vector<State> states(static_cast<size_t>(outputs * p.segments));
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, p.count / p.segments));
  parallel_for(outputs * p.segments, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t o = across ? i % outputs : i / p.segments, s = across ? i / outputs : i % p.segments;
      int64_t at[3];
      p.kept.offsets(o, at);
      states[static_cast<size_t>(o * p.segments + s)] = p.segment(in + at[0], s);
    }
  });
  parallel_for(outputs, std::max<int64_t>(1, kGrain / 16 / p.segments), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      Cascade cascade(p.reducer);
      for (int64_t s = 0; s < p.segments; ++s) cascade.push(states[static_cast<size_t>(o * p.segments + s)]);
      int64_t at[3];
      p.kept.offsets(o, at);
      p.write(cascade.total(), at);
    }
  });
}

// Short rows: blocks of them are transposed, so that vectors run across the outputs.
void reduce_short_rows(const Plan& p, const char* in, int64_t outputs) {
  const int64_t n = p.count, stride = p.kept.stride[0][0];
  parallel_for(outputs, std::max<int64_t>(kColumnStripe, kGrain / n), [&](int64_t begin, int64_t end) {
    alignas(64) char buffer[kColumnStripe * kShortRow * 16];
    State states[kColumnStripe];
    for (int64_t o = begin; o < end; o += kColumnStripe) {
      const int64_t rows = std::min(kColumnStripe, end - o);
      for (int64_t e = 0; e < n; ++e) gather(buffer + e * rows * p.item, in + o * stride + e * p.item, stride, rows, p.item);
      p.reducer.columns(buffer, rows * p.item, n, rows, 0, states);
      const int64_t at[3] = {0, o * p.kept.stride[0][1], o * p.kept.stride[0][2]};
      p.write(states, rows, at, p.kept.stride[0]);
    }
  });
}

void reduce_outputs(const Plan& p, const char* in, int64_t outputs) {
  const bool simple = p.kept.count <= 1 && p.run > 0 && p.segments == 1;
  parallel_for(outputs, std::max<int64_t>(1, kGrain / p.count), [&](int64_t begin, int64_t end) {
    int64_t at[3];
    if (simple) {
      p.kept.offsets(begin, at);
      Finish f = p.finish;
      if (f.out) f.out += at[1];
      if (f.second) f.second += at[2];
      const int64_t zero[3] = {0, 0, 0};
      const int64_t* stride = p.kept.count ? p.kept.stride[0] : zero;
      p.reducer.rows(in + at[0], stride[0], end - begin, p.count, f, stride[1], stride[2]);
      return;
    }
    for (int64_t o = begin; o < end; ++o) {
      p.kept.offsets(o, at);
      if (p.segments == 1) {
        p.write(p.segment(in + at[0], 0), at);
        continue;
      }
      Cascade cascade(p.reducer);
      for (int64_t s = 0; s < p.segments; ++s) cascade.push(p.segment(in + at[0], s));
      p.write(cascade.total(), at);
    }
  });
}

// Outputs are contiguous in the input: vectors run across them. Stripes of columns times blocks of rows.
void reduce_columns(const Plan& p, const char* in) {
  Dims outer_kept = p.kept;
  const int last = --outer_kept.count;
  const int64_t cols = p.kept.size[last], outer = outer_kept.total();
  const int64_t stripe = std::min(cols, kColumnStripe), stripes = (cols + stripe - 1) / stripe;
  const int64_t rows = p.reduced.size[p.reduced.count - 1], row_stride = p.reduced.stride[p.reduced.count - 1][0];
  const int64_t block = std::max<int64_t>(256, 65536 / stripe);  // rows combined in one kernel call
  const int64_t pieces = (rows + block - 1) / block, groups = p.count / rows, blocks = groups * pieces;
  std::vector<State> states;
  const bool spread = outer * stripes < num_threads() && blocks > 1;
  const auto compute = [&](int64_t o, int64_t s, int64_t b, State* out) {
    int64_t kept_at[3], reduced_at[3];
    outer_kept.offsets(o, kept_at);
    p.outer(b / pieces, reduced_at);
    const int64_t r = b % pieces * block, j = s * stripe;
    p.reducer.columns(in + kept_at[0] + reduced_at[0] + r * row_stride + j * p.item, row_stride, std::min(block, rows - r),
                      std::min(stripe, cols - j), b / pieces * rows + r, out);
  };
  const auto one_stripe = [&](int64_t o, int64_t s, const State* ready) {
    const int64_t n = std::min(stripe, cols - s * stripe);
    State total[kColumnStripe], next[kColumnStripe];
    for (int64_t b = 0; b < blocks; ++b) {
      const State* from = ready ? ready + b * stripe : b == 0 ? total : next;
      if (!ready) compute(o, s, b, b == 0 ? total : next);
      if (b == 0) {
        if (ready) std::copy(from, from + n, total);
      } else {
        for (int64_t j = 0; j < n; ++j) p.reducer.combine(total + j, from + j);
      }
    }
    int64_t at[3];
    outer_kept.offsets(o, at);
    for (int k = 1; k < 3; ++k) at[k] += s * stripe * p.kept.stride[last][k];
    p.write(total, n, at, p.kept.stride[last]);
  };
  if (spread) {
    states.resize(static_cast<size_t>(outer * stripes * blocks * stripe));
    parallel_for(outer * stripes * blocks, std::max<int64_t>(1, kGrain / (block * stripe)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        compute(i / blocks / stripes, i / blocks % stripes, i % blocks, &states[static_cast<size_t>(i * stripe)]);
    });
  }
  const int64_t grain = spread ? outer * stripes : std::max<int64_t>(1, kGrain / (p.count * stripe));
  parallel_for(outer * stripes, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      one_stripe(i / stripes, i % stripes, spread ? &states[static_cast<size_t>(i * blocks * stripe)] : nullptr);
    }
  });
}

}  // namespace

bool reduce_supports(ReduceOp op, DType dtype) { return kernels::reduce::reducers().op[static_cast<int>(op)][dtype] != nullptr; }

void reduce(ReduceOp op, const ReduceSpec& spec) {
  Plan p{
      *kernels::reduce::reducers().op[static_cast<int>(op)][spec.in_dtype],
      coalesce(spec.kept_dims, spec.kept_sizes, spec.kept_in, spec.out ? spec.kept_out : nullptr, spec.second ? spec.kept_second : nullptr),
      coalesce(spec.reduced_dims, spec.reduced_sizes, spec.reduced_in, nullptr, nullptr),
      item_size(spec.in_dtype),
      0,
      0,
      1,
      1,
      1,
      {spec.out, spec.out_dtype, spec.second, 0, spec.correction}};
  const int64_t outputs = p.kept.total();
  p.count = p.finish.count = p.reduced.total();
  if (outputs == 0) return;
  if (p.count == 0) {
    for (int64_t o = 0; o < outputs; ++o) {
      int64_t at[3];
      p.kept.offsets(o, at);
      p.write(p.reducer.identity, at);
    }
    return;
  }
  const int last = p.reduced.count - 1, kept_last = p.kept.count - 1;
  const int64_t inner = last >= 0 ? p.reduced.size[last] : 1;
  const bool contiguous = last < 0 || p.reduced.stride[last][0] == p.item;
  if (!contiguous && kept_last >= 0 && p.kept.stride[kept_last][0] == p.item && p.kept.size[kept_last] >= 4)
    return reduce_columns(p, spec.in);
  if (contiguous && (inner >= kShortRun || inner == p.count)) {
    p.run = inner;
    p.runs = p.count / inner;
    p.pieces = (inner + kBlock - 1) / kBlock;
    p.segments = p.runs * p.pieces;
  } else {
    p.segments = (p.count + kGather - 1) / kGather;
  }
  if (p.run > 0 && p.count <= kShortRow && p.kept.count == 1 && outputs >= 64) return reduce_short_rows(p, spec.in, outputs);
  if (outputs < num_threads() && p.segments > 1 && outputs * p.count > kGrain) return reduce_segments(p, spec.in, outputs, false);
  if (p.runs > 1 && p.run * p.item >= kLongRun && kept_last >= 0 && p.kept.stride[kept_last][0] < p.reduced.stride[last - 1][0])
    return reduce_segments(p, spec.in, outputs, true);
  reduce_outputs(p, spec.in, outputs);
}

double dot(DType dtype, const void* x, const void* y, int64_t n) {
  const kernels::reduce::DotFn fn = kernels::reduce::dot()[dtype];
  const int64_t blocks = (n + kBlock - 1) / kBlock, size = item_size(dtype);
  if (blocks <= 1) return n > 0 ? fn(x, y, n) : 0;
  std::vector<double> sums(static_cast<size_t>(blocks));
  parallel_for(blocks, 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t at = b * kBlock * size;
      sums[static_cast<size_t>(b)] =
          fn(static_cast<const char*>(x) + at, static_cast<const char*>(y) + at, std::min(kBlock, n - b * kBlock));
    }
  });
  for (int64_t step = 1; step < blocks; step *= 2) {
    for (int64_t b = 0; b + step < blocks; b += 2 * step) sums[static_cast<size_t>(b)] += sums[static_cast<size_t>(b + step)];
  }
  return sums[0];
}

bool scan_supports(ScanOp op, DType dtype) {
  return (op == ScanOp::Sum ? kernels::reduce::cumsum() : kernels::reduce::cumprod())[dtype] != nullptr;
}

void scan(ScanOp op, DType dtype, const char* in, char* out, int64_t outer, int64_t n, int64_t inner) {
  const kernels::reduce::ScanFn fn = (op == ScanOp::Sum ? kernels::reduce::cumsum() : kernels::reduce::cumprod())[dtype];
  const int64_t item = item_size(dtype);
  if (inner == 1) {
    parallel_for(outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)),
                 [&](int64_t begin, int64_t end) { fn({in + begin * n * item, out + begin * n * item, n * item, item, end - begin, n}); });
    return;
  }
  // Lines side by side, in strips of some cache lines so that there is one for each thread.
  const int64_t width = std::max<int64_t>(64, (inner + num_threads() - 1) / num_threads()), strips = (inner + width - 1) / width;
  parallel_for(outer * strips, std::max<int64_t>(1, kGrain / (n * std::min(width, inner))), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % strips * width, at = (task / strips * n * inner + first) * item;
      fn({in + at, out + at, item, inner * item, std::min(width, inner - first), n});
    }
  });
}

}  // namespace pydl
