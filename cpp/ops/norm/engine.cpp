// Normalisation on raw data. Sums are cut into blocks that depend on shapes alone.
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "kernels/norm/norm.h"
#include "ops/copy/copy.h"
#include "ops/norm/norm.h"

namespace pydl::norm {

using kernels::norm::Affine;
using kernels::norm::NormFns;
using kernels::norm::Runs;

namespace {

constexpr int64_t kGrain = 16384;  // elements per thread, about 2 cycles each
constexpr int64_t kBlock = 65536;  // elements whose sums form one number

const NormFns& fns_of(const Tensor& x) { return *kernels::norm::fns()[x.dtype()]; }
double* doubles(const Tensor& t) { return t.data<double>(); }

double number_at(const Tensor& t, int64_t i, double otherwise) {
  if (!t.defined()) return otherwise;
  return t.dtype() == DType::Float32 ? static_cast<double>(t.data<float>()[i]) : t.data<double>()[i];
}
double rounded_to(DType d, double v) { return d == DType::Float32 ? static_cast<double>(static_cast<float>(v)) : v; }
void set_number(const Tensor& t, int64_t i, double v) {
  if (!t.defined()) return;
  t.dtype() == DType::Float32 ? static_cast<void>(t.data<float>()[i] = static_cast<float>(v)) : static_cast<void>(t.data<double>()[i] = v);
}

struct Statistic {
  double mean, variance;
  bool far;  // the shift was so far from the mean that digits of the variance are lost
};
Statistic finish(const double sums[2], double shift, int64_t count) {
  const double n = static_cast<double>(count), d = sums[0] / n, variance = sums[1] / n - d * d;
  return {shift + d, variance < 0 ? 0 : variance, d * d > 4 * variance};
}
double inverse_root(double variance, double eps) { return 1 / std::sqrt(variance + eps); }

Affine affine_map(double mean, double rstd, double weight, double offset, const Clip& clip = {}) {
  return {mean, rstd * weight, offset, clip.on, clip.ceiling};
}

// The backward coefficients: dx = a g + b (x - mean) + c, from sums of g and of g (x - mean).
struct Slope {
  double a, b, c;
  Slope(double weight, double rstd, const double sums[2], int64_t count, bool fixed) : a(weight * rstd) {
    const double n = static_cast<double>(count);
    b = fixed ? 0 : -a * rstd * rstd * sums[1] / n;
    c = fixed ? 0 : -a * sums[0] / n;
  }
};

// ---- planes: statistics over outer and inner for each group (features == 1, inner > 1) ----------------------------

// One channel's planes, cut into blocks of whole planes.
struct Slab {
  const Layout& l;
  int64_t item;
  int64_t planes = std::max<int64_t>(1, kBlock / l.inner);
  int64_t blocks = (l.outer + planes - 1) / planes;
  // f(byte offset, runs, block) of channel c
  template <class F>
  void each(int64_t c, F f) const {
    parallel_for(blocks, std::max<int64_t>(1, kGrain / (planes * l.inner)), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const int64_t first = b * planes, last = std::min(l.outer, first + planes);
        f((first * l.groups + c) * l.inner * item, Runs{last - first, l.inner, l.groups * l.inner}, b);
      }
    });
  }
  // Sums of two numbers over channel c, in the order of the blocks.
  template <class F>
  void sums(int64_t c, double out[2], F f) const {
    std::vector<double> parts(static_cast<size_t>(2 * blocks));
    each(c, [&](int64_t at, Runs r, int64_t b) { f(&parts[static_cast<size_t>(2 * b)], at, r); });
    out[0] = out[1] = 0;
    for (size_t b = 0; b < parts.size(); b += 2) out[0] += parts[b], out[1] += parts[b + 1];
  }
  // Channels side by side where there are enough of them, so that a channel stays in one core's cache; else the blocks are.
  template <class F>
  void channels(F f) const {
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) f(c);
    };
    if (l.groups >= 2 * num_threads() || blocks == 1) {
      parallel_for(l.groups, std::max<int64_t>(1, kGrain / (l.outer * l.inner)), range);
    } else {
      range(0, l.groups);
    }
  }
};

