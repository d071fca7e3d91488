// Graph nodes, hooks, user-defined functions and the engine, as Python sees them.

#include <unordered_map>

#include "autograd/engine.h"
#include "bindings/python.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/view/view.h"

namespace pydl::python {

using autograd::Backward;
using autograd::HookList;
using autograd::Node;

namespace {

// ---- hooks -----------------------------------------------------------------------------------------------------

// All hooks of one place live in one Python dict, so that handles can remove them; this calls its values in order.
struct DictHook final : autograd::HookFn {
  enum class Kind { Tensor, PostAccumulate, NodePre, NodePost };
  Kind kind;
  PyObject* dict;
  DictHook(Kind k, PyObject* d) : kind(k), dict(Py_NewRef(d)) {}
  ~DictHook() override {
    if (!Py_IsInitialized()) return;
    const GilAcquire gil;
    Py_DECREF(dict);
  }

  void call(std::span<Tensor> grads, std::span<Tensor> outputs) override {
    const GilAcquire gil;
    try {
      const Object values = own(checked(PyMapping_Values(dict)));
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(values.get()); ++i) call_one(PyList_GET_ITEM(values.get(), i), grads, outputs);
    } catch (const PythonError&) {
      throw CarriedError::fetch();
    }
  }

 private:
  static Object pack(std::span<Tensor> tensors) {
    Object tuple = own(checked(PyTuple_New(static_cast<Py_ssize_t>(tensors.size()))));
    for (size_t i = 0; i < tensors.size(); ++i) PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), checked(wrap(tensors[i])));
    return tuple;
  }
  static void replace(Tensor& t, PyObject* value) {
    if (value == Py_None) return;
    if (!is_tensor(value)) raise(PyExc_TypeError, text("hook returned a ", Py_TYPE(value)->tp_name, ", expected Tensor or None"));
    const Tensor& other = unwrap(value);
    PYDL_CHECK(!t.defined() || t.sizes() == other.sizes(), ShapeError, "hook has changed the size of value: expected ", IntSpan(t.sizes()),
               ", got ", IntSpan(other.sizes()));
    PYDL_CHECK(!t.defined() || t.dtype() == other.dtype(), Error, "hook has changed the type of value (was ", t.dtype(), " got ",
               other.dtype(), ")");
    t = other;
  }
  static void replace_all(std::span<Tensor> tensors, PyObject* value) {
    if (value == Py_None) return;
    if (!PyTuple_Check(value)) return replace(tensors[0], value);
    if (PyTuple_GET_SIZE(value) != static_cast<Py_ssize_t>(tensors.size())) {
      raise(PyExc_RuntimeError,
            text("hook has returned an incorrect number of values (got ", PyTuple_GET_SIZE(value), ", but expected ", tensors.size(), ")"));
    }
    for (size_t i = 0; i < tensors.size(); ++i) replace(tensors[i], PyTuple_GET_ITEM(value, static_cast<Py_ssize_t>(i)));
  }

  void call_one(PyObject* fn, std::span<Tensor> grads, std::span<Tensor> outputs) {
    if (kind == Kind::NodePost) {
      const Object result = own(checked(PyObject_CallFunctionObjArgs(fn, pack(outputs).get(), pack(grads).get(), nullptr)));
      replace_all(outputs, result.get());
    } else if (kind == Kind::NodePre) {
      const Object result = own(checked(PyObject_CallOneArg(fn, pack(grads).get())));
      replace_all(grads, result.get());
    } else {
      const Object arg = own(checked(wrap(grads[0])));
      const Object result = own(checked(PyObject_CallOneArg(fn, arg.get())));
      if (kind == Kind::Tensor) replace(grads[0], result.get());
    }
  }
};

// The dict of a list's hooks, made on first use.
PyObject* hooks_dict(HookList& list, DictHook::Kind kind) {
  if (list.empty()) {
    const Object collections = own(checked(PyImport_ImportModule("collections")));
    const Object dict = own(checked(PyObject_CallMethod(collections.get(), "OrderedDict", nullptr)));
    list.push_back({0, std::make_shared<DictHook>(kind, dict.get())});
  }
  return Py_NewRef(static_cast<DictHook&>(*list[0].fn).dict);
}

