// Attributes of Tensor, and the methods that are not ops.
#include "autograd/engine.h"
#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/view/view.h"

namespace pydl::python {
namespace {

// ---- attributes ------------------------------------------------------------------------------------------------

PyObject* get_shape(PyObject* self, void*) {
  return guarded([&] { return wrap_size(unwrap(self).sizes()); });
}
PyObject* get_dtype(PyObject* self, void*) { return wrap_dtype(unwrap(self).dtype()); }
PyObject* get_device(PyObject*, void*) { return cpu_device(); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(unwrap(self).ndim()); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).item_size()); }
PyObject* get_nbytes(PyObject* self, void*) { return PyLong_FromLongLong(unwrap(self).numel() * unwrap(self).item_size()); }
PyObject* get_false(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* get_true(PyObject*, void*) { Py_RETURN_TRUE; }
PyObject* get_requires_grad(PyObject* self, void*) { return PyBool_FromLong(unwrap(self)->requires_grad); }
PyObject* get_is_leaf(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(autograd::is_leaf(unwrap(self))); });
}
PyObject* get_retains_grad(PyObject* self, void*) {
  const autograd::AutogradMeta* m = autograd::meta(unwrap(self));
  return PyBool_FromLong(m && m->retains_grad);
}
PyObject* get_version(PyObject* self, void*) { return PyLong_FromUnsignedLong(unwrap(self)->version()); }
PyObject* get_output_nr(PyObject* self, void*) {
  const autograd::AutogradMeta* m = autograd::meta(unwrap(self));
  return PyLong_FromUnsignedLong(m ? m->output_nr : 0);
}
PyObject* get_grad_fn(PyObject* self, void*) {
  return guarded([&] { return wrap_node(unwrap(self)->requires_grad ? autograd::grad_fn(unwrap(self)) : nullptr); });
}
PyObject* get_grad(PyObject* self, void*) {
  return guarded([&] {
    const autograd::AutogradMeta* m = autograd::meta(unwrap(self));
    return wrap(m ? m->grad : Tensor());
  });
}
PyObject* get_base(PyObject* self, void*) {
  return guarded([&] {
    const autograd::AutogradMeta* m = autograd::meta(unwrap(self));
    return wrap(m && m->view ? m->view->base : Tensor());
  });
}
PyObject* get_t(PyObject* self, void*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    Dims order;
    for (int i = t.ndim(); i-- > 0;) order.push_back(i);
    return wrap(permute(t, order));
  });
}
PyObject* get_mt(PyObject* self, void*) {
  return guarded([&] { return wrap(matrix_transpose(unwrap(self))); });
}
PyObject* get_mh(PyObject* self, void*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    return wrap(conj(t.ndim() ? matrix_transpose(t) : t));
  });
}
PyObject* get_h(PyObject* self, void*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    PYDL_CHECK(t.ndim() == 2 || t.ndim() == 0, Error, "tensor.H is only supported on matrices (2-D tensors). Got ", t.ndim(), "-D tensor.");
    return wrap(t.ndim() ? conj(matrix_transpose(t)) : conj(t));
  });
}
PyObject* get_real(PyObject* self, void*) {
  return guarded([&] { return wrap(real(unwrap(self))); });
}
PyObject* get_imag(PyObject* self, void*) {
  return guarded([&] { return wrap(imag(unwrap(self))); });
}
// The same memory without graph, and with a version counter of its own: autograd does not see writes through it.
PyObject* get_data(PyObject* self, void*) {
  return guarded([&] {
    Tensor t = raw_alias(unwrap(self));
    t->own_version = Ref<VersionCounter>::adopt(new VersionCounter);
    return is_tensor_exact(self) ? wrap(t) : wrap_as(TensorType, t);
  });
}

