"""Padding."""

from __future__ import annotations

from collections.abc import Sequence

from pydl import Tensor, _nn

__all__ = ["pad"]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """``input`` with more places around its last dims.

    Args:
        pad: places before and after the last dim, then before and after the one in front of it, and so on; negative
            numbers cut off.
        mode: ``'constant'`` fills with ``value`` (0 by default) and takes any number of dims. ``'reflect'`` mirrors at
            the edge, ``'replicate'`` repeats it, ``'circular'`` goes on at the other end: these pad the last one, two
            or three dims of a tensor that has one or two more.

    Returns:
        A new tensor whose sizes are those of ``input`` plus the padding.

    Raises:
        RuntimeError: a padding that does not fit the sizes, or a value where the mode takes none.
        NotImplementedError: another mode, or a number of dims that the mode does not take.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.pad(pydl.tensor([[1, 2, 3]]), (1, 2), "reflect")
        tensor([[2, 1, 2, 3, 2, 1]])
    """
    return _nn.pad(input, pad, mode, value)  # type: ignore[attr-defined]
