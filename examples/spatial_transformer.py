"""A spatial transformer turns rotated digits upright before they are classified, without being told the angle.

``python examples/spatial_transformer.py --epochs 90``
"""

from __future__ import annotations

import math
from typing import Any

import _images
from _show import arguments, batches, plot, progress

import pydl
from pydl import nn
from pydl.nn import functional as F

SIZE, MOST = 20, math.radians(75)


def rotated(images: Any) -> Any:
    """Each image enlarged to SIZE and turned by a random angle of up to 75 degrees."""
    angle = (2 * pydl.rand(len(images)) - 1) * MOST
    cos, sin, zero = angle.cos(), angle.sin(), pydl.zeros(len(images))
    # The factor leaves room for the corners
    theta = 1.3 * pydl.stack([cos, -sin, zero, sin, cos, zero], dim=1).reshape(-1, 2, 3)
    grid = F.affine_grid(theta, [len(images), 1, SIZE, SIZE], align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def classifier(transformer: bool) -> nn.Sequential:
    """A perceptron on the pixels, which knows nothing of rotation, with or without the block before it."""
    layers: list[nn.Module] = [nn.blocks.SpatialTransformer(in_channels=1)] if transformer else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(SIZE * SIZE, 32), nn.ReLU(), nn.Linear(32, 10))


def train(net: nn.Sequential, images: Any, labels: Any, epochs: int) -> None:
    """Adam, with other angles in every epoch."""
    step = pydl.optim.AdamW(net.parameters(), lr=2e-3)
    decay = pydl.optim.lr_scheduler.CosineAnnealingLR(step, epochs)
    for _ in progress(range(epochs), "rotated digits"):
        for rows in batches(len(images), 64):
            loss = F.cross_entropy(net(rotated(images[rows])), labels[rows])
            step.zero_grad()
            loss.backward()
            step.step()
        decay.step()


def main(epochs: int = 90, out: str | None = None) -> dict[str, float]:
    """Train both; returns their accuracies on rotated test images."""
    pydl.manual_seed(0)
    images, labels, test_images, test_labels = _images.load("digits")
    turned = rotated(test_images)
    found = {}
    for name in ("plain", "transformer"):
        net = classifier(name == "transformer")
        train(net, images, labels, epochs)
        with pydl.no_grad():
            found[name] = (net(turned).argmax(1) == test_labels).float().mean().item()
    print("accuracy on rotated digits: " + ", ".join(f"{name} {value:.1%}" for name, value in found.items()))
    with pydl.no_grad():
        upright = net[0](turned[:8])

    def draw(figure: Any) -> None:
        axes = figure.subplots(2, 8)
        for row, shown in enumerate((turned, upright)):
            for column in range(8):
                axes[row, column].imshow(shown[column, 0].numpy(), cmap="gray")
                axes[row, column].set_axis_off()
        axes[0, 0].set_title("as given, as seen by the classifier below", loc="left")

    plot(out, draw, (7.0, 2.2))
    return found


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=90, out="spatial_transformer.png"))
