"""Interpolation of bytes in whole numbers against the same in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl


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


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("align, smooth", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize(
    "old, new",
    [((2, 3, 5, 7), (9, 4)), ((1, 1, 70, 90), (35, 200)), ((1, 5, 33, 40), (33, 16)), ((3, 1, 1, 1), (2, 3))],
)
def test_same_bytes_as_in_numpy(old: Any, new: Any, mode: str, align: bool, smooth: bool) -> None:
    x = np.random.default_rng(0).integers(0, 256, old, dtype=np.uint8)
    got = pydl.nn.functional.interpolate(pydl.tensor(x), new, mode=mode, align_corners=align or None, antialias=smooth)
    assert got.dtype == pydl.uint8
    np.testing.assert_array_equal(got.numpy(), of_bytes(x, new, mode, align, smooth))