int set_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    const int on = value ? PyObject_IsTrue(value) : -1;
    if (on < 0) raise(PyExc_RuntimeError, "requires_grad must be a bool");
    const Tensor& t = unwrap(self);
    PYDL_CHECK(
        autograd::is_leaf(t), Error, "you can only change requires_grad flags of leaf variables.",
        on ? ""
           : " If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
    PYDL_CHECK(!on || is_differentiable(t.dtype()), Error, "only Tensors of floating point and complex dtype can require gradients, got ",
               t.dtype());
    PYDL_CHECK(!on || !t->is_inference || inference_mode, Error,
               "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    t->requires_grad = on;
  });
}
int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    const Tensor& t = unwrap(self);
    if (!value || value == Py_None) {
      if (autograd::AutogradMeta* m = autograd::meta(t)) m->grad = Tensor();
      return;
    }
    if (!is_tensor(value))
      raise(PyExc_TypeError, text("assigned grad expected to be a Tensor or None but got grad of type ", Py_TYPE(value)->tp_name));
    if (value == self) raise(PyExc_RuntimeError, "can't assign Variable as its own grad");
    const Tensor& g = unwrap(value);
    PYDL_CHECK(g.sizes() == t.sizes(), ShapeError, "assigned grad has data of a different size: expected ", IntSpan(t.sizes()), ", got ",
               IntSpan(g.sizes()));
    PYDL_CHECK(g.dtype() == t.dtype(), TypeError, "assigned grad has data of a different type: expected ", t.dtype(), ", got ", g.dtype());
    autograd::make_meta(t).grad = g;
  });
}
int set_data(PyObject* self, PyObject* value, void*) {
  return guarded_int([&] {
    if (!value || !is_tensor(value)) raise(PyExc_TypeError, "Variable data has to be a tensor");
    const Tensor& t = unwrap(self);
    const Tensor& d = unwrap(value);
    PYDL_CHECK(!t->requires_grad || is_differentiable(d.dtype()), Error,
               "data set to a tensor that requires gradients must be floating point or complex dtype");
    const Ref<Storage> storage = d->storage;
    const Dims sizes = d.sizes(), strides = d.strides();
    const int64_t offset = d->offset;
    t->storage = storage;
    t->dtype = d.dtype();
    t->set_geometry(sizes, strides, offset);
  });
}

PyObject* get_layout(PyObject*, void*) {
  const Object m = own(PyImport_ImportModule("pydl"));
  return m ? PyObject_GetAttrString(m.get(), "strided") : nullptr;
}

