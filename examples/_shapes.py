"""Images of shapes with what a detector is to find in them, and how well it did."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl
from pydl.vision.ops import box_iou

NAMES = ("background", "square", "disc", "triangle")


def outline(kind: int, centre: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """The corners of a shape; a disc has many."""
    count, start = {1: (4, np.pi / 4), 2: (24, 0.0), 3: (3, -np.pi / 2)}[kind]
    turns = start + angle + 2 * np.pi * np.arange(count) / count
    return centre + radius * np.stack([np.cos(turns), np.sin(turns)], 1)


def fill(corners: np.ndarray, size: int) -> np.ndarray:
    """The pixels whose middle lies inside a convex outline."""
    y, x = np.mgrid[:size, :size] + 0.5
    inside = np.ones((size, size), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0)):
        inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    return inside


def scene(
    rng: np.random.Generator, size: int = 64, most: int = 3, kinds: tuple[int, ...] = (1, 2, 3)
) -> tuple[Any, Any]:
    """An image (3, size, size) with one to `most` shapes apart from each other, and boxes, labels, masks and
    corners."""
    image = rng.uniform(0, 0.3, (3, 1, 1)) + rng.normal(0, 0.05, (3, size, size))
    found: dict[str, list[Any]] = {"boxes": [], "labels": [], "masks": [], "keypoints": []}
    taken = np.zeros((size, size), bool)
    for _ in range(rng.integers(1, most + 1)):
        kind, radius = int(rng.choice(kinds)), rng.uniform(0.11, 0.22) * size
        centre = rng.uniform(radius, size - radius, 2)
        corners = outline(kind, centre, radius, rng.uniform(-0.4, 0.4))
        mask = fill(corners, size)
        if (mask & taken).any():
            continue
        taken |= mask
        image[:, mask] = rng.uniform(0.5, 1.0, (3, 1)) + rng.normal(0, 0.05, (3, int(mask.sum())))
        ys, xs = mask.nonzero()
        found["boxes"].append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        found["labels"].append(kind)
        found["masks"].append(mask)
        found["keypoints"].append(np.concatenate([corners[:3], np.ones((3, 1))], 1))
    target = {
        "boxes": pydl.tensor(np.array(found["boxes"], np.float32)),
        "labels": pydl.tensor(np.array(found["labels"], np.int64)),
        "masks": pydl.tensor(np.array(found["masks"], np.uint8)),
        "keypoints": pydl.tensor(np.array(found["keypoints"], np.float32)),
    }
    return pydl.tensor(image.astype(np.float32)), target


def scenes(seed: int, count: int, **options: Any) -> tuple[list[Any], list[Any]]:
    """`count` scenes: images and targets."""
    rng = np.random.default_rng(seed)
    images, targets = zip(*(scene(rng, **options) for _ in range(count)))
    return list(images), list(targets)


def assign(found: dict[str, Any], target: dict[str, Any], overlap: float = 0.5) -> list[int]:
    """For each detection, by falling score, the truth of its class that it finds first, or -1."""
    ious = box_iou(found["boxes"], target["boxes"]).numpy()
    free, result = set(range(len(target["labels"]))), []
    for row, label in zip(ious, found["labels"].tolist()):
        good = [t for t in free if int(target["labels"][t]) == label and row[t] >= overlap]
        best = max(good, key=lambda t: row[t], default=-1)
        free.discard(best)
        result.append(best)
    return result


def average_precision(results: list[Any], targets: list[Any], classes: tuple[int, ...], overlap: float = 0.5) -> float:
    """The mean over classes of the area under precision against recall (Everingham et al. 2010, all points)."""
    values = []
    for label in classes:
        hits: list[tuple[float, bool]] = []
        total = 0
        for found, target in zip(results, targets):
            total += int((target["labels"] == label).sum())
            keep = found["labels"] == label
            of_class = {k: found[k][keep] for k in ("boxes", "labels", "scores")}
            matched = assign(of_class, target, overlap)
            hits += [(float(s), m >= 0) for s, m in zip(of_class["scores"].tolist(), matched)]
        hits.sort(key=lambda h: -h[0])
        right = np.cumsum([h for _, h in hits]) if hits else np.zeros(0)
        precision = right / np.arange(1, len(right) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        values.append(float((envelope * [h for _, h in hits]).sum() / max(total, 1)) if hits else 0.0)
    return float(np.mean(values))
