#include <new>
#include <stdexcept>

#include "bindings/python.h"

namespace pydl::python {
namespace {

PyObject* shape_error;
PyObject* out_of_memory_error;

std::shared_ptr<PyObject> keep(PyObject* o) {
  return std::shared_ptr<PyObject>(o, [](PyObject* p) {
    if (!p || !Py_IsInitialized()) return;
    GilAcquire gil;
    Py_DECREF(p);
  });
}

}  // namespace

CarriedError CarriedError::fetch() {
  CarriedError e("a Python function raised an exception");
#if PY_VERSION_HEX >= 0x030c0000
  e.value = keep(PyErr_GetRaisedException());
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback) PyException_SetTraceback(value, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  e.value = keep(value);
#endif
  return e;
}

void CarriedError::restore() const {
#if PY_VERSION_HEX >= 0x030c0000
  PyErr_SetRaisedException(Py_XNewRef(value.get()));
#else
  PyObject* type = reinterpret_cast<PyObject*>(Py_TYPE(value.get()));
  PyErr_Restore(Py_NewRef(type), Py_NewRef(value.get()), PyException_GetTraceback(value.get()));
#endif
}

void set_error() noexcept {
  try {
    throw;
  } catch (const PythonError&) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "error return without exception set");
  } catch (const CarriedError& e) {
    e.restore();
  } catch (const ShapeError& e) {
    PyErr_SetString(shape_error, e.what());
  } catch (const OutOfMemoryError& e) {
    PyErr_SetString(out_of_memory_error, e.what());
  } catch (const IndexError& e) {
    PyErr_SetString(PyExc_IndexError, e.what());
  } catch (const TypeError& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const ValueError& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const NotImplemented& e) {
    PyErr_SetString(PyExc_NotImplementedError, e.what());
  } catch (const Error& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_SetString(out_of_memory_error, "cannot allocate memory");
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "unknown C++ exception");
  }
}

void raise(PyObject* type, const std::string& message) {
  PyErr_SetString(type, message.c_str());
  throw PythonError();
}

bool init_errors(PyObject* module) {
  const Object shape_bases = own(PyTuple_Pack(2, PyExc_RuntimeError, PyExc_ValueError));
  shape_error = PyErr_NewExceptionWithDoc("pydl.ShapeError", "Sizes that do not fit the operation.", shape_bases.get(), nullptr);
  const Object memory_bases = own(PyTuple_Pack(2, PyExc_MemoryError, PyExc_RuntimeError));
  out_of_memory_error = PyErr_NewExceptionWithDoc("pydl.OutOfMemoryError", "Memory for a tensor could not be had; nothing was changed.",
                                                  memory_bases.get(), nullptr);
  return shape_error && out_of_memory_error && PyModule_AddObjectRef(module, "ShapeError", shape_error) == 0 &&
         PyModule_AddObjectRef(module, "OutOfMemoryError", out_of_memory_error) == 0;
}

}  // namespace pydl::python