PyObject* tensor_hooks(PyObject*, PyObject* self) {
  return guarded([&] {
    track(self);
    return hooks_dict(autograd::hooks_of(unwrap(self)), DictHook::Kind::Tensor);
  });
}
PyObject* post_accumulate_hooks(PyObject*, PyObject* self) {
  return guarded([&] {
    const Tensor& t = unwrap(self);
    PYDL_CHECK(autograd::is_leaf(t), Error, "post accumulate grad hooks cannot be registered on non-leaf tensors");
    track(self);
    return hooks_dict(autograd::make_meta(t).post_accumulate_hooks, DictHook::Kind::PostAccumulate);
  });
}

// ---- nodes -----------------------------------------------------------------------------------------------------

struct PyNode {
  PyObject_HEAD Ref<Node> node;
};
PyTypeObject* NodeType;

Node& node_of(PyObject* o) { return *reinterpret_cast<PyNode*>(o)->node; }

void node_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyNode* n = reinterpret_cast<PyNode*>(self);
  if (n->node) n->node->pyobject = nullptr;
  n->node.~Ref<Node>();
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* node_name(PyObject* self, PyObject*) {
  return guarded([&] { return checked(PyUnicode_FromString(node_of(self).name().c_str())); });
}
PyObject* next_functions_of(const Node& node) {
  Object list = own(checked(PyTuple_New(node.num_edges())));
  for (int i = 0; i < node.num_edges(); ++i) {
    const autograd::Edge& e = node.edge(i);
    PyObject* pair = checked(Py_BuildValue("(NI)", wrap_node(e.node), e.input_nr));
    PyTuple_SET_ITEM(list.get(), i, pair);
  }
  return list.release();
}
PyObject* node_next_functions(PyObject* self, void*) {
  return guarded([&] { return next_functions_of(node_of(self)); });
}
PyObject* node_variable(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    Node& n = node_of(self);
    if (!n.is_accumulate()) raise(PyExc_AttributeError, "'" + n.name() + "' object has no attribute 'variable'");
    return wrap(static_cast<autograd::AccumulateGrad&>(n).variable);
  });
}
PyObject* node_sequence(PyObject* self, PyObject*) { return PyLong_FromUnsignedLongLong(node_of(self).sequence); }
PyObject* node_pre_hooks(PyObject* self, PyObject*) {
  return guarded([&] { return hooks_dict(node_of(self).make_hooks().pre, DictHook::Kind::NodePre); });
}
PyObject* node_post_hooks(PyObject* self, PyObject*) {
  return guarded([&] { return hooks_dict(node_of(self).make_hooks().post, DictHook::Kind::NodePost); });
}

