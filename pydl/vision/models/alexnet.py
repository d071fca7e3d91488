"""AlexNet (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014)."""

from __future__ import annotations

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder

__all__ = ["AlexNet", "alexnet"]


class AlexNet(nn.Module):
    """Five convolutions and three linear layers: (N, 3, 224, 224) to (N, num_classes).

    Example:
        >>> pydl.vision.models.AlexNet(num_classes=3)(pydl.zeros(1, 3, 64, 64)).shape
        torch.Size([1, 3])
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()

        def conv(i: int, o: int, size: int, stride: int = 1, padding: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(i, o, size, stride, padding), nn.ReLU(inplace=True)]

        pool = [nn.MaxPool2d(3, 2) for _ in range(3)]
        self.features = nn.Sequential(
            *conv(3, 64, 11, 4, 2), pool[0], *conv(64, 192, 5, 1, 2), pool[1],
            *conv(192, 384, 3), *conv(384, 256, 3), *conv(256, 256, 3), pool[2],
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, num_classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(pydl.flatten(self.avgpool(self.features(x)), 1))


alexnet = builder("alexnet", 61100840, AlexNet, "AlexNet (Krizhevsky 2014)")
