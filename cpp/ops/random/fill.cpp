// Filling tensors with random numbers.
#include <cmath>
#include <limits>

#include "core/parallel.h"
#include "kernels/random/philox.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/random/random.h"
#include "ops/random/sample.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
namespace philox = kernels::random;

namespace {

constexpr int64_t kGrain = 16384;

Generator::State reserve(Generator* g, int64_t n, bool two_words) {
  const uint64_t counters = philox::counters_used(n, two_words);
  return g ? g->reserve(counters) : default_generator()->reserve(counters);
}

// n elements of `dtype` at `out`.
void fill_memory(const philox::FillTable& table, DType dtype, void* out, int64_t n, bool two_words, const void* params, Generator* g) {
  const Generator::State s = reserve(g, n, two_words);
  const philox::Fill fill = table[dtype];
  char* to = static_cast<char*>(out);
  parallel_for(n, kGrain,
               [&](int64_t begin, int64_t end) { fill(to + begin * item_size(dtype), begin, end - begin, s.seed, s.position, params); });
}

// Strided tensors, and dtypes without a kernel, are filled by way of a contiguous tensor of `fallback`.
void fill_tensor(const philox::FillTable& table, const Tensor& t, DType fallback, bool (*two_words)(DType), const void* params,
                 Generator* g) {
  const bool direct = t.contiguous() && table[t.dtype()];
  const Tensor to = direct ? t : empty(t.sizes(), table[t.dtype()] ? t.dtype() : fallback, "random");
  fill_memory(table, to.dtype(), to->data, to.numel(), two_words(to.dtype()), params, g);
  if (!direct) copy_raw(t, to);
}

bool is_double(DType d) { return d == DType::Float64; }
bool never(DType) { return false; }
bool always(DType) { return true; }

}  // namespace

void fill_uniform(const Tensor& t, double low, double high, Generator* g) {
  if (is_half(t.dtype()) && low == 0 && high == 1) {
    // As many bits as the format holds, so that rounding cannot give 1.
    const double steps = t.dtype() == DType::Float16 ? 2048 : 256;
    const Tensor whole = empty(t.sizes(), DType::Float32, "uniform");
    const philox::UniformParams p{0, steps};
    fill_memory(philox::uniform(), DType::Float32, whole->data, whole.numel(), false, &p, g);
    float* v = whole.data<float>();
    for (int64_t i = 0; i < whole.numel(); ++i) v[i] = std::floor(v[i]) / static_cast<float>(steps);
    copy_raw(t, whole);
    return;
  }
  const philox::UniformParams p{low, high};
  fill_tensor(philox::uniform(), t, DType::Float32, &is_double, &p, g);
}

void fill_normal(const Tensor& t, double mean, double deviation, Generator* g) {
  const philox::NormalParams p{mean, deviation};
  fill_tensor(philox::normal(), t, DType::Float32, &never, &p, g);
}

void fill_integers(const Tensor& t, int64_t low, uint64_t range, Generator* g) {
  const philox::RandintParams p{low, range};
  fill_tensor(philox::randint(), t, DType::Float64, &always, &p, g);
}

void fill_bernoulli(const Tensor& t, double probability, Generator* g) {
  const philox::BernoulliParams p{probability};
  fill_tensor(philox::bernoulli(), t, DType::Float32, &never, &p, g);
}

void fill_words(uint64_t* out, int64_t n, Generator* g) { fill_memory(philox::bits(), DType::UInt64, out, n, true, nullptr, g); }

void fill_unit(double* out, int64_t n, Generator* g) {
  const philox::UniformParams p{0, 1};
  fill_memory(philox::uniform(), DType::Float64, out, n, true, &p, g);
}

Generator::State reserve_mask(int64_t n, Generator* g) { return reserve(g, n, false); }

void fill_mask(uint8_t* out, int64_t begin, int64_t count, Generator::State s, double probability) {
  const philox::BernoulliParams p{probability};
  philox::bernoulli()[DType::Bool](out, begin, count, s.seed, s.position, &p);
}

