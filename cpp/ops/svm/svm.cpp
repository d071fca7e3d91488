// Support vector machines: the two dual problems that pydl.svm solves. Everything in float64.
#include <algorithm>
#include <cmath>
#include <list>
#include <vector>

#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {
namespace {

// A pair of nearly equal points: their curvature counts as this (libsvm's choice, Fan, Chen and Lin 2005, section 2).
constexpr double kTau = 1e-12;

struct Kernel {
  std::string_view name;
  double degree, gamma, coef0;

  // From dot products with x_i to kernel values, in place.
  void finish(double* row, const double* squares, double square, int64_t n) const {
    if (name == "rbf") {
      for (int64_t j = 0; j < n; ++j) row[j] = std::exp(-gamma * std::max(0.0, squares[j] + square - 2 * row[j]));
    } else if (name == "poly") {
      for (int64_t j = 0; j < n; ++j) row[j] = std::pow(gamma * row[j] + coef0, degree);
    } else if (name == "sigmoid") {
      for (int64_t j = 0; j < n; ++j) row[j] = std::tanh(gamma * row[j] + coef0);
    }
  }
};

// Rows of the kernel matrix, the last ones used kept.
class KernelRows {
 public:
  KernelRows(const Tensor& features, const Kernel& kernel, int64_t bytes)
      : x_(features), kernel_(kernel), n_(features.size(0)), most_(std::max<int64_t>(2, bytes / (8 * std::max<int64_t>(n_, 1)))) {
    rows_.resize(static_cast<size_t>(n_));
    const double* p = x_.data<double>();
    const int64_t width = x_.size(1);
    for (int64_t i = 0; i < n_; ++i) {
      double s = 0;
      for (int64_t k = 0; k < width; ++k) s += p[i * width + k] * p[i * width + k];
      squares_.push_back(s);
    }
  }

  double diagonal(int64_t i) const {
    if (kernel_.name == "precomputed") return x_.data<double>()[i * n_ + i];
    double value = squares_[static_cast<size_t>(i)];
    kernel_.finish(&value, squares_.data() + i, value, 1);
    return value;
  }

  // Valid until the second next call.
  const double* row(int64_t i) {
    if (kernel_.name == "precomputed") return x_.data<double>() + i * n_;
    Entry& entry = rows_[static_cast<size_t>(i)];
    if (entry.values.defined()) {
      order_.splice(order_.begin(), order_, entry.place);
      return entry.values.data<double>();
    }
    if (static_cast<int64_t>(order_.size()) == most_) {
      rows_[static_cast<size_t>(order_.back())].values = Tensor();
      order_.pop_back();
    }
    entry.values = matmul(x_, select(x_, 0, i));
    kernel_.finish(entry.values.data<double>(), squares_.data(), squares_[static_cast<size_t>(i)], n_);
    order_.push_front(i);
    entry.place = order_.begin();
    return entry.values.data<double>();
  }

 private:
  struct Entry {
    Tensor values;
    std::list<int64_t>::iterator place;
  };
  Tensor x_;
  Kernel kernel_;
  int64_t n_, most_;
  std::vector<double> squares_;
  std::vector<Entry> rows_;
  std::list<int64_t> order_;  // from the last used to the first
};

// min 1/2 a'Qa - sum a, 0 <= a <= C, y'a = 0, with Q_ij = y_i y_j K_ij: sequential minimal optimisation with the second-order
// choice of the pair (Fan, Chen and Lin, "Working set selection using second order information", JMLR 6, 2005).
class Smo {
 public:
  Smo(KernelRows& rows, const double* signs, const double* bounds, int64_t n)
      : rows_(rows), y_(signs), c_(bounds), n_(n), alpha(static_cast<size_t>(n)), gradient_(static_cast<size_t>(n), -1.0) {
    for (int64_t i = 0; i < n; ++i) diagonal_.push_back(rows.diagonal(i));
  }

  // Returns the number of steps. A pair that does not move, as `tol` is below rounding, would be chosen for ever.
  int64_t run(double tol, int64_t most) {
    int64_t steps = 0;
    for (int64_t i, j; steps < most && choose(tol, i, j); ++steps) {
      if (!step(i, j)) break;
    }
    return steps;
  }

