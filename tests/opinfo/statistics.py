"""Quantiles, histograms, differences, running extremes, covariances."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import integrate

from . import ALL, FLOATS, REALS, Sample, op
from .view import S

WRONG = RuntimeError
BAD_DIM = ((np.ones((2, 3)), 2), IndexError, "Dimension|dim")


def with_nan(*shapes_and_args: Any, **kwargs: Any) -> Any:
    """Samples in which every fourth element is NaN where the dtype has one."""

    def make(m: Any) -> Any:
        for shape, *args in shapes_and_args:
            a = m.distinct(*shape) if "float" in m.dtype else m(*shape)
            if a.dtype.kind == "f" and a.ndim:
                a.reshape(-1)[1::5] = np.nan
            yield Sample(a, *args, **kwargs)

    return make


op("nansum", lambda a, dim=None, keepdim=False: np.nansum(a, axis=dim, keepdims=keepdim), with_nan(((5,),), ((2, 3), 1), ((2, 3), (0, 1), True), ((),)), dtypes=REALS, errors=[BAD_DIM])  # fmt: skip
op("nanmean", lambda a, dim=None, keepdim=False: np.nanmean(a, axis=dim, keepdims=keepdim), with_nan(((5,),), ((2, 3), 1), ((2, 3), (0, 1), True)), errors=[BAD_DIM, ((np.ones(2, np.int64),), WRONG, "nanmean")])  # fmt: skip


def aminmax(a: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return np.min(a, axis=dim, keepdims=keepdim), np.max(a, axis=dim, keepdims=keepdim)


op(
    "aminmax",
    aminmax,
    lambda m: iter([Sample(m.distinct(5)), Sample(m.distinct(2, 3), dim=1), Sample(m.distinct(2, 3), dim=0, keepdim=True)]),
    dtypes=("float32", "float64", "int64", "uint8"),
    errors=[((np.ones(0),), WRONG, "aminmax")],
)  # fmt: skip


def nanmedian(a: Any, dim: Any = None, keepdim: bool = False) -> Any:
    rows = np.moveaxis(a, dim, -1) if dim is not None else a.reshape(1, -1)
    values, places = [], []
    for row in rows.reshape(-1, rows.shape[-1]):
        known = np.flatnonzero(~np.isnan(row))
        at = known[np.argsort(row[known], kind="stable")][(len(known) - 1) // 2]
        values.append(row[at])
        places.append(at)
    if dim is None:
        return np.asarray(values[0])
    shape = rows.shape[:-1]
    return tuple(
        np.expand_dims(np.reshape(v, shape), dim) if keepdim else np.reshape(v, shape) for v in (values, places)
    )


op("nanmedian", nanmedian, with_nan(((7,),), ((3, 4), 1), ((3, 4), 0, True)))


def mode(a: Any, dim: int = -1, keepdim: bool = False) -> Any:
    rows = np.moveaxis(a, dim, -1) if a.ndim else a.reshape(1)
    flat = rows.reshape(-1, rows.shape[-1])
    found = [max(np.unique(r, return_counts=True)[1]) for r in flat]
    values = [min(v for v, n in zip(*np.unique(r, return_counts=True)) if n == f) for r, f in zip(flat, found)]
    places = [int(np.flatnonzero(r == v)[-1]) for r, v in zip(flat, values)]
    shape = rows.shape[:-1]
    results = (np.array(values, a.dtype).reshape(shape), np.array(places).reshape(shape))
    return tuple(np.expand_dims(r, dim) for r in results) if keepdim else results


op("mode", mode, lambda m: iter([Sample(m.index(3, 7).astype(m.dtype)), Sample(m.index(2, 3, 4).astype(m.dtype), 0), Sample(m.index(3, 2, 5).astype(m.dtype), 1, True)]),
   dtypes=(*FLOATS, "int64", "uint8"), grad=False, errors=[BAD_DIM, ((np.ones((0,)),), IndexError, "mode")])  # fmt: skip
op("msort", lambda a: np.sort(a, 0), lambda m: iter([Sample(m.distinct(5)), Sample(m.distinct(3, 4))]), dtypes=(*FLOATS, "int64"))  # fmt: skip


# ---- quantiles -------------------------------------------------------------------------------------------------


def quantile(f: Any) -> Any:
    def reference(a: Any, q: Any, dim: Any = None, keepdim: bool = False, interpolation: str = "linear") -> Any:
        return np.asarray(f(a, q, axis=dim, keepdims=keepdim, method=interpolation)).astype(a.dtype)

    return reference


def quantiles(nan: bool) -> Any:
    def make(m: Any) -> Any:
        def values(*shape: int) -> Any:
            a = m.distinct(*shape)
            if nan:
                a.reshape(-1)[1::5] = np.nan
            return a

        several = np.array([0.1, 0.55, 0.97], m.dtype)
        yield Sample(values(7), 0.3)
        yield Sample(values(3, 4), several, 1)
        yield Sample(values(3, 4), 0.6, 0, True)
        yield Sample(values(2, 3, 4), several, 1, True)
        yield Sample(values(3, 4), several)
        for interpolation in ("lower", "higher", "midpoint", "nearest"):
            yield Sample(values(9), 0.33, interpolation=interpolation)

    return make


BAD_Q = [
    ((np.ones(3), 1.5), WRONG, "quantile"),
    ((np.ones(3), np.array([-0.5])), WRONG, "range"),
    ((np.ones(0), 0.5), WRONG, "non-empty"),
    ((np.ones(3, np.int64), 0.5), WRONG, "dtype"),
    ((np.ones(3), np.ones((1, 1))), WRONG, "1D"),
    ((np.ones(3), 0.5, 1), IndexError, "Dimension"),
]
op("quantile", quantile(np.quantile), quantiles(False), errors=BAD_Q, scales=False)
op("nanquantile", quantile(np.nanquantile), quantiles(True), errors=BAD_Q, scales=False)

# ---- running extremes ------------------------------------------------------------------------------------------


def running(f: Any) -> Any:
    def reference(a: Any, dim: int) -> Any:
        values = f.accumulate(a, axis=dim)
        n = np.arange(a.shape[dim]).reshape([-1 if i == dim % a.ndim else 1 for i in range(a.ndim)])
        return values, np.maximum.accumulate(np.where(a == values, n, 0), axis=dim)

    return reference


RUNS = lambda m: iter([Sample(m.distinct(7), 0), Sample(m.distinct(3, 4), 0), Sample(m.distinct(2, 3, 2), -2)])  # noqa: E731
for _name, _f in [("cummax", np.maximum), ("cummin", np.minimum)]:
    op(_name, running(_f), RUNS, dtypes=(*FLOATS, "int64", "int8"), errors=[((np.ones(2), 1), IndexError, "Dimension")])


def logcumsumexp(a: Any, dim: int) -> Any:
    if a.dtype.kind != "c":
        return np.logaddexp.accumulate(a, axis=dim)
    out, a = np.empty_like(a), np.moveaxis(a, dim, -1)
    for i in range(a.shape[-1]):  # the imaginary part goes on from that of the largest so far
        last = np.moveaxis(out, dim, -1)[..., max(i - 1, 0)]
        large, small = (
            (a[..., 0], -np.inf)
            if i == 0
            else np.where(last.real < a[..., i].real, (a[..., i], last), (last, a[..., i]))
        )
        np.moveaxis(out, dim, -1)[..., i] = large + np.log1p(np.exp(small - large))
    return out


op(
    "logcumsumexp",
    logcumsumexp,
    S(((7,), 0), ((3, 4), 0), ((2, 3), -1)),
    dtypes=(*FLOATS, "complex64", "complex128"),
    errors=[((np.ones(2), 1), IndexError, "Dimension"), ((np.ones(2, np.int64), 0), NotImplementedError, "logcumsumexp")],
)  # fmt: skip

# ---- sums over pairs and samples -------------------------------------------------------------------------------

op("trace", np.trace, S(((3, 3),), ((2, 4),), ((0, 2),)), dtypes=ALL, errors=[((np.ones(2),), WRONG, "trace")])
op(
    "dist",
    lambda a, b, p=2: np.linalg.norm((a - b).reshape(-1), p),
    lambda m: iter([Sample(m(3), m(3)), Sample(m(2, 3), m(3), 1), Sample(m(4), m(4), 3)]),
    errors=[((np.ones(2), np.ones(3)), WRONG, "dist|broadcast")],
)


def renorm(a: Any, p: float, dim: int, maxnorm: float) -> Any:
    axes = tuple(i for i in range(a.ndim) if i != dim % a.ndim)
    n = (np.abs(a) ** p).sum(axes, keepdims=True) ** (1 / p)
    return np.where(n > maxnorm, a * (maxnorm / (n + 1e-7)), a).astype(a.dtype)


op("renorm", renorm, S(((3, 4), 2, 0, 1), ((2, 3, 2), 1, 1, 2), ((2, 3), 3, -1, 0.5)), domain=(0.2, 2), scales=False,
   errors=[((np.ones((2, 2)), 0, 0, 1), WRONG, "renorm"), ((np.ones((2, 2)), 2, 0, -1), WRONG, "renorm"), ((np.ones(2), 2, 0, 1), WRONG, "renorm")])  # fmt: skip


def cov(a: Any, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    return np.cov(a, ddof=correction, fweights=fweights, aweights=aweights)


op(
    "cov",
    cov,
    lambda m: iter(
        [
            Sample(m(3, 5)),
            Sample(m(5)),
            Sample(m(2, 4), correction=0),
            Sample(m(2, 4), fweights=np.array([1, 2, 1, 3])),
            Sample(m(2, 3), aweights=np.array([0.5, 1, 2], np.float64)),
        ]
    ),
    dtypes=("float64", "complex128"),
    scales=False,
    errors=[((np.ones((2, 2, 2)),), WRONG, "cov")],
)
op("corrcoef", np.corrcoef, S(((3, 5),), ((2, 4),)), dtypes=("float32", "float64"), scales=False, errors=[((np.ones((2, 2, 2)),), WRONG, "corrcoef")])  # fmt: skip


def diff(a: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    ends = {k: v for k, v in (("prepend", prepend), ("append", append)) if v is not None}
    return np.diff(a, n, dim, **ends)


op(
    "diff",
    diff,
    lambda m: iter([Sample(m(5)), Sample(m(3, 4), 2, 0), Sample(m(3), 5), Sample(m(3), 0), Sample(m(2, 3), 1, 1, m(2, 1), m(2, 2))]),
    dtypes=ALL,
    scales=False,
    errors=[((np.ones(()),), WRONG, "diff"), ((np.ones(2), -1), WRONG, "diff"), ((np.ones(2), 1, 0, np.ones((1, 1))), WRONG, "diff")],
)  # fmt: skip


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, dim: int = -1) -> Any:
    return np.asarray(integrate.trapezoid(y, x, dx, dim))


def areas(m: Any) -> Any:
    yield Sample(m(5))
    yield Sample(m(3, 4), dx=0.5, dim=0)
    yield Sample(m(3, 4), m(4))
    yield Sample(m(3, 4), m(3, 4), dim=0)


op("trapezoid trapz", trapezoid, areas, scales=False, errors=[((np.ones(3), np.ones(2)), WRONG, "trap")])
op(
    "cumulative_trapezoid",
    lambda y, x=None, dx=1.0, dim=-1: integrate.cumulative_trapezoid(y, x, dx, dim),
    areas,
    scales=False,
    errors=[((np.ones(3), np.ones(2)), WRONG, "trap")],
)

# ---- histograms ------------------------------------------------------------------------------------------------


def histc(a: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    low, high = (a.min(), a.max()) if min == max else (min, max)
    return np.histogram(a, bins, (low, high))[0].astype(a.dtype)


op("histc", histc, S(((40,), 7), ((40,), 5, -1, 2), ((3, 4),)), grad=False, errors=[((np.ones(2), 0), WRONG, "bins"), ((np.ones(2), 3, 2, 1), WRONG, "max"), ((np.ones(2), 3, 0, np.inf), WRONG, "finite"), ((np.ones(2, np.int64),), NotImplementedError, "histc")])  # fmt: skip
op(
    "private._histogramdd",
    lambda a, edges, w=None: np.histogramdd(a, edges, weights=w)[0].astype(a.dtype),
    lambda m: iter([Sample(m(30, 2), [np.linspace(-2, 2, 5).astype(m.dtype), np.array([-1, 0, 3], m.dtype)]), Sample(m(9, 1), [np.array([-1, 1], m.dtype)], m(9))]),
    grad=False,
    torch_name="-",
    scales=False,
    errors=[((np.ones((2, 2)), [np.ones(3)]), WRONG, "histogramdd"), ((np.ones((2, 1)), [np.ones(3)], np.ones(3)), WRONG, "weight")],
)  # fmt: skip
