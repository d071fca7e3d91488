"""Sums, means and maxima of rows that share an index."""

from __future__ import annotations

import pydl
from pydl import Tensor

__all__ = ["degree", "global_add_pool", "global_max_pool", "global_mean_pool", "scatter", "softmax"]

_HALF = (pydl.float16, pydl.bfloat16)
_REDUCTIONS = ("sum", "add", "mean", "max", "min", "mul")


def _groups(name: str, index: Tensor, rows: int, size: int | None) -> int:
    """The number of groups, after the index is known to fit."""
    if index.dim() != 1 or index.is_floating_point() or index.shape[0] != rows:
        raise pydl.ShapeError(
            f"{name}(): the index must be {rows} integers, one per row, got {index.dtype} of size {tuple(index.shape)}"
        )
    if not rows:
        return size or 0
    low, high = (int(v) for v in pydl.aminmax(index))
    if low < 0 or size is not None and high >= size:
        raise IndexError(f"{name}(): indices must be in [0, {high + 1 if size is None else size}), got {low} to {high}")
    return high + 1 if size is None else size


def scatter(src: Tensor, index: Tensor, dim: int = 0, dim_size: int | None = None, reduce: str = "sum") -> Tensor:
    """Joins the slices of ``src`` along ``dim`` that have the same index.

    Args:
        src: any shape.
        index: int64 of size ``(src.shape[dim],)``, the group of each slice.
        dim: where the slices lie, default 0.
        dim_size: number of groups, default ``index.max() + 1``.
        reduce: ``'sum'`` (or ``'add'``), ``'mean'``, ``'max'``, ``'min'``, ``'mul'``. A group without slices gives
            0, with ``'mul'`` 1.

    float16 and bfloat16 are joined in float32. Raises ``ShapeError`` for an index of another size, ``IndexError`` for
    indices outside ``[0, dim_size)``, ``ValueError`` for another ``reduce``.

    >>> pydl.geometric.scatter(pydl.tensor([1.0, 2.0, 4.0]), pydl.tensor([0, 2, 0]))
    tensor([5., 0., 2.])
    """
    if reduce not in _REDUCTIONS:
        raise ValueError(f"scatter(): reduce must be one of {', '.join(_REDUCTIONS)}, got {reduce!r}")
    if src.dim() == 0:
        raise pydl.ShapeError("scatter(): src must have at least one dimension")
    if not -src.dim() <= dim < src.dim():
        raise IndexError(f"scatter(): dim must be in [{-src.dim()}, {src.dim() - 1}], got {dim}")
    if dim_size is not None and dim_size < 0:
        raise ValueError(f"scatter(): dim_size must be at least 0, got {dim_size}")
    dim %= src.dim()
    sizes = list(src.shape)
    sizes[dim] = _groups("scatter", index, sizes[dim], dim_size)
    index = index.long()
    if src.dtype in _HALF and reduce not in ("max", "min"):
        # A running sum of ones in bfloat16 would end at 256.
        return _joined(src.float(), index, dim, sizes, reduce).to(src.dtype)
    return _joined(src, index, dim, sizes, reduce)


def _joined(src: Tensor, index: Tensor, dim: int, sizes: list[int], reduce: str) -> Tensor:
    if reduce in ("max", "min"):
        return src.new_zeros(sizes).index_reduce(dim, index, src, "a" + reduce, include_self=False)
    if reduce == "mul":
        return src.new_ones(sizes).index_reduce(dim, index, src, "prod", include_self=False)
    total = src.new_zeros(sizes).index_add(dim, index, src)
    if reduce != "mean":
        return total
    count = degree(index, sizes[dim], dtype=src.dtype if src.is_floating_point() else None).clamp_(min=1)
    count = count.reshape([-1 if d == dim else 1 for d in range(src.dim())])
    return total / count if src.is_floating_point() else total.div(count, rounding_mode="floor").to(src.dtype)


def degree(index: Tensor, num_nodes: int | None = None, dtype: pydl.dtype | None = None) -> Tensor:
    """How often each of ``num_nodes`` (default ``index.max() + 1``) indices stands in ``index`` (E,): ``(num_nodes,)``.

    >>> pydl.geometric.degree(pydl.tensor([0, 2, 0]), 4)
    tensor([2., 0., 1., 0.])
    """
    count = _groups("degree", index, index.shape[0] if index.dim() else 0, num_nodes)
    ones = pydl.ones(index.shape[0], dtype=pydl.float32 if dtype in _HALF else dtype)
    found = ones.new_zeros(count).index_add(0, index.long(), ones)
    return found.to(dtype) if dtype in _HALF else found


def softmax(src: Tensor, index: Tensor, num_nodes: int | None = None) -> Tensor:
    """Softmax of the rows of ``src`` (E, *) among those with the same index, as in attention over neighbours.

    >>> pydl.geometric.softmax(pydl.tensor([0.0, 1.0, 0.0]), pydl.tensor([0, 1, 0]))
    tensor([0.5000, 1.0000, 0.5000])
    """
    count = _groups("softmax", index, src.shape[0] if src.dim() else 0, num_nodes)
    index = index.long()
    # The shift is a constant of the derivative: it cancels.
    highest = scatter(src.detach(), index, 0, count, "max")
    e = (src - highest.index_select(0, index)).exp()
    total = scatter(e, index, 0, count)
    return e / total.index_select(0, index)


def _pool(name: str, x: Tensor, batch: Tensor | None, size: int | None, reduce: str) -> Tensor:
    if x.dim() != 2:
        raise pydl.ShapeError(f"{name}(): x must be of size (nodes, features), got {tuple(x.shape)}")
    if batch is None:
        batch, size = pydl.zeros(x.shape[0], dtype=pydl.int64), 1 if size is None else size
    return scatter(x, batch, 0, size, reduce)


def global_add_pool(x: Tensor, batch: Tensor | None, size: int | None = None) -> Tensor:
    """Sums the nodes of each graph: ``x`` (V, F) and ``batch`` (V,), the graph of each node, give (B, F).

    ``batch`` None: one graph. ``size``: number of graphs, default ``batch.max() + 1``. A graph without nodes gives 0.

    >>> pydl.geometric.global_add_pool(pydl.ones(3, 2), pydl.tensor([0, 0, 1]))
    tensor([[2., 2.],
            [1., 1.]])
    """
    return _pool("global_add_pool", x, batch, size, "sum")


def global_mean_pool(x: Tensor, batch: Tensor | None, size: int | None = None) -> Tensor:
    """Means of the nodes of each graph, see :func:`global_add_pool`; a graph without nodes gives 0.

    >>> pydl.geometric.global_mean_pool(pydl.tensor([[1.0], [3.0], [5.0]]), pydl.tensor([0, 0, 1]))
    tensor([[2.],
            [5.]])
    """
    return _pool("global_mean_pool", x, batch, size, "mean")


def global_max_pool(x: Tensor, batch: Tensor | None, size: int | None = None) -> Tensor:
    """Maxima of the nodes of each graph, see :func:`global_add_pool`; a graph without nodes gives 0.

    >>> pydl.geometric.global_max_pool(pydl.tensor([[1.0], [3.0], [5.0]]), pydl.tensor([0, 0, 2]))
    tensor([[3.],
            [0.],
            [5.]])
    """
    return _pool("global_max_pool", x, batch, size, "max")
