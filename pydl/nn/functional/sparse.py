"""Sums of table rows, and distances."""

from __future__ import annotations

import pydl
from pydl import Tensor

__all__ = ["cosine_similarity", "embedding_bag", "pairwise_distance", "pdist"]

pdist = pydl.pdist


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim`` of their common shape.

    Norms count as at least ``eps``.

    Raises:
        RuntimeError: integers, or shapes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.cosine_similarity(pydl.tensor([[1.0, 0.0]]), pydl.tensor([[1.0, 1.0]]))
        tensor([0.7071])
    """
    kind = pydl.promote_types(x1.dtype, x2.dtype)
    if not kind.is_floating_point and not kind.is_complex:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {kind}")
    first, second = pydl.broadcast_tensors(x1.to(kind), x2.to(kind))
    lengths = [pydl.linalg.vector_norm(x, 2, dim, keepdim=True).clamp_min(eps) for x in (first, second)]
    return (first / lengths[0] * (second / lengths[1])).sum(dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The ``p``-norm of ``x1 - x2 + eps`` along the last dim.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.pairwise_distance(pydl.tensor([[3.0, 4.0]]), pydl.zeros(1, 2))
        tensor([5.0000])
    """
    return pydl.linalg.vector_norm(x1 - x2 + eps, p, -1, keepdim)


def _check_bags(input: Tensor, weight: Tensor, offsets: Tensor | None, mode: str, scale: bool, sparse: bool) -> None:
    if weight.dim() != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    if input.dim() not in (1, 2):
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if input.dim() == 2 and offsets is not None:
        raise ValueError(
            "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length "
            f"sequences. However, found offsets of type {type(offsets)}"
        )
    if input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if sparse:
        raise NotImplementedError("embedding_bag(): sparse gradients are not supported")


def _bag_lengths(input: Tensor, offsets: Tensor, include_last_offset: bool) -> Tensor:
    """How many indices each bag has."""
    starts = offsets.to(pydl.int64)
    if include_last_offset and starts.numel() == 0:
        raise RuntimeError("include_last_offset: number of offsets should be at least 1")
    if starts.numel() and int(starts[0]) != 0:
        raise RuntimeError(
            f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. "
            f"However, got {int(starts[0])}"
        )
    if starts.numel() and int(starts[-1]) > input.numel():
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {input.numel()} "
            f"but got offsets[-1] of {int(starts[-1])}"
        )
    ends = starts[1:] if include_last_offset else pydl.cat([starts[1:], starts.new_full((1,), input.numel())])
    lengths = ends - (starts[:-1] if include_last_offset else starts)
    if lengths.numel() and int(lengths.min()) < 0:
        raise RuntimeError("embedding_bag(): offsets have to rise")
    return lengths[: starts.numel() - include_last_offset]


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of ``weight`` that each bag of indices names.

    Shapes: input `(B, n)` for B bags of n indices, or `(N)` with ``offsets`` `(B)`, the place where each bag begins;
    weight `(rows, features)`; result `(B, features)`. A bag without indices gives zeros.

    Args:
        max_norm: longer rows among those used are shortened in place first, in the norm ``norm_type``.
        mode: ``'sum'``, ``'mean'`` or ``'max'``. Default: ``'mean'``.
        per_sample_weights: factors of the rows, in the shape of input, for ``'sum'``.
        include_last_offset: the last offset is the end of the last bag. Default: ``False``.
        padding_idx: an index that does not count.

    Raises:
        ValueError: arguments that do not go together. IndexError: a row that does not exist. RuntimeError: bad offsets.

    Example:
        >>> import pydl
        >>> table = pydl.tensor([[1.0], [2.0], [4.0]])
        >>> pydl.nn.functional.embedding_bag(pydl.tensor([0, 1, 2]), table, pydl.tensor([0, 1]), mode="sum")
        tensor([[1.],
                [6.]])
    """
    from pydl.nn.functional.linear import embedding

    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, "
            f"then it must have the same shape as the input ({input.shape})"
        )
    _check_bags(input, weight, offsets, mode, scale_grad_by_freq, sparse)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' "
            f"(got mode='{mode}')."
        )
    if padding_idx is not None:
        if not -weight.shape[0] <= padding_idx < weight.shape[0]:
            raise RuntimeError(
                f"padding_idx must be within the number of embeddings, -{weight.shape[0]} through "
                f"{weight.shape[0] - 1} but got {padding_idx}"
            )
        padding_idx %= weight.shape[0]
    plain = mode != "max" and padding_idx is None and per_sample_weights is None
    if plain and max_norm is None and not scale_grad_by_freq and weight.is_floating_point():
        return _sum_bags(input, weight, offsets, include_last_offset, mode == "mean")
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
    counts = None if padding_idx is None else input != padding_idx
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    if input.dim() == 2:
        return _reduce_rectangle(rows, counts, mode)
    assert offsets is not None
    return _reduce_ragged(rows, counts, _bag_lengths(input, offsets, include_last_offset), mode)


def _sum_bags(input: Tensor, weight: Tensor, offsets: Tensor | None, include_last: bool, mean: bool) -> Tensor:
    """Sums or means of the rows as they are picked, which never stand in memory together."""
    indices = input.reshape(-1).to(pydl.int64)
    if offsets is None:
        starts = pydl.arange(input.shape[0] + 1) * input.shape[1]
    else:
        ends = _bag_lengths(input, offsets, include_last).cumsum(0)
        starts = pydl.cat([ends.new_zeros(1), ends])
        indices = indices[: int(starts[-1])]
    return pydl._embedding_sums(weight, indices, starts, mean)


def _reduce_rectangle(rows: Tensor, counts: Tensor | None, mode: str) -> Tensor:
    """Bags of one length: (bags, n, features)."""
    bags, n, features = rows.shape
    if n == 0:
        return rows.sum(1)
    if counts is None:
        return rows.sum(1) if mode == "sum" else rows.mean(1) if mode == "mean" else rows.max(1)[0]
    seen = counts.unsqueeze(-1)
    if mode == "max":
        best = pydl.where(seen, rows, -float("inf")).max(1)[0]
        return pydl.where(counts.any(1, keepdim=True), best, 0.0)
    total = pydl.where(seen, rows, 0.0).sum(1)
    return total if mode == "sum" else total / counts.sum(1, keepdim=True).clamp_min(1)


def _reduce_ragged(rows: Tensor, counts: Tensor | None, lengths: Tensor, mode: str) -> Tensor:
    """Bags of the given lengths, one after the other: (indices, features)."""
    bags = lengths.numel()
    rows = rows[: int(lengths.sum())] if bags else rows[:0]
    bag = pydl.repeat_interleave(pydl.arange(bags), lengths)
    if counts is not None:
        kept = counts[: rows.shape[0]]
        bag, rows = bag[kept], rows[kept]
        lengths = pydl.bincount(bag, minlength=bags)
    empty = rows.new_zeros(bags, rows.shape[1])
    if mode == "max":
        index = bag.unsqueeze(1).expand(rows.shape)
        return empty.scatter_reduce(0, index, rows, "amax", include_self=False)
    total = empty.index_add(0, bag, rows)
    return total if mode == "sum" else total / lengths.clamp_min(1).unsqueeze(1).to(rows.dtype)