void planes_forward(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, double eps, const Tensor& stats,
                    bool fixed, const Clip& clip) {
  const NormFns& f = fns_of(x);
  const Slab slab{l, x.item_size()};
  double* s = doubles(stats);
  slab.channels([&](int64_t c) {
    if (!fixed) {
      double shift = f.pilot(x->data + c * l.inner * slab.item, l.inner), sums[2];
      const auto about = [&] {
        slab.sums(c, sums, [&](double* out, int64_t at, Runs r) { f.moments(out, x->data + at, r, shift); });
        return finish(sums, shift, l.count());
      };
      Statistic found = about();
      if (found.far) {
        shift = rounded_to(x.dtype(), found.mean);
        found = about();
      }
      s[2 * c] = found.mean, s[2 * c + 1] = inverse_root(found.variance, eps);
    }
    const Affine map = affine_map(s[2 * c], s[2 * c + 1], number_at(w, c, 1), number_at(b, c, 0), clip);
    slab.each(c, [&](int64_t at, Runs r, int64_t) { f.apply(y->data + at, x->data + at, r, map); });
  });
}

void planes_backward(const Gradients& out, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& stats, const Layout& l,
                     bool fixed, const Clip& clip) {
  const NormFns& f = fns_of(x);
  const Slab slab{l, x.item_size()};
  const double* s = doubles(stats);
  slab.channels([&](int64_t c) {
    const double rstd = s[2 * c + 1];
    const Affine map = affine_map(s[2 * c], rstd, number_at(w, c, 1), clip.on ? number_at(clip.offset, c, 0) : 0, clip);
    double sums[2];
    slab.sums(c, sums, [&](double* part, int64_t at, Runs r) { f.gradient_sums(part, g->data + at, x->data + at, r, map); });
    set_number(out.weight, c, sums[1] * rstd);
    set_number(out.bias, c, sums[0]);
    if (!out.input.defined()) return;
    const Slope k(number_at(w, c, 1), rstd, sums, l.count(), fixed);
    slab.each(c, [&](int64_t at, Runs r, int64_t) { f.gradient(out.input->data + at, g->data + at, x->data + at, r, map, k.a, k.b, k.c); });
  });
}

// ---- columns: the same with inner == 1 ----------------------------------------------------------------------------

struct Table {
  const Layout& l;
  int64_t item;
  int64_t rows = std::clamp<int64_t>(kBlock / 2 / l.groups, 64, 8192);
  int64_t blocks = (l.outer + rows - 1) / rows;
  template <class F>
  void each(F f) const {  // f(byte offset, rows, block)
    parallel_for(blocks, std::max<int64_t>(1, kGrain / (rows * l.groups)), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) f(b * rows * l.groups * item, std::min(rows, l.outer - b * rows), b);
    });
  }
  template <class F>
  void sums(std::vector<double>& first, std::vector<double>& second, F f) const {
    const size_t n = static_cast<size_t>(l.groups);
    std::vector<double> parts(2 * n * static_cast<size_t>(blocks));
    each([&](int64_t at, int64_t count, int64_t b) {
      double* p = &parts[2 * n * static_cast<size_t>(b)];
      f(p, p + n, at, count);
    });
    first.assign(n, 0), second.assign(n, 0);
    for (size_t at = 0; at < parts.size(); at += 2 * n) {
      for (size_t i = 0; i < n; ++i) first[i] += parts[at + i], second[i] += parts[at + n + i];
    }
  }
};

