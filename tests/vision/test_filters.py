"""Filters against SciPy and plain NumPy, their derivatives, and what they refuse."""

from __future__ import annotations

import copy
import pickle
from collections import deque
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import filters

ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy is not installed")
RNG = np.random.default_rng(0)
X = RNG.random((2, 3, 9, 8))
BORDERS = {"replicate": "nearest", "reflect": "mirror", "zeros": "constant"}
KERNELS = {"Sobel": (1, 2), "Scharr": (3, 10)}
ALL = {
    "Sobel": lambda: filters.Sobel(), "Scharr": lambda: filters.Scharr(magnitude=True), "Laplacian": lambda: filters.Laplacian(8), "Canny": lambda: filters.Canny(),
    "GaussianFilter": lambda: filters.GaussianFilter((3, 5), 0.8), "BilateralFilter": lambda: filters.BilateralFilter(3),
}  # fmt: skip


def each(function: Any, x: np.ndarray = X) -> np.ndarray:
    return np.stack([np.stack([function(plane) for plane in image]) for image in x])


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", KERNELS)
def test_derivatives_against_scipy(name: str, border: str) -> None:
    a, b = KERNELS[name]
    kernel = np.array([[-a, 0, a], [-b, 0, b], [-a, 0, a]], float)
    across = each(lambda p: ndimage.correlate(p, kernel, mode=BORDERS[border]))
    down = each(lambda p: ndimage.correlate(p, kernel.T, mode=BORDERS[border]))
    x = pydl.from_numpy(X)
    kind = getattr(filters, name)
    np.testing.assert_allclose(kind(padding_mode=border)(x).numpy(), np.stack([across, down], 2), atol=1e-12)
    scale = 8 if name == "Sobel" else 32
    np.testing.assert_allclose(
        kind(True, padding_mode=border)(x).numpy(), np.stack([across, down], 2) / scale, atol=1e-12
    )
    np.testing.assert_allclose(
        kind(magnitude=True, eps=0.5, padding_mode=border)(x).numpy(), np.sqrt(across**2 + down**2 + 0.5), atol=1e-12
    )
    if name == "Sobel":
        np.testing.assert_allclose(across, each(lambda p: ndimage.sobel(p, 1, mode=BORDERS[border])))


