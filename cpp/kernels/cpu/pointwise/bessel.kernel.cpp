// Bessel and Airy functions, computed in double.
#include "kernels/pointwise/bessel.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_bessel.h"

namespace pydl::simd::PYDL_ISA {
namespace {

// The C library's, with NaN for infinities as torch has it.
#define PYDL_OF_LIBRARY(name, function) \
  PYDL_INLINE double name(double x) { return __builtin_isinf(x) ? __builtin_nan("") : function(x); }
PYDL_OF_LIBRARY(bessel_j0_scalar, __builtin_j0)
PYDL_OF_LIBRARY(bessel_j1_scalar, __builtin_j1)
// Some libraries give -inf for negative numbers.
PYDL_INLINE double bessel_y0_scalar(double x) { return x < 0 || __builtin_isinf(x) ? __builtin_nan("") : __builtin_y0(x); }
PYDL_INLINE double bessel_y1_scalar(double x) { return x < 0 || __builtin_isinf(x) ? __builtin_nan("") : __builtin_y1(x); }

PYDL_UNARY(I0, static_cast<V>(bessel_i0(static_cast<double>(a))))
PYDL_UNARY(I0e, static_cast<V>(bessel_i0e(static_cast<double>(a))))
PYDL_UNARY(I1, static_cast<V>(bessel_i1(static_cast<double>(a))))
PYDL_UNARY(I1e, static_cast<V>(bessel_i1e(static_cast<double>(a))))
PYDL_UNARY(BesselJ0, static_cast<V>(bessel_j0_scalar(static_cast<double>(a))))
PYDL_UNARY(BesselJ1, static_cast<V>(bessel_j1_scalar(static_cast<double>(a))))
PYDL_UNARY(BesselY0, static_cast<V>(bessel_y0_scalar(static_cast<double>(a))))
PYDL_UNARY(BesselY1, static_cast<V>(bessel_y1_scalar(static_cast<double>(a))))
PYDL_UNARY(BesselK0, static_cast<V>(bessel_k0<false>(static_cast<double>(a))))
PYDL_UNARY(BesselK1, static_cast<V>(bessel_k1<false>(static_cast<double>(a))))
PYDL_UNARY(BesselK0e, static_cast<V>(bessel_k0<true>(static_cast<double>(a))))
PYDL_UNARY(BesselK1e, static_cast<V>(bessel_k1<true>(static_cast<double>(a))))
PYDL_UNARY(SphericalJ0, static_cast<V>(spherical_j0(static_cast<double>(a))))
PYDL_UNARY(AiryAi, static_cast<V>(simd::PYDL_ISA::airy_ai(static_cast<double>(a))))

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable i0 = scalar_table<I0, 1>(Floats{});
constinit const StripTable i0e = scalar_table<I0e, 1>(Floats{});
constinit const StripTable i1 = scalar_table<I1, 1>(Floats{});
constinit const StripTable i1e = scalar_table<I1e, 1>(Floats{});
constinit const StripTable bessel_j0 = scalar_table<BesselJ0, 1>(Floats{});
constinit const StripTable bessel_j1 = scalar_table<BesselJ1, 1>(Floats{});
constinit const StripTable bessel_y0 = scalar_table<BesselY0, 1>(Floats{});
constinit const StripTable bessel_y1 = scalar_table<BesselY1, 1>(Floats{});
constinit const StripTable bessel_k0 = scalar_table<BesselK0, 1>(Floats{});
constinit const StripTable bessel_k1 = scalar_table<BesselK1, 1>(Floats{});
constinit const StripTable bessel_k0e = scalar_table<BesselK0e, 1>(Floats{});
constinit const StripTable bessel_k1e = scalar_table<BesselK1e, 1>(Floats{});
constinit const StripTable spherical_bessel_j0 = scalar_table<SphericalJ0, 1>(Floats{});
constinit const StripTable airy_ai = scalar_table<AiryAi, 1>(Floats{});

PYDL_KERNELS_END
