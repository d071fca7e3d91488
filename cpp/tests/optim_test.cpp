// Fused optimizer steps against the update formulas in float64, and the same bits for any number of threads.
#include <cmath>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "ops/optim/engine.h"
#include "tests/check.h"

namespace {

using namespace pydl;

template <class T>
std::vector<T> numbers(int64_t n, uint64_t seed, double shift = 0) {
  test::Random random{seed};
  std::vector<T> v(static_cast<size_t>(n));
  for (T& x : v) x = static_cast<T>(random() + shift);
  return v;
}

const int64_t kSizes[] = {1, 15, 1000, 70003, 16384, 0, 33};

// Kingma & Ba (2015), Loshchilov & Hutter (2019), with the arithmetic in long double.
template <class T>
void check_adam(const AdamOptions& o, bool amsgrad) {
  constexpr int kTensors = sizeof kSizes / sizeof kSizes[0];
  std::vector<std::vector<T>> p, g, m, v, x;
  std::vector<AdamTensor> tensors;
  for (int i = 0; i < kTensors; ++i) {
    const uint64_t seed = static_cast<uint64_t>(i) * 10 + 1;
    p.push_back(numbers<T>(kSizes[i], seed));
    g.push_back(numbers<T>(kSizes[i], seed + 1));
    m.push_back(numbers<T>(kSizes[i], seed + 2));
    v.push_back(numbers<T>(kSizes[i], seed + 3, 0.6));
    x.push_back(numbers<T>(kSizes[i], seed + 4, 0.6));
  }
  const double step = 7;
  const auto p0 = p, m0 = m, v0 = v, x0 = x;
  decltype(p) first;
  for (int threads = 1; threads <= 3; ++threads) {
    set_num_threads(threads);
    p = p0, m = m0, v = v0, x = x0;
    tensors.clear();
    for (size_t i = 0; i < kTensors; ++i) {
      tensors.push_back(
          {dtype_of<T>, kSizes[i], p[i].data(), g[i].data(), m[i].data(), v[i].data(), amsgrad ? x[i].data() : nullptr, step});
    }
    adam_step(tensors.data(), kTensors, o);
    if (threads == 1) first = p;
    CHECK(first == p, "threads %d", threads);
  }
  const double unit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  for (size_t i = 0; i < kTensors; ++i) {
    for (size_t k = 0; k < p[i].size(); ++k) {
      long double q = p0[i][k], d = o.maximize ? -g[i][k] : g[i][k];
      if (o.decoupled) {
        q *= 1 - o.lr * static_cast<long double>(o.weight_decay);
      } else {
        d += o.weight_decay * q;
      }
      const long double mm = o.beta1 * static_cast<long double>(m0[i][k]) + (1 - static_cast<long double>(o.beta1)) * d;
      const long double vv = o.beta2 * static_cast<long double>(v0[i][k]) + (1 - static_cast<long double>(o.beta2)) * d * d;
      const long double top = amsgrad ? std::max<long double>(vv, x0[i][k]) : vv;
      const long double c1 = 1 - std::pow(static_cast<long double>(o.beta1), step),
                        c2 = 1 - std::pow(static_cast<long double>(o.beta2), step);
      q -= o.lr / c1 * mm / (std::sqrt(top) / std::sqrt(c2) + o.eps);
      CHECK(std::fabs(m[i][k] - mm) < 4 * unit, "exp_avg");
      CHECK(std::fabs(v[i][k] - vv) < 8 * unit, "exp_avg_sq");
      CHECK(std::fabs(p[i][k] - q) < 4 * unit, "param %d got %.9g expected %.9Lg", int(i), double(p[i][k]), q);
      if (amsgrad) CHECK(std::fabs(x[i][k] - top) < 8 * unit, "max_exp_avg_sq");
    }
  }
}

template <class T>
void check_sgd(const SgdOptions& o, bool first_step) {
  const int64_t n = 40001;
  const std::vector<T> p0 = numbers<T>(n, 1), g = numbers<T>(n, 2), b0 = numbers<T>(n, 3);
  std::vector<T> p = p0, b = b0;
  const SgdTensor t{dtype_of<T>, n, p.data(), g.data(), o.momentum != 0 ? b.data() : nullptr, first_step};
  sgd_step(&t, 1, o);
  const double unit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
  for (size_t k = 0; k < static_cast<size_t>(n); ++k) {
    long double d = (o.maximize ? -g[k] : g[k]) + o.weight_decay * static_cast<long double>(p0[k]);
    if (o.momentum != 0) {
      const long double bb =
          first_step ? d : o.momentum * static_cast<long double>(b0[k]) + (1 - static_cast<long double>(o.dampening)) * d;
      CHECK(std::fabs(b[k] - bb) < 4 * unit, "buffer");
      d = o.nesterov ? d + o.momentum * bb : bb;
    }
    CHECK(std::fabs(p[k] - (p0[k] - o.lr * d)) < 4 * unit, "param");
  }
}

void check_norm() {
  std::vector<float> a = numbers<float>(100003, 1), b = numbers<float>(7, 2);
  std::vector<double> c = numbers<double>(50000, 3);
  const FloatRange ranges[] = {
      {DType::Float32, 100003, a.data()}, {DType::Float32, 0, nullptr}, {DType::Float32, 7, b.data()}, {DType::Float64, 50000, c.data()}};
  long double sum = 0;
  for (const float x : a) sum += static_cast<long double>(x) * x;
  for (const float x : b) sum += static_cast<long double>(x) * x;
  for (const double x : c) sum += static_cast<long double>(x) * x;
  double first = 0;
  for (int threads = 1; threads <= 4; ++threads) {
    set_num_threads(threads);
    const double norm = global_l2_norm(ranges, 4);
    if (threads == 1) first = norm;
    CHECK(norm == first, "threads %d", threads);
    CHECK(std::fabs(norm - std::sqrt(sum)) < 1e-7 * norm, "norm %g", norm);
  }
  const float a5 = a[5];
  scale_ranges(ranges, 4, 0.5);
  CHECK(a[5] == 0.5f * a5);
}

}  // namespace

int main() {
  for (const bool amsgrad : {false, true}) {
    for (const bool decoupled : {false, true}) {
      for (const bool maximize : {false, true}) {
        const AdamOptions o{1e-2, 0.9, 0.999, 1e-8, amsgrad ? 0.01 : 0.0, decoupled, maximize};
        check_adam<float>(o, amsgrad);
        check_adam<double>(o, amsgrad);
      }
    }
  }
  check_adam<float>({1e-2, 0.3, 0.999, 1e-8, 0.1, true, false}, false);
  for (const bool first : {false, true}) {
    check_sgd<float>({0.1}, first);
    check_sgd<float>({0.1, 0.9, 0.1, 0.01, false, true}, first);
    check_sgd<double>({0.1, 0.9, 0, 0.01, true, false}, first);
  }
  check_norm();
  return test::report("optim_test");
}
