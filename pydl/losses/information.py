"""Losses from statistics and information theory: correlation, mutual information, divergence, entropy, distillation."""

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
    need_shape,
    reduce,
    root,
    shape_error,
    xlogx,
)
from pydl.losses.boundary import per_sample
from pydl.nn import functional as F

__all__ = [
    "CrossCorrelationLoss", "DistillationLoss", "EntropyRegularizedLoss", "JSDivLoss", "JensenShannonLoss", "MINELoss",
    "MutualInformationLoss", "cross_correlation_loss", "distillation_loss", "entropy", "entropy_regularized_loss",
    "jensen_shannon_loss", "js_div_loss", "mine_loss", "mutual_information", "mutual_information_loss",
]  # fmt: skip

_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _global_correlation(x: Tensor, y: Tensor, eps: float) -> Tensor:
    x, y = (t.reshape(t.shape[0], t.numel() // max(1, t.shape[0])) for t in (x, y))
    if x.shape[1] == 0:
        return x.sum(1)
    x, y = x - x.mean(1, True), y - y.mean(1, True)
    deviation = root(x.square().mean(1)) * root(y.square().mean(1))
    return (x * y).mean(1) / deviation.clamp_min(eps)


def _local_correlation(op: str, x: Tensor, y: Tensor, kernel_size: int, eps: float) -> Tensor:
    spatial = x.dim() - 2
    if spatial not in _POOLS:
        raise shape_error(op, "input", "(N, C, *) with 1 to 3 spatial dims for mode='local'", x)
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"{op}(): kernel_size must be odd and positive, got {kernel_size}")
    if x.numel() == 0:
        return x * y
    volume = kernel_size**spatial
    # Differences of sums of squares: float32 would leave nothing but rounding errors of a flat window.
    dtype, (x, y) = x.dtype, (x.double(), y.double())

    def window(t: Tensor) -> Tensor:
        return volume * _POOLS[spatial](t, kernel_size, stride=1, padding=kernel_size // 2)

    sum_x, sum_y = window(x), window(y)
    variance_x = (window(x * x) - sum_x.square() / volume).clamp_min(0)
    variance_y = (window(y * y) - sum_y.square() / volume).clamp_min(0)
    cross = window(x * y) - sum_x * sum_y / volume
    return (cross.square() / (variance_x * variance_y + eps)).to(dtype)


@functional
def cross_correlation_loss(
    input: Tensor,
    target: Tensor,
    mode: Literal["global", "local", "outer"] = "global",
    kernel_size: int = 9,
    eps: float = 1e-5,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`CrossCorrelationLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[[1.0, 2.0, 3.0]]])
        >>> pydl.losses.cross_correlation_loss(x, -x)
        tensor(1.)
    """
    op = "cross_correlation_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    target = matching(op, input, target)
    if mode == "global":
        return reduce(-_global_correlation(input, target, eps), reduction)
    if mode == "local":
        return reduce(-_local_correlation(op, input, target, kernel_size, eps), reduction)
    return reduce(-per_sample(input, False) * per_sample(target, False), reduction)


class CrossCorrelationLoss(Loss, of=cross_correlation_loss):
    """Minus the correlation of two images.

    Shapes: input and target (N, C, *). With ``"none"`` (N,), for ``"local"`` (N, C, *).

    Args:
        mode: ``"global"`` (default): Pearson's coefficient over all elements of a sample, cov / max(sqrt(var var),
            eps), 0 for a constant image. ``"local"``: cross^2 / (var_x var_y + eps) in a window at each pixel and
            channel, zero padding, sums over the full window (VoxelMorph, Balakrishnan et al. 2019). ``"outer"``: sum_i
            sum_j x_i y_j = (sum x) (sum y).
        kernel_size: odd side of the window. Default: 9.
        eps: default 1e-5.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ, or there are not 1 to 3 spatial dims for ``"local"``.
        ValueError: an even window.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[[1.0, 2.0, 3.0]]])
        >>> pydl.losses.CrossCorrelationLoss("outer")(x, x)
        tensor(-36.)
    """


def _information(
    op: str,
    input: Tensor,
    target: Tensor,
    num_bins: int,
    sigma_ratio: float,
    value_range: tuple[float, float],
    eps: float,
) -> Tensor:
    need_dims(op, "input", input, "(N, *)", 1)
    target = matching(op, input, target)
    low, high = value_range
    if num_bins < 2 or not sigma_ratio > 0 or not low < high:
        raise ValueError(
            f"{op}(): num_bins must be at least 2, sigma_ratio positive and value_range rising, "
            f"got {num_bins}, {sigma_ratio} and {value_range}"
        )
    count = input.numel() // max(1, input.shape[0])
    if count == 0:
        return input.reshape(input.shape[0], 0).sum(1)
    centres = pydl.linspace(low, high, num_bins, dtype=input.dtype)  # type: ignore[attr-defined]
    sigma = sigma_ratio * (high - low) / (num_bins - 1)
    shares = []
    for values in (input, target):
        offset = values.reshape(input.shape[0], count, 1).clamp(low, high) - centres
        shares.append((-(offset / sigma).square() / 2).softmax(-1))
    joint = shares[0].mT @ shares[1] / count
    alone = joint.sum(2, True) @ joint.sum(1, True)
    return (joint * ((joint + eps).log() - (alone + eps).log())).sum((1, 2))


@functional
def mutual_information(
    input: Tensor,
    target: Tensor,
    num_bins: int = 23,
    sigma_ratio: float = 0.5,
    value_range: tuple[float, float] = (0.0, 1.0),
    eps: float = 1e-7,
    reduction: Reduction = "mean",
) -> Tensor:
    """The mutual information of two images in nats, minus :class:`MutualInformationLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[0.0, 1.0]])
        >>> pydl.losses.mutual_information(x, x, num_bins=2, sigma_ratio=0.1)
        tensor(0.6931)
    """
    args = (num_bins, sigma_ratio, value_range, eps)
    return reduce(_information("mutual_information", input, target, *args), reduction)


@functional
def mutual_information_loss(
    input: Tensor,
    target: Tensor,
    num_bins: int = 23,
    sigma_ratio: float = 0.5,
    value_range: tuple[float, float] = (0.0, 1.0),
    eps: float = 1e-7,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`MutualInformationLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[0.0, 1.0]])
        >>> pydl.losses.mutual_information_loss(x, 1 - x, num_bins=2, sigma_ratio=0.1)
        tensor(-0.6931)
    """
    args = (num_bins, sigma_ratio, value_range, eps)
    return -reduce(_information("mutual_information_loss", input, target, *args), reduction)


class MutualInformationLoss(Loss, of=mutual_information_loss):
    """Minus the mutual information of two images from a joint histogram with Parzen windows (Viola and Wells 1997).

    Values clamped to the range belong to the bin of centre b_k by exp(-(v - b_k)^2 / (2 sigma^2)), normalised over the
    bins, sigma = sigma_ratio times their distance. With p_ab the mean over the pixels of the products of these weights
    and p_a, p_b its marginals, I = sum p_ab (log(p_ab + eps) - log(p_a p_b + eps)), in nats.

    Shapes: input and target of one shape (N, *). With ``"none"`` (N,).

    Args:
        num_bins: default 23.
        sigma_ratio: default 0.5.
        value_range: of the first and the last centre. Default: (0, 1).
        eps: default 1e-7.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: fewer than two bins, a ratio that is not positive, an empty range.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.MutualInformationLoss(num_bins=4, sigma_ratio=0.1)
        >>> x = pydl.tensor([[0.0, 0.33333, 0.66667, 1.0]])
        >>> loss(x, x)
        tensor(-1.3863)
    """


@functional
def mine_loss(joint: Tensor, marginal: Tensor) -> Tensor:
    """Functional form of :class:`MINELoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.mine_loss(pydl.tensor([1.0, 3.0]), pydl.zeros(3))
        tensor(-2.)
    """
    op = "mine_loss"
    need_dims(op, "joint", joint, "(N,)", 1, 1)
    need_dims(op, "marginal", marginal, "(M,)", 1, 1)
    if len(joint) == 0 or len(marginal) == 0:
        raise ValueError(f"{op}(): scores must not be empty, got {len(joint)} and {len(marginal)}")
    return marginal.to(joint.dtype).logsumexp(0) - math.log(len(marginal)) - joint.mean()


class MINELoss(Loss, of=mine_loss):
    """Minus the Donsker-Varadhan bound of mutual information, -(mean T(joint) - log mean exp T(marginal)) (Belghazi et
    al. 2018).

    Takes the scores of the statistics network on pairs drawn together and apart.

    Shapes: joint (N,), marginal (M,). A scalar.

    Raises:
        ShapeError: other than one dim.
        ValueError: no scores.

    Example:
        >>> import pydl
        >>> pydl.losses.MINELoss()(pydl.tensor([1e4]), pydl.tensor([1e4, 1e4]))
        tensor(0.)
    """


@functional
def js_div_loss(
    input: Tensor, target: Tensor, dim: int = -1, from_logits: bool = False, reduction: Reduction = "mean"
) -> Tensor:
    """Functional form of :class:`JSDivLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.js_div_loss(pydl.tensor([1.0, 0.0]), pydl.tensor([0.0, 1.0]))
        tensor(0.6931)
    """
    op = "js_div_loss"
    need_dims(op, "input", input, "with a dim of classes", 1)
    target = matching(op, input, target)
    if from_logits:
        p, q = input.softmax(dim), target.softmax(dim)
    else:
        p, q = input, target
        need_range(op, "input", p, 0, math.inf)
        need_range(op, "target", q, 0, math.inf)
    # The larger of the two is divided out, as a constant, so that no square of a small number vanishes: the sum is
    # homogeneous of degree 1.
    scale = pydl.maximum(p, q).detach()
    one = scale.masked_fill(scale < pydl.finfo(p.dtype).tiny, 1)
    p, q = p / one, q / one
    return reduce((scale * (_to_middle(p, q) + _to_middle(q, p))).sum(dim) / 2, reduction)


def _to_middle(p: Tensor, q: Tensor) -> Tensor:
    """p log(p / m) with m = (p + q) / 2; where the two are close as a function of (q - p) / p, so that equal
    distributions leave no rounding error.
    """
    none = p < pydl.finfo(p.dtype).tiny
    close = (p > q / 4) & ~none
    ratio = (q - p).masked_fill(~close, 0) / (2 * p.masked_fill(~close, 1))
    apart = p.masked_fill(close | none, 1).log() - ((p + q) / 2).masked_fill(close | none, 1).log()
    return (p * pydl.where(close, -ratio.log1p(), apart)).masked_fill(none, 0)


class JSDivLoss(Loss, of=js_div_loss):
    """1/2 KL(p || m) + 1/2 KL(q || m) with m = (p + q) / 2, in nats: symmetric, 0 for p = q, at most ln 2 (Lin 1991).

    Shapes: input and target of one shape, probabilities along ``dim`` (0 log 0 = 0). With ``"none"`` the shape without
    ``dim``. Also called ``JensenShannonLoss``.

    Args:
        dim: of the distributions. Default: -1.
        from_logits: both are logits. Default: False.
        reduction: ``"mean"`` (default, over distributions), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: negative probabilities.

    Example:
        >>> import pydl
        >>> pydl.losses.JSDivLoss(from_logits=True)(pydl.zeros(2, 3), pydl.zeros(2, 3))
        tensor(0.)
    """


JensenShannonLoss = JSDivLoss
jensen_shannon_loss = js_div_loss


@functional
def entropy(input: Tensor, dim: int = 1, from_logits: bool = True, reduction: Reduction = "mean") -> Tensor:
    """Shannon's entropy -sum p log p over ``dim`` in nats, with 0 log 0 = 0.

    Shapes: logits or probabilities (N, C, *), or (C,) with ``dim=0``. With ``"none"`` the shape without ``dim``.

    Args:
        dim: of the classes. Default: 1.
        from_logits: False for probabilities. Default: True.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        IndexError: no such dim.
        ValueError: probabilities out of [0, 1].

    Example:
        >>> import pydl
        >>> pydl.losses.entropy(pydl.zeros(1, 4))
        tensor(1.3863)
    """
    need_dims("entropy", "input", input, "with a dim of classes", 1)
    if not from_logits:
        need_range("entropy", "input", input, 0, 1)
        return reduce(-xlogx(input).sum(dim), reduction)
    logarithms = input.log_softmax(dim)
    # Infinite logits have probability 0; times their logarithm they would make NaN.
    return reduce(-(logarithms.exp() * logarithms.clamp_min(-1e30)).sum(dim), reduction)


@functional
def entropy_regularized_loss(
    input: Tensor,
    target: Tensor,
    base: Callable[[Tensor, Tensor], Tensor] | None = None,
    weight: float = 0.1,
    mode: Literal["confidence_penalty", "minimize"] = "confidence_penalty",
) -> Tensor:
    """Functional form of :class:`EntropyRegularizedLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.entropy_regularized_loss(pydl.zeros(1, 2), pydl.tensor([0]), weight=1.0)
        tensor(0.)
    """
    need_dims("entropy_regularized_loss", "input", input, "(N, C, *)", 2)
    if base is None and target.shape != input.shape:
        need_shape("entropy_regularized_loss", "target", target, (input.shape[0], *input.shape[2:]))
    value = F.cross_entropy(input, target) if base is None else base(input, target)
    spread = entropy(input)
    return value - weight * spread if mode == "confidence_penalty" else value + weight * spread


class EntropyRegularizedLoss(Loss, of=entropy_regularized_loss):
    """base(x, y) minus or plus weight * the mean entropy of softmax(x). A scalar.

    Shapes: logits (N, C, *); the target as ``base`` wants it.

    Args:
        base: callable of input and target. Default: cross-entropy.
        weight: default 0.1.
        mode: ``"confidence_penalty"`` (default) subtracts the entropy, against predictions that are too sure (Pereyra
            et al. 2017); ``"minimize"`` adds it (Grandvalet and Bengio 2005).

    Raises:
        ShapeError: fewer than two dims.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.EntropyRegularizedLoss(weight=1.0, mode="minimize")
        >>> loss(pydl.zeros(1, 2), pydl.tensor([0]))
        tensor(1.3863)
    """


@functional
def distillation_loss(
    input: Tensor,
    teacher: Tensor,
    target: Tensor | None = None,
    temperature: float = 4.0,
    alpha: float = 0.5,
    soft_weight: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`DistillationLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.distillation_loss(pydl.zeros(1, 2), pydl.zeros(1, 2), pydl.tensor([1]))
        tensor(0.3466)
    """
    op = "distillation_loss"
    need_dims(op, "input", input, "(N, C)", 2, 2)
    if not temperature > 0:
        raise ValueError(f"{op}(): temperature must be positive, got {temperature}")
    soft = (matching(op, input, teacher, "teacher").detach() / temperature).log_softmax(1)
    own = (input / temperature).log_softmax(1)
    loss = (soft_weight * temperature**2) * (soft.exp() * (soft - own)).sum(1)
    if target is not None:
        labels = indices(op, target, input.shape[:1], input.shape[1])
        loss = loss + alpha * F.cross_entropy(input, labels, reduction="none")
    return reduce(loss, reduction)


class DistillationLoss(Loss, of=distillation_loss, takes=3):
    """soft_weight * T^2 * KL(softmax(t / T) || softmax(s / T)) + alpha * cross-entropy(s, target) (Hinton et al. 2015).

    The teacher is a constant.

    Shapes: logits of the student and of the teacher (N, C); class indices (N,), or None for the first term alone. With
    ``"none"`` (N,).

    Args:
        temperature: T. Default: 4.
        alpha: weight of the labels. Default: 0.5.
        soft_weight: weight of the teacher; 1 - alpha gives the convex form. Default: 1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        IndexError: a class out of range.
        ValueError: a temperature that is not positive.

    Example:
        >>> import pydl
        >>> student, teacher = pydl.zeros(1, 2), pydl.tensor([[2.0, 0.0]])
        >>> pydl.losses.DistillationLoss(temperature=1.0)(student, teacher)
        tensor(0.3278)
    """
