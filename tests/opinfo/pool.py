"""Poolings and sliding blocks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import FLOATS, Maker, Sample, op

HUGE = 2**62
Windows = list[list[list[int]]]  # of each dim, of each result: places, negative or too large where they are padding


def repeated(value: Any, dims: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * dims


def moving(shape: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Windows:
    dims = len(shape)
    kernel = repeated(kernel, dims)
    result: Windows = []
    for n, k, s, p, d in zip(
        shape,
        kernel,
        repeated(kernel if stride is None else stride, dims),
        repeated(padding, dims),
        repeated(dilation, dims),
    ):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        result.append([[i * s - p + j * d for j in range(k)] for i in range(count)])
    return result


def evenly(shape: Any, output_size: Any) -> Windows:
    sizes = repeated(output_size, len(shape))
    return [[list(range(i * n // o, -(-(i + 1) * n // o))) for i in range(o)] for n, o in zip(shape, sizes)]


def each_window(x: np.ndarray, windows: Windows) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
    """The place of each result and the places inside that it covers."""
    shape = x.shape[-len(windows) :]
    for out in itertools.product(*(range(len(w)) for w in windows)):
        covered = itertools.product(*(w[i] for w, i in zip(windows, out)))
        yield out, [c for c in covered if all(0 <= i < n for i, n in zip(c, shape))]


def largest(x: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    dims, shape = len(windows), x.shape[-len(windows) :]
    sizes = (*x.shape[:-dims], *map(len, windows))
    values, places = np.zeros(sizes, x.dtype), np.zeros(sizes, np.int64)
    for out, covered in each_window(x, windows):
        found = np.stack([x[(..., *c)] for c in covered], -1)
        nan = np.isnan(found)[..., ::-1]
        at = np.where(
            nan.any(-1), len(covered) - 1 - nan.argmax(-1), found.argmax(-1)
        )  # the last NaN, as a scan has it
        values[(..., *out)] = np.take_along_axis(found, at[..., None], -1)[..., 0]
        places[(..., *out)] = np.array([np.ravel_multi_index(c, shape) for c in covered])[at]
    return values, places


def max_reference(
    x: Any,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    _: Any = False,
) -> Any:
    dims = x.ndim - 1 if x.ndim == 2 else x.ndim - 2
    return largest(x, moving(x.shape[-dims:], kernel, stride, padding, dilation, ceil_mode))


def max_values(*args: Any, **kwargs: Any) -> Any:
    return max_reference(*args, **kwargs)[0]


def mean_reference(
    x: Any,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    dims = x.ndim - 1 if x.ndim == 2 else x.ndim - 2
    shape = x.shape[-dims:]
    windows = moving(shape, kernel, stride, padding, 1, ceil_mode)
    pads = repeated(padding, dims)
    out = np.zeros((*x.shape[:-dims], *map(len, windows)), np.float64)
    for place, covered in each_window(x, windows):
        count = len(covered)
        if count_include_pad:
            count = int(np.prod([sum(j < n + p for j in w[i]) for w, i, n, p in zip(windows, place, shape, pads)]))
        total = sum(np.asarray(x[(..., *c)], np.float64) for c in covered)
        out[(..., *place)] = total / (divisor_override or count)
    return out


def adaptive_mean(x: Any, output_size: Any) -> Any:
    dims = x.ndim - 2
    windows = evenly(x.shape[-dims:], output_size)
    out = np.zeros((*x.shape[:-dims], *map(len, windows)), np.float64)
    for place, covered in each_window(x, windows):
        out[(..., *place)] = np.mean([np.asarray(x[(..., *c)], np.float64) for c in covered], axis=0)
    return out


def adaptive_largest(x: Any, output_size: Any) -> Any:
    return largest(x, evenly(x.shape[2:], output_size))


SIZES: dict[int, tuple[int, ...]] = {1: (37,), 2: (9, 21), 3: (4, 5, 7)}
TINY: dict[int, tuple[int, ...]] = {1: (6,), 2: (4, 3), 3: (2, 3, 3)}


def max_samples(dims: int) -> Any:
    def make(m: Maker) -> Iterator[Sample]:
        size = SIZES[dims]
        yield Sample(m.distinct(1, 1, *TINY[dims]), 2)
        yield Sample(m.distinct(1, 1, *TINY[dims]), 2, 1)
        yield Sample(m.distinct(2, 3, *size), 3, 2, 1)
        yield Sample(m.distinct(2, 3, *size), 3, stride=1, padding=1)
        yield Sample(m.distinct(2, 3, *size), 2, 3, ceil_mode=True)
        yield Sample(m.distinct(2, 3, *size), (2, 3, 3)[-dims:], (1, 2, 2)[:dims], 1, (1, 1, 2)[:dims], True)
        yield Sample(np.round(m(1, 2, *size)), 3, 2)  # with equal elements
        full = m.distinct(1, 2, *size)
        full[..., 1] = np.nan
        yield Sample(full, 2)
        yield Sample(np.full((1, 2, *size), -np.inf, m.dtype), 3, 2, 1)
        yield Sample(m.distinct(0, 3, *size), 2)

    return make


def mean_samples(dims: int) -> Any:
    def make(m: Maker) -> Iterator[Sample]:
        size = SIZES[dims]
        yield Sample(m(1, 1, *TINY[dims]), 2)
        yield Sample(m(1, 1, *TINY[dims]), 2, 1, 1)
        yield Sample(m(2, 3, *size), 3, 2, 1)
        yield Sample(m(2, 3, *size), 3, 2, 1, True, False)
        yield Sample(m(2, 3, *size), 3, 2, 1, ceil_mode=True)
        yield Sample(m(2, 3, *size), 2, 3, ceil_mode=True)
        yield Sample(m(2, 3, *size), (2, 3, 3)[-dims:], (1, 2, 2)[:dims])
        if dims > 1:
            yield Sample(m(2, 3, *size), 2, divisor_override=3)
        yield Sample(m(0, 3, *size), 2)

    return make


def adaptive_samples(dims: int) -> Any:
    def make(m: Maker) -> Iterator[Sample]:
        yield Sample(m.distinct(1, 1, *TINY[dims]), 2)
        yield Sample(m.distinct(2, 3, *SIZES[dims]), 3)
        yield Sample(m.distinct(2, 3, *SIZES[dims]), 1)
        yield Sample(m.distinct(2, 3, *SIZES[dims]), (6, 5, 4)[:dims])
        yield Sample(m.distinct(0, 3, *SIZES[dims]), 2)

    return make


def errors(dims: int, dilated: bool) -> list[Any]:
    x = np.ones((1, 2, *(6,) * dims), np.float32)
    found: list[Any] = [
        ((x[0, 0, ...] if dims > 1 else x[0, 0], 2), RuntimeError, "Expected"),
        ((x > 0, 2), NotImplementedError, "bool"),
        ((x[:, :0], 2), RuntimeError, "non-zero"),
        ((x, 0), RuntimeError, "kernel size"),
        ((x, 2, 0), RuntimeError, "stride"),
        ((x, 2, 2, -1), RuntimeError, "pad"),
        ((x, 2, 2, 2), RuntimeError, "pad"),
        ((x, 9), RuntimeError, "too small"),
        ((x, HUGE), RuntimeError, "must be below"),
        ((x, (2,) * (dims + 1)), RuntimeError, "kernel_size"),
    ]
    if dilated:
        found += [((x, 2, 2, 0, 0), RuntimeError, "dilation"), ((x, 2, 2, 0, 9), RuntimeError, "too small")]
    return found


def adaptive_errors(dims: int) -> list[Any]:
    x = np.ones((1, 2, *(6,) * dims), np.float32)
    return [
        ((x[0, 0], 2), RuntimeError, "Expected"),
        ((x, -1), RuntimeError, "output_size"),
        ((x, HUGE), Exception, "adaptive"),
        ((x[:, :0], 2), RuntimeError, "non-zero"),
        ((x.astype(np.int64), 2), NotImplementedError, "int64"),
    ]


for _d in (1, 2, 3):
    op(f"max_pool{_d}d", max_values, max_samples(_d), errors=errors(_d, True), scales=False)
    op(
        f"nn.max_pool{_d}d_with_indices",
        max_reference,
        max_samples(_d),
        errors=errors(_d, True),
        torch_name="-",
        scales=False,
    )
    _name = "avg_pool1d nn.avg_pool1d" if _d == 1 else f"nn.avg_pool{_d}d"
    op(_name, mean_reference, mean_samples(_d), errors=errors(_d, False), scales=False)
    _name = "adaptive_avg_pool1d nn.adaptive_avg_pool1d" if _d == 1 else f"nn.adaptive_avg_pool{_d}d"
    op(_name, adaptive_mean, adaptive_samples(_d), errors=adaptive_errors(_d), scales=False)
    op(
        "adaptive_max_pool1d" if _d == 1 else f"nn.adaptive_max_pool{_d}d_with_indices",
        adaptive_largest,
        adaptive_samples(_d),
        errors=adaptive_errors(_d),
        scales=False,
    )


# ---- fractional windows ------------------------------------------------------------------------------------------------


def fractional(x: np.ndarray, kernel: Any, output_size: Any, samples: np.ndarray) -> Any:
    dims = len(kernel)
    values = np.zeros((*x.shape[:2], *output_size), x.dtype)
    places = np.zeros(values.shape, np.int64)
    for n, c in itertools.product(*map(range, x.shape[:2])):
        windows: Windows = []
        for d, (size, k, o) in enumerate(zip(x.shape[2:], kernel, output_size)):
            u = float(samples[n, c, dims - 1 - d])
            alpha = (size - k) / (o - 1) if o > 1 else 0.0
            first = [int((i + u) * alpha) - int(u * alpha) for i in range(o - 1)] + [size - k]
            windows.append([list(range(f, f + k)) for f in first])
        values[n, c], places[n, c] = largest(x[n, c], windows)
    return values, places


def fractional_samples(m: Maker) -> Iterator[Sample]:
    yield Sample(m.distinct(1, 1, 4, 4), (2, 2), (2, 2), m(1, 1, 2, low=0.0, high=0.99).astype("float32"))
    yield Sample(m.distinct(2, 3, 9, 8), (2, 3), (4, 5), m(2, 3, 2, low=0.0, high=0.99).astype("float32"))
    yield Sample(m.distinct(2, 3, 6, 7, 5), (2, 1, 2), (3, 4, 2), m(2, 3, 3, low=0.0, high=0.99).astype("float32"))
    yield Sample(m.distinct(2, 3, 6, 7), (2, 2), (1, 1), m(2, 3, 2, low=0.0, high=0.99).astype("float32"))


_x, _u = np.ones((1, 2, 6, 6), np.float32), np.full((1, 2, 2), 0.5, np.float32)
op(
    "nn.fractional_max_pool",
    fractional,
    fractional_samples,
    grad=False,  # that of max_pool, checked through the modules
    torch_name="-",
    scales=False,
    errors=[
        ((_x, (2,), (2,), _u), RuntimeError, "kernel_size"),
        ((_x, (2, 2), (6, 2), _u), RuntimeError, "larger than the input"),
        ((_x, (0, 2), (2, 2), _u), RuntimeError, "positive"),
        ((_x, (2, 2), (2, HUGE), _u), RuntimeError, "positive"),
        ((_x, (2, 2), (2, 2), _u[:, :1]), RuntimeError, "_random_samples"),
        ((_x[0, 0], (2, 2), (2, 2), _u), RuntimeError, "Expected"),
    ],
)

# ---- sliding blocks ----------------------------------------------------------------------------------------------------


def blocks(x: np.ndarray, kernel: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> np.ndarray:
    if x.ndim == 3:
        return blocks(x[None], kernel, dilation, padding, stride)[0]
    p = repeated(padding, 2)
    padded = np.pad(x, [(0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])])
    rows, columns = moving(x.shape[2:], kernel, stride, padding, dilation, False)
    taps = [
        padded[:, :, [r[i] + p[0] for r in rows]][..., [c[j] + p[1] for c in columns]]
        for i in range(len(rows[0]))
        for j in range(len(columns[0]))
    ]
    return np.stack(taps, 2).reshape(x.shape[0], x.shape[1] * len(taps), len(rows) * len(columns))


def unblocks(x: np.ndarray, output_size: Any, kernel: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    if x.ndim == 2:
        return unblocks(x[None], output_size, kernel, dilation, padding, stride)[0]
    sizes = repeated(output_size, 2)
    taps = int(np.prod(repeated(kernel, 2)))
    shape = (1, x.shape[1] // taps, *sizes)
    where = blocks(
        np.arange(1, int(np.prod(shape)) + 1, dtype=np.int64).reshape(shape), kernel, dilation, padding, stride
    )
    out = np.zeros((x.shape[0], int(np.prod(shape)) + 1), np.result_type(x.dtype, np.float64))
    for n in range(x.shape[0]):
        np.add.at(out[n], where[0], x[n])
    return out[:, 1:].reshape(x.shape[0], *shape[1:])


def block_samples(m: Maker) -> Iterator[Sample]:
    yield Sample(m(1, 1, 3, 4), 2)
    yield Sample(m(2, 3, 6, 7), (2, 3), 2, (1, 2), (2, 1))
    yield Sample(m(3, 5, 5), 3, padding=1)
    yield Sample(m(0, 3, 5, 5), 3)


def unblock_samples(m: Maker) -> Iterator[Sample]:
    yield Sample(m(1, 4, 6), (3, 4), 2)
    yield Sample(m(2, 18, 8), (7, 8), (2, 3), 2, 1, (2, 3))
    yield Sample(m(9, 25), 5, 3, padding=1)
    yield Sample(m(0, 9, 9), 5, 3)


_i = np.ones((1, 2, 5, 5), np.float32)
op(
    "nn.unfold",
    blocks,
    block_samples,
    dtypes=(*FLOATS, "complex64", "complex128"),
    scales=False,
    errors=[
        ((_i[0, 0], 2), RuntimeError, "Expected"),
        ((_i, 0), RuntimeError, "kernel_size"),
        ((_i, 6), RuntimeError, "at least one"),
        ((_i, 2, 0), RuntimeError, "dilation"),
        ((_i, 2, 1, -1), RuntimeError, "padding"),
        ((_i, 2, 1, 0, 0), RuntimeError, "stride"),
        ((_i, HUGE), RuntimeError, "kernel_size"),
        ((_i, (2, 2, 2)), RuntimeError, "kernel_size"),
    ],
)
_c = np.ones((1, 8, 16), np.float32)
op(
    "nn.fold",
    unblocks,
    unblock_samples,
    dtypes=(*FLOATS, "complex64", "complex128"),
    scales=False,
    errors=[
        ((_c[0, 0], 5, 2), RuntimeError, "Expected"),
        ((_c, 5, 3), RuntimeError, "divisible"),
        ((_c, 6, 2), RuntimeError, "sliding blocks"),
        ((_c, 1, 2), RuntimeError, "at least one"),
        ((_c, HUGE, 2), RuntimeError, "output_size"),
        ((_c, 0, 2), RuntimeError, "output_size"),
    ],
)
