"""FCOS (Tian et al., "FCOS: fully convolutional one-stage object detection", 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection._common import (
    BoxLinearCoder,
    Detector,
    best_of_level,
    by_anchor,
    final_detections,
    make_transform,
)
from pydl.vision.models.detection.backbone_utils import resnet50_pyramid
from pydl.vision.models.detection.faster_rcnn import check_backbone
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.retinanet import prior_bias, small_init
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import AnchorGenerator, box_area, generalized_box_iou_loss, sigmoid_focal_loss
from pydl.vision.ops.feature_pyramid_network import LastLevelP6P7
from pydl.vision.ops.layers import ModuleMaker

__all__ = ["FCOS", "FCOSClassificationHead", "FCOSHead", "FCOSRegressionHead", "fcos_resnet50_fpn"]


def _tower(channels: int, count: int, norm_layer: ModuleMaker | None) -> nn.Sequential:
    norm = norm_layer or partial(nn.GroupNorm, 32)
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.Conv2d(channels, channels, 3, padding=1), norm(channels), nn.ReLU()]
    return nn.Sequential(*layers)


class FCOSClassificationHead(nn.Module):
    """Convolutions with group normalisation, then logits of each class: maps (N, C, H, W) give (N, places,
    num_classes).

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.FCOSClassificationHead(32, 1, 2)([pydl.zeros(1, 32, 4, 4)]).shape
        torch.Size([1, 16, 2])
    """

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        num_convs: int = 4,
        prior_probability: float = 0.01,
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        super().__init__()
        self.num_classes, self.num_anchors = num_classes, num_anchors
        self.conv = _tower(in_channels, num_convs, norm_layer)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        small_init(self)
        prior_bias(self.cls_logits, prior_probability)

    def forward(self, x: list[Tensor]) -> Tensor:
        return pydl.cat([by_anchor(self.cls_logits(self.conv(m)), self.num_classes) for m in x], 1)


class FCOSRegressionHead(nn.Module):
    """Convolutions with group normalisation, then four distances, not negative, and a centre-ness logit for each place.

    Example:
        >>> import pydl
        >>> distances, centre = pydl.vision.models.detection.FCOSRegressionHead(32, 1)([pydl.zeros(1, 32, 4, 4)])
        >>> distances.shape, centre.shape
        (torch.Size([1, 16, 4]), torch.Size([1, 16, 1]))
    """

    def __init__(
        self, in_channels: int, num_anchors: int, num_convs: int = 4, norm_layer: ModuleMaker | None = None
    ) -> None:
        super().__init__()
        self.conv = _tower(in_channels, num_convs, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        self.bbox_ctrness = nn.Conv2d(in_channels, num_anchors, 3, padding=1)
        small_init(self)

    def forward(self, x: list[Tensor]) -> tuple[Tensor, Tensor]:
        hidden = [self.conv(m) for m in x]
        distances = [by_anchor(F.relu(self.bbox_reg(h)), 4) for h in hidden]
        return pydl.cat(distances, 1), pydl.cat([by_anchor(self.bbox_ctrness(h), 1) for h in hidden], 1)


class FCOSHead(nn.Module):
    """Both heads and their losses: a list of maps gives {'cls_logits', 'bbox_regression', 'bbox_ctrness'}.

    Example:
        >>> import pydl
        >>> sorted(pydl.vision.models.detection.FCOSHead(32, 1, 2)([pydl.zeros(1, 32, 4, 4)]))
        ['bbox_ctrness', 'bbox_regression', 'cls_logits']
    """

    def __init__(self, in_channels: int, num_anchors: int, num_classes: int, num_convs: int = 4) -> None:
        super().__init__()
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.classification_head = FCOSClassificationHead(in_channels, num_anchors, num_classes, num_convs)
        self.regression_head = FCOSRegressionHead(in_channels, num_anchors, num_convs)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        distances, centre = self.regression_head(x)
        return {
            "cls_logits": self.classification_head(x),
            "bbox_regression": distances,
            "bbox_ctrness": centre,
        }

    def compute_loss(
        self, targets: list[Target], outputs: dict[str, Tensor], anchors: list[Tensor], matched: list[Tensor]
    ) -> dict[str, Tensor]:
        """Focal loss of all places, generalized IoU and centre-ness of positive ones, divided by the number of
        these."""
        match, places = pydl.stack(matched), pydl.stack(anchors)
        positive = match >= 0
        boxes, labels = [], []
        for t, m in zip(targets, matched):
            at = m[m >= 0]
            boxes.append(t["boxes"].to(places.dtype)[at])
            labels.append(t["labels"][at])
        wanted = pydl.zeros_like(outputs["cls_logits"])
        box, label = pydl.cat(boxes), pydl.cat(labels)
        count = max(1, len(box))
        if len(box):
            image, place = positive.nonzero().unbind(1)
            wanted[image, place, label] = 1.0
        references = places[positive]
        predicted = self.box_coder.decode(outputs["bbox_regression"][positive], references)
        sides = self.box_coder.encode(references, box).reshape(-1, 2, 2)  # (left, top), (right, bottom)
        balance = (sides.amin(1) / sides.amax(1)).prod(1).sqrt() if len(box) else sides.new_zeros(0)
        centre = F.binary_cross_entropy_with_logits(outputs["bbox_ctrness"][..., 0][positive], balance, reduction="sum")
        focal = sigmoid_focal_loss(outputs["cls_logits"], wanted, reduction="sum")
        return {
            "classification": focal / count,
            "bbox_regression": generalized_box_iou_loss(predicted, box, reduction="sum") / count,
            "bbox_ctrness": centre / count,
        }


class FCOS(Detector):
    """FCOS on any backbone with maps of `backbone.out_channels` channels (Tian et al. 2019): every place of a map
    inside a box near its centre predicts the distances to its sides. Classes are 0 to num_classes - 1, without a
    background.

    model(images, targets): in training a dict of classification, bbox_regression, bbox_ctrness; in eval mode a list
    of {boxes, scores, labels}. Raises ValueError for a backbone without out_channels or more than one anchor for a
    place.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 32, 3, 16, 1)
        >>> body.out_channels = 32
        >>> anchors = pydl.vision.ops.AnchorGenerator(((16,),), ((1.0,),))
        >>> model = pydl.vision.models.detection.FCOS(body, 2, min_size=64, anchor_generator=anchors)
        >>> target = {"boxes": pydl.tensor([[8., 8., 30., 30.]]), "labels": pydl.tensor([1])}
        >>> sorted(model([pydl.rand(3, 64, 64)], [target]))
        ['bbox_ctrness', 'bbox_regression', 'classification']
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        min_size: int | Sequence[int] = 800,
        max_size: int = 1333,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        anchor_generator: AnchorGenerator | None = None,
        head: nn.Module | None = None,
        center_sampling_radius: float = 1.5,
        score_thresh: float = 0.2,
        nms_thresh: float = 0.6,
        detections_per_img: int = 100,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        channels = check_backbone("FCOS", backbone)
        self.backbone = backbone
        self.anchor_generator = anchor_generator or AnchorGenerator(((8,), (16,), (32,), (64,), (128,)), ((1.0,),) * 5)
        if set(self.anchor_generator.num_anchors_per_location()) != {1}:
            raise ValueError("FCOS(): anchor_generator must have one anchor for each place")
        self.head = FCOSHead(channels, 1, num_classes) if head is None else head
        self.box_coder = BoxLinearCoder(normalize_by_size=True)
        self.transform = make_transform(min_size, max_size, image_mean, image_std, **kwargs)
        self.center_sampling_radius, self.score_thresh, self.nms_thresh = (
            center_sampling_radius,
            score_thresh,
            nms_thresh,
        )
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def _match(self, anchors: Tensor, boxes: Tensor, counts: list[int]) -> Tensor:
        """For each place the smallest box that has it near its centre and whose size suits the level, or -1."""
        if not len(boxes):
            return pydl.full((len(anchors),), -1, dtype=pydl.int64)
        boxes = boxes.to(anchors.dtype)
        places, size = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2] - anchors[:, 0]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        near = (places[:, None] - centres[None]).abs().amax(2) < self.center_sampling_radius * size[:, None]
        sides = pydl.cat([places[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - places[:, None]], 2)
        low, high = size * 4, size * 8
        low[: counts[0]] = 0
        high[len(high) - counts[-1] :] = float("inf")
        longest = sides.amax(2)
        good = near & (sides.amin(2) > 0) & (longest > low[:, None]) & (longest < high[:, None])
        value, best = (good.to(pydl.float32) * (1e8 - box_area(boxes)[None])).max(1)
        return pydl.where(value < 1e-5, -1, best)

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        maps = list(features.values())
        anchors = self.anchor_generator(images, maps)
        counts = [m.shape[2] * m.shape[3] for m in maps]
        matched = [self._match(a, t["boxes"], counts) for a, t in zip(anchors, targets)]
        return self.head.compute_loss(targets, self.head(maps), anchors, matched)

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        scores = (outputs["cls_logits"].sigmoid() * outputs["bbox_ctrness"].sigmoid()).sqrt()
        counts = [m.shape[2] * m.shape[3] for m in maps]
        result = []
        for i, size in enumerate(images.image_sizes):
            levels = zip(scores[i].split(counts), outputs["bbox_regression"][i].split(counts), anchors[i].split(counts))
            parts = [
                best_of_level(s, partial(self._decode, codes, a), self.score_thresh, self.topk_candidates)
                for s, codes, a in levels
            ]
            result.append(final_detections(parts, size, self.nms_thresh, self.detections_per_img))
        return result

    def _decode(self, codes: Tensor, anchors: Tensor, places: Tensor) -> Tensor:
        return self.box_coder.decode(codes[places], anchors[places])


def _make(source: Source, classes: int, **options: Any) -> FCOS:
    backbone = resnet50_pyramid(source, returned_layers=(2, 3, 4), extra_blocks=LastLevelP6P7(256, 256))
    return FCOS(backbone, classes, **options)


fcos_resnet50_fpn = builder(
    "fcos_resnet50_fpn", 32322720, _make, "FCOS on ResNet-50 with a feature pyramid (Tian et al. 2019)"
)
