"""Writes to views whose derivative, or whose dtype, is not that of the plain case."""

from __future__ import annotations

from typing import Any

import pytest

import pydl
from pydl.autograd import gradcheck, gradgradcheck


@pytest.mark.parametrize("name", ["sigmoid_", "tanh_", "exp_", "sqrt_"])
def test_second_derivative_of_an_op_that_saved_its_result(name: str) -> None:
    def f(x: Any) -> Any:
        y = x * 1
        getattr(y[1:3], name)()
        return y * y

    x = pydl.rand(4, dtype=pydl.float64).add(0.5).requires_grad_()
    assert gradcheck(f, [x])
    assert gradgradcheck(f, [x])
    first = pydl.autograd.grad(f(x).sum(), x, create_graph=True)[0]
    pydl.autograd.grad(first.square().sum(), x)


def test_writing_real_parts_of_a_complex_base() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        pydl.view_as_real(y)[..., 0].mul_(3.0)
        return y * y

    x = pydl.randn(3, dtype=pydl.complex128, requires_grad=True)
    assert gradcheck(f, [x])
    assert gradgradcheck(f, [x])


def test_a_real_view_sees_a_write_to_its_complex_base() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        view = pydl.view_as_real(y)
        y.mul_(2j)
        return view.square()

    x = pydl.randn(3, dtype=pydl.complex128, requires_grad=True)
    assert gradcheck(f, [x])


def test_writing_complex_numbers_over_a_real_base() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        pydl.view_as_complex(y).mul_(1 + 2j)
        return y.square()

    x = pydl.randn(3, 2, dtype=pydl.float64, requires_grad=True)
    assert gradcheck(f, [x])
    assert gradgradcheck(f, [x])
