"""Explanations against their formulas, completeness, and that nothing of the model is changed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import attribution, nn

RNG = np.random.default_rng(0)


def network() -> Any:
    pydl.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 5, 3, stride=2),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 4),
    ).double()


X = pydl.from_numpy(RNG.random((3, 3, 9, 8)))
W = RNG.normal(size=(6, 3))


def quadratic(x: Any, scale: Any = 1.0) -> Any:
    """(N, 6) -> (N, 3): sums of squares, with gradient 2 x W."""
    return (x**2) @ pydl.from_numpy(W) * scale


def test_saliency_of_a_known_function() -> None:
    x = RNG.normal(size=(4, 6))
    t = pydl.from_numpy(x)
    for target, column in ((1, [1] * 4), ([0, 1, 2, 0], [0, 1, 2, 0]), (pydl.tensor([2, 2, 1, 0]), [2, 2, 1, 0])):
        expected = 2 * x * W[:, column].T
        found = attribution.Saliency(quadratic).attribute(t, target, abs=False)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
        np.testing.assert_allclose(
            attribution.Saliency(quadratic).attribute(t, target).numpy(), np.abs(expected), rtol=1e-12
        )
    double = attribution.Saliency(quadratic).attribute(t, 1, additional_forward_args=2.0)
    np.testing.assert_allclose(double.numpy(), np.abs(4 * x * W[:, 1]), rtol=1e-12)
    for forward in (lambda x: x.sum(1), lambda x: x.sum(1, keepdim=True)):
        assert attribution.Saliency(forward).attribute(t).eq(1).all()
    assert not found.requires_grad
    assert attribution.Saliency(lambda x: pydl.ones(4, 2)).attribute(t, 0).eq(0).all()
    with pydl.no_grad():
        assert attribution.Saliency(quadratic).attribute(t, 1).any()


def test_smooth_grad_takes_the_mean() -> None:
    x = pydl.from_numpy(RNG.normal(size=(2, 6)))
    smooth = attribution.SmoothGrad(quadratic)
    exact = attribution.Saliency(quadratic).attribute(x, 1, abs=False)
    generator = pydl.Generator()
    found = []
    for _ in range(2):
        generator.manual_seed(1)
        found.append(smooth.attribute(x, 1, n_samples=200, stdevs=0.1, generator=generator))
    assert found[0].equal(found[1])
    np.testing.assert_allclose(found[0].numpy(), exact.numpy(), atol=0.1)
    assert smooth.attribute(x, 1, n_samples=1, stdevs=0.0).equal(exact)
    integrated = attribution.SmoothGrad(quadratic, attribution.IntegratedGradients(quadratic))
    np.testing.assert_allclose(
        integrated.attribute(x, 1, n_samples=3, stdevs=0.0, n_steps=8).numpy(),
        (x**2 * pydl.from_numpy(W[:, 1])).numpy(),
        rtol=1e-10,
    )
    for options in ({"n_samples": 0}, {"stdevs": -1.0}, {"stdevs": float("nan")}):
        with pytest.raises(ValueError):
            smooth.attribute(x, 1, **options)


@pytest.mark.parametrize(
    "method", ["gausslegendre", "riemann_left", "riemann_middle", "riemann_right", "riemann_trapezoid"]
)
def test_integrated_gradients(method: str) -> None:
    x, base = RNG.normal(size=(4, 6)), RNG.normal(size=(1, 6))
    integrated = attribution.IntegratedGradients(quadratic)
    found, delta = integrated.attribute(
        pydl.from_numpy(x),
        pydl.from_numpy(base),
        [0, 1, 2, 0],
        n_steps=2000 if "r" == method[0] else 5,
        method=method,
        return_convergence_delta=True,
    )
    # The gradient is linear along the line, so the exact result is known
    np.testing.assert_allclose(
        found.numpy(), (x**2 - base**2) * W[:, [0, 1, 2, 0]].T, atol=1e-10 if method == "gausslegendre" else 2e-2
    )
    assert delta.shape == (4,)
    assert delta.abs().max() < (1e-10 if method == "gausslegendre" else 0.05)
    net = network()
    for baselines in (None, 0.3):
        found, delta = attribution.IntegratedGradients(net).attribute(
            X, baselines, [0, 1, 3], method=method, n_steps=300, return_convergence_delta=True
        )
        limit = 1e-3 if method in ("gausslegendre", "riemann_middle", "riemann_trapezoid") else 1e-2
        assert delta.abs().max() < limit
        ends = net(X), net(pydl.full_like(X, baselines or 0.0))
        np.testing.assert_allclose(
            (ends[0] - ends[1])[[0, 1, 2], [0, 1, 3]].detach().numpy(), found.sum((1, 2, 3)).numpy(), atol=limit
        )


def test_integrated_gradients_in_parts() -> None:
    x = pydl.from_numpy(RNG.normal(size=(4, 6)))
    scale = pydl.from_numpy(RNG.random((4, 1)))
    integrated = attribution.IntegratedGradients(quadratic)
    whole = integrated.attribute(x, target=[0, 1, 2, 0], additional_forward_args=(scale,), n_steps=7)
    for size in (1, 4, 9, 1000):
        part = integrated.attribute(
            x, target=pydl.tensor([0, 1, 2, 0]), additional_forward_args=scale, n_steps=7, internal_batch_size=size
        )
        np.testing.assert_allclose(part.numpy(), whole.numpy(), rtol=1e-12)
    mean = attribution.IntegratedGradients(quadratic, multiply_by_inputs=False)
    found, delta = mean.attribute(x, target=1, n_steps=7, return_convergence_delta=True)
    np.testing.assert_allclose(found.numpy(), (x * pydl.from_numpy(W[:, 1])).numpy(), rtol=1e-10)
    assert delta.abs().max() < 1e-10
    for options, error in (({"method": "simpson"}, ValueError), ({"n_steps": 0}, ValueError), ({"n_steps": 1, "method": "riemann_trapezoid"}, ValueError),
                           ({"baselines": pydl.zeros(2, 6)}, pydl.ShapeError), ({"baselines": pydl.zeros(6)}, pydl.ShapeError)):  # fmt: skip
        with pytest.raises(error):
            integrated.attribute(x, target=1, **options)


@pytest.mark.parametrize("window, strides", [((3, 3, 3), None), ((1, 4, 3), (1, 3, 2)), ((3, 2, 2), 2), ((3, 9, 8), 1)])
def test_occlusion_against_loops(window: Any, strides: Any) -> None:
    net, target = network(), [0, 1, 3]
    steps = (strides,) * 3 if isinstance(strides, int) else strides or (1, 1, 1)
    x = X.numpy()

    def score(a: np.ndarray) -> np.ndarray:
        return net(pydl.from_numpy(a)).detach().numpy()[[0, 1, 2], target]

    total, covered = np.zeros_like(x), np.zeros(x.shape[1:])
    starts = [range(0, max(-(-(n - w) // s), 0) * s + 1, s) for n, w, s in zip(x.shape[1:], window, steps)]
    for corner in itertools.product(*starts):
        place = tuple(slice(c, c + w) for c, w in zip(corner, window))
        hidden = x.copy()
        hidden[(slice(None), *place)] = 0.25
        total[(slice(None), *place)] += (score(x) - score(hidden)).reshape(3, 1, 1, 1)
        covered[place] += 1
    for together in (1, 4):
        found = attribution.Occlusion(net).attribute(X, window, strides, 0.25, target, together)
        np.testing.assert_allclose(found.numpy(), total / covered, atol=1e-12)
    assert not found.requires_grad


def test_grad_cam_by_hand() -> None:
    net = network()
    maps = net[:3](X).detach().requires_grad_()
    values = net[3:](maps)
    (slopes,) = pydl.autograd.grad(values[[0, 1, 2], [0, 1, 3]].sum(), maps)
    a, g = maps.detach().numpy(), slopes.numpy()
    signed = (g.mean((2, 3), keepdims=True) * a).sum(1, keepdims=True)
    cam = attribution.GradCAM(net, net[2])
    small = cam.attribute(X, [0, 1, 3], relu=False, interpolate=False)
    np.testing.assert_allclose(small.numpy(), signed, atol=1e-12)
    assert cam.attribute(X, [0, 1, 3], interpolate=False).equal(small.relu())
    large = cam.attribute(X, [0, 1, 3])
    assert large.shape == (3, 1, 9, 8)
    assert large.equal(nn.functional.interpolate(small.relu(), (9, 8), mode="bilinear", align_corners=False))
    normal = cam.attribute(X, 2, relu=False, normalize=True)
    assert normal.amin((1, 2, 3)).eq(0).all()
    assert normal.amax((1, 2, 3)).eq(1).all()
    plus = attribution.GradCAMPlusPlus(net, "2").attribute(X, [0, 1, 3], interpolate=False)
    share = g**2 / (2 * g**2 + a.sum((2, 3), keepdims=True) * g**3)
    weights = (share * np.maximum(g, 0)).sum((2, 3), keepdims=True)
    np.testing.assert_allclose(plus.numpy(), np.maximum((weights * a).sum(1, keepdims=True), 0), atol=1e-12)


def test_grad_cam_of_special_models() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)
            self.act = nn.ReLU(inplace=True)

        def forward(self, x: Any) -> Any:
            return self.act(self.conv(x)).sum((2, 3)) * 0

    net = Constant()
    for kind in (attribution.GradCAM, attribution.GradCAMPlusPlus):
        found = kind(net, "conv").attribute(X.float(), 1, normalize=True)
        assert found.eq(0).all()
        assert found.dtype == pydl.float32
    cam = attribution.GradCAM(net, "conv")
    picture = cam.overlay(pydl.full((3, 4, 5), 0.5), pydl.linspace(-2, 3, 20).reshape(1, 4, 5))
    assert picture.shape == (3, 4, 5)
    assert 0 <= picture.min() <= picture.max() <= 1
    np.testing.assert_allclose(picture[:, 0, 0].tolist(), [0.25, 0.25, 0.5])  # dark blue
    np.testing.assert_allclose(picture[:, -1, -1].tolist(), [0.5, 0.25, 0.25])  # dark red
    assert cam.overlay(pydl.ones(3, 4, 5), pydl.zeros(1, 4, 5), alpha=0.0).eq(1).all()
    with pytest.raises(pydl.ShapeError):
        cam.overlay(pydl.ones(3, 4, 5), pydl.zeros(1, 4, 4))
    with pytest.raises(ValueError):
        cam.overlay(pydl.ones(3, 4, 5), pydl.zeros(1, 4, 5), alpha=2.0)
    for make in (lambda: attribution.GradCAM(net, "none"), lambda: attribution.GradCAM(net, nn.ReLU())):
        with pytest.raises(ValueError):
            make()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(pydl.ShapeError, match="layer"):
        attribution.GradCAM(flat, "1").attribute(pydl.rand(2, 3, 2, 2), 0)
    extra = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    extra.unused = nn.ReLU()
    extra.forward = lambda x: extra[1](extra[0](x))
    with pytest.raises(RuntimeError, match="took no part"):
        attribution.GradCAM(extra, "unused").attribute(pydl.rand(2, 3, 2, 2), 0)


METHODS = {
    "Saliency": lambda net: lambda **k: attribution.Saliency(net).attribute(X, **k),
    "SmoothGrad": lambda net: lambda **k: attribution.SmoothGrad(net).attribute(X, n_samples=2, **k),
    "IntegratedGradients": lambda net: lambda **k: attribution.IntegratedGradients(net).attribute(X, n_steps=3, **k),
    "Occlusion": lambda net: lambda **k: attribution.Occlusion(net).attribute(X, (3, 5, 5), (3, 4, 4), **k),
    "GradCAM": lambda net: lambda **k: attribution.GradCAM(net, "2").attribute(X, **k),
    "GradCAMPlusPlus": lambda net: lambda **k: attribution.GradCAMPlusPlus(net, "2").attribute(X, **k),
}


def state(net: Any) -> Any:
    return (
        [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()],
        [
            (p.requires_grad, None if p.grad is None else p.grad.sum().item(), p.detach().sum().item())
            for p in net.parameters()
        ],
    )


@pytest.mark.parametrize("name", METHODS)
def test_targets_and_what_stays(name: str) -> None:
    assert set(METHODS) == set(attribution.__all__) - {"AttentionMaps", "attention_maps"}
    net = network()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    net[6].bias.grad = pydl.ones(4).double()
    before = state(net)
    call = METHODS[name](net)
    assert call(target=1).dtype == pydl.float64
    assert state(net) == before
    assert not X.requires_grad
    for target, error in (
        (4, IndexError),
        (-1, IndexError),
        ([0, 1, 9], IndexError),
        ([0, 1], ValueError),
        (None, ValueError),
        (1.5, TypeError),
        (pydl.zeros(3, 1).long(), ValueError),
    ):
        with pytest.raises(error, match=name if name != "SmoothGrad" else None):
            call(target=target)
        assert state(net) == before
    handle = net[4].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call(target=1)
    handle.remove()
    assert state(net) == before


def test_wrong_inputs_and_outputs() -> None:
    for method in (attribution.Saliency, attribution.SmoothGrad, attribution.IntegratedGradients):
        with pytest.raises(TypeError):
            method(quadratic).attribute(pydl.ones(2, 6, dtype=pydl.int64), target=0)
        with pytest.raises(TypeError):
            method(quadratic).attribute(np.ones((2, 6)), target=0)
        with pytest.raises(pydl.ShapeError):
            method(lambda x: x.reshape(-1, 2, 3)).attribute(pydl.ones(2, 6), target=0)
        with pytest.raises(pydl.ShapeError):
            method(lambda x: x.sum()).attribute(pydl.ones(2, 6), target=0)
        with pytest.raises(pydl.ShapeError):
            method(quadratic).attribute(pydl.ones(()), target=0)
    occlusion = attribution.Occlusion(quadratic)
    for window, strides in (
        ((7,), None),
        ((0,), None),
        ((2, 2), None),
        ((2,), 3),
        ((2,), 0),
        ((2,), (1, 1)),
        ((2**62,), None),
    ):
        with pytest.raises(ValueError):
            occlusion.attribute(pydl.ones(2, 6).double(), window, strides, target=0)
    with pytest.raises(ValueError):
        occlusion.attribute(pydl.ones(2, 6).double(), (2,), target=0, perturbations_per_eval=0)


class Two(nn.Module):
    """Attention as users call it: with and without weights, inside a transformer, and in a block."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.block = nn.blocks.SelfAttention(8, 4)
        self.cross = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Any, memory: Any) -> Any:
        x = self.block(self.layer(x))
        y, weights = self.cross(x, memory, memory, None, True)
        z, none = self.cross(y, memory, memory, need_weights=False)
        return y + z, weights, none


