"""Losses of embeddings by classes: centres, and margins on the angle to a class's direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.losses._shared import Loss, Reduction, functional, indices, matching, need_dims, reduce, shape_error, unit
from pydl.nn import Parameter, init
from pydl.nn import functional as F

__all__ = [
    "AngularLoss", "AngularTripletLoss", "ArcFaceLoss", "CenterLoss", "CosFaceLoss", "angular_loss",
    "angular_triplet_loss", "arcface_loss", "center_loss", "cosface_loss",
]  # fmt: skip


class _ClassLoss(Loss):
    """A loss with one learned row per class, the third argument of its function: ``class XLoss(_ClassLoss,
    of=function, rows=name of the rows, fill=their initialisation)``.
    """

    _sizes = ("num_classes", "feat_dim")
    _rows: str
    _fill: Callable[[Tensor], Tensor]

    def __init_subclass__(
        cls, rows: str = "weight", fill: Callable[[Tensor], Tensor] = init.xavier_uniform_, **kwargs: Any
    ) -> None:
        super().__init_subclass__(takes=3, **kwargs)
        cls._rows, cls._fill = rows, staticmethod(fill)

    def _make(self, num_classes: int, feat_dim: int) -> None:  # type: ignore[override]
        if num_classes < 1 or feat_dim < 1:
            kind = type(self).__name__
            raise ValueError(f"{kind}(): num_classes and feat_dim must be positive, got {num_classes} and {feat_dim}")
        self.num_classes, self.feat_dim = num_classes, feat_dim
        rows = Parameter(pydl.empty(num_classes, feat_dim))  # type: ignore[attr-defined]
        setattr(self, self._rows, rows)
        self._fill(rows)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return self._function(input, target, getattr(self, self._rows), **self._chosen())

    def extra_repr(self) -> str:
        """The sizes, and options that are not their defaults."""
        return ", ".join(filter(None, [f"{self.num_classes}, {self.feat_dim}", super().extra_repr()]))


def _checked(op: str, input: Tensor, target: Tensor, rows: Tensor, what: str) -> tuple[Tensor, Tensor]:
    need_dims(op, "input", input, "(N, D)", 2, 2)
    if rows.dim() != 2 or rows.shape[1] != input.shape[1]:
        raise shape_error(op, what, f"(num_classes, {input.shape[1]})", rows)
    return indices(op, target, input.shape[:1], rows.shape[0]), rows.to(input.dtype)


@functional
def center_loss(input: Tensor, target: Tensor, centers: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`CenterLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.center_loss(pydl.tensor([[3.0, 4.0]]), pydl.tensor([1]), pydl.zeros(2, 2))
        tensor(12.5000)
    """
    target, centers = _checked("center_loss", input, target, centers, "centers")
    return reduce((input - centers[target]).square().sum(1) / 2, reduction)


class CenterLoss(_ClassLoss, of=center_loss, rows="centers", fill=init.normal_):
    """1/2 |x_i - c_{y_i}|^2, the distance of embeddings from the learned centre of their class (Wen et al. 2016).

    Shapes: input (N, D), class indices (N,). With ``"none"`` (N,); ``"sum"`` is the paper's form.

    Args:
        num_classes: number of centres.
        feat_dim: D.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Attributes:
        centers: parameter (num_classes, feat_dim), drawn from N(0, 1).

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.CenterLoss(num_classes=2, feat_dim=3)
        >>> loss(loss.centers.detach(), pydl.tensor([0, 1]))
        tensor(0., grad_fn=<MeanBackward0>)
    """

    centers: Parameter


