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
