"""Attention."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pydl
from pydl import Tensor, _nn
from pydl.nn.functional.linear import dropout, linear

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

scaled_dot_product_attention = _nn.scaled_dot_product_attention
"""Softmax of the scaled products of queries and keys, times the values: the operation of the core itself."""


def _none_or_dtype(input: Tensor | None) -> Any:
    return None if input is None else input.dtype


def _canonical_mask(
    mask: Tensor | None,
    mask_name: str,
    other_type: Any,
    other_name: str,
    target_type: Any,
    check_other: bool = True,
) -> Tensor | None:
    """The mask as one that is added: of a bool mask ``True`` becomes -inf."""
    if mask is None:
        return None
    if mask.dtype != pydl.bool and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {mask_name} are supported")
    if check_other and other_type is not None and mask.dtype != other_type:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both instead.",
            stacklevel=4,
        )
    if mask.dtype == pydl.bool:
        return pydl.zeros(mask.shape, dtype=target_type).masked_fill_(mask, -math.inf)
    return mask


def _check_shapes(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, attn_mask: Tensor | None, num_heads: int
) -> bool:
    """Whether the inputs are batched."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    n = query.dim()
    kind = "batched (3-D)" if n == 3 else "unbatched (2-D)"
    if key.dim() != n or value.dim() != n:
        raise AssertionError(
            f"For {kind} `query`, expected `key` and `value` to be {n}-D but found {key.dim()}-D and {value.dim()}-D "
            "tensors respectively"
        )
    if padding is not None and padding.dim() != n - 1:
        raise AssertionError(
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {n - 1}-D but found {padding.dim()}-D "
            "tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.dim()}-D "
                "tensor instead"
            )
        expected = (num_heads, query.shape[0], key.shape[0])
        if n == 2 and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(f"Expected `attn_mask` shape to be {expected} but got {tuple(attn_mask.shape)}")
    return n == 3


