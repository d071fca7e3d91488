"""Special functions where samples do not reach: far arguments, special values, derivatives by one argument, large degrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

import pydl
from pydl.autograd import gradcheck, gradgradcheck

inf, nan = math.inf, math.nan


def of(name: str) -> Any:
    return getattr(pydl.special, name)


@pytest.mark.parametrize(
    "name, reference, points, tolerance",
    [
        ("i0", special.i0, [-700.0, -6.0, 0.0, 1e-8, 6.0, 6.1, 100.0, 709.0], 1e-14),
        ("i0e", special.i0e, [-1e6, -6.0, 0.0, 6.1, 1e300], 1e-14),
        ("i1", special.i1, [-700.0, 1e-8, 6.0, 6.1, 709.0], 1e-14),
        ("i1e", special.i1e, [-1e6, 1e-300, 6.1, 1e300], 1e-14),
        ("modified_bessel_k0", special.k0, [1e-300, 1e-8, 2.0, 2.1, 700.0], 1e-14),
        ("modified_bessel_k1", special.k1, [1e-300, 1e-8, 2.0, 2.1, 700.0], 1e-14),
        ("airy_ai", lambda x: special.airy(x)[0], [-30.0, -4.6, -4.4, 0.0, 1.9, 2.1, 20.0, 100.0], 1e-12),
        ("erfcx", special.erfcx, [-26.0, -1.0, 0.0, 26.9, 27.1, 1e10, 1e300], 1e-14),
        ("log_ndtr", special.log_ndtr, [-1e10, -100.0, -38.2, -1.0, -0.9, 0.0, 10.0, 40.0], 1e-14),
        ("ndtri", special.ndtri, [1e-300, 1e-10, 0.09, 0.11, 0.499, 0.501, 0.9, 1 - 1e-10], 1e-14),
    ],
)
def test_far_arguments(name: str, reference: Any, points: list[float], tolerance: float) -> None:
    x = np.array(points)
    got = of(name)(pydl.tensor(x)).numpy()
    np.testing.assert_allclose(got, reference(x), rtol=tolerance, atol=1e-300)


@pytest.mark.parametrize(
    "name, values",
    [
        ("airy_ai", {inf: nan, -inf: nan, nan: nan, 1e30: 0.0}),
        ("bessel_j0", {inf: nan, 0.0: 1.0}),
        ("bessel_y0", {0.0: -inf, -1.0: nan, inf: nan}),
        ("bessel_y1", {0.0: -inf, -1.0: nan}),
        ("modified_bessel_k0", {0.0: inf, -1.0: nan, inf: 0.0}),
        ("scaled_modified_bessel_k1", {0.0: inf, -1.0: nan, inf: 0.0}),
        ("spherical_bessel_j0", {0.0: 1.0, inf: 0.0, -inf: 0.0}),
        ("i0e", {inf: 0.0, 0.0: 1.0}),
        ("i1", {inf: inf, -inf: -inf}),
        ("erfcx", {inf: 0.0, -inf: inf, -27.5: inf}),
        ("log_ndtr", {-inf: -inf, inf: 0.0}),
        ("ndtri", {0.0: -inf, 1.0: inf, 2.0: nan, -0.1: nan, nan: nan}),
    ],
)
def test_special_values(name: str, values: dict[float, float]) -> None:
    got = of(name)(pydl.tensor(list(values), dtype=pydl.float64)).tolist()
    np.testing.assert_array_equal(got, list(values.values()))


@pytest.mark.parametrize("a", [0.01, 0.7, 1.0, 8.0, 60.0, 99.0, 101.0, 1e4])
def test_incomplete_gamma_in_both_tails(a: float) -> None:
    order = np.full(9, a)
    x = np.abs(a + np.sqrt(a) * np.linspace(-5, 5, 9)) * np.linspace(0.8 if a < 100 else 1, 1, 9)
    lower = pydl.igamma(pydl.tensor(order), pydl.tensor(x)).numpy()
    upper = pydl.igammac(pydl.tensor(order), pydl.tensor(x)).numpy()
    np.testing.assert_allclose(lower, special.gammainc(order, x), rtol=5e-12)
    np.testing.assert_allclose(upper, special.gammaincc(order, x), rtol=5e-12)


def test_incomplete_gamma_of_large_order() -> None:
    """Against the series summed with 30 digits; SciPy is off by 4e-6 here."""
    got = pydl.igamma(pydl.tensor([1e6], dtype=pydl.float64), pydl.tensor([995e3], dtype=pydl.float64)).item()
    assert math.isclose(got, 2.74958035927007075e-07, rel_tol=1e-12)


def test_special_values_of_incomplete_gamma() -> None:
    a = [0.0, 0.0, 1.0, 1.0, inf, inf, 1.0, -1.0, nan]
    x = [0.0, 1.0, 0.0, inf, 1.0, inf, -1.0, 1.0, 1.0]
    got = pydl.igamma(pydl.tensor(a), pydl.tensor(x)).tolist()
    np.testing.assert_array_equal(got, [nan, 1.0, 0.0, 1.0, 0.0, nan, nan, nan, nan])


@pytest.mark.parametrize("name", ["igamma", "igammac"])
def test_derivative_of_incomplete_gamma(name: str) -> None:
    f = getattr(pydl, name)
    order = pydl.tensor([0.5, 2.0, 30.0], dtype=pydl.float64)
    x = pydl.tensor([1.0, 0.3, 33.0], dtype=pydl.float64, requires_grad=True)
    assert gradcheck(lambda x: f(order, x), [x]) and gradgradcheck(lambda x: f(order, x), [x])
    with pytest.raises(RuntimeError, match=f"derivative for '{name}: input' is not implemented"):
        f(x, x).sum().backward()


def test_derivative_of_zeta() -> None:
    s = pydl.tensor([2.0, 3.5], dtype=pydl.float64)
    q = pydl.tensor([0.7, 4.0], dtype=pydl.float64, requires_grad=True)
    assert gradcheck(lambda q: pydl.special.zeta(s, q), [q]) and gradgradcheck(lambda q: pydl.special.zeta(s, q), [q])
    with pytest.raises(RuntimeError, match="zeta"):
        pydl.special.zeta(q, 1.0).sum().backward()


def test_zeta_at_its_limits() -> None:
    s = pydl.tensor([1.0, 0.5, 2.0, 2.0, 2.5, 2.0, 1.01], dtype=pydl.float64)
    q = pydl.tensor([2.0, 1.0, 0.0, -1.5, -1.5, -1e12 - 0.5, 1e8], dtype=pydl.float64)
    got = pydl.special.zeta(s, q).tolist()
    expected = [inf, nan, inf, 9.379246644989124, nan, math.pi**2, special.zeta(1.01, 1e8)]
    np.testing.assert_allclose(got[:6], expected[:6], rtol=2e-4)
    assert math.isclose(got[6], expected[6], rel_tol=1e-13)


@pytest.mark.parametrize("kind, n_plus", [("t", 0), ("u", 1)])
def test_chebyshev_polynomials_of_large_degree(kind: str, n_plus: int) -> None:
    x = np.array([-1.0, -0.3, 0.0, 0.99, 1.0])
    n = 1001
    theta = np.arccos(x)
    with np.errstate(all="ignore"):
        expected = np.cos(n * theta) if kind == "t" else np.sin((n + 1) * theta) / np.sin(theta)
    expected[0], expected[-1] = (-1, 1) if kind == "t" else (-(n + 1), n + 1)
    if kind == "u":
        expected[0] = n + 1 if n % 2 == 0 else -(n + 1)
    got = of(f"chebyshev_polynomial_{kind}")(pydl.tensor(x), n).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "name",
    "chebyshev_polynomial_t chebyshev_polynomial_w shifted_chebyshev_polynomial_v hermite_polynomial_h hermite_polynomial_he "
    "laguerre_polynomial_l legendre_polynomial_p".split(),
)
def test_any_degree_is_answered_at_once(name: str) -> None:
    x = pydl.tensor([-2.0, -0.5, 0.0, 0.5, 1.0, 3.0, inf, nan], dtype=pydl.float64)
    for n in (-1.0, -(2.0**70), nan):
        assert of(name)(x, n).tolist() == [0.0] * 8
    assert of(name)(x, 0.5).tolist() == [1.0] * 8
    for n in (2.0**31, 2.0**62, 1e300, inf):
        assert of(name)(x, n).shape == (8,)


def test_legendre_and_laguerre_of_large_degree() -> None:
    n = (1 << 20) + 4
    x = np.array([-0.4, 0.1, 0.8])
    np.testing.assert_allclose(
        of("legendre_polynomial_p")(pydl.tensor(x), n).numpy(), special.eval_legendre(n, x), atol=1e-8
    )
    got = of("laguerre_polynomial_l")(pydl.tensor([0.001], dtype=pydl.float64), n).item()
    assert math.isclose(got, math.exp(0.0005) * special.j0(2 * math.sqrt((n + 0.5) * 0.001)), abs_tol=1e-6)
