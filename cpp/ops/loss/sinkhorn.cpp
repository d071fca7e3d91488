// Optimal transport with an entropy term (Cuturi, "Sinkhorn distances", 2013). The potentials f and g are kept in the log domain;
// between their updates the plan is exp((f + g - C) / eps) scaled by vectors u and v, which costs products instead of exponentials,
// and where a scaling leaves the range of safe numbers it is absorbed into the potentials by an update in the log domain
// (Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport problems", 2019, algorithm 2).
#include "kernels/loss/sinkhorn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "autograd/mode.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr double kSafe = 1e60;  // products of a scaling, a kernel entry and a scaling stay finite

bool safe(double scaling) { return scaling >= 1 / kSafe && scaling <= kSafe; }

// One pair of marginals. `plan` (rows, columns) holds exp((f + g - C) / eps), at the end the plan.
class Transport {
 public:
  Transport(const double* p, const double* q, const double* cost, double* plan, int64_t rows, int64_t columns, double eps)
      : p_(p),
        q_(q),
        cost_(cost),
        plan_(plan),
        rows_(rows),
        columns_(columns),
        eps_(eps),
        f_(static_cast<size_t>(rows), 0.0),
        g_(static_cast<size_t>(columns), 0.0),
        u_(f_.size(), 1.0),
        v_(g_.size(), 1.0),
        next_u_(f_.size()),
        next_v_(g_.size()),
        sum_(g_.size()) {}

  void run(int64_t steps, double tolerance) {
    bool in_range = false;
    for (int64_t i = 0; i < steps; ++i) {
      if (!in_range) {
        update_potentials();
        in_range = true;
        continue;
      }
      const double error = scale(in_range);
      if (!(error >= tolerance)) break;  // NaN ends it too
    }
    finish();
  }

 private:
  const double* row(const double* matrix, int64_t i) const { return matrix + i * columns_; }

  // Log-sum-exp over columns for f, then over rows for g.
  void update_potentials() {
    const auto& fns = kernels::loss::sinkhorn();
    absorb();
    for (int64_t i = 0; i < rows_; ++i) {
      const double most = fns.largest(g_.data(), row(cost_, i), columns_), shift = most == kNever ? 0 : most;
      const double sum = fns.exponentials(sum_.data(), g_.data(), row(cost_, i), -shift, 1 / eps_, columns_);
      f_[static_cast<size_t>(i)] = p_[i] == 0 ? kNever : eps_ * std::log(p_[i] / sum) - shift;
    }
    std::vector<double> most(g_.size(), kNever);
    for (int64_t i = 0; i < rows_; ++i) fns.raise(most.data(), row(cost_, i), f_[static_cast<size_t>(i)], columns_);
    std::fill(sum_.begin(), sum_.end(), 0.0);
    for (double& m : most) m = m == kNever ? 0 : m;
    for (int64_t i = 0; i < rows_; ++i) {
      fns.accumulate(sum_.data(), row(cost_, i), most.data(), f_[static_cast<size_t>(i)], 1 / eps_, columns_);
    }
    for (size_t j = 0; j < g_.size(); ++j) g_[j] = q_[j] == 0 ? kNever : eps_ * std::log(q_[j] / sum_[j]) - most[j];
    for (int64_t i = 0; i < rows_; ++i) {
      fns.exponentials(plan_ + i * columns_, g_.data(), row(cost_, i), f_[static_cast<size_t>(i)], 1 / eps_, columns_);
    }
  }

  void absorb() {
    for (size_t i = 0; i < f_.size(); ++i) f_[i] += eps_ * std::log(std::exchange(u_[i], 1.0));
    for (size_t j = 0; j < g_.size(); ++j) g_[j] += eps_ * std::log(std::exchange(v_[j], 1.0));
  }

