"""float32 convolutions of one channel with one kernel against the direct sums of float64."""

from __future__ import annotations

import numpy as np
import pytest
from conv_checks import Case, check_bits, check_exactness, check_infinite

import pydl

# The kernels that are written out, in both strides, and others; fewer rows than are worked on together, and numbers that are no
# multiple; rows that fill no vector and several; every kind of edge.
CASES: dict[str, Case] = {
    "3x3": ((2, 5, 14, 19), (5, 1, 3, 3), {"padding": 1, "groups": 5}),
    "3x3 without padding": ((2, 3, 37, 70), (3, 1, 3, 3), {"groups": 3}),
    "3x3 three rows": ((2, 5, 3, 5), (5, 1, 3, 3), {"padding": 1, "groups": 5}),
    "3x3 far padding": ((1, 3, 4, 3), (3, 1, 3, 3), {"padding": (6, 20), "groups": 3}),
    "3x3 large": ((1, 2, 37, 133), (2, 1, 3, 3), {"padding": 1, "groups": 2}),
    "3x3 by 2": ((2, 5, 15, 38), (5, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 5}),
    "3x3 by 2, even": ((2, 3, 16, 64), (3, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 3}),
    "3x3 by 2 without padding": ((2, 3, 16, 35), (3, 1, 3, 3), {"stride": 2, "groups": 3}),
    "3x3 by 2, far padding": ((2, 3, 9, 34), (3, 1, 3, 3), {"padding": (3, 4), "stride": 2, "groups": 3}),
    "3x3 by 2, one row": ((2, 3, 2, 2), (3, 1, 3, 3), {"padding": 1, "stride": 2, "groups": 3}),
    "5x5": ((2, 3, 17, 35), (3, 1, 5, 5), {"padding": 2, "groups": 3}),
    "5x5 by 2": ((2, 3, 18, 41), (3, 1, 5, 5), {"padding": 2, "stride": 2, "groups": 3}),
    "2x2": ((2, 3, 17, 33), (3, 1, 2, 2), {"padding": "same", "groups": 3}),
    "2x1": ((2, 3, 17, 33), (3, 1, 2, 1), {"padding": (1, 0), "groups": 3}),
    "1x2": ((2, 3, 17, 33), (3, 1, 1, 2), {"padding": (0, 1), "groups": 3}),
    "3x3 by 2 and 1": ((2, 3, 15, 38), (3, 1, 3, 3), {"padding": 1, "stride": (2, 1), "groups": 3}),
    "3x3 by 3": ((2, 3, 15, 38), (3, 1, 3, 3), {"padding": 1, "stride": 3, "groups": 3}),
    "3x3 dilated": ((2, 3, 15, 38), (3, 1, 3, 3), {"padding": 2, "dilation": 2, "groups": 3}),
    "7x7": ((2, 3, 15, 38), (3, 1, 7, 7), {"padding": 3, "groups": 3}),
    "sequence": ((2, 3, 333), (3, 1, 9), {"padding": 4, "groups": 3}),
    "volume": ((2, 3, 5, 9, 18), (3, 1, 3, 3, 3), {"padding": 1, "stride": (2, 1, 1), "groups": 3}),
}


@pytest.mark.parametrize("name", CASES)
def test_as_exact_as_float32_allows(name: str) -> None:
    check_exactness(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_any_number_of_threads(name: str) -> None:
    check_bits(CASES[name])


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("name", ["3x3", "3x3 by 2", "5x5", "3x3 dilated"])
def test_places_outside_spoil_nothing(name: str, value: float) -> None:
    """Lanes beyond the end of a row are zeros, not what lies there."""
    check_infinite(CASES[name], value)


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("kernel, stride", [(3, 2), (5, 2), (3, 1), (4, 2)])
def test_transposed(kernel: int, stride: int, extra: int) -> None:
    rng = np.random.default_rng(8)
    x, w, bias = (rng.standard_normal(s).astype("float32") for s in ((2, 6, 9, 14), (6, 1, kernel, kernel), (6,)))
    results = []
    for dtype in (pydl.float32, pydl.float64):
        a, b = (pydl.tensor(v).to(dtype).requires_grad_() for v in (x, w))
        y = pydl.conv_transpose2d(
            a, b, pydl.tensor(bias).to(dtype), stride=stride, padding=1, output_padding=min(extra, stride - 1), groups=6
        )
        y.square().sum().backward()
        results.append([t.detach().numpy() for t in (y, a.grad, b.grad)])
    for got, expected in zip(*results):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
