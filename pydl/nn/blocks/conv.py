"""Convolutions in parts: depthwise and pointwise, gated, subpixel."""

from __future__ import annotations

from collections.abc import Callable

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._checks import at_least, check_images, odd_pair, pair
from pydl.nn.modules._sizes import Size
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.module import Module

__all__ = ["DepthwiseSeparableConv2d", "GatedConv2d", "PointwiseConv2d", "SubpixelConv2d"]


def _check_geometry(block: str, kernel_size: Size, stride: Size, padding: Size | str, dilation: Size) -> None:
    pair(block, "kernel_size", kernel_size)
    pair(block, "stride", stride)
    pair(block, "dilation", dilation)
    if not isinstance(padding, str):
        pair(block, "padding", padding, 0)


class DepthwiseSeparableConv2d(Module):
    """A convolution of each channel by itself, then a 1x1 convolution that mixes them, nothing between.

    (N, in_channels, H, W) -> (N, out_channels, H', W'), with the sizes that ``Conv2d`` of the same geometry gives.
    ``in * kh * kw + in * out`` weights, where ``Conv2d`` has ``in * out * kh * kw``, and ``in + out`` biases.

    Args:
        in_channels, out_channels: channels.
        kernel_size, stride, padding, dilation: of the depthwise convolution, as in ``Conv2d``.
        bias: of both convolutions. Default: ``True``.

    Keys: depthwise.weight, depthwise.bias, pointwise.weight, pointwise.bias.

    Raises:
        ValueError: sizes below 1. ShapeError: (on use) input of another shape.

    Source: Chollet, "Xception", CVPR 2017.

    Example:
        >>> import pydl
        >>> layer = pydl.nn.blocks.DepthwiseSeparableConv2d(8, 16, 3, padding=1)
        >>> layer(pydl.zeros(1, 8, 5, 5)).shape, sum(p.numel() for p in layer.parameters())
        (torch.Size([1, 16, 5, 5]), 224)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        at_least(1, "DepthwiseSeparableConv2d", in_channels=in_channels, out_channels=out_channels)
        _check_geometry("DepthwiseSeparableConv2d", kernel_size, stride, padding, dilation)
        self.depthwise = Conv2d(
            in_channels, in_channels, kernel_size, stride, padding, dilation, groups=in_channels, bias=bias
        )
        self.pointwise = Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Both convolutions."""
        check_images("DepthwiseSeparableConv2d", x, self.depthwise.in_channels)
        return self.pointwise(self.depthwise(x))


class PointwiseConv2d(Conv2d):
    """A 1x1 convolution: one linear map over the channels of every pixel.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)).

    Args:
        in_channels, out_channels: channels.
        stride, groups: as in ``Conv2d``. Default: 1.
        bias: Default: ``True``.

    Raises:
        ValueError: numbers below 1, ``groups`` that do not divide the channels. ShapeError: (on use) another shape.

    Source: Lin et al., "Network in network", ICLR 2014.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.PointwiseConv2d(8, 2)(pydl.zeros(1, 8, 5, 4)).shape
        torch.Size([1, 2, 5, 4])
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: Size = 1, groups: int = 1, bias: bool = True
    ) -> None:
        at_least(1, "PointwiseConv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        pair("PointwiseConv2d", "stride", stride)
        super().__init__(in_channels, out_channels, 1, stride, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """The mapped pixels."""
        check_images("PointwiseConv2d", x, self.in_channels)
        return super().forward(x)


class GatedConv2d(Module):
    """``activation(conv(x)) * sigmoid(gate(x))`` of two convolutions of the same geometry.

    (N, in_channels, H, W) -> (N, out_channels, H', W'), as ``Conv2d``.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias: of both, as in ``Conv2d``.
        activation: takes and returns a tensor, or a class of such modules. Default: ``None``, the linear unit of
            Dauphin et al.; Yu et al. use ``F.elu``.

    Keys: conv.weight, conv.bias, gate.weight, gate.bias.

    Raises:
        ValueError: sizes below 1. ShapeError: (on use) input of another shape.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017 (no activation); Yu et al.,
    "Free-form image inpainting with gated convolution", ICCV 2019 (with activation).

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.GatedConv2d(3, 4, 3, padding="same")(pydl.zeros(1, 3, 6, 6)).shape
        torch.Size([1, 4, 6, 6])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        at_least(1, "GatedConv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        _check_geometry("GatedConv2d", kernel_size, stride, padding, dilation)
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias)
        self.conv = Conv2d(*geometry)
        self.gate = Conv2d(*geometry)
        self.activation = activation() if isinstance(activation, type) else activation

    def forward(self, x: Tensor) -> Tensor:
        """The gated maps."""
        check_images("GatedConv2d", x, self.conv.in_channels)
        y = self.conv(x)
        if self.activation is not None:
            y = self.activation(y)
        return y * self.gate(x).sigmoid()


class SubpixelConv2d(Module):
    """Enlarges images: a convolution to ``out_channels * r * r`` channels whose maps become the pixels between.

    (N, in_channels, H, W) -> (N, out_channels, r * H, r * W), with
    ``out[n, c, h * r + i, w * r + j] = conv[n, c * r * r + i * r + j, h, w]``.

    Args:
        in_channels, out_channels: channels.
        upscale_factor: r.
        kernel_size: odd; the padding keeps the size. Default: 3.
        bias: Default: ``True``.
        icnr: start with the ``r * r`` kernels (and biases) of each output channel equal, so that the first output is
            a nearest-neighbour enlargement, without checkerboard. Default: ``False``.

    Keys: conv.weight, conv.bias.

    Raises:
        ValueError: numbers below 1, an even ``kernel_size``. ShapeError: (on use) input of another shape.

    Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
    neural network", CVPR 2016; ``icnr``: Aitken et al., arXiv:1707.02937.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.SubpixelConv2d(8, 3, 2)(pydl.zeros(1, 8, 5, 4)).shape
        torch.Size([1, 3, 10, 8])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        upscale_factor: int,
        kernel_size: int = 3,
        bias: bool = True,
        icnr: bool = False,
    ) -> None:
        super().__init__()
        at_least(1, "SubpixelConv2d", in_channels=in_channels, out_channels=out_channels, upscale_factor=upscale_factor)
        sizes = odd_pair("SubpixelConv2d", "kernel_size", kernel_size)
        self.upscale_factor = upscale_factor
        padding = (sizes[0] // 2, sizes[1] // 2)
        self.conv = Conv2d(in_channels, out_channels * upscale_factor**2, sizes, padding=padding, bias=bias)
        if icnr:
            self._equal_kernels()

    def _equal_kernels(self) -> None:
        copies = self.upscale_factor**2
        with pydl.no_grad():
            for value in self.conv.parameters():
                value.copy_(value[::copies].clone().repeat_interleave(copies, dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """The enlarged images."""
        check_images("SubpixelConv2d", x, self.conv.in_channels)
        return F.pixel_shuffle(self.conv(x), self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"