PyMethodDef node_methods[] = {{"name", node_name, METH_NOARGS, "The name of the backward function."},
                              {"_sequence_nr", node_sequence, METH_NOARGS, "The order of creation."},
                              {"_pre_hooks", node_pre_hooks, METH_NOARGS, nullptr},
                              {"_post_hooks", node_post_hooks, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyGetSetDef node_getset[] = {
    {"next_functions", node_next_functions, nullptr, "Pairs (node, input number) to which gradients flow.", nullptr},
    {"variable", node_variable, nullptr, "The leaf of an AccumulateGrad node.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot node_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)}, {Py_tp_methods, node_methods}, {Py_tp_getset, node_getset}, {0, nullptr}};
PyType_Spec node_spec = {"pydl.autograd.graph.Node", sizeof(PyNode), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, node_slots};

// One subclass per node name, so that type(t.grad_fn).__name__ and repr read as in torch.
PyTypeObject* node_type(const std::string& name) {
  static auto& types = *new std::unordered_map<std::string, PyTypeObject*>;
  PyTypeObject*& type = types[name];
  if (!type) {
    type = reinterpret_cast<PyTypeObject*>(
        checked(PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(O){s()ss}", name.c_str(), NodeType, "__slots__",
                                      "__module__", "pydl.autograd.graph")));
  }
  return type;
}

// ---- functions written in Python -------------------------------------------------------------------------------

struct PyFunction;

class FunctionNode final : public Node {
 public:
  FunctionNode(uint32_t outputs, PyObject* context) : Node(outputs), context_(Py_NewRef(context)) {}
  ~FunctionNode() override;
  void apply(Backward& b) override;
  std::string name() const override;
  void release_saved() override;
  bool calls_python() const override { return true; }
  PyObject* context() const { return context_; }

  struct Input {
    bool tensor;
    Dims sizes;
    DType dtype;
  };
  std::vector<Input> inputs;                    // one per argument of forward
  std::vector<std::pair<Dims, DType>> outputs;  // of tensor outputs

 private:
  Object gradients(Backward& b) const;
  PyObject* context_;
};

// An instance is the `ctx` of one call; the node owns it.
struct PyFunction {
  PyObject_HEAD PyObject* dict;
  PyObject* weakrefs;
  FunctionNode* node;  // not owned
  std::vector<autograd::Saved>* saved;
  PyObject* to_save;
  PyObject* dirty;
  PyObject* non_differentiable;
  PyObject* needs_input_grad;
  char materialize;
};
PyTypeObject* FunctionType;
PyFunction& function_of(PyObject* o) { return *reinterpret_cast<PyFunction*>(o); }

FunctionNode::~FunctionNode() {
  if (!Py_IsInitialized()) return;
  const GilAcquire gil;
  function_of(context_).node = nullptr;
  Py_DECREF(context_);
}

std::string FunctionNode::name() const {
  const GilAcquire gil;
  return Py_TYPE(context_)->tp_name;
}

void FunctionNode::release_saved() {
  PyFunction& f = function_of(context_);
  if (f.saved->empty()) return;
  const GilAcquire gil;
  f.saved->clear();
  released = true;
}

Object FunctionNode::gradients(Backward& b) const {
  Object args = own(checked(PyTuple_New(b.num_grads())));
  for (int i = 0; i < b.num_grads(); ++i) {
    const auto& [sizes, dtype] = outputs[static_cast<size_t>(i)];
    Tensor g = b.grad(i);
    if (!g.defined() && function_of(context_).materialize && is_differentiable(dtype)) g = zeros(sizes, dtype);
    PyTuple_SET_ITEM(args.get(), i, checked(wrap(g)));
  }
  return args;
}

// What a user's backward returned, brought to the shape and dtype of the input that it belongs to.
Tensor checked_gradient(const Tensor& g, const FunctionNode::Input& input, const std::string& name, size_t i) {
  Tensor out = g;
  if (!(out.sizes() == input.sizes)) {
    bool fits = out.ndim() >= input.sizes.size();
    for (int d = 0; fits && d < input.sizes.size(); ++d) {
      const int64_t have = out.size(out.ndim() - 1 - d), want = input.sizes[input.sizes.size() - 1 - d];
      fits = want == have || want == 1;
    }
    PYDL_CHECK(fits, ShapeError, "Function ", name, " returned an invalid gradient at index ", i, " - got ", IntSpan(out.sizes()),
               " but expected shape compatible with ", IntSpan(input.sizes));
    out = sum_to_size(out, input.sizes);
  }
  return is_differentiable(input.dtype) ? to_dtype(is_complex(out.dtype()) && !is_complex(input.dtype) ? real(out) : out, input.dtype)
                                        : out;
}

void FunctionNode::apply(Backward& b) {
  const GilAcquire gil;
  try {
    const Object args = gradients(b);
    const Object method = own(checked(PyObject_GetAttrString(context_, "apply")));
    Object result = own(checked(PyObject_CallObject(method.get(), args.get())));
    if (!PyTuple_Check(result.get())) result = own(checked(PyTuple_Pack(1, result.get())));
    const size_t got = static_cast<size_t>(PyTuple_GET_SIZE(result.get()));
    for (size_t i = inputs.size(); i < got; ++i) {  // torch allows trailing Nones
      if (PyTuple_GET_ITEM(result.get(), static_cast<Py_ssize_t>(i)) != Py_None) {
        raise(PyExc_RuntimeError,
              text("function ", name(), " returned an incorrect number of gradients (expected ", inputs.size(), ", got ", got, ")"));
      }
    }
    if (got < inputs.size())
      raise(PyExc_RuntimeError,
            text("function ", name(), " returned an incorrect number of gradients (expected ", inputs.size(), ", got ", got, ")"));
    int edge = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].tensor) continue;
      PyObject* g = PyTuple_GET_ITEM(result.get(), static_cast<Py_ssize_t>(i));
      if (g != Py_None && !is_tensor(g)) raise(PyExc_TypeError, text("expected Variable or None (got ", Py_TYPE(g)->tp_name, ")"));
      if (g != Py_None && b.needs(edge)) b.set(edge, checked_gradient(unwrap(g), inputs[i], name(), i));
      ++edge;
    }
  } catch (const PythonError&) {
    throw CarriedError::fetch();
  }
}

