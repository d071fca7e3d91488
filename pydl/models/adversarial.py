"""Generators that learn against a discriminator: GAN, WGAN with gradient penalty, CycleGAN."""

from __future__ import annotations

from typing import Any

import pydl
from pydl import Tensor, nn
from pydl.losses import AdversarialLoss, CycleConsistencyLoss, WGANGPLoss

__all__ = ["GAN", "WGANGP", "CycleGAN"]


class GAN(nn.Module):
    """A generator and a discriminator that learn against each other (Goodfellow et al. 2014).

    Args:
        generator: from latent vectors (N, latent_dim) to samples.
        discriminator: from samples to scores, without a sigmoid.
        latent_dim: length of the latent vectors.
        mode: of :class:`pydl.losses.AdversarialLoss`: ``'vanilla'`` (default), ``'lsgan'``, ``'hinge'``, ``'wgan'``.

    Keys ``generator.*``, ``discriminator.*``. ``forward(z)`` is the generator.

    >>> gan = pydl.models.GAN(pydl.nn.Linear(3, 2), pydl.nn.Linear(2, 1), latent_dim=3)
    >>> optimizers = [pydl.optim.Adam(m.parameters(), lr=1e-3) for m in (gan.generator, gan.discriminator)]
    >>> sorted(gan.step(pydl.randn(8, 2), *optimizers))
    ['discriminator', 'generator']
    >>> gan.sample(5).shape
    torch.Size([5, 2])
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent_dim: int, mode: Any = "vanilla") -> None:
        super().__init__()
        if latent_dim < 1:
            raise ValueError(f"{type(self).__name__}: latent_dim must be at least 1, got {latent_dim}")
        self.generator, self.discriminator, self.latent_dim = generator, discriminator, latent_dim
        self.loss = AdversarialLoss(mode)

    def forward(self, z: Tensor) -> Tensor:
        return self.generator(z)

    def latent(self, n: int, generator: Any = None) -> Tensor:
        """Draws (n, latent_dim) from a standard Gaussian, in the dtype of the generator's parameters."""
        like = next(self.generator.parameters(), None)
        return pydl.randn(n, self.latent_dim, generator=generator, dtype=None if like is None else like.dtype)

    def sample(self, n: int, generator: Any = None) -> Tensor:
        """``n`` generated samples, without a graph."""
        with pydl.no_grad():
            return self.generator(self.latent(n, generator))

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator makes small."""
        return self.loss.discriminator(self.discriminator(real), self.discriminator(fake))

    def generator_loss(self, fake: Tensor) -> Tensor:
        """What the generator makes small."""
        return self.loss.generator(self.discriminator(fake))

    def step(
        self, real: Tensor, generator_optimizer: Any, discriminator_optimizer: Any, rounds: int = 1
    ) -> dict[str, float]:
        """``rounds`` steps of the discriminator on a batch, then one of the generator; returns the last losses."""
        if rounds < 1:
            raise ValueError(f"{type(self).__name__}: rounds must be at least 1, got {rounds}")
        n = real.shape[0]
        for _ in range(rounds):
            with pydl.no_grad():
                fake = self.generator(self.latent(n))
            critic = _stepped(discriminator_optimizer, lambda: self.discriminator_loss(real, fake))  # noqa: B023
        made = _stepped(generator_optimizer, lambda: self.generator_loss(self.generator(self.latent(n))))
        # The generator's loss went through the discriminator, whose gradients nobody wants.
        discriminator_optimizer.zero_grad()
        return {"discriminator": critic, "generator": made}


class WGANGP(GAN):
    """A GAN whose critic estimates the Wasserstein distance, its gradient held at norm one (Gulrajani et al. 2017).

    Args:
        generator, discriminator, latent_dim: as :class:`GAN`; the discriminator without batch norm.
        lambd: weight of the penalty, default 10.

    >>> gan = pydl.models.WGANGP(pydl.nn.Linear(3, 2), pydl.nn.Linear(2, 1), latent_dim=3)
    >>> gan.discriminator_loss(pydl.randn(8, 2), gan.sample(8)).shape
    torch.Size([])
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, latent_dim: int, lambd: float = 10.0) -> None:
        super().__init__(generator, discriminator, latent_dim, "wgan")
        self.critic_loss = WGANGPLoss(lambd=lambd)

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """mean D(fake) - mean D(real) and the penalty between both."""
        return self.critic_loss(self.discriminator, real, fake)


class CycleGAN(nn.Module):
    """Translates between two kinds of images without pairs (Zhu et al. 2017).

    Args:
        forward_generator: G, from the first kind to the second.
        backward_generator: F, from the second to the first.
        first_discriminator, second_discriminator: score images of either kind.
        lambda_cycle, lambda_identity: weights of :class:`pydl.losses.CycleConsistencyLoss`, default 10 and 0.5.
        mode: of :class:`pydl.losses.AdversarialLoss`, default ``'lsgan'``.

    ``forward(x)`` is G(x).

    >>> make = lambda: pydl.nn.Conv2d(1, 1, 1)
    >>> model = pydl.models.CycleGAN(make(), make(), make(), make())
    >>> parts = (model.generator_parameters(), model.discriminator_parameters())
    >>> optimizers = [pydl.optim.Adam(p, lr=1e-3) for p in parts]
    >>> sorted(model.step(pydl.rand(2, 1, 4, 4), pydl.rand(2, 1, 4, 4), *optimizers))
    ['cycle', 'discriminator', 'generator']
    """

    def __init__(
        self,
        forward_generator: nn.Module,
        backward_generator: nn.Module,
        first_discriminator: nn.Module,
        second_discriminator: nn.Module,
        lambda_cycle: float = 10.0,
        lambda_identity: float = 0.5,
        mode: Any = "lsgan",
    ) -> None:
        super().__init__()
        self.G, self.F = forward_generator, backward_generator
        self.D_first, self.D_second = first_discriminator, second_discriminator
        self.cycle = CycleConsistencyLoss(lambda_cycle, lambda_identity)
        self.loss = AdversarialLoss(mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.G(x)

    def generator_parameters(self) -> list[nn.Parameter]:
        """Those of G and F."""
        return [*self.G.parameters(), *self.F.parameters()]

    def discriminator_parameters(self) -> list[nn.Parameter]:
        """Those of both discriminators."""
        return [*self.D_first.parameters(), *self.D_second.parameters()]

    def step(self, x: Tensor, y: Tensor, generator_optimizer: Any, discriminator_optimizer: Any) -> dict[str, float]:
        """One step of the generators, then one of the discriminators, on a batch of each kind; returns the losses."""
        fake_y, fake_x = self.G(x), self.F(y)
        cycle = self.cycle(self.F(fake_y), x, self.G(fake_x), y, self.F(x), self.G(y))
        scores = self.loss.generator(self.D_second(fake_y)) + self.loss.generator(self.D_first(fake_x))
        made = _stepped(generator_optimizer, lambda: scores + cycle)
        fake_x, fake_y = fake_x.detach(), fake_y.detach()

        def discriminators() -> Tensor:
            first = self.loss.discriminator(self.D_first(x), self.D_first(fake_x))
            return first + self.loss.discriminator(self.D_second(y), self.D_second(fake_y))

        critic = _stepped(discriminator_optimizer, discriminators)
        return {"generator": made, "cycle": cycle.item(), "discriminator": critic}


def _stepped(optimizer: Any, loss: Any) -> float:
    """One step of an optimizer on a loss, whose value is returned."""
    optimizer.zero_grad()
    value = loss()
    value.backward()
    optimizer.step()
    return value.item()
