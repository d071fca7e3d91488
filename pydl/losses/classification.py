"""Losses of classes, pixel by pixel or over whole masks: focal, weighted cross-entropy, Lovasz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    Reduction,
    functional,
    indices,
    is_index,
    matching,
    mean_over,
    need_dims,
    need_logits_or_probabilities,
    need_range,
    need_values,
    power,
    reduce,
    safe_log,
    shape_error,
    without_ignored,
)
from pydl.nn import functional as F

__all__ = [
    "FocalLoss", "LovaszHingeLoss", "LovaszSoftmaxLoss", "WeightedCrossEntropyLoss", "focal_loss", "lovasz_hinge_loss",
    "lovasz_softmax_loss", "weighted_cross_entropy_loss",
]  # fmt: skip

Alpha = float | Sequence[float] | Tensor | None


def _modulated(surprise: Tensor, miss: Tensor, gamma: float) -> Tensor:
    """(1 - p_t)^gamma times -log(p_t), given 1 - p_t."""
    return surprise if gamma == 0 else power(miss, gamma) * surprise


def _binary_focal(input: Tensor, target: Tensor, alpha: Alpha, gamma: float, from_logits: bool) -> Tensor:
    y = target.to(input.dtype)
    if from_logits:
        yes, no = -F.logsigmoid(input), -F.logsigmoid(-input)
        miss = (-input).sigmoid() * y + input.sigmoid() * (1 - y)
    else:
        yes, no = -safe_log(input), -safe_log(1 - input)
        miss = (1 - input) * y + input * (1 - y)
    loss = _modulated(yes * y + no * (1 - y), miss, gamma)
    if alpha is None:
        return loss
    if isinstance(alpha, Sequence) or (isinstance(alpha, Tensor) and alpha.numel() != 1):
        raise ValueError("focal_loss(): alpha must be one number for a binary or multi-label target")
    return loss * (alpha * y + (1 - alpha) * (1 - y))


def _class_focal(input: Tensor, target: Tensor, alpha: Alpha, gamma: float, from_logits: bool) -> Tensor:
    if from_logits:
        surprise = -input.log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
        miss = -(-surprise).expm1()
    else:
        p = input.gather(1, target.unsqueeze(1)).squeeze(1)
        surprise, miss = -safe_log(p), 1 - p
    loss = _modulated(surprise, miss, gamma)
    if alpha is None:
        return loss
    factors = pydl.as_tensor(alpha, dtype=input.dtype)
    if factors.dim() == 0:
        return loss * factors
    if tuple(factors.shape) != (input.shape[1],):
        raise shape_error("focal_loss", "alpha", f"() or ({input.shape[1]},)", factors)
    return loss * factors[target]


@functional
def focal_loss(
    input: Tensor,
    target: Tensor,
    alpha: Alpha = None,
    gamma: float = 2.0,
    ignore_index: int = -100,
    from_logits: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`FocalLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.focal_loss(pydl.zeros(2), pydl.tensor([0, 1]), alpha=0.25, reduction="none")
        tensor([0.1300, 0.0433])
    """
    op = "focal_loss"
    if not gamma >= 0:
        raise ValueError(f"{op}(): gamma must be at least 0, got {gamma}")
    need_logits_or_probabilities(op, input, from_logits)
    if target.shape == input.shape:
        keep = target != ignore_index
        target = target.masked_fill(~keep, 0)
        need_range(op, "target", target, 0, 1)
        loss = _binary_focal(input, target, alpha, gamma, from_logits)
    else:
        if input.dim() < 2 or not is_index(target):
            raise shape_error(op, "target", f"{tuple(input.shape)}, or (N, *) for indices of classes (N, C, *)", target)
        target, kept = without_ignored(target.long(), ignore_index)
        keep = kept if kept is not None else target == target
        target = indices(op, target, (input.shape[0], *input.shape[2:]), input.shape[1])
        loss = _class_focal(input, target, alpha, gamma, from_logits)
    return mean_over(loss.masked_fill(~keep, 0), keep, reduction)


class FocalLoss(Loss, of=focal_loss):
    """-alpha_t (1 - p_t)^gamma log(p_t): cross-entropy in which what is well classified weighs little (Lin et al.
    2017).

    Shapes: a target of the input's shape (*) is binary or multi-label, p = sigmoid(input), and alpha_t is alpha for y =
    1 and 1 - alpha for y = 0, as torchvision has it. Class indices (N, *) go with an input (N, C, *) and softmax over
    dim 1. With ``"none"`` the result has the target's shape.

    Args:
        alpha: a number; with class indices one factor for all classes, or C numbers. Default: None, no factor.
        gamma: default 2; 0 is cross-entropy.
        ignore_index: targets that give 0 and do not count in the mean. Default: -100.
        from_logits: False for probabilities. Default: True.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: gamma < 0, or probabilities or targets out of [0, 1].
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> logits = pydl.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> pydl.losses.FocalLoss(reduction="none")(logits, pydl.tensor([0, 0]))
        tensor([0.0018, 1.6501])
    """


