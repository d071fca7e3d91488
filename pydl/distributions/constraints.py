"""Sets of values: what parameters of distributions may be and what their samples are.

``check(value)`` of a constraint tells for each event whether it lies in the set; ``event_dim`` is the number of dims of
an event, ``is_discrete`` whether the set is one of isolated points.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pydl

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval",
    "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


class Constraint:
    """A set of values."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Any) -> Any:
        """For each event of ``value``: is it in the set?"""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.__class__.__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """A set that depends on other parameters, so that it cannot be checked alone."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Is the set discrete? Raises NotImplementedError where that depends too."""
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return self._is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The dims of an event. Raises NotImplementedError where that depends too."""
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return self._event_dim

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> _Dependent:
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value: Any) -> Any:
        """Raises ValueError: it takes the distribution to tell."""
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Any) -> bool:
    """Does the constraint depend on other parameters?"""
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A constraint that is computed from the distribution; on the class itself it is a dependent one."""

    def __init__(self, fn: Any = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Callable[..., Any]) -> _DependentProperty:  # type: ignore[override]
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def _last(ok: Any, dims: int) -> Any:
    """All of the last ``dims`` dims."""
    for _ in range(dims):
        ok = ok.all(-1)
    return ok


class _Independent(Constraint):
    """The last dims of another constraint taken together."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """That of the base."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """That of the base and the dims taken together."""
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Any) -> Any:
        """Do all of them lie in the base?"""
        found = self.base_constraint.check(value)
        if found.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        return _last(found, self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"Independent({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """The support of a mixture: that of its components, which a new dim holds."""

    def __init__(self, base_constraint: Constraint) -> None:
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """That of the components."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """That of the components."""
        return self.base_constraint.event_dim

    def check(self, value: Any) -> Any:
        """Does every component allow the value?"""
        found = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return found.all(-1)


class _Simple(Constraint):
    """A set given by a test of each event."""

    def __init__(self, name: str, test: Any, discrete: bool = False, event_dim: int = 0) -> None:
        self._name, self._test = name, test
        self.is_discrete, self.event_dim = discrete, event_dim

    def check(self, value: Any) -> Any:
        """For each event of ``value``: is it in the set?"""
        return self._test(value)

    def __repr__(self) -> str:
        return f"{self._name}()"


class _Bounded(Constraint):
    """Numbers between bounds, which may be tensors."""

    def __init__(self, name: str, test: Any, discrete: bool = False, **bounds: Any) -> None:
        self._name, self._test, self._bounds, self.is_discrete = name, test, bounds, discrete
        for key, value in bounds.items():
            setattr(self, key, value)

    def check(self, value: Any) -> Any:
        """For each number: is it within the bounds?"""
        return self._test(value, *self._bounds.values())

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(f'{k}={v}' for k, v in self._bounds.items())})"


class _GreaterThan(_Bounded):
    def __init__(self, lower_bound: Any) -> None:
        super().__init__("GreaterThan", lambda v, low: v > low, lower_bound=lower_bound)


class _GreaterThanEq(_Bounded):
    def __init__(self, lower_bound: Any) -> None:
        super().__init__("GreaterThanEq", lambda v, low: v >= low, lower_bound=lower_bound)


class _LessThan(_Bounded):
    def __init__(self, upper_bound: Any) -> None:
        super().__init__("LessThan", lambda v, high: v < high, upper_bound=upper_bound)


class _Interval(_Bounded):
    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        super().__init__(
            "Interval", lambda v, low, high: (low <= v) & (v <= high), lower_bound=lower_bound, upper_bound=upper_bound
        )


class _HalfOpenInterval(_Bounded):
    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        super().__init__(
            "HalfOpenInterval", lambda v, low, high: (low <= v) & (v < high), lower_bound=lower_bound,
            upper_bound=upper_bound,
        )  # fmt: skip


class _IntegerInterval(_Bounded):
    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        super().__init__(
            "IntegerInterval", lambda v, low, high: (v % 1 == 0) & (low <= v) & (v <= high), True,
            lower_bound=lower_bound, upper_bound=upper_bound,
        )  # fmt: skip


class _IntegerGreaterThan(_Bounded):
    def __init__(self, lower_bound: Any) -> None:
        super().__init__("IntegerGreaterThan", lambda v, low: (v % 1 == 0) & (v >= low), True, lower_bound=lower_bound)


class _Multinomial(Constraint):
    """Counts that add up to a number."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, x: Any) -> Any:
        """Are they whole, not negative, and of this sum?"""
        return (x >= 0).all(-1) & (x.sum(-1) <= self.upper_bound)


