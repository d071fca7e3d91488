// What the binding files share: the Python objects of the core, wrapping and unwrapping, errors.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <exception>
#include <memory>
#include <string>

#include "autograd/node.h"
#include "ops/registry.h"

namespace pydl::python {

// ---- references ------------------------------------------------------------------------------------------------

struct PyDrop {
  void operator()(PyObject* o) const { Py_XDECREF(o); }
};
using Object = std::unique_ptr<PyObject, PyDrop>;  // an owned reference
inline Object own(PyObject* o) { return Object(o); }
inline Object share(PyObject* o) { return Object(Py_XNewRef(o)); }

struct GilRelease {
  PyThreadState* state = PyEval_SaveThread();
  ~GilRelease() { PyEval_RestoreThread(state); }
};
struct GilAcquire {
  PyGILState_STATE state = PyGILState_Ensure();
  ~GilAcquire() { PyGILState_Release(state); }
};

// ---- errors ----------------------------------------------------------------------------------------------------

// A Python exception is set; unwind to the entry point.
struct PythonError : std::exception {};
// A Python exception that left Python inside C++ code that may run without the GIL.
struct CarriedError : Error {
  std::shared_ptr<PyObject> value;  // with its traceback
  static CarriedError fetch();
  void restore() const;
  using Error::Error;
};
// Sets the Python exception for the C++ exception in flight.
void set_error() noexcept;
[[noreturn]] void raise(PyObject* type, const std::string& message);
inline PyObject* checked(PyObject* o) {
  if (!o) throw PythonError();
  return o;
}
inline void check(int status) {
  if (status < 0) throw PythonError();
}
bool init_errors(PyObject* module);

// Runs f and turns exceptions into Python's; the entry of every slot.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_error();
    return nullptr;
  }
}
template <class F>
int guarded_int(F&& f) noexcept {
  try {
    f();
    return 0;
  } catch (...) {
    set_error();
    return -1;
  }
}

// ---- tensors ---------------------------------------------------------------------------------------------------

struct PyTensor {
  PyObject_HEAD Tensor tensor;
  PyObject* dict;
  PyObject* weakrefs;
};
extern PyTypeObject* TensorType;
inline bool is_tensor_exact(PyObject* o) { return Py_TYPE(o) == TensorType; }
inline bool is_tensor(PyObject* o) { return is_tensor_exact(o) || PyObject_TypeCheck(o, TensorType); }
inline const Tensor& unwrap(PyObject* o) { return reinterpret_cast<PyTensor*>(o)->tensor; }
PyObject* wrap(Tensor t);                         // new reference; None for an undefined tensor
PyObject* wrap_as(PyTypeObject* type, Tensor t);  // a fresh object of a subclass
void track(PyObject* tensor);                     // let the cycle collector see it
bool init_tensor_type(PyObject* module);
bool init_tensor_attributes(PyTypeObject* type);

// ---- other objects ---------------------------------------------------------------------------------------------

PyObject* wrap_dtype(DType dtype);             // new reference
bool to_dtype_value(PyObject* o, DType* out);  // pydl.dtype, or float/int/bool/complex
bool is_dtype(PyObject* o);
PyObject* wrap_size(IntSpan sizes);
PyObject* wrap_number(const Scalar& s);
PyObject* wrap_element(DType dtype, const char* at);  // the number at an address; uint64 keeps its sign
PyObject* wrap_node(const Ref<autograd::Node>& node);
PyObject* cpu_device();  // new reference
extern PyTypeObject* GeneratorType;
Generator* unwrap_generator(PyObject* o);
bool parse_device(PyObject* o);  // throws unless it names the CPU
bool parse_memory_format(PyObject* o, MemoryFormat* out);
bool init_small_types(PyObject* module);

// A Python number (or NumPy scalar) as a Scalar; false if it is none.
bool to_scalar(PyObject* o, Scalar* out);
int64_t to_index(PyObject* o, const char* op, const char* argument);

// ---- NumPy -----------------------------------------------------------------------------------------------------

bool init_numpy();
bool is_ndarray(PyObject* o);
int tensor_getbuffer(PyObject* self, Py_buffer* view, int flags);
void tensor_releasebuffer(PyObject* self, Py_buffer* view);
Tensor from_numpy(PyObject* array, bool copy);
PyObject* to_numpy(const Tensor& t);
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype);
PyObject* to_list(const Tensor& t);

// ---- ops and the rest ------------------------------------------------------------------------------------------

bool init_ops(PyObject* module, PyTypeObject* tensor_type);
PyObject* index_get(PyObject* self, PyObject* key);
int index_set(PyObject* self, PyObject* key, PyObject* value);
bool init_autograd(PyObject* module);
bool init_functions(PyObject* module);
bool init_module_base(PyObject* module);
bool init_dlpack(PyObject* module);

}  // namespace pydl::python