PyGetSetDef getset[] = {
    {"shape", get_shape, nullptr, "The sizes, a Size.", nullptr},
    {"dtype", get_dtype, nullptr, "The element type.", nullptr},
    {"device", get_device, nullptr, "Where the memory is: the CPU.", nullptr},
    {"layout", get_layout, nullptr, "How the memory is laid out: pydl.strided.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dims.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"is_cpu", get_true, nullptr, "Always True.", nullptr},
    {"is_cuda", get_false, nullptr, "Always False.", nullptr},
    {"is_sparse", get_false, nullptr, "Always False.", nullptr},
    {"is_quantized", get_false, nullptr, "Always False.", nullptr},
    {"is_meta", get_false, nullptr, "Always False.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad, "Does autograd record what is computed from it?", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Was it made by the user rather than by a recorded op?", nullptr},
    {"retains_grad", get_retains_grad, nullptr, "Will backward fill .grad of this non-leaf?", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node that made it, or None.", nullptr},
    {"grad", get_grad, set_grad, "The accumulated gradient, or None.", nullptr},
    {"data", get_data, set_data, "The same memory outside the graph; assigning replaces memory, size and dtype.", nullptr},
    {"_base", get_base, nullptr, "The tensor that this one views, or None.", nullptr},
    {"_version", get_version, nullptr, "How often the memory was written in place.", nullptr},
    {"output_nr", get_output_nr, nullptr, "Which output of grad_fn this is.", nullptr},
    {"T", get_t, nullptr, "A view with the dims in reverse order.", nullptr},
    {"mT", get_mt, nullptr, "A view with the last two dims exchanged.", nullptr},
    {"mH", get_mh, nullptr, "The conjugate with the last two dims exchanged.", nullptr},
    {"H", get_h, nullptr, "The conjugate transpose of a matrix.", nullptr},
    {"real", get_real, nullptr, "The real part.", nullptr},
    {"imag", get_imag, nullptr, "The imaginary part.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// ---- methods ---------------------------------------------------------------------------------------------------

PyObject* method_size(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (n == 0 || args[0] == Py_None) return wrap_size(t.sizes());
    if (t.ndim() == 0) raise(PyExc_IndexError, "Dimension specified as 0 but tensor has no dimensions");
    return PyLong_FromLongLong(t.size(wrap_dim(to_index(args[0], "size", "dim"), t.ndim(), "size")));
  });
}
PyObject* method_stride(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (n) {
      if (t.ndim() == 0) raise(PyExc_IndexError, "Dimension specified as 0 but tensor has no dimensions");
      return PyLong_FromLongLong(t.stride(wrap_dim(to_index(args[0], "stride", "dim"), t.ndim(), "stride")));
    }
    Object tuple = own(checked(PyTuple_New(t.ndim())));
    for (int i = 0; i < t.ndim(); ++i) PyTuple_SET_ITEM(tuple.get(), i, PyLong_FromLongLong(t.stride(i)));
    return tuple.release();
  });
}
PyObject* method_dim(PyObject* self, PyObject*) { return PyLong_FromLong(unwrap(self).ndim()); }
PyObject* method_numel(PyObject* self, PyObject*) { return PyLong_FromLongLong(unwrap(self).numel()); }
PyObject* method_element_size(PyObject* self, PyObject*) { return PyLong_FromLongLong(unwrap(self).item_size()); }
PyObject* method_data_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(unwrap(self).numel() ? unwrap(self)->data : nullptr); }
PyObject* method_storage_offset(PyObject* self, PyObject*) { return PyLong_FromLongLong(unwrap(self)->offset); }
PyObject* method_storage_ptr(PyObject* self, PyObject*) { return PyLong_FromVoidPtr(unwrap(self)->storage->data()); }
PyObject* method_storage_nbytes(PyObject* self, PyObject*) { return PyLong_FromLongLong(unwrap(self)->storage->bytes()); }
PyObject* method_is_floating_point(PyObject* self, PyObject*) { return PyBool_FromLong(is_floating(unwrap(self).dtype())); }
PyObject* method_is_complex(PyObject* self, PyObject*) { return PyBool_FromLong(is_complex(unwrap(self).dtype())); }
PyObject* method_is_inference(PyObject* self, PyObject*) { return PyBool_FromLong(unwrap(self)->is_inference); }
PyObject* method_is_signed(PyObject* self, PyObject*) {
  const DType d = unwrap(self).dtype();
  return PyBool_FromLong(!is_unsigned(d) && d != DType::Bool);
}
PyObject* method_is_contiguous(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"memory_format", nullptr};
  PyObject* format = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:is_contiguous", const_cast<char**>(names), &format)) return nullptr;
  return guarded([&]() -> PyObject* {
    MemoryFormat f = MemoryFormat::Contiguous;
    if (format && !parse_memory_format(format, &f))
      raise(PyExc_TypeError, "is_contiguous(): argument 'memory_format' must be pydl.memory_format");
    const Tensor& t = unwrap(self);
    if (f == MemoryFormat::Contiguous || f == MemoryFormat::Preserve) return PyBool_FromLong(t.contiguous());
    if (t.ndim() != (f == MemoryFormat::ChannelsLast ? 4 : 5)) Py_RETURN_FALSE;
    const Dims want = format_strides(t.sizes(), f, "is_contiguous");
    bool same = true;
    for (int i = 0; i < t.ndim(); ++i) same &= t.size(i) == 1 || t.stride(i) == want[i];
    return PyBool_FromLong(same);
  });
}
PyObject* method_item(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    if (t.numel() != 1) raise(PyExc_RuntimeError, text("a Tensor with ", t.numel(), " elements cannot be converted to Scalar"));
    return checked(wrap_element(t.dtype(), t->data));
  });
}
PyObject* method_tolist(PyObject* self, PyObject*) {
  return guarded([&] { return to_list(unwrap(self)); });
}
PyObject* method_numpy(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"force", nullptr};
  int force = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$p:numpy", const_cast<char**>(names), &force)) return nullptr;
  return guarded([&] { return to_numpy(force ? detach(unwrap(self)) : unwrap(self)); });
}
PyObject* method_detach_(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    if (autograd::AutogradMeta* m = autograd::meta(t)) {
      PYDL_CHECK(!m->view, Error, "Can't detach views in-place. Use detach() instead.");
      m->grad_fn = nullptr;
      m->output_nr = 0;
    }
    t->requires_grad = false;
    return Py_NewRef(self);
  });
}
PyObject* method_requires_grad_(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"requires_grad", nullptr};
  PyObject* on = Py_True;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:requires_grad_", const_cast<char**>(names), &on)) return nullptr;
  return set_requires_grad(self, on, nullptr) < 0 ? nullptr : Py_NewRef(self);
}
PyObject* method_retain_grad(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    autograd::retain_grad(unwrap(self));
    Py_RETURN_NONE;
  });
}
PyObject* method_backward(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"gradient", "retain_graph", "create_graph", "inputs", nullptr};
  PyObject *gradient = Py_None, *retain = Py_None, *inputs = Py_None;
  int create = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOpO:backward", const_cast<char**>(names), &gradient, &retain, &create, &inputs))
    return nullptr;
  return guarded([&]() -> PyObject* {
    if (gradient != Py_None && !is_tensor(gradient))
      raise(PyExc_TypeError, text("gradients can be either Tensors or None, but got ", Py_TYPE(gradient)->tp_name));
    const Tensor root = unwrap(self), g = gradient == Py_None ? Tensor() : unwrap(gradient);
    std::vector<Tensor> wanted;
    if (inputs != Py_None) {
      const Object list = own(is_tensor(inputs) ? PyTuple_Pack(1, inputs) : PySequence_Tuple(inputs));
      if (!list) throw PythonError();
      if (PyTuple_GET_SIZE(list.get()) == 0) raise(PyExc_RuntimeError, "'inputs' argument to backward() cannot be empty.");
      for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list.get()); ++i) {
        PyObject* o = PyTuple_GET_ITEM(list.get(), i);
        if (!is_tensor(o)) raise(PyExc_TypeError, text("backward(): inputs must be Tensors, not ", Py_TYPE(o)->tp_name));
        wanted.push_back(unwrap(o));
      }
    }
    const int keep = retain == Py_None ? create : PyObject_IsTrue(retain);
    if (keep < 0) throw PythonError();
    {
      const GilRelease release;
      autograd::backward({&root, 1}, {&g, 1}, wanted, {.retain_graph = keep != 0, .create_graph = create != 0});
    }
    Py_RETURN_NONE;
  });
}
// Replaces the Python class of a result: Tensor._make_subclass(cls, data, requires_grad).
PyObject* method_make_subclass(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"cls", "data", "require_grad", nullptr};
  PyObject *cls, *data;
  int require = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|p:_make_subclass", const_cast<char**>(names), &cls, &data, &require)) return nullptr;
  return guarded([&] {
    if (!PyType_Check(cls) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), TensorType))
      raise(PyExc_TypeError, "_make_subclass(): cls must be a subclass of Tensor");
    if (!is_tensor(data)) raise(PyExc_TypeError, "_make_subclass(): data must be a Tensor");
    const Tensor t = raw_alias(unwrap(data));
    PYDL_CHECK(!require || is_differentiable(t.dtype()), Error, "Only Tensors of floating point and complex dtype can require gradients");
    t->requires_grad = require;
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), t);
  });
}
// The same tensor, graph included, under a subclass.
PyObject* method_as_subclass(PyObject* self, PyObject* cls) {
  return guarded([&] {
    if (!PyType_Check(cls) || !PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(cls), TensorType))
      raise(PyExc_TypeError, "as_subclass(): cls must be a subclass of Tensor");
    const Tensor& t = unwrap(self);
    const Tensor alias = raw_alias(t);
    if (autograd::needs_grad(t)) autograd::record("AliasBackward0", alias, {&t}, [](autograd::Backward& b) { b.set(0, b.grad()); });
    return wrap_as(reinterpret_cast<PyTypeObject*>(cls), alias);
  });
}
PyObject* method_share_memory(PyObject* self, PyObject*) { return Py_NewRef(self); }

