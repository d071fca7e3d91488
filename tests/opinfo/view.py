"""Views, shapes, copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ALL, Sample, op


def S(*shapes_and_args: Any) -> Any:
    """Samples from (shape, *args) tuples."""
    return lambda m: (Sample(m(*shape), *args) for shape, *args in shapes_and_args)


def v(name: str, reference: Any, samples: Any, view: bool = True, **options: Any) -> None:
    op(name, reference, samples, dtypes=options.pop("dtypes", ALL), view=view, **options)


def strided(a: Any, size: Any, stride: Any, offset: int = 0) -> Any:
    flat = a.reshape(-1)
    return np.lib.stride_tricks.as_strided(flat[offset:], size, [s * a.itemsize for s in stride]).copy()


def unflatten(a: Any, dim: int, sizes: Any) -> Any:
    dim %= a.ndim
    return a.reshape(a.shape[:dim] + tuple(sizes) + a.shape[dim + 1 :])


def flatten(a: Any, start: int = 0, end: int = -1) -> Any:
    if a.ndim == 0:
        return a.reshape(1)
    start, end = start % a.ndim, end % a.ndim
    return a.reshape(a.shape[:start] + (int(np.prod(a.shape[start : end + 1])),) + a.shape[end + 1 :])


def unfold(a: Any, dim: int, size: int, step: int) -> Any:
    w = np.lib.stride_tricks.sliding_window_view(a, size, axis=dim)
    return np.take(w, range(0, w.shape[dim], step), axis=dim)


def squeeze(a: Any, dim: Any = None) -> Any:
    if dim is None:
        return np.squeeze(a)
    dims = [d % max(a.ndim, 1) for d in (dim if isinstance(dim, tuple) else (dim,))]
    return np.squeeze(a, tuple(d for d in dims if a.ndim and a.shape[d] == 1))


def pieces(a: Any, n: Any, dim: int = 0) -> Any:
    bounds = np.cumsum(n)[:-1] if isinstance(n, (tuple, list)) else range(n, a.shape[dim], n)
    return tuple(np.split(a, bounds, dim))


WRONG = RuntimeError
v("as_strided", strided, S(((6,), (2, 2), (1, 2)), ((6,), (3, 3), (1, 1)), ((2, 3), (2,), (2,), 1)),
  errors=[((np.ones(3), (4,), (1,)), WRONG, "bounds"), ((np.ones(3), (2,), (1, 1)), WRONG, "mismatch"), ((np.ones(3), (2,), (-1,)), WRONG, "negative"),
          ((np.ones(3), (2**62, 4), (1, 1)), WRONG, "as_strided"), ((np.ones(3), (1,), (1,), -1), WRONG, "offset")])  # fmt: skip
RESHAPE = [((np.ones(6), (4,)), WRONG, "invalid"), ((np.ones(6), (-1, -1)), WRONG, "one dimension"), ((np.ones(6), (-2, 3)), WRONG, "invalid shape"),
           ((np.ones(0), (0, -1)), WRONG, "ambiguous"), ((np.ones(2), (2**32, 2**32)), WRONG, "invalid")]  # fmt: skip
v(
    "reshape Tensor.view",
    lambda a, s: a.reshape(s),
    S(((6,), (2, 3)), ((2, 3), (3, -1)), ((), (1, 1)), ((0, 3), (3, 0)), ((1,), ())),
    errors=RESHAPE,
)
v(
    "Tensor.reshape_as Tensor.view_as",
    lambda a, b: a.reshape(b.shape),
    lambda m: iter([Sample(m(6), m(2, 3)), Sample(m(0), m(0, 4))]),
)
v("permute", np.transpose, S(((2, 3, 4), (2, 0, 1)), ((), ()), ((0, 3), (1, 0))),
  errors=[((np.ones((2, 3)), (0, 0)), WRONG, "permute"), ((np.ones((2, 3)), (0,)), WRONG, "permute"), ((np.ones((2, 3)), (0, 2)), IndexError, "permute")])  # fmt: skip
v(
    "transpose swapaxes",
    np.swapaxes,
    S(((2, 3, 4), 0, 2), ((0, 3), 0, -1)),
    errors=[((np.ones((2, 3)), 0, 2), IndexError, "Dimension")],
)
v("t", np.transpose, S(((2, 3),), ((3,),), ((),)), errors=[((np.ones((2, 3, 4)),), WRONG, "t\\(\\)")])
BROADCAST = [
    ((np.ones(3), (2,)), WRONG, "expand|broadcast"),
    ((np.ones((2, 3)), (3,)), WRONG, "expand|broadcast"),
    ((np.ones(1), (-2,)), WRONG, "expand|broadcast"),
]
v(
    "broadcast_to Tensor.expand",
    np.broadcast_to,
    S(((3,), (2, 3)), ((2, 1), (2, 3)), ((), (0, 2)), ((1, 0), (2, 0))),
    errors=BROADCAST,
)
v(
    "Tensor.expand_as",
    lambda a, b: np.broadcast_to(a, b.shape),
    lambda m: iter([Sample(m(3), m(2, 3)), Sample(m(), m(2))]),
)
v(
    "squeeze",
    squeeze,
    S(((1, 3, 1),), ((1, 3, 1), 0), ((1, 3, 1), (0, 2)), ((2, 3), 1), ((),)),
    errors=[((np.ones(2), 1), IndexError, "squeeze")],
)
v("unsqueeze", np.expand_dims, S(((2, 3), 1), ((), 0), ((0,), -1)), errors=[((np.ones(2), 3), IndexError, "unsqueeze")])
v("select", lambda a, d, i: np.take(a, i, d), S(((2, 3), 1, 2), ((2, 3), 0, -1), ((2, 0), 0, 1)),
  errors=[((np.ones(2), 0, 2), IndexError, "select"), ((np.ones(2), 1, 0), IndexError, "select"), ((np.ones(()), 0, 0), IndexError, "select")])  # fmt: skip
v("narrow", lambda a, d, s, n: np.take(a, range(s % (a.shape[d] + 1), s % (a.shape[d] + 1) + n), d), S(((5,), 0, 1, 3), ((2, 5), 1, 0, 0), ((2, 5), 1, 3, 2)),
  errors=[((np.ones(3), 0, 2, 2), WRONG, "narrow"), ((np.ones(3), 0, 4, 0), (IndexError, WRONG), "narrow"), ((np.ones(3), 0, 0, -1), WRONG, "narrow"),
          ((np.ones(3), 0, 2, 2**63 - 1), WRONG, "narrow")])  # fmt: skip
v(
    "diagonal",
    np.diagonal,
    S(((3, 3),), ((2, 4), 1), ((2, 3, 4), -1, 1, 2), ((2, 3), 5)),
    errors=[((np.ones((2, 2)), 0, 0, 0), WRONG, "diagonal"), ((np.ones(2),), IndexError, "diagonal")],
)
v(
    "flatten",
    flatten,
    S(((2, 3, 4),), ((2, 3, 4), 1), ((2, 3, 4), 0, 1), ((),), ((0, 2),)),
    errors=[((np.ones((2, 3)), 1, 0), WRONG, "flatten"), ((np.ones(2), 2), IndexError, "flatten")],
)
v("ravel", np.ravel, S(((2, 3),), ((),), ((0, 2),)))
v(
    "unflatten",
    unflatten,
    S(((6, 2), 0, (2, 3)), ((2, 6), -1, (3, 2))),
    errors=[((np.ones(6), 0, (4, 2)), WRONG, "unflatten"), ((np.ones(6), 1, (2, 3)), IndexError, "unflatten")],
)
v(
    "movedim",
    np.moveaxis,
    S(((2, 3, 4), 0, 2), ((2, 3, 4), (0, 1), (1, 2))),
    errors=[((np.ones((2, 3)), (0, 1), (0,)), WRONG, "movedim"), ((np.ones((2, 3)), 0, 5), IndexError, "movedim")],
)
v("detach", lambda a: a, S(((2, 3),), ((),)), grad=False)
v("real", np.real, S(((2, 3),), ((),)))
v("imag", np.imag, S(((2, 3),), ((),)), dtypes=("complex64", "complex128"), errors=[((np.ones(2),), WRONG, "imag")])
v(
    "unbind",
    lambda a, d=0: tuple(np.moveaxis(a, d, 0)),
    S(((3,),), ((2, 3), 1), ((0, 2),)),
    errors=[((np.ones(()),), (WRONG, IndexError), "unbind"), ((np.ones(2), 1), IndexError, "unbind")],
)
v("split", pieces, S(((5,), 2), ((2, 5), [1, 4], 1), ((4, 2), 4)),
  errors=[((np.ones(5), 0), WRONG, "split"), ((np.ones(5), [2, 2]), WRONG, "split"), ((np.ones(5), -1), WRONG, "split"), ((np.ones(5), [2**62, 2**62]), WRONG, "split")])  # fmt: skip
v(
    "chunk",
    lambda a, n, d=0: pieces(a, -(-a.shape[d] // n), d),
    S(((5,), 2), ((2, 5), 3, 1)),
    errors=[((np.ones(5), 0), WRONG, "chunk"), ((np.ones(5), -2), WRONG, "chunk")],
)
v(
    "Tensor.unfold",
    unfold,
    S(((7,), 0, 3, 2), ((2, 7), 1, 3, 1)),
    errors=[
        ((np.ones(5), 0, 6, 1), WRONG, "unfold"),
        ((np.ones(5), 0, 2, 0), WRONG, "unfold"),
        ((np.ones(5), 0, -1, 1), WRONG, "unfold"),
    ],
)
v(
    "Tensor.sum_to_size",
    lambda a, s: a.sum(0).reshape(s) if len(s) == 1 else a.sum(1, keepdims=True),
    S(((2, 3), (3,)), ((2, 3), (2, 1))),
    view=False,
    errors=[((np.ones(3), (2,)), WRONG, "sum_to_size")],
    scales=False,
)
v("clone Tensor.contiguous", lambda a: a, S(((2, 3),), ((),), ((0, 2),)), view=False)
v("Tensor._to_dtype", None, lambda m: iter(()), view=False, grad=False, torch_name="-")
v(
    "Tensor.copy_",
    lambda a, b: np.broadcast_to(b, a.shape),
    lambda m: iter([Sample(m(2, 3), m(3)), Sample(m(0), m(1))]),
    view=False,
    grad=False,
    errors=[((np.ones(2), np.ones(3)), WRONG, "copy_")],
)
v("fill_", lambda a, b: np.full_like(a, b), S(((2, 3), 1), ((), 0), ((0,), 1)), view=False, grad=False)
v("zero_", np.zeros_like, S(((2, 3),), ((),), ((0,),)), view=False, grad=False)
v("detach_", lambda a: a, S(((2, 3),), ((),)), view=False, grad=False)
v("adjoint", lambda a: np.conj(np.swapaxes(a, -1, -2)), S(((2, 3),), ((2, 0, 3),)), dtypes=ALL, view=False,
  errors=[((np.ones(2),), RuntimeError, "matrices")])  # fmt: skip


def filled_diagonal(a: Any, value: Any, wrap: bool = False) -> Any:
    a = a.copy()
    if a.ndim == 2 or wrap:
        np.fill_diagonal(a, value, wrap=wrap)
    else:
        a[np.diag_indices(a.shape[0], a.ndim)] = value
    return a


v("Tensor.fill_diagonal_", filled_diagonal,
  S(((2, 3), 1), ((3, 3, 3), 2), ((7, 3), 1, True), ((9, 2), 1), ((4, 1), 1, True), ((6, 3), 1, True)), view=False, grad=False,
  errors=[((np.ones(2), 1), RuntimeError, "2 dims"), ((np.ones((2, 3, 3)), 1), RuntimeError, "equal length")])  # fmt: skip
