"""Objectives of generative adversarial networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pydl
from pydl import Generator, Tensor
from pydl.losses._shared import Loss, Reduction, functional, mean, need_dims, need_shape, norm, reduce, widen
from pydl.nn import functional as F

__all__ = [
    "AdversarialLoss", "WGANGPLoss", "WassersteinLoss", "adversarial_loss", "gradient_penalty", "wasserstein_loss",
    "wgan_gp_loss",
]  # fmt: skip


@functional
def adversarial_loss(
    scores: Tensor,
    target_is_real: bool,
    for_discriminator: bool = True,
    mode: Literal["vanilla", "lsgan", "hinge", "wgan"] = "vanilla",
    saturating: bool = False,
) -> Tensor:
    """One term of :class:`AdversarialLoss`, the mean over the scores.

    Args:
        scores: raw scores of any shape.
        target_is_real: whether the scores should look real.
        for_discriminator: False for the generator's term. Default: True.
        mode, saturating: as in :class:`AdversarialLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.adversarial_loss(pydl.zeros(3), True)
        tensor(0.6931)
    """
    if mode == "vanilla":
        if not for_discriminator and saturating:
            return mean(F.logsigmoid(-scores if target_is_real else scores))
        return mean(-F.logsigmoid(scores if target_is_real else -scores))
    if mode == "lsgan":
        return mean((scores - 1 if target_is_real else scores).square()) / 2
    signed = -scores if target_is_real else scores
    if mode == "hinge" and for_discriminator:
        return mean((1 + signed).relu())
    return mean(signed)


class AdversarialLoss(Loss, of=adversarial_loss, takes=3):
    """The objectives of discriminator and generator, to be minimised, on raw scores of any shape.

    ======== ============================ ==========================================
    mode     discriminator                generator
    ======== ============================ ==========================================
    vanilla  -log s(r) - log(1 - s(f))    -log s(f), or log(1 - s(f)) if saturating
    lsgan    ((r - 1)^2 + f^2) / 2        (f - 1)^2 / 2
    hinge    relu(1 - r) + relu(1 + f)    -f
    wgan     f - r                        -f
    ======== ============================ ==========================================

    Each term is averaged over its scores, whose numbers may differ. Sources: Goodfellow et al. 2014, Mao et al. 2017,
    Lim and Ye 2017, Arjovsky et al. 2017. ``forward`` is ``discriminator``.

    Args:
        mode: ``"vanilla"`` (default), ``"lsgan"``, ``"hinge"`` or ``"wgan"``.
        saturating: the generator's first form of ``"vanilla"``, which has small derivatives early on. Default: False.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.AdversarialLoss("hinge")
        >>> loss(pydl.tensor([2.0]), pydl.tensor([0.0])), loss.generator(pydl.tensor([3.0]))
        (tensor(1.), tensor(-3.))
    """

    mode: Literal["vanilla", "lsgan", "hinge", "wgan"]
    saturating: bool

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss."""
        return self.discriminator(real, fake)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss; the numbers of real and fake scores may differ."""
        return adversarial_loss(real, True, mode=self.mode) + adversarial_loss(fake, False, mode=self.mode)

    def generator(self, fake: Tensor) -> Tensor:
        """The generator's loss."""
        return adversarial_loss(fake, True, False, self.mode, self.saturating)


@functional
def wasserstein_loss(real: Tensor, fake: Tensor, maximize: bool = False) -> Tensor:
    """Functional form of :class:`WassersteinLoss`.

    Example:
        >>> import pydl
        >>> pydl.losses.wasserstein_loss(pydl.tensor([3.0]), pydl.tensor([1.0, 2.0]), maximize=True)
        tensor(1.5000)
    """
    difference = mean(fake.to(real.dtype)) - mean(real)
    return -difference if maximize else difference


class WassersteinLoss(Loss, of=wasserstein_loss):
    """The critic's loss mean(fake) - mean(real) (Arjovsky et al. 2017). A scalar.

    Shapes: scores of any shape, whose numbers may differ.

    Args:
        maximize: mean(real) - mean(fake), to be maximised. Default: False.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.WassersteinLoss()
        >>> loss(pydl.tensor([3.0]), pydl.tensor([1.0])), loss.generator(pydl.tensor([1.0]))
        (tensor(-2.), tensor(-1.))
    """

    def generator(self, fake: Tensor) -> Tensor:
        """The generator's loss, -mean(fake)."""
        return adversarial_loss(fake, True, False, "wgan")


@functional(widening=False)
def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    alpha: Tensor | None = None,
    target: float = 1.0,
    one_sided: bool = False,
    generator: Generator | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """(|grad D(x^)| - target)^2 at x^ = alpha real + (1 - alpha) fake (Gulrajani et al. 2017).

    The norm runs over all dims but the first. The graph is kept, so that the result can be differentiated by the
    critic's parameters; a derivative of zero gives target^2.

    Shapes: real and fake (N, *), alpha (N,). With ``"none"`` (N,).

    Args:
        critic: callable that scores a batch.
        alpha: where between the two. Default: uniform in [0, 1].
        target: of the norm. Default: 1.
        one_sided: max(0, |grad| - target)^2. Default: False.
        generator: of random numbers, for alpha.
        reduction: ``"mean"`` (default), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> import pydl
        >>> pydl.losses.gradient_penalty(lambda x: 3 * x.sum(1), pydl.ones(2, 1), pydl.zeros(2, 1))
        tensor(4.)
    """
    op = "gradient_penalty"
    if not real.is_floating_point():
        raise TypeError(f"{op}(): real must be a floating-point tensor, got {real.dtype}")
    need_dims(op, "real", real, "(N, *)", 1)
    need_shape(op, "fake", fake, real.shape)
    count = real.shape[0]
    if alpha is None:
        alpha = pydl.rand(count, dtype=real.dtype, generator=generator)  # type: ignore[attr-defined]
    need_shape(op, "alpha", alpha, (count,))
    mix = alpha.to(real.dtype).reshape(count, *[1] * (real.dim() - 1))
    with pydl.enable_grad():
        between = mix * real + (1 - mix) * fake.to(real.dtype)
        if not between.requires_grad:
            between.requires_grad_()
        score, slope = critic(between).sum(), None
        if score.requires_grad:
            (slope,) = pydl.autograd.grad(score, between, create_graph=True, allow_unused=True)
        if slope is None:  # the critic does not look at its input
            slope = pydl.zeros_like(between)  # type: ignore[attr-defined]
    wide = widen(slope)
    excess = norm(wide.reshape(count, wide.numel() // max(1, count))) - target
    loss = (excess.relu() if one_sided else excess).square()
    return reduce(loss, reduction).to(real.dtype)


@functional(widening=False)
def wgan_gp_loss(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    alpha: Tensor | None = None,
    lambd: float = 10.0,
    maximize: bool = False,
    one_sided: bool = False,
) -> Tensor:
    """Functional form of :class:`WGANGPLoss`.

    Example:
        >>> import pydl
        >>> critic = pydl.nn.Linear(2, 1)
        >>> pydl.losses.wgan_gp_loss(critic, pydl.rand(4, 2), pydl.rand(4, 2)).shape
        torch.Size([])
    """
    need_shape("wgan_gp_loss", "fake", fake, real.shape)
    fake = fake.detach()
    scores = wasserstein_loss(critic(real), critic(fake), maximize)
    return scores + lambd * gradient_penalty(critic, real, fake, alpha, one_sided=one_sided)


class WGANGPLoss(Loss, of=wgan_gp_loss, takes=4):
    """The critic's loss mean D(fake) - mean D(real) + lambd * gradient_penalty (Gulrajani et al. 2017). A scalar.

    The generated samples are a constant. ``forward(critic, real, fake, alpha=None)``, alpha as in
    :func:`gradient_penalty`.

    Args:
        lambd: default 10.
        maximize: turns the sign of the first two terms. Default: False.
        one_sided: of the penalty. Default: False.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.WGANGPLoss(lambd=1.0)
        >>> loss(lambda x: x.sum(1), pydl.ones(2, 1), pydl.zeros(2, 1))
        tensor(-1.)
    """
