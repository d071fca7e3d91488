// Comparisons, logic, tests and selection.
#pragma once

#include "ops/types.h"

namespace pydl {

Tensor eq(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor ne(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor lt(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor le(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor gt(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor ge(const Tensor& input, const Operand& other, const Dest& dest = {});
Tensor logical_not(const Tensor& input, const Dest& dest = {});
Tensor logical_and(const Tensor& input, const Tensor& other, const Dest& dest = {});
// input where condition, else other.
Tensor where(const Tensor& condition, const Operand& input, const Operand& other);

// Plain answers, for checks.
bool has_zero(const Tensor& t);
bool is_nonzero_any(const Tensor& t);

}  // namespace pydl
