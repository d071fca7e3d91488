"""Dropout."""

from __future__ import annotations

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Module):
    """``p``: probability of a zero; ``inplace``: change the input itself."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
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

    def forward(self, input: Tensor) -> Tensor:
        """The input with zeros, in training."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """:class:`Dropout` of whole channels of `(N, C, L)` or `(C, L)` (Tompson et al., 2015); arguments as there.

    Example:
        >>> import pydl
        >>> pydl.nn.Dropout1d(1.0)(pydl.ones(1, 1, 2))
        tensor([[[0., 0.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with zero channels, in training."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """:class:`Dropout` of whole channels of `(N, C, H, W)` (Tompson et al., 2015); arguments as there.

    Example:
        >>> import pydl
        >>> pydl.nn.Dropout2d(1.0)(pydl.ones(1, 1, 1, 2))
        tensor([[[[0., 0.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with zero channels, in training."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """:class:`Dropout` of whole channels of `(N, C, D, H, W)` or `(C, D, H, W)`; arguments as there.

    Example:
        >>> import pydl
        >>> pydl.nn.Dropout3d(1.0)(pydl.ones(1, 1, 1, 2)).flatten()
        tensor([0., 0.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with zero channels, in training."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """In training elements take SELU's negative limit with probability ``p``; mean and variance stay.

    Klambauer et al., "Self-normalizing neural networks" (2017). Arguments as :class:`Dropout`.

    Example:
        >>> import pydl
        >>> pydl.nn.AlphaDropout().eval()(pydl.ones(2))
        tensor([1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The changed input, in training."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """:class:`AlphaDropout` of whole channels; arguments as :class:`Dropout`.

    Example:
        >>> import pydl
        >>> pydl.nn.FeatureAlphaDropout().eval()(pydl.ones(1, 2))
        tensor([[1., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The changed input, in training."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
