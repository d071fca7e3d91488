// The gradient of the Lovasz extension of the Jaccard loss: Berman, Rannen Triki and Blaschko, "The Lovasz-Softmax loss", 2018,
// algorithm 1. Errors that are not positive weigh nothing in either of its uses, so only the others are sorted.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "autograd/mode.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/registry.h"

namespace pydl {
namespace {

// What stands in `truth`.
constexpr uint8_t kMember = 1, kIgnored = 2;

// A positive error, largest first, and 2 * position + truth.
struct Single {
  uint64_t word;
  uint32_t tag() const { return static_cast<uint32_t>(word); }
};
struct Double {
  double error;
  uint32_t label;
  uint32_t tag() const { return label; }
};
template <class T>
using Item = std::conditional_t<std::is_same_v<T, float>, Single, Double>;

// The bits of positive floats stand in their order.
Single item_of(float error, uint32_t tag) { return {static_cast<uint64_t>(~std::bit_cast<uint32_t>(error)) << 32 | tag}; }
Double item_of(double error, uint32_t tag) { return {error, tag}; }

// Three passes of eleven bits over the upper halves, stable; passes in which all agree are left out.
void order(std::vector<Single>& items, std::vector<Single>& other) {
  if (items.size() < 512) {
    std::sort(items.begin(), items.end(), [](Single a, Single b) { return a.word < b.word; });
    return;
  }
  constexpr int kBits = 11, kPasses = 3;
  constexpr uint64_t kDigits = 1 << kBits;
  static_assert(kBits * kPasses >= 32);
  std::vector<uint32_t> counts(kPasses * kDigits);
  const auto digit = [](Single s, int pass) { return s.word >> (32 + kBits * pass) & (kDigits - 1); };
  for (const Single s : items) {
    for (int pass = 0; pass < kPasses; ++pass) ++counts[static_cast<size_t>(pass) * kDigits + digit(s, pass)];
  }
  other.resize(items.size());
  for (int pass = 0; pass < kPasses; ++pass) {
    uint32_t* at = &counts[static_cast<size_t>(pass) * kDigits];
    if (at[digit(items[0], pass)] == items.size()) continue;
    uint32_t sum = 0;
    for (uint64_t d = 0; d < kDigits; ++d) sum += std::exchange(at[d], sum);
    for (const Single s : items) other[at[digit(s, pass)]++] = s;
    items.swap(other);
  }
}
void order(std::vector<Double>& items, std::vector<Double>&) {
  std::stable_sort(items.begin(), items.end(), [](const Double& a, const Double& b) { return a.error > b.error; });
}

// weight[i]: by how much the Jaccard loss grows when pixel i joins those of larger error. With `wrong` of the pixels before it
// outside the set and `found` inside, the loss is 1 - (members - found) / (members + wrong); the differences are written out
// so that nothing cancels.
template <class T>
void weigh(const T* errors, const uint8_t* truth, int64_t n, T* weight, std::vector<Item<T>>& items, std::vector<Item<T>>& other) {
  items.clear();
  int64_t members = 0;
  for (int64_t i = 0; i < n; ++i) {
    members += truth[i] == kMember;
    weight[i] = 0;
    if (errors[i] > 0 && truth[i] != kIgnored) items.push_back(item_of(errors[i], static_cast<uint32_t>(2 * i) | truth[i]));
  }
  order(items, other);
  double found = 0, wrong = 0;
  const auto total = static_cast<double>(members);
  for (const auto& item : items) {
    const uint32_t tag = item.tag();
    double gain;
    if (tag & 1) {
      gain = 1 / (total + wrong);
      ++found;
    } else {
      // An empty set: the first error makes the loss 1.
      gain = members == 0 ? (wrong == 0 ? 1 : 0) : (total - found) / ((total + wrong) * (total + wrong + 1));
      ++wrong;
    }
    weight[tag >> 1] = static_cast<T>(gain);
  }
}

Tensor lovasz_weights(const Tensor& errors, const Tensor& truth) {
  PYDL_CHECK(errors.ndim() == 2 && truth.sizes() == errors.sizes(), ShapeError,
             "_lovasz(): errors and truth must be of one size (rows, length), got ", IntSpan(errors.sizes()), " and ",
             IntSpan(truth.sizes()));
  PYDL_CHECK(truth.dtype() == DType::UInt8, Error, "_lovasz(): truth must be uint8, got ", truth.dtype());
  PYDL_CHECK(errors.dtype() == DType::Float32 || errors.dtype() == DType::Float64, NotImplemented, "_lovasz(): not implemented for ",
             errors.dtype());
  const int64_t rows = errors.size(0), n = errors.size(1);
  PYDL_CHECK(n <= std::numeric_limits<int32_t>::max(), ShapeError, "_lovasz(): rows of ", n, " errors, more than 2**31");
  const autograd::GradGuard off(false);
  const Tensor e = contiguous(errors), t = contiguous(truth), out = empty(errors.sizes(), errors.dtype(), "_lovasz");
  uint8_t largest = 0;
  for (int64_t i = 0; i < t.numel(); ++i) largest = std::max(largest, t.data<uint8_t>()[i]);
  PYDL_CHECK(largest <= kIgnored, ValueError, "_lovasz(): truth must be 0, 1 or 2, got ", int{largest});
  const auto run = [&]<class T>(T) {
    parallel_for(rows, 1 + 4096 / (n + 1), [&](int64_t begin, int64_t end) {
      std::vector<Item<T>> items, other;
      for (int64_t r = begin; r < end; ++r) {
        weigh(e.data<T>() + r * n, t.data<uint8_t>() + r * n, n, out.data<T>() + r * n, items, other);
      }
    });
  };
  errors.dtype() == DType::Float32 ? run(float{}) : run(double{});
  return out;
}

}  // namespace

PYDL_OP(lovasz_weights, "_lovasz(errors: Tensor, truth: Tensor) -> Tensor", Private, R"doc(
For each row of errors (rows, length) the factors g of the Lovasz extension sum(relu(error) * g) of the Jaccard loss, 0 where an error
is not positive. `truth` (uint8): 1 for members of the set, 0 for others, 2 for elements that do not count.
)doc");

}  // namespace pydl
