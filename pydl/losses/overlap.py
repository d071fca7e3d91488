"""Losses of overlapping regions: Dice, Jaccard, Tversky and their kin.

Each is 1 - ratio of sums over the pixels; `regions` brings predictions and targets of every accepted form to (N, C,
pixels).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    Reduction,
    functional,
    indices,
    need_dims,
    need_range,
    power,
    reduce,
    shape_error,
    without_ignored,
)
from pydl.nn import functional as F

__all__ = [
    "DiceLoss", "FocalTverskyLoss", "GeneralizedDiceLoss", "IoULoss", "JaccardLoss", "TverskyLoss", "dice_loss",
    "focal_tversky_loss", "generalized_dice_loss", "iou_loss", "jaccard_loss", "tversky_loss",
]  # fmt: skip

Weight = Tensor | Sequence[float] | None


class Regions(NamedTuple):
    """Probabilities and targets (N, C', pixels); ``keep`` (N, 1, pixels) tells which pixels count, None: all."""

    predicted: Tensor
    target: Tensor
    keep: Tensor | None


def probabilities(op: str, input: Tensor, sigmoid: bool, softmax: bool) -> Tensor:
    """The input, or sigmoid or softmax over dim 1 of it."""
    if sigmoid and softmax:
        raise ValueError(f"{op}(): sigmoid and softmax exclude each other")
    if softmax and input.shape[1] == 1:
        raise ValueError(f"{op}(): softmax=True needs more than one channel")
    return input.sigmoid() if sigmoid else input.softmax(1) if softmax else input


def one_hot(op: str, input: Tensor, target: Tensor, ignore_index: int | None = None) -> tuple[Tensor, Tensor | None]:
    """The target in the input's shape (N, C, *) and dtype, from that shape or from class indices (N, *), and what
    counts.
    """
    shape = (input.shape[0], *input.shape[2:])
    if target.shape == input.shape:
        need_range(op, "target", target, 0, 1)
        return target.to(input.dtype), None
    if tuple(target.shape) != shape:
        expected = f"{tuple(input.shape)}, or {shape} for class indices"
        raise shape_error(op, "target", expected, target)
    keep = None
    if not target.is_floating_point():
        target, keep = without_ignored(target.long(), ignore_index)
    target = indices(op, target, shape, input.shape[1])
    return F.one_hot(target, input.shape[1]).movedim(-1, 1).to(input.dtype), keep


def without_background(op: str, include_background: bool, *tensors: Tensor) -> list[Tensor]:
    """Tensors (N, C, *) without their channel 0, unless it is wanted."""
    if include_background:
        return list(tensors)
    if tensors[0].shape[1] == 1:
        raise ValueError(f"{op}(): include_background=False needs more than one channel")
    return [t[:, 1:] for t in tensors]


def regions(
    op: str,
    input: Tensor,
    target: Tensor,
    include_background: bool,
    sigmoid: bool,
    softmax: bool,
    ignore_index: int | None,
) -> Regions:
    """Predictions and targets of every accepted form as :class:`Regions`."""
    need_dims(op, "input", input, "(N, C, *)", 2)
    predicted = probabilities(op, input, sigmoid, softmax)
    target, keep = one_hot(op, input, target, ignore_index)
    predicted, target = (t.flatten(2) if t.dim() > 2 else t.unsqueeze(2) for t in (predicted, target))
    predicted, target = without_background(op, include_background, predicted, target)
    if keep is None:
        return Regions(predicted, target, None)
    keep = keep.reshape(keep.shape[0], 1, -1)
    # What is ignored is in no region and in no prediction.
    return Regions(predicted.masked_fill(~keep, 0), target.masked_fill(~keep, 0), keep)


def _total(values: Tensor, batch: bool) -> Tensor:
    return values.sum((0, 2)) if batch else values.sum(2)


def _complement(numerator: Tensor, denominator: Tensor) -> Tensor:
    """1 - numerator / denominator; 0 where nothing is to be compared and nothing smooths."""
    nothing = denominator == 0
    return (1 - numerator / denominator.masked_fill(nothing, 1)).masked_fill(nothing, 0)


def _weighted(op: str, loss: Tensor, weight: Weight, reduction: str) -> Tensor:
    if weight is not None:
        factors = pydl.as_tensor(weight, dtype=loss.dtype)
        if tuple(factors.shape) != (loss.shape[-1],):
            raise shape_error(op, "weight", f"({loss.shape[-1]},)", factors)
        loss = loss * factors
    return reduce(loss, reduction)


@functional
def dice_loss(
    input: Tensor,
    target: Tensor,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    squared: bool = False,
    batch: bool = False,
    weight: Weight = None,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`DiceLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.dice_loss(pydl.tensor([[[1.0, 1.0, 0.0]]]), pydl.tensor([[[1, 0, 0]]]))
        tensor(0.3333)
    """
    r = regions("dice_loss", input, target, include_background, sigmoid, softmax, ignore_index)
    return _weighted("dice_loss", dice(r, squared, batch, smooth_nr, smooth_dr), weight, reduction)


def dice(r: Regions, squared: bool, batch: bool, smooth_nr: float, smooth_dr: float) -> Tensor:
    """The Dice losses of regions, (N, C') or (C',)."""
    common, sizes = _common_and_sizes(r, squared, batch)
    return _complement(2 * common + smooth_nr, sizes + smooth_dr)


def _common_and_sizes(r: Regions, squared: bool, batch: bool) -> tuple[Tensor, Tensor]:
    """sum(p g), and sum(p) + sum(g) or the sum of their squares."""
    sizes = r.predicted.square() + r.target.square() if squared else r.predicted + r.target
    return _total(r.predicted * r.target, batch), _total(sizes, batch)


class DiceLoss(Loss, of=dice_loss):
    """1 - (2 I + smooth_nr) / (P + G + smooth_dr) of the sums I = sum(p g), P = sum(p), G = sum(g) over the pixels.

    The loss of V-Net (Milletari et al. 2016), with the arguments of MONAI.

    Shapes: input (N, C, *); target (N, C, *) in [0, 1], or class indices (N, *). With ``"none"`` one loss per sample
    and channel (N, C'), or (C',) with ``batch=True``; C' is C, or C - 1 without the background.

    Args:
        include_background: False leaves out channel 0. Default: True.
        sigmoid, softmax: the input holds logits, to which one of them (softmax over dim 1) is applied. Default:
            probabilities.
        squared: P and G are sums of squares, as in V-Net. Default: False.
        batch: the whole batch is one image. Default: False.
        weight: a factor for each of the C' channels.
        ignore_index: pixels of this class index count nowhere.
        smooth_nr, smooth_dr: keep an empty region with an empty prediction at loss 0. Default: 1e-5.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: sigmoid and softmax at once, one channel where more are needed, or targets out of [0, 1].
        IndexError: a class index out of range.

    Example:
        >>> import pydl
        >>> logits = pydl.tensor([[[9.0, -9.0], [-9.0, 9.0]]])
        >>> pydl.losses.DiceLoss(softmax=True)(logits, pydl.tensor([[0, 0]]))
        tensor(0.6667)
    """


@functional
def jaccard_loss(
    input: Tensor,
    target: Tensor,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    squared: bool = False,
    batch: bool = False,
    weight: Weight = None,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`JaccardLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.jaccard_loss(pydl.tensor([[[1.0, 1.0, 0.0]]]), pydl.tensor([[[1, 0, 0]]]))
        tensor(0.5000)
    """
    r = regions("jaccard_loss", input, target, include_background, sigmoid, softmax, ignore_index)
    common, sizes = _common_and_sizes(r, squared, batch)
    loss = _complement(common + smooth_nr, sizes - common + smooth_dr)
    return _weighted("jaccard_loss", loss, weight, reduction)


class JaccardLoss(Loss, of=jaccard_loss):
    """1 - (I + smooth_nr) / (P + G - I + smooth_dr), the soft intersection over union (Rahman and Wang 2016).

    I, P, G, shapes, arguments and errors as in :class:`DiceLoss`. Also called ``IoULoss``; for coordinates of boxes
    there is ``pydl.vision.ops.generalized_box_iou_loss``.

    Example:
        >>> import pydl
        >>> pydl.losses.JaccardLoss()(pydl.tensor([[[1.0, 0.0]]]), pydl.tensor([[[1.0, 0.0]]]))
        tensor(0.)
    """


IoULoss = JaccardLoss
iou_loss = jaccard_loss


def _tversky(
    r: Regions, alpha: float, beta: float, hit: float, batch: bool, smooth_nr: float, smooth_dr: float
) -> Tensor:
    found = _total(r.predicted * r.target, batch)
    wrong = _total(r.predicted * (1 - r.target), batch)
    missed = _total((1 - r.predicted) * r.target, batch)
    return _complement(found + smooth_nr, hit * found + alpha * wrong + beta * missed + smooth_dr)


@functional
def tversky_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.5,
    beta: float = 0.5,
    tp_weight: float = 1.0,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    batch: bool = False,
    weight: Weight = None,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`TverskyLoss`.

    Example:
        >>> import pydl
        >>> p, g = pydl.tensor([[[1.0, 1.0, 0.0]]]), pydl.tensor([[[1, 0, 0]]])
        >>> pydl.losses.tversky_loss(p, g, alpha=1.0, beta=0.0)
        tensor(0.5000)
    """
    r = regions("tversky_loss", input, target, include_background, sigmoid, softmax, ignore_index)
    loss = _tversky(r, alpha, beta, tp_weight, batch, smooth_nr, smooth_dr)
    return _weighted("tversky_loss", loss, weight, reduction)


class TverskyLoss(Loss, of=tversky_loss):
    """1 - (TP + smooth_nr) / (tp_weight TP + alpha FP + beta FN + smooth_dr), Salehi et al. 2017, with MONAI's
    arguments.

    TP = sum(p g), FP = sum(p (1 - g)), FN = sum((1 - p) g). alpha = beta = 0.5 is Dice, alpha = beta = 1 is Jaccard.

    Args:
        alpha: weight of false positives. Default: 0.5.
        beta: weight of false negatives. Default: 0.5.
        tp_weight: weight of true positives in the denominator. Default: 1.

    Shapes, the other arguments and errors as in :class:`DiceLoss`.

    Example:
        >>> import pydl
        >>> p, g = pydl.tensor([[[1.0, 1.0, 0.0]]]), pydl.tensor([[[1, 0, 0]]])
        >>> pydl.losses.TverskyLoss()(p, g)
        tensor(0.3333)
    """


@functional
def focal_tversky_loss(
    input: Tensor,
    target: Tensor,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 4 / 3,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    batch: bool = False,
    weight: Weight = None,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`FocalTverskyLoss`.

    Example:
        >>> import pydl
        >>> p, g = pydl.tensor([[[1.0, 1.0, 0.0]]]), pydl.tensor([[[1, 0, 0]]])
        >>> pydl.losses.focal_tversky_loss(p, g)
        tensor(0.3330)
    """
    op = "focal_tversky_loss"
    if not gamma > 0:
        raise ValueError(f"{op}(): gamma must be positive, got {gamma}")
    r = regions(op, input, target, include_background, sigmoid, softmax, ignore_index)
    loss = power(_tversky(r, alpha, beta, 1.0, batch, smooth_nr, smooth_dr), 1 / gamma)
    return _weighted(op, loss, weight, reduction)


class FocalTverskyLoss(Loss, of=focal_tversky_loss):
    """:class:`TverskyLoss` of each sample and channel raised to 1 / gamma (Abraham and Khan 2019).

    Where the Tversky loss is 0, value and derivative are 0.

    Args:
        alpha: weight of false positives. Default: 0.3.
        beta: weight of false negatives. Default: 0.7.
        gamma: above 1 it stresses regions that are missed. Default: 4/3.
        weight: a factor for each channel, applied behind the power.

    Shapes, the other arguments and errors as in :class:`DiceLoss`.

    Raises:
        ValueError: gamma <= 0.

    Example:
        >>> import pydl
        >>> p, g = pydl.tensor([[[0.5, 0.5]]]), pydl.tensor([[[1, 0]]])
        >>> pydl.losses.FocalTverskyLoss()(p, g)
        tensor(0.5946)
    """


def _class_weights(volume: Tensor, w_type: str) -> Tensor:
    """1 / volume^k per class; the largest of the others for a class that is absent, 0 if all are."""
    volume = volume.detach()
    if w_type == "uniform":
        present = (volume > 0).any(-1, True)
        return present.to(volume.dtype).expand_as(volume)
    absent = volume <= 0
    size = volume.masked_fill(absent, 1)
    # Soft targets may have volumes whose square vanishes: sums weighted by 1e30 are still finite in float32.
    weights = (1 / (size.square() if w_type == "square" else size)).clamp_max(1e30).masked_fill(absent, 0)
    return pydl.where(absent, weights.amax(-1, True), weights)


@functional
def generalized_dice_loss(
    input: Tensor,
    target: Tensor,
    w_type: Literal["square", "simple", "uniform"] = "square",
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    squared: bool = False,
    batch: bool = False,
    ignore_index: int | None = None,
    smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`GeneralizedDiceLoss`.

    Example:
        >>> import pydl
        >>> p = pydl.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
        >>> pydl.losses.generalized_dice_loss(p, pydl.tensor([[0, 0, 1]]))
        tensor(0.3333)
    """
    r = regions("generalized_dice_loss", input, target, include_background, sigmoid, softmax, ignore_index)
    common, sizes = _common_and_sizes(r, squared, batch)
    weights = _class_weights(_total(r.target, batch), w_type)
    loss = _complement(2 * (weights * common).sum(-1) + smooth_nr, (weights * sizes).sum(-1) + smooth_dr)
    return reduce(loss.reshape(-1), reduction)


class GeneralizedDiceLoss(Loss, of=generalized_dice_loss):
    """1 - (2 sum_c w_c I_c + smooth_nr) / (sum_c w_c (P_c + G_c) + smooth_dr), Sudre et al. 2017.

    Small classes weigh as much as large ones. A class that is absent from a sample takes the largest weight of those
    present (as in MONAI); if none is present all weights are 0. The weights are constants for the derivative.

    Args:
        w_type: ``"square"`` (default) w_c = 1 / (sum g_c)^2, ``"simple"`` 1 / sum g_c, ``"uniform"`` 1.

    Shapes, the other arguments and errors as in :class:`DiceLoss`; with ``"none"`` (N,), or (1,) with ``batch=True``.

    Example:
        >>> import pydl
        >>> p = pydl.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
        >>> pydl.losses.GeneralizedDiceLoss()(p, pydl.tensor([[0, 1, 1]]))
        tensor(0.)
    """
