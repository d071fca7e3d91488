#include "ops/random/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/parallel.h"
#include "kernels/random/philox.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/random/sample.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;

namespace {

Tensor finish(const Tensor& t, bool requires_grad, const char* op) {
  PYDL_CHECK(!requires_grad || is_differentiable(t.dtype()), Error, op,
             "(): Only Tensors of floating point and complex dtype can require gradients");
  t->requires_grad = requires_grad;
  t->is_inference = inference_mode;
  return t;
}

Tensor like(const Tensor& input, std::optional<DType> dtype, const char* op) {
  const DType type = dtype.value_or(input.dtype());
  return input.contiguous() ? empty(input.sizes(), type, op) : empty_strided(input.sizes(), dense_strides_like(input), type, op);
}

// Both parts of complex numbers are drawn; `deviation` is that of a real part.
void draw(const char* op, const Tensor& t, bool normal, Generator* g) {
  const auto fill = [&](const Tensor& part, double deviation) {
    normal ? fill_normal(part, 0, deviation, g) : fill_uniform(part, 0, 1, g);
  };
  PYDL_CHECK(is_differentiable(t.dtype()) && t.dtype() != DType::ComplexHalf, NotImplemented, op, "(): not implemented for ", t.dtype());
  if (!is_complex(t.dtype())) return fill(t, 1);
  const Tensor part = empty(t.sizes(), real_type(t.dtype()), op);
  const autograd::GradGuard off(false);
  fill(part, M_SQRT1_2);
  copy_raw(real(t), part);
  fill(part, M_SQRT1_2);
  copy_raw(imag(t), part);
}

Tensor rand(IntSpan size, Generator* g, std::optional<DType> dtype, Device, bool requires_grad) {
  const Tensor t = empty(size, dtype.value_or(default_dtype()), "rand");
  draw("rand", t, false, g);
  return finish(t, requires_grad, "rand");
}
Tensor randn(IntSpan size, Generator* g, std::optional<DType> dtype, Device, bool requires_grad) {
  const Tensor t = empty(size, dtype.value_or(default_dtype()), "randn");
  draw("randn", t, true, g);
  return finish(t, requires_grad, "randn");
}
Tensor rand_like(const Tensor& input, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  const Tensor t = like(input, dtype, "rand_like");
  draw("rand_like", t, false, nullptr);
  return finish(t, requires_grad, "rand_like");
}
Tensor randn_like(const Tensor& input, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  const Tensor t = like(input, dtype, "randn_like");
  draw("randn_like", t, true, nullptr);
  return finish(t, requires_grad, "randn_like");
}

Tensor integers(const char* op, const Tensor& t, int64_t low, int64_t high, Generator* g, bool requires_grad) {
  PYDL_CHECK(!is_complex(t.dtype()), NotImplemented, op, "(): not implemented for ", t.dtype());
  check_bounds(op, t.dtype(), low, high);
  fill_integers(t, low, static_cast<uint64_t>(high) - static_cast<uint64_t>(low), g);
  return finish(t, requires_grad, op);
}
Tensor randint(int64_t low, int64_t high, IntSpan size, Generator* g, std::optional<DType> dtype, Device, bool requires_grad) {
  return integers("randint", empty(size, dtype.value_or(DType::Int64), "randint"), low, high, g, requires_grad);
}
Tensor randint_high(int64_t high, IntSpan size, Generator* g, std::optional<DType> dtype, Device d, bool requires_grad) {
  return randint(0, high, size, g, dtype, d, requires_grad);
}
Tensor randint_like(const Tensor& input, int64_t low, int64_t high, std::optional<DType> dtype, Device, bool requires_grad, MemoryFormat) {
  return integers("randint_like", like(input, dtype, "randint_like"), low, high, nullptr, requires_grad);
}
Tensor randint_like_high(const Tensor& input, int64_t high, std::optional<DType> dtype, Device d, bool requires_grad, MemoryFormat f) {
  return randint_like(input, 0, high, dtype, d, requires_grad, f);
}

// Fisher and Yates's shuffle.
Tensor randperm(int64_t n, Generator* g, std::optional<DType> given, Device, bool requires_grad) {
  const DType dtype = given.value_or(DType::Int64);
  PYDL_CHECK(n >= 0, Error, "randperm(): n must be non-negative, got ", n);
  PYDL_CHECK(!is_complex(dtype) && dtype != DType::Bool, NotImplemented, "randperm(): not implemented for ", dtype);
  const Tensor t = empty(Dims{n}, DType::Int64, "randperm"), words = empty(Dims{n}, DType::Int64, "randperm");
  fill_words(words.data<uint64_t>(), n, g);
  int64_t* v = t.data<int64_t>();
  std::iota(v, v + n, int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) {
    const auto below = static_cast<int64_t>(static_cast<unsigned __int128>(words.data<uint64_t>()[i]) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(v[i], v[below]);
  }
  return finish(to_dtype(t, dtype), requires_grad, "randperm");
}

// ---- drawn from parameters -------------------------------------------------------------------------------------

// Zero gradients to the parameters, as in torch.
template <class... Ts>
Tensor without_gradient(const Tensor& out, const char* node, const Ts&... inputs) {
  if (needs_grad(inputs...)) {
    record({}, node, out, {&inputs...}, [](Backward& b) { b.set(0, zeros(b.grad().sizes(), b.grad().dtype())); });
  }
  return out;
}

Tensor bernoulli(const Tensor& input, Generator* g) {
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, "bernoulli(): not implemented for ", input.dtype());
  Tensor out;
  {
    const autograd::GradGuard off(false);
    PYDL_CHECK(!has_zero(logical_and(ge(input, Operand(0)), le(input, Operand(1)))), Error,
               "bernoulli(): Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
    const Tensor u = empty(input.sizes(), DType::Float64, "bernoulli");
    fill_uniform(u, 0, 1, g);
    out = to_dtype(lt(u, input), input.dtype());
  }
  return without_gradient(out, "BernoulliBackward0", input);
}
Tensor bernoulli_p(const Tensor& input, double p, Generator* g) {
  PYDL_CHECK(p >= 0 && p <= 1, Error, "bernoulli(): expects p to be in [0, 1], but got p=", p);
  const Tensor out = like(input, std::nullopt, "bernoulli");
  fill_bernoulli(out, p, g);
  return without_gradient(out, "BernoulliBackward0", input);
}

Tensor standard_normal(IntSpan size, DType dtype, Generator* g) {
  PYDL_CHECK(is_floating(dtype), NotImplemented, "normal(): not implemented for ", dtype);
  const Tensor z = empty(size, dtype, "normal");
  fill_normal(z, 0, 1, g);
  return z;
}
Tensor normal(const Tensor& mean, const Operand& std, Generator* g) {
  const autograd::GradGuard off(false);
  if (!std.is_tensor()) {
    PYDL_CHECK(std.scalar().to_double() >= 0, Error, "normal(): expects std >= 0.0, but found std ", std.scalar().to_double());
    return add(mul(standard_normal(mean.sizes(), mean.dtype(), g), std), mean);
  }
  PYDL_CHECK(!is_nonzero_any(lt(std.tensor(), Operand(0))), Error, "normal(): expects all elements of std >= 0.0");
  return add(mul(standard_normal(broadcast_shapes(mean.sizes(), std.tensor().sizes(), "normal"), mean.dtype(), g), std), mean);
}
Tensor normal_std(double mean, const Tensor& std, Generator* g) {
  const autograd::GradGuard off(false);
  PYDL_CHECK(!is_nonzero_any(lt(std, Operand(0))), Error, "normal(): expects all elements of std >= 0.0");
  return add(mul(standard_normal(std.sizes(), std.dtype(), g), std), Operand(mean));
}
Tensor normal_size(double mean, double std, IntSpan size, Generator* g, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(std >= 0, Error, "normal(): expects std >= 0.0, but found std ", std);
  const DType type = dtype.value_or(default_dtype());
  PYDL_CHECK(is_floating(type), NotImplemented, "normal(): not implemented for ", type);
  const Tensor t = empty(size, type, "normal");
  fill_normal(t, mean, std, g);
  return finish(t, requires_grad, "normal");
}

// One row of weights. Without replacement the largest of weight / exponential numbers are taken: each prefix is then
// drawn in proportion to the weights left (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
void draw_row(const double* weight, int64_t n, int64_t samples, bool replacement, const double* u, int64_t* out) {
  if (replacement) {
    std::vector<double> upto(static_cast<size_t>(n));
    std::partial_sum(weight, weight + n, upto.begin());
    const int64_t last = std::find_if(upto.begin(), upto.end(), [&](double v) { return v >= upto.back(); }) - upto.begin();
    for (int64_t i = 0; i < samples; ++i) {
      const int64_t at = std::upper_bound(upto.begin(), upto.end(), u[i] * upto.back()) - upto.begin();
      out[i] = std::min(at, last);
    }
    return;
  }
  std::vector<std::pair<double, int64_t>> keys(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    keys[static_cast<size_t>(i)] = {weight[i] > 0 ? weight[i] / std::max(-std::log1p(-u[i]), 1e-300) : -1.0, i};
  const auto before = [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; };
  std::partial_sort(keys.begin(), keys.begin() + samples, keys.end(), before);
  for (int64_t i = 0; i < samples; ++i) out[i] = keys[static_cast<size_t>(i)].second;
}

Tensor multinomial(const Tensor& input, int64_t num_samples, bool replacement, Generator* g) {
  PYDL_CHECK(input.ndim() == 1 || input.ndim() == 2, ShapeError, "multinomial(): prob_dist must be 1 or 2 dim");
  PYDL_CHECK(is_floating(input.dtype()), Error, "multinomial(): only supports floating-point dtypes for input, got: ", input.dtype());
  PYDL_CHECK(num_samples > 0, Error, "multinomial(): cannot sample n_sample <= 0 samples");
  const int64_t n = input.size(input.ndim() - 1), rows = input.ndim() == 2 ? input.size(0) : 1;
  PYDL_CHECK(replacement || num_samples <= n, Error,
             "multinomial(): cannot sample n_sample > prob_dist.size(-1) samples without replacement");
  PYDL_CHECK(n < int64_t{1} << 24, Error, "multinomial(): number of categories cannot exceed 2^24");
  const autograd::GradGuard off(false);
  const Tensor weights = contiguous(to_dtype(input, DType::Float64));
  const double* w = weights.data<double>();
  for (int64_t r = 0; r < rows; ++r) {
    int64_t positive = 0;
    for (int64_t i = 0; i < n; ++i) {
      const double v = w[r * n + i];
      PYDL_CHECK(std::isfinite(v) && v >= 0, Error, "multinomial(): probability tensor contains either `inf`, `nan` or element < 0");
      positive += v > 0;
    }
    PYDL_CHECK(positive > 0, Error, "multinomial(): invalid multinomial distribution (sum of probabilities <= 0)");
    PYDL_CHECK(replacement || positive >= num_samples, Error,
               "multinomial(): invalid multinomial distribution (with replacement=False, not enough non-negative category to sample)");
  }
  Dims shape = input.sizes();
  shape.back() = num_samples;
  const Tensor out = empty(shape, DType::Int64, "multinomial");
  const int64_t draws = replacement ? num_samples : n;
  const Tensor u = empty(Dims{rows, draws}, DType::Float64, "multinomial");
  fill_unit(u.data<double>(), rows * draws, g);
  parallel_for(rows, 4096 / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      draw_row(w + r * n, n, num_samples, replacement, u.data<double>() + r * draws, out.data<int64_t>() + r * num_samples);
  });
  return out;
}

// ---- dropout ---------------------------------------------------------------------------------------------------

void check_probability(const char* op, double p) {
  PYDL_CHECK(p >= 0 && p <= 1, Error, op, "(): dropout probability has to be between 0 and 1, but got ", p);
}

constexpr int64_t kMaskWord = 64, kWordsAtATime = 256;

// f(begin, end, word) for parts of n elements that begin with a word of the mask.
template <class F>
void by_words(int64_t n, const F& f) {
  parallel_for((n + kMaskWord - 1) / kMaskWord, kWordsAtATime,
               [&](int64_t begin, int64_t end) { f(begin * kMaskWord, std::min(n, end * kMaskWord), begin); });
}

// The result's gradient by the decisions that were made for the result.
Tensor drop_again(const Tensor& grad, const Tensor& kept, double scale) {
  const Tensor x = contiguous(to_dtype(grad, compute_type(grad.dtype()))), y = empty(x.sizes(), x.dtype(), "dropout");
  const auto kernel = kernels::random::dropout_again()[x.dtype()];
  const int64_t item = x.item_size();
  by_words(x.numel(), [&](int64_t begin, int64_t end, int64_t word) {
    kernel(y->data + begin * item, x->data + begin * item, end - begin, scale, kept.data<uint64_t>() + word);
  });
  return to_dtype(y, grad.dtype());
}

// x mask / (1 - p). The mask is a function of the generator's state alone; its bits are kept for a backward pass.
Tensor drop(const Tensor& input, Generator::State s, double p) {
  const double scale = p < 1 ? 1 / (1 - p) : 0;
  Tensor out, kept;
  if (needs_grad(input)) kept = empty(Dims{(input.numel() + kMaskWord - 1) / kMaskWord}, DType::UInt64, "dropout");
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(to_dtype(input, compute_type(input.dtype())));
    const Tensor y = empty(x.sizes(), x.dtype(), "dropout");
    const auto kernel = kernels::random::dropout()[x.dtype()];
    const int64_t item = x.item_size();
    by_words(x.numel(), [&](int64_t begin, int64_t end, int64_t word) {
      kernel(y->data + begin * item, x->data + begin * item, begin, end - begin, s.seed, s.position, 1 - p, scale,
             kept.defined() ? kept.data<uint64_t>() + word : nullptr);
    });
    out = to_dtype(y, input.dtype());
  }
  if (kept.defined()) {
    record({}, "DropoutBackward0", out, {&input},
           [s, p, kept, scale](Backward& b) { b.set(0, autograd::mode.grad ? drop(b.grad(), s, p) : drop_again(b.grad(), kept, scale)); });
  }
  return out;
}

// One mask element for each (sample, channel).
Tensor feature_mask(const char* op, const Tensor& input, double p) {
  PYDL_CHECK(input.ndim() >= 2, ShapeError, op, "(): Feature dropout requires at least 2 dimensions in the input");
  Dims shape(input.ndim(), 1);
  shape[0] = input.size(0);
  shape[1] = input.size(1);
  const Tensor mask = empty(shape, input.dtype(), op);
  fill_bernoulli(mask, 1 - p);
  return mask;
}

bool drops(const char* op, const Tensor& input, double p, bool train) {
  check_probability(op, p);
  PYDL_CHECK(!train || is_floating(input.dtype()), Error, op, "(): result type Float can't be cast to ", input.dtype());
  return train && p > 0 && input.numel() > 0;
}

Tensor feature_dropout(const Tensor& input, double p, bool train) {
  if (!drops("feature_dropout", input, p, train)) return input;
  const Tensor mask = feature_mask("feature_dropout", input, p);
  return mul(input, p < 1 ? div(mask, Operand(1 - p)) : mask);
}

// Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017: dropped elements take SELU's negative limit, and an
// affine map restores mean and variance.
Tensor alpha_drop(const Tensor& input, const Tensor& mask, double p) {
  if (p == 1) return mul(input, Operand(0));
  constexpr double alpha = -1.7580993408473766;
  const double a = 1 / std::sqrt((alpha * alpha * p + 1) * (1 - p));
  const Tensor shift = add(mul(rsub(mask, Operand(1)), Operand(alpha * a)), Operand(-alpha * a * p));
  return add(mul(input, mul(mask, Operand(a))), shift);
}
Tensor alpha_dropout(const Tensor& input, double p, bool train) {
  if (!drops("alpha_dropout", input, p, train)) return input;
  const Tensor mask = empty(input.sizes(), input.dtype(), "alpha_dropout");
  fill_bernoulli(mask, 1 - p);
  return alpha_drop(input, mask, p);
}
Tensor feature_alpha_dropout(const Tensor& input, double p, bool train) {
  if (!drops("feature_alpha_dropout", input, p, train)) return input;
  return alpha_drop(input, feature_mask("feature_alpha_dropout", input, p), p);
}

template <Tensor (*F)(const Tensor&, double, bool)>
Tensor with_dest(const Tensor& input, double p, bool train, const Dest& dest) {
  const Tensor out = F(input, p, train);
  return dest.is_new() || out.same(dest.tensor()) ? out : copy_(dest.tensor(), out);
}

}  // namespace

