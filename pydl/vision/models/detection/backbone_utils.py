"""Backbones with feature pyramids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydl import Tensor, nn
from pydl.vision.models import mobilenet, resnet
from pydl.vision.models._build import Weights
from pydl.vision.models._layers import IntermediateLayerGetter
from pydl.vision.models.detection._build import Source
from pydl.vision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from pydl.vision.ops.feature_pyramid_network import LastLevelMaxPool
from pydl.vision.ops.layers import ModuleMaker

__all__ = ["BackboneWithFPN", "mobilenet_backbone", "resnet_fpn_backbone"]


class BackboneWithFPN(nn.Module):
    """The named layers of a model (`return_layers` maps their names to '0', '1', ...) under a feature pyramid: images
    to a dict of maps of `out_channels`. `extra_blocks` None is LastLevelMaxPool.

    Example:
        >>> import pydl
        >>> body = pydl.nn.Sequential(pydl.nn.Conv2d(3, 4, 3, 2, 1), pydl.nn.Conv2d(4, 8, 3, 2, 1))
        >>> net = pydl.vision.models.detection.BackboneWithFPN(body, {"0": "0", "1": "1"}, [4, 8], 6)
        >>> {name: tuple(x.shape) for name, x in net(pydl.zeros(1, 3, 8, 8)).items()}
        {'0': (1, 6, 4, 4), '1': (1, 6, 2, 2), 'pool': (1, 6, 1, 1)}
    """

    def __init__(
        self,
        backbone: nn.Module,
        return_layers: dict[str, str],
        in_channels_list: list[int],
        out_channels: int,
        extra_blocks: nn.Module | None = None,
        norm_layer: ModuleMaker | None = None,
    ) -> None:
        super().__init__()
        self.body = IntermediateLayerGetter(backbone, return_layers)
        extra = LastLevelMaxPool() if extra_blocks is None else extra_blocks
        self.fpn = FeaturePyramidNetwork(in_channels_list, out_channels, extra, norm_layer)
        self.out_channels = out_channels

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.fpn(self.body(x))


def _freeze(parts: Any) -> None:
    for part in parts:
        for p in part.parameters():
            p.requires_grad_(False)


def resnet_pyramid(
    backbone: resnet.ResNet,
    trainable: int,
    returned_layers: Sequence[int] = (1, 2, 3, 4),
    extra_blocks: nn.Module | None = None,
    norm_layer: ModuleMaker | None = None,
) -> BackboneWithFPN:
    """A ResNet whose last `trainable` stages are trained, with a pyramid of 256 channels over the returned layers."""
    if not returned_layers or min(returned_layers) < 1 or max(returned_layers) > 4:
        raise ValueError(f"returned_layers must be in [1, 4], got {returned_layers}")
    stages = [backbone.layer4, backbone.layer3, backbone.layer2, backbone.layer1, backbone.conv1]
    _freeze(stages[trainable:] + ([backbone.bn1] if trainable < 5 else []))
    width = backbone.inplanes // 8
    names = {f"layer{k}": str(i) for i, k in enumerate(returned_layers)}
    channels = [width * 2 ** (k - 1) for k in returned_layers]
    return BackboneWithFPN(backbone, names, channels, 256, extra_blocks, norm_layer)


def resnet_fpn_backbone(
    *,
    backbone_name: str,
    weights: Weights,
    norm_layer: ModuleMaker = FrozenBatchNorm2d,
    trainable_layers: int = 3,
    returned_layers: Sequence[int] | None = None,
    extra_blocks: nn.Module | None = None,
) -> BackboneWithFPN:
    """A ResNet of this package by name with a feature pyramid of 256 channels; the first stages are frozen.

    Raises ValueError for trainable_layers outside [0, 5] or returned_layers outside [1, 4].

    Example:
        >>> import pydl
        >>> make = pydl.vision.models.detection.resnet_fpn_backbone
        >>> list(make(backbone_name="resnet18", weights=None)(pydl.zeros(1, 3, 64, 64)))
        ['0', '1', '2', '3', 'pool']
    """
    if not 0 <= trainable_layers <= 5:
        raise ValueError(f"resnet_fpn_backbone(): trainable_layers must be in [0, 5], got {trainable_layers}")
    model = getattr(resnet, backbone_name)(weights=weights, norm_layer=norm_layer)
    return resnet_pyramid(model, trainable_layers, returned_layers or (1, 2, 3, 4), extra_blocks)


def resnet50_pyramid(source: Source, *, frozen_norm: bool = True, **pyramid: Any) -> BackboneWithFPN:
    """What the builders of detectors start from: with weights, three trained stages and (`frozen_norm`) fixed
    statistics."""
    count = source.stages(5, 3)
    options = {"norm_layer": FrozenBatchNorm2d} if source.trained and frozen_norm else {}
    return resnet_pyramid(resnet.resnet50(weights=source.backbone, **options), count, **pyramid)


def stages_of(features: nn.Sequential) -> list[int]:
    """Where the stages of a MobileNet begin, and its last layer."""
    return [0, *(i for i, b in enumerate(features) if getattr(b, "_is_cn", False)), len(features) - 1]


def freeze_stages(features: nn.Sequential, trainable: int) -> None:
    stages = stages_of(features)
    if not 0 <= trainable <= len(stages):
        raise ValueError(f"trainable_layers must be in [0, {len(stages)}], got {trainable}")
    _freeze(features[: stages[len(stages) - trainable] if trainable else len(features)])


def mobilenet_pyramid(
    model: mobilenet.MobileNetV2 | mobilenet.MobileNetV3,
    trainable: int,
    returned_layers: Sequence[int] | None = None,
    extra_blocks: nn.Module | None = None,
) -> BackboneWithFPN:
    features, stages = model.features, stages_of(model.features)
    freeze_stages(features, trainable)
    chosen = returned_layers or [len(stages) - 2, len(stages) - 1]
    if min(chosen) < 0 or max(chosen) >= len(stages):
        raise ValueError(f"returned_layers must be in [0, {len(stages) - 1}], got {chosen}")
    names = {str(stages[k]): str(i) for i, k in enumerate(chosen)}
    channels = [features[stages[k]].out_channels for k in chosen]
    return BackboneWithFPN(features, names, channels, 256, extra_blocks)


def mobilenet_backbone(
    *,
    backbone_name: str,
    weights: Weights,
    fpn: bool,
    norm_layer: ModuleMaker = FrozenBatchNorm2d,
    trainable_layers: int = 2,
    returned_layers: Sequence[int] | None = None,
    extra_blocks: nn.Module | None = None,
) -> nn.Module:
    """A MobileNet of this package by name with a feature pyramid (`fpn`) or a 1x1 convolution to 256 channels.

    Raises ValueError for a number of trainable layers or returned layers that it does not have.

    Example:
        >>> import pydl
        >>> make = pydl.vision.models.detection.mobilenet_backbone
        >>> net = make(backbone_name="mobilenet_v3_small", weights=None, fpn=True)
        >>> list(net(pydl.zeros(1, 3, 64, 64)))
        ['0', '1', 'pool']
    """
    model = getattr(mobilenet, backbone_name)(weights=weights, norm_layer=norm_layer)
    if fpn:
        return mobilenet_pyramid(model, trainable_layers, returned_layers, extra_blocks)
    freeze_stages(model.features, trainable_layers)
    net = nn.Sequential(model.features, nn.Conv2d(model.features[-1].out_channels, 256, 1))
    net.out_channels = 256
    return net