  // The threshold: of f(x) = sum a_i y_i K(x_i, x) - rho.
  double rho() const {
    double low = -INFINITY, high = INFINITY, sum = 0;
    int64_t free = 0;
    for (size_t i = 0; i < alpha.size(); ++i) {
      const double g = y_[i] * gradient_[i];
      if (alpha[i] > 0 && alpha[i] < c_[i]) {
        sum += g;
        ++free;
      } else if ((alpha[i] <= 0) == (y_[i] > 0)) {
        high = std::min(high, g);
      } else {
        low = std::max(low, g);
      }
    }
    return free ? sum / static_cast<double>(free) : (low + high) / 2;
  }

 private:
  bool may_rise(size_t i) const { return y_[i] > 0 ? alpha[i] < c_[i] : alpha[i] > 0; }
  bool may_fall(size_t i) const { return y_[i] > 0 ? alpha[i] > 0 : alpha[i] < c_[i]; }

  bool choose(double tol, int64_t& first, int64_t& second) {
    double top = -INFINITY, bottom = -INFINITY, best = INFINITY;
    first = second = -1;
    for (size_t t = 0; t < alpha.size(); ++t) {
      if (may_rise(t) && -y_[t] * gradient_[t] >= top) top = -y_[t] * gradient_[t], first = static_cast<int64_t>(t);
    }
    if (first < 0) return false;
    const double* k = rows_.row(first);
    for (size_t t = 0; t < alpha.size(); ++t) {
      if (!may_fall(t)) continue;
      const double g = y_[t] * gradient_[t], difference = top + g;
      bottom = std::max(bottom, g);
      if (difference <= 0) continue;
      const double curvature = diagonal_[static_cast<size_t>(first)] + diagonal_[t] - 2 * k[t];
      const double gain = -difference * difference / (curvature > 0 ? curvature : kTau);
      if (gain <= best) best = gain, second = static_cast<int64_t>(t);
    }
    return second >= 0 && top + bottom >= tol;
  }

  // Whether the pair moved.
  bool step(int64_t first, int64_t second) {
    const size_t i = static_cast<size_t>(first), j = static_cast<size_t>(second);
    const double *ki = rows_.row(first), *kj = rows_.row(second);
    double curvature = diagonal_[i] + diagonal_[j] - 2 * ki[j];
    if (!(curvature > 0)) curvature = kTau;
    // Along the line on which y'a stays: a_i moves by y_i d, a_j by -y_j d.
    double d = (-y_[i] * gradient_[i] + y_[j] * gradient_[j]) / curvature;
    d = std::min(d, y_[i] > 0 ? c_[i] - alpha[i] : alpha[i]);
    d = std::min(d, y_[j] > 0 ? alpha[j] : c_[j] - alpha[j]);
    const double old_i = alpha[i], old_j = alpha[j];
    alpha[i] = std::clamp(old_i + y_[i] * d, 0.0, c_[i]);
    alpha[j] = std::clamp(old_j - y_[j] * d, 0.0, c_[j]);
    const double wi = (alpha[i] - old_i) * y_[i], wj = (alpha[j] - old_j) * y_[j];
    if (wi == 0 && wj == 0) return false;
    for (int64_t t = 0; t < n_; ++t) gradient_[static_cast<size_t>(t)] += y_[t] * (wi * ki[t] + wj * kj[t]);
    return true;
  }

  KernelRows& rows_;
  const double *y_, *c_;
  int64_t n_;

 public:
  std::vector<double> alpha;

