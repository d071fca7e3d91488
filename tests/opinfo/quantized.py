"""Products of 8-bit numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.signal import correlate

import pydl
from opinfo import Maker, Sample, op

WRONG = (RuntimeError, TypeError, ValueError)


def step() -> int:
    """Channels side by side in the packed layout of this processor."""
    row = pydl.ones(1, 4, dtype=pydl.int8)
    return int(pydl._int8_pack(row)[0, :4].sum())  # type: ignore[attr-defined]


def pack(weight: Any, groups: int = 1) -> Any:
    out, channels = weight.shape[0] // groups, weight.shape[1]
    if not weight.size:
        return np.zeros(0, np.int8)
    w = weight.reshape(groups, out, channels, -1)
    panels, deep = -(-out // 32), -(-channels // step())
    full = np.zeros((groups, panels * 32, deep * step(), w.shape[3]), np.int8)
    full[:, :out, :channels] = w
    full = full.reshape(groups, panels, 32, deep, step(), -1)
    return full.transpose(0, 1, 5, 3, 2, 4).reshape(groups, -1)


def unpack(packed: Any, groups: int, out: int, channels: int, taps: int) -> Any:
    deep = -(-channels // step())
    w = packed.reshape(groups, -1, taps, deep, 32, step()).transpose(0, 1, 4, 3, 5, 2)
    return w.reshape(groups, -1, deep * step(), taps)[:, :out, :channels].astype(np.int64)


def quantized(x: Any, scale: float | None, zero: int) -> Any:
    """(integers less their zero point, scale)"""
    if scale is None:
        low, high = np.float32(min(0, x.min(initial=0))), np.float32(max(0, x.max(initial=0)))
        factor = (high - low) / np.float32(255)
        factor = factor if factor >= np.finfo(np.float32).tiny else np.float32(1)
        zero = int(np.clip(np.rint(-low / factor), 0, 255))
    else:
        factor = np.float32(scale)
    return np.clip(np.rint(x * (np.float32(1) / factor)) + zero, 0, 255).astype(np.int64) - zero, factor


def finish(total: Any, factor: Any, scales: Any, bias: Any, relu: bool) -> Any:
    out = total.astype(np.float32) * (factor * scales) + (0 if bias is None else bias)
    return (np.maximum(out, 0) if relu else out).astype(np.float32)


def linear(
    x: Any, packed: Any, sums: Any, scales: Any, bias: Any = None, input_scale: Any = None, input_zero_point: int = 0,
    relu: bool = False,
) -> Any:  # fmt: skip
    q, factor = quantized(x, input_scale, input_zero_point)
    w = unpack(packed, 1, len(scales), x.shape[1], 1)[0, :, :, 0]
    return finish(q @ w.T, factor, scales, bias, relu)


def conv(
    x: Any, packed: Any, sums: Any, scales: Any, bias: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    groups: int = 1, input_scale: Any = None, input_zero_point: int = 0, relu: bool = False,
) -> Any:  # fmt: skip
    q, factor = quantized(x, input_scale, input_zero_point)
    q = np.pad(q, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    outs, channels = len(scales), x.shape[1] // groups
    w = unpack(packed, groups, outs // groups, channels, kernel_size[0] * kernel_size[1])
    w = w.reshape(outs, channels, *kernel_size)
    spread = np.zeros((outs, channels, *((k - 1) * d + 1 for k, d in zip(kernel_size, dilation))), np.int64)
    spread[:, :, :: dilation[0], :: dilation[1]] = w
    rows = []
    for image in q:
        planes = image.reshape(groups, channels, *image.shape[1:])
        found = [correlate(planes[o * groups // outs], spread[o], "valid", "direct")[0] for o in range(outs)]
        rows.append(np.stack(found)[:, :: stride[0], :: stride[1]])
    total = np.stack(rows).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(finish(total, factor, scales, bias, relu).transpose(0, 3, 1, 2))


def weights(m: Maker, *shape: int) -> tuple[Any, Any, Any, Any]:
    w = m.rng.integers(-127, 128, shape).astype(np.int8)
    sums = w.reshape(len(w), -1).astype(np.int32).sum(1).astype(np.int32)
    return w, sums, m.rng.uniform(0.001, 0.01, len(w)).astype(np.float32), m(len(w))


def linears(m: Maker) -> Iterator[Sample]:
    for rows, ins, outs in [(5, 30, 40), (1, 1, 1), (13, 7, 33), (100, 129, 70), (0, 4, 3), (14, 512, 64)]:
        w, sums, scales, bias = weights(m, outs, ins)
        yield Sample(m(rows, ins), pack(w)[0], sums, scales, bias)
        yield Sample(m(rows, ins), pack(w)[0], sums, scales, None, 0.02, 100, True)
    w, sums, scales, bias = weights(m, 3, 4)
    yield Sample(np.zeros((2, 4), np.float32), pack(w)[0], sums, scales, bias)


def convs(m: Maker) -> Iterator[Sample]:
    for n, c, h, o, k, s, p, d, g in [
        (2, 3, 9, 5, 3, 1, 1, 1, 1), (1, 8, 12, 66, 3, 2, 1, 1, 2), (2, 6, 10, 6, 3, 1, 1, 2, 6),
        (1, 4, 5, 70, 1, 1, 0, 1, 1), (1, 1, 28, 6, 5, 1, 2, 1, 1), (0, 2, 4, 3, 3, 1, 1, 1, 1),
    ]:  # fmt: skip
        w, sums, scales, bias = weights(m, o, c // g, k, k)
        more = (sums, scales, bias, [k, k], [s, s], [p, p], [d, d], g)
        if n:
            yield Sample(m(n, c, h, h + 1), pack(w, g), *more)
        yield Sample(m(n or 1, c, h, h), pack(w, g), *more, 0.02, 120, True)


X, W = np.ones((2, 4), np.float32), pack(np.ones((3, 4), np.int8))[0]
ONES, SUMS = np.ones(3, np.float32), np.full(3, 4, np.int32)
op(
    "private._int8_pack",
    pack,
    lambda m: (
        Sample(m.rng.integers(-128, 128, shape).astype(np.int8), g)
        for shape, g in [((3, 4), 1), ((40, 7), 1), ((6, 2, 3, 3), 2), ((4, 5, 1), 4), ((0, 3), 1), ((3, 0), 1)]
    ),
    dtypes=("int8",),
    grad=False,
    errors=[
        ((np.ones((3, 4)),), WRONG, "int8"),
        ((np.ones(3, np.int8),), WRONG, "2 dims"),
        ((np.ones((3, 4), np.int8), 2), ValueError, "groups"),
    ],
)
op(
    "private._int8_linear",
    linear,
    linears,
    dtypes=("float32",),
    grad=False,
    scales=False,
    errors=[
        ((X.astype(np.float64), W, SUMS, ONES), WRONG, "float32"),
        ((X[0], W, SUMS, ONES), WRONG, "2 dims"),
        ((X, W[:8], SUMS, ONES), WRONG, "packed"),
        ((X, W, SUMS[:2], ONES), WRONG, "sums"),
        ((X, W, SUMS, ONES, ONES[:2]), WRONG, "bias"),
        ((X, W, SUMS, ONES, None, -1.0), ValueError, "input_scale"),
        ((X, W, SUMS, ONES, None, 1.0, 256), ValueError, "input_zero_point"),
    ],
)
IMAGE, KERNEL = np.ones((1, 4, 3, 3), np.float32), pack(np.ones((3, 4, 2, 2), np.int8))
REST = ([2, 2], [1, 1], [0, 0], [1, 1])
op(
    "private._int8_conv",
    conv,
    convs,
    dtypes=("float32",),
    grad=False,
    scales=False,
    errors=[
        ((IMAGE[0], KERNEL, SUMS, ONES, None, *REST), WRONG, "4 dims"),
        ((IMAGE, KERNEL, SUMS, ONES, None, [4, 4], *REST[1:]), WRONG, "larger"),
        ((IMAGE, KERNEL, SUMS, ONES, None, [3, 3], *REST[1:]), WRONG, "packed"),
        ((IMAGE, KERNEL, SUMS, ONES, None, [2], *REST[1:]), WRONG, "2 elements"),
        ((IMAGE, KERNEL, SUMS, ONES, None, [2, 2], [0, 1], *REST[2:]), ValueError, "positive"),
        ((IMAGE, KERNEL, SUMS, ONES, None, *REST, 3), ValueError, "groups"),
    ],
)
