"""Anchors and default boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.vision.ops import AnchorGenerator

__all__ = ["AnchorGenerator", "DefaultBoxGenerator"]


class DefaultBoxGenerator(nn.Module):
    """The default boxes of SSD (Liu et al. 2016): squares of scale s_k and sqrt(s_k s_{k+1}), and two boxes for each
    ratio.

    forward(image_list, feature_maps) -> list of (A, 4) in pixels. Scales rise evenly from min_ratio to max_ratio,
    then 1, unless `scales` are given; centres are at the middle of cells, whose size is that of `steps` if given.
    Raises ValueError for another number of steps.

    Example:
        >>> import pydl
        >>> boxes = pydl.vision.models.detection.DefaultBoxGenerator([[2]], 0.5, 0.5)
        >>> boxes(pydl.zeros(1, 3, 8, 8), [pydl.zeros(1, 1, 1, 1)])[0][0]
        tensor([2., 2., 6., 6.])
    """

    def __init__(
        self,
        aspect_ratios: Sequence[Sequence[float]],
        min_ratio: float = 0.15,
        max_ratio: float = 0.9,
        scales: Sequence[float] | None = None,
        steps: Sequence[int] | None = None,
        clip: bool = True,
    ) -> None:
        super().__init__()
        count = len(aspect_ratios)
        if steps is not None and len(steps) != count:
            raise ValueError(f"DefaultBoxGenerator(): there are {count} aspect_ratios, got {len(steps)} steps")
        if scales is None:
            step = (max_ratio - min_ratio) / (count - 1) if count > 1 else 0
            scales = [min_ratio + step * k for k in range(count)] + [1.0] if count > 1 else [min_ratio, max_ratio]
        self.aspect_ratios, self.scales, self.steps, self.clip = aspect_ratios, scales, steps, clip
        self._sides = [self._sides_of(k) for k in range(count)]

    def _sides_of(self, k: int) -> Tensor:
        s, between = self.scales[k], math.sqrt(self.scales[k] * self.scales[k + 1])
        sides = [[s, s], [between, between]]
        for ratio in self.aspect_ratios[k]:
            w, h = s * math.sqrt(ratio), s / math.sqrt(ratio)
            sides += [[w, h], [h, w]]
        return pydl.tensor(sides)

    def num_anchors_per_location(self) -> list[int]:
        return [2 + 2 * len(r) for r in self.aspect_ratios]

    def _level(self, k: int, grid: Sequence[int], image: Sequence[int]) -> Tensor:
        cells = [s / self.steps[k] for s in image] if self.steps is not None else grid
        ys, xs = ((pydl.arange(0, g) + 0.5) / c for g, c in zip(grid, cells))
        y, x = (t.reshape(-1, 1, 1) for t in pydl.meshgrid(ys, xs, indexing="ij"))
        sides = self._sides[k].clamp(0, 1) if self.clip else self._sides[k]
        centres = pydl.cat([x, y], 2).expand(-1, len(sides), 2)
        return pydl.cat([centres, sides[None].expand(len(centres), -1, 2)], 2).reshape(-1, 4)

    def forward(self, image_list: Any, feature_maps: list[Tensor]) -> list[Tensor]:
        images = image_list if isinstance(image_list, Tensor) else image_list.tensors
        size = images.shape[-2:]
        boxes = pydl.cat([self._level(k, m.shape[-2:], size) for k, m in enumerate(feature_maps)])
        pixels = pydl.tensor([float(size[1]), float(size[0])])
        corners = [(boxes[:, :2] + s * boxes[:, 2:]) * pixels for s in (-0.5, 0.5)]
        corners_of = pydl.cat(corners, 1).to(feature_maps[0].dtype)
        count = images.shape[0] if isinstance(image_list, Tensor) else len(image_list.image_sizes)
        return [corners_of for _ in range(count)]
