// Gates of the recurrent cells. Formulas: Elman, "Finding structure in time" (1990); Hochreiter and Schmidhuber, "Long
// short-term memory" (1997); Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), with the reset
// gate after the product, as in cuDNN.
#include "kernels/rnn/cells.h"

#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels::rnn;

// Calls f(row, unit, lanes) over the block, the last vector of a row partial.
template <class T, class F>
PYDL_INLINE void over_block(int64_t rows, int64_t units, const F& f) {
  constexpr int lanes = Vec<T>::size;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t u = 0;
    for (; u + lanes <= units; u += lanes) f(r, u, lanes);
    if (u < units) f(r, u, static_cast<int>(units - u));
  }
}
template <class T>
PYDL_INLINE Vec<T> get(const T* p, int lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
}
template <class T>
PYDL_INLINE void put(T* p, Vec<T> v, int lanes) {
  if (lanes == Vec<T>::size) {
    v.store(p);
  } else {
    v.store(p, lanes);
  }
}

template <class T>
struct Tanh {
  PYDL_INLINE static Vec<T> f(Vec<T> x) { return tanh(x); }
  PYDL_INLINE static Vec<T> df(Vec<T> g, Vec<T> y) { return g * (T(1) - y * y); }
};
template <class T>
struct Relu {
  PYDL_INLINE static Vec<T> f(Vec<T> x) { return maximum(x, Vec<T>(T(0))); }
  PYDL_INLINE static Vec<T> df(Vec<T> g, Vec<T> y) { return select(y > T(0), g, Vec<T>(T(0))); }
};

template <class T, class Activation>
void simple(const CellStep<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const Vec<T> y = Activation::f(get(s.sums + r * s.sums_row + u, n));
    put(s.hidden + r * s.hidden_row + u, y, n);
  });
}

template <class T>
PYDL_INLINE Vec<T> incoming(const CellGradient<T>& s, int64_t r, int64_t u, int n) {
  const Vec<T> later = get(s.state + r * s.state_row + u, n);
  return s.grad ? later + get(s.grad + r * s.grad_row + u, n) : later;
}

template <class T, class Activation>
void simple_gradient(const CellGradient<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const Vec<T> y = get(s.gates + r * s.gates_row + u, n);
    put(s.out + r * s.out_row + u, Activation::df(incoming(s, r, u, n), y), n);
  });
}

// The sigmoid to some units in the last place, cheaper than the one that is exact to one: 1 + e^-x is rounded before
// its reciprocal. Below the bound the gate is shut in any case; the reciprocal of an infinity would be NaN.
template <class T>
PYDL_INLINE Vec<T> gate(Vec<T> x) {
  constexpr T shut = sizeof(T) == 4 ? 80 : 700;
  return reciprocal(T(1) + exp_inside(clamp_keeping_nan(-x, ExpConstants<T>::lowest, shut)));
}

// Gates in the order input, forget, candidate, output.
template <class T>
void lstm(const CellStep<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const T* x = s.sums + r * s.sums_row + u;
    T* g = s.gates + r * s.gates_row + u;
    const Vec<T> in = gate(get(x, n)), forget = gate(get(x + s.sum_step, n));
    const Vec<T> candidate = tanh(get(x + 2 * s.sum_step, n)), out = gate(get(x + 3 * s.sum_step, n));
    const Vec<T> cell = mul_add(forget, get(s.prev + r * s.prev_row + u, n), in * candidate);
    put(g, in, n);
    put(g + s.gate_step, forget, n);
    put(g + 2 * s.gate_step, candidate, n);
    put(g + 3 * s.gate_step, out, n);
    put(s.cell + r * s.cell_row + u, cell, n);
    put(s.hidden + r * s.hidden_row + u, out * tanh(cell), n);
  });
}

template <class T>
void lstm_gradient(const CellGradient<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const T* g = s.gates + r * s.gates_row + u;
    const Vec<T> in = get(g, n), forget = get(g + s.gate_step, n);
    const Vec<T> candidate = get(g + 2 * s.gate_step, n), out = get(g + 3 * s.gate_step, n);
    const Vec<T> dh = incoming(s, r, u, n), c = tanh(get(s.cell + r * s.cell_row + u, n));
    T* dc_at = s.grad_cell + r * s.grad_cell_row + u;
    const Vec<T> dc = mul_add(dh * out, T(1) - c * c, get(dc_at, n));
    T* d = s.out + r * s.out_row + u;
    put(d, dc * candidate * in * (T(1) - in), n);
    put(d + s.gate_step, dc * get(s.prev + r * s.prev_row + u, n) * forget * (T(1) - forget), n);
    put(d + 2 * s.gate_step, dc * in * (T(1) - candidate * candidate), n);
    put(d + 3 * s.gate_step, dh * c * out * (T(1) - out), n);
    put(dc_at, dc * forget, n);
  });
}

// Gates in the order reset, update, candidate.
template <class T>
void gru(const CellStep<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const T* x = s.sums + r * s.sums_row + u;
    T* g = s.gates + r * s.gates_row + u;
    const Vec<T> reset = gate(get(x, n)), update = gate(get(x + s.sum_step, n));
    const Vec<T> recurrent = get(s.recurrent + r * s.recurrent_row + u, n);
    const Vec<T> candidate = tanh(mul_add(reset, recurrent, get(x + 2 * s.sum_step, n)));
    const Vec<T> before = get(s.prev + r * s.prev_row + u, n);
    put(g, reset, n);
    put(g + s.gate_step, update, n);
    put(g + 2 * s.gate_step, candidate, n);
    put(s.hidden + r * s.hidden_row + u, mul_add(update, before - candidate, candidate), n);
  });
}

