"""Gamma numbers and what is made of them."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.distributions import constraints
from pydl.distributions.distribution import Distribution, ExponentialFamily, broadcast_all

__all__ = ["Beta", "Chi2", "Dirichlet", "FisherSnedecor", "Gamma", "InverseGamma", "StudentT"]

_C: Any = pydl


class Gamma(ExponentialFamily):
    """Shape ``concentration`` and rate ``rate``; samples differentiate by both (implicit reparameterisation).

    Example:
        >>> import pydl
        >>> pydl.distributions.Gamma(2., 4.).mean
        tensor(0.5000)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    _parameters = {"concentration": 0, "rate": 0}
    _mean_carrier_measure = 0

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    mean = property(lambda self: self.concentration / self.rate)  # type: ignore[assignment]
    mode = property(lambda self: ((self.concentration - 1) / self.rate).clamp_min(0))  # type: ignore[assignment]
    variance = property(lambda self: self.concentration / self.rate**2)  # type: ignore[assignment]

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        value = _C._standard_gamma(self.concentration.expand(shape).contiguous()) / self.rate.expand(shape)
        value.detach().clamp_(min=pydl.finfo(value.dtype).tiny)
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        value = pydl.as_tensor(value, dtype=self.rate.dtype)
        self._validate_sample(value)
        a = self.concentration
        return _C.xlogy(a, self.rate) + _C.xlogy(a - 1, value) - self.rate * value - a.lgamma()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return pydl.special.gammainc(self.concentration, self.rate * value)  # type: ignore[attr-defined]

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return self.concentration - 1, -self.rate

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return (x + 1).lgamma() - (x + 1) * (-y).log()


class Chi2(Gamma):
    """The sum of the squares of ``df`` normal numbers.

    Example:
        >>> import pydl
        >>> pydl.distributions.Chi2(3.).mean
        tensor(3.)
    """

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Any, validate_args: bool | None = None) -> None:
        (df,) = broadcast_all(df)
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Tensor:
        """The degrees of freedom."""
        return self.concentration * 2

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, type(self).__new__(type(self)))


