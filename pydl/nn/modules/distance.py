"""Distances and similarities."""

from __future__ import annotations

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class PairwiseDistance(Module):
    """The norm of ``x1 - x2 + eps`` along the last dim.

    Args:
        p: of the norm. Default: 2. eps: keeps the norm off zero. Default: 1e-6.
        keepdim: keep the last dim. Default: no.

    Example:
        >>> import pydl
        >>> pydl.nn.PairwiseDistance()(pydl.tensor([[3.0, 4.0]]), pydl.zeros(1, 2))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distances."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``.

    Args:
        dim: Default: 1. eps: what norms count as at least. Default: 1e-8.

    Example:
        >>> import pydl
        >>> pydl.nn.CosineSimilarity()(pydl.tensor([[1.0, 0.0]]), pydl.tensor([[1.0, 1.0]]))
        tensor([0.7071])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The similarities."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
