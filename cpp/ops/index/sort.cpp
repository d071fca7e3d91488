// Order and counting.
#include "ops/index/sort.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/parallel.h"
#include "kernels/index/index.h"
#include "ops/copy/copy.h"
#include "ops/dispatch.h"
#include "ops/index/index.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

// A total order in which NaN is the largest.
template <class T>
bool before(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a < b || (std::isnan(b) && !std::isnan(a));
  return a < b;
}

// The order of n values: the first `count` positions of a stable sort.
template <class T>
void order_row(const T* v, int64_t n, int64_t count, bool descending, int64_t* out) {
  std::vector<std::pair<T, int64_t>> items(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) items[static_cast<size_t>(i)] = {v[i], i};
  const auto less = [descending](const auto& a, const auto& b) {
    if (before(a.first, b.first)) return !descending;
    if (before(b.first, a.first)) return descending;
    return a.second < b.second;
  };
  if (count < n) {
    std::nth_element(items.begin(), items.begin() + count, items.end(), less);
  }
  std::sort(items.begin(), items.begin() + count, less);
  for (int64_t i = 0; i < count; ++i) out[i] = items[static_cast<size_t>(i)].second;
}

// ---- keys of up to 32 bits: packed with their positions into words -----------------------------------------------

// Unsigned integers in the order of the values; -0 is 0, and every NaN is the same largest one.
template <class T>
uint32_t key_of(T v) {
  if constexpr (std::is_same_v<T, float>) {
    if (std::isnan(v)) return UINT32_MAX;
    const auto bits = std::bit_cast<uint32_t>(v + 0.0f);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<uint32_t>(static_cast<int32_t>(v)) ^ 0x80000000u;
  } else {
    return static_cast<uint32_t>(v);
  }
}

// Sorts words by their upper halves, keeping the order of equal ones: four passes over the bytes, skipping constant ones.
void radix_sort(std::vector<uint64_t>& words, std::vector<uint64_t>& other) {
  uint32_t counts[4][256] = {};
  for (const uint64_t w : words) {
    for (int byte = 0; byte < 4; ++byte) ++counts[byte][w >> (32 + 8 * byte) & 255];
  }
  for (int byte = 0; byte < 4; ++byte) {
    if (counts[byte][words[0] >> (32 + 8 * byte) & 255] == words.size()) continue;
    uint32_t at = 0;
    for (uint32_t& c : counts[byte]) at += std::exchange(c, at);
    for (const uint64_t w : words) other[counts[byte][w >> (32 + 8 * byte) & 255]++] = w;
    words.swap(other);
  }
}

uint64_t word_of(uint32_t key, int64_t position) { return static_cast<uint64_t>(key) << 32 | static_cast<uint32_t>(position); }

// The positions of those of n values that may belong to the best, of which `last` is the worst.
template <class T>
int64_t better(const T* v, int64_t n, T last, bool descending, int32_t* positions) {
  if constexpr (std::is_same_v<T, float>) {
    return kernels::index::indexing().filter(v, n, last, descending, positions);
  } else {
    int64_t count = 0;
    for (int64_t i = 0; i < n; ++i) {
      positions[count] = static_cast<int32_t>(i);
      count += descending ? v[i] > last : v[i] < last;
    }
    return count;
  }
}

// The `count` best words in order, for a small count: most blocks of values fail one comparison with the worst of the best
// so far, and what passes is collected until it pays to choose again.
template <class T>
void select_best(const T* v, int64_t n, int64_t count, bool descending, std::vector<uint64_t>& best) {
  const uint32_t flip = descending ? UINT32_MAX : 0;
  // A round of choosing among `limit` words lasts for limit / keep times the values before: 3 makes the rounds' sum smallest.
  const auto keep = static_cast<size_t>(count), limit = std::max(3 * keep, keep + 64);
  uint64_t worst = 0;
  const auto choose = [&] {
    std::nth_element(best.begin(), best.begin() + count - 1, best.end());
    best.resize(keep);
    worst = best.back();
  };
  best.clear();
  int64_t begin = std::min(n, static_cast<int64_t>(limit));
  for (int64_t i = 0; i < begin; ++i) best.push_back(word_of(key_of(v[i]) ^ flip, i));
  choose();
  constexpr int64_t kBlock = 512;
  int32_t positions[kBlock];
  for (; begin < n; begin += kBlock) {
    const int64_t found = better(v + begin, std::min(n - begin, kBlock), v[static_cast<uint32_t>(worst)], descending, positions);
    for (int64_t k = 0; k < found; ++k) {
      const int64_t i = begin + positions[k];
      const uint64_t word = word_of(key_of(v[i]) ^ flip, i);
      if (word >= worst) continue;
      best.push_back(word);
      if (best.size() == limit) choose();
    }
  }
  choose();
  std::sort(best.begin(), best.end());
}

