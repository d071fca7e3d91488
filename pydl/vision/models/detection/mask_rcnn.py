"""Mask R-CNN (He et al., 2017)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from pydl import nn
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection.backbone_utils import resnet50_pyramid
from pydl.vision.models.detection.faster_rcnn import FasterRCNN, deep_pyramid, extended, v2_parts
from pydl.vision.ops import Conv2dNormActivation, MultiScaleRoIAlign
from pydl.vision.ops.layers import ModuleMaker

__all__ = [
    "MaskRCNN", "MaskRCNNHeads", "MaskRCNNPredictor", "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2",
]  # fmt: skip


class MaskRCNNHeads(nn.Sequential):
    """3x3 convolutions of regions' maps.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.MaskRCNNHeads(4, [8, 8], 1)(pydl.zeros(2, 4, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(
        self, in_channels: int, layers: Sequence[int], dilation: int, norm_layer: ModuleMaker | None = None
    ) -> None:
        widths = [in_channels, *layers]
        super().__init__(
            *(
                Conv2dNormActivation(i, o, 3, padding=dilation, dilation=dilation, norm_layer=norm_layer)
                for i, o in zip(widths, layers)
            )
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for i in range(len(self)):  # older files number the convolutions from one
            for kind in ("weight", "bias"):
                old = f"{prefix}mask_fcn{i + 1}.{kind}"
                if old in state_dict:
                    state_dict[f"{prefix}{i}.0.{kind}"] = state_dict.pop(old)
        super()._load_from_state_dict(state_dict, prefix, *args)


class MaskRCNNPredictor(nn.Sequential):
    """A deconvolution to twice the size, then a mask for each class.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.MaskRCNNPredictor(8, 6, 3)(pydl.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 3, 10, 10])
    """

    def __init__(self, in_channels: int, dim_reduced: int, num_classes: int) -> None:
        super().__init__(
            OrderedDict(
                conv5_mask=nn.ConvTranspose2d(in_channels, dim_reduced, 2, 2),
                relu=nn.ReLU(inplace=True),
                mask_fcn_logits=nn.Conv2d(dim_reduced, num_classes, 1),
            )
        )
        for name, p in self.named_parameters():
            if "weight" in name:
                nn.init.kaiming_normal_(p, mode="fan_out", nonlinearity="relu")


@extended
class MaskRCNN(FasterRCNN):
    """:class:`FasterRCNN` with a mask for each detection (He et al., "Mask R-CNN", 2017): targets also have masks (K,
    H, W), losses also loss_mask, results also masks (K, 1, H, W) of chances. Raises ValueError unless one of
    num_classes and mask_predictor is given.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> body.out_channels = 8
        >>> anchors = pydl.vision.ops.AnchorGenerator(((16, 32),), ((1.0,),))
        >>> pools = {f"{k}_roi_pool": pydl.vision.ops.MultiScaleRoIAlign(["0"], 4, 2) for k in ("box", "mask")}
        >>> make = pydl.vision.models.detection.MaskRCNN
        >>> model = make(body, 2, min_size=64, rpn_anchor_generator=anchors, **pools).eval()
        >>> sorted(model([pydl.rand(3, 64, 64)])[0])
        ['boxes', 'labels', 'masks', 'scores']
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int | None = None,
        *args: Any,
        mask_roi_pool: nn.Module | None = None,
        mask_head: nn.Module | None = None,
        mask_predictor: nn.Module | None = None,
        **kwargs: Any,
    ) -> None:
        if (num_classes is None) == (mask_predictor is None):
            raise ValueError("MaskRCNN(): one of num_classes and mask_predictor must be given")
        super().__init__(backbone, num_classes, *args, **kwargs)
        channels: Any = backbone.out_channels
        self.roi_heads.mask_roi_pool = mask_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        self.roi_heads.mask_head = mask_head or MaskRCNNHeads(channels, (256,) * 4, 1)
        self.roi_heads.mask_predictor = mask_predictor or MaskRCNNPredictor(256, 256, num_classes or 0)


def _first(source: Source, classes: int, **options: Any) -> MaskRCNN:
    return MaskRCNN(resnet50_pyramid(source), classes, **options)


def _second(source: Source, classes: int, **options: Any) -> MaskRCNN:
    backbone = deep_pyramid(source)
    parts = v2_parts(backbone) | {"mask_head": MaskRCNNHeads(256, [256] * 4, 1, nn.BatchNorm2d)}
    return MaskRCNN(backbone, classes, **{**parts, **options})


maskrcnn_resnet50_fpn = builder(
    "maskrcnn_resnet50_fpn", 44454513, _first, "Mask R-CNN on ResNet-50 with a feature pyramid (He et al. 2017)"
)
maskrcnn_resnet50_fpn_v2 = builder(
    "maskrcnn_resnet50_fpn_v2",
    46359409,
    _second,
    "Mask R-CNN with deeper, normalised heads (Li et al. 2021)",
)
