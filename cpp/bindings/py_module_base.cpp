// The base of nn.Module: calls without hooks and attribute look-ups in the registries, at C speed.

#include "bindings/python.h"

namespace pydl::python {
namespace {

struct PyModuleBase {
  PyObject_HEAD PyObject* dict;
  PyObject* weakrefs;
};
PyTypeObject* ModuleBaseType;

PyObject* g_hook_slots[4];    // names of the instance's hook dicts
PyObject* g_global_hooks[4];  // dicts of hooks on all modules; null before they are announced
PyObject* g_registries[3];    // names of the dicts that attributes are looked up in
PyObject *g_forward, *g_slow_call, *g_getattr_name;
PyObject* g_getattr;  // Module.__getattr__, which module_getattro stands for

PyObject*& own_dict(PyObject* self) { return reinterpret_cast<PyModuleBase*>(self)->dict; }
// A class that has a plain Python class in front of Module keeps its attributes where that one does.
PyObject* dict_of(PyObject* self) {
  if (Py_TYPE(self)->tp_dictoffset == static_cast<Py_ssize_t>(offsetof(PyModuleBase, dict))) return own_dict(self);
  PyObject** slot = _PyObject_GetDictPtr(self);
  return slot ? *slot : nullptr;
}

// ---- attributes ------------------------------------------------------------------------------------------------

// Borrowed, null without an exception when there is none.
PyObject* find_registered(PyObject* dict, PyObject* name) {
  for (PyObject* registry_name : g_registries) {
    PyObject* registry = dict ? PyDict_GetItemWithError(dict, registry_name) : nullptr;
    if (registry && PyDict_Check(registry)) {
      if (PyObject* found = PyDict_GetItemWithError(registry, name)) return found;
    }
    if (PyErr_Occurred()) return nullptr;
  }
  return nullptr;
}

PyObject* module_getattro(PyObject* self, PyObject* name) {
  PyTypeObject* type = Py_TYPE(self);
  if (_PyType_Lookup(type, name)) return PyObject_GenericGetAttr(self, name);
  PyObject* dict = dict_of(self);
  PyObject* found = dict ? PyDict_GetItemWithError(dict, name) : nullptr;
  if (!found && !PyErr_Occurred()) found = find_registered(dict, name);
  if (found) return Py_NewRef(found);
  if (!PyErr_Occurred()) PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute '%U'", type->tp_name, name);
  return nullptr;
}

// Python installs a slower slot on every class that has a __getattr__ in its bases; where that is Module's own, ours does the same.
int use_fast_getattr(PyTypeObject* type) {
  if (g_getattr && _PyType_Lookup(type, g_getattr_name) == g_getattr) type->tp_getattro = module_getattro;
  return 0;
}

PyObject* init_subclass(PyObject* cls, PyObject* args, PyObject* kwargs) {
  const Object super = own(
      PyObject_CallFunctionObjArgs(reinterpret_cast<PyObject*>(&PySuper_Type), reinterpret_cast<PyObject*>(ModuleBaseType), cls, nullptr));
  const Object next = own(super ? PyObject_GetAttrString(super.get(), "__init_subclass__") : nullptr);
  const Object done = own(next ? PyObject_Call(next.get(), args, kwargs) : nullptr);
  if (!done) return nullptr;
  use_fast_getattr(reinterpret_cast<PyTypeObject*>(cls));
  Py_RETURN_NONE;
}

// ---- calls -----------------------------------------------------------------------------------------------------

bool has_hooks(PyObject* dict) {
  for (PyObject* hooks : g_global_hooks) {
    if (hooks && PyDict_GET_SIZE(hooks)) return true;
  }
  for (PyObject* slot : g_hook_slots) {
    PyObject* hooks = PyDict_GetItemWithError(dict, slot);
    if (!hooks || !PyDict_Check(hooks) || PyDict_GET_SIZE(hooks)) return true;  // unusual: the Python path decides
  }
  return false;
}

PyObject* module_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* dict = dict_of(self);
  if (!dict || has_hooks(dict)) {
    const Object keywords = kwargs ? share(kwargs) : own(PyDict_New());
    return keywords ? PyObject_CallMethodObjArgs(self, g_slow_call, args, keywords.get(), nullptr) : nullptr;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  constexpr Py_ssize_t kFew = 8;
  PyObject* method = _PyType_Lookup(Py_TYPE(self), g_forward);
  const bool plain =
      method && PyType_HasFeature(Py_TYPE(method), Py_TPFLAGS_METHOD_DESCRIPTOR) && !PyDict_GetItemWithError(dict, g_forward);
  if (!plain || n > kFew) {
    const Object bound = own(PyObject_GetAttr(self, g_forward));
    return bound ? PyObject_Call(bound.get(), args, kwargs) : nullptr;
  }
  const Object keep = share(method);  // forward may replace itself
  PyObject* stack[kFew + 1];
  stack[0] = self;
  for (Py_ssize_t i = 0; i < n; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  return PyObject_VectorcallDict(method, stack, static_cast<size_t>(n + 1), kwargs);
}

// ---- the type --------------------------------------------------------------------------------------------------

int base_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(own_dict(self));
  return 0;
}
int base_clear(PyObject* self) {
  Py_CLEAR(own_dict(self));
  return 0;
}
void base_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (reinterpret_cast<PyModuleBase*>(self)->weakrefs) PyObject_ClearWeakRefs(self);
  base_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// Tells the base about Module: its __getattr__ and the dicts of hooks on all modules.
PyObject* announce(PyObject*, PyObject* args) {
  PyObject *module, *hooks;
  if (!PyArg_ParseTuple(args, "O!O!:_announce_module", &PyType_Type, &module, &PyTuple_Type, &hooks)) return nullptr;
  if (PyTuple_GET_SIZE(hooks) != 4) {
    PyErr_SetString(PyExc_ValueError, "_announce_module(): expected 4 hook dicts");
    return nullptr;
  }
  for (int i = 0; i < 4; ++i) {
    if (!PyDict_Check(PyTuple_GET_ITEM(hooks, i))) {
      PyErr_SetString(PyExc_TypeError, "_announce_module(): hooks must be dicts");
      return nullptr;
    }
    Py_XSETREF(g_global_hooks[i], Py_NewRef(PyTuple_GET_ITEM(hooks, i)));
  }
  Py_XSETREF(g_getattr, Py_XNewRef(_PyType_Lookup(reinterpret_cast<PyTypeObject*>(module), g_getattr_name)));
  use_fast_getattr(reinterpret_cast<PyTypeObject*>(module));
  Py_RETURN_NONE;
}

PyMethodDef base_methods[] = {{"__init_subclass__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(init_subclass)),
                               METH_VARARGS | METH_KEYWORDS | METH_CLASS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyMemberDef base_members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(PyModuleBase, dict), READONLY, nullptr},
                              {"__weaklistoffset__", T_PYSSIZET, offsetof(PyModuleBase, weakrefs), READONLY, nullptr},
                              {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef base_getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
                             {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot base_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(base_dealloc)},
                            {Py_tp_traverse, reinterpret_cast<void*>(base_traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(base_clear)},
                            {Py_tp_call, reinterpret_cast<void*>(module_call)},
                            {Py_tp_methods, base_methods},
                            {Py_tp_members, base_members},
                            {Py_tp_getset, base_getset},
                            {0, nullptr}};
PyType_Spec base_spec = {"pydl._C._ModuleBase", sizeof(PyModuleBase), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                         base_slots};
PyMethodDef functions[] = {{"_announce_module", announce, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};

}  // namespace

bool init_module_base(PyObject* module) {
  const char* hooks[] = {"_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"};
  const char* registries[] = {"_parameters", "_modules", "_buffers"};
  for (int i = 0; i < 4; ++i) g_hook_slots[i] = PyUnicode_InternFromString(hooks[i]);
  for (int i = 0; i < 3; ++i) g_registries[i] = PyUnicode_InternFromString(registries[i]);
  g_forward = PyUnicode_InternFromString("forward");
  g_slow_call = PyUnicode_InternFromString("_call_with_hooks");
  g_getattr_name = PyUnicode_InternFromString("__getattr__");
  ModuleBaseType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&base_spec));
  return ModuleBaseType && PyModule_AddObjectRef(module, "_ModuleBase", reinterpret_cast<PyObject*>(ModuleBaseType)) == 0 &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace pydl::python
