"""Rearrangements that copy; scans."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ALL, FLOATS, REALS, Sample, op
from .view import S

WRONG = RuntimeError


def rearrange(name: str, reference: Any, samples: Any, **options: Any) -> None:
    op(name, reference, samples, dtypes=options.pop("dtypes", ALL), **options)


def diag_embed(a: Any, offset: int = 0) -> Any:
    return np.stack([np.diag(row, offset) for row in a.reshape(-1, a.shape[-1])]).reshape(
        *a.shape[:-1], a.shape[-1] + abs(offset), -1
    )


rearrange(
    "tril", np.tril, S(((3, 3),), ((2, 4), 1), ((2, 3, 3), -1), ((0, 2),)), errors=[((np.ones(2),), WRONG, "tril")]
)
rearrange(
    "triu", np.triu, S(((3, 3),), ((2, 4), 1), ((2, 3, 3), -1), ((0, 2),)), errors=[((np.ones(2),), WRONG, "triu")]
)
for _name, _f in [("tril", np.tril_indices), ("triu", np.triu_indices)]:
    op(
        f"{_name}_indices",
        lambda r, c, k=0, f=_f: np.stack(f(r, k, c)),
        lambda m: iter([Sample(3, 3), Sample(2, 4, 1)]),
        dtypes=("int64",),
        grad=False,
        errors=[((-1, 2), WRONG, "indices")],
    )
rearrange(
    "diag", np.diag, S(((3,),), ((3, 3),), ((2, 4), 1), ((3,), -1)), errors=[((np.ones((2, 2, 2)),), WRONG, "diag")]
)
rearrange("diag_embed", diag_embed, S(((3,),), ((2, 3), 1)))
rearrange(
    "flip",
    np.flip,
    S(((3,), (0,)), ((2, 3), (0, 1)), ((0, 2), (0,))),
    errors=[((np.ones(2), (1,)), IndexError, "flip"), ((np.ones(2), (0, 0)), WRONG, "flip")],
)
rearrange("fliplr", np.fliplr, S(((2, 3),)), errors=[((np.ones(2),), WRONG, "fliplr")])
rearrange("flipud", np.flipud, S(((2, 3),)))
rearrange(
    "roll",
    np.roll,
    S(((5,), 2), ((2, 3), (1, -1), (0, 1)), ((2, 3), 4)),
    errors=[((np.ones((2, 2)), (1, 2), (0,)), WRONG, "roll")],
)
rearrange(
    "Tensor.repeat tile",
    lambda a, r: np.tile(a, r),
    S(((3,), (2,)), ((2, 3), (2, 1)), ((3,), (2, 2))),
    errors=[((np.ones(2), (-1,)), WRONG, "repeat|tile")],
)
rearrange(
    "repeat_interleave",
    np.repeat,
    S(((3,), 2), ((2, 3), 2, 1)),
    errors=[((np.ones(2), -1), (WRONG, ValueError), "repeat_interleave")],
)
rearrange(
    "outer ger",
    np.outer,
    lambda m: iter([Sample(m(3), m(2)), Sample(m(0), m(2))]),
    dtypes=(*FLOATS, "complex128"),
    errors=[((np.ones((2, 2)), np.ones(2)), WRONG, "outer|ger")],
)
for _name, _g in [("vstack", np.vstack), ("hstack", np.hstack), ("dstack", np.dstack)]:
    rearrange(
        _name,
        _g,
        lambda m: iter([Sample([m(2, 3), m(2, 3)]), Sample([m(3), m(3)])]),
        errors=[(([],), (WRONG, ValueError), "stack")],
    )
BAD = [((np.ones(2), 1), IndexError, "Dimension")]
rearrange(
    "cumsum",
    np.cumsum,
    S(((5,), 0), ((2, 3), -1), ((0, 2), 0), ((9, 4), 0), ((3, 2, 530), 1)),
    dtypes=tuple(d for d in REALS),
    errors=BAD,
)
rearrange(
    "cumprod",
    np.cumprod,
    S(((5,), 0), ((2, 3), -1), ((0, 2), 0)),
    dtypes=tuple(d for d in REALS),
    domain=(0.5, 2),
    errors=BAD,
)
op(
    "view_as_real",
    lambda a: np.stack([a.real, a.imag], -1),
    S(((2, 3),)),
    dtypes=("complex64", "complex128"),
    errors=[((np.ones(2),), WRONG, "view_as_real")],
)
op(
    "view_as_complex",
    lambda a: a[..., 0] + 1j * a[..., 1],
    S(((3, 2),)),
    errors=[((np.ones(3),), WRONG, "view_as_complex")],
)
for _name, _h, _args in [
    ("squeeze_", np.squeeze, ()),
    ("unsqueeze_", lambda a, d: np.expand_dims(a, d), (0,)),
    ("transpose_", np.swapaxes, (0, 1)),
    ("t_", np.transpose, ()),
]:
    op(f"Tensor.{_name}", _h, S(((2, 1), *_args)), dtypes=ALL, grad=False)
