"""Losses of segmentation networks, for what they return: auxiliary outputs, several scales, Dice beside
cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    MeanOrSum,
    functional,
    indices,
    matching,
    mean,
    mean_over,
    need_dims,
    need_shape,
    widen,
    without_ignored,
)
from pydl.losses.overlap import dice, regions
from pydl.nn import functional as F

__all__ = [
    "DeepLabLoss", "DeepSupervisionLoss", "UNetLoss", "deep_supervision_loss", "deeplab_loss", "unet_loss",
]  # fmt: skip

_SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}


def _class_entropy(
    op: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, reduction: str
) -> Tensor:
    """Cross-entropy of logits (N, C, *) at class indices; the mean is 0 where nothing counts."""
    if target.is_floating_point():
        raise TypeError(f"{op}(): target must hold class indices of an integer dtype, got {target.dtype}")
    target, keep = without_ignored(target.long(), ignore_index)
    target = indices(op, target, (input.shape[0], *input.shape[2:]), input.shape[1])
    surprise = -input.log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
    factors = pydl.ones_like(surprise) if weight is None else weight.to(input.dtype)[target]  # type: ignore[attr-defined]
    if keep is not None:
        surprise, factors = surprise.masked_fill(~keep, 0), factors.masked_fill(~keep, 0)
    total = (surprise * factors).sum()
    if reduction == "sum":
        return total
    count = factors.sum()
    return total / count.masked_fill(count == 0, 1)


@functional(widening=False)
def deeplab_loss(
    input: Tensor | Mapping[str, Tensor] | Sequence[Tensor],
    target: Tensor,
    aux_weight: float = 0.5,
    weight: Tensor | None = None,
    ignore_index: int = 255,
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`DeepLabLoss`.

    Example:
        >>> import pydl
        >>> logits, target = pydl.zeros(1, 2, 4, 4), pydl.zeros(1, 8, 8, dtype=pydl.int64)
        >>> pydl.losses.deeplab_loss({"out": logits, "aux": logits}, target)
        tensor(1.0397)
    """
    op = "deeplab_loss"
    outputs = [input] if isinstance(input, Tensor) else _outputs(op, input)
    total: Any = None
    for factor, logits in zip((1.0, aux_weight), outputs):
        need_dims(op, "input", logits, "(N, C, *)", 2)
        if weight is not None:
            need_shape(op, "weight", weight, logits.shape[1:2])
        wide = widen(logits)
        if target.shape[1:] != logits.shape[2:] and target.dim() == logits.dim() - 1 and logits.dim() - 2 in _SMOOTH:
            wide = F.interpolate(wide, tuple(target.shape[1:]), mode=_SMOOTH[logits.dim() - 2], align_corners=False)
        term = factor * _class_entropy(op, wide, target, weight, ignore_index, reduction)
        total = term if total is None else total + term
    return total.to(outputs[0].dtype)


def _outputs(op: str, outputs: Mapping[str, Tensor] | Sequence[Tensor]) -> list[Tensor]:
    """The main output, and the auxiliary one if there is one."""
    if isinstance(outputs, Mapping):
        if "out" not in outputs:
            raise ValueError(f"{op}(): input must have an entry 'out', got {sorted(outputs)}")
        outputs = [outputs[name] for name in ("out", "aux") if name in outputs]
    found = list(outputs)
    if len(found) not in (1, 2):
        raise ValueError(f"{op}(): input must be one tensor or two, got {len(found)}")
    for t in found:
        if not isinstance(t, Tensor):
            raise TypeError(f"{op}(): input must be a tensor, or hold tensors, got {type(t).__name__}")
    return found


class DeepLabLoss(Loss, of=deeplab_loss):
    """Cross-entropy of the main output + aux_weight * that of the auxiliary one (Zhao et al. 2017, Chen et al. 2017).
    A scalar.

    Shapes: logits (N, C, *), or a mapping with ``"out"`` and perhaps ``"aux"``, or a pair; class indices (N, *).
    Outputs of another spatial size are resized to the target's, bilinearly.

    Args:
        aux_weight: default 0.5.
        weight: a factor for each class.
        ignore_index: pixels of this index do not count; nothing left gives 0. Default: 255.
        reduction: ``"mean"`` (default) or ``"sum"``.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> pydl.losses.DeepLabLoss()(pydl.zeros(1, 2, 4, 4), pydl.full((1, 4, 4), 255))
        tensor(0.)
    """


