// Losses over classes.
#include "core/parallel.h"
#include "kernels/softmax/softmax.h"
#include "ops/copy/copy.h"
#include "ops/creation/creation.h"
#include "ops/index/index.h"
#include "ops/loss/loss.h"
#include "ops/pointwise/arithmetic.h"
#include "ops/pointwise/comparison.h"
#include "ops/pointwise/engine.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/softmax/softmax.h"
#include "ops/view/view.h"

namespace pydl {

using autograd::Backward;
using autograd::needs_grad;
using autograd::save;

Reduction reduction_of(std::string_view text) {
  if (text == "none") return Reduction::None;
  if (text == "mean") return Reduction::Mean;
  if (text == "sum") return Reduction::Sum;
  throw ValueError(pydl::text(text, " is not a valid value for reduction"));
}

namespace {

constexpr int64_t kGrain = 8192;  // elements per thread, about 4 cycles each

int class_dim(const Tensor& input) { return input.ndim() == 1 ? 0 : 1; }

// Shapes (C) with (), (N, C) with (N), (N, C, d...) with (N, d...).
void check_shapes(const char* op, const Tensor& input, const Tensor& target) {
  PYDL_CHECK(input.ndim() >= 1, ShapeError, op, "(): Expected 1 or more dimensions of input (got 0)");
  PYDL_CHECK(is_floating(input.dtype()), NotImplemented, op, "(): not implemented for ", input.dtype());
  PYDL_CHECK(target.dtype() == DType::Int64 || target.dtype() == DType::UInt8, Error, op, "(): expected scalar type Long but found ",
             target.dtype());
  if (input.ndim() == 1) {
    PYDL_CHECK(target.ndim() == 0 || (target.ndim() == 1 && target.size(0) == 1), ShapeError, op,
               "(): For 1D input, 1D target must have size 1, but got target size: ", IntSpan(target.sizes()));
    return;
  }
  Dims wanted = input.sizes();
  wanted.erase(1);
  PYDL_CHECK(target.ndim() >= 1 && target.size(0) == input.size(0), ValueError, "Expected input batch_size (", input.size(0),
             ") to match target batch_size (", target.ndim() ? target.size(0) : 0, ").");
  PYDL_CHECK(target.sizes() == wanted, ShapeError, op, "(): Expected target size ", IntSpan(wanted), ", got ", IntSpan(target.sizes()));
}

// Throws if a target is no class; counts those that are not ignored.
int64_t check_targets(const Tensor& target, int64_t classes, int64_t ignore_index) {
  int64_t count = 0;
  const int64_t* t = target.data<int64_t>();
  for (int64_t i = 0; i < target.numel(); ++i) {
    if (t[i] == ignore_index) continue;
    PYDL_CHECK(t[i] >= 0 && t[i] < classes, IndexError, "Target ", t[i], " is out of bounds.");
    ++count;
  }
  return count;
}

Tensor int64_target(const Tensor& target) {
  const autograd::GradGuard off(false);
  return contiguous(to_dtype(target, DType::Int64));
}

void check_weight(const char* op, const Tensor& weight, int64_t classes) {
  PYDL_CHECK(!weight.defined() || (weight.ndim() == 1 && weight.numel() == classes), ShapeError, op,
             "(): weight tensor should be defined either for all ", classes,
             " classes or no classes but got weight tensor of shape: ", weight.defined() ? IntSpan(weight.sizes()) : IntSpan());
}

// Targets where they count, 0 elsewhere; and where they count.
struct Classes {
  Tensor index, valid;
  Classes(const Tensor& target, int64_t ignore_index) : valid(ne(target, Operand(ignore_index))) {
    index = where(valid, target, Operand(0));
  }
};

// ---- the fused form: logits of (rows, classes), no weights -----------------------------------------------------

struct Fused {
  Tensor loss, lse;  // per row, in the compute dtype
};

Fused fused_forward(const Tensor& x, const Tensor& target, int64_t ignore_index) {
  const int64_t rows = x.size(0), n = x.size(1), item = x.item_size();
  const Fused f{zeros(Dims{rows}, x.dtype()), zeros(Dims{rows}, x.dtype())};
  if (n == 0) return f;
  const auto& fns = *kernels::softmax::fns()[x.dtype()];
  parallel_for(rows, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    fns.cross_entropy(f.loss->data + begin * item, f.lse->data + begin * item, x->data + begin * n * item, target.data<int64_t>() + begin,
                      end - begin, n, ignore_index);
  });
  return f;
}

// `scale`: the gradient of each row's loss.
Tensor fused_backward(const Tensor& x, const Tensor& lse, const Tensor& target, const Tensor& scale, int64_t ignore_index) {
  const int64_t rows = x.size(0), n = x.size(1), item = x.item_size();
  const Tensor out = empty(x.sizes(), x.dtype(), "cross_entropy");
  if (out.numel() == 0) return out;
  const auto& fns = *kernels::softmax::fns()[x.dtype()];
  parallel_for(rows, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
    fns.cross_entropy_backward(out->data + begin * n * item, x->data + begin * n * item, lse->data + begin * item,
                               target.data<int64_t>() + begin, scale->data + begin * item, end - begin, n, ignore_index);
  });
  return out;
}