void columns_statistics(const Tensor& x, const Table& table, double eps, double* s) {
  const NormFns& f = fns_of(x);
  const Layout& l = table.l;
  const Tensor shift = empty(Dims{l.groups}, x.dtype(), "batch_norm");
  const int64_t first_rows = std::min<int64_t>(l.outer, 8);
  for (int64_t c = 0; c < l.groups; ++c) {
    double near = 0;
    for (int64_t r = 0; r < first_rows; ++r) near += number_at(x, r * l.groups + c, 0);
    set_number(shift, c, near / static_cast<double>(first_rows));
  }
  std::vector<double> sums, squares;
  for (int round = 0; round < 2; ++round) {
    table.sums(sums, squares,
               [&](double* a, double* b, int64_t at, int64_t rows) { f.column_moments(a, b, x->data + at, rows, l.groups, shift->data); });
    bool far = false;
    for (int64_t c = 0; c < l.groups; ++c) {
      const double both[2] = {sums[static_cast<size_t>(c)], squares[static_cast<size_t>(c)]};
      const Statistic found = finish(both, number_at(shift, c, 0), l.outer);
      s[2 * c] = found.mean, s[2 * c + 1] = inverse_root(found.variance, eps);
      far |= found.far;
    }
    if (!far) return;
    for (int64_t c = 0; c < l.groups; ++c) set_number(shift, c, s[2 * c]);
  }
}

void columns_forward(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, double eps, const Tensor& stats,
                     bool fixed) {
  const NormFns& f = fns_of(x);
  const Table table{l, x.item_size()};
  double* s = doubles(stats);
  if (!fixed) columns_statistics(x, table, eps, s);
  const size_t n = static_cast<size_t>(l.groups);
  std::vector<double> mean(n), scale(n), offset(n);
  for (int64_t c = 0; c < l.groups; ++c) {
    const size_t i = static_cast<size_t>(c);
    mean[i] = s[2 * c], scale[i] = s[2 * c + 1] * number_at(w, c, 1), offset[i] = number_at(b, c, 0);
  }
  table.each([&](int64_t at, int64_t rows, int64_t) {
    f.column_apply(y->data + at, x->data + at, rows, l.groups, mean.data(), scale.data(), offset.data());
  });
}

void columns_backward(const Gradients& out, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& stats, const Layout& l,
                      bool fixed) {
  const NormFns& f = fns_of(x);
  const Table table{l, x.item_size()};
  const double* s = doubles(stats);
  const size_t n = static_cast<size_t>(l.groups);
  std::vector<double> mean(n), a(n), b(n), c(n), sums, products;
  for (size_t i = 0; i < n; ++i) mean[i] = s[2 * i];
  table.sums(sums, products, [&](double* p, double* q, int64_t at, int64_t rows) {
    f.column_gradient_sums(p, q, g->data + at, x->data + at, rows, l.groups, mean.data());
  });
  for (size_t i = 0; i < n; ++i) {
    const int64_t channel = static_cast<int64_t>(i);
    const double both[2] = {sums[i], products[i]};
    set_number(out.weight, channel, products[i] * s[2 * i + 1]);
    set_number(out.bias, channel, sums[i]);
    const Slope k(number_at(w, channel, 1), s[2 * i + 1], both, l.outer, fixed);
    a[i] = k.a, b[i] = k.b, c[i] = k.c;
  }
  if (!out.input.defined()) return;
  table.each([&](int64_t at, int64_t rows, int64_t) {
    f.column_gradient(out.input->data + at, g->data + at, x->data + at, rows, l.groups, mean.data(), a.data(), b.data(), c.data());
  });
}

// ---- rows: statistics for each outer and group; weights along the row (inner == 1) --------------------------------

void rows_forward(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, double eps, bool centered,
                  const Tensor& stats) {
  const NormFns& f = fns_of(x);
  const int64_t n = l.features, bytes = n * x.item_size(), group = l.groups * bytes;
  parallel_for(l.outer, std::max<int64_t>(1, kGrain / (l.groups * n)), [&](int64_t begin, int64_t end) {
    f.rows(y->data + begin * group, x->data + begin * group, w.defined() ? w->data : nullptr, b.defined() ? b->data : nullptr,
           doubles(stats) + 2 * begin * l.groups, (end - begin) * l.groups, n, l.groups, eps, centered);
  });
}

