#include "ops/activation/activation.h"

#include <cmath>

#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/trig.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/complex.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/special.h"
#include "ops/pointwise/trig.h"
#include "ops/pointwise/unary.h"
#include "ops/random/random.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
namespace kernel = kernels::pointwise;

namespace {

// The constants of an activation. Kernels read them as an array of the compute dtype.
struct Numbers {
  double v[3] = {};
  int count = 0;
  Numbers() = default;
  Numbers(std::initializer_list<double> list) {
    for (const double x : list) v[count++] = x;
  }
  void store(DType compute, char* out) const {
    for (int i = 0; i < count; ++i) Scalar(v[i]).store(compute, out + i * item_size(compute));
  }
};

using Table = const kernels::StripTable& (*)();

// An activation: its kernels, and the derivative once more as a formula of ops, for gradients of gradients.
struct Activation {
  const char* op;
  const char* node;
  Table forward, backward;
  TypeRule rule;
  double cost;        // cycles per element
  bool saves_result;  // the derivative is a function of the result, not of the input
  Tensor (*formula)(const Tensor& g, const Tensor& saved, const Numbers& n);
  Tensor (*complex_values)(const Tensor& z) = nullptr;  // where the kernels take real numbers alone
};

Tensor derivative(const Activation& a, const Tensor& g, const Tensor& saved, const Numbers& n) {
  if (autograd::mode.grad || is_complex(g.dtype())) return a.formula(g, saved, n);
  alignas(16) char params[48];  // three complex numbers
  n.store(compute_type(saved.dtype()), params);
  return pointwise({a.op, a.backward(), TypeRule::Same, params, a.cost}, {g, saved});
}

Tensor activate(const Activation& a, const Tensor& input, const Numbers& n, const Dest& dest) {
  PYDL_CHECK(input.dtype() != DType::Bool || a.rule == TypeRule::Float, Error, a.op, "(): Boolean inputs not supported");
  alignas(16) char params[48];  // three complex numbers
  n.store(pointwise_compute_type(a.op, a.rule, std::initializer_list<Operand>{input}), params);
  const Tensor before = a.saves_result ? input : original(input, dest);
  const Tensor out = unary_values({a.op, a.forward(), a.rule, params, a.cost}, input, dest, a.complex_values);
  if (autograd::needs_grad(input)) {
    record(dest, a.node, out, {&input}, [&a, n, saved = a.saves_result ? autograd::save_output(out) : autograd::save(before)](Backward& b) {
      b.set(0, derivative(a, b.grad(), saved.get(b), n));
    });
  }
  return out;
}

Operand number(double v) { return Operand(v); }
Tensor zero_where(const Tensor& condition, const Tensor& g) { return where(condition, Operand(0), g); }

constexpr Activation kRelu{
    "relu",         "ReluBackward0",
    &kernel::relu,  &kernel::relu_backward,
    TypeRule::Same, 0.5,
    true,           [](const Tensor& g, const Tensor& y, const Numbers&) { return zero_where(le(y, number(0)), g); }};
constexpr Activation kSigmoid{"sigmoid",
                              "SigmoidBackward0",
                              &kernel::sigmoid,
                              &kernel::sigmoid_backward,
                              TypeRule::Float,
                              4,
                              true,
                              [](const Tensor& g, const Tensor& y, const Numbers&) { return mul(g, conj(mul(rsub(y, number(1)), y))); },
                              &complex_values::sigmoid};
constexpr Activation kTanh{"tanh",
                           "TanhBackward0",
                           &kernel::tanh,
                           &kernel::tanh_backward,
                           TypeRule::Float,
                           5,
                           true,
                           [](const Tensor& g, const Tensor& y, const Numbers&) { return mul(g, conj(rsub(mul(y, y), number(1)))); }};
constexpr Activation kLeakyRelu{
    "leaky_relu",
    "LeakyReluBackward0",
    &kernel::leaky_relu,
    &kernel::leaky_relu_backward,
    TypeRule::Same,
    0.5,
    false,
    [](const Tensor& g, const Tensor& x, const Numbers& n) { return where(gt(x, number(0)), g, mul(g, number(n.v[0]))); }};
// n: alpha, scale, input scale. The exponent is 0 where x is not negative, so that the branch not taken cannot bring in inf * 0.
Tensor elu_formula(const Tensor& g, const Tensor& x, const Numbers& n) {
  const Tensor e = exp(where(lt(x, number(0)), mul(x, number(n.v[2])), Operand(0)));
  return where(le(x, number(0)), mul(mul(g, number(n.v[0] * n.v[1] * n.v[2])), e), mul(g, number(n.v[1])));
}
constexpr Activation kElu{"elu", "EluBackward0", &kernel::elu, &kernel::elu_backward, TypeRule::Same, 5, false, &elu_formula};
constexpr Activation kSelu{"selu", "EluBackward0", &kernel::elu, &kernel::elu_backward, TypeRule::Same, 5, false, &elu_formula};
constexpr Activation kCelu{"celu", "CeluBackward0", &kernel::elu, &kernel::elu_backward, TypeRule::Same, 5, false, &elu_formula};
constexpr Activation kThreshold{"threshold",
                                "ThresholdBackward0",
                                &kernel::threshold,
                                &kernel::threshold_backward,
                                TypeRule::Same,
                                0.5,
                                false,
                                [](const Tensor& g, const Tensor& x, const Numbers& n) { return zero_where(le(x, number(n.v[0])), g); }};
constexpr Activation kHardtanh{"hardtanh",
                               "HardtanhBackward0",
                               &kernel::hardtanh,
                               &kernel::hardtanh_backward,
                               TypeRule::Same,
                               0.5,
                               false,
                               [](const Tensor& g, const Tensor& x, const Numbers& n) {
                                 return zero_where(le(x, number(n.v[0])), zero_where(ge(x, number(n.v[1])), g));
                               }};
constexpr Activation kHardsigmoid{"hardsigmoid",
                                  "HardsigmoidBackward0",
                                  &kernel::hardsigmoid,
                                  &kernel::hardsigmoid_backward,
                                  TypeRule::Same,
                                  0.5,
                                  false,
                                  [](const Tensor& g, const Tensor& x, const Numbers&) {
                                    return zero_where(le(x, number(-3)), zero_where(ge(x, number(3)), div(g, number(6))));
                                  }};
constexpr Activation kHardswish{"hardswish",
                                "HardswishBackward0",
                                &kernel::hardswish,
                                &kernel::hardswish_backward,
                                TypeRule::Same,
                                0.5,
                                false,
                                [](const Tensor& g, const Tensor& x, const Numbers&) {
                                  const Tensor middle = mul(g, add(div(x, number(3)), number(0.5)));
                                  return zero_where(le(x, number(-3)), where(lt(x, number(3)), middle, g));
                                }};
constexpr Activation kLogsigmoid{"logsigmoid",
                                 "LogSigmoidBackward0",
                                 &kernel::logsigmoid,
                                 &kernel::logsigmoid_backward,
                                 TypeRule::Same,
                                 8,
                                 false,
                                 [](const Tensor& g, const Tensor& x, const Numbers&) { return mul(g, sigmoid(neg(x))); }};
constexpr Activation kSilu{"silu",
                           "SiluBackward0",
                           &kernel::silu,
                           &kernel::silu_backward,
                           TypeRule::Same,
                           5,
                           false,
                           [](const Tensor& g, const Tensor& x, const Numbers&) {
                             const Tensor s = sigmoid(x);
                             return mul(g, conj(mul(s, add(mul(x, rsub(s, number(1))), number(1)))));
                           },
                           &complex_values::silu};
constexpr Activation kMish{"mish",
                           "MishBackward0",
                           &kernel::mish,
                           &kernel::mish_backward,
                           TypeRule::Same,
                           5,
                           false,
                           [](const Tensor& g, const Tensor& x, const Numbers&) {
                             const Tensor t = tanh(softplus(x, 1, 20));
                             return mul(g, add(t, mul(mul(x, sigmoid(x)), rsub(mul(t, t), number(1)))));
                           }};
constexpr Activation kSoftplus{"softplus",
                               "SoftplusBackward0",
                               &kernel::softplus,
                               &kernel::softplus_backward,
                               TypeRule::Same,
                               8,
                               false,
                               [](const Tensor& g, const Tensor& x, const Numbers& n) {
                                 const Tensor z = mul(x, number(n.v[0]));
                                 return where(gt(z, number(n.v[1])), g, mul(g, sigmoid(z)));
                               }};
// Phi(x) + x phi(x), with the distribution and density of the standard normal.
constexpr Activation kGelu{"gelu",
                           "GeluBackward0",
                           &kernel::gelu,
                           &kernel::gelu_backward,
                           TypeRule::Same,
                           8,
                           false,
                           [](const Tensor& g, const Tensor& x, const Numbers&) {
                             const Tensor cdf = mul(add(erf(mul(x, number(M_SQRT1_2))), number(1)), number(0.5));
                             const Tensor density = mul(exp(mul(mul(x, x), number(-0.5))), number(M_2_SQRTPI * M_SQRT1_2 / 2));
                             return mul(g, add(cdf, mul(x, density)));
                           }};
// 0.5 x (1 + tanh(k (x + c x^3))), k = sqrt(2 / pi), c = 0.044715.
constexpr Activation kGeluTanh{"gelu",
                               "GeluBackward0",
                               &kernel::gelu_tanh,
                               &kernel::gelu_tanh_backward,
                               TypeRule::Same,
                               8,
                               false,
                               [](const Tensor& g, const Tensor& x, const Numbers&) {
                                 constexpr double k = M_SQRT2 * M_2_SQRTPI / 2, c = 0.044715;
                                 const Tensor square_x = mul(x, x);
                                 const Tensor t = tanh(mul(x, add(mul(square_x, number(k * c)), number(k))));
                                 const Tensor slope = mul(rsub(mul(t, t), number(1)), add(mul(square_x, number(3 * k * c)), number(k)));
                                 return mul(mul(g, number(0.5)), add(add(t, number(1)), mul(x, slope)));
                               }};

}  // namespace