// scale (softmax(x) - onehot(target)) for the rows that count.
Tensor fused_formula(const Tensor& x, const Tensor& target, const Tensor& scale, int64_t ignore_index) {
  const Classes c(target, ignore_index);
  const Tensor classes = arange(Scalar(0), Scalar(x.size(1)), Scalar(1), DType::Int64);
  const Tensor one = to_dtype(eq(unsqueeze(c.index, 1), classes), x.dtype());
  return mul(sub(softmax(x, 1), one), unsqueeze(where(c.valid, scale, Operand(0)), 1));
}

Tensor fused_cross_entropy(const Tensor& input, const Tensor& target, int64_t ignore_index, Reduction reduction) {
  const int64_t count = check_targets(target, input.size(1), ignore_index);
  const DType dtype = input.dtype(), compute = compute_type(dtype);
  Tensor out;
  Fused f;
  {
    const autograd::GradGuard off(false);
    f = fused_forward(contiguous(to_dtype(input, compute)), target, ignore_index);
    out = reduction == Reduction::None ? f.loss : sum(f.loss);
    if (reduction == Reduction::Mean) out = div(out, Operand(static_cast<double>(count)));
    out = to_dtype(out, dtype);
  }
  if (!needs_grad(input)) return out;
  record({}, reduction == Reduction::None ? "CrossEntropyBackward0" : "NllLossBackward0", out, {&input},
         [x = save(input), t = save(target), lse = save(f.lse), ignore_index, reduction, count](Backward& b) {
           const Tensor input = x.get(b), target = t.get(b);
           const DType compute = compute_type(input.dtype());
           Tensor scale = to_dtype(b.grad(), compute);
           if (reduction == Reduction::Mean) scale = div(scale, Operand(static_cast<double>(count)));
           if (reduction != Reduction::None) scale = expand(scale, Dims{input.size(0)});
           if (autograd::mode.grad) {
             b.set(0, to_dtype(fused_formula(to_dtype(input, compute), target, scale, ignore_index), input.dtype()));
           } else {
             b.set(0, to_dtype(fused_backward(contiguous(to_dtype(input, compute)), lse.get(b), target, contiguous(scale), ignore_index),
                               input.dtype()));
           }
         });
  return out;
}

// ---- other forms -----------------------------------------------------------------------------------------------

// Weights seen along the class dim.
Tensor along_classes(const Tensor& weight, const Tensor& input) {
  Dims shape(input.ndim(), 1);
  shape[class_dim(input)] = weight.numel();
  return reshape(weight, shape);
}

Tensor sum_classes(const Tensor& t) {
  const int64_t dims[] = {class_dim(t)};
  return sum(t, IntSpan(dims));
}

Tensor with_probabilities(const Tensor& input, const Tensor& target, const Tensor& weight, Reduction reduction, double smoothing) {
  const int64_t classes = input.size(class_dim(input));
  const Tensor goal = smoothing > 0 ? add(mul(target, Operand(1 - smoothing)), Operand(smoothing / static_cast<double>(classes))) : target;
  Tensor terms = mul(log_softmax(input, class_dim(input)), goal);
  if (weight.defined()) terms = mul(terms, along_classes(weight, input));
  if (reduction == Reduction::None) return neg(sum_classes(terms));
  const Tensor total = neg(sum(terms));
  return reduction == Reduction::Sum ? total : div(total, Operand(static_cast<double>(input.numel()) / static_cast<double>(classes)));
}

