"""Distributions on the circle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl.distributions import constraints
from pydl.distributions.distribution import Distribution, broadcast_all

__all__ = ["VonMises"]

_C: Any = pydl
# Gauss-Legendre nodes on [0, pi]: I_n(k) exp(-k) = 1/pi times the integral of exp(k (cos t - 1)) cos(n t)
# (Abramowitz and Stegun 9.6.19). Up to k = 100 they give 15 digits; beyond, the asymptotic series 9.7.1 does.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def log_bessel(k: Tensor, order: int = 0) -> Tensor:
    """log(I_order(k)) - k of the modified Bessel function, differentiable."""
    t = pydl.tensor((_NODES + 1) * math.pi / 2, dtype=k.dtype)
    w = pydl.tensor(_WEIGHTS / 2, dtype=k.dtype)
    small = k.clamp_max(100.0)
    near = ((small.unsqueeze(-1) * (t.cos() - 1)).exp() * (order * t).cos() * w).sum(-1).log()
    big, mu = k.clamp_min(100.0), 4.0 * order * order
    z = 1 / (8 * big)
    series = 1 - (mu - 1) * z * (1 - (mu - 9) * z / 2 * (1 - (mu - 25) * z / 3 * (1 - (mu - 49) * z / 4)))
    far = series.log() - 0.5 * (2 * math.pi * big).log()
    return _C.where(k > 100, far, near)


class VonMises(Distribution):
    """Angles about ``loc`` with density proportional to exp(concentration * cos(angle - loc)).

    Drawn by Best and Fisher's rejection, "Efficient simulation of the von Mises distribution", 1979.

    Example:
        >>> import pydl
        >>> pydl.distributions.VonMises(pydl.tensor(0.), pydl.tensor(1.)).log_prob(pydl.tensor(0.))
        tensor(-1.0738)
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _parameters = {"loc": 0, "concentration": 0}

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        """The circular variance 1 - I_1 / I_0."""
        return 1 - (log_bessel(self.concentration, 1) - log_bessel(self.concentration)).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k = self.concentration
        return k * ((value - self.loc).cos() - 1) - math.log(2 * math.pi) - log_bessel(k)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with pydl.no_grad():
            k = self.concentration.double().expand(shape)
            tau = 1 + (1 + 4 * k * k).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            # For small k this cancels; the series 1/k + k is exact there.
            r = _C.where(k < 1e-5, 1 / k + k, (1 + rho * rho) / (2 * rho))
            found, done = _C.zeros(shape, dtype=pydl.float64), _C.zeros(shape, dtype=pydl.bool)
            while not bool(done.all()):
                u = _C.rand((3, *shape), dtype=pydl.float64)
                z = (math.pi * u[0]).cos()
                f = (1 + r * z) / (r + z)
                c = k * (r - f)
                accept = (c * (2 - c) - u[1] > 0) | ((c / u[1]).log() + 1 - c >= 0)
                angle = (u[2] - 0.5).sign() * f.clamp(-1, 1).acos()
                found = _C.where(accept & ~done, angle, found)
                done = done | accept
            turned = found.to(self.loc.dtype) + self.loc
            return (turned + math.pi) % (2 * math.pi) - math.pi
