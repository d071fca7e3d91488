"""One or more examples of each family, as functions of a library (pydl or torch) and of its tensor maker."""

from __future__ import annotations

from typing import Any

import numpy as np

_rng = np.random.default_rng(0)
_A = _rng.standard_normal((3, 3))
COVARIANCE = _A @ _A.T + np.eye(3)
FACTOR = np.linalg.cholesky(COVARIANCE)

# name -> (make(distributions, tensor), a value in the support)
FAMILIES: dict[str, tuple[Any, Any]] = {
    "Normal": (lambda d, t: d.Normal(t([0.5, -1.0]), t([1.0, 2.0])), [0.3, 1.2]),
    "Laplace": (lambda d, t: d.Laplace(t([0.5, -1.0]), t([1.0, 2.0])), [0.3, -3.0]),
    "Cauchy": (lambda d, t: d.Cauchy(t([0.5, -1.0]), t([1.0, 2.0])), [0.3, -3.0]),
    "HalfNormal": (lambda d, t: d.HalfNormal(t([0.5, 2.0])), [0.3, 1.0]),
    "HalfCauchy": (lambda d, t: d.HalfCauchy(t([0.5, 2.0])), [0.3, 1.0]),
    "Uniform": (lambda d, t: d.Uniform(t([0.5, -1.0]), t([0.9, 2.0])), [0.75, 1.5]),
    "Exponential": (lambda d, t: d.Exponential(t([0.5, 2.0])), [0.3, 1.0]),
    "Gumbel": (lambda d, t: d.Gumbel(t([0.5, -1.0]), t([1.0, 2.0])), [0.3, 1.2]),
    "Weibull": (lambda d, t: d.Weibull(t([0.5, 2.0]), t([1.5, 3.0])), [0.3, 1.0]),
    "Pareto": (lambda d, t: d.Pareto(t([0.5, 2.0]), t([6.5, 8.0])), [0.8, 3.0]),
    "GeneralizedPareto": (lambda d, t: d.GeneralizedPareto(t([0.5, 0.0]), t([1.0, 2.0]), t([0.2, -0.3])), [0.8, 1.0]),
    "Kumaraswamy": (lambda d, t: d.Kumaraswamy(t([1.5, 2.0]), t([2.5, 3.0])), [0.3, 0.7]),
    "LogNormal": (lambda d, t: d.LogNormal(t([0.5, -1.0]), t([0.4, 0.6])), [0.3, 1.2]),
    "LogisticNormal": (lambda d, t: d.LogisticNormal(t([0.5, -1.0]), t([1.0, 2.0])), [0.2, 0.3, 0.5]),
    "Gamma": (lambda d, t: d.Gamma(t([0.5, 3.0]), t([1.0, 2.0])), [0.3, 1.2]),
    "Chi2": (lambda d, t: d.Chi2(t([1.5, 3.0])), [0.3, 1.2]),
    "InverseGamma": (lambda d, t: d.InverseGamma(t([4.5, 5.0]), t([1.0, 2.0])), [0.3, 1.2]),
    "Beta": (lambda d, t: d.Beta(t([1.5, 3.0]), t([2.5, 2.0])), [0.3, 0.7]),
    "Dirichlet": (lambda d, t: d.Dirichlet(t([[1.5, 3.0, 2.0]])), [[0.2, 0.5, 0.3]]),
    "StudentT": (lambda d, t: d.StudentT(t([4.5, 6.0]), t([0.5, 1.0]), t([1.0, 2.0])), [0.3, 1.2]),
    "FisherSnedecor": (lambda d, t: d.FisherSnedecor(t([3.5, 6.0]), t([9.0, 12.0])), [0.3, 1.2]),
    "Bernoulli": (lambda d, t: d.Bernoulli(t([0.2, 0.7])), [1.0, 0.0]),
    "Bernoulli logits": (lambda d, t: d.Bernoulli(logits=t([0.2, -1.7])), [1.0, 0.0]),
    "ContinuousBernoulli": (lambda d, t: d.ContinuousBernoulli(t([0.2, 0.5])), [0.9, 0.4]),
    "Geometric": (lambda d, t: d.Geometric(t([0.2, 0.7])), [3.0, 0.0]),
    "Geometric logits": (lambda d, t: d.Geometric(logits=t([0.2, -0.7])), [3.0, 0.0]),
    "Binomial": (lambda d, t: d.Binomial(5, t([0.2, 0.7])), [1.0, 4.0]),
    "NegativeBinomial": (lambda d, t: d.NegativeBinomial(t([2.5, 4.0]), t([0.2, 0.7])), [1.0, 4.0]),
    "Poisson": (lambda d, t: d.Poisson(t([0.5, 20.0])), [1.0, 18.0]),
    "Categorical": (lambda d, t: d.Categorical(t([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])), [2.0, 0.0]),
    "Categorical logits": (lambda d, t: d.Categorical(logits=t([1.0, 2.0, 3.0])), 1.0),
    "OneHotCategorical": (lambda d, t: d.OneHotCategorical(t([1.0, 2.0, 3.0])), [0.0, 1.0, 0.0]),
    "OneHotCategoricalStraightThrough": (lambda d, t: d.OneHotCategoricalStraightThrough(t([1.0, 2.0])), [0.0, 1.0]),
    "Multinomial": (lambda d, t: d.Multinomial(5, t([1.0, 2.0, 3.0])), [1.0, 2.0, 2.0]),
    "MultivariateNormal": (lambda d, t: d.MultivariateNormal(t([0.5, 1.0, -1.0]), t(COVARIANCE)), [0.1, 0.2, 0.3]),
    "MultivariateNormal precision": (
        lambda d, t: d.MultivariateNormal(t([0.5, 1.0, -1.0]), precision_matrix=t(COVARIANCE)),
        [0.1, 0.2, 0.3],
    ),
    "MultivariateNormal tril": (
        lambda d, t: d.MultivariateNormal(t([[0.5, 1.0, -1.0]]), scale_tril=t(FACTOR)),
        [[0.1, 0.2, 0.3]],
    ),
    "LowRankMultivariateNormal": (
        lambda d, t: d.LowRankMultivariateNormal(t([0.5, 1.0, -1.0]), t([[1.0], [0.5], [-0.2]]), t([1.0, 2.0, 0.5])),
        [0.1, 0.2, 0.3],
    ),
    "Wishart": (lambda d, t: d.Wishart(t(5.0), t(COVARIANCE)), COVARIANCE.tolist()),
    "LKJCholesky": (lambda d, t: d.LKJCholesky(3, t(1.5)), [[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.6, 0.8]]),
    "VonMises": (lambda d, t: d.VonMises(t([0.5, -1.0]), t([1.0, 20.0])), [0.3, -0.8]),
    "RelaxedBernoulli": (lambda d, t: d.RelaxedBernoulli(t(0.7), t([0.2, 0.7])), [0.3, 0.6]),
    "RelaxedOneHotCategorical": (lambda d, t: d.RelaxedOneHotCategorical(t(0.7), t([1.0, 2.0, 3.0])), [0.2, 0.3, 0.5]),
    "Independent": (lambda d, t: d.Independent(d.Normal(t([0.5, -1.0]), t([1.0, 2.0])), 1), [0.3, 1.2]),
    "TransformedDistribution": (
        lambda d, t: d.TransformedDistribution(d.Uniform(t([0.0]), t([1.0])), [d.AffineTransform(1.0, -2.0), d.TanhTransform()]),
        [0.3],
    ),
    "MixtureSameFamily": (
        lambda d, t: d.MixtureSameFamily(d.Categorical(t([1.0, 2.0])), d.Normal(t([-1.0, 1.0]), t([1.0, 0.5]))),
        0.3,
    ),
}  # fmt: skip
