// The Tensor type: allocation, number, mapping and sequence slots.

#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/matmul/matmul.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/bitwise.h"
#include "ops/pointwise/comparison.h"
#include "ops/view/view.h"

namespace pydl::python {

PyTypeObject* TensorType;

namespace {

// Dead objects of the exact type, kept for reuse. Guarded by the GIL.
constexpr int kFreeMax = 256;
PyTensor* g_free[kFreeMax];
int g_free_count = 0;

PyTensor* new_object(PyTypeObject* type) {
  PyTensor* o;
  if (type == TensorType && g_free_count > 0) {
    o = g_free[--g_free_count];
    PyObject_Init(reinterpret_cast<PyObject*>(o), type);
  } else if (type == TensorType) {
    o = PyObject_GC_New(PyTensor, type);
    if (!o) throw PythonError();
  } else {
    o = reinterpret_cast<PyTensor*>(checked(type->tp_alloc(type, 0)));
  }
  new (&o->tensor) Tensor;
  o->dict = nullptr;
  o->weakrefs = nullptr;
  return o;
}

bool is_tracked(PyObject* o) { return PyObject_GC_IsTracked(o); }

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  PyTensor* t = reinterpret_cast<PyTensor*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(t->dict);
  return 0;
}

int tensor_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<PyTensor*>(self)->dict);
  return 0;
}

void tensor_dealloc(PyObject* self) {
  PyTensor* t = reinterpret_cast<PyTensor*>(self);
  PyTypeObject* type = Py_TYPE(self);
  if (is_tracked(self)) PyObject_GC_UnTrack(self);
  if (t->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(t->dict);
  if (t->tensor.defined() && t->tensor->pyobject == self) t->tensor->pyobject = nullptr;
  t->tensor.~Tensor();
  if (type == TensorType && g_free_count < kFreeMax) {
    g_free[g_free_count++] = t;
  } else {
    type->tp_free(self);
  }
  Py_DECREF(type);
}

int tensor_setattro(PyObject* self, PyObject* name, PyObject* value) {
  const int status = PyObject_GenericSetAttr(self, name, value);
  // Only an object with attributes of its own can be part of a cycle.
  if (status == 0 && reinterpret_cast<PyTensor*>(self)->dict) track(self);
  return status;
}

}  // namespace

void track(PyObject* o) {
  if (!is_tracked(o)) PyObject_GC_Track(o);
}

PyObject* wrap(Tensor t) {
  if (!t.defined()) Py_RETURN_NONE;
  if (t->pyobject) return Py_NewRef(static_cast<PyObject*>(t->pyobject));
  PyTensor* o = new_object(TensorType);
  t->pyobject = o;
  o->tensor = std::move(t);
  return reinterpret_cast<PyObject*>(o);
}

PyObject* wrap_as(PyTypeObject* type, Tensor t) {
  if (t->pyobject) t = raw_alias(t);
  PyTensor* o = new_object(type);
  t->pyobject = o;
  o->tensor = std::move(t);
  return reinterpret_cast<PyObject*>(o);
}

namespace {

// ---- operators -------------------------------------------------------------------------------------------------

// The other side of an operator: a tensor, a number, or an ndarray that becomes a tensor.
class Other {
 public:
  explicit Other(PyObject* o) {
    if (is_tensor(o)) {
      tensor_ = &unwrap(o);
    } else if (PyFloat_CheckExact(o)) {
      scalar_ = Scalar(PyFloat_AS_DOUBLE(o));
    } else if (is_ndarray(o)) {
      kept_ = from_numpy(o, false);
      tensor_ = &kept_;
    } else {
      valid_ = to_scalar(o, &scalar_);
    }
  }
  bool valid() const { return valid_; }
  bool is_tensor_operand() const { return tensor_; }
  const Tensor& tensor() const { return *tensor_; }
  const Scalar& scalar() const { return scalar_; }
  Operand operand() const { return tensor_ ? Operand(*tensor_) : Operand(scalar_); }
  // For functions that want a tensor on the left: a 0-d one that promotes like a number.
  Tensor as_tensor() const {
    if (tensor_) return *tensor_;
    Tensor t = scalar_tensor(scalar_, scalar_dtype(scalar_));
    t->wrapped_number = true;
    return t;
  }

