#include "autograd/engine.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <unordered_map>
#include <unordered_set>

namespace pydl::autograd {
namespace {

thread_local int64_t current_task = -1;
std::atomic<int64_t> next_task{0};

// A node that waits for its turn, with the gradients that have arrived so far.
struct Pending : Pooled {
  Ref<Node> node;
  Tensor single;
  std::vector<Tensor> several;

  explicit Pending(Ref<Node> n) : node(std::move(n)) {
    if (node->num_outputs > 1) several.resize(node->num_outputs);
  }
  std::span<Tensor> grads() { return several.empty() ? std::span<Tensor>(&single, 1) : std::span<Tensor>(several); }
};

// Node* -> Pending*, open addressing with linear probing and backward-shift deletion.
class PendingMap {
 public:
  PendingMap() : slots_(16) {}
  Pending*& slot(const Node* key) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    size_t i = find(key);
    if (!slots_[i].key) {
      slots_[i] = {key, nullptr};
      ++size_;
    }
    return slots_[i].value;
  }
  void erase(const Node* key) {
    size_t hole = find(key);
    --size_;
    for (size_t i = next(hole); slots_[i].key; i = next(i)) {
      const size_t home = hash(slots_[i].key);
      const bool movable = hole <= i ? home <= hole || home > i : home <= hole && home > i;
      if (movable) {
        slots_[hole] = slots_[i];
        hole = i;
      }
    }
    slots_[hole] = {};
  }

 private:
  struct Slot {
    const Node* key = nullptr;
    Pending* value = nullptr;
  };
  size_t hash(const Node* key) const { return (reinterpret_cast<uintptr_t>(key) * 0x9E3779B97F4A7C15ull >> 20) & (slots_.size() - 1); }
  size_t next(size_t i) const { return (i + 1) & (slots_.size() - 1); }
  size_t find(const Node* key) const {
    size_t i = hash(key);
    while (slots_[i].key && slots_[i].key != key) i = next(i);
    return i;
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& s : old) {
      if (s.key) slots_[find(s.key)] = s;
    }
  }
  std::vector<Slot> slots_;
  size_t size_ = 0;
};

// What autograd.grad and backward(inputs=...) ask for: gradients captured at (node, input number).
struct Captures {
  struct Capture {
    uint32_t input_nr;
    size_t index;
  };
  std::unordered_map<const Node*, std::vector<Capture>> at;
  std::unordered_set<const Node*> needed;  // nodes from which a captured one can be reached, themselves included
  std::vector<Tensor> values;

  void plan(std::span<const Edge> roots);
};

// Depth-first over the graph, without recursion. A node whose topology number is not above that of every captured
// node cannot reach one, so the search stops there.
void Captures::plan(std::span<const Edge> roots) {
  uint64_t lowest = UINT64_MAX;
  for (const auto& [node, list] : at) lowest = std::min(lowest, node->topology);
  struct Frame {
    const Node* node;
    int edge;
  };
  std::unordered_set<const Node*> seen;
  std::vector<Frame> stack;
  for (const Edge& root : roots) {
    if (!root.node || !seen.insert(root.node.get()).second) continue;
    stack.push_back({root.node.get(), 0});
    if (at.contains(root.node.get())) needed.insert(root.node.get());
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.edge == frame.node->num_edges()) {
        const bool useful = needed.contains(frame.node);
        stack.pop_back();
        if (useful && !stack.empty()) needed.insert(stack.back().node);
        continue;
      }
      const Node* next = frame.node->edge(frame.edge++).node.get();
      if (!next || next->topology < lowest) continue;
      if (needed.contains(next)) needed.insert(frame.node);
      if (!seen.insert(next).second) continue;
      if (at.contains(next)) {
        needed.insert(next);
        needed.insert(frame.node);
      }
      stack.push_back({next, 0});
    }
  }
}

bool exclusive(const Tensor& t) { return t->ref_count() == 1 && t->storage->ref_count() == 1 && t.contiguous() && !t->requires_grad; }

class Task {
 public:
  Task(BackwardOptions options, Captures* captures, bool accumulate)
      : options_(options), captures_(captures), accumulate_(accumulate), outer_(current_task) {
    current_task = next_task.fetch_add(1);
  }
  ~Task() {
    current_task = outer_;
    for (Pending* p : heap_) delete p;
  }

