"""float32 convolutions of few channels with the channels on the lanes, against the direct sums of float64."""

from __future__ import annotations

import numpy as np
import pytest
from conv_checks import Case, check_bits, check_exactness, check_infinite

import pydl

# Rows that are no multiple of a tile, one vector of channels and several, a full last vector and not, strides that overlap and
# that leave gaps, every kind of edge, several bands of rows.
CASES: dict[str, Case] = {
    "LeNet 1": ((9, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "LeNet 2": ((9, 6, 14, 14), (16, 6, 5, 5), {}),
    "not square": ((2, 3, 9, 17), (24, 3, 3, 4), {"stride": 2, "padding": 1}),
    "strides and dilation": ((2, 8, 11, 8), (32, 8, 3, 3), {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)}),
    "dilation of columns": ((2, 8, 11, 18), (32, 8, 5, 3), {"padding": (0, 2), "dilation": (1, 3)}),
    "gaps": ((2, 16, 13, 13), (48, 16, 2, 2), {"stride": 3, "padding": 1}),
    "groups": ((3, 12, 10, 10), (48, 4, 5, 4), {"padding": 1, "groups": 3}),
    "1x1": ((4, 16, 9, 11), (24, 16, 1, 1), {}),
    "one row of taps": ((2, 6, 12, 12), (16, 6, 1, 5), {"padding": (0, 4)}),
    "many bands": ((1, 4, 301, 84), (32, 4, 8, 8), {"stride": 4}),
    "padding alone": ((1, 2, 3, 3), (16, 2, 2, 7), {"padding": (3, 3), "stride": (2, 1)}),
    "same": ((3, 6, 11, 12), (16, 6, 4, 2), {"padding": "same"}),
    "same, long": ((5, 6, 30), (16, 6, 6), {"padding": "same"}),
    "sequence": ((5, 6, 30), (16, 6, 7), {"padding": 3}),
}


@pytest.mark.parametrize("name", CASES)
def test_as_exact_as_float32_allows(name: str) -> None:
    check_exactness(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_any_number_of_threads(name: str) -> None:
    check_bits(CASES[name])


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("name", ["LeNet 2", "groups", "strides and dilation"])
def test_lanes_without_a_channel_spoil_nothing(name: str, value: float) -> None:
    """Their weights are zeros, whose products with infinite numbers are NaN."""
    check_infinite(CASES[name], value)


@pytest.mark.parametrize("bias", [False, True])
def test_transposed(bias: bool) -> None:
    rng = np.random.default_rng(8)
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((2, 24, 9, 14), (24, 6, 5, 5), (6,)))
    results = []
    for dtype in (pydl.float32, pydl.float64):
        leaves = [pydl.tensor(v).to(dtype).requires_grad_() for v in ((x, w, b) if bias else (x, w))]
        y = pydl.conv_transpose2d(*leaves, stride=2, padding=1, output_padding=1)
        y.square().sum().backward()
        results.append([t.detach().numpy() for t in (y, *(leaf.grad for leaf in leaves))])
    for got, expected in zip(*results):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
