"""Inception v3 (Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models._build import builder
from pydl.vision.models.googlenet import BasicConv2d, rescale_input

__all__ = ["Inception3", "InceptionOutputs", "inception_v3"]


class InceptionOutputs(NamedTuple):
    """What Inception v3 gives in training mode.

    Example:
        >>> pydl.vision.models.InceptionOutputs._fields
        ('logits', 'aux_logits')
    """

    logits: Tensor
    aux_logits: Tensor | None


# Convolutions of a branch: name, channels, kernel, and stride 2 where it is the last of a reducing module
Convs = tuple[tuple[Any, ...], ...]
_HIGH, _WIDE = (7, 1), (1, 7)


class _Branches(nn.Module):
    """Chains of convolutions side by side, then a pooled branch. The chains' convolutions are named in order; "a+b"
    splits the end of a chain in two."""

    def __init__(self, channels: int, chains: Convs, pool: int | None) -> None:
        super().__init__()
        self.chains: list[list[str]] = []
        for chain in chains:
            names, width = [], channels
            for name, out, kernel, *stride in chain:
                padding = 0 if stride else (kernel // 2 if isinstance(kernel, int) else tuple(k // 2 for k in kernel))
                conv = BasicConv2d(width, out, kernel_size=kernel, stride=2 if stride else 1, padding=padding)
                self.add_module(name, conv)
                names.append(name)
                # The second half of a split end reads what the first one read.
                width = width if name.endswith("a") else out
            self.chains.append(names)
        if pool is not None:
            self.branch_pool = BasicConv2d(channels, pool, kernel_size=1)
        self.reduces = pool is None

    def _chain(self, names: list[str], x: Tensor) -> list[Tensor]:
        ends = []
        for name in names:
            if name.endswith(("a", "b")):
                ends.append(self.get_submodule(name)(x))
            else:
                x = self.get_submodule(name)(x)
        return ends or [x]

    def forward(self, x: Tensor) -> Tensor:
        parts = [part for names in self.chains for part in self._chain(names, x)]
        parts.append(F.max_pool2d(x, 3, 2) if self.reduces else self.branch_pool(F.avg_pool2d(x, 3, 1, 1)))
        return pydl.cat(parts, 1)


def _a(channels: int, pool: int) -> _Branches:
    double = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3))
    return _Branches(
        channels, ((("branch1x1", 64, 1),), (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)), double), pool
    )


def _b(channels: int) -> _Branches:
    double = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2))
    return _Branches(channels, ((("branch3x3", 384, 3, 2),), double), None)


def _c(channels: int, c: int) -> _Branches:
    single = (("branch7x7_1", c, 1), ("branch7x7_2", c, _WIDE), ("branch7x7_3", 192, _HIGH))
    double = (
        ("branch7x7dbl_1", c, 1), ("branch7x7dbl_2", c, _HIGH), ("branch7x7dbl_3", c, _WIDE),
        ("branch7x7dbl_4", c, _HIGH),
        ("branch7x7dbl_5", 192, _WIDE),
    )  # fmt: skip
    return _Branches(channels, ((("branch1x1", 192, 1),), single, double), 192)


def _d(channels: int) -> _Branches:
    triple = (
        ("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, _WIDE), ("branch7x7x3_3", 192, _HIGH),
        ("branch7x7x3_4", 192, 3, 2),
    )  # fmt: skip
    return _Branches(channels, ((("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)), triple), None)


def _e(channels: int) -> _Branches:
    single = (("branch3x3_1", 384, 1), ("branch3x3_2a", 384, (1, 3)), ("branch3x3_2b", 384, (3, 1)))
    double = (
        ("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), ("branch3x3dbl_3a", 384, (1, 3)),
        ("branch3x3dbl_3b", 384, (3, 1)),
    )  # fmt: skip
    return _Branches(channels, ((("branch1x1", 320, 1),), single, double), 192)


class InceptionAux(nn.Module):
    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = BasicConv2d(in_channels, 128, kernel_size=1)
        self.conv1 = BasicConv2d(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.conv0(F.avg_pool2d(x, 5, 3)))
        return self.fc(x.mean((2, 3)))


class Inception3(nn.Module):
    """Modules of parallel branches with factorised convolutions: (N, 3, 299, 299) to (N, num_classes); in training
    mode with `aux_logits` to InceptionOutputs(logits, aux_logits).

    Example:
        >>> net = pydl.vision.models.Inception3(num_classes=3, init_weights=False).eval()
        >>> net(pydl.zeros(1, 3, 75, 75)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_c(768, c) for c in (128, 160, 160, 192))
        self.AuxLogits = InceptionAux(768, num_classes) if aux_logits else None
        self.Mixed_7a = _d(768)
        self.Mixed_7b, self.Mixed_7c = _e(1280), _e(2048)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        if init_weights:
            self._init()

    def _init(self) -> None:
        for name, m in self.named_modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                std = {"AuxLogits.conv1.conv": 0.01, "AuxLogits.fc": 0.001}.get(name, 0.1)
                nn.init.trunc_normal_(m.weight, 0.0, std, -2, 2)

    def forward(self, x: Tensor) -> Any:
        if self.transform_input:
            x = rescale_input(x)
        x = self.maxpool1(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
        x = self.maxpool2(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        aux = self.AuxLogits(x) if self.training and self.AuxLogits is not None else None
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        x = self.fc(pydl.flatten(self.dropout(self.avgpool(x)), 1))
        return InceptionOutputs(x, aux) if self.training and self.aux_logits else x


inception_v3 = builder(
    "inception_v3", 27161264, Inception3, "Inception v3 (Szegedy et al. 2016)", size=299, parts=("AuxLogits",)
)
