"""Scaled dot-product attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import Maker, Sample, op

WRONG = (RuntimeError, ValueError)


def attention(
    q: Any, k: Any, v: Any, mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False, *,
    scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    if enable_gqa:
        k, v = (np.repeat(t, q.shape[-3] // t.shape[-3], axis=-3) for t in (k, v))
    scores = q @ np.swapaxes(k, -1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = weights.sum(-1, keepdims=True)
    return ((weights / np.where(total == 0, 1, total)) @ v).astype(q.dtype)


def samples(m: Maker) -> Iterator[Sample]:
    def three(*lead: int, q: int = 4, k: int = 5, e: int = 3, ev: int = 2) -> tuple[Any, Any, Any]:
        return m(*lead, q, e), m(*lead, k, e), m(*lead, k, ev)

    tiny = {"q": 2, "k": 2, "e": 1, "ev": 1}
    yield Sample(*three(**tiny))
    yield Sample(*three(**tiny), is_causal=True)
    yield Sample(*three(**tiny), np.array([[False, False], [True, False]]))
    yield Sample(*three(**tiny), m(2, 2))
    yield Sample(m(2, 2, 1), m(1, 2, 1), m(1, 2, 1), enable_gqa=True)
    yield Sample(*three())
    yield Sample(*three(2, 2))
    yield Sample(*three(2, q=5, k=3), is_causal=True)
    yield Sample(*three(1, q=2, k=5), is_causal=True, scale=0.3)
    mask = m.mask(4, 5)
    mask[1] = False
    mask[0, 0] = True
    yield Sample(*three(2, 2), mask)
    yield Sample(*three(2, 2), m(2, 1, 4, 5))
    yield Sample(*three(2, 2), m.mask(2, 1, 1, 5) | True)
    yield Sample(m(2, 4, 4, 3), m(2, 2, 5, 3), m(2, 2, 5, 2), enable_gqa=True)
    yield Sample(m(3, 1, 4, 3), m(2, 5, 3), m(5, 2))
    yield Sample(*three(2, q=0))
    yield Sample(*three(0))
    yield Sample(*three(1, q=70, k=33, e=19, ev=17))


def shapes(*sizes: Any, **options: Any) -> Any:
    return tuple(np.ones(s) for s in sizes) + tuple(options.values())


ERRORS = [
    shapes((3,), (3,), (3,)),
    shapes((2, 3), (2, 4), (2, 3)),
    shapes((2, 3), (2, 3), (4, 3)),
    shapes((2, 2, 3), (3, 2, 3), (3, 2, 3)),
    shapes((2, 3), (2, 3), (2, 3), mask=np.ones((2, 3), bool)),
    shapes((2, 3), (2, 3), (2, 3), mask=np.ones((1, 2, 2), bool)),
    shapes((2, 3), (2, 3), (2, 3), mask=np.ones(2, bool)),
    shapes((2, 3), (2, 3), (2, 3), mask=np.ones((2, 2), np.int32)),
    shapes((2, 3), (2, 3), (2, 3), mask=None, dropout=1.5),
]
op(
    "nn.scaled_dot_product_attention",
    attention,
    samples,
    domain=(-1.5, 1.5),
    errors=[(arguments, WRONG, "scaled_dot|expand|broadcast") for arguments in ERRORS],
)
