"""Suppression, pooling over regions and deformable convolution against plain loops. The boxes of regions, which have
no gradient, come in the other of the two dtypes, so that the tests of gradients leave them alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import Maker, Sample, op

HUGE = 2**62


# ---- suppression ----------------------------------------------------------------------------------------------------


def iou(a: np.ndarray, b: np.ndarray) -> float:
    common = np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).prod()
    return float(common / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - common))


def order_of(scores: np.ndarray) -> list[int]:
    return sorted(range(len(scores)), key=lambda i: (np.isnan(scores[i]), -scores[i] if scores[i] == scores[i] else 0))


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, groups: np.ndarray | None = None) -> np.ndarray:
    kept: list[int] = []
    for i in order_of(scores):
        rivals = [k for k in kept if groups is None or groups[k] == groups[i]]
        if not any(iou(boxes[k], boxes[i]) > threshold for k in rivals):
            kept.append(i)
    return np.array(kept, np.int64)


def soft_nms(boxes: np.ndarray, scores: np.ndarray, sigma: float, least: float, threshold: float, method: str) -> Any:
    left = dict(enumerate(scores.astype(np.float64)))
    taken: list[int] = []
    values: list[float] = []
    while left and max(left.values()) >= least:
        best = max(left, key=lambda i: (left[i], -i))
        taken.append(best)
        values.append(left.pop(best))
        for i in left:
            overlap = iou(boxes[best], boxes[i])
            if method == "gaussian":
                left[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap > threshold:
                left[i] *= 1 - overlap
    return np.array(taken, np.int64), np.array(values, scores.dtype)


def some_boxes(m: Maker, n: int, size: float = 10.0) -> np.ndarray:
    corner = m(n, 2, low=0, high=size)
    return np.concatenate([corner, corner + m(n, 2, low=0.5, high=size / 2)], 1)


def suppressions(m: Maker) -> Iterator[Sample]:
    for n in (0, 1, 2, 30, 70):
        boxes = some_boxes(m, n)
        yield Sample(boxes, m(n, low=0, high=1), 0.3)
        yield Sample(boxes, np.zeros(n, m.dtype), 0.5)
        yield Sample(boxes, m(n, low=0, high=1), 0.2, m.index(3, n))
    yield Sample(np.ones((3, 4), m.dtype), m(3), 0.5)  # without area
    boxes = some_boxes(m, 4)
    boxes[1] = np.nan
    yield Sample(boxes, np.array([1, np.nan, 0.5, np.nan], m.dtype), 0.1)


BOXES = np.ones((2, 4))
op(
    "private._nms",
    nms,
    suppressions,
    grad=False,
    torch_name="-",
    scales=False,
    errors=[
        ((np.ones((2, 5)), np.ones(2), 0.5), RuntimeError, r"nms.*boxes.*\(N, 4\)"),
        ((BOXES, np.ones(3), 0.5), RuntimeError, "nms.*scores"),
        ((BOXES, np.ones(2), math.nan), ValueError, "iou_threshold"),
        ((BOXES, np.ones(2), 0.5, np.ones(2)), RuntimeError, "idxs"),
    ],
)


def soft_suppressions(m: Maker) -> Iterator[Sample]:
    for n in (0, 1, 20):
        for method in ("gaussian", "linear"):
            yield Sample(some_boxes(m, n), m(n, low=0, high=1), 0.5, 0.05, 0.3, method)


op(
    "private._soft_nms",
    soft_nms,
    soft_suppressions,
    grad=False,
    torch_name="-",
    scales=False,
    errors=[
        ((BOXES, np.ones(2), 0.5, 0.1, 0.3, "hard"), ValueError, "method"),
        ((BOXES, np.ones(2), 0.0, 0.1, 0.3, "linear"), ValueError, "sigma"),
        ((np.ones(4), np.ones(1), 0.5, 0.1, 0.3, "linear"), RuntimeError, "boxes"),
    ],
)


# ---- regions --------------------------------------------------------------------------------------------------------


def bilinear(plane: np.ndarray, y: float, x: float) -> float:
    h, w = plane.shape
    if not (-1 <= y <= h and -1 <= x <= w):
        return 0.0
    y, x = min(max(y, 0.0), h - 1.0), min(max(x, 0.0), w - 1.0)
    i, j = int(y), int(x)
    k, n = min(i + 1, h - 1), min(j + 1, w - 1)
    a, b = y - i, x - j
    return float(
        (1 - a) * (1 - b) * plane[i, j] + (1 - a) * b * plane[i, n] + a * (1 - b) * plane[k, j] + a * b * plane[k, n]
    )


def mean_of_samples(plane: np.ndarray, start: Any, bins: Any, cell: tuple[int, int], samples: int) -> float:
    counts = [samples if samples > 0 else math.ceil(b) for b in bins]
    values = [
        bilinear(plane, *(s + b * (c + (k + 0.5) / n) for s, b, c, k, n in zip(start, bins, cell, at, counts)))
        for at in np.ndindex(*counts)
    ]
    return sum(values) / max(len(values), 1)


def each_cell(
    x: np.ndarray, boxes: np.ndarray, size: tuple[int, int], by_position: bool, f: Callable[..., float]
) -> Any:
    """f(plane, box without the image, place of the bin) for every result."""
    channels = x.shape[1] // (size[0] * size[1]) if by_position else x.shape[1]
    out = np.zeros((len(boxes), channels, *size))
    for k, c, i, j in np.ndindex(*out.shape):
        plane = x[int(boxes[k, 0]), (c * size[0] + i) * size[1] + j if by_position else c]
        out[k, c, i, j] = f(plane.astype(np.float64), boxes[k, 1:].astype(np.float64), (i, j))
    return out.astype(x.dtype)


def roi_align(x: Any, boxes: Any, size: Any, scale: float, samples: int, aligned: bool) -> np.ndarray:
    def cell(plane: np.ndarray, box: np.ndarray, at: tuple[int, int]) -> float:
        start, sides = box[1::-1] * scale - 0.5 * aligned, (box[2:] - box[:2])[::-1] * scale
        if not aligned:
            sides = np.maximum(sides, 1)
        return mean_of_samples(plane, start, sides / size, at, samples)

    return each_cell(x, boxes, size, False, cell)


def ps_roi_align(x: Any, boxes: Any, size: Any, scale: float, samples: int) -> np.ndarray:
    def cell(plane: np.ndarray, box: np.ndarray, at: tuple[int, int]) -> float:
        sides = (box[2:] - box[:2])[::-1] * scale
        return mean_of_samples(plane, box[1::-1] * scale - 0.5, sides / size, at, samples)

    return each_cell(x, boxes, size, True, cell)


def away_from_zero(v: np.ndarray) -> np.ndarray:
    return np.sign(v) * np.floor(np.abs(v) + 0.5)


def window(box: np.ndarray, scale: float, size: Any, at: Any, limit: Any, extra: int) -> tuple[slice, slice]:
    low, high = away_from_zero(box[1::-1] * scale), away_from_zero(box[:1:-1] * scale)
    bins = np.maximum(high - low + extra, 1) / size
    begin = np.clip(np.floor(np.array(at) * bins) + low, 0, limit).astype(int)
    end = np.clip(np.ceil((np.array(at) + 1) * bins) + low, 0, limit).astype(int)
    return slice(begin[0], end[0]), slice(begin[1], end[1])


def roi_pool(x: Any, boxes: Any, size: Any, scale: float) -> np.ndarray:
    def cell(plane: np.ndarray, box: np.ndarray, at: tuple[int, int]) -> float:
        part = plane[window(box, scale, size, at, plane.shape, 1)]
        return float(part.max()) if part.size else 0.0

    return each_cell(x, boxes, size, False, cell)


def ps_roi_pool(x: Any, boxes: Any, size: Any, scale: float) -> np.ndarray:
    def cell(plane: np.ndarray, box: np.ndarray, at: tuple[int, int]) -> float:
        part = plane[window(box, scale, size, at, np.array(plane.shape) - 1, 0)]
        return float(part.mean()) if part.size else 0.0

    return each_cell(x, boxes, size, True, cell)


def regions(m: Maker, images: int, n: int, size: float) -> np.ndarray:
    other = "float64" if m.dtype == "float32" else "float32"
    boxes = np.concatenate([m.index(images, n, 1), some_boxes(m, n, size)], 1).astype(other)
    if n > 4:
        boxes[1, 3:] = boxes[1, 1:3]  # no area
        boxes[2, 1:] = [-30, -20, -10, -5]  # outside
        boxes[3, 1:] = [-3, -3, 3 * size, 2 * size]
    return boxes


def pooled(*options: tuple[Any, ...], by_position: bool = False) -> Callable[[Maker], Iterator[Sample]]:
    """Small samples for numerical derivatives, and larger ones; each with all of the options that follow the output's
    size."""

    def samples(m: Maker) -> Iterator[Sample]:
        many = 4 if by_position else 1
        for rest in options:
            yield Sample(m.distinct(1, many, 2, 2), regions(m, 1, 1, 2.0), (2, 2), 1.0, *rest)
            if not by_position:
                yield Sample(m.distinct(1, 1, 3, 4), regions(m, 1, 2, 3.0), (1, 2), 0.8, *rest)
            yield Sample(m(2, 3 * many, 9, 7), regions(m, 2, 6, 20.0), (2, 2), 0.5, *rest)
            yield Sample(m(1, 70 * many, 5, 6), regions(m, 1, 5, 6.0), (2, 2), 1.0, *rest)
            yield Sample(m(1, 2 * many, 3, 3), regions(m, 1, 0, 3.0), (2, 2), 1.0, *rest)

    return samples


def bad_regions(*rest: Any, by_position: bool = False) -> Any:
    x, boxes = np.ones((1, 4, 2, 2)), np.array([[0.0, 0.0, 0.0, 1.0, 1.0]])
    name = "roi"
    cases: list[Any] = [
        ((np.ones((4, 2, 2)), boxes, (2, 2), 1.0, *rest), RuntimeError, f"{name}.*input must have sizes"),
        ((x, boxes[:, 1:], (2, 2), 1.0, *rest), RuntimeError, r"boxes must have sizes \(K, 5\)"),
        ((x, boxes + 1, (2, 2), 1.0, *rest), IndexError, "batch index"),
        ((x, boxes * np.nan, (2, 2), 1.0, *rest), IndexError, "batch index"),
        ((x, boxes, (0, 2), 1.0, *rest), ValueError, "output_size"),
        ((x, boxes, (HUGE, HUGE), 1.0, *rest), RuntimeError, name),
        ((x, boxes, (2**31, 2**31), 1.0, *rest), (RuntimeError, MemoryError), name),
        ((np.ones((1, 4, 0, 2)), boxes, (2, 2), 1.0, *rest), RuntimeError, "empty"),
        ((x, boxes, (2, 2), math.inf, *rest), ValueError, "spatial_scale"),
    ]
    if by_position:
        cases.append(((np.ones((1, 3, 2, 2)), boxes, (2, 2), 1.0, *rest), RuntimeError, "multiple of"))
    return cases


ALIGNS = [(2, False), (-1, False), (2, True), (0, True)]
op(
    "private._roi_align",
    roi_align,
    pooled(*ALIGNS),
    torch_name="-",
    scales=False,
    errors=[
        *bad_regions(2, False),
        ((np.ones((1, 1, 2, 2)), np.zeros((1, 5)), (1, 1), 1.0, 2**31, False), ValueError, "sampling_ratio"),
    ],
)
op(
    "private._ps_roi_align",
    ps_roi_align,
    pooled((2,), (-1,), by_position=True),
    torch_name="-",
    scales=False,
    errors=bad_regions(2, by_position=True),
)
op("private._roi_pool", roi_pool, pooled(()), torch_name="-", scales=False, errors=bad_regions())
op(
    "private._ps_roi_pool",
    ps_roi_pool,
    pooled((), by_position=True),
    torch_name="-",
    scales=False,
    errors=bad_regions(by_position=True),
)


# ---- deformable convolution -----------------------------------------------------------------------------------------


def read(plane: np.ndarray, y: float, x: float) -> float:
    i, j = math.floor(y), math.floor(x)
    total = 0.0
    for a, b in np.ndindex(2, 2):
        if 0 <= i + a < plane.shape[0] and 0 <= j + b < plane.shape[1]:
            total += (1 - abs(y - i - a)) * (1 - abs(x - j - b)) * plane[i + a, j + b]
    return total


def deform_columns(x: Any, offset: Any, mask: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> np.ndarray:
    n, channels = x.shape[:2]
    oh, ow = offset.shape[2:]
    places = kernel[0] * kernel[1]
    groups = offset.shape[1] // (2 * places)
    out = np.zeros((n, oh, ow, places, channels))
    for b, i, j, k, c in np.ndindex(*out.shape):
        at = (c // (channels // groups)) * places + k
        y = i * stride[0] - padding[0] + k // kernel[1] * dilation[0] + offset[b, 2 * at, i, j]
        z = j * stride[1] - padding[1] + k % kernel[1] * dilation[1] + offset[b, 2 * at + 1, i, j]
        weight = 1 if mask is None else mask[b, at, i, j]
        out[b, i, j, k, c] = weight * read(x[b, c].astype(np.float64), float(y), float(z))
    return out.reshape(n, oh * ow, places * channels).astype(x.dtype)


def deformations(m: Maker) -> Iterator[Sample]:
    one = (1, 1)
    yield Sample(m(1, 1, 2, 2), m(1, 2, 1, 1, low=-0.9, high=0.9), m(1, 1, 1, 1), one, (2, 2), (0, 0), one)
    yield Sample(m(1, 1, 2, 2), m(1, 4, 1, 2, low=-0.9, high=0.9), None, (2, 1), one, (0, 0), one)
    yield Sample(m(1, 2, 2, 2), m(1, 4, 1, 1, low=-0.9, high=0.9), m(1, 2, 1, 1), one, (2, 2), (0, 0), one)
    yield Sample(m(2, 4, 6, 5), m(2, 36, 3, 3), m(2, 18, 3, 3), (3, 3), (2, 2), (1, 1), one)
    yield Sample(m(1, 130, 5, 5), m(1, 8, 4, 4), None, (2, 2), one, (1, 1), (3, 3))
    yield Sample(m(1, 2, 5, 4), m(1, 2, 5, 4, low=-9, high=9), None, one, one, (0, 0), one)
    yield Sample(m(0, 2, 3, 3), m(0, 2, 3, 3), None, one, one, (0, 0), one)


def bad_deformation(message: str, error: Any = RuntimeError, **changed: Any) -> Any:
    one = (1, 1)
    call = {
        "x": np.ones((1, 4, 3, 3)),
        "offset": np.ones((1, 2, 3, 3)),
        "mask": None,
        "kernel": one,
        "stride": one,
        "padding": (0, 0),
    }
    call |= {"dilation": one, **changed}
    return tuple(call.values()), error, message


op(
    "private._deform_columns",
    deform_columns,
    deformations,
    torch_name="-",
    scales=False,
    errors=[
        bad_deformation("four dims", x=np.ones((4, 3, 3))),
        bad_deformation("offset must have 2", offset=np.ones((1, 3, 3, 3))),
        bad_deformation("offset must have 2", offset=np.ones((1, 0, 3, 3))),
        bad_deformation("offset must have sizes", offset=np.ones((1, 2, 3, 4))),
        bad_deformation("mask must have sizes", mask=np.ones((1, 2, 3, 3))),
        bad_deformation("divisor", offset=np.ones((1, 6, 3, 3))),
        bad_deformation("stride", ValueError, stride=(0, 1)),
        bad_deformation("stride", ValueError, stride=(HUGE, 1)),
        bad_deformation("dilation", ValueError, dilation=(1, HUGE)),
        bad_deformation("larger than", dilation=(1, 2**31 - 1), kernel=(1, 2**31 - 1)),
        bad_deformation("kernel", ValueError, kernel=(HUGE, HUGE)),
        bad_deformation("offset", padding=(2**31 - 1, 2**31 - 1)),
    ],
)
