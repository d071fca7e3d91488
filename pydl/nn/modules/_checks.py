"""Checks that composite layers share: integers of constructors, shapes of inputs."""

from __future__ import annotations

import operator
from typing import Any

import pydl
from pydl import Tensor
from pydl.nn.modules._sizes import repeated

__all__ = ["MOST_LAYERS", "at_least", "check_images", "odd_pair", "pair"]

# A mistaken 2**31 is an error at once, not an hour of building layers
MOST_LAYERS = 65536


def _whole(value: Any, least: int) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= least
    except TypeError:
        return False


def at_least(least: int, block: str, **numbers: Any) -> None:
    """Raise ValueError unless each of the numbers is an integer >= ``least``."""
    for name, value in numbers.items():
        if not _whole(value, least):
            raise ValueError(f"{block}: {name} must be an integer >= {least}, got {value!r}")


def pair(block: str, name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """An integer or two as two, each >= ``least``; else ValueError."""
    sizes = repeated(value, 2)
    if len(sizes) != 2 or not all(_whole(size, least) for size in sizes):
        raise ValueError(f"{block}: {name} must be an integer >= {least} or a pair of them, got {value!r}")
    return int(sizes[0]), int(sizes[1])


def odd_pair(block: str, name: str, value: Any) -> tuple[int, int]:
    """As :func:`pair`, both odd: only then a window has a middle and 'same' padding two equal sides."""
    sizes = pair(block, name, value)
    if sizes[0] % 2 == 0 or sizes[1] % 2 == 0:
        raise ValueError(f"{block}: {name} must be odd, got {value!r}")
    return sizes


def check_images(block: str, x: Tensor, channels: int | None = None, *, filled: bool = False, name: str = "x") -> None:
    """Raise ShapeError unless ``x`` is (N, C, H, W) with the number of channels, and with pixels if ``filled``."""
    expected = f"(N, {'C' if channels is None else channels}, H, W)"
    if not isinstance(x, Tensor):
        raise TypeError(f"{block}: {name} must be a Tensor of shape {expected}, got {type(x).__name__}")
    if x.dim() != 4 or (channels is not None and x.shape[1] != channels):
        raise pydl.ShapeError(f"{block}: {name} must have shape {expected}, got {tuple(x.shape)}")
    if filled and (x.shape[2] == 0 or x.shape[3] == 0):
        raise pydl.ShapeError(f"{block}: {name} must have pixels, got {tuple(x.shape)}")
