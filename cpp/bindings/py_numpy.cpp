// NumPy and Python data in both directions, through the buffer protocol (PEP 3118).
#include <cstring>

#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/view/view.h"

namespace pydl::python {
namespace {

PyObject* g_numpy;
PyTypeObject* g_ndarray;

PyObject* numpy() {
  if (!g_numpy) {
    g_numpy = checked(PyImport_ImportModule("numpy"));
    g_ndarray = reinterpret_cast<PyTypeObject*>(checked(PyObject_GetAttrString(g_numpy, "ndarray")));
  }
  return g_numpy;
}

std::optional<DType> dtype_of_format(std::string_view f, Py_ssize_t item) {
  if (!f.empty() && (f[0] == '@' || f[0] == '=' || f[0] == '<')) f.remove_prefix(1);
  const auto integer = [item](bool is_signed) -> std::optional<DType> {
    switch (item) {
      case 1:
        return is_signed ? DType::Int8 : DType::UInt8;
      case 2:
        return is_signed ? DType::Int16 : DType::UInt16;
      case 4:
        return is_signed ? DType::Int32 : DType::UInt32;
      case 8:
        return is_signed ? DType::Int64 : DType::UInt64;
      default:
        return std::nullopt;
    }
  };
  if (f == "?") return DType::Bool;
  if (f == "b" || f == "h" || f == "i" || f == "l" || f == "q" || f == "n") return integer(true);
  if (f == "B" || f == "H" || f == "I" || f == "L" || f == "Q" || f == "N" || f == "c") return integer(false);
  if (f == "e") return DType::Float16;
  if (f == "f") return DType::Float32;
  if (f == "d") return DType::Float64;
  if (f == "Zf") return DType::Complex64;
  if (f == "Zd") return DType::Complex128;
  return std::nullopt;
}

const char* format_of(DType d) {
  switch (d) {
    case DType::Bool:
      return "?";
    case DType::UInt8:
      return "B";
    case DType::Int8:
      return "b";
    case DType::UInt16:
      return "H";
    case DType::Int16:
      return "h";
    case DType::UInt32:
      return "I";
    case DType::Int32:
      return "i";
    case DType::UInt64:
      return "Q";
    case DType::Int64:
      return "q";
    case DType::Float16:
      return "e";
    case DType::Float32:
      return "f";
    case DType::Float64:
      return "d";
    case DType::Complex64:
      return "Zf";
    case DType::Complex128:
      return "Zd";
    default:
      return nullptr;
  }
}

void release_buffer(void* context) {
  if (!Py_IsInitialized()) return;
  const GilAcquire gil;
  Py_buffer* view = static_cast<Py_buffer*>(context);
  PyBuffer_Release(view);
  delete view;
}

}  // namespace

bool is_ndarray(PyObject* o) {
  if (is_tensor(o) || PyLong_Check(o) || PyFloat_Check(o)) return false;
  return g_ndarray && PyObject_TypeCheck(o, g_ndarray);
}

// Memory is shared where it may be: writable, native byte order, no negative strides, whole elements.
Tensor from_numpy(PyObject* array, bool copy) {
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(array, view.get(), PyBUF_RECORDS_RO) < 0) throw PythonError();
  const auto dtype = dtype_of_format(view->format ? view->format : "B", view->itemsize);
  if (!dtype) {
    const std::string format = view->format ? view->format : "";
    PyBuffer_Release(view.get());
    raise(PyExc_TypeError, text("can't convert np.ndarray with buffer format '", format,
                                "'. The only supported types are: float64, float32, float16, complex64, complex128, int64, int32, int16, "
                                "int8, uint64, uint32, uint16, uint8, and bool."));
  }
  Dims sizes, strides;
  bool shareable = !view->readonly;
  try {
    for (int i = 0; i < view->ndim; ++i) {
      sizes.push_back(view->shape[i]);
      shareable &= view->strides[i] >= 0 && view->strides[i] % view->itemsize == 0;
      strides.push_back(view->strides[i] / view->itemsize);
    }
    shareable &= reinterpret_cast<uintptr_t>(view->buf) % static_cast<uintptr_t>(view->itemsize) == 0;
  } catch (...) {
    PyBuffer_Release(view.get());
    throw;
  }
  if (!shareable) {  // NumPy makes a plain writable array of it
    PyBuffer_Release(view.get());
    const Object plain = own(checked(PyObject_CallMethod(numpy(), "array", "OO", array, Py_None)));
    return from_numpy(plain.get(), false);
  }
  int64_t extent = view->itemsize;
  for (int i = 0; i < sizes.size(); ++i) extent += (std::max<int64_t>(sizes[i], 1) - 1) * strides[i] * view->itemsize;
  void* data = view->buf;
  Tensor t(
      Ref<TensorImpl>::adopt(new TensorImpl(Storage::wrap(data, extent, &release_buffer, view.get(), false), *dtype, sizes, strides, 0)));
  view.release();
  if (!copy) return t;
  const autograd::GradGuard off(false);
  return clone(t, MemoryFormat::Contiguous);
}

