"""Attention to places, channels, pixels and features."""

from __future__ import annotations

from typing import Literal

import pydl
from pydl import Tensor
from pydl.nn import functional as F
from pydl.nn.modules._checks import at_least, check_images, odd_pair
from pydl.nn.modules.activation import Tanh
from pydl.nn.modules.attention import MultiheadAttention
from pydl.nn.modules.container import Sequential
from pydl.nn.modules.conv import Conv2d
from pydl.nn.modules.linear import Linear
from pydl.nn.modules.module import Module

__all__ = ["CBAM", "ChannelAttention", "FeatureAttention", "SelfAttention", "SpatialAttention"]


class SelfAttention(Module):
    """:class:`~pydl.nn.MultiheadAttention` of a sequence to itself: (N, L, E) -> (N, L, E), or (L, E) -> (L, E).

    Args:
        embed_dim: E, a multiple of ``num_heads``.
        num_heads: Default: 1.
        dropout: probability with which a weight is dropped in training. Default: 0.
        bias: of the projections. Default: ``True``.

    Keys: those of ``nn.MultiheadAttention`` under ``attn.``.

    Raises:
        ValueError: numbers below 1, heads that do not divide E. ShapeError: (on use) input of another shape.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Example:
        >>> import pydl
        >>> attention = pydl.nn.blocks.SelfAttention(8, 2)
        >>> out, weights = attention(pydl.zeros(3, 5, 8), is_causal=True, need_weights=True)
        >>> out.shape, weights[0, 0].tolist()
        (torch.Size([3, 5, 8]), [1.0, 0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        at_least(1, "SelfAttention", embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"SelfAttention: num_heads must divide embed_dim, got {num_heads} and {embed_dim}")
        self.attn = MultiheadAttention(embed_dim, num_heads, dropout, bias, batch_first=True)

    def forward(
        self,
        x: Tensor,
        key_padding_mask: Tensor | None = None,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The attended sequence; with ``need_weights`` also the weights.

        Args:
            x: (N, L, E) or (L, E).
            key_padding_mask: (N, L), bool (``True``: not looked at) or added to the scores.
            attn_mask: (L, L) or (N * heads, L, L), bool (``True``: not allowed) or added to the scores.
            is_causal: no place looks at later ones; needs no mask, and comes on top of one.
            need_weights: also return the weights, (N, L, L).
            average_attn_weights: ``False``: weights of each head, (N, heads, L, L).
        """
        size = self.attn.embed_dim
        if x.dim() not in (2, 3) or x.shape[-1] != size:
            raise pydl.ShapeError(
                f"SelfAttention: x must have shape (N, L, {size}) or (L, {size}), got {tuple(x.shape)}"
            )
        only_causal = is_causal and attn_mask is None
        if is_causal:
            attn_mask = _causal(attn_mask, x, key_padding_mask)
        out, weights = self.attn(
            x, x, x, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal=only_causal
        )
        return (out, weights) if need_weights else out


def _causal(mask: Tensor | None, x: Tensor, padding: Tensor | None) -> Tensor:
    """The mask that also hides what comes later, of the kind that the other masks have."""
    length = x.shape[-2]
    later = pydl.ones(length, length, dtype=pydl.bool).triu(1)
    if mask is None:
        if padding is None or padding.dtype == pydl.bool:
            return later
        mask = x.new_zeros(length, length)
    return mask | later if mask.dtype == pydl.bool else mask.masked_fill(later, -pydl.inf)


class ChannelAttention(Module):
    """Weights channels by what is in them: ``x * sigmoid(mlp(mean(x)) + mlp(max(x)))``, mean and maximum over pixels.

    The perceptron ``fc2(relu(fc1(.)))`` of ``max(1, channels // reduction)`` hidden units is shared by both. The shape
    (N, channels, H, W) stays.

    Args:
        channels: channels.
        reduction: Default: 16.
        use_max: ``False``: the mean alone, as squeeze-and-excitation has it. Default: ``True``.
        bias: of the perceptron. Default: ``False``.

    Keys: fc1.weight (hidden, channels, 1, 1), fc2.weight (channels, hidden, 1, 1).

    Raises:
        ValueError: numbers below 1. ShapeError: (on use) input of another shape or without pixels.

    Source: Woo et al., "CBAM: Convolutional block attention module", ECCV 2018; without maximum Hu et al., CVPR 2018.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.ChannelAttention(32)(pydl.zeros(2, 32, 5, 5)).shape
        torch.Size([2, 32, 5, 5])
    """

    def __init__(self, channels: int, reduction: int = 16, use_max: bool = True, bias: bool = False) -> None:
        super().__init__()
        at_least(1, "ChannelAttention", channels=channels, reduction=reduction)
        hidden = max(1, channels // reduction)
        self.use_max = use_max
        self.fc1 = Conv2d(channels, hidden, 1, bias=bias)
        self.fc2 = Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """The weighted channels."""
        check_images("ChannelAttention", x, self.fc1.in_channels, filled=True)
        score = self.fc2(F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1))))
        if self.use_max:
            score = score + self.fc2(F.relu(self.fc1(F.adaptive_max_pool2d(x, 1))))
        return x * score.sigmoid()


