// One loop for every pointwise kernel: `run` applies a functor on vectors to a strip.
//
// Contiguous operands (and a scalar on either side of a binary operation) are swept in place. Anything else goes through
// small buffers on the stack into the same sweep, so an element's bits never depend on its strides or its position.
#pragma once

#include <utility>

#include "kernels/pointwise/strip.h"
#include "simd/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

using namespace ::pydl::kernels;

// How an operand lies in memory and what the functor sees of it.
template <class T>
struct Value {
  using Memory = T;
  using Loaded = Vec<T>;
  static constexpr int lanes = Vec<T>::size;
  PYDL_INLINE static Loaded load(const T* p) { return Loaded::load(p); }
  PYDL_INLINE static Loaded load(const T* p, int n) { return Loaded::load(p, n); }
  PYDL_INLINE static Loaded broadcast(T value) { return Loaded(value); }
  PYDL_INLINE static void store(T* p, Loaded v) { v.store(p); }
  PYDL_INLINE static void store(T* p, Loaded v, int n) { v.store(p, n); }
};

// Bools in memory, a mask of T lanes in registers.
template <class T>
struct Flag {
  using Memory = uint8_t;
  using Loaded = Mask<T>;
  static constexpr int lanes = Vec<T>::size;
  PYDL_INLINE static Loaded load(const uint8_t* p) { return load_bool<T>(p); }
  PYDL_INLINE static Loaded load(const uint8_t* p, int n) {
    uint8_t bytes[lanes] = {};
    __builtin_memcpy(bytes, p, static_cast<unsigned>(n));
    return load_bool<T>(bytes);
  }
  PYDL_INLINE static Loaded broadcast(uint8_t value) { return Vec<SignedLike<T>>(SignedLike<T>(value)) != Vec<SignedLike<T>>(0); }
  PYDL_INLINE static void store(uint8_t* p, Loaded m) { store_bool<T>(p, m); }
  PYDL_INLINE static void store(uint8_t* p, Loaded m, int n) {
    uint8_t bytes[lanes];
    store_bool<T>(bytes, m);
    __builtin_memcpy(p, bytes, static_cast<unsigned>(n));
  }
};

// Two streams read side by side come from memory 15 to 25 % faster (Zen 4) where they are asked for this many bytes ahead, into
// the second-level cache. What lies in a cache already is only slowed down by it.
inline constexpr int64_t kFetchAhead = 1024, kFetchFrom = int64_t{6} << 20;

template <class Operand, bool Broadcast>
struct Stream {
  const typename Operand::Memory* data;
  PYDL_INLINE explicit Stream(const char* p) : data(reinterpret_cast<const typename Operand::Memory*>(p)) {}
  PYDL_INLINE typename Operand::Loaded at(int64_t i) const { return Operand::load(data + i); }
  PYDL_INLINE typename Operand::Loaded at(int64_t i, int n) const { return Operand::load(data + i, n); }
  PYDL_INLINE void fetch(int64_t i, int n) const {
    const char* ahead = reinterpret_cast<const char*>(data + i) + kFetchAhead;
#pragma GCC unroll 8
    for (int64_t b = 0; b < n * static_cast<int64_t>(sizeof *data); b += 64) __builtin_prefetch(ahead + b, 0, 2);
  }
};
template <class Operand>
struct Stream<Operand, true> {
  typename Operand::Loaded value;
  PYDL_INLINE explicit Stream(const char* p) : value(Operand::broadcast(*reinterpret_cast<const typename Operand::Memory*>(p))) {}
  PYDL_INLINE typename Operand::Loaded at(int64_t) const { return value; }
  PYDL_INLINE typename Operand::Loaded at(int64_t, int) const { return value; }
  PYDL_INLINE void fetch(int64_t, int) const {}
};

template <class Out, int Unroll, class F, class... In>
PYDL_INLINE void sweep(char* out_bytes, int64_t n, const F& f, const In&... in) {
  auto* out = reinterpret_cast<typename Out::Memory*>(out_bytes);
  constexpr int lanes = Out::lanes;
  int64_t i = 0;
  if constexpr (Unroll > 1) {
    constexpr int kStep = Unroll * lanes;
    if (sizeof...(In) > 1 && n * static_cast<int64_t>(sizeof(typename Out::Memory)) >= kFetchFrom) {
      for (; i + kStep <= n; i += kStep) {
        (in.fetch(i, kStep), ...);
#pragma GCC unroll 8
        for (int u = 0; u < Unroll; ++u) Out::store(out + i + u * lanes, f(in.at(i + u * lanes)...));
      }
    }
    for (; i + kStep <= n; i += kStep) {
#pragma GCC unroll 8
      for (int u = 0; u < Unroll; ++u) Out::store(out + i + u * lanes, f(in.at(i + u * lanes)...));
    }
  }
  for (; i + lanes <= n; i += lanes) Out::store(out + i, f(in.at(i)...));
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    Out::store(out + i, f(in.at(i, rest)...), rest);
  }
}

