"""LeNet on images: the digits of scikit-learn, or MNIST and Fashion-MNIST when their files are given.

``python examples/lenet.py`` or ``python examples/lenet.py --data mnist --root ~/data``
"""

from __future__ import annotations

from typing import Any

from _images import load
from _show import arguments, batches, curves, progress

import pydl
from pydl import nn


def lenet(size: int) -> nn.Sequential:
    """LeNet-5 (LeCun et al., Proceedings of the IEEE 86, 1998) with ReLU and max pooling, for images of this size."""
    if size >= 28:
        left = (size // 2 - 4) // 2
        body: list[Any] = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU()]
    else:  # of 8 x 8 pixels little is left after 5 x 5 taps without padding
        left = size // 4
        body = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3, padding=1), nn.ReLU()]
    head = [nn.Flatten(), nn.Linear(16 * left * left, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*body, nn.MaxPool2d(2), *head)


def accuracy(net: Any, x: Any, y: Any) -> float:
    """Share of right labels, in evaluation mode."""
    net.eval()
    right = 0
    with pydl.no_grad():
        for start in range(0, len(x), 1000):
            right += int((net(x[start : start + 1000]).argmax(1) == y[start : start + 1000]).sum())
    net.train()
    return right / len(x)


def main(epochs: int = 12, data: str = "digits", root: str | None = None, out: str | None = None) -> float:
    """Train; returns the test accuracy."""
    pydl.manual_seed(0)
    train_x, train_y, test_x, test_y = load(data, root)
    net = lenet(train_x.shape[-1])
    optimizer = pydl.optim.Adam(net.parameters(), lr=2e-3)
    lines: dict[str, list[float]] = {"training": [], "test": []}
    for epoch in range(1, epochs + 1):
        for batch in progress(list(batches(len(train_x), 64)), f"epoch {epoch}"):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(train_x[batch]), train_y[batch]).backward()
            optimizer.step()
        lines["training"].append(accuracy(net, train_x, train_y))
        lines["test"].append(accuracy(net, test_x, test_y))
        print(f"epoch {epoch}: training {lines['training'][-1]:.2%}, test {lines['test'][-1]:.2%}")
    curves(out, lines, "epoch", "accuracy")
    return lines["test"][-1]


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=12, data="digits", root=None, out="lenet.png"))
