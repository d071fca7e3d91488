"""Two ways to vary what a network sees in training: easy digits first, and images of changing size.

``python examples/curriculum.py --epochs 20``
"""

from __future__ import annotations

from typing import Any

import _images
from _show import arguments, curves, progress

import pydl
from pydl import nn
from pydl.nn import functional as F
from pydl.utils.data import CurriculumSampler, DataLoader, TensorDataset
from pydl.vision.transforms import MultiScaleBatch


def network() -> nn.Sequential:
    """Convolutions and a mean over all places, so that images of any size fit."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.GroupNorm(4, 16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.GroupNorm(4, 32),
        nn.ReLU(),
        nn.blocks.GlobalAvgPool(),
        nn.Linear(32, 10),
    )


def accuracy(net: nn.Sequential, images: Any, labels: Any) -> float:
    """Share of right answers, in eval mode."""
    net.eval()
    with pydl.no_grad():
        found = (net(images).argmax(1) == labels).float().mean().item()
    net.train()
    return found


def main(epochs: int = 20, out: str | None = None) -> dict[str, float]:
    """Train three networks; returns their accuracies on test images of 8 and of 14 pixels."""
    pydl.manual_seed(0)
    images, labels, test_images, test_labels = _images.load("digits")
    large = F.interpolate(test_images, size=14, mode="bilinear", antialias=True)
    # Hard is what is far from the mean image of its class
    means = pydl.stack([images[labels == k].mean(dim=0) for k in range(10)])
    difficulty = (images - means[labels]).flatten(1).norm(dim=1)
    data = TensorDataset(images, labels)
    found, lines = {}, {}
    for name in ("plain", "easy first", "several sizes"):
        net = network()
        sampler = CurriculumSampler(difficulty, start=0.3, total_epochs=epochs // 2) if name == "easy first" else None
        collate = MultiScaleBatch([8, 10, 12, 14], every=1) if name == "several sizes" else None
        loader = DataLoader(data, batch_size=32, sampler=sampler, shuffle=sampler is None, collate_fn=collate)
        step = pydl.optim.Adam(net.parameters(), lr=3e-3)
        lines[name] = []
        for epoch in progress(range(epochs), name):
            if sampler is not None:
                sampler.set_epoch(epoch)
            for x, y in loader:
                loss = F.cross_entropy(net(x), y)
                step.zero_grad()
                loss.backward()
                step.step()
            lines[name].append(accuracy(net, test_images, test_labels))
        found[name] = lines[name][-1]
        found[f"{name}, 14 pixels"] = accuracy(net, large, test_labels)
    print("accuracy: " + "; ".join(f"{name} {value:.1%}" for name, value in found.items()))
    curves(out, lines, "epoch", "accuracy on the test images")
    return found


if __name__ == "__main__":
    main(**arguments(__doc__, epochs=20, out="curriculum.png"))