// As above with one copy of a large functor's code for whole and partial vectors.
template <class Out, class F, class... In>
PYDL_INLINE void sweep_compact(char* out_bytes, int64_t n, const F& f, const In&... in) {
  auto* out = reinterpret_cast<typename Out::Memory*>(out_bytes);
  constexpr int lanes = Out::lanes;
  for (int64_t i = 0; i < n; i += lanes) {
    const bool whole = i + lanes <= n;
    const int rest = static_cast<int>(n - i);
    const auto result = f((whole ? in.at(i) : in.at(i, rest))...);
    if (whole) {
      Out::store(out + i, result);
    } else {
      Out::store(out + i, result, rest);
    }
  }
}

// Elements per trip through the stack buffers.
inline constexpr int64_t kBufferElements = 256;

// By item size, out of line: one copy serves every kernel of a file.
template <class Item>
[[gnu::noinline]] void gather_items(void* buffer, const char* p, int64_t stride, int64_t n) {
  auto* items = static_cast<Item*>(buffer);
#pragma GCC unroll 4
  for (int64_t i = 0; i < n; ++i) __builtin_memcpy(items + i, p + i * stride, sizeof(Item));
}
template <class Item>
[[gnu::noinline]] void scatter_items(char* p, int64_t stride, const void* buffer, int64_t n) {
  const auto* items = static_cast<const Item*>(buffer);
#pragma GCC unroll 4
  for (int64_t i = 0; i < n; ++i) __builtin_memcpy(p + i * stride, items + i, sizeof(Item));
}
template <class Memory>
PYDL_INLINE void gather_strided(Memory* buffer, const char* p, int64_t stride, int64_t n) {
  gather_items<UnsignedLike<Memory>>(buffer, p, stride, n);
}
template <class Memory>
PYDL_INLINE void scatter_strided(char* p, int64_t stride, const Memory* buffer, int64_t n) {
  scatter_items<UnsignedLike<Memory>>(p, stride, buffer, n);
}

// One input of a strip with arbitrary strides, seen in pieces that are contiguous.
template <class Operand, int K>
struct Piecewise {
  using Memory = typename Operand::Memory;
  const char* data;
  int64_t stride;
  alignas(64) Memory buffer[kBufferElements];

  void start(const char* p, int64_t s, int64_t n) {
    data = p;
    stride = s;
    if (stride == 0) gather_strided(buffer, data, 0, n < kBufferElements ? n : kBufferElements);
  }
  const char* piece(int64_t i, int64_t n) {
    if (stride == static_cast<int64_t>(sizeof(Memory))) return data + i * stride;
    if (stride != 0) gather_strided(buffer, data + i * stride, stride, n);
    return reinterpret_cast<const char*>(buffer);
  }
};

// Unroll 0: sweep_compact.
template <class Out, int Unroll, class F, class... Streams>
PYDL_INLINE void sweep_by(char* out, int64_t n, const F& f, const Streams&... in) {
  if constexpr (Unroll == 0) {
    sweep_compact<Out>(out, n, f, in...);
  } else {
    sweep<Out, Unroll>(out, n, f, in...);
  }
}

template <class Sequence, class Out, int Unroll, class... In>
struct StripLoop;
template <int... K, class Out, int Unroll, class... In>
struct StripLoop<std::integer_sequence<int, K...>, Out, Unroll, In...> {
  // Input k is operand k + 1; Broadcast says which of them are scalars along a row.
  template <bool... Broadcast, class F>
  static void rows(const Strip& s, const F& f) {
    for (int64_t j = 0; j < s.n1; ++j) {
      sweep_by<Out, Unroll>(s.data[0] + j * s.outer[0], s.n0, f, Stream<In, Broadcast>(s.data[K + 1] + j * s.outer[K + 1])...);
    }
  }

  // Arbitrary strides, by pieces.
  template <class F>
  [[gnu::noinline]] static void buffered(const Strip& s, const F& f) {
    constexpr int64_t item = sizeof(typename Out::Memory);
    alignas(64) typename Out::Memory result[kBufferElements];
    Inputs inputs;
    for (int64_t j = 0; j < s.n1; ++j) {
      (inputs.Piecewise<In, K>::start(s.data[K + 1] + j * s.outer[K + 1], s.inner[K + 1], s.n0), ...);
      char* out = s.data[0] + j * s.outer[0];
      for (int64_t i = 0; i < s.n0; i += kBufferElements) {
        const int64_t n = s.n0 - i < kBufferElements ? s.n0 - i : kBufferElements;
        const bool direct = s.inner[0] == item;
        char* target = direct ? out + i * item : reinterpret_cast<char*>(result);
        sweep_by<Out, Unroll == 0 ? 0 : 1>(target, n, f, Stream<In, false>(inputs.Piecewise<In, K>::piece(i, n))...);
        if (!direct) scatter_strided(out + i * s.inner[0], s.inner[0], result, n);
      }
    }
  }

