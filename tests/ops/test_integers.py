"""Convolutions and poolings of integers: exact, wrapping, for the dtypes that torch takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo.conv import convolve, spread
from opinfo.pool import max_reference, mean_reference

import pydl

F = pydl.nn.functional
SMALL = ("uint8", "int8", "int16", "int32")
SIZES: dict[int, tuple[int, ...]] = {1: (9,), 2: (6, 7), 3: (3, 4, 5)}


def draw(dtype: str, *shape: int) -> Any:
    return np.random.default_rng(0).integers(0 if dtype == "uint8" else -9, 9, shape).astype(dtype)


def same(got: Any, expected: np.ndarray, dtype: str) -> None:
    assert str(got.dtype) == f"torch.{dtype}"
    wrapped = expected.astype(np.int64).astype(dtype)
    np.testing.assert_array_equal(got.numpy(), wrapped)


@pytest.mark.parametrize("dtype", [*SMALL, "int64"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_convolution(dims: int, dtype: str) -> None:
    x, w, bias = draw(dtype, 2, 4, *SIZES[dims]), draw(dtype, 6, 2, *(3, 2, 2)[:dims]), draw(dtype, 6)
    conv = getattr(pydl, f"conv{dims}d")
    for options in ({"groups": 2}, {"stride": 2, "padding": 1, "groups": 2}, {"padding": "same", "groups": 2}):
        got = conv(pydl.from_numpy(x), pydl.from_numpy(w), pydl.from_numpy(bias), **options)
        same(got, convolve(x, w, bias, **options), dtype)
    whole = draw(dtype, 3, 4, *(1,) * dims)
    same(conv(pydl.from_numpy(x[0]), pydl.from_numpy(whole)), convolve(x[0], whole), dtype)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_dilated_and_transposed_take_int64_alone(dims: int) -> None:
    x, w = draw("int64", 2, 4, *SIZES[dims]), draw("int64", 4, 3, *(2,) * dims)
    conv, transposed = getattr(pydl, f"conv{dims}d"), getattr(pydl, f"conv_transpose{dims}d")
    weight = w.swapaxes(0, 1)
    got = conv(pydl.from_numpy(x), pydl.from_numpy(weight), dilation=2, padding=1)
    same(got, convolve(x, weight, dilation=2, padding=1), "int64")
    for options in ({}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2}, {"groups": 2}):
        got = transposed(pydl.from_numpy(x), pydl.from_numpy(w), pydl.arange(3 * options.get("groups", 1)), **options)
        same(got, spread(x, w, np.arange(3 * options.get("groups", 1)), **options), "int64")
    for dtype in SMALL:
        a, b = (pydl.ones(*shape).to(getattr(pydl, dtype)) for shape in (x.shape, w.shape))
        with pytest.raises(NotImplementedError, match=dtype):
            transposed(a, b)
        with pytest.raises(NotImplementedError, match=dtype):
            conv(a, b.transpose(0, 1).contiguous(), dilation=2)


def test_sums_wrap() -> None:
    x, w = pydl.full((1, 1, 2, 2), 200, dtype=pydl.uint8), pydl.full((1, 1, 2, 2), 3, dtype=pydl.uint8)
    assert pydl.conv2d(x, w).item() == 4 * 600 % 256
    top = pydl.full((1, 1, 2), 2**62)
    assert pydl.conv1d(top, pydl.full((1, 1, 2), 2)).item() == 0


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pooling(dims: int) -> None:
    for dtype in (*SMALL, "int64"):
        x = draw(dtype, 2, 3, *SIZES[dims])
        for options in (
            {},
            {"stride": 1, "padding": 1},
            {"stride": 2, "ceil_mode": True},
            {"dilation": 2, "stride": 1},
        ):
            size = 2 if dims == 3 else 3
            got = getattr(F, f"max_pool{dims}d")(pydl.from_numpy(x), size, return_indices=True, **options)
            for a, b in zip(got, max_reference(x, size, **options)):
                same(a, b, str(b.dtype))
    x = draw("int64", 2, 3, *SIZES[dims])
    mean = getattr(F, f"avg_pool{dims}d")
    for args in ((2, 2, 0), (3, 1, 1), (3, 2, 1, True), (3, 2, 1, False, False)):
        same(mean(pydl.from_numpy(x), *args), np.trunc(mean_reference(x, *args)), "int64")


@pytest.mark.parametrize("call", [lambda x: pydl.max_pool1d(x, 2), lambda x: F.adaptive_max_pool1d(x, 2)])
def test_poolings_without_integers(call: Any) -> None:
    with pytest.raises(NotImplementedError, match="int64"):
        call(pydl.ones(1, 1, 4, dtype=pydl.int64))


@pytest.mark.parametrize("dtype", ["bool", "uint16", "complex64"])
def test_other_dtypes(dtype: str) -> None:
    x = pydl.ones(1, 1, 4, 4).to(getattr(pydl, dtype))
    with pytest.raises(NotImplementedError, match=dtype):
        pydl.max_pool2d(x, 2)
    if dtype != "complex64":
        with pytest.raises(NotImplementedError, match=dtype):
            pydl.conv2d(x, x)
