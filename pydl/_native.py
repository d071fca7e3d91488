"""Functions of torch's that give back what the layers leave out: masks, bags, indices."""

from __future__ import annotations

from typing import Any

import pydl
from pydl._C import Tensor

__all__ = ["conv_tbc", "embedding_bag", "native_dropout"]


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Dropout and its mask: elements are zero with probability `p`, the others grow by 1 / (1 - p).

    Args:
        input: of any shape, floating point.
        train: ``False``: the input as it is and a mask of ones. ``None``: as ``True``.

    Returns:
        The result and the mask, bool, both of the input's shape.

    Raises:
        RuntimeError: ``p`` outside [0, 1], or no floating point.

    Example:
        >>> import pydl
        >>> pydl.native_dropout(pydl.ones(2), 0.5, False)
        (tensor([1., 1.]), tensor([True, True]))
    """
    if train is False or p == 0:
        return input * 1, pydl.ones(input.shape, dtype=pydl.bool)
    if not 0 <= p <= 1:
        raise RuntimeError(f"native_dropout(): p must be in [0, 1], got {p}")
    if not (input.is_floating_point() or input.is_complex()):
        raise RuntimeError(f"native_dropout(): input must be of floating point, got {input.dtype}")
    kept = pydl.full(input.shape, 1 - p, dtype=pydl.float32).bernoulli().bool()
    return input * kept.to(input.dtype) * (0.0 if p == 1 else 1 / (1 - p)), kept


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """A convolution over time, of channels that stand last.

    Args:
        input: (T, B, C).
        weight: (K, C, O).
        bias: (O).
        pad: zeros on both sides. Default: 0.

    Returns:
        (T + 2 pad - K + 1, B, O).

    Raises:
        RuntimeError: sizes that do not fit.

    Example:
        >>> import pydl
        >>> pydl.conv_tbc(pydl.ones(4, 1, 2), pydl.ones(3, 2, 1), pydl.zeros(1)).flatten()
        tensor([6., 6.])
    """
    if input.dim() != 3 or weight.dim() != 3 or bias.dim() != 1:
        raise pydl.ShapeError(
            "conv_tbc(): input, weight and bias must have 3, 3 and 1 dims, got "
            f"{input.dim()}, {weight.dim()} and {bias.dim()}"
        )
    return pydl.conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """:func:`pydl.nn.functional.embedding_bag` with what its derivative is made of.

    Args:
        weight: (rows, features).
        indices: (N), of int32 or int64.
        offsets: (B), where each bag begins.
        mode: 0 sum, 1 mean, 2 maximum. Default: 0.
        scale_grad_by_freq, per_sample_weights, include_last_offset, padding_idx: as there.

    Returns:
        The values (B, features); the bag of each index (N); the number of indices of each bag, 0 for sums; for maxima
        the indices that have them (B, features), else the numbers once more.

    Raises:
        RuntimeError: another mode or dtype, sizes or offsets that do not fit. IndexError: a row that does not exist.
        NotImplementedError: ``sparse``.

    Example:
        >>> import pydl
        >>> table = pydl.tensor([[1.0], [2.0], [4.0]])
        >>> pydl.embedding_bag(table, pydl.tensor([0, 2, 1]), pydl.tensor([0, 2]), mode=2)[3]
        tensor([[2],
                [1]])
    """
    if mode not in (0, 1, 2):
        raise RuntimeError(f"embedding_bag(): mode must be 0 (sum), 1 (mean) or 2 (max), got {mode}")
    for name, given in (("indices", indices), ("offsets", offsets)):
        if given.dim() != 1 or given.dtype not in (pydl.int32, pydl.int64):
            raise RuntimeError(
                f"embedding_bag(): {name} must be a vector of int32 or int64, got {given.dtype} of {given.dim()} dims"
            )
    values = pydl.nn.functional.embedding_bag(
        indices, weight, offsets, None, 2.0, scale_grad_by_freq, ("sum", "mean", "max")[mode], sparse,
        per_sample_weights, include_last_offset, padding_idx,
    )  # fmt: skip
    bag, counts = _bags(indices, offsets, values.shape[0], include_last_offset, padding_idx, weight.shape[0])
    if mode == 0:
        none = pydl.zeros(offsets.shape, dtype=indices.dtype)
        return values, bag, none, none.clone()
    if mode == 1:
        return values, bag, counts, counts.clone()
    return values, bag, counts, _places_of_maxima(weight.detach(), indices, bag, values.detach(), padding_idx)


def _bags(
    indices: Tensor, offsets: Tensor, bags: int, include_last: bool, padding_idx: int | None, rows: int
) -> tuple[Tensor, Tensor]:
    """The bag of each index and how many indices count in each."""
    starts = offsets[:bags] if include_last else offsets
    places = pydl.arange(indices.numel(), dtype=starts.dtype)
    bag = pydl.searchsorted(starts.contiguous(), places, right=True) - 1
    counted: Any = slice(None) if padding_idx is None else indices != padding_idx % rows
    inside = bag[counted]
    if include_last:
        inside = inside[places[counted] < offsets[-1]]
    return bag.to(indices.dtype), pydl.bincount(inside, minlength=bags)[:bags].to(indices.dtype)


def _places_of_maxima(weight: Tensor, indices: Tensor, bag: Tensor, values: Tensor, padding_idx: int | None) -> Tensor:
    """The first index of each bag whose row has the maximum; 0 in a bag without indices."""
    places, bag = pydl.arange(indices.numel()), bag.long()
    if padding_idx is not None:
        kept = indices != padding_idx % weight.shape[0]
        places, bag = places[kept], bag[kept]
    rows = weight[indices.long()[places]]
    at = pydl.where(rows == values[bag], places[:, None], indices.numel())
    none = pydl.full(values.shape, indices.numel(), dtype=pydl.int64)
    first = none.scatter_reduce(0, bag[:, None].expand(rows.shape), at, "amin")
    return pydl.cat([indices, indices.new_zeros(1)])[first]
