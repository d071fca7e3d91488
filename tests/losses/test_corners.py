"""Corners of single losses: numbers at the ends of a format, what does not count, arguments that make no sense."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import losses, nn


def gradient(function: Callable[[Any], Any], x: Any) -> Any:
    x = x.detach().requires_grad_()
    function(x).sum().backward()
    return x.grad


def test_a_tiny_probability_has_a_finite_derivative() -> None:
    """Below the smallest normal number 1 / p is infinite."""
    p = pydl.tensor([1e-40, 0.5])
    grad = gradient(lambda x: losses.focal_loss(x, pydl.ones(2), from_logits=False), p)
    assert grad.isfinite().all()


@pytest.mark.parametrize("small", [1e-8, 1e-20, 1e-30, 1e-37])
@pytest.mark.parametrize("other", [0.0, 1e-36, 0.3, 1.0])
def test_js_div_of_a_small_probability(small: float, other: float) -> None:
    """d/dp JS(p, q) = log(2 p / (p + q)) / 2, and the same for q; in float32 p^2 would vanish."""
    p, q = (pydl.tensor([v], requires_grad=True) for v in (small, other))
    value = losses.js_div_loss(p, q)
    value.backward()
    a, b = p.double().item(), q.double().item()
    middle = (a + b) / 2
    want = (a * np.log(a / middle) + (b * np.log(b / middle) if b else 0)) / 2
    assert value.item() == pytest.approx(want, rel=1e-5, abs=1e-44)
    assert p.grad.item() == pytest.approx(np.log(a / middle) / 2, rel=1e-5)
    if b:
        assert q.grad.item() == pytest.approx(np.log(b / middle) / 2, rel=1e-5)


def test_an_encoder_sees_the_dtype_of_the_input() -> None:
    loss = losses.SiameseLoss(nn.Linear(4, 2).half())
    assert loss(pydl.rand(3, 4).half(), pydl.rand(3, 4).half()).dtype == pydl.float16


def test_an_ignored_row_of_yolo_may_hold_anything() -> None:
    rubbish = [float("nan"), float("inf"), -1.0, 0.0, -1.0]
    target = pydl.tensor([[[0.5, 0.5, 0.1, 0.1, 1.0], rubbish]])
    grad = gradient(lambda x: losses.yolo_loss(x, target), pydl.rand(1, 2, 5))
    assert grad.isfinite().all() and grad[0, 0].abs().sum() > 0 and not grad[0, 1].any()


def test_the_derivative_by_the_mask() -> None:
    """d/dm_i sum(m l) / sum(m) = (l_i - mean) / sum(m), also where m_i = 0."""
    x, y = pydl.zeros(1, 1, 3), pydl.tensor([[[1.0, 2.0, 4.0]]])
    grad = gradient(lambda m: losses.pixelwise_loss(x, y, m), pydl.tensor([[0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(grad.numpy(), [[-1.0, -0.5, 0.5]], rtol=1e-6)
    assert not gradient(lambda m: losses.pixelwise_loss(x, y, m), pydl.zeros(1, 3)).any()
    infinite = losses.pixelwise_loss(x, y / pydl.tensor([0.0, 1, 1]), pydl.tensor([[0.0, 1.0, 1.0]]))
    assert infinite.item() == 3.0


def test_labels_are_whole_numbers_in_their_range() -> None:
    x, boxes, halves = pydl.zeros(1, 2, 3), pydl.zeros(1, 2, 4), pydl.tensor([[0.5, 1.0]])
    for loss in (losses.ssd_loss, losses.retinanet_loss):
        with pytest.raises(TypeError, match="labels"):
            loss(x, boxes, halves, boxes)
    with pytest.raises(TypeError, match="target"):
        losses.pixelwise_loss(pydl.zeros(1, 3, 2), halves, loss="cross_entropy")
    with pytest.raises(IndexError, match="target"):
        losses.pixelwise_loss(pydl.zeros(1, 3, 2), pydl.tensor([[-100, 1]]), loss="cross_entropy")


def test_rmse_without_eps_is_flat_at_zero_error() -> None:
    assert not gradient(lambda x: losses.rmse_loss(x, pydl.zeros(2), eps=0.0), pydl.zeros(2)).any()


def test_barlow_twins_of_features_that_are_decorrelated() -> None:
    """The squares off the diagonal are not what is left of a difference of large sums."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(np.column_stack([np.ones(512), rng.standard_normal((512, 200))]))[0][:, 1:]
    x = (q + 1e-6 * rng.standard_normal(q.shape)).astype(np.float32)
    single, double = (
        losses.barlow_twins_loss(t, t, lambd=1.0, eps=0.0).item() for t in (pydl.tensor(x), pydl.tensor(x).double())
    )
    assert single == pytest.approx(double, rel=1e-3)


