"""pydl.distributions against torch.distributions, SciPy and its own samples."""

from __future__ import annotations

import doctest
import importlib
import math
from typing import Any

import numpy as np
import pytest
from families import COVARIANCE, FAMILIES
from scipy import special, stats

import pydl
from pydl.autograd import gradcheck

D = pydl.distributions
NAMES = list(FAMILIES)


def ours(data: Any) -> Any:
    return pydl.tensor(np.asarray(data, np.float64))


def numbers(t: Any) -> Any:
    return t.detach().numpy()


def both(name: str) -> tuple[Any, Any, Any, Any]:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")

    def theirs(data: Any) -> Any:
        return torch.tensor(np.asarray(data, np.float64))

    make, value = FAMILIES[name]
    return make(D, ours), make(torch.distributions, theirs), ours(value), theirs(value)


@pytest.mark.parametrize("name", NAMES)
def test_log_prob_against_torch(name: str) -> None:
    a, b, x, y = both(name)
    assert tuple(a.batch_shape) == tuple(b.batch_shape) and tuple(a.event_shape) == tuple(b.event_shape)
    assert a.has_rsample == b.has_rsample and a.has_enumerate_support == b.has_enumerate_support
    if name == "GeneralizedPareto":
        pytest.skip("torch's mixes float32 into float64 and raises; tested below")
    tolerance = 1e-6 if name == "VonMises" else 1e-9  # torch's Bessel functions carry 7 digits
    np.testing.assert_allclose(numbers(a.log_prob(x)), numbers(b.log_prob(y)), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("what", ["mean", "variance", "stddev", "mode", "entropy", "perplexity", "cdf", "icdf"])
@pytest.mark.parametrize("name", NAMES)
def test_properties_against_torch(name: str, what: str) -> None:
    a, b, x, y = both(name)
    probability = what == "icdf"

    def look(d: Any, v: Any) -> Any:
        found = getattr(d, what)
        if probability:
            v = 0 * d.mean + 0.3
        return found(v) if what in ("cdf", "icdf") else found() if callable(found) else found

    if (name, what) in (("VonMises", "variance"), ("VonMises", "stddev"), ("Kumaraswamy", "mode")):
        pytest.skip("torch's Bessel functions carry 7 digits, its mode is NaN; tested below")
    try:
        expected = look(b, y)
    except (NotImplementedError, AttributeError, RuntimeError):
        pytest.skip("torch does not have it")
    got = look(a, x)
    assert tuple(got.shape) == tuple(expected.shape)
    tolerance = 1e-6 if name == "Multinomial" else 1e-8  # torch's has a term in float32
    np.testing.assert_allclose(numbers(got), numbers(expected), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_expand_and_samples(name: str) -> None:
    make, value = FAMILIES[name]
    d = make(D, ours)
    shape = (3, *d.batch_shape)
    wide = d.expand(shape)
    assert type(wide) is type(d) and wide.batch_shape == shape and wide.event_shape == d.event_shape
    np.testing.assert_allclose(
        numbers(wide.log_prob(ours(value))), np.broadcast_to(numbers(d.log_prob(ours(value))), shape), rtol=1e-12
    )
    pydl.manual_seed(0)
    x = wide.sample((2, 4))
    assert x.shape == (2, 4, *shape, *d.event_shape) and not x.requires_grad
    assert bool(wide.support.check(x).all())
    assert bool(wide.log_prob(x).isfinite().all())
    assert repr(d).startswith(type(d).__name__)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("Cauchy", "HalfCauchy", "VonMises", "LKJCholesky")])
def test_moments_of_samples(name: str) -> None:
    d = FAMILIES[name][0](D, ours)
    try:
        mean, variance = numbers(d.mean), numbers(d.variance)
    except NotImplementedError:
        pytest.skip("the moments have no formula")
    if np.isnan(mean).any():
        pytest.skip("the moments have no formula")
    pydl.manual_seed(1)
    n = 40000
    x = numbers(d.sample((n,)))
    np.testing.assert_allclose(x.mean(0), mean, atol=6 * np.sqrt(variance.max() / n) + 1e-12)
    np.testing.assert_allclose(x.var(0), variance, rtol=0.2, atol=1e-3)


