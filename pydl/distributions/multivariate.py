"""Normal vectors and random matrices."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Tensor
from pydl.distributions import constraints
from pydl.distributions.distribution import Distribution, ExponentialFamily, lazy_property
from pydl.distributions.gamma import Beta, Chi2

__all__ = ["LKJCholesky", "LowRankMultivariateNormal", "MultivariateNormal", "Wishart"]

_C: Any = pydl
_LOG_2PI = math.log(2 * math.pi)


def _eye(t: Tensor) -> Tensor:
    return _C.eye(t.shape[-1], dtype=t.dtype)


def _tril_of_precision(p: Tensor) -> Tensor:
    """The Cholesky factor of the inverse: with the order of rows turned, that of p is the transpose of one of p^-1."""
    upper = pydl.linalg.cholesky(p.flip((-2, -1))).flip((-2, -1)).mT
    return pydl.linalg.solve_triangular(upper, _eye(p), upper=False)


def _mahalanobis(factor: Tensor, x: Tensor) -> Tensor:
    """|factor^-1 x|^2 of vectors x (*, k)."""
    z = pydl.linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False).squeeze(-1)
    return (z * z).sum(-1)


def _log_diagonal(factor: Tensor) -> Tensor:
    return factor.diagonal(0, -2, -1).log().sum(-1)


class MultivariateNormal(Distribution):
    """Normal vectors (*, k) of mean ``loc`` and one of ``covariance_matrix``, ``precision_matrix``, ``scale_tril``.

    Example:
        >>> import pydl
        >>> pydl.distributions.MultivariateNormal(pydl.zeros(2), pydl.eye(2)).log_prob(pydl.zeros(2))
        tensor(-1.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = {
        "loc": 1,
        "covariance_matrix": 2,
        "precision_matrix": 2,
        "scale_tril": 2,
        "_unbroadcasted_scale_tril": 2,
    }

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril,
        }  # fmt: skip
        name, matrix = _single(given)
        batch = tuple(pydl.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        self.loc = loc.expand((*batch, loc.shape[-1]))
        setattr(self, name, matrix.expand((*batch, *matrix.shape[-2:])))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = _factor(name, matrix)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril.expand((*self._batch_shape, *self._event_shape * 2))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        factor = self._unbroadcasted_scale_tril
        return (factor @ factor.mT).expand((*self._batch_shape, *self._event_shape * 2))

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        factor = self._unbroadcasted_scale_tril
        return pydl.cholesky_inverse(factor).expand((*self._batch_shape, *self._event_shape * 2))

    mean = mode = property(lambda self: self.loc)  # type: ignore[assignment]

    @property
    def variance(self) -> Tensor:
        return (self._unbroadcasted_scale_tril**2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        z = _C.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype)
        return self.loc + (self._unbroadcasted_scale_tril @ z.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        factor = self._unbroadcasted_scale_tril
        distance = _mahalanobis(factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * _LOG_2PI + distance) - _log_diagonal(factor)

    def entropy(self) -> Tensor:
        found = 0.5 * self._event_shape[0] * (1 + _LOG_2PI) + _log_diagonal(self._unbroadcasted_scale_tril)
        return found.expand(self._batch_shape)


def _single(given: dict[str, Any]) -> tuple[str, Tensor]:
    names = [n for n, m in given.items() if m is not None]
    if len(names) != 1:
        raise ValueError(f"Exactly one of {' or '.join(given)} may be specified.")
    if given[names[0]].dim() < 2:
        raise ValueError(f"{names[0]} must be at least two-dimensional, with optional leading batch dimensions")
    return names[0], given[names[0]]


def _factor(name: str, matrix: Tensor) -> Tensor:
    if name == "scale_tril":
        return matrix
    return pydl.linalg.cholesky(matrix) if name == "covariance_matrix" else _tril_of_precision(matrix)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors (*, k) with covariance cov_factor @ cov_factor.T + diag(cov_diag), cov_factor (*, k, rank).

    Works with rank x rank matrices by Woodbury's identity and the matrix determinant lemma.

    Example:
        >>> import pydl
        >>> d = pydl.distributions.LowRankMultivariateNormal(pydl.zeros(2), pydl.ones(2, 1), pydl.ones(2))
        >>> d.covariance_matrix
        tensor([[2., 1.],
                [1., 2.]])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = {"loc": 1, "cov_factor": 2, "cov_diag": 1}

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != loc.shape[-1:]:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {loc.shape[-1]} x m")
        if cov_diag.shape[-1:] != loc.shape[-1:]:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {tuple(loc.shape[-1:])}")
        batch = tuple(pydl.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]))
        self.loc, self.cov_diag = (t.expand((*batch, t.shape[-1])) for t in (loc, cov_diag))
        self.cov_factor = cov_factor.expand((*batch, *cov_factor.shape[-2:]))
        super().__init__(batch, loc.shape[-1:], validate_args=validate_args)

    @property
    def _capacitance_tril(self) -> Tensor:
        """The Cholesky factor of I + W^T D^-1 W."""
        scaled = self.cov_factor / self.cov_diag.unsqueeze(-1)
        inner = self.cov_factor.mT @ scaled
        return pydl.linalg.cholesky(inner + _eye(inner))

    mean = mode = property(lambda self: self.loc)  # type: ignore[assignment]
    variance = property(lambda self: (self.cov_factor**2).sum(-1) + self.cov_diag)  # type: ignore[assignment]
    covariance_matrix = property(lambda self: self.cov_factor @ self.cov_factor.mT + _C.diag_embed(self.cov_diag))
    scale_tril = property(lambda self: pydl.linalg.cholesky(self.covariance_matrix))

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        scaled = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        half = pydl.linalg.solve_triangular(self._capacitance_tril, scaled, upper=False)
        return _C.diag_embed(1 / self.cov_diag) - half.mT @ half

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        low = _C.randn((*shape[:-1], self.cov_factor.shape[-1]), dtype=self.loc.dtype)
        own = _C.randn(shape, dtype=self.loc.dtype)
        return self.loc + (self.cov_factor @ low.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * own

    def _log_det(self) -> Tensor:
        return 2 * _log_diagonal(self._capacitance_tril) + self.cov_diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        x = value - self.loc
        projected = (self.cov_factor.mT @ (x / self.cov_diag).unsqueeze(-1)).squeeze(-1)
        distance = (x * x / self.cov_diag).sum(-1) - _mahalanobis(self._capacitance_tril, projected)
        return -0.5 * (self._event_shape[0] * _LOG_2PI + self._log_det() + distance)

    def entropy(self) -> Tensor:
        return 0.5 * (self._event_shape[0] * (1 + _LOG_2PI) + self._log_det())


class Wishart(ExponentialFamily):
    """Sums of ``df`` outer products of normal vectors, (*, k, k), by Bartlett's decomposition.

    Args:
        df: degrees of freedom, above k - 1.
        covariance_matrix, precision_matrix, scale_tril: one of them, of the normal vectors.

    Example:
        >>> import pydl
        >>> pydl.distributions.Wishart(pydl.tensor(3.), pydl.eye(2)).mean
        tensor([[3., 0.],
                [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0
    _parameters = {"df": 0, "covariance_matrix": 2, "precision_matrix": 2, "scale_tril": 2, "_tril": 2}

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix, "scale_tril": scale_tril,
        }  # fmt: skip
        name, matrix = _single(given)
        df = df if isinstance(df, Tensor) else pydl.tensor(float(df), dtype=matrix.dtype)
        batch = tuple(pydl.broadcast_shapes(df.shape, matrix.shape[:-2]))
        k = matrix.shape[-1]
        if bool((df <= k - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {k - 1}.")
        self.df = df.expand(batch)
        setattr(self, name, matrix.expand((*batch, k, k)))
        super().__init__(batch, (k, k), validate_args=validate_args)
        self._tril = _factor(name, matrix).expand((*batch, k, k))

    @property
    def arg_constraints(self) -> dict[str, Any]:
        return {
            "df": constraints.greater_than(self._event_shape[-1] - 1 if "_event_shape" in self.__dict__ else 0),
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
        }

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._tril

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance of the normal vectors."""
        return self._tril @ self._tril.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        return pydl.cholesky_inverse(self._tril)

    mean = property(lambda self: self.df[..., None, None] * self.covariance_matrix)  # type: ignore[assignment]

    @property
    def mode(self) -> Tensor:
        factor = self.df - self._event_shape[-1] - 1
        factor = _C.where(factor > 0, factor, math.nan)
        return factor[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        d = v.diagonal(0, -2, -1)
        return self.df[..., None, None] * (v**2 + d.unsqueeze(-1) * d.unsqueeze(-2))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape, k = self._extended_shape(sample_shape), self._event_shape[-1]
        freedom = (self.df.unsqueeze(-1) - _C.arange(k, dtype=self.df.dtype)).expand((*shape[:-2], k))
        roots = Chi2(freedom, validate_args=False).rsample().sqrt()
        inner = _C.diag_embed(roots) + _C.randn(shape, dtype=self.df.dtype).tril(-1)
        factor = self._tril @ inner
        return factor @ factor.mT

    def _multigammaln(self, a: Tensor) -> Tensor:
        k = self._event_shape[-1]
        steps = _C.arange(k, dtype=a.dtype) / 2
        return k * (k - 1) / 4 * math.log(math.pi) + (a.unsqueeze(-1) - steps).lgamma().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k, nu = self._event_shape[-1], self.df
        solved = pydl.cholesky_solve(value, self._tril)
        return (
            -nu * (k * math.log(2) / 2 + _log_diagonal(self._tril))
            - self._multigammaln(nu / 2)
            + (nu - k - 1) / 2 * pydl.linalg.slogdet(value).logabsdet
            - solved.diagonal(0, -2, -1).sum(-1) / 2
        )

    def entropy(self) -> Tensor:
        k, nu = self._event_shape[-1], self.df
        steps = _C.arange(k, dtype=nu.dtype) / 2
        digammas = (nu.unsqueeze(-1) / 2 - steps).digamma().sum(-1)
        return (
            (k + 1) * (k * math.log(2) / 2 + _log_diagonal(self._tril))
            + self._multigammaln(nu / 2)
            - (nu - k - 1) / 2 * digammas
            + nu * k / 2
        )

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        k = self._event_shape[-1]
        half = y + (k + 1) / 2
        return half * (-pydl.linalg.slogdet(-2 * x).logabsdet + k * math.log(2)) + self._multigammaln(half)


class LKJCholesky(Distribution):
    """Cholesky factors (*, dim, dim) of correlation matrices with density det^(concentration - 1).

    By the onion method of Lewandowski, Kurowicka and Joe, "Generating random correlation matrices based on vines and
    extended onion method", 2009, section 3.2.

    Example:
        >>> import pydl
        >>> pydl.distributions.LKJCholesky(3).sample().shape
        torch.Size([3, 3])
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _parameters = {"concentration": 0}

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        self.concentration = concentration if isinstance(concentration, Tensor) else pydl.tensor(float(concentration))
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with pydl.no_grad():
            a = self.concentration
            rows = _C.arange(self.dim - 1, dtype=a.dtype)
            beta = Beta(rows / 2 + 0.5, a.unsqueeze(-1) + (self.dim - 2 - rows) / 2, validate_args=False)
            y = beta.expand((*sample_shape, *self._batch_shape, self.dim - 1)).sample().unsqueeze(-1)
            directions = _C.randn(self._extended_shape(sample_shape), dtype=a.dtype).tril(-1)[..., 1:, :]
            directions = directions / pydl.linalg.vector_norm(directions, 2, -1, True)
            first = _C.zeros((*y.shape[:-2], 1, self.dim), dtype=a.dtype)
            w = pydl.cat([first, y.sqrt() * directions], -2)
            return w + _C.diag_embed((1 - (w**2).sum(-1)).clamp_min(pydl.finfo(w.dtype).tiny).sqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        diagonal = value.diagonal(0, -2, -1)[..., 1:]
        order = _C.arange(2, self.dim + 1, dtype=self.concentration.dtype)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        density = (order * diagonal.log()).sum(-1)
        n = self.dim - 1
        alpha = self.concentration + 0.5 * n
        steps = _C.arange(n, dtype=alpha.dtype) / 2
        below = n * (n - 1) / 4 * math.log(math.pi) + (alpha.unsqueeze(-1) - 0.5 - steps).lgamma().sum(-1)
        return density - (0.5 * n * math.log(math.pi) + below - alpha.lgamma() * n)
