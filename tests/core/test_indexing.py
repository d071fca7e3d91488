"""Random index expressions: reads against NumPy, writes and gradients against the same expression there."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import pydl

SHAPES = [(5,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (0, 3)]


def expression(r: random.Random, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index that NumPy and torch read alike (one advanced index, or several side by side)."""
    items: list[Any] = []
    dims, advanced, length = list(shape), False, r.randrange(1, 4)
    position, ellipsis = 0, False
    while position < len(dims) and r.random() < 0.85:
        n, kind = dims[position], r.randrange(8)
        if kind <= 1 and n:
            items.append(r.randrange(-n, n))
        elif kind <= 3:
            items.append(
                slice(
                    r.choice([None, *range(-n - 1, n + 2)]),
                    r.choice([None, *range(-n - 1, n + 2)]),
                    r.choice([None, 1, 2, 3]),
                )
            )
        elif kind == 4:
            items.append(None)
            continue
        elif kind == 5 and not ellipsis and not advanced:
            ellipsis = True
            items.append(...)
            skip = r.randrange(0, len(dims) - position + 1)
            position += skip
            remaining = len(dims) - position
            for d in range(position, len(dims)):  # after an ellipsis every dim is named
                items.append(slice(None) if dims[d] == 0 or r.random() < 0.5 else r.randrange(dims[d]))
            assert remaining == len(dims) - position
            return tuple(items)
        elif kind == 6 and n and not advanced:
            advanced = True
            items.append(np.array([r.randrange(-n, n) for _ in range(length)]))
        elif kind == 7 and not advanced:
            advanced = True
            items.append(np.array([r.random() < 0.5 for _ in range(n)], dtype=bool))
        else:
            items.append(slice(None))
        position += 1
    if advanced and any(isinstance(i, int) for i in items):  # NumPy counts integers as advanced: another order of dims
        items = [
            slice(i, i + 1) if isinstance(i, int) and i >= 0 else slice(None) if isinstance(i, int) else i
            for i in items
        ]
    return tuple(items)


def to_index(index: tuple[Any, ...]) -> Any:
    converted = tuple(pydl.tensor(i) if isinstance(i, np.ndarray) else i for i in index)
    return converted[0] if len(converted) == 1 else converted


@pytest.mark.parametrize("seed", range(40))
def test_random_expressions(seed: int) -> None:
    r = random.Random(seed)
    for _ in range(10):
        shape = r.choice(SHAPES)
        index = expression(r, shape)
        array = np.random.default_rng(seed).standard_normal(shape)
        key, what = to_index(index), f"{shape}[{index}]"
        # read
        expected = array[index]
        got = pydl.tensor(array)[key]
        assert tuple(got.shape) == expected.shape, what
        assert np.array_equal(got.numpy(), expected), what
        # of strided memory
        turned = pydl.tensor(np.ascontiguousarray(array.T)).permute(tuple(range(array.ndim))[::-1])
        assert np.array_equal(turned[key].numpy(), expected), what
        # write: a number, and a tensor of the shape
        for value in (7.0, np.random.default_rng(1).standard_normal(expected.shape)):
            target, reference = pydl.tensor(array), array.copy()
            target[key] = value if isinstance(value, float) else pydl.tensor(value)
            reference[index] = value
            if not any(
                isinstance(i, np.ndarray) and i.dtype != bool and len(set(i % shape[0] if i.size else i)) < i.size
                for i in index
            ):
                assert np.array_equal(target.numpy(), reference), what
        # gradient of a read: where and how often each element was taken
        leaf = pydl.tensor(array).requires_grad_()
        weights = np.random.default_rng(2).standard_normal(expected.shape)
        (leaf[key] * pydl.tensor(weights)).sum().backward()
        slope = np.zeros(shape)
        np.add.at(slope, index, weights)
        assert np.allclose(leaf.grad.numpy(), slope), what
        # gradient of a write: none where overwritten, and the value's own
        if (
            expected.size
            and len(set(map(id, index))) == len(index)
            and not any(isinstance(i, np.ndarray) and i.dtype != bool for i in index)
        ):
            leaf = pydl.tensor(array).requires_grad_()
            value = pydl.tensor(np.ones(expected.shape)).requires_grad_()
            changed = leaf * 2
            changed[key] = value
            changed.sum().backward()
            slope = np.full(shape, 2.0)
            slope[index] = 0
            assert np.array_equal(leaf.grad.numpy(), slope), what
            assert np.array_equal(value.grad.numpy(), np.ones(expected.shape)), what


