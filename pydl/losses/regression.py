"""Losses of numbers: differences of two tensors of one shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    Reduction,
    functional,
    indices,
    matching,
    need_dims,
    need_range,
    need_values,
    reduce,
    root,
)
from pydl.nn import functional as F

__all__ = [
    "HingeLoss", "LogCoshLoss", "PixelwiseLoss", "RMSELoss", "ReconstructionLoss", "hinge_loss", "log_cosh_loss",
    "pixelwise_loss", "reconstruction_loss", "rmse_loss",
]  # fmt: skip


@functional
def rmse_loss(input: Tensor, target: Tensor, eps: float = 1e-12, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`RMSELoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.rmse_loss(pydl.zeros(2), pydl.tensor([3.0, 4.0]))
        tensor(3.5355)
    """
    squares = (input - matching("rmse_loss", input, target)).square()
    return root(reduce(squares, reduction) + eps)


class RMSELoss(Loss, of=rmse_loss):
    """Root mean squared error, sqrt(mean((x - y)^2) + eps).

    Shapes: input and target of one shape (*). The result is a scalar; with ``"none"`` sqrt((x - y)^2 + eps) of shape
    (*).

    Args:
        eps: keeps the derivative finite at zero error, where the value is sqrt(eps) and the derivative 0. Default:
            1e-12.
        reduction: ``"mean"`` (default) takes the mean under the root, ``"sum"`` the sum under the root.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import pydl
        >>> pydl.losses.RMSELoss()(pydl.tensor([1.0, 2.0]), pydl.tensor([1.0, 4.0]))
        tensor(1.4142)
    """


