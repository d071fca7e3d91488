"""gradcheck and gradgradcheck of every differentiable op in float64; fused backward equals the composed one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from opinfo import OPS, Maker, OpInfo, Sample, to_pydl
from opinfo.scatter_reduce import products_with_zeros

import pydl
from pydl.autograd import gradcheck, gradgradcheck

DIFFERENTIABLE = [pytest.param(info, id=info.name) for info in OPS if info.grad and "float64" in info.dtypes]
COMPLEX = [pytest.param(info, id=info.name) for info in OPS if info.grad and "complex128" in info.dtypes]
MAX_ELEMENTS = 24  # numerical Jacobians are quadratic


def function_and_inputs(info: OpInfo, sample: Sample, dtype: str) -> tuple[Any, list[Any]]:
    """The op as a function of its tensors of that dtype, which require grad."""
    inputs: list[Any] = []

    def collect(array: np.ndarray) -> Any:
        t = to_pydl(array)
        if array.dtype == dtype:
            inputs.append(t.requires_grad_())
        return t

    converted = sample.map(collect)

    def function(*new: Any) -> Any:
        replace = {id(old): n for old, n in zip(inputs, new)}

        def place(v: Any) -> Any:
            if isinstance(v, (list, tuple)) and type(v) in (list, tuple):
                return type(v)(map(place, v))
            return replace.get(id(v), v)

        result = info.op(*map(place, converted.args), **{k: place(v) for k, v in converted.kwargs.items()})
        results = result if isinstance(result, (tuple, list)) else (result,)
        return tuple(r for r in results if r.dtype.is_floating_point or r.dtype.is_complex)

    return function, inputs


def small_samples(info: OpInfo, dtype: str) -> list[Sample]:
    def size(sample: Sample) -> int:
        sizes: list[int] = []
        sample.map(lambda a: sizes.append(a.size))
        return sum(sizes)

    return [s for s in info.sample_list(dtype) if 0 < size(s) <= MAX_ELEMENTS]


@pytest.mark.parametrize("info", DIFFERENTIABLE)
def test_gradcheck(info: OpInfo) -> None:
    checked = 0
    for sample in small_samples(info, "float64"):
        function, inputs = function_and_inputs(info, sample, "float64")
        if inputs:
            assert gradcheck(function, inputs), f"{info.name}({sample})"
            checked += 1
    assert checked


@pytest.mark.parametrize("info", [p for p in DIFFERENTIABLE if p.values[0].gradgrad])
def test_gradgradcheck(info: OpInfo) -> None:
    for sample in small_samples(info, "float64")[:6]:
        function, inputs = function_and_inputs(info, sample, "float64")
        if inputs and sum(i.numel() for i in inputs) <= 12:
            assert gradgradcheck(function, inputs), f"{info.name}({sample})"


def test_second_derivative_of_products_with_zeros() -> None:
    info = next(info for info in OPS if info.name == "scatter_reduce")
    for sample in products_with_zeros(Maker("", "float64", -3, 3)):
        function, inputs = function_and_inputs(info, sample, "float64")
        assert gradgradcheck(function, inputs), repr(sample)


def test_second_derivative_of_logcumsumexp_where_the_gradient_is_zero() -> None:
    """The gradient is linear in the incoming one, at 0 too."""
    weights = pydl.tensor([1.0, 0.0, -2.0, 0.0], dtype=pydl.float64).requires_grad_()
    for dtype in (pydl.float64, pydl.complex128):
        x = pydl.tensor([0.5, -1.0, 2.0, 0.25]).to(dtype).requires_grad_()
        assert gradgradcheck(lambda x, w: pydl.logcumsumexp(x, 0) * w, (x, weights))


@pytest.mark.parametrize("info", COMPLEX)
def test_gradcheck_complex(info: OpInfo) -> None:
    for sample in small_samples(info, "complex128")[:4]:
        function, inputs = function_and_inputs(info, sample, "complex128")
        if inputs and sum(i.numel() for i in inputs) <= 12:
            assert gradcheck(function, inputs), f"{info.name}({sample})"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("info", DIFFERENTIABLE)
def test_fused_backward_equals_composed(info: OpInfo, dtype: str) -> None:
    """With create_graph the composed formula runs, without it a fused kernel where there is one."""
    if dtype not in info.dtypes:
        pytest.skip("no such dtype")
    for sample in info.sample_list(dtype):
        function, inputs = function_and_inputs(info, sample, dtype)
        if not inputs:
            continue
        outputs = [o for o in function(*inputs) if o.requires_grad]
        seeds = [
            pydl.tensor(np.asarray(np.random.default_rng(0).standard_normal(tuple(o.shape)))).to(o.dtype)
            for o in outputs
        ]
        if not outputs:
            continue
        fused = pydl.autograd.grad(outputs, inputs, seeds, retain_graph=True, allow_unused=True)
        composed = pydl.autograd.grad(outputs, inputs, seeds, create_graph=True, allow_unused=True)
        for f, c in zip(fused, composed):
            assert (f is None) == (c is None)
            if f is not None:
                tolerance = 3e-5 if dtype == "float32" else 1e-12
                np.testing.assert_allclose(
                    f.numpy(), c.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=f"{info.name}({sample})"
                )


@pytest.mark.parametrize("info", DIFFERENTIABLE)
def test_gradients_against_torch(info: OpInfo) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    other = info.torch_op(torch)
    if other is None:
        pytest.skip("torch has no such function")
    for sample in info.sample_list("float64"):
        function, inputs = function_and_inputs(info, sample, "float64")
        theirs: list[Any] = []

        def collect(array: np.ndarray, theirs: list[Any] = theirs) -> Any:
            t = torch.tensor(array)
            if array.dtype == np.float64:
                theirs.append(t.requires_grad_())
            return t

        converted = sample.map(collect)
        try:
            expected = other(*converted.args, **converted.kwargs)
        except (RuntimeError, TypeError, NotImplementedError):
            continue
        expected = [e for e in (expected if isinstance(expected, (tuple, list)) else (expected,)) if e.requires_grad]
        outputs = [o for o in function(*inputs) if o.requires_grad]
        assert len(outputs) == len(expected)
        if not outputs:
            continue
        pydl.autograd.backward(outputs, [pydl.ones_like(o) for o in outputs])
        torch.autograd.backward(expected, [torch.ones_like(e) for e in expected])
        for a, b in zip(inputs, theirs):
            assert (a.grad is None) == (b.grad is None), f"{info.name}({sample})"
            if a.grad is not None:
                # torch's hardsigmoid multiplies by 1 / 6 rounded to float32, its sgn gives a ZeroTensor.
                rtol = 1e-7 if info.name == "nn.hardsigmoid" else 1e-9
                np.testing.assert_allclose(
                    a.grad.numpy(), b.grad.numpy(force=True), rtol=rtol, atol=1e-10, err_msg=f"{info.name}({sample})"
                )
