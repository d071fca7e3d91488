// dtype, Size, device, memory formats, Generator, and numbers.

#include <algorithm>
#include <charconv>
#include <cstring>

#include "bindings/python.h"

namespace pydl::python {

PyTypeObject* GeneratorType;

namespace {

// ---- dtype -----------------------------------------------------------------------------------------------------

struct PyDType {
  PyObject_HEAD DType dtype;
};
PyTypeObject* DTypeType;
PyObject* g_dtypes[kNumDTypes];

DType dtype_of_object(PyObject* o) { return reinterpret_cast<PyDType*>(o)->dtype; }
PyObject* dtype_repr(PyObject* o) { return PyUnicode_FromFormat("torch.%s", dtype_name(dtype_of_object(o))); }
PyObject* dtype_reduce(PyObject* o, PyObject*) { return PyUnicode_FromString(dtype_name(dtype_of_object(o))); }
PyObject* dtype_is_floating(PyObject* o, void*) { return PyBool_FromLong(is_floating(dtype_of_object(o))); }
PyObject* dtype_is_complex(PyObject* o, void*) { return PyBool_FromLong(is_complex(dtype_of_object(o))); }
PyObject* dtype_is_signed(PyObject* o, void*) {
  const DType d = dtype_of_object(o);
  return PyBool_FromLong(!is_unsigned(d) && d != DType::Bool);
}
PyObject* dtype_itemsize(PyObject* o, void*) { return PyLong_FromLongLong(item_size(dtype_of_object(o))); }
PyObject* dtype_to_real(PyObject* o, PyObject*) { return wrap_dtype(real_type(dtype_of_object(o))); }
PyObject* dtype_to_complex(PyObject* o, PyObject*) { return wrap_dtype(complex_type(dtype_of_object(o))); }
PyObject* dtype_module(PyObject*, void*) { return PyUnicode_FromString("pydl"); }

PyGetSetDef dtype_getset[] = {{"is_floating_point", dtype_is_floating, nullptr, "Is it a real floating-point type?", nullptr},
                              {"is_complex", dtype_is_complex, nullptr, "Is it a complex type?", nullptr},
                              {"is_signed", dtype_is_signed, nullptr, "Can it hold negative numbers?", nullptr},
                              {"itemsize", dtype_itemsize, nullptr, "Bytes of one element.", nullptr},
                              {"__module__", dtype_module, nullptr, nullptr, nullptr},
                              {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef dtype_methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, nullptr},
                               {"to_real", dtype_to_real, METH_NOARGS, "The type of a complex type's parts."},
                               {"to_complex", dtype_to_complex, METH_NOARGS, "The complex type of this precision."},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot dtype_slots[] = {
    {Py_tp_repr, reinterpret_cast<void*>(dtype_repr)}, {Py_tp_getset, dtype_getset}, {Py_tp_methods, dtype_methods}, {0, nullptr}};
PyType_Spec dtype_spec = {"pydl.dtype", sizeof(PyDType), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, dtype_slots};

bool init_dtypes(PyObject* module) {
  DTypeType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&dtype_spec));
  if (!DTypeType || PyModule_AddObjectRef(module, "dtype", reinterpret_cast<PyObject*>(DTypeType)) < 0) return false;
  for (int i = 0; i < kNumDTypes; ++i) {
    PyDType* o = PyObject_New(PyDType, DTypeType);
    if (!o) return false;
    o->dtype = static_cast<DType>(i);
    g_dtypes[i] = reinterpret_cast<PyObject*>(o);
    if (PyModule_AddObjectRef(module, dtype_name(o->dtype), g_dtypes[i]) < 0) return false;
  }
  const std::pair<const char*, DType> aliases[] = {
      {"float", DType::Float32},    {"double", DType::Float64},     {"half", DType::Float16},
      {"long", DType::Int64},       {"int", DType::Int32},          {"short", DType::Int16},
      {"cfloat", DType::Complex64}, {"cdouble", DType::Complex128}, {"chalf", DType::ComplexHalf}};
  for (const auto& [name, d] : aliases) {
    if (PyModule_AddObjectRef(module, name, g_dtypes[static_cast<int>(d)]) < 0) return false;
  }
  return true;
}

// ---- Size ------------------------------------------------------------------------------------------------------

PyTypeObject* SizeType;

PyObject* size_repr(PyObject* self) {
  std::string s = "torch.Size([";
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) {
    const Object item = own(PyObject_Repr(PyTuple_GET_ITEM(self, i)));
    if (!item) return nullptr;
    const char* utf8 = PyUnicode_AsUTF8(item.get());
    if (!utf8) return nullptr;
    s += (i ? ", " : "") + std::string(utf8);
  }
  return PyUnicode_FromString((s + "])").c_str());
}
PyObject* as_size(PyObject* tuple) {
  if (!tuple) return nullptr;
  const Object owned = own(tuple);
  if (!PyTuple_Check(tuple)) return Py_NewRef(tuple);
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(SizeType), tuple);
}
PyObject* size_concat(PyObject* a, PyObject* b) { return as_size(PyTuple_Type.tp_as_sequence->sq_concat(a, b)); }
PyObject* size_subscript(PyObject* self, PyObject* key) {
  PyObject* item = PyTuple_Type.tp_as_mapping->mp_subscript(self, key);
  return item && PySlice_Check(key) ? as_size(item) : item;
}
PyObject* size_numel(PyObject* self, PyObject*) {
  int64_t n = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) n *= PyLong_AsLongLong(PyTuple_GET_ITEM(self, i));
  return PyErr_Occurred() ? nullptr : PyLong_FromLongLong(n);
}
PyObject* size_reduce(PyObject* self, PyObject*) {
  const Object plain = own(PySequence_List(self));
  return plain ? Py_BuildValue("(O(O))", reinterpret_cast<PyObject*>(SizeType), plain.get()) : nullptr;
}
PyMethodDef size_methods[] = {{"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this size."},
                              {"__reduce__", size_reduce, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyType_Slot size_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                            {Py_tp_methods, size_methods},
                            {Py_sq_concat, reinterpret_cast<void*>(size_concat)},
                            {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                            {0, nullptr}};
PyType_Spec size_spec = {"pydl.Size", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, size_slots};

bool init_size(PyObject* module) {
  const Object bases = own(PyTuple_Pack(1, &PyTuple_Type));
  SizeType = reinterpret_cast<PyTypeObject*>(PyType_FromSpecWithBases(&size_spec, bases.get()));
  return SizeType && PyModule_AddObjectRef(module, "Size", reinterpret_cast<PyObject*>(SizeType)) == 0;
}

// ---- device, memory_format -------------------------------------------------------------------------------------

struct PyDevice {
  PyObject_HEAD int kind;  // place in kDeviceKinds
  int index;               // -1: none
};
PyTypeObject* DeviceType;
PyObject* g_cpu;
// Devices can be named, so that programs may choose among them; only the first can be used.
constexpr std::string_view kDeviceKinds[] = {"cpu", "cuda", "mps", "meta", "xpu", "hpu", "mtia"};

// "kind" or "kind:index"; raises for anything else.
std::pair<int, int> named_device(PyObject* o) {
  const char* utf8 = PyUnicode_AsUTF8(o);
  if (!utf8) PyErr_Clear();  // a lone surrogate
  const std::string_view name = utf8 ? utf8 : "?", kind = name.substr(0, name.find(':'));
  const auto* const found = std::find(std::begin(kDeviceKinds), std::end(kDeviceKinds), kind);
  if (found == std::end(kDeviceKinds)) {
    raise(PyExc_RuntimeError, text("Expected one of cpu, cuda, mps, meta, xpu, hpu, mtia device type at start of device string: ", name));
  }
  const int place = static_cast<int>(found - std::begin(kDeviceKinds));
  if (kind.size() == name.size()) return {place, -1};
  const std::string_view digits = name.substr(kind.size() + 1);
  int index = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (error != std::errc() || end != digits.data() + digits.size() || index < 0)
    raise(PyExc_RuntimeError, text("Invalid device string: '", name, "'"));
  return {place, index};
}

PyObject* device_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"type", "index", nullptr};
  PyObject* kind;
  int index = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|i:device", const_cast<char**>(names), &kind, &index)) return nullptr;
  return guarded([&]() -> PyObject* {
    const bool copied = PyObject_TypeCheck(kind, DeviceType);
    if (!copied && !PyUnicode_Check(kind))
      raise(PyExc_TypeError, text("device(): argument 'type' must be str or device, not ", Py_TYPE(kind)->tp_name));
    const PyDevice* from = copied ? reinterpret_cast<PyDevice*>(kind) : nullptr;
    const auto [place, number] = copied ? std::pair(from->kind, from->index) : named_device(kind);
    if (number >= 0 && index >= 0) raise(PyExc_RuntimeError, "device(): type must not have an index when index is given");
    PyDevice* d = reinterpret_cast<PyDevice*>(checked(type->tp_alloc(type, 0)));
    d->kind = place;
    d->index = index >= 0 ? index : number;
    return reinterpret_cast<PyObject*>(d);
  });
}
const char* device_name(const PyDevice* d) { return kDeviceKinds[d->kind].data(); }
PyObject* device_repr(PyObject* self) {
  const PyDevice* d = reinterpret_cast<PyDevice*>(self);
  return d->index < 0 ? PyUnicode_FromFormat("device(type='%s')", device_name(d))
                      : PyUnicode_FromFormat("device(type='%s', index=%d)", device_name(d), d->index);
}
PyObject* device_str(PyObject* self) {
  const PyDevice* d = reinterpret_cast<PyDevice*>(self);
  return d->index < 0 ? PyUnicode_FromString(device_name(d)) : PyUnicode_FromFormat("%s:%d", device_name(d), d->index);
}
PyObject* device_type(PyObject* self, void*) { return PyUnicode_FromString(device_name(reinterpret_cast<PyDevice*>(self))); }
PyObject* device_index(PyObject* self, void*) {
  const int i = reinterpret_cast<PyDevice*>(self)->index;
  return i < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(i);
}
PyObject* device_compare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyObject_TypeCheck(b, DeviceType)) Py_RETURN_NOTIMPLEMENTED;
  const PyDevice *x = reinterpret_cast<PyDevice*>(a), *y = reinterpret_cast<PyDevice*>(b);
  return PyBool_FromLong((x->kind == y->kind && x->index == y->index) == (op == Py_EQ));
}
Py_hash_t device_hash(PyObject* self) {
  const PyDevice* d = reinterpret_cast<PyDevice*>(self);
  return 7 + Py_hash_t{1000003} * d->kind + d->index + 1;
}
PyObject* device_reduce(PyObject* self, PyObject*) {
  const Object name = own(device_str(self));
  return name ? Py_BuildValue("(O(O))", DeviceType, name.get()) : nullptr;
}
PyObject* device_enter(PyObject* self, PyObject*) {
  return guarded([&] {
    parse_device(self);
    return Py_NewRef(self);
  });
}
PyObject* device_exit(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyGetSetDef device_getset[] = {{"type", device_type, nullptr, "The kind of device, as 'cpu'.", nullptr},
                               {"index", device_index, nullptr, "The number of the device, or None.", nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef device_methods[] = {{"__reduce__", device_reduce, METH_NOARGS, nullptr},
                                {"__enter__", device_enter, METH_NOARGS, nullptr},
                                {"__exit__", device_exit, METH_VARARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};
PyType_Slot device_slots[] = {{Py_tp_new, reinterpret_cast<void*>(device_new)},
                              {Py_tp_repr, reinterpret_cast<void*>(device_repr)},
                              {Py_tp_str, reinterpret_cast<void*>(device_str)},
                              {Py_tp_richcompare, reinterpret_cast<void*>(device_compare)},
                              {Py_tp_hash, reinterpret_cast<void*>(device_hash)},
                              {Py_tp_getset, device_getset},
                              {Py_tp_methods, device_methods},
                              {0, nullptr}};
PyType_Spec device_spec = {"pydl.device", sizeof(PyDevice), 0, Py_TPFLAGS_DEFAULT, device_slots};

struct PyMemoryFormat {
  PyObject_HEAD MemoryFormat format;
};
PyTypeObject* MemoryFormatType;
constexpr const char* kFormatNames[] = {"preserve_format", "contiguous_format", "channels_last", "channels_last_3d"};
PyObject* format_repr(PyObject* o) {
  return PyUnicode_FromFormat("torch.%s", kFormatNames[static_cast<int>(reinterpret_cast<PyMemoryFormat*>(o)->format)]);
}
PyObject* format_reduce(PyObject* o, PyObject*) {
  return PyUnicode_FromString(kFormatNames[static_cast<int>(reinterpret_cast<PyMemoryFormat*>(o)->format)]);
}
PyMethodDef format_methods[] = {{"__reduce__", format_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot format_slots[] = {{Py_tp_repr, reinterpret_cast<void*>(format_repr)}, {Py_tp_methods, format_methods}, {0, nullptr}};
PyType_Spec format_spec = {"pydl.memory_format", sizeof(PyMemoryFormat), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           format_slots};

bool init_devices(PyObject* module) {
  DeviceType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&device_spec));
  MemoryFormatType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&format_spec));
  if (!DeviceType || !MemoryFormatType) return false;
  const Object args = own(Py_BuildValue("(s)", "cpu"));
  g_cpu = PyObject_CallObject(reinterpret_cast<PyObject*>(DeviceType), args.get());
  for (int i = 0; i < 4; ++i) {
    PyMemoryFormat* f = PyObject_New(PyMemoryFormat, MemoryFormatType);
    if (!f) return false;
    f->format = static_cast<MemoryFormat>(i);
    if (PyModule_AddObject(module, kFormatNames[i], reinterpret_cast<PyObject*>(f)) < 0) return false;
  }
  return g_cpu && PyModule_AddObjectRef(module, "device", reinterpret_cast<PyObject*>(DeviceType)) == 0 &&
         PyModule_AddObjectRef(module, "memory_format", reinterpret_cast<PyObject*>(MemoryFormatType)) == 0;
}

// ---- Generator -------------------------------------------------------------------------------------------------

struct PyGenerator {
  PyObject_HEAD Ref<Generator> generator;
};
Generator& generator_of(PyObject* o) { return *reinterpret_cast<PyGenerator*>(o)->generator; }

PyObject* generator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* names[] = {"device", nullptr};
  PyObject* device = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Generator", const_cast<char**>(names), &device)) return nullptr;
  return guarded([&]() -> PyObject* {
    if (device != Py_None && !parse_device(device)) {
      raise(PyExc_TypeError, text("Generator(): argument 'device' must be str or device, not ", Py_TYPE(device)->tp_name));
    }
    PyGenerator* g = reinterpret_cast<PyGenerator*>(checked(type->tp_alloc(type, 0)));
    new (&g->generator) Ref<Generator>(Ref<Generator>::adopt(new Generator));
    return reinterpret_cast<PyObject*>(g);
  });
}
void generator_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<PyGenerator*>(self)->generator.~Ref<Generator>();
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* generator_manual_seed(PyObject* self, PyObject* seed) {
  return guarded([&]() -> PyObject* {
    const Object index = own(checked(PyNumber_Index(seed)));
    const unsigned long long value = PyLong_AsUnsignedLongLongMask(index.get());
    if (PyErr_Occurred()) throw PythonError();
    generator_of(self).set_seed(value);
    return Py_NewRef(self);
  });
}
PyObject* generator_seed(PyObject* self, PyObject*) {
  return guarded([&] {
    const uint64_t seed = entropy_seed() >> 1;
    generator_of(self).set_seed(seed);
    return checked(PyLong_FromUnsignedLongLong(seed));
  });
}
PyObject* generator_initial_seed(PyObject* self, PyObject*) { return PyLong_FromUnsignedLongLong(generator_of(self).seed()); }
PyObject* generator_get_state(PyObject* self, PyObject*) {
  return guarded([&] {
    const Generator::State s = generator_of(self).state();
    const Tensor t = empty(Dims{16}, DType::UInt8);
    std::memcpy(t->data, &s, sizeof s);
    return wrap(t);
  });
}
PyObject* generator_set_state(PyObject* self, PyObject* state) {
  return guarded([&]() -> PyObject* {
    if (!is_tensor(state) || unwrap(state).dtype() != DType::UInt8 || unwrap(state).numel() != 16 || !unwrap(state).contiguous()) {
      raise(PyExc_TypeError, "set_state(): expected the uint8 tensor of 16 elements that get_state() returns");
    }
    Generator::State s;
    std::memcpy(&s, unwrap(state)->data, sizeof s);
    generator_of(self).set_state(s);
    return Py_NewRef(self);
  });
}
PyObject* generator_device(PyObject*, void*) { return cpu_device(); }
PyObject* generator_reduce(PyObject* self, PyObject*) {
  const Generator::State s = generator_of(self).state();
  return Py_BuildValue("(O()(KK))", GeneratorType, static_cast<unsigned long long>(s.seed), static_cast<unsigned long long>(s.position));
}
PyObject* generator_setstate(PyObject* self, PyObject* state) {
  unsigned long long seed, position;
  if (!PyArg_ParseTuple(state, "KK", &seed, &position)) return nullptr;
  generator_of(self).set_state({seed, position});
  Py_RETURN_NONE;
}
PyMethodDef generator_methods[] = {{"manual_seed", generator_manual_seed, METH_O, "Sets the seed and starts over; returns the generator."},
                                   {"seed", generator_seed, METH_NOARGS, "Seeds from the operating system and returns the seed."},
                                   {"initial_seed", generator_initial_seed, METH_NOARGS, "The seed in use."},
                                   {"get_state", generator_get_state, METH_NOARGS, "Seed and position as a uint8 tensor."},
                                   {"set_state", generator_set_state, METH_O, "Restores what get_state returned."},
                                   {"__reduce__", generator_reduce, METH_NOARGS, nullptr},
                                   {"__setstate__", generator_setstate, METH_O, nullptr},
                                   {nullptr, nullptr, 0, nullptr}};
PyGetSetDef generator_getset[] = {{"device", generator_device, nullptr, "Always the CPU.", nullptr},
                                  {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot generator_slots[] = {{Py_tp_new, reinterpret_cast<void*>(generator_new)},
                                 {Py_tp_dealloc, reinterpret_cast<void*>(generator_dealloc)},
                                 {Py_tp_methods, generator_methods},
                                 {Py_tp_getset, generator_getset},
                                 {Py_tp_doc, const_cast<char*>("A stream of random numbers: Philox4x32-10, a seed and a position.")},
                                 {0, nullptr}};
PyType_Spec generator_spec = {"pydl.Generator", sizeof(PyGenerator), 0, Py_TPFLAGS_DEFAULT, generator_slots};

bool init_generator(PyObject* module) {
  GeneratorType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&generator_spec));
  if (!GeneratorType || PyModule_AddObjectRef(module, "Generator", reinterpret_cast<PyObject*>(GeneratorType)) < 0) return false;
  PyGenerator* g = reinterpret_cast<PyGenerator*>(GeneratorType->tp_alloc(GeneratorType, 0));
  if (!g) return false;
  new (&g->generator) Ref<Generator>(default_generator());
  return PyModule_AddObject(module, "default_generator", reinterpret_cast<PyObject*>(g)) == 0;
}

}  // namespace

