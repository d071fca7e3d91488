"""Rearranging, indexing, searching, sorting and sets of the array API standard."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.array_api._arrays import promoted

__all__ = [
    "argmax", "argmin", "argsort", "broadcast_arrays", "broadcast_to", "concat", "count_nonzero", "diff",
    "expand_dims", "flip", "moveaxis", "nonzero", "permute_dims", "repeat", "reshape", "roll", "searchsorted", "sort",
    "squeeze", "stack", "take", "take_along_axis", "tile", "unique_all", "unique_counts", "unique_inverse",
    "unique_values", "unstack", "where",
]  # fmt: skip

_C: Any = pydl
_All = namedtuple("_All", "values indices inverse_indices counts")
_Counts = namedtuple("_Counts", "values counts")
_Inverse = namedtuple("_Inverse", "values inverse_indices")


# ---- shapes ----------------------------------------------------------------------------------------------------


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """The arrays with their common shape, as views.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> [a.shape for a in xp.broadcast_arrays(xp.ones((2, 1)), xp.ones(3))]
        [torch.Size([2, 3]), torch.Size([2, 3])]
    """
    return list(pydl.broadcast_tensors(*arrays)) if arrays else []


def broadcast_to(x: Tensor, /, shape: Any) -> Tensor:
    """``x`` with another shape, as a view.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.broadcast_to(xp.arange(2), (2, 2))
        tensor([[0, 1],
                [0, 1]])
    """
    return x.expand(tuple(shape))


def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """Arrays one after the other along ``axis``; flattened first when it is None.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.concat([xp.zeros(1), xp.ones(2)])
        tensor([0., 1., 1.])
    """
    parts = promoted(*arrays)
    return _C.cat([p.reshape(-1) for p in parts], 0) if axis is None else _C.cat(parts, axis)


def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """Arrays beside each other along a new axis.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.stack([xp.zeros(2), xp.ones(2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    return _C.stack(promoted(*arrays), axis)


def expand_dims(x: Tensor, /, axis: int = 0) -> Tensor:
    """A new axis of size 1. Raises IndexError for an axis out of range.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.expand_dims(xp.ones(3), 1).shape
        torch.Size([3, 1])
    """
    return x.unsqueeze(axis)


def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """The elements in reverse order along ``axis``, by default all.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.flip(xp.arange(3))
        tensor([2, 1, 0])
    """
    dims = tuple(range(x.dim())) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    return _C.flip(x, dims)


def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Axes at other places, the others in their order.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.moveaxis(xp.ones((2, 3, 4)), 0, -1).shape
        torch.Size([3, 4, 2])
    """
    return _C.movedim(x, source, destination)


def permute_dims(x: Tensor, /, axes: Any) -> Tensor:
    """The axes in another order.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.permute_dims(xp.ones((2, 3, 4)), (2, 0, 1)).shape
        torch.Size([4, 2, 3])
    """
    return x.permute(tuple(axes))


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element ``repeats`` times along ``axis``; flattened first when it is None.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.repeat(xp.arange(2), 2)
        tensor([0, 0, 1, 1])
    """
    source, dim = (x.reshape(-1), 0) if axis is None else (x, axis)
    counts = repeats.numpy() if isinstance(repeats, Tensor) else repeats
    places = np.repeat(np.arange(source.shape[dim]), counts)
    return source.index_select(dim, pydl.from_numpy(places))


def reshape(x: Tensor, /, shape: Any, *, copy: bool | None = None) -> Tensor:
    """Another shape with the same elements. Raises ValueError if ``copy`` is False and the memory does not allow it.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.reshape(xp.arange(4), (2, 2))
        tensor([[0, 1],
                [2, 3]])
    """
    if copy is False:
        try:
            return x.view(tuple(shape))
        except RuntimeError as error:
            raise ValueError(str(error)) from None
    return x.clone().reshape(tuple(shape)) if copy else x.reshape(tuple(shape))


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """The elements moved around along ``axis``; over the flattened array when it is None.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.roll(xp.arange(4), 1)
        tensor([3, 0, 1, 2])
    """
    if axis is None:
        return _C.roll(x.reshape(-1), shift, 0).reshape(x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    for s, a in zip(shifts, axes):
        x = _C.roll(x, s, a)
    return x


def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """Without ``axis``. Raises ValueError if its size is not 1.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.squeeze(xp.ones((1, 3)), 0).shape
        torch.Size([3])
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -x.dim() <= a < x.dim():
            raise IndexError(f"squeeze(): axis {a} is out of range for {x.dim()} dims")
        if x.shape[a] != 1:
            raise ValueError(f"squeeze(): cannot squeeze axis {a} of size {x.shape[a]}")
    return x.squeeze(axes) if axes else x


def tile(x: Tensor, repetitions: Any, /) -> Tensor:
    """``x`` repeated along each axis.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.tile(xp.arange(2), (2,))
        tensor([0, 1, 0, 1])
    """
    return _C.tile(x, tuple(repetitions))


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts along ``axis``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.unstack(xp.asarray([[1.0, 2.0], [3.0, 4.0]]))
        (tensor([1., 2.]), tensor([3., 4.]))
    """
    return tuple(_C.unbind(x, axis))


def diff(x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours along ``axis``, ``n`` times, after ``prepend`` and ``append`` were put at the ends.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.diff(xp.asarray([3.0, 1.0, 2.0]))
        tensor([-2.,  1.])
    """
    parts = [p for p in (prepend, x, append) if p is not None]
    x = concat(parts, axis=axis) if len(parts) > 1 else x
    for _ in range(n):
        size = x.shape[axis]
        if size == 0:
            break
        upper, lower = x.narrow(axis, 1, size - 1), x.narrow(axis, 0, size - 1)
        x = upper ^ lower if x.dtype is pydl.bool else upper - lower
    return x


# ---- indexing and searching ------------------------------------------------------------------------------------


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """The elements at ``indices`` along ``axis``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.take(xp.asarray([3.0, 1.0, 2.0]), xp.asarray([2, 0]))
        tensor([2., 3.])
    """
    if axis is None:
        if x.dim() != 1:
            raise ValueError("take(): axis may be left out for one-dimensional arrays alone")
        axis = 0
    dim = axis % max(x.dim(), 1)
    found = x.index_select(dim, indices.reshape(-1).to(pydl.int64))
    return found.reshape(tuple(x.shape[:dim]) + tuple(indices.shape) + tuple(x.shape[dim + 1 :]))


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """For each place the element of its line along ``axis`` that ``indices`` names.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.take_along_axis(xp.asarray([[1.0, 2.0], [3.0, 4.0]]), xp.asarray([[1], [0]]), axis=1)
        tensor([[2.],
                [3.]])
    """
    index = indices.to(pydl.int64)
    size = x.shape[axis]
    return _C.take_along_dim(x, _C.where(index < 0, index + size, index), axis)


def _flat_axis(x: Tensor, axis: int | None) -> tuple[Tensor, int]:
    return (x.reshape(-1), 0) if axis is None else (x, axis)


def _extreme(name: str, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    values, dim = _flat_axis(x, axis)
    found = getattr(pydl, name)(values, dim, keepdims if axis is not None else False)
    return found.reshape((1,) * x.dim()) if axis is None and keepdims else found


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element is; in the flattened array without ``axis``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.argmax(xp.asarray([3.0, 1.0, 2.0]))
        tensor(0)
    """
    return _extreme("argmax", x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element is; in the flattened array without ``axis``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.argmin(xp.asarray([3.0, 1.0, 2.0]))
        tensor(1)
    """
    return _extreme("argmin", x, axis, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not zero.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.count_nonzero(xp.asarray([0, 3, 4]))
        tensor(2)
    """
    from pydl.array_api._statistics import sum as total

    return total(x != 0, axis=axis, dtype=pydl.int64, keepdims=keepdims)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The places of elements that are not zero, one vector for each axis.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.nonzero(xp.asarray([0, 3, 4]))
        (tensor([1, 2]),)
    """
    if x.dim() == 0:
        raise ValueError("nonzero(): the array must have at least one dimension")
    return tuple(x.nonzero(as_tuple=True))


def searchsorted(x1: Tensor, x2: Any, /, *, side: str = "left", sorter: Tensor | None = None) -> Tensor:
    """Where the elements of ``x2`` belong in the sorted vector ``x1`` (or ``x1[sorter]``).

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.searchsorted(xp.asarray([1.0, 2.0, 3.0]), xp.asarray([2.5]))
        tensor([2])
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted(): side must be 'left' or 'right', got {side!r}")
    a, b = promoted(x1 if sorter is None else take(x1, sorter), x2)
    return pydl.from_numpy(np.asarray(np.searchsorted(a.numpy(), b.numpy(), side=side), np.int64))  # type: ignore[call-overload]


def where(condition: Tensor, x1: Any, x2: Any, /) -> Tensor:
    """``x1`` where the condition holds, else ``x2``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.where(xp.asarray([True, False]), xp.asarray([1, 2]), xp.asarray([3, 4]))
        tensor([1, 4])
    """
    a, b = promoted(x1, x2)
    return _C.where(condition, a, b)


# ---- order and sets --------------------------------------------------------------------------------------------


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places of the elements in sorted order; equal elements keep their order.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.argsort(xp.asarray([3.0, 1.0, 2.0]))
        tensor([1, 2, 0])
    """
    return _C.argsort(x, axis, descending, stable=True)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in sorted order.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.sort(xp.asarray([3.0, 1.0, 2.0]), descending=True)
        tensor([3., 2., 1.])
    """
    return _C.sort(x, axis, descending, stable=True)[0]


def _unique(x: Tensor) -> Any:
    found = np.unique(x.numpy(), return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    values, first, inverse, counts = (pydl.from_numpy(np.asarray(a)) for a in found)
    return _All(values, first, inverse.reshape(x.shape), counts)


def unique_all(x: Tensor, /) -> Any:
    """The distinct elements, where each occurs first, the place of each element among them, and counts.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.unique_all(xp.asarray([2, 1, 2])).counts
        tensor([1, 2])
    """
    return _unique(x)


def unique_counts(x: Tensor, /) -> Any:
    """The distinct elements and how often each occurs.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.unique_counts(xp.asarray([2, 1, 2])).values
        tensor([1, 2])
    """
    found = _unique(x)
    return _Counts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> Any:
    """The distinct elements and the place of each element among them.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.unique_inverse(xp.asarray([2, 1, 2])).inverse_indices
        tensor([1, 0, 1])
    """
    found = _unique(x)
    return _Inverse(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Tensor:
    """The distinct elements.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.unique_values(xp.asarray([2, 1, 2]))
        tensor([1, 2])
    """
    return _unique(x).values
