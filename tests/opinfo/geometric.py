"""Ops of pydl.geometric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from opinfo import Maker, Sample, op

WRONG = (RuntimeError, TypeError, ValueError)


def squares(x: Any, y: Any) -> Any:
    return ((y[:, :, None] - x[:, None]) ** 2).sum(-1)


def knn(x: Any, y: Any, k: int) -> Any:
    d = squares(x, y)
    order = np.argsort(d, -1, kind="stable")[..., :k]
    return np.take_along_axis(d, order, -1), order


def ball_query(radius: float, nsample: int, xyz: Any, new_xyz: Any) -> Any:
    out = np.empty((*new_xyz.shape[:2], nsample), np.int64)
    for at in np.ndindex(*new_xyz.shape[:2]):
        d = squares(xyz, new_xyz)[at]
        inside = np.flatnonzero(d <= radius * radius)[:nsample]
        out[at] = inside[0] if len(inside) else d.argmin()
        out[at][: len(inside)] = inside
    return out


def farthest(xyz: Any, npoint: int, start: Any) -> Any:
    out = np.empty((len(xyz), npoint), np.int64)
    for row, points, first in zip(out, xyz, start):
        nearest = np.full(len(points), np.inf)
        for i in range(npoint):
            row[i] = nearest.argmax() if i else first
            nearest = np.minimum(nearest, ((points - points[row[i]]) ** 2).sum(-1))
    return out


def clouds(m: Maker) -> Iterator[tuple[Any, Any]]:
    for b, n, s, d in [(2, 300, 9, 3), (1, 64, 3, 2), (3, 7, 4, 5), (1, 130, 2, 1), (1, 1, 1, 6), (1, 3, 2, 0)]:
        yield m(b, n, d), m(b, s, d)
    yield m(2, 5, 3), m(2, 0, 3)
    yield m(0, 5, 3), m(0, 2, 3)
    yield np.zeros((1, 600, 3), m.dtype), np.ones((1, 2, 3), m.dtype)  # all as near: the first


op(
    "private._knn",
    knn,
    lambda m: (Sample(x, y, min(k, x.shape[1])) for x, y in clouds(m) for k in (0, 1, 6, 400)),
    grad=False,
    errors=[
        ((np.ones((1, 2, 3)), np.ones((1, 2, 3)), 3), ValueError, "k must be in"),
        ((np.ones((1, 2, 3)), np.ones((1, 2, 2)), 1), WRONG, "coordinates"),
        ((np.ones((1, 2, 3), np.int64), np.ones((1, 2, 3), np.int64), 1), WRONG, "not implemented"),
    ],
)
op(
    "private._ball_query",
    ball_query,
    lambda m: (Sample(r, k, x, y) for x, y in clouds(m) for r, k in ((0.0, 2), (0.8, 3), (100.0, 200))),
    grad=False,
    errors=[
        ((-1.0, 1, np.ones((1, 2, 3)), np.ones((1, 2, 3))), ValueError, "radius"),
        ((1.0, 0, np.ones((1, 2, 3)), np.ones((1, 2, 3))), ValueError, "nsample"),
        ((1.0, 1, np.ones((1, 0, 3)), np.ones((1, 2, 3))), WRONG, "at least one point"),
    ],
)
op(
    "private._farthest_point_sample",
    farthest,
    lambda m: (
        Sample(x, min(k, x.shape[1]), m.index(x.shape[1], x.shape[0])) for x, _ in clouds(m) for k in (0, 1, 9, 90)
    ),
    grad=False,
    errors=[
        ((np.ones((1, 2, 3)), 3, np.zeros(1, np.int64)), ValueError, "npoint"),
        ((np.ones((1, 2, 3)), 1, np.full(1, 2)), IndexError, "start"),
        ((np.ones((1, 2, 3)), 1, np.zeros(2, np.int64)), WRONG, "start"),
        ((np.ones((1, 2, 65)), 1, np.zeros(1, np.int64)), WRONG, "coordinates"),
    ],
)
