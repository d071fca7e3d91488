#include "ops/pointwise/bitwise.h"

#include "kernels/pointwise/bitwise.h"
#include "kernels/pointwise/division.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {

namespace kernel = kernels::pointwise;

#define PYDL_BITWISE(name, kernel_name, text)                                                                        \
  Tensor name(const Tensor& input, const Operand& other, const Dest& dest) {                                         \
    return pointwise({#name, kernel::kernel_name()}, {input, other}, dest);                                          \
  }                                                                                                                  \
  PYDL_OP(name, #name "(input: Tensor, other: Tensor | Number) -> Tensor", Function | Method | Inplace | Out, text); \
  namespace {                                                                                                        \
  Tensor name##_of_number(const Scalar& self, const Tensor& other, const Dest& dest) {                               \
    return pointwise({#name, kernel::kernel_name()}, {Operand(self), Operand(other)}, dest);                         \
  }                                                                                                                  \
  }                                                                                                                  \
  PYDL_OP_AGAIN(name##_of_number, #name "(self: Number, other: Tensor) -> Tensor", Function | Out, R"doc()doc")

PYDL_BITWISE(bitwise_and, bitwise_and, R"doc(
The bitwise and of integers, the logical and of bools.

Example:
    >>> pydl.bitwise_and(pydl.tensor([6]), 3)
    tensor([2])
)doc");
PYDL_BITWISE(bitwise_or, bitwise_or, R"doc(
The bitwise or of integers, the logical or of bools.

Example:
    >>> pydl.bitwise_or(pydl.tensor([6]), 3)
    tensor([7])
)doc");
PYDL_BITWISE(bitwise_xor, bitwise_xor, R"doc(
The bitwise exclusive or of integers, the logical one of bools.

Example:
    >>> pydl.bitwise_xor(pydl.tensor([6]), 3)
    tensor([5])
)doc");
PYDL_BITWISE(bitwise_left_shift, left_shift, R"doc(
input * 2 ** other for integers; a count outside [0, width) gives 0.

Example:
    >>> pydl.bitwise_left_shift(pydl.tensor([3]), 2)
    tensor([12])
)doc");
PYDL_BITWISE(bitwise_right_shift, right_shift, R"doc(
The arithmetic shift to the right; a count outside [0, width) gives 0, or -1 for negative numbers.

Example:
    >>> pydl.bitwise_right_shift(pydl.tensor([12]), 2)
    tensor([3])
)doc");

Tensor bitwise_not(const Tensor& input, const Dest& dest) { return pointwise({"bitwise_not", kernel::bitwise_not()}, {input}, dest); }
PYDL_OP(bitwise_not, "bitwise_not(input: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
All bits flipped; the logical not of bools.

Example:
    >>> pydl.bitwise_not(pydl.tensor([0, 1]))
    tensor([-1, -2])
)doc");

namespace {
Tensor lcm(const Tensor& input, const Tensor& other, const Dest& dest) {
  return pointwise({"lcm", kernel::lcm(), TypeRule::Same, nullptr, 40}, {input, other}, dest);
}
Tensor gcd(const Tensor& input, const Tensor& other, const Dest& dest) {
  return pointwise({"gcd", kernel::gcd(), TypeRule::Same, nullptr, 40}, {input, other}, dest);
}
}  // namespace
PYDL_OP(gcd, "gcd(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The greatest common divisor of integers, by Euclid's algorithm; gcd(0, 0) is 0.

Example:
    >>> pydl.gcd(pydl.tensor([12, 7]), pydl.tensor([18, 14]))
    tensor([6, 7])
)doc");

PYDL_OP(lcm, "lcm(input: Tensor, other: Tensor) -> Tensor", Function | Method | Inplace | Out, R"doc(
The least common multiple of integers, not negative; 0 if either is 0.

Example:
    >>> pydl.lcm(pydl.tensor([4, 0]), pydl.tensor([6, 3]))
    tensor([12,  0])
)doc");

}  // namespace pydl