class _Parts(Constraint):
    """Constraints of parts along a dim, side by side (lengths) or one each."""

    def __init__(self, cseq: Any, dim: int, lengths: Any) -> None:
        self.cseq, self.dim, self.lengths = list(cseq), dim, lengths

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Is any of them?"""
        return builtins.any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """The largest of theirs."""
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.lengths is None and self.dim + dim < 0 else dim

    def check(self, value: Any) -> Any:
        """Each part by its own constraint."""
        if self.lengths is None:
            parts = [c.check(v) for c, v in zip(self.cseq, value.unbind(self.dim))]
            return pydl.stack(parts, self.dim)  # type: ignore[attr-defined]
        parts, start = [], 0
        for c, length in zip(self.cseq, self.lengths):
            parts.append(c.check(value.narrow(self.dim, start, length)))
            start += length
        return pydl.cat(parts, self.dim)  # type: ignore[attr-defined]


class _Cat(_Parts):
    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        cseq = list(cseq)
        super().__init__(cseq, dim, [1] * len(cseq) if lengths is None else list(lengths))


class _Stack(_Parts):
    def __init__(self, cseq: Any, dim: int = 0) -> None:
        super().__init__(cseq, dim, None)


def _near_one(x: Any) -> Any:
    return (x - 1).abs() < 1e-6


def _one_hot_check(v: Any) -> Any:
    return ((v == 0) | (v == 1)).all(-1) & (v.sum(-1) == 1)


def _lower(v: Any) -> Any:
    return _last(v.tril() == v, 2)


def _positive_diagonal(v: Any) -> Any:
    return (v.diagonal(0, -2, -1) > 0).all(-1)


def _corr_cholesky_check(v: Any) -> Any:
    tolerance = pydl.finfo(v.dtype).eps * v.shape[-1] * 10
    norms = pydl.linalg.vector_norm(v.detach(), 2, -1)
    return _lower(v) & _positive_diagonal(v) & ((norms - 1).abs() <= tolerance).all(-1)


def _symmetric_check(v: Any) -> Any:
    return _last((v - v.mT).abs() <= 1e-6, 2)


def _definite(v: Any) -> Any:
    return _symmetric_check(v) & (pydl.linalg.cholesky_ex(v.detach()).info == 0)


def _semidefinite(v: Any) -> Any:
    return _symmetric_check(v) & (pydl.linalg.eigvalsh(v.detach()) >= 0).all(-1)


def _square_check(v: Any) -> Any:
    return pydl.full(tuple(v.shape[:-2]), v.shape[-2] == v.shape[-1], dtype=pydl.bool)  # type: ignore[attr-defined]


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _Independent
boolean = _Simple("Boolean", lambda v: (v == 0) | (v == 1), discrete=True)
one_hot = _Simple("OneHot", _one_hot_check, discrete=True, event_dim=1)
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Simple("Real", lambda v: v == v)
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simple("Simplex", lambda v: (v >= 0).all(-1) & _near_one(v.sum(-1)), event_dim=1)
lower_triangular = _Simple("LowerTriangular", _lower, event_dim=2)
lower_cholesky = _Simple("LowerCholesky", lambda v: _lower(v) & _positive_diagonal(v), event_dim=2)
corr_cholesky = _Simple("CorrCholesky", _corr_cholesky_check, event_dim=2)
square = _Simple("Square", _square_check, event_dim=2)
symmetric = _Simple("Symmetric", _symmetric_check, event_dim=2)
positive_semidefinite = _Simple("PositiveSemidefinite", _semidefinite, event_dim=2)
positive_definite = _Simple("PositiveDefinite", _definite, event_dim=2)
cat = _Cat
stack = _Stack
