#include "autograd/node.h"

#include <atomic>
#include <mutex>

namespace pydl::autograd {

thread_local Mode mode;
Hooks ops;
void (*Node::on_destroy)(Node*) = nullptr;
std::string (*Node::current_traceback)() = nullptr;

namespace {

std::atomic<uint64_t> next_sequence{0};
// Guards every leaf's weak pointer to its accumulator.
std::mutex accumulator_mutex;

}  // namespace

Node::Node(uint32_t outputs) : num_outputs(outputs), sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {
  if (mode.anomaly && current_traceback) [[unlikely]]
    anomaly = std::make_unique<std::string>(current_traceback());
}

// A chain of a million nodes must not be freed by a million nested destructors: the outermost call on a thread works
// through a list to which the inner ones only append.
void Node::destroy(Node* n) {
  if (n->is_accumulate()) {
    std::lock_guard lock(accumulator_mutex);
    AccumulateGrad* a = static_cast<AccumulateGrad*>(n);
    if (a->ref_count() > 1) {  // found again through its leaf between the last drop and here
      static_cast<void>(a->drop());
      return;
    }
    AutogradMeta* m = meta(a->variable);
    if (m && m->accumulator == a) m->accumulator = nullptr;
  }
  thread_local std::vector<Node*>* pending = nullptr;
  if (pending) {
    pending->push_back(n);
    return;
  }
  std::vector<Node*> list;
  pending = &list;
  while (n) {
    if (n->pyobject && on_destroy) on_destroy(n);
    delete n;
    if (list.empty()) {
      n = nullptr;
    } else {
      n = list.back();
      list.pop_back();
    }
  }
  pending = nullptr;
}

void Node::add_edge_of(const Tensor& t) { add_edge(t.defined() && t->requires_grad ? gradient_edge(t) : Edge{}); }

HookList& Node::Hooks::of_tensor(uint32_t output_nr) {
  for (auto& [nr, list] : tensor) {
    if (nr == output_nr) return list;
  }
  return tensor.emplace_back(output_nr, HookList()).second;
}

namespace {

void forget_retained(AutogradMeta& m) {
  if (!m.owner || !m.grad_fn || !m.grad_fn->hooks) return;
  std::erase_if(m.grad_fn->hooks->retain, [&](const auto& entry) { return entry.second == m.owner; });
}

}  // namespace

AutogradMeta::~AutogradMeta() {
  if (retains_grad) forget_retained(*this);
}

void retain_grad(const Tensor& t) {
  PYDL_CHECK(t->requires_grad, Error, "retain_grad(): can't retain_grad on Tensor that has requires_grad=False");
  Ref<Node> fn = grad_fn(t);
  AutogradMeta& m = make_meta(t);
  if (!fn || m.retains_grad) return;
  m.retains_grad = true;
  m.owner = t.impl();
  fn->make_hooks().retain.emplace_back(m.output_nr, t.impl());
}

HookList& hooks_of(const Tensor& t) {
  Ref<Node> fn = grad_fn(t);
  AutogradMeta& m = make_meta(t);
  return fn ? fn->make_hooks().of_tensor(m.output_nr) : m.hooks;
}

AutogradMeta& make_meta(const Tensor& t) {
  if (!t->autograd) t->autograd = std::make_unique<AutogradMeta>();
  return *meta(t);
}

// ---- leaves ----------------------------------------------------------------------------------------------------

AccumulateGrad::~AccumulateGrad() = default;

bool AccumulateGrad::calls_python() const {
  const AutogradMeta* m = meta(variable);
  return hooks || (m && (!m->hooks.empty() || !m->post_accumulate_hooks.empty()));
}

void AccumulateGrad::apply(Backward& b) {
  Tensor g = std::move(b.grad());
  if (!g.defined()) return;
  AutogradMeta& m = make_meta(variable);
  if (!m.grad.defined()) {
    // Steal the gradient when nobody else can see its memory; otherwise the leaf gets a copy of its own.
    const bool private_memory = !mode.grad && g->ref_count() == 1 && g->storage->ref_count() == 1 && g.contiguous() && !g->requires_grad;
    m.grad = private_memory ? std::move(g) : ops.clone(g);
  } else if (mode.grad) {
    m.grad = ops.add(m.grad, g);
  } else {
    ops.add_(m.grad, g);
  }
  for (const Hook& h : HookList(m.post_accumulate_hooks)) {
    Tensor leaf = variable;
    h.fn->call({&leaf, 1}, {});
  }
}

Edge gradient_edge(const Tensor& t) {
  if (Ref<Node> fn = grad_fn(t)) return {std::move(fn), meta(t)->output_nr};
  AutogradMeta& m = make_meta(t);
  std::lock_guard lock(accumulator_mutex);
  if (m.accumulator && m.accumulator->ref_count() > 0) return {Ref<Node>::share(m.accumulator), 0};
  m.accumulator = new AccumulateGrad(t);
  return {Ref<Node>::adopt(m.accumulator), 0};
}

Ref<Node> grad_fn(const Tensor& t) {
  AutogradMeta* m = meta(t);
  if (!m) return nullptr;
  if (m->view && (t->requires_grad || m->view->base->requires_grad) && m->view->version != t->version() && ops.view_grad_fn) {
    if (Ref<Node> fresh = ops.view_grad_fn(t)) {
      m->grad_fn = std::move(fresh);
      m->output_nr = 0;
      t->requires_grad = true;
    }
    m->view->version = t->version();
  }
  return m->grad_fn;
}

bool is_leaf(const Tensor& t) { return !t->requires_grad || !grad_fn(t); }

void set_history(const Tensor& t, Ref<Node> node, uint32_t output_nr) {
  if (!is_differentiable(t.dtype())) return;
  AutogradMeta& m = make_meta(t);
  if (m.retains_grad) [[unlikely]] {  // written in place: the retained gradient is that of the latest value
    forget_retained(m);
    node->make_hooks().retain.emplace_back(output_nr, t.impl());
  }
  m.grad_fn = std::move(node);
  m.output_nr = output_nr;
  t->requires_grad = true;
}

// ---- saved tensors ---------------------------------------------------------------------------------------------

Saved::Saved(const Tensor& t, bool is_output, uint32_t output_nr) : output_nr_(output_nr), is_output_(is_output) {
  if (!t.defined()) return;
  if (t->is_inference) {
    throw Error(
        "Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal tensor and use it in "
        "autograd.");
  }
  tensor_ = is_output ? raw_alias(t) : t;
  version_ = t->version();
}

Tensor Saved::get(const Node& node) const {
  if (!tensor_.defined()) return {};
  if (tensor_->version() != version_) {
    throw Error(text("one of the variables needed for gradient computation has been modified by an inplace operation: [", tensor_.dtype(),
                     " tensor of size ", IntSpan(tensor_.sizes()), "], needed by ", node.name(), ", is at version ", tensor_->version(),
                     "; expected version ", version_, " instead.",
                     node.anomaly ? text(" The forward call was made here:\n", *node.anomaly)
                                  : " Hint: enable anomaly detection with pydl.autograd.set_detect_anomaly(True)."));
  }
  if (!is_output_ || !mode.grad) return tensor_;
  Tensor with_graph = raw_alias(tensor_);
  set_history(with_graph, Ref<Node>::share(const_cast<Node*>(&node)), output_nr_);
  return with_graph;
}

void throw_released(const Node&) {
  throw Error(
      "Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). Saved "
      "intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
      "backward through the graph a second time or if you need to access saved tensors after calling backward.");
}

}  // namespace pydl::autograd
