"""Semantic segmentation: FCN (Long et al. 2015), DeepLabV3 (Chen et al. 2017), LR-ASPP (Howard et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models import mobilenet, resnet
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded, read_weights
from pydl.vision.models._layers import IntermediateLayerGetter
from pydl.vision.models.detection.backbone_utils import stages_of

__all__ = [
    "ASPP", "FCN", "LRASPP", "DeepLabHead", "DeepLabV3", "FCNHead", "IntermediateLayerGetter",
    "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101",
    "deeplabv3_resnet50", "fcn_resnet101", "fcn_resnet50", "lraspp_mobilenet_v3_large",
]  # fmt: skip


def _conv(i: int, o: int, size: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size // 2)
    return [nn.Conv2d(i, o, size, padding=padding, dilation=dilation, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=(int(size[0]), int(size[1])), mode="bilinear", align_corners=False)


class _Segmenter(nn.Module):
    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = backbone, classifier, aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(x)
        result = {"out": _resized(self.classifier(maps["out"]), x.shape[2:])}
        if self.aux_classifier is not None:
            result["aux"] = _resized(self.aux_classifier(maps["aux"]), x.shape[2:])
        return result


class FCN(_Segmenter):
    """A backbone that gives {'out'} (and {'aux'}), a classifier for either: (N, 3, H, W) to {'out': (N, classes, H,
    W)} and 'aux' (Long et al., "Fully convolutional networks", 2015).

    Example:
        >>> S = pydl.vision.models.segmentation
        >>> body = S.IntermediateLayerGetter(pydl.nn.Sequential(pydl.nn.Conv2d(3, 8, 3, 4, 1)), {"0": "out"})
        >>> S.FCN(body, S.FCNHead(8, 2))(pydl.zeros(2, 3, 16, 16))["out"].shape
        torch.Size([2, 2, 16, 16])
    """


class DeepLabV3(_Segmenter):
    """:class:`FCN` whose classifier looks through dilated convolutions (Chen et al., "Rethinking atrous convolution",
    2017).

    Example:
        >>> S = pydl.vision.models.segmentation
        >>> body = S.IntermediateLayerGetter(pydl.nn.Sequential(pydl.nn.Conv2d(3, 8, 3, 4, 1)), {"0": "out"})
        >>> S.DeepLabV3(body, S.DeepLabHead(8, 2, (1, 2)))(pydl.zeros(2, 3, 16, 16))["out"].shape
        torch.Size([2, 2, 16, 16])
    """


class FCNHead(nn.Sequential):
    """A 3x3 convolution to a quarter of the channels and a 1x1 to the classes.

    Example:
        >>> pydl.vision.models.segmentation.FCNHead(8, 3)(pydl.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 3, 4, 4])
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        quarter = in_channels // 4
        super().__init__(*_conv(in_channels, quarter, 3), nn.Dropout(0.1), nn.Conv2d(quarter, channels, 1))


class ASPPPooling(nn.Sequential):
    """The mean over the map, everywhere."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *_conv(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return _resized(super().forward(x), x.shape[2:])


class ASPP(nn.Module):
    """A 1x1 convolution, 3x3 ones at several dilations, and the mean, joined and projected.

    Example:
        >>> pydl.vision.models.segmentation.ASPP(8, (1, 2), 6)(pydl.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 6, 4, 4])
    """

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        branches: list[nn.Module] = [nn.Sequential(*_conv(in_channels, out_channels))]
        branches += [nn.Sequential(*_conv(in_channels, out_channels, 3, rate)) for rate in atrous_rates]
        branches.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(branches)
        self.project = nn.Sequential(*_conv(len(branches) * out_channels, out_channels), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(pydl.cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """:class:`ASPP` to 256 channels, a 3x3 convolution, and a 1x1 to the classes.

    Example:
        >>> pydl.vision.models.segmentation.DeepLabHead(8, 3, (1, 2))(pydl.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        super().__init__(ASPP(in_channels, atrous_rates), *_conv(256, 256, 3), nn.Conv2d(256, num_classes, 1))


class LRASPPHead(nn.Module):
    def __init__(self, low_channels: int, high_channels: int, num_classes: int, inter_channels: int) -> None:
        super().__init__()
        self.cbr = nn.Sequential(*_conv(high_channels, inter_channels))
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(high_channels, inter_channels, 1, bias=False), nn.Sigmoid()
        )
        self.low_classifier = nn.Conv2d(low_channels, num_classes, 1)
        self.high_classifier = nn.Conv2d(inter_channels, num_classes, 1)

    def forward(self, maps: dict[str, Tensor]) -> Tensor:
        low, high = maps["low"], maps["high"]
        high = _resized(self.cbr(high) * self.scale(high), low.shape[2:])
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
        return {"out": _resized(self.classifier(self.backbone(input)), input.shape[2:])}