struct Scratch {
  std::vector<uint64_t> words, other;
};

template <class T>
void order_words(const T* v, int64_t n, int64_t count, bool descending, int64_t* out, Scratch& s) {
  if (count > 0 && count <= 1024 && count * 8 <= n) {
    select_best(v, n, count, descending, s.other);
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint32_t>(s.other[static_cast<size_t>(i)]);
    return;
  }
  s.words.resize(static_cast<size_t>(n));
  s.other.resize(static_cast<size_t>(n));
  const uint32_t flip = descending ? UINT32_MAX : 0;
  for (int64_t i = 0; i < n; ++i) s.words[static_cast<size_t>(i)] = word_of(key_of(v[i]) ^ flip, i);
  n < 256 ? std::sort(s.words.begin(), s.words.end()) : radix_sort(s.words, s.other);
  for (int64_t i = 0; i < count; ++i) out[i] = static_cast<uint32_t>(s.words[static_cast<size_t>(i)]);
}

// Positions along the last dim of a contiguous tensor.
Tensor order(const char* op, const Tensor& rows, int64_t count, bool descending) {
  const Tensor v = to_dtype(rows, compute_type(rows.dtype()));
  Dims shape = rows.sizes();
  const int64_t n = shape.back();
  shape.back() = count;
  const Tensor out = empty(shape, DType::Int64, op);
  dispatch(op, v.dtype(), RealTypes{}, [&]<class T>(T) {
    parallel_for(n ? v.numel() / n : 0, std::max<int64_t>(1, 1024 / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
      Scratch scratch;
      for (int64_t r = begin; r < end; ++r) {
        const T* row = v.data<T>() + r * n;
        if constexpr (sizeof(T) <= 4) {
          if (n <= UINT32_MAX) {
            order_words(row, n, count, descending, out.data<int64_t>() + r * count, scratch);
            continue;
          }
        }
        order_row(row, n, count, descending, out.data<int64_t>() + r * count);
      }
    });
  });
  return out;
}

std::tuple<Tensor, Tensor> ordered(const char* op, const char* node, const Tensor& input, int64_t dim, std::optional<int64_t> count,
                                   bool descending) {
  const int d = wrap_dim(dim, input.ndim(), op);
  const int64_t n = input.ndim() ? input.size(d) : 1;
  PYDL_CHECK(!count || (*count >= 0 && *count <= n), Error, op, "(): selected index k out of range");
  PYDL_CHECK(!is_complex(input.dtype()), NotImplemented, op, "(): complex tensors are not supported");
  Tensor indices;
  {
    const autograd::GradGuard off(false);
    const Tensor rows = contiguous(input.ndim() ? transpose(input, d, -1) : reshape(input, Dims{1}));
    indices = order(op, rows, count.value_or(n), descending);
    indices = input.ndim() ? contiguous(transpose(indices, d, -1)) : count.value_or(1) ? reshape(indices, IntSpan()) : indices;
  }
  Tensor values;
  {
    const autograd::GradGuard off(false);
    values = gather(input, d, indices);
  }
  if (needs_grad(input)) {
    record({}, node, values, {&input},
           [at = save(indices), sizes = input.sizes(), d](Backward& b) { b.set(0, scatter_along(b.grad(), at.get(b), sizes, d)); });
  }
  return {values, indices};
}

}  // namespace

std::tuple<Tensor, Tensor> sort(const Tensor& input, int64_t dim, bool descending, bool) {
  return ordered("sort", "SortBackward0", input, dim, std::nullopt, descending);
}

