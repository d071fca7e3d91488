"""Pooling over everything but batch and channels."""

from __future__ import annotations

import pydl
from pydl import Tensor
from pydl.nn.modules.module import Module

__all__ = ["GlobalAvgPool", "GlobalMaxPool"]


class _GlobalPool(Module):
    def __init__(self, keepdim: bool = False) -> None:
        super().__init__()
        self.keepdim = keepdim

    def _pool(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, C), or (N, C, 1, ...) with ``keepdim``."""
        if x.dim() < 2 or 0 in x.shape[2:]:
            raise pydl.ShapeError(
                f"{type(self).__name__}: x must have shape (N, C, *) without an empty extent, got {tuple(x.shape)}"
            )
        if x.dim() == 2:
            return x
        pooled = self._pool(x.flatten(2))
        return pooled.reshape(*x.shape[:2], *(1,) * (x.dim() - 2)) if self.keepdim else pooled

    def extra_repr(self) -> str:
        return f"keepdim={self.keepdim}"


class GlobalAvgPool(_GlobalPool):
    """The mean over all dims after the second: (N, C, *) -> (N, C).

    Args:
        keepdim: keep the other dims, with size 1. Default: ``False``.

    Raises:
        ShapeError: (on use) fewer than 2 dims, or an empty extent.

    Source: Lin et al., "Network in network", ICLR 2014.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.GlobalAvgPool()(pydl.arange(8.0).reshape(1, 2, 2, 2))
        tensor([[1.5000, 5.5000]])
    """

    def _pool(self, x: Tensor) -> Tensor:
        return x.mean(dim=2)


class GlobalMaxPool(_GlobalPool):
    """The maximum over all dims after the second: (N, C, *) -> (N, C). The gradient goes to one winner.

    Args:
        keepdim: keep the other dims, with size 1. Default: ``False``.

    Raises:
        ShapeError: (on use) fewer than 2 dims, or an empty extent.

    Source: Oquab et al., "Is object localization for free?", CVPR 2015.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.GlobalMaxPool()(pydl.arange(8.0).reshape(1, 2, 2, 2))
        tensor([[3., 7.]])
    """

    def _pool(self, x: Tensor) -> Tensor:
        return x.max(dim=2)[0]