// out[i] = the sum of `blocks` rows of a table.
void add_blocks(const Tensor& out, const Tensor& table, int64_t blocks) {
  if (!out.defined()) return;
  const int64_t n = out.numel();
  parallel_for(n, std::max<int64_t>(1, kGrain / blocks), [&](int64_t begin, int64_t end) {
    std::vector<double> total(static_cast<size_t>(end - begin));
    for (int64_t b = 0; b < blocks; ++b) {
      for (int64_t i = begin; i < end; ++i) total[static_cast<size_t>(i - begin)] += number_at(table, b * n + i, 0);
    }
    for (int64_t i = begin; i < end; ++i) set_number(out, i, total[static_cast<size_t>(i - begin)]);
  });
}

void rows_backward(const Gradients& out, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& stats, const Layout& l,
                   bool centered) {
  const NormFns& f = fns_of(x);
  const int64_t n = l.groups * l.features, bytes = n * x.item_size();
  // Enough rows that their sums are small beside them, few enough that sums in T stay exact to a few units.
  const int64_t per_block = std::clamp<int64_t>(kBlock / n, 16, 256), blocks = (l.outer + per_block - 1) / per_block;
  const Tensor dw = out.weight.defined() ? zeros(Dims{blocks, n}, x.dtype()) : Tensor();
  const Tensor db = out.bias.defined() ? zeros(Dims{blocks, n}, x.dtype()) : Tensor();
  parallel_for(blocks, std::max<int64_t>(1, kGrain / (per_block * n)), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * per_block, count = std::min(per_block, l.outer - first);
      f.rows_backward(out.input.defined() ? out.input->data + first * bytes : nullptr, dw.defined() ? dw->data + b * bytes : nullptr,
                      db.defined() ? db->data + b * bytes : nullptr, g->data + first * bytes, x->data + first * bytes,
                      w.defined() ? w->data : nullptr, doubles(stats) + 2 * first * l.groups, count * l.groups, l.features, l.groups,
                      centered);
    }
  });
  add_blocks(out.weight, dw, blocks);
  add_blocks(out.bias, db, blocks);
}

// ---- groups: the same with a weight for each run of `inner` elements ----------------------------------------------

void groups_forward(const Tensor& y, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, double eps, const Tensor& stats) {
  const NormFns& f = fns_of(x);
  const int64_t n = l.features * l.inner, item = x.item_size();
  parallel_for(l.rows(), std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const char* from = x->data + r * n * item;
      double shift = f.pilot(from, n), sums[2];
      f.moments(sums, from, Runs{1, n, n}, shift);
      Statistic found = finish(sums, shift, n);
      if (found.far) {
        shift = rounded_to(x.dtype(), found.mean);
        f.moments(sums, from, Runs{1, n, n}, shift);
        found = finish(sums, shift, n);
      }
      double* s = doubles(stats) + 2 * r;
      s[0] = found.mean, s[1] = inverse_root(found.variance, eps);
      for (int64_t d = 0; d < l.features; ++d) {
        const int64_t channel = r % l.groups * l.features + d, at = (r * n + d * l.inner) * item;
        f.apply(y->data + at, x->data + at, Runs{1, l.inner, l.inner},
                affine_map(s[0], s[1], number_at(w, channel, 1), number_at(b, channel, 0)));
      }
    }
  });
}