def test_attention_maps() -> None:
    pydl.manual_seed(0)
    net = Two()
    net.layer.self_attn.train()
    before = state(net)
    x, memory = pydl.randn(3, 5, 8), pydl.randn(3, 7, 8)
    maps = attribution.attention_maps(net, x, memory=memory)
    assert {name: tuple(w.shape) for name, w in maps.items()} == {
        "layer.self_attn": (3, 2, 5, 5),
        "block.attn": (3, 4, 5, 5),
        "cross": (3, 2, 5, 7),
    }
    for weights in maps.values():
        np.testing.assert_allclose(weights.sum(-1).numpy(), 1, rtol=1e-5)
        assert not weights.requires_grad
    assert state(net) == before
    net.eval()
    expected = net(x, memory)
    for ours, theirs in zip(maps.output, expected):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), atol=1e-5)
    averaged = attribution.attention_maps(net, x, memory, average=True)
    np.testing.assert_allclose(averaged["block.attn"].numpy(), maps["block.attn"].mean(1).numpy(), rtol=1e-5)
    assert attribution.attention_maps(nn.Linear(2, 2), pydl.ones(1, 2)) == {}
    assert attribution.attention_maps(nn.blocks.SelfAttention(8, 2), x[0])["attn"].shape == (1, 2, 5, 5)
    with pytest.raises((RuntimeError, AssertionError)):
        attribution.attention_maps(net, x, pydl.zeros(3, 7, 9))
    assert state(net)[0] == [(False, 0, 0)] * len(before[0])


