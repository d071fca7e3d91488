// Choice between two tensors, by item size.
#include "kernels/pointwise/select.h"

#include "kernels/cpu/pointwise/complex_value.h"
#include "kernels/cpu/pointwise/strip_loop.h"

namespace pydl::simd::PYDL_ISA {
namespace {

struct Select {
  template <class T>
  PYDL_INLINE Vec<T> operator()(Mask<T> m, Vec<T> a, Vec<T> b) const {
    return select(m, a, b);
  }
};

template <class T>
void where_strip(const Strip& s) {
  run_strip<Value<T>, 1, Flag<T>, Value<T>, Value<T>>(s, Select());
}
void where_wide(const Strip& s) {
  run_scalar<Complex128, uint8_t, Complex128, Complex128>(s, [](uint8_t c, Complex128 a, Complex128 b) { return c != 0 ? a : b; });
}

template <int... D>
consteval StripTable where_table(std::integer_sequence<int, D...>) {
  constexpr StripFn by_log2_size[] = {&where_strip<uint8_t>, &where_strip<uint16_t>, &where_strip<uint32_t>, &where_strip<uint64_t>,
                                      &where_wide};
  return {{by_log2_size[std::countr_zero(static_cast<uint64_t>(item_size(static_cast<DType>(D))))]...}};
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const StripTable where = where_table(std::make_integer_sequence<int, kNumDTypes>{});

PYDL_KERNELS_END
