"""Residual networks (He et al., "Deep residual learning", 2016), ResNeXt (Xie et al. 2017), wide ones (Zagoruyko and
Komodakis 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn.modules._joined import call_two
from pydl.vision.models._build import builder, init_weights

__all__ = [
    "BasicBlock", "Bottleneck", "ResNet", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50",
    "resnext101_32x8d",
    "resnext101_64x4d", "resnext50_32x4d", "wide_resnet101_2", "wide_resnet50_2",
]  # fmt: skip

Norm = Callable[..., nn.Module]


def conv3x3(i: int, o: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, 3, stride, dilation, dilation, groups, bias=False)


def conv1x1(i: int, o: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, 1, stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the input, which `downsample` brings to their size.

    Example:
        >>> pydl.vision.models.resnet.BasicBlock(4, 4)(pydl.zeros(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        if groups != 1 or base_width != 64 or dilation > 1:
            raise ValueError("BasicBlock(): there are no groups, other widths or dilation here, take Bottleneck")
        norm = norm_layer or nn.BatchNorm2d
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(call_two(self.bn1, self.relu, self.conv1(x))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (which has the stride) and 1x1 convolutions to four times the planes, and the input.

    Example:
        >>> pydl.vision.models.resnet.Bottleneck(16, 4)(pydl.zeros(1, 16, 8, 8)).shape
        torch.Size([1, 16, 8, 8])
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = call_two(self.bn1, self.relu, self.conv1(x))
        out = call_two(self.bn2, self.relu, self.conv2(out))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A stem, four stages of residual blocks and a linear layer: (N, 3, 224, 224) to (N, num_classes).

    `layers` counts the blocks of each stage; `replace_stride_with_dilation` keeps the resolution of the last three
    stages. Raises ValueError unless that has three elements.

    Example:
        >>> block = pydl.vision.models.resnet.BasicBlock
        >>> pydl.vision.models.ResNet(block, [1, 1, 1, 1], num_classes=3)(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1
        self.groups, self.base_width = groups, width_per_group
        dilate = [False, *(replace_stride_with_dilation or (False, False, False))]
        if len(dilate) != 4:
            raise ValueError(
                f"ResNet(): replace_stride_with_dilation must have 3 elements, got {replace_stride_with_dilation}"
            )
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = self._norm_layer(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for i, count in enumerate(layers):
            stage = self._make_layer(block, 64 * 2**i, count, 1 if i == 0 else 2, dilate[i])
            setattr(self, f"layer{i + 1}", stage)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        init_weights(self, linear_std=None)
        if zero_init_residual:  # each block starts as the identity (Goyal et al. 2017)
            for m in self.modules():
                if isinstance(m, (BasicBlock, Bottleneck)):
                    nn.init.zeros_((m.bn3 if isinstance(m, Bottleneck) else m.bn2).weight)

    def _make_layer(
        self, block: type[BasicBlock | Bottleneck], planes: int, blocks: int, stride: int, dilate: bool
    ) -> nn.Sequential:
        before, out = self.dilation, planes * block.expansion
        if dilate:
            self.dilation *= stride
            stride = 1
        downsample = None
        if stride != 1 or self.inplanes != out:
            downsample = nn.Sequential(conv1x1(self.inplanes, out, stride), self._norm_layer(out))
        common = (self.groups, self.base_width)
        made: list[nn.Module] = [block(self.inplanes, planes, stride, downsample, *common, before, self._norm_layer)]
        self.inplanes = out
        for _ in range(1, blocks):
            made.append(block(out, planes, 1, None, *common, self.dilation, self._norm_layer))
        return nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(call_two(self.bn1, self.relu, self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(pydl.flatten(self.avgpool(x), 1))


def _builder(
    name: str, parameters: int, block: type[BasicBlock | Bottleneck], layers: list[int], summary: str, **fixed: int
) -> Any:
    def make(**options: Any) -> ResNet:
        return ResNet(block, layers, **{**fixed, **options})

    return builder(name, parameters, make, summary)


_HE = "residual network with {} layers (He et al. 2016)"
_DEEP, _DEEPER, _DEEPEST = [3, 4, 6, 3], [3, 4, 23, 3], [3, 8, 36, 3]
resnet18 = _builder("resnet18", 11689512, BasicBlock, [2, 2, 2, 2], _HE.format(18))
resnet34 = _builder("resnet34", 21797672, BasicBlock, _DEEP, _HE.format(34))
resnet50 = _builder("resnet50", 25557032, Bottleneck, _DEEP, _HE.format(50))
resnet101 = _builder("resnet101", 44549160, Bottleneck, _DEEPER, _HE.format(101))
resnet152 = _builder("resnet152", 60192808, Bottleneck, _DEEPEST, _HE.format(152))
_XIE = "ResNeXt with {} layers in {} groups of {} (Xie et al. 2017)"
resnext50_32x4d = _builder(
    "resnext50_32x4d", 25028904, Bottleneck, _DEEP, _XIE.format(50, 32, 4), groups=32, width_per_group=4
)
resnext101_32x8d = _builder(
    "resnext101_32x8d", 88791336, Bottleneck, _DEEPER, _XIE.format(101, 32, 8), groups=32, width_per_group=8
)
resnext101_64x4d = _builder(
    "resnext101_64x4d", 83455272, Bottleneck, _DEEPER, _XIE.format(101, 64, 4), groups=64, width_per_group=4
)
_WIDE = "wide residual network with {} layers (Zagoruyko and Komodakis 2016)"
wide_resnet50_2 = _builder("wide_resnet50_2", 68883240, Bottleneck, _DEEP, _WIDE.format(50), width_per_group=128)
wide_resnet101_2 = _builder("wide_resnet101_2", 126886696, Bottleneck, _DEEPER, _WIDE.format(101), width_per_group=128)
