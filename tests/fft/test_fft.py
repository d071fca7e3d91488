"""torch.fft, stft and istft: values against torch, first and second derivatives, errors, out=."""

from __future__ import annotations

import doctest
import importlib
from typing import Any

import numpy as np
import pytest
from python_cases import Case, check_against_torch, check_gradients

import pydl

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
REAL_INPUT = ("rfft", "ihfft")
NORMS = (None, "backward", "forward", "ortho")
REAL, COMPLEX = ("float32", "float64"), ("complex64", "complex128")


def dtypes_for(name: str) -> tuple[str, ...]:
    return REAL if name.rstrip("n2") in REAL_INPUT else (*REAL, *COMPLEX)


def case(name: str, shape: tuple[int, ...], *args: Any, **kwargs: Any) -> Case:
    title = f"{name} {shape} {args} {kwargs}"
    return Case(title, lambda m, x: getattr(m.fft, name)(x, *args, **kwargs), (shape,), dtypes=dtypes_for(name))


def window_of(m: Any, n: int) -> Any:
    return m.linspace(0.5, 1.5, n, dtype=m.float64)


def spectrum(m: Any, x: Any, **kwargs: Any) -> Any:
    return m.stft(x, 8, window=window_of(m, 8).to(x.real.dtype), return_complex=True, **kwargs)


CASES = [
    *[case(name, (2, 5), n, norm=norm) for name in ONE for n in (None, 3, 4, 7) for norm in NORMS],
    *[case(name, (4, 2), dim=0) for name in ONE],
    *[case(f"{name}n", (2, 3, 4)) for name in ONE],
    *[case(f"{name}n", (2, 3, 4), (4, 3), (2, 0), norm) for name in ONE for norm in NORMS],
    *[case(f"{name}2", (2, 3, 4), norm=norm) for name in ONE for norm in NORMS],
    *[case(f"{name}2", (3, 3), (-1, 5)) for name in ONE],
    *[case(name, (2, 5)) for name in ("fftshift", "ifftshift")],
    case("fftshift", (2, 5), 1),
    *[
        Case(f"stft {kw}", lambda m, x, kw=kw: m.stft(x, 8, return_complex=True, **kw), ((2, 20),), dtypes=REAL)
        for kw in (
            {},
            {"hop_length": 3},
            {"center": False},
            {"normalized": True},
            {"onesided": False},
            {"pad_mode": "constant"},
            {"win_length": 6},
        )
    ],
    Case("stft window", spectrum, ((20,),), dtypes=REAL),
    Case("stft parts", lambda m, x: m.stft(x, 8, return_complex=False), ((20,),), dtypes=REAL),
    Case("stft complex", lambda m, x: m.stft(x, 8), ((20,),), dtypes=COMPLEX),
    *[
        Case(f"istft {kw}", lambda m, x, kw=kw: m.istft(x, 8, window=window_of(m, 8).to(x.real.dtype), **kw), ((2, 5, 6),), dtypes=COMPLEX)
        for kw in ({}, {"length": 7}, {"normalized": True}, {"center": False})
    ],
    Case("istft two-sided", lambda m, x: m.istft(x, 8, return_complex=True), ((8, 6),), dtypes=COMPLEX),
    Case("istft two-sided real", lambda m, x: m.istft(x, 8), ((8, 6),), dtypes=COMPLEX),
]  # fmt: skip
PARAMS = [pytest.param(c, d, id=f"{c.name}-{d}") for c in CASES for d in c.dtypes]
DOUBLE = [p for p in PARAMS if p.values[1] in ("float64", "complex128")]