def _project(
    query: Tensor, key: Tensor, value: Tensor, weights: tuple[Any, Any, Any] | Tensor, bias: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values; inputs that are one tensor are projected by one product."""
    if isinstance(weights, tuple):
        size = query.shape[-1]
        for name, weight, width in zip(("query", "key", "value"), weights, (size, key.shape[-1], value.shape[-1])):
            if tuple(weight.shape) != (size, width):
                raise AssertionError(
                    f"expecting {name} weights shape of {(size, width)}, but got {tuple(weight.shape)}"
                )
        biases = (None, None, None) if bias is None else bias.chunk(3)
        q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))
        return q, k, v
    if query is key and key is value:
        q, k, v = linear(query, weights, bias).chunk(3, -1)
        return q, k, v
    size = query.shape[-1]
    if key is value:
        w_q, w_kv = weights.split([size, 2 * size])
        b_q, b_kv = (None, None) if bias is None else bias.split([size, 2 * size])
        k, v = linear(key, w_kv, b_kv).chunk(2, -1)
        return linear(query, w_q, b_q), k, v
    biases = (None, None, None) if bias is None else bias.chunk(3)
    q, k, v = (linear(x, w, b) for x, w, b in zip((query, key, value), weights.chunk(3), biases))
    return q, k, v


def _heads(x: Tensor, heads: int, batch_first: bool) -> Tensor:
    """(batch, heads, length, size of a head), a view."""
    x = x.unflatten(-1, (heads, x.shape[-1] // heads))
    return x.transpose(1, 2) if batch_first else x.permute(1, 2, 0, 3)


def _static(given: Tensor, batch: int, heads: int, size: int, name: str) -> Tensor:
    if given.shape[0] != batch * heads:
        raise AssertionError(f"expecting {name}.size(0) of {batch * heads}, but got {given.shape[0]}")
    if given.shape[2] != size:
        raise AssertionError(f"expecting {name}.size(2) of {size}, but got {given.shape[2]}")
    return given.unflatten(0, (batch, heads))


def _check_mask(mask: Tensor, batch: int, heads: int, lengths: tuple[int, int]) -> Tensor:
    """As a tensor that broadcasts to (batch, heads, *lengths)."""
    expected = lengths if mask.dim() == 2 else (batch * heads, *lengths)
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {tuple(mask.shape)}, but should be {expected}."
        )
    return mask if mask.dim() == 2 else mask.unflatten(0, (batch, heads))


def _with_one_more(mask: Tensor | None) -> Tensor | None:
    """The mask for one more key, which everything may look at."""
    return None if mask is None else pydl.cat([mask, mask.new_zeros((*mask.shape[:-1], 1))], -1)


def _with_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float) -> tuple[Tensor, Tensor]:
    """Attention that also returns its weights."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    if dropout_p > 0.0:
        weights = dropout(weights, p=dropout_p)
    return weights @ v, weights


class _Options:
    """What `_attend` needs beside the inputs and their masks."""

    def __init__(self, heads: int, bias_k: Tensor | None, bias_v: Tensor | None, zero: bool, dropout_p: float) -> None:
        self.heads, self.bias_k, self.bias_v, self.zero, self.dropout_p = heads, bias_k, bias_v, zero, dropout_p
        self.static_k: Tensor | None = None
        self.static_v: Tensor | None = None
        if (bias_k is None) != (bias_v is None):
            raise AssertionError(
                "bias_k is set but bias_v is None" if bias_v is None else "bias_v is set but bias_k is None"
            )


def _keys_and_values(
    k: Tensor, v: Tensor, options: _Options, batch_first: bool, masks: tuple[Any, Any]
) -> tuple[Tensor, Tensor, tuple[Any, Any]]:
    """With the extra keys, by heads, and the masks that fit them."""
    batch = k.shape[0 if batch_first else 1]
    size = k.shape[-1] // options.heads
    if options.bias_k is not None and options.bias_v is not None:
        if options.static_k is not None or options.static_v is not None:
            raise AssertionError("bias cannot be added to static key or value.")
        shape = (batch, 1, k.shape[-1]) if batch_first else (1, batch, k.shape[-1])
        step = 1 if batch_first else 0
        k = pydl.cat([k, options.bias_k.expand(shape)], step)
        v = pydl.cat([v, options.bias_v.expand(shape)], step)
        masks = (_with_one_more(masks[0]), _with_one_more(masks[1]))
    statics = (options.static_k, options.static_v)
    k, v = (
        _heads(x, options.heads, batch_first) if static is None else _static(static, batch, options.heads, size, name)
        for x, static, name in zip((k, v), statics, ("static_k", "static_v"))
    )
    if options.zero:
        blank = k.new_zeros((batch, options.heads, 1, size))
        k, v = pydl.cat([k, blank], 2), pydl.cat([v, blank], 2)
        masks = (_with_one_more(masks[0]), _with_one_more(masks[1]))
    return k, v, masks


def _join_masks(masks: tuple[Any, Any], batch: int, length: int) -> Tensor | None:
    attn_mask, padding = masks
    if padding is None:
        return attn_mask
    if tuple(padding.shape) != (batch, length):
        raise AssertionError(f"Expected key_padded_mask.shape to be {(batch, length)}, but got {tuple(padding.shape)}")
    padding = padding.reshape(batch, 1, 1, length)
    return padding if attn_mask is None else attn_mask + padding


def _attend(
    projected: tuple[Tensor, Tensor, Tensor],
    masks: tuple[Any, Any],
    options: _Options,
    batch_first: bool,
    need_weights: bool,
    is_causal: bool,
) -> tuple[Tensor, Tensor | None]:
    """Outputs before the last projection, laid out as the query, and the weights of all heads where they are needed."""
    q, k, v = projected
    batch = q.shape[0 if batch_first else 1]
    k, v, masks = _keys_and_values(k, v, options, batch_first, masks)
    mask = _join_masks(masks, batch, k.shape[2])
    q = _heads(q, options.heads, batch_first)
    if need_weights:
        if is_causal and mask is None:
            raise AssertionError("is_causal needs attn_mask where weights are asked for")
        out, weights = _with_weights(q, k, v, mask, options.dropout_p)
    else:
        weights = None
        out = scaled_dot_product_attention(q, k, v, mask, options.dropout_p, is_causal)
    out = out.transpose(1, 2) if batch_first else out.permute(2, 0, 1, 3)
    return out.flatten(-2), weights


def _multi_head_attention(
    inputs: tuple[Tensor, Tensor, Tensor],
    weights: tuple[Any, Any, Any] | Tensor,
    in_proj_bias: Tensor | None,
    out_proj: tuple[Tensor, Tensor | None],
    options: _Options,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    need_weights: bool,
    average_attn_weights: bool,
    is_causal: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor | None]:
    query, key, value = inputs
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, options.heads)
    if not batched:
        batch_first = True
        same, pair = query is key, key is value
        query = query.unsqueeze(0)
        key = query if same else key.unsqueeze(0)
        value = key if pair else value.unsqueeze(0)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    dtype = query.dtype
    key_padding_mask = _canonical_mask(
        key_padding_mask, "key_padding_mask", _none_or_dtype(attn_mask), "attn_mask", dtype
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        is_causal = is_causal and key_padding_mask is None
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", dtype, check_other=False)
    step, batch = (1, query.shape[0]) if batch_first else (0, query.shape[1])
    if isinstance(weights, tuple):
        if key.shape[:2] != value.shape[:2]:
            raise AssertionError(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
            )
    elif key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
    if attn_mask is not None:
        attn_mask = _check_mask(attn_mask, batch, options.heads, (query.shape[step], key.shape[step]))
    projected = _project(query, key, value, weights, in_proj_bias)
    masks = (attn_mask, key_padding_mask)
    out, scores = _attend(projected, masks, options, batch_first, need_weights, is_causal)
    out = linear(out, *out_proj)
    if scores is not None and average_attn_weights:
        scores = scores.mean(1)
    if not batched:
        return out.squeeze(0), None if scores is None else scores.squeeze(0)
    return out, scores


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Projections, attention of all heads, and the projection of their outputs; see `pydl.nn.MultiheadAttention`.

    Shapes: query (L, N, E) or (L, E), key and value (S, N, E) or (S, E); result the query's shape, and weights
    (N, L, S), by heads (N, heads, L, S), or ``None``.

    Raises:
        AssertionError: shapes or options that do not fit together. RuntimeError: masks that do not fit.

    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Example:
        >>> import pydl
        >>> x, weight = pydl.zeros(3, 1, 4), pydl.zeros(12, 4)
        >>> out, weights = pydl.nn.functional.multi_head_attention_forward(
        ...     x, x, x, 4, 2, weight, None, None, None, False, 0.0, pydl.zeros(4, 4), None
        ... )
        >>> out.shape, weights.shape
        (torch.Size([3, 1, 4]), torch.Size([1, 3, 3]))
    """
    embed_dim = query.shape[-1]
    if embed_dim != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}")
    if num_heads <= 0:
        raise ValueError(f"multi_head_attention_forward(): num_heads must be positive, got {num_heads}")
    if embed_dim % num_heads:
        raise AssertionError(f"embed_dim {embed_dim} not divisible by num_heads {num_heads}")
    weights: Any = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else in_proj_weight
    if weights is None or (use_separate_proj_weight and any(w is None for w in weights)):
        raise AssertionError(
            f"use_separate_proj_weight is {use_separate_proj_weight} but a projection weight it needs is None"
        )
    options = _Options(num_heads, bias_k, bias_v, add_zero_attn, dropout_p if training else 0.0)
    options.static_k, options.static_v = static_k, static_v
    return _multi_head_attention(
        (query, key, value), weights, in_proj_bias, (out_proj_weight, out_proj_bias), options, key_padding_mask,
        attn_mask, need_weights, average_attn_weights, is_causal, batch_first=False,
    )  # fmt: skip
