"""SSD (Liu et al., "SSD: single shot multibox detector", 2016), and SSDlite (Sandler et al. 2018)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models import mobilenet, vgg
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection._common import (
    Detector,
    SSDMatcher,
    best_of_level,
    by_anchor,
    final_detections,
    make_transform,
    match_anchors,
)
from pydl.vision.models.detection.anchor_utils import DefaultBoxGenerator
from pydl.vision.models.detection.backbone_utils import freeze_stages, stages_of
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.transform import Target
from pydl.vision.ops import BoxCoder, Conv2dNormActivation
from pydl.vision.ops.layers import ModuleMaker

__all__ = ["SSD", "SSDHead", "SSDLiteHead", "ssd300_vgg16", "ssdlite320_mobilenet_v3_large"]


def _init(module: nn.Module, std: float | None = None) -> None:
    """Xavier-uniform convolutions, or normal ones of deviation `std`; zero biases."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight) if std is None else nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class _ScoringHead(nn.Module):
    """One convolution for each map; rows (N, anchors, columns) of all maps."""

    def __init__(self, layers: Iterable[nn.Module], num_columns: int, std: float | None = None) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(layers)
        self.num_columns = num_columns
        _init(self, std)

    def forward(self, x: list[Tensor]) -> Tensor:
        return pydl.cat([by_anchor(f(m), self.num_columns) for f, m in zip(self.module_list, x)], 1)


class SSDHead(nn.Module):
    """3x3 convolutions that give each default box' class logits and offsets: {'bbox_regression', 'cls_logits'}.

    Example:
        >>> import pydl
        >>> out = pydl.vision.models.detection.SSDHead([8], [4], 3)([pydl.zeros(1, 8, 2, 2)])
        >>> {k: tuple(v.shape) for k, v in out.items()}
        {'bbox_regression': (1, 16, 4), 'cls_logits': (1, 16, 3)}
    """

    def __init__(self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int) -> None:
        super().__init__()

        def make(columns: int) -> nn.Module:
            layers = (nn.Conv2d(c, columns * a, 3, padding=1) for c, a in zip(in_channels, num_anchors))
            return _ScoringHead(layers, columns)

        self.classification_head, self.regression_head = make(num_classes), make(4)

    def forward(self, x: list[Tensor]) -> dict[str, Tensor]:
        return {"bbox_regression": self.regression_head(x), "cls_logits": self.classification_head(x)}


class SSDLiteHead(SSDHead):
    """:class:`SSDHead` with depthwise separable convolutions.

    Example:
        >>> import pydl
        >>> out = pydl.vision.models.detection.SSDLiteHead([8], [4], 3, pydl.nn.BatchNorm2d)([pydl.zeros(1, 8, 2, 2)])
        >>> out["cls_logits"].shape
        torch.Size([1, 16, 3])
    """

    def __init__(
        self, in_channels: Sequence[int], num_anchors: Sequence[int], num_classes: int, norm_layer: ModuleMaker
    ) -> None:
        nn.Module.__init__(self)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)

        def make(columns: int) -> nn.Module:
            layers = (
                nn.Sequential(conv(c, c, 3, groups=c), nn.Conv2d(c, columns * a, 1))
                for c, a in zip(in_channels, num_anchors)
            )
            return _ScoringHead(layers, columns, 0.03)

        self.classification_head, self.regression_head = make(num_classes), make(4)


def _channels_of(backbone: nn.Module, size: tuple[int, int]) -> list[int]:
    """What the backbone says, or what it gives for an empty image."""
    known = getattr(backbone, "out_channels", None)
    if isinstance(known, (list, tuple)):
        return list(known)
    training = backbone.training
    with pydl.no_grad():
        maps = backbone.eval()(pydl.zeros(1, 3, size[1], size[0]))
    backbone.train(training)
    return [int(m.shape[1]) for m in (maps.values() if isinstance(maps, dict) else [maps])]


