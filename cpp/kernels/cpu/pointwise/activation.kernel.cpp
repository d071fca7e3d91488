// Activation functions and their derivatives, each in one pass.
#include "kernels/pointwise/activation.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_erf.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
PYDL_INLINE Vec<T> zero() {
  return Vec<T>(T(0));
}

template <class T>
struct Relu : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return max_second(zero<T>(), x); }
};
template <class T>
struct ReluBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> y) const { return select(y <= T(0), zero<T>(), grad); }
};

template <class T>
struct WithSlope {
  T slope;
  explicit WithSlope(const void* params) : slope(static_cast<const pointwise::SlopeParams<T>*>(params)->slope) {}
};
template <class T>
struct LeakyRelu : WithSlope<T> {
  using WithSlope<T>::WithSlope;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return select(x > T(0), x, x * this->slope); }
};
template <class T>
struct LeakyReluBackward : WithSlope<T> {
  using WithSlope<T>::WithSlope;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const { return select(x > T(0), grad, grad * this->slope); }
};

template <class T>
struct WithElu {
  T positive, negative, input;
  explicit WithElu(const void* params) {
    const auto& p = *static_cast<const pointwise::EluParams<T>*>(params);
    positive = p.scale;
    negative = p.alpha * p.scale;
    input = p.input_scale;
  }
};
template <class T>
struct Elu : WithElu<T> {
  using WithElu<T>::WithElu;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return select(x > T(0), x * this->positive, expm1(x * this->input) * this->negative); }
};
template <class T>
struct EluBackward : WithElu<T> {
  using WithElu<T>::WithElu;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    return select(x <= T(0), grad * (this->input * this->negative) * exp(x * this->input), grad * this->positive);
  }
};
template <class T>
struct EluBackwardResult : WithElu<T> {
  using WithElu<T>::WithElu;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> y) const {
    return select(y <= T(0), grad * this->input * (y + this->negative), grad * this->positive);
  }
};

template <class T>
struct Threshold {
  pointwise::ThresholdParams<T> p;
  explicit Threshold(const void* params) : p(*static_cast<const pointwise::ThresholdParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return select(x <= p.threshold, Vec<T>(p.value), x); }
};
template <class T>
struct ThresholdBackward {
  pointwise::ThresholdParams<T> p;
  explicit ThresholdBackward(const void* params) : p(*static_cast<const pointwise::ThresholdParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const { return select(x <= p.threshold, zero<T>(), grad); }
};
template <class T>
struct Hardtanh {
  pointwise::HardtanhParams<T> p;
  explicit Hardtanh(const void* params) : p(*static_cast<const pointwise::HardtanhParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return min_second(Vec<T>(p.high), max_second(Vec<T>(p.low), x)); }
};
template <class T>
struct HardtanhBackward {
  pointwise::HardtanhParams<T> p;
  explicit HardtanhBackward(const void* params) : p(*static_cast<const pointwise::HardtanhParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const { return select((x <= p.low) | (x >= p.high), zero<T>(), grad); }
};

// min(max(x + 3, 0), 6), NaN kept.
template <class T>
PYDL_INLINE Vec<T> relu6_shifted(Vec<T> x) {
  return min_second(Vec<T>(T(6)), max_second(zero<T>(), x + T(3)));
}
template <class T>
struct Hardsigmoid : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return relu6_shifted(x) / T(6); }
};
template <class T>
struct HardsigmoidBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const { return select((x > T(-3)) & (x < T(3)), grad / T(6), zero<T>()); }
};
template <class T>
struct Hardswish : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return x * relu6_shifted(x) / T(6); }
};
template <class T>
struct HardswishBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const Vec<T> middle = grad * (x / T(3) + T(0.5));
    return select(x <= T(-3), zero<T>(), select(x < T(3), middle, grad));
  }
};

