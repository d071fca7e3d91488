"""Keypoint R-CNN (He et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models.detection._build import Source, builder
from pydl.vision.models.detection.backbone_utils import resnet50_pyramid
from pydl.vision.models.detection.faster_rcnn import FasterRCNN, extended
from pydl.vision.ops import MultiScaleRoIAlign

__all__ = ["KeypointRCNN", "KeypointRCNNHeads", "KeypointRCNNPredictor", "keypointrcnn_resnet50_fpn"]


class KeypointRCNNHeads(nn.Sequential):
    """3x3 convolutions with ReLU.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.KeypointRCNNHeads(4, (8, 8))(pydl.zeros(2, 4, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(self, in_channels: int, layers: Sequence[int]) -> None:
        blocks: list[nn.Module] = []
        for i, o in zip([in_channels, *layers], layers):
            conv = nn.Conv2d(i, o, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
            blocks += [conv, nn.ReLU(inplace=True)]
        super().__init__(*blocks)


class KeypointRCNNPredictor(nn.Module):
    """A deconvolution to twice the size with a map for each keypoint, resized to twice that.

    Example:
        >>> import pydl
        >>> pydl.vision.models.detection.KeypointRCNNPredictor(8, 3)(pydl.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 3, 20, 20])
    """

    def __init__(self, in_channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.kps_score_lowres = nn.ConvTranspose2d(in_channels, num_keypoints, 4, 2, 1)
        nn.init.kaiming_normal_(self.kps_score_lowres.weight, mode="fan_out", nonlinearity="relu")
        if self.kps_score_lowres.bias is not None:
            nn.init.zeros_(self.kps_score_lowres.bias)
        self.up_scale, self.out_channels = 2, num_keypoints

    def forward(self, x: Tensor) -> Tensor:
        x = self.kps_score_lowres(x)
        return F.interpolate(x, scale_factor=float(self.up_scale), mode="bilinear", align_corners=False)


@extended
class KeypointRCNN(FasterRCNN):
    """:class:`FasterRCNN` with points for each detection (He et al., "Mask R-CNN", 2017): targets also have keypoints
    (K, J, 3) of x, y and visibility, losses also loss_keypoint, results also keypoints (K, J, 3) and keypoints_scores
    (K, J). Raises ValueError for both num_keypoints (17) and keypoint_predictor.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Conv2d(3, 8, 3, 16, 1)
        >>> body.out_channels = 8
        >>> anchors = pydl.vision.ops.AnchorGenerator(((16, 32),), ((1.0,),))
        >>> pools = {f"{k}_roi_pool": pydl.vision.ops.MultiScaleRoIAlign(["0"], 4, 2) for k in ("box", "keypoint")}
        >>> make = pydl.vision.models.detection.KeypointRCNN
        >>> model = make(body, 2, min_size=64, num_keypoints=3, rpn_anchor_generator=anchors, **pools).eval()
        >>> sorted(model([pydl.rand(3, 64, 64)])[0])
        ['boxes', 'keypoints', 'keypoints_scores', 'labels', 'scores']
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int | None = None,
        min_size: int | Sequence[int] | None = None,
        *args: Any,
        keypoint_roi_pool: nn.Module | None = None,
        keypoint_head: nn.Module | None = None,
        keypoint_predictor: nn.Module | None = None,
        num_keypoints: int | None = None,
        **kwargs: Any,
    ) -> None:
        if num_keypoints is not None and keypoint_predictor is not None:
            raise ValueError("KeypointRCNN(): num_keypoints must be None when keypoint_predictor is given")
        sizes = (640, 672, 704, 736, 768, 800) if min_size is None else min_size
        super().__init__(backbone, num_classes, sizes, *args, **kwargs)
        channels: Any = backbone.out_channels
        self.roi_heads.keypoint_roi_pool = keypoint_roi_pool or MultiScaleRoIAlign(["0", "1", "2", "3"], 14, 2)
        self.roi_heads.keypoint_head = keypoint_head or KeypointRCNNHeads(channels, (512,) * 8)
        self.roi_heads.keypoint_predictor = keypoint_predictor or KeypointRCNNPredictor(512, num_keypoints or 17)


def _make(source: Source, classes: int, **options: Any) -> KeypointRCNN:
    return KeypointRCNN(resnet50_pyramid(source), classes, **options)


keypointrcnn_resnet50_fpn = builder(
    "keypointrcnn_resnet50_fpn", 59190378, _make,
    "Keypoint R-CNN on ResNet-50 with a feature pyramid (He et al. 2017), `num_keypoints` or 17 points", classes=2,
    more=("num_keypoints",),
)  # fmt: skip
