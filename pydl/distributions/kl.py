"""Kullback-Leibler divergences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pydl
from pydl import Tensor
from pydl.distributions.compound import Independent, TransformedDistribution
from pydl.distributions.continuous import (
    Cauchy,
    Exponential,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    Laplace,
    Normal,
    Pareto,
    Uniform,
    Weibull,
)
from pydl.distributions.discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    ContinuousBernoulli,
    Geometric,
    OneHotCategorical,
    Poisson,
)
from pydl.distributions.distribution import Distribution, ExponentialFamily, sum_rightmost
from pydl.distributions.gamma import Beta, Dirichlet, Gamma, InverseGamma
from pydl.distributions.multivariate import LowRankMultivariateNormal, MultivariateNormal, _log_diagonal

__all__ = ["kl_divergence", "register_kl"]

_C: Any = pydl
_REGISTRY: dict[tuple[type, type], Callable[..., Tensor]] = {}
_EULER = 0.57721566490153286061


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorate a function (p, q) -> divergence for a pair of classes of distributions and their subclasses.

    Raises:
        TypeError: for classes that are no distributions.

    Example:
        >>> import pydl
        >>> class Mine(pydl.distributions.Normal): pass
        >>> @pydl.distributions.register_kl(Mine, Mine)
        ... def mine(p, q):
        ...     return pydl.zeros(())
        >>> pydl.distributions.kl_divergence(Mine(0., 1.), Mine(1., 1.))
        tensor(0.)
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not (isinstance(kind, type) and issubclass(kind, Distribution)):
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {kind}")

    def decorate(function: Any) -> Any:
        _REGISTRY[type_p, type_q] = function
        _found.clear()
        return function

    return decorate


_found: dict[tuple[type, type], Any] = {}


def _lookup(type_p: type, type_q: type) -> Any:
    """The function of the nearest pair of base classes."""
    if (type_p, type_q) not in _found:
        pairs = [(a, b) for a, b in _REGISTRY if issubclass(type_p, a) and issubclass(type_q, b)]
        nearest = min(
            pairs,
            key=lambda pair: (type_p.__mro__.index(pair[0]) + type_q.__mro__.index(pair[1]), pairs.index(pair)),
            default=None,
        )
        _found[type_p, type_q] = None if nearest is None else _REGISTRY[nearest]
    return _found[type_p, type_q]


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The divergence of ``q`` from ``p``: the mean under p of log p - log q, one for each of the batch.

    Raises:
        NotImplementedError: for a pair of families without a formula, see `register_kl`.

    Example:
        >>> import pydl
        >>> d = pydl.distributions
        >>> d.kl_divergence(d.Normal(0., 1.), d.Normal(1., 1.))
        tensor(0.5000)
    """
    function = _lookup(type(p), type(q))
    if function is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
        )
    return function(p, q)


def _infinite(t: Tensor) -> Tensor:
    return _C.full_like(t, math.inf)


def _xlogy_ratio(p: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """p log(a / b): 0 for p = 0, infinite for b = 0 and p > 0."""
    found = p * (a / b).log()
    return _C.where(p == 0, 0.0, _C.where(b == 0, math.inf, found))


# ---- same families ---------------------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Tensor:
    return _xlogy_ratio(p.probs, p.probs, q.probs) + _xlogy_ratio(1 - p.probs, 1 - p.probs, 1 - q.probs)


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    found = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return _C.where(p.total_count > q.total_count, math.inf, found)


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Tensor:
    found = p.probs * (p.logits - q.logits)
    found = _C.where((q.probs == 0).expand(found.shape), math.inf, found)
    return _C.where((p.probs == 0).expand(found.shape), 0.0, found).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: Any) -> Tensor:
    first = p.mean * (p.logits - q.logits)
    second = p._log_constant() + (-p.probs).log1p()
    return first + second - q._log_constant() - (-q.probs).log1p()


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    norms = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return norms + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * a / p.rate
    )


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Any, q: Any) -> Tensor:
    ratio, shift = p.scale / q.scale, (p.loc - q.loc) / q.scale
    return q.scale.log() - p.scale.log() + _EULER * (ratio - 1) + (-shift + (ratio + 1).lgamma()).exp() - 1 + shift


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Tensor:
    return _normal(p._whole, q._whole)


