#include "core/error.h"

#include <charconv>

namespace pydl::detail {

void append(std::string& s, double v) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v).ptr;
  s.append(buffer, end);
}

void append(std::string& s, std::span<const int64_t> v) {
  s += '[';
  for (size_t i = 0; i < v.size(); ++i) {
    if (i) s += ", ";
    s += std::to_string(v[i]);
  }
  s += ']';
}

}  // namespace pydl::detail
