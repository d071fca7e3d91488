"""MnasNet (Tan et al., "MnasNet: platform-aware neural architecture search for mobile", 2019)."""

from __future__ import annotations

from typing import Any

from pydl import Tensor, nn
from pydl.vision.models._build import builder, divisible

__all__ = ["MNASNet", "mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"]

_MOMENTUM = 1 - 0.9997  # the paper's decay of the statistics is TensorFlow's
# Channels, kernel, stride, expansion, blocks (Tan et al. 2019, figure 7)
_STACKS = (
    (24, 3, 2, 3, 3), (40, 5, 2, 3, 3), (80, 5, 2, 6, 3), (96, 3, 1, 6, 2), (192, 5, 2, 6, 4), (320, 3, 1, 6, 1),
)  # fmt: skip


def _conv(i: int, o: int, size: int = 1, stride: int = 1, groups: int = 1, relu: bool = True) -> list[nn.Module]:
    conv = nn.Conv2d(i, o, size, stride, size // 2, groups=groups, bias=False)
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(o, momentum=_MOMENTUM)]
    return [*layers, nn.ReLU(inplace=True)] if relu else layers


class InvertedResidual(nn.Module):
    def __init__(self, i: int, o: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = i * expansion
        self.apply_residual = i == o and stride == 1
        self.layers = nn.Sequential(
            *_conv(i, wide), *_conv(wide, wide, size, stride, wide), *_conv(wide, o, relu=False)
        )

    def forward(self, input: Tensor) -> Tensor:
        return self.layers(input) + input if self.apply_residual else self.layers(input)


class MNASNet(nn.Module):
    """Stacks of inverted residual blocks found by search (variant B1), `alpha` times as wide: (N, 3, 224, 224) to (N,
    num_classes).

    Raises ValueError unless alpha is positive.

    Example:
        >>> pydl.vision.models.MNASNet(0.25, num_classes=3)(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"MNASNet(): alpha must be positive, got {alpha}")
        self.alpha, self.num_classes = alpha, num_classes
        first, channels = divisible(32 * alpha), divisible(16 * alpha)
        layers = [*_conv(3, first, 3, 2), *_conv(first, first, 3, groups=first), *_conv(first, channels, relu=False)]
        for width, size, stride, expansion, repeats in _STACKS:
            out = divisible(width * alpha)
            blocks = [InvertedResidual(channels, out, size, stride, expansion)]
            blocks += [InvertedResidual(out, out, size, 1, expansion) for _ in range(repeats - 1)]
            layers.append(nn.Sequential(*blocks))
            channels = out
        self.layers = nn.Sequential(*layers, *_conv(channels, 1280))
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(1280, num_classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, nn.Linear):
                nn.init.kaiming_uniform_(m.weight, mode="fan_out", nonlinearity="sigmoid")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean((2, 3)))


def _builder(name: str, alpha: float, parameters: int) -> Any:
    def make(**options: Any) -> MNASNet:
        return MNASNet(alpha, **options)

    return builder(f"mnasnet{name}", parameters, make, f"MnasNet of width {alpha} (Tan et al. 2019)")


mnasnet0_5 = _builder("0_5", 0.5, 2218512)
mnasnet0_75 = _builder("0_75", 0.75, 3170208)
mnasnet1_0 = _builder("1_0", 1.0, 4383312)
mnasnet1_3 = _builder("1_3", 1.3, 6282256)
