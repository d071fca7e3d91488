// Softmax rows against long double, rows and inner layout, and the same bits for any split of the rows, on every level.
//
// Needs the objects of softmax.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <vector>

#include "core/cpu_info.h"
#include "kernels/softmax/softmax.h"

using namespace pydl;
using namespace pydl::kernels;

namespace {

int failures = 0;
void expect(bool condition, const char* what, int64_t n) {
  if (condition) return;
  ++failures;
  std::printf("%s: FAILED: %s, n = %d\n", cpu_level_name(cpu_level()), what, static_cast<int>(n));
}

template <class T>
bool close(const std::vector<T>& got, const std::vector<long double>& want, double tolerance) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (!(std::fabs(got[i] - want[i]) <= tolerance * (1 + std::fabs(want[i])))) return false;
  }
  return true;
}

template <class T>
void check(DType d, int64_t rows, int64_t n) {
  const softmax::SoftmaxFns& f = *softmax::fns()[d];
  const auto total = static_cast<size_t>(rows * n);
  const double tolerance = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
  std::vector<T> x(total), g(total), out(total), again(total), transposed(total);
  uint32_t state = 1;
  auto next = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<T>(static_cast<double>(state >> 8) / (1 << 24) * 8 - 4);
  };
  for (T& v : x) v = next();
  for (T& v : g) v = next();
  std::vector<long double> soft(total), log_soft(total), lse(static_cast<size_t>(rows)), soft_grad(total), log_grad(total);
  for (int64_t r = 0; r < rows; ++r) {
    long double sum = 0, dot = 0, grad_sum = 0;
    for (int64_t k = r * n; k < (r + 1) * n; ++k) sum += std::exp(static_cast<long double>(x[static_cast<size_t>(k)]));
    lse[static_cast<size_t>(r)] = std::log(sum);
    for (int64_t k = r * n; k < (r + 1) * n; ++k) {
      const auto i = static_cast<size_t>(k);
      log_soft[i] = x[i] - std::log(sum);
      soft[i] = std::exp(log_soft[i]);
      dot += soft[i] * g[i];
      grad_sum += g[i];
    }
    for (int64_t k = r * n; k < (r + 1) * n; ++k) {
      const auto i = static_cast<size_t>(k);
      soft_grad[i] = soft[i] * (g[i] - dot);
      log_grad[i] = g[i] - soft[i] * grad_sum;
    }
  }
  // [rows][n] laid out as [1][n][inner = rows], and back.
  auto transpose = [&](const std::vector<T>& a, int64_t height, int64_t width) {
    std::vector<T> b(a.size());
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t j = 0; j < width; ++j) b[static_cast<size_t>(j * height + i)] = a[static_cast<size_t>(i * width + j)];
    }
    return b;
  };
  auto check_unary = [&](const char* what, softmax::SoftmaxFns::Unary fn, softmax::SoftmaxFns::UnaryInner inner,
                         const std::vector<long double>& want) {
    fn(out.data(), x.data(), rows, n);
    expect(close(out, want, tolerance), what, n);
    for (int64_t r = 0; r < rows; r += 3) fn(again.data() + r * n, x.data() + r * n, r + 3 < rows ? 3 : rows - r, n);
    expect(std::memcmp(out.data(), again.data(), total * sizeof(T)) == 0, "bits depend on the split", n);
    inner(transposed.data(), transpose(x, rows, n).data(), 1, n, rows);
    expect(close(transpose(transposed, n, rows), want, tolerance), what, -n);
  };
  check_unary("softmax", f.softmax, f.softmax_inner, soft);
  const std::vector<T> y = out;
  check_unary("log_softmax", f.log_softmax, f.log_softmax_inner, log_soft);
  const std::vector<T> log_y = out;
  auto check_backward = [&](const char* what, softmax::SoftmaxFns::Backward fn, softmax::SoftmaxFns::BackwardInner inner,
                            const std::vector<T>& saved, const std::vector<long double>& want, double scale) {
    fn(out.data(), g.data(), saved.data(), rows, n);
    expect(close(out, want, tolerance * scale), what, n);
    for (int64_t r = 0; r < rows; r += 3) fn(again.data() + r * n, g.data() + r * n, saved.data() + r * n, r + 3 < rows ? 3 : rows - r, n);
    expect(std::memcmp(out.data(), again.data(), total * sizeof(T)) == 0, "bits depend on the split", n);
    inner(transposed.data(), transpose(g, rows, n).data(), transpose(saved, rows, n).data(), 1, n, rows);
    expect(close(transpose(transposed, n, rows), want, tolerance * scale), what, -n);
  };
  check_backward("softmax_backward", f.softmax_backward, f.softmax_backward_inner, y, soft_grad, 4);
  check_backward("log_softmax_backward", f.log_softmax_backward, f.log_softmax_backward_inner, log_y, log_grad, 16);

  std::vector<T> sums(static_cast<size_t>(rows)), loss(static_cast<size_t>(rows)), scale(static_cast<size_t>(rows), T(0.5));
  f.logsumexp(sums.data(), x.data(), rows, n);
  expect(close(sums, lse, tolerance), "logsumexp", n);
  f.logsumexp_inner(sums.data(), transpose(x, rows, n).data(), 1, n, rows);
  expect(close(sums, lse, tolerance), "logsumexp_inner", n);
  std::vector<int64_t> target(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) target[static_cast<size_t>(r)] = r == 1 ? -100 : (7 * r) % n;
  f.cross_entropy(loss.data(), sums.data(), x.data(), target.data(), rows, n, -100);
  f.cross_entropy_backward(out.data(), x.data(), sums.data(), target.data(), scale.data(), rows, n, -100);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t t = target[static_cast<size_t>(r)];
    const long double want = t < 0 ? 0 : -log_soft[static_cast<size_t>(r * n + t)];
    expect(std::fabs(loss[static_cast<size_t>(r)] - want) <= tolerance * 8, "cross_entropy", n);
    for (int64_t k = 0; k < n; ++k) {
      const auto i = static_cast<size_t>(r * n + k);
      const long double grad = t < 0 ? 0 : (soft[i] - (k == t)) * 0.5L;
      expect(std::fabs(out[i] - grad) <= tolerance * 2, "cross_entropy_backward", n);
    }
  }
}