template <class T>
void gru_gradient(const CellGradient<T>& s) {
  over_block<T>(s.rows, s.units, [&](int64_t r, int64_t u, int n) __attribute__((always_inline)) {
    const T* g = s.gates + r * s.gates_row + u;
    const Vec<T> reset = get(g, n), update = get(g + s.gate_step, n), candidate = get(g + 2 * s.gate_step, n);
    const Vec<T> recurrent = get(s.recurrent + r * s.recurrent_row + u, n);
    const Vec<T> dh = incoming(s, r, u, n), before = get(s.prev + r * s.prev_row + u, n);
    const Vec<T> dn = dh * (T(1) - update) * (T(1) - candidate * candidate);
    T* d = s.out + r * s.out_row + u;
    put(d, dn * recurrent * reset * (T(1) - reset), n);
    put(d + s.gate_step, dh * (before - candidate) * update * (T(1) - update), n);
    put(d + 2 * s.gate_step, dn, n);
    put(s.out_recurrent + r * s.out_recurrent_row + u, dn * reset, n);
    put(s.state + r * s.state_row + u, dh * update, n);
  });
}

// One row against several panels at once: as many sums as hide the latency of a multiply-add.
template <class T, int NV>
PYDL_INLINE void row_times_vectors(const FewRows<T>& f, int64_t row, int64_t first) {
  constexpr int lanes = Vec<T>::size, per_panel = 2;
  const T* x = f.x + row * f.x_row;
  const T* b[NV / per_panel];
#pragma GCC unroll 4
  for (int p = 0; p < NV / per_panel; ++p) b[p] = f.b + (first / (per_panel * lanes) + p) * f.panel;
  Vec<T> acc[NV];
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) acc[v] = Vec<T>(T(0));
  for (int64_t k = 0; k < f.k; ++k) {
    const Vec<T> value(x[k]);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      acc[v] = mul_add(value, Vec<T>::load(b[v / per_panel] + k * per_panel * lanes + v % per_panel * lanes), acc[v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < NV; ++v) {
    const int64_t at = first + v * lanes;
    const int n = static_cast<int>(f.columns - at < lanes ? f.columns - at : lanes);
    if (n <= 0) return;
    T* c = f.c + row * f.c_row + at;
    if (f.add) acc[v] = acc[v] + get(c, n);
    if (f.bias) acc[v] = acc[v] + get(f.bias + at, n);
    put(c, acc[v], n);
  }
}

template <class T>
void few_rows(const FewRows<T>& f) {
  constexpr int panel = 2 * Vec<T>::size;
  for (int64_t row = 0; row < f.rows; ++row) {
    int64_t at = 0;
    for (; f.columns - at > 3 * panel; at += 4 * panel) row_times_vectors<T, 8>(f, row, at);
    for (; at < f.columns; at += panel) row_times_vectors<T, 2>(f, row, at);
  }
}

// Two sums for each vector of columns: as many chains as hide the latency of an addition.
template <class T>
void column_sums(const ColumnSums<T>& s) {
  constexpr int lanes = Vec<T>::size;
  for (int64_t j = 0; j < s.columns; j += 2 * lanes) {
    const int n0 = static_cast<int>(s.columns - j < lanes ? s.columns - j : lanes);
    const int64_t left = s.columns - j - lanes;
    const int n1 = static_cast<int>(left < 0 ? 0 : left < lanes ? left : lanes);
    Vec<T> even0(T(0)), odd0(T(0)), even1(T(0)), odd1(T(0));
    const T* x = s.x + j;
    const auto add = [&](Vec<T>& sum0, Vec<T>& sum1) __attribute__((always_inline)) {
      sum0 = sum0 + get(x, n0);
      if (n1 > 0) sum1 = sum1 + get(x + lanes, n1);
      x += s.x_row;
    };
    int64_t r = 0;
    for (; r + 2 <= s.rows; r += 2) {
      add(even0, even1);
      add(odd0, odd1);
    }
    if (r < s.rows) add(even0, even1);
    T* out = s.out + j;
    put(out, s.add ? get(out, n0) + (even0 + odd0) : even0 + odd0, n0);
    if (n1 > 0) put(out + lanes, s.add ? get(out + lanes, n1) + (even1 + odd1) : even1 + odd1, n1);
  }
}

template <class T>
constexpr CellTable<T> make_table() {
  return {&simple<T, Tanh<T>>,          &simple<T, Relu<T>>, &lstm<T>,         &gru<T>,      &simple_gradient<T, Tanh<T>>,
          &simple_gradient<T, Relu<T>>, &lstm_gradient<T>,   &gru_gradient<T>, &few_rows<T>, &column_sums<T>};
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::rnn::PYDL_ISA {

constinit const CellTable<float> cells_f32 = simd::PYDL_ISA::make_table<float>();
constinit const CellTable<double> cells_f64 = simd::PYDL_ISA::make_table<double>();

}  // namespace pydl::kernels::rnn::PYDL_ISA
