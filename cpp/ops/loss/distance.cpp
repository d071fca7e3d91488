// Losses of two tensors of one shape.
#include <cmath>

#include "ops/activation/activation.h"
#include "ops/copy/copy.h"
#include "ops/loss/loss.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/pointwise/exponential.h"
#include "ops/pointwise/special.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

namespace {

Tensor reduce(const Tensor& loss, Reduction r) { return r == Reduction::None ? loss : r == Reduction::Sum ? sum(loss) : mean(loss); }

// A loss of the difference alone: value(d, p) and its derivative slope(d, p).
struct Distance {
  const char* node;
  Tensor (*value)(const Tensor& d, double p);
  Tensor (*slope)(const Tensor& d, double p);
};

constexpr Distance kSquared{"MseLossBackward0", [](const Tensor& d, double) { return square(d); },
                            [](const Tensor& d, double) { return mul(d, Operand(2)); }};
constexpr Distance kAbsolute{"L1LossBackward0", [](const Tensor& d, double) { return abs(d); },
                             [](const Tensor& d, double) { return sign(d); }};
// Huber (1964): d^2 / 2 within delta, delta (|d| - delta / 2) beyond.
constexpr Distance kHuber{"HuberLossBackward0",
                          [](const Tensor& d, double delta) {
                            const Tensor a = abs(d);
                            return where(lt(a, Operand(delta)), mul(square(a), Operand(0.5)),
                                         mul(sub(a, Operand(0.5 * delta)), Operand(delta)));
                          },
                          [](const Tensor& d, double delta) { return clamp(d, Scalar(-delta), Scalar(delta)); }};
// Girshick (2015): Huber's loss over beta.
constexpr Distance kSmooth{"SmoothL1LossBackward0",
                           [](const Tensor& d, double beta) {
                             const Tensor a = abs(d);
                             return where(lt(a, Operand(beta)), mul(square(a), Operand(0.5 / beta)), sub(a, Operand(0.5 * beta)));
                           },
                           [](const Tensor& d, double beta) { return clamp(div(d, Operand(beta)), Scalar(-1.0), Scalar(1.0)); }};

Tensor distance(const Distance& kind, const Tensor& input, const Tensor& target, std::string_view reduction, double p = 0) {
  const Reduction r = reduction_of(reduction);
  Tensor out;
  double count = 1;
  {
    const autograd::GradGuard off(false);
    const Tensor d = sub(input, target);
    out = reduce(kind.value(d, p), r);
    if (r == Reduction::Mean) count = static_cast<double>(d.numel());
  }
  if (needs_grad(input, target)) {
    record({}, kind.node, out, {&input, &target}, [&kind, a = save(input), c = save(target), count, p](Backward& b) {
      const Tensor x = a.get(b), y = c.get(b);
      const Tensor d = sub(x, y);
      const Tensor g = mul(kind.slope(d, p), count == 1 ? b.grad() : div(b.grad(), Operand(count)));
      if (b.needs(0)) b.set(0, Fit(x, d)(g));
      if (b.needs(1)) b.set(1, Fit(y, d)(neg(g)));
    });
  }
  return out;
}

Tensor mse_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  return distance(kSquared, input, target, reduction);
}
Tensor l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction) {
  return distance(kAbsolute, input, target, reduction);
}
Tensor huber_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double delta) {
  PYDL_CHECK(delta > 0, Error, "huber_loss(): does not support non-positive values for delta.");
  return distance(kHuber, input, target, reduction, delta);
}
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::string_view reduction, double beta) {
  PYDL_CHECK(beta >= 0, Error, "smooth_l1_loss(): does not support negative values for beta.");
  return beta == 0 ? l1_loss(input, target, reduction) : distance(kSmooth, input, target, reduction, beta);
}

// ---- binary cross entropy --------------------------------------------------------------------------------------

Tensor finish(Tensor loss, const Tensor& weight, std::string_view reduction) {
  return reduce(weight.defined() ? mul(loss, weight) : loss, reduction_of(reduction));
}

