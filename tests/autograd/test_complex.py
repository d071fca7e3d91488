"""Complex numbers: torch's gradient convention, the conjugate Wirtinger derivative, over common ops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl
from pydl.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")

OPS = {
    "add": lambda m, x, y: x + 2 * y,
    "sub": lambda m, x, y: x - y,
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "matmul": lambda m, x, y: x.reshape(2, 2) @ y.reshape(2, 2),
    "pow": lambda m, x, y: x**y,
    "pow 3": lambda m, x, y: x**3,
    "abs": lambda m, x, y: (x * y).abs(),
    "angle": lambda m, x, y: x.angle(),
    "conj": lambda m, x, y: x.conj() * y,
    "real": lambda m, x, y: (x * y).real,
    "imag": lambda m, x, y: (x * y).imag,
    "view_as_real": lambda m, x, y: m.view_as_real(x * y),
    "complex": lambda m, x, y: m.complex(x.real, y.imag),
    "polar": lambda m, x, y: m.polar(x.abs(), y.real),
    "exp": lambda m, x, y: x.exp(),
    "log": lambda m, x, y: x.log(),
    "sqrt": lambda m, x, y: x.sqrt(),
    "sin": lambda m, x, y: x.sin(),
    "cos": lambda m, x, y: x.cos(),
    "tan": lambda m, x, y: x.tan(),
    "tanh": lambda m, x, y: x.tanh(),
    "sigmoid": lambda m, x, y: x.sigmoid(),
    "reciprocal": lambda m, x, y: x.reciprocal(),
    "rsqrt": lambda m, x, y: x.rsqrt(),
    "square": lambda m, x, y: x.square(),
    "sgn": lambda m, x, y: x.sgn(),
    "sum": lambda m, x, y: (x * y).sum(),
    "mean": lambda m, x, y: (x * y).mean(),
    "prod": lambda m, x, y: x.prod(),
    "cumsum": lambda m, x, y: x.cumsum(0),
    "cumprod": lambda m, x, y: x.cumprod(0),
    "dot": lambda m, x, y: m.dot(x, y),
    "vdot": lambda m, x, y: m.vdot(x, y),
    "norm": lambda m, x, y: m.linalg.vector_norm(x * y),
    "adjoint": lambda m, x, y: x.reshape(2, 2).adjoint() @ y.reshape(2, 2),
    "mH": lambda m, x, y: x.reshape(2, 2).mH * y.reshape(2, 2),
    "H": lambda m, x, y: x.reshape(2, 2).H * y.reshape(2, 2),
    "real operand": lambda m, x, y: x.real * y,
    "where": lambda m, x, y: m.where(x.real > 0, x, y),
    "index": lambda m, x, y: x[1:] * y[:-1],
    "cat": lambda m, x, y: m.cat([x, y * 2]),
}


def values() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(4) + 1j * rng.standard_normal(4) for _ in range(2)]


def loss_and_gradients(m: Any, function: Any) -> list[Any]:
    tensors = [m.tensor(v, requires_grad=True) for v in values()]
    result = function(m, *tensors)
    weight = m.tensor(np.linspace(0.3, 1.7, int(np.prod(result.shape)))).reshape(result.shape)
    # A real loss that depends on both parts.
    loss = (weight * (result * (0.6 + 0.8j)).real).sum() if result.is_complex() else (weight * result).sum()
    loss.backward()
    return [loss.detach().numpy(), *(None if t.grad is None else t.grad.resolve_conj().numpy() for t in tensors)]


@pytest.mark.parametrize("name", OPS)
def test_gradients_against_torch(name: str) -> None:
    got, expected = (loss_and_gradients(m, OPS[name]) for m in (pydl, torch))
    for g, e in zip(got, expected):
        assert (g is None) == (e is None)
        if e is not None:
            np.testing.assert_allclose(g, e, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPS)
def test_numerical_derivatives(name: str) -> None:
    tensors = [pydl.tensor(v, requires_grad=True) for v in values()]

    def function(*given: Any) -> Any:
        return OPS[name](pydl, *given) + 0 * given[1].sum()  # ops of one operand too depend on both

    assert gradcheck(function, tensors) and gradgradcheck(function, tensors)


def test_flags_of_conjugates() -> None:
    x = pydl.tensor([1 + 2j])
    for t in (x, x.conj(), pydl.ones(1)):
        assert not t.is_conj() and not t.is_neg() and t.resolve_conj() is t and t.resolve_neg() is t
    assert not pydl.is_conj(x) and not pydl.is_neg(x)
    with pytest.raises(RuntimeError, match="matrices"):
        _ = pydl.ones(2, 2, 2).H
    with pytest.raises(RuntimeError, match="at least 2 dim"):
        pydl.adjoint(pydl.ones(2))
