"""ldexp, frexp and nextafter at the ends of the number formats."""

from __future__ import annotations

import numpy as np
import pytest

import pydl


def test_ldexp_is_exact_where_the_power_overflows() -> None:
    x = pydl.tensor([1e-30, -3.0, 1.0, float("inf")])
    assert np.array_equal(pydl.ldexp(x, pydl.tensor(130)).numpy(), np.ldexp(x.numpy(), 130))
    assert np.array_equal(pydl.ldexp(x, pydl.tensor(-150)).numpy(), np.ldexp(x.numpy(), -150))
    assert pydl.ldexp(pydl.tensor(1.0), pydl.tensor(2**62)).item() == float("inf")
    assert pydl.ldexp(pydl.tensor(1.0), pydl.tensor(-(2**62))).item() == 0


def test_gradient_of_ldexp_with_negative_exponents() -> None:
    x = pydl.tensor([1.0, 2.0], requires_grad=True)
    pydl.ldexp(x, pydl.tensor([-2, 3])).sum().backward()
    assert x.grad.tolist() == [0.25, 8.0]


@pytest.mark.parametrize("dtype", [pydl.float16, pydl.bfloat16, pydl.float32, pydl.float64])
def test_nextafter_steps_through_representations(dtype: pydl.dtype) -> None:
    integers = pydl.int16 if dtype.itemsize == 2 else pydl.int32 if dtype.itemsize == 4 else pydl.int64
    one = pydl.ones(1, dtype=dtype)
    for start, towards, step in [(1.0, 2.0, 1), (1.0, 0.0, -1), (-1.0, -2.0, 1), (-1.0, 0.0, -1), (3.0, 3.0, 0)]:
        got = pydl.nextafter(one * start, one * towards)
        assert (got.view(integers) - (one * start).view(integers)).item() == step
    smallest = pydl.nextafter(one * 0, -one)
    assert smallest.item() < 0 and pydl.nextafter(smallest, one).item() == 0
    assert pydl.nextafter(one * float("nan"), one).isnan().item()
    assert pydl.nextafter(one * float("inf"), one).item() == pydl.finfo(dtype).max


def test_frexp_of_special_values() -> None:
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -6.0], np.float32)
    mantissa, exponent = pydl.frexp(pydl.tensor(values))
    expected_mantissa, expected_exponent = np.frexp(values)
    np.testing.assert_array_equal(mantissa.numpy(), expected_mantissa)
    finite = np.isfinite(values)
    np.testing.assert_array_equal(exponent.numpy()[finite], expected_exponent[finite])
    assert exponent.dtype == pydl.int32