bool init_small_types(PyObject* module) {
  return init_dtypes(module) && init_size(module) && init_devices(module) && init_generator(module);
}

PyObject* wrap_dtype(DType d) { return Py_NewRef(g_dtypes[static_cast<int>(d)]); }
bool is_dtype(PyObject* o) { return Py_TYPE(o) == DTypeType; }
bool to_dtype_value(PyObject* o, DType* out) {
  if (is_dtype(o)) {
    *out = dtype_of_object(o);
  } else if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) {
    *out = DType::Float64;
  } else if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) {
    *out = DType::Int64;
  } else if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) {
    *out = DType::Bool;
  } else if (o == reinterpret_cast<PyObject*>(&PyComplex_Type)) {
    *out = DType::Complex128;
  } else {
    return false;
  }
  return true;
}

PyObject* wrap_size(IntSpan sizes) {
  PyObject* t = SizeType->tp_alloc(SizeType, static_cast<Py_ssize_t>(sizes.size()));
  if (!t) throw PythonError();
  for (size_t i = 0; i < sizes.size(); ++i) PyTuple_SET_ITEM(t, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(sizes[i]));
  return t;
}

PyObject* cpu_device() { return Py_NewRef(g_cpu); }

bool parse_device(PyObject* o) {
  const bool device = PyObject_TypeCheck(o, DeviceType);
  if (!device && !PyUnicode_Check(o)) return false;
  const PyDevice* d = device ? reinterpret_cast<PyDevice*>(o) : nullptr;
  const auto [kind, index] = device ? std::pair(d->kind, d->index) : named_device(o);
  if (kind != 0) raise(PyExc_RuntimeError, text("device '", kDeviceKinds[kind], "' is not available: this build of pydl runs on the CPU"));
  static_cast<void>(index);
  return true;
}

