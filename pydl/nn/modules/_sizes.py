"""Sizes that are given as one number for all dims or as one for each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

__all__ = ["Size", "repeated"]

Size: TypeAlias = "int | tuple[int, ...]"


def repeated(value: Any, dims: int) -> Any:
    """``value`` as a tuple: of itself if it is iterable, else ``dims`` times the number."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * dims
