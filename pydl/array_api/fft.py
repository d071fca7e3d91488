"""The Fourier extension of the array API standard."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.array_api._arrays import check_device

_ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
_MANY = ("fftn", "ifftn", "rfftn", "irfftn")

__all__ = [*_ONE, *_MANY, "fftfreq", "fftshift", "ifftshift", "rfftfreq"]  # noqa: PLE0604


def _one(name: str) -> Any:
    def transform(x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
        return getattr(pydl.fft, name)(x, n, axis, norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"See `pydl.fft.{name}`."
    return transform


def _many(name: str) -> Any:
    def transform(x: Tensor, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Tensor:
        return getattr(pydl.fft, name)(x, s, axes, norm)

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"See `pydl.fft.{name}`."
    return transform


globals().update({name: _one(name) for name in _ONE})
globals().update({name: _many(name) for name in _MANY})


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """See `pydl.fft.fftfreq`."""
    check_device(device)
    return pydl.fft.fftfreq(n, d, dtype=dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """See `pydl.fft.rfftfreq`."""
    check_device(device)
    return pydl.fft.rfftfreq(n, d, dtype=dtype)


def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """See `pydl.fft.fftshift`."""
    return pydl.fft.fftshift(x, axes)


def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """See `pydl.fft.ifftshift`."""
    return pydl.fft.ifftshift(x, axes)