Body = tuple[nn.Module, int, int]  # with the channels of 'out' and 'aux'


def _resnet(depth: int, weights: Weights, aux: bool) -> Body:
    make = resnet.resnet50 if depth == 50 else resnet.resnet101
    layers = {"layer3": "aux", "layer4": "out"} if aux else {"layer4": "out"}
    model = make(weights=weights, replace_stride_with_dilation=[False, True, True])
    return IntermediateLayerGetter(model, layers), 2048, 1024


def _mobilenet(_: int, weights: Weights, aux: bool) -> Body:
    features = mobilenet.mobilenet_v3_large(weights=weights, dilated=True).features
    stages = stages_of(features)
    low, high = stages[-4], stages[-1]
    layers = {str(low): "aux", str(high): "out"} if aux else {str(high): "out"}
    return IntermediateLayerGetter(features, layers), features[high].out_channels, features[low].out_channels


_DOC = """{summary}: images (N, 3, H, W) give {{'out': (N, num_classes, H, W)}}, and 'aux' with `aux_loss`.

`weights` and `weights_backbone` are None, a path or a state dict with torchvision's keys. num_classes None is 21;
aux_loss None is as the weights have it, False without any. Raises ValueError for the names of torchvision's weights,
RuntimeError for keys or sizes that do not fit.

Example:
    >>> model = pydl.vision.models.segmentation.{name}()
    >>> sum(p.numel() for p in model.parameters())
    {parameters}
"""


def _builder(
    name: str,
    parameters: int,
    summary: str,
    body: Callable[[int, Weights, bool], Body],
    kind: type[FCN | DeepLabV3],
    depth: int = 50,
) -> Callable[..., Any]:
    head = FCNHead if kind is FCN else DeepLabHead

    def build(
        *,
        weights: Weights = None,
        progress: bool = True,
        num_classes: int | None = None,
        aux_loss: bool | None = None,
        weights_backbone: Weights = None,
        **kwargs: Any,
    ) -> FCN | DeepLabV3:
        state, classes = read_weights(name, weights), num_classes or 21
        if kwargs:
            raise TypeError(f"{name}(): unknown arguments {sorted(kwargs)}")
        if aux_loss is None:
            aux_loss = state is not None and any(key.startswith("aux_classifier.") for key in state)
        backbone, out, aux = body(depth, None if state is not None else weights_backbone, aux_loss)
        model = kind(backbone, head(out, classes), FCNHead(aux, classes) if aux_loss else None)
        return loaded(name, model, state)

    build.__name__ = build.__qualname__ = name
    build.__doc__ = _DOC.format(name=name, summary=summary, parameters=parameters)
    PARAMETER_COUNTS[name] = parameters
    return build


_FCN, _DEEP = "FCN on {} (Long et al. 2015)", "DeepLabV3 on {} (Chen et al. 2017)"
fcn_resnet50 = _builder("fcn_resnet50", 32957013, _FCN.format("ResNet-50"), _resnet, FCN)
fcn_resnet101 = _builder("fcn_resnet101", 51949141, _FCN.format("ResNet-101"), _resnet, FCN, 101)
deeplabv3_resnet50 = _builder("deeplabv3_resnet50", 39638869, _DEEP.format("ResNet-50"), _resnet, DeepLabV3)
deeplabv3_resnet101 = _builder("deeplabv3_resnet101", 58630997, _DEEP.format("ResNet-101"), _resnet, DeepLabV3, 101)
deeplabv3_mobilenet_v3_large = _builder(
    "deeplabv3_mobilenet_v3_large", 11025477, _DEEP.format("a large MobileNet v3"), _mobilenet, DeepLabV3
)


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
    own = None if weights is not None else weights_backbone
    features = mobilenet.mobilenet_v3_large(weights=own, dilated=True).features
    stages = stages_of(features)
    low, high = stages[-4], stages[-1]
    body = IntermediateLayerGetter(features, {str(low): "low", str(high): "high"})
    model = LRASPP(body, features[low].out_channels, features[high].out_channels, num_classes or 21, **kwargs)
    return loaded(name, model, weights)


PARAMETER_COUNTS["lraspp_mobilenet_v3_large"] = 3221538
