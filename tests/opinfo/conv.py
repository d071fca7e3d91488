"""Convolutions and their transposes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import Maker, Sample, op

DTYPES = ("float32", "float64", "complex64", "complex128")
HUGE = 2**62


def repeated(value: Any, dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> np.ndarray:
    """The definition: one product of matrices for each place of the kernel, in float64."""
    dims = w.ndim - 2
    if x.ndim == dims + 1:
        return convolve(x[None], w, bias, stride, padding, dilation, groups)[0]
    step, reach = repeated(stride, dims), repeated(dilation, dims)
    kernel = w.shape[2:]
    if isinstance(padding, str):
        total = [d * (k - 1) if padding == "same" else 0 for d, k in zip(reach, kernel)]
        edges = [(t // 2, t - t // 2) for t in total]
    else:
        edges = [(p, p) for p in repeated(padding, dims)]
    padded = np.pad(x, [(0, 0), (0, 0), *edges])
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(padded.shape[2:], reach, kernel, step)]
    wide = np.result_type(x.dtype, np.float64)
    out = np.zeros((x.shape[0], groups, w.shape[0] // groups, *sizes), wide)
    for tap in itertools.product(*map(range, kernel)):
        places = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, reach, sizes, step))
        part = padded[(slice(None), slice(None), *places)].astype(wide)
        part = part.reshape(x.shape[0], groups, w.shape[1], *sizes)
        weight = w[(slice(None), slice(None), *tap)].astype(wide).reshape(groups, -1, w.shape[1])
        out += np.einsum("goc,ngc...->ngo...", weight, part)
    out = out.reshape(x.shape[0], w.shape[0], *sizes)
    return out if bias is None else out + bias.reshape(-1, *(1,) * dims)


def spread(
    x: np.ndarray,
    w: np.ndarray,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> np.ndarray:
    """The transpose: every input is added, times the kernel, to the places it reaches."""
    dims = w.ndim - 2
    if x.ndim == dims + 1:
        return spread(x[None], w, bias, stride, padding, output_padding, groups, dilation)[0]
    step, reach, cut = repeated(stride, dims), repeated(dilation, dims), repeated(padding, dims)
    kernel, extra = w.shape[2:], repeated(output_padding, dims)
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(x.shape[2:], step, reach, kernel, extra)]
    wide = np.result_type(x.dtype, np.float64)
    out = np.zeros((x.shape[0], groups, w.shape[1], *full), wide)
    source = x.reshape(x.shape[0], groups, w.shape[0] // groups, *x.shape[2:]).astype(wide)
    for tap in itertools.product(*map(range, kernel)):
        places = tuple(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in zip(tap, reach, x.shape[2:], step))
        weight = w[(slice(None), slice(None), *tap)].astype(wide).reshape(groups, -1, w.shape[1])
        out[(slice(None), slice(None), slice(None), *places)] += np.einsum("gco,ngc...->ngo...", weight, source)
    out = out.reshape(x.shape[0], groups * w.shape[1], *full)
    out = out[(slice(None), slice(None), *(slice(p, n - p) for p, n in zip(cut, full)))]
    return out if bias is None else out + bias.reshape(-1, *(1,) * dims)


def any_convolution(
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Any:
    if transposed:
        return spread(x, w, bias, stride, padding, output_padding, groups, dilation)
    return convolve(x, w, bias, stride, padding, dilation, groups)


SIZES: dict[int, tuple[int, ...]] = {1: (9,), 2: (6, 7), 3: (3, 4, 5)}


def samples(dims: int) -> Any:
    def make(m: Maker) -> Iterator[Sample]:
        size, k = SIZES[dims], (3, 2, 3)[:dims]
        tiny: tuple[int, ...] = {1: (4,), 2: (2, 3), 3: (2, 2, 2)}[dims]
        yield Sample(m(1, 1, *tiny), m(1, 1, *(2, 2, 1)[:dims]))  # small enough for derivatives by differences
        yield Sample(m(1, 1, *tiny), m(1, 1, *(1, 2, 1)[:dims]), m(1), stride=2, padding=1)
        yield Sample(m(2, *tiny), m(2, 1, *(1,) * dims), None, groups=2)
        yield Sample(m(2, 3, *size), m(4, 3, *k), m(4))
        yield Sample(m(2, 3, *size), m(20, 3, *k), m(20), 2, 1, 1)
        yield Sample(m(2, 4, *size), m(6, 2, *k), None, stride=(1, 2, 2)[:dims], padding=(2, 1, 0)[:dims], groups=2)
        yield Sample(m(1, 5, *size), m(40, 5, *k), m(40), padding=2, dilation=2)
        yield Sample(m(3, *size), m(3, 1, *k), m(3), padding=1, groups=3)
        yield Sample(m(2, 20, *size), m(33, 20, *(1,) * dims), m(33))
        yield Sample(m(2, 2, *size), m(3, 2, *(2,) * dims), m(3), padding="same")
        yield Sample(m(2, 2, *size), m(3, 2, *k), padding="valid", dilation=1)
        yield Sample(m(0, 2, *size), m(3, 2, *k), m(3))

    return make


def transposed_samples(dims: int) -> Any:
    def make(m: Maker) -> Iterator[Sample]:
        size, k = SIZES[dims], (3, 2, 3)[:dims]
        tiny: tuple[int, ...] = {1: (4,), 2: (2, 2), 3: (2, 1, 2)}[dims]
        yield Sample(m(1, 1, *tiny), m(1, 1, *(2, 2, 1)[:dims]))
        yield Sample(m(1, 1, *tiny), m(1, 1, *(1, 2, 1)[:dims]), m(1), stride=2, output_padding=1)
        yield Sample(m(2, 3, *size), m(3, 4, *k), m(4))
        yield Sample(m(2, 20, *size), m(20, 33, *k), m(33), 2, 1, 1)
        yield Sample(m(2, 4, *size), m(4, 3, *k), None, (1, 3, 2)[:dims], (1, 0, 1)[:dims], 0, 2, 2)
        yield Sample(m(3, *size), m(3, 1, *k), m(3), stride=3, groups=3)
        yield Sample(m(0, 2, *size), m(2, 3, *k), m(3))

    return make


def errors(dims: int, transposed: bool) -> list[Any]:
    x, w = np.ones((1, 4, *(6,) * dims), np.float32), np.ones((4, 4, *(3,) * dims), np.float32)
    found: list[Any] = [
        ((x, w[:, :3] if not transposed else w[:3]), RuntimeError, "channels"),
        ((x[0, 0], w), RuntimeError, "unbatched"),
        ((x, w[0]), RuntimeError, "weight"),
        ((x, w, np.ones(3, np.float32)), RuntimeError, "bias"),
        ((x, w.astype(np.float64)), RuntimeError, "type"),
        ((x > 0, w > 0), NotImplementedError, "bool"),
        ((x, w, None, 0), RuntimeError, "stride"),
        ((x, w, None, 1, -1), RuntimeError, "padding"),
        ((x, w, None, (1,) * (dims + 1)), RuntimeError, "stride"),
    ]
    if transposed:
        found += [
            ((x, w, None, 1, 0, 1), RuntimeError, "output padding"),
            ((x, w, None, 1, 7), RuntimeError, "too small"),
            ((x, w, None, HUGE), RuntimeError, "overflow|too large|memory|elements"),
            ((x, w, None, 1, 0, 0, 0), RuntimeError, "groups"),
            ((x, w, None, 1, 0, 0, 3), RuntimeError, "groups"),
        ]
    else:
        found += [
            ((x[..., :2], w), RuntimeError, "Kernel size"),
            ((x, w, None, 1, HUGE), RuntimeError, "overflow"),
            ((x, w, None, 1, 0, HUGE), RuntimeError, "overflow|Kernel size"),
            ((x, w, None, 1, 0, 0), RuntimeError, "dilation"),
            ((x, w, None, 1, 0, 1, 0), RuntimeError, "groups"),
            ((x, w, None, 1, 0, 1, 3), RuntimeError, "groups"),
            ((x, w, None, 2, "same"), RuntimeError, "strided"),
            ((x, w, None, 1, "other"), RuntimeError, "other"),
        ]
    return found


def convolution_samples(m: Maker) -> Iterator[Sample]:
    yield Sample(m(1, 1, 4), m(1, 1, 2), None, 1, 0, 1, False, 0, 1)
    yield Sample(m(1, 1, 2, 2), m(1, 1, 2, 2), m(1), (2, 1), 0, 1, True, (1, 0), 1)
    yield Sample(m(1, 4, 3, 3, 3), m(6, 2, 2, 2, 2), m(6), 1, 1, 1, False, 0, 2)


for _d in (1, 2, 3):
    op(f"conv{_d}d", convolve, samples(_d), dtypes=DTYPES, errors=errors(_d, False), tolerance=4, scales=False)
    op(
        f"conv_transpose{_d}d",
        spread,
        transposed_samples(_d),
        dtypes=DTYPES,
        errors=errors(_d, True),
        tolerance=4,
        scales=False,
    )
op(
    "convolution",
    any_convolution,
    convolution_samples,
    dtypes=DTYPES,
    errors=[((np.ones((1, 1)), np.ones((1, 1)), None, 1, 0, 1, False, 0, 1), RuntimeError, "weight")],
    tolerance=4,
    scales=False,
)
