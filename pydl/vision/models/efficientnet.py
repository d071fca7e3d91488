"""EfficientNet (Tan and Le 2019) and EfficientNetV2 (Tan and Le 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder, divisible, init_weights
from pydl.vision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

__all__ = [
    "EfficientNet", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l", "efficientnet_v2_m",
    "efficientnet_v2_s",
]  # fmt: skip

Norm = Callable[..., nn.Module]


class Stage(NamedTuple):
    """Blocks of one kind; `fused` ones have one 3x3 convolution for expansion and depthwise convolution."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    fused: bool = False


class MBConv(nn.Module):
    def __init__(self, cnf: Stage, drop: float, norm_layer: Norm) -> None:
        super().__init__()
        i, o = cnf.input_channels, cnf.out_channels
        wide = divisible(i * cnf.expand_ratio)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        project = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=None)
        layers: list[nn.Module] = []
        if cnf.fused:
            layers.append(conv(i, wide if wide != i else o, cnf.kernel, cnf.stride))
            layers += [project(wide, o, 1)] if wide != i else []
        else:
            layers += [conv(i, wide, 1)] if wide != i else []
            layers.append(conv(wide, wide, cnf.kernel, cnf.stride, groups=wide))
            layers.append(SqueezeExcitation(wide, max(1, i // 4), activation=partial(nn.SiLU, inplace=True)))
            layers.append(project(wide, o, 1))
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.use_res_connect = cnf.stride == 1 and i == o
        self.out_channels = o

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class EfficientNet(nn.Module):
    """Inverted residual blocks with squeeze-and-excitation and stochastic depth: images to (N, num_classes).

    Example:
        >>> stages = [pydl.vision.models.efficientnet.Stage(1, 3, 2, 8, 8, 1)]
        >>> pydl.vision.models.EfficientNet(stages, 0.2, num_classes=3)(pydl.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[Stage],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Norm | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if not inverted_residual_setting:
            raise ValueError("EfficientNet(): inverted_residual_setting must not be empty")
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        layers: list[nn.Module] = [conv(3, inverted_residual_setting[0].input_channels, stride=2)]
        total, done = sum(s.num_layers for s in inverted_residual_setting), 0
        for stage in inverted_residual_setting:
            blocks = []
            for k in range(stage.num_layers):
                one = stage if k == 0 else stage._replace(input_channels=stage.out_channels, stride=1)
                blocks.append(MBConv(one, stochastic_depth_prob * done / total, norm_layer))
                done += 1
            layers.append(nn.Sequential(*blocks))
        last = inverted_residual_setting[-1].out_channels
        width = 4 * last if last_channel is None else last_channel
        self.features = nn.Sequential(*layers, conv(last, width, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(width, num_classes))
        init_weights(self, linear_std=None)
        linear = self.classifier[1]
        nn.init.uniform_(linear.weight, -1 / math.sqrt(num_classes), 1 / math.sqrt(num_classes))
        nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(pydl.flatten(self.avgpool(self.features(x)), 1))


# Expansion, kernel, stride, channels in and out, blocks (Tan and Le 2019, table 1)
_V1 = (
    (1, 3, 1, 32, 16, 1), (6, 3, 2, 16, 24, 2), (6, 5, 2, 24, 40, 2), (6, 3, 2, 40, 80, 3), (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4), (6, 3, 1, 192, 320, 1),
)  # fmt: skip
# (Tan and Le 2021, table 4, and torchvision for the larger ones)
_V2 = {
    "s": ((1, 3, 1, 24, 24, 2, True), (4, 3, 2, 24, 48, 4, True), (4, 3, 2, 48, 64, 4, True), (4, 3, 2, 64, 128, 6),
          (6, 3, 1, 128, 160, 9), (6, 3, 2, 160, 256, 15)),
    "m": ((1, 3, 1, 24, 24, 3, True), (4, 3, 2, 24, 48, 5, True), (4, 3, 2, 48, 80, 5, True), (4, 3, 2, 80, 160, 7),
          (6, 3, 1, 160, 176, 14), (6, 3, 2, 176, 304, 18), (6, 3, 1, 304, 512, 5)),
    "l": ((1, 3, 1, 32, 32, 4, True), (4, 3, 2, 32, 64, 7, True), (4, 3, 2, 64, 96, 7, True), (4, 3, 2, 96, 192, 10),
          (6, 3, 1, 192, 224, 19), (6, 3, 2, 224, 384, 25), (6, 3, 1, 384, 640, 7)),
}  # fmt: skip


def _v1(name: str, parameters: int, width: float, depth: float, dropout: float, size: int) -> Any:
    stages = [
        Stage(e, k, s, divisible(i * width), divisible(o * width), math.ceil(n * depth)) for e, k, s, i, o, n in _V1
    ]
    # The larger ones were trained with TensorFlow's batch normalisation.
    norm = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01) if name in ("b5", "b6", "b7") else nn.BatchNorm2d

    def make(**options: Any) -> EfficientNet:
        return EfficientNet(stages, **{"dropout": dropout, "norm_layer": norm, **options})

    return builder(
        f"efficientnet_{name}", parameters, make, f"EfficientNet {name.upper()} (Tan and Le 2019)", size=size
    )


def _v2(name: str, parameters: int, dropout: float, size: int) -> Any:
    stages = [Stage(*row) for row in _V2[name]]
    fixed = {"dropout": dropout, "norm_layer": partial(nn.BatchNorm2d, eps=1e-3), "last_channel": 1280}

    def make(**options: Any) -> EfficientNet:
        return EfficientNet(stages, **{**fixed, **options})

    summary = f"EfficientNetV2 {name.upper()} (Tan and Le 2021)"
    return builder(f"efficientnet_v2_{name}", parameters, make, summary, size=size)


efficientnet_b0 = _v1("b0", 5288548, 1.0, 1.0, 0.2, 224)
efficientnet_b1 = _v1("b1", 7794184, 1.0, 1.1, 0.2, 240)
efficientnet_b2 = _v1("b2", 9109994, 1.1, 1.2, 0.3, 288)
efficientnet_b3 = _v1("b3", 12233232, 1.2, 1.4, 0.3, 300)
efficientnet_b4 = _v1("b4", 19341616, 1.4, 1.8, 0.4, 380)
efficientnet_b5 = _v1("b5", 30389784, 1.6, 2.2, 0.4, 456)
efficientnet_b6 = _v1("b6", 43040704, 1.8, 2.6, 0.5, 528)
efficientnet_b7 = _v1("b7", 66347960, 2.0, 3.1, 0.5, 600)
efficientnet_v2_s = _v2("s", 21458488, 0.2, 384)
efficientnet_v2_m = _v2("m", 54139356, 0.3, 480)
efficientnet_v2_l = _v2("l", 118515272, 0.4, 480)
