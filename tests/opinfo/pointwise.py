"""Pointwise ops: a line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import special

from . import ALL, FLOATS, REALS, Maker, Sample, binary, binary_number, op, unary

INTS = ("uint8", "int8", "int16", "int32", "int64", "bool")
COMPLEX = (*FLOATS, "complex64", "complex128")
ANY = (-3.0, 3.0)


def one(
    name: str, reference: Any, domain: tuple[float, float] = ANY, dtypes: tuple[str, ...] = REALS, **options: Any
) -> None:
    op(name, reference, unary, domain=domain, dtypes=dtypes, pointwise=True, **options)


def two(
    name: str,
    reference: Any,
    domain: tuple[float, float] = ANY,
    dtypes: tuple[str, ...] = REALS,
    samples: Any = binary_number,
    **options: Any,
) -> None:
    kind = np.float64 if "float64" in dtypes else np.int64
    mismatch = ((np.ones(2, kind), np.ones(3, kind)), RuntimeError, "must match|broadcast")
    op(
        name,
        reference,
        samples,
        domain=domain,
        dtypes=dtypes,
        pointwise=True,
        errors=[mismatch, *options.pop("errors", [])],
        **options,
    )


def scaled(f: Any) -> Any:
    def reference(a: Any, b: Any, alpha: Any = 1) -> Any:
        number = a.dtype if isinstance(b, int) and a.dtype != bool else np.asarray(b).dtype
        return f(a, np.multiply(np.asarray(b).astype(number), np.asarray(alpha).astype(a.dtype)))

    return reference


def with_alpha(m: Maker) -> Iterator[Sample]:
    yield from binary_number(m)
    if m.dtype != "bool":
        yield Sample(m(2, 3), m(3), alpha=3)


def divided(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    return {None: np.true_divide, "floor": np.floor_divide, "trunc": lambda x, y: np.trunc(np.true_divide(x, y))}[
        rounding_mode
    ](a, b)


def divisions(m: Maker) -> Iterator[Sample]:
    yield from binary_number(m)
    if m.dtype != "bool":
        yield Sample(m(2, 3), m(3), rounding_mode="floor")
        yield Sample(m(2, 3), m(3), rounding_mode="trunc")


NO_BOOL = tuple(d for d in REALS if d != "bool")
INTEGERS = [d for d in NO_BOOL if "int" in d]
two("add", scaled(np.add), dtypes=ALL, samples=with_alpha)
two("sub subtract", scaled(np.subtract), dtypes=(*NO_BOOL, "complex64", "complex128"), samples=with_alpha)
two(
    "rsub",
    lambda a, b, alpha=1: np.subtract(b, np.asarray(alpha).astype(a.dtype) * a),
    dtypes=NO_BOOL,
    samples=with_alpha,
)
two("mul multiply", np.multiply, dtypes=ALL)
two("div divide", divided, (0.5, 3), dtypes=(*REALS[:-1], "complex64", "complex128")[:7], samples=divisions)
two("true_divide", np.true_divide, (0.5, 3), dtypes=NO_BOOL)
two("floor_divide", np.floor_divide, (1, 9), NO_BOOL, grad=False)
two("remainder", np.remainder, (1, 9), NO_BOOL)
two("fmod", np.fmod, (1, 9), NO_BOOL)


def powers(m: Maker) -> Iterator[Sample]:
    yield from binary(m)
    for e in (2, 3, 0) if "int" in m.dtype else (2, 3, 0.5, -1, 0, 1.7):
        yield Sample(m(2, 3), e)
    yield Sample(2, m(3))


two(
    "pow",
    lambda a, b: np.power(np.asarray(a).astype(getattr(b, "dtype", None) or a.dtype) if isinstance(a, int) else a, b),
    (0.3, 3),
    (*NO_BOOL, "complex128"),
    powers,
)
one("neg negative", np.negative, dtypes=(*NO_BOOL, "complex64", "complex128"))
one("abs absolute", np.abs, dtypes=(*NO_BOOL, "complex64", "complex128"))
one("sign", np.sign, dtypes=NO_BOOL)
one("sgn", lambda a: np.where(a == 0, 0, a / np.where(a == 0, 1, np.abs(a))).astype(a.dtype), dtypes=COMPLEX)
one("square", np.square, dtypes=(*NO_BOOL, "complex64", "complex128"))
one("reciprocal", lambda a: 1 / a, (0.5, 3), COMPLEX)
one("conj", np.conj, dtypes=ALL)
two("maximum", np.maximum, samples=binary)
two("minimum", np.minimum, samples=binary)


def clamps(m: Maker) -> Iterator[Sample]:
    for shape in [(), (3,), (2, 3), (0,), (19,)]:
        yield Sample(m(*shape), -1, 1)
        yield Sample(m(*shape), min=0)
        yield Sample(m(*shape), max=1)
    if m.dtype != "uint8":
        yield Sample(m(2, 3), m(2, 3), m(2, 3))
        yield Sample(m(2, 3), min=m(2, 3))
        yield Sample(m(2, 3), max=m(3))


def one_bound(m: Maker) -> Iterator[Sample]:
    for shape in [(), (3,), (0, 2)]:
        yield Sample(m(*shape), 1)
    yield Sample(m(2, 3), m(3))


op("clamp clip", lambda a, min=None, max=None: np.clip(a, min, max), clamps, dtypes=tuple(d for d in NO_BOOL if d != "uint8"), pointwise=True,
   errors=[((np.ones(2),), RuntimeError, "min"), ((np.ones(2) + 1j, 0, 1), RuntimeError, "complex")])  # fmt: skip
op("clamp_min", np.maximum, one_bound, dtypes=NO_BOOL, pointwise=True)
op("clamp_max", np.minimum, one_bound, dtypes=NO_BOOL, pointwise=True)

for _name, _f in [("and", np.bitwise_and), ("or", np.bitwise_or), ("xor", np.bitwise_xor)]:
    two(
        f"bitwise_{_name}",
        _f,
        (0, 9),
        INTS,
        grad=False,
        errors=[((np.ones(2), np.ones(2)), (RuntimeError, NotImplementedError), "bitwise|float")],
    )
two("bitwise_left_shift", np.left_shift, (0, 5), INTS[:-1], grad=False)
two("bitwise_right_shift", np.right_shift, (0, 5), INTS[:-1], grad=False)
one("bitwise_not", np.invert, dtypes=INTS, grad=False)
for _name, _f in [("eq", np.equal), ("ne", np.not_equal)]:
    two(_name, _f, dtypes=ALL, grad=False)
for _name, _f in [("lt", np.less), ("le", np.less_equal), ("gt", np.greater), ("ge", np.greater_equal)]:
    two(_name, _f, grad=False)
for _name, _f in [("and", np.logical_and), ("or", np.logical_or), ("xor", np.logical_xor)]:
    two(f"logical_{_name}", _f, dtypes=ALL, samples=binary, grad=False)
one("logical_not", np.logical_not, dtypes=ALL, grad=False)
for _name, _f in [("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite)]:
    one(_name, _f, dtypes=ALL, grad=False)


def wheres(m: Maker) -> Iterator[Sample]:
    yield Sample(m.mask(2, 3), m(2, 3), m(2, 3))
    yield Sample(m.mask(3), m(2, 1), m(1, 3))
    yield Sample(m.mask(), m(2, 3), 1)
    yield Sample(m.mask(0, 3), m(3), m())


op(
    "where",
    np.where,
    wheres,
    dtypes=ALL,
    errors=[
        ((np.ones(2), np.ones(2), np.ones(2)), RuntimeError, "where"),
        ((np.ones(2, bool), np.ones(3), 1), RuntimeError, "where"),
    ],
)
op("masked_fill", lambda a, mask, v: np.where(mask, np.asarray(v).astype(a.dtype), a),
   lambda m: (Sample(m(*s), m.mask(*k), 1) for s, k in [((2, 3), (2, 3)), ((2, 3), (3,)), ((), ()), ((0, 3), (3,))]), dtypes=ALL,
   errors=[((np.ones(2), np.ones(2), 1), RuntimeError, "mask")])  # fmt: skip
op(
    "equal",
    lambda a, b: a.shape == b.shape and bool(np.all(a == b)),
    lambda m: iter([Sample(m(3), m(3)), Sample(m(2), m(3)), Sample(m(0), m(0))]),
    dtypes=ALL,
    grad=False,
)
op(
    "isclose",
    lambda a, b, **k: np.isclose(a, b, **k),
    lambda m: iter([Sample(m(3), m(3)), Sample(m(2, 3), m(3), rtol=0.5, atol=0.5)]),
    grad=False,
)
op(
    "allclose",
    lambda a, b, **k: bool(np.allclose(a, b, **k)),
    lambda m: iter([Sample(m(3), m(3)), Sample(m(0), m(0)), Sample(m(3), m(3), rtol=9.0)]),
    grad=False,
)

one("exp", np.exp, dtypes=(*REALS, "complex64", "complex128"))
one("exp2", np.exp2, dtypes=ALL)
one("expm1", np.expm1, dtypes=ALL)
one("log", np.log, (0.2, 5), (*REALS[:-1], "complex64", "complex128")[:7])
one("log2", np.log2, (1, 5), (*NO_BOOL, "complex64", "complex128"))
one("log10", np.log10, (1, 5), (*NO_BOOL, "complex64", "complex128"))
one("log1p", np.log1p, (-0.7, 5), (*NO_BOOL, "complex64", "complex128"))
one("sqrt", np.sqrt, (0.2, 5), (*NO_BOOL, "complex64", "complex128"))
one("rsqrt", lambda a: 1 / np.sqrt(a), (0.6, 5), COMPLEX)
one("sin", np.sin, (-9, 9), (*REALS, "complex64", "complex128"))
one("cos", np.cos, (-9, 9), (*REALS, "complex64", "complex128"))
one("tan", np.tan, (-1.4, 1.4))
one("asin", np.arcsin, (-0.95, 0.95), dtypes=ALL)
one("acos", np.arccos, (-0.95, 0.95), dtypes=ALL)
one("atan", np.arctan, dtypes=ALL)
one("sinh", np.sinh)
one("cosh", np.cosh)
one("tanh", np.tanh, dtypes=(*REALS, "complex64", "complex128"))
one("asinh", np.arcsinh, dtypes=ALL)
one("acosh", np.arccosh, (1.2, 5), dtypes=ALL)
one("atanh", np.arctanh, (-0.9, 0.9), dtypes=ALL)

one("floor", np.floor, (0.1, 0.9), FLOATS)
one("ceil", np.ceil, (0.1, 0.9), FLOATS)
one("trunc fix", np.trunc, (0.1, 0.9), FLOATS)
one("frac", lambda a: a - np.trunc(a), (0.1, 0.9), FLOATS)
op(
    "round",
    lambda a, decimals=0: np.round(a, decimals),
    lambda m: (Sample(m(*s), **k) for s in [(), (3,), (0,)] for k in ({}, {"decimals": 2})),
    domain=(0.1, 0.45),
    dtypes=FLOATS,
)
one("erf special.erf", special.erf)
one("erfc special.erfc", special.erfc)
one("erfinv special.erfinv", special.erfinv, (-0.95, 0.95), FLOATS)
one("lgamma special.gammaln", special.gammaln, (0.3, 5))
one("digamma special.digamma", special.digamma, (0.5, 5), FLOATS)
op("polygamma special.polygamma", lambda n, a: special.polygamma(n, a).astype(a.dtype), lambda m: (Sample(n, m(*s)) for s in [(), (3,), (0,)] for n in (1, 3)),
   domain=(0.5, 5), dtypes=FLOATS, tolerance=5, errors=[((-1, np.ones(2)), RuntimeError, "polygamma")])  # fmt: skip
op("Tensor.polygamma", lambda a, n: special.polygamma(n, a).astype(a.dtype), lambda m: (Sample(m(3), n) for n in (0, 2)),
   domain=(0.5, 5), dtypes=FLOATS, tolerance=5, errors=[((np.ones(2), -1), RuntimeError, "polygamma")])  # fmt: skip
one("sinc special.sinc", np.sinc, (0.2, 3), FLOATS)
one(
    "special.expit sigmoid",
    lambda a: 1 / (1 + np.exp(-a)) if np.iscomplexobj(a) else special.expit(a),
    dtypes=ALL,
)
one("special.entr", special.entr, (0.2, 3))
one("special.ndtr", special.ndtr)
op("logit special.logit", lambda a, eps=None: special.logit(a if eps is None else np.clip(a, eps, 1 - eps)),
   lambda m: (Sample(m(*s), *e) for s in [(), (3,), (0,)] for e in ((), (0.05,))), domain=(0.1, 0.9))  # fmt: skip
two("xlogy special.xlogy", special.xlogy, (0.3, 5), NO_BOOL)


def three(m: Maker) -> Iterator[Sample]:
    yield Sample(m(2, 3), m(2, 3), m(2, 3))
    yield Sample(m(2, 3), m(3), m(2, 1))
    yield Sample(m(0, 3), m(3), m())
    yield Sample(m(3), m(3), m(3), value=2)


two("atan2", np.arctan2, (0.4, 3), FLOATS, binary)
two("gcd", np.gcd, samples=binary, dtypes=INTEGERS, grad=False)
two("logaddexp", np.logaddexp, samples=binary, dtypes=FLOATS)
two("hypot", np.hypot, (0.4, 3), FLOATS, binary)
two("copysign", np.copysign, (0.4, 3), FLOATS)
two("fmax", np.fmax, samples=binary, dtypes=FLOATS)
two("fmin", np.fmin, samples=binary, dtypes=FLOATS)
two("heaviside", np.heaviside, samples=binary, dtypes=FLOATS, grad=False)
one("rad2deg", np.rad2deg, dtypes=FLOATS)
one("deg2rad", np.deg2rad, dtypes=FLOATS)
one("nan_to_num", np.nan_to_num, dtypes=COMPLEX)
one("angle", np.angle, (0.4, 3), COMPLEX)
one("resolve_conj resolve_neg", lambda a: a, dtypes=ALL)
one("conj_physical", np.conj, dtypes=ALL)
op(
    "lerp",
    lambda a, b, w: a + w * (b - a),
    lambda m: iter([Sample(m(2, 3), m(3), 0.3), Sample(m(2, 3), m(2, 3), m(3))]),
    dtypes=COMPLEX,
    pointwise=True,
)
op("addcmul", lambda a, b, c, value=1: a + value * b * c, three, dtypes=FLOATS, pointwise=True)
op("addcdiv", lambda a, b, c, value=1: a + value * b / c, three, dtypes=FLOATS, domain=(0.5, 3), pointwise=True)
op("complex", lambda a, b: a + 1j * b, binary, dtypes=FLOATS, pointwise=True)
op("polar", lambda a, b: a * np.exp(1j * b), binary, dtypes=FLOATS, domain=(0.2, 2), pointwise=True)
two("lcm", np.lcm, samples=binary, dtypes=INTEGERS, grad=False)
two("logaddexp2", np.logaddexp2, samples=binary, dtypes=FLOATS)
two("nextafter", np.nextafter, samples=binary, dtypes=FLOATS, grad=False)
two("ldexp", lambda a, b: (a * np.exp2(b)).astype(a.dtype), samples=lambda m: (Sample(m(*s), np.asarray(m.index(5, *s))) for s in [(), (3,), (2, 3), (0,)]),
    dtypes=FLOATS)  # fmt: skip
two(
    "float_power",
    lambda a, b: np.float_power(a, b),
    (0.3, 3),
    (*NO_BOOL, "complex128"),
    lambda m: (s for s in powers(m) if m.dtype == "float64" or isinstance(s.args[0], np.ndarray)),
)
one("frexp", np.frexp, dtypes=FLOATS)
one("positive", np.positive, dtypes=(*NO_BOOL, "complex64", "complex128"))
one("signbit", lambda a: a < 0, dtypes=REALS, grad=False)
one("isneginf", np.isneginf, dtypes=REALS, grad=False)
one("isposinf", np.isposinf, dtypes=REALS, grad=False)
one("isreal", np.isreal, dtypes=ALL, grad=False)
op("is_nonzero", lambda a: bool(a.reshape(-1)[0]), lambda m: iter([Sample(m()), Sample(m(1)), Sample(m(1, 1))]), dtypes=ALL, grad=False,
   errors=[((np.ones(2),), RuntimeError, "more than one value"), ((np.ones(0),), RuntimeError, "no values")])  # fmt: skip
op(
    "is_same_size",
    lambda a, b: a.shape == b.shape,
    lambda m: iter([Sample(m(3), m(3)), Sample(m(3), m(2)), Sample(m(3), m(1, 3))]),
    grad=False,
)
op("is_signed", lambda a: a.dtype.kind in "ifc", lambda m: iter([Sample(m(2))]), dtypes=ALL, grad=False)
op("is_conj is_neg", lambda a: False, lambda m: iter([Sample(m(2))]), dtypes=ALL, grad=False)


op(
    "fill",
    lambda a, v: np.full_like(a, v),
    lambda m: (Sample(m(*s), 1) for s in [(), (3,), (0, 2)]),
    dtypes=ALL,
    grad=False,
)
op("rrelu", lambda a, lower=1 / 8, upper=1 / 3: np.where(a > 0, a, a * ((lower + upper) / 2)),
   lambda m: (Sample(m(*s), *v) for s in [(), (3,), (2, 0, 3), (19,)] for v in ((), (0.25, 0.75))),
   errors=[((np.ones(2), 1.0, 0.0), RuntimeError, "upper")])  # fmt: skip