PyObject* function_new(PyTypeObject* type, PyObject*, PyObject*) {
  return guarded([&]() -> PyObject* {
    PyFunction* f = reinterpret_cast<PyFunction*>(checked(type->tp_alloc(type, 0)));
    f->saved = new std::vector<autograd::Saved>;
    f->materialize = 1;
    return reinterpret_cast<PyObject*>(f);
  });
}
int function_traverse(PyObject* self, visitproc visit, void* arg) {
  PyFunction& f = function_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(f.dict);
  Py_VISIT(f.to_save);
  Py_VISIT(f.dirty);
  Py_VISIT(f.non_differentiable);
  Py_VISIT(f.needs_input_grad);
  return 0;
}
int function_clear(PyObject* self) {
  PyFunction& f = function_of(self);
  Py_CLEAR(f.dict);
  Py_CLEAR(f.to_save);
  Py_CLEAR(f.dirty);
  Py_CLEAR(f.non_differentiable);
  Py_CLEAR(f.needs_input_grad);
  return 0;
}
void function_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  PyFunction& f = function_of(self);
  if (f.weakrefs) PyObject_ClearWeakRefs(self);
  function_clear(self);
  delete f.saved;
  type->tp_free(self);
  Py_DECREF(type);
}

bool contains(PyObject* tuple, PyObject* o) {
  for (Py_ssize_t i = 0; tuple && PyTuple_Check(tuple) && i < PyTuple_GET_SIZE(tuple); ++i) {
    if (PyTuple_GET_ITEM(tuple, i) == o) return true;
  }
  return false;
}

// The outputs' place in the graph. `raw` are the objects that forward returned.
class Outputs {
 public:
  Outputs(PyFunction& f, PyObject* args, Ref<Node> node) : f_(f), args_(args), node_(std::move(node)) {}

  PyObject* finish(PyObject* raw) {  // new reference
    if (!is_tensor(raw)) return Py_NewRef(raw);
    const Tensor& t = unwrap(raw);
    const uint32_t nr = count_++;
    if (FunctionNode* n = f_.node) n->outputs.emplace_back(t.sizes(), t.dtype());
    const bool is_input = contains(args_, raw);
    if (contains(f_.dirty, raw)) {
      check_inplace("apply", t);
      t->bump_version();
      if (node_) rebase_history(t, node_);
      if (node_ && autograd::meta(t)) autograd::meta(t)->output_nr = autograd::meta(t)->view ? 0 : nr;
      return Py_NewRef(raw);
    }
    if (!node_ || contains(f_.non_differentiable, raw) || !is_differentiable(t.dtype())) {
      if (is_input || t->requires_grad) return wrap(raw_alias(t));
      return Py_NewRef(raw);
    }
    const bool fresh = !is_input && !t->requires_grad && !(autograd::meta(t) && autograd::meta(t)->view);
    if (fresh) {
      autograd::set_history(t, node_, nr);
      return Py_NewRef(raw);
    }
    const Tensor alias = raw_alias(t);
    autograd::set_history(alias, node_, nr);
    return wrap(alias);
  }

