"""Interpolation and sampling; tests/nn/test_vision.py compares them with PyTorch mode by mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Maker, Sample, op


def linear_twice(a: Any, size: Any, mode: str, *_: Any, **options: Any) -> Any:
    """Doubling one dim by hand: a quarter of one neighbour, three of the other."""
    before = np.concatenate([a[..., :1], a[..., :-1]], -1)
    after = np.concatenate([a[..., 1:], a[..., -1:]], -1)
    return np.stack([0.25 * before + 0.75 * a, 0.75 * a + 0.25 * after], -1).reshape(*a.shape[:-1], 2 * a.shape[-1])


op(
    "nn.resample",
    linear_twice,
    lambda m: (Sample(m(*s, n), (2 * n,), "linear") for s, n in [((1, 2), 3), ((2, 1), 1), ((2, 3), 37), ((0, 2), 4)]),
    torch_name="-",
    scales=False,
    errors=[
        ((np.ones((1, 1, 2)), (0,), "linear"), RuntimeError, "greater than 0"),
        ((np.ones((1, 1, 2)), (2, 2), "linear"), RuntimeError, "dimensions"),
        ((np.ones((1, 1, 2)), (2,), "nope"), ValueError, "nope"),
        ((np.ones((1, 1, 2)), (2**62,), "linear"), (RuntimeError, MemoryError), r"resample|interpolate"),
    ],
)


def byte_weights(old: int, new: int, cubic: bool, align: bool, smooth: bool) -> tuple[np.ndarray, int]:
    """(new, old) whole numbers and how many binary places they have: as many as 16 bits hold of the largest."""
    a = (-0.5 if smooth else -0.75) if cubic else 0.0
    reach = 2 if cubic else 1

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        if not cubic:
            return (1 - x).clip(0)
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x < 1, ((a + 2) * x - (a + 3)) * x * x + 1, np.where(x < 2, far, 0))

    step = (old - 1) / max(new - 1, 1) if align else old / new
    weights = np.zeros((new, old))
    for j in range(new):
        if smooth:
            centre, wide = step * (j + 0.5), max(step, 1.0)
            low, high = max(int(centre - reach * wide + 0.5), 0), min(int(centre + reach * wide + 0.5), old)
            row = kernel((np.arange(low, high) + 0.5 - centre) / wide)
            weights[j, low:high] = row / row.sum()
        else:
            at = step * j if align else step * (j + 0.5) - 0.5
            at = at if cubic else max(at, 0.0)
            for k in range(int(np.floor(at)) - reach + 1, int(np.floor(at)) + reach + 1):
                weights[j, min(max(k, 0), old - 1)] += kernel(np.array(at - k))
    places = 0
    while places < 22 and weights.max() * 2 ** (places + 1) + 0.5 < 2**15:
        places += 1
    scaled = weights * 2.0**places
    return np.where(scaled < 0, -np.floor(0.5 - scaled), np.floor(scaled + 0.5)).astype(np.int64), places


def of_bytes(x: Any, size: Any, mode: str, align: bool = False, smooth: bool = False) -> Any:
    """Along rows, then across them, with bytes between: what Pillow does and PyTorch does after it."""
    for axis, new in ((-1, size[1]), (-2, size[0])):
        if x.shape[axis] != new:
            weights, places = byte_weights(x.shape[axis], new, mode == "bicubic", align, smooth)
            sums = np.moveaxis(np.moveaxis(x.astype(np.int64), axis, -1) @ weights.T, -1, axis)
            x = ((sums + 2 ** (places - 1)) >> places).clip(0, 255).astype(np.uint8)
    return x


op(
    "nn.resample",
    of_bytes,
    lambda m: (
        Sample((m.rng.random(old) * 256).astype(np.uint8), size, mode, align, smooth)
        for old, size in [((2, 3, 5, 7), (9, 4)), ((1, 1, 70, 90), (35, 200)), ((1, 5, 33, 40), (33, 16)), ((3, 1, 1, 1), (2, 3))]
        for mode in ("bilinear", "bicubic")
        for align, smooth in ((False, False), (True, False), (False, True))
    ),
    dtypes=("uint8",),
    grad=False,
    torch_name="-",
    scales=False,
)  # fmt: skip


def equalized(x: Any) -> Any:
    planes = []
    for plane in x.reshape(-1, x.shape[-2] * x.shape[-1]):
        counts = np.bincount(plane, minlength=256)
        step = (len(plane) - counts[counts > 0][-1]) // 255
        if step:
            plane = np.minimum((np.cumsum(counts) - counts + step // 2) // step, 255).astype(np.uint8)[plane]
        planes.append(plane)
    return np.array(planes, np.uint8).reshape(x.shape)


op(
    "private._equalize",
    equalized,
    lambda m: (
        Sample((m.rng.random(size) ** 3 * high).astype(np.uint8))
        for size, high in [((3, 40, 33), 256), ((2, 2, 17, 18), 90), ((5, 7), 256), ((2, 30, 30), 1), ((0, 3, 3), 1)]
    ),
    dtypes=("uint8",),
    grad=False,
    torch_name="-",
    scales=False,
    errors=[
        ((np.ones(3, np.uint8),), RuntimeError, "H, W"),
        ((np.ones((2, 2)),), NotImplementedError, "equalize"),
    ],
)


def grids(dims: int) -> Any:
    def samples(m: Maker) -> Any:
        sizes = [(2, 1, 3, 2), (1, 2, 2, 3)] if dims == 2 else [(1, 1, 2, 3, 2), (1, 1, 1, 2, 2)]
        for mode in (0, 1, 2) if dims == 2 else (0, 1):
            for padding in (0, 1, 2):
                for size in sizes:
                    grid = m(
                        size[0], *([2] * dims if size[-2] > 2 or dims == 2 else [1] * dims), dims, low=-1.3, high=1.3
                    )
                    yield Sample(m(*size), grid, mode, padding, padding == 1)
        if dims == 2:
            yield Sample(m(1, 1, 2, 2), m(1, 1, 1, 2, low=-0.9, high=0.9), 0, 0, False)
            yield Sample(m(0, 1, 2, 2), m(0, 1, 1, 2), 0, 0, False)

    return samples


BAD = [
    ((np.ones((1, 1, 2)), np.ones((1, 1, 2)), 0, 0, False), RuntimeError, "expected [45]D"),
    ((np.ones((1, 1, 2, 2)), np.ones((2, 1, 1, 2)), 0, 0, False), RuntimeError, "grid_sampler|batch size"),
    ((np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 3)), 0, 0, False), RuntimeError, "grid_sampler|last dimension"),
]
op("grid_sampler grid_sampler_2d", None, grids(2), errors=BAD, scales=False)
op("grid_sampler_3d", None, grids(3), errors=BAD[:1], scales=False)