class SSD(Detector):
    """SSD on any backbone that gives a dict of maps (Liu et al. 2016); images are resized to `size` (W, H), class 0
    is the background.

    model(images, targets): in training a dict of bbox_regression and classification (with the hardest backgrounds,
    three for each positive box); in eval mode a list of {boxes, scores, labels}. Raises ValueError unless there are
    as many maps as aspect ratios.

    Example:
        >>> import pydl
        >>> D = pydl.vision.models.detection
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> model = D.SSD(body, D.DefaultBoxGenerator([[2]], 0.2, 0.4), (64, 64), 2)
        >>> target = {"boxes": pydl.tensor([[8., 8., 30., 30.]]), "labels": pydl.tensor([1])}
        >>> sorted(model([pydl.rand(3, 64, 64)], [target]))
        ['bbox_regression', 'classification']
    """

    def __init__(
        self,
        backbone: nn.Module,
        anchor_generator: DefaultBoxGenerator,
        size: tuple[int, int],
        num_classes: int,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        head: nn.Module | None = None,
        score_thresh: float = 0.01,
        nms_thresh: float = 0.45,
        detections_per_img: int = 200,
        iou_thresh: float = 0.5,
        topk_candidates: int = 400,
        positive_fraction: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.backbone, self.anchor_generator = backbone, anchor_generator
        self.box_coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        if head is None:
            channels = _channels_of(backbone, size)
            if len(channels) != len(anchor_generator.aspect_ratios):
                raise ValueError(
                    f"SSD(): the backbone gives {len(channels)} maps, the anchor generator has "
                    f"{len(anchor_generator.aspect_ratios)} aspect_ratios"
                )
            head = SSDHead(channels, anchor_generator.num_anchors_per_location(), num_classes)
        self.head = head
        self.proposal_matcher = SSDMatcher(iou_thresh)
        self.transform = make_transform(
            min(size), max(size), image_mean, image_std, size_divisible=1, fixed_size=size, **kwargs
        )
        self.score_thresh, self.nms_thresh = score_thresh, nms_thresh
        self.detections_per_img, self.topk_candidates = detections_per_img, topk_candidates
        self.neg_to_pos_ratio = (1.0 - positive_fraction) / positive_fraction

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        boxes, labels, count = [], [], 0
        matches = match_anchors(self.proposal_matcher, anchors, targets)
        for t, codes, a, match in zip(targets, outputs["bbox_regression"], anchors, matches):
            positive = (match >= 0).nonzero().reshape(-1)
            at = match[positive]
            count += len(at)
            wanted = self.box_coder.encode_single(t["boxes"].to(a.dtype)[at], a[positive])
            boxes.append(F.smooth_l1_loss(codes[positive], wanted, reduction="sum"))
            label = pydl.zeros_like(match)
            label[positive] = t["labels"][at]
            labels.append(label)
        return {
            "bbox_regression": pydl.stack(boxes).sum() / max(1, count),
            "classification": self._class_loss(outputs["cls_logits"], pydl.stack(labels)) / max(1, count),
        }

    def _class_loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy of positive boxes and the hardest negative ones of each image."""
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction="none")
        loss = loss.reshape(labels.shape)
        positive = labels > 0
        hardness = loss.detach().masked_fill(positive, -float("inf"))
        rank = hardness.sort(1, descending=True)[1].sort(1)[1]
        hardest = rank < self.neg_to_pos_ratio * positive.sum(1, keepdim=True)
        return loss[positive].sum() + loss[hardest].sum()

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        maps = list(features.values())
        outputs, anchors = self.head(maps), self.anchor_generator(images, maps)
        scores = outputs["cls_logits"].softmax(-1)
        result = []
        for i, size in enumerate(images.image_sizes):
            boxes = self.box_coder.decode_single(outputs["bbox_regression"][i], anchors[i])
            parts = []
            for label in range(1, scores.shape[-1]):
                box, score, _ = best_of_level(
                    scores[i][:, label : label + 1], boxes.__getitem__, self.score_thresh, self.topk_candidates
                )
                parts.append((box, score, pydl.full((len(box),), label, dtype=pydl.int64)))
            result.append(final_detections(parts, size, self.nms_thresh, self.detections_per_img))
        return result


class SSDFeatureExtractorVGG(nn.Module):
    """VGG-16's maps of stride 8 (normalised and scaled) and 16, and smaller ones by further convolutions."""

    def __init__(self, backbone: nn.Sequential) -> None:
        super().__init__()
        pools = [i for i, layer in enumerate(backbone) if isinstance(layer, nn.MaxPool2d)]
        backbone[pools[2]].ceil_mode = True  # 38 x 38, as in the paper
        self.scale_weight = nn.Parameter(pydl.ones(512) * 20)
        self.features = nn.Sequential(*backbone[: pools[3]])

        def block(i: int, middle: int, o: int, stride: int, padding: int) -> nn.Sequential:
            last = nn.Conv2d(middle, o, 3, stride, padding)
            return nn.Sequential(nn.Conv2d(i, middle, 1), nn.ReLU(inplace=True), last, nn.ReLU(inplace=True))

        fc = nn.Sequential(
            nn.MaxPool2d(3, 1, 1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 1),
            nn.ReLU(inplace=True),
        )
        extra = [
            block(1024, 256, 512, 2, 1),
            block(512, 128, 256, 2, 1),
            block(256, 128, 256, 1, 0),
            block(256, 128, 256, 1, 0),
        ]
        for part in (fc, *extra):
            _init(part)
        self.extra = nn.ModuleList([nn.Sequential(*backbone[pools[3] : -1], fc), *extra])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.features(x)
        maps = [self.scale_weight[:, None, None] * F.normalize(x)]
        for block in self.extra:
            x = block(x)
            maps.append(x)
        return {str(i): m for i, m in enumerate(maps)}


class SSDLiteFeatureExtractorMobileNet(nn.Module):
    """A MobileNet's expansion of stride 16 and its last map, and smaller ones by further blocks."""

    def __init__(self, backbone: nn.Sequential, c4_pos: int, norm_layer: ModuleMaker) -> None:
        super().__init__()
        c4: Any = backbone[c4_pos]
        self.features = nn.Sequential(
            nn.Sequential(*backbone[:c4_pos], c4.block[0]), nn.Sequential(c4.block[1:], *backbone[c4_pos + 1 :])
        )
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)

        def block(i: int, o: int) -> nn.Sequential:
            half = o // 2
            return nn.Sequential(conv(i, half, 1), conv(half, half, 3, 2, groups=half), conv(half, o, 1))

        last: Any = backbone[-1]
        widths = [last.out_channels, 512, 256, 256, 128]
        self.extra = nn.ModuleList([block(i, o) for i, o in zip(widths, widths[1:])])
        _init(self.extra, 0.03)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = []
        for block in (*self.features, *self.extra):
            x = block(x)
            maps.append(x)
        return {str(i): m for i, m in enumerate(maps)}