  template <class F>
  PYDL_INLINE static void run(const Strip& s, const F& f) {
    const bool whole_out = s.inner[0] == static_cast<int64_t>(sizeof(typename Out::Memory));
    if (whole_out && (is_contiguous<In>(s.inner[K + 1]) && ...)) return rows<(K < 0)...>(s, f);
    if constexpr (sizeof...(In) == 2 && Unroll > 0) {
      constexpr int64_t sizes[] = {sizeof(typename In::Memory)...};
      if (whole_out && s.inner[1] == 0 && s.inner[2] == sizes[1]) return rows<true, false>(s, f);
      if (whole_out && s.inner[2] == 0 && s.inner[1] == sizes[0]) return rows<false, true>(s, f);
    }
    buffered(s, f);
  }

 private:
  struct Inputs : Piecewise<In, K>... {};
  template <class Operand>
  PYDL_INLINE static bool is_contiguous(int64_t stride) {
    return stride == static_cast<int64_t>(sizeof(typename Operand::Memory));
  }
};

template <class Out, int Unroll, class... In, class F>
PYDL_INLINE void run_strip(const Strip& s, const F& f) {
  StripLoop<std::make_integer_sequence<int, sizeof...(In)>, Out, Unroll, In...>::run(s, f);
}

// Element by element, for what has no vector form (complex numbers, integer division).
template <class Out, class... In>
struct ScalarLoop {
  template <int... K, class F>
  PYDL_INLINE static void run(std::integer_sequence<int, K...>, const Strip& s, const F& f) {
    const bool contiguous =
        s.inner[0] == static_cast<int64_t>(sizeof(Out)) && ((s.inner[K + 1] == static_cast<int64_t>(sizeof(In))) && ...);
    for (int64_t j = 0; j < s.n1; ++j) {
      if (contiguous) {
        auto* out = reinterpret_cast<Out*>(s.data[0] + j * s.outer[0]);
        for (int64_t i = 0; i < s.n0; ++i) out[i] = f(reinterpret_cast<const In*>(s.data[K + 1] + j * s.outer[K + 1])[i]...);
      } else {
        char* out = s.data[0] + j * s.outer[0];
        for (int64_t i = 0; i < s.n0; ++i) {
          *reinterpret_cast<Out*>(out + i * s.inner[0]) =
              f(*reinterpret_cast<const In*>(s.data[K + 1] + j * s.outer[K + 1] + i * s.inner[K + 1])...);
        }
      }
    }
  }
};
template <class Out, class... In, class F>
PYDL_INLINE void run_scalar(const Strip& s, const F& f) {
  ScalarLoop<Out, In...>::run(std::make_integer_sequence<int, sizeof...(In)>{}, s, f);
}

// bool computes on its byte.
template <class T>
struct LaneOf {
  using Type = T;
};
template <>
struct LaneOf<bool> {
  using Type = uint8_t;
};
template <class T>
using Lane = typename LaneOf<T>::Type;

// Memory of bools that another library filled may hold any byte: all but 0 count as 1.
struct Truth : Value<uint8_t> {
  PYDL_INLINE static Loaded load(const uint8_t* p) { return normal(Loaded::load(p)); }
  PYDL_INLINE static Loaded load(const uint8_t* p, int n) { return normal(Loaded::load(p, n)); }
  PYDL_INLINE static Loaded broadcast(uint8_t value) { return normal(Loaded(value)); }

 private:
  PYDL_INLINE static Loaded normal(Loaded v) { return min_second(v, Loaded(uint8_t(1))); }
};
template <class T>
using Input = std::conditional_t<std::is_same_v<T, bool>, Truth, Value<Lane<T>>>;

// Functors are constructed from Strip::params.
struct NoParams {
  NoParams() = default;
  explicit NoParams(const void*) {}
};

// A functor without parameters, from an expression in a (and b, of type V).
#define PYDL_UNARY(Name, expression)      \
  struct Name : NoParams {                \
    using NoParams::NoParams;             \
    template <class V>                    \
    PYDL_INLINE V operator()(V a) const { \
      return expression;                  \
    }                                     \
  };
#define PYDL_BINARY(Name, expression)          \
  struct Name : NoParams {                     \
    using NoParams::NoParams;                  \
    template <class V>                         \
    PYDL_INLINE V operator()(V a, V b) const { \
      return expression;                       \
    }                                          \
  };

