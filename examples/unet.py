"""A U-Net segments circles and squares in noise. ``python examples/unet.py --steps 300``"""

from __future__ import annotations

from typing import Any

from _show import arguments, plot, progress

import pydl
from pydl import nn


def scenes(count: int, size: int = 32) -> tuple[Any, Any]:
    """Noisy images (count, 1, size, size), and the class of each pixel: 0 nothing, 1 circle, 2 square."""
    row, column = pydl.meshgrid(pydl.arange(size), pydl.arange(size), indexing="ij")
    labels = pydl.zeros(count, size, size, dtype=pydl.int64)
    for kind in (1, 2):
        y, x = (pydl.randint(6, size - 6, (count, 1, 1)) for _ in range(2))
        radius = pydl.randint(3, 7, (count, 1, 1))
        down, right = row - y, column - x
        inside = down**2 + right**2 <= radius**2 if kind == 1 else (down.abs() <= radius) & (right.abs() <= radius)
        labels = pydl.where(inside, kind, labels)
    images = (labels > 0).float().unsqueeze(1) + 0.3 * pydl.randn(count, 1, size, size)
    return images, labels


def double(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions with normalisation."""
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Down to a quarter and up again, with connections across (Ronneberger et al., MICCAI 2015)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.down1, self.down2 = double(1, width), double(width, 2 * width)
        self.bottom = double(2 * width, 4 * width)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.join2 = double(4 * width, 2 * width)
        self.up1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.join1 = double(2 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Any) -> Any:  # type: ignore[override]
        """(n, 1, h, w) to (n, classes, h, w); h and w are multiples of 4."""
        one = self.down1(x)
        two = self.down2(nn.functional.max_pool2d(one, 2))
        low = self.bottom(nn.functional.max_pool2d(two, 2))
        two = self.join2(pydl.cat([two, self.up2(low)], dim=1))
        return self.head(self.join1(pydl.cat([one, self.up1(two)], dim=1)))


def overlap(predicted: Any, labels: Any, classes: int = 3) -> float:
    """Mean intersection over union of the classes."""
    scores = []
    for k in range(classes):
        both, either = ((predicted == k) & (labels == k)).sum(), ((predicted == k) | (labels == k)).sum()
        scores.append((both / either).item() if either else 1.0)
    return sum(scores) / classes


def main(steps: int = 150, width: int = 8, out: str | None = None) -> float:
    """Train; returns the mean intersection over union on new scenes."""
    pydl.manual_seed(0)
    net = UNet(width, 3)
    optimizer = pydl.optim.Adam(net.parameters(), lr=5e-3)
    for _ in progress(range(steps), "U-Net"):
        images, labels = scenes(16)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
    images, labels = scenes(64)
    net.eval()
    with pydl.no_grad():
        predicted = net(images).argmax(1)
    score = overlap(predicted, labels)
    print(f"loss {loss.item():.3f}, intersection over union {score:.1%}")

    def draw(figure: Any) -> None:
        for k in range(4):
            for line, picture in enumerate((images[k, 0], labels[k], predicted[k])):
                axes = figure.add_subplot(3, 4, 4 * line + k + 1)
                axes.imshow(picture.numpy(), cmap="gray" if line == 0 else "viridis")
                axes.set_axis_off()

    plot(out, draw)
    return score


if __name__ == "__main__":
    main(**arguments(__doc__, steps=150, width=8, out="unet.png"))
