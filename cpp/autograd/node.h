// Nodes of the backward graph, and what autograd hangs on a tensor.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "autograd/mode.h"
#include "core/tensor.h"

namespace pydl::autograd {

class Node;

// Where a gradient flows: input `input_nr` of `node` (that is, the gradient of the node's output number input_nr).
struct Edge {
  Ref<Node> node;
  uint32_t input_nr = 0;
};

// Gradients into a node (one per forward output, undefined where none arrived) and out of it (one per edge).
class Backward {
 public:
  Backward(std::span<Tensor> in, std::span<Tensor> out, const Node& node) : in_(in), out_(out), node_(node) {}
  Tensor& grad(int i = 0) { return in_[static_cast<size_t>(i)]; }
  int num_grads() const { return static_cast<int>(in_.size()); }
  bool needs(int i) const;
  void set(int i, Tensor t) { out_[static_cast<size_t>(i)] = std::move(t); }
  const Node& node() const { return node_; }

 private:
  std::span<Tensor> in_, out_;
  const Node& node_;
};

// Hooks as the bindings see them: opaque callables with an id. Ordered by registration.
struct Hook {
  int64_t id;
  std::shared_ptr<struct HookFn> fn;
};
struct HookFn {
  virtual ~HookFn() = default;
  // Tensor hooks and node pre-hooks may replace `grads`; node post-hooks may replace `outputs`.
  virtual void call(std::span<Tensor> grads, std::span<Tensor> outputs) = 0;
};
using HookList = std::vector<Hook>;

class Node : public RefCounted, public Pooled {
 public:
  explicit Node(uint32_t num_outputs = 1);
  virtual ~Node() = default;
  static void destroy(Node* n);

  virtual void apply(Backward& b) = 0;
  virtual std::string name() const = 0;
  virtual void release_saved() {}
  virtual bool is_accumulate() const { return false; }
  virtual bool calls_python() const { return hooks != nullptr; }

  void add_edge(Edge e) {
    if (e.node && e.node->topology >= topology) topology = e.node->topology + 1;
    if (num_edges_ < kInlineEdges) {
      inline_[num_edges_] = std::move(e);
    } else {
      more_.push_back(std::move(e));
    }
    ++num_edges_;
  }
  void add_edge_of(const Tensor& t);  // the gradient edge of t, empty when t needs none
  int num_edges() const { return num_edges_; }
  Edge& edge(int i) { return i < kInlineEdges ? inline_[i] : more_[static_cast<size_t>(i - kInlineEdges)]; }
  const Edge& edge(int i) const { return const_cast<Node*>(this)->edge(i); }

  struct Hooks {
    HookList pre, post;                                    // of the node
    std::vector<std::pair<uint32_t, HookList>> tensor;     // by output number: hooks of that output tensor
    std::vector<std::pair<uint32_t, TensorImpl*>> retain;  // outputs that retain their gradient (not owned)
    HookList& of_tensor(uint32_t output_nr);
  };
  Hooks& make_hooks() {
    if (!hooks) hooks = std::make_unique<Hooks>();
    return *hooks;
  }

  uint32_t num_outputs;   // of the forward function: gradients that arrive here
  bool released = false;  // saved tensors are gone
  uint64_t topology = 0;  // larger than that of every node reachable from here
  uint64_t sequence;      // order of creation in the process
  std::unique_ptr<Hooks> hooks;
  std::unique_ptr<std::string> anomaly;  // where the forward call was made, in anomaly mode
  void* pyobject = nullptr;              // live Python wrapper (not owned)
  static void (*on_destroy)(Node*);
  static std::string (*current_traceback)();  // set by the bindings, for anomaly mode

