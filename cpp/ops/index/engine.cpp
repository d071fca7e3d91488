#include "ops/index/engine.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "kernels/index/index.h"
#include "kernels/index/segments.h"

namespace pydl {
namespace {

constexpr int64_t kGrainBytes = 64 * 1024;
constexpr int64_t kGrain = 16384;
constexpr int64_t kStreamBytes = int64_t{16} << 20;  // half of a large third-level cache

const kernels::index::IndexTable& table() { return kernels::index::indexing(); }

const int64_t* advance(const int64_t* p, int64_t bytes) {
  return reinterpret_cast<const int64_t*>(reinterpret_cast<const char*>(p) + bytes);
}

struct LineOffsets {
  int64_t out = 0, in = 0, index = 0;
};

LineOffsets line_offsets(const IndexLines& s, int64_t line, int dims) {
  LineOffsets at;
  for (int d = dims - 1; d >= 0; --d) {
    const int64_t k = line % s.line_sizes[d];
    line /= s.line_sizes[d];
    at.out += k * s.out_lines[d];
    at.in += k * s.in_lines[d];
    at.index += k * s.index_lines[d];
  }
  return at;
}

kernels::index::Line line_at(const IndexLines& s, const LineOffsets& at, int64_t n) {
  return {s.out + at.out, s.out_stride, s.in + at.in, s.in_stride, advance(s.indices, at.index), s.index_stride, n, s.size};
}

// Lines that run across the rows of memory (dim 0 of a matrix): neighbouring lines share cache lines, so a few of them are
// walked side by side, a stretch of each in turn. Every line still sees its indices in order.
constexpr int64_t kLinesSideBySide = 16, kStretch = 256;

void run_crossing_lines(const IndexLines& s, kernels::index::LineFn fn, bool out_follows) {
  const int last = s.line_dims - 1;
  const int64_t width = s.line_sizes[last], blocks = (width + kLinesSideBySide - 1) / kLinesSideBySide;
  int64_t outer = 1;
  for (int d = 0; d < last; ++d) outer *= s.line_sizes[d];
  parallel_for(outer * blocks, std::max<int64_t>(1, kGrain / (s.n * kLinesSideBySide)), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const LineOffsets base = line_offsets(s, block / blocks, last);
      const int64_t first = block % blocks * kLinesSideBySide, lines = std::min(kLinesSideBySide, width - first);
      for (int64_t i = 0; i < s.n; i += kStretch) {
        const int64_t n = std::min(kStretch, s.n - i);
        for (int64_t l = first; l < first + lines; ++l) {
          fn(line_at(s,
                     {base.out + l * s.out_lines[last] + (out_follows ? i * s.out_stride : 0),
                      base.in + l * s.in_lines[last] + (out_follows ? 0 : i * s.in_stride),
                      base.index + l * s.index_lines[last] + i * s.index_stride},
                     n));
        }
      }
    }
  });
}

// `out_follows`: out has one element per index (gather); otherwise in has (scatter).
void run_lines(const IndexLines& s, kernels::index::LineFn fn, bool out_follows) {
  int64_t lines = 1;
  for (int d = 0; d < s.line_dims; ++d) lines *= s.line_sizes[d];
  if (lines == 0 || s.n == 0) return;
  const int last = s.line_dims - 1;
  if (last >= 0 && s.line_sizes[last] > 1 && s.index_stride > s.index_lines[last]) return run_crossing_lines(s, fn, out_follows);
  parallel_for(lines, std::max<int64_t>(1, kGrain / s.n), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; ++l) fn(line_at(s, line_offsets(s, l, s.line_dims), s.n));
  });
}

int log_size(DType dtype) { return std::countr_zero(static_cast<uint64_t>(item_size(dtype))); }

// The positions of each index value, in order: positions[first[v] .. first[v + 1]) for value v. A counting sort.
struct Buckets {
  std::vector<int64_t> first, positions;
  Buckets(const int64_t* indices, int64_t stride, int64_t n, int64_t size)
      : first(static_cast<size_t>(size) + 1), positions(static_cast<size_t>(n)) {
    const auto at = [&](int64_t i) {
      const int64_t k = *advance(indices, i * stride);
      return static_cast<size_t>(k < 0 ? k + size : k);
    };
    for (int64_t i = 0; i < n; ++i) ++first[at(i) + 1];
    for (size_t v = 0; v < static_cast<size_t>(size); ++v) first[v + 1] += first[v];
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    for (int64_t i = 0; i < n; ++i) positions[static_cast<size_t>(next[at(i)]++)] = i;
  }
};

}  // namespace

