// The op table. One PYDL_OP line beside an op's C++ function gives it its Python signature and docstring; argument
// parsing, stubs, API docs and the list that the tests walk all come from that line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "ops/types.h"

namespace pydl {

// Where an op appears. Function: pydl.f; Method: Tensor.f; Inplace: Tensor.f_ too; Out: takes out=.
enum OpFlag : uint32_t {
  Function = 1,
  Method = 2,
  Inplace = 4,
  Out = 8,
  Nn = 16,            // pydl.nn.functional only
  Linalg = 32,        // pydl.linalg
  Special = 64,       // pydl.special
  Private = 128,      // pydl._C._ops, for the Python layer
  InplaceOnly = 256,  // the function itself writes its first argument; the name ends with '_'
};

enum class ArgKind : uint8_t {
  Tensor,
  OptTensor,
  Operand,
  Scalar,
  OptScalar,
  Int,
  OptInt,
  Float,
  OptFloat,
  Bool,
  OptBool,
  Ints,
  OptInts,
  DType,
  OptDType,
  Str,
  OptStr,
  Tensors,
  Generator,
  Device,
  MemoryFormat,
};

struct Param {
  std::string_view name, type, default_value;  // default_value empty: required
  bool keyword_only = false;
  ArgKind kind = ArgKind::Tensor;
};

inline constexpr int kMaxParams = 16;

struct Signature {
  std::string_view name, result;
  std::array<Param, kMaxParams> params{};
  int count = 0;
  int positional = 0;
  int required = 0;
};

// ---- parsing the signature text, at compile time ---------------------------------------------------------------

namespace detail {

constexpr std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

struct TypeName {
  std::string_view text;
  ArgKind kind;
};
// The vocabulary of signatures.
inline constexpr TypeName kTypeNames[] = {
    {"Tensor", ArgKind::Tensor},
    {"Tensor | None", ArgKind::OptTensor},
    {"Tensor | Number", ArgKind::Operand},
    {"Number", ArgKind::Scalar},
    {"Number | None", ArgKind::OptScalar},
    {"int", ArgKind::Int},
    {"int | None", ArgKind::OptInt},
    {"float", ArgKind::Float},
    {"float | None", ArgKind::OptFloat},
    {"bool", ArgKind::Bool},
    {"bool | None", ArgKind::OptBool},
    {"Size", ArgKind::Ints},
    {"int | Size", ArgKind::Ints},
    {"Size | None", ArgKind::OptInts},
    {"int | Size | None", ArgKind::OptInts},
    {"dtype", ArgKind::DType},
    {"dtype | None", ArgKind::OptDType},
    {"str", ArgKind::Str},
    {"str | None", ArgKind::OptStr},
    {"Sequence[Tensor]", ArgKind::Tensors},
    {"Generator | None", ArgKind::Generator},
    {"device | None", ArgKind::Device},
    {"memory_format", ArgKind::MemoryFormat},
};

// Throwing in a constant expression is how a bad signature fails the build.
constexpr ArgKind kind_of(std::string_view type) {
  for (const TypeName& t : kTypeNames) {
    if (t.text == type) return t.kind;
  }
  throw "unknown type in an op signature";
}

// The parser of arguments reads numbers, names, strings and sizes; a tensor, dtype, device or generator can only default to None.
constexpr bool has_readable_default(const Param& p) {
  switch (p.kind) {
    case ArgKind::Tensor:
    case ArgKind::OptTensor:
    case ArgKind::Tensors:
    case ArgKind::DType:
    case ArgKind::OptDType:
    case ArgKind::Generator:
    case ArgKind::Device:
      return p.default_value.empty() || p.default_value == "None";
    default:
      return true;
  }
}

constexpr Signature parse_signature(std::string_view text) {
  Signature s;
  const size_t open = text.find('(');
  size_t close = open;
  for (int depth = 0; close < text.size(); ++close) {
    depth += text[close] == '(';
    depth -= text[close] == ')';
    if (depth == 0 && close > open) break;
  }
  if (close == text.size()) throw "unbalanced parentheses in an op signature";
  if (open == text.npos) throw "a signature reads: name(arg: type = default, ...) -> result";
  s.name = trim(text.substr(0, open));
  const size_t arrow = text.find("->", close);
  s.result = arrow == text.npos ? "Tensor" : trim(text.substr(arrow + 2));
  std::string_view rest = text.substr(open + 1, close - open - 1);
  bool keyword_only = false;
  while (!trim(rest).empty()) {
    size_t end = 0;
    int depth = 0;
    while (end < rest.size() && (rest[end] != ',' || depth)) {
      depth += rest[end] == '[' || rest[end] == '(';
      depth -= rest[end] == ']' || rest[end] == ')';
      ++end;
    }
    const std::string_view item = trim(rest.substr(0, end));
    rest = end < rest.size() ? rest.substr(end + 1) : std::string_view();
    if (item == "*") {
      keyword_only = true;
      continue;
    }
    if (s.count == kMaxParams) throw "too many parameters in an op signature";
    Param& p = s.params[static_cast<size_t>(s.count++)];
    const size_t colon = item.find(':'), equal = item.find('=');
    if (colon == item.npos) throw "a parameter without a type in an op signature";
    p.name = trim(item.substr(0, colon));
    p.type = trim(item.substr(colon + 1, (equal == item.npos ? item.size() : equal) - colon - 1));
    p.default_value = equal == item.npos ? std::string_view() : trim(item.substr(equal + 1));
    p.keyword_only = keyword_only;
    p.kind = kind_of(p.type);
    if (!has_readable_default(p)) throw "only None can be the default of a parameter of this type";
    if (!keyword_only) s.positional = s.count;
    if (p.default_value.empty()) s.required = s.count;
  }
  return s;
}

}  // namespace detail

// ---- boxed calls -----------------------------------------------------------------------------------------------

// One argument after parsing; which fields count depends on the parameter's kind.
struct ArgValue {
  const void* pointer = nullptr;  // Tensor, int64s, characters, Tensors, Generator
  size_t size = 0;
  Scalar scalar;
  bool present = false;  // false: None
};

struct Result {
  enum class Kind : uint8_t { None, Tensor, Tuple, List, Bool, Int, Float, Number, Ints, Str, DType };
  Kind kind = Kind::None;
  int count = 0;  // of `tensors`, for Tuple
  Tensor tensors[4];
  std::vector<Tensor> list;
  Scalar scalar;
  Dims ints;
  std::string str;
  DType dtype = DType::Bool;
};

namespace detail {

template <class T>
struct ArgTraits;  // kinds() that a C++ type accepts, get() from a boxed value
template <ArgKind... K>
struct Accepts {
  static constexpr bool accepts(ArgKind k) { return ((k == K) || ...); }
};
inline const Tensor kUndefined;

template <>
struct ArgTraits<const Tensor&> : Accepts<ArgKind::Tensor, ArgKind::OptTensor> {
  static const Tensor& get(const ArgValue& v) { return v.present ? *static_cast<const Tensor*>(v.pointer) : kUndefined; }
};
template <>
struct ArgTraits<const Operand&> : Accepts<ArgKind::Operand> {
  static Operand get(const ArgValue& v) { return v.pointer ? Operand(*static_cast<const Tensor*>(v.pointer)) : Operand(v.scalar); }
};
template <>
struct ArgTraits<const Scalar&> : Accepts<ArgKind::Scalar> {
  static const Scalar& get(const ArgValue& v) { return v.scalar; }
};
template <>
struct ArgTraits<std::optional<Scalar>> : Accepts<ArgKind::OptScalar> {
  static std::optional<Scalar> get(const ArgValue& v) { return v.present ? std::optional(v.scalar) : std::nullopt; }
};
template <>
struct ArgTraits<int64_t> : Accepts<ArgKind::Int> {
  static int64_t get(const ArgValue& v) { return v.scalar.to_int(); }
};
template <>
struct ArgTraits<std::optional<int64_t>> : Accepts<ArgKind::OptInt> {
  static std::optional<int64_t> get(const ArgValue& v) { return v.present ? std::optional(v.scalar.to_int()) : std::nullopt; }
};
template <>
struct ArgTraits<double> : Accepts<ArgKind::Float> {
  static double get(const ArgValue& v) { return v.scalar.to_double(); }
};
template <>
struct ArgTraits<std::optional<double>> : Accepts<ArgKind::OptFloat> {
  static std::optional<double> get(const ArgValue& v) { return v.present ? std::optional(v.scalar.to_double()) : std::nullopt; }
};
template <>
struct ArgTraits<bool> : Accepts<ArgKind::Bool> {
  static bool get(const ArgValue& v) { return v.scalar.to_bool(); }
};
template <>
struct ArgTraits<std::optional<bool>> : Accepts<ArgKind::OptBool> {
  static std::optional<bool> get(const ArgValue& v) { return v.present ? std::optional(v.scalar.to_bool()) : std::nullopt; }
};
template <>
struct ArgTraits<IntSpan> : Accepts<ArgKind::Ints> {
  static IntSpan get(const ArgValue& v) { return {static_cast<const int64_t*>(v.pointer), v.size}; }
};
template <>
struct ArgTraits<std::optional<IntSpan>> : Accepts<ArgKind::OptInts> {
  static std::optional<IntSpan> get(const ArgValue& v) { return v.present ? std::optional(ArgTraits<IntSpan>::get(v)) : std::nullopt; }
};
template <>
struct ArgTraits<DType> : Accepts<ArgKind::DType> {
  static DType get(const ArgValue& v) { return static_cast<DType>(v.size); }
};
template <>
struct ArgTraits<std::optional<DType>> : Accepts<ArgKind::OptDType> {
  static std::optional<DType> get(const ArgValue& v) { return v.present ? std::optional(static_cast<DType>(v.size)) : std::nullopt; }
};
template <>
struct ArgTraits<std::string_view> : Accepts<ArgKind::Str> {
  static std::string_view get(const ArgValue& v) { return {static_cast<const char*>(v.pointer), v.size}; }
};
template <>
struct ArgTraits<std::optional<std::string_view>> : Accepts<ArgKind::OptStr> {
  static std::optional<std::string_view> get(const ArgValue& v) {
    return v.present ? std::optional(ArgTraits<std::string_view>::get(v)) : std::nullopt;
  }
};
template <>
struct ArgTraits<TensorSpan> : Accepts<ArgKind::Tensors> {
  static TensorSpan get(const ArgValue& v) { return {static_cast<const Tensor*>(v.pointer), v.size}; }
};
template <>
struct ArgTraits<Generator*> : Accepts<ArgKind::Generator> {
  static Generator* get(const ArgValue& v) { return v.present ? static_cast<Generator*>(const_cast<void*>(v.pointer)) : nullptr; }
};
template <>
struct ArgTraits<Device> : Accepts<ArgKind::Device> {
  static Device get(const ArgValue&) { return {}; }
};
template <>
struct ArgTraits<MemoryFormat> : Accepts<ArgKind::MemoryFormat> {
  static MemoryFormat get(const ArgValue& v) { return static_cast<MemoryFormat>(v.size); }
};

inline void box(Result& r, Tensor t) {
  r.kind = Result::Kind::Tensor;
  r.tensors[0] = std::move(t);
}
template <class... Ts>
void box(Result& r, std::tuple<Ts...> t) {
  r.kind = Result::Kind::Tuple;
  r.count = sizeof...(Ts);
  static_assert(sizeof...(Ts) <= 4);
  std::apply(
      [&](auto&... x) {
        int i = 0;
        ((r.tensors[i++] = std::move(x)), ...);
      },
      t);
}
inline void box(Result& r, std::vector<Tensor> v) {
  r.kind = Result::Kind::List;
  r.list = std::move(v);
}
inline void box(Result& r, bool v) { r.kind = Result::Kind::Bool, r.scalar = Scalar(v); }
inline void box(Result& r, int64_t v) { r.kind = Result::Kind::Int, r.scalar = Scalar(v); }
inline void box(Result& r, double v) { r.kind = Result::Kind::Float, r.scalar = Scalar(v); }
inline void box(Result& r, Scalar v) { r.kind = Result::Kind::Number, r.scalar = v; }
inline void box(Result& r, Dims v) { r.kind = Result::Kind::Ints, r.ints = std::move(v); }
inline void box(Result& r, std::string v) { r.kind = Result::Kind::Str, r.str = std::move(v); }
inline void box(Result& r, DType v) { r.kind = Result::Kind::DType, r.dtype = v; }

template <class F>
struct FunctionTraits;
template <class R, class... A>
struct FunctionTraits<R (*)(A...)> {
  using Return = R;
  template <size_t I>
  using Arg = std::tuple_element_t<I, std::tuple<A...>>;
  static constexpr int kArgs = sizeof...(A);
};
template <class T>
inline constexpr bool kIsDest = std::is_same_v<std::remove_cvref_t<T>, Dest>;

template <class F>
constexpr bool takes_dest() {
  using T = FunctionTraits<F>;
  if constexpr (T::kArgs == 0) {
    return false;
  } else {
    return kIsDest<typename T::template Arg<T::kArgs - 1>>;
  }
}

template <class F>
constexpr bool signature_matches(const Signature& s) {
  using T = FunctionTraits<F>;
  constexpr int n = T::kArgs - (takes_dest<F>() ? 1 : 0);
  if (s.count != n) return false;
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return (ArgTraits<typename T::template Arg<I>>::accepts(s.params[I].kind) && ...);
  }(std::make_index_sequence<static_cast<size_t>(n)>());
}

template <auto F>
void invoke(const ArgValue* args, const Dest& dest, Result& result) {
  using T = FunctionTraits<decltype(F)>;
  constexpr bool with_dest = takes_dest<decltype(F)>();
  [&]<size_t... I>(std::index_sequence<I...>) {
    const auto call = [&] {
      if constexpr (with_dest) {
        return F(ArgTraits<typename T::template Arg<I>>::get(args[I])..., dest);
      } else {
        return F(ArgTraits<typename T::template Arg<I>>::get(args[I])...);
      }
    };
    if constexpr (std::is_void_v<typename T::Return>) {
      static_assert(!with_dest, "an op with a destination returns it");
      call();
      result.kind = Result::Kind::None;
    } else {
      box(result, call());
    }
  }(std::make_index_sequence<static_cast<size_t>(T::kArgs - (with_dest ? 1 : 0))>());
}

}  // namespace detail

