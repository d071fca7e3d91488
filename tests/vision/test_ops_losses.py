"""Losses of boxes and of dense detection, and the modules around the pooling of regions."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest

import pydl
from pydl.vision import ops

RNG = np.random.default_rng(0)


def boxes(n: int) -> Any:
    low = RNG.uniform(0, 10, (n, 2))
    return np.concatenate([low, low + RNG.uniform(1, 6, (n, 2))], 1)


def plain_losses(a: Any, b: Any, eps: float = 1e-7) -> dict[str, Any]:
    """Rezatofighi et al. 2019 and Zheng et al. 2020, box by box."""
    out: dict[str, list[float]] = {"generalized": [], "distance": [], "complete": []}
    for p, q in zip(a, b):
        w, h = min(p[2], q[2]) - max(p[0], q[0]), min(p[3], q[3]) - max(p[1], q[1])
        inter = max(w, 0) * max(h, 0)
        union = (p[2] - p[0]) * (p[3] - p[1]) + (q[2] - q[0]) * (q[3] - q[1]) - inter
        iou = inter / (union + eps)
        W, H = max(p[2], q[2]) - min(p[0], q[0]), max(p[3], q[3]) - min(p[1], q[1])
        out["generalized"].append(1 - (iou - (W * H - union) / (W * H + eps)))
        centres = ((p[0] + p[2] - q[0] - q[2]) / 2) ** 2 + ((p[1] + p[3] - q[1] - q[3]) / 2) ** 2
        distance = 1 - iou + centres / (W * W + H * H + eps)
        out["distance"].append(distance)
        v = 4 / math.pi**2 * (math.atan((q[2] - q[0]) / (q[3] - q[1])) - math.atan((p[2] - p[0]) / (p[3] - p[1]))) ** 2
        out["complete"].append(distance + v / (1 - iou + v + eps) * v)
    return {k: np.array(v) for k, v in out.items()}


@pytest.mark.parametrize("kind", ["generalized", "distance", "complete"])
def test_box_losses(kind: str) -> None:
    loss = {
        "generalized": ops.generalized_box_iou_loss,
        "distance": ops.distance_box_iou_loss,
        "complete": ops.complete_box_iou_loss,
    }[kind]
    a, b = boxes(40), boxes(40)
    b[:8] = a[:8] + RNG.uniform(-0.4, 0.4, (8, 4))
    expected = plain_losses(a, b)[kind]
    x, y = pydl.tensor(a, requires_grad=True), pydl.tensor(b, requires_grad=True)
    np.testing.assert_allclose(loss(x, y).detach().numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(loss(x, y, reduction="mean").item(), expected.mean(), rtol=1e-9)
    np.testing.assert_allclose(loss(x, y, reduction="sum").item(), expected.sum(), rtol=1e-9)
    if kind != "complete":  # whose weight of the ratios is a constant of the derivative
        assert pydl.autograd.gradcheck(lambda x, y: loss(x, y), (x, y))
    np.testing.assert_allclose(loss(x, x).detach().numpy(), np.zeros(40), atol=1e-6)
    loss(x.float(), y.float()).sum().backward()
    empty = pydl.zeros(0, 4, requires_grad=True)
    assert loss(empty, empty, reduction="mean").item() == 0
    with pytest.raises(ValueError, match="reduction"):
        loss(x, y, reduction="median")


def test_sigmoid_focal_loss() -> None:
    x, y = RNG.normal(size=(5, 3)) * 4, RNG.integers(0, 2, (5, 3)).astype(float)
    for alpha, gamma in ((0.25, 2.0), (-1, 2.0), (0.7, 0.0), (0.5, 1.5)):
        p = 1 / (1 + np.exp(-x))
        pt = np.where(y == 1, p, 1 - p)
        weight = np.where(y == 1, alpha, 1 - alpha) if alpha >= 0 else 1.0
        expected = -weight * (1 - pt) ** gamma * np.log(pt)
        t = pydl.tensor(x, requires_grad=True)
        got = ops.sigmoid_focal_loss(t, pydl.tensor(y), alpha, gamma)
        np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-9)
        assert pydl.autograd.gradcheck(lambda t: ops.sigmoid_focal_loss(t, pydl.tensor(y), alpha, gamma), (t,))  # noqa: B023
    huge = pydl.tensor([-1e4, 1e4], requires_grad=True)
    loss = ops.sigmoid_focal_loss(huge, pydl.tensor([1.0, 0.0]), reduction="sum")
    loss.backward()
    assert loss.isfinite() and huge.grad.isfinite().all()
    with pytest.raises(ValueError, match="alpha"):
        ops.sigmoid_focal_loss(huge, huge.detach(), alpha=1.5)


ROIS = pydl.tensor([[0, 1.0, 1, 9, 9], [1, 0, 2, 5, 11], [0, 3, 3, 3.5, 4]])


@pytest.mark.parametrize(
    ("module", "function", "args"),
    [
        (ops.RoIPool(3, 0.5), ops.roi_pool, (3, 0.5)),
        (ops.RoIAlign((3, 2), 0.5, 2, True), ops.roi_align, ((3, 2), 0.5, 2, True)),
        (ops.PSRoIPool(2, 0.5), ops.ps_roi_pool, (2, 0.5)),
        (ops.PSRoIAlign(2, 0.5, 2), ops.ps_roi_align, (2, 0.5, 2)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_modules_of_regions(module: Any, function: Any, args: Any) -> None:
    x = pydl.rand(2, 8, 8, 8)
    assert pydl.equal(module(x, ROIS), function(x, ROIS, *args))
    per_image = [ROIS[ROIS[:, 0] == i, 1:] for i in range(2)]
    order = pydl.cat([(ROIS[:, 0] == i).nonzero().view(-1) for i in range(2)])
    assert pydl.equal(module(x, per_image), module(x, ROIS)[order])
    assert repr(module).startswith(type(module).__name__) and copy.deepcopy(module)(x, ROIS).shape[0] == 3
    assert module(x, ROIS[:0]).shape[0] == 0
    for bad in (ROIS[:, :4], pydl.tensor([[2.0, 0, 0, 1, 1]])):
        with pytest.raises((RuntimeError, AssertionError, ValueError, IndexError)):
            module(x, bad)


def test_drop_block_module() -> None:
    pydl.manual_seed(0)
    layer = ops.DropBlock2d(0.2, 3)
    out = layer(pydl.ones(32, 8, 16, 16))
    dropped = float((out == 0).float().mean())
    assert 0.1 < dropped < 0.3 and abs(float(out.mean()) - 1) < 0.05
    assert layer.eval()(out) is out or pydl.equal(layer(out), out)
    assert "block_size=3" in repr(layer)
