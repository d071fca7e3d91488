"""Losses of embeddings by pairs: contrastive, SimCLR, supervised contrastive, InfoNCE, Barlow twins, histograms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import (
    Loss,
    Reduction,
    cosine,
    functional,
    is_index,
    matching,
    mean_over,
    need_dims,
    need_range,
    need_shape,
    norm,
    reduce,
    shape_error,
    unit,
    widen,
)
from pydl.losses.histogram import soft_histogram
from pydl.nn import Module
from pydl.nn import functional as F

__all__ = [
    "BarlowTwinsLoss", "ContrastiveLoss", "EmbeddingHistogramLoss", "InfoNCE", "InfoNCELoss", "NTXentLoss",
    "SiameseLoss", "SupConLoss", "barlow_twins_loss", "contrastive_loss", "embedding_histogram_loss", "info_nce_loss",
    "nt_xent_loss", "siamese_loss", "supcon_loss",
]  # fmt: skip

# Takes an entry out of a log-sum-exp: finite, so that a row without entries has a derivative.
_OUT = -1e30


def _pair(op: str, a: Tensor, b: Tensor, what: str) -> Tensor:
    need_dims(op, "input1", a, "(N, D)", 2, 2)
    return matching(op, a, b, what)


def _labels(op: str, input: Tensor, target: Tensor) -> Tensor:
    need_dims(op, "input", input, "(N, D)", 2, 2)
    need_shape(op, "target", target, input.shape[:1])
    if not is_index(target):
        raise TypeError(f"{op}(): target must hold labels of an integer dtype, got {target.dtype}")
    return target.long()


def _temperature(op: str, temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"{op}(): temperature must be positive, got {temperature}")


@functional
def contrastive_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor | None = None,
    margin: float = 1.0,
    similar: Literal[0, 1] = 0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`ContrastiveLoss`.

    Example:
        >>> import pydl
        >>> a, b = pydl.zeros(2, 1), pydl.tensor([[0.5], [0.5]])
        >>> pydl.losses.contrastive_loss(a, b, pydl.tensor([0, 1]), margin=2.0, reduction="none")
        tensor([0.1250, 1.1250])
    """
    op = "contrastive_loss"
    away = input1 - _pair(op, input1, input2, "input2")
    near = away.square().sum(1) / 2
    far = (margin - norm(away)).relu().square() / 2
    if target is None:
        return reduce(near + far, reduction)
    need_shape(op, "target", target, input1.shape[:1])
    need_range(op, "target", target, 0, 1)
    y = target.to(input1.dtype)
    if similar == 1:
        y = 1 - y
    return reduce((1 - y) * near + y * far, reduction)


class ContrastiveLoss(Loss, of=contrastive_loss, takes=3):
    """(1 - y) d^2 / 2 + y max(margin - d, 0)^2 / 2 for pairs at Euclidean distance d (Hadsell et al. 2006).

    Shapes: inputs (N, D), target (N,): y = 0 for similar, 1 for dissimilar pairs. Without a target both halves are
    added for every pair. With ``"none"`` (N,). At d = 0 the derivative of d is 0.

    Args:
        margin: default 1.
        similar: 1 turns the meaning of y round. Default: 0.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a target out of [0, 1].

    Example:
        >>> import pydl
        >>> a = pydl.zeros(2, 2)
        >>> pydl.losses.ContrastiveLoss()(a, a, pydl.tensor([0, 1]))
        tensor(0.2500)
    """


_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": lambda a, b: norm(a - b),
    "sqeuclidean": lambda a, b: (a - b).square().sum(-1),
    "manhattan": lambda a, b: (a - b).abs().sum(-1),
    "cosine": lambda a, b: 1 - cosine(a, b),
}


