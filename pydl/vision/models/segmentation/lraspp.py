"""LR-ASPP (Howard et al., "Searching for MobileNetV3", 2019)."""

from __future__ import annotations

from typing import Any

from pydl import Tensor, nn
from pydl.vision.models import mobilenet
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded, or_pretrained
from pydl.vision.models._layers import IntermediateLayerGetter
from pydl.vision.models.detection.backbone_utils import stages_of
from pydl.vision.models.segmentation._common import conv, resized

__all__ = ["LRASPP", "lraspp_mobilenet_v3_large"]


class LRASPPHead(nn.Module):
    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(*conv(high_channels, inter_channels))
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.Sigmoid()
        )
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, maps: dict[str, Tensor]) -> Tensor:
        low, high = maps["low"], maps["high"]
        high = resized(self.cbr(high) * self.scale(high), low.shape[2:])
        return self.low_classifier(low) + self.high_classifier(high)


class LRASPP(nn.Module):
    """A backbone that gives {'low', 'high'}, of strides 8 and 16, and a light head: (N, 3, H, W) to {'out': (N,
    classes, H, W)} (Howard et al., "Searching for MobileNetV3", 2019).

    Example:
        >>> net = pydl.nn.Sequential(pydl.nn.Conv2d(3, 4, 3, 2, 1), pydl.nn.Conv2d(4, 8, 3, 2, 1))
        >>> body = pydl.vision.models.segmentation.IntermediateLayerGetter(net, {"0": "low", "1": "high"})
        >>> pydl.vision.models.segmentation.LRASPP(body, 4, 8, 2, 6)(pydl.zeros(2, 3, 16, 16))["out"].shape
        torch.Size([2, 2, 16, 16])
    """

    def __init__(
        self, backbone: nn.Module, low_channels: int, high_channels: int, num_classes: int, inter_channels: int = 128
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = LRASPPHead(low_channels, high_channels, num_classes, inter_channels)

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        return {"out": resized(self.classifier(self.backbone(input)), input.shape[2:])}


def lraspp_mobilenet_v3_large(
    *,
    weights: Weights = None,
    progress: bool = True,
    num_classes: int | None = None,
    weights_backbone: Weights = None,
    **kwargs: Any,
) -> LRASPP:
    """:class:`LRASPP` on a large MobileNet v3: images (N, 3, H, W) give {'out': (N, num_classes, H, W)}, 21 classes
    by default.

    `weights` and `weights_backbone` are None, a path or a state dict with torchvision's keys.

    Example:
        >>> model = pydl.vision.models.segmentation.lraspp_mobilenet_v3_large()
        >>> sum(p.numel() for p in model.parameters())
        3221538
    """
    name = "lraspp_mobilenet_v3_large"
    if kwargs.pop("aux_loss", False):
        raise NotImplementedError(f"{name}(): there is no auxiliary classifier")
    weights, weights_backbone = (
        or_pretrained(weights, kwargs),
        or_pretrained(weights_backbone, kwargs, "pretrained_backbone"),
    )
    own = None if weights is not None else weights_backbone
    features = mobilenet.mobilenet_v3_large(weights=own, dilated=True).features
    stages = stages_of(features)
    low, high = stages[-4], stages[-1]
    body = IntermediateLayerGetter(features, {str(low): "low", str(high): "high"})
    model = LRASPP(
        body,
        features[low].out_channels,
        features[high].out_channels,
        21 if num_classes is None else num_classes,
        **kwargs,
    )
    return loaded(name, model, weights)


PARAMETER_COUNTS["lraspp_mobilenet_v3_large"] = 3221538
