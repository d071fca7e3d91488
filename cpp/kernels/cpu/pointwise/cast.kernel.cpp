// All 16 x 16 conversions: one contiguous loop per pair that differs, driven over strips by shared code.
#include "kernels/pointwise/cast.h"

#include <limits>

#include "kernels/cpu/pointwise/complex_value.h"
#include "kernels/cpu/pointwise/strip_loop.h"
#include "simd/vec_half.h"

namespace pydl::simd::PYDL_ISA {
namespace {

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;
template <class T>
inline constexpr bool kIsComplex = false;
template <class T>
inline constexpr bool kIsComplex<Complex<T>> = true;

// A byte of a bool tensor: any but 0 counts as 1, and reading it as a C++ bool would be undefined.
struct StoredBool {
  uint8_t byte;
};

template <class T>
inline constexpr bool kIsIntegral = std::is_integral_v<T> || std::is_same_v<T, StoredBool>;

template <class Int, class T>
PYDL_INLINE Int truncate_or_lowest(T x) {
  constexpr T limit = static_cast<T>(UnsignedLike<Int>(1) << (8 * sizeof(Int) - 1));
  constexpr Int lowest = std::numeric_limits<Int>::min();
  // Above -limit - 1 the truncated value still fits; that bound is only representable in a wide enough type.
  const bool inside = sizeof(T) > sizeof(Int) ? x > -limit - 1 && x < limit : x >= -limit && x < limit;
  return inside ? static_cast<Int>(x) : lowest;
}

template <class To, class From>
PYDL_INLINE To convert_one(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, StoredBool>) {
    return convert_one<To>(static_cast<uint8_t>(x.byte != 0));
  } else if constexpr (std::is_same_v<From, complex_half>) {
    return convert_one<To>(Complex64{to_float(x.real), to_float(x.imag)});
  } else if constexpr (std::is_same_v<To, complex_half>) {
    const auto wide = convert_one<Complex64>(x);
    return {to_float16(wide.real), to_float16(wide.imag)};
  } else if constexpr (kIsHalf<From>) {
    return convert_one<To>(to_float(x));
  } else if constexpr (kIsComplex<To>) {
    using Part = decltype(To::real);
    if constexpr (kIsComplex<From>) {
      return {static_cast<Part>(x.real), static_cast<Part>(x.imag)};
    } else {
      return {static_cast<Part>(x), Part(0)};
    }
  } else if constexpr (kIsComplex<From>) {
    if constexpr (std::is_same_v<To, bool>) {
      return x.real != 0 || x.imag != 0;
    } else {
      return convert_one<To>(x.real);
    }
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_same_v<To, float16>) {
    return to_float16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bfloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if constexpr (std::is_same_v<To, uint64_t>) {
      if (x >= From(0x1p63)) return x < From(0x1p64) ? static_cast<uint64_t>(x - From(0x1p63)) | (uint64_t(1) << 63) : 0;
    }
    constexpr bool wide = sizeof(To) == 8 || std::is_same_v<To, uint32_t>;
    return static_cast<To>(truncate_or_lowest<std::conditional_t<wide, int64_t, int32_t>>(x));
  } else {
    return static_cast<To>(x);
  }
}

using ConvertFn = void (*)(void* out, const void* in, int64_t n);

template <class To, class From>
void convert(void* out_bytes, const void* in_bytes, int64_t n) {
  auto* out = static_cast<To*>(out_bytes);
  const auto* in = static_cast<const From*>(in_bytes);
  int64_t i = 0;
  if constexpr (std::is_same_v<To, float> && kIsHalf<From>) {
    for (; i + kFloatLanes <= n; i += kFloatLanes) load_half(in + i).store(out + i);
  } else if constexpr (std::is_same_v<From, float> && kIsHalf<To>) {
    for (; i + kFloatLanes <= n; i += kFloatLanes) store_half(out + i, Vec<float>::load(in + i));
  }
#pragma GCC ivdep
  for (; i < n; ++i) out[i] = convert_one<To>(in[i]);
}
template <int Size>
void copy_items(void* out, const void* in, int64_t n) {
  __builtin_memmove(out, in, static_cast<uint64_t>(n) * Size);
}

// Up to two conversions, `second` empty for one, with items of the given sizes at the ends.
struct Route {
  ConvertFn first, second;
  int in_size, out_size;
};

PYDL_INLINE void gather_sized(void* buffer, const char* p, int64_t stride, int64_t n, int size) {
  switch (size) {
    case 1:
      return gather_items<uint8_t>(buffer, p, stride, n);
    case 2:
      return gather_items<uint16_t>(buffer, p, stride, n);
    case 4:
      return gather_items<uint32_t>(buffer, p, stride, n);
    case 8:
      return gather_items<uint64_t>(buffer, p, stride, n);
    default:
      return gather_items<Complex128>(buffer, p, stride, n);
  }
}
PYDL_INLINE void scatter_sized(char* p, int64_t stride, const void* buffer, int64_t n, int size) {
  switch (size) {
    case 1:
      return scatter_items<uint8_t>(p, stride, buffer, n);
    case 2:
      return scatter_items<uint16_t>(p, stride, buffer, n);
    case 4:
      return scatter_items<uint32_t>(p, stride, buffer, n);
    case 8:
      return scatter_items<uint64_t>(p, stride, buffer, n);
    default:
      return scatter_items<Complex128>(p, stride, buffer, n);
  }
}

[[gnu::noinline]] void cast_rows(const Strip& s, const Route& route) {
  const bool direct_in = s.inner[1] == route.in_size, direct_out = s.inner[0] == route.out_size;
  if (direct_in && direct_out && route.second == nullptr) {
    for (int64_t j = 0; j < s.n1; ++j) route.first(s.data[0] + j * s.outer[0], s.data[1] + j * s.outer[1], s.n0);
    return;
  }
  alignas(64) char gathered[kBufferElements * 16], middle[kBufferElements * 16], result[kBufferElements * 16];
  for (int64_t j = 0; j < s.n1; ++j) {
    for (int64_t i = 0; i < s.n0; i += kBufferElements) {
      const int64_t n = s.n0 - i < kBufferElements ? s.n0 - i : kBufferElements;
      const char* in = s.data[1] + j * s.outer[1] + i * s.inner[1];
      char* out = s.data[0] + j * s.outer[0] + i * s.inner[0];
      if (!direct_in) {
        gather_sized(gathered, in, s.inner[1], n, route.in_size);
        in = gathered;
      }
      char* target = direct_out ? out : result;
      if (route.second != nullptr) {
        route.first(middle, in, n);
        route.second(target, middle, n);
      } else {
        route.first(target, in, n);
      }
      if (!direct_out) scatter_sized(out, s.inner[0], result, n, route.out_size);
    }
  }
}

// The C++ type a conversion loop sees for each dtype.
template <DType D>
struct CastType {
  using Type = CppType<D>;
};
template <>
struct CastType<DType::Complex64> {
  using Type = Complex64;
};
template <>
struct CastType<DType::Complex128> {
  using Type = Complex128;
};

template <DType D>
struct CastSource : CastType<D> {};
template <>
struct CastSource<DType::Bool> {
  using Type = StoredBool;
};

// Modulo 2^bits the sign of the target does not matter, where the source is an integer or the target narrow.
template <class To, class From>
consteval ConvertFn convert_fn() {
  if constexpr (std::is_same_v<To, From>) {
    return &copy_items<sizeof(To)>;
  } else if constexpr (std::is_integral_v<To> && !std::is_same_v<To, bool> && (kIsIntegral<From> || sizeof(To) <= 2)) {
    using Target = UnsignedLike<To>;
    if constexpr (sizeof(To) == sizeof(From) && std::is_integral_v<From>) {
      return &copy_items<sizeof(To)>;
    } else {
      return &convert<Target, From>;
    }
  } else {
    return &convert<To, From>;
  }
}

// The half formats convert through float32 (or complex64 where an imaginary part matters).
template <DType To, DType From>
consteval Route route() {
  using Out = typename CastType<To>::Type;
  using In = typename CastSource<From>::Type;
  constexpr bool via = (is_half(To) || is_half(From) || To == DType::ComplexHalf || From == DType::ComplexHalf) && To != From;
  constexpr bool complex_middle = To == DType::ComplexHalf || (From == DType::ComplexHalf && (is_complex(To) || To == DType::Bool));
  using Middle = std::conditional_t<complex_middle, Complex64, float>;
  if constexpr (via && !std::is_same_v<In, Middle> && !std::is_same_v<Out, Middle>) {
    return {convert_fn<Middle, In>(), convert_fn<Out, Middle>(), sizeof(In), sizeof(Out)};
  } else {
    return {convert_fn<Out, In>(), nullptr, sizeof(In), sizeof(Out)};
  }
}

template <DType To, DType From>
void cast_strip(const Strip& s) {
  static constexpr Route r = route<To, From>();
  cast_rows(s, r);
}

template <int... Pair>
consteval pointwise::CastTable cast_table(std::integer_sequence<int, Pair...>) {
  pointwise::CastTable t;
  ((t.slot[Pair / kNumDTypes][Pair % kNumDTypes] =
        &cast_strip<static_cast<DType>(Pair / kNumDTypes), static_cast<DType>(Pair % kNumDTypes)>),
   ...);
  return t;
}

template <class Item>
void fill_strip(const Strip& s) {
  Item value;
  __builtin_memcpy(&value, s.params, sizeof(Item));
  const bool contiguous = s.inner[0] == static_cast<int64_t>(sizeof(Item));
  for (int64_t j = 0; j < s.n1; ++j) {
    char* row = s.data[0] + j * s.outer[0];
    if (contiguous) {
      auto* out = reinterpret_cast<Item*>(row);
      for (int64_t i = 0; i < s.n0; ++i) out[i] = value;
    } else {
      for (int64_t i = 0; i < s.n0; ++i) *reinterpret_cast<Item*>(row + i * s.inner[0]) = value;
    }
  }
}

template <int... D>
consteval StripTable fill_table(std::integer_sequence<int, D...>) {
  constexpr StripFn by_log2_size[] = {&fill_strip<uint8_t>, &fill_strip<uint16_t>, &fill_strip<uint32_t>, &fill_strip<uint64_t>,
                                      &fill_strip<Complex128>};
  return {{by_log2_size[std::countr_zero(static_cast<uint64_t>(item_size(static_cast<DType>(D))))]...}};
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

PYDL_KERNELS_BEGIN(pointwise)

constinit const CastTable cast = cast_table(std::make_integer_sequence<int, kNumDTypes * kNumDTypes>{});
constinit const StripTable fill = fill_table(std::make_integer_sequence<int, kNumDTypes>{});

PYDL_KERNELS_END
