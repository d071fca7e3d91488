"""GAN, WGAN-GP, CycleGAN, style transfer: they learn, and leave alone what is not theirs."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import pydl
from pydl import models, nn


def perceptron(i: int, o: int, width: int = 32) -> nn.Module:
    return nn.Sequential(nn.Linear(i, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, o))


def adam(parameters: Any, lr: float = 2e-3) -> Any:
    return pydl.optim.Adam(parameters, lr=lr, betas=(0.0, 0.9))


def data(n: int) -> Any:
    """Points around (2, -1), longer than wide."""
    return pydl.randn(n, 2) * pydl.tensor([0.5, 0.1]) + pydl.tensor([2.0, -1.0])


@pytest.mark.parametrize("mode", ["vanilla", "lsgan", "hinge"])
def test_gan_moves_to_the_data(mode: str) -> None:
    pydl.manual_seed(0)
    gan = models.GAN(perceptron(2, 2), perceptron(2, 1), 2, mode)
    before = (gan.sample(500).mean(0) - data(500).mean(0)).norm()
    g, d = adam(gan.generator.parameters()), adam(gan.discriminator.parameters())
    for _ in range(150):
        losses = gan.step(data(128), g, d)
    assert (gan.sample(500).mean(0) - data(500).mean(0)).norm() < 0.4 * before, mode
    assert set(losses) == {"generator", "discriminator"}
    assert all(p.grad is None for p in gan.discriminator.parameters())


def test_wgan_gp_brings_the_distance_down() -> None:
    pydl.manual_seed(0)
    gan = models.WGANGP(perceptron(2, 2), perceptron(2, 1), 2)
    g, d = adam(gan.generator.parameters()), adam(gan.discriminator.parameters())
    distances = []
    for _ in range(400):
        gan.step(data(128), g, d, rounds=5)
        real, fake = data(512), gan.sample(512)
        distances.append(float(gan.discriminator(real).mean() - gan.discriminator(fake).mean()))
    late = sum(distances[-20:]) / 20
    assert late < 0.3 * max(distances), (max(distances), late)
    again = models.WGANGP(perceptron(2, 2), perceptron(2, 1), 2)
    again.load_state_dict(copy.deepcopy(gan.state_dict()))
    z = gan.latent(4, pydl.Generator().manual_seed(1))
    assert pydl.equal(again(z), gan(z)) and not gan.sample(3).requires_grad


def test_cycle_gan_translates_without_pairs() -> None:
    """Dark images to bright ones and back: both directions come back to what they were."""
    pydl.manual_seed(0)

    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))

    def critic() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3))

    model = models.CycleGAN(make(), make(), critic(), critic(), lambda_identity=0.0)
    g, d = adam(model.generator_parameters(), 5e-3), adam(model.discriminator_parameters(), 5e-3)
    for _ in range(120):
        losses = model.step(0.3 * pydl.rand(16, 1, 8, 8), 0.7 + 0.3 * pydl.rand(16, 1, 8, 8), g, d)
    x = 0.3 * pydl.rand(64, 1, 8, 8)
    with pydl.no_grad():
        bright = model(x)
        assert bright.mean() > 0.55 and (model.F(bright) - x).abs().mean() < 0.15
    assert losses["cycle"] < 3.0
    assert len(model.generator_parameters()) == 8 and len(model.discriminator_parameters()) == 8


def test_style_transfer() -> None:
    pydl.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    before = copy.deepcopy(network.state_dict())
    content, style = pydl.rand(1, 3, 20, 20), pydl.rand(1, 3, 24, 16) * pydl.tensor([1.0, 0.2, 0.2]).view(1, 3, 1, 1)
    transfer = models.StyleTransfer(network, ["3"], ["1", "3"])
    # Each term by itself: zero where the image is the picture whose content, or style, is wanted
    parts = [
        models.StyleTransfer(network, ["3"], ["1", "3"], c, s, t) for c, s, t in ((2.0, 0, 0), (0, 3.0, 0), (0, 0, 5.0))
    ]
    with pydl.no_grad():
        wanted, grams = transfer.features(content)[0], transfer.features(style)[1]
        ours, own = transfer.features(content * 0.5)
        terms = [
            2.0 * (ours[0] - wanted[0]).square().mean(),
            3.0 * sum((a - b).square().mean() for a, b in zip(own, grams)),
            5.0 * pydl.losses.total_variation_loss(content * 0.5, average=True),
        ]
        for part, term in zip(parts, terms):
            assert pydl.allclose(part(content * 0.5, wanted, grams), term)
    seen: list[int] = []
    image, losses = transfer.run(content, style, steps=40, callback=lambda step, loss: seen.append(step))
    assert losses[-1] < 0.5 * losses[0] and seen == list(range(40)) and len(losses) == 40
    assert image.shape == content.shape and 0 <= float(image.min()) and float(image.max()) <= 1
    assert image[0, 0].mean() - image[0, 1].mean() > content[0, 0].mean() - content[0, 1].mean() + 0.05
    assert all(pydl.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    with pytest.raises(ValueError, match="nothing"):
        models.StyleTransfer(network, ["nothing"], [])
    with pytest.raises(ValueError, match="at least one"):
        models.StyleTransfer(network, [], [])


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="latent_dim"):
        models.GAN(nn.Identity(), nn.Identity(), 0)
    with pytest.raises(ValueError, match="mode"):
        models.GAN(nn.Identity(), nn.Identity(), 1, "best")
    gan = models.GAN(nn.Linear(1, 1), nn.Linear(1, 1), 1)
    with pytest.raises(ValueError, match="rounds"):
        gan.step(pydl.rand(2, 1), adam(gan.generator.parameters()), adam(gan.discriminator.parameters()), rounds=0)


def test_the_identity_term_of_a_cycle() -> None:
    """The images are compared with themselves, not with their reconstructions."""
    doubling, shifting = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
    with pydl.no_grad():
        for layer, weight, bias in ((doubling, 2.0, 0.0), (shifting, 1.0, 3.0)):
            layer.weight.fill_(weight)
            layer.bias.fill_(bias)
    model = models.CycleGAN(doubling, shifting, nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1), 1.0, 2.0)
    x, y = pydl.rand(2, 1, 4, 4), pydl.rand(2, 1, 4, 4)
    with pydl.no_grad():
        G, F = model.G, model.F
        cycle = (F(G(x)) - x).abs().mean() + (G(F(y)) - y).abs().mean()
        identity = (F(x) - x).abs().mean() + (G(y) - y).abs().mean()
    still = [pydl.optim.SGD(p, lr=0.0) for p in (model.generator_parameters(), model.discriminator_parameters())]
    assert model.step(x, y, *still)["cycle"] == pytest.approx((cycle + 2 * identity).item(), rel=1e-5)


def test_latent_vectors_have_the_generators_dtype() -> None:
    gan = models.GAN(nn.Linear(3, 2), nn.Linear(2, 1), 3).double()
    assert gan.sample(2).dtype == pydl.float64
    optimizers = [pydl.optim.SGD(m.parameters(), lr=0.1) for m in (gan.generator, gan.discriminator)]
    assert set(gan.step(pydl.rand(4, 2, dtype=pydl.float64), *optimizers)) == {"generator", "discriminator"}
