// Matrix multiplication for the dtypes without a tuned kernel: integers (which wrap) and complex numbers.
#include "kernels/matmul/gemm.h"

namespace pydl::kernels::matmul::PYDL_ISA {
namespace {

// std::complex would bring weak symbols into this object file.
template <class T>
struct Complex {
  T re, im;
  [[gnu::always_inline]] Complex& operator+=(Complex o) {
    re += o.re;
    im += o.im;
    return *this;
  }
};
template <class T>
[[gnu::always_inline]] inline Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// Arithmetic modulo 2^bits, without the promotion of small types to a signed int that may overflow.
template <class T>
struct Wrapping {
  T value;
  [[gnu::always_inline]] Wrapping& operator+=(Wrapping o) {
    value = static_cast<T>(value + o.value);
    return *this;
  }
};
template <class T>
[[gnu::always_inline]] inline Wrapping<T> operator*(Wrapping<T> a, Wrapping<T> b) {
  return {static_cast<T>(static_cast<uint64_t>(a.value) * b.value)};
}

template <class T>
[[gnu::always_inline]] inline Complex<T> scalar(double x, Complex<T>*) {
  return {static_cast<T>(x), T(0)};
}
template <class T>
[[gnu::always_inline]] inline Wrapping<T> scalar(double x, Wrapping<T>*) {
  return {static_cast<T>(static_cast<int64_t>(x))};
}

template <class T, bool kSigned>
[[gnu::always_inline]] inline Wrapping<T> relu(Wrapping<T> x) {
  const bool negative = kSigned && (x.value >> (8 * sizeof(T) - 1)) != 0;
  return {negative ? T(0) : x.value};
}
template <class C, bool>
[[gnu::always_inline]] inline C relu(C x) {
  return x;
}

template <class C, bool kSigned, bool kReal>
void plain(const PlainGemm& g, int64_t row_begin, int64_t row_end) {
  constexpr int64_t kColumns = 128;
  const C alpha = scalar(g.alpha, static_cast<C*>(nullptr)), beta = scalar(g.beta, static_cast<C*>(nullptr));
  const C* a = static_cast<const C*>(g.a);
  const C* b = static_cast<const C*>(g.b);
  const C* bias = static_cast<const C*>(g.bias);
  for (int64_t j0 = 0; j0 < g.n; j0 += kColumns) {
    const int64_t n = g.n - j0 < kColumns ? g.n - j0 : kColumns;
    for (int64_t i = row_begin; i < row_end; ++i) {
      C acc[kColumns];
      for (int64_t j = 0; j < n; ++j) acc[j] = C{};
      for (int64_t p = 0; p < g.k; ++p) {
        const C x = a[i * g.a_row + p * g.a_col];
        const C* row = b + p * g.b_row + j0 * g.b_col;
        if (g.b_col == 1) {
          for (int64_t j = 0; j < n; ++j) acc[j] += x * row[j];
        } else {
          for (int64_t j = 0; j < n; ++j) acc[j] += x * row[j * g.b_col];
        }
      }
      C* c = static_cast<C*>(g.c) + i * g.c_row + j0;
      for (int64_t j = 0; j < n; ++j) {
        C v = alpha * acc[j];
        if (g.beta != 0) v += beta * c[j];
        if (bias) v += bias[(j0 + j) * g.bias_n + i * g.bias_m];
        if constexpr (kReal) {
          if (g.relu) v = relu<decltype(v.value), kSigned>(v);
        }
        c[j] = v;
      }
    }
  }
}

template <class T, bool kSigned>
constexpr PlainGemmFn integer = plain<Wrapping<T>, kSigned, true>;
template <class T>
constexpr PlainGemmFn complex = plain<Complex<T>, true, false>;

constexpr ByDType<PlainGemmFn> make_table() {
  ByDType<PlainGemmFn> t;
  const auto set = [&t](DType d, PlainGemmFn fn) { t.slot[static_cast<int>(d)] = fn; };
  set(DType::UInt8, integer<uint8_t, false>);
  set(DType::Int8, integer<uint8_t, true>);
  set(DType::UInt16, integer<uint16_t, false>);
  set(DType::Int16, integer<uint16_t, true>);
  set(DType::UInt32, integer<uint32_t, false>);
  set(DType::Int32, integer<uint32_t, true>);
  set(DType::UInt64, integer<uint64_t, false>);
  set(DType::Int64, integer<uint64_t, true>);
  set(DType::Complex64, complex<float>);
  set(DType::Complex128, complex<double>);
  return t;
}

}  // namespace

constinit const ByDType<PlainGemmFn> plain_gemm = make_table();

}  // namespace pydl::kernels::matmul::PYDL_ISA
