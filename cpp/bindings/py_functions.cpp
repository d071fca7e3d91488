// Module functions that are not ops: construction from data, dtypes, threads.
#include "bindings/python.h"
#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/view/view.h"

namespace pydl::python {
namespace {

PyObject* make_tensor(PyObject* data, PyObject* dtype, PyObject* device, bool requires_grad) {
  DType d;
  const bool given = dtype != Py_None;
  if (given && !to_dtype_value(dtype, &d))
    raise(PyExc_TypeError, text("tensor(): argument 'dtype' must be pydl.dtype, not ", Py_TYPE(dtype)->tp_name));
  if (device != Py_None && !parse_device(device)) raise(PyExc_TypeError, "tensor(): argument 'device' must be a device");
  Tensor t = tensor_from_data(data, given ? std::optional(d) : std::nullopt);
  PYDL_CHECK(!requires_grad || is_differentiable(t.dtype()), Error,
             "tensor(): Only Tensors of floating point and complex dtype can require gradients");
  t->requires_grad = requires_grad;
  return wrap(std::move(t));
}

// tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)
PyObject* tensor(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    PyObject *data = nargs ? args[0] : nullptr, *dtype = Py_None, *device = Py_None;
    bool requires_grad = false;
    if (nargs > 1) raise(PyExc_TypeError, text("tensor() takes 1 positional argument but ", static_cast<int64_t>(nargs), " were given"));
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); ++i) {
      const char* utf8 = PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, i));
      if (!utf8) throw PythonError();
      const std::string_view name = utf8;
      PyObject* value = args[nargs + i];
      if (name == "dtype") {
        dtype = value;
      } else if (name == "requires_grad") {
        const int on = PyObject_IsTrue(value);
        if (on < 0) throw PythonError();
        requires_grad = on != 0;
      } else if (name == "device") {
        device = value;
      } else if (name == "data") {
        data = value;
      } else if (name != "pin_memory") {
        raise(PyExc_TypeError, text("tensor() got an unexpected keyword argument '", name, "'"));
      }
    }
    if (!data) raise(PyExc_TypeError, "tensor() missing 1 required positional argument: 'data'");
    return make_tensor(data, dtype, device, requires_grad);
  });
}

// as_tensor(data, dtype=None, device=None): shares memory where it can.
PyObject* as_tensor(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"data", "dtype", "device", nullptr};
  PyObject *data, *dtype = Py_None, *device = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:as_tensor", const_cast<char**>(names), &data, &dtype, &device)) return nullptr;
  return guarded([&]() -> PyObject* {
    if (!is_tensor(data) && !is_ndarray(data)) return make_tensor(data, dtype, device, false);
    DType d;
    if (dtype != Py_None && !to_dtype_value(dtype, &d)) raise(PyExc_TypeError, "as_tensor(): argument 'dtype' must be pydl.dtype");
    const Tensor t = is_tensor(data) ? unwrap(data) : from_numpy(data, false);
    if (is_tensor(data) && (dtype == Py_None || d == t.dtype())) return Py_NewRef(data);
    return wrap(dtype == Py_None ? t : to_dtype(t, d));
  });
}

PyObject* from_numpy_function(PyObject*, PyObject* array) {
  return guarded([&] {
    if (!is_ndarray(array)) raise(PyExc_TypeError, text("expected np.ndarray (got ", Py_TYPE(array)->tp_name, ")"));
    return wrap(from_numpy(array, false));
  });
}

void release_bytes(void* context) {
  if (!Py_IsInitialized()) return;
  const GilAcquire gil;
  Py_buffer* view = static_cast<Py_buffer*>(context);
  PyBuffer_Release(view);
  delete view;
}