bool parse_memory_format(PyObject* o, MemoryFormat* out) {
  if (Py_TYPE(o) != MemoryFormatType) return false;
  *out = reinterpret_cast<PyMemoryFormat*>(o)->format;
  return true;
}

Generator* unwrap_generator(PyObject* o) { return Py_TYPE(o) == GeneratorType ? &generator_of(o) : nullptr; }

// ---- numbers ---------------------------------------------------------------------------------------------------

PyObject* wrap_number(const Scalar& s) {
  switch (s.kind()) {
    case Scalar::Kind::Bool:
      return PyBool_FromLong(s.to_bool());
    case Scalar::Kind::Int:
      return PyLong_FromLongLong(s.to_int());
    case Scalar::Kind::Float:
      return PyFloat_FromDouble(s.to_double());
    default:
      return PyComplex_FromDoubles(s.to_complex().real(), s.to_complex().imag());
  }
}

// A Scalar holds int64s: numbers of uint64 above them go their own way.
PyObject* wrap_element(DType dtype, const char* at) {
  if (dtype != DType::UInt64) return wrap_number(Scalar::load(dtype, at));
  uint64_t v;
  std::memcpy(&v, at, sizeof v);
  return PyLong_FromUnsignedLongLong(v);
}

namespace {

bool integer_scalar(PyObject* o, Scalar* out) {
  int overflow;
  const int64_t v = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (overflow > 0) {  // uint64 beyond int64 keeps its bits; larger ones do not fit
    const unsigned long long u = PyLong_AsUnsignedLongLong(o);
    if (PyErr_Occurred()) {
      PyErr_Clear();
      raise(PyExc_OverflowError, "int too large to convert to a tensor element");
    }
    *out = Scalar(static_cast<int64_t>(u));
    return true;
  }
  if (overflow < 0) raise(PyExc_OverflowError, "int too small to convert to a tensor element");
  *out = Scalar(v);
  return true;
}

}  // namespace

