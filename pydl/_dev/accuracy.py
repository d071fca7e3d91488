"""Errors of elementary functions in units in the last place: ``python -m pydl._dev.accuracy`` writes docs/accuracy.md.

float32 is walked over all 2^32 numbers in steps of ``--stride`` (1: every number) and compared with float64 functions;
float64 is sampled and compared with mpmath at 200 bits. One process for each instruction-set level. Needs SciPy and
mpmath.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import pydl

LEVELS = ("baseline", "avx2", "avx512")


@dataclass(frozen=True)
class Case:
    """A function: ours, in float64, in mpmath; the bounds in ulp for float32 and float64; where float64 is sampled."""

    name: str
    ours: Callable[..., Any]
    wide: Callable[..., Any]
    exact: Callable[..., Any]
    bound: tuple[float, float] = (2.0, 2.0)
    domain: tuple[float, float] = (-700.0, 700.0)
    operands: int = 1


def cases() -> list[Case]:
    """All functions of the table."""
    import mpmath as mp
    from scipy import special

    from pydl.nn import functional as F

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + mp.exp(-x))

    def softplus(x: Any) -> Any:
        return x if x > 20 else mp.log1p(mp.exp(x))

    def gate(x: Any, sqrt: Any, pi: Any) -> Any:
        return 2 * sqrt(2 / pi) * (x + 0.044715 * x**3)

    def wide_gate(x: Any) -> Any:
        return gate(np.clip(x, -1e6, 1e6), math.sqrt, math.pi)

    def exact_gate(x: Any) -> Any:
        return 2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3)

    def softplus_wide(x: Any) -> Any:
        return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 30))))

    def f(name: str, wide: Any = None, exact: Any = None, *args: Any, **kwargs: Any) -> Case:
        return Case(name, getattr(pydl, name), wide or getattr(np, name), exact or getattr(mp, name), *args, **kwargs)

    one, wide, positive = (-1.0, 1.0), (-1e4, 1e4), (1e-300, 1e300)
    return [
        f("exp"),
        f("exp2", exact=lambda x: mp.mpf(2) ** x, domain=(-1020, 1020)),
        f("expm1"),
        f("log", domain=positive),
        f("log2", exact=lambda x: mp.log(x) / mp.log(2), domain=positive),
        f("log10", domain=positive),
        f("log1p", domain=(-1, 1e10)),
        f("sqrt", bound=(0.5, 0.5), domain=positive),
        f("rsqrt", lambda x: 1 / np.sqrt(x), lambda x: 1 / mp.sqrt(x), domain=positive),
        f("sin", domain=wide),
        f("cos", domain=wide),
        f("tan", domain=wide, bound=(2, 2.5)),
        f("asin", np.arcsin, domain=one),
        f("acos", np.arccos, domain=one),
        f("atan", np.arctan, domain=wide),
        f("sinh", bound=(2, 2.5)),
        f("cosh"),
        f("tanh", domain=(-20, 20)),
        f("asinh", np.arcsinh, domain=wide, bound=(2, 3)),
        f("acosh", np.arccosh, domain=(1, 1e4), bound=(2, 3)),
        f("atanh", np.arctanh, domain=one, bound=(2, 3)),
        f("erf", special.erf, domain=(-6, 6)),
        f("erfc", special.erfc, domain=(-6, 26)),
        f("sigmoid", special.expit, sigmoid),
        Case(
            "gelu", F.gelu, lambda x: x * special.ndtr(x), lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2, domain=(-37, 10)
        ),
        Case(
            "gelu, tanh",
            lambda x: F.gelu(x, approximate="tanh"),
            lambda x: x * special.expit(wide_gate(x)),
            lambda x: x * sigmoid(exact_gate(x)),
            bound=(3, 3),
            domain=(-20, 10),
        ),
        Case("silu", F.silu, lambda x: x * special.expit(x), lambda x: x * sigmoid(x), bound=(3, 3)),
        Case(
            "mish",
            F.mish,
            lambda x: x * np.tanh(np.log1p(np.exp(np.minimum(x, 700)))),
            lambda x: x * mp.tanh(mp.log1p(mp.exp(x))),
            bound=(3.5, 4),
        ),
        Case("softplus", F.softplus, softplus_wide, softplus, domain=(-700, 40)),
        Case(
            "logsigmoid",
            F.logsigmoid,
            lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
            lambda x: -mp.log1p(mp.exp(-x)),
        ),
        f("pow", np.power, lambda x, y: x**y, operands=2, domain=(1e-5, 1e5)),
        f("atan2", np.arctan2, domain=wide, operands=2, bound=(2, 3)),
    ]


def ulps(got: np.ndarray, exact: np.ndarray, rest: Any = 0.0) -> np.ndarray:
    """|got - (exact + rest)| in last places of the format; infinite for a wrong NaN, infinity or sign of zero."""
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        unit = np.exp2(np.maximum(np.floor(np.log2(np.abs(exact))), info.minexp) - info.nmant)
        unit = np.where(exact == 0, float(info.smallest_subnormal), unit)
        error = np.abs((got.astype(np.float64) - exact) - rest) / unit
        special = ~np.isfinite(rounded) | ~np.isfinite(got)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        # One step beyond the largest number is an infinity that is one unit away.
        near = np.abs(exact) >= float(info.max) * (1 - 2 * float(info.eps))
        special_error = np.where(same, 0.0, np.where(near & (np.sign(got) == np.sign(exact)), 1.0, np.inf))
        error = np.where(special, special_error, error)
        wrong_sign = (rounded == 0) & (exact == 0) & (got == 0) & (np.signbit(got) != np.signbit(exact))
    return np.where(wrong_sign, np.inf, error)


def float32_points(stride: int, chunk: int) -> Any:
    """The numbers with the representations 0, stride, 2 stride ... in pieces, and the edges of the format first."""
    edges = [0x00000000, 0x00000001, 0x007FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000]
    yield np.array([e | s for e in edges for s in (0, 1 << 31)], np.uint32).view(np.float32)
    for start in range(0, 1 << 32, stride * chunk):
        yield (
            np.arange(start, min(start + stride * chunk, 1 << 32), stride, dtype=np.uint64)
            .astype(np.uint32)
            .view(np.float32)
        )


def float32_error(case: Case, stride: int) -> tuple[float, float]:
    """The largest error and where it is."""
    worst, where = 0.0, 0.0
    for x in float32_points(stride, 1 << 20):
        arguments = [x]
        if case.operands == 2:
            rng = np.random.default_rng(len(x))
            spread = rng.normal(size=len(x)) * rng.choice([1e-3, 1.0, 30.0], len(x))
            if case.name == "pow":  # exponents for which the power is in range, and bases near 1
                x = np.where(rng.random(len(x)) < 0.5, np.abs(x), (1 + spread * 1e-3).astype(np.float32))
                with np.errstate(all="ignore"):
                    y = rng.uniform(-87, 88, len(x)) / np.log(np.abs(x).astype(np.float64))
            else:
                y = spread * np.where(np.isfinite(x), np.abs(x), 1)
            with np.errstate(all="ignore"):
                arguments = [x, y.astype(np.float32)]
        got = case.ours(*map(pydl.tensor, arguments)).numpy()
        with np.errstate(all="ignore"):
            exact = np.asarray(case.wide(*(a.astype(np.float64) for a in arguments)))
        error = ulps(got, exact)
        at = int(np.argmax(error))
        if error[at] > worst:
            worst, where = float(error[at]), float(x[at])
    return worst, where


def float64_samples(case: Case, count: int) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Arguments, and the exact results in two words."""
    import mpmath as mp

    rng = np.random.default_rng(list(case.name.encode()))
    low, high = case.domain
    arguments = []
    for _ in range(case.operands):
        x = rng.uniform(low, high, count)
        if low > 0:  # positive: over all magnitudes
            x[: count // 2] = np.exp(rng.uniform(math.log(low), math.log(high), count // 2))
        else:  # around 0, where results are small
            near = np.exp(rng.uniform(math.log(1e-10), math.log(min(high, 40)), count // 2))
            x[: count // 2] = np.where(rng.random(count // 2) < 0.5, near, np.maximum(-near, low) if low < 0 else near)
        arguments.append(x)
    if case.name == "pow":
        arguments[1] = rng.uniform(-700, 700, count) / np.log(arguments[0])
    with mp.workprec(200):
        exact = [case.exact(*map(mp.mpf, row)) for row in zip(*(a.tolist() for a in arguments))]
        hi = np.array([float(e) for e in exact])
        lo = np.array([float(e - mp.mpf(h)) if math.isfinite(h) else 0.0 for e, h in zip(exact, hi.tolist())])
    return arguments, hi, lo


def float64_error(case: Case, samples: Any) -> tuple[float, float]:
    """The largest error and where it is."""
    arguments, hi, lo = samples
    error = ulps(case.ours(*map(pydl.tensor, arguments)).numpy(), hi, lo)
    at = int(np.argmax(error))
    return float(error[at]), float(arguments[0][at])


Errors = dict[str, tuple[tuple[float, float], tuple[float, float]]]


def measure(stride: int, count: int, samples: dict[str, Any] | None = None, only: str = "") -> Errors:
    """Largest errors by function in float32 and float64, at this process's level."""
    chosen = [c for c in cases() if only in c.name]
    return {
        c.name: (
            float32_error(c, stride),
            float64_error(c, samples[c.name] if samples else float64_samples(c, count)),
        )
        for c in chosen
    }


def measure_levels(stride: int, count: int, only: str = "") -> dict[str, Errors]:
    """`measure` in one process for each level that this machine has."""
    samples = {c.name: float64_samples(c, count) for c in cases() if only in c.name}
    supported = pydl._C.config()["cpu_level_supported"]
    found = {}
    for level in LEVELS[: LEVELS.index(supported) + 1]:
        code = (
            f"import pickle, runpy, sys; accuracy = runpy.run_path({__file__!r}); "
            f"r = accuracy['measure']({stride}, {count}, pickle.load(sys.stdin.buffer), {only!r}); "
            "sys.stdout.buffer.write(pickle.dumps(r))"
        )
        result = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps(samples),
            stdout=subprocess.PIPE,
            check=True,
            env={**os.environ, "PYDL_CPU_LEVEL": level, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        found[level] = pickle.loads(result.stdout)
    return found


def table(found: dict[str, Errors], stride: int, count: int) -> str:
    """The text of docs/accuracy.md."""
    bounds = {c.name: c.bound for c in cases()}
    lines = [
        "# Accuracy",
        "",
        "The largest errors found, in units in the last place of the exact result, for each instruction-set level. "
        f"float32: every {f'{stride}th' if stride > 1 else 'one'} of the 2^32 numbers against float64; "
        f"float64: {count} samples against 200 bits. NaN, infinities, zeros and their signs, and denormals are counted "
        "too. Made by `python -m pydl._dev.accuracy`; `tests/ops/test_accuracy.py` holds the bounds.",
        "",
    ]
    heads = [f"{dtype} {level}" for dtype in ("float32", "float64") for level in found]
    lines += [f"| function | {' | '.join(heads)} | bound |", "|---" * (len(heads) + 2) + "|"]
    for name in next(iter(found.values())):
        cells = [f"{found[level][name][k][0]:.2f}" for k in (0, 1) for level in found]
        lines.append(f"| {name} | {' | '.join(cells)} | {bounds[name][0]:g}, {bounds[name][1]:g} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stride", type=int, default=1009)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--only", default="", help="only functions whose name contains this; prints, writes nothing")
    options = parser.parse_args()
    found = measure_levels(options.stride, options.samples, options.only)
    if options.only:
        for level, errors in found.items():
            for name, ((e32, x32), (e64, x64)) in errors.items():
                print(f"{level:9} {name:12} float32 {e32:8.3f} at {x32:.9g}   float64 {e64:8.3f} at {x64:.17g}")
        return
    path = pathlib.Path(pydl.__file__).parent.parent / "docs" / "accuracy.md"
    path.write_text(table(found, options.stride, options.samples))


if __name__ == "__main__":
    main()