 private:
  const Tensor* tensor_ = nullptr;
  Scalar scalar_;
  Tensor kept_;
  bool valid_ = true;
};

constexpr int64_t kReleaseGilAbove = 32768;

template <class F>
Tensor released(int64_t work, F&& f) {
  if (work <= kReleaseGilAbove) return f();
  const GilRelease release;
  return f();
}

// f(left tensor, right operand) where one side is a tensor; `reflected` handles number (op) tensor.
template <class F, class G>
PyObject* binary(PyObject* a, PyObject* b, F&& f, G&& reflected) noexcept {
  return guarded([&]() -> PyObject* {
    if (is_tensor(a)) {
      const Other other(b);
      if (!other.valid()) Py_RETURN_NOTIMPLEMENTED;
      const Tensor& left = unwrap(a);
      return wrap(released(left.numel(), [&] { return f(left, other.operand()); }));
    }
    const Other other(a);
    if (!other.valid()) Py_RETURN_NOTIMPLEMENTED;
    const Tensor& right = unwrap(b);
    return wrap(
        released(right.numel(), [&] { return other.is_tensor_operand() ? f(other.tensor(), Operand(right)) : reflected(other, right); }));
  });
}

template <class F>
PyObject* inplace(PyObject* a, PyObject* b, F&& f) noexcept {
  return guarded([&]() -> PyObject* {
    const Other other(b);
    if (!other.valid()) Py_RETURN_NOTIMPLEMENTED;
    const Tensor& left = unwrap(a);
    static_cast<void>(released(left.numel(), [&] { return f(left, other.operand(), Dest::inplace(left)); }));
    return Py_NewRef(a);
  });
}

PyObject* nb_add(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return add(x, y); },
      [](const Other& x, const Tensor& y) { return add(y, x.operand()); });
}
PyObject* nb_subtract(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return sub(x, y); },
      [](const Other& x, const Tensor& y) { return rsub(y, x.operand()); });
}
PyObject* nb_multiply(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return mul(x, y); },
      [](const Other& x, const Tensor& y) { return mul(y, x.operand()); });
}
PyObject* nb_true_divide(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return div(x, y); },
      [](const Other& x, const Tensor& y) { return div(x.as_tensor(), y); });
}
PyObject* nb_floor_divide(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return div(x, y, "floor"); },
      [](const Other& x, const Tensor& y) { return div(x.as_tensor(), y, "floor"); });
}
PyObject* nb_remainder(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return remainder(x, y); },
      [](const Other& x, const Tensor& y) { return remainder(x.as_tensor(), y); });
}
PyObject* nb_power(PyObject* a, PyObject* b, PyObject* modulo) {
  if (modulo != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return pow(x, y); },
      [](const Other& x, const Tensor& y) { return pow_scalar_base(x.scalar(), y); });
}
PyObject* nb_and(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return bitwise_and(x, y); },
      [](const Other& x, const Tensor& y) { return bitwise_and(y, x.operand()); });
}
PyObject* nb_or(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return bitwise_or(x, y); },
      [](const Other& x, const Tensor& y) { return bitwise_or(y, x.operand()); });
}
PyObject* nb_xor(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return bitwise_xor(x, y); },
      [](const Other& x, const Tensor& y) { return bitwise_xor(y, x.operand()); });
}
PyObject* nb_lshift(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return bitwise_left_shift(x, y); },
      [](const Other& x, const Tensor& y) { return bitwise_left_shift(x.as_tensor(), y); });
}
PyObject* nb_rshift(PyObject* a, PyObject* b) {
  return binary(
      a, b, [](const Tensor& x, const Operand& y) { return bitwise_right_shift(x, y); },
      [](const Other& x, const Tensor& y) { return bitwise_right_shift(x.as_tensor(), y); });
}
PyObject* nb_matrix_multiply(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    const Other x(a), y(b);
    if (!x.valid() || !y.valid() || !x.is_tensor_operand() || !y.is_tensor_operand()) Py_RETURN_NOTIMPLEMENTED;
    const int64_t work = x.tensor().numel() + y.tensor().numel();
    return wrap(released(work, [&] { return matmul(x.tensor(), y.tensor()); }));
  });
}

PyObject* nb_iadd(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return add(x, y, Scalar(1), d); });
}
PyObject* nb_isub(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return sub(x, y, Scalar(1), d); });
}
PyObject* nb_imul(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return mul(x, y, d); });
}
PyObject* nb_itruediv(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return div(x, y, std::nullopt, d); });
}
PyObject* nb_ifloordiv(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return div(x, y, "floor", d); });
}
PyObject* nb_iremainder(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return remainder(x, y, d); });
}
PyObject* nb_ipow(PyObject* a, PyObject* b, PyObject*) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return pow(x, y, d); });
}
PyObject* nb_iand(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return bitwise_and(x, y, d); });
}
PyObject* nb_ior(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return bitwise_or(x, y, d); });
}
PyObject* nb_ixor(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return bitwise_xor(x, y, d); });
}
PyObject* nb_ilshift(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return bitwise_left_shift(x, y, d); });
}
PyObject* nb_irshift(PyObject* a, PyObject* b) {
  return inplace(a, b, [](const Tensor& x, const Operand& y, const Dest& d) { return bitwise_right_shift(x, y, d); });
}

