"""SqueezeNet (Iandola et al. 2016)."""

from __future__ import annotations

from functools import partial

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder

__all__ = ["SqueezeNet", "squeezenet1_0", "squeezenet1_1"]

# The first convolution, then what each module squeezes to and expands to twice; 0 is a pooling
_VERSIONS: dict[str, tuple[tuple[int, int], list[tuple[int, int]]]] = {
    "1_0": (
        (96, 7),
        [(0, 0), (16, 64), (16, 64), (32, 128), (0, 0), (32, 128), (48, 192), (48, 192), (64, 256), (0, 0), (64, 256)],
    ),
    "1_1": (
        (64, 3),
        [(0, 0), (16, 64), (16, 64), (0, 0), (32, 128), (32, 128), (0, 0), (48, 192), (48, 192), (64, 256), (64, 256)],
    ),
}


class Fire(nn.Module):
    def __init__(self, inplanes: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inplanes, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        parts = [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))]
        return pydl.cat(parts, 1)


class SqueezeNet(nn.Module):
    """Modules that squeeze by 1x1 and expand by 1x1 and 3x3 convolutions: (N, 3, 224, 224) to (N, num_classes).

    Raises ValueError for a version but '1_0' and '1_1'.

    Example:
        >>> pydl.vision.models.SqueezeNet("1_1", num_classes=3)(pydl.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 3])
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"SqueezeNet(): version must be '1_0' or '1_1', got {version!r}")
        (channels, size), modules = _VERSIONS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, size, 2), nn.ReLU(inplace=True)]
        for squeeze, expand in modules:
            layers.append(Fire(channels, squeeze, expand) if squeeze else nn.MaxPool2d(3, 2, ceil_mode=True))
            channels = 2 * expand or channels
        self.num_classes = num_classes
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, 0, 0.01) if m is last else nn.init.kaiming_uniform_(m.weight)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return pydl.flatten(self.classifier(self.features(x)), 1)


squeezenet1_0 = builder("squeezenet1_0", 1248424, partial(SqueezeNet, "1_0"), "SqueezeNet 1.0 (Iandola et al. 2016)")
squeezenet1_1 = builder("squeezenet1_1", 1235496, partial(SqueezeNet, "1_1"), "SqueezeNet 1.1 (Iandola et al. 2016)")