Tensor smooth_part(const Tensor& logp, const Tensor& target, const Tensor& weight, int64_t ignore_index, Reduction reduction) {
  const Classes c(logp.ndim() == 1 ? reshape(target, IntSpan()) : target, ignore_index);
  const Tensor all = neg(sum_classes(weight.defined() ? mul(logp, along_classes(weight, logp)) : logp));
  const Tensor smooth = where(c.valid, all, Operand(0));
  if (reduction == Reduction::None) return smooth;
  if (reduction == Reduction::Sum) return sum(smooth);
  const Tensor share = weight.defined()
                           ? where(c.valid, reshape(index(weight, {reshape(c.index, Dims{c.index.numel()})}), c.index.sizes()), Operand(0))
                           : to_dtype(c.valid, logp.dtype());
  return div(sum(smooth), sum(share));
}

}  // namespace

Tensor nll_loss(const Tensor& input, const Tensor& target_, const Tensor& weight, int64_t ignore_index, Reduction reduction) {
  check_shapes("nll_loss", input, target_);
  const int d = class_dim(input);
  check_weight("nll_loss", weight, input.size(d));
  Tensor target = int64_target(target_);
  check_targets(target, input.size(d), ignore_index);
  if (input.ndim() == 1) target = reshape(target, IntSpan());
  const Classes c(target, ignore_index);
  const Tensor picked =
      input.size(d) ? squeeze(gather(input, d, unsqueeze(c.index, d)), IntSpan(Dims{d})) : zeros(target.sizes(), input.dtype());
  const Tensor share = weight.defined()
                           ? where(c.valid, reshape(index(weight, {reshape(c.index, Dims{c.index.numel()})}), target.sizes()), Operand(0))
                           : to_dtype(c.valid, input.dtype());
  const Tensor loss = where(c.valid, neg(mul(picked, share)), Operand(0));
  if (reduction == Reduction::None) return input.ndim() == 1 && target_.ndim() == 1 ? reshape(loss, Dims{1}) : loss;
  return reduction == Reduction::Sum ? sum(loss) : div(sum(loss), sum(share));
}

Tensor cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, Reduction reduction,
                     double label_smoothing) {
  PYDL_CHECK(label_smoothing >= 0 && label_smoothing <= 1, Error,
             "cross_entropy(): label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  PYDL_CHECK(input.ndim() >= 1, ShapeError, "cross_entropy(): Expected 1 or more dimensions of input (got 0)");
  const int d = class_dim(input);
  if (is_floating(target.dtype()) && target.sizes() == input.sizes()) {
    PYDL_CHECK(ignore_index < 0, Error, "cross_entropy(): ignore_index is not supported for floating point target");
    check_weight("cross_entropy", weight, input.size(d));
    return with_probabilities(input, target, weight, reduction, label_smoothing);
  }
  check_shapes("cross_entropy", input, target);
  check_weight("cross_entropy", weight, input.size(d));
  if (!weight.defined() && label_smoothing == 0 && input.ndim() <= 2) {
    const Tensor t = int64_target(reshape(target, Dims{target.numel()}));
    if (input.ndim() == 2) return fused_cross_entropy(input, t, ignore_index, reduction);
    const Tensor loss = fused_cross_entropy(reshape(input, Dims{1, input.size(0)}), t, ignore_index, reduction);
    return reduction == Reduction::None ? reshape(loss, target.sizes()) : loss;
  }
  const Tensor logp = log_softmax(input, d);
  const Tensor nll = nll_loss(logp, target, weight, ignore_index, reduction);
  if (label_smoothing == 0) return nll;
  const Tensor smooth = smooth_part(logp, int64_target(target), weight, ignore_index, reduction);
  return add(mul(nll, Operand(1 - label_smoothing)), mul(smooth, Operand(label_smoothing / static_cast<double>(input.size(d)))));
}

namespace {
Tensor nll_loss_op(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, std::string_view reduction) {
  return nll_loss(input, target, weight, ignore_index, reduction_of(reduction));
}
Tensor cross_entropy_op(const Tensor& input, const Tensor& target, const Tensor& weight, int64_t ignore_index, std::string_view reduction,
                        double label_smoothing) {
  return cross_entropy(input, target, weight, ignore_index, reduction_of(reduction), label_smoothing);
}
}  // namespace

PYDL_OP(
    nll_loss_op,
    "nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = 'mean') -> Tensor",
    Nn, R"doc(
-weight[target] * input[target] for log-probabilities (C), (N, C) or (N, C, d...); 'mean' divides by the sum of the weights.
Raises IndexError for a target that is no class.
)doc");
PYDL_OP(cross_entropy_op,
        "cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = 'mean', "
        "label_smoothing: float = 0.0) -> Tensor",
        Nn, R"doc(
Cross-entropy between logits (C), (N, C) or (N, C, d...) and classes, or probabilities of the shape of the logits.
Raises IndexError for a target that is no class.
)doc");

}  // namespace pydl