template <class T>
struct Sigmoid : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return sigmoid(x); }
};
template <class T>
struct SigmoidBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> y) const { return grad * (T(1) - y) * y; }
};
template <class T>
struct TanhBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> y) const { return grad * (T(1) - y * y); }
};
template <class T>
struct Logsigmoid : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return min_second(zero<T>(), x) - log1p(exp(-abs(x))); }
};
template <class T>
struct LogsigmoidBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const { return grad * sigmoid(-x); }
};
template <class T>
struct Silu : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return silu(x); }
};
template <class T>
struct SiluBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const Vec<T> s = sigmoid(x);
    return grad * s * (T(1) + x * (T(1) - s));
  }
};

// With e = exp(x): tanh(log(1 + e)) = n / (n + 2), n = e (e + 2). At the bound the quotient is 1.
template <class T>
struct MishTerms {
  Vec<T> e, n;
};
template <class T>
PYDL_INLINE MishTerms<T> mish_terms(Vec<T> x) {
  const Vec<T> e = exp(min_second(Vec<T>(T(sizeof(T) == 4 ? 20 : 40)), x));
  return {e, e * (e + T(2))};
}
template <class T>
struct Mish : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const {
    constexpr T low = T(sizeof(T) == 4 ? -112 : -760), high = T(sizeof(T) == 4 ? 20 : 40);
    const Vec<T> b = clamp_keeping_nan(x, low, high);
    const ScaledExp<T> s = scaled_exp(b);
    const Vec<T> e = s.value(), n = e * (e + T(2));
    const Vec<T> y = s.times(b * ((e + T(2)) / (n + T(2))));
    return select(x > high, x, y - (x - x));
  }
};
template <class T>
struct MishBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const MishTerms<T> t = mish_terms(x);
    const Vec<T> scale = T(1) / (t.n + T(2));
    const Vec<T> slope = (T(4) * x) * (t.e * (t.e + T(1))) * (scale * scale);
    return grad * mul_add(t.n, scale, slope);
  }
};

template <class T>
struct Softplus {
  pointwise::SoftplusParams<T> p;
  explicit Softplus(const void* params) : p(*static_cast<const pointwise::SoftplusParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> z = x * p.beta;
    return select(z > p.threshold, x, log1p(exp(z)) / p.beta);
  }
};
template <class T>
struct SoftplusBackward {
  pointwise::SoftplusParams<T> p;
  explicit SoftplusBackward(const void* params) : p(*static_cast<const pointwise::SoftplusParams<T>*>(params)) {}
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const Vec<T> z = x * p.beta;
    return select(z > p.threshold, grad, grad * sigmoid(z));
  }
};

template <class T>
struct Gelu : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const { return gelu(x); }
};
template <class T>
struct GeluBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const NormalTail<T> tail = normal_tail(abs(x));
    const Vec<T> density = scale_by_power(T(1) + tail.density, tail.n), beyond = tail.probability();
    return grad * mul_add(x, density * T(0x1.9884533d43651p-2), select(x < T(0), beyond, T(1) - beyond));
  }
};