// ---- Tensor as a buffer ----------------------------------------------------------------------------------------

int tensor_getbuffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  const Tensor& t = unwrap(self);
  const char* format = format_of(t.dtype());
  const char* why = !format                                                       ? "the dtype has no buffer format"
                    : t->requires_grad                                            ? "a tensor that requires grad must be detached first"
                    : (flags & PyBUF_WRITABLE) && t->storage->read_only()         ? "the memory is read-only"
                    : (flags & PyBUF_STRIDES) != PyBUF_STRIDES && !t.contiguous() ? "the memory is not contiguous"
                                                                                  : nullptr;
  if (why) {
    PyErr_Format(PyExc_BufferError, "cannot export Tensor: %s", why);
    return -1;
  }
  const int n = t.ndim();
  Py_ssize_t* geometry = new (std::nothrow) Py_ssize_t[static_cast<size_t>(2 * n) + 1];
  if (!geometry) {
    PyErr_NoMemory();
    return -1;
  }
  for (int i = 0; i < n; ++i) {
    geometry[i] = t.size(i);
    geometry[n + i] = t.stride(i) * t.item_size();
  }
  view->obj = Py_NewRef(self);
  view->buf = t->data;
  view->len = t.numel() * t.item_size();
  view->readonly = t->storage->read_only();
  view->itemsize = t.item_size();
  view->format = const_cast<char*>(format);
  view->ndim = n;
  view->shape = geometry;
  view->strides = geometry + n;
  view->suboffsets = nullptr;
  view->internal = geometry;
  return 0;
}
void tensor_releasebuffer(PyObject*, Py_buffer* view) { delete[] static_cast<Py_ssize_t*>(view->internal); }

PyObject* to_numpy(const Tensor& t) {
  if (t->requires_grad) raise(PyExc_RuntimeError, "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.");
  if (!format_of(t.dtype())) raise(PyExc_TypeError, text("Got unsupported ScalarType ", t.dtype()));
  const Object object = own(checked(wrap(t)));
  const Object view = own(checked(PyMemoryView_FromObject(object.get())));
  return checked(PyObject_CallMethod(numpy(), "asarray", "O", view.get()));
}

// ---- Python data -----------------------------------------------------------------------------------------------

namespace {

constexpr int kMaxNesting = kMaxDims;

struct DataInfo {
  Dims sizes;
  bool has_float = false, has_int = false, has_bool = false, has_complex = false;
  std::optional<DType> tensor_dtype;  // from tensors or NumPy scalars inside
};

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

// The shape from the first element of each level.
void find_shape(PyObject* o, DataInfo& info) {
  while (is_sequence(o)) {
    if (info.sizes.size() == kMaxNesting) raise(PyExc_ValueError, "too many dimensions (a list that contains itself?)");
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
    info.sizes.push_back(n);
    if (n == 0) return;
    o = PySequence_Fast_GET_ITEM(o, 0);
  }
  if (is_tensor(o)) {
    for (const int64_t s : unwrap(o).sizes()) info.sizes.push_back(s);
  } else if (is_ndarray(o)) {
    const Tensor t = from_numpy(o, false);
    for (const int64_t s : t.sizes()) info.sizes.push_back(s);
  }
}

void note(DType d, DataInfo& info) { info.tensor_dtype = info.tensor_dtype ? promote_types(*info.tensor_dtype, d) : d; }

Scalar leaf_scalar(PyObject* o) {
  Scalar s;
  if (PyFloat_CheckExact(o)) return Scalar(PyFloat_AS_DOUBLE(o));
  if (is_tensor(o) && unwrap(o).numel() == 1) return Scalar::load(unwrap(o).dtype(), unwrap(o)->data);
  if (!to_scalar(o, &s)) raise(PyExc_TypeError, text("new(): invalid data type '", Py_TYPE(o)->tp_name, "'"));
  return s;
}

void note_leaf(PyObject* o, DataInfo& info) {
  if (PyFloat_CheckExact(o)) {
    info.has_float = true;
  } else if (PyBool_Check(o)) {
    info.has_bool = true;
  } else if (PyLong_CheckExact(o)) {
    info.has_int = true;
  } else if (is_tensor(o)) {
    note(unwrap(o).dtype(), info);
  } else if (is_ndarray(o)) {
    note(from_numpy(o, false).dtype(), info);
  } else {
    const std::string_view type = Py_TYPE(o)->tp_name;
    const Scalar s = leaf_scalar(o);
    if (type == "numpy.float32")
      note(DType::Float32, info);
    else if (type == "numpy.float64")
      note(DType::Float64, info);
    else if (type == "numpy.float16")
      note(DType::Float16, info);
    else if (s.is_complex())
      info.has_complex = true;
    else if (s.is_floating())
      info.has_float = true;
    else if (s.is_bool())
      info.has_bool = true;
    else
      info.has_int = true;
  }
}

void note_all(PyObject* o, int depth, DataInfo& info) {
  if (!is_sequence(o)) return note_leaf(o, info);
  if (depth == kMaxNesting) raise(PyExc_ValueError, "too many dimensions (a list that contains itself?)");
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) note_all(PySequence_Fast_GET_ITEM(o, i), depth + 1, info);
}