class InverseGamma(Distribution):
    """The reciprocal of a gamma number: shape ``concentration``, scale ``rate``.

    Example:
        >>> import pydl
        >>> pydl.distributions.InverseGamma(3., 4.).mean
        tensor(2.)
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = {"concentration": 0, "rate": 0}

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self.concentration, self.rate = broadcast_all(concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def mean(self) -> Tensor:
        a = self.concentration
        return _C.where(a > 1, self.rate / (a - 1), math.inf)

    mode = property(lambda self: self.rate / (self.concentration + 1))  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        return _C.where(a > 2, self.rate**2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.rate / _C._standard_gamma(self.concentration.expand(shape).contiguous())

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a = self.concentration
        return a * self.rate.log() - (a + 1) * value.log() - self.rate / value - a.lgamma()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return pydl.special.gammaincc(self.concentration, self.rate / value)  # type: ignore[attr-defined]

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()


class Dirichlet(ExponentialFamily):
    """Probability vectors (*, k) with weights ``concentration`` (*, k): gamma numbers divided by their sum.

    Example:
        >>> import pydl
        >>> pydl.distributions.Dirichlet(pydl.tensor([1., 3.])).mean
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True
    _parameters = {"concentration": 1}
    _mean_carrier_measure = 0

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.dim() < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args=validate_args)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        a = self.concentration.expand(self._extended_shape(sample_shape)).contiguous()
        # In double precision small weights do not vanish before the division.
        g = _C._standard_gamma(a.double())
        value = (g / g.sum(-1, True)).to(a.dtype)
        return value.clamp(pydl.finfo(a.dtype).tiny, 1 - pydl.finfo(a.dtype).eps / 2)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a = self.concentration
        return _C.xlogy(a - 1, value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    mean = property(lambda self: self.concentration / self.concentration.sum(-1, True))  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        rest = (self.concentration - 1).clamp_min(0)
        mode = rest / rest.sum(-1, True)
        corner = (self.concentration < 1).all(-1, True)
        largest = self.concentration == self.concentration.amax(-1, True)
        first = largest.to(mode.dtype).cumsum(-1) * largest.to(mode.dtype) == 1
        return _C.where(corner, first.to(mode.dtype), mode)

    @property
    def variance(self) -> Tensor:
        a = self.concentration
        total = a.sum(-1, True)
        return a * (total - a) / (total**2 * (total + 1))

    def entropy(self) -> Tensor:
        a = self.concentration
        k, total = a.shape[-1], a.sum(-1)
        return a.lgamma().sum(-1) - total.lgamma() - (k - total) * total.digamma() - ((a - 1) * a.digamma()).sum(-1)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.concentration,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.lgamma().sum(-1) - x.sum(-1).lgamma()


class Beta(ExponentialFamily):
    """Probabilities with density proportional to x^(concentration1 - 1) (1 - x)^(concentration0 - 1).

    Example:
        >>> import pydl
        >>> pydl.distributions.Beta(1., 3.).mean
        tensor(0.2500)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(self, concentration1: Any, concentration0: Any, validate_args: bool | None = None) -> None:
        a, b = broadcast_all(concentration1, concentration0)
        self._dirichlet = Dirichlet(_C.stack([a, b], -1), validate_args=validate_args)
        super().__init__(self._dirichlet.batch_shape, validate_args=validate_args)

    @property
    def concentration1(self) -> Tensor:
        """The weight of 1."""
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Tensor:
        """The weight of 0."""
        return self._dirichlet.concentration[..., 1]

    @property
    def _total(self) -> Tensor:
        return self.concentration1 + self.concentration0

    mean = property(lambda self: self.concentration1 / self._total)  # type: ignore[assignment]
    mode = property(lambda self: self._dirichlet.mode[..., 0])  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        return self.concentration1 * self.concentration0 / (self._total**2 * (self._total + 1))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        norm = self._total.lgamma() - a.lgamma() - b.lgamma()
        return _C.xlogy(a - 1, value) + _C.xlogy(b - 1, 1 - value) + norm

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return self.concentration1, self.concentration0

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return x.lgamma() + y.lgamma() - (x + y).lgamma()


class StudentT(Distribution):
    """Student's t with ``df`` degrees of freedom, location ``loc`` and scale ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.StudentT(4.).variance
        tensor(2.)
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    _parameters = {"df": 0, "loc": 0, "scale": 0}

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool | None = None) -> None:
        self.df, self.loc, self.scale = broadcast_all(df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    mean = property(lambda self: _C.where(self.df > 1, self.loc, math.nan))  # type: ignore[assignment]
    mode = property(lambda self: self.loc)  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        k = self.df
        found = _C.where(k > 2, self.scale**2 * k / (k - 2), math.inf)
        return _C.where(k > 1, found, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        z = _C.randn(shape, dtype=self.df.dtype)
        df = self.df.expand(shape)
        chi2 = 2 * _C._standard_gamma((df / 2).contiguous())
        return self.loc + self.scale * z * (df / chi2).sqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k, y = self.df, (value - self.loc) / self.scale
        norm = self.scale.log() + 0.5 * k.log() + 0.5 * math.log(math.pi) + (k / 2).lgamma() - ((k + 1) / 2).lgamma()
        return -0.5 * (k + 1) * (y**2 / k).log1p() - norm

    def entropy(self) -> Tensor:
        k, h = self.df, (self.df + 1) / 2
        beta = (k / 2).lgamma() + math.lgamma(0.5) - h.lgamma()
        return self.scale.log() + h * (h.digamma() - (k / 2).digamma()) + 0.5 * k.log() + beta


class FisherSnedecor(Distribution):
    """The ratio of two chi-squared numbers, each divided by its degrees of freedom.

    Example:
        >>> import pydl
        >>> pydl.distributions.FisherSnedecor(2., 4.).mean
        tensor(2.)
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    _parameters = {"df1": 0, "df2": 0}

    def __init__(self, df1: Any, df2: Any, validate_args: bool | None = None) -> None:
        self.df1, self.df2 = broadcast_all(df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    mean = property(lambda self: _C.where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan))  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        found = (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2)
        return _C.where(self.df1 > 2, found, math.nan)

    @property
    def variance(self) -> Tensor:
        a, b = self.df1, self.df2
        found = 2 * b**2 * (a + b - 2) / (a * (b - 2) ** 2 * (b - 4))
        return _C.where(b > 4, found, math.nan)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        a, b = (d.expand(shape) / 2 for d in (self.df1, self.df2))
        top, bottom = (_C._standard_gamma(d.contiguous()) / d for d in (a, b))
        return (top / bottom).clamp_min(pydl.finfo(top.dtype).tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b = self.df1 / 2, self.df2 / 2
        ratio = self.df1 / self.df2
        norm = (a + b).lgamma() - a.lgamma() - b.lgamma()
        return norm + a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
