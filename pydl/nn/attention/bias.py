"""Causal masks for `pydl.nn.functional.scaled_dot_product_attention`."""

from __future__ import annotations

import enum

import pydl
from pydl import Tensor

__all__ = ["CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(enum.IntEnum):
    """To which corner of the scores the causal triangle is aligned.

    Example:
        >>> from pydl.nn.attention.bias import CausalVariant
        >>> CausalVariant.UPPER_LEFT.value
        1
    """

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


def _triangle(size: tuple[int, ...], corner: CausalVariant) -> Tensor:
    if len(size) != 2:
        raise AssertionError(f"causal_{corner.name.lower()} only supports 2D tensors")
    diagonal = size[1] - size[0] if corner is CausalVariant.LOWER_RIGHT else 0
    return pydl.ones(size, dtype=pydl.bool).tril(diagonal)


def causal_upper_left(*size: int) -> Tensor:
    """The mask with which query i looks at keys 0 .. i.

    Example:
        >>> from pydl.nn.attention.bias import causal_upper_left
        >>> causal_upper_left(2, 3)
        tensor([[ True, False, False],
                [ True,  True, False]])
    """
    return _triangle(size, CausalVariant.UPPER_LEFT)


def causal_lower_right(*size: int) -> Tensor:
    """The mask with which the last query looks at all keys, the one before at all but the last.

    Example:
        >>> from pydl.nn.attention.bias import causal_lower_right
        >>> causal_lower_right(2, 3)
        tensor([[ True,  True, False],
                [ True,  True,  True]])
    """
    return _triangle(size, CausalVariant.LOWER_RIGHT)