  void push(const Edge& to, Tensor gradient) {
    if (!to.node || (captures_ && !captures_->needed.contains(to.node.get()))) return;
    Pending*& slot = map_.slot(to.node.get());
    if (!slot) {
      slot = new Pending(to.node);
      heap_.push_back(slot);
      std::push_heap(heap_.begin(), heap_.end(), later);
    }
    Tensor& buffer = slot->grads()[to.input_nr];
    if (!buffer.defined()) {
      buffer = std::move(gradient);
    } else if (!mode.grad && exclusive(buffer) && buffer.dtype() == gradient.dtype()) {
      ops.add_(buffer, gradient);
    } else {
      buffer = ops.add(buffer, gradient);
    }
  }

  void run() {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), later);
      const std::unique_ptr<Pending> next(heap_.back());
      heap_.pop_back();
      map_.erase(next->node.get());
      visit(*next);
    }
  }

 private:
  static bool later(const Pending* a, const Pending* b) {
    return a->node->topology != b->node->topology ? a->node->topology < b->node->topology : a->node->sequence < b->node->sequence;
  }

  void run_tensor_hooks(Node& node, std::span<Tensor> grads) {
    if (node.is_accumulate()) {
      const AutogradMeta* m = meta(static_cast<AccumulateGrad&>(node).variable);
      if (m && !m->hooks.empty()) {
        for (const Hook& h : HookList(m->hooks)) h.fn->call(grads.subspan(0, 1), {});
      }
    }
    if (!node.hooks) return;
    for (size_t i = 0; i < node.hooks->tensor.size(); ++i) {
      const auto [nr, list] = node.hooks->tensor[i];  // copies: a hook may remove itself
      if (!grads[nr].defined()) continue;
      for (const Hook& h : list) h.fn->call(grads.subspan(nr, 1), {});
    }
    for (const auto& [nr, impl] : node.hooks->retain) {
      const Tensor t = Tensor::share(impl);
      AutogradMeta& m = make_meta(t);
      if (grads[nr].defined()) m.grad = m.grad.defined() ? ops.add(m.grad, grads[nr]) : ops.clone(grads[nr]);
    }
  }

  void visit(Pending& p) {
    Node& node = *p.node;
    const std::span<Tensor> grads = p.grads();
    run_tensor_hooks(node, grads);
    bool only_captured = false;
    if (captures_) {
      if (const auto it = captures_->at.find(&node); it != captures_->at.end()) {
        for (const auto& c : it->second) captures_->values[c.index] = grads[c.input_nr];
      }
      only_captured = !leads_on(node);
    }
    if (node.is_accumulate() ? !accumulate_ : only_captured) return;
    if (node.hooks) {
      for (const Hook& h : HookList(node.hooks->pre)) h.fn->call(grads, {});
    }
    apply(node, grads);
  }

  bool leads_on(const Node& node) const {
    for (int i = 0; i < node.num_edges(); ++i) {
      const Node* next = node.edge(i).node.get();
      if (next && captures_->needed.contains(next)) return true;
    }
    return false;
  }

  void apply(Node& node, std::span<Tensor> grads) {
    constexpr size_t kFew = 4;
    const size_t n = static_cast<size_t>(node.num_edges());
    Tensor few[kFew];
    std::vector<Tensor> many(n > kFew ? n : 0);
    const std::span<Tensor> out = n > kFew ? std::span<Tensor>(many) : std::span<Tensor>(few, n);
    if (node.released) throw_released(node);
    Backward b(grads, out, node);
    const bool post = node.hooks && !node.hooks->post.empty();
    std::vector<Tensor> kept(post ? grads.begin() : grads.end(), grads.end());
    try {
      node.apply(b);
    } catch (Error& e) {
      if (node.anomaly) throw Error(text(e.what(), "\nThe forward call of ", node.name(), " was made here:\n", *node.anomaly));
      throw;
    }
    if (post) {
      for (const Hook& h : HookList(node.hooks->post)) h.fn->call(kept, out);
    }
    if (mode.anomaly && mode.anomaly_check_nan) check_nan(node, out);
    if (!options_.retain_graph) node.release_saved();
    for (size_t i = 0; i < n; ++i) {
      if (out[i].defined()) push(node.edge(static_cast<int>(i)), std::move(out[i]));
    }
  }

  static void check_nan(const Node& node, std::span<Tensor> out) {
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i].defined() && ops.has_nan(out[i])) {
        throw Error(text("Function '", node.name(), "' returned nan values in its ", i, "th output.",
                         node.anomaly ? text(" The forward call was made here:\n", *node.anomaly) : std::string()));
      }
    }
  }

  BackwardOptions options_;
  Captures* captures_;
  bool accumulate_;
  int64_t outer_;
  std::vector<Pending*> heap_;
  PendingMap map_;
};