@functional
def log_cosh_loss(input: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`LogCoshLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.log_cosh_loss(pydl.zeros(1), pydl.tensor([1e4]))
        tensor(9999.3066)
    """
    error = input - matching("log_cosh_loss", input, target)
    size = error.abs()
    # Below 1 log(1 + 2 sinh^2(e / 2)), where the other form loses its digits to the difference from ln 2.
    small = size < 1
    near = (2 * (error.masked_fill(~small, 0) / 2).sinh().square()).log1p()
    far = size + F.softplus(-2 * size) - math.log(2)
    return reduce(pydl.where(small, near, far), reduction)


class LogCoshLoss(Loss, of=log_cosh_loss):
    """log(cosh(x - y)): about e^2/2 for small errors, |e| - ln 2 for large ones, with derivative tanh(e).

    Large errors are computed as |e| + softplus(-2|e|) - ln 2, which does not overflow.

    Shapes: input and target of one shape (*); with ``"none"`` the result has it too.

    Args:
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import pydl
        >>> pydl.losses.LogCoshLoss()(pydl.tensor([0.0, 2.0]), pydl.zeros(2))
        tensor(0.6625)
    """


_DIFFERENCES: dict[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss, "l1": F.l1_loss, "smooth_l1": F.smooth_l1_loss, "bce": F.binary_cross_entropy,
    "bce_logits": F.binary_cross_entropy_with_logits,
}  # fmt: skip


@functional
def reconstruction_loss(
    input: Tensor,
    target: Tensor,
    mode: Literal["mse", "l1", "bce", "bce_logits"] = "mse",
    reduction: Literal["none", "mean", "sum", "batchmean"] = "mean",
) -> Tensor:
    """Functional form of :class:`ReconstructionLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.reconstruction_loss(pydl.zeros(2, 3), pydl.ones(2, 3), reduction="batchmean")
        tensor(3.)
    """
    op = "reconstruction_loss"
    need_dims(op, "input", input, "(N, *)", 1)
    target = matching(op, input, target)
    if mode == "bce":
        need_range(op, "input (mode='bce')", input, 0, 1)
    loss = _DIFFERENCES[mode](input, target, reduction="none")
    if reduction == "batchmean":
        return loss.sum() / max(1, input.shape[0])
    return reduce(loss, reduction)


class ReconstructionLoss(Loss, of=reconstruction_loss):
    """The error of a reconstruction, by default the squared error |x - x^|^2.

    Shapes: input and target of one shape (N, *); with ``"none"`` the result has it too.

    Args:
        mode: ``"mse"`` (default), ``"l1"``, ``"bce"`` (the input holds probabilities) or ``"bce_logits"``.
        reduction: ``"mean"`` (default) averages all elements, ``"sum"`` adds them, ``"batchmean"`` adds and divides by
            N, as is usual for variational autoencoders.

    Raises:
        ShapeError: the shapes differ.
        ValueError: probabilities out of [0, 1].

    Example:
        >>> import pydl
        >>> pydl.losses.ReconstructionLoss("l1", reduction="sum")(pydl.zeros(2, 3), pydl.ones(2, 3))
        tensor(6.)
    """


@functional
def pixelwise_loss(
    input: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    loss: Literal["l1", "mse", "smooth_l1", "bce_logits", "cross_entropy"] = "l1",
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`PixelwiseLoss`.

    Example:
        >>> import pydl
        >>> a, b = pydl.zeros(1, 1, 2), pydl.tensor([[[1.0, 3.0]]])
        >>> pydl.losses.pixelwise_loss(a, b, pydl.tensor([[0, 1]]))
        tensor(3.)
    """
    op = "pixelwise_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    if loss == "cross_entropy":
        target = indices(op, target, (input.shape[0], *input.shape[2:]), input.shape[1])
        values = F.cross_entropy(input, target, reduction="none")
    else:
        values = _DIFFERENCES[loss](input, matching(op, input, target), reduction="none")
    if mask is None:
        return reduce(values, reduction)
    weight = _spread(op, mask, input, loss == "cross_entropy").expand_as(values)
    # A pixel of weight 0 does not count even where its loss is infinite.
    values = values.masked_fill((weight == 0) & ~values.isfinite(), 0) * weight
    if reduction != "mean":
        return reduce(values, reduction)
    total = weight.sum()
    return (values.sum() / total.masked_fill(total == 0, 1)).masked_fill(total == 0, 0)


def _spread(op: str, mask: Tensor, input: Tensor, indexed: bool) -> Tensor:
    """A mask (N, *) or (N, 1, *) in the input's dtype, (N, 1, *), or (N, *) for losses of indices."""
    flat, single = (input.shape[0], *input.shape[2:]), (input.shape[0], 1, *input.shape[2:])
    if tuple(mask.shape) not in (flat, single):
        raise pydl.ShapeError(f"{op}(): mask must have shape {flat} or {single}, got {tuple(mask.shape)}")
    need_range(op, "mask", mask, 0, math.inf)
    mask = mask.to(input.dtype)
    return mask.reshape(flat if indexed else single)


class PixelwiseLoss(Loss, of=pixelwise_loss, takes=3):
    """A loss per pixel l under weights m: sum(m l) / sum(m).

    Shapes: input and target (N, C, *), or for ``"cross_entropy"`` logits (N, C, *) and class indices (N, *); mask (N,
    *) or (N, 1, *), weights >= 0 for all channels, default 1. With ``"none"`` the result is m l of shape (N, C, *), or
    (N, *) for ``"cross_entropy"``.

    Args:
        loss: ``"l1"`` (default), ``"mse"``, ``"smooth_l1"`` (beta = 1), ``"bce_logits"`` or ``"cross_entropy"``.
        reduction: ``"mean"`` (default) divides by the weights, those of all channels counted; 0 for a mask of zeros.
            ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        TypeError: class indices of a floating-point dtype.
        IndexError: a class out of range.
        ValueError: a negative weight.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.PixelwiseLoss("mse")
        >>> loss(pydl.zeros(1, 2, 2), pydl.full((1, 2, 2), 3.0), pydl.tensor([[True, False]]))
        tensor(9.)
    """


@functional
def hinge_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, squared: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`HingeLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.hinge_loss(pydl.tensor([0.5, 2.0]), pydl.tensor([1, 1]), reduction="none")
        tensor([0.5000, 0.0000])
    """
    target = matching("hinge_loss", input, target)
    need_values("hinge_loss", "target", target, (-1, 1))
    loss = (margin - target * input).relu()
    return reduce(loss.square() if squared else loss, reduction)


class HingeLoss(Loss, of=hinge_loss):
    """max(0, margin - y f) of scores f and labels y in {-1, 1} (Cortes and Vapnik 1995), or its square.

    Shapes: input and target of one shape (*); with ``"none"`` the result has it too. At the corner the derivative is 0.

    Args:
        margin: default 1.
        squared: take the square. Default: False.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: a label other than -1 and 1.

    Example:
        >>> import pydl
        >>> pydl.losses.HingeLoss()(pydl.tensor([0.5, -2.0]), pydl.tensor([1, -1]))
        tensor(0.2500)
    """
