// The Python callables of the op table: one object serves pydl.f, Tensor.f and, for in-place forms, Tensor.f_.

#include <map>
#include <string>

#include "bindings/py_args.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"

namespace pydl::python {
namespace {

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  std::vector<const Op*>* overloads;
  std::string* name;
  PyObject* module;
  PyTypeObject* result_type;  // named tuple of ops with several named results
  const char* alias_of;       // null: this is the op's own name
  bool inplace;
};

PyTypeObject* OpType;

// ---- results ---------------------------------------------------------------------------------------------------

PyObject* wrap_all(const Tensor* tensors, size_t n, PyTypeObject* named) {
  Object tuple = own(checked(named ? PyStructSequence_New(named) : PyTuple_New(static_cast<Py_ssize_t>(n))));
  for (size_t i = 0; i < n; ++i) {
    PyObject* item = checked(wrap(tensors[i]));
    if (named) {
      PyStructSequence_SetItem(tuple.get(), static_cast<Py_ssize_t>(i), item);
    } else {
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), item);
    }
  }
  return tuple.release();
}

PyObject* wrap_result(Result& r, PyTypeObject* named) {
  switch (r.kind) {
    case Result::Kind::Tensor:
      return wrap(std::move(r.tensors[0]));
    case Result::Kind::Tuple:
      return wrap_all(r.tensors, static_cast<size_t>(r.count), named);
    case Result::Kind::List:
      return wrap_all(r.list.data(), r.list.size(), nullptr);
    case Result::Kind::Bool:
      return PyBool_FromLong(r.scalar.to_bool());
    case Result::Kind::Int:
      return PyLong_FromLongLong(r.scalar.to_int());
    case Result::Kind::Float:
      return PyFloat_FromDouble(r.scalar.to_double());
    case Result::Kind::Number:
      return wrap_number(r.scalar);
    case Result::Kind::Ints:
      return wrap_size(r.ints);
    case Result::Kind::Str:
      return PyUnicode_FromStringAndSize(r.str.data(), static_cast<Py_ssize_t>(r.str.size()));
    case Result::Kind::DType:
      return wrap_dtype(r.dtype);
    case Result::Kind::None:
      break;
  }
  Py_RETURN_NONE;
}

// ---- the call --------------------------------------------------------------------------------------------------

// out= of functions that do not write it themselves: the result is copied.
void copy_out(const Op& op, const ParsedArgs& parsed, const Tensor& out, const Tensor& result) {
  const std::string name(op.signature.name);
  PYDL_CHECK(!autograd::needs_grad(result) && !autograd::needs_grad(out), Error, name,
             "(): functions with out=... arguments don't support automatic differentiation, but one of the arguments requires grad.");
  std::vector<Operand> inputs;
  for (int i = 0; i < op.signature.count; ++i) {
    const ArgKind kind = op.signature.params[static_cast<size_t>(i)].kind;
    const ArgValue& v = parsed.values[i];
    const bool tensor = kind == ArgKind::Tensor || kind == ArgKind::OptTensor || kind == ArgKind::Operand;
    if (tensor && v.present && v.pointer) inputs.emplace_back(*static_cast<const Tensor*>(v.pointer));
  }
  check_writable(name.c_str(), Dest::out(out), result.sizes(), result.dtype(), inputs);
  copy_raw(out, result);
  out->bump_version();
}

// An op that takes a destination may leave it aside for some arguments, as composites of others do: their result is
// written where the caller wants it.
void settle(const Op& op, const Dest& dest, const Tensor& target, const Result& result) {
  if (result.kind != Result::Kind::Tensor || !result.tensors[0].defined() || result.tensors[0].same(target)) return;
  const std::string name(op.signature.name);
  check_writable(name.c_str(), dest, result.tensors[0].sizes(), result.tensors[0].dtype(), {});
  copy_(target, result.tensors[0], false);
}

PyObject* call_with_out(const Op& op, PyTypeObject* named, ParsedArgs& parsed, Result& result) {
  PyObject* out = parsed.out;
  if (op.takes_dest) {
    if (!is_tensor(out)) raise(PyExc_TypeError, text(op.signature.name, "(): argument 'out' must be Tensor, not ", Py_TYPE(out)->tp_name));
    op.invoke(parsed.values, Dest::out(unwrap(out)), result);
    if (result.kind == Result::Kind::Tensor && !result.tensors[0].same(unwrap(out))) copy_out(op, parsed, unwrap(out), result.tensors[0]);
    return Py_NewRef(out);
  }
  op.invoke(parsed.values, {}, result);
  if (result.kind == Result::Kind::Tensor && is_tensor(out)) {
    copy_out(op, parsed, unwrap(out), result.tensors[0]);
    return Py_NewRef(out);
  }
  const bool sequence = PyTuple_Check(out) || PyList_Check(out);
  if (result.kind != Result::Kind::Tuple || !sequence || PySequence_Fast_GET_SIZE(out) != result.count) {
    raise(PyExc_TypeError, text(op.signature.name, "(): argument 'out' does not match the number of results"));
  }
  for (int i = 0; i < result.count; ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(out, i);
    if (!is_tensor(item))
      raise(PyExc_TypeError, text(op.signature.name, "(): argument 'out' must hold Tensors, not ", Py_TYPE(item)->tp_name));
    copy_out(op, parsed, unwrap(item), result.tensors[i]);
    result.tensors[i] = unwrap(item);
  }
  return wrap_result(result, named);
}

