"""ShuffleNet v2 (Ma et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder

__all__ = ["ShuffleNetV2", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"]


def _conv(i: int, o: int, size: int = 1, stride: int = 1, groups: int = 1, relu: bool = True) -> list[nn.Module]:
    layers = [nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return [*layers, nn.ReLU(inplace=True)] if relu else layers


class InvertedResidual(nn.Module):
    """Half of the channels pass, or at stride 2 take a branch of their own; then halves are shuffled."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        half = oup // 2
        self.stride = stride
        first = _conv(inp, inp, 3, stride, inp, relu=False) + _conv(inp, half) if stride > 1 else []
        self.branch1 = nn.Sequential(*first)
        self.branch2 = nn.Sequential(
            *_conv(inp if stride > 1 else half, half), *_conv(half, half, 3, stride, half, relu=False),
            *_conv(half, half)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, x = x.chunk(2, 1)
            parts = [kept, self.branch2(x)]
        else:
            parts = [self.branch1(x), self.branch2(x)]
        return nn.functional.channel_shuffle(pydl.cat(parts, 1), 2)


class ShuffleNetV2(nn.Module):
    """Three stages of blocks that shuffle channels: (N, 3, 224, 224) to (N, num_classes).

    Raises ValueError for other than 3 repeats and 5 widths.

    Example:
        >>> net = pydl.vision.models.ShuffleNetV2([1, 1, 1], [8, 16, 16, 16, 32], num_classes=3)
        >>> net(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self, stages_repeats: Sequence[int], stages_out_channels: Sequence[int], num_classes: int = 1000
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3 or len(stages_out_channels) != 5:
            raise ValueError("ShuffleNetV2(): there must be 3 stages_repeats and 5 stages_out_channels")
        channels = stages_out_channels[0]
        self.conv1 = nn.Sequential(*_conv(3, channels, 3, 2))
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, (repeats, width) in enumerate(zip(stages_repeats, stages_out_channels[1:])):
            blocks = [InvertedResidual(channels, width, 2)] + [
                InvertedResidual(width, width, 1) for _ in range(repeats - 1)
            ]
            setattr(self, f"stage{i + 2}", nn.Sequential(*blocks))
            channels = width
        self.conv5 = nn.Sequential(*_conv(channels, stages_out_channels[-1]))
        self.fc = nn.Linear(stages_out_channels[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean((2, 3)))


def _builder(width: str, parameters: int, channels: list[int]) -> Any:
    def make(**options: Any) -> ShuffleNetV2:
        return ShuffleNetV2([4, 8, 4], channels, **options)

    summary = f"ShuffleNet v2 of width {width.replace('_', '.')} (Ma et al. 2018)"
    return builder(f"shufflenet_v2_x{width}", parameters, make, summary)


shufflenet_v2_x0_5 = _builder("0_5", 1366792, [24, 48, 96, 192, 1024])
shufflenet_v2_x1_0 = _builder("1_0", 2278604, [24, 116, 232, 464, 1024])
shufflenet_v2_x1_5 = _builder("1_5", 3503624, [24, 176, 352, 704, 1024])
shufflenet_v2_x2_0 = _builder("2_0", 7393996, [24, 244, 488, 976, 2048])
