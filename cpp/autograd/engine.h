// Running a graph backward.
#pragma once

#include <span>
#include <vector>

#include "autograd/node.h"

namespace pydl::autograd {

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
};

// Accumulates into the leaves (only those in `inputs`, if any are given).
void backward(std::span<const Tensor> roots, std::span<const Tensor> gradients, std::span<const Tensor> inputs, BackwardOptions options);
// Returns the gradients of `inputs`, undefined where the graph does not reach one.
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> gradients, std::span<const Tensor> inputs,
                         BackwardOptions options, bool allow_unused);
// Identifies the innermost running backward of this thread, -1 outside.
int64_t current_graph_task();

}  // namespace pydl::autograd
