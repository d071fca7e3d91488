"""Pooling over regions of feature maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pydl
from pydl import Tensor
from pydl.nn import Module
from pydl.vision.ops._checks import check_boxes, pair
from pydl.vision.ops.boxes import box_area

Boxes = Tensor | Sequence[Tensor]  # (K, 5) with the batch index first, or (k_i, 4) for each image
Size = int | tuple[int, int]


def region_rows(name: str, boxes: Boxes) -> Tensor:
    """Boxes as one tensor (K, 5)."""
    if isinstance(boxes, Tensor):
        return boxes
    if not boxes:
        return pydl.zeros(0, 5)
    for b in boxes:
        check_boxes(name, b, "each of boxes")
    images = pydl.cat([b.new_full((b.shape[0], 1), float(i)) for i, b in enumerate(boxes)])
    return pydl.cat([images, pydl.cat(list(boxes))], 1)


def roi_align(
    input: Tensor,
    boxes: Boxes,
    output_size: Size,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Regions of maps (N, C, H, W) as (K, C, oh, ow): the mean of bilinear samples in each bin (He et al., "Mask
    R-CNN", 2017).

    boxes: (K, 5) with the batch index first, or a list of (k_i, 4). Coordinates are scaled by `spatial_scale` and, if
    `aligned`, shifted by half a pixel; if not, sides are at least 1. `sampling_ratio` samples a side, or as many as
    pixels if it is not positive. Samples up to one pixel outside count as the border, others as zero. Gradient for
    `input` alone.

    Raises ShapeError for other sizes, IndexError for a batch index out of range.

    Example:
        >>> x = pydl.arange(16.).reshape(1, 1, 4, 4)
        >>> pydl.vision.ops.roi_align(x, [pydl.tensor([[0., 0., 4., 4.]])], 2, aligned=True)
        tensor([[[[ 2.5000,  4.5000],
                  [10.5000, 12.5000]]]])
    """
    rows = region_rows("roi_align", boxes)
    return pydl._roi_align(input, rows, pair(output_size), float(spatial_scale), int(sampling_ratio), bool(aligned))


def roi_pool(input: Tensor, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0) -> Tensor:
    """The maximum in each bin of regions with rounded corners: maps (N, C, H, W) give (K, C, oh, ow); an empty bin
    gives 0.

    Bin h of a region of rh rows covers floor(h*rh/oh) to ceil((h+1)*rh/oh) (Girshick, "Fast R-CNN", 2015). boxes as in
    `roi_align`. Raises ShapeError for other sizes, IndexError for a batch index out of range.

    Example:
        >>> x = pydl.arange(16.).reshape(1, 1, 4, 4)
        >>> pydl.vision.ops.roi_pool(x, [pydl.tensor([[0., 0., 3., 3.]])], 2)
        tensor([[[[ 5.,  7.],
                  [13., 15.]]]])
    """
    return pydl._roi_pool(input, region_rows("roi_pool", boxes), pair(output_size), float(spatial_scale))


def ps_roi_align(
    input: Tensor, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0, sampling_ratio: int = -1
) -> Tensor:
    """`roi_align`, aligned, where bin (i, j) of output channel k reads channel (k*oh + i)*ow + j of the input: (N,
    C*oh*ow, H, W) gives (K, C, oh, ow) (Dai et al., "R-FCN", 2016).

    Raises ShapeError for a number of channels that oh*ow does not divide, IndexError for a batch index out of range.

    Example:
        >>> x = pydl.arange(4.).reshape(1, 4, 1, 1).expand(1, 4, 3, 3)
        >>> pydl.vision.ops.ps_roi_align(x, [pydl.tensor([[0., 0., 3., 3.]])], 2)
        tensor([[[[0., 1.],
                  [2., 3.]]]])
    """
    rows = region_rows("ps_roi_align", boxes)
    return pydl._ps_roi_align(input, rows, pair(output_size), float(spatial_scale), int(sampling_ratio))


def ps_roi_pool(input: Tensor, boxes: Boxes, output_size: Size, spatial_scale: float = 1.0) -> Tensor:
    """The mean of the pixels in each bin of regions with rounded corners, channels as in `ps_roi_align`: (N, C*oh*ow,
    H, W) gives (K, C, oh, ow) (Dai et al. 2016). As in torchvision the last row and column of a map are not read.

    Raises ShapeError for a number of channels that oh*ow does not divide, IndexError for a batch index out of range.

    Example:
        >>> x = pydl.arange(4.).reshape(1, 4, 1, 1).expand(1, 4, 5, 5)
        >>> pydl.vision.ops.ps_roi_pool(x, [pydl.tensor([[0., 0., 4., 4.]])], 2)
        tensor([[[[0., 1.],
                  [2., 3.]]]])
    """
    return pydl._ps_roi_pool(input, region_rows("ps_roi_pool", boxes), pair(output_size), float(spatial_scale))


class RoIPool(Module):
    """`roi_pool` as a module: forward(input, rois).

    Example:
        >>> pydl.vision.ops.RoIPool(2, 0.5)(pydl.ones(1, 3, 8, 8), [pydl.tensor([[0., 0., 8., 8.]])]).shape
        torch.Size([1, 3, 2, 2])
    """

    def __init__(self, output_size: Size, spatial_scale: float) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale

    def forward(self, input: Tensor, rois: Boxes) -> Tensor:
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"


