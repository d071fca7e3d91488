"""Autoencoders, plain and variational."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import pydl
from pydl import Tensor
from pydl.nn import Linear, Module, ReLU, Sequential
from pydl.nn import functional as F
from pydl.nn.modules._checks import at_least

__all__ = ["VAE", "Autoencoder", "VAEOutput"]


def _perceptron(sizes: Sequence[int]) -> Sequential:
    layers: list[Module] = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [Linear(inputs, outputs), ReLU()]
    return Sequential(*layers[:-1])


class Autoencoder(Module):
    """A narrow code and back: input_dim - hidden... - latent_dim - ...hidden - input_dim, relu between.

    Args:
        input_dim: values of a sample.
        latent_dim: values of its code. Default: 2.
        hidden: sizes of the layers between. Default: (128, 64).
        encoder, decoder: own modules, in place of ``input_dim`` and ``hidden``.
        output_activation: of what is decoded. Default: ``None``.

    Raises:
        ValueError: neither ``input_dim`` nor both own modules, or all of them; numbers below 1. ShapeError: (on use)
            samples of another number of values, or a decoder whose result has another number than the input.

    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006.

    Example:
        >>> import pydl
        >>> net = pydl.models.Autoencoder(64, latent_dim=3, hidden=(16,))
        >>> x = pydl.rand(5, 1, 8, 8)
        >>> net(x).shape, net.encode(x).shape, net.interpolate(x, x.flip(0), steps=4).shape
        (torch.Size([5, 1, 8, 8]), torch.Size([5, 3]), torch.Size([4, 5, 1, 8, 8]))
    """

    _codes = 1  # how many vectors of latent_dim the encoder gives

    def __init__(
        self,
        input_dim: int | None = None,
        latent_dim: int = 2,
        hidden: Sequence[int] = (128, 64),
        encoder: Module | None = None,
        decoder: Module | None = None,
        output_activation: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        at_least(1, name, latent_dim=latent_dim)
        own = encoder is not None and decoder is not None
        if own == (input_dim is not None) or (encoder is None) != (decoder is None):
            raise ValueError(f"{name}: give input_dim, or encoder and decoder")
        self.input_dim = input_dim
        self.latent_dim = latent_dim
        if input_dim is not None:
            at_least(1, name, input_dim=input_dim, **{f"hidden[{k}]": size for k, size in enumerate(hidden)})
            encoder = _perceptron([input_dim, *hidden, self._codes * latent_dim])
            decoder = _perceptron([latent_dim, *hidden[::-1], input_dim])
        self.encoder: Module = encoder  # type: ignore[assignment]
        self.decoder: Module = decoder  # type: ignore[assignment]
        self.output_activation = output_activation

    def _encoded(self, x: Tensor) -> Tensor:
        if self.input_dim is None:
            return self.encoder(x)
        if x.dim() < 2 or x[:1].numel() != self.input_dim * min(len(x), 1):
            raise pydl.ShapeError(
                f"{type(self).__name__}: x must be (N, ...) with {self.input_dim} values each, got {tuple(x.shape)}"
            )
        return self.encoder(x.flatten(1))

    def _shaped(self, decoded: Tensor, like: Tensor) -> Tensor:
        if decoded.numel() != like.numel():
            raise pydl.ShapeError(
                f"{type(self).__name__}: the decoder must give as many values as the input {tuple(like.shape)}, got "
                f"{tuple(decoded.shape)}"
            )
        return decoded.reshape(like.shape)

    def _code(self, x: Tensor) -> Tensor:
        return self._encoded(x)

    def encode(self, x: Tensor) -> Any:
        """The codes, (N, latent_dim)."""
        return self._encoded(x)

    def decode(self, z: Tensor) -> Tensor:
        """What codes (N, latent_dim) stand for: (N, input_dim), or what an own decoder gives."""
        decoded = self.decoder(z)
        return decoded if self.output_activation is None else self.output_activation(decoded)

    def forward(self, x: Tensor) -> Any:
        """The reconstruction, of the input's shape."""
        return self._shaped(self.decode(self._encoded(x)), x)

    def interpolate(self, x0: Tensor, x1: Tensor, steps: int = 8) -> Tensor:
        """What lies between: decodes ``z0 + t (z1 - z0)`` for t from 0 to 1, (steps, N, ...).

        Raises:
            ValueError: ``steps`` below 1. ShapeError: inputs of different shapes.
        """
        if steps < 1:
            raise ValueError(f"{type(self).__name__}: steps must be at least 1, got {steps}")
        if x0.shape != x1.shape:
            raise pydl.ShapeError(
                f"{type(self).__name__}: x0 and x1 must have one shape, got {tuple(x0.shape)} and {tuple(x1.shape)}"
            )
        z0, z1 = self._code(x0), self._code(x1)
        return pydl.stack(
            [self._shaped(self.decode(pydl.lerp(z0, z1, t)), x0) for t in pydl.linspace(0, 1, steps).tolist()]
        )

    def plot_latent(self, x: Tensor, labels: Any = None, ax: Any = None) -> Any:
        """The first two values of the codes as points, coloured by labels (N,).

        Returns:
            matplotlib's axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        if ax is None:
            try:
                import matplotlib.pyplot as plt
            except ImportError:
                raise ImportError("plot_latent() needs matplotlib: pip install matplotlib") from None
            ax = plt.figure().add_subplot()
        with pydl.no_grad():
            codes = self._code(x).flatten(1).numpy()
        second = codes[:, 1] if codes.shape[1] > 1 else codes[:, 0] * 0
        options = {} if labels is None else {"c": pydl.as_tensor(labels).numpy(), "cmap": "tab10"}
        drawn = ax.scatter(codes[:, 0], second, s=6, **options)
        if labels is not None:
            ax.figure.colorbar(drawn, ax=ax)
        return ax


class VAEOutput(NamedTuple):
    """What a VAE gives.

    Attributes:
        reconstruction: of the input's shape; logits for a Bernoulli decoder.
        mu, logvar: mean and logarithm of the variance of the codes, (N, latent_dim).
        z: the code that was decoded, (N, latent_dim).

    Example:
        >>> import pydl
        >>> pydl.models.VAE(4, latent_dim=3, hidden=())(pydl.rand(2, 4)).z.shape
        torch.Size([2, 3])
    """

    reconstruction: Tensor
    mu: Tensor
    logvar: Tensor
    z: Tensor


class VAE(Autoencoder):
    """A variational autoencoder: codes are distributions, ``z = mu + exp(logvar / 2) * eps``; in eval mode ``z = mu``.

    Args:
        input_dim, latent_dim, hidden: as :class:`Autoencoder`.
        encoder: own, gives (N, 2 * latent_dim): mean and logarithm of the variance. decoder: own.
        reconstruction: ``'bce'`` (default), the decoder gives logits of values in [0, 1]; or ``'mse'``.
        beta: weight of the KL term. Default: 1.

    Raises:
        ValueError: as :class:`Autoencoder`; another ``reconstruction``. ShapeError: (on use) other shapes.

    Source: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; ``beta``: Higgins et al., ICLR 2017.

    Example:
        >>> import pydl
        >>> vae = pydl.models.VAE(64, latent_dim=3, hidden=(16,))
        >>> x = pydl.rand(5, 1, 8, 8)
        >>> out = vae(x)
        >>> out.reconstruction.shape, vae.loss(x, out).shape, vae.sample(2).shape
        (torch.Size([5, 1, 8, 8]), torch.Size([]), torch.Size([2, 64]))
    """

    _codes = 2

    def __init__(
        self,
        input_dim: int | None = None,
        latent_dim: int = 2,
        hidden: Sequence[int] = (128, 64),
        encoder: Module | None = None,
        decoder: Module | None = None,
        reconstruction: Literal["bce", "mse"] = "bce",
        beta: float = 1.0,
    ) -> None:
        super().__init__(input_dim, latent_dim, hidden, encoder, decoder)
        if reconstruction not in ("bce", "mse"):
            raise ValueError(f"VAE: reconstruction must be 'bce' or 'mse', got {reconstruction!r}")
        self.reconstruction = reconstruction
        self.beta = beta

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the codes, each (N, latent_dim)."""
        both = self._encoded(x)
        if both.dim() != 2 or both.shape[1] != 2 * self.latent_dim:
            raise pydl.ShapeError(
                f"VAE: the encoder must give (N, {2 * self.latent_dim}), mean and logvar, got {tuple(both.shape)}"
            )
        mu, logvar = both.chunk(2, dim=1)
        return mu, logvar

    def _code(self, x: Tensor) -> Tensor:
        return self.encode(x)[0]

    def forward(self, x: Tensor) -> VAEOutput:
        """Reconstruction, mean, logarithm of the variance, and the code."""
        mu, logvar = self.encode(x)
        z = mu + (0.5 * logvar).exp() * pydl.randn_like(mu) if self.training else mu
        return VAEOutput(self._shaped(self.decode(z), x), mu, logvar, z)

    @staticmethod
    def kl(mu: Tensor, logvar: Tensor) -> Tensor:
        """The divergence of the codes' distribution from N(0, I): 1/2 sum(mu^2 + e^logvar - 1 - logvar), (N,)."""
        return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).flatten(1).sum(dim=1)

    def loss(self, x: Tensor, out: VAEOutput) -> Tensor:
        """The mean over the batch of each sample's error of reconstruction, summed, plus ``beta`` times the KL term."""
        if self.reconstruction == "bce":
            error = F.binary_cross_entropy_with_logits(out.reconstruction, x, reduction="none")
        else:
            error = (out.reconstruction - x).square()
        return (error.flatten(1).sum(dim=1) + self.beta * self.kl(out.mu, out.logvar)).mean()

    def sample(self, n: int, generator: Any = None) -> Tensor:
        """Decodes n draws of N(0, I); for ``'bce'`` as values in [0, 1]."""
        like = next(self.parameters(), None)
        dtype = pydl.get_default_dtype() if like is None else like.dtype
        decoded = self.decode(pydl.randn(n, self.latent_dim, generator=generator, dtype=dtype))
        return decoded.sigmoid() if self.reconstruction == "bce" else decoded