Tensor relu(const Tensor& input, const Dest& dest) { return activate(kRelu, input, {}, dest); }
Tensor relu6(const Tensor& input, const Dest& dest) { return activate(kHardtanh, input, {0, 6}, dest); }
Tensor sigmoid(const Tensor& input, const Dest& dest) { return activate(kSigmoid, input, {}, dest); }
Tensor tanh(const Tensor& input, const Dest& dest) { return activate(kTanh, input, {}, dest); }
Tensor logsigmoid(const Tensor& input, const Dest& dest) { return activate(kLogsigmoid, input, {}, dest); }
Tensor softplus(const Tensor& input, double beta, double threshold, const Dest& dest) {
  return activate(kSoftplus, input, {beta, threshold}, dest);
}

namespace {

Tensor leaky_relu(const Tensor& input, double negative_slope, const Dest& dest) {
  return activate(kLeakyRelu, input, {negative_slope}, dest);
}
Tensor elu(const Tensor& input, double alpha, double scale, double input_scale, const Dest& dest) {
  return activate(kElu, input, {alpha, scale, input_scale}, dest);
}
// Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, appendix A.
Tensor selu(const Tensor& input, const Dest& dest) {
  return activate(kSelu, input, {1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1}, dest);
}
Tensor celu(const Tensor& input, double alpha, const Dest& dest) {
  PYDL_CHECK(alpha != 0, Error, "celu(): ZeroDivisionError: alpha cannot be 0 for CELU");
  return activate(kCelu, input, {alpha, 1, 1 / alpha}, dest);
}
Tensor silu(const Tensor& input, const Dest& dest) { return activate(kSilu, input, {}, dest); }
Tensor mish(const Tensor& input, const Dest& dest) { return activate(kMish, input, {}, dest); }
Tensor hardtanh(const Tensor& input, double min_val, double max_val, const Dest& dest) {
  return activate(kHardtanh, input, {min_val, max_val}, dest);
}
Tensor hardsigmoid(const Tensor& input, const Dest& dest) { return activate(kHardsigmoid, input, {}, dest); }
Tensor hardswish(const Tensor& input, const Dest& dest) { return activate(kHardswish, input, {}, dest); }
Tensor threshold(const Tensor& input, const Scalar& threshold, const Scalar& value, const Dest& dest) {
  return activate(kThreshold, input, {threshold.to_double(), value.to_double()}, dest);
}
Tensor gelu(const Tensor& input, std::string_view approximate, const Dest& dest) {
  if (approximate == "tanh") return activate(kGeluTanh, input, {}, dest);
  PYDL_CHECK(approximate == "none", Error, "gelu(): approximate argument must be either none or tanh.");
  return activate(kGelu, input, {}, dest);
}

Tensor prelu(const Tensor& input, const Tensor& weight) {
  PYDL_CHECK(input.dtype() == weight.dtype(), Error, "prelu(): Type promoting not supported. Got ", input.dtype(), " and ", weight.dtype());
  PYDL_CHECK(weight.ndim() <= 1, ShapeError, "prelu(): Expected `weight` to be a scalar or 1D tensor, but got: ndim = ", weight.ndim());
  Tensor slope = weight;
  if (weight.numel() != 1) {
    PYDL_CHECK(input.ndim() > 0, ShapeError, "prelu(): Not allow zero-dim input tensor.");
    const int64_t channels = input.ndim() > 1 ? input.size(1) : 1;
    PYDL_CHECK(weight.numel() == channels, ShapeError,
               "prelu(): Mismatch of parameter numbers and input channel size. Found parameter numbers = ", weight.numel(),
               " and channel size = ", channels, ".");
    Dims shape(input.ndim(), 1);
    shape[1] = channels;
    slope = reshape(weight, shape);
  } else {
    slope = reshape(weight, Dims(input.ndim(), 1));
  }
  return where(gt(input, Operand(0)), input, mul(slope, input));
}

Tensor hardshrink(const Tensor& input, const Scalar& lambd) { return zero_where(le(abs(input), Operand(lambd)), input); }
Tensor softshrink(const Tensor& input, const Scalar& lambd) {
  const double l = lambd.to_double();
  PYDL_CHECK(l >= 0, Error, "softshrink(): lambda must be greater or equal to 0, but found to be ", l, ".");
  return where(gt(input, number(l)), sub(input, number(l)), where(lt(input, number(-l)), add(input, number(l)), mul(input, number(0))));
}

}  // namespace