// ---- the table -------------------------------------------------------------------------------------------------

struct Op {
  Signature signature;
  const char* signature_text;
  const char* doc;
  uint32_t flags;
  bool takes_dest;  // the function itself writes to out= / in place
  void (*invoke)(const ArgValue*, const Dest&, Result&);
  const Op* next;  // intrusive list in registration order
};

const Op* first_op();
namespace detail {
struct OpRegistration {
  explicit OpRegistration(Op& op);
};
}  // namespace detail

// Another name for an op: the same function, parser and documentation. A plain name stands wherever the op has one
// (function, method, in place); "special.name" stands in pydl.special alone.
struct Alias {
  const char* name;
  const char* target;
  const Alias* next;
};

const Alias* first_alias();
namespace detail {
struct AliasRegistration {
  explicit AliasRegistration(Alias& alias);
};
}  // namespace detail

#define PYDL_OP_CONCAT2(a, b) a##b
#define PYDL_OP_CONCAT(a, b) PYDL_OP_CONCAT2(a, b)
// PYDL_OP(function, "name(input: Tensor, ...) -> Tensor", Function | Method, R"doc(...)doc");
#define PYDL_OP(fn, text_, flags_, doc_)                                                                           \
  static_assert(::pydl::detail::signature_matches<decltype(&fn)>(::pydl::detail::parse_signature(text_)),          \
                "the signature of this op disagrees with its C++ function");                                       \
  static ::pydl::Op PYDL_OP_CONCAT(pydl_op_, __LINE__){                                                            \
      ::pydl::detail::parse_signature(text_), text_,  doc_, (flags_), ::pydl::detail::takes_dest<decltype(&fn)>(), \
      &::pydl::detail::invoke<&fn>,           nullptr};                                                            \
  static const ::pydl::detail::OpRegistration PYDL_OP_CONCAT(pydl_op_registration_, __LINE__)(PYDL_OP_CONCAT(pydl_op_, __LINE__))
// A second op within one macro of its own, where __LINE__ is the same.
#define PYDL_OP_AGAIN(fn, text_, flags_, doc_)                                                                     \
  static_assert(::pydl::detail::signature_matches<decltype(&fn)>(::pydl::detail::parse_signature(text_)),          \
                "the signature of this op disagrees with its C++ function");                                       \
  static ::pydl::Op pydl_op_##fn{                                                                                  \
      ::pydl::detail::parse_signature(text_), text_,  doc_, (flags_), ::pydl::detail::takes_dest<decltype(&fn)>(), \
      &::pydl::detail::invoke<&fn>,           nullptr};                                                            \
  static const ::pydl::detail::OpRegistration pydl_op_registration_##fn(pydl_op_##fn)
// PYDL_ALIAS("arccos", "acos");
#define PYDL_ALIAS(name_, target_)                                                         \
  static ::pydl::Alias PYDL_OP_CONCAT(pydl_alias_, __LINE__){(name_), (target_), nullptr}; \
  static const ::pydl::detail::AliasRegistration PYDL_OP_CONCAT(pydl_alias_registration_, __LINE__)(PYDL_OP_CONCAT(pydl_alias_, __LINE__))

}  // namespace pydl
