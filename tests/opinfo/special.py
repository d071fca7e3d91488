"""Special functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import special

from . import FLOATS, Maker, Sample, binary, op, unary

WITH_INTS = (*FLOATS, "uint8", "int32", "int64")


def one(name: str, reference: Any, domain: tuple[float, float], **options: Any) -> None:
    options = {"dtypes": FLOATS, "tolerance": 2.0, **options}
    op(name, reference, unary, domain=domain, pointwise=True, **options)


def rounded(f: Any) -> Any:
    """SciPy's function as a function of float64, in the precision of the first argument."""

    def reference(*args: Any) -> Any:
        kind = next(a.dtype for a in args if isinstance(a, np.ndarray))
        kind = kind if kind.kind == "f" else np.float32
        return f(*(np.asarray(a, np.float64) for a in args)).astype(kind)

    return reference


one("i0", rounded(special.i0), (0.2, 9), dtypes=WITH_INTS)
one("special.i0e", rounded(special.i0e), (0.2, 9), dtypes=WITH_INTS)
one("special.i1", rounded(special.i1), (0.2, 9), dtypes=WITH_INTS)
one("special.i1e", rounded(special.i1e), (0.2, 9), dtypes=WITH_INTS)
for _name, _f, _low in [
    ("airy_ai", lambda x: special.airy(x)[0], -9.0),
    ("bessel_j0", special.j0, -9.0),
    ("bessel_j1", special.j1, -9.0),
    ("bessel_y0", special.y0, 0.1),
    ("bessel_y1", special.y1, 0.1),
    ("modified_bessel_i0", special.i0, -9.0),
    ("modified_bessel_i1", special.i1, -9.0),
    ("modified_bessel_k0", special.k0, 0.1),
    ("modified_bessel_k1", special.k1, 0.1),
    ("scaled_modified_bessel_k0", special.k0e, 0.1),
    ("scaled_modified_bessel_k1", special.k1e, 0.1),
    ("spherical_bessel_j0", lambda x: special.spherical_jn(0, x), -9.0),
]:
    # torch is off by up to 1e-6 in float64 for the Bessel functions and Ai; SciPy is the measure.
    inexact = _name[:8] in ("airy_ai", "bessel_j", "bessel_y")
    one(f"special.{_name}", rounded(_f), (_low, 9), dtypes=WITH_INTS, grad=False, torch_name="-" if inexact else "")
one("special.erfcx", rounded(special.erfcx), (-3, 9), dtypes=WITH_INTS)
one("special.log_ndtr", rounded(special.log_ndtr), (-9, 3), dtypes=WITH_INTS)
one("special.ndtri", rounded(special.ndtri), (0.02, 0.98))


def two(name: str, reference: Any, domain: tuple[float, float], samples: Any = binary, **options: Any) -> None:
    mismatch = ((np.ones(2), np.ones(3)), RuntimeError, "must match|broadcast")
    options = {"dtypes": FLOATS, "tolerance": 3.0, **options}
    op(name, reference, samples, domain=domain, pointwise=True, errors=[mismatch], **options)


# Not differentiable by the first argument, as in torch: the gradients are tested in test_special.py.
two("igamma", rounded(special.gammainc), (0.3, 5), grad=False)
two("igammac", rounded(special.gammaincc), (0.3, 5), grad=False)
two("special.zeta", rounded(special.zeta), (1.5, 6), grad=False)


def with_numbers(m: Maker) -> Iterator[Sample]:
    yield from binary(m)
    yield Sample(m(2, 3), 1.5)
    yield Sample(1.5, m(3))


two("special.xlog1py", rounded(special.xlog1py), (0.3, 5), with_numbers)
op("mvlgamma", rounded(lambda x, p: special.multigammaln(x, int(p)) if x.size else x), lambda m: (Sample(m(*s), p) for s in [(), (3,), (2, 3), (0,)] for p in (1, 3)),
   domain=(1.5, 6), dtypes=(*FLOATS, "int64"), tolerance=3.0, pointwise=True, errors=[((np.ones(2), 0), RuntimeError, "greater than or equal to 1")])  # fmt: skip


# ---- polynomials -----------------------------------------------------------------------------------------------


def chebyshev(first: Any) -> Any:
    """From the recurrence, in float64; `first` is the polynomial of degree 1."""

    def value(x: float, n: int) -> float:
        p, q = 1.0, first(x)
        for _ in range(n):
            p, q = q, 2 * x * q - p
        return p

    return np.vectorize(value, otypes=[np.float64])


def shifted(f: Any) -> Any:
    return lambda x, n: f(2 * x - 1, n)


def degrees(m: Maker) -> Iterator[Sample]:
    for shape in [(), (3,), (2, 3), (0,), (19,)]:
        yield Sample(m(*shape), np.asarray(m.index(7, *shape)).astype(m.dtype))
    yield Sample(m(4), 3)
    yield Sample(0.5, np.arange(6).astype(m.dtype))


def polynomial(name: str, reference: Any) -> None:
    def wide(x: Any, n: Any) -> Any:
        kind = next(a.dtype for a in (x, n) if isinstance(a, np.ndarray))
        x, n = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(n).astype(np.int64))
        return (reference(x, n) if x.size else x).astype(kind)

    op(f"special.{name}", wide, degrees, domain=(-1, 1), dtypes=FLOATS, grad=False, pointwise=True, tolerance=5.0)


for _kind, _first in {
    "t": lambda x: x,
    "u": lambda x: 2 * x,
    "v": lambda x: 2 * x - 1,
    "w": lambda x: 2 * x + 1,
}.items():
    polynomial(f"chebyshev_polynomial_{_kind}", chebyshev(_first))
    polynomial(f"shifted_chebyshev_polynomial_{_kind}", shifted(chebyshev(_first)))
polynomial("hermite_polynomial_h", lambda x, n: special.eval_hermite(n, x))
polynomial("hermite_polynomial_he", lambda x, n: special.eval_hermitenorm(n, x))
polynomial("laguerre_polynomial_l", lambda x, n: special.eval_laguerre(n, x))
polynomial("legendre_polynomial_p", lambda x, n: special.eval_legendre(n, x))
