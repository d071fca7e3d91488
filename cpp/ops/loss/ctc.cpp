// Connectionist temporal classification: Graves et al., ICML 2006. Forward and backward variables in logarithms and float64;
// the backward ones are forward variables of the reversed problem.
#include "kernels/loss/ctc.h"

#include <cmath>
#include <limits>
#include <memory>

#include "core/parallel.h"
#include "ops/copy/copy.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/engine.h"
#include "ops/registry.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// Labels of each sample one after the other; log_probs (time, samples, classes).
struct Problem {
  int64_t time, samples, classes, blank;
  std::vector<int64_t> labels, start;  // start[n]: where the labels of sample n begin; one more at the end
  std::vector<int64_t> lengths;        // of the inputs
  int64_t targets(int64_t n) const { return start[static_cast<size_t>(n + 1)] - start[static_cast<size_t>(n)]; }
  int64_t length(int64_t n) const { return lengths[static_cast<size_t>(n)]; }
  // The states of a path: a blank before, between and behind the labels.
  int64_t states(int64_t n) const { return 2 * targets(n) + 1; }
  int64_t label(int64_t n, int64_t s) const { return s % 2 ? labels[static_cast<size_t>(start[static_cast<size_t>(n)] + s / 2)] : blank; }
};

std::vector<int64_t> lengths_of(const char* name, const Tensor& t, int64_t samples, int64_t largest) {
  PYDL_CHECK(is_integer(t.dtype()), Error, "ctc_loss(): ", name, " must be integral, got ", t.dtype());
  const Tensor flat = contiguous(to_dtype(t, DType::Int64));
  PYDL_CHECK(flat.numel() == samples, ShapeError, "ctc_loss(): ", name, " must be of size batch_size, expected ", samples, ", got ",
             flat.numel());
  const std::vector<int64_t> v(flat.data<int64_t>(), flat.data<int64_t>() + samples);
  for (size_t i = 0; i < v.size(); ++i) {
    PYDL_CHECK(v[i] >= 0 && v[i] <= largest, Error, "ctc_loss(): Expected ", name, " to have value in [0, ", largest, "], but got value ",
               v[i], " (while checking arguments for ctc_loss_cpu)");
  }
  return v;
}

Problem make_problem(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                     int64_t blank) {
  PYDL_CHECK(log_probs.dtype() == DType::Float32 || log_probs.dtype() == DType::Float64, NotImplemented,
             "ctc_loss(): \"ctc_loss_cpu\" not implemented for ", log_probs.dtype());
  PYDL_CHECK(log_probs.ndim() == 3, ShapeError, "ctc_loss(): expected log_probs of shape (time, batch, classes), got ",
             IntSpan(log_probs.sizes()));
  PYDL_CHECK(is_integer(targets.dtype()), Error, "ctc_loss(): targets must be integral, got ", targets.dtype());
  PYDL_CHECK(targets.ndim() == 1 || targets.ndim() == 2, ShapeError, "ctc_loss(): targets must have one or two dimensions, got ",
             targets.ndim());
  Problem p{log_probs.size(0), log_probs.size(1), log_probs.size(2), blank, {}, {0}, {}};
  PYDL_CHECK(blank >= 0 && blank < p.classes, Error, "ctc_loss(): blank must be in label range [0, ", p.classes, "), got ", blank);
  p.lengths = lengths_of("input_lengths", input_lengths, p.samples, p.time);
  const bool rows = targets.ndim() == 2;
  PYDL_CHECK(!rows || targets.size(0) == p.samples, ShapeError, "ctc_loss(): Expected targets of ", p.samples, " rows, got ",
             targets.size(0));
  const std::vector<int64_t> counts = lengths_of("target_lengths", target_lengths, p.samples, rows ? targets.size(1) : targets.numel());
  const Tensor all = contiguous(to_dtype(targets, DType::Int64));
  for (int64_t n = 0, next = 0; n < p.samples; ++n) {
    const int64_t count = counts[static_cast<size_t>(n)], first = rows ? n * targets.size(1) : next;
    PYDL_CHECK(first + count <= all.numel(), Error, "ctc_loss(): target_lengths add up to more than the ", all.numel(), " targets");
    for (int64_t i = 0; i < count; ++i) {
      const int64_t label = all.data<int64_t>()[first + i];
      PYDL_CHECK(label >= 0 && label < p.classes, IndexError, "ctc_loss(): target ", label, " is out of bounds for ", p.classes,
                 " classes");
      p.labels.push_back(label);
    }
    next += count;
    p.start.push_back(static_cast<int64_t>(p.labels.size()));
  }
  return p;
}

