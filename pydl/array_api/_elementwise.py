"""The element-wise functions of the array API standard. Promotion looks at dtypes alone, not at numbers of dims."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.array_api._arrays import promoted
from pydl.array_api._examples import EXAMPLES

_UNARY = (
    "abs acos acosh asin asinh atan atanh ceil conj cos cosh exp expm1 floor imag isfinite isinf isnan log log10 log1p "
    "log2 logical_not negative real reciprocal round sin sinh sqrt square tan tanh trunc"
).split()
_BINARY = (
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal "
    "floor_divide greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum "
    "minimum multiply nextafter not_equal pow remainder subtract"
).split()
_OTHER_NAMES = {
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "divide": "true_divide",
}

__all__ = [*_UNARY, *_BINARY, "bitwise_invert", "clip", "positive", "sign", "signbit"]  # noqa: PLE0604

_KEEPS_INTEGERS = ("ceil", "floor", "round", "trunc")  # which are whole already
# Complex functions whose values at zeros, infinities and NaN the standard takes from C's Annex G, as NumPy does.
_ANNEX_G = {"acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
            "atanh": "arctanh", "expm1": "expm1"}  # fmt: skip


def _annex_g(name: str, x: Tensor, found: Tensor) -> Tensor:
    """``found`` with NumPy's values where a part of ``x`` is zero or not finite."""
    special = (x.real == 0) | (x.imag == 0) | ~pydl.isfinite(x)  # type: ignore[attr-defined]
    if not bool(special.any()):
        return found
    if name == "expm1":  # NumPy's is not of Annex G: exp says it all where a part is not finite
        found = pydl.where(pydl.isfinite(x), found, pydl.exp(x) - 1)  # type: ignore[attr-defined]
        special = (x.real == 0) & (x.imag == 0)
    with np.errstate(all="ignore"):
        values = getattr(np, _ANNEX_G[name])(x.detach().numpy())
    return pydl.where(special, pydl.from_numpy(np.asarray(values)), found)  # type: ignore[attr-defined]


def _example(name: str) -> str:
    call, result = EXAMPLES.get(name, ("", ""))
    return f"\n\n    >>> xp = pydl.array_api\n    >>> {call}\n    {result}\n    " if call else ""


def _unary(name: str) -> Any:
    def function(x: Tensor, /) -> Tensor:
        if name in _KEEPS_INTEGERS and not (x.is_floating_point() or x.is_complex()):
            return x.clone()
        if name == "real" and not x.is_complex():
            return x.clone()
        found = getattr(pydl, name)(x)
        return _annex_g(name, x, found) if x.is_complex() and name in _ANNEX_G else found

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` of each element, as the standard says; see `pydl.{name}`." + _example(name)
    return function


def _binary(name: str) -> Any:
    target = _OTHER_NAMES.get(name, name)

    def function(x1: Any, x2: Any, /) -> Tensor:
        a, b = promoted(x1, x2)
        return getattr(pydl, target)(a, b)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}` of pairs of elements, as the standard says; see `pydl.{target}`." + _example(name)
    return function


globals().update({name: _unary(name) for name in _UNARY})
globals().update({name: _binary(name) for name in _BINARY})


def floor_divide(x1: Any, x2: Any, /) -> Tensor:
    """The quotient rounded down; infinities divide as they do without rounding.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.floor_divide(xp.asarray([7, -7]), 2)
        tensor([ 3, -4])
    """
    a, b = promoted(x1, x2)
    found = pydl.floor_divide(a, b)  # type: ignore[attr-defined]
    if not a.is_floating_point():
        return found
    return pydl.where(pydl.isinf(a) != pydl.isinf(b), a / b, found)  # type: ignore[attr-defined]


def remainder(x1: Any, x2: Any, /) -> Tensor:
    """What `floor_divide` leaves, with the sign of the divisor, that of a zero too.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.remainder(xp.asarray([7, -7]), 4)
        tensor([3, 1])
    """
    a, b = promoted(x1, x2)
    found = pydl.remainder(a, b)  # type: ignore[attr-defined]
    if not a.is_floating_point():
        return found
    return pydl.where(found == 0, pydl.copysign(found, b), found)  # type: ignore[attr-defined]


def nextafter(x1: Any, x2: Any, /) -> Tensor:
    """The next number after ``x1`` towards ``x2``; no gradient.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.nextafter(xp.asarray([1.0]), xp.asarray([2.0])) > 1
        tensor([True])
    """
    a, b = promoted(x1, x2)
    return pydl.from_numpy(np.asarray(np.nextafter(a.detach().numpy(), b.detach().numpy())))


def bitwise_invert(x: Tensor, /) -> Tensor:
    """All bits turned; the opposite of bools.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.bitwise_invert(xp.asarray([0, 5]))
        tensor([-1, -6])
    """
    return pydl.bitwise_not(x)  # type: ignore[attr-defined]


def positive(x: Tensor, /) -> Tensor:
    """A copy.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.positive(xp.asarray([-1.0]))
        tensor([-1.])
    """
    return x.clone()


def sign(x: Tensor, /) -> Tensor:
    """-1, 0 or 1; z / |z| of complex numbers, NaN of NaN.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.sign(xp.asarray([-3.0, 0.0]))
        tensor([-1.,  0.])
    """
    return pydl.sgn(x) if x.is_complex() else pydl.where(x != x, x, pydl.sign(x))  # type: ignore[attr-defined]


def signbit(x: Tensor, /) -> Tensor:
    """Is the sign bit set? True for -0 too.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.signbit(xp.asarray([-0.0, 1.0]))
        tensor([ True, False])
    """
    return pydl.copysign(pydl.ones_like(x), x) < 0  # type: ignore[attr-defined]


def clip(x: Tensor, /, min: Any = None, max: Any = None) -> Tensor:
    """``x`` brought into [min, max], numbers or arrays; the dtype stays.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.clip(xp.asarray([-1.0, 0.5, 9.0]), 0.0, 1.0)
        tensor([0.0000, 0.5000, 1.0000])
    """

    def bound(value: Any) -> Any:
        if value is None or isinstance(value, Tensor):
            return value if value is None else value.to(x.dtype)
        if not (x.is_floating_point() or x.is_complex()):
            limits = pydl.iinfo(x.dtype)
            value = limits.min if value < limits.min else limits.max if value > limits.max else value
            return pydl.from_numpy(np.asarray(int(value), str(x.dtype).removeprefix("torch.")))
        return pydl.full((), value, dtype=x.dtype)  # type: ignore[attr-defined]

    low, high = bound(min), bound(max)
    if low is None and high is None:
        return x.clone()
    shape = pydl.broadcast_shapes(*(t.shape for t in (x, low, high) if t is not None))
    x = x.expand(shape)
    result = x if low is None else pydl.where(x < low, low, x)  # type: ignore[attr-defined]
    return result if high is None else pydl.where(result > high, high, result)  # type: ignore[attr-defined]