  // u = p / (K v), v = q / (K^T u), where both are safe; else nothing changes. Returns the rows' error before, |u * (K v) - p|_1:
  // the columns are exact after each update of v.
  double scale(bool& in_range) {
    const auto& fns = kernels::loss::sinkhorn();
    double error = 0;
    std::fill(sum_.begin(), sum_.end(), 0.0);
    for (int64_t i = 0; i < rows_; ++i) {
      const auto at = static_cast<size_t>(i);
      const double sum = fns.dot(row(plan_, i), v_.data(), columns_);
      error += std::abs(u_[at] * sum - p_[i]);
      next_u_[at] = p_[i] == 0 ? 1 : p_[i] / sum;
      in_range = in_range && safe(next_u_[at]);
      if (p_[i] != 0) fns.add(sum_.data(), row(plan_, i), next_u_[at], columns_);
    }
    for (size_t j = 0; j < g_.size(); ++j) {
      next_v_[j] = q_[j] == 0 ? 1 : q_[j] / sum_[j];
      in_range = in_range && safe(next_v_[j]);
    }
    if (in_range) {
      u_.swap(next_u_);
      v_.swap(next_v_);
    }
    return error;
  }

  void finish() {
    for (int64_t i = 0; i < rows_; ++i) {
      double* to = plan_ + i * columns_;
      for (int64_t j = 0; j < columns_; ++j) to[j] *= u_[static_cast<size_t>(i)] * v_[static_cast<size_t>(j)];
    }
  }

  const double *p_, *q_, *cost_;
  double* plan_;
  int64_t rows_, columns_;
  double eps_;
  std::vector<double> f_, g_, u_, v_, next_u_, next_v_, sum_;
};

Tensor sinkhorn_plan(const Tensor& input, const Tensor& target, const Tensor& cost, double eps, int64_t max_iter, double tol) {
  PYDL_CHECK(input.ndim() == 2 && target.ndim() == 2 && cost.ndim() == 3 && input.size(0) == target.size(0) &&
                 (cost.size(0) == input.size(0) || cost.size(0) == 1) && cost.size(1) == input.size(1) && cost.size(2) == target.size(1),
             ShapeError, "_sinkhorn(): input, target and cost must be of sizes (N, K), (N, M) and (N or 1, K, M), got ",
             IntSpan(input.sizes()), ", ", IntSpan(target.sizes()), " and ", IntSpan(cost.sizes()));
  for (const Tensor* t : {&input, &target, &cost}) {
    PYDL_CHECK(t->dtype() == DType::Float64, NotImplemented, "_sinkhorn(): not implemented for ", t->dtype());
  }
  PYDL_CHECK(eps > 0 && max_iter >= 1, ValueError, "_sinkhorn(): eps and max_iter must be positive, got ", eps, " and ", max_iter);
  const autograd::GradGuard off(false);
  const int64_t batch = input.size(0), rows = input.size(1), columns = target.size(1), each = cost.size(0) == 1 ? 0 : rows * columns;
  const Tensor out = empty(Dims{batch, rows, columns}, DType::Float64, "_sinkhorn");
  if (out.numel() == 0) return out;
  const Tensor p = contiguous(input), q = contiguous(target), c = contiguous(cost);
  parallel_for(batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Transport(p.data<double>() + n * rows, q.data<double>() + n * columns, c.data<double>() + n * each,
                out.data<double>() + n * rows * columns, rows, columns, eps)
          .run(max_iter, tol);
    }
  });
  return out;
}

}  // namespace

PYDL_OP(sinkhorn_plan, "_sinkhorn(input: Tensor, target: Tensor, cost: Tensor, eps: float, max_iter: int, tol: float) -> Tensor", Private,
        R"doc(
The plans (N, K, M) that carry the masses `input` (N, K) to `target` (N, M), all float64, at least cost (N or 1, K, M) minus `eps`
times their entropy. Stops when the rows' sums differ from `input` by less than `tol`, or after `max_iter` steps.
)doc");

}  // namespace pydl
