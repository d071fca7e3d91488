// Window functions, and creation from geometry or single numbers.
#include <cmath>
#include <numbers>

#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

namespace {

Tensor finish(Tensor t, bool requires_grad, const char* op) {
  PYDL_CHECK(!requires_grad || is_differentiable(t.dtype()), Error, op,
             "(): Only Tensors of floating point and complex dtype can require gradients");
  t->requires_grad = requires_grad;
  return t;
}

// w(k / (n - 1)) for k < n; a periodic window is one of n + 1 points without its last.
template <class F>
Tensor window(const char* op, int64_t n, bool periodic, std::optional<DType> dtype, bool requires_grad, F w) {
  const DType type = dtype.value_or(default_dtype());
  PYDL_CHECK(is_floating(type), Error, op, "(): expects floating point dtypes, got: ", type);
  PYDL_CHECK(n >= 0, Error, op, "(): requires non-negative window_length, got window_length=", n);
  const Tensor t = empty(Dims{n}, DType::Float64, op);
  const double last = static_cast<double>(n) - (periodic ? 0 : 1);
  for (int64_t k = 0; k < n; ++k) t.data<double>()[k] = n == 1 ? 1 : w(static_cast<double>(k) / last);
  const Tensor out = to_dtype(t, type);
  return finish(out, requires_grad, op);
}

constexpr double kTurn = 2 * std::numbers::pi;

Tensor bartlett(int64_t n, bool periodic, std::optional<DType> dtype, Device, bool requires_grad) {
  return window("bartlett_window", n, periodic, dtype, requires_grad, [](double x) { return 1 - std::abs(2 * x - 1); });
}
Tensor blackman(int64_t n, bool periodic, std::optional<DType> dtype, Device, bool requires_grad) {
  return window("blackman_window", n, periodic, dtype, requires_grad,
                [](double x) { return std::max(0.0, 0.42 - 0.5 * std::cos(kTurn * x) + 0.08 * std::cos(2 * kTurn * x)); });
}
Tensor hamming(int64_t n, bool periodic, double alpha, double beta, std::optional<DType> dtype, Device, bool requires_grad) {
  return window("hamming_window", n, periodic, dtype, requires_grad, [=](double x) { return alpha - beta * std::cos(kTurn * x); });
}
Tensor hann(int64_t n, bool periodic, std::optional<DType> dtype, Device, bool requires_grad) {
  return window("hann_window", n, periodic, dtype, requires_grad, [](double x) { return 0.5 - 0.5 * std::cos(kTurn * x); });
}

// The modified Bessel function of order 0 by its power series, sum (x/2)^2k / k!^2: all terms are positive.
double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; term > sum * 1e-17 && k < 2000; ++k) {
    term *= x / (2 * k) * (x / (2 * k));
    sum += term;
  }
  return sum;
}
Tensor kaiser(int64_t n, bool periodic, double beta, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(std::abs(beta) <= 700, Error, "kaiser_window(): beta must be within [-700, 700], got ", beta);
  const double scale = bessel_i0(beta);
  return window("kaiser_window", n, periodic, dtype, requires_grad,
                [=](double x) { return bessel_i0(beta * std::sqrt(std::max(0.0, 1 - (2 * x - 1) * (2 * x - 1)))) / scale; });
}

// ---- logarithmic and closed ranges -----------------------------------------------------------------------------

Tensor logspace(const Scalar& start, const Scalar& end, int64_t steps, double base, std::optional<DType> dtype, Device,
                bool requires_grad) {
  PYDL_CHECK(steps >= 0, Error, "logspace(): number of steps must be non-negative, got ", steps);
  PYDL_CHECK(!start.is_complex() && !end.is_complex(), Error, "logspace(): complex numbers are not supported");
  const double a = start.to_double(), z = end.to_double(), step = steps > 1 ? (z - a) / static_cast<double>(steps - 1) : 0;
  const Tensor t = empty(Dims{steps}, DType::Float64, "logspace");
  for (int64_t i = 0; i < steps; ++i) {
    const double exponent = i < steps / 2 || steps == 1 ? a + step * static_cast<double>(i) : z - step * static_cast<double>(steps - 1 - i);
    t.data<double>()[i] = std::pow(base, exponent);
  }
  return finish(to_dtype(t, dtype.value_or(default_dtype())), requires_grad, "logspace");
}