@register_kl(HalfCauchy, HalfCauchy)
def _half_cauchy(p: Any, q: Any) -> Tensor:
    return _cauchy(p._whole, q._whole)


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma(p: Any, q: Any) -> Tensor:
    return _gamma(p, q)  # taking reciprocals on both sides changes nothing


@register_kl(Weibull, Weibull)
def _weibull(p: Any, q: Any) -> Tensor:
    """Bauckhage, "Computing the Kullback-Leibler divergence between two Weibull distributions", 2013."""
    a, b = p.concentration, q.concentration
    logs = a.log() - a * p.scale.log() - b.log() + b * q.scale.log()
    return logs + (a - b) * (p.scale.log() - _EULER / a) + (p.scale / q.scale) ** b * (b / a + 1).lgamma().exp() - 1


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Tensor:
    distance = (p.loc - q.loc).abs()
    ratio = p.scale / q.scale
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Tensor:
    """Chyzak and Nielsen, "A closed-form formula for the Kullback-Leibler divergence between Cauchy distributions",
    2019."""
    top = ((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log()
    return top - (4 * p.scale * q.scale).log()


@register_kl(Pareto, Pareto)
def _pareto(p: Any, q: Any) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _C.where(p.scale < q.scale, math.inf, found)


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Tensor:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return _C.where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be computed"
        )
    return _between_normals(p.loc, p._unbroadcasted_scale_tril, q.loc, q._unbroadcasted_scale_tril)


def _between_normals(p_loc: Tensor, p_tril: Tensor, q_loc: Tensor, q_tril: Tensor) -> Tensor:
    n = p_loc.shape[-1]
    batch = tuple(pydl.broadcast_shapes(p_tril.shape[:-2], q_tril.shape[:-2], p_loc.shape[:-1], q_loc.shape[:-1]))
    p_tril, q_tril = (t.expand((*batch, n, n)) for t in (p_tril, q_tril))
    moved = pydl.linalg.solve_triangular(q_tril, p_tril, upper=False)
    apart = pydl.linalg.solve_triangular(q_tril, (q_loc - p_loc).unsqueeze(-1), upper=False).squeeze(-1)
    half = _log_diagonal(q_tril) - _log_diagonal(p_tril)
    return half + 0.5 * ((moved**2).sum((-2, -1)) + (apart**2).sum(-1) - n)


def _normal_parts(d: Any) -> tuple[Tensor, Tensor]:
    return d.loc, d._unbroadcasted_scale_tril if isinstance(d, MultivariateNormal) else d.scale_tril


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
def _any_normals(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two normal distributions with different event shapes cannot be computed"
        )
    return _between_normals(*_normal_parts(p), *_normal_parts(q))


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: Any, q: Any) -> Tensor:
    """The Bregman divergence of the log normalizer."""
    if type(p) is not type(q):
        raise NotImplementedError(
            f"The cross KL-divergence between different exponential families cannot be computed: {type(p).__name__} "
            f"and {type(q).__name__}"
        )
    p_natural = [t.detach().requires_grad_() for t in p._natural_params]
    with pydl.enable_grad():
        normalizer = p._log_normalizer(*p_natural)
        slopes = pydl.autograd.grad(normalizer.sum(), p_natural, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for a, b, slope in zip(p_natural, q._natural_params, slopes):
        result = result - sum_rightmost((b - a) * slope, len(q.event_shape))
    return result


# ---- different families ----------------------------------------------------------------------------------------


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Tensor:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Tensor:
    ratio = q.rate / p.rate
    return -q.concentration * ratio.log() + ratio + q.concentration.lgamma() + q.concentration * _EULER - (1 + _EULER)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Any, q: Any) -> Tensor:
    scaled = p.rate * q.scale
    shift = q.loc / q.scale
    return scaled.log() - 1 - shift + 1 / scaled + shift.exp() * scaled / (scaled + 1)