def test_total_variation_of_a_huge_constant() -> None:
    assert losses.total_variation_loss(pydl.full((1, 1, 4), 3e38)).item() == 0


class TwoParts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.other = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True)), nn.Linear(2, 2)

    def forward(self, x: Any) -> Any:
        return self.used(x)


def test_a_layer_that_does_not_run() -> None:
    x = pydl.rand(1, 2)
    with pytest.raises(ValueError, match="other"):
        losses.perceptual_loss(x, x, TwoParts(), layers=["other"])


def test_features_are_what_the_layer_returned() -> None:
    """Also where the next module changes them in place."""
    net = TwoParts()
    x, y = pydl.rand(3, 2) - 0.5, pydl.rand(3, 2) - 0.5
    linear = net.used[0]
    want = (linear(x) - linear(y)).square().mean()
    got = losses.perceptual_loss(x, y, net, layers=["used.0"])
    np.testing.assert_allclose(got.item(), want.item(), rtol=1e-6)


def test_generalized_dice_of_a_volume_whose_square_vanishes() -> None:
    loss = losses.generalized_dice_loss(pydl.full((1, 2, 2), 0.5), pydl.full((1, 2, 2), 1e-25))
    assert loss.isfinite()


def test_arguments_that_make_no_sense() -> None:
    x = pydl.rand(1, 2, 4)
    with pytest.raises(ValueError, match="alpha"):
        losses.hausdorff_dt_loss(x, x, alpha=-1.0)
    with pytest.raises(ValueError, match="bins"):
        losses.embedding_histogram_loss(pydl.eye(2), pydl.tensor([0, 0]), bins=1)
    with pytest.raises(TypeError, match="input"):
        losses.deeplab_loss({"out": [1.0]}, pydl.zeros(1, 2, dtype=pydl.int64))
    whole = pydl.ones(2, 1, dtype=pydl.int64)
    with pytest.raises(TypeError, match="real"):
        losses.gradient_penalty(lambda t: t.sum(1), whole, whole)


def test_spacing_as_a_tensor_or_an_array() -> None:
    mask = pydl.tensor([[[[0, 1], [1, 1]]]])
    want = losses.signed_distance(mask, [1.0, 2.0]).tolist()
    assert losses.signed_distance(mask, pydl.tensor([1.0, 2.0])).tolist() == want
    assert losses.signed_distance(mask, np.array([1.0, 2.0])).tolist() == want


def test_a_critic_that_does_not_look() -> None:
    x = pydl.rand(3, 2)
    assert losses.gradient_penalty(lambda t: pydl.ones(3, 1), x, x).item() == 1
    bias = pydl.ones(1, requires_grad=True)
    assert losses.gradient_penalty(lambda t: bias.expand(3), x, x, target=2.0).item() == 4


def test_entropic_transport_says_that_it_did_not_converge() -> None:
    p = pydl.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    q = pydl.tensor([[0.4, 0.1, 0.1, 0.4], [0.0, 0.0, 0.0, 1.0]])
    options: dict[str, Any] = {"method": "sinkhorn", "eps": 0.3}
    with pytest.warns(RuntimeWarning, match="max_iter=2 steps for 1 of 2 pairs"):
        losses.earth_mover_loss(p, q, max_iter=2, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losses.earth_mover_loss(p, q, max_iter=5000, **options)
        losses.earth_mover_loss(p, q, max_iter=2, tol=0.0, **options)  # all steps are what is asked for
        losses.earth_mover_loss(p[:0], q[:0], **options)
