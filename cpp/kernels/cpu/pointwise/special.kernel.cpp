// Special functions.
#include "kernels/pointwise/special.h"

#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/math_erf.h"
#include "simd/math_gamma.h"

namespace pydl::simd::PYDL_ISA {
namespace {

PYDL_UNARY(Erf, simd::PYDL_ISA::erf(a))
PYDL_UNARY(Erfc, simd::PYDL_ISA::erfc(a))
PYDL_UNARY(Erfinv, simd::PYDL_ISA::erfinv(a))
PYDL_UNARY(Lgamma, static_cast<V>(lgamma_scalar(a)))
PYDL_UNARY(Digamma, static_cast<V>(digamma_scalar(a)))
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
constinit const StripTable polygamma = scalar_table<Polygamma, 1>(Floats{});

PYDL_KERNELS_END
