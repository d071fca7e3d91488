"""A small residual network: on the digits of scikit-learn, or on CIFAR-10 when its files are given.

``python examples/resnet.py`` or ``python examples/resnet.py --data cifar10 --root ~/data --width 16``
"""

from __future__ import annotations

from typing import Any

from _images import load
from _show import arguments, batches, curves, progress
from lenet import accuracy

import pydl
from pydl import nn


class Block(nn.Module):
    """Two convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Any) -> Any:  # type: ignore[override]
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        y = nn.functional.relu(self.bn1(self.conv1(x)))
        return nn.functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet(channels: int, width: int, blocks: int = 1) -> nn.Sequential:
    """Three stages of ``blocks`` residual blocks each, 6 * blocks + 2 layers."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    before = width
    for stage in range(3):
        after = width << stage
        for k in range(blocks):
            layers.append(Block(before, after, 2 if stage and not k else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def augmented(x: Any) -> Any:
    """The images of a batch, moved together by up to a pixel."""
    down, right = (int(k) for k in pydl.randint(-1, 2, (2,)))
    return pydl.roll(x, (down, right), (2, 3))


def main(
    epochs: int = 6,
    width: int = 8,
    blocks: int = 1,
    data: str = "digits",
    root: str | None = None,
    out: str | None = None,
) -> float:
    """Train; returns the test accuracy."""
    pydl.manual_seed(0)
    train_x, train_y, test_x, test_y = load(data, root)
    net = resnet(train_x.shape[1], width, blocks)
    steps = epochs * -(-len(train_x) // 64)
    optimizer = pydl.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = pydl.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=steps)
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters")
    lines: dict[str, list[float]] = {"training": [], "test": []}
    for epoch in range(1, epochs + 1):
        for batch in progress(list(batches(len(train_x), 64)), f"epoch {epoch}"):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(augmented(train_x[batch])), train_y[batch]).backward()
            optimizer.step()
            schedule.step()
        lines["training"].append(accuracy(net, train_x, train_y))
        lines["test"].append(accuracy(net, test_x, test_y))
        print(f"epoch {epoch}: training {lines['training'][-1]:.2%}, test {lines['test'][-1]:.2%}")
    curves(out, lines, "epoch", "accuracy")
    return lines["test"][-1]


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=6, width=8, blocks=1, data="digits", root=None, out="resnet.png"))