bool to_scalar(PyObject* o, Scalar* out) {
  if (PyFloat_Check(o)) {
    *out = Scalar(PyFloat_AS_DOUBLE(o));
    return true;
  }
  if (PyBool_Check(o)) {
    *out = Scalar(o == Py_True);
    return true;
  }
  if (PyLong_Check(o)) return integer_scalar(o, out);
  if (PyComplex_Check(o)) {
    const Py_complex c = PyComplex_AsCComplex(o);
    *out = Scalar(std::complex<double>(c.real, c.imag));
    return true;
  }
  if (is_tensor(o) || is_ndarray(o) || PyUnicode_Check(o) || PyBytes_Check(o)) return false;
  // NumPy's scalars and other number-like objects.
  const std::string_view type = Py_TYPE(o)->tp_name;
  if (type == "numpy.bool" || type == "numpy.bool_") {
    *out = Scalar(PyObject_IsTrue(o) == 1);
    return true;
  }
  if (PyIndex_Check(o)) {
    const Object i = own(PyNumber_Index(o));
    if (!i) {
      PyErr_Clear();
      return false;
    }
    return integer_scalar(i.get(), out);
  }
  if (type.substr(0, 13) == "numpy.complex") {
    const Py_complex c = PyComplex_AsCComplex(o);
    if (PyErr_Occurred()) {
      PyErr_Clear();
      return false;
    }
    *out = Scalar(std::complex<double>(c.real, c.imag));
    return true;
  }
  const PyNumberMethods* m = Py_TYPE(o)->tp_as_number;
  if (!m || !m->nb_float || PyList_Check(o) || PyTuple_Check(o)) return false;
  const double v = PyFloat_AsDouble(o);
  if (PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  *out = Scalar(v);
  return true;
}

int64_t to_index(PyObject* o, const char* op, const char* argument) {
  const Object index = own(PyNumber_Index(o));
  if (!index) {
    PyErr_Clear();
    raise(PyExc_TypeError, text(op, "(): argument '", argument, "' must be int, not ", Py_TYPE(o)->tp_name));
  }
  int overflow;
  const int64_t v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (overflow) raise(PyExc_OverflowError, text(op, "(): argument '", argument, "' does not fit 64 bits"));
  return v;
}

}  // namespace pydl::python
