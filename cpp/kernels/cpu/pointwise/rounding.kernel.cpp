// Rounding to integers.
#include "kernels/pointwise/rounding.h"

#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_UNARY(Floor, simd::PYDL_ISA::floor(a))
PYDL_UNARY(Ceil, simd::PYDL_ISA::ceil(a))
PYDL_UNARY(Round, simd::PYDL_ISA::rint(a))
PYDL_UNARY(Trunc, simd::PYDL_ISA::trunc(a))
PYDL_UNARY(Frac, a - simd::PYDL_ISA::trunc(a))

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable floor = map_table<Floor, 1, 2>(Floats{});
constinit const StripTable ceil = map_table<Ceil, 1, 2>(Floats{});
constinit const StripTable round = map_table<Round, 1, 2>(Floats{});
constinit const StripTable trunc = map_table<Trunc, 1, 2>(Floats{});
constinit const StripTable frac = map_table<Frac, 1, 2>(Floats{});

PYDL_KERNELS_END
