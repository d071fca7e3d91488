"""What all distributions share: shapes, validation, expansion, sampling without gradients."""

from __future__ import annotations

import math
from typing import Any

import pydl
from pydl import Size, Tensor
from pydl.distributions import constraints

__all__ = ["Distribution", "ExponentialFamily"]

_C: Any = pydl


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the dtype of the tensors.

    Raises:
        ValueError: for anything else.
    """
    for v in values:
        if not isinstance(v, (Tensor, int, float)):
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or objects implementing "
                f"__torch_function__, got {type(v).__name__}."
            )
    given = next((v for v in values if isinstance(v, Tensor)), None)
    dtype = pydl.get_default_dtype() if given is None or not given.is_floating_point() else given.dtype
    return pydl.broadcast_tensors(*(v if isinstance(v, Tensor) else pydl.tensor(v, dtype=dtype) for v in values))


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last ``dims`` dims."""
    return value if dims == 0 else value.reshape(*value.shape[: value.dim() - dims], -1).sum(-1)


def probs_to_logits(probs: Tensor, binary: bool = False) -> Tensor:
    """Logits (binary) or log-probabilities, of probabilities kept from 0 and 1 by the precision."""
    eps = pydl.finfo(probs.dtype).eps
    clamped = probs.clamp(eps, 1 - eps)
    return clamped.log() - (-clamped).log1p() if binary else clamped.log()


def logits_to_probs(logits: Tensor, binary: bool = False) -> Tensor:
    """The inverse of `probs_to_logits`."""
    return logits.sigmoid() if binary else logits.softmax(-1)


def open_unit(shape: Any, dtype: Any) -> Tensor:
    """Numbers drawn evenly from (0, 1), both ends left out."""
    info = pydl.finfo(dtype)
    return _C.rand(tuple(shape), dtype=dtype).clamp(info.tiny, 1 - info.eps)


class lazy_property:  # noqa: N801 - used like property
    """A property that is computed once and then is a plain attribute."""

    def __init__(self, method: Any) -> None:
        self.method, self.__doc__ = method, method.__doc__
        self.name = method.__name__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with pydl.enable_grad():
            value = self.method(instance)
        instance.__dict__[self.name] = value
        return value


class Distribution:
    """Base of all distributions: batches of independent ones over events of one shape.

    Args:
        batch_shape: sizes of the batch of distributions.
        event_shape: sizes of one event.
        validate_args: check parameters and values; by default as `set_default_validate_args` says.

    Raises:
        ValueError: for parameters outside their constraints.

    Example:
        >>> import pydl
        >>> class Coin(pydl.distributions.Distribution):
        ...     arg_constraints = {}
        ...     def sample(self, sample_shape=()):
        ...         return (pydl.rand(sample_shape) < 0.5).float()
        >>> Coin().sample((3,)).shape
        torch.Size([3])
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__
    # Parameter -> how many of its last dims belong to the event; what `expand` widens.
    _parameters: dict[str, int] = {}

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions check parameters and values when not told otherwise; True or False."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args(): expected True or False, got {value!r}")
        Distribution._validate_args = value

    def _check_parameters(self) -> None:
        try:
            limits = self.arg_constraints
        except NotImplementedError:
            return
        for name, constraint in limits.items():
            if constraints.is_dependent(constraint):
                continue
            if name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property):
                continue
            value = getattr(self, name)
            valid = constraint.check(value)
            if not bool(valid.all()):
                raise ValueError(
                    f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of distribution {self!r} "
                    f"to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    # ---- shapes

    @property
    def batch_shape(self) -> Size:
        """The sizes of the batch."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The sizes of one event."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution over a larger batch, to which the parameters are expanded as views."""
        new = self._get_checked_instance(type(self), _instance)
        sizes = tuple(batch_shape)
        for name, value in self.__dict__.items():
            if name in self._parameters and isinstance(value, Tensor):
                events = self._parameters[name]
                tail = tuple(value.shape[value.dim() - events :]) if events else ()
                value = value.expand((*sizes, *tail))
            elif isinstance(value, Distribution):
                value = value.expand((*sizes, *value.batch_shape[len(self._batch_shape) :]))
            new.__dict__.setdefault(name, value) if name == "_validate_args" else new.__dict__.__setitem__(name, value)
        new._batch_shape = Size(sizes)
        return new

    def _get_checked_instance(self, cls: Any, _instance: Any = None) -> Any:
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(f"Subclass {type(self).__name__} of {cls.__name__} must also define expand()")
        return cls.__new__(type(self)) if _instance is None else _instance

    # ---- properties that families define

    @property
    def arg_constraints(self) -> dict[str, Any]:
        """Parameter -> its constraint."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The constraint of the values."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most likely value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The root of the variance."""
        return self.variance.sqrt()

    # ---- methods that families define

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Numbers drawn from the distribution, (*sample_shape, *batch_shape, *event_shape), without gradients."""
        with pydl.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Numbers whose gradients flow to the parameters."""
        raise NotImplementedError

    def sample_n(self, n: int) -> Tensor:
        """`sample` of n draws."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density or probability of values."""
        raise NotImplementedError

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of at most ``value``."""
        raise NotImplementedError

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`."""
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values of a discrete distribution along a new first dim."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    # ---- help for families

    def _enumerated(self, values: Tensor, expand: bool) -> Tensor:
        values = values.reshape((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        first = value.dim() - len(self._event_shape)
        if first < 0 or tuple(value.shape[first:]) != tuple(self._event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {tuple(value.shape)} vs "
                f"{tuple(self._event_shape)}."
            )
        for i, j in zip(reversed(tuple(value.shape)), reversed(tuple(self._extended_shape()))):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    "Value is not broadcastable with batch_shape+event_shape: "
                    f"{tuple(value.shape)} vs {tuple(self._extended_shape())}."
                )
        try:
            support = self.support
        except NotImplementedError:
            return
        if not bool(support.check(value).all()):
            raise ValueError(
                f"Expected value argument (Tensor of shape {tuple(value.shape)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def __repr__(self) -> str:
        names = [k for k in self.arg_constraints if k in self.__dict__]
        shown = ", ".join(
            f"{n}: {self.__dict__[n] if self.__dict__[n].numel() == 1 else tuple(self.__dict__[n].shape)}"
            for n in names
        )
        return f"{type(self).__name__}({shown})"


class ExponentialFamily(Distribution):
    """Distributions exp(<natural parameters, statistic> - log normalizer) times a carrier measure.

    Example:
        >>> import pydl
        >>> isinstance(pydl.distributions.Normal(0.0, 1.0), pydl.distributions.ExponentialFamily)
        True
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """From the gradient of the log normalizer (Nielsen and Nock, "Entropies and cross-entropies of exponential
        families", 2010)."""
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        with pydl.enable_grad():
            log_normalizer = self._log_normalizer(*natural)
            slopes = pydl.autograd.grad(log_normalizer.sum(), natural, create_graph=True)
        result = log_normalizer - self._mean_carrier_measure
        for parameter, slope in zip(natural, slopes):
            result = result - (parameter * slope).reshape((*self._batch_shape, -1)).sum(-1)
        return result


HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
