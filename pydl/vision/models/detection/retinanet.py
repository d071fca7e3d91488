"""RetinaNet (Lin et al., "Focal loss for dense object detection", 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection._common import (
    Detector,
    best_of_level,
    by_anchor,
    final_detections,
    make_transform,
    match_anchors,
)
from pydl.vision.models.detection.backbone_utils import resnet50_pyramid
from pydl.vision.models.detection.faster_rcnn import check_backbone
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import (
    AnchorGenerator,
    BoxCoder,
    Conv2dNormActivation,
    Matcher,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)
from pydl.vision.ops.feature_pyramid_network import LastLevelP6P7
from pydl.vision.ops.layers import ModuleMaker

__all__ = [
    "RetinaNet", "RetinaNetClassificationHead", "RetinaNetHead", "RetinaNetRegressionHead", "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
]  # fmt: skip


def default_anchors() -> AnchorGenerator:
    """Three sizes a third of an octave apart on each level."""
    sizes = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512))
    return AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5)


def small_init(module: nn.Module) -> None:
    """Normal weights of deviation 0.01, zero biases (Lin et al. 2017, section 4.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def prior_bias(conv: nn.Conv2d, prior: float) -> None:
    """Every anchor starts with this chance of each class."""
    assert conv.bias is not None
    nn.init.constant_(conv.bias, -math.log((1 - prior) / prior))


class _Tower(nn.Module):
    def __init__(self, channels: int, norm_layer: ModuleMaker | None) -> None:
        super().__init__()
        self.conv = nn.Sequential(*(Conv2dNormActivation(channels, channels, norm_layer=norm_layer) for _ in range(4)))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # Older files have the ReLUs as elements of their own; their keys end where there is no block yet.
        if f"{prefix}conv.0.weight" in state_dict:
            for i in range(4):
                for kind in ("weight", "bias"):
                    state_dict[f"{prefix}conv.{i}.0.{kind}"] = state_dict.pop(f"{prefix}conv.{2 * i}.{kind}")
        super()._load_from_state_dict(state_dict, prefix, *args)


class RetinaNetClassificationHead(_Tower):
    """Four convolutions, then logits of each class for each anchor: maps (N, C, H, W) give (N, anchors, num_classes).

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.RetinaNetClassificationHead(8, 3, 2)([pydl.zeros(1, 8, 4, 4)]).shape
        torch.Size([1, 48, 2])
    """

    def __init__(
        self,
        in_channels: int,
        num_anchors: int,
        num_classes: int,
        prior_probability: float = 0.01,
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        super().__init__(in_channels, norm_layer)
        self.cls_logits = nn.Conv2d(in_channels, num_anchors * num_classes, 3, padding=1)
        self.num_classes, self.num_anchors = num_classes, num_anchors
        small_init(self)
        prior_bias(self.cls_logits, prior_probability)

    def compute_loss(self, targets: list[Target], outputs: dict[str, Tensor], matched: list[Tensor]) -> Tensor:
        """The focal loss of all anchors but ignored ones, divided by the positive ones; the mean over images."""
        losses = []
        for t, logits, match in zip(targets, outputs["cls_logits"], matched):
            positive = match >= 0
            wanted = pydl.zeros_like(logits)
            if len(t["labels"]):
                wanted[positive, t["labels"][match[positive]]] = 1.0
            used = match != Matcher.BETWEEN_THRESHOLDS
            loss = sigmoid_focal_loss(logits[used], wanted[used], reduction="sum")
            losses.append(loss / max(1, int(positive.sum().item())))
        return pydl.stack(losses).sum() / len(targets)

    def forward(self, x: list[Tensor]) -> Tensor:
        return pydl.cat([by_anchor(self.cls_logits(self.conv(m)), self.num_classes) for m in x], 1)


class RetinaNetRegressionHead(_Tower):
    """Four convolutions, then four offsets for each anchor: maps (N, C, H, W) give (N, anchors, 4).

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.RetinaNetRegressionHead(8, 3)([pydl.zeros(1, 8, 4, 4)]).shape
        torch.Size([1, 48, 4])
    """

    def __init__(self, in_channels: int, num_anchors: int, norm_layer: ModuleMaker | None = None) -> None:
        super().__init__(in_channels, norm_layer)
        self.bbox_reg = nn.Conv2d(in_channels, num_anchors * 4, 3, padding=1)
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self._loss_type = "l1"
        small_init(self)

    def _loss(self, codes: Tensor, boxes: Tensor, anchors: Tensor) -> Tensor:
        if self._loss_type == "giou":
            return generalized_box_iou_loss(self.box_coder.decode_single(codes, anchors), boxes, reduction="sum")
        return F.l1_loss(codes, self.box_coder.encode_single(boxes, anchors), reduction="sum")

    def compute_loss(
        self, targets: list[Target], outputs: dict[str, Tensor], anchors: list[Tensor], matched: list[Tensor]
    ) -> Tensor:
        """The loss of positive anchors' boxes divided by their number; the mean over images."""
        losses = []
        for t, codes, a, match in zip(targets, outputs["bbox_regression"], anchors, matched):
            positive = (match >= 0).nonzero().reshape(-1)
            boxes = t["boxes"].to(a.dtype)[match[positive]]
            losses.append(self._loss(codes[positive], boxes, a[positive]) / max(1, len(positive)))
        return pydl.stack(losses).sum() / max(1, len(targets))

    def forward(self, x: list[Tensor]) -> Tensor:
        return pydl.cat([by_anchor(self.bbox_reg(self.conv(m)), 4) for m in x], 1)


class RetinaNetHead(nn.Module):
    """Both heads: a list of maps gives {'cls_logits', 'bbox_regression'}.

    Example:
        >>> import pydl
        >>> sorted(pydl.vision.models.detection.RetinaNetHead(8, 3, 2)([pydl.zeros(1, 8, 4, 4)]))
        ['bbox_regression', 'cls_logits']
    """

    def __init__(
        self, in_channels: int, num_anchors: int, num_classes: int, norm_layer: ModuleMaker | None = None
    ) -> None:
        super().__init__()
        self.classification_head = RetinaNetClassificationHead(
            in_channels, num_anchors, num_classes, norm_layer=norm_layer
        )
        self.regression_head = RetinaNetRegressionHead(in_channels, num_anchors, norm_layer)

    def compute_loss(
        self, targets: list[Target], outputs: dict[str, Tensor], anchors: list[Tensor], matched: list[Tensor]
    ) -> dict[str, Tensor]:
        return {
            "classification": self.classification_head.compute_loss(targets, outputs, matched),
            "bbox_regression": self.regression_head.compute_loss(targets, outputs, anchors, matched),
        }

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {"cls_logits": self.classification_head(x), "bbox_regression": self.regression_head(x)}


class RetinaNet(Detector):
    """RetinaNet on any backbone with maps of `backbone.out_channels` channels (Lin et al. 2017). Classes are 0 to
    num_classes - 1, without a background.

    model(images, targets): in training a dict of classification and bbox_regression; in eval mode a list of {boxes,
    scores, labels}. Raises ValueError for a backbone without out_channels.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> body.out_channels = 8
        >>> anchors = pydl.vision.ops.AnchorGenerator(((16, 32),), ((1.0,),))
        >>> model = pydl.vision.models.detection.RetinaNet(body, 2, min_size=64, anchor_generator=anchors)
        >>> target = {"boxes": pydl.tensor([[8., 8., 30., 30.]]), "labels": pydl.tensor([1])}
        >>> sorted(model([pydl.rand(3, 64, 64)], [target]))
        ['bbox_regression', 'classification']
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
        proposal_matcher: Matcher | None = None,
        score_thresh: float = 0.05,
        nms_thresh: float = 0.5,
        detections_per_img: int = 300,
        fg_iou_thresh: float = 0.5,
        bg_iou_thresh: float = 0.4,
        topk_candidates: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        channels = check_backbone("RetinaNet", backbone)
        self.backbone = backbone
        self.anchor_generator = default_anchors() if anchor_generator is None else anchor_generator
        count = self.anchor_generator.num_anchors_per_location()[0]
        self.head = RetinaNetHead(channels, count, num_classes) if head is None else head
        self.proposal_matcher = proposal_matcher or Matcher(fg_iou_thresh, bg_iou_thresh, True)
        self.box_coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
        self.transform = make_transform(min_size, max_size, image_mean, image_std, **kwargs)
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        maps = list(features.values())
        anchors = self.anchor_generator(images, maps)
        matched = match_anchors(self.proposal_matcher, anchors, targets)
        return self.head.compute_loss(targets, self.head(maps), anchors, matched)

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        cells = [m.shape[2] * m.shape[3] for m in maps]
        each = outputs["cls_logits"].shape[1] // sum(cells)
        counts = [c * each for c in cells]
        result = []
        for i, size in enumerate(images.image_sizes):
            parts = []
            for logits, codes, a in zip(
                outputs["cls_logits"][i].split(counts),
                outputs["bbox_regression"][i].split(counts),
                anchors[i].split(counts),
            ):
                decode = partial(self._decode, codes, a)
                parts.append(best_of_level(logits.sigmoid(), decode, self.score_thresh, self.topk_candidates))
            result.append(final_detections(parts, size, self.nms_thresh, self.detections_per_img))
        return result

    def _decode(self, codes: Tensor, anchors: Tensor, places: Tensor) -> Tensor:
        return self.box_coder.decode_single(codes[places], anchors[places])


def _pyramid(source: Source, channels: int, **options: Any) -> nn.Module:
    extra = LastLevelP6P7(channels, 256)
    return resnet50_pyramid(source, returned_layers=(2, 3, 4), extra_blocks=extra, **options)


def _first(source: Source, classes: int, **options: Any) -> RetinaNet:
    return RetinaNet(_pyramid(source, 256), classes, **options)


def _second(source: Source, classes: int, **options: Any) -> RetinaNet:
    backbone, anchors = _pyramid(source, 2048, frozen_norm=False), default_anchors()
    head = RetinaNetHead(256, anchors.num_anchors_per_location()[0], classes, partial(nn.GroupNorm, 32))
    head.regression_head._loss_type = "giou"
    return RetinaNet(backbone, classes, **{"anchor_generator": anchors, "head": head, **options})


retinanet_resnet50_fpn = builder(
    "retinanet_resnet50_fpn", 34068119, _first, "RetinaNet on ResNet-50 with a feature pyramid (Lin et al. 2017)"
)
retinanet_resnet50_fpn_v2 = builder(
    "retinanet_resnet50_fpn_v2", 38198935, _second,
    "`retinanet_resnet50_fpn` with group normalisation in the heads and a generalized IoU loss (Zhang et al. 2020)",
)  # fmt: skip