 private:
  PyFunction& f_;
  PyObject* args_;
  Ref<Node> node_;
  uint32_t count_ = 0;
};

void save_tensors(PyFunction& f, PyObject* args, PyObject* raw_outputs) {
  if (!f.to_save || f.to_save == Py_None) return;
  if (!PyTuple_Check(f.to_save)) raise(PyExc_TypeError, "save_for_backward can only save variables");
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(f.to_save); ++i) {
    PyObject* o = PyTuple_GET_ITEM(f.to_save, i);
    if (o == Py_None) {
      f.saved->emplace_back();
      continue;
    }
    if (!is_tensor(o))
      raise(PyExc_TypeError, text("save_for_backward can only save variables, but argument ", i, " is of type ", Py_TYPE(o)->tp_name));
    Py_ssize_t nr = 0, found = -1;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(raw_outputs); ++k) {
      PyObject* r = PyTuple_GET_ITEM(raw_outputs, k);
      if (!is_tensor(r)) continue;
      if (r == o && (!contains(args, o) || contains(f.dirty, o))) found = nr;
      ++nr;
    }
    f.saved->push_back(found >= 0 && unwrap(o)->requires_grad ? autograd::save_output(unwrap(o), static_cast<uint32_t>(found))
                                                              : autograd::save(unwrap(o)));
  }
  Py_CLEAR(f.to_save);
}

PyObject* run_forward(PyObject* cls, PyObject* context, PyObject* args) {
  const autograd::GradGuard off(false);
  const Object with_context = own(checked(PyObject_GetAttrString(cls, "_uses_setup_context")));
  const Object forward = own(checked(PyObject_GetAttrString(cls, "forward")));
  if (with_context.get() == Py_True) {
    Object output = own(checked(PyObject_CallObject(forward.get(), args)));
    own(checked(PyObject_CallMethod(cls, "setup_context", "OOO", context, args, output.get())));
    return output.release();
  }
  const Object head = own(checked(PyTuple_Pack(1, context)));
  const Object all = own(checked(PySequence_Concat(head.get(), args)));
  return checked(PyObject_CallObject(forward.get(), all.get()));
}

PyObject* function_apply(PyObject* cls, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    if (kwargs && PyDict_GET_SIZE(kwargs)) raise(PyExc_TypeError, "apply() takes no keyword arguments");
    const Object node_class = own(checked(PyObject_GetAttrString(cls, "_backward_cls")));
    const Object context = own(checked(PyObject_CallNoArgs(node_class.get())));
    if (!PyObject_TypeCheck(context.get(), FunctionType))
      raise(PyExc_TypeError, "apply() must be called on a subclass of autograd.Function");
    PyFunction& f = function_of(context.get());
    const Py_ssize_t n = PyTuple_GET_SIZE(args);
    bool any = false;
    f.needs_input_grad = checked(PyTuple_New(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
      PyObject* a = PyTuple_GET_ITEM(args, i);
      const bool needs = is_tensor(a) && unwrap(a)->requires_grad;
      any |= needs;
      PyTuple_SET_ITEM(f.needs_input_grad, i, PyBool_FromLong(needs));
    }
    Ref<Node> node;
    if (autograd::mode.grad && any) {
      f.node = new FunctionNode(1, context.get());
      node = Ref<Node>::adopt(f.node);
      for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* a = PyTuple_GET_ITEM(args, i);
        if (!is_tensor(a)) {
          f.node->inputs.push_back({false, {}, DType::Bool});
          continue;
        }
        f.node->inputs.push_back({true, unwrap(a).sizes(), unwrap(a).dtype()});
        node->add_edge_of(unwrap(a));
      }
    }
    const Object raw = own(run_forward(cls, context.get(), args));
    const bool single = !PyTuple_Check(raw.get());
    const Object raw_tuple = single ? own(checked(PyTuple_Pack(1, raw.get()))) : share(raw.get());
    const Py_ssize_t count = PyTuple_GET_SIZE(raw_tuple.get());
    uint32_t tensors = 0;
    for (Py_ssize_t i = 0; i < count; ++i) tensors += is_tensor(PyTuple_GET_ITEM(raw_tuple.get(), i));
    if (single && !tensors)
      raise(PyExc_TypeError, text(reinterpret_cast<PyTypeObject*>(cls)->tp_name, ".forward: expected to return Variables, got ",
                                  Py_TYPE(raw.get())->tp_name));
    if (node) node->num_outputs = std::max(tensors, 1u);
    Object outputs = own(checked(PyTuple_New(count)));
    Outputs place(f, args, node);
    for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(outputs.get(), i, checked(place.finish(PyTuple_GET_ITEM(raw_tuple.get(), i))));
    if (node) save_tensors(f, args, raw_tuple.get());
    Py_CLEAR(f.dirty);
    Py_CLEAR(f.non_differentiable);
    return single ? Py_NewRef(PyTuple_GET_ITEM(outputs.get(), 0)) : outputs.release();
  });
}

