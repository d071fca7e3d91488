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


CAT = [(([],), (WRONG, ValueError), "cat|stack"), (([np.ones((2, 3)), np.ones((2, 2))],), WRONG, "cat|Sizes"), (([np.ones(2)], 1), IndexError, "Dimension")]
op("cat concat", lambda ts, dim=0: np.concatenate(ts, dim), lists, dtypes=ALL, errors=[(a, e, r.replace("cat", "cat|conc")) for a, e, r in CAT])
op("stack", lambda ts, dim=0: np.stack(ts, dim), lambda m: iter([Sample([m(2, 3), m(2, 3)]), Sample([m(3)], -1), Sample([m(), m()])]), dtypes=ALL,
   errors=[(([np.ones(2), np.ones(3)],), WRONG, "stack"), (([],), (WRONG, ValueError), "stack")])  # fmt: skip
op("nonzero", lambda a: np.argwhere(a), lambda m: iter([Sample(m(3)), Sample(m(2, 3)), Sample(m(0, 2))]), dtypes=ALL, grad=False)
op("private.nonzero_tuple", np.nonzero, lambda m: iter([Sample(m(3)), Sample(m(2, 3))]), dtypes=ALL, grad=False, torch_name="-")
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
    return [((np.ones(a), np.ones(b)), WRONG, r"\(\)") for a, b in pairs] + [((np.ones(pairs[0][0]), np.ones(pairs[0][0], np.float32)), WRONG, r"\(\)")]


op("mm", np.matmul, products(((2, 3), (3, 4)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((17, 9), (9, 20))), dtypes=COMPLEX, errors=shapes_do_not_fit(((2, 3), (2, 3)), ((2,), (2, 2))))
op("bmm", np.matmul, products(((2, 2, 3), (2, 3, 4)), ((0, 2, 3), (0, 3, 2))), dtypes=COMPLEX, errors=shapes_do_not_fit(((2, 2, 3), (2, 2, 3)), ((2, 3), (3, 2)), ((2, 2, 2), (3, 2, 2))))
op("mv", np.matmul, products(((2, 3), (3,)), ((0, 3), (3,))), dtypes=COMPLEX, errors=shapes_do_not_fit(((2, 3), (2,)), ((2, 3), (3, 1))))
op("dot", np.dot, products(((3,), (3,)), ((0,), (0,))), dtypes=COMPLEX, errors=shapes_do_not_fit(((2,), (3,)), ((2, 2), (2, 2))))
op("matmul", np.matmul, products(((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((4, 2, 3), (3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((3,), (2, 3, 4))), dtypes=COMPLEX,
   errors=shapes_do_not_fit(((2, 3), (2, 3)), ((), (2,)), ((2, 2, 3), (3, 3, 2))))  # fmt: skip
op("nn.linear", lambda x, w, b=None: x @ w.T + (0 if b is None else b),
   lambda m: iter([Sample(m(2, 3), m(4, 3), m(4)), Sample(m(3), m(4, 3)), Sample(m(2, 2, 3), m(4, 3), m(4)), Sample(m(0, 3), m(4, 3), m(4))]),
   errors=[((np.ones((2, 3)), np.ones((4, 2))), WRONG, "linear|mm|multiplied"), ((np.ones((2, 3)), np.ones((4, 3)), np.ones(3)), WRONG, "linear")])  # fmt: skip

NEGATIVE = [(((-1,),), WRONG, "negative|invalid"), (((2**62, 2**62),), WRONG, "zeros|ones|empty|full|64 bits")]


def fixed(*samples: Sample) -> Any:
    return lambda m: iter(samples)


for _name, _f in [("zeros", np.zeros), ("ones", np.ones)]:
    op(_name, lambda s, f=_f: f(s, np.float32), fixed(Sample((2, 3)), Sample(()), Sample((0, 4))), dtypes=("float32",), grad=False, errors=NEGATIVE)
    op(f"{_name}_like", lambda a, f=_f: f(a.shape, a.dtype), lambda m: iter([Sample(m(2, 3)), Sample(m())]), dtypes=ALL, grad=False)
    op(f"Tensor.new_{_name}", lambda a, s, f=_f: f(s, a.dtype), lambda m: iter([Sample(m(2), (2, 3)), Sample(m(), ())]), dtypes=ALL, grad=False, errors=[((np.ones(2), (-1,)), WRONG, "negative|invalid")])
op("empty", None, fixed(Sample((2, 3))), dtypes=("float32",), grad=False, random=True, errors=NEGATIVE)
op("empty_like", None, lambda m: iter([Sample(m(2, 3))]), dtypes=ALL, grad=False, random=True)
op("Tensor.new_empty", None, lambda m: iter([Sample(m(2, 3), (2,))]), dtypes=ALL, grad=False, random=True)
op("full", lambda s, v: np.full(s, v, np.float32 if isinstance(v, float) else np.int64), fixed(Sample((2, 3), 1.5), Sample((), 2)), dtypes=("float32",), grad=False)
op("full_like", lambda a, v: np.full(a.shape, v, a.dtype), lambda m: iter([Sample(m(2, 3), 1)]), dtypes=ALL, grad=False)
op("Tensor.new_full", lambda a, s, v: np.full(s, v, a.dtype), lambda m: iter([Sample(m(2, 3), (2,), 1)]), dtypes=ALL, grad=False)
op("arange", np.arange, fixed(Sample(5), Sample(2, 9, 3), Sample(0, -5, -2), Sample(3, 3)), dtypes=("int64",), grad=False,
   errors=[((0, 5, 0), WRONG, "arange"), ((0, 5, -1), WRONG, "arange"), ((float("nan"),), (WRONG, ValueError), "arange"), ((1e300,), WRONG, "arange")])  # fmt: skip
op("linspace", lambda a, b, n: np.linspace(a, b, n, dtype=np.float32), fixed(Sample(0, 1, 5), Sample(3, -1, 1), Sample(0, 1, 0)), dtypes=("float32",), grad=False, errors=[((0, 1, -1), WRONG, "linspace")])
op("eye", lambda n, m=None: np.eye(n, m, dtype=np.float32), fixed(Sample(3), Sample(2, 4), Sample(0)), dtypes=("float32",), grad=False, errors=[((-1,), WRONG, "eye")])

# Covered by tests/optim: the optimizers and gradient clipping are held against their formulas there.
op("private._sgd_step private._adam_step", None, fixed(), grad=False, torch_name="-")
op("private._grad_norm", lambda ts, p: sum((np.abs(t) ** p).sum() for t in ts) ** (1 / p), lambda m: iter([Sample([m(2, 3), m(4)], 2.0), Sample([m(2, 3), m(4)], 1.0)]), grad=False, torch_name="-")