class SpatialAttention(Module):
    """Weights pixels: ``x * sigmoid(conv([mean(x), max(x)]))``, mean and maximum over the channels.

    The shape (N, C, H, W) stays; any C.

    Args:
        kernel_size: of the convolution, odd; the padding keeps the size. Default: 7.
        bias: Default: ``False``.

    Keys: conv.weight (1, 2, kernel_size, kernel_size), whose first plane meets the mean.

    Raises:
        ValueError: an even ``kernel_size``. ShapeError: (on use) input that is not (N, C, H, W) with C > 0.

    Source: Woo et al., "CBAM: Convolutional block attention module", ECCV 2018.

    Example:
        >>> import pydl
        >>> pydl.nn.blocks.SpatialAttention(3)(pydl.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(self, kernel_size: int = 7, bias: bool = False) -> None:
        super().__init__()
        sizes = odd_pair("SpatialAttention", "kernel_size", kernel_size)
        self.conv = Conv2d(2, 1, sizes, padding=(sizes[0] // 2, sizes[1] // 2), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """The weighted pixels."""
        check_images("SpatialAttention", x)
        if x.shape[1] == 0:
            raise pydl.ShapeError(f"SpatialAttention: x must have channels, got {tuple(x.shape)}")
        seen = pydl.cat([x.mean(dim=1, keepdim=True), x.max(dim=1, keepdim=True)[0]], dim=1)
        return x * self.conv(seen).sigmoid()


class CBAM(Module):
    """:class:`ChannelAttention`, then :class:`SpatialAttention`. The shape (N, channels, H, W) stays.

    Args:
        channels: channels.
        reduction: of the channel attention. Default: 16.
        kernel_size: of the spatial attention, odd. Default: 7.

    Keys: channel.*, spatial.*.

    Raises:
        ValueError: numbers below 1, an even ``kernel_size``. ShapeError: (on use) input of another shape.

    Source: Woo et al., "CBAM: Convolutional block attention module", ECCV 2018.

    Example:
        >>> import pydl
        >>> list(pydl.nn.blocks.CBAM(32).state_dict())
        ['channel.fc1.weight', 'channel.fc2.weight', 'spatial.conv.weight']
    """

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7) -> None:
        super().__init__()
        at_least(1, "CBAM", channels=channels, reduction=reduction)
        odd_pair("CBAM", "kernel_size", kernel_size)
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """The weighted maps."""
        check_images("CBAM", x, self.channel.fc1.in_channels, filled=True)
        return self.spatial(self.channel(x))


class FeatureAttention(Module):
    """Weights the features of each sample: ``alpha * x`` with ``alpha = activation(fc(x))``, (*, F) -> (*, F).

    Args:
        num_features: F.
        hidden: ``None`` (default): ``fc`` is one linear layer; else linear, tanh, linear with so many units between.
        activation: ``'softmax'`` (default), weights that sum to 1 over the features, or ``'sigmoid'``.

    Keys: fc.weight, fc.bias, or fc.0.*, fc.2.*.

    Raises:
        ValueError: numbers below 1, another activation. ShapeError: (on use) a last dim other than F.

    Source: the form with ``hidden`` is the attention of Bahdanau et al., ICLR 2015, over features in place of places.

    Example:
        >>> import pydl
        >>> out, alpha = pydl.nn.blocks.FeatureAttention(4)(pydl.ones(2, 4), return_weights=True)
        >>> out.shape, alpha.sum(1)
        (torch.Size([2, 4]), tensor([1., 1.], grad_fn=<SumBackward1>))
    """

    def __init__(
        self, num_features: int, hidden: int | None = None, activation: Literal["softmax", "sigmoid"] = "softmax"
    ) -> None:
        super().__init__()
        at_least(1, "FeatureAttention", num_features=num_features, hidden=1 if hidden is None else hidden)
        if activation not in ("softmax", "sigmoid"):
            raise ValueError(f"FeatureAttention: activation must be 'softmax' or 'sigmoid', got {activation!r}")
        self.num_features = num_features
        self.activation = activation
        self.fc: Module
        if hidden is None:
            self.fc = Linear(num_features, num_features)
        else:
            self.fc = Sequential(Linear(num_features, hidden), Tanh(), Linear(hidden, num_features))

    def forward(self, x: Tensor, return_weights: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """The weighted features; with ``return_weights`` also the weights."""
        if x.dim() == 0 or x.shape[-1] != self.num_features:
            raise pydl.ShapeError(f"FeatureAttention: x must have shape (*, {self.num_features}), got {tuple(x.shape)}")
        score = self.fc(x)
        alpha = score.softmax(dim=-1) if self.activation == "softmax" else score.sigmoid()
        return (alpha * x, alpha) if return_weights else alpha * x

    def extra_repr(self) -> str:
        return f"activation={self.activation!r}"