@pytest.mark.parametrize("border", BORDERS)
def test_laplacian_and_gaussian_against_scipy(border: str) -> None:
    x = pydl.from_numpy(X)
    found = filters.Laplacian(padding_mode=border)(x).numpy()
    np.testing.assert_allclose(found, each(lambda p: ndimage.laplace(p, mode=BORDERS[border])), atol=1e-12)
    kernel = np.ones((3, 3))
    kernel[1, 1] = -8
    expected = each(lambda p: ndimage.correlate(p, kernel, mode=BORDERS[border]))
    np.testing.assert_allclose(filters.Laplacian(8, border)(x).numpy(), expected, atol=1e-12)
    expected = X
    for axis, size in ((2, 3), (3, 5)):
        w = np.exp(-0.5 * ((np.arange(size) - size // 2) / 0.8) ** 2)
        expected = ndimage.correlate1d(expected, w / w.sum(), axis=axis, mode=BORDERS[border])
    np.testing.assert_allclose(filters.GaussianFilter((3, 5), 0.8, border)(x).numpy(), expected, atol=1e-12)


def test_bilateral_against_loops() -> None:
    x = X[:, :, :5, :5]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), mode="reflect")
    expected = np.zeros_like(x)
    for n in range(2):
        for i in range(5):
            for j in range(5):
                weights, values = [], []
                for k in range(3):
                    for m in range(5):
                        other = padded[n, :, i + k, j + m]
                        difference = np.abs(other - x[n, :, i, j]).sum()
                        weights.append(
                            np.exp(-((k - 1) ** 2 + (m - 2) ** 2) / (2 * 1.2**2) - difference**2 / (2 * 0.3**2))
                        )
                        values.append(other)
                expected[n, :, i, j] = np.average(values, axis=0, weights=weights)
    np.testing.assert_allclose(
        filters.bilateral_filter(pydl.from_numpy(x), (3, 5), 0.3, 1.2).numpy(), expected, atol=1e-12
    )


def canny(x: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """One grey image."""
    w = np.exp(-0.5 * (np.arange(5) - 2.0) ** 2)
    smooth = ndimage.correlate1d(
        ndimage.correlate1d(x, w / w.sum(), axis=0, mode="mirror"), w / w.sum(), axis=1, mode="mirror"
    )
    gy, gx = (ndimage.sobel(smooth, axis, mode="nearest") for axis in (0, 1))
    size = np.sqrt(gx**2 + gy**2 + 1e-6)
    thin = np.zeros_like(size)
    around = np.pad(size, 1, constant_values=1e-3)
    for y in range(x.shape[0]):
        for z in range(x.shape[1]):
            dy, dx = ((0, 1), (1, 1), (1, 0), (1, -1))[int(np.round(np.arctan2(gy[y, z], gx[y, z]) * 4 / np.pi)) % 4]
            before, behind = around[1 + y - dy, 1 + z - dx], around[1 + y + dy, 1 + z + dx]
            if size[y, z] > max(before, 1e-3) and (size[y, z] > behind if dy and dx else size[y, z] >= behind):
                thin[y, z] = size[y, z]
    edges = (thin > high).astype(float)
    waiting = deque(zip(*np.nonzero(edges)))
    while waiting:
        y, z = waiting.popleft()
        for i in range(max(y - 1, 0), min(y + 2, x.shape[0])):
            for j in range(max(z - 1, 0), min(z + 2, x.shape[1])):
                if thin[i, j] > low and not edges[i, j]:
                    edges[i, j] = 1
                    waiting.append((i, j))
    return thin, edges


def test_canny_against_loops() -> None:
    rows, columns = np.mgrid[:40, :44]
    disc = ((rows - 18) ** 2 + (columns - 22) ** 2 < 120) * 0.8 + (columns > 30) * 0.1 + 0.02 * RNG.random((40, 44))
    for low, high in ((0.2, 0.8), (0.04, 0.4), (1.3, 1.3)):
        thin, edges = canny(disc, low, high)
        found = filters.Canny(low, high)(pydl.from_numpy(disc[None, None]))
        np.testing.assert_allclose(found[0][0, 0].numpy(), thin, atol=1e-10)
        np.testing.assert_array_equal(found[1][0, 0].numpy(), edges)
    # Steps along both diagonals, whose two lines of pixels are equal
    for steps in (
        (rows + columns > 40) * 1.0,
        (rows > columns) * 1.0,
        (np.abs(rows - 20) + np.abs(columns - 22) < 9) * 1.0,
    ):
        thin, edges = canny(steps, 0.2, 0.8)
        found = filters.Canny(0.2, 0.8)(pydl.from_numpy(steps[None, None]))
        np.testing.assert_allclose(found[0][0, 0].numpy(), thin, atol=1e-10)
        np.testing.assert_array_equal(found[1][0, 0].numpy(), edges)
    grey = pydl.from_numpy(disc[None, None])
    colour = filters.Canny(0.2, 0.8)(grey.expand(1, 3, -1, -1))[1]
    assert colour.equal(filters.Canny(0.2, 0.8)(grey)[1])
    halves = filters.Canny(0.2, 0.8, hysteresis=False)(grey)[1]
    assert set(halves.flatten().tolist()) == {0.0, 0.5, 1.0}
    line = np.zeros((1, 1, 1, 300))
    line[0, 0, 0, 150:] = 1
    assert filters.Canny()(pydl.from_numpy(np.tile(line, (1, 1, 20, 1))))[1].sum() == 20


@pytest.mark.parametrize("name", ALL)
def test_every_filter(name: str) -> None:
    assert set(ALL) == set(filters.__all__) - {"bilateral_filter"}
    layer = ALL[name]()
    assert list(layer.state_dict()) == []
    x = pydl.rand(1, 3, 5, 6, dtype=pydl.float64, requires_grad=True)

    def first(value: Any) -> Any:
        return value[0] if isinstance(value, tuple) else value

    assert pydl.autograd.gradcheck(lambda t: first(layer(t)), (x,), fast_mode=True)
    if name != "Canny":
        assert pydl.autograd.gradgradcheck(lambda t: first(layer(t)), (x,), fast_mode=True)
    exact = first(layer(x.detach()))
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert first(other(x.detach())).equal(exact)
    for dtype, tolerance in ((pydl.float32, 1e-4), (pydl.bfloat16, 0.5)):
        low = first(layer.to(dtype)(x.detach().to(dtype)))
        assert low.dtype == dtype
        if name != "Canny":
            np.testing.assert_allclose(low.double().numpy(), exact.numpy(), atol=tolerance)
    for bad in (pydl.zeros(3, 5, 6), pydl.zeros(1, 3, 0, 6), pydl.zeros(2)):
        with pytest.raises(pydl.ShapeError):
            layer(bad)


def test_refused_options() -> None:
    for make in (
        lambda: filters.Sobel(padding_mode="circular"), lambda: filters.Laplacian(5), lambda: filters.Canny(0.3, 0.2), lambda: filters.Canny(float("nan"), 1.0),
        lambda: filters.GaussianFilter(4), lambda: filters.GaussianFilter(3, 0.0), lambda: filters.BilateralFilter(3, -1.0), lambda: filters.GaussianFilter(0),
        lambda: filters.BilateralFilter(3, 1.0, float("inf")),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            make()
    with pytest.raises(pydl.ShapeError, match="1 or 3"):
        filters.Canny()(pydl.zeros(1, 2, 8, 8))
    with pytest.raises(TypeError):
        filters.Sobel()(pydl.zeros(1, 1, 4, 4, dtype=pydl.uint8))
    assert not filters.Canny()(pydl.full((1, 1, 8, 8), pydl.nan))[1].any()
