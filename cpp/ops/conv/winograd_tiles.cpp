#include <algorithm>
#include <cmath>

#include "ops/conv/tables.h"
#include "ops/conv/winograd.h"

namespace pydl::conv {

namespace {

using kernels::conv::kSchemeCount;
using kernels::conv::kSchemes;
using kernels::conv::Method;

// The distance of neighbouring taps, in either order; 0 if they are not evenly spaced from 0 on.
int64_t spacing(const std::vector<int64_t>& taps) {
  const int64_t count = static_cast<int64_t>(taps.size()), last = count - 1;
  if (count == 1) return taps[0] == 0 ? 1 : 0;
  const int64_t step = std::max(taps.front(), taps.back()) / last;
  const bool descending = taps.front() != 0;
  for (int64_t i = 0; i < count; ++i) {
    if (taps[static_cast<size_t>(i)] != (descending ? last - i : i) * step) return 0;
  }
  return step;
}

int64_t vector_lanes() { return gemm_table<float>().nr / 2; }

// The columns of a product whose time these tiles take.
int64_t columns_of(int64_t tiles) {
  const int64_t tail = tail_of(tiles), lanes = vector_lanes();
  return tail > 0 ? tiles + tail : ceil_div(tiles, lanes) * lanes;
}

// How many of `segments` of about `len` tiles make a block of at most `most` tiles: blocks that fill vectors are best.
int64_t best_count(int64_t segments, double len, int64_t most) {
  const int64_t largest = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(most) / len));
  const auto columns = [&](int64_t count) { return columns_of(static_cast<int64_t>(static_cast<double>(count) * len + 0.999)); };
  const int64_t fewest = ceil_div(segments, largest);
  int64_t best = largest, least = -1;
  for (int64_t blocks = fewest; blocks <= 2 * fewest; ++blocks) {
    const int64_t count = ceil_div(segments, blocks), whole = segments / count;
    const int64_t cost = whole * columns(count) + columns(segments - whole * count);
    if (least < 0 || cost < least) best = count, least = cost;
  }
  return best;
}

}  // namespace

int64_t tail_of(int64_t tiles) {
  const int64_t lanes = vector_lanes(), tail = tiles % lanes;
  return tiles > lanes && tail <= lanes / 4 ? tail : 0;
}

Tiling::Tiling(const Gather& g) : g_(g) {
  for (int d = 1; d < 3; ++d) dilation_[d] = spacing(g.taps[d]);
  const auto fits = [&](const Method& m, int d) {
    return static_cast<size_t>(m.taps) == g.taps[d].size() && m.stride == g.stride[d] && dilation_[d] >= 1 &&
           (m.stride == 1 || dilation_[d] == 1);
  };
  for (int i = 0; i < kSchemeCount; ++i) {
    if (fits(kSchemes[i].h, 1) && fits(kSchemes[i].w, 2)) scheme_ = i;
  }
}

int64_t Tiling::tiles_along(int d, int results) const {
  if (paired(d)) return 2 * ceil_div(ceil_div(g_.grid[d], 2), results);
  int64_t tiles = 0;
  for (int64_t phase = 0; phase < std::min(dilation_[d], g_.grid[d]); ++phase) {
    tiles += ceil_div(ceil_div(g_.grid[d] - phase, dilation_[d]), results);
  }
  return tiles;
}

bool Tiling::pays(int64_t channels, int64_t rows) const {
  if (scheme_ < 0) return false;
  // Cycles for a tile and plane: a multiply-add takes 1/13; the load, sums and store of a transform 0.4 where they fill
  // vectors, and four times that where columns are far apart.
  constexpr double kLanes = 16, kProduct = 1.0 / 13, kTransform = 0.4, kGathered = 4;
  const auto fill = [](double tiles) { return std::ceil(tiles / kLanes) * kLanes / tiles; };
  const int64_t all = tiles() * g_.batch * g_.grid[0];
  const double k = static_cast<double>(channels * depth()), m = static_cast<double>(rows), places = static_cast<double>(tiles());
  const double segments = static_cast<double>(phases_w());
  const double row = static_cast<double>(tiles_along(2, scheme().w.results)) / segments;
  const double products = k * m * kProduct * static_cast<double>(columns_of(all)) / static_cast<double>(all);
  const double transforms = (k + m) * kTransform * fill(row) * (dilation_[2] > 2 ? kGathered : 1);
  const double direct = static_cast<double>(g_.grid[1] * g_.grid[2] * taps()) * k * m * kProduct;
  return places * planes() * (products + transforms) < 0.92 * direct;
}

