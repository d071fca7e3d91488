"""DeepLabV3 (Chen et al., "Rethinking atrous convolution for semantic image segmentation", 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import pydl
from pydl import Tensor, nn
from pydl.vision.models.segmentation._common import Segmenter, builder, conv, mobilenet_body, resized, resnet_body

__all__ = [
    "ASPP", "DeepLabHead", "DeepLabV3", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet101", "deeplabv3_resnet50",
]  # fmt: skip


class DeepLabV3(Segmenter):
    """:class:`FCN` whose classifier looks through dilated convolutions (Chen et al., "Rethinking atrous convolution",
    2017).

    Example:
        >>> S = pydl.vision.models.segmentation
        >>> body = S.IntermediateLayerGetter(pydl.nn.Sequential(pydl.nn.Conv2d(3, 8, 3, 4, 1)), {"0": "out"})
        >>> S.DeepLabV3(body, S.DeepLabHead(8, 2, (1, 2)))(pydl.zeros(2, 3, 16, 16))["out"].shape
        torch.Size([2, 2, 16, 16])
    """


class ASPPPooling(nn.Sequential):
    """The mean over the map, everywhere."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return resized(super().forward(x), x.shape[2:])


class ASPP(nn.Module):
    """A 1x1 convolution, 3x3 ones at several dilations, and the mean, joined and projected.

    Example:
        >>> pydl.vision.models.segmentation.ASPP(8, (1, 2), 6)(pydl.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 6, 4, 4])
    """

    def __init__(self, in_channels: int, atrous_rates: Sequence[int], out_channels: int = 256) -> None:
        super().__init__()
        branches: list[nn.Module] = [nn.Sequential(*conv(in_channels, out_channels))]
        branches += [nn.Sequential(*conv(in_channels, out_channels, 3, rate)) for rate in atrous_rates]
        branches.append(ASPPPooling(in_channels, out_channels))
        self.convs = nn.ModuleList(branches)
        self.project = nn.Sequential(*conv(len(branches) * out_channels, out_channels), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(pydl.cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """:class:`ASPP` to 256 channels, a 3x3 convolution, and a 1x1 to the classes.

    Example:
        >>> pydl.vision.models.segmentation.DeepLabHead(8, 3, (1, 2))(pydl.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    def __init__(self, in_channels: int, num_classes: int, atrous_rates: Sequence[int] = (12, 24, 36)) -> None:
        super().__init__(ASPP(in_channels, atrous_rates), *conv(256, 256, 3), nn.Conv2d(256, num_classes, 1))


_CHEN, _PARTS = "DeepLabV3 on {} (Chen et al. 2017)", (DeepLabV3, DeepLabHead)
deeplabv3_resnet50 = builder("deeplabv3_resnet50", 39638869, _CHEN.format("ResNet-50"), resnet_body, *_PARTS)
deeplabv3_resnet101 = builder("deeplabv3_resnet101", 58630997, _CHEN.format("ResNet-101"), resnet_body, *_PARTS, 101)
deeplabv3_mobilenet_v3_large = builder(
    "deeplabv3_mobilenet_v3_large", 11025477, _CHEN.format("a large MobileNet v3"), mobilenet_body, *_PARTS
)
