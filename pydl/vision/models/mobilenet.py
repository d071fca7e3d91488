"""MobileNet v2 (Sandler et al. 2018) and v3 (Howard et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder, divisible, init_weights
from pydl.vision.ops import Conv2dNormActivation, SqueezeExcitation

__all__ = ["MobileNetV2", "MobileNetV3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"]

Norm = Callable[..., nn.Module]

# Expansion, channels, blocks, stride (Sandler et al. 2018, table 2)
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer: Norm) -> None:
        super().__init__()
        hidden = round(inp * expand_ratio)
        self.use_res_connect = stride == 1 and inp == oup
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        layers: list[nn.Module] = [] if expand_ratio == 1 else [conv(inp, hidden, 1)]
        layers += [conv(hidden, hidden, stride=stride, groups=hidden), nn.Conv2d(hidden, oup, 1, bias=False)]
        self.conv = nn.Sequential(*layers, norm_layer(oup))
        self.out_channels, self._is_cn = oup, stride > 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residual blocks with linear bottlenecks: (N, 3, 224, 224) to (N, num_classes).

    Raises ValueError for settings that are not rows of expansion, channels, blocks, stride.

    Example:
        >>> pydl.vision.models.MobileNetV2(num_classes=3, width_mult=0.25)(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        settings = _V2 if inverted_residual_setting is None else inverted_residual_setting
        if not settings or any(len(s) != 4 for s in settings):
            raise ValueError(f"MobileNetV2(): inverted_residual_setting must have rows of 4 numbers, got {settings}")
        channels = divisible(32 * width_mult, round_nearest)
        self.last_channel = divisible(1280 * max(1.0, width_mult), round_nearest)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        layers: list[nn.Module] = [conv(3, channels, stride=2)]
        for expansion, width, count, stride in settings:
            out = divisible(width * width_mult, round_nearest)
            for i in range(count):
                layers.append(
                    block(channels, out, stride if i == 0 else 1, expand_ratio=expansion, norm_layer=norm_layer)
                )
                channels = out
        self.features = nn.Sequential(*layers, conv(channels, self.last_channel, 1))
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


class BlockV3(NamedTuple):
    """One block of MobileNetV3; `hard` for the hard swish, otherwise ReLU."""

    input_channels: int
    kernel: int
    expanded_channels: int
    out_channels: int
    use_se: bool
    hard: bool
    stride: int
    dilation: int = 1


class InvertedResidualV3(nn.Module):
    def __init__(self, cnf: BlockV3, norm_layer: Norm) -> None:
        super().__init__()
        wide = cnf.expanded_channels
        self.use_res_connect = cnf.stride == 1 and cnf.input_channels == cnf.out_channels
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer)
        act: Any = nn.Hardswish if cnf.hard else nn.ReLU
        layers: list[nn.Module] = []
        if wide != cnf.input_channels:
            layers.append(conv(cnf.input_channels, wide, 1, activation_layer=act))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(conv(wide, wide, cnf.kernel, stride, dilation=cnf.dilation, groups=wide, activation_layer=act))
        if cnf.use_se:
            layers.append(SqueezeExcitation(wide, divisible(wide // 4), scale_activation=nn.Hardsigmoid))
        self.block = nn.Sequential(*layers, conv(wide, cnf.out_channels, 1, activation_layer=None))
        self.out_channels, self._is_cn = cnf.out_channels, cnf.stride > 1

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return result + input if self.use_res_connect else result


# (Howard et al. 2019, tables 1 and 2)
_LARGE = (
    (16, 3, 16, 16, False, False, 1), (16, 3, 64, 24, False, False, 2), (24, 3, 72, 24, False, False, 1),
    (24, 5, 72, 40, True, False, 2), (40, 5, 120, 40, True, False, 1), (40, 5, 120, 40, True, False, 1),
    (40, 3, 240, 80, False, True, 2), (80, 3, 200, 80, False, True, 1), (80, 3, 184, 80, False, True, 1),
    (80, 3, 184, 80, False, True, 1), (80, 3, 480, 112, True, True, 1), (112, 3, 672, 112, True, True, 1),
    (112, 5, 672, 160, True, True, 2), (160, 5, 960, 160, True, True, 1), (160, 5, 960, 160, True, True, 1),
)  # fmt: skip
_SMALL = (
    (16, 3, 16, 16, True, False, 2), (16, 3, 72, 24, False, False, 2), (24, 3, 88, 24, False, False, 1),
    (24, 5, 96, 40, True, True, 2), (40, 5, 240, 40, True, True, 1), (40, 5, 240, 40, True, True, 1),
    (40, 5, 120, 48, True, True, 1), (48, 5, 144, 48, True, True, 1), (48, 5, 288, 96, True, True, 2),
    (96, 5, 576, 96, True, True, 1), (96, 5, 576, 96, True, True, 1),
)  # fmt: skip


def v3_blocks(
    arch: str, width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False
) -> tuple[list[BlockV3], int]:
    """The blocks and the width of the last layer but one. The last three blocks can have half the channels, or
    dilation for stride."""
    rows, last = (_LARGE, 1280) if arch == "mobilenet_v3_large" else (_SMALL, 1024)
    share = 2 if reduced_tail else 1
    blocks = []
    for i, row in enumerate(rows):
        b = BlockV3(*row)
        tail = i - (len(rows) - 3)
        if tail >= 0:
            b = b._replace(out_channels=b.out_channels // share, dilation=2 if dilated else 1)
        if tail > 0:
            b = b._replace(input_channels=b.input_channels // share, expanded_channels=b.expanded_channels // share)
        i, wide, o = (divisible(c * width_mult) for c in (b.input_channels, b.expanded_channels, b.out_channels))
        blocks.append(b._replace(input_channels=i, expanded_channels=wide, out_channels=o))
    return blocks, divisible(last // share * width_mult)


class MobileNetV3(nn.Module):
    """Inverted residual blocks with squeeze-and-excitation and hard swish: (N, 3, 224, 224) to (N, num_classes).

    Example:
        >>> blocks, last = pydl.vision.models.mobilenet.v3_blocks("mobilenet_v3_small", width_mult=0.25)
        >>> pydl.vision.models.MobileNetV3(blocks, last, num_classes=3)(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[BlockV3],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block = block or InvertedResidualV3
        if not inverted_residual_setting:
            raise ValueError("MobileNetV3(): inverted_residual_setting must not be empty")
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish)
        wide = 6 * inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(
            conv(3, inverted_residual_setting[0].input_channels, stride=2),
            *(block(b, norm) for b in inverted_residual_setting),
            conv(inverted_residual_setting[-1].out_channels, wide, 1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(wide, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(pydl.flatten(self.avgpool(self.features(x)), 1))


def make_v3(
    arch: str, reduced_tail: bool = False, dilated: bool = False, width_mult: float = 1.0, **options: Any
) -> MobileNetV3:
    return MobileNetV3(*v3_blocks(arch, width_mult, reduced_tail, dilated), **options)


mobilenet_v2 = builder("mobilenet_v2", 3504872, MobileNetV2, "MobileNet v2 (Sandler et al. 2018)")
mobilenet_v3_large = builder(
    "mobilenet_v3_large", 5483032, partial(make_v3, "mobilenet_v3_large"), "large MobileNet v3 (Howard et al. 2019)"
)
mobilenet_v3_small = builder(
    "mobilenet_v3_small", 2542856, partial(make_v3, "mobilenet_v3_small"), "small MobileNet v3 (Howard et al. 2019)"
)
