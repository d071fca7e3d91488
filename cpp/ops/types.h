// The argument types of ops, as they appear in C++ signatures.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/rng.h"
#include "core/tensor.h"

namespace pydl {

using TensorSpan = std::span<const Tensor>;

// "Tensor | Number": the right-hand side of an arithmetic op.
class Operand {
 public:
  Operand(const Tensor& t) : tensor_(&t) {}
  Operand(const Scalar& s) : scalar_(s) {}
  Operand(double v) : scalar_(v) {}
  Operand(int64_t v) : scalar_(v) {}
  Operand(int v) : scalar_(static_cast<int64_t>(v)) {}
  bool is_tensor() const { return tensor_ != nullptr; }
  // Undefined for a number.
  const Tensor& tensor() const;
  const Scalar& scalar() const { return scalar_; }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar scalar_;
};

// Where a result goes: a new tensor, `out=`, or the input itself.
class Dest {
 public:
  Dest() = default;
  static Dest out(const Tensor& t) { return Dest(&t, false); }
  static Dest inplace(const Tensor& t) { return Dest(&t, true); }
  bool is_new() const { return !tensor_; }
  bool is_out() const { return tensor_ && !inplace_; }
  bool is_inplace() const { return tensor_ && inplace_; }
  const Tensor& tensor() const { return *tensor_; }

 private:
  Dest(const Tensor* t, bool inplace) : tensor_(t), inplace_(inplace) {}
  const Tensor* tensor_ = nullptr;
  bool inplace_ = false;
};

// The only device of this build; any other name is refused by the parser.
struct Device {};

enum class MemoryFormat : uint8_t { Preserve, Contiguous, ChannelsLast, ChannelsLast3d };

}  // namespace pydl
