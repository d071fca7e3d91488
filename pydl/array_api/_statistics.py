"""The reductions and running sums of the array API standard."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.array_api._arrays import isdtype

__all__ = ["all", "any", "cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var"]

_C: Any = pydl
_range, _sorted = range, sorted


def _axes(x: Tensor, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(_range(x.dim()))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -x.dim() <= a < x.dim():
            raise IndexError(f"axis {a} is out of range for {x.dim()} dims")
    return tuple(a % x.dim() for a in axes)


def _one_by_one(reduce: Any, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    for a in _sorted(_axes(x, axis), reverse=True):
        x = reduce(x, a, keepdims)
    return x


def _accumulator(x: Tensor, dtype: Any) -> Any:
    """Sums of integers are of the widest type of their kind."""
    if dtype is not None:
        return dtype
    if isdtype(x.dtype, "unsigned integer"):
        return pydl.uint64
    return pydl.int64 if isdtype(x.dtype, ("signed integer", "bool")) else x.dtype


def _through_signed(x: Tensor, dtype: Any, call: Any) -> Tensor:
    """uint64 wraps as int64 does, so its sums and products are those of the same bits."""
    if dtype is pydl.uint64:
        return call(x.to(pydl.uint64).view(pydl.int64), pydl.int64).view(pydl.uint64)
    return call(x.to(dtype), dtype)


def sum(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over ``axis``, by default of all; () reduces nothing.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.sum(xp.asarray([3.0, 1.0, 2.0]))
        tensor(6.)
    """
    axes = _axes(x, axis)
    kind = _accumulator(x, dtype)
    if not axes:
        return x.to(kind, copy=True)
    return _through_signed(x, kind, lambda v, d: _C.sum(v, axes, keepdims, dtype=d))


def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over ``axis``, by default of all.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.prod(xp.asarray([3.0, 1.0, 2.0]))
        tensor(6.)
    """
    kind = _accumulator(x, dtype)
    return _through_signed(
        x.clone(), kind, lambda v, d: _one_by_one(lambda t, a, k: _C.prod(t, a, k, dtype=d), v, axis, keepdims)
    )


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over ``axis``, by default of all.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.mean(xp.asarray([3.0, 1.0, 2.0]))
        tensor(2.)
    """
    axes = _axes(x, axis)
    return _C.mean(x, axes, keepdims) if axes else x.clone()


def var(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over ``axis``: squares about the mean divided by the count less ``correction``.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.var(xp.asarray([3.0, 1.0, 2.0]))
        tensor(0.6667)
    """
    axes = _axes(x, axis)
    if not axes:
        return x * 0 / (1 - correction) if correction != 1 else x * math.nan
    if float(correction).is_integer():
        return _C.var(x, axes, correction=int(correction), keepdim=keepdims)
    count = math.prod(x.shape[a] for a in axes)
    rest = x - _C.mean(x, axes, True)
    return _C.sum(rest * rest, axes, keepdims) / (count - correction)


def std(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The root of `var`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.std(xp.asarray([3.0, 1.0, 2.0]))
        tensor(0.8165)
    """
    return var(x, axis=axis, correction=correction, keepdims=keepdims).sqrt()


def _check_not_empty(name: str, x: Tensor, axes: tuple[int, ...]) -> None:
    if x.numel() == 0 and not math.prod(x.shape[a] for a in axes):
        raise ValueError(f"{name}(): no elements to take the {name} of")


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest elements over ``axis``, by default of all; NaN where there is one.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.max(xp.asarray([3.0, 1.0, 2.0]))
        tensor(3.)
    """
    axes = _axes(x, axis)
    _check_not_empty("max", x, axes)
    return _C.amax(x, axes, keepdims) if axes else x.clone()


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest elements over ``axis``, by default of all; NaN where there is one.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.min(xp.asarray([3.0, 1.0, 2.0]))
        tensor(1.)
    """
    axes = _axes(x, axis)
    _check_not_empty("min", x, axes)
    return _C.amin(x, axes, keepdims) if axes else x.clone()


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Are all elements over ``axis`` true?

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.all(xp.asarray([True, False]))
        tensor(False)
    """
    return _one_by_one(_C.all, x != 0, axis, keepdims)


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Is any element over ``axis`` true?

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.any(xp.asarray([True, False]))
        tensor(True)
    """
    return _one_by_one(_C.any, x != 0, axis, keepdims)


def _running(name: str, x: Tensor, axis: int | None, dtype: Any, include_initial: bool) -> Tensor:
    if axis is None:
        if x.dim() != 1:
            raise ValueError(f"cumulative_{name}(): axis must be given for arrays of more than one dim")
        axis = 0
    (dim,) = _axes(x, axis)
    kind = _accumulator(x, dtype)
    scan = getattr(pydl, f"cum{name}")
    found = _through_signed(x, kind, lambda v, d: scan(v, dim, dtype=d))
    if not include_initial:
        return found
    shape = list(x.shape)
    shape[dim] = 1
    first = _C.full(shape, 0 if name == "sum" else 1, dtype=kind)
    return _C.cat([first, found], dim)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running sums along ``axis``; with ``include_initial`` a 0 stands before them.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.cumulative_sum(xp.asarray([3.0, 1.0, 2.0]))
        tensor([3., 4., 6.])
    """
    return _running("sum", x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running products along ``axis``; with ``include_initial`` a 1 stands before them.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.cumulative_prod(xp.asarray([3.0, 1.0, 2.0]))
        tensor([3., 3., 6.])
    """
    return _running("prod", x, axis, dtype, include_initial)
