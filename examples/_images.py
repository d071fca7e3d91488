"""Images for the examples: scikit-learn's digits, or MNIST, Fashion-MNIST and CIFAR-10 from their original files."""

from __future__ import annotations

from typing import Any

import pydl


def load(name: str = "digits", root: str | None = None) -> tuple[Any, Any, Any, Any]:
    """Training images (n, channels, height, width) in [0, 1] and labels, then those of the test part."""
    if name == "digits":
        from sklearn.datasets import load_digits

        digits = load_digits()
        images = pydl.from_numpy(digits.images).float().unsqueeze(1) / 16
        labels = pydl.from_numpy(digits.target).long()
        held_out = pydl.arange(len(labels)) % 5 == 4
        return images[~held_out], labels[~held_out], images[held_out], labels[held_out]
    from pydl.vision import datasets

    kinds = {"mnist": datasets.MNIST, "fashion": datasets.FashionMNIST, "cifar10": datasets.CIFAR10}
    if name not in kinds:
        raise ValueError(f"data must be digits or one of {sorted(kinds)}, got {name!r}")
    if root is None:
        raise ValueError(f"{name}: give the folder with the original files as --root")
    found: list[Any] = []
    for train in (True, False):
        data: Any = kinds[name](root, train=train)
        pixels = pydl.as_tensor(data.data)
        pixels = pixels.permute(0, 3, 1, 2) if pixels.ndim == 4 else pixels.unsqueeze(1)
        found += [pixels.float() / 255, pydl.as_tensor(data.targets)]
    return found[0], found[1], found[2], found[3]
