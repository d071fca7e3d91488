// From Python arguments to the boxed values of an op.
#pragma once

#include "bindings/python.h"

namespace pydl::python {

// Owns what the values of one call point to.
struct ParsedArgs {
  ArgValue values[kMaxParams];
  PyObject* out = nullptr;  // out= (borrowed)

  ParsedArgs() = default;
  ParsedArgs(const ParsedArgs&) = delete;

  int64_t* ints(size_t n);
  std::vector<Tensor>& tensor_list() { return lists_.emplace_back(); }
  const Tensor* keep(Tensor t) {
    kept_.push_back(std::make_unique<Tensor>(std::move(t)));
    return kept_.back().get();
  }
  bool releases_gil = false;

 private:
  int64_t small_[16];
  size_t used_ = 0;
  std::vector<std::unique_ptr<int64_t[]>> more_;
  std::vector<std::vector<Tensor>> lists_;
  std::vector<std::unique_ptr<Tensor>> kept_;
};

// False (with `why` filled) if the arguments do not fit the signature. Throws only for errors that no other overload
// could avoid.
bool parse_args(const Op& op, bool inplace, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, ParsedArgs& parsed,
                std::string& why);
void init_signature_names(const Op& op);

}  // namespace pydl::python