// ---- in place --------------------------------------------------------------------------------------------------

namespace {

void check_target(const char* op, const Tensor& t) {
  PYDL_CHECK(!t->storage->read_only(), Error, op, "(): the memory of input is read-only");
  check_inplace(op, t);
  PYDL_CHECK(!has_internal_overlap(t), Error, op,
             "(): unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() "
             "the tensor before performing the operation.");
}

void check_floating(const char* op, const Tensor& t) {
  PYDL_CHECK(is_floating(t.dtype()), NotImplemented, op, "(): \"", op, "\" not implemented for ", t.dtype());
}

// The old values are gone: no gradient flows to them.
Tensor written(const Tensor& t) {
  t->bump_version();
  if (autograd::needs_grad(t))
    record(Dest::inplace(t), "RandomBackward0", t, {&t}, [](Backward& b) { b.set(0, zeros(b.grad().sizes(), b.grad().dtype())); });
  return t;
}

Tensor uniform_(const Tensor& t, double from, double to, Generator* g) {
  check_floating("uniform_", t);
  PYDL_CHECK(from <= to, Error, "uniform_(): expects to return a [from, to) range, but found from=", from, " > to=", to);
  check_target("uniform_", t);
  fill_uniform(t, from, to, g);
  return written(t);
}

Tensor normal_(const Tensor& t, double mean, double std, Generator* g) {
  PYDL_CHECK(std >= 0, Error, "normal_(): expects std >= 0.0, but found std ", std);
  check_target("normal_", t);
  if (is_complex(t.dtype())) {
    const Tensor pair = raw_view(t, t.sizes(), t.strides(), t->offset);
    const Tensor re = empty(t.sizes(), real_type(t.dtype()), "normal_"), im = empty(t.sizes(), real_type(t.dtype()), "normal_");
    fill_normal(re, mean, std * M_SQRT1_2, g);
    fill_normal(im, 0, std * M_SQRT1_2, g);
    const autograd::GradGuard off(false);
    copy_raw(real(pair), re);
    copy_raw(imag(pair), im);
    return written(t);
  }
  check_floating("normal_", t);
  fill_normal(t, mean, std, g);
  return written(t);
}

struct Range {
  int64_t low;
  uint64_t range;
};

// Everything the dtype can hold: from 0 to the largest integer, or to the last one of a gapless run of floats.
Range whole_range(DType d) {
  switch (d) {
    case DType::Bool:
      return {0, 2};
    case DType::UInt8:
      return {0, uint64_t{1} << 8};
    case DType::Int8:
      return {0, uint64_t{1} << 7};
    case DType::UInt16:
      return {0, uint64_t{1} << 16};
    case DType::Int16:
      return {0, uint64_t{1} << 15};
    case DType::UInt32:
      return {0, uint64_t{1} << 32};
    case DType::Int32:
      return {0, uint64_t{1} << 31};
    case DType::UInt64:
      return {0, 0};
    case DType::Int64:
      return {0, uint64_t{1} << 63};
    case DType::Float16:
      return {0, (uint64_t{1} << 11) + 1};
    case DType::BFloat16:
      return {0, (uint64_t{1} << 8) + 1};
    case DType::Float32:
      return {0, (uint64_t{1} << 24) + 1};
    default:
      return {0, (uint64_t{1} << 53) + 1};
  }
}

Tensor random_range_(const Tensor& t, int64_t from, std::optional<int64_t> to, Generator* g) {
  PYDL_CHECK(!is_complex(t.dtype()), NotImplemented, "random_(): \"random_from_to\" not implemented for ", t.dtype());
  const Range whole = whole_range(t.dtype());
  uint64_t range = whole.range - static_cast<uint64_t>(from);
  if (to) {
    check_bounds("random_", t.dtype(), from, *to);
    range = static_cast<uint64_t>(*to) - static_cast<uint64_t>(from);
  }
  check_target("random_", t);
  fill_integers(t, from, range, g);
  return written(t);
}
Tensor random_to_(const Tensor& t, int64_t to, Generator* g) { return random_range_(t, 0, to, g); }
Tensor random_(const Tensor& t, Generator* g) { return random_range_(t, 0, std::nullopt, g); }

Tensor bernoulli_(const Tensor& t, double p, Generator* g) {
  PYDL_CHECK(p >= 0 && p <= 1, Error, "bernoulli_(): expects p to be in [0, 1], but got p=", p);
  PYDL_CHECK(!is_complex(t.dtype()), NotImplemented, "bernoulli_(): not implemented for ", t.dtype());
  check_target("bernoulli_", t);
  fill_bernoulli(t, p, g);
  return written(t);
}

Tensor bernoulli_each_(const Tensor& t, const Tensor& p, Generator* g) {
  PYDL_CHECK(!is_complex(t.dtype()), NotImplemented, "bernoulli_(): not implemented for ", t.dtype());
  const Tensor chances = contiguous(expand(to_dtype(detach(p), DType::Float64), t.sizes()));
  const double* c = chances.data<double>();
  for (int64_t i = 0; i < chances.numel(); ++i) {
    PYDL_CHECK(c[i] >= 0 && c[i] <= 1, Error, "bernoulli_(): expects p to be in [0, 1], but got p=", c[i]);
  }
  check_target("bernoulli_", t);
  const Tensor u = empty(t.sizes(), DType::Float64, "bernoulli_");
  fill_unit(u.data<double>(), u.numel(), g);
  for (int64_t i = 0; i < u.numel(); ++i) u.data<double>()[i] = u.data<double>()[i] < c[i];
  copy_raw(t, u);
  return written(t);
}

// f(u), u uniform in [0, 1).
template <class F>
Tensor transformed(const char* op, const Tensor& t, Generator* g, F f) {
  check_target(op, t);
  const Tensor u = empty(t.sizes(), DType::Float64, op);
  fill_unit(u.data<double>(), u.numel(), g);
  double* v = u.data<double>();
  parallel_for(u.numel(), 2048, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) v[i] = f(v[i]);
  });
  copy_raw(t, u);
  return written(t);
}