@functional(widening=False)
def siamese_loss(
    input1: Tensor,
    input2: Tensor,
    encoder: Module | None = None,
    distance: Literal["euclidean", "sqeuclidean", "manhattan", "cosine"]
    | Callable[[Tensor, Tensor], Tensor] = "euclidean",
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`SiameseLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.siamese_loss(pydl.zeros(1, 2), pydl.tensor([[3.0, 4.0]]))
        tensor(5.)
    """
    op = "siamese_loss"
    need_shape(op, "input2", input2, input1.shape)
    input2 = input2.to(input1.dtype)
    # The encoder sees the inputs in their own dtype, the distance is of float32 at least.
    a, b = (widen(t if encoder is None else encoder(t)) for t in (input1, input2))
    need_dims(op, "the encoded input", a, "(N, *)", 1)
    a, b = (t.reshape(t.shape[0], t.numel() // max(1, t.shape[0])) for t in (a, b))
    measure = _DISTANCES[distance] if isinstance(distance, str) else distance
    loss = measure(a, b)
    need_shape(op, "the result of distance", loss, a.shape[:1])
    return reduce(loss, reduction).to(input1.dtype)


class SiameseLoss(Loss, of=siamese_loss):
    """The distance d(f(x1), f(x2)) of two inputs behind one encoder f (Bromley et al. 1993).

    Shapes: two inputs of one shape, encoded to (N, *) and flattened to (N, D). With ``"none"`` (N,).

    Args:
        encoder: a module, used for both. Default: None, the identity.
        distance: ``"euclidean"`` (default), ``"sqeuclidean"``, ``"manhattan"``, ``"cosine"`` (1 - cosine similarity),
            or a callable of two tensors (N, D) that returns (N,).
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: an unknown distance.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.SiameseLoss(pydl.nn.Identity(), "manhattan")
        >>> loss(pydl.zeros(1, 2), pydl.tensor([[3.0, 4.0]]))
        tensor(7.)
    """


@functional
def nt_xent_loss(input: Tensor, target: Tensor, temperature: float = 0.07, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`NTXentLoss`.

    Example:
        >>> import pydl
        >>> views = pydl.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        >>> pydl.losses.nt_xent_loss(views, pydl.tensor([0, 1, 0, 1]), temperature=1.0)
        tensor(0.5514)
    """
    op = "nt_xent_loss"
    labels = _labels(op, input, target)
    _temperature(op, temperature)
    z = unit(input)
    scores = z @ z.T / temperature
    same = labels.unsqueeze(1) == labels
    others = scores.masked_fill(same, _OUT).logsumexp(1) if len(labels) else scores.sum(1)
    anchor, positive = (same & ~pydl.eye(len(labels), dtype=pydl.bool)).nonzero().unbind(1)  # type: ignore[attr-defined]
    return reduce(F.softplus(others[anchor] - scores[anchor, positive]), reduction)


class NTXentLoss(Loss, of=nt_xent_loss):
    """-log(e^{s_ap/T} / (e^{s_ap/T} + sum_n e^{s_an/T})) for each ordered pair (a, p) of equal label.

    s is the cosine similarity, n runs over the items of other labels. With the labels cat([arange(N), arange(N)]) this
    is the loss of SimCLR (Chen et al. 2020).

    Shapes: input (N, D), integer labels (N,). With ``"none"`` one number per pair, ordered by (a, p). No pair gives 0.

    Args:
        temperature: T. Default: 0.07.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a temperature that is not positive.

    Example:
        >>> import pydl
        >>> pydl.losses.NTXentLoss(0.5)(pydl.eye(2), pydl.tensor([0, 1]))
        tensor(0.)
    """


@functional
def supcon_loss(input: Tensor, target: Tensor, temperature: float = 0.1, reduction: Reduction = "mean") -> Tensor:
    """Functional form of :class:`SupConLoss`.

    Example:
        >>> import pydl
        >>> views = pydl.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        >>> pydl.losses.supcon_loss(views, pydl.tensor([0, 1, 0, 1]), temperature=1.0)
        tensor(0.5514)
    """
    op = "supcon_loss"
    labels = _labels(op, input, target)
    _temperature(op, temperature)
    if len(labels) == 0:
        return reduce(input.sum(1), reduction)
    z = unit(input)
    itself = pydl.eye(len(labels), dtype=pydl.bool)  # type: ignore[attr-defined]
    scores = z @ z.T / temperature
    chances = scores - scores.masked_fill(itself, _OUT).logsumexp(1, True)
    positive = ((labels.unsqueeze(1) == labels) & ~itself).to(input.dtype)
    count = positive.sum(1)
    loss = -(chances.masked_fill(itself, 0) * positive).sum(1) / count.clamp_min(1)
    return mean_over(loss, count > 0, reduction)


class SupConLoss(Loss, of=supcon_loss):
    """-1/|P(i)| sum_{p in P(i)} log(e^{s_ip/T} / sum_{a != i} e^{s_ia/T}), the "out" form of Khosla et al. 2020.

    s is the cosine similarity, P(i) are the other items of i's label. Items without one give 0 and do not count in the
    mean.

    Shapes: input (N, D), integer labels (N,). With ``"none"`` (N,).

    Args:
        temperature: T. Default: 0.1.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a temperature that is not positive.

    Example:
        >>> import pydl
        >>> pydl.losses.SupConLoss()(pydl.eye(2), pydl.tensor([0, 1]))
        tensor(0.)
    """


@functional
def info_nce_loss(
    query: Tensor,
    positive: Tensor,
    negatives: Tensor | None = None,
    temperature: float = 0.07,
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`InfoNCELoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.info_nce_loss(pydl.eye(2), pydl.eye(2), temperature=1.0)
        tensor(0.3133)
    """
    op = "info_nce_loss"
    need_dims(op, "query", query, "(N, D)", 2, 2)
    positive = matching(op, query, positive, "positive")
    _temperature(op, temperature)
    q, p = unit(query), unit(positive)
    if negatives is None:
        scores = q @ p.T
        own = pydl.arange(len(query))  # type: ignore[attr-defined]
    else:
        if negatives.dim() != 2 or negatives.shape[1] != query.shape[1]:
            raise shape_error(op, "negatives", f"(M, {query.shape[1]})", negatives)
        scores = pydl.cat([(q * p).sum(1, True), q @ unit(negatives.to(query.dtype)).T], 1)  # type: ignore[attr-defined]
        own = pydl.zeros(len(query), dtype=pydl.int64)  # type: ignore[attr-defined]
    if len(query) == 0:
        return reduce(query.sum(1), reduction)
    return reduce(F.cross_entropy(scores / temperature, own, reduction="none"), reduction)


class InfoNCELoss(Loss, of=info_nce_loss, takes=3):
    """-log softmax of the positive's cosine similarity / T among the negatives (van den Oord et al. 2018).

    Shapes: query and positive (N, D); negatives (M, D), shared by all queries, or None: the other rows of
    ``positive``. With ``"none"`` (N,). Also called ``InfoNCE``.

    Args:
        temperature: T. Default: 0.07.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: a temperature that is not positive.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.InfoNCELoss(temperature=1.0)
        >>> loss(pydl.tensor([[2.0, 0.0]]), pydl.tensor([[1.0, 0.0]]), pydl.tensor([[0.0, 1.0]]))
        tensor(0.3133)
    """


InfoNCE = InfoNCELoss


@functional
def embedding_histogram_loss(input: Tensor, target: Tensor, bins: int = 151) -> Tensor:
    """Functional form of :class:`EmbeddingHistogramLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
        >>> pydl.losses.embedding_histogram_loss(x, pydl.tensor([0, 0, 1]))
        tensor(0.)
    """
    op = "embedding_histogram_loss"
    labels = _labels(op, input, target)
    if bins < 2:
        raise ValueError(f"{op}(): bins must be at least 2, got {bins}")
    z = unit(input)
    first, second = pydl.triu_indices(len(labels), len(labels), 1).unbind(0)  # type: ignore[attr-defined]
    scores = (z @ z.T)[first, second]
    same = labels[first] == labels[second]
    if same.all() or not same.any():
        return scores.sum() * 0
    like, unlike = (soft_histogram(s, bins, (-1.0, 1.0)) for s in (scores[same], scores[~same]))
    return (unlike * like.cumsum(0)).sum()


class EmbeddingHistogramLoss(Loss, of=embedding_histogram_loss):
    """sum_r h-_r sum_{q <= r} h+_q: the chance that a negative pair is more alike than a positive one.

    h+ and h- are the soft histograms over [-1, 1] of the cosine similarities of the pairs i < j of equal and of
    different labels (Ustinova and Lempitsky 2016).

    Shapes: input (N, D), integer labels (N,). A scalar, 0 if either kind of pair is missing.

    Args:
        bins: number of bins, at least 2. Default: 151.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: fewer than two bins.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
        >>> pydl.losses.EmbeddingHistogramLoss()(x, pydl.tensor([0, 0, 1]))
        tensor(1.)
    """


@functional
def barlow_twins_loss(input1: Tensor, input2: Tensor, lambd: float = 0.005, eps: float = 1e-5) -> Tensor:
    """Functional form of :class:`BarlowTwinsLoss`.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[1.0, 1.0], [-1.0, -1.0]])
        >>> pydl.losses.barlow_twins_loss(x, x, lambd=0.5, eps=0.0)
        tensor(1.)
    """
    op = "barlow_twins_loss"
    other = _pair(op, input1, input2, "input2")
    if len(input1) < 2:
        raise shape_error(op, "input1", "(N, D) with N >= 2", input1)
    a, b = (_standardised(x, eps) for x in (input1, other))
    correlation = a.T @ b / len(input1)
    equal = pydl.eye(correlation.shape[0], dtype=pydl.bool)  # type: ignore[attr-defined]
    unequal = correlation.masked_fill(equal, 0).square().sum()
    return (1 - correlation.diagonal()).square().sum() + lambd * unequal


def _standardised(x: Tensor, eps: float) -> Tensor:
    centred = x - x.mean(0)
    variance = centred.square().mean(0) + eps
    return centred / variance.masked_fill(variance == 0, 1).sqrt()


class BarlowTwinsLoss(Loss, of=barlow_twins_loss):
    """sum_i (1 - c_ii)^2 + lambd sum_{i != j} c_ij^2 of the cross-correlation c = z1^T z2 / N (Zbontar et al. 2021).

    z is the input standardised over the batch with the biased variance, (x - mean) / sqrt(var + eps), as BatchNorm
    does.

    Shapes: inputs (N, D), N >= 2. A scalar.

    Args:
        lambd: weight of the redundancy between dims. Default: 0.005.
        eps: default 1e-5.

    Raises:
        ShapeError: the shapes differ, or N < 2.

    Example:
        >>> import pydl
        >>> x = pydl.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        >>> pydl.losses.BarlowTwinsLoss(eps=0.0)(x, x)
        tensor(0.)
    """
