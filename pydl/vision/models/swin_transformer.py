"""Swin Transformer (Liu et al., "Swin Transformer: hierarchical vision transformer using shifted windows", 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models._build import builder
from pydl.vision.ops import MLP, Permute, StochasticDepth

__all__ = ["SwinTransformer", "swin_b", "swin_s", "swin_t"]


class PatchMerging(nn.Module):
    """Four neighbours become one of twice the channels, (N, H, W, C)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        parts = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return self.reduction(self.norm(pydl.cat(parts, -1)))


def _windows(x: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W, C) as (N, windows, places of a window, C)."""
    n, h, w, c = x.shape
    split = x.reshape(n, h // size[0], size[0], w // size[1], size[1], c).permute(0, 1, 3, 2, 4, 5)
    return split.reshape(n, -1, size[0] * size[1], c)


class ShiftedWindowAttention(nn.Module):
    """Attention inside windows, which may be shifted, with a learnt bias for each relative position."""

    relative_position_index: Tensor

    def __init__(
        self,
        dim: int,
        window_size: Sequence[int],
        shift_size: Sequence[int],
        num_heads: int,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.window_size, self.shift_size, self.num_heads = list(window_size), list(shift_size), num_heads
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)
        high, wide = self.window_size
        table = pydl.zeros((2 * high - 1) * (2 * wide - 1), num_heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        y, x = (t.reshape(-1) for t in pydl.meshgrid(pydl.arange(high), pydl.arange(wide), indexing="ij"))
        dy, dx = y[:, None] - y[None] + high - 1, x[:, None] - x[None] + wide - 1
        self.register_buffer("relative_position_index", (dy * (2 * wide - 1) + dx).reshape(-1))

    def _bias(self) -> Tensor:
        places = self.window_size[0] * self.window_size[1]
        bias = self.relative_position_bias_table[self.relative_position_index]
        return bias.reshape(places, places, -1).permute(2, 0, 1)

    def _mask(self, sizes: tuple[int, int], shift: list[int]) -> Tensor:
        """-100 between places of a window that were not neighbours before the shift: (windows, 1, places, places)."""
        part = pydl.zeros(1, *sizes, 1)
        for axis, (size, window, by) in enumerate(zip(sizes, self.window_size, shift)):
            at = pydl.arange(size)
            # The last window holds a remainder of its own and what came round.
            kind = (at >= size - window).float() + (at >= size - by).float() * (by > 0)
            part = part * 3 + (kind[:, None, None] if axis == 0 else kind[:, None])
        flat = _windows(part, self.window_size)[0, :, :, 0]
        return (flat[:, None] != flat[:, :, None]).float()[:, None] * -100.0

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        high, wide = self.window_size
        x = F.pad(x, (0, 0, 0, -w % wide, 0, -h % high))
        sizes = (int(x.shape[1]), int(x.shape[2]))
        shift = [0 if win >= size else s for s, win, size in zip(self.shift_size, self.window_size, sizes)]
        if any(shift):
            x = pydl.roll(x, (-shift[0], -shift[1]), (1, 2))
        words = _windows(x, self.window_size)
        count, places = words.shape[1:3]
        qkv = self.qkv(words).reshape(n, count, places, 3, self.num_heads, c // self.num_heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)
        scores = (q * (c // self.num_heads) ** -0.5) @ k.transpose(-2, -1) + self._bias()
        if any(shift):
            scores = scores + self._mask(sizes, shift)
        chances = F.dropout(scores.softmax(-1), self.attention_dropout, self.training)
        out = F.dropout(self.proj((chances @ v).transpose(2, 3).reshape(words.shape)), self.dropout, self.training)
        out = out.reshape(n, sizes[0] // high, sizes[1] // wide, high, wide, c).permute(0, 1, 3, 2, 4, 5)
        out = out.reshape(n, *sizes, c)
        if any(shift):
            out = pydl.roll(out, (shift[0], shift[1]), (1, 2))
        return out[:, :h, :w]


class SwinTransformerBlock(nn.Module):
    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Sequence[int],
        shift_size: Sequence[int],
        mlp_ratio: float,
        dropout: float,
        attention_dropout: float,
        drop: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = ShiftedWindowAttention(dim, window_size, shift_size, num_heads, attention_dropout, dropout)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformer(nn.Module):
    """Stages of attention in windows, shifted in every second block, merging patches between them: (N, 3, H, W) to
    (N, num_classes).

    Example:
        >>> swin = pydl.vision.models.SwinTransformer([4, 4], 8, [2, 2], [1, 2], [3, 3], num_classes=3)
        >>> swin(pydl.zeros(1, 3, 32, 40)).shape
        torch.Size([1, 3])
    """

    def __init__(
        self,
        patch_size: Sequence[int],
        embed_dim: int,
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_size: Sequence[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        patch = (patch_size[0], patch_size[1])
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, embed_dim, patch, patch), Permute([0, 2, 3, 1]), nn.LayerNorm(embed_dim))
        ]
        last, done, dim = max(1, sum(depths) - 1), 0, embed_dim
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            blocks = []
            for k in range(depth):
                shift = [0 if k % 2 == 0 else w // 2 for w in window_size]
                drop = stochastic_depth_prob * done / last
                blocks.append(
                    SwinTransformerBlock(dim, heads, window_size, shift, mlp_ratio, dropout, attention_dropout, drop)
                )
                done += 1
            layers.append(nn.Sequential(*blocks))
            if i + 1 < len(depths):
                layers.append(PatchMerging(dim))
                dim *= 2
        self.features = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(dim)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(dim, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.trunc_normal_(m.weight, std=0.02)
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.flatten(self.avgpool(self.permute(self.norm(self.features(x))))))


def _builder(name: str, parameters: int, dim: int, depth: int, heads: int, drop: float) -> Any:
    def make(**options: Any) -> SwinTransformer:
        fixed = {"stochastic_depth_prob": drop, **options}
        return SwinTransformer([4, 4], dim, [2, 2, depth, 2], [heads * 2**i for i in range(4)], [7, 7], **fixed)

    size = {"t": "tiny", "s": "small", "b": "base"}[name]
    return builder(f"swin_{name}", parameters, make, f"{size} Swin Transformer (Liu et al. 2021)")


swin_t = _builder("t", 28288354, 96, 6, 3, 0.2)
swin_s = _builder("s", 49606258, 96, 18, 3, 0.3)
swin_b = _builder("b", 87768224, 128, 18, 4, 0.5)