namespace {

Tensor msort(const Tensor& input) { return std::get<0>(sort(input, 0, false, false)); }
Tensor argsort(const Tensor& input, int64_t dim, bool descending, bool) {
  const autograd::GradGuard off(false);
  return std::get<1>(ordered("argsort", "", input, dim, std::nullopt, descending));
}
std::tuple<Tensor, Tensor> topk(const Tensor& input, int64_t k, int64_t dim, bool largest, bool) {
  return ordered("topk", "TopkBackward0", input, dim, k, largest);
}

std::tuple<Tensor, Tensor> kthvalue(const Tensor& input, int64_t k, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, input.ndim(), "kthvalue");
  PYDL_CHECK(k >= 1 && k <= (input.ndim() ? input.size(d) : 1), Error, "kthvalue(): selected number k out of range for dimension ", d);
  auto [values, indices] = ordered("kthvalue", "KthvalueBackward0", input, dim, k, false);
  if (input.ndim() == 0) return {values, indices};
  values = narrow(values, d, k - 1, 1);
  indices = narrow(indices, d, k - 1, 1);
  if (keepdim) return {values, indices};
  const int64_t dims[] = {d};
  return {squeeze(values, IntSpan(dims)), squeeze(indices, IntSpan(dims))};
}

// Where the median stands among n sorted values of which the first `known` are no NaN: the lower of the two in the
// middle; the first NaN if there is one, unless they are skipped.
int64_t median_place(int64_t n, int64_t known, bool skip_nan) {
  if (!skip_nan) return known < n ? known : (n - 1) / 2;
  return std::max<int64_t>(known - 1, 0) / 2;
}

std::tuple<Tensor, Tensor> median_along(const char* op, const Tensor& input, int64_t dim, bool keepdim, bool skip_nan) {
  const int d = wrap_dim(dim, input.ndim(), op);
  const int64_t n = input.ndim() ? input.size(d) : 1;
  PYDL_CHECK(n > 0, IndexError, op, "(): Expected reduction dim ", d, " to have non-zero size.");
  auto [values, indices] = ordered(op, "MedianBackward1", input, d, std::nullopt, false);
  if (input.ndim() == 0) return {values, indices};
  Tensor at;
  {
    const autograd::GradGuard off(false);
    const Tensor rows = contiguous(transpose(values, d, -1));
    Dims shape = rows.sizes();
    shape.back() = 1;
    at = empty(shape, DType::Int64, op);
    const Tensor wide = to_dtype(rows, is_floating(rows.dtype()) ? DType::Float64 : rows.dtype());
    for (int64_t r = 0; r < at.numel(); ++r) {
      int64_t known = n;
      while (wide.dtype() == DType::Float64 && known > 0 && std::isnan(wide.data<double>()[r * n + known - 1])) --known;
      at.data<int64_t>()[r] = median_place(n, known, skip_nan);
    }
    at = contiguous(transpose(at, d, -1));
  }
  values = gather(values, d, at);
  indices = gather(indices, d, at);
  if (keepdim) return {values, indices};
  const int64_t dims[] = {d};
  return {squeeze(values, IntSpan(dims)), squeeze(indices, IntSpan(dims))};
}
std::tuple<Tensor, Tensor> median_dim(const Tensor& input, int64_t dim, bool keepdim) {
  return median_along("median", input, dim, keepdim, false);
}
std::tuple<Tensor, Tensor> nanmedian_dim(const Tensor& input, int64_t dim, bool keepdim) {
  return median_along("nanmedian", input, dim, keepdim, true);
}
Tensor median_flat(const char* op, const Tensor& input, bool skip_nan) {
  if (input.numel() == 0 && is_floating(input.dtype())) return scalar_tensor(Scalar(static_cast<double>(NAN)), input.dtype());
  return std::get<0>(median_along(op, reshape(input, Dims{input.numel()}), 0, false, skip_nan));
}
Tensor median_all(const Tensor& input) { return median_flat("median", input, false); }
Tensor nanmedian_all(const Tensor& input) { return median_flat("nanmedian", input, true); }

