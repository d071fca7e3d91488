"""Distributions over integers and categories."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Size, Tensor
from pydl.distributions import constraints
from pydl.distributions.distribution import (
    Distribution,
    ExponentialFamily,
    broadcast_all,
    lazy_property,
    logits_to_probs,
    open_unit,
    probs_to_logits,
)

__all__ = [
    "Bernoulli", "Binomial", "Categorical", "ContinuousBernoulli", "Geometric", "Multinomial", "NegativeBinomial",
    "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson",
]  # fmt: skip

_C: Any = pydl


def _one_of(probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def _softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x))"""
    return _C.logaddexp(x, _C.zeros_like(x))


class _Binary(Distribution):
    """Parameters of a yes-or-no trial: ``probs`` or ``logits``, the other one computed when it is asked for."""

    _parameters = {"probs": 0, "logits": 0}

    def _set(self, probs: Any, logits: Any) -> None:
        _one_of(probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all(probs)
        else:
            (self.logits,) = broadcast_all(logits)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits, True)

    @lazy_property
    def logits(self) -> Tensor:
        """The logarithms of the odds."""
        return probs_to_logits(self.probs, True)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs"] if "probs" in self.__dict__ else self.__dict__["logits"]

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._param.shape


class Bernoulli(_Binary, ExponentialFamily):
    """1 with probability ``probs`` (or that of ``logits``), else 0.

    Example:
        >>> import pydl
        >>> pydl.distributions.Bernoulli(0.25).variance
        tensor(0.1875)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True
    _mean_carrier_measure = 0

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    mean = property(lambda self: self.probs)  # type: ignore[assignment]
    variance = property(lambda self: self.probs * (1 - self.probs))  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        found = (self.probs >= 0.5).to(self.probs.dtype)
        return _C.where(self.probs == 0.5, math.nan, found)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            return _C.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits = self.logits
        return value * logits - _softplus(logits)

    def entropy(self) -> Tensor:
        return _softplus(self.logits) - self.probs * self.logits

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(_C.arange(2, dtype=self._param.dtype), expand)

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return _softplus(x)


class ContinuousBernoulli(_Binary, ExponentialFamily):
    """On [0, 1], density proportional to probs^x (1 - probs)^(1 - x) (Loaiza-Ganem, Cunningham, 2019).

    Near probs = 0.5, within ``lims``, a Taylor series takes the place of the formula.

    Example:
        >>> import pydl
        >>> pydl.distributions.ContinuousBernoulli(0.5).mean
        tensor(0.5000)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._set(probs, logits)
        self._lims = lims
        if "probs" in self.__dict__:
            eps = pydl.finfo(self.probs.dtype).eps
            self.probs = self.probs.clamp(eps, 1 - eps)
        super().__init__(self._param.shape, validate_args=validate_args)

    @property
    def _outside(self) -> Tensor:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    @property
    def _safe(self) -> Tensor:
        return _C.where(self._outside, self.probs, _C.full_like(self.probs, self._lims[0]))

    def _log_constant(self) -> Tensor:
        p = self._safe
        far = ((-p).log1p() - p.log()).abs().log() - (1 - 2 * p).abs().log()
        x = (self.probs - 0.5) ** 2
        return _C.where(self._outside, far, math.log(2) + (4 / 3 + 104 / 45 * x) * x)

    @property
    def mean(self) -> Tensor:
        p = self._safe
        far = p / (2 * p - 1) + 1 / ((-p).log1p() - p.log())
        x = self.probs - 0.5
        return _C.where(self._outside, far, 0.5 + (1 / 3 + 16 / 45 * x**2) * x)

    @property
    def variance(self) -> Tensor:
        p = self._safe
        far = p * (p - 1) / (1 - 2 * p) ** 2 + 1 / ((-p).log1p() - p.log()) ** 2
        x = (self.probs - 0.5) ** 2
        return _C.where(self._outside, far, 1 / 12 - (1 / 15 - 128 / 945 * x) * x)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.icdf(open_unit(self._extended_shape(sample_shape), self.probs.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return value * self.logits - _softplus(self.logits) + self._log_constant()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        p = self._safe
        far = (p**value * (1 - p) ** (1 - value) + p - 1) / (2 * p - 1)
        return _C.where(self._outside, far, value).clamp(0, 1)

    def icdf(self, value: Tensor) -> Tensor:
        p = self._safe
        far = ((-p + value * (2 * p - 1)).log1p() - (-p).log1p()) / (p.log() - (-p).log1p())
        return _C.where(self._outside, far, value)

    def entropy(self) -> Tensor:
        return -self.mean * self.logits + _softplus(self.logits) - self._log_constant()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        far = (x.exp().sub(1).abs()).log() - x.abs().log()
        return _C.where((x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5), far, 0.5 * x + x**2 / 24 - x**4 / 2880)


class Geometric(_Binary):
    """How many trials fail before the first success of probability ``probs``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Geometric(0.25).mean
        tensor(3.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._set(probs, logits)
        super().__init__(self._param.shape, validate_args=validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise ValueError(
                f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of distribution {self!r} "
                f"to be positive but found invalid values:\n{self.probs}"
            )

    mean = property(lambda self: 1 / self.probs - 1)  # type: ignore[assignment]
    mode = property(lambda self: _C.zeros_like(self.probs))  # type: ignore[assignment]
    variance = property(lambda self: (1 / self.probs - 1) / self.probs)  # type: ignore[assignment]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            u = open_unit(self._extended_shape(sample_shape), self.probs.dtype)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return _C.xlogy(value, 1 - self.probs) + self.probs.log() if "probs" in self.__dict__ else (
            -value * _softplus(self.logits) - _softplus(-self.logits)
        )  # fmt: skip

    def entropy(self) -> Tensor:
        return (_softplus(self.logits) - self.probs * self.logits) / self.probs


class Binomial(_Binary):
    """How many of ``total_count`` trials succeed, each with probability ``probs``.

    Example:
        >>> import pydl
        >>> pydl.distributions.Binomial(4, pydl.tensor(0.5)).mean
        tensor(2.)
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    has_enumerate_support = True
    _parameters = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        _one_of(probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    mean = property(lambda self: self.total_count * self.probs)  # type: ignore[assignment]
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        return _C.minimum(((self.total_count + 1) * self.probs).floor(), self.total_count)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with pydl.no_grad():
            return _C.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return ways + value * self.logits - n * _softplus(self.logits)

    def entropy(self) -> Tensor:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError("Inhomogeneous total count not supported by `entropy`.")
        found = self.log_prob(self.enumerate_support(False))
        return -(found.exp() * found).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = int(self.total_count.max())
        if not bool((self.total_count == n).all()):
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        return self._enumerated(_C.arange(1 + n, dtype=self._param.dtype), expand)


class NegativeBinomial(_Binary):
    """How many successes of probability ``probs`` come before ``total_count`` failures, which need not be whole.

    Example:
        >>> import pydl
        >>> pydl.distributions.NegativeBinomial(3., pydl.tensor(0.5)).mean
        tensor(3.)
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer
    _parameters = {"total_count": 0, "probs": 0, "logits": 0}

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        _one_of(probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all(total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all(total_count, logits)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, validate_args=validate_args)

    mean = property(lambda self: self.total_count * self.logits.exp())  # type: ignore[assignment]
    mode = property(lambda self: ((self.total_count - 1) * self.logits.exp()).floor().clamp_min(0))  # type: ignore[assignment]
    variance = property(lambda self: self.mean / (-self.logits).sigmoid())  # type: ignore[assignment]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with pydl.no_grad():  # a Poisson number whose rate is a gamma number
            rate = _C._standard_gamma(self.total_count.expand(shape).contiguous()) * self.logits.exp()
            return _C.poisson(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        weight = -n * _softplus(self.logits) - value * _softplus(-self.logits)
        ways = (n + value).lgamma() - (1 + value).lgamma() - n.lgamma()
        return weight + ways.masked_fill(n + value == 0, 0.0)


class Poisson(ExponentialFamily):
    """How many events of rate ``rate`` occur.

    Example:
        >>> import pydl
        >>> pydl.distributions.Poisson(4.).variance
        tensor(4.)
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _parameters = {"rate": 0}

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, validate_args=validate_args)

    mean = variance = property(lambda self: self.rate)  # type: ignore[assignment]
    mode = property(lambda self: self.rate.floor())  # type: ignore[assignment]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            return _C.poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return _C.xlogy(value, self.rate) - self.rate - (value + 1).lgamma()

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return (self.rate.log(),)

    def _log_normalizer(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.exp()


class Categorical(Distribution):
    """One of k categories, by weights ``probs`` (*, k), normalised here, or log-weights ``logits`` (*, k).

    Example:
        >>> import pydl
        >>> pydl.distributions.Categorical(pydl.tensor([1., 3.])).probs
        tensor([0.2500, 0.7500])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _parameters = {"probs": 1, "logits": 1}

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        _one_of(probs, logits)
        given = probs if probs is not None else logits
        if given.dim() < 1:
            raise ValueError(
                f"`{'probs' if probs is not None else 'logits'}` parameter must be at least one-dimensional."
            )
        if probs is not None:
            self.probs = probs / probs.sum(-1, True)
        else:
            self.logits = logits - logits.logsumexp(-1, True)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities (*, k)."""
        return logits_to_probs(self.logits)

    @lazy_property
    def logits(self) -> Tensor:
        """The log-probabilities (*, k)."""
        return probs_to_logits(self.probs)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs"] if "probs" in self.__dict__ else self.__dict__["logits"]

    @property
    def _num_events(self) -> int:
        return self._param.shape[-1]

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter, (*, k)."""
        return self._param.shape

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    mean = property(lambda self: _C.full(self._extended_shape(), math.nan, dtype=self._param.dtype))  # type: ignore[assignment]
    variance = property(lambda self: _C.full(self._extended_shape(), math.nan, dtype=self._param.dtype))  # type: ignore[assignment]
    mode = property(lambda self: self.probs.argmax(-1))  # type: ignore[assignment]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = tuple(sample_shape)
        with pydl.no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            if rows.shape[0] == 0 or math.prod(shape) == 0:
                return _C.zeros(self._extended_shape(shape), dtype=pydl.int64)
            return _C.multinomial(rows, math.prod(shape), True).t().reshape(self._extended_shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        index, logits = pydl.broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        logits = self.logits.clamp_min(pydl.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(_C.arange(self._num_events, dtype=pydl.int64), expand)


class OneHotCategorical(Distribution):
    """One of k categories as a vector with a single 1; parameters as of `Categorical`.

    Example:
        >>> import pydl
        >>> pydl.distributions.OneHotCategorical(pydl.tensor([0., 1.])).sample()
        tensor([0., 1.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    mean = property(lambda self: self._categorical.probs)  # type: ignore[assignment]
    variance = property(lambda self: self.probs * (1 - self.probs))  # type: ignore[assignment]
    mode = property(lambda self: self._hot(self._categorical.mode))  # type: ignore[assignment]

    def _hot(self, index: Tensor) -> Tensor:
        places = _C.arange(self._event_shape[0])
        return (index.unsqueeze(-1) == places).to(self._categorical._param.dtype)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self._hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._event_shape[0]
        values = _C.eye(n, dtype=self._categorical._param.dtype).reshape((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n, *self._batch_shape, n)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose samples pass their gradient on to the probabilities (Bengio et al., 2013).

    Example:
        >>> import pydl
        >>> pydl.distributions.OneHotCategoricalStraightThrough(pydl.tensor([0., 1.])).rsample()
        tensor([0., 1.])
    """

    has_rsample = True

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return OneHotCategorical.sample(self, sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(Distribution):
    """Counts of ``total_count`` draws from k categories; parameters as of `Categorical`.

    Example:
        >>> import pydl
        >>> pydl.distributions.Multinomial(4, pydl.tensor([1., 3.])).mean
        tensor([1., 3.])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)
    mean = property(lambda self: self.probs * self.total_count)  # type: ignore[assignment]
    variance = property(lambda self: self.total_count * self.probs * (1 - self.probs))  # type: ignore[assignment]

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            draws = self._categorical.sample((self.total_count, *sample_shape))
            counts = _C.zeros(self._extended_shape(sample_shape), dtype=self._categorical._param.dtype)
            index = draws.movedim(0, -1)
            return counts.scatter_add(-1, index, _C.ones(tuple(index.shape), dtype=counts.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = pydl.broadcast_tensors(self.logits, value)
        weighted = _C.where((value == 0) & (logits == -math.inf), 0.0, logits * value)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + weighted.sum(-1)

    def entropy(self) -> Tensor:
        n = float(self.total_count)
        counts = _C.arange(1, self.total_count + 1, dtype=self.probs.dtype)
        single = Binomial(self.total_count, self.probs, validate_args=False)
        weights = single.log_prob(counts.reshape((-1,) + (1,) * self.probs.dim())).exp()
        logs = (counts + 1).lgamma().reshape((-1,) + (1,) * self.probs.dim())
        return n * self._categorical.entropy() - math.lgamma(n + 1) + (weights * logs).sum((0, -1))
