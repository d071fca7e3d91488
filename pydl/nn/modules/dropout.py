"""Dropout."""

from __future__ import annotations

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training sets each element to zero with probability ``p`` and scales the others by ``1 / (1 - p)``.

    Srivastava et al., JMLR 2014. In evaluation the identity.

    Args:
        p: probability of a zero. Default: 0.5.
        inplace: change the input itself. Default: ``False``.

    Raises:
        ValueError: ``p`` outside [0, 1].

    Example:
        >>> import pydl
        >>> pydl.nn.Dropout(0.3).eval()(pydl.ones(2))
        tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros, in training."""
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