// Logarithms bounded by -100, as in torch, so that neither loss nor gradient becomes infinite.
Tensor bounded(const Tensor& logarithm) { return clamp(logarithm, Scalar(-100.0), std::nullopt); }

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, std::string_view reduction) {
  PYDL_CHECK(input.sizes() == target.sizes(), ValueError, "Using a target size (", IntSpan(target.sizes()),
             ") that is different to the input size (", IntSpan(input.sizes()), ") is deprecated. Please ensure they have the same size.");
  Tensor out;
  {
    const autograd::GradGuard off(false);
    PYDL_CHECK(!has_zero(logical_and(ge(input, Operand(0)), le(input, Operand(1)))), Error,
               "all elements of input should be between 0 and 1");
    const Tensor yes = mul(target, bounded(log(input))), no = mul(rsub(target, Operand(1)), bounded(log1p(neg(input))));
    out = neg(add(yes, no));
  }
  if (needs_grad(input, target)) {
    record({}, "BinaryCrossEntropyBackward0", out, {&input, &target}, [a = save(input), c = save(target)](Backward& b) {
      const Tensor p = a.get(b), t = c.get(b);
      if (b.needs(0)) b.set(0, div(mul(b.grad(), sub(p, t)), clamp(mul(p, rsub(p, Operand(1))), Scalar(1e-12), std::nullopt)));
      if (b.needs(1)) b.set(1, mul(b.grad(), sub(bounded(log1p(neg(p))), bounded(log(p)))));
    });
  }
  return finish(out, weight, reduction);
}

// -log(sigmoid(x)) t - log(1 - sigmoid(x)) (1 - t) = (1 - t) x - log(sigmoid(x))
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight, std::string_view reduction,
                                        const Tensor& pos_weight) {
  PYDL_CHECK(input.sizes() == target.sizes(), ValueError, "Target size (", IntSpan(target.sizes()), ") must be the same as input size (",
             IntSpan(input.sizes()), ")");
  const auto value = [&](const Tensor& log_term) { return sub(mul(rsub(target, Operand(1)), input), log_term); };
  if (pos_weight.defined()) {
    const Tensor factor = add(mul(sub(pos_weight, Operand(1)), target), Operand(1));
    return finish(value(mul(factor, logsigmoid(input))), weight, reduction);
  }
  Tensor out;
  {
    const autograd::GradGuard off(false);
    out = value(logsigmoid(input));
  }
  if (needs_grad(input, target)) {
    record({}, "BinaryCrossEntropyWithLogitsBackward0", out, {&input, &target}, [a = save(input), c = save(target)](Backward& b) {
      const Tensor x = a.get(b);
      if (b.needs(0)) b.set(0, mul(b.grad(), sub(sigmoid(x), c.get(b))));
      if (b.needs(1)) b.set(1, neg(mul(b.grad(), x)));
    });
  }
  return finish(out, weight, reduction);
}

// target (log target - input)
Tensor kl_div(const Tensor& input, const Tensor& target, std::string_view reduction, bool log_target) {
  const Tensor loss = log_target ? mul(exp(target), sub(target, input)) : sub(xlogy(target, target), mul(target, input));
  if (reduction == "batchmean") return input.ndim() ? div(sum(loss), Operand(input.size(0))) : sum(loss);
  return reduce(loss, reduction_of(reduction));
}

}  // namespace

PYDL_OP(mse_loss, "mse_loss(input: Tensor, target: Tensor, reduction: str = 'mean') -> Tensor", Nn, R"doc(
(input - target)^2, broadcast.
)doc");
PYDL_OP(l1_loss, "l1_loss(input: Tensor, target: Tensor, reduction: str = 'mean') -> Tensor", Nn, R"doc(
|input - target|, broadcast.
)doc");
PYDL_OP(huber_loss, "huber_loss(input: Tensor, target: Tensor, reduction: str = 'mean', delta: float = 1.0) -> Tensor", Nn, R"doc(
d^2 / 2 where d = |input - target| < delta, else delta * (d - delta / 2).
)doc");
PYDL_OP(smooth_l1_loss, "smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = 'mean', beta: float = 1.0) -> Tensor", Nn, R"doc(
d^2 / (2 * beta) where d = |input - target| < beta, else d - beta / 2.
)doc");
PYDL_OP(binary_cross_entropy,
        "binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = 'mean') -> Tensor", Nn, R"doc(
Cross-entropy of probabilities; logarithms are bounded by -100. Raises RuntimeError for an input outside [0, 1].
)doc");
PYDL_OP(binary_cross_entropy_with_logits,
        "binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = 'mean', "
        "pos_weight: Tensor | None = None) -> Tensor",
        Nn, R"doc(
Cross-entropy of sigmoid(input), without overflow.
)doc");
PYDL_OP(kl_div, "kl_div(input: Tensor, target: Tensor, reduction: str = 'mean', log_target: bool = False) -> Tensor", Nn, R"doc(
target * (log(target) - input), `input` being log-probabilities; 'batchmean' divides the sum by the batch size.
)doc");

}  // namespace pydl
