"""Blocks whose input comes out again beside what was made of it: residual and dense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._checks import MOST_LAYERS, at_least, check_images
from pydl.nn.modules.batchnorm import BatchNorm2d
from pydl.nn.modules.container import Sequential
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.linear import Identity
from pydl.nn.modules.module import Module

__all__ = ["Bottleneck", "DenseBlock", "ModuleMaker", "Residual", "ResidualBlock"]

ModuleMaker: TypeAlias = "Callable[..., Module]"


class Residual(Module):
    """``x + fn(x)``, or ``shortcut(x) + fn(x)``.

    Args:
        fn: module or other callable; further arguments of a call go to it. Its parameters' keys begin with ``fn.``.
        shortcut: a module for the other way, where shapes change. Default: ``None``, the input itself.

    Raises:
        ShapeError: (on use) both sides have different shapes; nothing is broadcast.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.Residual(pydl.nn.ReLU())(pydl.tensor([-1.0, 2.0]))
        tensor([-1.,  4.])
    """

    def __init__(self, fn: Callable[..., Tensor], shortcut: Module | None = None) -> None:
        super().__init__()
        if not callable(fn) or not (shortcut is None or callable(shortcut)):
            raise TypeError("Residual: fn must be callable, and shortcut too, if it is given")
        self.fn = fn
        self.shortcut = shortcut

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The sum, of the shape that ``fn(x)`` has."""
        kept = x if self.shortcut is None else self.shortcut(x)
        new = self.fn(x, *args, **kwargs)
        if kept.shape != new.shape:
            side = "x" if self.shortcut is None else "shortcut(x)"
            raise pydl.ShapeError(
                f"Residual: {side} and fn(x) must have the same shape, got {tuple(kept.shape)} and {tuple(new.shape)}"
            )
        return kept + new


def _norm(norm_layer: ModuleMaker | None, channels: int) -> Module:
    return Identity() if norm_layer is None else norm_layer(channels)


def _projection(in_channels: int, out_channels: int, stride: int, norm_layer: ModuleMaker | None) -> Sequential | None:
    """The shortcut of a residual block where the shape changes; ``None`` is the identity."""
    if stride == 1 and in_channels == out_channels:
        return None
    norm = [] if norm_layer is None else [norm_layer(out_channels)]
    return Sequential(Conv2d(in_channels, out_channels, 1, stride, bias=False), *norm)


class ResidualBlock(Module):
    """The basic block of ResNet: ``relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))``, two 3x3 convolutions.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)). The shortcut is the identity, or,
    where the shape changes, a 1x1 convolution and a norm. No convolution has a bias.

    Args:
        in_channels, out_channels: channels.
        stride: of the first convolution. Default: 1.
        norm_layer: makes a norm of a number of channels; ``None`` for no norm. Default: ``BatchNorm2d``.

    Keys: conv1, bn1, conv2, bn2, downsample.0, downsample.1 (torchvision's).

    Raises:
        ValueError: numbers below 1. ShapeError: (on use) input of another shape.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.ResidualBlock(4, 8, stride=2)(pydl.zeros(2, 4, 7, 6)).shape
        torch.Size([2, 8, 4, 3])
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, norm_layer: ModuleMaker | None = BatchNorm2d
    ) -> None:
        super().__init__()
        at_least(1, "ResidualBlock", in_channels=in_channels, out_channels=out_channels, stride=stride)
        self.in_channels = in_channels
        self.conv1 = Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = _norm(norm_layer, out_channels)
        self.conv2 = Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = _norm(norm_layer, out_channels)
        self.downsample = _projection(in_channels, out_channels, stride, norm_layer)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        check_images("ResidualBlock", x, self.in_channels)
        kept = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + kept)


class Bottleneck(Module):
    """The block of the deeper ResNets: 1x1 to ``width``, 3x3, 1x1 to ``width * expansion``, each with a norm.

    (N, in_channels, H, W) -> (N, width * expansion, ceil(H / stride), ceil(W / stride)), with a relu after the sum. The
    stride sits in the 3x3 as in torchvision ("v1.5"). The shortcut is that of :class:`ResidualBlock`; no biases.

    Args:
        in_channels: channels of the input.
        width: channels of the 3x3 convolution.
        stride: Default: 1.
        expansion: Default: 4.
        groups, dilation: of the 3x3 convolution. Default: 1.
        norm_layer: makes a norm of a number of channels; ``None`` for no norm. Default: ``BatchNorm2d``.

    Keys: conv1, bn1, conv2, bn2, conv3, bn3, downsample.0, downsample.1.

    Raises:
        ValueError: numbers below 1, ``groups`` that do not divide ``width``. ShapeError: (on use) another shape.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.Bottleneck(16, 4, stride=2)(pydl.zeros(2, 16, 8, 8)).shape
        torch.Size([2, 16, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        expansion: int = 4,
        groups: int = 1,
        dilation: int = 1,
        norm_layer: ModuleMaker | None = BatchNorm2d,
    ) -> None:
        super().__init__()
        numbers = {"in_channels": in_channels, "width": width, "stride": stride, "expansion": expansion}
        at_least(1, "Bottleneck", **numbers, groups=groups, dilation=dilation)
        self.in_channels = in_channels
        self.expansion = expansion
        out_channels = width * expansion
        self.conv1 = Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = _norm(norm_layer, width)
        self.conv2 = Conv2d(width, width, 3, stride, dilation, dilation, groups, bias=False)
        self.bn2 = _norm(norm_layer, width)
        self.conv3 = Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = _norm(norm_layer, out_channels)
        self.downsample = _projection(in_channels, out_channels, stride, norm_layer)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        check_images("Bottleneck", x, self.in_channels)
        kept = x if self.downsample is None else self.downsample(x)
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + kept)


