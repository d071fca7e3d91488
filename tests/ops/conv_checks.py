"""What the special ways of a float32 convolution are held to: the direct sums of float64."""

from __future__ import annotations

from typing import Any

import numpy as np

import pydl

# Sizes of the input and of the weight, and options of the convolution.
Case = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]


def tensors(case: Case, dtype: Any) -> list[Any]:
    shape, weight, _ = case
    rng = np.random.default_rng(5)
    return [pydl.tensor(rng.standard_normal(s).astype("float32")).to(dtype) for s in (shape, weight, weight[:1])]


def run(case: Case, dtype: Any, x: Any = None) -> list[np.ndarray]:
    """The result and the gradients of input, weight and bias."""
    values = tensors(case, dtype)
    if x is not None:
        values[0] = x.detach().to(dtype)
    leaves = [t.requires_grad_() for t in values]
    y = getattr(pydl, f"conv{leaves[0].ndim - 2}d")(*leaves, **case[2])
    y.backward(pydl.tensor(np.random.default_rng(6).standard_normal(tuple(y.shape)).astype("float32")).to(dtype))
    return [t.detach().numpy() for t in (y, *(leaf.grad for leaf in leaves))]


def check_exactness(case: Case) -> None:
    """Within 2e-6 of the largest value (33 u) for up to 2304 products; direct sums are within 1e-6."""
    for got, expected in zip(run(case, pydl.float32), run(case, pydl.float64)):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def check_bits(case: Case) -> None:
    """The same for any number of threads."""
    before = pydl.get_num_threads()
    try:
        pydl.set_num_threads(1)
        expected = run(case, pydl.float32)
        for threads in (2, 3, 4):
            pydl.set_num_threads(threads)
            for got, want in zip(run(case, pydl.float32), expected):
                assert got.tobytes() == want.tobytes()
    finally:
        pydl.set_num_threads(before)


def check_infinite(case: Case, value: float) -> None:
    """What `value` in the input does not reach stays as it is, and what is infinite is not NaN."""
    x = tensors(case, pydl.float32)[0]
    x[0, 0, ..., 3] = value
    for got, expected in zip(*(run(case, dtype, x) for dtype in (pydl.float32, pydl.float64))):
        sound = np.isfinite(expected)
        assert sound.any()
        np.testing.assert_array_equal(got[~sound], expected[~sound].astype("float32"))
        np.testing.assert_allclose(got[sound], expected[sound], rtol=0, atol=2e-6 * np.abs(expected[sound]).max())
