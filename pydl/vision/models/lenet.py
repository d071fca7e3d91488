"""LeNet-5 (LeCun et al., "Gradient-based learning applied to document recognition", 1998)."""

from __future__ import annotations

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """Two 5x5 convolutions with sigmoid and average pooling, then three linear layers: (N, 1, 28, 28) to (N,
    num_classes).

    Example:
        >>> pydl.vision.models.LeNet()(pydl.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid(),
            nn.AvgPool2d(2)
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, num_classes)
        )
        # Sigmoids need the variance kept for anything to be learnt (Glorot and Bengio 2010).
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(m.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(pydl.flatten(self.features(x), 1))


lenet = builder("lenet", 61706, LeNet, "LeNet-5 (LeCun et al. 1998)", size=28, channels=1, classes=10)
