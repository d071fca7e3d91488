"""Splits, joins, views as copies, writes to views of copies."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import linalg

from . import ALL, Sample, op
from .view import S

WRONG = RuntimeError


def shape_op(name: str, reference: Any, samples: Any, **options: Any) -> None:
    op(name, reference, samples, dtypes=options.pop("dtypes", ALL), **options)


# ---- splits ----------------------------------------------------------------------------------------------------


def tuple_of(f: Any) -> Any:
    return lambda *args: tuple(f(*args))


def cut(a: Any, n: int, dim: int = 0) -> Any:
    return tuple(np.split(a, range(n, max(a.shape[dim], 1), n), dim))


def cut_sizes(a: Any, sizes: Any, dim: int = 0) -> Any:
    return tuple(np.split(a, np.cumsum(sizes)[:-1], dim))


NO_DIM = ((np.ones(()), 2), WRONG, "split|chunk|dim")
shape_op(
    "tensor_split",
    tuple_of(np.array_split),
    S(((7,), 3), ((2, 5), 2, 1), ((7,), (2, 4)), ((7,), (5, 2)), ((2, 3), (1,), -1), ((2,), 4), ((7,), (-3, 20))),
    errors=[((np.ones(3), 0), WRONG, "sections"), ((np.ones(3), 2, 1), IndexError, "Dimension"), NO_DIM,
            ((np.ones(3), 2**40), MemoryError, "tensors")],
)  # fmt: skip
for _name, _f, _samples in [
    ("hsplit", np.hsplit, S(((4,), 2), ((2, 6), 3), ((2, 6), (1, 3)))),
    ("vsplit", np.vsplit, S(((4, 2), 2), ((6, 2), (1, 3)))),
    ("dsplit", np.dsplit, S(((1, 2, 4), 2), ((1, 2, 4), (1, 3)))),
]:
    shape_op(_name, tuple_of(_f), _samples, errors=[NO_DIM, ((np.ones((3, 3, 3)), 2), WRONG, "divisible"), ((np.ones((3, 3, 3)), 0), WRONG, "divisible")])  # fmt: skip
shape_op(
    "split_with_sizes unsafe_split_with_sizes split_with_sizes_copy",
    cut_sizes,
    S(((5,), (2, 3)), ((2, 4), (1, 3), 1)),
    errors=[((np.ones(3), (1, 1)), WRONG, "split"), ((np.ones(3), (-1, 4)), WRONG, "split")],
    scales=False,
)
shape_op(
    "unsafe_split split_copy",
    cut,
    S(((5,), 2), ((2, 4), 3, 1)),
    errors=[((np.ones(3), 0), WRONG, "split"), ((np.ones(3), -1), WRONG, "split")],
    scales=False,  # a long sample makes as many pieces, each with a gradient of the whole; see tests/threads
)
shape_op("unsafe_chunk", tuple_of(np.array_split), S(((6,), 2), ((2, 4), 2, 1)), errors=[((np.ones(3), 0), WRONG, "chunk")])  # fmt: skip
shape_op(
    "unbind_copy",
    lambda a, dim=0: tuple(np.moveaxis(a, dim, 0)),
    S(((3,),), ((2, 3), 1)),
    errors=[((np.ones(()),), WRONG, "unbind_copy")],
    scales=False,
)

# ---- copies of views -------------------------------------------------------------------------------------------


def strided(a: Any, size: Any, stride: Any, offset: int = 0) -> Any:
    flat = a.reshape(-1)
    return np.lib.stride_tricks.as_strided(flat[offset:], size, [s * a.itemsize for s in stride]).copy()


def sliced(a: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    return a[(slice(None),) * (dim % a.ndim) + (slice(start, end, step),)]


def windows(a: Any, dim: int, size: int, step: int) -> Any:
    w = np.lib.stride_tricks.sliding_window_view(a, size, axis=dim)
    return np.take(w, range(0, w.shape[dim], step), axis=dim)


BAD_DIM = [((np.ones((2, 2)), 2), IndexError, "Dimension|dim")]
shape_op("alias_copy", np.copy, S(((2, 3),), ((),)))
op("detach_copy", np.copy, S(((2, 3),)), dtypes=ALL, grad=False)
shape_op("as_strided_copy", strided, S(((6,), (2, 2), (1, 2))), errors=[((np.ones(3), (4,), (1,)), WRONG, "bounds")])
shape_op(
    "diagonal_copy",
    np.diagonal,
    S(((2, 3),), ((2, 3, 2), 1, 1, 2)),
    errors=[((np.ones(2),), (WRONG, IndexError), "diag|dim")],
)
shape_op(
    "expand_copy", np.broadcast_to, S(((2, 1), (2, 3))), errors=[((np.ones(2), (3,)), WRONG, "expand")], scales=False
)
shape_op("permute_copy", np.transpose, S(((2, 3, 4), (2, 0, 1))), errors=[((np.ones(2), (0, 1)), WRONG, "permute")])
shape_op(
    "select_copy",
    lambda a, d, i: np.take(a, i, d),
    S(((2, 3), 1, -1)),
    errors=[((np.ones(2), 0, 2), IndexError, "select")],
)
shape_op("slice_copy", sliced, S(((5,), 0, 1, None, 2), ((2, 4), -1, -3, -1)), errors=[((np.ones(2), 0, 0, 1, 0), (WRONG, ValueError), "step")])  # fmt: skip
shape_op(
    "squeeze_copy",
    lambda a, d=None: np.squeeze(a, d),
    S(((1, 3),), ((1, 3, 1), 2)),
    errors=[((np.ones((1,)), 1), IndexError, "Dimension")],
)
shape_op("t_copy", np.transpose, S(((2, 3),), ((3,),)), errors=[((np.ones((1, 1, 1)),), WRONG, "t_copy")])
shape_op("transpose_copy", np.swapaxes, S(((2, 3, 2), 0, 2)), errors=[((np.ones((2, 2)), 2, 0), IndexError, "Dimension")])  # fmt: skip
shape_op("unfold_copy", windows, S(((5,), 0, 2, 2), ((2, 3), 1, 2, 1)), errors=[((np.ones(2), 0, 3, 1), WRONG, "unfold")])  # fmt: skip
shape_op("unsqueeze_copy", np.expand_dims, S(((2, 3), 1)), errors=[((np.ones(2), 3), IndexError, "Dimension")])
shape_op("view_copy", np.reshape, S(((2, 3), (3, 2))), errors=[((np.ones(6), (4,)), WRONG, "invalid")], scales=False)
shape_op("narrow_copy", lambda a, d, s, n: sliced(a, d, s, s + n), S(((2, 4), 1, 1, 2)), errors=[((np.ones(3), 0, 2, 2), WRONG, "narrow")])  # fmt: skip

# ---- writes to views of copies ---------------------------------------------------------------------------------


def written(view: Any) -> Any:
    def reference(a: Any, src: Any, *args: Any) -> Any:
        out = a.copy()
        view(out, *args)[...] = src
        return out

    return reference


def diagonal(a: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    d = np.diagonal(a, offset, dim1, dim2)
    d.flags.writeable = True  # documented to become so
    return d


def overlay(a: Any, size: Any, stride: Any, offset: int = 0) -> Any:
    return np.lib.stride_tricks.as_strided(a.reshape(-1)[offset:], size, [s * a.itemsize for s in stride])


def S2(*samples: Any) -> Any:
    return lambda m: (Sample(m(*a), m(*b), *args) for a, b, *args in samples)


SIZE = [((np.ones((2, 3)), np.ones(4), 0, 1), WRONG, "scatter")]
shape_op("select_scatter", written(lambda a, d, i: np.moveaxis(a, d, 0)[i]), S2(((2, 3), (3,), 0, 1), ((2, 3), (2,), 1, -1)), errors=[*SIZE, ((np.ones(2), np.ones(()), 0, 2), IndexError, "select")])  # fmt: skip
shape_op("slice_scatter", written(sliced), S2(((2, 4), (2, 2), 1, 1, 3), ((5,), (2,), 0, 1, None, 2), ((3,), (3,))), errors=SIZE)  # fmt: skip
shape_op("diagonal_scatter", written(diagonal), S2(((2, 3), (2,)), ((2, 3, 2), (3, 1), 1, 0, 2)), errors=[((np.ones((2, 2)), np.ones(3)), WRONG, "scatter")])  # fmt: skip
# torch's gives the gradient of the parts that were overwritten.
shape_op("as_strided_scatter", written(overlay), S2(((6,), (2, 2), (2, 2), (1, 3)), ((2, 3), (2,), (2,), (2,), 1)), errors=[((np.ones(3), np.ones(2), (2,), (5,)), WRONG, "as_strided")], torch_name="-")  # fmt: skip

# ---- joins -----------------------------------------------------------------------------------------------------


def lists(*shapes: Any) -> Any:
    return lambda m: iter([Sample([m(*s) for s in each]) for each in shapes])


EMPTY = [(([],), (WRONG, ValueError), "cat|stack|prod")]
shape_op("concatenate", np.concatenate, lists(((2, 3), (1, 3))), errors=EMPTY)
shape_op("column_stack", np.column_stack, lists(((2, 3), (2,)), ((3,), (3,))), errors=EMPTY)
shape_op("row_stack", np.vstack, lists(((2, 3), (3,)), ((3,), (3,))), errors=EMPTY)
shape_op(
    "private._block_diag",
    lambda ts: linalg.block_diag(*ts),
    lists(((2, 3), (1, 2)), ((3,), (), (2, 2)), ((1, 1),)),
    torch_name="-",
    errors=[(([np.ones((1, 1, 1))],), WRONG, "block_diag")],
)
shape_op(
    "private._cartesian_prod",
    lambda ts: np.array(list(itertools.product(*ts)), ts[0].dtype).reshape(-1, len(ts)) if len(ts) > 1 else ts[0],
    lists(((2,), (3,)), ((2,),), ((2,), (1,), (2,)), ((0,), (2,))),
    torch_name="-",
    errors=[*EMPTY, (([np.ones((1, 1))],), WRONG, "1D"), (([np.ones(1), np.ones(1, np.float32)],), WRONG, "dtype")],
)


def combinations(a: Any, r: int = 2, with_replacement: bool = False) -> Any:
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    return np.array(list(choose(a, r)), a.dtype).reshape(-1, r)


shape_op(
    "combinations",
    combinations,
    S(((4,),), ((4,), 3), ((3,), 2, True), ((3,), 3, True), ((2,), 3), ((3,), 1), ((0,),)),
    errors=[((np.ones((2, 2)),), WRONG, "1D"), ((np.ones(2), -1), WRONG, "non-negative")],
    scales=False,
)
shape_op("diagflat", np.diagflat, S(((3,),), ((2, 2), 1), ((2,), -1), ((),)), scales=False)
shape_op(
    "rot90",
    lambda a, k=1, dims=(0, 1): np.rot90(a, k, dims),
    S(((2, 3),), ((2, 3), 2), ((2, 3, 2), -1, (1, 2)), ((2, 2), 4)),
    errors=[((np.ones((2, 2)), 1, (0, 0)), WRONG, "different"), ((np.ones(2),), WRONG, "total dims"), ((np.ones((2, 2)), 1, (0, 1, 1)), WRONG, "dims")],
)  # fmt: skip
shape_op(
    "vander",
    np.vander,
    S(((3,),), ((3,), 2), ((2,), 4, True)),
    dtypes=tuple(d for d in ALL if d != "bool"),
    domain=(0, 2),
    torch_name="-",  # torch's has no derivative: it multiplies in place
    errors=[((np.ones((2, 2)),), WRONG, "vander"), ((np.ones(2), -1), WRONG, "vander")],
    scales=False,
)
shape_op("moveaxis", np.moveaxis, S(((2, 3, 2), 0, -1), ((2, 3, 2), (0, 1), (1, 2))), view=True, errors=[((np.ones(2), 0, 1), IndexError, "Dimension|dim")])  # fmt: skip
shape_op("swapdims", np.swapaxes, S(((2, 3), 0, 1)), view=True, errors=[((np.ones(2), 0, 1), IndexError, "Dimension|dim")])  # fmt: skip
for _name in ("swapdims_", "swapaxes_"):
    op(f"Tensor.{_name}", np.swapaxes, S(((2, 3), 0, 1)), dtypes=ALL, grad=False, errors=[((np.ones(2), 0, 1), IndexError, "Dimension|dim")])  # fmt: skip
op("as_strided_", strided, S(((6,), (2, 2), (1, 2)), ((2, 3), (2,), (2,), 1)), dtypes=ALL, grad=False, torch_name="-", errors=[((np.ones(3), (4,), (1,)), WRONG, "bounds")])  # fmt: skip
op("view_as_real_copy", lambda a: np.stack([a.real, a.imag], -1), S(((2, 3),)), dtypes=("complex64", "complex128"), errors=[((np.ones(2),), WRONG, "view_as_real")])  # fmt: skip
op("view_as_complex_copy", lambda a: a[..., 0] + 1j * a[..., 1], S(((3, 2),)), scales=False, errors=[((np.ones(3),), WRONG, "view_as_complex")])  # fmt: skip
