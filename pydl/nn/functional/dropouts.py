"""Dropout of channels, and dropout that keeps mean and variance."""

from __future__ import annotations

import warnings

import pydl
from pydl import Tensor

__all__ = ["alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]


def _check(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    return pydl.feature_dropout_(input, p, training) if inplace else pydl.feature_dropout(input, p, training)


def _drop_sample_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    """Of one sample as well, which has no batch dim."""
    if batched:
        return _drop_channels(input, p, training, inplace)
    if inplace:
        _drop_channels(input.unsqueeze(0), p, training, True)
        return input
    return _drop_channels(input.unsqueeze(0), p, training, False).squeeze(0)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training whole channels of `(N, C, L)` or `(C, L)` become zero with probability ``p``, the others grow by
    ``1 / (1 - p)`` (Tompson et al., 2015).

    Raises:
        ValueError: ``p`` outside [0, 1]. RuntimeError: another number of dims.

    Example:
        >>> import pydl
        >>> pydl.nn.functional.dropout1d(pydl.ones(1, 2, 2), training=False).sum()
        tensor(4.)
    """
    _check(p)
    if input.dim() not in (2, 3):
        raise RuntimeError(f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input.")
    return _drop_sample_channels(input, p, training, inplace, input.dim() == 3)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """:func:`dropout1d` of channels of `(N, C, H, W)`; three dims count as `(N, C, L)`.

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.dropout2d(pydl.ones(1, 2, 1, 2), training=False).flatten()
        tensor([1., 1., 1., 1.])
    """
    _check(p)
    if input.dim() not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.dim()}-D input to dropout2d, which is deprecated; use dropout instead",
            stacklevel=2,
        )
    if input.dim() == 3:
        warnings.warn(
            "dropout2d: a 3D input is taken as (N, C, L), whose channels are dropped; use dropout1d instead",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """:func:`dropout1d` of channels of `(N, C, D, H, W)` or `(C, D, H, W)`.

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.dropout3d(pydl.ones(1, 1, 1, 1, 2), training=False)
        tensor([[[[[1., 1.]]]]])
    """
    _check(p)
    if input.dim() not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.dim()}-D input to dropout3d, which is deprecated; use dropout instead",
            stacklevel=2,
        )
    return _drop_sample_channels(input, p, training, inplace, input.dim() != 4)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """In training elements take SELU's negative limit with probability ``p``, with mean and variance restored.

    Klambauer et al., "Self-normalizing neural networks" (2017).

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.alpha_dropout(pydl.ones(2))
        tensor([1., 1.])
    """
    _check(p)
    return pydl.alpha_dropout_(input, p, training) if inplace else pydl.alpha_dropout(input, p, training)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """:func:`alpha_dropout` of whole channels.

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.functional.feature_alpha_dropout(pydl.ones(1, 2, 2), training=False)
        tensor([[[1., 1.],
                 [1., 1.]]])
    """
    _check(p)
    if inplace:
        return pydl.feature_alpha_dropout_(input, p, training)
    return pydl.feature_alpha_dropout(input, p, training)
