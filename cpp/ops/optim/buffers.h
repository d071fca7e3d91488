// What every optimizer step does with the tensors that it is given: checks, and contiguous memory.
#pragma once

#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"

namespace pydl {

// The type in which a step computes: float32 for halves; complex numbers are pairs, both parts treated alike.
inline DType step_type(DType d) { return is_half(d) ? DType::Float32 : real_type(d); }
inline int64_t step_count(const Tensor& t) { return t.numel() * (is_complex(t.dtype()) ? 2 : 1); }

// Contiguous float32/float64 memory of a tensor, by a copy where its own is not; written back when asked.
class Buffers {
 public:
  void* writable(const Tensor& t) {
    const Tensor plain = prepare(t);
    if (!plain.same(t)) back_.emplace_back(t, plain);
    touched_.push_back(t);
    return plain->data;
  }
  const void* readable(const Tensor& t) { return prepare(t)->data; }
  void finish() {
    for (const auto& [target, source] : back_) copy_raw(target, source);
    for (const Tensor& t : touched_) t->bump_version();
  }

 private:
  Tensor prepare(const Tensor& t) {
    if (t.contiguous() && !is_half(t.dtype())) return t;
    const Tensor plain = contiguous(to_dtype(t, is_half(t.dtype()) ? DType::Float32 : t.dtype()));
    kept_.push_back(plain);
    return plain;
  }
  std::vector<Tensor> kept_, touched_;
  std::vector<std::pair<Tensor, Tensor>> back_;
};

inline void check_list(const char* op, const char* argument, TensorSpan list, TensorSpan params, bool may_be_empty) {
  if (may_be_empty && list.empty()) return;
  PYDL_CHECK(list.size() == params.size(), ValueError, op, "(): ", argument, " has ", list.size(), " tensors, params has ", params.size());
  for (size_t i = 0; i < list.size(); ++i) {
    PYDL_CHECK(list[i].sizes() == params[i].sizes() && list[i].dtype() == params[i].dtype(), ShapeError, op, "(): ", argument, "[", i,
               "] is ", list[i].dtype(), " of size ", IntSpan(list[i].sizes()), ", params[", i, "] is ", params[i].dtype(), " of size ",
               IntSpan(params[i].sizes()));
  }
}

inline void check_params(const char* op, TensorSpan params) {
  for (const Tensor& p : params) {
    PYDL_CHECK(is_floating(p.dtype()) || is_complex(p.dtype()), NotImplemented, op,
               "(): parameters must be floating point or complex, got ", p.dtype());
    PYDL_CHECK(!p->storage->read_only() && !has_internal_overlap(p), Error, op, "(): a parameter's memory cannot be written");
  }
}

// State that a step writes to.
inline void check_state(const char* op, const char* argument, TensorSpan list, TensorSpan params, bool may_be_empty) {
  check_list(op, argument, list, params, may_be_empty);
  for (size_t i = 0; i < list.size(); ++i) {
    PYDL_CHECK(!list[i]->storage->read_only() && !has_internal_overlap(list[i]), Error, op, "(): the memory of ", argument, "[", i,
               "] cannot be written");
  }
}

}  // namespace pydl
