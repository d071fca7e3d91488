"""Loss functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor, _nn
from pydl.nn.functional.sparse import pairwise_distance

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "cross_entropy", "ctc_loss",
    "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss", "linear_cross_entropy",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss",
    "nll_loss", "poisson_nll_loss", "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]  # fmt: skip


def legacy_reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that the old pair of flags stands for, or ``reduction`` where neither is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    if reduction != "none":
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return loss


def _warn_broadcast(name: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        import warnings

        warnings.warn(
            f"{name}(): input and target should have the same shape, got {tuple(input.shape)} and "
            f"{tuple(target.shape)}; they are broadcast, which is probably not what is wanted",
            stacklevel=3,
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy between logits and classes or class probabilities.

    Shapes: input (C), (N, C) or (N, C, ...); target the same without C (int64), or the shape of input (probabilities).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.cross_entropy(pydl.zeros(1, 2), pydl.tensor([1]))
        tensor(0.6931)
    """
    return _nn.cross_entropy(
        input,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=legacy_reduction(size_average, reduce, reduction),
        label_smoothing=label_smoothing,
    )


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of classes. Shapes as in :func:`cross_entropy`, with input log-probabilities.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.nll_loss(pydl.tensor([[-1.0, -2.0]]), pydl.tensor([1]))
        tensor(2.)
    """
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _nn.nll_loss(input, target, weight=weight, ignore_index=ignore_index, reduction=reduction)


def _weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return reduced(loss, reduction)
    loss = loss * weight
    return loss.sum() / weight.expand_as(loss).sum() if reduction == "mean" else reduced(loss, reduction)


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Squared difference.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.mse_loss(pydl.zeros(2), pydl.tensor([1.0, 3.0]))
        tensor(5.)
    """
    _warn_broadcast("mse_loss", input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return _nn.mse_loss(input, target, reduction=reduction)
    return _weighted((input - target).square(), weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Absolute difference.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.l1_loss(pydl.tensor([1.0, 3.0]), pydl.zeros(2))
        tensor(2.)
    """
    _warn_broadcast("l1_loss", input, target)
    reduction = legacy_reduction(size_average, reduce, reduction)
    if weight is None:
        return _nn.l1_loss(input, target, reduction=reduction)
    return _weighted((input - target).abs(), weight, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """``d**2 / (2 * beta)`` where ``d = |input - target|`` < ``beta``, else ``d - beta / 2`` (Girshick, 2015).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.smooth_l1_loss(pydl.tensor([0.0, 3.0]), pydl.zeros(2))
        tensor(1.2500)
    """
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss(): beta must not be negative, got {beta}")
    _warn_broadcast("smooth_l1_loss", input, target)
    return _nn.smooth_l1_loss(input, target, legacy_reduction(size_average, reduce, reduction), beta)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """``d**2 / 2`` where ``d = |input - target|`` < ``delta``, else ``delta * (d - delta / 2)`` (Huber, 1964).

    Example:
        >>> import pydl
        >>> pydl.nn.functional.huber_loss(pydl.tensor([0.0, 3.0]), pydl.zeros(2))
        tensor(1.2500)
    """
    if delta <= 0:
        raise RuntimeError(f"huber_loss(): delta must be positive, got {delta}")
    _warn_broadcast("huber_loss", input, target)
    loss = _nn.huber_loss(input, target, reduction if weight is None else "none", delta)
    return loss if weight is None else _weighted(loss, weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence: ``target * (log(target) - input)``, input being log-probabilities.

    ``reduction="batchmean"`` divides the sum by the batch size, which is the divergence as defined.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.kl_div(pydl.tensor([[0.5, 0.5]]).log(), pydl.tensor([[1.0, 0.0]]), reduction="batchmean")
        tensor(0.6931)
    """
    return _nn.kl_div(input, target, legacy_reduction(size_average, reduce, reduction), log_target)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of probabilities in [0, 1]; the logarithms are bounded by -100.

    Raises:
        ValueError: different shapes. RuntimeError: an input outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.binary_cross_entropy(pydl.tensor([0.5, 0.5]), pydl.tensor([1.0, 0.0]))
        tensor(0.6931)
    """
    if input.shape != target.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    return _nn.binary_cross_entropy(input, target, weight, legacy_reduction(size_average, reduce, reduction))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of ``sigmoid(input)``, without overflow; ``pos_weight`` scales the positive part.

    Raises:
        ValueError: different shapes.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.binary_cross_entropy_with_logits(pydl.zeros(1), pydl.ones(1))
        tensor(0.6931)
    """
    if input.shape != target.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    reduction = legacy_reduction(size_average, reduce, reduction)
    return _nn.binary_cross_entropy_with_logits(input, target, weight, reduction, pos_weight)


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability that ``log_probs`` give to the labels, over all alignments (Graves et al., 2006).

    Shapes: log_probs `(T, N, C)` or `(T, C)`, logarithms as of log_softmax; targets `(N, S)`, or all labels one after
    the other; input_lengths and target_lengths `(N)`, tensors or sequences.

    Args:
        blank: the class that stands for no label. Default: 0.
        reduction: ``"mean"`` divides each loss by the length of its target and averages. Default: ``"mean"``.
        zero_infinity: losses of labels that do not fit into the time are zero, without gradient. Default: ``False``.

    Raises:
        RuntimeError: lengths that do not fit. IndexError: a label that is no class.

    Example:
        >>> import pydl
        >>> log_probs = pydl.zeros(2, 1, 2).log_softmax(2)
        >>> pydl.nn.functional.ctc_loss(log_probs, pydl.tensor([[1]]), [2], [1])
        tensor(0.2877)
    """
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    input_lengths, target_lengths = (
        t if isinstance(t, Tensor) else pydl.tensor(t, dtype=pydl.int64) for t in (input_lengths, target_lengths)
    )
    one = log_probs.dim() == 2
    if one:
        log_probs = log_probs.unsqueeze(1)
    loss = _nn.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, zero_infinity)
    if reduction == "mean":
        return (loss / target_lengths.reshape(-1).clamp(min=1).to(loss.dtype)).mean()
    if reduction == "sum":
        return loss.sum()
    return loss.squeeze(0) if one else loss


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """:func:`cross_entropy` of ``linear(input, linear_weight, linear_bias)``.

    Shapes: input `(N, in)` or `(in)`, linear_weight `(C, *, in)`, linear_bias `(C, *)`, target as for logits
    `(N, C, *)`.

    Args:
        options: accepted; how PyTorch cuts the product into pieces changes nothing here.

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.linear_cross_entropy(pydl.ones(1, 3), pydl.zeros(2, 3), pydl.tensor([1]))
        tensor(0.6931)
    """
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}")
    classes, *places, features = linear_weight.shape
    if input.shape[-1] != features:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), "
            f"got {input.shape[-1]} and {features}, respectively"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != (classes, *places):
        raise RuntimeError(f"expected linear_bias shape {(classes, *places)}, got {tuple(linear_bias.shape)}")
    if places and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} requires batched input, "
            f"(N, {features}), got unbatched input with shape {tuple(input.shape)}"
        )
    shape = (*input.shape[:-1], classes, *places)
    if tuple(target.shape) == shape and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = _nn.linear(input, linear_weight.reshape(-1, features), bias).reshape(shape)
    return cross_entropy(
        logits,
        target,
        weight=weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``exp(input) - target * input``, or with ``log_input=False`` ``input - target * log(input + eps)``.

    ``full`` adds Stirling's approximation of ``log(target!)`` for targets above 1.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.poisson_nll_loss(pydl.zeros(1), pydl.ones(1))
        tensor(1.)
    """
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        large = target > 1
        t = pydl.where(large, target, 2.0)
        loss = loss + pydl.where(large, t * t.log() - t + 0.5 * (2 * math.pi * t).log(), 0.0)
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """``(log(var) + (input - target)**2 / var) / 2`` with variances of at least ``eps`` (Nix and Weigend, 1994).

    Shapes: var as input, or with a last dim of 1, or without it, or a number. ``full`` adds ``log(2 * pi) / 2``.

    Raises:
        ValueError: a negative variance, or one of another shape.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.gaussian_nll_loss(pydl.zeros(1), pydl.full((1,), 2.0), pydl.ones(1))
        tensor(2.)
    """
    variance: Tensor = var if isinstance(var, Tensor) else pydl.full_like(input, var)
    if variance.shape != input.shape:
        if input.shape[:-1] == variance.shape:
            variance = variance.unsqueeze(-1)
        elif not (input.shape[:-1] == variance.shape[:-1] and variance.shape[-1] == 1):
            # One dim of 1 where the input has another size is enough, in any place.
            if (
                input.dim() != variance.dim()
                or sum(v != i for v, i in zip(variance.shape, input.shape)) != 1
                or 1 not in variance.shape
            ):
                raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    if bool((variance < 0).any()):
        raise ValueError("var has negative entry/entries")
    # The bound is a constant: below it the gradient is that of the bound's value, as in PyTorch.
    bounded = variance + (variance.detach().clamp(min=eps) - variance.detach())
    loss = 0.5 * (bounded.log() + (input - target).square() / bounded)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, margin - target * (input1 - input2))``, target being 1 where the first should rank higher, else -1.

    Raises:
        RuntimeError: inputs of different numbers of dims.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.margin_ranking_loss(pydl.zeros(1), pydl.ones(1), pydl.ones(1))
        tensor(1.)
    """
    if input1.dim() != input2.dim() or input1.dim() != target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    loss = (margin - target * (input1 - input2)).clamp_min(0)
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``input`` where target is 1, ``max(0, margin - input)`` where it is -1.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.hinge_embedding_loss(pydl.tensor([0.5, 0.2]), pydl.tensor([1.0, -1.0]), reduction="none")
        tensor([0.5000, 0.8000])
    """
    apart = pydl.where(target != 1, (margin - input).clamp_min(0), 0.0)
    loss = apart + pydl.where(target != -1, input, 0.0)
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``1 - cos`` of the inputs' angle where target is 1, ``max(0, cos - margin)`` where it is -1.

    Shapes: inputs `(N, D)` with target `(N)`, or inputs `(D)` with target `()`.

    Raises:
        RuntimeError: other shapes.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.cosine_embedding_loss(pydl.eye(1, 2), pydl.eye(1, 2), pydl.tensor([-1]))
        tensor(1.)
    """
    if target.dim() not in (0, 1):
        raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported, got {target.dim()}D")
    if input1.dim() != target.dim() + 1 or input2.dim() != target.dim() + 1:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    tiny = 1e-12
    lengths = (input1.square().sum(-1) + tiny) * (input2.square().sum(-1) + tiny)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    loss = pydl.where(target == 1, 1 - cosine, 0.0) + pydl.where(target == -1, (cosine - margin).clamp_min(0), 0.0)
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``log(1 + exp(-target * input))`` with targets 1 and -1, without overflow.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.soft_margin_loss(pydl.zeros(1), pydl.ones(1))
        tensor(0.6931)
    """
    product = target * input
    return reduced(-_nn.logsigmoid(product), legacy_reduction(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the classes of the cross-entropy between ``sigmoid(input)`` and ``target``, each with its weight.

    Shapes: input and target `(*, C)`, weight `(C)`.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.multilabel_soft_margin_loss(pydl.zeros(1, 2), pydl.tensor([[1.0, 0.0]]))
        tensor(0.6931)
    """
    loss = -(target * _nn.logsigmoid(input) + (1 - target) * _nn.logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.shape[-1], legacy_reduction(size_average, reduce, reduction))


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of ``max(0, 1 - (x[y] - x[i]))`` over each label y of a sample and each class i that is none, over C.

    Shapes: input `(N, C)` or `(C)`; target the same, int64: labels, of which those from the first -1 on do not count.

    Raises:
        RuntimeError: other shapes, or a label that is no class.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([0.1, 0.2, 0.4, 0.8])
        >>> pydl.nn.functional.multilabel_margin_loss(x, pydl.tensor([3, 0, -1, 1]))
        tensor(0.8500)
    """
    if input.dim() not in (1, 2) or target.shape != input.shape:
        raise RuntimeError(
            f"multilabel_margin_loss: inconsistent target size: {list(target.shape)} "
            f"for input of size: {list(input.shape)}"
        )
    if target.dtype != pydl.int64:
        raise RuntimeError(f"multilabel_margin_loss: expected scalar type Long but found {target.dtype}")
    classes = input.shape[-1]
    if target.numel() and not -1 <= int(target.min()) <= int(target.max()) < classes:
        raise RuntimeError(f"multilabel_margin_loss: target must be in [-1, {classes}), got one outside")
    if classes == 0:
        return reduced(input.sum(-1), legacy_reduction(size_average, reduce, reduction))
    counts = (target >= 0).to(pydl.int64).cumprod(-1).to(pydl.bool)
    label = pydl.where(counts, target, 0)
    among = pydl.zeros_like(input, dtype=pydl.int64).scatter_add(-1, label, counts.to(pydl.int64)) > 0
    gaps = (1 - (input.gather(-1, label).unsqueeze(-1) - input.unsqueeze(-2))).clamp_min(0)
    loss = pydl.where(counts.unsqueeze(-1) & ~among.unsqueeze(-2), gaps, 0.0).sum((-1, -2)) / classes
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of ``max(0, margin - x[y] + x[i])**p`` over the classes i other than the label y, over C.

    Shapes: input `(N, C)` or `(C)`, target `(N)` or `()`, int64; weight `(C)`: a factor for each label.

    Raises:
        ValueError: ``p`` other than 1 and 2. RuntimeError: other shapes, or a label that is no class.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.multi_margin_loss(pydl.tensor([[0.1, 0.2, 0.4]]), pydl.tensor([2]))
        tensor(0.5000)
    """
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    classes = input.shape[-1] if input.dim() else 1
    if input.dim() not in (1, 2) or target.dim() > 1 or target.numel() != (input.shape[0] if input.dim() == 2 else 1):
        raise RuntimeError(
            f"multi_margin_loss: inconsistent target size, expected {list(input.shape[:-1])} "
            f"but got {list(target.shape)}"
        )
    if weight is not None:
        if weight.dim() != 1 or weight.numel() != classes:
            raise ValueError(f"weight must be one-dimensional with {classes} elements, got {list(weight.shape)}")
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < classes:
        raise RuntimeError(f"multi_margin_loss: target out of range, must be in [0, {classes})")
    label = target.reshape(input.shape[:-1]).unsqueeze(-1)
    gaps = (margin - input.gather(-1, label) + input).clamp_min(0)
    terms = gaps if p == 1 else gaps.square()
    if weight is not None:
        terms = terms * weight[label]
    others = pydl.arange(classes) != label
    loss = pydl.where(others, terms, 0.0).sum(-1) / classes
    return reduced(loss, legacy_reduction(size_average, reduce, reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))`` with distances in the ``p``-norm.

    ``swap`` takes the distance between positive and negative where it is the smaller one (Balntas et al., 2016).

    Raises:
        ValueError: a margin that is not positive. RuntimeError: inputs of different numbers of dims.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.triplet_margin_loss(pydl.zeros(1, 1), pydl.zeros(1, 1), pydl.zeros(1, 1))
        tensor(1.0000)
    """
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
        margin=margin,
        swap=swap,
        reduction=legacy_reduction(size_average, reduce, reduction),
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """:func:`triplet_margin_loss` with any distance; :func:`pairwise_distance` by default.

    Raises:
        ValueError: a margin that is not positive. RuntimeError: inputs of different numbers of dims.

    Example:
        >>> import pydl
        >>> a, p, n = pydl.zeros(1, 2), pydl.ones(1, 2), pydl.full((1, 2), 5.0)
        >>> pydl.nn.functional.triplet_margin_with_distance_loss(a, p, n)
        tensor(0.)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = pydl.minimum(far, distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)
