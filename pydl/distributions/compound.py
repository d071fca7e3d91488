"""Distributions made of others: independent dims, transforms, mixtures, relaxations."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.distributions import constraints, transforms
from pydl.distributions.continuous import Normal
from pydl.distributions.discrete import Bernoulli, Categorical
from pydl.distributions.distribution import Distribution, open_unit, sum_rightmost

__all__ = [
    "ExpRelaxedCategorical", "Independent", "LogNormal", "LogisticNormal", "LogitRelaxedBernoulli",
    "MixtureSameFamily", "RelaxedBernoulli", "RelaxedOneHotCategorical", "TransformedDistribution",
]  # fmt: skip

_C: Any = pydl


class Independent(Distribution):
    """A distribution whose last batch dims count as dims of the event.

    Example:
        >>> import pydl
        >>> d = pydl.distributions
        >>> d.Independent(d.Normal(pydl.zeros(3), 1.), 1).event_shape
        torch.Size([3])
    """

    arg_constraints: Any = {}

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        if reinterpreted_batch_ndims > len(base_distribution.batch_shape):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {reinterpreted_batch_ndims} vs {len(base_distribution.batch_shape)}"
            )
        shape = base_distribution.batch_shape + base_distribution.event_shape
        first = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        super().__init__(shape[:first], shape[first:], validate_args=validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)  # type: ignore[assignment]
    mean = property(lambda self: self.base_dist.mean)  # type: ignore[assignment]
    mode = property(lambda self: self.base_dist.mode)  # type: ignore[assignment]
    variance = property(lambda self: self.base_dist.variance)  # type: ignore[assignment]

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Only without dims that were taken into the event."""
        return self.reinterpreted_batch_ndims == 0 and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self) -> Any:
        base = self.base_dist.support
        return constraints.independent(base, self.reinterpreted_batch_ndims) if self.reinterpreted_batch_ndims else base

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        taken = tuple(self.base_dist.batch_shape[len(self._batch_shape) :])
        base = self.base_dist.expand((*batch_shape, *taken))
        return Independent(base, self.reinterpreted_batch_ndims, validate_args=self._validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims > 0:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class TransformedDistribution(Distribution):
    """What becomes of a distribution's values under one transform or several in turn.

    Example:
        >>> import pydl
        >>> d = pydl.distributions
        >>> d.TransformedDistribution(d.Normal(0., 1.), d.ExpTransform()).log_prob(pydl.tensor(1.))
        tensor(-0.9189)
    """

    arg_constraints: Any = {}

    def __init__(self, base_distribution: Any, transforms_: Any, validate_args: bool | None = None) -> None:
        self.transforms = [transforms_] if isinstance(transforms_, transforms.Transform) else list(transforms_)
        if not all(isinstance(t, transforms.Transform) for t in self.transforms):
            raise ValueError(f"transforms must be a Transform or a list of Transforms, got {transforms_}")
        chain = transforms.ComposeTransform(self.transforms)
        shape = base_distribution.batch_shape + base_distribution.event_shape
        if len(shape) < chain.domain.event_dim:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {chain.domain.event_dim}, "
                f"but got {tuple(shape)}."
            )
        out = tuple(chain.forward_shape(shape))
        wide = tuple(chain.inverse_shape(out))
        if tuple(shape) != wide:
            count = len(wide) - len(base_distribution.event_shape)
            base_distribution = base_distribution.expand(wide[:count])
        taken = chain.domain.event_dim - len(base_distribution.event_shape)
        if taken > 0:
            base_distribution = Independent(base_distribution, taken)
        self.base_dist = base_distribution
        dim = chain.codomain.event_dim + max(len(base_distribution.event_shape) - chain.domain.event_dim, 0)
        cut = len(out) - dim
        super().__init__(out[:cut], out[cut:], validate_args=validate_args)

    has_rsample = property(lambda self: self.base_dist.has_rsample)  # type: ignore[assignment]

    @constraints.dependent_property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        more = len(self._event_shape) - found.event_dim
        return constraints.independent(found, more) if more > 0 else found

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._get_checked_instance(TransformedDistribution, _instance)
        new.transforms = self.transforms
        chain = transforms.ComposeTransform(self.transforms)
        shape = chain.inverse_shape((*batch_shape, *self._event_shape))
        count = len(shape) - len(self.base_dist.event_shape)
        new.base_dist = self.base_dist.expand(tuple(shape)[:count])
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _through(self, x: Tensor) -> Tensor:
        for t in self.transforms:
            x = t(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            return self._through(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self._through(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        dim, y = len(self._event_shape), value
        total: Any = 0.0
        for t in reversed(self.transforms):
            x = t.inv(y)
            dim += t.domain.event_dim - t.codomain.event_dim
            total = total - sum_rightmost(t.log_abs_det_jacobian(x, y), dim - t.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y), dim - len(self.base_dist.event_shape))

    def _turned(self, probability: Tensor) -> Tensor:
        """1 - p where the transforms together fall."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        if isinstance(sign, int) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for t in reversed(self.transforms):
            value = t.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._through(self.base_dist.icdf(self._turned(value)))

    def __repr__(self) -> str:
        if self.arg_constraints:
            shown = ", ".join(
                f"{n}: {v if v.numel() == 1 else tuple(v.shape)}" for n, v in
                ((n, getattr(self, n)) for n in self.arg_constraints)
            )  # fmt: skip
            return f"{type(self).__name__}({shown})"
        return f"{type(self).__name__}()"


class LogNormal(TransformedDistribution):
    """exp of a normal number of mean ``loc`` and standard deviation ``scale``.

    Example:
        >>> import pydl
        >>> pydl.distributions.LogNormal(0., 1.).mean
        tensor(1.6487)
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        super().__init__(base, transforms.ExpTransform(), validate_args=validate_args)

    loc = property(lambda self: self.base_dist.loc)
    scale = property(lambda self: self.base_dist.scale)
    mean = property(lambda self: (self.loc + self.scale**2 / 2).exp())  # type: ignore[assignment]
    mode = property(lambda self: (self.loc - self.scale**2).exp())  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        squared = self.scale**2
        return squared.expm1() * (2 * self.loc + squared).exp()

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, type(self).__new__(type(self)))

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc


class LogisticNormal(TransformedDistribution):
    """Probabilities (*, k + 1) made of k normal numbers by stick breaking.

    Example:
        >>> import pydl
        >>> pydl.distributions.LogisticNormal(pydl.zeros(2), pydl.ones(2)).sample().shape
        torch.Size([3])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        base = base.expand((1,)) if not base.batch_shape else base
        super().__init__(base, transforms.StickBreakingTransform(), validate_args=validate_args)

    loc = property(lambda self: self.base_dist.base_dist.loc)
    scale = property(lambda self: self.base_dist.base_dist.scale)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, type(self).__new__(type(self)))


class LogitRelaxedBernoulli(Distribution):
    """The logit of `RelaxedBernoulli`.

    Example:
        >>> import pydl
        >>> d = pydl.distributions.relaxed.LogitRelaxedBernoulli(pydl.tensor(1.), pydl.tensor(0.5))
        >>> d.log_prob(pydl.tensor(0.))
        tensor(-1.3863)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        self._bernoulli = Bernoulli(probs, logits, validate_args=validate_args)
        super().__init__(self._bernoulli.batch_shape, validate_args=validate_args)

    probs = property(lambda self: self._bernoulli.probs)
    logits = property(lambda self: self._bernoulli.logits)
    param_shape = property(lambda self: self._bernoulli.param_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = open_unit(self._extended_shape(sample_shape), self.logits.dtype)
        return (u.log() - (-u).log1p() + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        difference = self.logits - value * self.temperature
        temperature = self.temperature
        log_t = temperature.log() if isinstance(temperature, Tensor) else math.log(temperature)
        return log_t + difference - 2 * transforms._softplus(difference)


class RelaxedBernoulli(TransformedDistribution):
    """A continuous stand-in for `Bernoulli` on (0, 1), sharper the lower ``temperature`` is.

    Maddison, Mnih, Teh, "The concrete distribution", 2017; Jang, Gu, Poole, 2017.

    Example:
        >>> import pydl
        >>> pydl.distributions.RelaxedBernoulli(pydl.tensor(1.), pydl.tensor(0.5)).log_prob(pydl.tensor(0.5))
        tensor(0.)
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, transforms.SigmoidTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    probs = property(lambda self: self.base_dist.probs)
    logits = property(lambda self: self.base_dist.logits)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, type(self).__new__(type(self)))


class ExpRelaxedCategorical(Distribution):
    """The logarithm of `RelaxedOneHotCategorical`.

    Example:
        >>> import pydl
        >>> d = pydl.distributions.relaxed.ExpRelaxedCategorical(pydl.tensor(1.), pydl.ones(3))
        >>> d.sample().shape
        torch.Size([3])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    probs = property(lambda self: self._categorical.probs)
    logits = property(lambda self: self._categorical.logits)
    param_shape = property(lambda self: self._categorical.param_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        gumbel = -(-open_unit(self._extended_shape(sample_shape), self.logits.dtype).log()).log()
        scores = (self.logits + gumbel) / self.temperature
        return scores - scores.logsumexp(-1, True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k, t = self._event_shape[-1], self.temperature
        log_t = t.log() if isinstance(t, Tensor) else math.log(t)
        score = self.logits - value * t
        return (score - score.logsumexp(-1, True)).sum(-1) + (k - 1) * log_t + math.lgamma(k)


class RelaxedOneHotCategorical(TransformedDistribution):
    """A continuous stand-in for `OneHotCategorical` on the simplex, sharper the lower ``temperature`` is.

    Example:
        >>> import pydl
        >>> pydl.distributions.RelaxedOneHotCategorical(pydl.tensor(1.), pydl.ones(3)).rsample().shape
        torch.Size([3])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, transforms.ExpTransform(), validate_args=validate_args)

    temperature = property(lambda self: self.base_dist.temperature)
    probs = property(lambda self: self.base_dist.probs)
    logits = property(lambda self: self.base_dist.logits)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return super().expand(batch_shape, type(self).__new__(type(self)))


class MixtureSameFamily(Distribution):
    """Mixtures of k components that one distribution holds in its last batch dim, weighted by a `Categorical`.

    Example:
        >>> import pydl
        >>> d = pydl.distributions
        >>> mix = d.MixtureSameFamily(d.Categorical(pydl.ones(2)), d.Normal(pydl.tensor([-1., 1.]), 1.))
        >>> mix.variance
        tensor(2.)
    """

    arg_constraints: Any = {}

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any, validate_args: bool | None = None
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of torch.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of torch.distributions.Distribution")
        batch, k = mixture_distribution.batch_shape, component_distribution.batch_shape
        if len(k) == 0 or mixture_distribution.param_shape[-1] != k[-1]:
            raise ValueError(
                f"`mixture_distribution component` ({mixture_distribution.param_shape[-1]}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({k[-1] if len(k) else 'none'})"
            )
        if any(a not in (1, b) and b != 1 for a, b in zip(reversed(tuple(batch)), reversed(tuple(k[:-1])))):
            raise ValueError(
                f"`mixture_distribution.batch_shape` ({tuple(batch)}) is not compatible with "
                f"`component_distribution.batch_shape`({tuple(k)})"
            )
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        self._num_component = k[-1]
        super().__init__(k[:-1], component_distribution.event_shape, validate_args=validate_args)

    mixture_distribution = property(lambda self: self._mixture_distribution)
    component_distribution = property(lambda self: self._component_distribution)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return MixtureSameFamily(
            self._mixture_distribution.expand(batch_shape),
            self._component_distribution.expand((*batch_shape, self._num_component)),
            validate_args=self._validate_args,
        )

    def _weights(self) -> Tensor:
        return self._mixture_distribution.probs.reshape(
            (*self._mixture_distribution.param_shape, *(1,) * len(self._event_shape))
        )

    def _over(self, value: Tensor) -> Tensor:
        return value.sum(-1 - len(self._event_shape))

    @property
    def mean(self) -> Tensor:
        return self._over(self._weights() * self._component_distribution.mean)

    @property
    def variance(self) -> Tensor:
        inside = self._over(self._weights() * self._component_distribution.variance)
        apart = self._component_distribution.mean - self.mean.unsqueeze(-1 - len(self._event_shape))
        return inside + self._over(self._weights() * apart**2)

    def cdf(self, value: Tensor) -> Tensor:
        found = self._component_distribution.cdf(value.unsqueeze(-1 - len(self._event_shape)))
        return (found * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        found = self._component_distribution.log_prob(value.unsqueeze(-1 - len(self._event_shape)))
        return (found + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            which = self._mixture_distribution.sample(sample_shape)
            drawn = self._component_distribution.sample(sample_shape)
            events = len(self._event_shape)
            which = which.expand((*sample_shape, *self._batch_shape))
            index = which.reshape((*which.shape, 1, *(1,) * events)).expand((*which.shape, 1, *self._event_shape))
            return drawn.gather(len(which.shape), index).squeeze(len(which.shape))

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture_distribution},\n  {self._component_distribution})"