def test_attention_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    maps = attribution.attention_maps(nn.blocks.SelfAttention(8, 3 - 1), pydl.randn(2, 4, 8))
    figure = maps.plot(tokens=["a", "b", "c", "d"])
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xticklabels()[1].get_text() == "b"
    assert (
        len(
            attribution.attention_maps(nn.blocks.SelfAttention(8), pydl.randn(2, 4, 8), average=True)
            .plot("attn", 1)
            .axes
        )
        == 1
    )
    with pytest.raises(KeyError):
        maps.plot("x")
    with pytest.raises(IndexError):
        maps.plot(sample=5)


def cubes(x):
    return (x.float() ** 3).sum(1, keepdim=True).expand(-1, 3)


@pytest.mark.parametrize("target", [[1], pydl.tensor([1]), np.array([1, 0, 2, 1]), (1, 0, 2, 1)])
def test_targets_of_every_kind_go_with_copies_of_the_batch(target):
    """One class in a list is for all samples, as it is in Saliency."""
    x = pydl.rand(4, 2)
    want = attribution.IntegratedGradients(cubes).attribute(x, target=1)
    assert pydl.allclose(attribution.IntegratedGradients(cubes).attribute(x, target=target), want)
    want = attribution.Occlusion(cubes).attribute(x, (1,), target=1)
    assert pydl.allclose(attribution.Occlusion(cubes).attribute(x, (1,), target=target, perturbations_per_eval=2), want)
    assert attribution.SmoothGrad(cubes).attribute(x, target, n_samples=2).shape == x.shape