def _ignore_size(name: str, kwargs: dict[str, Any]) -> None:
    if kwargs.pop("size", None) is not None:
        warnings.warn(f"{name}(): the size of this model is fixed; size is ignored", stacklevel=4)


def _large(source: Source, classes: int, **options: Any) -> SSD:
    _ignore_size(source.name, options)
    count = source.stages(5, 4)
    features = vgg.vgg16(weights=source.backbone).features
    stages = [0, *(i for i, b in enumerate(features) if isinstance(b, nn.MaxPool2d))][:-1]
    for part in features[: stages[len(stages) - count] if count else len(features)]:
        part.requires_grad_(False)
    anchors = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    defaults = {"image_mean": [0.48235, 0.45882, 0.40784], "image_std": [1 / 255] * 3}
    return SSD(SSDFeatureExtractorVGG(features), anchors, (300, 300), classes, **{**defaults, **options})


def _lite(source: Source, classes: int, norm_layer: ModuleMaker | None = None, **options: Any) -> SSD:
    _ignore_size(source.name, options)
    count = source.stages(6, 6)
    norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.03)
    own = source.backbone is not None
    body = mobilenet.mobilenet_v3_large(weights=source.backbone, norm_layer=norm, reduced_tail=not own)
    if not own:
        _init(body, 0.03)
    freeze_stages(body.features, count)
    backbone = SSDLiteFeatureExtractorMobileNet(body.features, stages_of(body.features)[-2], norm)
    size = (320, 320)
    anchors = DefaultBoxGenerator([[2, 3] for _ in range(6)], min_ratio=0.2, max_ratio=0.95)
    head = SSDLiteHead(_channels_of(backbone, size), anchors.num_anchors_per_location(), classes, norm)
    defaults = {
        "score_thresh": 0.001,
        "nms_thresh": 0.55,
        "detections_per_img": 300,
        "topk_candidates": 300,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    return SSD(backbone, anchors, size, classes, head=head, **{**defaults, **options})


ssd300_vgg16 = builder("ssd300_vgg16", 35641826, _large, "SSD on VGG-16 for images of 300 x 300 (Liu et al. 2016)")
ssdlite320_mobilenet_v3_large = builder(
    "ssdlite320_mobilenet_v3_large", 3440060, _lite,
    "SSD with separable convolutions on a large MobileNet v3, with a smaller tail unless it has weights of its own, "
    "for images of 320 x 320 (Sandler et al. 2018, Howard et al. 2019)", more=("norm_layer",),
)  # fmt: skip