// The most frequent value of each row, the smallest of several, and the last place where it stands.
std::tuple<Tensor, Tensor> mode(const Tensor& input, int64_t dim, bool keepdim) {
  const int d = wrap_dim(dim, input.ndim(), "mode");
  const int64_t n = input.ndim() ? input.size(d) : 1;
  PYDL_CHECK(n > 0, IndexError, "mode(): Expected reduction dim ", d, " to have non-zero size.");
  PYDL_CHECK(!is_complex(input.dtype()), NotImplemented, "mode(): not implemented for ", input.dtype());
  Tensor indices;
  {
    const autograd::GradGuard off(false);
    const Tensor rows = contiguous(input.ndim() ? transpose(input, d, -1) : reshape(input, Dims{1}));
    const Tensor positions = order("mode", rows, n, false), v = to_dtype(rows, compute_type(rows.dtype()));
    Dims shape = rows.sizes();
    shape.back() = 1;
    indices = empty(shape, DType::Int64, "mode");
    dispatch("mode", v.dtype(), RealTypes{}, [&]<class T>(T) {
      for (int64_t r = 0; r < indices.numel(); ++r) {
        const int64_t* p = positions.data<int64_t>() + r * n;
        const T* x = v.data<T>() + r * n;
        int64_t best = 0, start = 0;
        for (int64_t i = 0; i < n; ++i) {
          if (i && !(x[p[i]] == x[p[i - 1]])) start = i;
          if (i - start + 1 <= best) continue;
          best = i - start + 1;
          indices.data<int64_t>()[r] = p[i];
        }
      }
    });
    indices = input.ndim() ? contiguous(transpose(indices, d, -1)) : reshape(indices, IntSpan());
  }
  const Tensor values = gather(input, d, indices);
  if (keepdim || input.ndim() == 0) return {values, indices};
  const int64_t dims[] = {d};
  return {squeeze(values, IntSpan(dims)), squeeze(indices, IntSpan(dims))};
}

// ---- distinct values -------------------------------------------------------------------------------------------

// Sorted distinct values of all elements, the position of each element among them, how often each occurs.
std::tuple<Tensor, Tensor, Tensor> unique_values(const Tensor& input) {
  const autograd::GradGuard off(false);
  const Tensor flat = reshape(contiguous(input), Dims{input.numel()});
  const int64_t n = flat.numel();
  const Tensor at = n ? order("unique", flat, n, false) : empty(Dims{0}, DType::Int64, "unique");
  const Tensor v = to_dtype(flat, compute_type(flat.dtype())), inverse = empty(Dims{n}, DType::Int64, "unique");
  std::vector<int64_t> starts;
  dispatch("unique", v.dtype(), RealTypes{}, [&]<class T>(T) {
    const int64_t* p = at.data<int64_t>();
    const T* x = v.data<T>();
    for (int64_t i = 0; i < n; ++i) {
      if (i == 0 || x[p[i]] != x[p[i - 1]]) starts.push_back(i);
      inverse.data<int64_t>()[p[i]] = static_cast<int64_t>(starts.size()) - 1;
    }
  });
  const auto count = static_cast<int64_t>(starts.size());
  const Tensor first = empty(Dims{count}, DType::Int64, "unique"), counts = empty(Dims{count}, DType::Int64, "unique");
  for (int64_t i = 0; i < count; ++i) {
    first.data<int64_t>()[i] = at.data<int64_t>()[starts[static_cast<size_t>(i)]];
    counts.data<int64_t>()[i] = (i + 1 < count ? starts[static_cast<size_t>(i) + 1] : n) - starts[static_cast<size_t>(i)];
  }
  return {gather(flat, 0, first), reshape(inverse, input.sizes()), counts};
}

Tensor bincount(const Tensor& input, const Tensor& weights, int64_t minlength) {
  PYDL_CHECK(input.ndim() == 1 && is_integral_or_bool(input.dtype()), Error, "bincount(): only supports 1-d non-negative integral inputs.");
  PYDL_CHECK(minlength >= 0, Error, "bincount(): minlength should be >= 0");
  PYDL_CHECK(!weights.defined() || weights.sizes() == input.sizes(), ShapeError,
             "bincount(): weights should be 1-d and have the same length as input");
  const autograd::GradGuard off(false);
  const Tensor at = contiguous(to_dtype(input, DType::Int64));
  const int64_t* v = at.data<int64_t>();
  int64_t bins = minlength;
  for (int64_t i = 0; i < at.numel(); ++i) {
    PYDL_CHECK(v[i] >= 0, Error, "bincount(): only supports 1-d non-negative integral inputs.");
    PYDL_CHECK(v[i] < INT64_MAX, ShapeError, "bincount(): the result for the value ", v[i], " is too large");
    bins = std::max(bins, v[i] + 1);
  }
  if (!weights.defined()) {
    const Tensor out = zeros(Dims{bins}, DType::Int64);
    for (int64_t i = 0; i < at.numel(); ++i) ++out.data<int64_t>()[v[i]];
    return out;
  }
  const DType dtype = weights.dtype() == DType::Float32 ? DType::Float32 : DType::Float64;
  const Tensor w = contiguous(to_dtype(weights, DType::Float64)), out = zeros(Dims{bins}, DType::Float64);
  for (int64_t i = 0; i < at.numel(); ++i) out.data<double>()[v[i]] += w.data<double>()[i];
  return to_dtype(out, dtype);
}

}  // namespace