int64_t first_bad_index(const int64_t* indices, int64_t index_stride, int64_t n, int64_t size) {
  return table().first_bad(indices, index_stride, n, -size, size);
}

int64_t first_outside(const int64_t* indices, int64_t n, int64_t low, int64_t high) {
  std::atomic<int64_t> first{n};
  parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    const int64_t at = table().first_bad(indices + begin, 8, end - begin, low, high);
    if (at < 0) return;
    int64_t seen = first.load();
    while (begin + at < seen && !first.compare_exchange_weak(seen, begin + at)) {
    }
  });
  return first.load() < n ? first.load() : -1;
}

std::vector<int64_t> count_mask(const uint8_t* mask, int64_t n) {
  std::vector<int64_t> parts(static_cast<size_t>((n + kMaskBlock - 1) / kMaskBlock));
  parallel_for(static_cast<int64_t>(parts.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t stop = std::min(n, (b + 1) * kMaskBlock);
      int64_t count = 0;
      for (int64_t i = b * kMaskBlock; i < stop; ++i) count += mask[i] != 0;
      parts[static_cast<size_t>(b)] = count;
    }
  });
  return parts;
}

namespace {

// Without a branch: every element is written, the position moves on for those that stay. The scratch keeps the writes that
// do not count away from the next block's part of the result.
template <class T>
void compress_block(const T* in, const uint8_t* mask, int64_t n, T* out) {
  constexpr int64_t kStep = 512;
  T scratch[kStep + 1];
  for (int64_t begin = 0; begin < n; begin += kStep) {
    const int64_t end = std::min(n, begin + kStep);
    int64_t k = 0;
    for (int64_t i = begin; i < end; ++i) {
      scratch[k] = in[i];
      k += mask[i] != 0;
    }
    std::memcpy(out, scratch, static_cast<size_t>(k) * sizeof(T));
    out += k;
  }
}

struct Bytes16 {
  uint64_t low, high;
};

template <class T>
void compress_all(const char* in, const uint8_t* mask, int64_t n, const std::vector<int64_t>& parts, char* out) {
  std::vector<int64_t> starts(parts.size() + 1);
  for (size_t b = 0; b < parts.size(); ++b) starts[b + 1] = starts[b] + parts[b];
  parallel_for(static_cast<int64_t>(parts.size()), 2, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * kMaskBlock;
      compress_block(reinterpret_cast<const T*>(in) + first, mask + first, std::min(n - first, kMaskBlock),
                     reinterpret_cast<T*>(out) + starts[static_cast<size_t>(b)]);
    }
  });
}

}  // namespace

void compress(const char* in, const uint8_t* mask, int64_t n, int64_t item, const std::vector<int64_t>& parts, char* out) {
  switch (item) {
    case 1:
      return compress_all<uint8_t>(in, mask, n, parts, out);
    case 2:
      return compress_all<uint16_t>(in, mask, n, parts, out);
    case 4:
      return compress_all<uint32_t>(in, mask, n, parts, out);
    case 8:
      return compress_all<uint64_t>(in, mask, n, parts, out);
    default:
      return compress_all<Bytes16>(in, mask, n, parts, out);
  }
}

void index_select_rows(char* out, int64_t out_row, const char* in, int64_t in_row, const int64_t* indices, int64_t index_stride, int64_t n,
                       int64_t size, int64_t bytes) {
  const bool stream = n * bytes >= kStreamBytes;
  parallel_for(n, std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, bytes)), [&](int64_t begin, int64_t end) {
    table().gather_rows({out + begin * out_row, out_row, in, in_row, advance(indices, begin * index_stride), index_stride, end - begin,
                         size, bytes, stream});
  });
}

void index_copy_rows(char* out, int64_t out_row, const char* in, int64_t in_row, const int64_t* indices, int64_t index_stride, int64_t n,
                     int64_t size, int64_t bytes) {
  // Columns are split, not rows: of equal indices the last one wins on every thread.
  parallel_for(bytes, std::max<int64_t>(64, kGrainBytes / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
    table().scatter_rows({out + begin, out_row, in + begin, in_row, indices, index_stride, n, size, end - begin, false});
  });
}