PYDL_OP(relu, "relu(input: Tensor) -> Tensor", Function | Method | Inplace, R"doc(
max(x, 0) of each element.

Example:
    >>> pydl.relu(pydl.tensor([-1., 2.]))
    tensor([0., 2.])
)doc");
PYDL_OP(sigmoid, "sigmoid(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
1 / (1 + exp(-x)) of each element.

Example:
    >>> pydl.sigmoid(pydl.tensor([0., 1.]))
    tensor([0.5000, 0.7311])
)doc");
PYDL_ALIAS("special.expit", "sigmoid");
namespace {

// A leaky ReLU whose slope is drawn for each element in training and is the middle of the range otherwise.
Tensor rrelu(const Tensor& input, double lower, double upper, bool training, Generator* generator, const Dest& dest) {
  PYDL_CHECK(is_floating(input.dtype()), Error, "rrelu(): not implemented for ", input.dtype());
  PYDL_CHECK(lower <= upper, Error, "rrelu(): lower must not exceed upper, got ", lower, " > ", upper);
  if (!training) return activate(kLeakyRelu, input, {(lower + upper) / 2}, dest);
  if (dest.is_inplace()) check_inplace("rrelu_", input);
  const Tensor x = original(input, dest);
  const Tensor slope = empty(x.sizes(), x.dtype(), "rrelu");
  fill_uniform(slope, lower, upper, generator);
  return deliver("rrelu", mul(x, where(gt(x, Operand(0)), Operand(1), slope)), dest, {input});
}

}  // namespace
PYDL_OP(rrelu,
        "rrelu(input: Tensor, lower: float = 0.125, upper: float = 0.3333333333333333, training: bool = False, "
        "generator: Generator | None = None) -> Tensor",
        Function | Inplace, R"doc(
x where positive, else x times a slope: drawn from [lower, upper) for each element in training, else the middle of the range.

Example:
    >>> pydl.rrelu(pydl.tensor([-1., 2.]), 0.25, 0.75)
    tensor([-0.5000,  2.0000])
)doc");
PYDL_OP(tanh, "tanh(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The hyperbolic tangent.

Example:
    >>> pydl.tanh(pydl.tensor([0., 1.]))
    tensor([0.0000, 0.7616])
)doc");
PYDL_OP(leaky_relu, "leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor", Nn | Inplace, R"doc(
x where positive, else negative_slope * x.
)doc");
PYDL_OP(elu, "elu(input: Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Tensor", Nn | Inplace, R"doc(
scale * x where positive, else alpha * scale * (exp(input_scale * x) - 1).
)doc");
PYDL_OP(selu, "selu(input: Tensor) -> Tensor", Function | Inplace, R"doc(
The exponential linear unit with the constants that keep mean 0 and variance 1.

Example:
    >>> pydl.selu(pydl.tensor([0., 1.]))
    tensor([0.0000, 1.0507])
)doc");
PYDL_OP(celu, "celu(input: Tensor, alpha: float = 1.0) -> Tensor", Function | Inplace, R"doc(
max(0, x) + min(0, alpha * (exp(x / alpha) - 1)). Raises RuntimeError for alpha = 0.

Example:
    >>> pydl.celu(pydl.tensor([-1., 1.]))
    tensor([-0.6321,  1.0000])
)doc");
PYDL_OP(gelu, "gelu(input: Tensor, *, approximate: str = 'none') -> Tensor", Nn, R"doc(
x times the standard normal distribution function; approximate='tanh' takes the approximation by a tanh.
)doc");
PYDL_OP(silu, "silu(input: Tensor) -> Tensor", Nn | Inplace, R"doc(
x * sigmoid(x).
)doc");
PYDL_OP(mish, "mish(input: Tensor) -> Tensor", Nn | Inplace, R"doc(
x * tanh(softplus(x)).
)doc");
PYDL_OP(softplus, "softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Tensor", Nn, R"doc(
log(1 + exp(beta * x)) / beta, and x where beta * x > threshold.
)doc");
PYDL_OP(hardtanh, "hardtanh(input: Tensor, min_val: float = -1, max_val: float = 1) -> Tensor", Nn | Inplace, R"doc(
x limited to [min_val, max_val].
)doc");
PYDL_OP(relu6, "relu6(input: Tensor) -> Tensor", Nn | Inplace, R"doc(
x limited to [0, 6].
)doc");
PYDL_OP(hardsigmoid, "hardsigmoid(input: Tensor) -> Tensor", Nn | Inplace, R"doc(
min(max(x + 3, 0), 6) / 6.
)doc");
PYDL_OP(hardswish, "hardswish(input: Tensor) -> Tensor", Nn | Inplace, R"doc(
x * hardsigmoid(x).
)doc");
PYDL_OP(logsigmoid, "logsigmoid(input: Tensor) -> Tensor", Nn, R"doc(
log(sigmoid(x)) without overflow.
)doc");
PYDL_OP(threshold, "threshold(input: Tensor, threshold: Number, value: Number) -> Tensor", Function | Inplace, R"doc(
x where x > threshold, else value.

Example:
    >>> pydl.threshold(pydl.tensor([0., 2.]), 1, -1)
    tensor([-1.,  2.])
)doc");
PYDL_OP(prelu, "prelu(input: Tensor, weight: Tensor) -> Tensor", Function | Method, R"doc(
x where positive, else weight * x, with one weight or one for each channel (dim 1).

Raises RuntimeError if the number of weights is neither.

Example:
    >>> pydl.prelu(pydl.tensor([-1., 2.]), pydl.tensor([0.25]))
    tensor([-0.2500,  2.0000])
)doc");
PYDL_OP(hardshrink, "hardshrink(input: Tensor, lambd: Number = 0.5) -> Tensor", Function | Method, R"doc(
x where |x| > lambd, else 0.

Example:
    >>> pydl.hardshrink(pydl.tensor([-1., 0.5]))
    tensor([-1.,  0.])
)doc");
PYDL_OP(softshrink, "softshrink(input: Tensor, lambd: Number = 0.5) -> Tensor", Nn, R"doc(
x moved by lambd towards 0, and 0 within.
)doc");

}  // namespace pydl
