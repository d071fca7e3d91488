"""What segmentation networks share: the frame, backbones, and their builders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models import mobilenet, resnet
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded, or_pretrained, read_weights
from pydl.vision.models._layers import IntermediateLayerGetter
from pydl.vision.models.detection.backbone_utils import stages_of


def conv(i: int, o: int, size: int = 1, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size // 2)
    return [nn.Conv2d(i, o, size, padding=padding, dilation=dilation, bias=False), nn.BatchNorm2d(o), nn.ReLU()]


def resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=(int(size[0]), int(size[1])), mode="bilinear", align_corners=False)


class Segmenter(nn.Module):
    def __init__(self, backbone: nn.Module, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.backbone, self.classifier, self.aux_classifier = backbone, classifier, aux_classifier

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = self.backbone(x)
        result = {"out": resized(self.classifier(maps["out"]), x.shape[2:])}
        if self.aux_classifier is not None:
            result["aux"] = resized(self.aux_classifier(maps["aux"]), x.shape[2:])
        return result


class FCNHead(nn.Sequential):
    """A 3x3 convolution to a quarter of the channels and a 1x1 to the classes.

    Example:
        >>> pydl.vision.models.segmentation.FCNHead(8, 3)(pydl.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 3, 4, 4])
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        quarter = in_channels // 4
        super().__init__(*conv(in_channels, quarter, 3), nn.Dropout(0.1), nn.Conv2d(quarter, channels, 1))


Body = tuple[nn.Module, int, int]  # with the channels of 'out' and 'aux'


def resnet_body(depth: int, weights: Weights, aux: bool) -> Body:
    make = resnet.resnet50 if depth == 50 else resnet.resnet101
    layers = {"layer3": "aux", "layer4": "out"} if aux else {"layer4": "out"}
    model = make(weights=weights, replace_stride_with_dilation=[False, True, True])
    return IntermediateLayerGetter(model, layers), 2048, 1024


def mobilenet_body(_: int, weights: Weights, aux: bool) -> Body:
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


def builder(
    name: str,
    parameters: int,
    summary: str,
    body: Callable[[int, Weights, bool], Body],
    kind: type[Segmenter],
    head: Callable[[int, int], nn.Module],
    depth: int = 50,
) -> Callable[..., Any]:
    """The public function that makes a network of `kind` on a body of that depth."""

    def build(
        *,
        weights: Weights = None,
        progress: bool = True,
        num_classes: int | None = None,
        aux_loss: bool | None = None,
        weights_backbone: Weights = None,
        **kwargs: Any,
    ) -> Segmenter:
        weights_backbone = or_pretrained(weights_backbone, kwargs, "pretrained_backbone")
        state = read_weights(name, or_pretrained(weights, kwargs))
        classes = 21 if num_classes is None else num_classes
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
