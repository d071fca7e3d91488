"""Interpolation, grids and sampling against PyTorch in every mode; threads, layouts, hostile arguments."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import pydl

F = pydl.nn.functional
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
SIZES = {
    1: [((7,), (13,)), ((7,), (3,)), ((1,), (5,)), ((5,), (1,)), ((10,), (20,)), ((20,), (10,))],
    2: [((5, 7), (9, 4)), ((10, 12), (20, 24)), ((6, 6), (6, 6)), ((3, 1), (1, 3)), ((16, 9), (5, 3))],
    3: [((3, 4, 5), (5, 4, 7)), ((2, 8, 8), (4, 16, 16))],
}


def variants(dims: int) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = [{"mode": m} for m in ("nearest", "nearest-exact", "area")]
    modes = [LINEAR[dims]] + (["bicubic"] if dims == 2 else [])
    for mode, aligned in itertools.product(modes, (False, True)):
        plain.append({"mode": mode, "align_corners": aligned})
        if dims == 2:
            plain.append({"mode": mode, "align_corners": aligned, "antialias": True})
    return plain


def both(torch: Any, function: Any, *arrays: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Values and gradients in pydl and in torch."""
    results = []
    for lib in (pydl, torch):
        inputs = [lib.tensor(a).requires_grad_() for a in arrays]
        y = function(lib.nn.functional, *inputs)
        seed = lib.tensor(np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(arrays[0].dtype))
        (y * seed).sum().backward()
        results.append([y.detach().numpy(), *(t.grad.numpy() for t in inputs)])
    return results[0], results[1]


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> None:
    for a, e in zip(ours, theirs, strict=True):
        assert a.shape == e.shape
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance * (np.abs(e).max(initial=0.0) + 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_interpolate(dims: int, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tolerance = 2e-5 if dtype == "float32" else 1e-10
    rng = np.random.default_rng(0)
    for (old, new), options in itertools.product(SIZES[dims], variants(dims)):
        x = rng.standard_normal((2, 3, *old)).astype(dtype)
        assert_same(*both(torch, lambda f, t, n=new, o=options: f.interpolate(t, n, **o), x), tolerance)
        if 1 in old and options.get("antialias"):
            continue  # PyTorch returns zeros for images of one column
        for factor, recompute in itertools.product((2, 0.5, 1.7), (None, True)):
            if min(math.floor(s * factor) for s in old) < 1:
                continue

            def scaled(f: Any, t: Any, s: float = factor, r: Any = recompute, o: Any = options) -> Any:
                return f.interpolate(t, scale_factor=s, recompute_scale_factor=r, **o)

            assert_same(*both(torch, scaled, x), tolerance)


def test_nearest_picks_torchs_places() -> None:
    torch = pytest.importorskip("torch")
    for old, new, mode in itertools.product(range(1, 60, 7), range(1, 80, 5), ("nearest", "nearest-exact")):
        x = np.arange(old, dtype=np.float32).reshape(1, 1, -1)
        ours, theirs = (lib.nn.functional.interpolate(lib.tensor(x), size=new, mode=mode) for lib in (pydl, torch))
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_interpolate_bytes_and_halves() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 5)).astype(np.uint8)
    for mode, spread in (("nearest", 0), ("bilinear", 1)):
        a, e = (lib.nn.functional.interpolate(lib.tensor(x), size=(9, 4), mode=mode) for lib in (pydl, torch))
        assert a.dtype == pydl.uint8  # PyTorch without AVX2 rounds once
        assert np.abs(a.numpy().astype(int) - e.numpy().astype(int)).max() <= spread
    for kind in (pydl.float16, pydl.bfloat16):
        y = F.interpolate(pydl.tensor(x).to(kind), scale_factor=2, mode="bilinear")
        assert y.dtype == kind
        expected = F.interpolate(pydl.tensor(x).float(), scale_factor=2, mode="bilinear")
        np.testing.assert_allclose(y.float().numpy(), expected.numpy(), rtol=1e-2, atol=1)


def test_interpolate_keeps_channels_last() -> None:
    x = pydl.rand(2, 3, 4, 5)
    y = F.interpolate(x.contiguous(memory_format=pydl.channels_last), scale_factor=2, mode="bilinear")
    assert y.is_contiguous(memory_format=pydl.channels_last)
    np.testing.assert_array_equal(y.numpy(), F.interpolate(x, scale_factor=2, mode="bilinear").numpy())


def test_second_derivative_is_the_map_again() -> None:
    x = pydl.rand(2, 2, 3, 4, dtype=pydl.float64).requires_grad_()
    for options in variants(2):
        call = lambda t, o=options: F.interpolate(t, (5, 3), **o)  # noqa: E731
        assert pydl.autograd.gradcheck(call, [x])
        assert pydl.autograd.gradgradcheck(call, [x])