PyObject* frombuffer(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"buffer", "dtype", "count", "offset", "requires_grad", nullptr};
  PyObject *buffer, *dtype = Py_None;
  long long count = -1, offset = 0;
  int requires_grad = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OLLp:frombuffer", const_cast<char**>(names), &buffer, &dtype, &count, &offset,
                                   &requires_grad))
    return nullptr;
  return guarded([&]() -> PyObject* {
    DType d;
    if (!to_dtype_value(dtype, &d)) raise(PyExc_TypeError, "frombuffer(): argument 'dtype' must be pydl.dtype");
    auto view = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(buffer, view.get(), PyBUF_SIMPLE) < 0) throw PythonError();
    const int64_t item = item_size(d), bytes = view->len;
    const char* why = bytes == 0                      ? "both buffer length and count must not be 0"
                      : offset < 0 || offset >= bytes ? "offset must be non-negative and no greater than buffer length minus 1"
                      : count == 0 || count<-1 ? "count must be positive or -1" : count>(bytes - offset) / item
                          ? "requested buffer length exceeds the buffer"
                      : count < 0 && (bytes - offset) % item != 0 ? "buffer length after offset must be a multiple of the element size"
                                                                  : nullptr;
    if (why) {
      PyBuffer_Release(view.get());
      raise(PyExc_ValueError, text("frombuffer(): ", why, " (", bytes, " bytes, offset ", static_cast<int64_t>(offset), ", count ",
                                   static_cast<int64_t>(count), ")"));
    }
    const int64_t n[] = {count < 0 ? (bytes - offset) / item : static_cast<int64_t>(count)};
    const bool read_only = view->readonly;
    char* data = static_cast<char*>(view->buf) + offset;
    if (read_only || reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(std::min<int64_t>(item, 8)) != 0) {
      const Tensor copy = empty(n, d, "frombuffer");
      std::copy_n(data, n[0] * item, copy->data);
      PyBuffer_Release(view.get());
      copy->requires_grad = requires_grad && is_differentiable(d);
      return wrap(copy);
    }
    const Tensor t(Ref<TensorImpl>::adopt(new TensorImpl(Storage::wrap(data, n[0] * item, &release_bytes, view.get(), false), d, n)));
    view.release();
    t->requires_grad = requires_grad && is_differentiable(d);
    return wrap(t);
  });
}

PyObject* set_default_dtype_function(PyObject*, PyObject* o) {
  return guarded([&]() -> PyObject* {
    DType d;
    if (!is_dtype(o) || !to_dtype_value(o, &d)) raise(PyExc_TypeError, "set_default_dtype(): invalid dtype object");
    set_default_dtype(d);
    Py_RETURN_NONE;
  });
}
PyObject* get_default_dtype_function(PyObject*, PyObject*) { return wrap_dtype(default_dtype()); }

PyObject* promote_types_function(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "OO:promote_types", &a, &b)) return nullptr;
  return guarded([&]() -> PyObject* {
    DType x, y;
    if (!to_dtype_value(a, &x) || !to_dtype_value(b, &y)) raise(PyExc_TypeError, "promote_types(): arguments must be pydl.dtype");
    return wrap_dtype(promote_types(x, y));
  });
}
PyObject* result_type_function(PyObject*, PyObject* args) {
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "OO:result_type", &a, &b)) return nullptr;
  return guarded([&]() -> PyObject* {
    Promotion p;
    for (PyObject* o : {a, b}) {
      Scalar s;
      if (is_tensor(o)) {
        p.add(unwrap(o));
      } else if (to_scalar(o, &s)) {
        p.add(s);
      } else {
        raise(PyExc_TypeError, text("result_type(): arguments must be Tensor or Number, not ", Py_TYPE(o)->tp_name));
      }
    }
    return wrap_dtype(p.result());
  });
}

PyObject* get_num_threads_function(PyObject*, PyObject*) { return PyLong_FromLong(num_threads()); }
PyObject* set_num_threads_function(PyObject*, PyObject* n) {
  return guarded([&]() -> PyObject* {
    const int64_t value = to_index(n, "set_num_threads", "n");
    PYDL_CHECK(value >= 1 && value <= 4096, ValueError, "set_num_threads(): n must be in [1, 4096], got ", value);
    set_num_threads(static_cast<int>(value));
    Py_RETURN_NONE;
  });
}

// ---- documentation ---------------------------------------------------------------------------------------------

constexpr const char* kTensorDoc = R"doc(tensor(data, *, dtype=None, device=None, requires_grad=False) -> Tensor

