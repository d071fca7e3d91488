"""Padding, windows, ranges, tensors by geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import windows

from . import ALL, Sample, op
from .view import S

WRONG = RuntimeError


def pairs(a: Any, pad: Any) -> Any:
    given = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    return [(0, 0)] * (a.ndim - len(given)) + given


def padded(a: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    cut = tuple(slice(max(-b, 0), a.shape[i] - max(-e, 0)) for i, (b, e) in enumerate(pairs(a, pad)))
    grow = [(max(b, 0), max(e, 0)) for b, e in pairs(a, pad)]
    how = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    if mode == "constant":
        return np.pad(a[cut], grow, constant_values=value or 0)
    if mode == "circular":
        return np.pad(a[cut], grow, how)
    return np.pad(a, grow, how)[tuple(slice(max(-b, 0), None if e >= 0 else e) for b, e in pairs(a, pad))]


PAD = [((np.ones(3), (1,)), WRONG, "pad"), ((np.ones(3), (1, 1, 1, 1)), WRONG, "pad"), ((np.ones(3), (-2, -2)), WRONG, "negative"),
       ((np.ones(3), (2**62, 2**62)), WRONG, "pad")]  # fmt: skip
op(
    "constant_pad_nd",
    lambda a, pad, value=0: padded(a, pad, value=value),
    S(((3,), (1, 2), 1), ((2, 3), (1, -1, 0, 2)), ((2, 3), (0, 0)), ((0, 2), (1, 1, 1, 0), 1), ((2, 3, 2), (-1, 0))),
    dtypes=ALL,
    errors=PAD,
)


def edges(m: Any) -> Any:
    yield Sample(m(3), (1, 2))
    yield Sample(m(2, 3), (1, 1), "constant", 2.5 if "float" in m.dtype or "complex" in m.dtype else 1)
    for mode in ("reflect", "replicate", "circular"):
        yield Sample(m(2, 4), (1, 3), mode)
        yield Sample(m(1, 2, 4), (2, 1), mode)
        yield Sample(m(2, 3, 4), (1, 1, 2, 0), mode)
        yield Sample(m(1, 2, 2, 3), (0, 2, 1, 1), mode)
        yield Sample(m(1, 2, 3, 2), (1, 0, 0, 2, 1, 1), mode)
        yield Sample(m(2, 4), (-1, 2), mode)
    yield Sample(m(2, 3), (7, 5), "replicate")


op(
    "nn.pad",
    padded,
    edges,
    dtypes=ALL,
    scales=False,
    errors=[
        *PAD[:1],
        ((np.ones((1, 3)), (3, 0), "reflect"), WRONG, "pad"),
        ((np.ones((1, 3)), (4, 0), "circular"), WRONG, "pad"),
        ((np.ones((1, 3)), (-3, 0), "circular"), WRONG, "pad"),
        ((np.ones((1, 0)), (1, 0), "replicate"), WRONG, "pad"),
        ((np.ones(3), (1, 0), "replicate"), NotImplementedError, "pad"),
        ((np.ones((1, 3)), (1, 0), "mirror"), NotImplementedError, "pad"),
    ],
)


def fixed(*samples: Sample) -> Any:
    return lambda m: iter(samples)


for _name, _make in [
    ("bartlett", windows.bartlett), ("blackman", windows.blackman), ("hann", windows.hann),
    ("hamming", lambda n, sym, alpha=0.54, beta=0.46: windows.general_hamming(n, alpha, sym) if alpha + beta == 1 else None),
    ("kaiser", lambda n, sym, beta=12.0: windows.kaiser(n, beta, sym)),
]:  # fmt: skip
    op(
        f"{_name}_window",
        lambda n, periodic=True, *rest, f=_make: f(n, not periodic, *rest).astype(np.float32),
        fixed(Sample(7), Sample(8, False), Sample(1), *([Sample(6, True, 5.0)] if _name == "kaiser" else [])),
        dtypes=("float32",),
        grad=False,
        errors=[((-1,), WRONG, "window")],
    )
op("logspace", lambda a, b, n, base=10.0: np.logspace(a, b, n, base=base, dtype=np.float32), fixed(Sample(0, 2, 5), Sample(1, -1, 4, 2.0), Sample(0, 1, 0), Sample(2, 5, 1)),
   dtypes=("float32",), grad=False, errors=[((0, 1, -1), WRONG, "logspace")])  # fmt: skip
op("range", lambda a, b, s=1: np.arange(a, b + s / 2, s, np.float32), fixed(Sample(1, 4), Sample(0, -3, -1), Sample(0, 1, 0.25)), dtypes=("float32",), grad=False,
   errors=[((0, 5, 0), WRONG, "range"), ((0, 5, -1), WRONG, "range"), ((0, float("inf")), WRONG, "range"), ((0, 1e300), WRONG, "range")])  # fmt: skip
op("scalar_tensor", lambda v: np.float32(v), fixed(Sample(3), Sample(2.5)), dtypes=("float32",), grad=False, errors=[((1j,), WRONG, "scalar_tensor")])  # fmt: skip
STRIDED = [(((2, 3), (1,)), WRONG, "empty"), (((2,), (-1,)), WRONG, "empty"), (((2**40, 2**40), (1, 1)), WRONG, "empty"), (((2, 2), (2**62, 1)), WRONG, "empty")]  # fmt: skip
op("empty_strided", None, fixed(Sample((2, 3), (1, 2)), Sample((0,), (1,)), Sample((), ())), dtypes=("float32",), grad=False, random=True, errors=STRIDED)  # fmt: skip
op("Tensor.new_empty_strided", None, lambda m: iter([Sample(m(2), (2, 3), (1, 2))]), dtypes=ALL, grad=False, random=True)  # fmt: skip
op("empty_permuted", None, fixed(Sample((2, 3, 5), (0, 2, 1))), dtypes=("float32",), grad=False, random=True, errors=[(((2,), (1,)), WRONG, "empty_permuted"), (((2, 2), (0, 0)), WRONG, "empty_permuted")])  # fmt: skip