@pytest.mark.parametrize("case, dtype", PARAMS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_against_torch(case: Case, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    check_against_torch(case, dtype, torch)


@pytest.mark.parametrize("case, dtype", [p for p in DOUBLE if not p.values[0].name.startswith("istft two-sided real")])
def test_gradcheck(case: Case, dtype: str) -> None:
    check_gradients(case, dtype, second=False)


@pytest.mark.parametrize(
    "case, dtype", [p for p in DOUBLE if "(2, 5)" in p.values[0].name and "None" in p.values[0].name]
)
def test_gradgradcheck(case: Case, dtype: str) -> None:
    check_gradients(case, dtype, second=True)


@pytest.mark.parametrize("n", [1, 4, 5])
@pytest.mark.parametrize("name", ["fftfreq", "rfftfreq"])
def test_frequencies(name: str, n: int) -> None:
    got = getattr(pydl.fft, name)(n, 0.5, dtype=pydl.float64)
    np.testing.assert_allclose(got.numpy(), getattr(np.fft, name)(n, 0.5))
    assert getattr(pydl.fft, name)(n).dtype == pydl.float32
    assert getattr(pydl.fft, name)(n, requires_grad=True).requires_grad
    out = pydl.empty(0)
    assert getattr(pydl.fft, name)(n, out=out) is out and out.numel() == got.numel()


def test_integers_and_out() -> None:
    x = pydl.arange(6)
    assert pydl.fft.fft(x).dtype == pydl.complex64 and pydl.fft.hfft(x).dtype == pydl.float32
    out = pydl.empty((0,), dtype=pydl.complex64)
    assert pydl.fft.rfft(x, out=out) is out and out.shape == (4,)
    with pytest.raises(RuntimeError, match="fft.rfft"):
        pydl.fft.rfft(x, out=pydl.empty(4))


def test_signal_comes_back() -> None:
    x = pydl.tensor(np.random.default_rng(0).standard_normal((3, 100)))
    again = pydl.istft(spectrum(pydl, x), 8, window=window_of(pydl, 8), length=100)
    np.testing.assert_allclose(again.numpy(), x.numpy(), atol=1e-12)
    with pytest.warns(UserWarning, match="padded with zeros"):
        assert pydl.istft(spectrum(pydl, x), 8, window=window_of(pydl, 8), length=200).shape == (3, 200)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: pydl.fft.fft(3), TypeError, "fft.fft.*must be Tensor"),
        (lambda: pydl.fft.fft(pydl.ones(3), 0), RuntimeError, "Invalid number of data points"),
        (lambda: pydl.fft.fft(pydl.ones(3), dim=1), IndexError, "Dimension out of range"),
        (lambda: pydl.fft.fft(pydl.ones(3), norm="x"), RuntimeError, "normalization mode"),
        (lambda: pydl.fft.fft(pydl.ones(3, dtype=pydl.float16)), RuntimeError, "Unsupported dtype"),
        (lambda: pydl.fft.rfft(pydl.ones(3, dtype=pydl.complex64)), RuntimeError, "real input"),
        (lambda: pydl.fft.irfft(pydl.ones(1)), RuntimeError, "Invalid number of data points"),
        (lambda: pydl.fft.fftn(pydl.ones(3, 3), dim=(0, 0)), RuntimeError, "unique"),
        (lambda: pydl.fft.fftn(pydl.ones(3, 3), (1, 2), (0,)), RuntimeError, "same length"),
        (lambda: pydl.fft.fftn(pydl.ones(3), (1, 2)), RuntimeError, "only has 1 dim"),
        (lambda: pydl.fft.fft(pydl.ones(())), (RuntimeError, IndexError), "fft.fft"),
        (lambda: pydl.fft.rfftn(pydl.ones(())), RuntimeError, "at least one axis"),
        (lambda: pydl.fft.fftfreq(0), RuntimeError, "Invalid number"),
        (lambda: pydl.fft.fftfreq(3, dtype=pydl.int64), RuntimeError, "floating point"),
        (lambda: pydl.stft(pydl.ones(20), 8), RuntimeError, "return_complex"),
        (lambda: pydl.stft(pydl.ones(20), 8, 0, return_complex=True), RuntimeError, "hop_length"),
        (lambda: pydl.stft(pydl.ones(20), 8, win_length=9, return_complex=True), RuntimeError, "win_length"),
        (lambda: pydl.stft(pydl.ones(3), 8, return_complex=True), RuntimeError, "Padding size"),
        (lambda: pydl.stft(pydl.ones(3), 8, center=False, return_complex=True), RuntimeError, "n_fft"),
        (lambda: pydl.stft(pydl.ones(20), 8, window=pydl.ones(3), return_complex=True), RuntimeError, "window"),
        (lambda: pydl.istft(pydl.ones(5, 3), 8), RuntimeError, "complex-valued"),
        (lambda: pydl.istft(pydl.ones(4, 3, dtype=pydl.complex64), 8), RuntimeError, "frequency dimension"),
        (lambda: pydl.istft(pydl.ones(5, 3, dtype=pydl.complex64), 8, window=pydl.zeros(8)), RuntimeError, "overlap add"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["_transforms", "_helpers", "_frames"])
def test_examples_of_the_docstrings(name: str) -> None:
    module = importlib.import_module(f"pydl.fft.{name}")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for public in module.__all__:
        test = doctest.DocTestParser().get_doctest(getattr(module, public).__doc__, {"pydl": pydl}, public, None, 0)
        assert test.examples, public
        runner.run(test)
    assert not runner.failures


def test_all_names_are_there() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    names = [n for n, v in vars(torch.fft).items() if callable(v) and not n.startswith("_") and n != "Tensor"]
    assert not [n for n in names if not hasattr(pydl.fft, n)]