PyObject* nb_negative(PyObject* a) {
  return guarded([&] { return wrap(neg(unwrap(a))); });
}
PyObject* nb_positive(PyObject* a) { return Py_NewRef(a); }
PyObject* nb_absolute(PyObject* a) {
  return guarded([&] { return wrap(abs(unwrap(a))); });
}
PyObject* nb_invert(PyObject* a) {
  return guarded([&] { return wrap(bitwise_not(unwrap(a))); });
}

Scalar single_value(PyObject* self) {
  const Tensor& t = unwrap(self);
  // matplotlib tells numbers from rows by this class of error.
  if (t.numel() != 1) raise(PyExc_ValueError, "only one element tensors can be converted to Python scalars");
  return Scalar::load(t.dtype(), t->data);
}

int nb_bool(PyObject* self) {
  int result = -1;
  static_cast<void>(guarded_int([&] {
    const Tensor& t = unwrap(self);
    if (t.numel() != 1) {
      raise(PyExc_RuntimeError, t.numel() == 0 ? "Boolean value of Tensor with no values is ambiguous"
                                               : "Boolean value of Tensor with more than one value is ambiguous");
    }
    result = Scalar::load(t.dtype(), t->data).to_bool();
  }));
  return result;
}

PyObject* nb_float(PyObject* self) {
  return guarded([&] {
    const Scalar s = single_value(self);
    if (s.is_complex()) raise(PyExc_RuntimeError, "value cannot be converted to type double without overflow");
    const Tensor& t = unwrap(self);
    return checked(PyFloat_FromDouble(t.dtype() == DType::UInt64 ? static_cast<double>(*t.data<uint64_t>()) : s.to_double()));
  });
}
PyObject* nb_int(PyObject* self) {
  return guarded([&] {
    const Scalar s = single_value(self);
    if (s.is_floating()) return checked(PyLong_FromDouble(s.to_double()));
    const Tensor& t = unwrap(self);
    return checked(t.dtype() == DType::UInt64 ? wrap_element(t.dtype(), t->data) : PyLong_FromLongLong(s.to_int()));
  });
}
PyObject* nb_index(PyObject* self) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    if (t.numel() != 1 || !is_integral_or_bool(t.dtype()))
      raise(PyExc_TypeError, "only integer tensors of a single element can be converted to an index");
    if (t.dtype() == DType::UInt64) return checked(wrap_element(t.dtype(), t->data));
    return checked(PyLong_FromLongLong(Scalar::load(t.dtype(), t->data).to_int()));
  });
}

PyObject* tensor_richcompare(PyObject* a, PyObject* b, int op) {
  if (!is_tensor(a)) Py_RETURN_NOTIMPLEMENTED;
  return guarded([&]() -> PyObject* {
    const Other other(b);
    if (!other.valid()) Py_RETURN_NOTIMPLEMENTED;
    const Tensor& x = unwrap(a);
    const Operand y = other.operand();
    return wrap(released(x.numel(), [&] {
      switch (op) {
        case Py_EQ:
          return eq(x, y);
        case Py_NE:
          return ne(x, y);
        case Py_LT:
          return lt(x, y);
        case Py_LE:
          return le(x, y);
        case Py_GT:
          return gt(x, y);
        default:
          return ge(x, y);
      }
    }));
  });
}

// By identity, as for objects without __eq__; the low bits of an address are always 0.
Py_hash_t tensor_hash(PyObject* self) { return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4); }

Py_ssize_t tensor_length(PyObject* self) {
  const Tensor& t = unwrap(self);
  if (t.ndim() == 0) {
    PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
    return -1;
  }
  return static_cast<Py_ssize_t>(t.size(0));
}

PyObject* sequence_item(PyObject* self, Py_ssize_t i) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (t.ndim() == 0) raise(PyExc_IndexError, "invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a number");
    if (i >= t.size(0)) {  // ends the iteration protocol
      PyErr_SetNone(PyExc_IndexError);
      throw PythonError();
    }
    return wrap(select(t, 0, i));
  });
}

PyObject* tensor_iter(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = unwrap(self);
    if (t.ndim() == 0) raise(PyExc_TypeError, "iteration over a 0-d tensor");
    const std::vector<Tensor> parts = unbind(t, 0);
    const Object list = own(checked(PyList_New(static_cast<Py_ssize_t>(parts.size()))));
    for (size_t i = 0; i < parts.size(); ++i) PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), checked(wrap(parts[i])));
    return checked(PyObject_GetIter(list.get()));
  });
}

