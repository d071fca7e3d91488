"""Channels turned into pixels, back, and shuffled."""

from __future__ import annotations

from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules.module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """`(*, C * r * r, H, W)` as `(*, C, H * r, W * r)` (Shi et al., 2016).

    Args:
        upscale_factor: r.

    Raises:
        RuntimeError: (on use) channels that ``r * r`` does not divide.

    Example:
        >>> import pydl
        >>> pydl.nn.PixelShuffle(2)(pydl.ones(1, 8, 3, 3)).shape
        torch.Size([1, 2, 6, 6])
    """

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The rearranged input."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """`(*, C, H * r, W * r)` as `(*, C * r * r, H, W)`: the reverse of :class:`PixelShuffle`.

    Args:
        downscale_factor: r.

    Raises:
        RuntimeError: (on use) a height or width that ``r`` does not divide.

    Example:
        >>> import pydl
        >>> pydl.nn.PixelUnshuffle(3)(pydl.ones(1, 2, 6, 6)).shape
        torch.Size([1, 18, 2, 2])
    """

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        """The rearranged input."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """The channels of `(N, C, *)` dealt out in turn from ``groups`` groups (Zhang et al., "ShuffleNet", 2018).

    Raises:
        RuntimeError: (on use) a number of groups that does not divide C.

    Example:
        >>> import pydl
        >>> pydl.nn.ChannelShuffle(2)(pydl.arange(4).reshape(1, 4, 1)).flatten()
        tensor([0, 2, 1, 3])
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The shuffled input."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
