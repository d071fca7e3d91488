// Exponentials, logarithms and roots.
#include "kernels/pointwise/exponential.h"

#include "kernels/cpu/pointwise/complex_math.h"
#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_UNARY(Exp, simd::PYDL_ISA::exp(a))
PYDL_UNARY(Exp2, simd::PYDL_ISA::exp2(a))
PYDL_UNARY(Expm1, simd::PYDL_ISA::expm1(a))
PYDL_UNARY(Log, simd::PYDL_ISA::log(a))
PYDL_UNARY(Log2, simd::PYDL_ISA::log2(a))
PYDL_UNARY(Log10, simd::PYDL_ISA::log10(a))
PYDL_UNARY(Log1p, simd::PYDL_ISA::log1p(a))
PYDL_UNARY(Sqrt, simd::PYDL_ISA::sqrt(a))
PYDL_UNARY(Rsqrt, V(1) / simd::PYDL_ISA::sqrt(a))

PYDL_COMPLEX_FUNCTION(ComplexExp, cexp)
PYDL_COMPLEX_FUNCTION(ComplexLog, clog)
PYDL_COMPLEX_FUNCTION(ComplexSqrt, csqrt)

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable exp = map_table<Exp, 1, 0>(Floats{}) | complex_table<ComplexExp<float>, ComplexExp<double>, 1>();
constinit const StripTable exp2 = map_table<Exp2, 1, 0>(Floats{});
constinit const StripTable expm1 = map_table<Expm1, 1, 0>(Floats{});
constinit const StripTable log = map_table<Log, 1, 0>(Floats{}) | complex_table<ComplexLog<float>, ComplexLog<double>, 1>();
constinit const StripTable log2 = map_table<Log2, 1, 0>(Floats{});
constinit const StripTable log10 = map_table<Log10, 1, 0>(Floats{});
constinit const StripTable log1p = map_table<Log1p, 1, 0>(Floats{});
constinit const StripTable sqrt = map_table<Sqrt, 1, 2>(Floats{}) | complex_table<ComplexSqrt<float>, ComplexSqrt<double>, 1>();
constinit const StripTable rsqrt = map_table<Rsqrt, 1, 2>(Floats{});

PYDL_KERNELS_END