@functional
def angular_loss(input: Tensor, target: Tensor, weight: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`AngularLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.angular_loss(pydl.tensor([[0.0, 2.0]]), pydl.tensor([0]), pydl.eye(2))
        tensor(1.)
    """
    target, weight = _checked("angular_loss", input, target, weight, "weight")
    similarity = (unit(input) * unit(weight)[target]).sum(1)
    return reduce((1 - similarity).square(), reduction)


class AngularLoss(_ClassLoss, of=angular_loss):
    """(1 - cos theta)^2, theta the angle between an embedding and the learned direction of its class.

    A zero vector has cos theta = 0. The loss of Wang et al. 2017 is :class:`AngularTripletLoss`.

    Shapes: input (N, D), class indices (N,). With ``"none"`` (N,).

    Args:
        num_classes: number of directions.
        feat_dim: D.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Attributes:
        weight: parameter (num_classes, feat_dim), Xavier uniform.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.AngularLoss(2, 3)
        >>> loss(-loss.weight.detach(), pydl.tensor([0, 1])).item()
        4.0
    """

    weight: Parameter


@functional
def angular_triplet_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, alpha: float = 40.0, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`AngularTripletLoss`.

    Example:
        >>> import pydl
        >>> a, p, n = pydl.tensor([[[0.0, 0.0]], [[4.0, 0.0]], [[2.0, 1.0]]])
        >>> pydl.losses.angular_triplet_loss(a, p, n, alpha=45.0)
        tensor(12.)
    """
    op = "angular_triplet_loss"
    need_dims(op, "anchor", anchor, "(N, D)", 2, 2)
    if not 0 < alpha < 90:
        raise ValueError(f"{op}(): alpha must be in (0, 90) degrees, got {alpha}")
    positive, negative = matching(op, anchor, positive, "positive"), matching(op, anchor, negative, "negative")
    apart = (anchor - positive).square().sum(1)
    away = (negative - (anchor + positive) / 2).square().sum(1)
    return reduce((apart - 4 * math.tan(math.radians(alpha)) ** 2 * away).relu(), reduction)


class AngularTripletLoss(Loss, of=angular_triplet_loss, takes=3):
    """max(0, |a - p|^2 - 4 tan^2(alpha) |n - (a + p) / 2|^2): bounds the angle at the negative (Wang et al. 2017).

    Shapes: anchor, positive and negative (N, D), used as given (the paper normalises them). With ``"none"`` (N,).

    Args:
        alpha: degrees, between 0 and 90. Default: 40.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: alpha out of (0, 90).

    Example:
        >>> import pydl
        >>> a, p, n = pydl.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[9.0, 9.0]]])
        >>> pydl.losses.AngularTripletLoss()(a, p, n)
        tensor(0.)
    """


def _margin_logits(
    op: str,
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    scale: float,
    reduction: str,
    lowered: Callable[[Tensor], Tensor],
) -> Tensor:
    """Cross-entropy of scale * cosines, that of the true class lowered by a margin."""
    target, weight = _checked(op, input, target, weight, "weight")
    if len(input) == 0:
        return reduce(input.sum(1), reduction)
    cosines = unit(input) @ unit(weight).T
    true = F.one_hot(target, weight.shape[0]).to(pydl.bool)
    own = cosines.gather(1, target.unsqueeze(1))
    return reduce(F.cross_entropy(scale * pydl.where(true, lowered(own), cosines), target, reduction="none"), reduction)


@functional
def arcface_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    margin: float = 0.5,
    scale: float = 64.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`ArcFaceLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.arcface_loss(pydl.tensor([[1.0, 1.0]]), pydl.tensor([0]), pydl.eye(2), scale=1.0)
        tensor(0.9284)
    """

    def lowered(cosine: Tensor) -> Tensor:
        # Away from the ends, where the sine's derivative is infinite.
        inner = cosine.clamp(-1 + 1e-7, 1 - 1e-7)
        turned = inner * math.cos(margin) - ((1 - inner) * (1 + inner)).sqrt() * math.sin(margin)
        return pydl.where(cosine > math.cos(math.pi - margin), turned, cosine - margin * math.sin(margin))

    return _margin_logits("arcface_loss", input, target, weight, scale, reduction, lowered)


class ArcFaceLoss(_ClassLoss, of=arcface_loss):
    """Cross-entropy of scale * cos(theta_j), with cos(theta_y + margin) for the true class (Deng et al. 2019).

    theta_j is the angle between the embedding and the learned direction of class j. Where theta_y > pi - margin the
    true logit is cos(theta_y) - margin sin(margin), which keeps it falling. Derivatives are finite at 0 and pi too,
    where cosines are clamped to 1e-7 from the ends.

    Shapes: input (N, D), class indices (N,). With ``"none"`` (N,).

    Args:
        num_classes: number of directions.
        feat_dim: D.
        margin: radians. Default: 0.5.
        scale: default 64.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Attributes:
        weight: parameter (num_classes, feat_dim), Xavier uniform.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.ArcFaceLoss(10, 4)
        >>> loss(pydl.ones(2, 4), pydl.tensor([3, 7])).shape
        torch.Size([])
    """

    weight: Parameter


@functional
def cosface_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    margin: float = 0.35,
    scale: float = 64.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`CosFaceLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.cosface_loss(pydl.tensor([[1.0, 1.0]]), pydl.tensor([0]), pydl.eye(2), scale=1.0)
        tensor(0.8834)
    """
    return _margin_logits("cosface_loss", input, target, weight, scale, reduction, lambda cosine: cosine - margin)


class CosFaceLoss(_ClassLoss, of=cosface_loss):
    """Cross-entropy of scale * cos(theta_j), with cos(theta_y) - margin for the true class (Wang et al. 2018).

    Shapes, arguments, attributes and errors as in :class:`ArcFaceLoss`.

    Args:
        margin: of the cosine. Default: 0.35.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.CosFaceLoss(10, 4, reduction="none")
        >>> loss(pydl.ones(2, 4), pydl.tensor([3, 7])).shape
        torch.Size([2])
    """

    weight: Parameter
