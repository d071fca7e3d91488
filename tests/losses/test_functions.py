"""Functions that are no losses of a class, and what is special to single losses."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from scipy import ndimage, special

import pydl
from pydl import losses


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_signed_distance(rng: np.random.Generator) -> None:
    mask = rng.random((2, 3, 9, 11)) < 0.4
    mask[0, 0], mask[1, 2] = False, True
    got = losses.signed_distance(pydl.tensor(mask), sampling=[2.0, 0.5]).numpy()
    assert got.dtype == np.float32
    for at in np.ndindex(2, 3):
        m = mask[at]
        want = np.zeros(m.shape)
        if at not in ((0, 0), (1, 2)):
            want = ndimage.distance_transform_edt(~m, (2, 0.5)) - ndimage.distance_transform_edt(m, (2, 0.5))
        np.testing.assert_allclose(got[at], want, rtol=1e-6)
    soft = pydl.tensor(np.where(mask, 0.51, 0.5)).double().requires_grad_()
    twice = losses.signed_distance(soft, 2.0)
    assert twice.dtype == pydl.float64 and not twice.requires_grad
    np.testing.assert_allclose(twice.numpy(), 2 * losses.signed_distance(pydl.tensor(mask)).double().numpy(), rtol=1e-6)
    assert losses.signed_distance(pydl.ones(2, 3)).tolist() == [[0.0] * 3] * 2
    assert losses.signed_distance(pydl.zeros(2, 3, 0, dtype=pydl.bfloat16)).dtype == pydl.bfloat16
    with pytest.raises(ValueError, match="sampling"):
        losses.signed_distance(pydl.ones(1, 1, 4, 4), [1.0])
    with pytest.raises(ValueError, match="sampling"):
        losses.signed_distance(pydl.ones(1, 1, 4), 0.0)
    with pytest.raises(pydl.ShapeError, match="mask"):
        losses.signed_distance(pydl.ones(4))


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_entropy(dim: int, rng: np.random.Generator) -> None:
    x = rng.standard_normal((3, 4, 5))
    want = special.entr(special.softmax(x, axis=dim)).sum(dim)
    np.testing.assert_allclose(losses.entropy(pydl.tensor(x), dim, reduction="none").numpy(), want, rtol=1e-12)
    p = pydl.tensor(special.softmax(x, axis=dim))
    np.testing.assert_allclose(losses.entropy(p, dim, False).item(), want.mean(), rtol=1e-12)
    sure = pydl.tensor([[1.0, 0.0], [0.5, 0.5]], requires_grad=True)
    got = losses.entropy(sure, from_logits=False, reduction="sum")
    np.testing.assert_allclose(got.item(), np.log(2), rtol=1e-6)
    got.backward()
    assert sure.grad.isfinite().all()
    assert losses.entropy(pydl.tensor([[1e4, -1e4]])).item() == 0
    with pytest.raises(ValueError, match="entropy"):
        losses.entropy(pydl.tensor([[2.0, -1.0]]), from_logits=False)
    with pytest.raises(IndexError):
        losses.entropy(pydl.zeros(3))
    assert pydl.autograd.gradcheck(lambda t: losses.entropy(t, dim), [pydl.tensor(x, requires_grad=True)])


def test_soft_histogram(rng: np.random.Generator) -> None:
    x = rng.uniform(-0.5, 1.5, (2, 3, 40))
    centres = np.linspace(-0.25, 1, 6)
    want = np.maximum(0, 1 - np.abs(np.clip(x, -0.25, 1)[..., None] - centres) / 0.25).mean(2)
    got = losses.soft_histogram(pydl.tensor(x), 6, (-0.25, 1.0))
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(got.sum(-1).numpy(), 1.0)
    assert pydl.autograd.gradcheck(
        lambda t: losses.soft_histogram(t, 6, (-0.25, 1.0)), [pydl.tensor(x[0, 0, :5], requires_grad=True)]
    )
    for bad in ({"bins": 1}, {"value_range": (1.0, 1.0)}):
        with pytest.raises(ValueError, match="soft_histogram"):
            losses.soft_histogram(pydl.tensor(x), **bad)


def test_gram_matrix_and_mutual_information(rng: np.random.Generator) -> None:
    f = rng.standard_normal((2, 3, 4, 5))
    flat = f.reshape(2, 3, -1)
    want = np.einsum("ncl,ndl->ncd", flat, flat)
    np.testing.assert_allclose(losses.gram_matrix(pydl.tensor(f), normalize=False).numpy(), want, rtol=1e-12)
    np.testing.assert_allclose(losses.gram_matrix(pydl.tensor(f)).numpy(), want / 60, rtol=1e-12)
    with pytest.raises(pydl.ShapeError, match="gram_matrix"):
        losses.gram_matrix(pydl.ones(3))
    x, y = (pydl.tensor(rng.random((2, 50))) for _ in range(2))
    assert losses.mutual_information(x, y) == -losses.mutual_information_loss(x, y)
    assert losses.mutual_information(x, x) > losses.mutual_information(x, y) > -1e-6


def cubic(x: Any) -> Any:
    return (x**3).flatten(1).sum(1) / 3


def test_gradient_penalty(rng: np.random.Generator) -> None:
    real, fake, alpha = rng.standard_normal((4, 2, 3)), rng.standard_normal((4, 2, 3)), rng.random(4)
    mix = alpha[:, None, None]
    length = np.linalg.norm(((mix * real + (1 - mix) * fake) ** 2).reshape(4, -1), axis=1)
    args = [pydl.tensor(v) for v in (real, fake, alpha)]
    got = losses.gradient_penalty(cubic, *args, target=0.5, reduction="none")
    np.testing.assert_allclose(got.detach().numpy(), (length - 0.5) ** 2, rtol=1e-10)
    got = losses.gradient_penalty(cubic, *args, target=3.0, one_sided=True)
    np.testing.assert_allclose(got.item(), (np.maximum(0, length - 3) ** 2).mean(), rtol=1e-10)

    net = pydl.nn.Sequential(pydl.nn.Linear(6, 5), pydl.nn.Tanh(), pydl.nn.Linear(5, 1)).double()
    weights = list(net.parameters())
    flat = [t.flatten(1) if t.dim() > 1 else t for t in args]
    value = losses.gradient_penalty(net, *flat)
    with pydl.no_grad():
        assert losses.gradient_penalty(net, *flat) == value.detach()
    value.backward()
    assert weights[0].grad.abs().sum() > 0

    constant = losses.gradient_penalty(lambda x: 0 * x.sum((1, 2)), *args)
    assert constant.item() == 1.0
    first = losses.gradient_penalty(cubic, *args[:2], generator=pydl.Generator().manual_seed(3))
    again = losses.gradient_penalty(cubic, *args[:2], generator=pydl.Generator().manual_seed(3))
    assert first == again
    with pytest.raises(pydl.ShapeError, match="alpha"):
        losses.gradient_penalty(cubic, *args[:2], pydl.rand(3))
    with pytest.raises(pydl.ShapeError, match="fake"):
        losses.gradient_penalty(cubic, args[0], args[1][:2])


def test_wgan_gp_draws_alpha_and_holds_fake_constant() -> None:
    fake = pydl.rand(3, 2, requires_grad=True)
    critic = pydl.nn.Linear(2, 1)
    losses.WGANGPLoss()(critic, pydl.rand(3, 2), fake).backward()
    assert fake.grad is None and critic.weight.grad is not None


def test_penalties() -> None:
    net = pydl.nn.Sequential(pydl.nn.Linear(2, 2), pydl.nn.Linear(2, 2))
    net[1].weight = net[0].weight  # counted once
    with pydl.no_grad():
        for p in net.parameters():
            p.copy_(pydl.arange(p.numel()).reshape(p.shape) - 1.0)
    assert losses.l1_penalty(net).item() == (1 + 0 + 1 + 2) + 2 * 1
    assert losses.l2_penalty(net, 0.5, "*.weight").item() == 0.5 * (1 + 0 + 1 + 4)
    assert losses.l2_penalty(net, filter=lambda name, p: name == "1.bias").item() == 1
    assert losses.l1_penalty(net, filter="nothing").item() == 0
    assert losses.l1_penalty([pydl.tensor([-2.0]), pydl.tensor(3.0)], 2.0).item() == 10
    losses.l1_penalty(net).backward()
    assert net[0].weight.grad.tolist() == [[-1.0, 0.0], [1.0, 1.0]]
    with pytest.raises(TypeError, match="l2_penalty"):
        losses.l2_penalty([1.0])


class Extractor(pydl.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = pydl.nn.Conv2d(2, 3, 3)
        self.norm = pydl.nn.BatchNorm2d(3)
        self.last = pydl.nn.ReLU()

    def forward(self, x: Any) -> Any:
        return {"out": self.last(self.norm(self.first(x)))}


def test_an_extractor_is_frozen() -> None:
    net = Extractor()
    loss = losses.PerceptualLoss(net, layers=["first", "last"], weights=[0.5, 2.0])
    x, y = pydl.rand(2, 2, 6, 6, requires_grad=True), pydl.rand(2, 2, 6, 6, requires_grad=True)
    loss.train()
    assert loss.training and not net.training and not any(p.requires_grad for p in loss.parameters())
    value = loss(x, y)
    first = (net.first(x) - net.first(y)).square().mean()
    last = (net(x)["out"] - net(y)["out"]).square().mean()
    np.testing.assert_allclose(value.item(), (0.5 * first + 2 * last).item(), rtol=1e-5)
    value.backward()
    assert x.grad.abs().sum() > 0 and y.grad is None
    assert not net.first._forward_hooks
    # The mapping it returns, and as a function without freezing
    own = Extractor().eval()
    got = losses.perceptual_loss(x, y, own)
    np.testing.assert_allclose(got.item(), (own(x)["out"] - own(y)["out"]).square().mean().item(), rtol=1e-5)
    assert all(p.requires_grad for p in own.parameters())
    for cls in (losses.StyleLoss, losses.ContentLoss):
        assert not cls(Extractor()).train().feature_extractor.training
    with pytest.raises(TypeError, match="feature_extractor"):
        losses.ContentLoss(3)


def test_features_in_half_precision() -> None:
    x = pydl.rand(2, 2, 6, 6).bfloat16()
    assert losses.PerceptualLoss(Extractor().bfloat16())(x, x * 0.5).dtype == pydl.bfloat16
    assert losses.style_loss([x], [x * 0.5]).dtype == pydl.bfloat16


def test_shape_prior_holds_its_alignment_constant(rng: np.random.Generator) -> None:
    p = pydl.tensor(rng.random((2, 1, 5, 6)), requires_grad=True)
    prior = pydl.tensor(rng.random((4, 4)))
    losses.ShapePriorLoss(prior, weight=3.0, reduction="sum")(p).backward()
    with pydl.no_grad():
        from pydl.losses.boundary import _aligned

        a = _aligned(p[:, 0], prior, "mask", True)
    np.testing.assert_allclose(p.grad[:, 0].numpy(), 3 * 2 * (p[:, 0].detach() - a).numpy() / 30, rtol=1e-12)


def test_parameters_of_losses() -> None:
    pydl.manual_seed(0)
    centers = losses.CenterLoss(200, 50).centers
    assert abs(centers.std().item() - 1) < 0.05 and centers.requires_grad
    for cls in (losses.AngularLoss, losses.ArcFaceLoss, losses.CosFaceLoss):
        weight = cls(200, 50).weight
        bound = (6 / 250) ** 0.5
        assert 0.9 * bound < weight.abs().max().item() <= bound
        assert list(cls(4, 3).state_dict()) == ["weight"]
    with pytest.raises(ValueError, match="CenterLoss"):
        losses.CenterLoss(0, 3)


@pytest.mark.parametrize("cls", [losses.ArcFaceLoss, losses.CosFaceLoss, losses.CenterLoss, losses.AngularLoss])
def test_losses_with_parameters_learn(cls: Any, rng: np.random.Generator) -> None:
    pydl.manual_seed(0)
    y = pydl.tensor(rng.integers(0, 3, 60))
    x = pydl.tensor(rng.standard_normal((60, 4)), dtype=pydl.float32) * 0.3 + pydl.eye(3, 4)[y] * 2
    loss = cls(3, 4)
    optimizer = pydl.optim.SGD(loss.parameters(), lr=0.5)
    before = loss(x, y).item()
    for _ in range(50):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
    assert loss(x, y).item() < 0.7 * before


def test_uncertainty_by_names() -> None:
    loss = losses.UncertaintyWeightedLoss(["a", "b"], ["classification", "regression"])
    a, b = pydl.tensor(2.0), pydl.tensor(4.0)
    assert loss({"b": b, "a": a}).item() == 2 + 2
    with pytest.raises(KeyError, match="b"):
        loss({"a": a})
    with pytest.raises(ValueError, match="c"):
        loss({"a": a, "b": b, "c": a})
    with pytest.raises(ValueError, match="mapping"):
        loss([a, b])
    with pytest.raises(ValueError, match="sequence"):
        losses.UncertaintyWeightedLoss(2)({"a": a, "b": b})
    assert losses.UncertaintyWeightedLoss(2)(pydl.tensor([2.0, 4.0])).item() == 3
    with pytest.raises(ValueError, match="tasks"):
        losses.UncertaintyWeightedLoss(["a", "a"])
    # Learned: exp(s) = L at the optimum of L exp(-s) / 2 + s / 2.
    learned = losses.UncertaintyWeightedLoss(2)
    optimizer = pydl.optim.SGD(learned.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        learned([a, b]).backward()
        optimizer.step()
    np.testing.assert_allclose(learned.log_vars.exp().detach().numpy(), [2.0, 4.0], rtol=1e-3)


def test_outputs_of_a_segmentation_network(rng: np.random.Generator) -> None:
    out, aux = (pydl.tensor(rng.standard_normal((2, 3, s, s))) for s in (4, 2))
    y = pydl.tensor(rng.integers(0, 3, (2, 8, 8)))
    resized = [pydl.nn.functional.interpolate(t, (8, 8), mode="bilinear", align_corners=False) for t in (out, aux)]
    want = sum(w * pydl.nn.functional.cross_entropy(t, y) for w, t in zip((1, 0.5), resized))
    for outputs in ({"out": out, "aux": aux}, (out, aux)):
        np.testing.assert_allclose(losses.deeplab_loss(outputs, y).item(), want.item(), rtol=1e-10)
    np.testing.assert_allclose(
        losses.deeplab_loss({"out": out}, y).item(), pydl.nn.functional.cross_entropy(resized[0], y).item(), rtol=1e-10
    )
    with pytest.raises(ValueError, match="out"):
        losses.deeplab_loss({"logits": out}, y)
    assert losses.deeplab_loss({"out": out.bfloat16()}, y).dtype == pydl.bfloat16


def test_deep_supervision_resizes_labels(rng: np.random.Generator) -> None:
    y = pydl.tensor(rng.integers(0, 3, (2, 8, 8)))
    outputs = [pydl.tensor(rng.standard_normal((2, 3, s, s))) for s in (8, 4)]
    got = losses.DeepSupervisionLoss(pydl.nn.CrossEntropyLoss())(outputs, y)
    coarse = y[:, 1::2, 1::2]
    want = pydl.nn.functional.cross_entropy(outputs[0], y) + pydl.nn.functional.cross_entropy(outputs[1], coarse) / 2
    np.testing.assert_allclose(got.item(), want.item(), rtol=1e-10)


def test_adversarial_methods() -> None:
    for mode in ("vanilla", "lsgan", "hinge", "wgan"):
        loss = losses.AdversarialLoss(mode)
        real, fake = pydl.tensor([0.3, -2.0]), pydl.tensor([[1.5], [0.2], [-1.0]])
        want = losses.adversarial_loss(real, True, mode=mode) + losses.adversarial_loss(fake, False, mode=mode)
        assert loss(real, fake) == loss.discriminator(real, fake) == want
        assert loss.generator(fake) == losses.adversarial_loss(fake, True, for_discriminator=False, mode=mode)
    assert losses.WassersteinLoss().generator(pydl.tensor([1.0, 3.0])).item() == -2


def test_other_names() -> None:
    assert losses.IoULoss is losses.JaccardLoss and losses.iou_loss is losses.jaccard_loss
    assert losses.JensenShannonLoss is losses.JSDivLoss and losses.jensen_shannon_loss is losses.js_div_loss
    assert losses.InfoNCE is losses.InfoNCELoss


def test_options_are_attributes_and_buffers() -> None:
    loss = losses.DiceLoss(sigmoid=True, weight=pydl.tensor([1.0, 2.0]))
    assert loss.sigmoid is True and list(loss.state_dict()) == ["weight"]
    assert repr(loss) == "DiceLoss(sigmoid=True)"
    loss.reduction = "sum"
    assert loss(pydl.zeros(1, 2, 3), pydl.zeros(1, 2, 3)).shape == ()
    with pytest.raises(TypeError, match="DiceLoss"):
        losses.DiceLoss(no_such=1)
    assert losses.FocalLoss(alpha=pydl.tensor([0.5, 1.0])).double().alpha.dtype == pydl.float64


def test_optional_tensors_are_checked() -> None:
    x = pydl.rand(2, 3, 4)
    for call in (
        lambda: losses.boundary_loss(x, "mask"),
        lambda: losses.pixelwise_loss(x, x, 3),
        lambda: losses.pointnet_loss(x, pydl.zeros(2, 4, dtype=pydl.int64), [[1.0]]),
        lambda: losses.gram_matrix(3),
    ):
        with pytest.raises(TypeError, match="must be a Tensor"):
            call()
    with pytest.raises(ValueError, match="reduction must be one of"):
        losses.rmse_loss(x, x, reduction=x)
    with pytest.raises(TypeError, match="floating-point"):
        losses.rmse_loss(x.long(), x)


def test_an_empty_batch() -> None:
    assert losses.DiceLoss()(pydl.zeros(0, 2, 3), pydl.zeros(0, 2, 3)).item() == 0
    assert losses.FocalLoss()(pydl.zeros(0, 2), pydl.zeros(0, dtype=pydl.int64)).item() == 0
    assert losses.TotalVariationLoss()(pydl.zeros(0, 1, 3)).item() == 0


def test_chamfer_takes_no_table() -> None:
    """A table of all distances would be 3.2 GB."""
    a, b = pydl.rand(20000, 3), pydl.rand(20000, 3)
    pydl.reset_peak_memory_stats()
    before = pydl.memory_stats()
    losses.chamfer_loss(a.requires_grad_(), b).backward()
    after = pydl.memory_stats()
    key = next(k for k in after if "peak" in k)
    assert after[key] - before[key] < 50e6


def test_exact_transport_needs_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    p = pydl.rand(1, 3)
    with pytest.raises(ImportError, match="SciPy"):
        losses.earth_mover_loss(p, p, method="exact")
    assert losses.earth_mover_loss(p, p).item() == 0


def test_sinkhorn_tends_to_the_exact_cost(rng: np.random.Generator) -> None:
    p, q = pydl.tensor(rng.random((2, 6))), pydl.tensor(rng.random((2, 5)))
    cost = pydl.tensor(rng.random((6, 5)))
    exact = losses.earth_mover_loss(p, q, cost, "exact", reduction="none")
    gaps = []
    for eps in (0.1, 0.01, 0.001):
        got = losses.earth_mover_loss(p, q, cost, "sinkhorn", eps=eps, max_iter=20000, reduction="none")
        gaps.append((got - exact).abs().max().item())
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 1e-4


def test_loss_in_training_of_each_detector_head() -> None:
    """SSD's hard negatives change with the prediction, their number does not."""
    pydl.manual_seed(0)
    logits = pydl.randn(2, 50, 3, requires_grad=True)
    boxes = pydl.zeros(2, 50, 4)
    labels = pydl.zeros(2, 50, dtype=pydl.int64)
    labels[0, :3], labels[1, 7] = 1, 2
    losses.ssd_loss(logits, boxes, labels, boxes, reduction="sum").backward()
    assert (logits.grad.abs().sum(2) > 0).sum(1).tolist() == [3 + 9, 1 + 3]