// The forward variables of one sample, (time, states), of the problem or of its mirror image in time and states.
template <class T>
struct Path {
  const Problem& p;
  const T* log_probs;
  int64_t n, states, steps;
  std::vector<double> skip;

  Path(const Problem& problem, const Tensor& x, int64_t sample)
      : p(problem),
        log_probs(x.data<T>() + sample * problem.classes),
        n(sample),
        states(problem.states(sample)),
        steps(problem.length(sample)) {}

  double emission(int64_t t, int64_t s) const { return static_cast<double>(log_probs[t * p.samples * p.classes + p.label(n, s)]); }
  void emissions(double* out, int64_t t) const {
    for (int64_t s = 0; s < states; ++s) out[s] = emission(t, s);
  }

  // A label may follow the one before it without a blank between unless they are equal.
  std::vector<double> variables(bool mirrored) const {
    const auto at = [&](int64_t s) { return mirrored ? states - 1 - s : s; };
    const size_t width = static_cast<size_t>(states);
    std::vector<double> skip(width, kNever), emit(width), previous(width + 2, kNever), result(width * static_cast<size_t>(steps));
    for (int64_t s = 3; s < states; s += 2) {
      if (p.label(n, at(s)) != p.label(n, at(s - 2))) skip[static_cast<size_t>(s)] = 0;
    }
    const auto& fns = kernels::loss::ctc();
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t time = mirrored ? steps - 1 - t : t;
      for (int64_t s = 0; s < states; ++s) emit[static_cast<size_t>(s)] = emission(time, at(s));
      double* next = &result[static_cast<size_t>(t) * width];
      if (t == 0) {
        for (int64_t s = 0; s < states; ++s) next[s] = s < 2 ? emit[static_cast<size_t>(s)] : kNever;
      } else {
        fns.step(next, previous.data() + 2, skip.data(), emit.data(), states);
      }
      std::copy(next, next + states, previous.begin() + 2);
    }
    return result;
  }

  // -log of the probability of all paths.
  double loss(const std::vector<double>& forward) const {
    if (steps == 0) return states == 1 ? 0 : -kNever;
    const double* last = &forward[static_cast<size_t>((steps - 1) * states)];
    const double a = last[states - 1], b = states > 1 ? last[states - 2] : kNever, most = std::max(a, b);
    if (most == kNever) return -kNever;
    return -(most + std::log(std::exp(a - most) + std::exp(b - most)));
  }
};

template <class T>
void losses(const Problem& p, const Tensor& log_probs, const Tensor& out) {
  parallel_for(p.samples, 1 + 4096 / (1 + p.time * static_cast<int64_t>(1 + p.labels.size())), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const Path<T> path(p, log_probs, n);
      out.data<T>()[n] = static_cast<T>(path.loss(path.variables(false)));
    }
  });
}