DType inferred(const DataInfo& info) {
  DType d = info.has_complex ? complex_type(default_dtype())
            : info.has_float ? default_dtype()
            : info.has_int   ? DType::Int64
            : info.has_bool  ? DType::Bool
                             : default_dtype();
  if (!info.tensor_dtype) return d;
  const bool plain = info.has_complex || info.has_float || info.has_int || info.has_bool;
  return plain ? promote_types(*info.tensor_dtype, d) : *info.tensor_dtype;
}

void fill_from(PyObject* o, const Dims& sizes, int depth, DType dtype, char*& out) {
  if (depth == sizes.size()) {
    if (is_sequence(o)) raise(PyExc_ValueError, "expected a number where the other elements have one, got a sequence");
    if (dtype == DType::Float32 && PyFloat_CheckExact(o)) {
      const float v = static_cast<float>(PyFloat_AS_DOUBLE(o));
      std::memcpy(out, &v, sizeof v);
    } else {
      const Scalar s = leaf_scalar(o);
      if (s.is_complex() && !is_complex(dtype)) raise(PyExc_TypeError, text("can't convert complex to ", dtype_name(dtype)));
      s.store(dtype, out);
    }
    out += item_size(dtype);
    return;
  }
  if (is_tensor(o) || is_ndarray(o)) {
    const Tensor t = to_dtype(contiguous(is_tensor(o) ? detach(unwrap(o)) : from_numpy(o, false)), dtype);
    const IntSpan want = IntSpan(sizes).subspan(static_cast<size_t>(depth));
    if (!std::equal(want.begin(), want.end(), t.sizes().begin(), t.sizes().end()))
      raise(PyExc_ValueError, "expected sequences of equal shape");
    const size_t bytes = static_cast<size_t>(t.numel() * t.item_size());
    std::memcpy(out, t->data, bytes);
    out += bytes;
    return;
  }
  if (!is_sequence(o)) raise(PyExc_TypeError, text("not a sequence: ", Py_TYPE(o)->tp_name));
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(o);
  if (n != sizes[depth])
    raise(PyExc_ValueError, text("expected sequence of length ", sizes[depth], " at dim ", depth, " (got ", static_cast<int64_t>(n), ")"));
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (i >= PySequence_Fast_GET_SIZE(o)) raise(PyExc_RuntimeError, "a list changed its size while it was read");
    fill_from(PySequence_Fast_GET_ITEM(o, i), sizes, depth + 1, dtype, out);
  }
}

}  // namespace

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype) {
  const autograd::GradGuard off(false);
  if (is_tensor(data)) return clone(dtype ? to_dtype(unwrap(data), *dtype) : unwrap(data), MemoryFormat::Preserve);
  if (is_ndarray(data) ||
      (PyObject_CheckBuffer(data) && !PyBytes_Check(data) && !PyUnicode_Check(data) && !is_sequence(data) && PyMemoryView_Check(data))) {
    const Tensor t = from_numpy(data, true);
    return dtype ? to_dtype(t, *dtype) : t;
  }
  if (!is_sequence(data) && !PyUnicode_Check(data) && PySequence_Check(data) && PyObject_HasAttrString(data, "__getitem__") &&
      !PyObject_HasAttrString(data, "__float__") && !PyIndex_Check(data)) {
    const Object list = own(checked(PySequence_List(data)));  // range and other sequences
    return tensor_from_data(list.get(), dtype);
  }
  DataInfo info;
  find_shape(data, info);
  if (!dtype) note_all(data, 0, info);
  const Tensor t = empty(info.sizes, dtype ? *dtype : inferred(info), "tensor");
  char* out = t->data;
  if (t.numel() || is_sequence(data)) fill_from(data, info.sizes, 0, t.dtype(), out);
  return t;
}

namespace {

PyObject* list_level(const Tensor& t, int dim, const char* at) {
  if (dim == t.ndim()) return checked(wrap_element(t.dtype(), at));
  Object list = own(checked(PyList_New(static_cast<Py_ssize_t>(t.size(dim)))));
  for (int64_t i = 0; i < t.size(dim); ++i)
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), list_level(t, dim + 1, at + i * t.stride(dim) * t.item_size()));
  return list.release();
}

}  // namespace

PyObject* to_list(const Tensor& t) { return list_level(t, 0, t->data); }

bool init_numpy() {
  return guarded_int([] { numpy(); }) == 0;
}

}  // namespace pydl::python
