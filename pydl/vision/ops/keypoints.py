"""Points from heat maps."""

from __future__ import annotations

import pydl
from pydl import ShapeError, Tensor
from pydl.nn import functional as F
from pydl.vision.ops._checks import check_boxes


def heatmaps_to_keypoints(maps: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
    """Maps (K, J, S, S) of regions (K, 4) as points (K, J, 3) of x, y, 1 in the image, and their scores (K, J).

    Each map is resized (bicubic) to the region's size, rounded up and at least 1, and its first maximum taken, half a
    pixel inwards (He et al., "Mask R-CNN", 2017); float32 at least. Raises ShapeError for other sizes.

    Example:
        >>> maps = pydl.zeros(1, 1, 4, 4)
        >>> maps[0, 0, 1, 2] = 1.0
        >>> pydl.vision.ops.heatmaps_to_keypoints(maps, pydl.tensor([[10., 20., 14., 24.]]))
        (tensor([[[12.5000, 21.5000,  1.0000]]]), tensor([[1.]]))
    """
    check_boxes("heatmaps_to_keypoints", rois, "rois")
    if maps.ndim != 4 or maps.shape[0] != rois.shape[0]:
        raise ShapeError(
            f"heatmaps_to_keypoints(): maps must have sizes ({rois.shape[0]}, J, S, S), got {tuple(maps.shape)}"
        )
    # Half precision has no room for positions in an image: of 2048 float16 loses every second pixel.
    dtype = pydl.float64 if pydl.float64 in (maps.dtype, rois.dtype) else pydl.float32
    maps, rois = maps.to(dtype), rois.to(dtype)
    k, j = maps.shape[:2]
    points, scores = maps.new_ones(k, j, 3), maps.new_zeros(k, j)
    sides = (rois[:, 2:] - rois[:, :2]).clamp(min=1).nan_to_num(1.0)
    for i, (width, height) in enumerate(sides.ceil().to(pydl.int64).tolist()):
        resized = F.interpolate(maps[i][None], size=(height, width), mode="bicubic", align_corners=False)[0]
        flat = resized.reshape(j, -1)
        at = flat.argmax(1)
        cells = pydl.stack([at % width, at // width], 1).to(dtype)
        points[i, :, :2] = (cells + 0.5) * (sides[i] / pydl.tensor([width, height], dtype=dtype)) + rois[i, :2]
        scores[i] = flat.gather(1, at[:, None])[:, 0]
    return points, scores


def spatial_soft_argmax2d(input: Tensor, temperature: float = 1.0, normalized_coordinates: bool = True) -> Tensor:
    """The expected position (x, y) under softmax(temperature * map): (N, C, H, W) gives (N, C, 2), in [-1, 1] or in
    pixels.

    Levine et al., "End-to-end training of deep visuomotor policies", 2016. Raises ShapeError for other dims.

    Example:
        >>> pydl.vision.ops.spatial_soft_argmax2d(pydl.zeros(1, 1, 3, 3), normalized_coordinates=False)
        tensor([[[1., 1.]]])
    """
    if input.ndim != 4 or 0 in input.shape[2:]:
        raise ShapeError(f"spatial_soft_argmax2d(): input must have sizes (N, C, H, W), got {tuple(input.shape)}")
    n, c, h, w = input.shape
    chances = (input * temperature).reshape(n, c, h * w).softmax(-1).reshape(n, c, h, w)

    def axis(size: int) -> Tensor:
        if normalized_coordinates:
            return pydl.linspace(-1, 1, size, dtype=input.dtype)
        return pydl.arange(size, dtype=input.dtype)

    return pydl.stack([(chances.sum(2) * axis(w)).sum(-1), (chances.sum(3) * axis(h)).sum(-1)], -1)
