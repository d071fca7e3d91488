// Exceptions of the core, one per Python exception that they become, and message building.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/dtype.h"

namespace pydl {

class Error : public std::runtime_error {  // RuntimeError
  using std::runtime_error::runtime_error;
};
class ValueError : public Error {
  using Error::Error;
};
class TypeError : public Error {
  using Error::Error;
};
class IndexError : public Error {
  using Error::Error;
};
class ShapeError : public Error {  // pydl.ShapeError(RuntimeError, ValueError)
  using Error::Error;
};
class NotImplemented : public Error {  // NotImplementedError
  using Error::Error;
};
class OutOfMemoryError : public Error {  // pydl.OutOfMemoryError(MemoryError, RuntimeError)
  using Error::Error;
};

namespace detail {
inline void append(std::string& s, std::string_view v) { s += v; }
inline void append(std::string& s, const char* v) { s += v; }
inline void append(std::string& s, char v) { s += v; }
inline void append(std::string& s, bool v) { s += v ? "True" : "False"; }
inline void append(std::string& s, DType v) { s += dtype_name(v); }
void append(std::string& s, double v);
template <class T>
  requires std::is_integral_v<T>
void append(std::string& s, T v) {
  s += std::to_string(v);
}
void append(std::string& s, std::span<const int64_t> v);  // [2, 3]
}  // namespace detail

// Concatenates its arguments as text; a span of sizes prints as a list.
template <class... Args>
std::string text(const Args&... args) {
  std::string s;
  (detail::append(s, args), ...);
  return s;
}

// Throws E(text(...)) when `condition` is false. The arguments are only evaluated on failure.
#define PYDL_CHECK(condition, E, ...)     \
  do {                                    \
    if (!(condition)) [[unlikely]]        \
      throw E(::pydl::text(__VA_ARGS__)); \
  } while (0)

}  // namespace pydl
