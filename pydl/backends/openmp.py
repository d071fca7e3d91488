"""OpenMP, which runs the threads."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Whether it is used.

    >>> pydl.backends.openmp.is_available()
    True
    """
    return True