@functional
def weighted_cross_entropy_loss(
    input: Tensor,
    target: Tensor,
    weight: float | Tensor | None = 0.5,
    balanced: bool = True,
    from_logits: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`WeightedCrossEntropyLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.weighted_cross_entropy_loss(pydl.zeros(2), pydl.tensor([0, 1]), weight=None)
        tensor(0.3466)
    """
    op = "weighted_cross_entropy_loss"
    y = matching(op, input, target)
    need_range(op, "target", y, 0, 1)
    need_logits_or_probabilities(op, input, from_logits)
    w: float | Tensor
    if weight is None:
        w = 1 - y.mean() if y.numel() else 1.0
    elif isinstance(weight, Tensor):
        w = weight.to(input.dtype)
        try:
            fits = pydl.broadcast_shapes(weight.shape, input.shape) == input.shape
        except RuntimeError:
            fits = False
        if not fits:
            raise shape_error(op, "weight", f"that broadcasts to {tuple(input.shape)}", weight)
    else:
        w = weight
    if balanced and weight is not None:
        need_range(op, "weight", pydl.as_tensor(w), 0, 1)
    yes, no = (F.logsigmoid(input), F.logsigmoid(-input)) if from_logits else (safe_log(input), safe_log(1 - input))
    return reduce(-(w * y * yes + (1 - w if balanced else 1) * (1 - y) * no), reduction)


class WeightedCrossEntropyLoss(Loss, of=weighted_cross_entropy_loss):
    """Binary cross-entropy under class weights, -[w y log p + (1 - w) (1 - y) log(1 - p)].

    Shapes: input and target of one shape (*); with ``"none"`` the result has it too. For several classes there is
    ``nn.CrossEntropyLoss(weight=...)``.

    Args:
        weight: w in [0, 1], a number or a tensor that broadcasts to the input; None: the share of negatives in the
            target, as in holistically-nested edge detection (Xie and Tu 2015). Default: 0.5.
        balanced: False leaves the factor of negatives at 1; w is then the ``pos_weight`` of ``nn.BCEWithLogitsLoss``.
        from_logits: False for probabilities. Default: True.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ, or the weight does not broadcast.
        ValueError: weights, targets or probabilities out of [0, 1].

    Example:
        >>> import pydl
        >>> loss = pydl.losses.WeightedCrossEntropyLoss(0.9)
        >>> loss(pydl.zeros(2), pydl.tensor([1.0, 0.0]))
        tensor(0.3466)
    """


# ---- Lovasz extensions of the Jaccard loss ----------------------------------------------------------------------


def _extension(errors: Tensor, truth: Tensor, keep: Tensor | None) -> Tensor:
    """For each row of errors (R, L) the Lovasz extension of the Jaccard loss; the factors of the sum are constants."""
    marks = truth.to(pydl.uint8)
    if keep is not None:
        marks = marks.masked_fill(~keep, 2)
    with pydl.no_grad():
        weights = pydl._lovasz(errors, marks)  # type: ignore[attr-defined]
    return (errors.relu() * weights).sum(1)


@functional
def lovasz_hinge_loss(
    input: Tensor,
    target: Tensor,
    per_image: bool = True,
    multilabel: bool = False,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`LovaszHingeLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.lovasz_hinge_loss(pydl.tensor([[2.0, -0.5]]), pydl.tensor([[1, 1]]))
        tensor(0.7500)
    """
    op = "lovasz_hinge_loss"
    need_dims(op, "input", input, "(N, C, *)" if multilabel else "(N, *)", 2 if multilabel else 1)
    y = matching(op, input, target)
    keep = None if ignore_index is None else target != ignore_index
    if keep is not None:
        y = y.masked_fill(~keep, 0)
    need_values(op, "target", y, (0, 1))
    classes = input.shape[1] if multilabel else 1
    # Rows (C, N, L) of classes, each image or the whole batch in one.
    rows = [t if t is None else _rows(t, classes, per_image) for t in (input, y, keep)]
    x, labels, kept = rows
    assert x is not None and labels is not None
    loss = _extension(1 - x * (2 * labels - 1), labels, kept)
    return reduce(loss.reshape(classes, -1).sum(0), reduction)


def _rows(t: Tensor, classes: int, per_image: bool) -> Tensor:
    """(N, *) or (N, C, *) as rows: class by class, in each the images, or the batch as one image."""
    length = t.numel() // max(1, t.shape[0] * classes)
    rows = t.reshape(t.shape[0], classes, length).transpose(0, 1)
    return rows.reshape(classes * t.shape[0], length) if per_image else rows.reshape(classes, t.shape[0] * length)


class LovaszHingeLoss(Loss, of=lovasz_hinge_loss):
    """The Lovasz extension of the Jaccard loss over hinge errors (Berman et al. 2018).

    The errors 1 - x (2 y - 1) are sorted downwards and add up as relu(e_k) (J_k - J_{k-1}), J_k the Jaccard loss of a
    mask whose k largest errors are wrong. An empty mask leaves relu of the largest error.

    Shapes: input logits (N, *), target {0, 1} alike. With ``"none"`` (N,), or (1,) without ``per_image``.

    Args:
        per_image: one loss for each sample (default); False: the batch is one image.
        multilabel: dim 1 holds classes, each a binary problem, whose losses are added. Default: False.
        ignore_index: pixels of this target are left out; nothing left gives 0.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: a target other than 0 and 1.

    Example:
        >>> import pydl
        >>> pydl.losses.LovaszHingeLoss()(pydl.tensor([[2.0, -2.0]]), pydl.tensor([[1, 0]]))
        tensor(0.)
    """


@functional
def lovasz_softmax_loss(
    input: Tensor,
    target: Tensor,
    classes: Literal["present", "all"] | Sequence[int] = "present",
    per_image: bool = False,
    ignore_index: int | None = None,
    from_logits: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`LovaszSoftmaxLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.lovasz_softmax_loss(pydl.zeros(1, 2, 3), pydl.tensor([[0, 1, 1]]))
        tensor(0.5000)
    """
    op = "lovasz_softmax_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    need_logits_or_probabilities(op, input, from_logits)
    count, shape = input.shape[1], (input.shape[0], *input.shape[2:])
    if tuple(target.shape) != shape:
        raise shape_error(op, "target", str(shape), target)
    target, keep = without_ignored(target.long(), ignore_index) if is_index(target) else (target, None)
    target = indices(op, target, shape, count)
    chosen = list(range(count)) if isinstance(classes, str) else [int(c) for c in classes]
    if any(not 0 <= c < count for c in chosen):
        raise IndexError(f"{op}(): classes must be in [0, {count}), got {chosen}")
    p = _rows(input.softmax(1) if from_logits else input, count, per_image)
    images = p.shape[0] // max(1, count)
    numbers = _rows(target, 1, per_image)
    kept = None if keep is None else _rows(keep, 1, per_image)
    p = p.reshape(count, images, -1)
    if len(chosen) < count:
        p = p[chosen]
    members = numbers.unsqueeze(0) == pydl.tensor(chosen, dtype=pydl.int64).reshape(-1, 1, 1)
    if kept is not None:
        members = members & kept
    errors = pydl.where(members, 1 - p, p).flatten(0, 1)
    spread = None if kept is None else kept.expand(len(chosen), *kept.shape).flatten(0, 1)
    loss = _extension(errors, members.flatten(0, 1), spread).reshape(len(chosen), images)
    if classes == "present":
        counted = members.any(2).to(loss.dtype)
        loss = (loss * counted).sum(0) / counted.sum(0).clamp_min(1)
    else:
        loss = loss.sum(0) / max(1, len(chosen))
    return reduce(loss, reduction)


class LovaszSoftmaxLoss(Loss, of=lovasz_softmax_loss):
    """The Lovasz extension of the Jaccard loss over the errors |1[y = c] - p_c|, averaged over classes (Berman et al.
    2018).

    Shapes: input (N, C, *), class indices (N, *). With ``"none"`` (1,), or (N,) with ``per_image``.

    Args:
        classes: ``"present"`` (default) averages those in the target, ``"all"`` all of them, or a list of class
            numbers.
        per_image: one loss for each sample. Default: False, the batch is one image.
        ignore_index: pixels of this index are left out; nothing left gives 0.
        from_logits: False for probabilities. Default: True, softmax over dim 1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.
        ValueError: probabilities out of [0, 1].

    Example:
        >>> import pydl
        >>> p = pydl.tensor([[[0.9, 0.2], [0.1, 0.8]]])
        >>> pydl.losses.LovaszSoftmaxLoss(from_logits=False)(p, pydl.tensor([[0, 1]]))
        tensor(0.1750)
    """