PyObject* function_saved(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    PyFunction& f = function_of(self);
    if (f.node && f.node->released) autograd::throw_released(*f.node);
    if (!f.node && f.to_save && PyTuple_Check(f.to_save)) return Py_NewRef(f.to_save);  // no graph: what was given
    Object tuple = own(checked(PyTuple_New(static_cast<Py_ssize_t>(f.saved->size()))));
    for (size_t i = 0; i < f.saved->size(); ++i) {
      const autograd::Saved& s = (*f.saved)[i];
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), checked(wrap(s.defined() ? s.get(*f.node) : Tensor())));
    }
    return tuple.release();
  });
}
PyObject* function_next_functions(PyObject* self, void*) {
  return guarded(
      [&]() -> PyObject* { return function_of(self).node ? next_functions_of(*function_of(self).node) : checked(PyTuple_New(0)); });
}
PyObject* function_name(PyObject* self, PyObject*) { return PyUnicode_FromString(Py_TYPE(self)->tp_name); }
template <HookList Node::Hooks::* list, DictHook::Kind kind>
PyObject* function_hooks(PyObject* self, PyObject*) {
  return guarded([&] {
    Node* n = function_of(self).node;
    if (!n) raise(PyExc_RuntimeError, "hooks need a function that is part of a graph");
    return hooks_dict(n->make_hooks().*list, kind);
  });
}

PyMethodDef function_methods[] = {{"apply", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function_apply)),
                                   METH_VARARGS | METH_KEYWORDS | METH_CLASS, "Runs forward and records the function in the graph."},
                                  {"name", function_name, METH_NOARGS, "The name of the node."},
                                  {"_pre_hooks", function_hooks<&Node::Hooks::pre, DictHook::Kind::NodePre>, METH_NOARGS, nullptr},
                                  {"_post_hooks", function_hooks<&Node::Hooks::post, DictHook::Kind::NodePost>, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};
