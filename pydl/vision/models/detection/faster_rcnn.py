"""Faster R-CNN (Ren et al., 2015)."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models import mobilenet
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection._common import Detector, make_transform
from pydl.vision.models.detection.backbone_utils import BackboneWithFPN, mobilenet_pyramid, resnet50_pyramid
from pydl.vision.models.detection.image_list import ImageList
from pydl.vision.models.detection.roi_heads import RoIHeads
from pydl.vision.models.detection.rpn import RegionProposalNetwork, RPNHead
from pydl.vision.models.detection.transform import GeneralizedRCNNTransform, Target
from pydl.vision.ops import AnchorGenerator, Conv2dNormActivation, FrozenBatchNorm2d, MultiScaleRoIAlign
from pydl.vision.ops.layers import ModuleMaker

__all__ = [
    "FastRCNNConvFCHead", "FastRCNNPredictor", "FasterRCNN", "GeneralizedRCNN", "TwoMLPHead",
    "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
]  # fmt: skip


class GeneralizedRCNN(Detector):
    """A detector in two stages: proposals from `rpn`, what they are from `roi_heads`.

    Example:
        >>> import pydl
        >>> issubclass(pydl.vision.models.detection.FasterRCNN, pydl.vision.models.detection.GeneralizedRCNN)
        True
    """

    def __init__(
        self, backbone: nn.Module, rpn: nn.Module, roi_heads: nn.Module, transform: GeneralizedRCNNTransform
    ) -> None:
        super().__init__()
        self.transform, self.backbone, self.rpn, self.roi_heads = transform, backbone, rpn, roi_heads

    def losses(self, images: ImageList, features: dict[str, Tensor], targets: list[Target]) -> dict[str, Tensor]:
        proposals, first = self.rpn(images, features, targets)
        _, second = self.roi_heads(features, proposals, images.image_sizes, targets)
        return {**second, **first}

    def detect(self, images: ImageList, features: dict[str, Tensor]) -> list[Target]:
        proposals, _ = self.rpn(images, features)
        return self.roi_heads(features, proposals, images.image_sizes)[0]


class TwoMLPHead(nn.Module):
    """Two linear layers with ReLU over flattened regions.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.TwoMLPHead(16, 8)(pydl.zeros(3, 4, 2, 2)).shape
        torch.Size([3, 8])
    """

    def __init__(self, in_channels: int, representation_size: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_channels, representation_size)
        self.fc7 = nn.Linear(representation_size, representation_size)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(pydl.flatten(x, 1)))))


class FastRCNNConvFCHead(nn.Sequential):
    """3x3 convolutions, then linear layers with ReLU, over regions of `input_size` (C, H, W).

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.FastRCNNConvFCHead((4, 2, 2), [5], [8])(pydl.zeros(3, 4, 2, 2)).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        input_size: tuple[int, int, int],
        conv_layers: Sequence[int],
        fc_layers: Sequence[int],
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        channels, height, width = input_size
        blocks: list[nn.Module] = []
        for size in conv_layers:
            blocks.append(Conv2dNormActivation(channels, size, norm_layer=norm_layer))
            channels = size
        blocks.append(nn.Flatten())
        channels *= height * width
        for size in fc_layers:
            blocks += [nn.Linear(channels, size), nn.ReLU(inplace=True)]
            channels = size
        super().__init__(*blocks)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


