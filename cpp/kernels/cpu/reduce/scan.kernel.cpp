// Running sums and products of lines, several at a time: next to each other in memory as vectors, else so that the latency of
// one line's additions is hidden behind those of the others. Floats carry the exact-enough float64 value from element to element and round
// each output once; integers wrap.
#include "kernels/reduce/reduce.h"

namespace pydl::kernels::reduce::PYDL_ISA {
namespace {

// How a dtype is read, accumulated and written. Acc must have +, * of its own.
template <class T>
struct Real {
  using Storage = T;
  using Acc = double;
  static double read(T x) { return static_cast<double>(x); }
  static T write(double x) { return static_cast<T>(x); }
};
struct Half {
  using Storage = float16;
  using Acc = double;
  static double read(float16 x) { return static_cast<double>(to_float(x)); }
  static float16 write(double x) { return to_float16(static_cast<float>(x)); }
};
struct Brain {
  using Storage = bfloat16;
  using Acc = double;
  static double read(bfloat16 x) { return static_cast<double>(to_float(x)); }
  static bfloat16 write(double x) { return to_bfloat16(static_cast<float>(x)); }
};
template <class T>
struct Integer {
  using Storage = T;
  using Acc = uint64_t;
  static uint64_t read(T x) { return static_cast<uint64_t>(x); }
  static T write(uint64_t x) { return static_cast<T>(x); }
};

struct Complex {
  double re, im;
};
inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
inline Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
template <class T>
struct ComplexReal {
  struct Storage {
    T re, im;
  };
  using Acc = Complex;
  static Complex read(Storage x) { return {static_cast<double>(x.re), static_cast<double>(x.im)}; }
  static Storage write(Complex x) { return {static_cast<T>(x.re), static_cast<T>(x.im)}; }
};

template <class D, bool kProduct>
struct Plain {
  using Storage = typename D::Storage;
  using Acc = typename D::Acc;
  static Acc start(Storage x) { return D::read(x); }
  static Acc next(Acc acc, Storage x) {
    if constexpr (kProduct) {
      return acc * D::read(x);
    } else {
      return acc + D::read(x);
    }
  }
  static Storage write(Acc acc) { return D::write(acc); }
};

// A sum in float64 itself is compensated (Neumaier 1974): carry + lost is the exact running sum to second order.
struct Compensated {
  using Storage = double;
  struct Acc {
    double carry, lost;
  };
  static Acc start(double x) { return {0.0 + x, 0.0}; }
  static Acc next(Acc acc, double x) {
    const double sum = acc.carry + x;
    const double error = __builtin_fabs(acc.carry) >= __builtin_fabs(x) ? (acc.carry - sum) + x : (x - sum) + acc.carry;
    return {sum, acc.lost + (error == error ? error : 0.0)};  // an infinity makes the correction NaN, not the sum
  }
  static double write(Acc acc) { return acc.carry + acc.lost; }
};

constexpr int64_t kStrip = 512;  // neighbouring lines whose sums lie in L1
constexpr int kSide = 4;         // lines that lie apart

// `width` lines that are neighbours in memory, row by row.
template <class P>
void across(const char* in, char* out, int64_t step, int64_t width, int64_t n) {
  using S = typename P::Storage;
  typename P::Acc acc[kStrip];
  for (int64_t j = 0; j < width; ++j) acc[j] = P::start(reinterpret_cast<const S*>(in)[j]);
  for (int64_t j = 0; j < width; ++j) reinterpret_cast<S*>(out)[j] = P::write(acc[j]);
  for (int64_t i = 1; i < n; ++i) {
    const S* x = reinterpret_cast<const S*>(in + i * step);
    S* y = reinterpret_cast<S*>(out + i * step);
#pragma GCC ivdep
    for (int64_t j = 0; j < width; ++j) {
      acc[j] = P::next(acc[j], x[j]);
      y[j] = P::write(acc[j]);
    }
  }
}

template <class P, int kLines>
void beside(const char* in, char* out, int64_t line, int64_t step, int64_t n) {
  using S = typename P::Storage;
  typename P::Acc acc[kLines];
  for (int r = 0; r < kLines; ++r) {
    acc[r] = P::start(*reinterpret_cast<const S*>(in + r * line));
    *reinterpret_cast<S*>(out + r * line) = P::write(acc[r]);
  }
  for (int64_t i = 1; i < n; ++i) {
    in += step, out += step;
#pragma GCC unroll 4
    for (int r = 0; r < kLines; ++r) {
      acc[r] = P::next(acc[r], *reinterpret_cast<const S*>(in + r * line));
      *reinterpret_cast<S*>(out + r * line) = P::write(acc[r]);
    }
  }
}

template <class P>
void run(const Scan& s) {
  constexpr int64_t item = sizeof(typename P::Storage);
  if (s.n == 0) return;
  int64_t r = 0;
  if (s.line == item) {
    for (; r < s.lines; r += kStrip) {
      across<P>(s.in + r * item, s.out + r * item, s.step, s.lines - r < kStrip ? s.lines - r : kStrip, s.n);
    }
    return;
  }
  for (; r + kSide <= s.lines; r += kSide) beside<P, kSide>(s.in + r * s.line, s.out + r * s.line, s.line, s.step, s.n);
  for (; r < s.lines; ++r) beside<P, 1>(s.in + r * s.line, s.out + r * s.line, s.line, s.step, s.n);
}

template <bool kProduct>
constexpr ByDType<ScanFn> make_table() {
  ByDType<ScanFn> t;
  const auto set = [&t](DType d, ScanFn fn) { t.slot[static_cast<int>(d)] = fn; };
  set(DType::UInt8, run<Plain<Integer<uint8_t>, kProduct>>);
  set(DType::Int8, run<Plain<Integer<int8_t>, kProduct>>);
  set(DType::UInt16, run<Plain<Integer<uint16_t>, kProduct>>);
  set(DType::Int16, run<Plain<Integer<int16_t>, kProduct>>);
  set(DType::UInt32, run<Plain<Integer<uint32_t>, kProduct>>);
  set(DType::Int32, run<Plain<Integer<int32_t>, kProduct>>);
  set(DType::UInt64, run<Plain<Integer<uint64_t>, kProduct>>);
  set(DType::Int64, run<Plain<Integer<int64_t>, kProduct>>);
  set(DType::Float16, run<Plain<Half, kProduct>>);
  set(DType::BFloat16, run<Plain<Brain, kProduct>>);
  set(DType::Float32, run<Plain<Real<float>, kProduct>>);
  set(DType::Float64, kProduct ? run<Plain<Real<double>, true>> : run<Compensated>);
  set(DType::Complex64, run<Plain<ComplexReal<float>, kProduct>>);
  set(DType::Complex128, run<Plain<ComplexReal<double>, kProduct>>);
  return t;
}

}  // namespace

constinit const ByDType<ScanFn> cumsum = make_table<false>();
constinit const ByDType<ScanFn> cumprod = make_table<true>();

}  // namespace pydl::kernels::reduce::PYDL_ISA
