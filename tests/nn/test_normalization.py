"""Normalisation: accuracy beside a large mean, running statistics, layouts, threads, dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn

F = nn.functional
CALLS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "layer": (lambda x: F.layer_norm(x, x.shape[1:]), (1, 2, 3)),
    "group": (lambda x: F.group_norm(x, 1), (1, 2, 3)),
    "instance": (lambda x: F.instance_norm(x), (2, 3)),
    "batch": (lambda x: F.batch_norm(x, None, None, training=True), (0, 2, 3)),
    "batch-columns": (lambda x: F.batch_norm(x.flatten(1), None, None, training=True).reshape(x.shape), (0,)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("start", ["random", "far"])
def test_a_large_mean_costs_no_digits(name: str, start: str) -> None:
    """Data of mean 1e4 and standard deviation 1: PyTorch is off by 1.4e-3; a hundredth of it is asked for."""
    call, axes = CALLS[name]
    x = (np.random.default_rng(0).standard_normal((16, 4, 16, 16)) + 1e4).astype(np.float32)
    if start == "far":  # the first elements, from which a shift is guessed, are nothing like the rest
        x[0, :, :2] += 300
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + 1e-5)
    assert np.abs(call(pydl.tensor(x)).numpy() - expected).max() < 1.4e-5


@pytest.mark.parametrize("value", [0.0, 0.1, -1e4, 3e38])
def test_constant_data(value: float) -> None:
    for call, _ in CALLS.values():
        y = call(pydl.full((4, 3, 5, 7), value))
        assert y.abs().max().item() == 0.0


@pytest.mark.parametrize("name", CALLS)
def test_nan_and_infinity_stay_in_their_set(name: str) -> None:
    call, axes = CALLS[name]
    x = np.random.default_rng(0).standard_normal((4, 3, 5, 7))
    for bad in (np.nan, np.inf):
        x[1, 2, 3, 4] = bad
        with np.errstate(all="ignore"):
            expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
        np.testing.assert_array_equal(np.isnan(call(pydl.tensor(x)).numpy()), np.isnan(expected))


@pytest.mark.parametrize("shape", [(6, 3), (6, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics(shape: tuple[int, ...], momentum: float | None) -> None:
    torch = pytest.importorskip("torch")
    kind = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}[len(shape)]
    rng = np.random.default_rng(1)
    nets = [getattr(lib.nn, kind)(3, momentum=momentum) for lib in (pydl, torch)]
    for _ in range(4):
        x = rng.standard_normal(shape).astype(np.float32) * 2 + 5
        for lib, net in zip((pydl, torch), nets):
            net(lib.tensor(x))
    for key, value in nets[0].state_dict().items():
        np.testing.assert_allclose(value.numpy(), nets[1].state_dict()[key].numpy(), rtol=1e-5, atol=1e-6, err_msg=key)
    y, e = (net.eval()(lib.tensor(x)).detach().numpy() for lib, net in zip((pydl, torch), nets))
    np.testing.assert_allclose(y, e, rtol=1e-5, atol=1e-5)


def test_instance_running_statistics() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).standard_normal((4, 3, 7)).astype(np.float32)
    nets = [lib.nn.InstanceNorm1d(3, track_running_stats=True) for lib in (pydl, torch)]
    for lib, net in zip((pydl, torch), nets):
        net(lib.tensor(x))
    for key, value in nets[0].state_dict().items():
        np.testing.assert_allclose(value.numpy(), nets[1].state_dict()[key].numpy(), rtol=1e-5, err_msg=key)


@pytest.mark.parametrize("training", [True, False])
def test_channels_last(training: bool) -> None:
    """Images that lie channels last give the values of the contiguous ones, and stay channels last."""
    rng = np.random.default_rng(2)
    x = pydl.tensor(rng.standard_normal((3, 5, 4, 6))).requires_grad_()
    w, b = (pydl.tensor(rng.standard_normal(5)).requires_grad_() for _ in range(2))
    seed = pydl.tensor(rng.standard_normal((3, 5, 4, 6)))
    results = []
    for layout in (pydl.contiguous_format, pydl.channels_last):
        given = x.contiguous(memory_format=layout)
        mean, var = pydl.full((5,), 0.5, dtype=pydl.float64), pydl.full((5,), 2.0, dtype=pydl.float64)
        y = F.batch_norm(given, mean, var, w, b, training)
        assert y.is_contiguous(memory_format=layout)
        first = pydl.autograd.grad(y, (x, w, b), seed, retain_graph=True)
        second = pydl.autograd.grad(y, (x, w, b), seed, create_graph=True)
        results.append([y.detach(), mean, var, *first, *(s.detach() for s in second)])
    for a, e in zip(*results):
        np.testing.assert_allclose(a.numpy(), e.numpy(), rtol=1e-10, atol=1e-12)


SPLIT = {
    "layer": ((300, 700), lambda x, w, b: F.layer_norm(x, (700,), w, b)),
    "rms": ((300, 700), lambda x, w, b: F.rms_norm(x, (700,), w)),
    "group": ((4, 12, 50, 60), lambda x, w, b: F.group_norm(x, 3, w, b)),
    "instance": ((4, 12, 50, 60), lambda x, w, b: F.instance_norm(x, weight=w, bias=b)),
    "batch": ((4, 12, 70, 60), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
    "batch-few-channels": ((9, 1, 200, 200), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
    "batch-columns": ((3000, 50), lambda x, w, b: F.batch_norm(x, None, None, w, b, True)),
}


@pytest.mark.parametrize("name", SPLIT)
def test_bits_do_not_depend_on_threads(name: str) -> None:
    shape, call = SPLIT[name]
    rng = np.random.default_rng(3)
    channels = 700 if name in ("layer", "rms") else shape[1]
    x, w, b = (pydl.tensor(rng.standard_normal(s).astype(np.float32)) for s in (shape, channels, channels))
    inputs = [t.requires_grad_() for t in ((x, w) if name == "rms" else (x, w, b))]
    seed = pydl.tensor(rng.standard_normal(shape).astype(np.float32))
    found = set()
    before = pydl.get_num_threads()
    for threads in (1, 2, 3, 4):
        pydl.set_num_threads(threads)
        y = call(x, w, b)
        found.add(tuple(t.detach().numpy().tobytes() for t in (y, *pydl.autograd.grad(y, inputs, seed))))
    pydl.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mixed", [False, True])
def test_half_precision(dtype: str, mixed: bool) -> None:
    """16-bit input with weights of its own or of float32: computed in float32."""
    kind = getattr(pydl, dtype)
    rng = np.random.default_rng(4)
    x = pydl.tensor(rng.standard_normal((4, 6, 5)).astype(np.float32)).to(kind).requires_grad_()
    w, b = (pydl.tensor(rng.standard_normal(6).astype(np.float32)).to(kind) for _ in range(2))
    wide = [t.float().detach().requires_grad_() for t in (x, w, b)]
    given = [x, *(t.float() if mixed else t for t in (w, b))]
    for call in (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
        lambda x, w, b: F.group_norm(x, 2, w, b),
        lambda x, w, b: F.layer_norm(x.transpose(1, 2), (6,), w, b),
    ):
        y, e = call(*given), call(*wide)
        assert y.dtype == kind
        np.testing.assert_allclose(y.float().detach().numpy(), e.detach().numpy(), rtol=1e-2, atol=1e-2)
        (g,) = pydl.autograd.grad(y.float().square().sum(), x)
        assert g.dtype == kind


def test_refusals() -> None:
    x = pydl.ones(4, 3, 5)
    with pytest.raises(RuntimeError, match="mixed dtype"):
        F.layer_norm(x, (5,), pydl.ones(5, dtype=pydl.float64))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        F.batch_norm(pydl.ones(1, 3), None, None, training=True)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        F.instance_norm(pydl.ones(4, 3, 1))
    with pytest.raises(ValueError, match="2D or 3D"):
        nn.BatchNorm1d(3)(pydl.ones(3))
    with pytest.raises(ValueError, match="divisible"):
        nn.GroupNorm(2, 3)
    with pytest.raises(RuntimeError, match="leaf"):
        mean = pydl.zeros(3, requires_grad=True)
        F.batch_norm(x, mean, pydl.ones(3), training=True)
    with pytest.raises(NotImplementedError, match="layer_norm"):
        F.layer_norm(pydl.ones(2, 2, dtype=pydl.int64), (2,))


def test_files_without_a_counter_load() -> None:
    state = nn.BatchNorm1d(2).state_dict()
    del state["num_batches_tracked"], state._metadata
    net = nn.BatchNorm1d(2)
    net.load_state_dict(state)
    assert int(net.num_batches_tracked) == 0
