"""A Wasserstein GAN with gradient penalty learns a ring of Gaussians in the plane; its loss differentiates a gradient.

``python examples/wgan_gp.py --steps 3000``
"""

from __future__ import annotations

import math
from typing import Any

from _show import arguments, plot, progress

import pydl
from pydl import nn

CENTRES, RADIUS, SPREAD = 8, 2.0, 0.05


def ring(count: int) -> Any:
    """Points around eight centres on a circle."""
    angle = pydl.randint(0, CENTRES, (count,)) * (2 * math.pi / CENTRES)
    return RADIUS * pydl.stack([angle.cos(), angle.sin()], dim=1) + SPREAD * pydl.randn(count, 2)


def perceptron(inputs: int, outputs: int, width: int = 128) -> nn.Sequential:
    """Three layers."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)
    )


def penalty(critic: Any, real: Any, fake: Any) -> Any:
    """How far the critic's gradient between both is from norm one (Gulrajani et al., NeurIPS 2017)."""
    between = pydl.lerp(real, fake, pydl.rand(len(real), 1)).requires_grad_()
    (gradient,) = pydl.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.norm(dim=1) - 1) ** 2).mean()


def quality(points: Any) -> tuple[int, float]:
    """How many centres have at least a fortieth of the points near them, and the share of points near any."""
    angle = pydl.arange(CENTRES) * (2 * math.pi / CENTRES)
    centres = RADIUS * pydl.stack([angle.cos(), angle.sin()], dim=1)
    distance, nearest = pydl.cdist(points, centres).min(dim=1)
    close = distance < 0.5
    found = pydl.bincount(nearest[close], minlength=CENTRES)
    return int((found * 40 >= len(points)).sum()), close.float().mean().item()


def main(steps: int = 1500, batch: int = 256, lr: float = 3e-4, out: str | None = None) -> tuple[int, float]:
    """Train; returns the number of centres found, and the share of points near one."""
    pydl.manual_seed(0)
    generator, critic = perceptron(2, 2), perceptron(2, 1)
    generator_step = pydl.optim.Adam(generator.parameters(), lr=lr, betas=(0.0, 0.9))
    critic_step = pydl.optim.Adam(critic.parameters(), lr=lr, betas=(0.0, 0.9))
    for _ in progress(range(steps), "WGAN-GP"):
        for _ in range(5):
            real = ring(batch)
            with pydl.no_grad():
                fake = generator(pydl.randn(batch, 2))
            loss = critic(fake).mean() - critic(real).mean() + 10 * penalty(critic, real, fake)
            critic_step.zero_grad()
            loss.backward()
            critic_step.step()
        generator_step.zero_grad()
        (-critic(generator(pydl.randn(batch, 2))).mean()).backward()
        generator_step.step()
    with pydl.no_grad():
        points = generator(pydl.randn(2000, 2))
    centres, share = quality(points)
    print(
        f"critic's estimate of the distance {-loss.item():.3f}; {centres} of {CENTRES} centres, {share:.0%} of the "
        "points near one"
    )

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for name, cloud in (("data", ring(500)), ("generated", points[:500])):
            axes.scatter(cloud[:, 0].numpy(), cloud[:, 1].numpy(), s=6, label=name)
        axes.set_aspect("equal")
        axes.legend()

    plot(out, draw, (5.0, 5.0))
    return centres, share


if __name__ == "__main__":
    main(**arguments(__doc__, steps=1500, batch=256, lr=3e-4, out="wgan_gp.png"))
