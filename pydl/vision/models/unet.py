"""U-Net (Ronneberger et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pydl
from pydl import ShapeError, Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models._build import PARAMETER_COUNTS, Weights, loaded

__all__ = ["UNet", "unet"]

Norm = Callable[..., nn.Module]


def _double_conv(i: int, o: int, norm: Norm | None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (i, o):
        layers.append(nn.Conv2d(channels, o, 3, padding=1, bias=norm is None))
        layers += [norm(o)] if norm is not None else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class _Up(nn.Module):
    """Twice the size and half the channels."""

    def __init__(self, channels: int, bilinear: bool) -> None:
        super().__init__()
        half = channels // 2
        self.bilinear = bilinear
        self.conv = nn.Conv2d(channels, half, 1) if bilinear else nn.ConvTranspose2d(channels, half, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.bilinear:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        return self.conv(x)


class UNet(nn.Module):
    """Convolutions down and up again, each level of the way up beside the map of the way down: images (N,
    in_channels, H, W) give logits (N, num_classes, H, W) for any H, W of at least 2^levels.

    Each level: twice 3x3 convolution, norm (None: none, and biases), ReLU; maximum pooling down; up by a transposed
    convolution or (`bilinear`) resizing and a 1x1 convolution, zero-padded to the skip map, [skip, up] joined. Last a
    1x1 convolution (Ronneberger et al., "U-Net", 2015, with 'same' convolutions). Raises ShapeError for smaller images.

    Example:
        >>> pydl.vision.models.UNet(1, 2, features=(4, 8))(pydl.zeros(1, 1, 13, 10)).shape
        torch.Size([1, 2, 13, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 1,
        features: Sequence[int] = (64, 128, 256, 512),
        bilinear: bool = False,
        norm_layer: Norm | None = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if not features:
            raise ValueError("UNet(): features must not be empty")
        widths = [*features, 2 * features[-1]]
        self.down = nn.ModuleList([_double_conv(i, o, norm_layer) for i, o in zip([in_channels, *widths], widths)])
        above = list(zip(widths[:0:-1], widths[-2::-1]))
        self.up = nn.ModuleList([_Up(i, bilinear) for i, _ in above])
        self.merge = nn.ModuleList([_double_conv(i // 2 + o, o, norm_layer) for i, o in above])
        self.head = nn.Conv2d(features[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        least = 2 ** len(self.up)
        if x.ndim != 4 or min(x.shape[2:]) < least:
            raise ShapeError(f"UNet(): images must have sizes (N, C, H, W) of at least {least}, got {tuple(x.shape)}")
        skips: list[Tensor] = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge):
            skip, x = skips.pop(), up(x)
            dy, dx = skip.shape[2] - x.shape[2], skip.shape[3] - x.shape[3]
            x = merge(pydl.cat([skip, F.pad(x, (dx // 2, dx - dx // 2, dy // 2, dy - dy // 2))], 1))
        return self.head(x)


def unet(
    in_channels: int = 3,
    num_classes: int = 1,
    features: Sequence[int] = (64, 128, 256, 512),
    bilinear: bool = False,
    norm_layer: Norm | None = nn.BatchNorm2d,
    weights: Weights = None,
) -> UNet:
    """:class:`UNet`; `weights` is None, a path or a state dict.

    Example:
        >>> sum(p.numel() for p in pydl.vision.models.unet().parameters())
        31037633
    """
    return loaded("unet", UNet(in_channels, num_classes, features, bilinear, norm_layer), weights)


PARAMETER_COUNTS["unet"] = 31037633
