// The order of operations follows torch's single-tensor path of each optimizer, with what it rounds where.
#include "kernels/optim/rules.h"

#include "kernels/cpu/optim/vectors.h"

namespace pydl::kernels::optim::PYDL_ISA {
namespace {

template <class X>
PYDL_INLINE X magnitude(X x) {
  return x < 0 ? -x : x;
}

template <class X>
PYDL_INLINE X sign_of(X x) {
  const X one = x * 0 + 1;
  return x > 0 ? one : (x < 0 ? -one : x);  // zero and NaN stay
}

// v * decay + (1 - decay) g^2
template <class X>
PYDL_INLINE X mean_square(X v, X g, X decay, X fresh) {
  return v * decay + (fresh * g) * g;
}

// torch.lerp(m, g, w), which is exact at both ends; `rest` is 1 - w
template <class T, class X>
PYDL_INLINE X lerp(X m, X g, T w, T rest) {
  return w < T(0.5) ? fma(splat(w), g - m, m) : g - (g - m) * splat(rest);
}

// A rule has the number of its states and options, and `step(o, p, g, s)`: options, parameter, gradient, states (changed in place).
template <class Rule, class T>
void run(const Update& u) {
  T o[Rule::kOptions + 1];
  for (int i = 0; i < Rule::kOptions; ++i) o[i] = static_cast<T>(u.options[kCommonOptions + i]);
  T* param = static_cast<T*>(u.param);
  const T* grad = static_cast<const T*>(u.grad);
  T* state[Rule::kStates];
  for (int i = 0; i < Rule::kStates; ++i) state[i] = static_cast<T*>(u.state[i]);
  const V<T> sign = splat(T(u.options[0])), decay = splat(T(u.options[1])), shrink = splat(T(u.options[2]));
  const bool decays = u.options[1] != 0;
  for_vectors<T>(u.n, [&](auto get, auto put) {
    V<T> p = get(param), g = sign * get(grad), s[Rule::kStates];
    for (int i = 0; i < Rule::kStates; ++i) s[i] = get(state[i]);
    if (decays) g = fma(decay, p, g);
    p = p * shrink;
    Rule::step(o, p, g, s);
    put(param, p);
    for (int i = 0; i < Rule::kStates; ++i) put(state[i], s[i]);
  });
}

template <class Rule>
constexpr ByDType<UpdateFn> table() {
  return make_table<UpdateFn>(run<Rule, float>, run<Rule, double>);
}

// lr, rho, 1 - rho, eps; square_avg, acc_delta
struct Adadelta {
  static constexpr int kStates = 2, kOptions = 4;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    const X rho = splat(o[1]), fresh = splat(o[2]), eps = splat(o[3]);
    s[0] = mean_square(s[0], g, rho, fresh);
    const X delta = square_root(s[1] + eps) / square_root(s[0] + eps) * g;
    s[1] = mean_square(s[1], delta, rho, fresh);
    p = fma(splat(-o[0]), delta, p);
  }
};

// rate, eps; sum
struct Adagrad {
  static constexpr int kStates = 1, kOptions = 2;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    s[0] = fma(g, g, s[0]);
    p = p + (splat(-o[0]) * g) / (square_root(s[0]) + splat(o[1]));
  }
};

// rate, 1 - beta1, beta1, beta2, eps; exp_avg, exp_inf
struct Adamax {
  static constexpr int kStates = 2, kOptions = 5;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    s[0] = lerp(s[0], g, o[1], o[2]);
    const X old = s[1] * splat(o[3]), now = magnitude(g) + splat(o[4]);
    s[1] = ((now > old) | (now != now)) ? now : old;
    p = p + (splat(-o[0]) * s[0]) / s[1];
  }
};

// 1 - lambd eta, eta, mu; ax
struct Asgd {
  static constexpr int kStates = 1, kOptions = 3;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    p = fma(splat(-o[1]), g, p * splat(o[0]));
    s[0] = o[2] == T(1) ? p : s[0] + (p - s[0]) * splat(o[2]);
  }
};

