"""DenseNet (Huang et al., "Densely connected convolutional networks", CVPR 2017)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.utils.checkpoint import checkpoint
from pydl.vision.models._build import builder

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]


class _DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int, bn_size: int, drop_rate: float, memory_efficient: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, bn_size * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth, growth, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = drop_rate, memory_efficient

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for kind in ("norm", "conv"):  # the published files have "norm.1" and the like
            for key in [k for k in state_dict if k.startswith(f"{prefix}{kind}.")]:
                state_dict[prefix + kind + key[len(prefix) + len(kind) + 1 :]] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _bottleneck(self, x: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(x)))

    def forward(self, x: Tensor) -> Tensor:
        if self.memory_efficient and x.requires_grad:
            narrow = checkpoint(self._bottleneck, x, use_reentrant=False)
        else:
            narrow = self._bottleneck(x)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate > 0 else new


class _DenseBlock(nn.Module):
    """Each layer sees all maps before it."""

    def __init__(self, layers: int, channels: int, growth: int, *options: Any) -> None:
        super().__init__()
        for i in range(layers):
            self.add_module(f"denselayer{i + 1}", _DenseLayer(channels + i * growth, growth, *options))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.children():
            x = pydl.cat([x, layer(x)], 1)
        return x


def _transition(channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
            pool=nn.AvgPool2d(2, 2),
        )
    )


class DenseNet(nn.Module):
    """Dense blocks with transitions that halve channels and resolution: (N, 3, 224, 224) to (N, num_classes).

    `memory_efficient` computes bottlenecks again in the backward pass instead of keeping them (Pleiss et al., 2017).

    Example:
        >>> pydl.vision.models.DenseNet(8, (2, 2), 16, num_classes=3)(pydl.zeros(1, 3, 32, 32)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: Sequence[int] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        channels = num_init_features
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, 7, 2, 3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(3, 2, 1),
            )
        )
        for i, layers in enumerate(block_config):
            block = _DenseBlock(layers, channels, growth_rate, bn_size, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += layers * growth_rate
            if i + 1 < len(block_config):
                self.features.add_module(f"transition{i + 1}", _transition(channels))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.Linear) and m.bias is not None:
                nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(F.relu(self.features(x)).mean((2, 3)))


_HUANG = "densely connected network with {} layers (Huang et al. 2017)"
densenet121 = builder("densenet121", 7978856, DenseNet, _HUANG.format(121))
densenet161 = builder("densenet161", 28681000, partial(DenseNet, 48, (6, 12, 36, 24), 96), _HUANG.format(161))
densenet169 = builder("densenet169", 14149480, partial(DenseNet, 32, (6, 12, 32, 32), 64), _HUANG.format(169))
densenet201 = builder("densenet201", 20013928, partial(DenseNet, 32, (6, 12, 48, 32), 64), _HUANG.format(201))
