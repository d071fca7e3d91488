"""opt_einsum, which `pydl.einsum` does not ask: its products go from left to right."""

from __future__ import annotations

__all__ = ["is_available"]

enabled = False


def is_available() -> bool:
    """Whether einsum asks it: no.

    >>> pydl.backends.opt_einsum.is_available()
    False
    """
    return False
