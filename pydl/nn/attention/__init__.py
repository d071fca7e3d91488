"""Choosing how attention is computed, and masks for it."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator, Sequence

__all__ = ["WARN_FOR_UNFUSED_KERNELS", "SDPBackend", "sdpa_kernel"]

WARN_FOR_UNFUSED_KERNELS = False
"""Accepted: there is nothing to warn about."""


class SDPBackend(enum.IntEnum):
    """Names of ways to compute attention; here all of them are one tiled kernel.

    Example:
        >>> import pydl
        >>> pydl.nn.attention.SDPBackend.MATH.name
        'MATH'
    """

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: Sequence[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[dict[str, object]]:
    """Accepted for programs that choose a backend: results are the same with any.

    Raises:
        AssertionError: ``backends`` is neither a backend nor a list.

    Example:
        >>> import pydl
        >>> from pydl.nn.attention import SDPBackend, sdpa_kernel
        >>> q = pydl.zeros(1, 2, 4)
        >>> with sdpa_kernel(SDPBackend.MATH):
        ...     pydl.nn.functional.scaled_dot_product_attention(q, q, q).shape
        torch.Size([1, 2, 4])
    """
    if not isinstance(backends, (list, SDPBackend)):
        raise AssertionError(
            "Backend must be an instance of SDPBackend or a list of SDPBackend instances, got "
            f"{type(backends).__name__}"
        )
    yield {}