@pytest.mark.parametrize("dtype, precision", [(pydl.float16, 2e-3), (pydl.bfloat16, 2e-2)])
def test_half_precision_is_added_up_in_float32(dtype, precision):
    x = pydl.rand(2, 300).to(dtype)
    explained, delta = attribution.IntegratedGradients(cubes).attribute(x, target=0, return_convergence_delta=True)
    assert explained.dtype == delta.dtype == dtype
    assert pydl.allclose(explained.float(), x.float() ** 3, rtol=precision, atol=precision)
    assert (delta.float().abs() < precision * 20).all()
    smooth = attribution.SmoothGrad(cubes).attribute(x, target=0, n_samples=400, stdevs=0.0)
    assert smooth.dtype == dtype and pydl.allclose(smooth.float(), 3 * x.float() ** 2, rtol=precision, atol=precision)


@pytest.mark.parametrize(
    "method, want", [("riemann_left", 0.0), ("riemann_middle", 0.5), ("riemann_right", 1.0), ("riemann_trapezoid", 0.5)]
)
def test_rules_of_quadrature(method, want):
    """The gradient 2 t of t^2 at n places: left and right of each part, in its middle, or at both ends, halved."""
    n = 5
    got = attribution.IntegratedGradients(lambda x: (x**2).sum(1)).attribute(pydl.ones(1, 1), n_steps=n, method=method)
    error = 0.0 if want == 0.5 else (1.0 if want else -1.0) / n
    assert got.item() == pytest.approx(1 + error, rel=1e-5)
