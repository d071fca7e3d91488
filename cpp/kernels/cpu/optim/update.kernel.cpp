// The order of operations, and what is rounded when, follows torch's single-tensor path step by step: lerp for exp_avg,
// mul then addcmul for exp_avg_sq, sqrt(v) / sqrt(bias_correction2) + eps, addcdiv for the parameter. Scalars are computed
// in float64 and rounded once to the type of the arrays, as torch does.
#include "kernels/optim/update.h"

#include "kernels/cpu/optim/vectors.h"

namespace pydl::kernels::optim::PYDL_ISA {
namespace {

template <class T>
void run_sgd(const Sgd& s) {
  T* param = static_cast<T*>(s.param);
  const T* grad = static_cast<const T*>(s.grad);
  T* buffer = static_cast<T*>(s.momentum_buffer);
  const V<T> sign = splat(T(s.maximize ? -1 : 1)), decay = splat(T(s.weight_decay)), momentum = splat(T(s.momentum)),
             fresh = splat(T(1 - s.dampening)), rate = splat(T(-s.lr));
  const bool decays = s.weight_decay != 0, blends = buffer && !s.first_step;
  for_vectors<T>(s.n, [&](auto get, auto put) {
    const V<T> p = get(param);
    V<T> g = sign * get(grad);
    if (decays) g = fma(decay, p, g);
    if (buffer) {
      const V<T> b = blends ? fma(fresh, g, momentum * get(buffer)) : g;
      put(buffer, b);
      g = s.nesterov ? fma(momentum, b, g) : b;
    }
    put(param, fma(rate, g, p));
  });
}

template <class T, bool kAmsgrad>
PYDL_INLINE void adam_pass(const Adam& s) {
  T* param = static_cast<T*>(s.param);
  const T* grad = static_cast<const T*>(s.grad);
  T* exp_avg = static_cast<T*>(s.exp_avg);
  T* exp_avg_sq = static_cast<T*>(s.exp_avg_sq);
  T* largest = static_cast<T*>(s.max_exp_avg_sq);
  const V<T> sign = splat(T(s.maximize ? -1 : 1)), decay = splat(T(s.weight_decay)), shrink = splat(T(1 - s.lr * s.weight_decay)),
             weight = splat(T(1 - s.beta1)), beta1 = splat(T(s.beta1)), beta2 = splat(T(s.beta2)), fresh2 = splat(T(1 - s.beta2)),
             eps = splat(T(s.eps)), step = splat(T(-s.step_size)), correction = splat(T(s.bias_correction2_sqrt));
  const bool shrinks = s.decoupled && s.weight_decay != 0, decays = !s.decoupled && s.weight_decay != 0;
  // lerp(m, g, w) = m + w (g - m) for w < 0.5 and g - (g - m)(1 - w) otherwise.
  const bool near = 1 - s.beta1 < 0.5;
  for_vectors<T>(s.n, [&](auto get, auto put) {
    V<T> p = get(param), g = sign * get(grad), m = get(exp_avg), v = get(exp_avg_sq);
    if (shrinks) p = p * shrink;
    if (decays) g = fma(decay, p, g);
    m = near ? fma(weight, g - m, m) : g - (g - m) * beta1;
    v = v * beta2 + (fresh2 * g) * g;
    put(exp_avg, m);
    put(exp_avg_sq, v);
    V<T> top = v;
    if constexpr (kAmsgrad) {
      const V<T> old = get(largest);
      top = ((v > old) | (v != v)) ? v : old;
      put(largest, top);
    }
    const V<T> denominator = square_root(top) / correction + eps;
    put(param, p + (step * m) / denominator);
  });
}

template <class T>
void run_adam(const Adam& s) {
  if (s.max_exp_avg_sq) return adam_pass<T, true>(s);
  adam_pass<T, false>(s);
}

template <class T>
void run_scale(void* x, int64_t n, double factor) {
  T* p = static_cast<T*>(x);
  const V<T> f = splat(static_cast<T>(factor));
  for_vectors<T>(n, [&](auto get, auto put) { put(p, get(p) * f); });
}

}  // namespace

constinit const ByDType<SgdFn> sgd = make_table<SgdFn>(run_sgd<float>, run_sgd<double>);
constinit const ByDType<AdamFn> adam = make_table<AdamFn>(run_adam<float>, run_adam<double>);
constinit const ByDType<ScaleFn> scale = make_table<ScaleFn>(run_scale<float>, run_scale<double>);

}  // namespace pydl::kernels::optim::PYDL_ISA