@functional
def unet_loss(
    input: Tensor,
    target: Tensor,
    lambd: float = 1.0,
    dice_weight: float = 1.0,
    include_background: bool = True,
    squared: bool = False,
    batch: bool = False,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
) -> Tensor:
    """Functional form of :class:`UNetLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.unet_loss(pydl.zeros(1, 2, 2), pydl.tensor([[0, 1]]))
        tensor(1.1931)
    """
    op = "unet_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    if input.shape[1] == 1:
        need_shape(op, "target", target, input.shape)
        target, keep = without_ignored(target, None if target.is_floating_point() else ignore_index)
        y = matching(op, input, target)
        entropy, p = F.binary_cross_entropy_with_logits(input, y, reduction="none"), input.sigmoid()
        if keep is not None:
            entropy, p = entropy.masked_fill(~keep, 0), p.masked_fill(~keep, 0)
        # One channel is all there is: the background cannot be left out.
        r = regions(op, p, y, True, False, False, None)
        cross = mean_over(entropy, keep, "mean")
    else:
        r = regions(op, input, target, include_background, False, True, ignore_index)
        if target.shape == input.shape:
            cross = mean(-(target.to(input.dtype) * input.log_softmax(1)).sum(1))
        else:
            cross = _class_entropy(op, input, target, None, ignore_index, "mean")
    return dice_weight * mean(dice(r, squared, batch, smooth_nr, smooth_dr)) + lambd * cross


class UNetLoss(Loss, of=unet_loss):
    """dice_weight * :class:`DiceLoss` + lambd * cross-entropy of logits, both averaged (nnU-Net, Isensee et al. 2021).
    A scalar.

    Shapes: logits (N, C, *). C > 1: softmax and cross-entropy, target class indices (N, *) or probabilities (N, C, *).
    C = 1: sigmoid and binary cross-entropy, target (N, 1, *).

    Args:
        lambd: weight of the cross-entropy. Default: 1.
        dice_weight: default 1.
        include_background, squared, batch, smooth_nr, smooth_dr: of the Dice loss.
        ignore_index: pixels of this index (targets of an integer dtype) count in neither part.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.
        ValueError: targets out of [0, 1].

    Example:
        >>> import pydl
        >>> pydl.losses.UNetLoss()(pydl.zeros(1, 1, 4), pydl.ones(1, 1, 4))
        tensor(1.0265)
    """


def _resized(target: Tensor, like: Tensor, mode: str) -> Tensor:
    """Targets (N, C, *) or indices (N, *) at the spatial size of an output (N, C, *)."""
    size = tuple(like.shape[2:])
    dense = target.dim() == like.dim()
    if tuple(target.shape[2 if dense else 1 :]) == size:
        return target
    image = target if dense else target.unsqueeze(1)
    whole = not target.is_floating_point()
    # Labels are exact in float64 up to 2**53.
    image = F.interpolate(image.double() if whole else image, size, mode=mode)
    image = image.to(target.dtype) if whole else image
    return image if dense else image.squeeze(1)


@functional(widening=False)
def deep_supervision_loss(
    input: Tensor | Sequence[Tensor],
    target: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    weights: Literal["exp", "same"] | Sequence[float] = "exp",
    resize: str = "nearest-exact",
) -> Tensor:
    """Functional form of :class:`DeepSupervisionLoss`.

    Example:
        >>> import pydl
        >>> outputs = [pydl.zeros(1, 1, 4), pydl.zeros(1, 1, 2)]
        >>> pydl.losses.deep_supervision_loss(outputs, pydl.ones(1, 1, 4), pydl.nn.functional.mse_loss)
        tensor(1.5000)
    """
    op = "deep_supervision_loss"
    outputs = [input] if isinstance(input, Tensor) else list(input)
    if not outputs:
        raise ValueError(f"{op}(): input has no outputs")
    if isinstance(weights, str):
        factors = [0.5**i if weights == "exp" else 1.0 for i in range(len(outputs))]
    else:
        factors = [float(w) for w in weights]
    if len(factors) != len(outputs):
        raise ValueError(f"{op}(): weights must be {len(outputs)} numbers, one per output, got {len(factors)}")
    total: Any = None
    for factor, output in zip(factors, outputs):
        need_dims(op, "input", output, "(N, C, *)", 2)
        if target.dim() not in (output.dim(), output.dim() - 1):
            raise pydl.ShapeError(f"{op}(): target must have {output.dim()} dims, or one less, got {target.dim()}")
        term = factor * loss(output, _resized(target, output, resize))
        total = term if total is None else total + term
    return total


class DeepSupervisionLoss(Loss, of=deep_supervision_loss):
    """sum_i w_i loss(output_i, target resized to output_i) over the outputs of a network, finest first (Lee et al.
    2015).

    Shapes: a tensor or a sequence of outputs (N, C, *); target (N, C, *) or class indices (N, *).

    Args:
        loss: callable of an output and a target.
        weights: ``"exp"`` (default) 1, 1/2, 1/4, ..., ``"same"`` 1 each, or one number per output.
        resize: mode of ``nn.functional.interpolate``. Default: ``"nearest-exact"``, which keeps labels whole.

    Raises:
        ShapeError: a target of other dims than the outputs.
        ValueError: another number of weights, or no outputs.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.DeepSupervisionLoss(pydl.nn.CrossEntropyLoss(), weights="same")
        >>> outputs = [pydl.zeros(1, 2, 4, 4), pydl.zeros(1, 2, 2, 2)]
        >>> loss(outputs, pydl.ones(1, 4, 4, dtype=pydl.int64))
        tensor(1.3863)
    """
