// Orthogonal polynomials, computed in double.
#include "kernels/pointwise/polynomial.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_polynomials.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_BINARY(ChebyshevPolynomialT, static_cast<V>(chebyshev_polynomial<Chebyshev::T>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(ChebyshevPolynomialU, static_cast<V>(chebyshev_polynomial<Chebyshev::U>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(ChebyshevPolynomialV, static_cast<V>(chebyshev_polynomial<Chebyshev::V>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(ChebyshevPolynomialW, static_cast<V>(chebyshev_polynomial<Chebyshev::W>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(ShiftedChebyshevPolynomialT,
            static_cast<V>(chebyshev_polynomial<Chebyshev::T>(2 * static_cast<double>(a) - 1, static_cast<double>(b))))
PYDL_BINARY(ShiftedChebyshevPolynomialU,
            static_cast<V>(chebyshev_polynomial<Chebyshev::U>(2 * static_cast<double>(a) - 1, static_cast<double>(b))))
PYDL_BINARY(ShiftedChebyshevPolynomialV,
            static_cast<V>(chebyshev_polynomial<Chebyshev::V>(2 * static_cast<double>(a) - 1, static_cast<double>(b))))
PYDL_BINARY(ShiftedChebyshevPolynomialW,
            static_cast<V>(chebyshev_polynomial<Chebyshev::W>(2 * static_cast<double>(a) - 1, static_cast<double>(b))))
PYDL_BINARY(HermitePolynomialH, static_cast<V>(hermite_h(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(HermitePolynomialHe, static_cast<V>(hermite_he(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(LaguerrePolynomialL, static_cast<V>(laguerre_l(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(LegendrePolynomialP, static_cast<V>(legendre_p(static_cast<double>(a), static_cast<double>(b))))

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable chebyshev_polynomial_t = scalar_table<ChebyshevPolynomialT, 2>(Floats{});
constinit const StripTable chebyshev_polynomial_u = scalar_table<ChebyshevPolynomialU, 2>(Floats{});
constinit const StripTable chebyshev_polynomial_v = scalar_table<ChebyshevPolynomialV, 2>(Floats{});
constinit const StripTable chebyshev_polynomial_w = scalar_table<ChebyshevPolynomialW, 2>(Floats{});
constinit const StripTable shifted_chebyshev_polynomial_t = scalar_table<ShiftedChebyshevPolynomialT, 2>(Floats{});
constinit const StripTable shifted_chebyshev_polynomial_u = scalar_table<ShiftedChebyshevPolynomialU, 2>(Floats{});
constinit const StripTable shifted_chebyshev_polynomial_v = scalar_table<ShiftedChebyshevPolynomialV, 2>(Floats{});
constinit const StripTable shifted_chebyshev_polynomial_w = scalar_table<ShiftedChebyshevPolynomialW, 2>(Floats{});
constinit const StripTable hermite_polynomial_h = scalar_table<HermitePolynomialH, 2>(Floats{});
constinit const StripTable hermite_polynomial_he = scalar_table<HermitePolynomialHe, 2>(Floats{});
constinit const StripTable laguerre_polynomial_l = scalar_table<LaguerrePolynomialL, 2>(Floats{});
constinit const StripTable legendre_polynomial_p = scalar_table<LegendrePolynomialP, 2>(Floats{});

PYDL_KERNELS_END