@pytest.mark.parametrize("key, message", [
    (5, "out of bounds"), (-4, "out of bounds"), ((0, 0, 0), "too many indices"), ((..., ...), "single ellipsis"), ("a", "valid indices"),
    (1.5, "valid indices"), (2**70, ""), ([0, 7], "out of"), (np.array([True, False]), "mask|index"),
])  # fmt: skip
def test_wrong_indices(key: Any, message: str) -> None:
    t = pydl.zeros(3, 4)
    with pytest.raises((IndexError, TypeError, OverflowError), match=message):
        t[pydl.tensor(key) if isinstance(key, np.ndarray) else key]


def test_mixed_integers_and_tensors_as_torch() -> None:
    torch = pytest.importorskip("torch")
    array = np.arange(120.0).reshape(2, 3, 4, 5)
    i, j = np.array([0, 1]), np.array([1, 0])
    keys = [
        (i, slice(None), j),
        (slice(None), i, 0),
        (0, slice(None), i),
        (i[:, None], j),
        (..., i, j),
        (None, i),
        (i, None, j),
        (slice(None), i, j),
        (True, i),
        (i, 1, ..., j),
    ]
    for key in keys:
        ours = tuple(pydl.tensor(k) if isinstance(k, np.ndarray) else k for k in key)
        theirs = tuple(torch.tensor(k) if isinstance(k, np.ndarray) else k for k in key)
        got, expected = pydl.tensor(array)[ours], torch.tensor(array)[theirs]
        assert tuple(got.shape) == tuple(expected.shape) and np.array_equal(got.numpy(), expected.numpy()), str(key)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter_across_rows(threads, dim):
    """Lines that cross the rows of memory are walked side by side: sizes around the block of lines and the stretch."""
    rng = np.random.default_rng(dim)
    pydl.set_num_threads(threads)
    for shape, size in (((2, 300, 37), 50), ((257, 3, 16), 9), ((1, 513, 1), 4)):
        bounds = list(shape)
        bounds[dim] = size
        index = rng.integers(0, size, shape)
        values = rng.normal(size=shape).astype(np.float32)
        table = rng.normal(size=bounds).astype(np.float32)
        places = list(np.ogrid[tuple(slice(n) for n in shape)])
        places[dim] = index
        got = pydl.gather(pydl.tensor(table), dim, pydl.tensor(index))
        np.testing.assert_array_equal(got.numpy(), np.take_along_axis(table, index, dim))
        added = table.copy()
        np.add.at(added, tuple(places), values)
        got = pydl.tensor(table).scatter_add(dim, pydl.tensor(index), pydl.tensor(values))
        np.testing.assert_array_equal(got.numpy(), added)
        written = table.copy()
        np.put_along_axis(written, index, values, dim)
        got = pydl.tensor(table).scatter(dim, pydl.tensor(index), pydl.tensor(values))
        assert (
            got.shape == written.shape and np.isin(got.numpy(), np.concatenate([values.ravel(), table.ravel()])).all()
        )
    pydl.set_num_threads(2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_long_lines_added_by_owners(threads: int, dtype: Any) -> None:
    """Values of a long scatter_add against NumPy, and an index that is too large or negative anywhere in it."""
    pydl.set_num_threads(threads)
    try:
        rng = np.random.default_rng(threads)
        index = rng.integers(0, 777, 50_001)
        values = rng.integers(0, 9, 50_001).astype(dtype)
        want = np.zeros(777, dtype)
        np.add.at(want, index, values)
        zeros = pydl.zeros(777, dtype=pydl.tensor(want).dtype)
        np.testing.assert_array_equal(zeros.scatter_add(0, pydl.tensor(index), pydl.tensor(values)).numpy(), want)
        for place, bad in ((0, 777), (50_000, -1), (33_333, 2**62), (1025, -(2**63))):
            wrong = index.copy()
            wrong[place] = bad
            with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
                zeros.scatter_add(0, pydl.tensor(wrong), pydl.tensor(values))
            with pytest.raises(IndexError, match="out of bounds"):
                zeros.scatter_add_(0, pydl.tensor(wrong), pydl.tensor(values))
        assert not zeros.numpy().any()
    finally:
        pydl.set_num_threads(2)
