"""VGG (Simonyan and Zisserman, "Very deep convolutional networks", ICLR 2015)."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder, init_weights

__all__ = ["VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]

# 3x3 convolutions in each of five stages of 64, 128, 256, 512 and 512 channels
_STAGES = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}


def make_layers(depths: tuple[int, ...], batch_norm: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for depth, width in zip(depths, (64, 128, 256, 512, 512)):
        for _ in range(depth):
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions `features` to 512 channels, then three linear layers: (N, 3, 224, 224) to (N, num_classes).

    Example:
        >>> features = pydl.vision.models.vgg.make_layers((1, 1, 1, 1, 1))
        >>> pydl.vision.models.VGG(features, num_classes=3)(pydl.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(dropout), nn.Linear(4096, num_classes),
        )  # fmt: skip
        if init_weights:
            _init(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(pydl.flatten(self.avgpool(self.features(x)), 1))


_init = init_weights


def _builder(depth: str, parameters: int) -> Any:
    number, bn = depth.removesuffix("_bn"), depth.endswith("_bn")

    def make(**options: Any) -> VGG:
        return VGG(make_layers(_STAGES[number], bn), **options)

    norm = " with batch normalisation" if bn else ""
    return builder(f"vgg{depth}", parameters, make, f"VGG with {number} layers{norm} (Simonyan and Zisserman 2015)")


vgg11, vgg11_bn = _builder("11", 132863336), _builder("11_bn", 132868840)
vgg13, vgg13_bn = _builder("13", 133047848), _builder("13_bn", 133053736)
vgg16, vgg16_bn = _builder("16", 138357544), _builder("16_bn", 138365992)
vgg19, vgg19_bn = _builder("19", 143667240), _builder("19_bn", 143678248)