Tensor closed_range(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(!start.is_complex() && !end.is_complex() && !step.is_complex(), Error, "range(): complex numbers are not supported");
  const double a = start.to_double(), z = end.to_double(), s = step.to_double();
  PYDL_CHECK(s != 0, Error, "range(): step must be nonzero");
  PYDL_CHECK(std::isfinite(a) && std::isfinite(z) && std::isfinite(s), Error, "range(): unsupported range: ", a, " -> ", z);
  PYDL_CHECK((s > 0 && z >= a) || (s < 0 && z <= a), Error, "range(): upper bound and lower bound inconsistent with step sign");
  const double n = std::floor((z - a) / s) + 1;
  PYDL_CHECK(n <= 0x1p60, ShapeError, "range(): invalid size, possible overflow");
  const Tensor t = empty(Dims{static_cast<int64_t>(n)}, DType::Float64, "range");
  for (int64_t i = 0; i < t.numel(); ++i) t.data<double>()[i] = a + static_cast<double>(i) * s;
  return finish(to_dtype(t, dtype.value_or(default_dtype())), requires_grad, "range");
}

// ---- from a number, from strides -------------------------------------------------------------------------------

Tensor scalar_tensor_op(const Scalar& s, std::optional<DType> dtype, Device, bool requires_grad) {
  const DType type = dtype.value_or(default_dtype());
  PYDL_CHECK(!s.is_complex() || is_complex(type), Error, "scalar_tensor(): a complex value cannot be converted to type ", type);
  return finish(scalar_tensor(s, type), requires_grad, "scalar_tensor");
}

// Bytes that are neither 0 nor 1 are no bools.
Tensor unwritten(Tensor t) {
  if (t.dtype() == DType::Bool) std::fill_n(t->storage->data(), t->storage->bytes(), char{0});
  return t;
}

Tensor empty_strided_op(IntSpan size, IntSpan stride, std::optional<DType> dtype, Device, bool requires_grad) {
  PYDL_CHECK(size.size() == stride.size(), Error, "empty_strided(): dimensionality of sizes (", size.size(),
             ") must match dimensionality of strides (", stride.size(), ")");
  const DType type = dtype.value_or(default_dtype());
  int64_t reach = numel_of(size) > 0 || size.empty() ? 1 : 0;
  static_cast<void>(checked_numel(size, item_size(type), "empty_strided"));
  bool overflow = false;
  for (size_t i = 0; i < size.size(); ++i) {
    PYDL_CHECK(stride[i] >= 0, Error, "empty_strided(): negative strides are not supported, got ", stride);
    int64_t part;
    overflow |= __builtin_mul_overflow(std::max<int64_t>(size[i] - 1, 0), stride[i], &part) ||
                (reach && __builtin_add_overflow(reach, part, &reach));
    overflow |= __builtin_mul_overflow(stride[i], std::max<int64_t>(size[i], 1) * 16, &part);
  }
  PYDL_CHECK(!overflow, ShapeError, "empty_strided(): sizes ", size, " and strides ", stride, " do not fit 64 bits");
  const Tensor memory = unwritten(empty(Dims{reach}, type, "empty_strided"));
  return finish(raw_view(memory, size, stride, 0), requires_grad, "empty_strided");
}
Tensor new_empty_strided(const Tensor& input, IntSpan size, IntSpan stride, std::optional<DType> dtype, Device d, bool requires_grad) {
  return empty_strided_op(size, stride, dtype.value_or(input.dtype()), d, requires_grad);
}

Tensor empty_permuted(IntSpan size, IntSpan physical_layout, std::optional<DType> dtype, Device, bool requires_grad) {
  const int n = static_cast<int>(size.size());
  PYDL_CHECK(physical_layout.size() == size.size(), Error,
             "empty_permuted(): Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = ", n,
             " is not equal to len(physical_layout) = ", physical_layout.size());
  static_cast<void>(checked_numel(size, 16, "empty_permuted"));
  uint64_t seen = 0;
  for (const int64_t d : physical_layout) {
    PYDL_CHECK(d >= 0 && d < n, Error, "empty_permuted(): Dimension out of range (expected to be between 0 and ", n - 1, ", but got ", d,
               ")");
    PYDL_CHECK(!(seen >> d & 1), Error, "empty_permuted(): Duplicate dim not allowed");
    seen |= uint64_t{1} << d;
  }
  Dims strides(n, 1);
  int64_t step = 1;
  for (int i = n; i-- > 0;) {
    const int64_t d = physical_layout[static_cast<size_t>(i)];
    strides[static_cast<int>(d)] = step;
    step *= std::max<int64_t>(size[static_cast<size_t>(d)], 1);
  }
  const Tensor t = unwritten(empty_strided(size, strides, dtype.value_or(default_dtype()), "empty_permuted"));
  return finish(t, requires_grad, "empty_permuted");
}

}  // namespace