Tensor exponential_(const Tensor& t, double lambd, Generator* g) {
  check_floating("exponential_", t);
  PYDL_CHECK(lambd > 0, Error, "exponential_(): expects lambda > 0.0, but found lambda=", lambd);
  return transformed("exponential_", t, g, [lambd](double u) { return -std::log1p(-u) / lambd; });
}
Tensor cauchy_(const Tensor& t, double median, double sigma, Generator* g) {
  check_floating("cauchy_", t);
  PYDL_CHECK(sigma > 0, Error, "cauchy_(): expects sigma > 0.0, but found sigma=", sigma);
  return transformed("cauchy_", t, g, [=](double u) { return median + sigma * std::tan(M_PI * (u - 0.5)); });
}
Tensor geometric_(const Tensor& t, double p, Generator* g) {
  PYDL_CHECK(!is_complex(t.dtype()), NotImplemented, "geometric_(): not implemented for ", t.dtype());
  PYDL_CHECK(p > 0 && p < 1, Error, "geometric_(): expects p to be in (0, 1), but got p=", p);
  const double scale = 1 / std::log1p(-p);
  return transformed("geometric_", t, g, [scale](double u) { return std::max(1.0, std::ceil(std::log1p(-u) * scale)); });
}
Tensor log_normal_(const Tensor& t, double mean, double std, Generator* g) {
  check_floating("log_normal_", t);
  PYDL_CHECK(std > 0, Error, "log_normal_(): expects std > 0.0, but found std=", std);
  check_target("log_normal_", t);
  const Tensor z = empty(t.sizes(), DType::Float64, "log_normal_");
  fill_normal(z, mean, std, g);
  double* v = z.data<double>();
  for (int64_t i = 0; i < z.numel(); ++i) v[i] = std::exp(v[i]);
  copy_raw(t, z);
  return written(t);
}

}  // namespace