// As PyTorch, the gradient of what came out of a log_softmax: exp(log_probs) minus the share of each class among all paths.
// Behind log_softmax, whose derivative takes the difference off again, it is the derivative of the loss.
template <class T>
void gradients(const Problem& p, const Tensor& log_probs, const Tensor& grad, const Tensor& out, bool zero_infinity) {
  parallel_for(p.samples, 1 + 4096 / (1 + p.time * static_cast<int64_t>(1 + p.labels.size())), [&](int64_t begin, int64_t end) {
    std::vector<double> share(static_cast<size_t>(p.classes));
    for (int64_t n = begin; n < end; ++n) {
      const Path<T> path(p, log_probs, n);
      const std::vector<double> forward = path.variables(false), backward = path.variables(true);
      const double loss = path.loss(forward), g = static_cast<double>(grad.data<T>()[n]);
      if (zero_infinity && loss == -kNever) continue;
      const int64_t states = path.states;
      std::vector<double> emit(static_cast<size_t>(states)), reversed(emit.size()), occupied(emit.size());
      for (int64_t t = 0; t < path.steps; ++t) {
        path.emissions(emit.data(), t);
        const double* behind = &backward[static_cast<size_t>((path.steps - 1 - t) * states)];
        std::reverse_copy(behind, behind + states, reversed.begin());
        kernels::loss::ctc().occupancy(occupied.data(), &forward[static_cast<size_t>(t * states)], reversed.data(), emit.data(), loss,
                                       states);
        std::fill(share.begin(), share.end(), 0);
        for (int64_t s = 0; s < states; ++s) share[static_cast<size_t>(p.label(n, s))] += occupied[static_cast<size_t>(s)];
        const int64_t at = (t * p.samples + n) * p.classes;
        for (int64_t c = 0; c < p.classes; ++c) {
          const double probability = std::exp(static_cast<double>(log_probs.data<T>()[at + c]));
          out.data<T>()[at + c] = static_cast<T>(
              (probability - (loss == -kNever ? std::numeric_limits<double>::quiet_NaN() : share[static_cast<size_t>(c)])) * g);
        }
      }
    }
  });
}

Tensor ctc_backward(const Problem& p, const Tensor& grad, const Tensor& log_probs, bool zero_infinity) {
  const Tensor out = zeros(log_probs.sizes(), log_probs.dtype());
  {
    const autograd::GradGuard off(false);
    const Tensor x = contiguous(log_probs), g = contiguous(to_dtype(grad, x.dtype()));
    (x.dtype() == DType::Float32 ? gradients<float> : gradients<double>)(p, x, g, out, zero_infinity);
  }
  if (needs_grad(grad, log_probs)) {
    record({}, "CtcLossBackwardBackward0", out, {&grad, &log_probs},
           [](Backward&) { throw NotImplemented("derivative for ctc_loss_backward is not implemented"); });
  }
  return out;
}

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank,
                bool zero_infinity) {
  auto p = std::make_shared<const Problem>(make_problem(log_probs, targets, input_lengths, target_lengths, blank));
  const Tensor out = empty(Dims{p->samples}, log_probs.dtype(), "ctc_loss");
  {
    const autograd::GradGuard off(false);
    (log_probs.dtype() == DType::Float32 ? losses<float> : losses<double>)(*p, contiguous(log_probs), out);
    for (int64_t n = 0; n < p->samples && zero_infinity; ++n) {
      log_probs.dtype() == DType::Float32 ? static_cast<void>(std::isinf(out.data<float>()[n]) && (out.data<float>()[n] = 0))
                                          : static_cast<void>(std::isinf(out.data<double>()[n]) && (out.data<double>()[n] = 0));
    }
  }
  if (needs_grad(log_probs)) {
    record({}, "CtcLossBackward0", out, {&log_probs},
           [p, x = save(log_probs), zero_infinity](Backward& b) { b.set(0, ctc_backward(*p, b.grad(), x.get(b), zero_infinity)); });
  }
  return out;
}

}  // namespace

PYDL_OP(ctc_loss,
        "ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int = 0, "
        "zero_infinity: bool = False) -> Tensor",
        Nn, R"doc(
For each sample -log of the probability that `log_probs` (time, batch, classes), logarithms, give to the labels `targets` (batch,
length), or to all labels one after the other (Graves et al., 2006). Labels that do not fit into the time have an infinite loss,
or with `zero_infinity` none. The gradient is that of log_softmax's input; it has no derivative of its own.
)doc");

}  // namespace pydl