template <class T>
void check_infinities(DType d, int64_t n) {
  const softmax::SoftmaxFns& f = *softmax::fns()[d];
  constexpr T inf = std::numeric_limits<T>::infinity();
  std::vector<T> x(static_cast<size_t>(n), -inf), out(static_cast<size_t>(n));
  f.softmax(out.data(), x.data(), 1, n);
  expect(std::isnan(out[0]), "softmax of -inf", n);
  f.logsumexp(out.data(), x.data(), 1, n);
  expect(out[0] == -inf, "logsumexp of -inf", n);
  x[0] = 2;
  f.softmax(out.data(), x.data(), 1, n);
  expect(out[0] == 1 && (n == 1 || out[1] == 0), "softmax of one finite logit", n);
  x[0] = inf;
  f.logsumexp(out.data(), x.data(), 1, n);
  expect(out[0] == inf, "logsumexp of +inf", n);
  x[0] = std::numeric_limits<T>::quiet_NaN();
  f.log_softmax(out.data(), x.data(), 1, n);
  expect(std::isnan(out[static_cast<size_t>(n - 1)]), "NaN", n);
}

}  // namespace

int main() {
  for (CpuLevel level : {CpuLevel::Baseline, CpuLevel::Avx2, CpuLevel::Avx512}) {
    if (level > cpu_info().supported) continue;
    detail::active_level = level;
    for (int64_t n : {1, 2, 10, 16, 17, 33, 100, 1000, 5000}) {
      check<float>(DType::Float32, 19, n);
      check<double>(DType::Float64, 19, n);
      check_infinities<float>(DType::Float32, n);
      check_infinities<double>(DType::Float64, n);
    }
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