void check_bounds(const char* op, DType dtype, int64_t from, int64_t to) {
  PYDL_CHECK(from < to, Error, op, "(): random_ expects 'from' to be less than 'to', but got from=", from, " >= to=", to);
  if (!is_integral_or_bool(dtype) || dtype == DType::Int64 || dtype == DType::UInt64) return;
  const int64_t top = static_cast<int64_t>(whole_range(dtype).range) - 1,
                bottom = is_unsigned(dtype) || dtype == DType::Bool ? 0 : -top - 1;
  PYDL_CHECK(from >= bottom && from <= top, Error, op, "(): from is out of bounds for ", dtype);
  PYDL_CHECK(to - 1 >= bottom && to - 1 <= top, Error, op, "(): to - 1 is out of bounds for ", dtype);
}

PYDL_OP(uniform_, "uniform_(input: Tensor, from: float = 0, to: float = 1, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc(
Fills this tensor with numbers drawn evenly from [from, to).

Example:
    >>> pydl.empty(2).uniform_(3, 3)
    tensor([3., 3.])
)doc");
PYDL_OP(normal_, "normal_(input: Tensor, mean: float = 0, std: float = 1, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc(
Fills this tensor with numbers of the normal distribution.

Example:
    >>> pydl.empty(2).normal_(3, 0)
    tensor([3., 3.])
)doc");
PYDL_OP(random_, "random_(input: Tensor, *, generator: Generator | None = None) -> Tensor", Method | InplaceOnly, R"doc(
Fills this tensor with integers drawn evenly from [from, to): by default all that the dtype holds from 0 on.

Example:
    >>> pydl.empty(2).random_(3, 4)
    tensor([3., 3.])
)doc");
PYDL_OP(random_to_, "random_(input: Tensor, to: int, *, generator: Generator | None = None) -> Tensor", Method | InplaceOnly, R"doc()doc");
PYDL_OP(random_range_, "random_(input: Tensor, from: int, to: int | None, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc()doc");
PYDL_OP(bernoulli_, "bernoulli_(input: Tensor, p: float = 0.5, *, generator: Generator | None = None) -> Tensor", Method | InplaceOnly,
        R"doc(
Fills this tensor with ones, each with probability `p`, and zeros.

Example:
    >>> pydl.empty(2).bernoulli_(1)
    tensor([1., 1.])
)doc");
PYDL_OP(bernoulli_each_, "bernoulli_(input: Tensor, p: Tensor, *, generator: Generator | None = None) -> Tensor", Method | InplaceOnly,
        R"doc()doc");
PYDL_OP(exponential_, "exponential_(input: Tensor, lambd: float = 1, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc(
Fills this tensor with numbers of the density lambd * exp(-lambd * x).

Example:
    >>> bool((pydl.empty(9).exponential_() >= 0).all())
    True
)doc");
PYDL_OP(cauchy_, "cauchy_(input: Tensor, median: float = 0, sigma: float = 1, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc(
Fills this tensor with numbers of the Cauchy distribution.

Example:
    >>> pydl.empty(3).cauchy_().shape
    torch.Size([3])
)doc");
PYDL_OP(geometric_, "geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor", Method | InplaceOnly, R"doc(
Fills this tensor with the numbers of trials until a success of probability `p`.

Example:
    >>> bool((pydl.empty(9).geometric_(0.5) >= 1).all())
    True
)doc");
PYDL_OP(log_normal_, "log_normal_(input: Tensor, mean: float = 1, std: float = 2, *, generator: Generator | None = None) -> Tensor",
        Method | InplaceOnly, R"doc(
Fills this tensor with exp of normal numbers.

Example:
    >>> bool((pydl.empty(9).log_normal_() > 0).all())
    True
)doc");

}  // namespace pydl
