"""Spatial transformers."""

from __future__ import annotations

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._checks import at_least, check_images, pair
from pydl.nn.modules._sizes import Size
from pydl.nn.modules.activation import ReLU
from pydl.nn.modules.container import Sequential
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.flatten import Flatten
from pydl.nn.modules.linear import Linear
from pydl.nn.modules.module import Module
from pydl.nn.modules.pooling import AdaptiveAvgPool2d
from pydl.nn.parameter import Parameter

__all__ = ["SpatialTransformer"]


def _localization(in_channels: int) -> Sequential:
    """Takes images of any size; begins with the identity for all of them."""
    last = Linear(32, 6)
    with pydl.no_grad():
        last.weight.zero_()
        last.bias = Parameter(pydl.tensor([1.0, 0, 0, 0, 1, 0]))
    return Sequential(
        Conv2d(in_channels, 16, 5, stride=2, padding=2),
        ReLU(),
        Conv2d(16, 32, 3, stride=2, padding=1),
        ReLU(),
        AdaptiveAvgPool2d(4),
        Flatten(),
        Linear(512, 32),
        ReLU(),
        last,
    )


class SpatialTransformer(Module):
    """Images seen through an affine map that the block finds for each: ``grid_sample(x, affine_grid(theta(x)))``.

    (N, C, H, W) -> (N, C, H', W').

    Args:
        localization: maps (N, C, H, W) to (N, 6), the rows of theta. Default: ``None``, then ``in_channels`` must be
            given: a small convolutional network, at first the identity.
        in_channels: C.
        output_size: (H', W'). Default: the input's.
        mode, padding_mode, align_corners: as :func:`~pydl.nn.functional.grid_sample`.

    Raises:
        ValueError: neither ``localization`` nor ``in_channels``; numbers below 1; unknown modes. ShapeError: (on use)
        input that is not (N, C, H, W), or a localization whose result is not (N, 6).

    Source: Jaderberg et al., "Spatial transformer networks", NeurIPS 2015.

    Example:
        >>> import pydl
        >>> block = pydl.nn.blocks.SpatialTransformer(in_channels=1)
        >>> block.theta(pydl.zeros(1, 1, 8, 8)).tolist()
        [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """

    def __init__(
        self,
        localization: Module | None = None,
        in_channels: int | None = None,
        output_size: Size | None = None,
        mode: str = "bilinear",
        padding_mode: str = "zeros",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        if localization is None and in_channels is None:
            raise ValueError("SpatialTransformer: give localization or in_channels")
        if in_channels is not None:
            at_least(1, "SpatialTransformer", in_channels=in_channels)
        if mode not in ("bilinear", "nearest", "bicubic"):
            raise ValueError(f"SpatialTransformer: mode must be 'bilinear', 'nearest' or 'bicubic', got {mode!r}")
        if padding_mode not in ("zeros", "border", "reflection"):
            raise ValueError(
                f"SpatialTransformer: padding_mode must be 'zeros', 'border' or 'reflection', got {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.localization = _localization(in_channels or 1) if localization is None else localization
        self.output_size = None if output_size is None else pair("SpatialTransformer", "output_size", output_size)
        self.mode = mode
        self.padding_mode = padding_mode
        self.align_corners = align_corners

    def theta(self, x: Tensor) -> Tensor:
        """The affine maps, (N, 2, 3): each takes places of the output, from -1 to 1 as x, y, to places of the input."""
        check_images("SpatialTransformer", x, self.in_channels, filled=True)
        found = self.localization(x)
        if tuple(found.shape) not in ((len(x), 6), (len(x), 2, 3)):
            raise pydl.ShapeError(f"SpatialTransformer: localization must give ({len(x)}, 6), got {tuple(found.shape)}")
        return found.reshape(len(x), 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The transformed images."""
        theta = self.theta(x)
        size = [*x.shape[:2], *(self.output_size or x.shape[2:])]
        if len(x) == 0:  # which affine_grid refuses, as torch's
            return x.new_zeros(size)
        grid = F.affine_grid(theta, size, align_corners=self.align_corners)
        return F.grid_sample(x, grid, self.mode, self.padding_mode, self.align_corners)

    def extra_repr(self) -> str:
        size = "" if self.output_size is None else f"output_size={self.output_size}, "
        return f"{size}mode={self.mode!r}, padding_mode={self.padding_mode!r}, align_corners={self.align_corners}"