PyObject* call_op(const OpObject& self, const Op& op, ParsedArgs& parsed, PyObject* first) {
  Result result;
  if (parsed.out) [[unlikely]]
    return call_with_out(op, self.result_type, parsed, result);
  const Dest dest = self.inplace ? Dest::inplace(unwrap(first)) : Dest();
  if (parsed.releases_gil) {
    const GilRelease release;
    op.invoke(parsed.values, dest, result);
  } else {
    op.invoke(parsed.values, dest, result);
  }
  if (self.inplace) settle(op, dest, unwrap(first), result);
  if (self.inplace || (op.flags & OpFlag::InplaceOnly)) return Py_NewRef(first);
  return wrap_result(result, self.result_type);
}

// An op may be made of others or be another name of one: its errors are told under the name that was called.
std::string under_name(const std::string& name, const std::string& signature_name, const std::string& message) {
  const size_t end = message.find("(): ");
  const std::string head = end == message.npos ? "" : message.substr(0, end);
  const bool is_op =
      !head.empty() && head.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == head.npos;
  if (!is_op) return message.starts_with(signature_name + "(") || message.starts_with(name + "(") ? message : name + "(): " + message;
  const std::string last = head.substr(head.rfind('.') + 1);
  return last == name || last == signature_name || last == signature_name + "_" ? message : name + message.substr(end);
}

std::string named_message(const OpObject& self, const char* message) {
  return under_name(*self.name, self.alias_of ? *self.name : std::string((*self.overloads)[0]->signature.name), message);
}

// Rewrites the pending exception if it is one of ours; those of a caller's own __index__ or hook stay as they are: they have
// run Python code and so carry a traceback, or were made by a call and so are instances already.
void name_error(const OpObject& self) {
#if PY_VERSION_HEX >= 0x030c0000
  const Object error = own(PyErr_GetRaisedException());
  const Object traceback = own(PyException_GetTraceback(error.get()));
  const Object args = own(PyException_GetArgs(error.get()));
  if (!traceback && PyTuple_Check(args.get()) && PyTuple_GET_SIZE(args.get()) == 1 &&
      PyUnicode_CheckExact(PyTuple_GET_ITEM(args.get(), 0))) {
    const char* utf8 = PyUnicode_AsUTF8(PyTuple_GET_ITEM(args.get(), 0));
    const Object renamed = own(utf8 ? Py_BuildValue("(s)", named_message(self, utf8).c_str()) : nullptr);
    if (renamed) PyException_SetArgs(error.get(), renamed.get());
    PyErr_Clear();
  }
  PyErr_SetRaisedException(Py_NewRef(error.get()));
#else
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  const Object message = own(value && PyUnicode_CheckExact(value) ? Py_NewRef(value) : nullptr);
  const char* utf8 = message ? PyUnicode_AsUTF8(message.get()) : nullptr;
  if (!utf8) {
    PyErr_Clear();
    return PyErr_Restore(type, value, traceback);
  }
  Py_XDECREF(value);
  PyErr_Restore(type, PyUnicode_FromString(named_message(self, utf8).c_str()), traceback);
#endif
}

PyObject* call_overload(OpObject& self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  std::string why, first_why;
  for (const Op* op : *self.overloads) {
    ParsedArgs parsed;
    if (parse_args(*op, self.inplace, args, nargs, kwnames, parsed, why)) {
      if ((self.inplace || (op->flags & OpFlag::InplaceOnly)) && (nargs == 0 || !is_tensor(args[0]))) {
        raise(PyExc_TypeError, *self.name + "(): argument 'input' (position 1) must be Tensor");
      }
      return call_op(self, *op, parsed, nargs ? args[0] : nullptr);
    }
    if (PyErr_Occurred()) throw PythonError();
    if (first_why.empty()) first_why = why;
  }
  if (self.overloads->size() > 1) {
    first_why = *self.name + "() received an invalid combination of arguments; expected one of:";
    for (const Op* op : *self.overloads) first_why += std::string("\n * ") + op->signature_text;
    first_why += "\nlast mismatch: " + why;
  }
  raise(PyExc_TypeError, first_why);
}