CONTINUOUS = [n for n in NAMES if n in (
    "Normal Laplace HalfNormal Uniform Exponential Gumbel Weibull Pareto GeneralizedPareto Kumaraswamy LogNormal "
    "Cauchy HalfCauchy ContinuousBernoulli".split()
)]  # fmt: skip


@pytest.mark.parametrize("name", CONTINUOUS)
def test_cdf_is_the_inverse_of_icdf(name: str) -> None:
    d = FAMILIES[name][0](D, ours)
    p = ours([[0.01, 0.2], [0.5, 0.7], [0.9, 0.99]])
    np.testing.assert_allclose(numbers(d.cdf(d.icdf(p))), numbers(p), rtol=1e-9)


@pytest.mark.parametrize("name", ["GeneralizedPareto", "VonMises"])
def test_densities_integrate_to_one(name: str) -> None:
    d = FAMILIES[name][0](D, ours)
    grid = np.linspace(-math.pi, math.pi, 200001) if name == "VonMises" else np.linspace(0.5, 3000, 2000001)
    values = numbers(
        d.log_prob(ours(grid)[:, None])
        if name == "VonMises"
        else D.GeneralizedPareto(ours(0.5), ours(1.0), ours(0.2)).log_prob(ours(grid))
    )
    total = np.trapezoid(np.exp(values), grid, axis=0)
    np.testing.assert_allclose(total, 1, rtol=1e-4)


def test_mode_of_kumaraswamy() -> None:
    d = D.Kumaraswamy(ours([1.5, 2.0, 0.5]), ours([2.5, 3.0, 2.0]))
    grid = ours(np.linspace(0.001, 0.999, 9981))
    found = numbers(grid[d.log_prob(grid.unsqueeze(-1)).argmax(0)])
    np.testing.assert_allclose(numbers(d.mode)[:2], found[:2], atol=2e-4)
    assert math.isnan(d.mode[2])


def test_generalized_pareto_against_scipy() -> None:
    d = D.GeneralizedPareto(ours([0.5, 0.0, 1.0]), ours([1.0, 2.0, 3.0]), ours([0.2, -0.3, 0.0]))
    reference = stats.genpareto(c=[0.2, -0.3, 0.0], loc=[0.5, 0.0, 1.0], scale=[1.0, 2.0, 3.0])
    x = np.array([0.8, 1.0, 4.0])
    np.testing.assert_allclose(numbers(d.log_prob(ours(x))), reference.logpdf(x), rtol=1e-12)
    np.testing.assert_allclose(numbers(d.cdf(ours(x))), reference.cdf(x), rtol=1e-12)
    np.testing.assert_allclose(numbers(d.icdf(ours(0.3))), reference.ppf(0.3), rtol=1e-12)
    np.testing.assert_allclose(numbers(d.mean), reference.mean(), rtol=1e-12)
    np.testing.assert_allclose(numbers(d.variance), reference.var(), rtol=1e-12)
    np.testing.assert_allclose(numbers(d.entropy()), reference.entropy(), rtol=1e-12)


def test_von_mises() -> None:
    k = np.array([1e-3, 0.5, 5.0, 60.0, 500.0, 1e5])
    d = D.VonMises(ours(np.zeros(6)), ours(k))
    np.testing.assert_allclose(numbers(d.log_prob(ours(np.zeros(6)))), -np.log(2 * np.pi * special.i0e(k)), rtol=1e-11)
    np.testing.assert_allclose(numbers(d.variance), 1 - special.i1e(k) / special.i0e(k), rtol=1e-6)
    pydl.manual_seed(0)
    x = numbers(d.sample((20000,)))
    np.testing.assert_allclose(1 - np.cos(x).mean(0), numbers(d.variance), rtol=0.05, atol=0.02)