// rate of the gradient, rate of exp_avg, 1 - beta1, beta1, beta2, 1 - beta2, 1 - beta2^t, eps; exp_avg, exp_avg_sq
struct NAdam {
  static constexpr int kStates = 2, kOptions = 8;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    s[0] = lerp(s[0], g, o[2], o[3]);
    s[1] = mean_square(s[1], g, splat(o[4]), splat(o[5]));
    const X denominator = square_root(s[1] / splat(o[6])) + splat(o[7]);
    p = p + (splat(-o[0]) * g) / denominator;
    p = p + (splat(-o[1]) * s[0]) / denominator;
  }
};

// lr, 1 - beta1^t, sqrt(1 - beta2^t), rectification (0: too early), 1 - beta1, beta1, beta2, 1 - beta2, eps; exp_avg, exp_avg_sq
struct RAdam {
  static constexpr int kStates = 2, kOptions = 9;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    s[0] = lerp(s[0], g, o[4], o[5]);
    s[1] = mean_square(s[1], g, splat(o[6]), splat(o[7]));
    X change = s[0] / splat(o[1]) * splat(o[0]);
    if (o[3] != T(0)) change = change * (splat(o[2]) / (square_root(s[1]) + splat(o[8]))) * splat(o[3]);
    p = p - change;
  }
};

// lr, alpha, 1 - alpha, eps, momentum; square_avg, then momentum_buffer and grad_avg where they are used
template <bool kCentered, bool kMomentum>
struct RMSprop {
  static constexpr int kStates = 1 + (kCentered ? 1 : 0) + (kMomentum ? 1 : 0), kOptions = 5;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    s[0] = mean_square(s[0], g, splat(o[1]), splat(o[2]));
    X root = s[0];
    if constexpr (kCentered) {
      X& mean = s[kStates - 1];
      mean = lerp(mean, g, o[2], o[1]);
      root = root - mean * mean;
    }
    root = square_root(root) + splat(o[3]);
    if constexpr (kMomentum) {
      s[1] = s[1] * splat(o[4]) + g / root;
      p = fma(splat(-o[0]), s[1], p);
    } else {
      p = p + (splat(-o[0]) * g) / root;
    }
  }
};

// etaminus, etaplus, smallest and largest step; prev, step_size
struct Rprop {
  static constexpr int kStates = 2, kOptions = 4;
  template <class T, class X>
  PYDL_INLINE static void step(const T* o, X& p, X g, X* s) {
    const X agreement = g * s[0], one = splat(T(1));
    const X factor = agreement > 0 ? splat(o[1]) : (agreement < 0 ? splat(o[0]) : (agreement == 0 ? one : agreement));
    X size = s[1] * factor;
    size = size < splat(o[2]) ? splat(o[2]) : size;
    s[1] = size > splat(o[3]) ? splat(o[3]) : size;
    s[0] = agreement < 0 ? splat(T(0)) : g;  // where the sign turned, the next step starts afresh
    p = p - sign_of(s[0]) * s[1];
  }
};

}  // namespace

constinit const ByDType<UpdateFn> adadelta = table<Adadelta>();
constinit const ByDType<UpdateFn> adagrad = table<Adagrad>();
constinit const ByDType<UpdateFn> adamax = table<Adamax>();
constinit const ByDType<UpdateFn> asgd = table<Asgd>();
constinit const ByDType<UpdateFn> nadam = table<NAdam>();
constinit const ByDType<UpdateFn> radam = table<RAdam>();
constinit const ByDType<UpdateFn> rmsprop = table<RMSprop<false, false>>();
constinit const ByDType<UpdateFn> rmsprop_centered = table<RMSprop<true, false>>();
constinit const ByDType<UpdateFn> rmsprop_momentum = table<RMSprop<false, true>>();
constinit const ByDType<UpdateFn> rmsprop_centered_momentum = table<RMSprop<true, true>>();
constinit const ByDType<UpdateFn> rprop = table<Rprop>();

}  // namespace pydl::kernels::optim::PYDL_ISA
