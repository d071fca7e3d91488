"""Writing to one view from another: refused where they share elements, and only there."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl


def part(rng: Any, shape: tuple[int, ...], sizes: list[int]) -> tuple[slice, ...]:
    """Slices of those sizes, at random places and steps."""
    found = []
    for whole, size in zip(shape, sizes):
        step = int(rng.integers(1, 3))
        if (size - 1) * step + 1 > whole:
            step = 1
        low = int(rng.integers(0, whole - (size - 1) * step))
        found.append(slice(low, low + (size - 1) * step + 1, step))
    return tuple(found)


def test_exactly_the_views_that_share_elements_are_refused() -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(1500):
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 4)))
        base = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
        base = base.T if rng.integers(2) else base
        sizes = [int(rng.integers(1, n + 1)) for n in base.shape]
        to, from_ = part(rng, base.shape, sizes), part(rng, base.shape, sizes)
        x, expected = pydl.from_numpy(base.copy(order="K")), base[to] + base[from_]
        try:
            x[to] += x[from_]
        except RuntimeError as error:
            assert "single memory location" in str(error) and np.shares_memory(base[to], base[from_])
            refused += 1
        else:
            assert np.array_equal(x[to].numpy(), expected)
    assert 100 < refused < 1400


def test_columns_beside_each_other() -> None:
    boxes = pydl.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    boxes[:, 2:] += boxes[:, :2]
    assert boxes.tolist() == [[1, 2, 4, 6], [5, 6, 12, 14]]
    boxes[..., 2:].sub_(boxes[..., :2])
    assert boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
