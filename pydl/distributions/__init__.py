"""Probability distributions, their transforms and divergences. Each family's file is loaded when first used."""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = {
    "circular": "VonMises",
    "compound": "Independent LogNormal LogisticNormal MixtureSameFamily RelaxedBernoulli RelaxedOneHotCategorical "
    "TransformedDistribution",
    "constraint_registry": "biject_to transform_to",
    "continuous": "Cauchy Exponential GeneralizedPareto Gumbel HalfCauchy HalfNormal Kumaraswamy Laplace Normal Pareto "
    "Uniform Weibull",
    "discrete": "Bernoulli Binomial Categorical ContinuousBernoulli Geometric Multinomial NegativeBinomial "
    "OneHotCategorical OneHotCategoricalStraightThrough Poisson",
    "distribution": "Distribution ExponentialFamily",
    "gamma": "Beta Chi2 Dirichlet FisherSnedecor Gamma InverseGamma StudentT",
    "kl": "kl_divergence register_kl",
    "multivariate": "LKJCholesky LowRankMultivariateNormal MultivariateNormal Wishart",
    "transforms": "AbsTransform AffineTransform CatTransform ComposeTransform CorrCholeskyTransform "
    "CumulativeDistributionTransform ExpTransform IndependentTransform LowerCholeskyTransform "
    "PositiveDefiniteTransform PowerTransform ReshapeTransform SigmoidTransform SoftmaxTransform SoftplusTransform "
    "StackTransform StickBreakingTransform TanhTransform Transform identity_transform",
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names.split()}
_SUBMODULES = (*_MODULES, "constraints", "relaxed")

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