Tensor root_gradient(const Tensor& root, const Tensor& given, size_t index) {
  PYDL_CHECK(root->requires_grad, Error, "element ", index, " of tensors does not require grad and does not have a grad_fn");
  if (!given.defined()) {
    PYDL_CHECK(root.numel() == 1, Error, "grad can be implicitly created only for scalar outputs, got a tensor of size ",
               IntSpan(root.sizes()));
    PYDL_CHECK(!is_complex(root.dtype()), Error, "grad can be implicitly created only for real scalar outputs but got ", root.dtype());
    return ops.ones_like(root);
  }
  PYDL_CHECK(given.sizes() == root.sizes(), ShapeError, "Mismatch in shape: grad_output[", index, "] has a shape of ",
             IntSpan(given.sizes()), " and output[", index, "] has a shape of ", IntSpan(root.sizes()), ".");
  PYDL_CHECK(is_complex(given.dtype()) == is_complex(root.dtype()), Error,
             "For complex Tensors, both grad_output and output are required to have the same dtype, got ", given.dtype(), " and ",
             root.dtype());
  return given;
}

void execute(std::span<const Tensor> roots, std::span<const Tensor> gradients, BackwardOptions options, Captures* captures,
             bool accumulate) {
  PYDL_CHECK(!inference_mode, Error, "backward(): not possible inside inference_mode");
  PYDL_CHECK(gradients.empty() || gradients.size() == roots.size(), Error, "backward(): got ", roots.size(), " tensors and ",
             gradients.size(), " gradients");
  std::vector<Tensor> start;
  std::vector<Edge> edges;
  for (size_t i = 0; i < roots.size(); ++i) {
    start.push_back(root_gradient(roots[i], gradients.empty() ? Tensor() : gradients[i], i));
    edges.push_back(gradient_edge(roots[i]));
  }
  if (captures) captures->plan(edges);
  const GradGuard guard(options.create_graph);
  Task task(options, captures, accumulate);
  for (size_t i = 0; i < edges.size(); ++i) task.push(edges[i], std::move(start[i]));
  edges.clear();
  task.run();
}

Captures capture(std::span<const Tensor> inputs, const char* op) {
  Captures c;
  c.values.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    PYDL_CHECK(inputs[i]->requires_grad, Error, op, ": One of the differentiated Tensors does not require grad (number ", i, ")");
    const Edge e = gradient_edge(inputs[i]);
    c.at[e.node.get()].push_back({e.input_nr, i});
  }
  return c;
}

}  // namespace

int64_t current_graph_task() { return current_task; }

void backward(std::span<const Tensor> roots, std::span<const Tensor> gradients, std::span<const Tensor> inputs, BackwardOptions options) {
  if (inputs.empty()) {
    execute(roots, gradients, options, nullptr, true);
    return;
  }
  std::vector<Edge> keep;
  for (const Tensor& t : inputs) keep.push_back(t->requires_grad ? gradient_edge(t) : Edge{});
  Captures c = capture(inputs, "backward()");
  execute(roots, gradients, options, &c, true);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (is_leaf(inputs[i]) || !c.values[i].defined()) continue;  // leaves have accumulated in their own node
    AutogradMeta& m = make_meta(inputs[i]);
    if (m.retains_grad) continue;
    m.grad = m.grad.defined() ? ops.add(m.grad, c.values[i]) : c.values[i];
  }
}

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> gradients, std::span<const Tensor> inputs,
                         BackwardOptions options, bool allow_unused) {
  std::vector<Edge> keep;  // accumulators live as long as an edge does
  for (const Tensor& t : inputs) keep.push_back(t->requires_grad ? gradient_edge(t) : Edge{});
  Captures c = capture(inputs, "grad()");
  execute(outputs, gradients, options, &c, false);
  for (size_t i = 0; i < inputs.size(); ++i) {
    PYDL_CHECK(allow_unused || c.values[i].defined(), Error, "One of the differentiated Tensors (number ", i,
               ") appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.");
  }
  return std::move(c.values);
}

}  // namespace pydl::autograd
