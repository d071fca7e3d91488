#include "ops/conv/band.h"

#include <algorithm>

#include "ops/conv/tables.h"

namespace pydl::conv {

Workspace& scratch_space() {
  thread_local Workspace space;
  return space;
}

namespace {

int64_t size_of(const std::vector<int64_t>& v) { return static_cast<int64_t>(v.size()); }

// The phases modulo `stride` that taps have, and which of them each tap has.
void sort_phases(const std::vector<int64_t>& taps, int64_t stride, std::vector<int64_t>& phases, std::vector<int64_t>& slots) {
  for (const int64_t t : taps) {
    const auto found = std::find(phases.begin(), phases.end(), t % stride);
    slots.push_back(found - phases.begin());
    if (found == phases.end()) phases.push_back(t % stride);
  }
}

}  // namespace

int64_t Gather::span(int d) const { return *std::max_element(taps[d].begin(), taps[d].end()); }

bool Gather::is_plain() const {
  for (int d = 0; d < 3; ++d) {
    if (taps[d].size() != 1 || taps[d][0] != 0 || stride[d] != 1 || start[d] != 0 || in[d] != grid[d]) return false;
  }
  return true;
}

Gather forward_gather(const Shape& s) {
  Gather g;
  g.batch = s.batch;
  for (int d = 0; d < 3; ++d) {
    g.in[d] = s.in[d];
    g.grid[d] = s.out[d];
    g.stride[d] = s.stride[d];
    g.start[d] = -s.padding[d];
    for (int64_t k = 0; k < s.kernel[d]; ++k) g.taps[d].push_back(k * s.dilation[d]);
  }
  return g;
}

void backward_gather(const Shape& s, const int64_t phase[3], Gather& g, std::vector<int64_t>& used) {
  std::vector<int64_t> which[3];
  g.batch = s.batch;
  for (int d = 0; d < 3; ++d) {
    g.in[d] = s.out[d];
    g.grid[d] = s.in[d] > phase[d] ? (s.in[d] - phase[d] - 1) / s.stride[d] + 1 : 0;
    g.stride[d] = 1;
    g.taps[d].clear();
    for (int64_t k = 0; k < s.kernel[d]; ++k) {
      const int64_t at = phase[d] + s.padding[d] - k * s.dilation[d];
      if (at % s.stride[d] != 0) continue;
      which[d].push_back(k);
      g.taps[d].push_back(at / s.stride[d]);
    }
    g.start[d] = *std::min_element(g.taps[d].begin(), g.taps[d].end());
    for (int64_t& t : g.taps[d]) t -= g.start[d];
  }
  used.clear();
  for (const int64_t a : which[0]) {
    for (const int64_t b : which[1]) {
      for (const int64_t c : which[2]) used.push_back((a * s.kernel[1] + b) * s.kernel[2] + c);
    }
  }
}

// Pieces of a row are whole panels of the matrix kernels.
constexpr int64_t kWhole = 32;

Bands::Bands(const Gather& g, int64_t pixels, bool buffered) : g_(g), plain_(!buffered && g.is_plain()) {
  pieces_ = ceil_div(g.grid[2], std::max<int64_t>(1, pixels));
  row_width_ = ceil_div(g.grid[2], pieces_);
  if (pieces_ > 1) row_width_ = ceil_div(row_width_, kWhole) * kWhole;
  pieces_ = ceil_div(g.grid[2], row_width_);
  const int64_t total = g.batch * g.grid[0] * g.grid[1] * pieces_;
  rows_ = pieces_ > 1 ? 1 : std::max<int64_t>(1, std::min(pixels / row_width_, total));
  blocks_ = ceil_div(total, rows_);
  rows_ = ceil_div(total, blocks_);
  blocks_ = ceil_div(total, rows_);
  sort_phases(g.taps[1], g.stride[1], phases_h_, slot_h_);
  sort_phases(g.taps[2], g.stride[2], phases_w_, slot_w_);
}

void Bands::plan(int64_t block, int64_t in_batch, Block& b) const {
  const int64_t per_plane = g_.grid[1] * pieces_, total = g_.batch * g_.grid[0] * per_plane;
  const int64_t tail = g_.span(1) / g_.stride[1];
  b.bands.clear();
  b.segments.clear();
  b.places.clear();
  b.height = 0;
  for (int64_t r = block * rows_, end = std::min(total, r + rows_); r < end;) {
    const int64_t in_plane = r % per_plane, rows = pieces_ > 1 ? 1 : std::min(end - r, per_plane - in_plane);
    const int64_t plane = r / per_plane;
    b.bands.push_back({{plane / g_.grid[0], plane % g_.grid[0], in_plane / pieces_, in_plane % pieces_ * row_width_}, rows, b.height});
    b.height += rows + tail;
    r += rows;
  }
  b.width = row_width_ + g_.span(2) / g_.stride[2];
  int64_t lane = 0;
  for (const Block::Band& band : b.bands) {
    const Place& p = band.first;
    const int64_t width = std::min(row_width_, g_.grid[2] - p.w);
    if (plain_) {
      b.segments.push_back({p.n * in_batch + (p.d * g_.grid[1] + p.h) * g_.grid[2] + p.w, static_cast<int32_t>(lane),
                            static_cast<int32_t>(width * band.rows)});
      b.places.push_back(p);
      lane += width * band.rows;
      continue;
    }
    for (int64_t r = 0; r < band.rows; ++r, lane += width) {
      b.segments.push_back({(band.at + r) * b.width, static_cast<int32_t>(lane), static_cast<int32_t>(width)});
      b.places.push_back({p.n, p.d, p.h + r, p.w});
    }
  }
  b.pixels = lane;
  b.flat = b.segments.back().base + b.segments.back().len;
  const int64_t plane = b.height * b.width, planes_w = size_of(phases_w_), planes = size_of(phases_h_) * planes_w;
  b.channel = size_of(g_.taps[0]) * planes * plane;
  b.tap_offsets.clear();
  for (int64_t d = 0; d < size_of(g_.taps[0]); ++d) {
    for (size_t h = 0; h < g_.taps[1].size(); ++h) {
      for (size_t w = 0; w < g_.taps[2].size(); ++w) {
        b.tap_offsets.push_back((d * planes + slot_h_[h] * planes_w + slot_w_[w]) * plane + g_.taps[1][h] / g_.stride[1] * b.width +
                                g_.taps[2][w] / g_.stride[2]);
      }
    }
  }
}

template <class T>
void Bands::fill(const Block& b, T* buffer, const T* in, int64_t in_batch, int64_t in_plane, int64_t first, int64_t last) const {
  const kernels::conv::ConvTable<T>& table = conv_table<T>();
  thread_local std::vector<int64_t> rows;
  rows.clear();
  const int64_t plane = b.height * b.width, tail = g_.span(1) / g_.stride[1];
  for (const int64_t td : g_.taps[0]) {
    for (const int64_t ph : phases_h_) {
      for (const Block::Band& band : b.bands) {
        const int64_t d = g_.start[0] + band.first.d * g_.stride[0] + td;
        const int64_t plane_at = band.first.n * in_batch + d * g_.in[1] * g_.in[2];
        for (int64_t r = 0; r < band.rows + tail; ++r) {
          const int64_t h = g_.start[1] + (band.first.h + r) * g_.stride[1] + ph;
          rows.push_back(d >= 0 && d < g_.in[0] && h >= 0 && h < g_.in[1] ? plane_at + h * g_.in[2] : -1);
        }
      }
    }
  }
  // In the order of memory, because the last row of a plane is written a little too far.
  const int64_t first_w = g_.start[2] + b.bands.front().first.w * g_.stride[2];
  for (int64_t c = first; c < last; ++c) {
    for (int64_t list = 0; list < size_of(rows); list += b.height) {
      for (const int64_t pw : phases_w_) {
        table.band_rows({buffer, in + c * in_plane, rows.data() + list, b.height, b.width, first_w + pw, g_.stride[2], g_.in[2]});
        buffer += plane;
      }
    }
  }
}
template void Bands::fill(const Block&, float*, const float*, int64_t, int64_t, int64_t, int64_t) const;
template void Bands::fill(const Block&, double*, const double*, int64_t, int64_t, int64_t, int64_t) const;

}  // namespace pydl::conv
