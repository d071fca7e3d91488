"""Gathers, masks, concatenation; matrix products; creation; what the Python layer alone calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import ALL, FLOATS, Maker, Sample, op

WRONG = RuntimeError


def lists(m: Maker) -> Iterator[Sample]:
    yield Sample([m(2, 3), m(2, 3)])
    yield Sample([m(2, 3), m(2, 1)], 1)
    yield Sample([m(0, 3), m(2, 3)], 0)


CAT = [
    (([],), (WRONG, ValueError), "cat|stack"),
    (([np.ones((2, 3)), np.ones((2, 2))],), WRONG, "cat|Sizes"),
    (([np.ones(2)], 1), IndexError, "Dimension"),
]
op("cat concat", lambda ts, dim=0: np.concatenate(ts, dim), lists, dtypes=ALL, errors=CAT)
op("stack", lambda ts, dim=0: np.stack(ts, dim), lambda m: iter([Sample([m(2, 3), m(2, 3)]), Sample([m(3)], -1), Sample([m(), m()])]), dtypes=ALL,
   errors=[(([np.ones(2), np.ones(3)],), WRONG, "stack"), (([],), (WRONG, ValueError), "stack")])  # fmt: skip
op(
    "nonzero",
    lambda a: np.argwhere(a),
    lambda m: iter([Sample(m(3)), Sample(m(2, 3)), Sample(m(0, 2))]),
    dtypes=ALL,
    grad=False,
)
op(
    "private.nonzero_tuple",
    np.nonzero,
    lambda m: iter([Sample(m(3)), Sample(m(2, 3))]),
    dtypes=ALL,
    grad=False,
    torch_name="-",
)
op("masked_select", lambda a, k: np.broadcast_arrays(a, k)[0][np.broadcast_arrays(a, k)[1]],
   lambda m: iter([Sample(m(2, 3), m.mask(2, 3)), Sample(m(2, 3), m.mask(3)), Sample(m(0), m.mask(0))]), dtypes=ALL,
   errors=[((np.ones(2), np.ones(2)), WRONG, "mask"), ((np.ones(2), np.ones(3, bool)), WRONG, "masked_select")])  # fmt: skip
INDEX = np.zeros(1, np.int64)
op("gather", lambda a, d, i: np.take_along_axis(a, i, d) if i.shape[1 - d] == a.shape[1 - d] else np.take_along_axis(a[: i.shape[0]] if d else a[:, : i.shape[1]], i, d),
   lambda m: iter([Sample(m(2, 3), 1, m.index(3, 2, 5)), Sample(m(4, 3), 0, m.index(4, 2, 3)), Sample(m(4, 3), 1, m.index(3, 2, 2))]), dtypes=ALL,
   errors=[((np.ones(2), 0, INDEX + 2), (IndexError, WRONG), "gather|index"), ((np.ones(2), 0, np.ones(1)), WRONG, "gather"), ((np.ones(2), 1, INDEX), IndexError, "gather"),
           ((np.ones((2, 2)), 0, INDEX), WRONG, "gather"), ((np.ones(2), 0, INDEX - 1), (IndexError, WRONG), "gather|index")])  # fmt: skip
op("index_select", lambda a, d, i: np.take(a, i, d), lambda m: iter([Sample(m(2, 3), 1, m.index(3, 5)), Sample(m(4), 0, m.index(4, 2)), Sample(m(4, 2), 0, m.index(4, 0))]), dtypes=ALL,
   errors=[((np.ones(2), 0, INDEX + 2), IndexError, "index"), ((np.ones(2), 0, np.ones((1, 1), np.int64)), (IndexError, WRONG), "index_select"), ((np.ones(2), 0, np.ones(1)), WRONG, "index_select")])  # fmt: skip

COMPLEX = (*FLOATS, "complex64", "complex128", "int64")


def products(*pairs: Any) -> Any:
    return lambda m: (Sample(m(*a), m(*b)) for a, b in pairs)


def shapes_do_not_fit(*pairs: Any) -> Any:
    return [((np.ones(a), np.ones(b)), WRONG, r"\(\)") for a, b in pairs] + [
        ((np.ones(pairs[0][0]), np.ones(pairs[0][0], np.float32)), WRONG, r"\(\)")
    ]


op(
    "mm",
    np.matmul,
    products(((2, 3), (3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((17, 9), (9, 20))),
    dtypes=COMPLEX,
    errors=shapes_do_not_fit(((2, 3), (2, 3)), ((2,), (2, 2))),
)
op(
    "bmm",
    np.matmul,
    products(((2, 2, 3), (2, 3, 4)), ((2, 1, 3), (2, 3, 2)), ((0, 2, 3), (0, 3, 2))),
    dtypes=COMPLEX,
    errors=shapes_do_not_fit(((2, 2, 3), (2, 2, 3)), ((2, 3), (3, 2)), ((2, 2, 2), (3, 2, 2))),
)
op(
    "mv",
    np.matmul,
    products(((2, 3), (3,)), ((0, 3), (3,))),
    dtypes=COMPLEX,
    errors=shapes_do_not_fit(((2, 3), (2,)), ((2, 3), (3, 1))),
)
op(
    "dot",
    np.dot,
    products(((3,), (3,)), ((0,), (0,))),
    dtypes=COMPLEX,
    errors=shapes_do_not_fit(((2,), (3,)), ((2, 2), (2, 2))),
)
op("matmul", np.matmul, products(((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((4, 2, 3), (3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 4))), dtypes=COMPLEX,
   errors=shapes_do_not_fit(((2, 3), (2, 3)), ((), (2,)), ((2, 2, 3), (3, 3, 2))))  # fmt: skip
op("nn.linear", lambda x, w, b=None: x @ w.T + (0 if b is None else b),
   lambda m: iter([Sample(m(2, 3), m(4, 3), m(4)), Sample(m(3), m(4, 3)), Sample(m(2, 2, 3), m(4, 3), m(4)), Sample(m(0, 3), m(4, 3), m(4))]),
   errors=[((np.ones((2, 3)), np.ones((4, 2))), WRONG, "linear|mm|multiplied"), ((np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), WRONG, "linear")])  # fmt: skip

NEGATIVE = [(((-1,),), WRONG, "negative|invalid"), (((2**62, 2**62),), WRONG, "zeros|ones|empty|full|64 bits")]


def fixed(*samples: Sample) -> Any:
    return lambda m: iter(samples)


for _name, _f in [("zeros", np.zeros), ("ones", np.ones)]:
    op(
        _name,
        lambda s, f=_f: f(s, np.float32),
        fixed(Sample((2, 3)), Sample(()), Sample((0, 4))),
        dtypes=("float32",),
        grad=False,
        errors=NEGATIVE,
    )
    op(
        f"{_name}_like",
        lambda a, f=_f: f(a.shape, a.dtype),
        lambda m: iter([Sample(m(2, 3)), Sample(m())]),
        dtypes=ALL,
        grad=False,
    )
    op(
        f"Tensor.new_{_name}",
        lambda a, s, f=_f: f(s, a.dtype),
        lambda m: iter([Sample(m(2), (2, 3)), Sample(m(), ())]),
        dtypes=ALL,
        grad=False,
        errors=[((np.ones(2), (-1,)), WRONG, "negative|invalid")],
    )
op("empty", None, fixed(Sample((2, 3))), dtypes=("float32",), grad=False, random=True, errors=NEGATIVE)
op("empty_like", None, lambda m: iter([Sample(m(2, 3))]), dtypes=ALL, grad=False, random=True)
op("Tensor.new_empty", None, lambda m: iter([Sample(m(2, 3), (2,))]), dtypes=ALL, grad=False, random=True)
op(
    "full",
    lambda s, v: np.full(s, v, np.float32 if isinstance(v, float) else np.int64),
    fixed(Sample((2, 3), 1.5), Sample((), 2)),
    dtypes=("float32",),
    grad=False,
)
op("full_like", lambda a, v: np.full(a.shape, v, a.dtype), lambda m: iter([Sample(m(2, 3), 1)]), dtypes=ALL, grad=False)
op(
    "Tensor.new_full",
    lambda a, s, v: np.full(s, v, a.dtype),
    lambda m: iter([Sample(m(2, 3), (2,), 1)]),
    dtypes=ALL,
    grad=False,
)
op("arange", np.arange, fixed(Sample(5), Sample(2, 9, 3), Sample(0, -5, -2), Sample(3, 3)), dtypes=("int64",), grad=False,
   errors=[((0, 5, 0), WRONG, "arange"), ((0, 5, -1), WRONG, "arange"), ((float("nan"),), (WRONG, ValueError), "arange"), ((1e300,), WRONG, "arange")])  # fmt: skip
op(
    "linspace",
    lambda a, b, n: np.linspace(a, b, n, dtype=np.float32),
    fixed(Sample(0, 1, 5), Sample(3, -1, 1), Sample(0, 1, 0)),
    dtypes=("float32",),
    grad=False,
    errors=[((0, 1, -1), WRONG, "linspace")],
)
op(
    "eye",
    lambda n, m=None: np.eye(n, m, dtype=np.float32),
    fixed(Sample(3), Sample(2, 4), Sample(0)),
    dtypes=("float32",),
    grad=False,
    errors=[((-1,), WRONG, "eye")],
)

# Covered by tests/optim: the optimizers and gradient clipping are held against their formulas there.
op("private._sgd_step private._adam_step private._rule_step", None, fixed(), grad=False, torch_name="-")
# Covered by tests/estimators: solvers, held against scikit-learn's.
op("private._smo private._dual_descent", None, fixed(), grad=False, torch_name="-")
op(
    "private._grad_norm",
    lambda ts, p: sum((np.abs(t) ** p).sum() for t in ts) ** (1 / p),
    lambda m: iter([Sample([m(2, 3), m(4)], 2.0), Sample([m(2, 3), m(4)], 1.0)]),
    grad=False,
    torch_name="-",
)


def sums(product: Any) -> Any:
    return lambda c, a, b, beta=1, alpha=1: beta * c + alpha * product(a, b)


def sums_samples(c: Any, a: Any, b: Any) -> Any:
    return lambda m: iter(
        [Sample(m(*c), m(*a), m(*b)), Sample(m(*c), m(*a), m(*b), beta=2, alpha=3), Sample(m(1), m(*a), m(*b), beta=0)]
    )


for _name, _product, _shapes in [
    ("addmm", np.matmul, ((2, 4), (2, 3), (3, 4))), ("addmv", np.matmul, ((2,), (2, 3), (3,))), ("addr", np.outer, ((2, 3), (2,), (3,))),
    ("baddbmm", np.matmul, ((2, 2, 1), (2, 2, 2), (2, 2, 1))), ("addbmm", lambda a, b: np.matmul(a, b).sum(0), ((2, 1), (2, 2, 2), (2, 2, 1))),
]:  # fmt: skip
    op(
        _name,
        sums(_product),
        sums_samples(*_shapes),
        errors=[((np.ones(2), np.ones((2, 3)), np.ones((2, 3))), WRONG, _name)],
    )


def chosen(f: Any) -> Any:
    def reference(a: Any, dim: int = -1, descending: bool = False) -> Any:
        order = np.argsort(-a if descending else a, axis=dim, kind="stable")
        return (np.take_along_axis(a, order, dim), order) if f == "sort" else order

    return reference


ORDERS = lambda m: iter([Sample(m.distinct(7)), Sample(m.distinct(3, 4), 0), Sample(m.distinct(3, 4), -1, True)])  # noqa: E731
BAD = ((np.ones(2), 1), (IndexError, WRONG), "dim|Dimension|range")
op("sort", chosen("sort"), ORDERS, errors=[BAD])
op("argsort", chosen("argsort"), ORDERS, grad=False, errors=[BAD])
op("topk", lambda a, k, dim=-1: (-np.sort(-a, axis=dim).take(range(k), dim), np.argsort(-a, axis=dim).take(range(k), dim)),
   lambda m: iter([Sample(m.distinct(7), 3), Sample(m.distinct(3, 4), 2, 0)]), errors=[((np.ones(2), 3), WRONG, "topk"), ((np.ones(2), -1), WRONG, "topk")])  # fmt: skip
op("kthvalue", lambda a, k, dim=-1: (np.sort(a, axis=dim).take(k - 1, dim), np.argsort(a, axis=dim).take(k - 1, dim)),
   lambda m: iter([Sample(m.distinct(7), 3), Sample(m.distinct(3, 4), 2, 0)]), errors=[((np.ones(2), 3), WRONG, "kthvalue"), ((np.ones(2), 0), WRONG, "kthvalue")])  # fmt: skip
op("median", lambda a, dim=None: np.sort(a.reshape(-1))[(a.size - 1) // 2] if dim is None else
   (np.sort(a, axis=dim).take((a.shape[dim] - 1) // 2, dim), np.argsort(a, axis=dim).take((a.shape[dim] - 1) // 2, dim)),
   lambda m: iter([Sample(m.distinct(7)), Sample(m.distinct(3, 4), 1)]))  # fmt: skip
op(
    "private._unique",
    lambda a: np.unique(a, return_inverse=True, return_counts=True),
    lambda m: iter([Sample(m(9))]),
    dtypes=("int64",),
    grad=False,
    torch_name="-",
)
op("bincount", lambda a, w=None, minlength=0: np.bincount(a, w, minlength), lambda m: iter([Sample(m.index(5, 9)), Sample(m.index(5, 9), None, 12)]), dtypes=("int64",), grad=False,
   errors=[((np.array([-1]),), WRONG, "bincount"), ((np.array([2**62]),), (WRONG, MemoryError), "bincount|memory|bytes"), ((np.ones(2),), (WRONG, NotImplementedError), "bincount")])  # fmt: skip
