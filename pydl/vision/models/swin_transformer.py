"""Swin Transformer (Liu et al., "Swin Transformer: hierarchical vision transformer using shifted windows", 2021) and
Swin Transformer V2 (Liu et al., "Swin Transformer V2: scaling up capacity and resolution", 2022)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.nn import functional as F
from pydl.vision.models._build import builder
from pydl.vision.ops import MLP, Permute, StochasticDepth

__all__ = ["SwinTransformer", "swin_b", "swin_s", "swin_t", "swin_v2_b", "swin_v2_s", "swin_v2_t"]

Maker = Callable[..., nn.Module]


class PatchMerging(nn.Module):
    """Four neighbours become one of twice the channels, (N, H, W, C)."""

    def __init__(self, dim: int, norm_layer: Maker = nn.LayerNorm) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def _joined(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        return pydl.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(self._joined(x)))


class PatchMergingV2(PatchMerging):
    """Normalised after they were joined."""

    def __init__(self, dim: int, norm_layer: Maker = nn.LayerNorm) -> None:
        super().__init__(dim, norm_layer)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(self._joined(x)))


def relative_positions(high: int, wide: int) -> Tensor:
    """For each two places of a window the number of their relative position, (places, places)."""
    y, x = (t.reshape(-1) for t in pydl.meshgrid(pydl.arange(high), pydl.arange(wide), indexing="ij"))
    dy, dx = y[:, None] - y[None] + high - 1, x[:, None] - x[None] + wide - 1
    return dy * (2 * wide - 1) + dx


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
        self._make_table()
        self.register_buffer("relative_position_index", relative_positions(*self.window_size).reshape(-1))

    def _make_table(self) -> None:
        high, wide = self.window_size
        table = pydl.zeros((2 * high - 1) * (2 * wide - 1), self.num_heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))

    def _table(self) -> Tensor:
        """The bias of each relative position, (positions, heads)."""
        return self.relative_position_bias_table

    def _bias(self) -> Tensor:
        places = self.window_size[0] * self.window_size[1]
        return self._table()[self.relative_position_index].reshape(places, places, -1).permute(2, 0, 1)

    def _parts(self, words: Tensor) -> Tensor:
        """Queries, keys and values side by side."""
        return self.qkv(words)

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        return (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)

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
        qkv = self._parts(words).reshape(n, count, places, 3, self.num_heads, c // self.num_heads)
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5)
        scores = self._scores(q, k) + self._bias()
        if any(shift):
            scores = scores + self._mask(sizes, shift)
        chances = F.dropout(scores.softmax(-1), self.attention_dropout, self.training)
        out = F.dropout(self.proj((chances @ v).transpose(2, 3).reshape(words.shape)), self.dropout, self.training)
        out = out.reshape(n, sizes[0] // high, sizes[1] // wide, high, wide, c).permute(0, 1, 3, 2, 4, 5)
        out = out.reshape(n, *sizes, c)
        if any(shift):
            out = pydl.roll(out, (shift[0], shift[1]), (1, 2))
        return out[:, :h, :w]


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """Cosines of queries and keys times a learnt scale, and a bias that a small network makes of relative positions,
    whose distances are logarithms: windows of another size can follow."""

    relative_coords_table: Tensor

    def __init__(self, dim: int, window_size: Sequence[int], shift_size: Sequence[int], num_heads: int, *drop: float):
        super().__init__(dim, window_size, shift_size, num_heads, *drop)
        self.logit_scale = nn.Parameter((10 * pydl.ones(num_heads, 1, 1)).log())
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(inplace=True), nn.Linear(512, num_heads, bias=False))

    def _make_table(self) -> None:
        axes = [8 * pydl.arange(1 - w, float(w)) / max(w - 1, 1) for w in self.window_size]
        places = pydl.stack(pydl.meshgrid(*axes, indexing="ij"), -1)[None]
        self.register_buffer("relative_coords_table", places.sign() * (places.abs() + 1).log2() / 3)

    def _table(self) -> Tensor:
        return 16 * self.cpb_mlp(self.relative_coords_table).reshape(-1, self.num_heads).sigmoid()

    def _parts(self, words: Tensor) -> Tensor:
        assert self.qkv.bias is not None
        q, k, v = self.qkv.bias.chunk(3)
        return F.linear(words, self.qkv.weight, pydl.cat([q, pydl.zeros_like(k), v]))  # keys have no bias

    def _scores(self, q: Tensor, k: Tensor) -> Tensor:
        cosines = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        return cosines * self.logit_scale.clamp(max=math.log(100.0)).exp()


class SwinTransformerBlock(nn.Module):
    attention: Maker = ShiftedWindowAttention

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
        norm_layer: Maker = nn.LayerNorm,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = type(self).attention(dim, window_size, shift_size, num_heads, attention_dropout, dropout)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.norm2 = norm_layer(dim)
        self.mlp = MLP(dim, [int(dim * mlp_ratio), dim], activation_layer=nn.GELU, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """Normalised after attention and network, not before."""

    attention = ShiftedWindowAttentionV2

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


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
        norm_layer: Maker | None = None,
        block: Maker | None = None,
        downsample_layer: Maker = PatchMerging,
    ) -> None:
        super().__init__()
        patch = (patch_size[0], patch_size[1])
        norm, make = norm_layer or nn.LayerNorm, block or SwinTransformerBlock
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, embed_dim, patch, patch), Permute([0, 2, 3, 1]), norm(embed_dim))
        ]
        last, done, dim = max(1, sum(depths) - 1), 0, embed_dim
        for i, (depth, heads) in enumerate(zip(depths, num_heads)):
            blocks = []
            for k in range(depth):
                shift = [0 if k % 2 == 0 else w // 2 for w in window_size]
                drop = stochastic_depth_prob * done / last
                blocks.append(make(dim, heads, window_size, shift, mlp_ratio, dropout, attention_dropout, drop, norm))
                done += 1
            layers.append(nn.Sequential(*blocks))
            if i + 1 < len(depths):
                layers.append(downsample_layer(dim, norm))
                dim *= 2
        self.features = nn.Sequential(*layers)
        self.norm = norm(dim)
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


_V2 = {"block": SwinTransformerBlockV2, "downsample_layer": PatchMergingV2}


def _builder(name: str, parameters: int, dim: int, depth: int, heads: int, drop: float, second: bool = False) -> Any:
    window, parts = ([8, 8], _V2) if second else ([7, 7], {})

    def make(**options: Any) -> SwinTransformer:
        fixed = {"stochastic_depth_prob": drop, **parts, **options}
        return SwinTransformer([4, 4], dim, [2, 2, depth, 2], [heads * 2**i for i in range(4)], window, **fixed)

    size = {"t": "tiny", "s": "small", "b": "base"}[name]
    if second:
        summary = f"{size} Swin Transformer V2 (Liu et al. 2022)"
        return builder(f"swin_v2_{name}", parameters, make, summary, size=256)
    return builder(f"swin_{name}", parameters, make, f"{size} Swin Transformer (Liu et al. 2021)")


swin_t = _builder("t", 28288354, 96, 6, 3, 0.2)
swin_s = _builder("s", 49606258, 96, 18, 3, 0.3)
swin_b = _builder("b", 87768224, 128, 18, 4, 0.5)
swin_v2_t = _builder("t", 28351570, 96, 6, 3, 0.2, True)
swin_v2_s = _builder("s", 49737442, 96, 18, 3, 0.3, True)
swin_v2_b = _builder("b", 87930848, 128, 18, 4, 0.5, True)