PyGetSetDef function_getset[] = {
    {"saved_tensors", function_saved, nullptr, "What save_for_backward kept.", nullptr},
    {"next_functions", function_next_functions, nullptr, "Pairs (node, input number) to which gradients flow.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef function_members[] = {{"to_save", T_OBJECT, offsetof(PyFunction, to_save), 0, nullptr},
                                  {"dirty_tensors", T_OBJECT, offsetof(PyFunction, dirty), 0, nullptr},
                                  {"non_differentiable", T_OBJECT, offsetof(PyFunction, non_differentiable), 0, nullptr},
                                  {"needs_input_grad", T_OBJECT, offsetof(PyFunction, needs_input_grad), 0, nullptr},
                                  {"materialize_grads", T_BOOL, offsetof(PyFunction, materialize), 0, nullptr},
                                  {"__dictoffset__", T_PYSSIZET, offsetof(PyFunction, dict), READONLY, nullptr},
                                  {"__weaklistoffset__", T_PYSSIZET, offsetof(PyFunction, weakrefs), READONLY, nullptr},
                                  {nullptr, 0, 0, 0, nullptr}};
PyType_Slot function_slots[] = {{Py_tp_new, reinterpret_cast<void*>(function_new)},
                                {Py_tp_dealloc, reinterpret_cast<void*>(function_dealloc)},
                                {Py_tp_traverse, reinterpret_cast<void*>(function_traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(function_clear)},
                                {Py_tp_methods, function_methods},
                                {Py_tp_getset, function_getset},
                                {Py_tp_members, function_members},
                                {0, nullptr}};
PyType_Spec function_spec = {"pydl._C._FunctionBase", sizeof(PyFunction), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                             function_slots};

// ---- the engine ------------------------------------------------------------------------------------------------

std::vector<Tensor> tensor_list(PyObject* o, const char* op, const char* argument) {
  std::vector<Tensor> list;
  if (o == Py_None) return list;
  if (!PyList_Check(o) && !PyTuple_Check(o))
    raise(PyExc_TypeError, text(op, "(): ", argument, " must be a list of Tensors, not ", Py_TYPE(o)->tp_name));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) {
    PyObject* item = PySequence_Fast_GET_ITEM(o, i);
    if (item != Py_None && !is_tensor(item))
      raise(PyExc_TypeError, text(op, "(): ", argument, " must hold Tensors, not ", Py_TYPE(item)->tp_name));
    list.push_back(item == Py_None ? Tensor() : unwrap(item));
  }
  return list;
}

PyObject* engine_backward(PyObject*, PyObject* args) {
  PyObject *roots, *gradients, *inputs;
  int retain, create;
  if (!PyArg_ParseTuple(args, "OOppO", &roots, &gradients, &retain, &create, &inputs)) return nullptr;
  return guarded([&]() -> PyObject* {
    const auto r = tensor_list(roots, "backward", "tensors"), g = tensor_list(gradients, "backward", "grad_tensors"),
               in = tensor_list(inputs, "backward", "inputs");
    for (const Tensor& t : r) {
      if (!t.defined()) raise(PyExc_TypeError, "backward(): tensors must not hold None");
    }
    if (inputs != Py_None && in.empty()) raise(PyExc_RuntimeError, "backward(): `inputs` argument cannot be empty");
    {
      const GilRelease release;
      autograd::backward(r, g, in, {.retain_graph = retain != 0, .create_graph = create != 0});
    }
    Py_RETURN_NONE;
  });
}

PyObject* engine_grad(PyObject*, PyObject* args) {
  PyObject *outputs, *inputs, *gradients;
  int retain, create, unused;
  if (!PyArg_ParseTuple(args, "OOOppp", &outputs, &inputs, &gradients, &retain, &create, &unused)) return nullptr;
  return guarded([&]() -> PyObject* {
    const auto out = tensor_list(outputs, "grad", "outputs"), in = tensor_list(inputs, "grad", "inputs"),
               g = tensor_list(gradients, "grad", "grad_outputs");
    for (const auto* list : {&out, &in}) {
      for (const Tensor& t : *list) {
        if (!t.defined()) raise(PyExc_TypeError, "grad(): outputs and inputs must not hold None");
      }
    }
    std::vector<Tensor> result;
    {
      const GilRelease release;
      result = autograd::grad(out, g, in, {.retain_graph = retain != 0, .create_graph = create != 0}, unused != 0);
    }
    Object list = own(checked(PyList_New(static_cast<Py_ssize_t>(result.size()))));
    for (size_t i = 0; i < result.size(); ++i) PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), checked(wrap(result[i])));
    return list.release();
  });
}