# ---- gradients of samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 0.9, 1.0, 3.0, 20.0, 300.0, 9e3, 2e4, 1e6])
def test_slope_of_gamma_numbers(alpha: float) -> None:
    """d z / d alpha at a fixed level of the distribution function, by differences of SciPy's inverse."""
    levels = np.array([1e-4, 0.01, 0.3, 0.5, 0.9, 0.999, 0.999999])
    z = special.gammaincinv(alpha, levels)
    keep = z > 1e-250
    levels, z = levels[keep], z[keep]
    h = alpha * 1e-5
    expected = (special.gammaincinv(alpha + h, levels) - special.gammaincinv(alpha - h, levels)) / (2 * h)
    got = numbers(pydl._standard_gamma_grad(ours(np.full(z.shape, alpha)), ours(z)))
    np.testing.assert_allclose(got, expected, rtol=2e-5)


def test_slope_of_gamma_numbers_at_the_ends() -> None:
    got = pydl._standard_gamma_grad(ours([1.0, 1.0, -1.0]), ours([0.0, math.nan, 1.0]))
    assert got[0] == 0 and bool(got[1:].isnan().all())


@pytest.mark.parametrize(
    "name",
    [
        "Gamma",
        "Beta",
        "Dirichlet",
        "StudentT",
        "FisherSnedecor",
        "InverseGamma",
        "Chi2",
        "Normal",
        "Weibull",
        "Wishart",
    ],
)
def test_gradient_of_the_mean_through_samples(name: str) -> None:
    """The mean of the samples' gradients is the gradient of the mean."""
    parameters: list[Any] = []

    def collect(data: Any) -> Any:
        t = ours(data).requires_grad_()
        parameters.append(t)
        return t

    d = FAMILIES[name][0](D, collect)
    pydl.manual_seed(3)
    n = 20000
    exact = pydl.autograd.grad(d.mean.sum(), parameters, allow_unused=True, retain_graph=True)
    drawn = pydl.autograd.grad(d.rsample((n,)).mean(0).sum(), parameters, allow_unused=True)
    for e, g in zip(exact, drawn):
        reference = np.zeros(1) if e is None else numbers(e)
        got = np.zeros(1) if g is None else numbers(g)
        np.testing.assert_allclose(
            got, np.broadcast_to(reference, got.shape), rtol=0.1, atol=0.08 * max(1.0, np.abs(got).max())
        )


def test_the_second_derivative_of_gamma_numbers_is_refused() -> None:
    a = pydl.ones(3, requires_grad=True)
    z = pydl._standard_gamma(a) ** 2
    with pytest.raises(NotImplementedError, match="_standard_gamma"):
        pydl.autograd.grad(z.sum(), a, create_graph=True)


def test_straight_through() -> None:
    p = ours([0.2, 0.8]).requires_grad_()
    x = D.OneHotCategoricalStraightThrough(p).rsample()
    assert set(x.tolist()) <= {0.0, 1.0}
    (g,) = pydl.autograd.grad((x * ours([1.0, 3.0])).sum(), p)
    assert g.abs().sum() > 0


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("OneHotCategoricalStraightThrough",)])
def test_gradients_of_log_prob(name: str) -> None:
    make, value = FAMILIES[name]
    parameters: list[Any] = []
    make(D, lambda data: parameters.append(ours(data)) or parameters[-1])

    def function(*given: Any) -> Any:
        rest = iter(given)
        old = D.Distribution._validate_args
        D.Distribution.set_default_validate_args(False)
        try:
            return make(D, lambda data: next(rest)).log_prob(ours(value))
        finally:
            D.Distribution.set_default_validate_args(old)

    leaves = [p.requires_grad_() for p in parameters]
    if name in ("MultivariateNormal", "MultivariateNormal precision", "Wishart"):
        plain = function
        symmetric = [t.dim() == 2 for t in leaves]

        def function(*given: Any) -> Any:  # only one triangle is read: differences must keep the symmetry
            return plain(*((t + t.mT) / 2 if s else t for t, s in zip(given, symmetric)))

    assert gradcheck(function, leaves)