class _DenseLayer(Module):
    """norm-relu-1x1-norm-relu-3x3, or the second half alone."""

    def __init__(self, in_channels: int, growth_rate: int, bn_size: int | None) -> None:
        super().__init__()
        self.narrow = bn_size is not None
        if bn_size is not None:
            self.norm1 = BatchNorm2d(in_channels)
            self.conv1 = Conv2d(in_channels, bn_size * growth_rate, 1, bias=False)
            in_channels = bn_size * growth_rate
        self.norm2 = BatchNorm2d(in_channels)
        self.conv2 = Conv2d(in_channels, growth_rate, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.narrow:
            x = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(x)))


class DenseBlock(Module):
    """Layers that each see the maps of all layers before: ``x_i = H_i([x_0, ..., x_{i-1}])``.

    (N, C, H, W) -> (N, C + num_layers * growth_rate, H, W), the input's channels first. ``H_i`` is norm-relu-1x1 to
    ``bn_size * growth_rate`` channels, then norm-relu-3x3 to ``growth_rate``; no biases.

    Args:
        num_layers: layers.
        in_channels: C.
        growth_rate: new maps of each layer.
        bn_size: Default: 4. ``None`` leaves the first half (norm1, conv1) out.
        drop_rate: probability of dropout on each new map. Default: 0.

    Keys: denselayer{1, ...}.norm1, conv1, norm2, conv2.

    Raises:
        ValueError: numbers below 1, more than 65536 layers, ``drop_rate`` outside [0, 1]. ShapeError: (on use) input of
        another shape.

    Source: Huang et al., "Densely connected convolutional networks", CVPR 2017.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.DenseBlock(3, 4, growth_rate=2)(pydl.zeros(2, 4, 5, 5)).shape
        torch.Size([2, 10, 5, 5])
    """

    def __init__(
        self, num_layers: int, in_channels: int, growth_rate: int, bn_size: int | None = 4, drop_rate: float = 0.0
    ) -> None:
        super().__init__()
        at_least(1, "DenseBlock", num_layers=num_layers, in_channels=in_channels, growth_rate=growth_rate)
        if bn_size is not None:
            at_least(1, "DenseBlock", bn_size=bn_size)
        if num_layers > MOST_LAYERS:
            raise ValueError(f"DenseBlock: num_layers must be at most {MOST_LAYERS}, got {num_layers}")
        if not 0 <= drop_rate <= 1:
            raise ValueError(f"DenseBlock: drop_rate must be in [0, 1], got {drop_rate}")
        self.in_channels = in_channels
        self.drop_rate = drop_rate
        for i in range(num_layers):
            layer = _DenseLayer(in_channels + i * growth_rate, growth_rate, bn_size)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """The input's and all new maps."""
        check_images("DenseBlock", x, self.in_channels)
        for layer in self.children():
            x = pydl.cat([x, F.dropout(layer(x), self.drop_rate, self.training)], dim=1)
        return x
