// The geometry of elementwise loops without Python: every element of random layouts is visited once, at the right
// addresses, however the range is cut.
#include "core/iter.h"

#include <vector>

#include "tests/check.h"

namespace {

using namespace pydl;

constexpr int kMaxRank = 5;

// A float tensor of `shape`, or one that broadcasts to it, in a random memory order with random gaps and flips of dims.
Tensor random_layout(test::Random& random, const Dims& shape, bool may_broadcast) {
  const int n = shape.size();
  const int dropped = may_broadcast ? static_cast<int>(random.below(n + 1)) : 0;
  Dims sizes, strides;
  for (int d = dropped; d < n; ++d) sizes.push_back(may_broadcast && random.below(4) == 0 ? 1 : shape[d]);
  strides.resize(sizes.size());
  std::vector<int> order;
  for (int d = 0; d < sizes.size(); ++d) order.insert(order.begin() + random.below(d + 1), d);
  int64_t step = 1 + random.below(2);
  for (const int d : order) {
    strides[d] = step;
    step *= std::max<int64_t>(sizes[d], 1) + random.below(2);
  }
  return empty_strided(sizes, strides, DType::Float32, "iter_test");
}

int64_t offset_of(const Tensor& t, const Dims& shape, const Dims& index) {
  int64_t at = 0;
  for (int i = 1; i <= t.ndim(); ++i) {
    if (t.size(t.ndim() - i) != 1) at += t.stride(t.ndim() - i) * index[shape.size() - i];
  }
  return at;
}

void check_random_plans() {
  test::Random random{7};
  for (int round = 0; round < 4000; ++round) {
    Dims shape;
    const int64_t rank = random.below(kMaxRank + 1);
    for (int64_t d = 0; d < rank; ++d) shape.push_back(random.below(round % 17 == 0 ? 3 : 6) + (round % 17 != 0));
    const Tensor out = random_layout(random, shape, false), a = random_layout(random, shape, true), b = random_layout(random, shape, true);
    StripPlan plan(shape);
    plan.add(out);
    plan.add(a);
    plan.add(b);
    plan.finish();
    CHECK(plan.numel == out.numel());
    // Which offsets of a and b were seen for each offset of out.
    const int64_t extent = out->storage->bytes() / 4 + 1;
    std::vector<int64_t> seen_a(static_cast<size_t>(extent), -1), seen_b(seen_a), count(static_cast<size_t>(extent), 0);
    for (int64_t begin = 0; begin < plan.numel;) {
      const int64_t end = std::min(plan.numel, begin + 1 + random.below(40));
      plan.strips(begin, end, [&](char** data, const int64_t* inner, const int64_t* outer, int64_t n0, int64_t n1) {
        for (int64_t j = 0; j < n1; ++j) {
          for (int64_t i = 0; i < n0; ++i) {
            const auto at = [&](int k, const Tensor& t) { return (data[k] + i * inner[k] + j * outer[k] - t->data) / 4; };
            const auto o = static_cast<size_t>(at(0, out));
            ++count[o], seen_a[o] = at(1, a), seen_b[o] = at(2, b);
          }
        }
      });
      begin = end;
    }
    Dims index(shape.size(), 0);
    for (int64_t k = 0; k < plan.numel; ++k) {
      const auto o = static_cast<size_t>(offset_of(out, shape, index));
      CHECK(count[o] == 1 && seen_a[o] == offset_of(a, shape, index) && seen_b[o] == offset_of(b, shape, index), "round %d element %lld",
            round, static_cast<long long>(k));
      for (int d = shape.size() - 1; d >= 0 && ++index[d] == shape[d]; --d) index[d] = 0;
    }
  }
}

void check_merging() {
  const Tensor t = empty(Dims{4, 5, 6, 7}, DType::Float32), row = empty(Dims{7}, DType::Float32);
  StripPlan whole(t.sizes());
  whole.add(t);
  whole.add(t);
  whole.finish();
  CHECK(whole.ndim == 1 && whole.size[0] == 840, "contiguous operands are one run, got %d dims", whole.ndim);
  StripPlan rows(t.sizes());
  rows.add(t);
  rows.add(row);
  rows.finish();
  CHECK(rows.ndim == 2 && rows.size[0] == 7 && rows.size[1] == 120, "a row vector leaves two dims, got %d", rows.ndim);
  float number = 0;
  StripPlan scalar(t.sizes());
  scalar.add(t);
  scalar.add_scalar(&number);
  scalar.finish();
  CHECK(scalar.ndim == 1 && scalar.stride[1][0] == 0);
}

}  // namespace

int main() {
  check_random_plans();
  check_merging();
  return test::report("iter");
}