GRIDS = [
    ((2, 3, 5, 7), (2, 4, 6, 2)), ((1, 1, 1, 4), (1, 3, 3, 2)), ((1, 130, 6, 6), (1, 5, 5, 2)),
    ((2, 3, 4, 5, 6), (2, 3, 2, 4, 3)), ((0, 2, 3, 3), (0, 2, 2, 2)), ((2, 2, 3, 3), (2, 0, 2, 2)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    for (image, grid), padding, aligned in itertools.product(GRIDS, ("zeros", "border", "reflection"), (False, True)):
        if mode == "bicubic" and len(image) == 5:
            continue
        x, g = rng.standard_normal(image).astype(dtype), rng.uniform(-1.6, 1.6, grid).astype(dtype)
        assert_same(
            *both(
                torch,
                lambda f, *t, p=padding, a=aligned: f.grid_sample(*t, mode=mode, padding_mode=p, align_corners=a),
                x,
                g,
            ),
            1e-4 if dtype == "float32" else 1e-9,
        )


def test_grid_sample_outside_of_everything() -> None:
    grid = pydl.tensor([[[[math.nan, 0.0], [math.inf, 0.0], [-1e30, 3e38], [0.5, -math.inf]]]])
    for mode, padding in itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")):
        y = F.grid_sample(pydl.ones(1, 2, 3, 4), grid, mode, padding, False)
        assert y.shape == (1, 2, 1, 4)
        if padding == "zeros":
            assert y.abs().max().item() == 0


@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 1, 1, 3), (2, 2, 3, 4, 5)])
@pytest.mark.parametrize("aligned", [False, True])
def test_affine_grid(size: tuple[int, ...], aligned: bool) -> None:
    torch = pytest.importorskip("torch")
    d = len(size) - 2
    theta = np.random.default_rng(0).standard_normal((size[0], d, d + 1))
    assert_same(*both(torch, lambda f, t: f.affine_grid(t, size, align_corners=aligned), theta), 1e-10)


def test_bits_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(0)
    x = pydl.tensor(rng.standard_normal((3, 70, 40, 40)).astype(np.float32)).requires_grad_()
    grid = pydl.tensor(rng.uniform(-1.1, 1.1, (3, 50, 50, 2)).astype(np.float32)).requires_grad_()
    calls = [
        lambda: (F.grid_sample(x, grid, align_corners=False), [x, grid]),
        lambda: (F.interpolate(x, scale_factor=2, mode="bilinear"), [x]),
        lambda: (F.interpolate(x, size=(17, 90), mode="bicubic", antialias=True), [x]),
        lambda: (F.interpolate(x[:1, :1], size=(170, 90), mode="bicubic"), [x]),
    ]
    before = pydl.get_num_threads()
    for call in calls:
        found = set()
        for threads in (1, 2, 3, 4):
            pydl.set_num_threads(threads)
            y, inputs = call()
            found.add(tuple(t.detach().numpy().tobytes() for t in (y, *pydl.autograd.grad(y.sum(), inputs))))
        assert len(found) == 1
    pydl.set_num_threads(before)


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 2**62}, {"size": (2**31, 2**31)}, {"scale_factor": 1e300}, {"scale_factor": math.nan}, {"size": 0},
        {"size": -1}, {"scale_factor": 1e-9}, {"size": 3, "scale_factor": 2}, {}, {"size": (1, 2, 3)},
        {"size": 3, "mode": "linear"}, {"size": 3, "mode": "nope"}, {"size": 3, "mode": "nearest", "align_corners": True},
        {"size": 3, "antialias": True}, {"size": 3, "recompute_scale_factor": True},
    ],
)  # fmt: skip
def test_refusals(arguments: dict[str, Any]) -> None:
    with pytest.raises((RuntimeError, ValueError, NotImplementedError, MemoryError)):
        F.interpolate(pydl.ones(1, 1, 2, 2), **arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_few_and_many_channels_are_sampled_alike(mode: str, padding_mode: str, dtype: str) -> None:
    """Few channels are sampled plane by plane, many side by side; places may be undefined or far away."""
    rng = np.random.default_rng(0)
    for aligned in (False, True):
        grid = rng.random((2, 11, 130, 2)) * 2.6 - 1.3
        grid[0, 0, :4] = [[np.nan, 0.0], [np.inf, -np.inf], [-1e30, 1e30], [1.0, -1.0]]
        image = rng.normal(size=(2, 3, 7, 9))
        weight = rng.normal(size=(2, 3, 11, 130))
        found = []
        for copies in (1, 4):
            x = pydl.tensor(np.tile(image, (1, copies, 1, 1)), dtype=getattr(pydl, dtype), requires_grad=True)
            at = pydl.tensor(grid, dtype=getattr(pydl, dtype), requires_grad=True)
            y = pydl.nn.functional.grid_sample(x, at, mode, padding_mode, aligned)
            (y[:, :3] * pydl.tensor(weight, dtype=y.dtype)).sum().backward()
            found.append([t.detach().numpy() for t in (y[:, :3], x.grad[:, :3], at.grad)])
        for few, many in zip(*found):
            np.testing.assert_allclose(few, many, atol=1e-10 if dtype == "float64" else 2e-5)
    empty = pydl.nn.functional.grid_sample(pydl.zeros(1, 2, 3, 3), pydl.zeros(1, 0, 4, 2), mode, padding_mode, False)
    assert empty.shape == (1, 2, 0, 4)