@register_kl(Exponential, Normal)
def _exponential_normal(p: Any, q: Any) -> Tensor:
    spread = q.scale**2
    half = 0.5 * (p.rate**2 * spread * 2 * math.pi).log()
    return half - 1 + (1 / p.rate**2 - q.loc / p.rate + 0.5 * q.loc**2) / spread


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Any, q: Any) -> Tensor:
    scaled, shift = p.rate * q.scale, q.loc / q.scale
    a = p.concentration
    return (
        (a - 1) * a.digamma() - a.lgamma() - a + scaled.log() + a / scaled - shift
        + shift.exp() * (1 + 1 / scaled) ** -a
    )  # fmt: skip


@register_kl(Gamma, Normal)
def _gamma_normal(p: Any, q: Any) -> Tensor:
    spread, a = q.scale**2, p.concentration
    half = 0.5 * (p.rate**2 * spread * 2 * math.pi).log() - a - a.lgamma() + (a - 1) * a.digamma()
    return half + 0.5 * (a**2 + a) / (p.rate**2 * spread) - q.loc * a / (p.rate * spread) + 0.5 * q.loc**2 / spread


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Any, q: Any) -> Tensor:
    ratio = p.scale / q.scale
    apart = (p.loc + p.scale * _EULER - q.loc) / q.scale
    return -ratio.log() + 0.5 * (math.log(2 * math.pi)) + math.pi**2 / 12 * ratio**2 + 0.5 * apart**2 - (_EULER + 1)


@register_kl(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Tensor:
    spread = q.scale**2
    ratio = p.scale**2 / spread
    half = 0.5 * (2 * ratio / math.pi).log()
    return -half + ratio + 0.5 * (p.loc - q.loc) ** 2 / spread - 1


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Any, q: Any) -> Tensor:
    apart, ratio = (p.loc - q.loc) / q.scale, (p.scale / q.scale) ** 2
    return apart + (-apart + 0.5 * ratio).exp() - 0.5 * (ratio.log() + 1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Tensor:
    apart = p.loc - q.loc
    z = apart / p.scale
    mean_distance = math.sqrt(2 / math.pi) * p.scale * (-0.5 * z**2).exp() + apart * (z / math.sqrt(2)).erf()
    return mean_distance / q.scale - (p.scale / q.scale).log() - 0.5 * math.log(math.pi / 2) - 0.5


@register_kl(Beta, Exponential)
def _beta_exponential(p: Any, q: Any) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Any, q: Any) -> Tensor:
    a = q.concentration
    log_mean = p.concentration1.digamma() - p._total.digamma()
    return -p.entropy() - a * q.rate.log() + a.lgamma() - (a - 1) * log_mean + q.rate * p.mean


@register_kl(Beta, Normal)
def _beta_normal(p: Any, q: Any) -> Tensor:
    second = p.variance + (p.mean - q.loc) ** 2
    return -p.entropy() + 0.5 * (q.scale**2 * 2 * math.pi).log() + 0.5 * second / q.scale**2


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Tensor:
    found = (p.alpha / (p.scale * q.rate)).log() - 1 / p.alpha - 1 + p.alpha * p.scale * q.rate / (p.alpha - 1)
    return _C.where(p.alpha <= 1, math.inf, found)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Tensor:
    log_mean = p.scale.log() + 1 / p.alpha
    mean = p.alpha * p.scale / (p.alpha - 1)
    cross = q.concentration * q.rate.log() - q.concentration.lgamma() + (q.concentration - 1) * log_mean - q.rate * mean
    return _C.where(p.alpha <= 1, math.inf, -p.entropy() - cross)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Tensor:
    mean = p.alpha * p.scale / (p.alpha - 1)
    spread = p.alpha * p.scale**2 / ((p.alpha - 1) ** 2 * (p.alpha - 2))
    cross = 0.5 * (2 * math.pi * q.scale**2).log() + 0.5 * (spread + (mean - q.loc) ** 2) / q.scale**2
    return _C.where(p.alpha <= 2, math.inf, -p.entropy() + cross)


