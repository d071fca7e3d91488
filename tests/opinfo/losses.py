"""The kernels behind pydl.losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage, special

import pydl

from . import Maker, Sample, op

WRONG = (RuntimeError, ValueError)


def signed(mask: Any, sampling: Any, dtype: Any) -> Any:
    out = np.zeros(mask.shape)
    for at, m in enumerate(mask):
        if m.any() and not m.all():
            outer = ndimage.distance_transform_edt(~m, sampling=sampling)
            out[at] = outer - ndimage.distance_transform_edt(m, sampling=sampling)
    return out.astype(np.float64 if dtype == pydl.float64 else np.float32)


def masks(m: Maker) -> Iterator[Sample]:
    for shape in [(2, 9), (2, 5, 17), (2, 3, 4, 11), (2, 0, 3), (0, 3)]:
        for dtype in (pydl.float32, pydl.float64):
            yield Sample(m.mask(*shape), m.rng.uniform(0.5, 2.0, len(shape) - 1), dtype)
    blob = np.hypot(*np.mgrid[-20:21, -15:16]) < 11
    yield Sample(np.stack([blob, ~blob, blob & False]), np.ones(2), pydl.float64)


op(
    "private._signed_distance", signed, masks, dtypes=("bool",), grad=False, scales=False,
    errors=[
        ((np.ones((2, 3)), np.ones(1), pydl.float32), WRONG, "_signed_distance"),
        ((np.ones((2, 3), bool), np.ones(2), pydl.float32), WRONG, "_signed_distance"),
        ((np.ones((2, 3), bool), np.ones(1), pydl.int64), WRONG, "_signed_distance"),
    ],
)  # fmt: skip


def factors(errors: Any, truth: Any) -> Any:
    out = np.zeros(errors.shape)
    for e, t, to in zip(errors.astype(float), truth, out):
        at = np.flatnonzero(t != 2)
        order = at[np.argsort(-e[at], kind="stable")]
        members, jaccard = (t == 1).sum(), [0.0]
        for k in range(1, len(order) + 1):
            inside = (t[order[:k]] == 1).sum()
            jaccard.append(1 - (members - inside) / (members + k - inside))
        to[order] = np.diff(jaccard)
        to[e <= 0] = 0
    return out.astype(errors.dtype)


def rows(m: Maker) -> Iterator[Sample]:
    for shape in [(2, 1), (3, 40), (1, 900), (2, 0), (0, 3)]:
        yield Sample(m(*shape), m.rng.integers(0, 3, shape).astype(np.uint8))
        yield Sample(m(*shape), np.zeros(shape, np.uint8))


op(
    "private._lovasz", factors, rows, grad=False, scales=False,
    errors=[
        ((np.ones((2, 3)), np.ones((2, 2), np.uint8)), WRONG, "_lovasz"),
        ((np.ones((2, 3)), np.ones((2, 3))), WRONG, "_lovasz"),
        ((np.ones((2, 3)), np.full((2, 3), 3, np.uint8)), WRONG, "_lovasz"),
    ],
)  # fmt: skip


def plans(p: Any, q: Any, cost: Any, eps: float, max_iter: int, tol: float) -> Any:
    out = np.zeros((len(p), p.shape[1], q.shape[1]))
    with np.errstate(divide="ignore"):
        for n in range(len(p)):
            c, f, g = cost[n if len(cost) > 1 else 0], np.zeros(p.shape[1]), np.zeros(q.shape[1])
            for _ in range(5000):
                f = eps * (np.log(p[n]) - special.logsumexp((g - c) / eps, axis=1))
                g = eps * (np.log(q[n]) - special.logsumexp((f[:, None] - c) / eps, axis=0))
            out[n] = np.exp((f[:, None] + g - c) / eps)
    return out


def problems(m: Maker) -> Iterator[Sample]:
    for n, k, j, eps in [(2, 3, 4, 0.5), (1, 1, 1, 0.1), (2, 17, 9, 0.05), (3, 2, 5, 0.02)]:
        p, q = m(n, k, low=0.1, high=1.0), m(n, j, low=0.1, high=1.0)
        q *= p.sum(1, keepdims=True) / q.sum(1, keepdims=True)
        yield Sample(p, q, m(n, k, j, low=0.0, high=1.0), eps, 100000, 1e-14)
        p[0, 0] = 0 if k > 1 else p[0, 0]
        q *= p.sum(1, keepdims=True) / q.sum(1, keepdims=True)
        yield Sample(p, q, m(1, k, j, low=0.0, high=1.0), eps, 100000, 1e-14)


op(
    "private._sinkhorn", plans, problems, dtypes=("float64",), grad=False, scales=False, tolerance=1e4,
    errors=[
        ((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3, 2)), 1.0, 5, 0.1), WRONG, "_sinkhorn"),
        ((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3, 3)), 0.0, 5, 0.1), WRONG, "_sinkhorn"),
        ((np.ones((2, 3), np.float32), np.ones((2, 3)), np.ones((2, 3, 3)), 1.0, 5, 0.1), WRONG, "_sinkhorn"),
    ],
)  # fmt: skip
