"""Attention with several heads and Transformer layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from moduleinfo import Inputs, module

NO = {"gradgradcheck": False}
FAST = {"gradcheck": False, **NO}
CAUSAL = np.triu(np.full((4, 4), -np.inf), 1)


def self_attention(*shape: int) -> Any:
    """One tensor three times: a list that is expanded when the module is called."""
    return lambda m: (m.real(*shape),)


def thrice(lib: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return (arguments[0],) * 3


def masked(**masks: Any) -> Any:
    """Adds masks, made from arrays in the library at hand, to one input that is used three times."""

    def wrap(lib: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        made = {k: lib.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for k, v in masks.items()}
        made = {k: v.to(arguments[0].dtype) if hasattr(v, "is_floating_point") and v.is_floating_point() else v
                for k, v in made.items()}  # fmt: skip
        order = ("key_padding_mask", "need_weights", "attn_mask", "average_attn_weights", "is_causal")
        defaults = {
            "key_padding_mask": None,
            "need_weights": True,
            "attn_mask": None,
            "average_attn_weights": True,
            "is_causal": False,
        }
        return (*(arguments[0],) * 3, *((defaults | made)[k] for k in order))

    return wrap


def present(lib: Any, out: Any) -> Any:
    return [t for t in out if t is not None]


PADDING = np.array([[False, False, False, True], [False, False, False, False], [False, True, True, True]])
LIMITS = np.random.default_rng(0).random((6, 4, 4)) < 0.3
LIMITS[:, :, 0] = False

MHA = "MultiheadAttention"
module(MHA, lambda m: (m.real(3, 2, 4), m.real(5, 2, 4), m.real(5, 2, 4)), args=(4, 2))
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="self", wrap=thrice, **NO)
module(MHA, self_attention(3, 4, 4), args=(4, 2), label="batch-first", wrap=masked(need_weights=False), unwrap=present,
       kwargs={"batch_first": True}, **NO)  # fmt: skip
module(MHA, self_attention(4, 4), args=(4, 2), label="unbatched", wrap=thrice, kwargs={"bias": False}, **NO)
module(MHA, lambda m: (m.real(3, 2, 4), m.real(5, 2, 3), m.real(5, 2, 6)), args=(4, 2), label="other-features",
       kwargs={"kdim": 3, "vdim": 6}, **NO)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="padding", wrap=masked(key_padding_mask=PADDING), **FAST)
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="limits", wrap=masked(attn_mask=LIMITS), **FAST)
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="both-masks", unwrap=present,
       wrap=masked(attn_mask=LIMITS, key_padding_mask=PADDING, need_weights=False), **FAST)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="causal", unwrap=present,
       wrap=masked(attn_mask=CAUSAL, is_causal=True, need_weights=False), **FAST)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="causal-weights",
       wrap=masked(attn_mask=CAUSAL, is_causal=True, average_attn_weights=False), **FAST)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="extra-keys", wrap=masked(attn_mask=LIMITS),
       kwargs={"add_bias_kv": True, "add_zero_attn": True}, **FAST)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="extra-keys-no-weights", unwrap=present,
       wrap=masked(attn_mask=LIMITS, key_padding_mask=PADDING, need_weights=False),
       kwargs={"add_bias_kv": True, "add_zero_attn": True}, **FAST)  # fmt: skip
module(MHA, self_attention(4, 3, 4), args=(4, 2), label="dropout", wrap=thrice, kwargs={"dropout": 0.3},
       modes=("eval",), **FAST)  # fmt: skip


def layer(m: Inputs, *lengths: int) -> tuple[Any, ...]:
    return tuple(m.real(n, 3, 4) for n in lengths)


def arrays(*values: Any) -> Any:
    """Appends positional arguments made from arrays."""

    def wrap(lib: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        made = [lib.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for v in values]
        dtype = arguments[0].dtype
        made = [v.to(dtype) if hasattr(v, "is_floating_point") and v.is_floating_point() else v for v in made]
        return (*arguments, *made)

    return wrap


for name, lengths in (("TransformerEncoderLayer", (4,)), ("TransformerDecoderLayer", (4, 5))):
    inputs = lambda m, n=lengths: layer(m, *n)  # noqa: E731
    plain = {"dropout": 0.0, "dim_feedforward": 6}
    module(name, inputs, args=(4, 2), kwargs=plain, **NO)
    module(name, inputs, args=(4, 2), label="norm-first", kwargs=plain | {"norm_first": True, "bias": False}, **NO)
    module(name, inputs, args=(4, 2), label="gelu", kwargs=plain | {"activation": "gelu", "layer_norm_eps": 1e-3}, **NO)
    module(name, inputs, args=(4, 2), label="module-activation", **FAST,
           kwargs=lambda nn: {"dropout": 0.0, "dim_feedforward": 6, "activation": nn.SiLU()})  # fmt: skip
    module(name, inputs, args=(4, 2), label="dropout", modes=("eval",), kwargs={"dim_feedforward": 6}, **FAST)
module("TransformerEncoderLayer", lambda m: layer(m, 4), args=(4, 2), label="causal", kwargs=plain,
       wrap=arrays(CAUSAL, None, True), **FAST)  # fmt: skip
module("TransformerEncoderLayer", lambda m: (m.real(3, 4, 4),), args=(4, 2), label="padding", **FAST,
       kwargs=plain | {"batch_first": True}, wrap=arrays(LIMITS, PADDING))  # fmt: skip
module("TransformerDecoderLayer", lambda m: (m.real(4, 4), m.real(4, 4)), args=(4, 2), label="unbatched", **FAST,
       kwargs=plain, wrap=arrays(CAUSAL, LIMITS[0], None, None, True))  # fmt: skip


def encoder(batch_first: bool = False) -> Any:
    def args(nn: Any) -> tuple[Any, ...]:
        return nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=batch_first), 2, nn.LayerNorm(4)

    return args


module("TransformerEncoder", lambda m: layer(m, 4), args=encoder(), **NO, kwargs={"enable_nested_tensor": False})
module("TransformerEncoder", lambda m: (m.real(3, 4, 4),), args=encoder(True), label="padding", **FAST,
       wrap=arrays(None, PADDING))  # fmt: skip
module("TransformerEncoder", lambda m: layer(m, 4), args=encoder(), label="causal", **FAST, wrap=arrays(CAUSAL),
       kwargs={"enable_nested_tensor": False})  # fmt: skip
module("TransformerDecoder", lambda m: layer(m, 4, 5), **NO,
       args=lambda nn: (nn.TransformerDecoderLayer(4, 2, 6, 0.0), 2))  # fmt: skip
module("TransformerDecoder", lambda m: layer(m, 4, 5), label="causal", **FAST, wrap=arrays(CAUSAL),
       args=lambda nn: (nn.TransformerDecoderLayer(4, 2, 6, 0.0, norm_first=True), 1, nn.LayerNorm(4)))  # fmt: skip
module("Transformer", lambda m: layer(m, 4, 5), args=(4, 2, 1, 1, 6, 0.0), **NO)
module("Transformer", lambda m: (m.real(3, 5, 4), m.real(3, 4, 4)), args=(4, 2, 2, 2, 6, 0.1, "gelu"), modes=("eval",),
       tolerance=(5e-5, 1e-10),  # gradients of a few layers cancel
    label="masks", kwargs={"batch_first": True, "norm_first": True}, wrap=arrays(None, CAUSAL), **FAST)  # fmt: skip
