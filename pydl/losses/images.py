"""Losses of images and sequences of images: total variation, cycles, consistency in time."""

from __future__ import annotations

import functools
import operator
from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import Loss, Reduction, functional, matching, mean, need_dims, need_shape, reduce
from pydl.losses.boundary import differences, per_sample
from pydl.nn import functional as F

__all__ = [
    "CycleConsistencyLoss", "TemporalConsistencyLoss", "TotalVariationLoss", "cycle_consistency_loss",
    "temporal_consistency_loss", "total_variation_loss",
]  # fmt: skip


@functional
def total_variation_loss(
    input: Tensor, p: Literal[1, 2] = 1, average: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`TotalVariationLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.total_variation_loss(pydl.tensor([[[0.0, 1.0, 3.0]]]), p=2)
        tensor(5.)
    """
    need_dims("total_variation_loss", "input", input, "(N, C, *) with a spatial dim", 3)
    steps = differences(input) or [0 * input]
    axes = [per_sample(step.abs() if p == 1 else step.square(), average) for step in steps]
    return reduce(functools.reduce(operator.add, axes), reduction)


class TotalVariationLoss(Loss, of=total_variation_loss, takes=1):
    """The sum over the spatial axes of |x_{i+1} - x_i|^p (Rudin, Osher and Fatemi 1992, the anisotropic form).

    Shapes: input (N, C, *) with at least one spatial dim. With ``"none"`` (N,). An axis of length 1 adds 0.

    Args:
        p: 1 (default) or 2.
        average: the mean of each axis's differences instead of their sum. Default: False.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: no spatial dim.

    Example:
        >>> import pydl
        >>> pydl.losses.TotalVariationLoss()(pydl.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
        tensor(2.)
    """


@functional
def cycle_consistency_loss(
    reconstructed_x: Tensor,
    x: Tensor,
    reconstructed_y: Tensor,
    y: Tensor,
    identity_x: Tensor | None = None,
    identity_y: Tensor | None = None,
    lambda_cycle: float = 10.0,
    lambda_identity: float = 0.5,
    loss: Literal["l1", "mse"] = "l1",
) -> Tensor:
    """Functional form of :class:`CycleConsistencyLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.zeros(1, 3, 4, 4)
        >>> pydl.losses.cycle_consistency_loss(x + 1, x, x, x)
        tensor(10.)
    """
    op = "cycle_consistency_loss"

    def apart(a: Tensor, b: Tensor, what: str) -> Tensor:
        error = a - matching(op, a, b, what)
        return mean(error.abs() if loss == "l1" else error.square())

    cycle = apart(reconstructed_x, x, "x") + apart(reconstructed_y, y, "y")
    if identity_x is None or identity_y is None:
        return lambda_cycle * cycle
    identity = apart(identity_x, x, "x") + apart(identity_y, y, "y")
    return lambda_cycle * cycle + lambda_cycle * lambda_identity * identity


class CycleConsistencyLoss(Loss, of=cycle_consistency_loss, takes=6):
    """lambda_cycle (mean |G(F(x)) - x| + mean |F(G(y)) - y|), and the identity term (Zhu et al. 2017). A scalar.

    The identity term lambda_cycle lambda_identity (mean |G(x) - x| + mean |F(y) - y|) is added when both images are
    given.

    Shapes: each pair of one shape.

    Args:
        lambda_cycle: default 10.
        lambda_identity: default 0.5.
        loss: ``"l1"`` (default) or ``"mse"``.

    Raises:
        ShapeError: the shapes of a pair differ.

    Example:
        >>> import pydl
        >>> x, y = pydl.zeros(1, 3, 4, 4), pydl.ones(1, 3, 4, 4)
        >>> pydl.losses.CycleConsistencyLoss(lambda_cycle=1.0)(x, x, y, y, y, y)
        tensor(0.5000)
    """


def _warp(image: Tensor, flow: Tensor) -> Tensor:
    """image(y + flow_1, x + flow_0), bilinear, border values outside."""
    height, width = image.shape[2:]
    x = pydl.arange(width, dtype=image.dtype) + flow[:, 0]  # type: ignore[attr-defined]
    y = pydl.arange(height, dtype=image.dtype).unsqueeze(1) + flow[:, 1]  # type: ignore[attr-defined]
    grid = pydl.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)  # type: ignore[attr-defined]
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


@functional
def temporal_consistency_loss(
    input: Tensor,
    previous: Tensor,
    flow: Tensor | None = None,
    mask: Tensor | None = None,
    p: Literal[1, 2] = 1,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`TemporalConsistencyLoss`.

    Example:
        >>> import pydl
        >>> now, before = pydl.tensor([[[[1.0, 0.0]]]]), pydl.tensor([[[[0.0, 1.0]]]])
        >>> flow = pydl.tensor([[[[1.0, -1.0]], [[0.0, 0.0]]]])
        >>> pydl.losses.temporal_consistency_loss(now, before, flow)
        tensor(0.)
    """
    op = "temporal_consistency_loss"
    need_dims(op, "input", input, "(N, C, H, W)", 4, 4)
    before = matching(op, input, previous, "previous")
    count, _, height, width = input.shape
    if flow is not None:
        need_shape(op, "flow", flow, (count, 2, height, width))
        before = _warp(before, flow.to(input.dtype)) if input.numel() else before
    error = input - before
    loss = error.abs() if p == 1 else error.square()
    if mask is not None:
        need_shape(op, "mask", mask, (count, 1, height, width))
        loss = loss * mask.to(input.dtype)
    return reduce(loss, reduction)


class TemporalConsistencyLoss(Loss, of=temporal_consistency_loss, takes=4):
    """mask * |x_t - warp(x_{t-1}, flow)|^p: a frame against the one before, moved along the optical flow.

    p = 1 is the loss of Lai et al. 2018, p = 2 that of Ruder et al. 2016.

    Shapes: input and previous (N, C, H, W); flow (N, 2, H, W) in pixels, channel 0 along x: warp(y, x) = previous(y +
    flow_1, x + flow_0), bilinear, border values outside, None for no motion; mask (N, 1, H, W), 1 where valid. With
    ``"none"`` (N, C, H, W).

    Args:
        p: 1 (default) or 2.
        reduction: ``"mean"`` (default) divides by all elements, masked or not; ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> import pydl
        >>> frame = pydl.rand(1, 3, 4, 4)
        >>> pydl.losses.TemporalConsistencyLoss()(frame, frame)
        tensor(0.)
    """
