// Per-thread switches: is a graph being recorded, is anomaly detection on. (Inference mode: pydl::inference_mode in core.)
#pragma once

#include <cstdint>

namespace pydl::autograd {

struct Mode {
  bool grad = true;
  bool anomaly = false;
  bool anomaly_check_nan = true;
};

extern thread_local Mode mode;

// Sets grad mode for a scope.
class GradGuard {
 public:
  explicit GradGuard(bool enabled) : before_(mode.grad) { mode.grad = enabled; }
  ~GradGuard() { mode.grad = before_; }
  GradGuard(const GradGuard&) = delete;

 private:
  bool before_;
};

}  // namespace pydl::autograd
