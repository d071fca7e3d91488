// Running sums and products of one row. Floats carry the exact-enough float64 value from element to element and round each
// output once; integers wrap.
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

// A sum in float64 itself is compensated (Neumaier 1974): carry + lost is the exact running sum to second order.
void cumsum_f64(const Scan& s) {
  double carry = 0, lost = 0;
  for (int64_t i = 0; i < s.n; ++i) {
    const double x = *reinterpret_cast<const double*>(s.in + i * s.in_stride);
    const double sum = carry + x;
    const double error = __builtin_fabs(carry) >= __builtin_fabs(x) ? (carry - sum) + x : (x - sum) + carry;
    if (error == error) lost += error;  // an infinity makes the correction NaN, not the sum
    carry = sum;
    *reinterpret_cast<double*>(s.out + i * s.out_stride) = carry + lost;
  }
}

template <class D, bool kProduct>
void run(const Scan& s) {
  using S = typename D::Storage;
  if (s.n == 0) return;
  typename D::Acc acc = D::read(*reinterpret_cast<const S*>(s.in));
  *reinterpret_cast<S*>(s.out) = D::write(acc);
  for (int64_t i = 1; i < s.n; ++i) {
    const typename D::Acc x = D::read(*reinterpret_cast<const S*>(s.in + i * s.in_stride));
    if constexpr (kProduct) {
      acc = acc * x;
    } else {
      acc = acc + x;
    }
    *reinterpret_cast<S*>(s.out + i * s.out_stride) = D::write(acc);
  }
}

template <bool kProduct>
constexpr ByDType<ScanFn> make_table() {
  ByDType<ScanFn> t;
  const auto set = [&t](DType d, ScanFn fn) { t.slot[static_cast<int>(d)] = fn; };
  set(DType::UInt8, run<Integer<uint8_t>, kProduct>);
  set(DType::Int8, run<Integer<int8_t>, kProduct>);
  set(DType::UInt16, run<Integer<uint16_t>, kProduct>);
  set(DType::Int16, run<Integer<int16_t>, kProduct>);
  set(DType::UInt32, run<Integer<uint32_t>, kProduct>);
  set(DType::Int32, run<Integer<int32_t>, kProduct>);
  set(DType::UInt64, run<Integer<uint64_t>, kProduct>);
  set(DType::Int64, run<Integer<int64_t>, kProduct>);
  set(DType::Float16, run<Half, kProduct>);
  set(DType::BFloat16, run<Brain, kProduct>);
  set(DType::Float32, run<Real<float>, kProduct>);
  set(DType::Float64, kProduct ? run<Real<double>, kProduct> : cumsum_f64);
  set(DType::Complex64, run<ComplexReal<float>, kProduct>);
  set(DType::Complex128, run<ComplexReal<double>, kProduct>);
  return t;
}

}  // namespace

constinit const ByDType<ScanFn> cumsum = make_table<false>();
constinit const ByDType<ScanFn> cumprod = make_table<true>();

}  // namespace pydl::kernels::reduce::PYDL_ISA
