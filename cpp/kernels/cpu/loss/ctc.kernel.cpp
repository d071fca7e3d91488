#include "kernels/loss/ctc.h"

#include "simd/lanes.h"
#include "simd/math_exp.h"

namespace pydl::simd::PYDL_ISA {
namespace {

void step(double* next, const double* previous, const double* skip, const double* emit, int64_t n) {
  using V = Vec<double>;
  visit<double>(n, [&](int64_t s, int lanes) __attribute__((always_inline)) {
    const V a = load_lanes(previous + s, lanes), b = load_lanes(previous + s - 1, lanes);
    const V c = load_lanes(previous + s - 2, lanes) + load_lanes(skip + s, lanes);
    const V most = maximum(maximum(a, b), c);
    // Where no path leads, shifting by the infinity would make NaN of it.
    const V shift = select(most == V(-FloatTraits<double>::infinity), V(0.0), most);
    const V sum = (exp(a - shift) + exp(b - shift)) + exp(c - shift);
    store_lanes(next + s, shift + log(sum) + load_lanes(emit + s, lanes), lanes);
  });
}

void occupancy(double* out, const double* a, const double* b, const double* emit, double shift, int64_t n) {
  using V = Vec<double>;
  visit<double>(n, [&](int64_t s, int lanes) __attribute__((always_inline)) {
    const V sum = load_lanes(a + s, lanes) + load_lanes(b + s, lanes);
    // An impossible state, whose emission may be impossible too: -inf - -inf.
    const V none = select(sum == V(-FloatTraits<double>::infinity), V(0.0), exp(sum - load_lanes(emit + s, lanes) + V(shift)));
    store_lanes(out + s, none, lanes);
  });
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

namespace pydl::kernels::loss::PYDL_ISA {

constinit const CtcFns ctc = {&simd::PYDL_ISA::step, &simd::PYDL_ISA::occupancy};

}  // namespace pydl::kernels::loss::PYDL_ISA
