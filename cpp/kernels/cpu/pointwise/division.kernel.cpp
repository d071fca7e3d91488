// Quotients and remainders of every rounding.
#include "kernels/pointwise/division.h"

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
struct FmodScalar {
  PYDL_INLINE T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 4) {
      return __builtin_fmodf(a, b);
    } else {
      return __builtin_fmod(a, b);
    }
  }
};

// Exact. For moderate quotients a - trunc(a / b) * b is one fused operation; the rounded quotient is at most one too large,
// which shows as a remainder of the wrong sign.
template <class T>
PYDL_INLINE Vec<T> fmod_vector(Vec<T> a, Vec<T> b) {
  constexpr T largest_quotient = FloatTraits<T>::round_magic / 4;
  const Vec<T> quotient = simd::PYDL_ISA::trunc(a / b);
  Vec<T> r = neg_mul_add(quotient, b, a);
  const Vec<T> step = simd::PYDL_ISA::copysign(b, a);
  r = select(mask_cast<T>(bit_cast<SignedLike<T>>(r ^ a) < SignedLike<T>(0)) & (r != T(0)), r + step, r);
  r = simd::PYDL_ISA::copysign(r, a);
  const Mask<T> simple = simd::PYDL_ISA::abs(quotient) < largest_quotient;
  const Mask<T> hard = kHasFma ? ~simple | (simd::PYDL_ISA::abs(b) == FloatTraits<T>::infinity) : simple | ~simple;
  return patch_lanes(hard, r, FmodScalar<T>(), a, b);
}

// The sign of b, except that a zero keeps the sign of a (Python's rule, as torch applies it).
template <class T>
PYDL_INLINE Vec<T> remainder_vector(Vec<T> a, Vec<T> b) {
  const Vec<T> r = fmod_vector(a, b);
  return select((r != T(0)) & ((r < T(0)) ^ (b < T(0))), r + b, r);
}

// Python's float floor division: from the exact remainder, rounded to the integer it must be.
template <class T>
PYDL_INLINE Vec<T> floor_divide_vector(Vec<T> a, Vec<T> b) {
  const Vec<T> r = fmod_vector(a, b);
  Vec<T> quotient = (a - r) / b;
  quotient = select((r != T(0)) & ((r < T(0)) ^ (b < T(0))), quotient - T(1), quotient);
  Vec<T> rounded = simd::PYDL_ISA::floor(quotient);
  rounded = select(quotient - rounded > T(0.5), rounded + T(1), rounded);
  rounded = select(quotient == T(0), simd::PYDL_ISA::copysign(Vec<T>(T(0)), a / b), rounded);
  return select(b == T(0), a / b, rounded);
}

struct Fmod : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return fmod_vector(a, b);
  }
};
struct Remainder : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return remainder_vector(a, b);
  }
};
struct FloorDivide : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return floor_divide_vector(a, b);
  }
};
struct TruncDivide : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return simd::PYDL_ISA::trunc(a / b);
  }
};

// Division of integers traps by zero and where the quotient overflows: both are answered first.
template <class T>
PYDL_INLINE bool is_minus_one(T b) {
  return std::is_signed_v<T> && b == static_cast<T>(-1);
}
template <class T>
PYDL_INLINE T wrapping_negate(T a) {
  return static_cast<T>(UnsignedLike<T>(0) - static_cast<UnsignedLike<T>>(a));
}

struct IntTruncDivide : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    if (b == 0) return 0;
    if (is_minus_one(b)) return wrapping_negate(a);
    return static_cast<T>(a / b);
  }
};
struct IntFloorDivide : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    if (b == 0) return 0;
    if (is_minus_one(b)) return wrapping_negate(a);
    const T q = static_cast<T>(a / b);
    if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(q - (((a < 0) != (b < 0)) && q * b != a));
    } else {
      return q;
    }
  }
};
struct IntFmod : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    if (b == 0 || is_minus_one(b)) return 0;
    return static_cast<T>(a % b);
  }
};
struct IntRemainder : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    if (b == 0 || is_minus_one(b)) return 0;
    const T r = static_cast<T>(a % b);
    if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    } else {
      return r;
    }
  }
};

// Euclid's algorithm on magnitudes; the lowest value of a signed type has none and wraps, as in C.
template <class T>
PYDL_INLINE uint64_t magnitude(T a) {
  return a < T(0) ? uint64_t(0) - static_cast<uint64_t>(a) : static_cast<uint64_t>(a);
}
template <class T>
PYDL_INLINE uint64_t gcd_of(T a, T b) {
  uint64_t x = magnitude(a), y = magnitude(b);
  while (y != 0) {
    const uint64_t rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}
PYDL_BINARY(Gcd, static_cast<V>(gcd_of(a, b)))
struct Lcm : NoParams {
  using NoParams::NoParams;
  template <class T>
  PYDL_INLINE T operator()(T a, T b) const {
    const uint64_t divisor = gcd_of(a, b);
    if (divisor == 0) return 0;
    const T multiple = static_cast<T>(magnitude(a) / divisor * magnitude(b));
    return static_cast<T>(magnitude(multiple));
  }
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable floor_divide = scalar_table<IntFloorDivide, 2>(AllInts{}) | map_table<FloorDivide, 2, 0>(Floats{});
constinit const StripTable trunc_divide = scalar_table<IntTruncDivide, 2>(AllInts{}) | map_table<TruncDivide, 2, 2>(Floats{});
constinit const StripTable remainder = scalar_table<IntRemainder, 2>(AllInts{}) | map_table<Remainder, 2, 0>(Floats{});
constinit const StripTable fmod = scalar_table<IntFmod, 2>(AllInts{}) | map_table<Fmod, 2, 0>(Floats{});
constinit const StripTable gcd = scalar_table<Gcd, 2>(AllInts{});
constinit const StripTable lcm = scalar_table<Lcm, 2>(AllInts{});

PYDL_KERNELS_END
