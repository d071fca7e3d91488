"""Numerical functions whose arguments take forms that no op signature has: histograms and gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pydl import _C
from pydl._C import Tensor

__all__ = ["gradient", "histogram", "histogramdd"]

_ops: Any = _C.functions


class _Histogram(NamedTuple):
    """What `histogram` and `histogramdd` return."""

    hist: Tensor
    bin_edges: Any


def _bounds(points: Tensor, limits: Sequence[float] | None) -> list[tuple[float, float]]:
    """The range of each column: given, or that of the data, widened by 1/2 on both sides where it is a point."""
    columns = points.shape[1]
    if limits is not None:
        if len(limits) != 2 * columns:
            raise RuntimeError(
                f"histogramdd(): for a {columns}-dimensional histogram range should have {2 * columns} elements, "
                f"but got {len(limits)}"
            )
        pairs = [(float(limits[2 * i]), float(limits[2 * i + 1])) for i in range(columns)]
    elif points.shape[0] == 0:
        pairs = [(0.0, 1.0)] * columns
    else:
        pairs = [(float(c.min()), float(c.max())) for c in points.detach().unbind(1)]
    for low, high in pairs:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise RuntimeError(f"histogramdd(): dimension range [{low}, {high}] is not finite")
        if low > high:
            raise RuntimeError(f"histogramdd(): min should not exceed max, but got min {low} max {high}")
    return [(low - 0.5, high + 0.5) if low == high else (low, high) for low, high in pairs]


def _edges(points: Tensor, bins: Any, limits: Sequence[float] | None) -> list[Tensor]:
    if any(isinstance(b, Tensor) for b in bins):
        if limits is not None:
            raise TypeError("histogramdd(): range is taken with numbers of bins only")
        return list(bins)
    if len(bins) != points.shape[1]:
        raise RuntimeError(f"histogramdd(): expected {points.shape[1]} bin counts, got {len(bins)}")
    for count in bins:
        if count < 1:
            raise RuntimeError(f"histogramdd(): bins must be > 0, but got {count}")
    return [
        _ops.linspace(low, high, n + 1, dtype=points.dtype) for (low, high), n in zip(_bounds(points, limits), bins)
    ]


def _density(hist: Tensor, edges: list[Tensor]) -> Tensor:
    result = hist / hist.sum()
    for d, e in enumerate(edges):
        result = result / e.diff().reshape([-1 if i == d else 1 for i in range(hist.dim())])
    return result


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """How many points fall into each cell of a grid.

    Args:
        input: points, of size (..., D): the last dim holds their coordinates.
        bins: a number of bins for all dims, D numbers, or D tensors of increasing edges. The last bin is closed on
            both sides.
        range: smallest and largest edge of each dim, 2 D numbers; those of the data by default.
        weight: how much each point counts, of size (...).
        density: divide by the sum and by the sizes of the cells.

    Returns:
        ``hist``, of D dims, and ``bin_edges``, D tensors.

    Raises:
        RuntimeError: arguments that do not fit each other, an infinite range.

    Example:
        >>> import pydl
        >>> pydl.histogramdd(pydl.tensor([[0., 1.], [1., 0.], [2., 0.]]), bins=[2, 2]).hist
        tensor([[0., 1.],
                [2., 0.]])
    """
    if input.dim() < 2:
        raise RuntimeError(f"histogramdd(): input tensor should have at least 2 dimensions, but got {input.dim()}")
    points = input.reshape(-1, input.shape[-1])
    if weight is not None and tuple(weight.shape) != tuple(input.shape[:-1]):
        raise RuntimeError(
            "histogramdd(): if weight tensor is provided it should have the same shape as the input tensor excluding "
            "its innermost dimension"
        )
    counts = [bins] * points.shape[1] if isinstance(bins, int) else list(bins)
    edges = _edges(points, counts, range)
    hist = _C.private._histogramdd(points, edges, weight)
    return _Histogram(_density(hist, edges) if density else hist, tuple(edges))


def histogram(
    input: Tensor,
    bins: Any = 100,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: Any = None,
) -> Any:
    """How many elements fall into each bin, and the edges of the bins.

    Args:
        input: a floating-point tensor of any size.
        bins: a number of bins of equal width, or a tensor of increasing edges. The last bin is closed on both sides.
        range: the smallest and the largest edge; those of the data by default.
        weight: how much each element counts, of the size of ``input``.
        density: divide by the sum and by the widths of the bins.
        out: two tensors that take the results.

    Raises:
        RuntimeError: arguments that do not fit each other, an infinite range.

    Example:
        >>> import pydl
        >>> pydl.histogram(pydl.tensor([1., 2., 1.]), bins=4, range=(0., 3.)).hist
        tensor([0., 2., 1., 0.])
    """
    if weight is not None and tuple(weight.shape) != tuple(input.shape):
        raise RuntimeError(
            "histogram(): if weight tensor is provided it should have the same shape as the input tensor"
        )
    if not isinstance(bins, (int, Tensor)):
        raise TypeError(f"histogram(): argument 'bins' must be int or Tensor, not {type(bins).__name__}")
    flat = input.reshape(-1, 1)
    found = histogramdd(
        flat, [bins], range=range, weight=None if weight is None else weight.reshape(-1), density=density
    )
    result = _Histogram(found.hist, found.bin_edges[0])
    if out is None:
        return result
    for target, value in zip(out, result):
        target.resize_(value.shape).copy_(value)
    return _Histogram(*out)


def _gradient_along(y: Tensor, d: int, spacing: Any, edge_order: int) -> Tensor:
    """Second-order central differences inside, one-sided ones at both ends (Fornberg, Math. Comp. 51 (1988))."""
    n = y.shape[d]

    def at(start: int, stop: int) -> Tensor:
        return y.narrow(d, start, stop - start)

    if not isinstance(spacing, Tensor):
        h = spacing
        inner = (at(2, n) - at(0, n - 2)) / (2 * h)
        if edge_order == 1:
            first, last = (at(1, 2) - at(0, 1)) / h, (at(n - 1, n) - at(n - 2, n - 1)) / h
        else:
            first = (-1.5 * at(0, 1) + 2 * at(1, 2) - 0.5 * at(2, 3)) / h
            last = (1.5 * at(n - 1, n) - 2 * at(n - 2, n - 1) + 0.5 * at(n - 3, n - 2)) / h
        return _ops.cat([first, inner, last], d)
    shape = [-1 if i == d else 1 for i in range(y.dim())]
    widths = spacing.diff()
    left, right = widths[:-1].reshape(shape), widths[1:].reshape(shape)
    inner = (
        -right / (left * (left + right)) * at(0, n - 2)
        + (right - left) / (left * right) * at(1, n - 1)
        + left / (right * (left + right)) * at(2, n)
    )
    if edge_order == 1:
        first, last = (at(1, 2) - at(0, 1)) / widths[0], (at(n - 1, n) - at(n - 2, n - 1)) / widths[-1]
    else:
        a, b = widths[0], widths[1]
        first = -(2 * a + b) / (a * (a + b)) * at(0, 1) + (a + b) / (a * b) * at(1, 2) - a / (b * (a + b)) * at(2, 3)
        a, b = widths[-2], widths[-1]
        last = (
            b / (a * (a + b)) * at(n - 3, n - 2)
            - (a + b) / (a * b) * at(n - 2, n - 1)
            + (2 * b + a) / (b * (a + b)) * at(n - 1, n)
        )
    return _ops.cat([first, inner, last], d)


def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> tuple[Tensor, ...]:
    """The derivative of a sampled function along each of ``dim``, by second-order differences.

    Args:
        input: samples on a grid; every dim in ``dim`` needs at least ``edge_order + 1`` of them.
        spacing: the distance of the samples, one number for each dim, or for each dim a vector of coordinates.
        dim: an int or several; all by default.
        edge_order: 1 or 2, the order of the differences at both ends.

    Returns:
        A tuple with one tensor of the size of ``input`` for each dim.

    Raises:
        RuntimeError: arguments that do not fit each other.

    Example:
        >>> import pydl
        >>> pydl.gradient(pydl.tensor([1., 4., 9., 16.]))
        (tensor([3., 4., 6., 7.]),)
    """
    dims = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    if any(not -input.dim() <= d < input.dim() for d in dims):
        raise IndexError(f"gradient(): Dimension out of range: {dims} for a tensor of {input.dim()} dims")
    dims = [d % input.dim() for d in dims]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"gradient(): dim {dims} appears multiple times in the list of dims")
    if edge_order not in (1, 2):
        raise RuntimeError("gradient(): only supports edge_order=1 and edge_order=2.")
    spacings = list(spacing) if isinstance(spacing, (list, tuple)) else [1 if spacing is None else spacing] * len(dims)
    if len(spacings) != len(dims):
        raise RuntimeError(
            f"gradient(): expected spacing to be unspecified, a scalar or a list of {len(dims)}, got {len(spacings)}"
        )
    for d, s in zip(dims, spacings):
        if input.shape[d] < edge_order + 1:
            raise RuntimeError("gradient(): expected each dimension size to be at least edge_order+1")
        if isinstance(s, Tensor) and (s.dim() != 1 or s.numel() != input.shape[d]):
            raise RuntimeError(f"gradient(): expected the coordinates of dim {d} to be a vector of {input.shape[d]}")
    values = input if input.is_floating_point() or input.is_complex() else input.to(_C.get_default_dtype())
    return tuple(_gradient_along(values, d, s, edge_order) for d, s in zip(dims, spacings))


Tensor.histogram = histogram  # type: ignore[attr-defined]
