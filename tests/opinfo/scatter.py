"""Writes by index, look-ups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from . import ALL, FLOATS, Sample, op

WRONG = (RuntimeError, IndexError)
BAD_INDEX = [((np.ones(2), 0, np.array([2]), np.ones(1)), WRONG, "index|scatter"), ((np.ones(2), 1, np.array([0]), np.ones(1)), WRONG, "dim|Dimension"),
             ((np.ones(2), 0, np.array([0.5]), np.ones(1)), WRONG, "index|int")]  # fmt: skip


def put(a: Any, d: int, i: Any, s: Any) -> Any:
    out = a.copy()
    np.put_along_axis(out, i, s, d)
    return out


def put_add(a: Any, d: int, i: Any, s: Any) -> Any:
    out = a.copy()
    for at in np.ndindex(*i.shape):
        to = list(at)
        to[d] = i[at]
        out[tuple(to)] += s[at]
    return out


def rows(how: str) -> Any:
    def reference(a: Any, d: int, i: Any, s: Any, alpha: Any = 1) -> Any:
        out = np.moveaxis(a.copy(), d, 0)
        values = s if np.ndim(s) == 0 else np.moveaxis(s, d, 0)
        for n, j in enumerate(i):
            out[j] = (
                out[j] + np.asarray(alpha).astype(a.dtype) * values[n]
                if how == "add"
                else values
                if np.ndim(values) == 0
                else values[n]
            )
        return np.moveaxis(out, 0, d)

    return reference


def unique(m: Any) -> Any:
    return iter(
        [
            Sample(m(4, 3), 0, np.array([[2, 0, 1]]), m(1, 3)),
            Sample(m(4), 0, np.array([3, 1]), m(2)),
            Sample(m(4), 0, np.array([3, 1]), 1),
        ]
    )


op("scatter", put, unique, dtypes=ALL, errors=BAD_INDEX)
op(
    "scatter_add",
    put_add,
    lambda m: iter([Sample(m(4, 3), 0, m.index(4, 2, 3), m(2, 3)), Sample(m(4), 0, m.index(4, 9), m(9))]),
    dtypes=ALL,
    errors=BAD_INDEX,
)
op(
    "index_add",
    rows("add"),
    lambda m: iter(
        [
            Sample(m(4, 3), 0, m.index(4, 5), m(5, 3)),
            Sample(m(4, 3), 1, m.index(3, 2), m(4, 2), alpha=1 if m.dtype == "bool" else 2),
        ]
    ),
    dtypes=ALL,
    errors=BAD_INDEX,
)
op(
    "index_copy",
    rows("copy"),
    lambda m: iter([Sample(m(4, 3), 0, np.array([2, 0]), m(2, 3))]),
    dtypes=ALL,
    errors=BAD_INDEX,
)
op(
    "index_fill",
    rows("fill"),
    lambda m: iter([Sample(m(4, 3), 0, np.array([2, 0]), 1), Sample(m(4, 3), 1, m.index(3, 2), 1)]),
    dtypes=ALL,
    errors=[((np.ones(2), 0, np.array([2]), 1), WRONG, "index")],
)


def index_put(a: Any, i: Any, v: Any, accumulate: bool = False) -> Any:
    out = a.copy()
    if accumulate:
        np.add.at(out, tuple(i), v)
    else:
        out[tuple(i)] = v
    return out


PUTS = [
    ((np.ones(2), [np.array([2])], np.ones(1)), WRONG, "index"),
    ((np.ones(2), [np.array([0, 1])], np.ones(3)), WRONG, "index_put|broadcast|shape"),
]
op(
    "index_put",
    index_put,
    lambda m: iter(
        [Sample(m(4), [np.array([2, 0])], m(2)), Sample(m(4, 3), [m.index(4, 5), m.index(3, 5)], m(5), True)]
    ),
    dtypes=FLOATS,
    errors=PUTS,
)
op(
    "index_put_",
    index_put,
    lambda m: iter([Sample(m(4), [np.array([2, 0])], m(2))]),
    dtypes=FLOATS,
    grad=False,
    errors=PUTS,
)


def masked(a: Any, mask: Any, s: Any) -> Any:
    out = a.copy()
    out[mask] = s.reshape(-1)[: mask.sum()]
    return out


op(
    "masked_scatter",
    masked,
    lambda m: iter([Sample(m(2, 3), m.mask(2, 3), m(6))]),
    dtypes=ALL,
    errors=[
        ((np.ones(2), np.ones(2), np.ones(2)), WRONG, "mask"),
        ((np.ones(3), np.ones(3, bool), np.ones(1)), WRONG, "masked_scatter"),
    ],
)
op(
    "take",
    lambda a, i: np.take(a, i),
    lambda m: iter([Sample(m(2, 3), m.index(6, 4)), Sample(m(5), m.index(5, 2, 2))]),
    dtypes=ALL,
    errors=[((np.ones(2), np.array([2])), WRONG, "index|take")],
)
op(
    "take_along_dim",
    np.take_along_axis,
    lambda m: iter([Sample(m(2, 3), m.index(3, 2, 2), 1)]),
    dtypes=ALL,
    errors=[((np.ones((2, 2)), np.array([[2]]), 1), WRONG, "index|take_along_dim")],
)
op("embedding", lambda w, i: w[i], lambda m: iter([Sample(m(5, 3), m.index(5, 2, 4)), Sample(m(5, 3), m.index(5, 3))]), torch_name="-",
   errors=[((np.ones((2, 2)), np.array([2])), WRONG, "index|embedding"), ((np.ones((2, 2)), np.array([-1])), WRONG, "index|embedding"), ((np.ones((2, 2)), np.ones(1)), WRONG, "embedding")])  # fmt: skip


def bag_sums(w: Any, i: Any, offsets: Any, mean: bool = False) -> Any:
    bags = [w[i[a:b]] for a, b in itertools.pairwise(offsets)]
    return np.stack([(bag.mean(0) if mean else bag.sum(0)) if len(bag) else np.zeros_like(w[0]) for bag in bags])


OFFSETS = np.array([0, 3, 3, 4, 7])
op("private._embedding_sums", bag_sums,
   lambda m: iter([Sample(m(4, 2), m.index(4, 7), OFFSETS), Sample(m(4, 2), m.index(4, 7), OFFSETS, True), Sample(m(4, 150), m.index(4, 90), np.array([0, 90]), True)]),
   torch_name="-", scales=False,
   errors=[((np.ones((2, 2)), np.array([2]), np.array([0, 1])), WRONG, "index|embedding"), ((np.ones((2, 2)), np.array([-1]), np.array([0, 1])), WRONG, "index|embedding"),
           ((np.ones((2, 2)), np.ones(1), np.array([0, 1])), WRONG, "embedding"), ((np.ones((2, 2)), np.array([1]), np.array([0, 2])), WRONG, "offsets"),
           ((np.ones((2, 2)), np.array([1, 1]), np.array([0, 2, 1, 2])), WRONG, "offsets"), ((np.ones((2, 2)), np.array([1]), np.array([1, 1])), WRONG, "offsets")])  # fmt: skip
