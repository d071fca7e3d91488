// Bit operations.
#include "kernels/pointwise/bitwise.h"

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_BINARY(And, a& b)
PYDL_BINARY(Or, a | b)
PYDL_BINARY(Xor, a ^ b)
PYDL_UNARY(Not, ~a)
PYDL_UNARY(BoolNot, a ^ uint8_t(1))

template <class T>
PYDL_INLINE bool in_width(T count) {
  return static_cast<UnsignedLike<T>>(count) < 8 * sizeof(T);
}
PYDL_BINARY(LeftShift, in_width(b) ? static_cast<V>(static_cast<UnsignedLike<V>>(a) << b) : V(0))
PYDL_BINARY(RightShift, in_width(b) ? static_cast<V>(a >> b) : static_cast<V>(a < V(0) ? -1 : 0))

template <class F, int Inputs>
consteval StripTable bitwise_table() {
  return wrapping_table<F, Inputs, 1>() | map_table<F, Inputs, 1>(Types<bool>{});
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable bitwise_and = bitwise_table<And, 2>();
constinit const StripTable bitwise_or = bitwise_table<Or, 2>();
constinit const StripTable bitwise_xor = bitwise_table<Xor, 2>();
constinit const StripTable bitwise_not = wrapping_table<Not, 1, 1>() | map_table<BoolNot, 1, 1>(Types<bool>{});
constinit const StripTable left_shift = scalar_table<LeftShift, 2>(AllInts{});
constinit const StripTable right_shift = scalar_table<RightShift, 2>(AllInts{});

PYDL_KERNELS_END
