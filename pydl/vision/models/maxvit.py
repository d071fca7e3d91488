"""MaxViT (Tu et al., "MaxViT: multi-axis vision transformer", 2022)."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.vision.models._build import builder
from pydl.vision.models.swin_transformer import relative_positions
from pydl.vision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

__all__ = ["MaxVit", "maxvit_t"]

Maker = Callable[..., nn.Module]


class MBConv(nn.Module):
    """A normalised inverted residual block with squeeze-and-excitation; `stride` 2 pools the input."""

    def __init__(
        self, i: int, o: int, expansion: float, squeeze: float, stride: int, act: Maker, norm: Maker, drop: float
    ) -> None:
        super().__init__()
        self.proj: nn.Module = nn.Identity()
        if stride != 1 or i != o:
            pool = [nn.AvgPool2d(3, stride, 1)] if stride == 2 else []
            self.proj = nn.Sequential(*pool, nn.Conv2d(i, o, 1))
        wide = int(o * expansion)
        conv = partial(Conv2dNormActivation, activation_layer=act, norm_layer=norm, inplace=None)
        self.stochastic_depth = StochasticDepth(drop, "row") if drop else nn.Identity()
        self.layers = nn.Sequential(
            OrderedDict(
                pre_norm=norm(i),
                conv_a=conv(i, wide, 1),
                conv_b=conv(wide, wide, 3, stride, groups=wide),
                squeeze_excitation=SqueezeExcitation(wide, int(o * squeeze), activation=nn.SiLU),
                conv_c=nn.Conv2d(wide, o, 1),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativePositionalMultiHeadAttention(nn.Module):
    """Attention among the places of each part, (N, parts, places, C), with a learnt bias for relative positions."""

    relative_position_index: Tensor

    def __init__(self, dim: int, head_dim: int, places: int) -> None:
        super().__init__()
        if dim % head_dim:
            raise ValueError(f"MaxVit(): {dim} channels are no heads of {head_dim}")
        self.heads, side = dim // head_dim, math.isqrt(places)
        self.to_qkv = nn.Linear(dim, 3 * dim)
        self.scale_factor = dim**-0.5
        self.merge = nn.Linear(dim, dim)
        table = pydl.empty((2 * side - 1) ** 2, self.heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.register_buffer("relative_position_index", relative_positions(side, side))

    def forward(self, x: Tensor) -> Tensor:
        n, parts, places, dim = x.shape
        split = self.to_qkv(x).reshape(n, parts, places, 3, self.heads, dim // self.heads)
        q, k, v = split.permute(3, 0, 1, 4, 2, 5)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        chances = (q @ (k * self.scale_factor).transpose(-2, -1) + bias).softmax(-1)
        return self.merge((chances @ v).transpose(2, 3).reshape(x.shape))


class PartitionAttentionLayer(nn.Module):
    """Attention in windows of `size` x `size`, or (`grid`) among places that are a `size`-th of the map apart."""

    def __init__(
        self, dim: int, head_dim: int, size: int, grid: bool, mlp_ratio: int, act: Maker, norm: Maker,
        dropouts: tuple[float, float], drop: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.grid = size, grid
        self.attn_layer = nn.Sequential(
            norm(dim), RelativePositionalMultiHeadAttention(dim, head_dim, size**2), nn.Dropout(dropouts[0])
        )
        self.mlp_layer = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, dim * mlp_ratio), act(), nn.Linear(dim * mlp_ratio, dim),
            nn.Dropout(dropouts[1]),
        )  # fmt: skip
        self.stochastic_dropout = StochasticDepth(drop, "row")

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        s = self.size
        # Rows and columns as (which window, place in it), of a grid the other way round
        split, order = (
            ((s, h // s, s, w // s), (0, 3, 5, 2, 4, 1)) if self.grid else ((h // s, s, w // s, s), (0, 2, 4, 3, 5, 1))
        )
        x = x.reshape(n, c, *split).permute(*order)
        shape = x.shape
        x = x.reshape(n, -1, s * s, c)
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        back = [order.index(k) for k in range(6)]
        return x.reshape(shape).permute(*back).reshape(n, c, h, w)


class MaxVitBlock(nn.Module):
    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MaxVitLayer(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(OrderedDict(parts))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class MaxVit(nn.Module):
    """Blocks of inverted residuals with attention in windows and on grids: (N, 3, H, W) of `input_size` to (N,
    num_classes).

    Raises ValueError for an input size that `partition_size` does not divide on all levels.

    Example:
        >>> vit = pydl.vision.models.MaxVit((32, 32), 8, 2, [8, 16], [1, 1], 4, 0.1, num_classes=3)
        >>> vit(pydl.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        input_size: Sequence[int],
        stem_channels: int,
        partition_size: int,
        block_channels: Sequence[int],
        block_layers: Sequence[int],
        head_dim: int,
        stochastic_depth_prob: float,
        norm_layer: Maker | None = None,
        activation_layer: Maker = nn.GELU,
        squeeze_ratio: float = 0.25,
        expansion_ratio: float = 4,
        mlp_ratio: int = 4,
        mlp_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        norm, act = norm_layer or partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01), activation_layer
        sizes = [tuple(input_size)]
        for _ in range(len(block_channels) + 1):
            sizes.append(tuple((side - 1) // 2 + 1 for side in sizes[-1]))
        if any(side % partition_size for size in sizes[2:] for side in size):
            raise ValueError(f"MaxVit(): partition_size {partition_size} does not divide the maps' sizes {sizes[2:]}")
        self.stem = nn.Sequential(
            Conv2dNormActivation(3, stem_channels, 3, 2, norm_layer=norm, activation_layer=act, inplace=None),
            Conv2dNormActivation(stem_channels, stem_channels, 3, norm_layer=None, activation_layer=None, bias=True),
        )
        total, done, i = sum(block_layers), 0, stem_channels
        blocks = []
        for o, count in zip(block_channels, block_layers):
            layers = []
            for k in range(count):
                drop = stochastic_depth_prob * done / max(total - 1, 1)
                attention = [
                    PartitionAttentionLayer(
                        o, head_dim, partition_size, grid, mlp_ratio, act, nn.LayerNorm,
                        (attention_dropout, mlp_dropout), drop,
                    ) for grid in (False, True)
                ]  # fmt: skip
                conv = MBConv(i, o, expansion_ratio, squeeze_ratio, 2 if k == 0 else 1, act, norm, drop)
                layers.append(MaxVitLayer(MBconv=conv, window_attention=attention[0], grid_attention=attention[1]))
                done, i = done + 1, o
            blocks.append(MaxVitBlock(layers))
        self.blocks = nn.ModuleList(blocks)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(i), nn.Linear(i, i), nn.Tanh(),
            nn.Linear(i, num_classes, bias=False),
        )  # fmt: skip
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(x)


def _tiny(**options: Any) -> MaxVit:
    size = options.pop("input_size", (224, 224))
    return MaxVit(size, 64, 7, [64, 128, 256, 512], [2, 2, 5, 2], 32, **{"stochastic_depth_prob": 0.2, **options})


maxvit_t = builder("maxvit_t", 30919624, _tiny, "tiny MaxViT (Tu et al. 2022)")