@register_kl(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    cross = 0.5 * (2 * math.pi * q.scale**2).log() + 0.5 * (width**2 / 12 + (p.mean - q.loc) ** 2) / q.scale**2
    return cross - width.log()


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Tensor:
    found = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return _C.where(p.low < 0, math.inf, found)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    log_mean = (_C.xlogy(p.high, p.high) - _C.xlogy(p.low, p.low.clamp_min(0))) / width - 1
    cross = q.concentration * q.rate.log() - q.concentration.lgamma() + (q.concentration - 1) * log_mean
    return _C.where(p.low < 0, math.inf, -width.log() - cross + q.rate * p.mean)


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    low, high = (p.low - q.loc) / q.scale, (p.high - q.loc) / q.scale
    mean_exp = ((-low).exp() - (-high).exp()) * q.scale / width
    return -width.log() + q.scale.log() + 0.5 * (low + high) + mean_exp


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    log_mean = (_C.xlogy(p.high, p.high) - _C.xlogy(p.low, p.low)) / width - 1
    log_rest = (_C.xlogy(1 - p.low, 1 - p.low) - _C.xlogy(1 - p.high, 1 - p.high)) / width - 1
    a, b = q.concentration1, q.concentration0
    norm = a.lgamma() + b.lgamma() - (a + b).lgamma()
    found = -width.log() - (a - 1) * log_mean - (b - 1) * log_rest + norm
    return _C.where((p.high > 1) | (p.low < 0), math.inf, found)


@register_kl(ContinuousBernoulli, Exponential)
def _continuous_bernoulli_exponential(p: Any, q: Any) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(ContinuousBernoulli, Normal)
def _continuous_bernoulli_normal(p: Any, q: Any) -> Tensor:
    second = p.variance + (p.mean - q.loc) ** 2
    return -p.entropy() + 0.5 * (2 * math.pi * q.scale**2).log() + 0.5 * second / q.scale**2


def _always_infinite(p: Any, q: Any) -> Tensor:
    """p has values where q has none."""
    parameter = next(v for v in p.__dict__.values() if isinstance(v, Tensor)) if not isinstance(p, Beta) else p.mean
    return _infinite(parameter)


_UNBOUNDED = (Gumbel, Laplace, Normal)
_POSITIVE = (Exponential, Gamma)
_PAIRS = [
    *((p, q) for p in _UNBOUNDED for q in (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    *((p, q) for p in _POSITIVE for q in (Beta, ContinuousBernoulli, Pareto, Uniform)),
    *((Pareto, q) for q in (Beta, ContinuousBernoulli, Uniform)),
    *((p, Pareto) for p in (Beta, ContinuousBernoulli)),
    *((Poisson, q) for q in (Bernoulli, Binomial)),
]
for _p, _q in _PAIRS:
    register_kl(_p, _q)(_always_infinite)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Tensor:
    found = -p.entropy() + (q.high - q.low).log()
    return _C.where((q.low > 0) | (q.high < 1), math.inf, found)


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Tensor:
    found = -p.entropy() + (q.high - q.low).log()
    return _C.where((q.low > 0) | (q.high < 1), math.inf, found)


@register_kl(Beta, ContinuousBernoulli)
def _beta_continuous_bernoulli(p: Any, q: Any) -> Tensor:
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_constant()


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Tensor:
    found = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._log_constant()
    return _C.where((p.high > 1) | (p.low < 0), math.inf, found)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Tensor:
    width = p.high - p.low
    log_mean = (_C.xlogy(p.high, p.high) - _C.xlogy(p.low, p.low)) / width - 1
    found = -width.log() - q.alpha.log() - q.alpha * q.scale.log() + (q.alpha + 1) * log_mean
    return _C.where(p.low < q.scale, math.inf, found)