#define FAST(fn) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(fn)), METH_FASTCALL
#define KEYWORDS(fn) reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(fn)), METH_VARARGS | METH_KEYWORDS
PyMethodDef methods[] = {
    {"size", FAST(method_size), "size(dim=None): all sizes, or that of one dim."},
    {"stride", FAST(method_stride), "stride(dim=None): all strides in elements, or that of one dim."},
    {"dim", method_dim, METH_NOARGS, "The number of dims."},
    {"ndimension", method_dim, METH_NOARGS, "The number of dims."},
    {"numel", method_numel, METH_NOARGS, "The number of elements."},
    {"nelement", method_numel, METH_NOARGS, "The number of elements."},
    {"element_size", method_element_size, METH_NOARGS, "Bytes of one element."},
    {"data_ptr", method_data_ptr, METH_NOARGS, "The address of the first element, 0 for an empty tensor."},
    {"storage_offset", method_storage_offset, METH_NOARGS, "Elements between the start of the storage and the first one."},
    {"_storage_ptr", method_storage_ptr, METH_NOARGS, nullptr},
    {"_storage_nbytes", method_storage_nbytes, METH_NOARGS, nullptr},
    {"is_floating_point", method_is_floating_point, METH_NOARGS, "Is the dtype a real floating-point type?"},
    {"is_complex", method_is_complex, METH_NOARGS, "Is the dtype complex?"},
    {"is_signed", method_is_signed, METH_NOARGS, "Can the dtype hold negative numbers?"},
    {"is_inference", method_is_inference, METH_NOARGS, "Was it made in inference mode?"},
    {"is_contiguous", KEYWORDS(method_is_contiguous), "is_contiguous(memory_format=contiguous_format): is the memory in that order?"},
    {"item", method_item, METH_NOARGS, "The only element as a Python number."},
    {"tolist", method_tolist, METH_NOARGS, "Nested lists of Python numbers."},
    {"numpy", KEYWORDS(method_numpy), "numpy(*, force=False): an ndarray on the same memory."},
    {"detach_", method_detach_, METH_NOARGS, "Takes this tensor out of the graph, in place."},
    {"requires_grad_", KEYWORDS(method_requires_grad_), "requires_grad_(requires_grad=True): sets the flag and returns the tensor."},
    {"retain_grad", method_retain_grad, METH_NOARGS, "Makes backward fill .grad of this non-leaf."},
    {"backward", KEYWORDS(method_backward),
     "backward(gradient=None, retain_graph=None, create_graph=False, inputs=None): adds the gradients of this tensor to the leaves' "
     ".grad.\n\nThe tensor has one element, or `gradient` has its size and weighs its elements. `create_graph` records the gradients, for "
     "derivatives of them; `retain_graph` keeps what was saved for another pass; `inputs` names the leaves to fill.\n\n"
     "    >>> x = pydl.arange(4.0, requires_grad=True)\n    >>> (2 * x.dot(x)).backward()\n    >>> x.grad\n"
     "    tensor([ 0.,  4.,  8., 12.])\n"},
    {"_make_subclass", KEYWORDS(method_make_subclass) | METH_STATIC, nullptr},
    {"as_subclass", method_as_subclass, METH_O, "The same tensor as an object of a subclass."},
    {"share_memory_", method_share_memory, METH_NOARGS, "Returns the tensor: workers of the DataLoader copy what they send."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_tensor_attributes(PyTypeObject* type) {
  PyObject* o = reinterpret_cast<PyObject*>(type);
  for (PyGetSetDef* g = getset; g->name; ++g) {
    const Object d = own(PyDescr_NewGetSet(type, g));
    if (!d || PyObject_SetAttrString(o, g->name, d.get()) < 0) return false;
  }
  for (PyMethodDef* m = methods; m->ml_name; ++m) {
    Object d = own(m->ml_flags & METH_STATIC ? PyCFunction_New(m, nullptr) : PyDescr_NewMethod(type, m));
    if (d && (m->ml_flags & METH_STATIC)) d = own(PyStaticMethod_New(d.get()));
    if (!d || PyObject_SetAttrString(o, m->ml_name, d.get()) < 0) return false;
  }
  return true;
}

}  // namespace pydl::python
