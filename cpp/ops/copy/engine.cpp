#include "ops/copy/engine.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/parallel.h"
#include "kernels/copy/copy.h"

namespace pydl {
namespace {

constexpr int kMaxDims = 16;
constexpr int64_t kGrainBytes = 128 * 1024;

struct Dim {
  int64_t size, out, in;
};

struct Shape {
  int count = 0;
  Dim dim[kMaxDims];
};

// Dimensions from the largest to the smallest output stride, those of size 1 dropped, neighbours joined where both
// layouts allow it.
Shape normalize(int dims, const int64_t* sizes, const int64_t* out, const int64_t* in) {
  Shape sorted;
  for (int d = 0; d < dims; ++d) {
    if (sizes[d] != 1) sorted.dim[sorted.count++] = {sizes[d], out[d], in[d]};
  }
  std::stable_sort(sorted.dim, sorted.dim + sorted.count, [](const Dim& a, const Dim& b) { return std::abs(a.out) > std::abs(b.out); });
  Shape s;
  for (int d = 0; d < sorted.count; ++d) {
    const Dim& x = sorted.dim[d];
    if (s.count > 0) {
      Dim& last = s.dim[s.count - 1];
      if (last.out == x.out * x.size && last.in == x.in * x.size) {
        last = {last.size * x.size, x.out, x.in};
        continue;
      }
    }
    s.dim[s.count++] = x;
  }
  return s;
}

// Runs f(out, in) for every index over the dimensions in `outer`.
template <class F>
void for_outer(const Shape& outer, char* out, const char* in, int64_t bytes_each, F&& f) {
  int64_t total = 1;
  for (int d = 0; d < outer.count; ++d) total *= outer.dim[d].size;
  parallel_for(total, std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, bytes_each)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t rest = i, to = 0, from = 0;
      for (int d = outer.count - 1; d >= 0; --d) {
        const int64_t k = rest % outer.dim[d].size;
        rest /= outer.dim[d].size;
        to += k * outer.dim[d].out;
        from += k * outer.dim[d].in;
      }
      f(out + to, in + from);
    }
  });
}

}  // namespace

void transpose2d(void* out, int64_t out_row, const void* in, int64_t in_row, int64_t rows, int64_t cols, int64_t item_size) {
  const kernels::copy::TransposeFn fn = kernels::copy::copies().transpose[std::countr_zero(static_cast<uint64_t>(item_size))];
  constexpr int64_t kTile = 64;  // threads take whole tiles: their edges fall on cache lines
  const int64_t tiles = (cols + kTile - 1) / kTile;
  const int64_t grain = std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, kTile * rows * item_size));
  parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
    const int64_t j = begin * kTile, n = std::min(cols, end * kTile) - j;
    fn(static_cast<char*>(out) + j * out_row, out_row, static_cast<const char*>(in) + j * item_size, in_row, rows, n);
  });
}

void strided_copy(int dims, const int64_t* sizes, void* out, const int64_t* out_strides, const void* in, const int64_t* in_strides,
                  int64_t item) {
  for (int d = 0; d < dims; ++d) {
    if (sizes[d] == 0) return;
  }
  Shape s = normalize(dims, sizes, out_strides, in_strides);
  char* to = static_cast<char*>(out);
  const char* from = static_cast<const char*>(in);
  const kernels::copy::CopyTable& t = kernels::copy::copies();
  const int log = std::countr_zero(static_cast<uint64_t>(item));
  if (s.count == 0) {
    std::memcpy(to, from, static_cast<size_t>(item));
    return;
  }
  const Dim last = s.dim[s.count - 1];
  Shape outer = s;
  --outer.count;
  if (last.out == item && last.in == item) {
    const int64_t bytes = last.size * item;
    if (outer.count == 0) {
      parallel_for(bytes, kGrainBytes,
                   [&](int64_t begin, int64_t end) { std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin)); });
    } else {
      for_outer(outer, to, from, bytes, [bytes](char* o, const char* i) { std::memcpy(o, i, static_cast<size_t>(bytes)); });
    }
    return;
  }
  // A dimension that is contiguous in the input, together with the last one, forms a matrix to transpose.
  for (int d = 0; d < outer.count && last.out == item; ++d) {
    const Dim m = outer.dim[d];
    if (m.in != item || m.size < 4 || last.size < 4) continue;
    std::copy(outer.dim + d + 1, outer.dim + outer.count, outer.dim + d);
    --outer.count;
    if (outer.count == 0) return transpose2d(to, m.out, from, last.in, last.size, m.size, item);
    for_outer(outer, to, from, m.size * last.size * item,
              [&](char* o, const char* i) { t.transpose[log](o, m.out, i, last.in, last.size, m.size); });
    return;
  }
  const kernels::copy::StridedFn fn = t.strided[log];
  if (outer.count == 0) {
    parallel_for(last.size, std::max<int64_t>(1, kGrainBytes / item),
                 [&](int64_t begin, int64_t end) { fn(to + begin * last.out, last.out, from + begin * last.in, last.in, end - begin); });
    return;
  }
  for_outer(outer, to, from, last.size * item, [&](char* o, const char* i) { fn(o, last.out, i, last.in, last.size); });
}

void fill_zero(void* out, int64_t bytes) {
  parallel_for(bytes, kGrainBytes,
               [&](int64_t begin, int64_t end) { std::memset(static_cast<char*>(out) + begin, 0, static_cast<size_t>(end - begin)); });
}

}  // namespace pydl
