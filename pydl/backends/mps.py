"""Apple's GPUs, which this build does not use."""

from __future__ import annotations

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """Whether one can be used: no.

    >>> pydl.backends.mps.is_available()
    False
    """
    return False


def is_built() -> bool:
    """Whether this build has kernels for them: no.

    >>> pydl.backends.mps.is_built()
    False
    """
    return False