PyObject* is_grad_enabled(PyObject*, PyObject*) { return PyBool_FromLong(autograd::mode.grad); }
PyObject* is_inference_enabled(PyObject*, PyObject*) { return PyBool_FromLong(inference_mode); }
PyObject* set_grad_enabled(PyObject*, PyObject* on) {
  const int v = PyObject_IsTrue(on);
  if (v < 0) return nullptr;
  autograd::mode.grad = v;
  Py_RETURN_NONE;
}
PyObject* set_inference_mode(PyObject*, PyObject* on) {
  const int v = PyObject_IsTrue(on);
  if (v < 0) return nullptr;
  inference_mode = v;
  Py_RETURN_NONE;
}
PyObject* set_anomaly(PyObject*, PyObject* args) {
  int on, check_nan = 1;
  if (!PyArg_ParseTuple(args, "p|p", &on, &check_nan)) return nullptr;
  autograd::mode.anomaly = on;
  autograd::mode.anomaly_check_nan = check_nan;
  Py_RETURN_NONE;
}
PyObject* is_anomaly_enabled(PyObject*, PyObject*) { return PyBool_FromLong(autograd::mode.anomaly); }
PyObject* is_anomaly_check_nan(PyObject*, PyObject*) { return PyBool_FromLong(autograd::mode.anomaly_check_nan); }

std::string python_traceback() {
  if (!Py_IsInitialized()) return {};
  const GilAcquire gil;
  const Object module = own(PyImport_ImportModule("traceback"));
  const Object lines = own(module ? PyObject_CallMethod(module.get(), "format_stack", nullptr) : nullptr);
  const Object empty = own(PyUnicode_FromString(""));
  const Object joined = own(lines ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
  const char* s = joined ? PyUnicode_AsUTF8(joined.get()) : nullptr;
  if (!s) PyErr_Clear();
  return s ? s : "";
}

PyMethodDef functions[] = {{"_engine_backward", engine_backward, METH_VARARGS, nullptr},
                           {"_engine_grad", engine_grad, METH_VARARGS, nullptr},
                           {"_tensor_hooks", tensor_hooks, METH_O, nullptr},
                           {"_post_accumulate_hooks", post_accumulate_hooks, METH_O, nullptr},
                           {"is_grad_enabled", is_grad_enabled, METH_NOARGS, "Is a graph being recorded in this thread?"},
                           {"is_inference_mode_enabled", is_inference_enabled, METH_NOARGS, "Is inference mode on in this thread?"},
                           {"_set_grad_enabled", set_grad_enabled, METH_O, nullptr},
                           {"_set_inference_mode", set_inference_mode, METH_O, nullptr},
                           {"_set_anomaly", set_anomaly, METH_VARARGS, nullptr},
                           {"is_anomaly_enabled", is_anomaly_enabled, METH_NOARGS, "Is anomaly detection on in this thread?"},
                           {"is_anomaly_check_nan_enabled", is_anomaly_check_nan, METH_NOARGS, "Does anomaly detection look for NaN?"},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* wrap_node(const Ref<Node>& node) {
  if (!node) Py_RETURN_NONE;
  if (auto* f = dynamic_cast<FunctionNode*>(node.get())) return Py_NewRef(f->context());
  if (node->pyobject) return Py_NewRef(static_cast<PyObject*>(node->pyobject));
  PyTypeObject* type = node_type(node->name());
  PyNode* o = reinterpret_cast<PyNode*>(checked(type->tp_alloc(type, 0)));
  new (&o->node) Ref<Node>(node);
  node->pyobject = o;
  return reinterpret_cast<PyObject*>(o);
}

bool init_autograd(PyObject* module) {
  NodeType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&node_spec));
  FunctionType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&function_spec));
  Node::current_traceback = &python_traceback;
  return NodeType && FunctionType && PyModule_AddObjectRef(module, "_FunctionBase", reinterpret_cast<PyObject*>(FunctionType)) == 0 &&
         PyModule_AddObjectRef(module, "_Node", reinterpret_cast<PyObject*>(NodeType)) == 0 &&
         PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace pydl::python
