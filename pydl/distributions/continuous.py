"""Continuous distributions on the line that are drawn by a formula from even or normal numbers."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.distributions import constraints
from pydl.distributions.distribution import (
    HALF_LOG_2PI,
    Distribution,
    ExponentialFamily,
    broadcast_all,
    open_unit,
)

__all__ = [
    "Cauchy", "Exponential", "GeneralizedPareto", "Gumbel", "HalfCauchy", "HalfNormal", "Kumaraswamy", "Laplace",
    "Normal", "Pareto", "Uniform", "Weibull",
]  # fmt: skip

_C: Any = pydl
_SQRT2 = math.sqrt(2)
_EULER = 0.57721566490153286061  # Euler's constant, the mean of the standard Gumbel distribution


class Normal(ExponentialFamily):
    """The normal distribution with mean ``loc`` and standard deviation ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Normal(0., 1.).log_prob(pydl.tensor(0.))
        tensor(-0.9189)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}
    _mean_carrier_measure = 0

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)  # type: ignore[assignment]
    stddev = property(lambda self: self.scale)  # type: ignore[assignment]
    variance = property(lambda self: self.scale**2)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc + _C.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype) * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        z = (value - self.loc) / self.scale
        return -0.5 * z * z - self.scale.log() - HALF_LOG_2PI

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 0.5 * (1 + ((value - self.loc) / (self.scale * _SQRT2)).erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * (2 * value - 1).erfinv() * _SQRT2

    def entropy(self) -> Tensor:
        return 0.5 + HALF_LOG_2PI + self.scale.log()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return self.loc / self.scale**2, -0.5 / self.scale**2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return -0.25 * x**2 / y + 0.5 * (-math.pi / y).log()


class Laplace(Distribution):
    """The two-sided exponential distribution about ``loc`` with scale ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Laplace(0., 1.).cdf(pydl.tensor(0.))
        tensor(0.5000)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = mode = property(lambda self: self.loc)  # type: ignore[assignment]
    variance = property(lambda self: 2 * self.scale**2)  # type: ignore[assignment]
    stddev = property(lambda self: _SQRT2 * self.scale)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = 2 * open_unit(self._extended_shape(sample_shape), self.loc.dtype) - 1
        limit = 1 - pydl.finfo(u.dtype).eps
        return self.loc - self.scale * u.sign() * (-u.abs().clamp_max(limit)).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        d = value - self.loc
        return 0.5 - 0.5 * d.sign() * (-d.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()


class Cauchy(Distribution):
    """The Cauchy distribution with median ``loc`` and half width ``scale``; it has no mean.

    Example:
        >>> import pydl
        >>> pydl.distributions.Cauchy(0., 1.).cdf(pydl.tensor(1.))
        tensor(0.7500)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mode = property(lambda self: self.loc)  # type: ignore[assignment]
    mean = property(lambda self: _C.full_like(self.loc, math.nan))  # type: ignore[assignment]
    variance = property(lambda self: _C.full_like(self.loc, math.inf))  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = open_unit(self._extended_shape(sample_shape), self.loc.dtype)
        return self.icdf(u)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()


class _Half(Distribution):
    """The absolute value of a distribution that is symmetric about 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _base: Any
    _parameters = {"scale": 0}

    def __init__(self, scale: Any, validate_args: bool | None = None) -> None:
        (self.scale,) = broadcast_all(scale)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def _whole(self) -> Any:
        return self._base(_C.zeros_like(self.scale), self.scale, validate_args=False)

    mode = property(lambda self: _C.zeros_like(self.scale))  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._whole.rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        found = self._whole.log_prob(value) + math.log(2)
        return _C.where(value >= 0, found, -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 2 * self._whole.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self._whole.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self._whole.entropy() - math.log(2)


class HalfNormal(_Half):
    """The absolute value of a normal number of mean 0 and standard deviation ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.HalfNormal(1.).mean
        tensor(0.7979)
    """

    _base = Normal
    mean = property(lambda self: self.scale * math.sqrt(2 / math.pi))  # type: ignore[assignment]
    variance = property(lambda self: self.scale**2 * (1 - 2 / math.pi))  # type: ignore[assignment]


class HalfCauchy(_Half):
    """The absolute value of a Cauchy number of median 0 and half width ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.HalfCauchy(1.).cdf(pydl.tensor(1.))
        tensor(0.5000)
    """

    _base = Cauchy
    mean = property(lambda self: _C.full_like(self.scale, math.inf))  # type: ignore[assignment]
    variance = property(lambda self: _C.full_like(self.scale, math.inf))  # type: ignore[assignment]


class Uniform(Distribution):
    """Numbers spread evenly over [low, high).

    Example:
        >>> import pydl
        >>> pydl.distributions.Uniform(0., 2.).mean
        tensor(1.)
    """

    has_rsample = True
    _parameters = {"low": 0, "high": 0}

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = broadcast_all(low, high)
        super().__init__(self.low.shape, validate_args=validate_args)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    arg_constraints = {
        "low": constraints.dependent(is_discrete=False, event_dim=0),
        "high": constraints.dependent(is_discrete=False, event_dim=0),
    }
    mean = property(lambda self: (self.high + self.low) / 2)  # type: ignore[assignment]
    mode = property(lambda self: math.nan * self.high)  # type: ignore[assignment]
    stddev = property(lambda self: (self.high - self.low) / 12**0.5)  # type: ignore[assignment]
    variance = property(lambda self: (self.high - self.low) ** 2 / 12)  # type: ignore[assignment]

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = _C.rand(self._extended_shape(sample_shape), dtype=self.low.dtype)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        inside = (self.low <= value) & (self.high > value)
        return inside.to(self.low.dtype).log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


class Exponential(ExponentialFamily):
    """Waiting times of mean 1 / ``rate``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Exponential(2.).mean
        tensor(0.5000)
    """

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _parameters = {"rate": 0}
    _mean_carrier_measure = 0

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    mean = stddev = property(lambda self: 1 / self.rate)  # type: ignore[assignment]
    mode = property(lambda self: _C.zeros_like(self.rate))  # type: ignore[assignment]
    variance = property(lambda self: self.rate**-2)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return -open_unit(self._extended_shape(sample_shape), self.rate.dtype).log() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(-self.rate * value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (-self.rate,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return -(-x).log()


class Gumbel(Distribution):
    """The limit of maxima: location ``loc``, scale ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Gumbel(0., 1.).mean
        tensor(0.5772)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = broadcast_all(loc, scale)
        super().__init__(self.loc.shape, validate_args=validate_args)

    mean = property(lambda self: self.loc + self.scale * _EULER)  # type: ignore[assignment]
    mode = property(lambda self: self.loc)  # type: ignore[assignment]
    stddev = property(lambda self: math.pi / math.sqrt(6) * self.scale)  # type: ignore[assignment]
    variance = property(lambda self: self.stddev**2)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(open_unit(self._extended_shape(sample_shape), self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + _EULER)


class Weibull(Distribution):
    """Scale ``scale`` and shape ``concentration``: ``scale`` times an exponential number to the power 1 / shape.

    Example:
        >>> import pydl
        >>> pydl.distributions.Weibull(1., 1.).mean
        tensor(1.)
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = {"scale": 0, "concentration": 0}

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @property
    def concentration_reciprocal(self) -> Tensor:
        """1 / concentration."""
        return 1 / self.concentration

    def _moment(self, k: int) -> Tensor:
        return (1 + k / self.concentration).lgamma().exp() * self.scale**k

    mean = property(lambda self: self._moment(1))  # type: ignore[assignment]
    variance = property(lambda self: self._moment(2) - self._moment(1) ** 2)  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        inner = ((k - 1).clamp_min(0) / k) ** (1 / k)
        return _C.where(k > 1, self.scale * inner, _C.zeros_like(k))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(open_unit(self._extended_shape(sample_shape), self.scale.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        ratio = value / self.scale
        k = self.concentration
        return (k / self.scale).log() + (k - 1) * ratio.log() - ratio**k

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(-((value / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * (-(-value).log1p()) ** (1 / self.concentration)

    def entropy(self) -> Tensor:
        k = self.concentration
        return _EULER * (1 - 1 / k) + (self.scale / k).log() + 1


class Pareto(Distribution):
    """Density proportional to value^-(alpha + 1) above ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Pareto(1., 3.).mean
        tensor(1.5000)
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    has_rsample = True
    _parameters = {"scale": 0, "alpha": 0}

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        super().__init__(self.scale.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.scale)

    mode = property(lambda self: self.scale)  # type: ignore[assignment]

    @property
    def mean(self) -> Tensor:
        a = self.alpha.clamp_min(1)  # infinite up to 1
        return a * self.scale / (a - 1)

    @property
    def variance(self) -> Tensor:
        a = self.alpha.clamp_min(2)  # infinite up to 2
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(1 - open_unit(self._extended_shape(sample_shape), self.scale.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 1 - (self.scale / value) ** self.alpha

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * (1 - value) ** (-1 / self.alpha)

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + (1 + 1 / self.alpha)


class GeneralizedPareto(Distribution):
    """Excesses over a threshold ``loc`` with scale ``scale`` and shape ``concentration``, which may be 0 or negative.

    Example:
        >>> import pydl
        >>> pydl.distributions.GeneralizedPareto(0., 1., 0.).mean
        tensor(1.)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True
    _parameters = {"loc": 0, "scale": 0, "concentration": 0}

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        top = self.loc - self.scale / self._shape
        return constraints.interval(self.loc, _C.where(self.concentration < 0, top, math.inf))

    @property
    def _shape(self) -> Tensor:
        """The shape, where it is not zero."""
        k = self.concentration
        return _C.where(self._flat, _C.ones_like(k), k)

    @property
    def _flat(self) -> Tensor:
        return self.concentration == 0

    def _log_survival(self, value: Tensor) -> Tensor:
        z = (value - self.loc) / self.scale
        return _C.where(self._flat, -z, -(self._shape * z).log1p() / self._shape)

    @property
    def mean(self) -> Tensor:
        k = self.concentration
        return _C.where(k < 1, self.loc + self.scale / (1 - k), math.inf)

    @property
    def variance(self) -> Tensor:
        k = self.concentration
        return _C.where(k < 0.5, self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)), math.inf)

    mode = property(lambda self: self.loc)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(open_unit(self._extended_shape(sample_shape), self.loc.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (1 + self.concentration) * self._log_survival(value) - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -self._log_survival(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        rest = -(-value).log1p()
        return self.loc + self.scale * _C.where(self._flat, rest, (self._shape * rest).expm1() / self._shape)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1


class Kumaraswamy(Distribution):
    """On (0, 1), with the distribution function 1 - (1 - x^concentration1)^concentration0.

    Example:
        >>> import pydl
        >>> pydl.distributions.Kumaraswamy(1., 1.).mean
        tensor(0.5000)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True
    _parameters = {"concentration1": 0, "concentration0": 0}

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        super().__init__(self.concentration1.shape, validate_args=validate_args)

    def _moment(self, n: int) -> Tensor:
        a = 1 + n / self.concentration1
        b = self.concentration0
        return b * (a.lgamma() + b.lgamma() - (a + b).lgamma()).exp()

    mean = property(lambda self: self._moment(1))  # type: ignore[assignment]
    variance = property(lambda self: self._moment(2) - self._moment(1) ** 2)  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        log_mode = (((a - 1).clamp_min(0)).log() - (a * b - 1).abs().log()) / a
        return _C.where((a < 1) | (b < 1), math.nan, log_mode.exp())

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = open_unit(self._extended_shape(sample_shape), self.concentration1.dtype)
        return self.icdf(u).clamp(pydl.finfo(u.dtype).tiny, 1 - pydl.finfo(u.dtype).eps)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return a.log() + b.log() + (a - 1) * value.log() + (b - 1) * (-(value**a)).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -((-(value**self.concentration1)).log1p() * self.concentration0).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return (-((-value).log1p() / self.concentration0).expm1()) ** (1 / self.concentration1)

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        harmonic = (b + 1).digamma() + _EULER
        return (1 - 1 / b) + (1 - 1 / a) * harmonic - a.log() - b.log()
