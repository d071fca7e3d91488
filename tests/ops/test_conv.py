"""Convolutions beyond single values: threads, 16-bit formats, memory formats, hostile arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pydl

CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "packed": ((3, 40, 30, 31), (50, 40, 3, 3), {"padding": 1}),
    "small images": ((9, 70, 7, 7), (90, 70, 3, 3), {"padding": 1}),
    "stride": ((3, 24, 30, 31), (40, 24, 3, 3), {"padding": 1, "stride": 2}),
    "few channels": ((5, 3, 64, 60), (32, 3, 7, 7), {"padding": 3, "stride": 2}),
    "few rows": ((40, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "depthwise": ((4, 30, 40, 40), (30, 1, 3, 3), {"padding": 1, "groups": 30}),
    "point": ((4, 64, 40, 40), (72, 64, 1, 1), {}),
    "large weight": ((1, 300, 9, 9), (280, 300, 3, 3), {"padding": 1}),
    "long": ((2, 8, 6000), (24, 8, 5), {"padding": 2}),
    "volume": ((2, 6, 12, 14, 15), (20, 6, 3, 3, 3), {"padding": 1}),
}


def tensors(shape: tuple[int, ...], weight: tuple[int, ...], dtype: Any = pydl.float32) -> list[Any]:
    rng = np.random.default_rng(3)
    return [pydl.tensor(rng.standard_normal(s)).to(dtype).requires_grad_() for s in (shape, weight, weight[:1])]


def run(name: str, transposed: bool = False) -> list[np.ndarray]:
    shape, weight, options = CASES[name]
    x, w, b = tensors(shape, weight)
    dims = len(shape) - 2
    y = getattr(pydl, f"conv{dims}d")(x, w, b, **options)
    y.backward(pydl.tensor(np.random.default_rng(4).standard_normal(tuple(y.shape))).float())
    return [t.detach().numpy() for t in (y, x.grad, w.grad, b.grad)]


@pytest.mark.parametrize("name", CASES)
def test_same_bits_for_any_number_of_threads(name: str) -> None:
    before = pydl.get_num_threads()
    try:
        pydl.set_num_threads(1)
        expected = run(name)
        for threads in (2, 3, 4):
            pydl.set_num_threads(threads)
            for got, want in zip(run(name), expected):
                assert got.tobytes() == want.tobytes()
    finally:
        pydl.set_num_threads(before)


@pytest.mark.parametrize("dtype", [pydl.float16, pydl.bfloat16])
def test_16_bit_formats_compute_in_float32(dtype: Any) -> None:
    x, w, b = tensors((2, 5, 9, 8), (7, 5, 3, 3), dtype)
    y = pydl.conv2d(x, w, b, padding=1)
    wide = [t.detach().float().requires_grad_() for t in (x, w, b)]
    expected = pydl.conv2d(*wide, padding=1)
    assert y.dtype == dtype
    assert pydl.equal(y, expected.to(dtype))
    y.sum().backward()
    expected.sum().backward()
    for t, e in zip((x, w, b), wide):
        assert t.grad.dtype == dtype
        assert pydl.equal(t.grad, e.grad.to(dtype))


@pytest.mark.parametrize("dims", [2, 3])
def test_channels_last_in_and_out(dims: int) -> None:
    memory_format = pydl.channels_last if dims == 2 else pydl.channels_last_3d
    x, w, b = tensors((2, 5, 6, 7, 4)[: dims + 2], (3, 5, 3, 3, 3)[: dims + 2])
    functions = [
        lambda t: getattr(pydl, f"conv{dims}d")(t, w, b, padding=1),
        lambda t: getattr(pydl.nn.functional, f"max_pool{dims}d")(t, 2),
        lambda t: getattr(pydl.nn.functional, f"avg_pool{dims}d")(t, 2),
    ]
    for function in functions:
        expected = function(x)
        got = function(x.detach().contiguous(memory_format=memory_format))
        assert got.is_contiguous(memory_format=memory_format)
        assert pydl.equal(got, expected)


def test_bias_gradient_of_the_weights_pass() -> None:
    """The row of ones and the sum agree, where both exist."""
    x, w, b = tensors((3, 20, 30, 30), (40, 20, 3, 3))
    y = pydl.conv2d(x, w, b)
    fused = pydl.autograd.grad(y.sum(), (w, b), retain_graph=True)
    composed = pydl.autograd.grad(y.sum(), (w, b), create_graph=True)
    for f, c in zip(fused, composed):
        np.testing.assert_allclose(f.numpy(), c.detach().numpy(), rtol=2e-5, atol=1e-4)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, w: pydl.conv2d(x, w, padding=2**62),
        lambda x, w: pydl.conv2d(x, w, dilation=2**62),
        lambda x, w: pydl.conv2d(x, w, padding=2**30, dilation=2**30),
        lambda x, w: pydl.conv2d(x, w, groups=2**62),
        lambda x, w: pydl.conv_transpose2d(x, w, stride=2**31),
        lambda x, w: pydl.conv_transpose2d(x, w, stride=2**40, output_padding=2**39),
        lambda x, w: pydl.conv2d(x, w, padding=2**20),
        lambda x, w: pydl.nn.functional.max_pool2d(x, 2**31),
        lambda x, w: pydl.nn.functional.max_pool2d(x, 2, 2**62),
        lambda x, w: pydl.nn.functional.avg_pool2d(x, 2, padding=2**62),
        lambda x, w: pydl.nn.functional.adaptive_avg_pool2d(x, (2**31, 2**31)),
        lambda x, w: pydl.nn.functional.adaptive_max_pool2d(x, 2**62),
        lambda x, w: pydl.nn.functional.unfold(x, 2, padding=2**40),
        lambda x, w: pydl.nn.functional.fold(x[0], 2**40, 2),
    ],
)
def test_hostile_numbers_raise(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError, MemoryError)):
        call(pydl.ones(1, 4, 8, 8), pydl.ones(4, 4, 3, 3))


def test_large_steps_that_fit() -> None:
    x, w = pydl.ones(1, 4, 8, 8), pydl.ones(4, 4, 3, 3)
    assert pydl.conv2d(x, w, stride=2**40).shape == (1, 4, 1, 1)
    assert pydl.nn.functional.max_pool2d(x, 2, 2**30).shape == (1, 4, 1, 1)
    assert pydl.conv2d(x[:0], w).shape == (0, 4, 6, 6)