PyObject* op_vectorcall(PyObject* callable, PyObject* const* args, size_t nargsf, PyObject* kwnames) noexcept {
  OpObject& self = *reinterpret_cast<OpObject*>(callable);
  PyObject* result = guarded([&] { return call_overload(self, args, nargsf, kwnames); });
  if (!result) [[unlikely]]
    guarded_int([&] { name_error(self); });
  return result;
}

// ---- the type --------------------------------------------------------------------------------------------------

PyObject* op_descr_get(PyObject* self, PyObject* object, PyObject*) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

PyObject* op_repr(PyObject* self) {
  return PyUnicode_FromFormat("<built-in function %s>", reinterpret_cast<OpObject*>(self)->name->c_str());
}

PyObject* op_doc(PyObject* self, void*) {
  const OpObject& o = *reinterpret_cast<OpObject*>(self);
  std::string doc;
  if (o.alias_of) doc = "Alias of `" + std::string(o.alias_of) + "`.\n\n";
  for (const Op* op : *o.overloads) doc += std::string(op->signature_text) + "\n";
  for (const Op* op : *o.overloads) doc += op->doc;
  return PyUnicode_FromStringAndSize(doc.data(), static_cast<Py_ssize_t>(doc.size()));
}
PyObject* op_name(PyObject* self, void*) { return PyUnicode_FromString(reinterpret_cast<OpObject*>(self)->name->c_str()); }
PyObject* op_module(PyObject* self, void*) { return Py_NewRef(reinterpret_cast<OpObject*>(self)->module); }

// Signatures as text, one per overload: for stubs, docs and tests.
PyObject* op_signatures(PyObject* self, void*) {
  const OpObject& o = *reinterpret_cast<OpObject*>(self);
  PyObject* list = PyTuple_New(static_cast<Py_ssize_t>(o.overloads->size()));
  for (size_t i = 0; list && i < o.overloads->size(); ++i) {
    const Op& op = *(*o.overloads)[i];
    PyTuple_SET_ITEM(list, static_cast<Py_ssize_t>(i), Py_BuildValue("(sIs)", op.signature_text, op.flags, op.doc));
  }
  return list;
}

PyObject* op_alias_of(PyObject* self, void*) {
  const char* target = reinterpret_cast<OpObject*>(self)->alias_of;
  return target ? PyUnicode_FromString(target) : Py_NewRef(Py_None);
}

PyObject* op_reduce(PyObject* self, PyObject*) { return op_name(self, nullptr); }

PyGetSetDef op_getset[] = {{"__doc__", op_doc, nullptr, nullptr, nullptr},
                           {"__name__", op_name, nullptr, nullptr, nullptr},
                           {"__qualname__", op_name, nullptr, nullptr, nullptr},
                           {"__module__", op_module, nullptr, nullptr, nullptr},
                           {"signatures", op_signatures, nullptr, nullptr, nullptr},
                           {"alias_of", op_alias_of, nullptr, nullptr, nullptr},
                           {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyMemberDef op_members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(OpObject, vectorcall), READONLY, nullptr},
                            {nullptr, 0, 0, 0, nullptr}};
PyType_Slot op_slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                          {Py_tp_descr_get, reinterpret_cast<void*>(op_descr_get)},
                          {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                          {Py_tp_getset, op_getset},
                          {Py_tp_methods, op_methods},
                          {Py_tp_members, op_members},
                          {0, nullptr}};
PyType_Spec op_spec = {"pydl._C.Op", sizeof(OpObject), 0,
                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                       op_slots};

// "(values: Tensor, indices: Tensor)" -> a named tuple pydl.return_types.<op>
PyTypeObject* named_result(const Op& op) {
  std::string_view r = op.signature.result;
  if (r.empty() || r.front() != '(' || r.find(':') == r.npos) return nullptr;
  auto* names = new std::vector<std::string>;  // lives as long as the type
  r = r.substr(1, r.size() - 2);
  while (!r.empty()) {
    const size_t comma = r.find(',');
    const std::string_view item = pydl::detail::trim(r.substr(0, comma));
    names->emplace_back(item.substr(0, item.find(':')));
    r = comma == r.npos ? std::string_view() : r.substr(comma + 1);
  }
  auto* fields = new std::vector<PyStructSequence_Field>;
  for (const std::string& n : *names) fields->push_back({n.c_str(), nullptr});
  fields->push_back({nullptr, nullptr});
  auto* type_name = new std::string("torch.return_types." + std::string(op.signature.name));
  PyStructSequence_Desc desc{type_name->c_str(), nullptr, fields->data(), static_cast<int>(names->size())};
  return PyStructSequence_NewType(&desc);
}

