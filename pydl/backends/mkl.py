"""Intel's MKL, which this build does not use: its kernels are its own."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Whether it is used.

    >>> pydl.backends.mkl.is_available()
    False
    """
    return False
