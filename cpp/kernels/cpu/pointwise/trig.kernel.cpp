// Trigonometric and hyperbolic functions and their inverses.
#include "kernels/pointwise/trig.h"

#include "kernels/cpu/pointwise/complex_math.h"
#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_trig.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_UNARY(Sin, simd::PYDL_ISA::sin(a))
PYDL_UNARY(Cos, simd::PYDL_ISA::cos(a))
PYDL_UNARY(Tan, simd::PYDL_ISA::tan(a))
PYDL_UNARY(Asin, simd::PYDL_ISA::asin(a))
PYDL_UNARY(Acos, simd::PYDL_ISA::acos(a))
PYDL_UNARY(Atan, simd::PYDL_ISA::atan(a))
PYDL_UNARY(Sinh, simd::PYDL_ISA::sinh(a))
PYDL_UNARY(Cosh, simd::PYDL_ISA::cosh(a))
PYDL_UNARY(Tanh, simd::PYDL_ISA::tanh(a))
PYDL_UNARY(Asinh, simd::PYDL_ISA::asinh(a))
PYDL_UNARY(Acosh, simd::PYDL_ISA::acosh(a))
PYDL_UNARY(Atanh, simd::PYDL_ISA::atanh(a))
PYDL_BINARY(Atan2, simd::PYDL_ISA::atan2(a, b))

PYDL_COMPLEX_FUNCTION(ComplexSin, csin)
PYDL_COMPLEX_FUNCTION(ComplexCos, ccos)
PYDL_COMPLEX_FUNCTION(ComplexTan, ctan)
PYDL_COMPLEX_FUNCTION(ComplexSinh, csinh)
PYDL_COMPLEX_FUNCTION(ComplexCosh, ccosh)
PYDL_COMPLEX_FUNCTION(ComplexTanh, ctanh)

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable sin = map_table<Sin, 1, 0>(Floats{}) | complex_table<ComplexSin<float>, ComplexSin<double>, 1>();
constinit const StripTable cos = map_table<Cos, 1, 0>(Floats{}) | complex_table<ComplexCos<float>, ComplexCos<double>, 1>();
constinit const StripTable tan = map_table<Tan, 1, 0>(Floats{}) | complex_table<ComplexTan<float>, ComplexTan<double>, 1>();
constinit const StripTable asin = map_table<Asin, 1, 0>(Floats{});
constinit const StripTable acos = map_table<Acos, 1, 0>(Floats{});
constinit const StripTable atan = map_table<Atan, 1, 0>(Floats{});
constinit const StripTable sinh = map_table<Sinh, 1, 0>(Floats{}) | complex_table<ComplexSinh<float>, ComplexSinh<double>, 1>();
constinit const StripTable cosh = map_table<Cosh, 1, 0>(Floats{}) | complex_table<ComplexCosh<float>, ComplexCosh<double>, 1>();
constinit const StripTable tanh = map_table<Tanh, 1, 0>(Floats{}) | complex_table<ComplexTanh<float>, ComplexTanh<double>, 1>();
constinit const StripTable asinh = map_table<Asinh, 1, 0>(Floats{});
constinit const StripTable acosh = map_table<Acosh, 1, 0>(Floats{});
constinit const StripTable atanh = map_table<Atanh, 1, 0>(Floats{});
constinit const StripTable atan2 = map_table<Atan2, 2, 0>(Floats{});

PYDL_KERNELS_END