PYDL_OP(sort, "sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> (values: Tensor, indices: Tensor)",
        Function | Method | Out, R"doc(
The elements in order along `dim`, and where they came from. Equal elements keep their order; NaN counts as the largest.

Example:
    >>> pydl.sort(pydl.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
)doc");
PYDL_OP(argsort, "argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor", Function | Method,
        R"doc(
The positions that sort the elements along `dim`, see `sort`.

Example:
    >>> pydl.argsort(pydl.tensor([3, 1, 2]))
    tensor([1, 2, 0])
)doc");
PYDL_OP(topk, "topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> (values: Tensor, indices: Tensor)",
        Function | Method | Out, R"doc(
The `k` largest (or smallest) elements along `dim`, in order, and their positions. Raises RuntimeError if there are fewer.

Example:
    >>> pydl.topk(pydl.tensor([3, 1, 2]), 2).values
    tensor([3, 2])
)doc");
PYDL_OP(kthvalue, "kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> (values: Tensor, indices: Tensor)",
        Function | Method | Out, R"doc(
The k-th smallest element along `dim`, counted from 1, and its position.

Example:
    >>> pydl.kthvalue(pydl.tensor([3, 1, 2]), 2).values
    tensor(2)
)doc");
PYDL_OP(median_all, "median(input: Tensor) -> Tensor", Function | Method, R"doc(
The middle element in order, the lower of two; NaN if there is one. With `dim`, a named tuple (values, indices) along it.

Example:
    >>> pydl.median(pydl.tensor([3, 1, 2, 4]))
    tensor(2)
)doc");
PYDL_OP(median_dim, "median(input: Tensor, dim: int, keepdim: bool = False) -> (values: Tensor, indices: Tensor)", Function | Method | Out,
        R"doc()doc");
PYDL_OP(nanmedian_all, "nanmedian(input: Tensor) -> Tensor", Function | Method, R"doc(
The middle one of the elements that are not NaN, the lower of two. With `dim`, a named tuple (values, indices) along it.

Example:
    >>> pydl.nanmedian(pydl.tensor([3., float('nan'), 1., 2.]))
    tensor(2.)
)doc");
PYDL_OP(nanmedian_dim, "nanmedian(input: Tensor, dim: int, keepdim: bool = False) -> (values: Tensor, indices: Tensor)",
        Function | Method | Out, R"doc()doc");
PYDL_OP(mode, "mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> (values: Tensor, indices: Tensor)", Function | Method | Out,
        R"doc(
The most frequent element along `dim`, the smallest of several, and the last position where it stands.

Raises IndexError for a dim of size 0.

Example:
    >>> pydl.mode(pydl.tensor([3, 1, 3, 1, 2])).values
    tensor(1)
)doc");
PYDL_OP(msort, "msort(input: Tensor) -> Tensor", Function | Method | Out, R"doc(
The elements in order along dim 0.

Example:
    >>> pydl.msort(pydl.tensor([3, 1, 2]))
    tensor([1, 2, 3])
)doc");
PYDL_OP(unique_values, "_unique(input: Tensor) -> (Tensor, Tensor, Tensor)", Private, R"doc()doc");
PYDL_OP(bincount, "bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor", Function | Method, R"doc(
How often each of 0, 1, ... occurs in a vector of integers, or the sum of its weights.

Example:
    >>> pydl.bincount(pydl.tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
)doc");

}  // namespace pydl
