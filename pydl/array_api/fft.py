"""The Fourier extension of the array API standard."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.array_api._arrays import check_device

_ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_LENGTHS = {"rfft": 3, "irfft": 6, "hfft": 6, "ihfft": 3}  # of the transform of four numbers
_MANY = ("fftn", "ifftn", "rfftn", "irfftn")

__all__ = [*_ONE, *_MANY, "fftfreq", "fftshift", "ifftshift", "rfftfreq"]  # noqa: PLE0604


def _doc(name: str, size: str, result: str) -> str:
    example = f">>> pydl.array_api.fft.{name}(pydl.ones({size})).shape\n    torch.Size({result})"
    return f"See `pydl.fft.{name}`.\n\n    {example}\n    "


def _one(name: str) -> Any:
    def transform(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        return getattr(pydl.fft, name)(x, n, axis, norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = _doc(name, "4", f"[{_LENGTHS.get(name, 4)}]")
    return transform


def _many(name: str) -> Any:
    def transform(x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Tensor:
        return getattr(pydl.fft, name)(x, s, axes, norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = _doc(name, "(2, 4)", f"[2, {_LENGTHS.get(name[:-1], 4)}]")
    return transform


globals().update({name: _one(name) for name in _ONE})
globals().update({name: _many(name) for name in _MANY})


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """See `pydl.fft.fftfreq`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.fft.fftfreq(4)
        tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    check_device(device)
    return pydl.fft.fftfreq(n, d, dtype=dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """See `pydl.fft.rfftfreq`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.fft.rfftfreq(4)
        tensor([0.0000, 0.2500, 0.5000])
    """
    check_device(device)
    return pydl.fft.rfftfreq(n, d, dtype=dtype)


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """See `pydl.fft.fftshift`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.fft.fftshift(xp.arange(4))
        tensor([2, 3, 0, 1])
    """
    return pydl.fft.fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """See `pydl.fft.ifftshift`.

    Example:
        >>> import pydl
        >>> xp = pydl.array_api
        >>> xp.fft.ifftshift(xp.arange(5))
        tensor([2, 3, 4, 0, 1])
    """
    return pydl.fft.ifftshift(x, axes)
