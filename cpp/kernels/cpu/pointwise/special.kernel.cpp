// Special functions.
#include "kernels/pointwise/special.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_erf.h"
#include "simd/math_gamma.h"
#include "simd/math_incomplete.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_UNARY(Erf, simd::PYDL_ISA::erf(a))
PYDL_UNARY(Erfc, simd::PYDL_ISA::erfc(a))
PYDL_UNARY(Erfinv, simd::PYDL_ISA::erfinv(a))
PYDL_UNARY(Lgamma, static_cast<V>(lgamma_scalar(a)))
PYDL_UNARY(Digamma, static_cast<V>(digamma_scalar(a)))
PYDL_UNARY(Erfcx, static_cast<V>(erfcx_scalar(static_cast<double>(a))))
PYDL_UNARY(LogNdtr, static_cast<V>(log_ndtr_scalar(static_cast<double>(a))))
PYDL_UNARY(Ndtri, static_cast<V>(ndtri_scalar(static_cast<double>(a))))
PYDL_BINARY(Igamma, static_cast<V>(incomplete_gamma<false>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(Igammac, static_cast<V>(incomplete_gamma<true>(static_cast<double>(a), static_cast<double>(b))))
PYDL_BINARY(Zeta, static_cast<V>(hurwitz_zeta(static_cast<double>(a), static_cast<double>(b))))
struct Polygamma {
  explicit Polygamma(const void* params) : n(static_cast<int>(*static_cast<const int64_t*>(params))) {}
  template <class V>
  PYDL_INLINE V operator()(V a) const {
    return static_cast<V>(polygamma_scalar(n, a));
  }
  int n;
};

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable erf = map_table<Erf, 1, 0>(Floats{});
constinit const StripTable erfc = map_table<Erfc, 1, 0>(Floats{});
constinit const StripTable erfinv = map_table<Erfinv, 1, 0>(Floats{});
constinit const StripTable lgamma = scalar_table<Lgamma, 1>(Floats{});
constinit const StripTable digamma = scalar_table<Digamma, 1>(Floats{});
constinit const StripTable erfcx = scalar_table<Erfcx, 1>(Floats{});
constinit const StripTable log_ndtr = scalar_table<LogNdtr, 1>(Floats{});
constinit const StripTable ndtri = scalar_table<Ndtri, 1>(Floats{});
constinit const StripTable igamma = scalar_table<Igamma, 2>(Floats{});
constinit const StripTable igammac = scalar_table<Igammac, 2>(Floats{});
constinit const StripTable zeta = scalar_table<Zeta, 2>(Floats{});
constinit const StripTable polygamma = scalar_table<Polygamma, 1>(Floats{});

PYDL_KERNELS_END