class PSRoIPool(RoIPool):
    """`ps_roi_pool` as a module: forward(input, rois).

    Example:
        >>> pydl.vision.ops.PSRoIPool(2, 0.5)(pydl.ones(1, 12, 8, 8), [pydl.tensor([[0., 0., 8., 8.]])]).shape
        torch.Size([1, 3, 2, 2])
    """

    def forward(self, input: Tensor, rois: Boxes) -> Tensor:
        return ps_roi_pool(input, rois, self.output_size, self.spatial_scale)


class RoIAlign(Module):
    """`roi_align` as a module: forward(input, rois).

    Example:
        >>> pydl.vision.ops.RoIAlign(2, 0.5, 2)(pydl.ones(1, 3, 8, 8), [pydl.tensor([[0., 0., 8., 8.]])]).shape
        torch.Size([1, 3, 2, 2])
    """

    def __init__(self, output_size: Size, spatial_scale: float, sampling_ratio: int, aligned: bool = False) -> None:
        super().__init__()
        self.output_size, self.spatial_scale = output_size, spatial_scale
        self.sampling_ratio, self.aligned = sampling_ratio, aligned

    def forward(self, input: Tensor, rois: Boxes) -> Tensor:
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )


class PSRoIAlign(Module):
    """`ps_roi_align` as a module: forward(input, rois).

    Example:
        >>> pydl.vision.ops.PSRoIAlign(2, 0.5, 2)(pydl.ones(1, 12, 8, 8), [pydl.tensor([[0., 0., 8., 8.]])]).shape
        torch.Size([1, 3, 2, 2])
    """

    def __init__(self, output_size: Size, spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__()
        self.output_size, self.spatial_scale, self.sampling_ratio = output_size, spatial_scale, sampling_ratio

    def forward(self, input: Tensor, rois: Boxes) -> Tensor:
        return ps_roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, sampling_ratio={self.sampling_ratio}"
        )


class MultiScaleRoIAlign(Module):
    """`roi_align` on the level of a pyramid that fits each region's size: floor(canonical_level +
    log2(sqrt(area)/canonical_scale)), clamped to the levels there are (Lin et al., "Feature pyramid networks", 2017).

    forward(x: dict of maps, boxes: list of (k_i, 4), image_shapes: list of (H, W)) -> (K, C, oh, ow). Maps whose
    names are not in `featmap_names` are left out; the scale of a map is the power of two nearest to map/image. Raises
    ValueError without images.

    Example:
        >>> pool = pydl.vision.ops.MultiScaleRoIAlign(["0", "1"], 3, 2)
        >>> maps = {"0": pydl.ones(1, 5, 64, 64), "1": pydl.ones(1, 5, 32, 32)}
        >>> pool(maps, [pydl.tensor([[0., 0., 300., 300.], [0., 0., 20., 20.]])], [(512, 512)]).shape
        torch.Size([2, 5, 3, 3])
    """

    def __init__(
        self,
        featmap_names: list[str],
        output_size: Size,
        sampling_ratio: int,
        *,
        canonical_scale: int = 224,
        canonical_level: int = 4,
    ) -> None:
        super().__init__()
        self.featmap_names = featmap_names
        self.output_size = pair(output_size)
        self.sampling_ratio = sampling_ratio
        self.canonical_scale, self.canonical_level = canonical_scale, canonical_level

    def levels(self, boxes: Tensor, scales: list[float]) -> Tensor:
        """The place of each box' level in the list of maps."""
        low, high = (int(-math.log2(s)) for s in (scales[0], scales[-1]))
        side = box_area(boxes).sqrt()
        level = pydl.floor(self.canonical_level + pydl.log2(side / self.canonical_scale) + 1e-6)
        return level.nan_to_num(low).clamp(low, high).to(pydl.int64) - low

    def forward(self, x: dict[str, Tensor], boxes: list[Tensor], image_shapes: list[tuple[int, int]]) -> Tensor:
        maps = [m for name, m in x.items() if name in self.featmap_names]
        if not image_shapes or not maps:
            raise ValueError("MultiScaleRoIAlign(): there must be at least one image and one map of featmap_names")
        height = max(shape[0] for shape in image_shapes)
        scales = [2.0 ** round(math.log2(m.shape[-2] / height)) for m in maps]
        rows = region_rows("MultiScaleRoIAlign", boxes)
        if len(maps) == 1:
            return roi_align(maps[0], rows, self.output_size, scales[0], self.sampling_ratio)
        levels = self.levels(rows[:, 1:], scales)
        places = [(levels == i).nonzero().reshape(-1) for i in range(len(maps))]
        parts = [
            roi_align(m, rows[p], self.output_size, s, self.sampling_ratio)
            for m, p, s in zip(maps, places, scales)
            if p.numel()
        ]
        if not parts:
            return roi_align(maps[0], rows, self.output_size, scales[0], self.sampling_ratio)
        return pydl.cat(parts)[pydl.argsort(pydl.cat(places))]

    def extra_repr(self) -> str:
        return (
            f"featmap_names={self.featmap_names}, output_size={self.output_size}, sampling_ratio={self.sampling_ratio}"
        )
