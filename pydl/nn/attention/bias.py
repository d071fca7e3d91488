"""Causal masks for `pydl.nn.functional.scaled_dot_product_attention`."""

from __future__ import annotations

import enum
import warnings

import pydl
from pydl import Tensor

__all__ = ["CausalBias", "CausalVariant", "causal_lower_right", "causal_upper_left"]


class CausalVariant(enum.IntEnum):
    """To which corner of the scores the causal triangle is aligned.

    Example:
        >>> from pydl.nn.attention.bias import CausalVariant
        >>> CausalVariant.UPPER_LEFT.value
        1
    """

    UPPER_LEFT = 1
    LOWER_RIGHT = 2


class CausalBias(Tensor):
    """A causal mask that knows its kind: bool, (seq_len_q, seq_len_kv), ``True`` where a query may look.

    Args:
        variant: the corner to which the triangle is aligned.
        seq_len_q, seq_len_kv: lengths of queries and keys.

    Raises:
        AssertionError: ``variant`` is no `CausalVariant`.

    Example:
        >>> from pydl.nn.attention.bias import CausalBias, CausalVariant
        >>> CausalBias(CausalVariant.LOWER_RIGHT, 1, 3).tolist()
        [[True, True, True]]
    """

    variant: CausalVariant
    seq_len_q: int
    seq_len_kv: int

    def __new__(cls, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> CausalBias:
        if not isinstance(variant, CausalVariant):
            raise AssertionError(f"variant must be a CausalVariant, got {type(variant).__name__}")
        lower_right = variant is CausalVariant.LOWER_RIGHT
        if lower_right and seq_len_q > seq_len_kv:
            warnings.warn(
                "Some queries of a lower right causal bias see no key when seq_len_q > seq_len_kv!", stacklevel=2
            )
        ones = pydl.ones((seq_len_q, seq_len_kv), dtype=pydl.bool)
        made: CausalBias = ones.tril(seq_len_kv - seq_len_q if lower_right else 0).as_subclass(cls)
        made.variant, made.seq_len_q, made.seq_len_kv = variant, seq_len_q, seq_len_kv
        return made

    def __init__(self, variant: CausalVariant, seq_len_q: int, seq_len_kv: int) -> None:
        """Everything is done by ``__new__``."""


def _triangle(size: tuple[int, ...], variant: CausalVariant) -> CausalBias:
    if len(size) != 2:
        raise AssertionError(f"causal_{variant.name.lower()} only supports 2D tensors")
    return CausalBias(variant, *size)


def causal_upper_left(*size: int) -> CausalBias:
    """The mask with which query i looks at keys 0 .. i.

    Example:
        >>> from pydl.nn.attention.bias import causal_upper_left
        >>> causal_upper_left(2, 3).tolist()
        [[True, False, False], [True, True, False]]
    """
    return _triangle(size, CausalVariant.UPPER_LEFT)


def causal_lower_right(*size: int) -> CausalBias:
    """The mask with which the last query looks at all keys, the one before at all but the last.

    Example:
        >>> from pydl.nn.attention.bias import causal_lower_right
        >>> causal_lower_right(2, 3).tolist()
        [[True, True, False], [True, True, True]]
    """
    return _triangle(size, CausalVariant.LOWER_RIGHT)
