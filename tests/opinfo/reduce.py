"""Reductions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import special

from . import ALL, FLOATS, REALS, Maker, Sample, op

BAD_DIM = ((np.ones((2, 3)), 2), IndexError, "Dimension out of range|dim")


def dims(m: Maker) -> Iterator[Sample]:
    for shape in [(), (3,), (2, 3), (0,), (0, 3), (2, 3, 4), (70,)]:
        yield Sample(m(*shape))
    yield Sample(m(2, 3, 4), 1)
    yield Sample(m(2, 3, 4), (0, -1), True)
    yield Sample(m(2, 0, 4), 0)


def one_dim(m: Maker) -> Iterator[Sample]:
    for shape, dim in [((3,), 0), ((2, 3), 1), ((2, 3, 4), -2), ((2, 0, 4), 0), ((), 0)]:
        yield Sample(m.distinct(*shape), dim)
        yield Sample(m.distinct(*shape), dim, True)


def widened(f: Any) -> Any:
    return lambda a, dim=None, keepdim=False: f(a, axis=dim, keepdims=keepdim)


def nonempty(samples: Any) -> Any:
    return lambda m: (s for s in samples(m) if s.args[0].size)


def full_or_dim(m: Maker) -> Iterator[Sample]:
    for shape in [(), (3,), (2, 3), (70,)]:
        yield Sample(m.distinct(*shape))


op("sum", widened(np.sum), dims, dtypes=ALL, errors=[BAD_DIM])
op(
    "mean",
    widened(np.mean),
    nonempty(dims),
    dtypes=(*FLOATS, "complex64", "complex128"),
    errors=[BAD_DIM, ((np.ones(2, np.int64),), RuntimeError, "mean")],
)
op(
    "prod",
    lambda a, dim=None, keepdim=False: np.prod(a, axis=dim, keepdims=keepdim),
    lambda m: (s for s in dims(m) if len(s.args) < 3),
    dtypes=ALL,
    domain=(-1.5, 1.5),
    errors=[BAD_DIM],
)
op(
    "all",
    lambda a, dim=None, keepdim=False: np.all(a, axis=dim, keepdims=keepdim),
    dims,
    dtypes=tuple(d for d in ALL if d != "uint8"),
    grad=False,
    errors=[BAD_DIM],
)
op(
    "any",
    lambda a, dim=None, keepdim=False: np.any(a, axis=dim, keepdims=keepdim),
    dims,
    dtypes=tuple(d for d in ALL if d != "uint8"),
    grad=False,
    errors=[BAD_DIM],
)
op(
    "count_nonzero",
    lambda a, dim=None: np.count_nonzero(a, axis=dim),
    lambda m: (s for s in dims(m) if len(s.args) < 3),
    dtypes=ALL,
    grad=False,
    errors=[BAD_DIM],
)
op(
    "amax",
    widened(np.max),
    lambda m: iter([Sample(m.distinct(2, 3), 1), Sample(m.distinct(2, 3, 2), (0, 2), True), Sample(m.distinct(5))]),
    dtypes=REALS[:-1],
    errors=[BAD_DIM],
)
op(
    "amin",
    widened(np.min),
    lambda m: iter([Sample(m.distinct(2, 3), 1), Sample(m.distinct(2, 3, 2), (0, 2), True), Sample(m.distinct(5))]),
    dtypes=REALS[:-1],
    errors=[BAD_DIM],
)


def argument(f: Any) -> Any:
    return lambda a, dim=None, keepdim=False: f(a, axis=dim, keepdims=keepdim) if a.ndim else np.int64(0)


op(
    "argmax",
    argument(np.argmax),
    lambda m: (s for g in (full_or_dim, one_dim) for s in g(m)),
    dtypes=FLOATS,
    grad=False,
    errors=[BAD_DIM, ((np.ones(0),), (IndexError, RuntimeError), "argmax")],
)
op(
    "argmin",
    argument(np.argmin),
    lambda m: (s for g in (full_or_dim, one_dim) for s in g(m)),
    dtypes=FLOATS,
    grad=False,
    errors=[BAD_DIM, ((np.ones(0),), (IndexError, RuntimeError), "argmin")],
)


def extreme(f: Any, arg: Any) -> Any:
    def reference(a: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is None:
            return f(a)
        return (f(a, axis=dim, keepdims=keepdim), arg(a, axis=dim, keepdims=keepdim)) if a.ndim else (a, np.int64(0))

    return reference


op(
    "max",
    extreme(np.max, np.argmax),
    lambda m: (s for g in (full_or_dim, one_dim) for s in g(m)),
    dtypes=FLOATS,
    errors=[BAD_DIM, ((np.ones(0),), (IndexError, RuntimeError), "max")],
)
op(
    "min",
    extreme(np.min, np.argmin),
    lambda m: (s for g in (full_or_dim, one_dim) for s in g(m)),
    dtypes=FLOATS,
    errors=[BAD_DIM, ((np.ones(0),), (IndexError, RuntimeError), "min")],
)


def variances(m: Maker) -> Iterator[Sample]:
    for s in [(3,), (2, 3), (70,)]:
        yield Sample(m(*s))
    yield Sample(m(2, 3, 4), 1)
    yield Sample(m(2, 3, 4), (0, 2), keepdim=True, correction=0)
    yield Sample(m(2, 3), 1, unbiased=False)


def moments(f: Any) -> Any:
    def reference(a: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, correction: float = 1) -> Any:
        ddof = correction if unbiased is None else int(unbiased)
        return f(a, axis=dim, ddof=ddof, keepdims=keepdim)

    return reference


def var_mean(a: Any, axis: Any, ddof: float, keepdims: bool) -> Any:
    return np.var(a, axis=axis, ddof=ddof, keepdims=keepdims), np.mean(a, axis=axis, keepdims=keepdims)


op("var", moments(np.var), variances, errors=[BAD_DIM])
op("std", moments(np.std), variances, errors=[BAD_DIM])
op("var_mean", moments(var_mean), variances, errors=[BAD_DIM])
op(
    "std_mean",
    moments(lambda a, **kw: (np.std(a, **kw), np.mean(a, axis=kw["axis"], keepdims=kw["keepdims"]))),
    variances,
    errors=[BAD_DIM],
)
op(
    "logsumexp",
    lambda a, dim, keepdim=False: special.logsumexp(a, axis=dim, keepdims=keepdim),
    lambda m: iter([Sample(m(3), 0), Sample(m(2, 3), (0, 1), True), Sample(m(2, 3, 4), -2)]),
    errors=[BAD_DIM],
)


def norms(m: Maker) -> Iterator[Sample]:
    for p in (2, 1, 3, 0.5, float("inf"), 0):
        yield Sample(m(2, 5), p)
        yield Sample(m(2, 5), p, 1, True)


def norm(a: Any, p: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    x = np.abs(a)
    if p == float("inf"):
        return np.max(x, axis=dim, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, axis=dim, keepdims=keepdim).astype(x.dtype)
    return np.sum(x**p, axis=dim, keepdims=keepdim) ** (1 / p)


op(
    "norm linalg.vector_norm",
    norm,
    norms,
    domain=(0.2, 2),
    errors=[((np.ones((2, 3)), 2, 2), IndexError, "dim|Dimension")],
)