void Tiling::cut(int64_t most) {
  const int64_t rows = scheme().h.results * dilation_[1], columns = scheme().w.results;
  for (int64_t ph = 0; ph < std::min(dilation_[1], g_.grid[1]); ++ph) {
    for (int64_t h = ph; h < g_.grid[1]; h += rows) {
      for (int64_t pw = 0; pw < phases_w(); ++pw) {
        // Of a pair of phases `together` tiles stay together.
        const int64_t together = paired(2) ? 2 : 1, tiles = ceil_div(ceil_div(g_.grid[2] - pw, dilation_[2]), columns);
        const int64_t pieces = ceil_div(tiles, most / together);
        for (int64_t i = 0; i < pieces; ++i) {
          const int64_t first = tiles * i / pieces, len = tiles * (i + 1) / pieces - first;
          plane_.push_back({0, 0, h, pw + columns * dilation_[2] * first, together * len});
        }
      }
    }
  }
  const int64_t per_plane = static_cast<int64_t>(plane_.size()), segments = per_plane * g_.batch * g_.grid[0];
  const int64_t together = best_count(segments, static_cast<double>(tiles()) / static_cast<double>(per_plane), most);
  int64_t tiles = 0;
  for (int64_t i = 0; i < segments; ++i) {
    const int64_t len = plane_[static_cast<size_t>(i % per_plane)].len;
    if (i == 0 || i - starts_.back() == together || tiles + len > most) {
      starts_.push_back(i);
      tiles = 0;
    }
    tiles += len;
    widest_ = std::max(widest_, tiles);
  }
  starts_.push_back(segments);
}

void Tiling::plan(int64_t block, std::vector<Segment>& out) const {
  const int64_t per_plane = static_cast<int64_t>(plane_.size());
  out.clear();
  for (int64_t i = starts_[static_cast<size_t>(block)]; i < starts_[static_cast<size_t>(block + 1)]; ++i) {
    Segment s = plane_[static_cast<size_t>(i % per_plane)];
    s.n = i / per_plane / g_.grid[0];
    s.d = i / per_plane % g_.grid[0];
    out.push_back(s);
  }
}

void transform_tiles(const Tiling& tiling, const std::vector<Tiling::Segment>& block, const TileInput& from, int64_t c0, int64_t c1,
                     float* out, int64_t plane_step, int64_t out_step) {
  // Some channels at a time, because short segments share lines.
  constexpr int64_t kTogether = 8;
  const Gather& g = tiling.gather();
  for (const int64_t tap : g.taps[0]) {
    for (int64_t c = c0; c < c1; c += kTogether) {
      const int64_t count = std::min(kTogether, c1 - c);
      float* to = out;
      for (const Tiling::Segment& s : block) {
        const int64_t d = g.start[0] + s.d * g.stride[0] + tap;
        const float* plane = from.in + s.n * from.in_batch + c * from.in_plane + d * g.in[1] * g.in[2];
        const int64_t x = g.start[2] + s.w * g.stride[2];
        kernels::conv::TilesIn args{to, plane_step, out_step, {}, from.in_plane, count, x, tiling.dilation_w(), g.in[2], s.len};
        for (int64_t r = 0; r < tiling.scheme().h.span; ++r) {
          const int64_t h = g.start[1] + s.h * g.stride[1] + r * tiling.dilation_h();
          args.in[r] = d >= 0 && d < g.in[0] && h >= 0 && h < g.in[1] ? plane + h * g.in[2] : nullptr;
        }
        tiling.kernels().tiles_in(args);
        to += s.len;
      }
      out += count * out_step;
    }
  }
}

}  // namespace pydl::conv
