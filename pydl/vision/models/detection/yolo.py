"""A YOLO of this package: one box for each anchor of each cell, as in YOLOv3 (Redmon and Farhadi, 2018), with a CIoU
loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models._build import Weights, loaded
from pydl.vision.models.detection._common import (
    Detector,
    best_of_level,
    by_anchor,
    final_detections,
    make_transform,
)
from pydl.vision.models.detection.faster_rcnn import check_backbone
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.retinanet import prior_bias
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import Conv2dNormActivation, FeaturePyramidNetwork, complete_box_iou_loss

__all__ = ["YOLO", "YOLOHead", "yolo"]


class YOLOHead(nn.Module):
    """`num_convs` 3x3 convolutions and a 1x1 one, shared by all levels: maps (N, C, H, W) give (N, anchors, 5 +
    num_classes): two offsets in the cell, two logarithms of sides in anchors, objectness, classes; all before the
    sigmoid.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.YOLOHead(8, 2, 3)([pydl.zeros(1, 8, 4, 4)]).shape
        torch.Size([1, 32, 8])
    """

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 2) -> None:
        super().__init__()
        self.columns = 5 + num_classes
        # The levels share the head but not their statistics: batch normalisation's running means would fit none of
        # them.
        norm = partial(nn.GroupNorm, math.gcd(8, in_channels))
        conv = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.SiLU)
        self.conv = nn.Sequential(*(conv(in_channels, in_channels) for _ in range(num_convs)))
        self.predict = nn.Conv2d(in_channels, num_anchors * self.columns, 1)
        prior_bias(self.predict, 0.01)
        assert self.predict.bias is not None
        with pydl.no_grad():  # boxes start as the anchors
            self.predict.bias.reshape(num_anchors, self.columns)[:, :4] = 0

    def forward(self, x: list[Tensor]) -> Tensor:
        return pydl.cat([by_anchor(self.predict(self.conv(m)), self.columns) for m in x], 1)


class YOLO(Detector):
    """YOLO on any backbone with maps of `backbone.out_channels` channels. `anchors` has (width, height) pairs in
    pixels for each level, finest first, equally many. Classes are 0 to num_classes - 1, without a background.

    A box is (cell + 2 sigmoid(t_xy) - 0.5) * stride, anchor * exp(t_wh); a true box belongs to the cell of its centre
    and the two next to it, for anchors whose sides differ by less than `anchor_ratio` times (at least the nearest
    one). model(images, targets): in training a dict of bbox_regression (1 - CIoU), objectness and classification
    (binary cross entropies); in eval mode a list of {boxes, scores, labels}, scores objectness times class. Raises
    ValueError for different numbers of anchors.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> body.out_channels = 8
        >>> model = pydl.vision.models.detection.YOLO(body, 2, [[(16, 16), (32, 32)]], min_size=64)
        >>> target = {"boxes": pydl.tensor([[8., 8., 30., 30.]]), "labels": pydl.tensor([1])}
        >>> sorted(model([pydl.rand(3, 64, 64)], [target]))
        ['bbox_regression', 'classification', 'objectness']
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        anchors: Sequence[Sequence[tuple[float, float]]],
        min_size: int | Sequence[int] = 416,
        max_size: int = 640,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        head: nn.Module | None = None,
        anchor_ratio: float = 4.0,
        loss_weights: tuple[float, float, float] = (2.0, 1.0, 1.0),
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
        detections_per_img: int = 100,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        channels = check_backbone("YOLO", backbone)
        each = len(anchors[0]) if anchors else 0
        if each == 0 or any(len(a) != each for a in anchors):
            raise ValueError(f"YOLO(): there must be equally many anchors on each level, got {anchors}")
        self.backbone, self.anchors = backbone, [pydl.tensor([list(map(float, p)) for p in a]) for a in anchors]
        self.head = YOLOHead(channels, each, num_classes) if head is None else head
        self.transform = make_transform(min_size, max_size, image_mean, image_std, **kwargs)
        self.anchor_ratio, self.loss_weights = anchor_ratio, loss_weights
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def _cells(self, images: ImageList, maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """For each anchor of each cell its column and row, the stride (2), and the anchor's sides, (A, 2) each."""
        if len(maps) != len(self.anchors):
            raise ValueError(f"YOLO(): there are anchors for {len(self.anchors)} levels, got {len(maps)} maps")
        cells, strides, sides = [], [], []
        for m, anchors in zip(maps, self.anchors):
            h, w = m.shape[2:]
            y, x = pydl.meshgrid(pydl.arange(float(h)), pydl.arange(float(w)), indexing="ij")
            cell = pydl.stack([x.reshape(-1), y.reshape(-1)], 1).repeat_interleave(len(anchors), 0)
            cells.append(cell)
            strides.append(pydl.tensor([images.tensors.shape[3] / w, images.tensors.shape[2] / h]).expand(len(cell), 2))
            sides.append(anchors.repeat(h * w, 1))
        return pydl.cat(cells), pydl.cat(strides), pydl.cat(sides)

    @staticmethod
    def _decode(rows: Tensor, cells: Tensor, strides: Tensor, sides: Tensor) -> Tensor:
        centre = (cells + 2 * rows[..., :2].sigmoid() - 0.5) * strides
        half = sides * rows[..., 2:4].clamp(max=4).exp() / 2
        return pydl.cat([centre - half, centre + half], -1)

    def _match(self, boxes: Tensor, cells: Tensor, strides: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
        """Which anchors predict which true boxes: two index vectors."""
        centres, size = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        offset = centres[:, None] / strides - cells - 0.5  # from the cell's middle, in cells
        home = (offset >= -0.5).all(2) & (offset < 0.5).all(2)
        near = (offset.abs() < 1).all(2) & (offset.abs().amin(2) < 0.5)
        ratio = size[:, None] / sides
        differs = pydl.maximum(ratio, 1 / ratio).amax(2)
        inside = pydl.where(home, differs, float("inf"))
        nearest = inside <= inside.amin(1, keepdim=True)
        truth, anchor = ((near & (differs < self.anchor_ratio)) | (home & nearest)).nonzero().unbind(1)
        return anchor, truth

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        maps = list(features.values())
        rows, place = self.head(maps), self._cells(images, maps)
        wanted = pydl.zeros(rows.shape[:2])
        found, truth, classes = [], [], []
        for i, t in enumerate(targets):
            if not len(t["boxes"]):
                continue
            boxes = t["boxes"].to(rows.dtype)
            anchor, which = self._match(boxes, *place)
            wanted[i, anchor] = 1.0
            found.append((rows[i, anchor], *(p[anchor] for p in place)))
            truth.append(boxes[which])
            classes.append(t["labels"][which])
        count = max(1, sum(len(b) for b in truth))
        objectness = F.binary_cross_entropy_with_logits(rows[..., 4], wanted, reduction="sum") / count
        if not found:
            return {"bbox_regression": rows.sum() * 0, "objectness": objectness, "classification": rows.sum() * 0}
        chosen, *where = (pydl.cat(part) for part in zip(*found))
        label = F.one_hot(pydl.cat(classes), rows.shape[-1] - 5).to(rows.dtype)
        box_loss = complete_box_iou_loss(self._decode(chosen, *where), pydl.cat(truth), reduction="sum") / count
        class_loss = F.binary_cross_entropy_with_logits(chosen[:, 5:], label, reduction="sum") / count
        weights = self.loss_weights
        return {
            "bbox_regression": weights[0] * box_loss,
            "objectness": weights[1] * objectness,
            "classification": weights[2] * class_loss,
        }

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        maps = list(features.values())
        rows, place = self.head(maps), self._cells(images, maps)
        scores = rows[..., 4:5].sigmoid() * rows[..., 5:].sigmoid()
        boxes = self._decode(rows, *place)
        result = []
        for i, size in enumerate(images.image_sizes):
            part = best_of_level(scores[i], boxes[i].__getitem__, self.score_thresh, self.topk_candidates)
            result.append(final_detections([part], size, self.nms_thresh, self.detections_per_img))
        return result


class _Darknet(nn.Module):
    """Stages of a strided convolution and residual blocks of 1x1 and 3x3 convolutions (Redmon and Farhadi 2018),
    under a pyramid."""

    def __init__(self, width: int) -> None:
        super().__init__()
        conv = partial(Conv2dNormActivation, activation_layer=nn.SiLU)
        self.stem = conv(3, width, 3, 2)
        widths = [width * 2**i for i in range(5)]
        self.stages = nn.ModuleList([conv(i, o, 3, 2) for i, o in zip(widths, widths[1:])])
        self.blocks = nn.ModuleList([nn.Sequential(conv(w, w // 2, 1), conv(w // 2, w, 3)) for w in widths[1:]])
        self.out_channels = 4 * width
        self.fpn = FeaturePyramidNetwork(widths[2:], self.out_channels, norm_layer=nn.BatchNorm2d)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.stem(x)
        maps = {}
        for i, (down, block) in enumerate(zip(self.stages, self.blocks)):
            x = down(x)
            x = x + block(x)
            if i > 0:
                maps[str(i - 1)] = x
        return self.fpn(maps)


def yolo(
    *,
    weights: Weights = None,
    progress: bool = True,
    num_classes: int = 80,
    width: int = 32,
    **kwargs: Any,
) -> YOLO:
    """:class:`YOLO` on a small Darknet of strides 8, 16 and 32 with YOLOv3's nine anchors; `weights` is None, a path
    or a state dict.

    Example:
        >>> import pydl
        >>> model = pydl.vision.models.detection.yolo(num_classes=3, width=8).eval()
        >>> sorted(model([pydl.rand(3, 64, 64)])[0])
        ['boxes', 'labels', 'scores']
    """
    anchors = [
        [(10, 13), (16, 30), (33, 23)],
        [(30, 61), (62, 45), (59, 119)],
        [(116, 90), (156, 198), (373, 326)],
    ]
    return loaded("yolo", YOLO(_Darknet(width), num_classes, anchors, **kwargs), weights)
