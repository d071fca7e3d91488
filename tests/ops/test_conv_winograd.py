"""float32 convolutions by Winograd's method against the direct sums of float64, and where the method must not be seen."""

from __future__ import annotations

import numpy as np
import pytest
from conv_checks import Case, check_bits, check_exactness, check_infinite

import pydl

# One for each pair of methods, with sizes that do not fill tiles, every kind of edge, groups and phases.
CASES: dict[str, Case] = {
    "3x3": ((2, 40, 13, 27), (24, 40, 3, 3), {"padding": 1}),
    "3x3 without padding": ((1, 24, 12, 40), (36, 24, 3, 3), {}),
    "3x3 far padding": ((1, 24, 6, 5), (20, 24, 3, 3), {"padding": (5, 4)}),
    "3x3 many channels": ((2, 256, 7, 7), (256, 256, 3, 3), {"padding": 1}),
    "3x3 last tile": ((1, 40, 14, 14), (36, 40, 3, 3), {"padding": 1}),
    "3x3 last tiles": ((1, 40, 28, 28), (36, 40, 3, 3), {"padding": 1}),
    "3x3 wide": ((1, 16, 4, 1100), (16, 16, 3, 3), {"padding": 1}),
    "3x3 groups": ((2, 64, 15, 14), (96, 16, 3, 3), {"padding": 1, "groups": 4}),
    "3x3 dilation 2": ((2, 24, 19, 22), (24, 24, 3, 3), {"padding": 2, "dilation": 2}),
    "3x3 dilation 2, odd": ((2, 24, 19, 41), (24, 24, 3, 3), {"padding": 2, "dilation": 2}),
    "3x3 dilations": ((2, 24, 29, 22), (24, 24, 3, 3), {"padding": (3, 1), "dilation": (3, 5)}),
    "2x2": ((2, 24, 17, 20), (32, 24, 2, 2), {"padding": 1}),
    "5x5": ((2, 24, 17, 20), (32, 24, 5, 5), {"padding": 2}),
    "3x3 by 2": ((2, 48, 27, 30), (64, 48, 3, 3), {"padding": 1, "stride": 2}),
    "3x3 by 2, last tile": ((1, 80, 28, 28), (90, 80, 3, 3), {"padding": 1, "stride": 2}),
    "4x4 by 2": ((2, 32, 27, 31), (64, 32, 4, 4), {"padding": 1, "stride": 2}),
    "1x3": ((2, 48, 9, 30), (64, 48, 1, 3), {"padding": (0, 1)}),
    "1x5 dilated": ((2, 48, 9, 40), (64, 48, 1, 5), {"padding": (0, 2), "dilation": (1, 2)}),
    "1x2": ((2, 64, 9, 30), (64, 64, 1, 2), {}),
    "2x1": ((2, 64, 9, 30), (64, 64, 2, 1), {}),
    "3 long": ((3, 48, 333), (64, 48, 3), {"padding": 1}),
    "5 long": ((3, 48, 333), (64, 48, 5), {"padding": 4}),
    "volume": ((2, 16, 6, 13, 12), (32, 16, 3, 3, 3), {"padding": (1, 0, 2), "stride": (2, 1, 1)}),
}


@pytest.mark.parametrize("name", CASES)
def test_as_exact_as_float32_allows(name: str) -> None:
    check_exactness(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_any_number_of_threads(name: str) -> None:
    check_bits(CASES[name])


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ["3x3", "3x3 dilation 2", "3x3 by 2", "5x5", "3 long"])
def test_what_is_infinite_is_not_nan(name: str, value: float) -> None:
    """The transforms take differences of infinite sums, which a direct sum never meets."""
    check_infinite(CASES[name], value)


@pytest.mark.parametrize("kernel, stride, dilation", [(2, 2, 1), (3, 1, 1), (3, 2, 1), (4, 2, 1), (5, 1, 1), (3, 3, 6)])
def test_transposed(kernel: int, stride: int, dilation: int) -> None:
    rng = np.random.default_rng(8)
    x, w = (rng.standard_normal(s).astype("float32") for s in ((2, 48, 9, 14), (48, 40, kernel, kernel)))
    results = []
    for dtype in (pydl.float32, pydl.float64):
        a, b = (pydl.tensor(v).to(dtype).requires_grad_() for v in (x, w))
        y = pydl.conv_transpose2d(a, b, stride=stride, padding=1, dilation=dilation)
        y.square().sum().backward()
        results.append([t.detach().numpy() for t in (y, a.grad, b.grad)])
    for got, expected in zip(*results):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_whole_numbers_are_exact() -> None:
    """Halves are the smallest parts of the transforms, so sums of small whole numbers have no rounding."""
    rng = np.random.default_rng(9)
    x, w = (rng.integers(-8, 9, s).astype("float32") for s in ((2, 32, 11, 12), (32, 32, 3, 3)))
    got = pydl.conv2d(pydl.tensor(x), pydl.tensor(w), padding=1).numpy()
    expected = pydl.conv2d(pydl.tensor(x).double(), pydl.tensor(w).double(), padding=1).numpy()
    np.testing.assert_array_equal(got, expected)