OpObject* make_op(const std::string& name, bool inplace, PyObject* module_name) {
  OpObject* o = PyObject_New(OpObject, OpType);
  if (!o) throw PythonError();
  o->vectorcall = op_vectorcall;
  o->overloads = new std::vector<const Op*>;
  o->name = new std::string(name);
  o->module = Py_NewRef(module_name);
  o->result_type = nullptr;
  o->alias_of = nullptr;
  o->inplace = inplace;
  return o;
}

// Where an op's objects live. Registered once per (place, name); further signatures become overloads.
class Places {
 public:
  explicit Places(PyObject* module) : module_(module), module_name_(own(PyUnicode_FromString("pydl"))) {}
  void add(const char* place, PyObject* target, const Op& op, const std::string& name, bool inplace) {
    OpObject*& o = objects_[{place, name}];
    if (!o) {
      o = make_op(name, inplace, module_name_.get());
      check(PyObject_SetAttrString(target, name.c_str(), reinterpret_cast<PyObject*>(o)));
    }
    o->overloads->push_back(&op);
    if (!o->result_type) o->result_type = named_result(op);
  }
  // The object of `target` there, if any, under another name in `where`.
  bool add_alias(const char* place, PyObject* where, const std::string& name, const char* where_key, const Alias& alias,
                 const std::string& target) {
    const auto found = objects_.find({place, target});
    if (found == objects_.end()) return false;
    const OpObject& original = *found->second;
    OpObject*& o = objects_[{where_key, name}];
    PYDL_CHECK(!o, Error, "the alias ", name, " is taken");
    o = make_op(name, original.inplace, module_name_.get());
    *o->overloads = *original.overloads;
    o->result_type = original.result_type;
    o->alias_of = alias.target;
    check(PyObject_SetAttrString(where, name.c_str(), reinterpret_cast<PyObject*>(o)));
    return true;
  }
  PyObject* submodule(const char* name) {
    Object found = own(PyObject_GetAttrString(module_, name));
    if (found) return found.get();
    PyErr_Clear();
    PyObject* m = PyModule_New((std::string("pydl._C.") + name).c_str());
    check(PyModule_AddObject(module_, name, m));
    return m;
  }

 private:
  PyObject* module_;
  Object module_name_;
  std::map<std::pair<std::string, std::string>, OpObject*> objects_;
};

void add_aliases(Places& places, PyObject* functions, PyObject* tensor) {
  constexpr std::string_view special = "special.";
  for (const Alias* a = first_alias(); a; a = a->next) {
    const std::string name = a->name, target = a->target;
    bool found = false;
    if (name.starts_with(special)) {
      const std::string last = name.substr(special.size());
      PyObject* module = places.submodule("special");
      found = places.add_alias("function", module, last, "special", *a, target) ||
              places.add_alias("special", module, last, "special", *a, target.substr(target.find('.') + 1));
    } else {
      for (const char* suffix : {"", "_"}) {
        found |= places.add_alias("function", functions, name + suffix, "function", *a, target + suffix);
        found |= places.add_alias("method", tensor, name + suffix, "method", *a, target + suffix);
      }
    }
    PYDL_CHECK(found, Error, "the alias ", name, " is of an unknown op: ", target);
  }
}

}  // namespace

bool init_ops(PyObject* module, PyTypeObject* tensor_type) {
  return guarded_int([&] {
           OpType = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&op_spec)));
           check(PyModule_AddObjectRef(module, "Op", reinterpret_cast<PyObject*>(OpType)));
           Places places(module);
           PyObject* tensor = reinterpret_cast<PyObject*>(tensor_type);
           PyObject* functions = places.submodule("functions");
           const std::pair<uint32_t, const char*> spaces[] = {{Nn, "nn"}, {Linalg, "linalg"}, {Special, "special"}, {Private, "private"}};
           for (const auto& [flag, place] : spaces) places.submodule(place);
           for (const Op* op = first_op(); op; op = op->next) {
             init_signature_names(*op);
             const std::string name(op->signature.name);
             if (op->flags & OpFlag::Function) {
               places.add("function", functions, *op, name, false);
               if ((op->flags & OpFlag::Inplace)) places.add("function", functions, *op, name + "_", true);
             }
             if (op->flags & OpFlag::Method) places.add("method", tensor, *op, name, false);
             if (op->flags & OpFlag::Inplace) places.add("method", tensor, *op, name + "_", true);
             for (const auto& [flag, place] : spaces) {
               if (!(op->flags & flag)) continue;
               places.add(place, places.submodule(place), *op, name, false);
               if (op->flags & OpFlag::Inplace) places.add(place, places.submodule(place), *op, name + "_", true);
             }
           }
           add_aliases(places, functions, tensor);
         }) == 0;
}

}  // namespace pydl::python