#define PYDL_OPTIONS "dtype: dtype | None = None, device: device | None = None, requires_grad: bool = False) -> Tensor"

PYDL_OP(bartlett, "bartlett_window(window_length: int, periodic: bool = True, *, " PYDL_OPTIONS, Function, R"doc(
The triangular window 1 - |2 k / (N - 1) - 1|; a periodic one is made for N + 1 points and loses the last.

Example:
    >>> pydl.bartlett_window(3, False)
    tensor([0., 1., 0.])
)doc");
PYDL_OP(blackman, "blackman_window(window_length: int, periodic: bool = True, *, " PYDL_OPTIONS, Function, R"doc(
The window 0.42 - 0.5 cos(2 pi k / (N - 1)) + 0.08 cos(4 pi k / (N - 1)); see `bartlett_window` for `periodic`.

Example:
    >>> pydl.blackman_window(3, False)
    tensor([0., 1., 0.])
)doc");
PYDL_OP(hamming, "hamming_window(window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, " PYDL_OPTIONS,
        Function, R"doc(
The window alpha - beta cos(2 pi k / (N - 1)); see `bartlett_window` for `periodic`.

Example:
    >>> pydl.hamming_window(3, False)
    tensor([0.0800, 1.0000, 0.0800])
)doc");
PYDL_OP(hann, "hann_window(window_length: int, periodic: bool = True, *, " PYDL_OPTIONS, Function, R"doc(
The window 0.5 - 0.5 cos(2 pi k / (N - 1)); see `bartlett_window` for `periodic`.

Example:
    >>> pydl.hann_window(3, False)
    tensor([0., 1., 0.])
)doc");
PYDL_OP(kaiser, "kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, *, " PYDL_OPTIONS, Function, R"doc(
The window I0(beta sqrt(1 - (2 k / (N - 1) - 1)^2)) / I0(beta); see `bartlett_window` for `periodic`.

Example:
    >>> pydl.kaiser_window(3, False, 0.)
    tensor([1., 1., 1.])
)doc");
PYDL_OP(logspace, "logspace(start: Number, end: Number, steps: int, base: float = 10.0, *, " PYDL_OPTIONS, Function | Out, R"doc(
`steps` numbers from base ** start to base ** end, whose exponents are evenly spaced.

Example:
    >>> pydl.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
)doc");
PYDL_OP(closed_range, "range(start: Number, end: Number, step: Number = 1, *, " PYDL_OPTIONS, Function | Out, R"doc(
The numbers start, start + step, ... up to and including `end`, of the default dtype. `arange` is what NumPy has.

Example:
    >>> pydl.range(1, 3)
    tensor([1., 2., 3.])
)doc");
PYDL_OP(scalar_tensor_op, "scalar_tensor(s: Number, *, " PYDL_OPTIONS, Function, R"doc(
A tensor without dims that holds `s`, of the default dtype.

Example:
    >>> pydl.scalar_tensor(3)
    tensor(3.)
)doc");
PYDL_OP(empty_strided_op, "empty_strided(size: Size, stride: Size, *, " PYDL_OPTIONS, Function, R"doc(
An uninitialised tensor with the given strides, which may make elements share memory.

Example:
    >>> pydl.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
)doc");
PYDL_OP(new_empty_strided, "new_empty_strided(input: Tensor, size: Size, stride: Size, *, " PYDL_OPTIONS, Method, R"doc(
`empty_strided` with this tensor's dtype.

Example:
    >>> pydl.tensor([1]).new_empty_strided((2, 3), (1, 2)).dtype
    torch.int64
)doc");
PYDL_OP(empty_permuted, "empty_permuted(size: Size, physical_layout: Size, *, " PYDL_OPTIONS, Function, R"doc(
An uninitialised tensor whose dims lie in memory in the order `physical_layout`, from the outermost to the innermost.

Example:
    >>> pydl.empty_permuted((2, 3, 5), (0, 2, 1)).stride()
    (15, 1, 3)
)doc");

}  // namespace pydl