# ---- arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: D.Normal(0.0, -1.0), "Expected parameter scale"),
        (lambda: D.Normal("x", 1.0), "instances of Number"),
        (lambda: D.Uniform(1.0, 0.0), "low"),
        (lambda: D.Bernoulli(0.5, 0.5), "not both"),
        (lambda: D.Bernoulli(), "not both"),
        (lambda: D.Bernoulli(1.5), "probs"),
        (lambda: D.Geometric(0.0), "positive"),
        (lambda: D.Categorical(pydl.tensor(1.0)), "one-dimensional"),
        (lambda: D.Dirichlet(pydl.tensor(1.0)), "one-dimensional"),
        (lambda: D.MultivariateNormal(pydl.zeros(2)), "Exactly one"),
        (lambda: D.MultivariateNormal(pydl.zeros(2), -pydl.eye(2)), "covariance_matrix"),
        (lambda: D.LowRankMultivariateNormal(pydl.zeros(2), pydl.ones(3, 1), pydl.ones(2)), "cov_factor"),
        (lambda: D.Wishart(pydl.tensor(1.0), pydl.eye(3)), "ndim - 1"),
        (lambda: D.LKJCholesky(1), "dim"),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), "reinterpreted_batch_ndims"),
        (lambda: D.MixtureSameFamily(D.Normal(0.0, 1.0), D.Normal(0.0, 1.0)), "Categorical"),
        (lambda: D.MixtureSameFamily(D.Categorical(pydl.ones(3)), D.Normal(pydl.zeros(2), 1.0)), "component"),
        (lambda: D.TransformedDistribution(D.Normal(0.0, 1.0), [3]), "Transform"),
        (lambda: D.Exponential(1.0).log_prob(pydl.tensor(-1.0)), "support"),
        (lambda: D.Exponential(1.0).log_prob(3.0), "must be a Tensor"),
        (lambda: D.Normal(pydl.zeros(3), 1.0).log_prob(pydl.zeros(2)), "not broadcastable"),
        (lambda: D.Dirichlet(pydl.ones(3)).log_prob(pydl.ones(2) / 2), "event_shape"),
        (lambda: D.Distribution.set_default_validate_args(3), "True or False"),
        (lambda: D.ReshapeTransform((2,), (3,)), "numbers of elements"),
        (lambda: D.ExpTransform(cache_size=2), "cache_size"),
    ],
)  # fmt: skip
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_validation_can_be_switched_off() -> None:
    assert D.Normal(0.0, -1.0, validate_args=False).scale == -1
    assert D.Exponential(1.0, validate_args=False).log_prob(pydl.tensor(-1.0)) == 1


def test_numbers_take_the_default_dtype() -> None:
    assert D.Normal(0, 1).sample().dtype == pydl.float32
    assert D.Normal(pydl.zeros(1, dtype=pydl.float64), 1).sample().dtype == pydl.float64


def test_same_seed_same_numbers() -> None:
    for name in NAMES:
        d = FAMILIES[name][0](D, ours)
        found = []
        for threads in (1, 3):
            pydl.set_num_threads(threads)
            pydl.manual_seed(5)
            found.append(numbers(d.sample((700,))).tobytes())
        assert found[0] == found[1], name


# ---- divergences -----------------------------------------------------------------------------------------------

# Kumaraswamy has a divergence in torch only from itself; its GeneralizedPareto raises in float64.
PLAIN = [n for n in NAMES if " " not in n and n not in ("Kumaraswamy", "GeneralizedPareto")]


