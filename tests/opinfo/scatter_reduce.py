"""Writes by index that combine; look-ups in sorted sequences."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from . import ALL, FLOATS, Sample, op

WRONG = (RuntimeError, IndexError)
COMBINE: dict[str, Any] = {
    "sum": np.add, "add": np.add, "mean": np.add, "prod": np.multiply, "multiply": np.multiply, "amax": np.maximum, "amin": np.minimum,
}  # fmt: skip


def scatter_reduce(a: Any, d: int, i: Any, s: Any, reduce: str, include_self: bool = True) -> Any:
    out, count = a.copy(), np.full(a.shape, int(include_self))
    for at in np.ndindex(*i.shape):
        to = list(at)
        to[d] = i[at]
        to = tuple(to)
        out[to] = s[at] if count[to] == 0 else COMBINE[reduce](out[to], s[at])
        count[to] += 1
    if reduce == "mean":
        n = np.maximum(count, 1)
        out = (out // n if out.dtype.kind in "iu" else out / n).astype(a.dtype)
    return out


def distinct(m: Any, n: int) -> Any:
    return (m.distinct(n) + 0.125).astype(m.dtype) if m.dtype.startswith("float") else m(n)


def products_with_zeros(m: Any) -> Any:
    """Groups with one, two and three zeros, that of the input among them or not."""
    index = np.array([0, 0, 0, 1, 1, 1])
    for at, own in [([1], 1.5), ([1], 0), ([0, 2], 1.5), ([0, 1, 2, 4], 0)]:
        for include_self in (True, False):
            a, s = distinct(m, 3), distinct(m, 9)[3:]
            a[0], s[at] = own, 0
            yield Sample(a, 0, index, s, "prod", include_self=include_self)


def samples(m: Any, *kinds: str) -> Any:
    for reduce in kinds:
        for include_self in (True, False):
            values = distinct(m, 11)
            yield Sample(values[:4], 0, m.index(3, 7), values[4:], reduce, include_self=include_self)
        values = distinct(m, 18)
        yield Sample(values[:12].reshape(4, 3), 1, m.index(3, 2, 3), values[12:].reshape(2, 3), reduce)


SCATTER = [
    ((np.ones(2), 0, np.array([2]), np.ones(1), "sum"), WRONG, "index"),
    ((np.ones(2), 0, np.array([0]), np.ones(1), "norm"), RuntimeError, "reduce"),
    ((np.ones(2), 1, np.array([0]), np.ones(1), "sum"), IndexError, "Dimension"),
    ((np.ones(2), 0, np.array([0]), np.ones(1, np.float32), "sum"), RuntimeError, "dtype"),
]
op(
    "scatter_reduce",
    scatter_reduce,
    lambda m: itertools.chain(samples(m, "prod"), products_with_zeros(m), samples(m, "sum", "mean", "amax", "amin")),
    dtypes=(*FLOATS, "int64", "int32", "uint8"),
    domain=(-3, 3),
    scales=False,
    errors=SCATTER,
)


def index_reduce(a: Any, d: int, i: Any, s: Any, reduce: str, include_self: bool = True) -> Any:
    wide = np.broadcast_to(i.reshape([-1 if k == d % a.ndim else 1 for k in range(a.ndim)]), s.shape)
    return scatter_reduce(a, d % a.ndim, wide, s, reduce, include_self)


def rows(m: Any) -> Any:
    for reduce in ("prod", "mean", "amax", "amin"):
        for include_self in (True, False):
            values = distinct(m, 18)
            a, s = values[:8].reshape(4, 2), values[8:].reshape(5, 2)
            yield Sample(a, 0, m.index(4, 5), s, reduce, include_self=include_self)
            yield Sample(a.T.copy(), -1, m.index(4, 5), s.T.copy(), reduce, include_self=include_self)


op(
    "index_reduce",
    index_reduce,
    rows,
    dtypes=(*FLOATS, "int64"),
    scales=False,
    errors=[((np.ones(2), 0, np.array([2]), np.ones(1), "prod"), WRONG, "index"), ((np.ones(2), 0, np.array([0]), np.ones(1), "sum"), RuntimeError, "reduce"),
            ((np.ones(2), 0, np.array([0, 1]), np.ones(1), "prod"), RuntimeError, "index_reduce")],
)  # fmt: skip


def put(a: Any, i: Any, s: Any, accumulate: bool = False) -> Any:
    out = a.copy().reshape(-1)
    if accumulate:
        np.add.at(out, i.reshape(-1), s.reshape(-1))
    else:
        out[i.reshape(-1)] = s.reshape(-1)
    return out.reshape(a.shape)


op(
    "put",
    put,
    lambda m: iter([Sample(m(2, 3), np.array([5, -6]), m(2)), Sample(m(4), m.index(4, 3, 2), m(3, 2), True)]),
    dtypes=ALL,
    scales=False,
    errors=[((np.ones(2), np.array([2]), np.ones(1)), WRONG, "index"), ((np.ones(2), np.array([0, 1]), np.ones(1)), RuntimeError, "put"),
            ((np.ones(2), np.array([0.0]), np.ones(1)), RuntimeError, "put")],
)  # fmt: skip

# ---- look-ups --------------------------------------------------------------------------------------------------


def searchsorted(s: Any, v: Any, out_int32: bool = False, right: bool = False, side: Any = None, sorter: Any = None) -> Any:  # fmt: skip
    where = side or ("right" if right else "left")
    if s.ndim == 1:
        found = np.searchsorted(s, v, where, sorter)
    else:
        rows = zip(s.reshape(-1, s.shape[-1]), v.reshape(-1, v.shape[-1]))
        found = np.stack([np.searchsorted(a, b, where) for a, b in rows]).reshape(v.shape)
    return np.asarray(found).astype(np.int32 if out_int32 else np.int64)


def lookups(m: Any) -> Any:
    s = np.sort(m(9))
    yield Sample(s, m(2, 3))
    yield Sample(s, s, right=True)
    yield Sample(s, s, side="right", out_int32=True)
    yield Sample(np.sort(m(2, 5)), m(2, 3))
    shuffled = m(6)
    yield Sample(shuffled, m(4), sorter=np.argsort(shuffled))
    yield Sample(s[:0], m(2))


op("searchsorted", searchsorted, lookups, dtypes=(*FLOATS, "int64", "uint8"), grad=False, scales=False,
   errors=[((np.ones((2, 3)), np.ones((3, 3))), RuntimeError, "searchsorted"), ((np.ones(()), np.ones(3)), RuntimeError, "searchsorted")])  # fmt: skip
op(
    "bucketize",
    lambda v, s, out_int32=False, right=False: searchsorted(s, v, out_int32, right),
    lambda m: iter([Sample(m(2, 3), np.sort(m(5))), Sample(m(4), np.sort(m(3)), right=True, out_int32=True)]),
    dtypes=(*FLOATS, "int64"),
    grad=False,
    scales=False,
    errors=[((np.ones(2), np.ones((2, 2))), RuntimeError, "bucketize")],
)
op("argwhere", np.argwhere, lambda m: iter([Sample(m(3)), Sample(m(2, 3)), Sample(m(0, 2))]), dtypes=ALL, grad=False)


def nonzero_static(a: Any, size: int, fill_value: int = -1) -> Any:
    found = np.argwhere(a)[:size]
    return np.concatenate([found, np.full((size - len(found), a.ndim), fill_value)])


op("nonzero_static", nonzero_static, lambda m: iter([Sample(m(3), size=5), Sample(m(2, 3), size=2, fill_value=7)]), dtypes=ALL, grad=False)  # fmt: skip
op(
    "unravel_index",
    lambda i, shape: tuple(np.unravel_index(i, shape)),
    lambda m: iter([Sample(m.index(12, 5), (3, 4)), Sample(m.index(7, 2, 2), 7), Sample(m.index(24, 3), (2, 3, 4))]),
    dtypes=("int64",),
    grad=False,
    scales=False,
    errors=[((np.ones(2), (2,)), ValueError, "integer"), ((np.ones(2, np.int64), (-1,)), ValueError, "negative")],
)