 private:
  static constexpr int kInlineEdges = 2;
  int num_edges_ = 0;
  Edge inline_[kInlineEdges];
  std::vector<Edge> more_;
};

inline bool Backward::needs(int i) const { return static_cast<bool>(node_.edge(i).node); }

// How a view came from its base, so that a write to the view can be recorded on the base.
struct ViewMeta {
  Tensor base;                // never a view itself
  uint32_t version = 0;       // of the shared storage when the view's grad_fn was made
  bool multi_output = false;  // from split/unbind/chunk: writing in place is refused, as in torch
  bool no_grad_view = false;  // made in no_grad mode
};

class AccumulateGrad;

struct AutogradMeta final : AutogradMetaBase, Pooled {
  Tensor grad;
  Ref<Node> grad_fn;
  uint32_t output_nr = 0;
  bool retains_grad = false;
  AccumulateGrad* accumulator = nullptr;  // weak; see node.cpp
  std::unique_ptr<ViewMeta> view;
  HookList hooks, post_accumulate_hooks;
  TensorImpl* owner = nullptr;  // set while gradients are retained
  ~AutogradMeta() override;
};

inline AutogradMeta* meta(const Tensor& t) { return static_cast<AutogradMeta*>(t->autograd.get()); }
AutogradMeta& make_meta(const Tensor& t);

// The sink of a leaf tensor: adds what arrives to its .grad.
class AccumulateGrad final : public Node {
 public:
  explicit AccumulateGrad(Tensor leaf) : variable(std::move(leaf)) {}
  ~AccumulateGrad() override;
  void apply(Backward& b) override;
  std::string name() const override { return "AccumulateGrad"; }
  bool is_accumulate() const override { return true; }
  bool calls_python() const override;
  Tensor variable;
};

Edge gradient_edge(const Tensor& t);  // t requires grad
// The function that made `t`, brought up to date for views whose base was written to; null for leaves.
Ref<Node> grad_fn(const Tensor& t);
bool is_leaf(const Tensor& t);
void set_history(const Tensor& t, Ref<Node> node, uint32_t output_nr = 0);
void retain_grad(const Tensor& t);
// The list to which a hook on tensor `t` belongs: its own for leaves, its function's otherwise.
HookList& hooks_of(const Tensor& t);

inline bool needs_grad(const Tensor& t) { return mode.grad && t.defined() && t->requires_grad; }
template <class... Ts>
bool needs_grad(const Tensor& a, const Ts&... rest) {
  return mode.grad && ((a.defined() && a->requires_grad) || ... || (rest.defined() && rest->requires_grad));
}

// ---- saved tensors ---------------------------------------------------------------------------------------------

class Saved {
 public:
  Saved() = default;
  Saved(const Tensor& t, bool is_output, uint32_t output_nr = 0);
  Tensor get(const Node& node) const;
  Tensor get(const Backward& b) const { return get(b.node()); }
  bool defined() const { return tensor_.defined(); }

 private:
  Tensor tensor_;
  uint32_t version_ = 0;
  uint32_t output_nr_ = 0;
  bool is_output_ = false;
};
inline Saved save(const Tensor& t) { return Saved(t, false); }
// For a result of the op itself: kept without its graph, so that node and result form no cycle.
inline Saved save_output(const Tensor& t, uint32_t output_nr = 0) { return Saved(t, true, output_nr); }

// ---- recording -------------------------------------------------------------------------------------------------

[[noreturn]] void throw_released(const Node& node);

template <class F>
class LambdaNode final : public Node {
 public:
  LambdaNode(const char* name, uint32_t outputs, F f) : Node(outputs), f_(std::move(f)), name_(name) {}
  void apply(Backward& b) override {
    if (!f_) throw_released(*this);
    (*f_)(b);
  }
  std::string name() const override { return name_; }
  void release_saved() override {
    if constexpr (std::is_trivially_destructible_v<F>) return;  // nothing saved: may run again, as in torch
    f_.reset();
    released = true;
  }

 private:
  std::optional<F> f_;
  const char* name_;
};

// Records that `result` came from `inputs` by a function whose derivative is `f(Backward&)`. Call it only when
// needs_grad(inputs...). `name` is a string literal, torch's name for the node.
template <class F>
Ref<Node> make_node(const char* name, uint32_t outputs, std::initializer_list<const Tensor*> inputs, F f) {
  Ref<Node> node = Ref<Node>::adopt(new LambdaNode<F>(name, outputs, std::move(f)));
  for (const Tensor* t : inputs) node->add_edge_of(*t);
  return node;
}
template <class F>
void record(const char* name, const Tensor& result, std::initializer_list<const Tensor*> inputs, F f) {
  set_history(result, make_node(name, 1, inputs, std::move(f)));
}

// What autograd needs from ops, filled in by ops/ (dependencies point the other way).
struct Hooks {
  Tensor (*add)(const Tensor&, const Tensor&) = nullptr;
  void (*add_)(const Tensor&, const Tensor&) = nullptr;
  Tensor (*ones_like)(const Tensor&) = nullptr;
  Tensor (*clone)(const Tensor&) = nullptr;
  bool (*has_nan)(const Tensor&) = nullptr;
  Ref<Node> (*view_grad_fn)(const Tensor& view) = nullptr;  // as_strided of the base's current history
};
extern Hooks ops;

}  // namespace pydl::autograd