void groups_backward(const Gradients& out, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& stats, const Layout& l) {
  const NormFns& f = fns_of(x);
  const int64_t n = l.features * l.inner, item = x.item_size();
  std::vector<double> sums(static_cast<size_t>(2 * l.rows() * l.features));  // of g and g (x - mean), for each outer and channel
  parallel_for(l.rows(), std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double *s = doubles(stats) + 2 * r, rstd = s[1];
      const Affine map = affine_map(s[0], rstd, 1, 0);
      double total[2] = {0, 0};  // with weights
      for (int64_t d = 0; d < l.features; ++d) {
        const int64_t at = (r * n + d * l.inner) * item;
        double* part = &sums[static_cast<size_t>(2 * (r * l.features + d))];
        f.gradient_sums(part, g->data + at, x->data + at, Runs{1, l.inner, l.inner}, map);
        const double weight = number_at(w, r % l.groups * l.features + d, 1);
        total[0] += weight * part[0], total[1] += weight * part[1];
      }
      const Slope k(1, rstd, total, n, false);
      for (int64_t d = 0; d < l.features && out.input.defined(); ++d) {
        const int64_t at = (r * n + d * l.inner) * item;
        f.gradient(out.input->data + at, g->data + at, x->data + at, Runs{1, l.inner, l.inner}, map,
                   rstd * number_at(w, r % l.groups * l.features + d, 1), k.b, k.c);
      }
    }
  });
  for (int64_t c = 0; c < l.channels(); ++c) {
    double dw = 0, db = 0;
    for (int64_t o = 0; o < l.outer; ++o) {
      const size_t at = static_cast<size_t>(2 * (o * l.channels() + c));
      dw += sums[at + 1] * doubles(stats)[2 * (o * l.groups + c / l.features) + 1];
      db += sums[at];
    }
    set_number(out.weight, c, dw);
    set_number(out.bias, c, db);
  }
}

}  // namespace

Tensor forward(const char* op, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, double eps, bool centered, Tensor* stats,
               const Clip& clip) {
  const Tensor y = empty_strided(x.sizes(), x.strides(), x.dtype(), op);
  *stats = zeros(Dims{l.statistics(), 2}, DType::Float64);
  if (l.numel() == 0) return y;
  if (l.over_batch) {
    l.inner == 1 ? columns_forward(y, x, w, b, l, eps, *stats, false) : planes_forward(y, x, w, b, l, eps, *stats, false, clip);
  } else if (l.inner == 1) {
    rows_forward(y, x, w, b, l, eps, centered, *stats);
  } else {
    groups_forward(y, x, w, b, l, eps, *stats);
  }
  return y;
}

Tensor forward_fixed(const char* op, const Tensor& x, const Tensor& w, const Tensor& b, const Layout& l, const Tensor& stats,
                     const Clip& clip) {
  const Tensor y = empty_strided(x.sizes(), x.strides(), x.dtype(), op);
  if (l.numel() == 0) return y;
  l.inner == 1 ? columns_forward(y, x, w, b, l, 0, stats, true) : planes_forward(y, x, w, b, l, 0, stats, true, clip);
  return y;
}

Gradients backward(const char* op, const Tensor& g, const Tensor& x, const Tensor& w, const Tensor& stats, const Layout& l, bool centered,
                   bool fixed, Wanted wanted, const Clip& clip) {
  const Gradients out{wanted.input ? empty_strided(x.sizes(), x.strides(), x.dtype(), op) : Tensor(),
                      wanted.weight ? zeros(Dims{l.channels()}, x.dtype()) : Tensor(),
                      wanted.bias ? zeros(Dims{l.channels()}, x.dtype()) : Tensor()};
  if (l.numel() == 0) return out;
  if (l.over_batch) {
    l.inner == 1 ? columns_backward(out, g, x, w, stats, l, fixed) : planes_backward(out, g, x, w, stats, l, fixed, clip);
  } else if (l.inner == 1) {
    rows_backward(out, g, x, w, stats, l, centered);
  } else {
    groups_backward(out, g, x, w, stats, l);
  }
  return out;
}

}  // namespace pydl::norm