@pytest.mark.parametrize("name", PLAIN)
def test_divergences_against_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    p, theirs_p, _, _ = both(name)
    compared = 0
    for other in PLAIN:
        q, theirs_q, _, _ = both(other)
        if p.batch_shape != q.batch_shape or p.event_shape != q.event_shape:
            continue
        try:
            expected = torch.distributions.kl_divergence(theirs_p, theirs_q)
        except (NotImplementedError, ValueError):
            continue
        got = D.kl_divergence(p, q)
        np.testing.assert_allclose(numbers(got), numbers(expected), rtol=1e-7, atol=1e-7, err_msg=f"{name} {other}")
        compared += 1
    if not compared:
        with pytest.raises(NotImplementedError):
            D.kl_divergence(p, p)


def test_divergence_between_different_covariances() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")

    def make(m: Any, t: Any) -> Any:
        d = m.distributions
        return d.kl_divergence(
            d.MultivariateNormal(t(np.zeros(3)), t(COVARIANCE)), d.MultivariateNormal(t(np.ones(3)), t(2 * np.eye(3)))
        )

    np.testing.assert_allclose(make(pydl, ours).item(), make(torch, torch.tensor).item(), rtol=1e-10)


def test_register_kl_refuses_other_classes() -> None:
    with pytest.raises(TypeError, match="Distribution subclass"):
        D.register_kl(int, D.Normal)
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.VonMises(0.0, 1.0))


# ---- transforms ------------------------------------------------------------------------------------------------