// Strip functions for functors on vectors: T^n -> T, and T^n -> bool.
template <class F, int Unroll, class T, int... K>
void map_strip_n(const Strip& s, std::integer_sequence<int, K...>) {
  run_strip<Value<Lane<T>>, Unroll, std::enable_if_t<(K >= 0), Input<T>>...>(s, F(s.params));
}
template <class F, int Inputs, int Unroll, class T>
void map_strip(const Strip& s) {
  map_strip_n<F, Unroll, T>(s, std::make_integer_sequence<int, Inputs>{});
}
template <class F, int Unroll, class T, int... K>
void test_strip_n(const Strip& s, std::integer_sequence<int, K...>) {
  run_strip<Flag<Lane<T>>, Unroll, std::enable_if_t<(K >= 0), Input<T>>...>(s, F(s.params));
}
template <class F, int Inputs, int Unroll, class T>
void test_strip(const Strip& s) {
  test_strip_n<F, Unroll, T>(s, std::make_integer_sequence<int, Inputs>{});
}
// The same for functors on single values.
template <class F, class Out, class T, int... K>
void scalar_strip_n(const Strip& s, std::integer_sequence<int, K...>) {
  run_scalar<Out, std::enable_if_t<(K >= 0), T>...>(s, F(s.params));
}
template <class F, int Inputs, class Out, class T>
void scalar_strip(const Strip& s) {
  scalar_strip_n<F, Out, T>(s, std::make_integer_sequence<int, Inputs>{});
}

// Types with a slot in a table.
template <class... T>
struct Types {};
using AllInts = Types<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t>;
using Floats = Types<float, double>;

// Tables are assembled from parts: empty | part | part.
consteval StripTable operator|(StripTable a, const StripTable& b) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (b.slot[i] != nullptr) a.slot[i] = b.slot[i];
  }
  return a;
}
template <class F, int Inputs, int Unroll, class... T>
consteval StripTable map_table(Types<T...>) {
  StripTable t;
  ((t.slot[static_cast<int>(dtype_of<T>)] = &map_strip<F, Inputs, Unroll, T>), ...);
  return t;
}
// Functor templates, F<T>.
template <template <class> class F, int Inputs, int Unroll, class... T>
consteval StripTable map_table(Types<T...>) {
  StripTable t;
  ((t.slot[static_cast<int>(dtype_of<T>)] = &map_strip<F<Lane<T>>, Inputs, Unroll, T>), ...);
  return t;
}
// Operations modulo 2^bits are the same for signed and unsigned integers and share code.
template <class F, int Inputs, int Unroll>
consteval StripTable wrapping_table() {
  StripTable t = map_table<F, Inputs, Unroll>(Types<uint8_t, uint16_t, uint32_t, uint64_t>{});
  t.slot[static_cast<int>(DType::Int8)] = t[DType::UInt8];
  t.slot[static_cast<int>(DType::Int16)] = t[DType::UInt16];
  t.slot[static_cast<int>(DType::Int32)] = t[DType::UInt32];
  t.slot[static_cast<int>(DType::Int64)] = t[DType::UInt64];
  return t;
}
template <template <class> class F, int Inputs, int Unroll>
consteval StripTable wrapping_table() {
  StripTable t = map_table<F, Inputs, Unroll>(Types<uint8_t, uint16_t, uint32_t, uint64_t>{});
  t.slot[static_cast<int>(DType::Int8)] = t[DType::UInt8];
  t.slot[static_cast<int>(DType::Int16)] = t[DType::UInt16];
  t.slot[static_cast<int>(DType::Int32)] = t[DType::UInt32];
  t.slot[static_cast<int>(DType::Int64)] = t[DType::UInt64];
  return t;
}
template <class F, int Inputs, int Unroll, class... T>
consteval StripTable test_table(Types<T...>) {
  StripTable t;
  ((t.slot[static_cast<int>(dtype_of<T>)] = &test_strip<F, Inputs, Unroll, T>), ...);
  return t;
}
template <class F, int Inputs, class... T>
consteval StripTable scalar_table(Types<T...>) {
  StripTable t;
  ((t.slot[static_cast<int>(dtype_of<T>)] = &scalar_strip<F, Inputs, Lane<T>, Lane<T>>), ...);
  return t;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

// A kernel file defines its tables in the family's namespace and takes everything else from here.
#define PYDL_KERNELS_BEGIN(family)            \
  namespace pydl::kernels::family::PYDL_ISA { \
  using namespace ::pydl::simd::PYDL_ISA;
#define PYDL_KERNELS_END }

#pragma GCC diagnostic pop