A new tensor with a copy of `data`: a number, nested sequences of numbers, an ndarray or a tensor. Without `dtype`, Python floats
give the default dtype, integers int64, bools bool; arrays and tensors keep theirs.

Raises ValueError for ragged sequences, TypeError for what is no number.

Example:
    >>> pydl.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
)doc";
constexpr const char* kAsTensorDoc = R"doc(as_tensor(data, dtype=None, device=None) -> Tensor

`data` as a tensor, sharing memory with a tensor or a writable ndarray of the right dtype; anything else is copied.

Example:
    >>> t = pydl.tensor([1., 2.])
    >>> pydl.as_tensor(t) is t
    True
)doc";
constexpr const char* kFromNumpyDoc = R"doc(from_numpy(ndarray) -> Tensor

A tensor on the memory of `ndarray`. Read-only arrays and those with negative strides are copied.

Raises TypeError for dtypes that have no counterpart.

Example:
    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> pydl.from_numpy(a)[0] = 5
    >>> print(a)
    [5. 0.]
)doc";
constexpr const char* kFromBufferDoc = R"doc(frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False) -> Tensor

A 1-D tensor on the memory of an object with the buffer protocol: `count` elements from byte `offset` on, all by default. Read-only
buffers are copied.

Raises ValueError where the buffer does not hold that many elements.

Example:
    >>> pydl.frombuffer(bytearray(b'\x01\x02'), dtype=pydl.uint8)
    tensor([1, 2], dtype=torch.uint8)
)doc";
constexpr const char* kSetDefaultDoc = R"doc(set_default_dtype(d)

The floating-point dtype of new tensors that are made without one.

Raises TypeError for a dtype that is not floating point.

Example:
    >>> pydl.set_default_dtype(pydl.float32)
)doc";
constexpr const char* kGetDefaultDoc = R"doc(get_default_dtype() -> dtype

The floating-point dtype of new tensors that are made without one.

Example:
    >>> pydl.get_default_dtype()
    torch.float32
)doc";
constexpr const char* kPromoteDoc = R"doc(promote_types(type1, type2) -> dtype

The dtype in which elements of both types are combined.

Example:
    >>> pydl.promote_types(pydl.int32, pydl.float16)
    torch.float16
)doc";
constexpr const char* kResultTypeDoc = R"doc(result_type(tensor1, tensor2) -> dtype

The dtype of an arithmetic op on two tensors or numbers. A number or a 0-d tensor counts only where it is of a higher kind.

Example:
    >>> pydl.result_type(pydl.tensor([1, 2], dtype=pydl.int8), 1.0)
    torch.float32
)doc";
constexpr const char* kGetThreadsDoc = R"doc(get_num_threads() -> int

How many threads an op may use.

Example:
    >>> pydl.get_num_threads() >= 1
    True
)doc";
constexpr const char* kSetThreadsDoc = R"doc(set_num_threads(n)

How many threads an op may use from now on; may be called at any time. The results do not depend on it.

Raises ValueError below 1.

Example:
    >>> pydl.set_num_threads(pydl.get_num_threads())
)doc";

#define WITH_KEYWORDS(fn) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(fn)), METH_VARARGS | METH_KEYWORDS
PyMethodDef functions[] = {
    {"tensor", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(tensor)), METH_FASTCALL | METH_KEYWORDS, kTensorDoc},
    {"as_tensor", WITH_KEYWORDS(as_tensor), kAsTensorDoc},
    {"from_numpy", from_numpy_function, METH_O, kFromNumpyDoc},
    {"frombuffer", WITH_KEYWORDS(frombuffer), kFromBufferDoc},
    {"set_default_dtype", set_default_dtype_function, METH_O, kSetDefaultDoc},
    {"get_default_dtype", get_default_dtype_function, METH_NOARGS, kGetDefaultDoc},
    {"promote_types", promote_types_function, METH_VARARGS, kPromoteDoc},
    {"result_type", result_type_function, METH_VARARGS, kResultTypeDoc},
    {"get_num_threads", get_num_threads_function, METH_NOARGS, kGetThreadsDoc},
    {"set_num_threads", set_num_threads_function, METH_O, kSetThreadsDoc},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_functions(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace pydl::python