Tensor dropout(const Tensor& input, double p, bool train) {
  if (!drops("dropout", input, p, train)) return input;
  return drop(input, reserve_mask(input.numel(), nullptr), p);
}

#define PYDL_FACTORY_OPTIONS "dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False"
#define PYDL_LIKE_OPTIONS "*, " PYDL_FACTORY_OPTIONS ", memory_format: memory_format = preserve_format"

PYDL_OP(rand, "rand(size: Size, *, generator: Generator | None = None, " PYDL_FACTORY_OPTIONS ") -> Tensor", Function | Out, R"doc(
Numbers drawn evenly from [0, 1).

Example:
    >>> pydl.rand(2, 3).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(randn, "randn(size: Size, *, generator: Generator | None = None, " PYDL_FACTORY_OPTIONS ") -> Tensor", Function | Out, R"doc(
Numbers of the standard normal distribution.

Example:
    >>> pydl.randn(2, 3).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(rand_like, "rand_like(input: Tensor, " PYDL_LIKE_OPTIONS ") -> Tensor", Function, R"doc(
Numbers drawn evenly from [0, 1), with the size and dtype of `input`.

Example:
    >>> pydl.rand_like(pydl.ones(2, 3)).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(randn_like, "randn_like(input: Tensor, " PYDL_LIKE_OPTIONS ") -> Tensor", Function, R"doc(
Numbers of the standard normal distribution, with the size and dtype of `input`.

Example:
    >>> pydl.randn_like(pydl.ones(2, 3)).shape
    torch.Size([2, 3])
)doc");
PYDL_OP(randint, "randint(low: int, high: int, size: Size, *, generator: Generator | None = None, " PYDL_FACTORY_OPTIONS ") -> Tensor",
        Function | Out, R"doc(
Integers drawn evenly from [low, high), int64 by default; low is 0 if left out.

Raises RuntimeError unless low < high.

Example:
    >>> pydl.randint(3, 4, (2,))
    tensor([3, 3])
)doc");
PYDL_OP(randint_high, "randint(high: int, size: Size, *, generator: Generator | None = None, " PYDL_FACTORY_OPTIONS ") -> Tensor",
        Function | Out, R"doc()doc");
PYDL_OP(randint_like, "randint_like(input: Tensor, low: int, high: int, " PYDL_LIKE_OPTIONS ") -> Tensor", Function, R"doc(
Integers drawn evenly from [low, high), with the size and dtype of `input`; low is 0 if left out.

Example:
    >>> pydl.randint_like(pydl.ones(2), 3, 4)
    tensor([3., 3.])
)doc");
PYDL_OP(randint_like_high, "randint_like(input: Tensor, high: int, " PYDL_LIKE_OPTIONS ") -> Tensor", Function, R"doc()doc");
PYDL_OP(randperm,
        "randperm(n: int, *, generator: Generator | None = None, dtype: dtype | None = None, device: device | None = None, requires_grad: "
        "bool = False) -> Tensor",
        Function | Out, R"doc(
The integers 0 .. n - 1 in random order, int64 by default.

Example:
    >>> pydl.randperm(4).sort().values
    tensor([0, 1, 2, 3])
)doc");
PYDL_OP(bernoulli, "bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor", Function | Method | Out, R"doc(
Ones, each with the probability in `input` (or with `p`), and zeros. Raises RuntimeError for a probability outside [0, 1].

Example:
    >>> pydl.bernoulli(pydl.tensor([0., 1.]))
    tensor([0., 1.])
)doc");
PYDL_OP(bernoulli_p, "bernoulli(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor", Function | Method, R"doc()doc");
PYDL_OP(normal, "normal(mean: Tensor, std: Tensor | Number = 1, *, generator: Generator | None = None) -> Tensor", Function | Out, R"doc(
Normal numbers with the given means and standard deviations: tensors, or numbers and a size.

Example:
    >>> pydl.normal(3., 0., (2,))
    tensor([3., 3.])
)doc");
PYDL_OP(normal_std, "normal(mean: float, std: Tensor, *, generator: Generator | None = None) -> Tensor", Function | Out, R"doc()doc");
PYDL_OP(normal_size,
        "normal(mean: float, std: float, size: Size, *, generator: Generator | None = None, " PYDL_FACTORY_OPTIONS ") -> Tensor",
        Function | Out, R"doc()doc");
PYDL_OP(multinomial,
        "multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor",
        Function | Method | Out, R"doc(
Indices drawn in proportion to the weights in each row of `input`, as int64.

Raises RuntimeError for weights that are negative, not finite or all zero, and for more samples than there are positive
weights without replacement.

Example:
    >>> pydl.multinomial(pydl.tensor([0., 1., 0.]), 1)
    tensor([1])
)doc");
PYDL_OP(with_dest<&dropout>, "dropout(input: Tensor, p: float, train: bool) -> Tensor", Function | Inplace, R"doc(
In training each element becomes zero with probability `p` and the others are divided by 1 - p.

Raises RuntimeError for `p` outside [0, 1].

Example:
    >>> pydl.dropout(pydl.ones(2), 0.5, False)
    tensor([1., 1.])
)doc");
PYDL_OP(with_dest<&feature_dropout>, "feature_dropout(input: Tensor, p: float, train: bool) -> Tensor", Function | Inplace, R"doc(
`dropout` of whole channels: one decision for each of the first two dims.

Example:
    >>> pydl.feature_dropout(pydl.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
)doc");
PYDL_OP(with_dest<&alpha_dropout>, "alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor", Function | Inplace, R"doc(
Dropout that keeps mean and variance of SELU networks.

Example:
    >>> pydl.alpha_dropout(pydl.ones(2), 0.5, False)
    tensor([1., 1.])
)doc");
PYDL_OP(with_dest<&feature_alpha_dropout>, "feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor", Function | Inplace,
        R"doc(
`alpha_dropout` of whole channels.

Example:
    >>> pydl.feature_alpha_dropout(pydl.ones(1, 2), 0.5, False)
    tensor([[1., 1.]])
)doc");

}  // namespace pydl
