"""Soft histograms, which have derivatives, and the distance of two images' histograms."""

from __future__ import annotations

from typing import Literal

import pydl
from pydl import Tensor
from pydl.losses._shared import Loss, Reduction, functional, need_dims, reduce, root, shape_error

__all__ = ["HistogramLoss", "histogram_loss", "soft_histogram"]


@functional
def soft_histogram(input: Tensor, bins: int = 64, value_range: tuple[float, float] = (0.0, 1.0)) -> Tensor:
    """A differentiable histogram over the last dim; each row sums to 1.

    With the centres c_k = lo + k D, D = (hi - lo) / (bins - 1), a value v, clamped to the range, gives max(0, 1 - |v -
    c_k| / D) to each bin: a share to each of its two neighbours. Takes memory for the values alone.

    Shapes: (*, L) -> (*, bins).

    Args:
        bins: at least 2. Default: 64.
        value_range: (lo, hi). Default: (0, 1).

    Raises:
        ShapeError: a tensor without dims, or rows without values.
        ValueError: fewer than two bins, or an empty range.

    Example:
        >>> import pydl
        >>> pydl.losses.soft_histogram(pydl.tensor([0.0, 0.25, 1.0, 7.0]), bins=3)
        tensor([0.3750, 0.1250, 0.5000])
    """
    op = "soft_histogram"
    need_dims(op, "input", input, "(*, L)", 1)
    low, high = value_range
    if bins < 2:
        raise ValueError(f"{op}(): bins must be at least 2, got {bins}")
    if not low < high:
        raise ValueError(f"{op}(): value_range must be rising, got {value_range}")
    if input.shape[-1] == 0:
        raise shape_error(op, "input", "(*, L) with L >= 1", input)
    place = (input.clamp(low, high) - low) * ((bins - 1) / (high - low))
    first = place.detach().nan_to_num().floor().clamp(0, bins - 2)
    share = place - first
    at = first.long()
    empty = pydl.zeros((*input.shape[:-1], bins), dtype=input.dtype)  # type: ignore[attr-defined]
    return empty.scatter_add(-1, at, 1 - share).scatter_add(-1, at + 1, share) / input.shape[-1]


@functional
def histogram_loss(
    input: Tensor,
    target: Tensor,
    bins: int = 64,
    value_range: tuple[float, float] = (0.0, 1.0),
    distance: Literal["l2", "l1", "emd", "hellinger"] = "l2",
    reduction: Reduction = "mean",
) -> Tensor:
    """Functional form of :class:`HistogramLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.histogram_loss(pydl.zeros(1, 1, 4), pydl.ones(1, 1, 9))
        tensor(2.)
    """
    op = "histogram_loss"
    need_dims(op, "input", input, "(N, C, *)", 2)
    if target.dim() < 2 or target.shape[:2] != input.shape[:2]:
        raise shape_error(op, "target", f"({input.shape[0]}, {input.shape[1]}, *)", target)
    if (input.numel() == 0 or target.numel() == 0) and 0 not in input.shape[:2]:
        raise shape_error(op, "input and target", "(N, C, *), not empty,", [tuple(input.shape), tuple(target.shape)])
    rows = [t.flatten(2) if t.dim() > 2 else t.unsqueeze(2) for t in (input, target.to(input.dtype))]
    p, q = (soft_histogram(t, bins, value_range) for t in rows)
    if distance == "l2":
        loss = (p - q).square().sum(-1)
    elif distance == "l1":
        loss = (p - q).abs().sum(-1)
    elif distance == "emd":
        loss = (p - q).cumsum(-1).abs().sum(-1) * ((value_range[1] - value_range[0]) / (bins - 1))
    else:
        loss = root((root(p) - root(q)).square().sum(-1) / 2)
    return reduce(loss, reduction)


class HistogramLoss(Loss, of=histogram_loss):
    """The distance of the soft histograms of two images, for each sample and channel.

    For embeddings there is :class:`EmbeddingHistogramLoss`.

    Shapes: input (N, C, *) and target (N, C, *'), whose numbers of pixels may differ. With ``"none"`` (N, C).

    Args:
        bins, value_range: as in :func:`soft_histogram`.
        distance: ``"l2"`` (default) sum (h - h')^2, ``"l1"`` sum |h - h'|, ``"emd"`` D sum |cumsum(h - h')| with D the
            distance of bins, ``"hellinger"`` sqrt(sum (sqrt h - sqrt h')^2 / 2).
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.
        ValueError: fewer than two bins, or an empty range.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.HistogramLoss(bins=5, distance="emd")
        >>> loss(pydl.zeros(1, 1, 4), pydl.full((1, 1, 4), 0.75))
        tensor(0.7500)
    """
