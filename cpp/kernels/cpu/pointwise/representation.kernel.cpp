// Functions of a number's representation.
#include "kernels/pointwise/representation.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/vec_half.h"

namespace pydl::simd::PYDL_ISA {
namespace {

// Zero, infinities and NaN are their own mantissa, with exponent 0.
template <class T>
void frexp_strip(const Strip& s) {
  for (int64_t j = 0; j < s.n1; ++j) {
    for (int64_t i = 0; i < s.n0; ++i) {
      const T x = *reinterpret_cast<const T*>(s.data[2] + j * s.outer[2] + i * s.inner[2]);
      int exponent = 0;
      const T mantissa = x - x == 0 ? static_cast<T>(__builtin_frexp(static_cast<double>(x), &exponent)) : x;
      *reinterpret_cast<T*>(s.data[0] + j * s.outer[0] + i * s.inner[0]) = mantissa;
      *reinterpret_cast<int32_t*>(s.data[1] + j * s.outer[1] + i * s.inner[1]) = exponent;
    }
  }
}

// Beyond the bound every result is 0 or infinite.
struct Ldexp : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T n) const {
    const double bounded = n < -2200 ? -2200.0 : n > 2200 ? 2200.0 : static_cast<double>(n);
    return static_cast<T>(__builtin_ldexp(static_cast<double>(a), static_cast<int>(bounded)));
  }
};

PYDL_INLINE float widened(float x) { return x; }
PYDL_INLINE double widened(double x) { return x; }
PYDL_INLINE float widened(float16 x) { return to_float(x); }
PYDL_INLINE float widened(bfloat16 x) { return to_float(x); }

// Of one sign, floating-point numbers are ordered as their representations.
struct NextAfter : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    using Bits = UnsignedLike<T>;
    const auto x = widened(a), y = widened(b);
    if (x != x) return a;
    if (y != y || x == y) return b;
    Bits bits = __builtin_bit_cast(Bits, a);
    const Bits sign = static_cast<Bits>(Bits(1) << (8 * sizeof(Bits) - 1));
    if (x == 0) {
      bits = static_cast<Bits>((y < 0 ? sign : Bits(0)) | 1);
    } else {
      bits = static_cast<Bits>((y > x) == (x > 0) ? bits + 1 : bits - 1);
    }
    return __builtin_bit_cast(T, bits);
  }
};

consteval StripTable frexp_table() {
  StripTable t;
  t.slot[static_cast<int>(DType::Float32)] = &frexp_strip<float>;
  t.slot[static_cast<int>(DType::Float64)] = &frexp_strip<double>;
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable frexp = frexp_table();
constinit const StripTable ldexp = scalar_table<Ldexp, 2>(Floats{});
constinit const StripTable nextafter = scalar_table<NextAfter, 2>(Types<float, double, float16, bfloat16>{});

PYDL_KERNELS_END
