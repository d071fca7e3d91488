"""Triangular systems, LU and distances; what stands above them is tested in tests/linalg."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import linalg as reference

from . import FLOATS, Maker, Sample, op

WRONG = RuntimeError
INEXACT = (*FLOATS, "complex64", "complex128")


def solved(a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    t = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        t = np.where(np.eye(a.shape[-1], dtype=bool), 1, t)
    return np.linalg.solve(t, b) if left else np.linalg.solve(t.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)


def triangles(m: Maker) -> Iterator[Sample]:
    for upper in (True, False):
        for unit in (True, False):
            a = m(3, 3) / 4 + 2 * np.eye(3, dtype=m.dtype)
            yield Sample(a, m(3, 2), upper=upper, unitriangular=unit)
            yield Sample(a, m(2, 3), upper=upper, unitriangular=unit, left=False)
    yield Sample(m(2, 1, 2, 2) / 4 + 2 * np.eye(2, dtype=m.dtype), m(2, 2, 1), upper=True)
    yield Sample(m(0, 0), m(0, 2), upper=True)
    yield Sample(m(2, 0, 3, 3), m(3, 2), upper=False)


op(
    "linalg.solve_triangular",
    solved,
    triangles,
    dtypes=INEXACT,
    domain=(-1, 1),
    errors=[((np.ones((2, 3)), np.ones((2, 1))), TypeError, "upper")],
)


def packed(a: Any, pivot: bool = True) -> Any:
    factors = np.empty_like(a)
    pivots = np.empty((*a.shape[:-2], min(a.shape[-2:])), np.int32)
    for at in np.ndindex(*a.shape[:-2]):
        factors[at], steps = reference.lu_factor(a[at])
        pivots[at] = steps[: pivots.shape[-1]] + 1
    return factors, pivots, np.zeros(a.shape[:-2], np.int32)


op(
    "private._lu",
    packed,
    lambda m: iter([Sample(m(3, 3)), Sample(m(2, 3, 5)), Sample(m(5, 3))]),
    dtypes=INEXACT,
    grad=False,
    errors=[((np.ones(2),), WRONG, "_lu"), ((np.ones((2, 2), np.int64),), WRONG, "_lu")],
)


def distances(a: Any, b: Any, p: float) -> Any:
    d = np.abs(a[:, :, None] - b[:, None])
    if p == 0:
        return (d != 0).sum(-1).astype(a.dtype)
    return d.max(-1) if p == np.inf else (d**p).sum(-1) ** (1 / p)


def rows(m: Maker) -> Iterator[Sample]:
    for p in (0.0, 0.5, 1.0, 2.0, 3.0, np.inf):
        yield Sample(m(2, 3, 19), m(2, 4, 19), p)
    yield Sample(m(1, 0, 2), m(1, 3, 2), 2.0)


op(
    "private._cdist",
    distances,
    rows,
    grad=False,
    errors=[((np.ones((1, 2, 2)), np.ones((1, 2, 3)), 2.0), WRONG, "_cdist")],
)
op(
    "private._cdist_backward",
    lambda g, a, b, p, d: (g[..., None] * (a[:, :, None] - b[:, None]) / d[..., None]).sum(2),
    lambda m: (Sample(m(2, 3, 4), a, b, 2.0, distances(a, b, 2.0)) for a, b in [(m(2, 3, 5), m(2, 4, 5))]),
    grad=False,
    errors=[
        (
            (np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.ones((1, 3, 2)), 2.0, np.ones((1, 2, 2))),
            WRONG,
            "_cdist_backward",
        )
    ],
)
op("private._result", lambda a: a, lambda m: iter([Sample(m(2, 3)), Sample(m(0))]), grad=False)
