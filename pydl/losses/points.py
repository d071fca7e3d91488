"""Losses of point sets: nearest neighbours in C++, distances and derivatives from the pairs."""

from __future__ import annotations

from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    MeanOrSum,
    Reduction,
    functional,
    indices,
    matching,
    need_dims,
    norm,
    reduce,
    shape_error,
)
from pydl.nn import functional as F

__all__ = [
    "ChamferLoss", "HausdorffLoss", "PointNet2Loss", "PointNetLoss", "chamfer_loss", "hausdorff_loss", "pointnet2_loss",
    "pointnet_loss",
]  # fmt: skip


def _clouds(op: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Two point sets as (N, P, D) and (N, M, D)."""
    need_dims(op, "input", input, "(N, P, D) or (P, D)", 2, 3)
    if target.dim() != input.dim() or target.shape[-1] != input.shape[-1] or target.shape[:-2] != input.shape[:-2]:
        expected = f"{(*input.shape[:-2], 'M', input.shape[-1])}".replace("'", "")
        raise shape_error(op, "target", expected, target)
    if input.shape[-2] == 0 or target.shape[-2] == 0:
        raise ValueError(f"{op}(): point sets must not be empty, got {input.shape[-2]} and {target.shape[-2]} points")
    target = target.to(input.dtype)
    return (input, target) if input.dim() == 3 else (input.unsqueeze(0), target.unsqueeze(0))


def to_nearest(a: Tensor, b: Tensor) -> Tensor:
    """For each point of ``a`` (N, P, D) the vector from its nearest point of ``b`` (N, M, D)."""
    with pydl.no_grad():
        nearest = pydl._knn(b.detach(), a.detach(), 1)[1].squeeze(2)  # type: ignore[attr-defined]
    batch = pydl.arange(a.shape[0]).unsqueeze(1)  # type: ignore[attr-defined]
    return a - b[batch, nearest]


def _batched(loss: Tensor, input: Tensor, reduction: str) -> Tensor:
    """Losses (N,) reduced; the only one of an unbatched input as a scalar."""
    return loss.squeeze(0) if input.dim() == 2 else reduce(loss, reduction)


@functional
def chamfer_loss(
    input: Tensor, target: Tensor, squared: bool = True, one_sided: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`ChamferLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.chamfer_loss(pydl.tensor([[0.0, 0.0]]), pydl.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor(14.)
    """
    a, b = _clouds("chamfer_loss", input, target)
    loss = None
    for one, other in ((a, b),) if one_sided else ((a, b), (b, a)):
        away = to_nearest(one, other)
        side = (away.square().sum(-1) if squared else norm(away)).mean(1)
        loss = side if loss is None else loss + side
    assert loss is not None
    return _batched(loss, input, reduction)


class ChamferLoss(Loss, of=chamfer_loss):
    """1/P sum_a min_b |a - b|^2 + 1/M sum_b min_a |a - b|^2 (Fan et al. 2017).

    Takes memory for the points alone, no P x M table. The derivative goes through the nearest neighbours.

    Shapes: input (N, P, D) or (P, D), target (N, M, D) or (M, D). With ``"none"`` (N,); without a batch a scalar
    always.

    Args:
        squared: False for distances instead of their squares. Default: True.
        one_sided: the first sum alone. Default: False.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a set without points.

    Example:
        >>> import pydl
        >>> points = pydl.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> pydl.losses.ChamferLoss()(points, points + pydl.tensor([0.0, 0.5]))
        tensor(0.5000)
    """


def _directed(a: Tensor, b: Tensor) -> Tensor:
    """max over a of min over b of |a - b|, with the derivative of the one pair that attains it."""
    away = to_nearest(a, b)
    farthest = away.detach().square().sum(-1).argmax(1)
    return norm(away[pydl.arange(a.shape[0]), farthest])  # type: ignore[attr-defined]


@functional
def hausdorff_loss(input: Tensor, target: Tensor, directed: bool = False, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`HausdorffLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.hausdorff_loss(pydl.tensor([[0.0, 0.0]]), pydl.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor(5.)
    """
    a, b = _clouds("hausdorff_loss", input, target)
    loss = _directed(a, b)
    if not directed:
        back = _directed(b, a)
        loss = pydl.where(loss >= back, loss, back)
    return _batched(loss, input, reduction)


class HausdorffLoss(Loss, of=hausdorff_loss):
    """The Hausdorff distance max(h(A, B), h(B, A)), h(A, B) = max_a min_b |a - b|.

    The derivative goes through the pair that attains the value. No P x M table is kept.

    Shapes: input (N, P, D) or (P, D), target (N, M, D) or (M, D). With ``"none"`` (N,); without a batch a scalar
    always.

    Args:
        directed: h(input, target) alone. Default: False.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a set without points.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.HausdorffLoss(directed=True)
        >>> loss(pydl.tensor([[0.0, 0.0]]), pydl.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor(1.)
    """


def _base(op: str, input: Tensor, target: Tensor, kind: str, reduction: str) -> Tensor:
    """Cross-entropy of (N, C) or (N, C, P), or squared distances of points (*, D)."""
    if kind == "cross_entropy":
        need_dims(op, "input", input, "(N, C) or (N, C, P)", 2, 3)
        target = indices(op, target, (input.shape[0], *input.shape[2:]), input.shape[1])
        return reduce(F.cross_entropy(input, target, reduction="none"), reduction)
    return squared_distances(op, input, target, reduction)


def squared_distances(
    op: str, a: Tensor, b: Tensor, reduction: str, what: tuple[str, str] = ("input", "target")
) -> Tensor:
    """|a - b|^2 of vectors (*, D), reduced over the vectors."""
    need_dims(op, what[0], a, "(*, D)", 1)
    return reduce((a - matching(op, a, b, what[1])).square().sum(-1), reduction)


@functional
def pointnet_loss(
    input: Tensor,
    target: Tensor,
    transform: Tensor | None = None,
    loss: Literal["cross_entropy", "points"] = "cross_entropy",
    reg_weight: float = 0.001,
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`PointNetLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.pointnet_loss(pydl.zeros(1, 2), pydl.tensor([1]), 2 * pydl.eye(3).unsqueeze(0), reg_weight=1.0)
        tensor(27.6931)
    """
    op = "pointnet_loss"
    value = _base(op, input, target, loss, reduction)
    if transform is None:
        return value
    if transform.dim() != 3 or transform.shape[1] != transform.shape[2]:
        raise shape_error(op, "transform", "(N, k, k)", transform)
    a = transform.to(input.dtype)
    excess = a @ a.mT - pydl.eye(a.shape[1], dtype=a.dtype)  # type: ignore[attr-defined]
    return value + reg_weight * reduce(excess.square().sum((1, 2)), "mean")


class PointNetLoss(Loss, of=pointnet_loss, takes=3):
    """A base loss + reg_weight * the mean over the batch of |A A^T - I|_F^2 (Qi et al. 2017). A scalar.

    Shapes: logits (N, C) or (N, C, P) with class indices (N,) or (N, P); with ``loss="points"`` points (*, D) alike.
    The transform A is (N, k, k), or None for the base loss alone.

    Args:
        loss: ``"cross_entropy"`` (default) or ``"points"``, the squared distances |x_i - y_i|^2.
        reg_weight: default 0.001.
        reduction: of the base loss, ``"mean"`` (default) or ``"sum"``.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> pydl.losses.PointNetLoss("points", reduction="sum")(pydl.zeros(2, 3), pydl.ones(2, 3))
        tensor(6.)
    """


@functional
def pointnet2_loss(
    input: Tensor,
    target: Tensor,
    input_features: Tensor | None = None,
    target_features: Tensor | None = None,
    loss: Literal["cross_entropy", "points"] = "cross_entropy",
    lambd: float = 1.0,
    reduction: MeanOrSum = "mean",
) -> Tensor:
    """Functional form of :class:`PointNet2Loss`.

    Example:
        >>> import pydl
        >>> points, features = pydl.zeros(2, 3), pydl.zeros(2, 4)
        >>> pydl.losses.pointnet2_loss(points, points + 1, features, features + 1, loss="points")
        tensor(7.)
    """
    op = "pointnet2_loss"
    value = _base(op, input, target, loss, reduction)
    if (input_features is None) != (target_features is None):
        raise ValueError(f"{op}(): input_features and target_features must be given together")
    if input_features is None or target_features is None:
        return value
    names = ("input_features", "target_features")
    return value + lambd * squared_distances(op, input_features, target_features, reduction, names)


class PointNet2Loss(Loss, of=pointnet2_loss, takes=4):
    """A base loss as in :class:`PointNetLoss` + lambd * the squared distances of features. A scalar.

    With cross-entropy and without features this is the loss of PointNet++ (Qi et al. 2017).

    Shapes: as in :class:`PointNetLoss`; features (*, F) of one shape, both or neither.

    Args:
        loss: ``"cross_entropy"`` (default) or ``"points"``.
        lambd: weight of the features' distances. Default: 1.
        reduction: over points and over features, ``"mean"`` (default) or ``"sum"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: features of one side only.

    Example:
        >>> import pydl
        >>> pydl.losses.PointNet2Loss()(pydl.zeros(1, 2), pydl.tensor([0]))
        tensor(0.6931)
    """