class FastRCNNPredictor(nn.Module):
    """Scores of classes and four offsets for each: (K, C) gives (K, classes) and (K, 4*classes).

    Example:
        >>> import pydl
        >>> scores, offsets = pydl.vision.models.detection.FastRCNNPredictor(8, 3)(pydl.zeros(2, 8))
        >>> scores.shape, offsets.shape
        (torch.Size([2, 3]), torch.Size([2, 12]))
    """

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(in_channels, num_classes)
        self.bbox_pred = nn.Linear(in_channels, num_classes * 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = pydl.flatten(x, 1)
        return self.cls_score(x), self.bbox_pred(x)


def default_anchors() -> AnchorGenerator:
    return AnchorGenerator(((32,), (64,), (128,), (256,), (512,)), ((0.5, 1.0, 2.0),) * 5)


def check_backbone(name: str, backbone: Any) -> int:
    """The channels of its maps."""
    if not isinstance(getattr(backbone, "out_channels", None), int):
        raise ValueError(f"{name}(): backbone must have an attribute out_channels, the channels of all of its maps")
    return backbone.out_channels


class FasterRCNN(GeneralizedRCNN):
    """Faster R-CNN on any backbone that gives a map or a dict of maps of `backbone.out_channels` channels (Ren et al.
    2015).

    model(images, targets): images a list of (3, H, W); targets dicts of boxes (K, 4) and labels (K,), 1 to
    num_classes - 1, 0 being the background. In training a dict of loss_classifier, loss_box_reg, loss_objectness,
    loss_rpn_box_reg; in eval mode a list of {boxes, labels, scores}. Parts that are not given are torchvision's.
    Raises ValueError unless either `num_classes` or `box_predictor` is given.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> body.out_channels = 8
        >>> anchors = pydl.vision.ops.AnchorGenerator(((16, 32),), ((1.0,),))
        >>> pool = pydl.vision.ops.MultiScaleRoIAlign(["0"], 3, 2)
        >>> make = pydl.vision.models.detection.FasterRCNN
        >>> model = make(body, 2, min_size=64, rpn_anchor_generator=anchors, box_roi_pool=pool).eval()
        >>> sorted(model([pydl.rand(3, 64, 64)])[0])
        ['boxes', 'labels', 'scores']
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int | None = None,
        min_size: int | Sequence[int] = 800,
        max_size: int = 1333,
        image_mean: Sequence[float] | None = None,
        image_std: Sequence[float] | None = None,
        rpn_anchor_generator: AnchorGenerator | None = None,
        rpn_head: nn.Module | None = None,
        rpn_pre_nms_top_n_train: int = 2000,
        rpn_pre_nms_top_n_test: int = 1000,
        rpn_post_nms_top_n_train: int = 2000,
        rpn_post_nms_top_n_test: int = 1000,
        rpn_nms_thresh: float = 0.7,
        rpn_fg_iou_thresh: float = 0.7,
        rpn_bg_iou_thresh: float = 0.3,
        rpn_batch_size_per_image: int = 256,
        rpn_positive_fraction: float = 0.5,
        rpn_score_thresh: float = 0.0,
        box_roi_pool: nn.Module | None = None,
        box_head: nn.Module | None = None,
        box_predictor: nn.Module | None = None,
        box_score_thresh: float = 0.05,
        box_nms_thresh: float = 0.5,
        box_detections_per_img: int = 100,
        box_fg_iou_thresh: float = 0.5,
        box_bg_iou_thresh: float = 0.5,
        box_batch_size_per_image: int = 512,
        box_positive_fraction: float = 0.25,
        bbox_reg_weights: tuple[float, float, float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        channels = check_backbone(type(self).__name__, backbone)
        if (num_classes is None) == (box_predictor is None):
            raise ValueError(f"{type(self).__name__}(): one of num_classes and box_predictor must be given")
        anchors = default_anchors() if rpn_anchor_generator is None else rpn_anchor_generator
        rpn = RegionProposalNetwork(
            anchors,
            RPNHead(channels, anchors.num_anchors_per_location()[0]) if rpn_head is None else rpn_head,
            rpn_fg_iou_thresh,
            rpn_bg_iou_thresh,
            rpn_batch_size_per_image,
            rpn_positive_fraction,
            {"training": rpn_pre_nms_top_n_train, "testing": rpn_pre_nms_top_n_test},
            {"training": rpn_post_nms_top_n_train, "testing": rpn_post_nms_top_n_test},
            rpn_nms_thresh,
            rpn_score_thresh,
        )
        pool: Any = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2) if box_roi_pool is None else box_roi_pool
        heads = RoIHeads(
            pool,
            TwoMLPHead(channels * pool.output_size[0] ** 2, 1024) if box_head is None else box_head,
            FastRCNNPredictor(1024, num_classes or 0) if box_predictor is None else box_predictor,
            box_fg_iou_thresh,
            box_bg_iou_thresh,
            box_batch_size_per_image,
            box_positive_fraction,
            bbox_reg_weights,
            box_score_thresh,
            box_nms_thresh,
            box_detections_per_img,
        )
        super().__init__(backbone, rpn, heads, make_transform(min_size, max_size, image_mean, image_std, **kwargs))


def extended(kind: type[FasterRCNN]) -> type[FasterRCNN]:
    """Shows the arguments of :class:`FasterRCNN` in the signature of a class that hands them on."""
    own, base = (list(inspect.signature(c.__init__).parameters.values())[1:] for c in (kind, FasterRCNN))
    others = {p.name: p for p in own if p.kind == p.POSITIONAL_OR_KEYWORD}
    shown = [others.get(p.name, p) for p in base[:-1]] + [p for p in own if p.kind == p.KEYWORD_ONLY] + base[-1:]
    kind.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return kind


def v2_parts(backbone: Any) -> dict[str, Any]:
    """The deeper heads of Li et al., "Benchmarking detection transfer learning", 2021."""
    anchors = default_anchors()
    head = FastRCNNConvFCHead((backbone.out_channels, 7, 7), [256] * 4, [1024], nn.BatchNorm2d)
    rpn_head = RPNHead(backbone.out_channels, anchors.num_anchors_per_location()[0], conv_depth=2)
    return {"rpn_anchor_generator": anchors, "rpn_head": rpn_head, "box_head": head}


def deep_pyramid(source: Source) -> BackboneWithFPN:
    """The pyramid of the second versions, with normalisation."""
    return resnet50_pyramid(source, frozen_norm=False, norm_layer=nn.BatchNorm2d)


def _first(source: Source, classes: int, **options: Any) -> FasterRCNN:
    return FasterRCNN(resnet50_pyramid(source), classes, **options)


def _second(source: Source, classes: int, **options: Any) -> FasterRCNN:
    backbone = deep_pyramid(source)
    return FasterRCNN(backbone, classes, **{**v2_parts(backbone), **options})


def _mobile(source: Source, classes: int, **options: Any) -> FasterRCNN:
    count = source.stages(6, 3)
    norm = FrozenBatchNorm2d if source.trained else nn.BatchNorm2d
    body = mobilenet.mobilenet_v3_large(weights=source.backbone, norm_layer=norm)
    anchors = AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3)
    options = {"rpn_score_thresh": 0.05, "rpn_anchor_generator": anchors, **options}
    return FasterRCNN(mobilenet_pyramid(body, count), classes, **options)


def _small(source: Source, classes: int, **options: Any) -> FasterRCNN:
    few = {"rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150}
    return _mobile(source, classes, **{"min_size": 320, "max_size": 640, **few, **options})


_REN = "Faster R-CNN on {} with a feature pyramid (Ren et al. 2015)"
_MOBILE = _REN.format("a large MobileNet v3")
fasterrcnn_resnet50_fpn = builder("fasterrcnn_resnet50_fpn", 41808406, _first, _REN.format("ResNet-50"))
fasterrcnn_resnet50_fpn_v2 = builder(
    "fasterrcnn_resnet50_fpn_v2",
    43712278,
    _second,
    "Faster R-CNN with deeper, normalised heads (Li et al. 2021)",
)
fasterrcnn_mobilenet_v3_large_fpn = builder("fasterrcnn_mobilenet_v3_large_fpn", 19410754, _mobile, _MOBILE)
fasterrcnn_mobilenet_v3_large_320_fpn = builder(
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    19410754,
    _small,
    f"{_MOBILE}, with fewer proposals, for images of 320 pixels",
)