// 0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3): no cancellation for negative x. The exponent
// 2 u is carried in two words, since an exponential turns its absolute error into a relative one.
template <class T>
PYDL_INLINE ScaledExp<T> gelu_tanh_exp(Vec<T> a) {
  constexpr double linear = 0x1.9884533d43651p+0, cubic = 0.044715 * linear;
  constexpr T k1 = T(linear), k1_rest = sizeof(T) == 4 ? T(linear - double(k1)) : T(-0x1.cbc0d30ebfd15p-54);
  constexpr T k3 = T(cubic), k3_rest = sizeof(T) == 4 ? T(cubic - double(k3)) : T(-0x1.6c843a29d1c7p-61);
  const Pair<T> square = two_product(a, a);
  const Pair<T> q = two_product(square.hi, Vec<T>(k3));
  const Pair<T> factor = two_sum(Vec<T>(k1), q.hi);
  const Vec<T> factor_lo = factor.lo + (q.lo + (k1_rest + (square.lo * k3 + square.hi * k3_rest)));
  const Pair<T> u = two_product(a, factor.hi);
  return scaled_exp(-u.hi, -(u.lo + a * factor_lo));
}
// From here on x e^(-2u) is below half the smallest denormal.
template <class T>
inline constexpr T kGeluTanhEnd = T(sizeof(T) == 4 ? 11 : 22);
template <class T>
struct GeluTanh : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> x) const {
    const Vec<T> b = min_second(Vec<T>(kGeluTanhEnd<T>), abs(x));
    const Vec<T> y = gated(select(x > T(0), x, copysign(b, x)), gelu_tanh_exp(b));
    return y - select(x > T(0), zero<T>(), x - x);
  }
};
template <class T>
struct GeluTanhBackward : NoParams {
  using NoParams::NoParams;
  PYDL_INLINE Vec<T> operator()(Vec<T> grad, Vec<T> x) const {
    const Vec<T> e = gelu_tanh_exp(min_second(Vec<T>(kGeluTanhEnd<T>), abs(x))).value();
    const Vec<T> s = select(x < T(0), e, Vec<T>(T(1))) / (T(1) + e);
    const Vec<T> slope = mul_add(x * x, T(6 * 0x1.9884533d43651p-1 * 0.044715), Vec<T>(T(2 * 0x1.9884533d43651p-1)));
    return grad * mul_add(x * slope, s * (T(1) - s), s);
  }
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable relu = map_table<Relu, 1, 1>(AllInts{}) | map_table<Relu, 1, 4>(Floats{});
constinit const StripTable relu_backward = map_table<ReluBackward, 2, 2>(Floats{});
constinit const StripTable leaky_relu = map_table<LeakyRelu, 1, 2>(Floats{});
constinit const StripTable leaky_relu_backward = map_table<LeakyReluBackward, 2, 2>(Floats{});
constinit const StripTable elu = map_table<Elu, 1, 0>(Floats{});
constinit const StripTable elu_backward = map_table<EluBackward, 2, 0>(Floats{});
constinit const StripTable elu_backward_result = map_table<EluBackwardResult, 2, 1>(Floats{});
constinit const StripTable threshold = map_table<Threshold, 1, 2>(Floats{}) | map_table<Threshold, 1, 1>(AllInts{});
constinit const StripTable threshold_backward = map_table<ThresholdBackward, 2, 1>(Floats{});
constinit const StripTable hardtanh = map_table<Hardtanh, 1, 2>(Floats{}) | map_table<Hardtanh, 1, 1>(AllInts{});
constinit const StripTable hardtanh_backward = map_table<HardtanhBackward, 2, 1>(Floats{});
constinit const StripTable hardsigmoid = map_table<Hardsigmoid, 1, 2>(Floats{});
constinit const StripTable hardsigmoid_backward = map_table<HardsigmoidBackward, 2, 1>(Floats{});
constinit const StripTable hardswish = map_table<Hardswish, 1, 2>(Floats{});
constinit const StripTable hardswish_backward = map_table<HardswishBackward, 2, 1>(Floats{});
constinit const StripTable sigmoid = map_table<Sigmoid, 1, 0>(Floats{});
constinit const StripTable sigmoid_backward = map_table<SigmoidBackward, 2, 2>(Floats{});
constinit const StripTable tanh_backward = map_table<TanhBackward, 2, 2>(Floats{});
constinit const StripTable logsigmoid = map_table<Logsigmoid, 1, 0>(Floats{});
constinit const StripTable logsigmoid_backward = map_table<LogsigmoidBackward, 2, 0>(Floats{});
constinit const StripTable silu = map_table<Silu, 1, 0>(Floats{});
constinit const StripTable silu_backward = map_table<SiluBackward, 2, 0>(Floats{});
constinit const StripTable mish = map_table<Mish, 1, 0>(Floats{});
constinit const StripTable mish_backward = map_table<MishBackward, 2, 0>(Floats{});
constinit const StripTable softplus = map_table<Softplus, 1, 0>(Floats{});
constinit const StripTable softplus_backward = map_table<SoftplusBackward, 2, 0>(Floats{});
constinit const StripTable gelu = map_table<Gelu, 1, 0>(Floats{});
constinit const StripTable gelu_backward = map_table<GeluBackward, 2, 0>(Floats{});
constinit const StripTable gelu_tanh = map_table<GeluTanh, 1, 0>(Floats{});
constinit const StripTable gelu_tanh_backward = map_table<GeluTanhBackward, 2, 0>(Floats{});

PYDL_KERNELS_END
