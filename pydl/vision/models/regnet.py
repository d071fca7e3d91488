"""RegNet (Radosavovic et al., "Designing network design spaces", CVPR 2020)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder, divisible
from pydl.vision.ops import Conv2dNormActivation, SqueezeExcitation

__all__ = [
    "RegNet", "regnet_x_16gf", "regnet_x_1_6gf", "regnet_x_32gf", "regnet_x_3_2gf", "regnet_x_400mf", "regnet_x_800mf",
    "regnet_x_8gf", "regnet_y_128gf", "regnet_y_16gf", "regnet_y_1_6gf", "regnet_y_32gf", "regnet_y_3_2gf",
    "regnet_y_400mf", "regnet_y_800mf", "regnet_y_8gf",
]  # fmt: skip

Maker = Callable[..., nn.Module]


class BlockParams(NamedTuple):
    """Of each stage the number of blocks, their width, the width of their groups and the share of their bottlenecks."""

    depths: list[int]
    widths: list[int]
    group_widths: list[int]
    bottleneck_multipliers: list[float]
    strides: list[int]
    se_ratio: float | None = None

    @classmethod
    def from_init_params(
        cls,
        depth: int,
        w_0: int,
        w_a: float,
        w_m: float,
        group_width: int,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> BlockParams:
        """Block i is w_0 + w_a i wide, rounded to a power of w_m times w_0 and to a multiple of 8; equal ones are a
        stage (section 3.3). Raises ValueError for numbers that make no widths."""
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8:
            raise ValueError(f"BlockParams: there are no widths for w_0={w_0}, w_a={w_a}, w_m={w_m}")
        powers = [round(math.log((w_0 + w_a * i) / w_0) / math.log(w_m)) for i in range(depth)]
        stages = [(width, len(list(same))) for width, same in groupby(round(w_0 * w_m**k / 8) * 8 for k in powers)]
        narrow = [int(width * bottleneck_multiplier) for width, _ in stages]
        groups = [min(group_width, width) for width in narrow]
        widths = [int(divisible(width, g) / bottleneck_multiplier) for width, g in zip(narrow, groups)]
        count = len(stages)
        return cls(
            [d for _, d in stages], widths, groups, [bottleneck_multiplier] * count, [2] * count, se_ratio
        )  # fmt: skip


class ResBottleneckBlock(nn.Module):
    """1x1, grouped 3x3, squeeze-and-excitation if there is a ratio, 1x1; and the input."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Maker,
        activation_layer: Maker,
        group_width: int = 1,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:
        super().__init__()
        wide = round(width_out * bottleneck_multiplier)

        def conv(i: int, o: int, size: int = 1, active: bool = True, **options: Any) -> nn.Module:
            activation = activation_layer if active else None
            return Conv2dNormActivation(i, o, size, norm_layer=norm_layer, activation_layer=activation, **options)

        same = width_in == width_out and stride == 1
        self.proj = None if same else conv(width_in, width_out, stride=stride, active=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(a=conv(width_in, wide))
        layers["b"] = conv(wide, wide, 3, stride=stride, groups=wide // group_width)
        if se_ratio:
            layers["se"] = SqueezeExcitation(wide, round(se_ratio * width_in), activation=activation_layer)
        layers["c"] = conv(wide, width_out, active=False)
        self.f = nn.Sequential(layers)
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation((x if self.proj is None else self.proj(x)) + self.f(x))


def _stem(i: int, o: int, norm_layer: Maker, activation_layer: Maker) -> nn.Module:
    return Conv2dNormActivation(i, o, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer)


class RegNet(nn.Module):
    """A stem and stages of residual bottlenecks whose widths follow a line: (N, 3, 224, 224) to (N, num_classes).

    Example:
        >>> parameters = pydl.vision.models.regnet.BlockParams.from_init_params(4, 8, 8.0, 2.0, 8)
        >>> pydl.vision.models.RegNet(parameters, num_classes=3)(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        block_params: BlockParams,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem_type: Maker | None = None,
        block_type: Maker | None = None,
        norm_layer: Maker | None = None,
        activation: Maker | None = None,
    ) -> None:
        super().__init__()
        norm, act, block = norm_layer or nn.BatchNorm2d, activation or nn.ReLU, block_type or ResBottleneckBlock
        self.stem = (stem_type or _stem)(3, stem_width, norm, act)
        width, p = stem_width, block_params
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for k, (depth, out, group, share, stride) in enumerate(
            zip(p.depths, p.widths, p.group_widths, p.bottleneck_multipliers, p.strides), 1
        ):
            blocks = OrderedDict()
            for i in range(depth):
                first = (width, out, stride) if i == 0 else (out, out, 1)
                blocks[f"block{k}-{i}"] = block(*first, norm, act, group, share, p.se_ratio)
            stages[f"block{k}"] = nn.Sequential(blocks)
            width = out
        self.trunk_output = nn.Sequential(stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(width, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):  # by the outputs of a convolution without groups
                nn.init.normal_(m.weight, std=math.sqrt(2 / (math.prod(m.kernel_size) * m.out_channels)))
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, std=0.01)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(pydl.flatten(self.avgpool(self.trunk_output(self.stem(x))), 1))


def _builder(name: str, parameters: int, depth: int, w_0: int, w_a: float, w_m: float, group: int) -> Any:
    ratio = 0.25 if name.startswith("y") else None

    def make(**options: Any) -> RegNet:
        return RegNet(BlockParams.from_init_params(depth, w_0, w_a, w_m, group, se_ratio=ratio), **options)

    kind, flops = name.split("_", 1)
    summary = f"RegNet{kind.upper()} of {flops.replace('_', '.').upper()} (Radosavovic et al. 2020)"
    return builder(f"regnet_{name}", parameters, make, summary)


# Depth, w_0, w_a, w_m, width of groups (Radosavovic et al. 2020, appendix D)
regnet_y_400mf = _builder("y_400mf", 4344144, 16, 48, 27.89, 2.09, 8)
regnet_y_800mf = _builder("y_800mf", 6432512, 14, 56, 38.84, 2.4, 16)
regnet_y_1_6gf = _builder("y_1_6gf", 11202430, 27, 48, 20.71, 2.65, 24)
regnet_y_3_2gf = _builder("y_3_2gf", 19436338, 21, 80, 42.63, 2.66, 24)
regnet_y_8gf = _builder("y_8gf", 39381472, 17, 192, 76.82, 2.19, 56)
regnet_y_16gf = _builder("y_16gf", 83590140, 18, 200, 106.23, 2.48, 112)
regnet_y_32gf = _builder("y_32gf", 145046770, 20, 232, 115.89, 2.53, 232)
regnet_y_128gf = _builder("y_128gf", 644812894, 27, 456, 160.83, 2.52, 264)
regnet_x_400mf = _builder("x_400mf", 5495976, 22, 24, 24.48, 2.54, 16)
regnet_x_800mf = _builder("x_800mf", 7259656, 16, 56, 35.73, 2.28, 16)
regnet_x_1_6gf = _builder("x_1_6gf", 9190136, 18, 80, 34.01, 2.25, 24)
regnet_x_3_2gf = _builder("x_3_2gf", 15296552, 25, 88, 26.31, 2.25, 48)
regnet_x_8gf = _builder("x_8gf", 39572648, 23, 80, 49.56, 2.88, 120)
regnet_x_16gf = _builder("x_16gf", 54278536, 22, 216, 55.59, 2.1, 128)
regnet_x_32gf = _builder("x_32gf", 107811560, 23, 320, 69.86, 2.0, 168)