int sequence_contains(PyObject* self, PyObject* value) {
  int found = -1;
  static_cast<void>(guarded_int([&] {
    const Other other(value);
    if (!other.valid())
      raise(PyExc_RuntimeError,
            text("Tensor.__contains__ only supports Tensor or scalar, but you passed in a ", Py_TYPE(value)->tp_name, "."));
    found = is_nonzero_any(eq(unwrap(self), other.operand()));
  }));
  return found;
}

// Tensor(): the legacy constructor. Sizes give an uninitialised float tensor, data gives a float copy.
PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    Tensor t;
    if (n == 1 && !PyLong_Check(PyTuple_GET_ITEM(args, 0))) {
      PyObject* data = PyTuple_GET_ITEM(args, 0);
      t = is_tensor(data) ? detach(unwrap(data)) : tensor_from_data(data, default_dtype());
    } else {
      Dims sizes;
      for (Py_ssize_t i = 0; i < n; ++i) sizes.push_back(to_index(PyTuple_GET_ITEM(args, i), "Tensor", "size"));
      if (n == 0) sizes.push_back(0);
      t = empty(sizes, default_dtype(), "Tensor");
    }
    return wrap_as(type, t);
  });
}

#define SLOT(name, fn) {Py_##name, reinterpret_cast<void*>(fn)}
PyMemberDef tensor_members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(PyTensor, dict), READONLY, nullptr},
                                {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weakrefs), READONLY, nullptr},
                                {nullptr, 0, 0, 0, nullptr}};

PyType_Slot tensor_slots[] = {SLOT(tp_new, tensor_new),
                              SLOT(tp_dealloc, tensor_dealloc),
                              SLOT(tp_traverse, tensor_traverse),
                              SLOT(tp_clear, tensor_clear),
                              SLOT(tp_setattro, tensor_setattro),
                              SLOT(tp_richcompare, tensor_richcompare),
                              SLOT(tp_hash, tensor_hash),
                              SLOT(tp_iter, tensor_iter),
                              SLOT(bf_getbuffer, tensor_getbuffer),
                              SLOT(bf_releasebuffer, tensor_releasebuffer),
                              {Py_tp_members, tensor_members},
                              SLOT(nb_add, nb_add),
                              SLOT(nb_subtract, nb_subtract),
                              SLOT(nb_multiply, nb_multiply),
                              SLOT(nb_true_divide, nb_true_divide),
                              SLOT(nb_floor_divide, nb_floor_divide),
                              SLOT(nb_remainder, nb_remainder),
                              SLOT(nb_power, nb_power),
                              SLOT(nb_and, nb_and),
                              SLOT(nb_or, nb_or),
                              SLOT(nb_xor, nb_xor),
                              SLOT(nb_lshift, nb_lshift),
                              SLOT(nb_rshift, nb_rshift),
                              SLOT(nb_matrix_multiply, nb_matrix_multiply),
                              SLOT(nb_inplace_add, nb_iadd),
                              SLOT(nb_inplace_subtract, nb_isub),
                              SLOT(nb_inplace_multiply, nb_imul),
                              SLOT(nb_inplace_true_divide, nb_itruediv),
                              SLOT(nb_inplace_floor_divide, nb_ifloordiv),
                              SLOT(nb_inplace_remainder, nb_iremainder),
                              SLOT(nb_inplace_power, nb_ipow),
                              SLOT(nb_inplace_and, nb_iand),
                              SLOT(nb_inplace_or, nb_ior),
                              SLOT(nb_inplace_xor, nb_ixor),
                              SLOT(nb_inplace_lshift, nb_ilshift),
                              SLOT(nb_inplace_rshift, nb_irshift),
                              SLOT(nb_negative, nb_negative),
                              SLOT(nb_positive, nb_positive),
                              SLOT(nb_absolute, nb_absolute),
                              SLOT(nb_invert, nb_invert),
                              SLOT(nb_bool, nb_bool),
                              SLOT(nb_float, nb_float),
                              SLOT(nb_int, nb_int),
                              SLOT(nb_index, nb_index),
                              SLOT(mp_subscript, index_get),
                              SLOT(mp_ass_subscript, index_set),
                              SLOT(mp_length, tensor_length),
                              SLOT(sq_length, tensor_length),
                              SLOT(sq_item, sequence_item),
                              SLOT(sq_contains, sequence_contains),
                              {0, nullptr}};
#undef SLOT

PyType_Spec tensor_spec = {"pydl.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, tensor_slots};

}  // namespace

bool init_tensor_type(PyObject* module) {
  TensorType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&tensor_spec));
  return TensorType && init_tensor_attributes(TensorType) &&
         PyModule_AddObjectRef(module, "Tensor", reinterpret_cast<PyObject*>(TensorType)) == 0;
}

}  // namespace pydl::python
