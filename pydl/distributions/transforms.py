"""Invertible maps with the logarithms of their Jacobian determinants; here those of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Size, Tensor
from pydl.distributions import constraints
from pydl.distributions._maps import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    PowerTransform,
    ReshapeTransform,
    SigmoidTransform,
    SoftplusTransform,
    TanhTransform,
    Transform,
    _Plain,
    _softplus,
    identity_transform,
)
from pydl.distributions.distribution import sum_rightmost

__all__ = [
    "AbsTransform", "AffineTransform", "CatTransform", "ComposeTransform", "CorrCholeskyTransform",
    "CumulativeDistributionTransform", "ExpTransform", "IndependentTransform", "LowerCholeskyTransform",
    "PositiveDefiniteTransform", "PowerTransform", "ReshapeTransform", "SigmoidTransform", "SoftmaxTransform",
    "SoftplusTransform", "StackTransform", "StickBreakingTransform", "TanhTransform", "Transform",
    "identity_transform",
]  # fmt: skip

_C: Any = pydl


class SoftmaxTransform(_Plain):
    """From log-weights to probabilities; not one to one.

    Example:
        >>> import pydl
        >>> pydl.distributions.SoftmaxTransform()(pydl.zeros(2))
        tensor([0.5000, 0.5000])
    """

    bijective = False
    sign = property(lambda self: Transform.sign.fget(self))  # type: ignore[assignment,attr-defined]
    domain = constraints.real_vector  # type: ignore[assignment]
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        weights = (x - x.amax(-1, True)).exp()
        return weights / weights.sum(-1, True)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def forward_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return shape

    inverse_shape = forward_shape


class StickBreakingTransform(_Plain):
    """From n numbers to n + 1 probabilities: each takes its part of what is left of a stick.

    Example:
        >>> import pydl
        >>> pydl.distributions.StickBreakingTransform()(pydl.zeros(1))
        tensor([0.5000, 0.5000])
    """

    sign = property(lambda self: Transform.sign.fget(self))  # type: ignore[assignment,attr-defined]
    domain = constraints.real_vector  # type: ignore[assignment]
    codomain = constraints.simplex

    @staticmethod
    def _offset(x: Tensor) -> Tensor:
        """log of how many parts are left, so that zeros give equal parts."""
        n = x.shape[-1]
        return _C.arange(n, 0, -1, dtype=x.dtype).log()

    def _call(self, x: Tensor) -> Tensor:
        info = pydl.finfo(x.dtype)
        z = (x - self._offset(x)).sigmoid().clamp(info.tiny, 1 - info.eps)
        left = (1 - z).cumprod(-1)
        one = _C.ones((*x.shape[:-1], 1), dtype=x.dtype)
        return pydl.cat([z, one], -1) * pydl.cat([one, left], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        head = y[..., :-1]
        left = (1 - head.cumsum(-1)).clamp_min(pydl.finfo(y.dtype).tiny)
        return head.log() - left.log() + self._offset(head)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        shifted = x - self._offset(x)
        # dy_k/dx_k = y_k (1 - z_k), and the matrix is triangular.
        return (y[..., :-1].log() - _softplus(shifted)).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return Size((*shape[:-1], shape[-1] - 1))


class LowerCholeskyTransform(_Plain):
    """From square matrices to lower triangular ones with a positive diagonal, exp of the given one.

    Example:
        >>> import pydl
        >>> pydl.distributions.LowerCholeskyTransform()(pydl.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    bijective = False
    sign = property(lambda self: Transform.sign.fget(self))  # type: ignore[assignment,attr-defined]
    domain = constraints.independent(constraints.real, 2)  # type: ignore[assignment]
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + _C.diag_embed(x.diagonal(0, -2, -1).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + _C.diag_embed(y.diagonal(0, -2, -1).log())


class PositiveDefiniteTransform(_Plain):
    """From square matrices to positive-definite ones, by way of `LowerCholeskyTransform`.

    Example:
        >>> import pydl
        >>> pydl.distributions.PositiveDefiniteTransform()(pydl.zeros(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    bijective = False
    sign = property(lambda self: Transform.sign.fget(self))  # type: ignore[assignment,attr-defined]
    domain = constraints.independent(constraints.real, 2)  # type: ignore[assignment]
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(pydl.linalg.cholesky(y))


class CorrCholeskyTransform(_Plain):
    """From n (n - 1) / 2 numbers to the Cholesky factor (n, n) of a correlation matrix.

    tanh of the numbers are the canonical partial correlations, row by row (Lewandowski, Kurowicka, Joe, 2009).

    Example:
        >>> import pydl
        >>> pydl.distributions.CorrCholeskyTransform()(pydl.zeros(1))
        tensor([[1., 0.],
                [0., 1.]])
    """

    sign = property(lambda self: Transform.sign.fget(self))  # type: ignore[assignment,attr-defined]
    domain = constraints.real_vector  # type: ignore[assignment]
    codomain = constraints.corr_cholesky

    @staticmethod
    def _side(count: int) -> int:
        n = round((0.25 + 2 * count) ** 0.5 + 0.5)
        if n * (n - 1) // 2 != count:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return n

    def _places(self, n: int) -> tuple[Tensor, Tensor]:
        rows, columns = _C.tril_indices(n, n, -1)
        return rows, columns

    def _call(self, x: Tensor) -> Tensor:
        eps = pydl.finfo(x.dtype).eps
        n = self._side(x.shape[-1])
        rows, columns = self._places(n)
        partial = x.tanh().clamp(-1 + eps, 1 - eps)
        flat = _C.zeros((*x.shape[:-1], n * n), dtype=x.dtype)
        r = flat.index_add(-1, rows * n + columns, partial).reshape((*x.shape[:-1], n, n))
        left = (1 - r * r).sqrt().cumprod(-1)  # what remains of a row of length 1
        shifted = pydl.cat([_C.ones((*left.shape[:-1], 1), dtype=x.dtype), left[..., :-1]], -1)
        return ((r + _C.eye(n, dtype=x.dtype)) * shifted).tril()

    def _inverse(self, y: Tensor) -> Tensor:
        n = y.shape[-1]
        left = 1 - (y * y).cumsum(-1)
        shifted = pydl.cat([_C.ones((*left.shape[:-1], 1), dtype=y.dtype), left[..., :-1]], -1)
        rows, columns = self._places(n)
        ratio = y / shifted.clamp_min(pydl.finfo(y.dtype).tiny).sqrt()
        return ratio[..., rows, columns].atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        n = y.shape[-1]
        rows, columns = self._places(n)
        left = (1 - (y * y).cumsum(-1)).clamp_min(pydl.finfo(y.dtype).tiny)
        shifted = pydl.cat([_C.ones((*left.shape[:-1], 1), dtype=y.dtype), left[..., :-1]], -1)
        stick = 0.5 * shifted[..., rows, columns].log().sum(-1)
        return stick - 2 * (x + _softplus(-2 * x) - math.log(2)).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        n = self._side(shape[-1])
        return Size((*shape[:-1], n, n))

    def inverse_shape(self, shape: Any) -> Any:
        if len(shape) < 2:
            raise ValueError("Too few dimensions on input")
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))


class _Several(Transform):
    """Maps of parts along a dim."""

    transforms: list[Transform]
    dim: int

    bijective = property(lambda self: all(t.bijective for t in self.transforms))  # type: ignore[assignment]

    def _parts(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def _joined(self, parts: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        return self._joined([t(v) for t, v in zip(self.transforms, self._parts(x))])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._joined([t.inv(v) for t, v in zip(self.transforms, self._parts(y))])


class CatTransform(_Several):
    """Maps of consecutive parts, of ``lengths`` along ``dim``.

    Example:
        >>> import pydl
        >>> T = pydl.distributions
        >>> T.CatTransform([T.ExpTransform(), T.AbsTransform()], lengths=[1, 2])(pydl.tensor([0., -1., 2.]))
        tensor([1., 1., 2.])
    """

    def __init__(self, tseq: Any, dim: int = 0, lengths: Any = None, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq]
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"lengths: {len(self.lengths)} for {len(self.transforms)} transforms")
        self.dim = dim

    event_dim = property(lambda self: max(t.event_dim for t in self.transforms))  # type: ignore[assignment]
    length = property(lambda self: sum(self.lengths))
    domain = property(lambda self: constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths))
    codomain = property(lambda self: constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths))

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        return CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def _parts(self, x: Tensor) -> list[Tensor]:
        if x.shape[self.dim] != self.length:
            raise ValueError(f"expected size {self.length} in dim {self.dim}, got {x.shape[self.dim]}")
        starts = [sum(self.lengths[:i]) for i in range(len(self.lengths))]
        return [x.narrow(self.dim, start, length) for start, length in zip(starts, self.lengths)]

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return pydl.cat(parts, self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        logs = []
        for t, a, b in zip(self.transforms, self._parts(x), self._parts(y)):
            found = t.log_abs_det_jacobian(a, b)
            logs.append(sum_rightmost(found, self.event_dim - t.event_dim) if t.event_dim < self.event_dim else found)
        dim = (self.dim - x.dim() if self.dim >= 0 else self.dim) + self.event_dim
        return pydl.cat(logs, dim) if dim < 0 else sum(logs[1:], logs[0])


class StackTransform(_Several):
    """Maps of the slices along ``dim``, one each.

    Example:
        >>> import pydl
        >>> T = pydl.distributions
        >>> T.StackTransform([T.ExpTransform(), T.AbsTransform()])(pydl.tensor([0., -1.]))
        tensor([1., 1.])
    """

    def __init__(self, tseq: Any, dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq]
        self.dim = dim

    domain = property(lambda self: constraints.stack([t.domain for t in self.transforms], self.dim))
    codomain = property(lambda self: constraints.stack([t.codomain for t in self.transforms], self.dim))

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self if self._cache_size == cache_size else StackTransform(self.transforms, self.dim, cache_size)

    def _parts(self, x: Tensor) -> list[Tensor]:
        if x.shape[self.dim] != len(self.transforms):
            raise ValueError(f"expected size {len(self.transforms)} in dim {self.dim}, got {x.shape[self.dim]}")
        return list(_C.unbind(x, self.dim))

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return _C.stack(parts, self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        pairs = zip(self.transforms, self._parts(x), self._parts(y))
        return self._joined([t.log_abs_det_jacobian(a, b) for t, a, b in pairs])


class CumulativeDistributionTransform(Transform):
    """The distribution function of a distribution on the line as a map to [0, 1].

    Example:
        >>> import pydl
        >>> d = pydl.distributions
        >>> d.CumulativeDistributionTransform(d.Uniform(0., 2.))(pydl.tensor(1.))
        tensor(0.5000)
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1  # type: ignore[assignment]

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    domain = property(lambda self: self.distribution.support)

    def with_cache(self, cache_size: int = 1) -> Transform:
        if self._cache_size == cache_size:
            return self
        return CumulativeDistributionTransform(self.distribution, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)
