"""ConvNeXt (Liu et al., "A ConvNet for the 2020s", 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder
from pydl.vision.ops import Conv2dNormActivation, Permute, StochasticDepth

__all__ = ["ConvNeXt", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    def __init__(self, dim: int, layer_scale: float, drop: float) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute([0, 2, 3, 1]), nn.LayerNorm(dim, eps=1e-6),
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), Permute([0, 3, 1, 2]),
        )  # fmt: skip
        self.layer_scale = nn.Parameter(pydl.ones(dim, 1, 1) * layer_scale)
        self.stochastic_depth = StochasticDepth(drop, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class ConvNeXt(nn.Module):
    """Stages of depthwise 7x7 convolutions and wide 1x1 ones, downsampled by 2x2: (N, 3, H, W) to (N, num_classes).

    Example:
        >>> pydl.vision.models.ConvNeXt((4, 8), (1, 1), num_classes=3)(pydl.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        widths: Sequence[int],
        depths: Sequence[int],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        norm = partial(LayerNorm2d, eps=1e-6)
        layers: list[nn.Module] = [
            Conv2dNormActivation(3, widths[0], 4, 4, 0, norm_layer=norm, activation_layer=None, bias=True)
        ]
        last, done = max(1, sum(depths) - 1), 0
        for i, (width, depth) in enumerate(zip(widths, depths)):
            drops = [stochastic_depth_prob * (done + k) / last for k in range(depth)]
            layers.append(nn.Sequential(*(CNBlock(width, layer_scale, d) for d in drops)))
            done += depth
            if i + 1 < len(widths):
                layers.append(nn.Sequential(norm(width), nn.Conv2d(width, widths[i + 1], 2, 2)))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(widths[-1]), nn.Flatten(1), nn.Linear(widths[-1], num_classes))
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _builder(name: str, parameters: int, width: int, deep: bool, drop: float) -> Any:
    widths, depths = [width * 2**i for i in range(4)], (3, 3, 27, 3) if deep else (3, 3, 9, 3)

    def make(**options: Any) -> ConvNeXt:
        return ConvNeXt(widths, depths, **{"stochastic_depth_prob": drop, **options})

    return builder(f"convnext_{name}", parameters, make, f"{name} ConvNeXt (Liu et al. 2022)")


convnext_tiny = _builder("tiny", 28589128, 96, False, 0.1)
convnext_small = _builder("small", 50223688, 96, True, 0.4)
convnext_base = _builder("base", 88591464, 128, True, 0.5)
convnext_large = _builder("large", 197767336, 192, True, 0.5)