 private:
  std::vector<double> gradient_, diagonal_;
};

Tensor checked(const char* op, const char* name, const Tensor& t, int dims, int64_t rows) {
  PYDL_CHECK(t.dtype() == DType::Float64 && t.ndim() == dims && (rows < 0 || t.size(0) == rows), ShapeError, op, "(): ", name,
             " must be float64 with ", dims, " dims", rows < 0 ? "" : " and as many rows as features", ", got ", t.dtype(), " of size ",
             IntSpan(t.sizes()));
  return contiguous(t);
}

Tensor smo(const Tensor& features_, const Tensor& signs_, const Tensor& bounds_, std::string_view kernel, double degree, double gamma,
           double coef0, double tol, int64_t max_iter, int64_t cache_bytes) {
  const autograd::GradGuard off(false);
  const Tensor features = checked("smo", "features", features_, 2, -1);
  const int64_t n = features.size(0);
  const Tensor signs = checked("smo", "signs", signs_, 1, n), bounds = checked("smo", "bounds", bounds_, 1, n);
  PYDL_CHECK(kernel != "precomputed" || features.size(1) == n, ShapeError, "smo(): a kernel matrix must be square, got ",
             IntSpan(features.sizes()));
  KernelRows rows(features, {kernel, degree, gamma, coef0}, cache_bytes);
  Smo problem(rows, signs.data<double>(), bounds.data<double>(), n);
  const int64_t steps = problem.run(tol, max_iter);
  const int64_t size[] = {n + 2};
  const Tensor out = empty(size, DType::Float64);
  std::copy(problem.alpha.begin(), problem.alpha.end(), out.data<double>());
  out.data<double>()[n] = problem.rho();
  out.data<double>()[n + 1] = static_cast<double>(steps);
  return out;
}

// A small generator for the order of visits (Vigna's SplitMix64): the order changes the path, not the optimum.
struct Order {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
};

// min 1/2 |w|^2 + sum C_i loss(y_i w.x_i) by coordinate descent in the dual (Hsieh et al., ICML 2008). Returns w, the number of
// passes, and the last violation.
Tensor dual_descent(const Tensor& features_, const Tensor& signs_, const Tensor& bounds_, bool squared, double tol, int64_t max_iter,
                    int64_t seed) {
  const autograd::GradGuard off(false);
  const Tensor features = checked("dual_descent", "features", features_, 2, -1);
  const int64_t n = features.size(0), width = features.size(1);
  const Tensor signs = checked("dual_descent", "signs", signs_, 1, n), bounds = checked("dual_descent", "bounds", bounds_, 1, n);
  const double *x = features.data<double>(), *y = signs.data<double>(), *c = bounds.data<double>();
  const int64_t size[] = {width + 2};
  const Tensor out = zeros(size, DType::Float64);
  double* w = out.data<double>();
  std::vector<double> alpha(static_cast<size_t>(n)), curvature(static_cast<size_t>(n));
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    order[static_cast<size_t>(i)] = i;
    double q = squared ? 0.5 / c[i] : 0;
    for (int64_t k = 0; k < width; ++k) q += x[i * width + k] * x[i * width + k];
    curvature[static_cast<size_t>(i)] = q;
  }
  Order chance{static_cast<uint64_t>(seed)};
  int64_t passes = 0;
  double violation = INFINITY;
  while (passes < max_iter && violation > tol) {
    double most = -INFINITY, least = INFINITY;
    for (size_t s = order.size(); s > 1; --s) std::swap(order[s - 1], order[chance.next() % s]);
    for (const int64_t i : order) {
      const size_t at = static_cast<size_t>(i);
      const double* row = x + i * width;
      const double limit = squared ? INFINITY : c[i];
      double g = -1 + (squared ? alpha[at] * 0.5 / c[i] : 0), score = 0;
      for (int64_t k = 0; k < width; ++k) score += w[k] * row[k];
      g += y[i] * score;
      const double projected = alpha[at] <= 0 ? std::min(g, 0.0) : alpha[at] >= limit ? std::max(g, 0.0) : g;
      most = std::max(most, projected), least = std::min(least, projected);
      if (projected == 0 || !(curvature[at] > 0)) continue;
      const double old = alpha[at];
      alpha[at] = std::clamp(old - g / curvature[at], 0.0, limit);
      const double change = (alpha[at] - old) * y[i];
      for (int64_t k = 0; k < width; ++k) w[k] += change * row[k];
    }
    violation = n ? most - least : 0;
    ++passes;
  }
  w[width] = static_cast<double>(passes);
  w[width + 1] = violation;
  return out;
}

}  // namespace

PYDL_OP(smo,
        "_smo(features: Tensor, signs: Tensor, bounds: Tensor, *, kernel: str, degree: float, gamma: float, coef0: float, tol: float, "
        "max_iter: int, cache_bytes: int) -> Tensor",
        Private, R"doc()doc");
PYDL_OP(dual_descent,
        "_dual_descent(features: Tensor, signs: Tensor, bounds: Tensor, *, squared: bool, tol: float, max_iter: int, seed: int) -> Tensor",
        Private, R"doc()doc");

}  // namespace pydl
