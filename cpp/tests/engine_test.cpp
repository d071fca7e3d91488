// The backward engine without Python: values, accumulation, order, release, depth, and that nothing leaks.
#include "autograd/engine.h"

#include <cmath>

#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/exponential.h"
#include "ops/reduce/reduce.h"
#include "tests/check.h"

namespace {

using namespace pydl;
using autograd::backward;
using autograd::grad;

Tensor leaf(const Dims& sizes, double first, double step = 0) {
  Tensor t = empty(sizes, DType::Float64);
  for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = first + step * static_cast<double>(i);
  t->requires_grad = true;
  return t;
}

double item(const Tensor& t) { return t.data<double>()[0]; }
bool near(double a, double b) { return std::abs(a - b) <= 1e-12 * (1 + std::abs(b)); }

void run(const Tensor& root, autograd::BackwardOptions options = {}) { backward({&root, 1}, {}, {}, options); }

void check_diamond() {  // both branches arrive before the shared node runs
  const Tensor x = leaf({}, 0.7);
  const Tensor y = exp(x), z = mul(y, y);
  run(add(z, mul(y, x)));
  const double e = std::exp(0.7);
  CHECK(near(item(autograd::meta(x)->grad), 2 * e * e + e * 0.7 + e), "%.17g", item(autograd::meta(x)->grad));
}

void check_accumulation() {
  const Tensor x = leaf({}, 3);
  run(mul(x, x));
  run(mul(x, x));
  CHECK(near(item(autograd::meta(x)->grad), 12));
}

void check_higher_order() {
  const Tensor x = leaf({}, 1.5);
  Tensor y = exp(mul(x, x));
  for (int order = 1; order <= 3; ++order) y = grad({&y, 1}, {}, {&x, 1}, {.retain_graph = true, .create_graph = true}, false)[0];
  const double v = 1.5, e = std::exp(v * v);
  CHECK(near(item(y), e * (12 * v + 8 * v * v * v)), "third derivative %.17g", item(y));
}

void check_matrix_product() {
  const Tensor a = leaf({2, 3}, 1, 1), b = leaf({3, 2}, -1, 0.5);
  run(sum(mm(a, b)));
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t k = 0; k < 3; ++k) {
      const double expected = b.data<double>()[2 * k] + b.data<double>()[2 * k + 1];
      CHECK(near(autograd::meta(a)->grad.data<double>()[3 * i + k], expected));
    }
  }
}

template <class F>
bool fails(F f) {
  try {
    f();
  } catch (const Error&) {
    return true;
  }
  return false;
}

void check_release() {
  const Tensor x = leaf({}, 2);
  const Tensor y = mul(x, x);
  run(y, {.retain_graph = true});
  run(y);
  CHECK(fails([&] { run(y); }), "a released graph runs again");
  CHECK(fails([&] { run(empty(Dims{2}, DType::Float64)); }), "a root without a graph");
}

void check_depth_and_leaks() {
  const auto chain = [](int64_t n, bool with_backward) {
    const Tensor x = leaf({}, 0);
    Tensor y = x;
    for (int64_t i = 0; i < n; ++i) y = add(y, Operand(1));
    if (with_backward) {
      run(y);
      CHECK(item(autograd::meta(x)->grad) == 1 && item(y) == static_cast<double>(n));
    }
  };
  chain(10, true);
  const int64_t before = memory_stats().allocated_bytes;
  chain(1000000, true);
  chain(1000000, false);  // freed without having run
  CHECK(memory_stats().allocated_bytes == before, "%lld bytes left", static_cast<long long>(memory_stats().allocated_bytes - before));
}

// An allocation that fails anywhere in forward or backward leaves no memory behind and a graph that can be rebuilt.
void check_failing_allocations() {
  const auto step = [] {
    const Tensor x = leaf({50, 50}, 0, 1e-4);
    run(sum(mul(exp(mm(x, x)), x)));
  };
  step();
  const int64_t before = memory_stats().allocated_bytes;
  int64_t k = 1;
  for (bool failed = true; failed; ++k) {
    fail_allocation_after(k);
    try {
      step();
      failed = false;
    } catch (const OutOfMemoryError&) {
    }
    fail_allocation_after(0);
    CHECK(memory_stats().allocated_bytes == before, "allocation %lld", static_cast<long long>(k));
  }
  CHECK(k > 20, "only %lld allocations in a training step", static_cast<long long>(k));
}

}  // namespace

int main() {
  check_diamond();
  check_accumulation();
  check_higher_order();
  check_matrix_product();
  check_release();
  check_depth_and_leaks();
  check_failing_allocations();
  return test::report("engine");
}
