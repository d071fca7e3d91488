"""Attention with several heads."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor
from pydl.nn import init
from pydl.nn.functional import attention as _attention
from pydl.nn.modules.linear import NonDynamicallyQuantizableLinear
from pydl.nn.modules.module import Module
from pydl.nn.parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several projections ("heads") at once, joined by a last projection.

    Args:
        embed_dim: features of the query and of the result; a multiple of ``num_heads``.
        num_heads: heads, each of ``embed_dim // num_heads`` features.
        dropout: probability with which a weight is dropped in training. Default: 0.
        bias: whether the projections have biases. Default: ``True``.
        add_bias_kv: one more key and value, which are learned. Default: ``False``.
        add_zero_attn: one more key and value of zeros. Default: ``False``.
        kdim, vdim: features of key and value. Default: ``embed_dim``.
        batch_first: the batch is the first dimension, else the second one. Default: ``False``.

    Parameters: ``in_proj_weight`` (3 * embed_dim, embed_dim), or ``q_proj_weight``, ``k_proj_weight``,
    ``v_proj_weight`` where key or value have other features; ``in_proj_bias``, ``out_proj.weight``, ``out_proj.bias``,
    ``bias_k``, ``bias_v``.

    Raises:
        ValueError: sizes that are not positive. AssertionError: ``embed_dim`` that the heads do not divide.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Example:
        >>> import pydl
        >>> attention = pydl.nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = pydl.zeros(3, 5, 8)
        >>> out, weights = attention(x, x, x)
        >>> out.shape, weights.shape
        (torch.Size([3, 5, 8]), torch.Size([3, 5, 5]))
    """

    __constants__ = ["batch_first"]
    bias_k: Tensor | None
    bias_v: Tensor | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        shapes = {
            "q_proj_weight": (embed_dim, embed_dim),
            "k_proj_weight": (embed_dim, self.kdim),
            "v_proj_weight": (embed_dim, self.vdim),
        }
        joint = {"in_proj_weight": (3 * embed_dim, embed_dim)}
        used, unused = (joint, shapes) if self._qkv_same_embed_dim else (shapes, joint)
        for name, shape in used.items():
            setattr(self, name, Parameter(pydl.empty(shape, device=device, dtype=dtype)))
        for name in unused:
            self.register_parameter(name, None)
        self.register_parameter(
            "in_proj_bias", Parameter(pydl.empty(3 * embed_dim, device=device, dtype=dtype)) if bias else None
        )
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        if add_bias_kv:
            self.bias_k = Parameter(pydl.empty((1, 1, embed_dim), device=device, dtype=dtype))
            self.bias_v = Parameter(pydl.empty((1, 1, embed_dim), device=device, dtype=dtype))
        else:
            self.bias_k = self.bias_v = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if (weight := getattr(self, name)) is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The attended values, and the weights or ``None``.

        Args:
            query, key, value: (L, N, E), (S, N, kdim), (S, N, vdim); with ``batch_first`` N comes first; without batch
                (L, E), (S, kdim), (S, vdim).
            key_padding_mask: (N, S), bool (``True``: not looked at) or added to the scores.
            need_weights: whether weights are returned; without them attention runs in tiles, in less memory.
            attn_mask: (L, S) or (N * heads, L, S), bool (``True``: not allowed) or added to the scores.
            average_attn_weights: weights (N, L, S), else (N, heads, L, S).
            is_causal: a hint that ``attn_mask``, which must be given, is the causal one.

        Raises:
            AssertionError, RuntimeError: shapes that do not fit.
        """
        if query.shape[-1] != self.embed_dim:
            raise AssertionError(f"was expecting embedding dimension of {self.embed_dim}, but got {query.shape[-1]}")
        weights: Any = self.in_proj_weight
        if not self._qkv_same_embed_dim:
            weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        dropout = self.dropout if self.training else 0.0
        options = _attention._Options(self.num_heads, self.bias_k, self.bias_v, self.add_zero_attn, dropout)
        return _attention._multi_head_attention(
            (query, key, value), weights, self.in_proj_bias, (self.out_proj.weight, self.out_proj.bias), options,
            key_padding_mask, attn_mask, need_weights, average_attn_weights, is_causal, self.batch_first,
        )  # fmt: skip