void index_add_rows(DType dtype, char* out, int64_t out_row, int64_t out_stride, const char* in, int64_t in_row, int64_t in_stride,
                    const int64_t* indices, int64_t index_stride, int64_t n, int64_t size, int64_t row_elements, double alpha) {
  const kernels::index::AddFn add = table().add[dtype];
  const auto index_at = [&](int64_t i) {
    const int64_t k = *advance(indices, i * index_stride);
    return k < 0 ? k + size : k;
  };
  if (n * row_elements < kGrain || num_threads() == 1) {
    for (int64_t i = 0; i < n; ++i) add(out + index_at(i) * out_row, out_stride, in + i * in_row, in_stride, row_elements, alpha);
    return;
  }
  if (row_elements >= 1024) {  // wide rows: every thread owns columns
    parallel_for(row_elements, 256, [&](int64_t begin, int64_t end) {
      for (int64_t i = 0; i < n; ++i) {
        add(out + index_at(i) * out_row + begin * out_stride, out_stride, in + i * in_row + begin * in_stride, in_stride, end - begin,
            alpha);
      }
    });
    return;
  }
  if (size <= 8 * n) {  // every thread owns output rows and visits their sources in order
    const Buckets buckets(indices, index_stride, n, size);
    const int64_t threads = num_threads();
    parallel_tasks(threads, [&](int64_t t) {
      // Equal shares of sources, cut at output rows.
      const auto cut = [&](int64_t share) {
        return std::lower_bound(buckets.first.begin(), buckets.first.end(), n * share / threads) - buckets.first.begin();
      };
      const int64_t begin = t == 0 ? 0 : cut(t), end = t + 1 == threads ? size : std::min<int64_t>(size, cut(t + 1));
      for (int64_t v = begin; v < end; ++v) {
        for (int64_t p = buckets.first[static_cast<size_t>(v)]; p < buckets.first[static_cast<size_t>(v) + 1]; ++p) {
          add(out + v * out_row, out_stride, in + buckets.positions[static_cast<size_t>(p)] * in_row, in_stride, row_elements, alpha);
        }
      }
    });
    return;
  }
  const int64_t threads = num_threads();
  parallel_tasks(threads, [&](int64_t t) {  // few sources: every thread scans the indices for its rows
    const int64_t begin = size * t / threads, end = size * (t + 1) / threads;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t v = index_at(i);
      if (v >= begin && v < end) add(out + v * out_row, out_stride, in + i * in_row, in_stride, row_elements, alpha);
    }
  });
}

void segment_sums(const SegmentSums& s) {
  const kernels::index::SegmentsFn sums = kernels::index::segment_sums()[s.dtype];
  const kernels::index::Segments spec{s.out, s.in, s.rows, s.starts, s.features, s.mean};
  const int64_t work = s.starts[s.segments] - s.starts[0] + s.segments;  // a row is read for each index, one written for each segment
  const int64_t bytes = work * s.features * static_cast<int64_t>(item_size(s.dtype));
  const int64_t parts = std::clamp<int64_t>(bytes / kGrainBytes, 1, num_threads());
  // The first segment of a part: parts are equal in work, cut between segments.
  const auto cut = [&](int64_t part) {
    if (part == parts) return s.segments;
    const int64_t wanted = work * part / parts;
    int64_t low = 0, high = s.segments;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      s.starts[middle] - s.starts[0] + middle < wanted ? low = middle + 1 : high = middle;
    }
    return low;
  };
  parallel_tasks(parts, [&](int64_t part) { sums(spec, cut(part), cut(part + 1)); });
}

void sum_rows_by_index(DType dtype, char* out, const char* in, const int64_t* indices, const int64_t* sources, int64_t n, int64_t size,
                       int64_t features) {
  Buckets buckets(indices, 8, n, size);
  if (sources) {
    for (int64_t& p : buckets.positions) p = sources[p];
  }
  segment_sums({dtype, out, in, buckets.positions.data(), buckets.first.data(), size, features, false});
}

void gather_lines(const IndexLines& spec) { run_lines(spec, table().gather[log_size(spec.dtype)], true); }
void scatter_lines(const IndexLines& spec) { run_lines(spec, table().scatter[log_size(spec.dtype)], false); }

bool is_packed_line(const IndexLines& s) {
  int64_t lines = 1;
  for (int d = 0; d < s.line_dims; ++d) lines *= s.line_sizes[d];
  const int64_t item = item_size(s.dtype);
  return lines == 1 && s.out_stride == item && s.in_stride == item && s.index_stride == 8;
}

// Every thread owns a range of `out`, reads all indices and adds what falls into its range, in order.
bool scatter_add_unchecked(const IndexLines& s) {
  const kernels::index::Line line = line_at(s, {}, s.n);
  const int64_t owners = s.n < 2 * kGrain ? 1 : std::min<int64_t>(num_threads(), s.size);
  std::atomic<int64_t> total{0};
  parallel_tasks(owners,
                 [&](int64_t t) { total += table().scatter_add_owned[s.dtype](line, s.size * t / owners, s.size * (t + 1) / owners); });
  return total == s.n;
}

void scatter_add_lines(const IndexLines& spec) { run_lines(spec, table().scatter_add[spec.dtype], false); }

}  // namespace pydl
