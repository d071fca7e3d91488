"""Autoencoders: shapes, formulas, derivatives, errors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pydl
from pydl import nn
from pydl.models import VAE, Autoencoder, VAEOutput

RNG = np.random.default_rng(0)
X = pydl.from_numpy(RNG.random((5, 1, 3, 4)))


def run(net: Any, x: np.ndarray) -> np.ndarray:
    """A perceptron in NumPy."""
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    for k, layer in enumerate(layers):
        x = x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        x = np.maximum(x, 0) if k + 1 < len(layers) else x
    return x


def test_autoencoder() -> None:
    net = Autoencoder(12, 3, (7, 5), output_activation=pydl.sigmoid).double()
    assert [tuple(p.shape) for p in net.encoder.parameters()][::2] == [(7, 12), (5, 7), (3, 5)]
    assert [tuple(p.shape) for p in net.decoder.parameters()][::2] == [(5, 3), (7, 5), (12, 7)]
    flat = X.numpy().reshape(5, 12)
    code = run(net.encoder, flat)
    np.testing.assert_allclose(net.encode(X).detach().numpy(), code)
    back = 1 / (1 + np.exp(-run(net.decoder, code)))
    np.testing.assert_allclose(net(X).detach().numpy(), back.reshape(X.shape))
    between = net.interpolate(X, X.flip(0), steps=5)
    assert between.shape == (5, *X.shape)
    np.testing.assert_allclose(between[0].detach().numpy(), back.reshape(X.shape))
    np.testing.assert_allclose(between[-1].detach().numpy(), back[::-1].reshape(X.shape))
    middle = 1 / (1 + np.exp(-run(net.decoder, (code + code[::-1]) / 2)))
    np.testing.assert_allclose(between[2].detach().numpy(), middle.reshape(X.shape))
    assert net.interpolate(X, X, steps=1).shape[0] == 1
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other(X).equal(net(X))
    assert pydl.autograd.gradcheck(net, (X.clone().requires_grad_(),), fast_mode=True)


def test_own_modules() -> None:
    encoder = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(24, 4))
    decoder = nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (1, 3, 4)))
    vae = VAE(latent_dim=2, encoder=encoder, decoder=decoder).double()
    out = vae(X)
    assert out.reconstruction.shape == X.shape
    assert vae.sample(3).shape == (3, 1, 3, 4)
    assert vae.decode(out.z).shape == (5, 1, 3, 4)
    with pytest.raises(pydl.ShapeError, match="mean and logvar"):
        VAE(latent_dim=3, encoder=encoder, decoder=decoder)(X)
    with pytest.raises(pydl.ShapeError, match="as many values"):
        Autoencoder(encoder=nn.Flatten(), decoder=nn.Linear(12, 5).double())(X)


@pytest.mark.parametrize("kind", ["bce", "mse"])
def test_variational_formulas(kind: Any) -> None:
    pydl.manual_seed(0)
    vae = VAE(12, 3, (7,), reconstruction=kind, beta=0.7).double()
    mu, logvar = vae.encode(X)
    both = run(vae.encoder, X.numpy().reshape(5, 12))
    np.testing.assert_allclose(pydl.cat([mu, logvar], 1).detach().numpy(), both)
    out = vae(X)
    assert isinstance(out, VAEOutput)
    noise = ((out.z - mu) / (logvar / 2).exp()).detach().numpy()
    assert not np.allclose(noise, ((vae(X).z - mu) / (logvar / 2).exp()).detach().numpy())
    m, lv = both[:, :3], both[:, 3:]
    kl = 0.5 * (m**2 + np.exp(lv) - 1 - lv).sum(1)
    np.testing.assert_allclose(VAE.kl(mu, logvar).detach().numpy(), kl)
    r, x = out.reconstruction.detach().numpy(), X.numpy()
    error = np.logaddexp(0, r) - r * x if kind == "bce" else (r - x) ** 2
    np.testing.assert_allclose(vae.loss(X, out).item(), (error.reshape(5, -1).sum(1) + 0.7 * kl).mean())
    vae.eval()
    assert vae(X).z.equal(vae(X).mu)
    generator = pydl.Generator()
    draws = []
    for _ in range(2):
        generator.manual_seed(4)
        draws.append(vae.sample(6, generator))
    assert draws[0].equal(draws[1])
    assert draws[0].shape == (6, 12)
    if kind == "bce":
        assert 0 <= draws[0].min() <= draws[0].max() <= 1
    np.testing.assert_allclose(
        vae.interpolate(X, X.flip(0), 3)[0].detach().numpy(), vae(X).reconstruction.detach().numpy()
    )

    def loss(x: Any) -> Any:
        return vae.loss(X, vae(x))

    assert pydl.autograd.gradcheck(loss, (X.clone().requires_grad_(),), fast_mode=True)


def test_draws_are_normal() -> None:
    """Of the mean and the variance that the encoder gives."""
    pydl.manual_seed(0)
    vae = VAE(4, 2, ())
    with pydl.no_grad():
        for p in vae.encoder.parameters():
            p.zero_()
        vae.encoder[0].bias.copy_(pydl.tensor([0.0, 5.0, 0.0, np.log(9.0)]))
    z = vae(pydl.zeros(20000, 4)).z
    np.testing.assert_allclose(z.mean(0).tolist(), [0, 5], atol=0.09)
    np.testing.assert_allclose(z.std(0).tolist(), [1, 3], rtol=0.03)
    assert VAE.kl(pydl.zeros(3, 2), pydl.zeros(3, 2)).eq(0).all()


def test_refused() -> None:
    for make in (lambda: Autoencoder(), lambda: Autoencoder(3, encoder=nn.ReLU(), decoder=nn.ReLU()), lambda: Autoencoder(encoder=nn.ReLU()), lambda: Autoencoder(3, encoder=nn.ReLU()),
                 lambda: Autoencoder(0), lambda: Autoencoder(3, 0), lambda: Autoencoder(3, hidden=(0,)), lambda: VAE(3, reconstruction="l1")):  # fmt: skip
        with pytest.raises(ValueError):
            make()
    net = Autoencoder(12)
    for x in (pydl.zeros(5, 11), pydl.zeros(12)):
        with pytest.raises(pydl.ShapeError, match="12 values"):
            net(x)
    with pytest.raises(ValueError, match="steps"):
        net.interpolate(X.float(), X.float(), 0)
    with pytest.raises(pydl.ShapeError):
        net.interpolate(X.float(), X[:2].float())


def test_codes_drawn() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    ax = Autoencoder(12).plot_latent(X.float(), pydl.arange(5))
    assert ax.collections[0].get_offsets().shape == (5, 2)
    assert VAE(12, 1).plot_latent(X.float(), ax=ax) is ax
