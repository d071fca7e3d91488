#include "ops/registry.h"

namespace pydl {
namespace {

Op* g_first = nullptr;
Op* g_last = nullptr;
Alias* g_first_alias = nullptr;

}  // namespace

const Tensor& Operand::tensor() const { return tensor_ ? *tensor_ : detail::kUndefined; }

const Op* first_op() { return g_first; }

detail::OpRegistration::OpRegistration(Op& op) {
  if (g_last) {
    const_cast<Op*>(g_last)->next = &op;
  } else {
    g_first = &op;
  }
  g_last = &op;
}

const Alias* first_alias() { return g_first_alias; }

detail::AliasRegistration::AliasRegistration(Alias& alias) {
  alias.next = g_first_alias;
  g_first_alias = &alias;
}

}  // namespace pydl