TRANSFORMS = {
    "Exp": (lambda d, t: d.ExpTransform(), [0.3, -1.0]),
    "Power": (lambda d, t: d.PowerTransform(t(2.5)), [0.3, 1.2]),
    "Sigmoid": (lambda d, t: d.SigmoidTransform(), [0.3, -1.0]),
    "Tanh": (lambda d, t: d.TanhTransform(), [0.3, -1.0]),
    "Softplus": (lambda d, t: d.SoftplusTransform(), [0.3, -1.0]),
    "Abs": (lambda d, t: d.AbsTransform(), [0.3, 1.0]),
    "Affine": (lambda d, t: d.AffineTransform(t(1.0), t(-2.0)), [0.3, -1.0]),
    "Affine event": (lambda d, t: d.AffineTransform(1.0, -2.0, 1), [0.3, -1.0]),
    "Softmax": (lambda d, t: d.SoftmaxTransform(), [0.3, -1.0, 2.0]),
    "StickBreaking": (lambda d, t: d.StickBreakingTransform(), [0.3, -1.0, 2.0]),
    "LowerCholesky": (lambda d, t: d.LowerCholeskyTransform(), [[0.3, 0.0], [2.0, 0.5]]),
    "PositiveDefinite": (lambda d, t: d.PositiveDefiniteTransform(), [[0.3, 0.0], [2.0, 0.5]]),
    "CorrCholesky": (lambda d, t: d.CorrCholeskyTransform(), [0.3, -1.0, 0.5]),
    "Reshape": (lambda d, t: d.ReshapeTransform((4,), (2, 2)), [0.3, -1.0, 0.5, 1.0]),
    "Independent": (lambda d, t: d.IndependentTransform(d.ExpTransform(), 1), [0.3, -1.0]),
    "Compose": (lambda d, t: d.ComposeTransform([d.AffineTransform(1.0, 2.0), d.TanhTransform()]), [0.3, -1.0]),
    "Compose vector": (lambda d, t: d.ComposeTransform([d.ExpTransform(), d.StickBreakingTransform()]), [0.3, -1.0]),
    "Cat": (lambda d, t: d.CatTransform([d.ExpTransform(), d.TanhTransform()], 0, [1, 2]), [0.3, -1.0, 0.5]),
    "Stack": (lambda d, t: d.StackTransform([d.ExpTransform(), d.TanhTransform()], 0), [0.3, -1.0]),
    "Cumulative": (lambda d, t: d.CumulativeDistributionTransform(d.Normal(t(0.0), t(1.0))), [0.3, -1.0]),
    "Inverse": (lambda d, t: d.ExpTransform().inv, [0.3, 1.0]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_against_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    make, value = TRANSFORMS[name]
    a, b = make(D, ours), make(torch.distributions, lambda v: torch.tensor(np.asarray(v, np.float64)))
    x, y = ours(value), torch.tensor(np.asarray(value, np.float64))
    fx, fy = a(x), b(y)
    np.testing.assert_allclose(numbers(fx), numbers(fy), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(numbers(a.inv(fx)), numbers(b.inv(fy)), rtol=1e-7, atol=1e-9)
    assert a.bijective == b.bijective
    assert a.domain.event_dim == b.domain.event_dim and a.codomain.event_dim == b.codomain.event_dim
    assert tuple(a.forward_shape(tuple(x.shape))) == tuple(fx.shape) and tuple(
        a.inverse_shape(tuple(fx.shape))
    ) == tuple(x.shape)
    assert bool(a.codomain.check(fx).all())
    try:
        expected = b.log_abs_det_jacobian(y, fy)
    except NotImplementedError:
        return
    got = a.log_abs_det_jacobian(x, fx)
    assert tuple(got.shape) == tuple(expected.shape)
    np.testing.assert_allclose(numbers(got), numbers(expected), rtol=1e-9, atol=1e-9)
    assert a == make(D, ours) or type(a).__name__ in (
        "ReshapeTransform",
        "IndependentTransform",
        "CatTransform",
        "StackTransform",
        "CumulativeDistributionTransform",
    )


def test_transform_cache_and_inverse() -> None:
    t = D.StickBreakingTransform(cache_size=1)
    x = ours([0.3, -1.0])
    assert t.inv(t(x)) is x and t.inv.inv is t
    assert D.identity_transform(x) is x and D.ExpTransform() == D.ExpTransform() != D.TanhTransform()


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
def test_registries_lead_into_the_constraint(registry: str) -> None:
    c = D.constraints
    cases = [c.real, c.positive, c.nonnegative, c.unit_interval, c.interval(-1.0, 3.0), c.half_open_interval(0.0, 2.0),
             c.greater_than(2.0), c.less_than(1.0), c.simplex, c.real_vector, c.corr_cholesky,
             c.cat([c.positive, c.unit_interval], 0, [2, 1])]  # fmt: skip
    if registry == "transform_to":
        cases += [c.lower_cholesky, c.positive_definite]
    for constraint in cases:
        t = getattr(D, registry)(constraint)
        x = pydl.tensor(np.random.default_rng(0).standard_normal((3, 3)))
        x = x if constraint.event_dim == 2 and constraint is not c.corr_cholesky else x[0]
        assert bool(constraint.check(t(x)).all()), constraint
    with pytest.raises(NotImplementedError, match="Cannot transform"):
        getattr(D, registry)(c.one_hot)
    with pytest.raises(TypeError):
        getattr(D, registry).register(3, None)(lambda x: x)


def test_all_names_are_there() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: comparisons with it are skipped")
    assert not [n for n in torch.distributions.__all__ if not hasattr(D, n)]
    assert not [n for n in torch.distributions.constraints.__all__ if not hasattr(D.constraints, n)]
    assert len(D.__all__) == 67
    with pytest.raises(AttributeError):
        D.nothing  # noqa: B018


@pytest.mark.parametrize("name", [*D._SUBMODULES, "_maps"])
def test_examples_of_the_docstrings(name: str) -> None:
    pydl.manual_seed(0)
    module = importlib.import_module(f"pydl.distributions.{name}")
    failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not failed
    for public in getattr(module, "__all__", ()):
        if name not in ("constraints", "constraint_registry", "distribution") and public not in (
            "Transform",
            "identity_transform",
        ):
            assert ">>>" in (getattr(module, public).__doc__ or ""), public
