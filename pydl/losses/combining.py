"""Combining losses: weights learned from uncertainty, penalties on parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import pydl
from pydl import Tensor
from pydl.losses._shared import Loss, functional, need_dims
from pydl.nn import Module, Parameter

__all__ = ["UncertaintyWeightedLoss", "l1_penalty", "l2_penalty", "uncertainty_weighted_loss"]

NameFilter = str | Callable[[str, Parameter], bool] | None
# Of a Gaussian and of a softmax likelihood: Kendall, Gal and Cipolla 2018, equations 5 and 10.
_FACTORS = {"regression": 0.5, "classification": 1.0}


def _factors(types: str | Sequence[str], count: int) -> list[float]:
    names = [types] * count if isinstance(types, str) else list(types)
    if len(names) != count or any(name not in _FACTORS for name in names):
        raise ValueError(
            f"uncertainty_weighted_loss(): types must be 'regression' or 'classification', one or {count}, "
            f"got {types!r}"
        )
    return [_FACTORS[name] for name in names]


@functional(widening=False)
def uncertainty_weighted_loss(
    losses: Sequence[Tensor] | Mapping[str, Tensor] | Tensor,
    log_vars: Tensor,
    types: str | Sequence[str] = "regression",
) -> Tensor:
    """Functional form of :class:`UncertaintyWeightedLoss`; a mapping's losses are taken in its order.

    Example:
        >>> import pydl
        >>> pydl.losses.uncertainty_weighted_loss([pydl.tensor(2.0), pydl.tensor(4.0)], pydl.zeros(2))
        tensor(3.)
    """
    op = "uncertainty_weighted_loss"
    need_dims(op, "log_vars", log_vars, "(n,)", 1, 1)
    if isinstance(losses, Tensor):
        need_dims(op, "losses", losses, "(n,)", 1, 1)
    terms = list(losses.values()) if isinstance(losses, Mapping) else list(losses)
    if len(terms) != len(log_vars):
        raise ValueError(f"{op}(): there must be {len(log_vars)} losses, got {len(terms)}")
    factors = _factors(types, len(terms))
    total = log_vars.sum() / 2
    for factor, term, s in zip(factors, terms, log_vars):
        if term.numel() != 1:
            raise pydl.ShapeError(f"{op}(): losses must be scalars, got {tuple(term.shape)}")
        total = total + factor * (-s).exp() * term.reshape(())
    return total


class UncertaintyWeightedLoss(Loss, of=uncertainty_weighted_loss, takes=3):
    """sum_i k_i exp(-s_i) L_i + s_i / 2, s_i = log sigma_i^2 learned (Kendall, Gal and Cipolla 2018). A scalar.

    k is 1/2 for regression and 1 for classification tasks.

    Args:
        tasks: their number, or their names; then ``forward`` takes a mapping by name, otherwise a sequence or a tensor
            (n,).
        types: ``"regression"`` (default) or ``"classification"``, one for all or one per task.

    Attributes:
        log_vars: parameter (n,), zeros.

    Raises:
        ValueError: another number of losses, names that are not tasks, an unknown type.
        KeyError: a task's loss is missing.

    Example:
        >>> import pydl
        >>> loss = pydl.losses.UncertaintyWeightedLoss(["depth", "class"], ["regression", "classification"])
        >>> loss({"depth": pydl.tensor(2.0), "class": pydl.tensor(3.0)})
        tensor(4., grad_fn=<AddBackward0>)
    """

    log_vars: Parameter

    def __init__(self, tasks: int | Sequence[str], types: str | Sequence[str] = "regression") -> None:
        Module.__init__(self)
        if isinstance(tasks, str):
            raise TypeError("UncertaintyWeightedLoss(): tasks must be a number or a sequence of names")
        self.tasks = tasks if isinstance(tasks, int) else tuple(tasks)
        count = tasks if isinstance(tasks, int) else len(tasks)
        if count < 1 or (not isinstance(tasks, int) and len(set(tasks)) != count):
            raise ValueError(
                f"UncertaintyWeightedLoss(): tasks must be at least one, with names of their own, got {tasks}"
            )
        _factors(types, count)
        self.types = types
        self.log_vars = Parameter(pydl.zeros(count))  # type: ignore[attr-defined]

    def forward(self, losses: Sequence[Tensor] | Mapping[str, Tensor] | Tensor) -> Tensor:
        """The weighted sum."""
        if isinstance(losses, Mapping) != isinstance(self.tasks, tuple):
            kind = "a mapping by task" if isinstance(self.tasks, tuple) else "a sequence or a tensor"
            raise ValueError(f"uncertainty_weighted_loss(): losses must be {kind}, got {type(losses).__name__}")
        if isinstance(losses, Mapping):
            names: tuple[str, ...] = self.tasks  # type: ignore[assignment]
            missing = [name for name in names if name not in losses]
            if missing:
                raise KeyError(f"uncertainty_weighted_loss(): losses of {', '.join(missing)} are missing")
            extra = [name for name in losses if name not in names]
            if extra:
                raise ValueError(f"uncertainty_weighted_loss(): {', '.join(map(str, extra))} are no tasks")
            losses = [losses[name] for name in names]
        return uncertainty_weighted_loss(losses, self.log_vars, self.types)

    def extra_repr(self) -> str:
        """The tasks and their types."""
        return f"tasks={self.tasks}, types={self.types!r}"


def _selected(op: str, module: Module | Iterable[Tensor], filter: NameFilter) -> list[Tensor]:
    if isinstance(module, Module):
        named: list[tuple[str, Tensor]] = list(module.named_parameters())
    elif isinstance(module, Tensor):
        named = [("0", module)]
    else:
        named = [(str(i), t) for i, t in enumerate(module)]
    for name, t in named:
        if not isinstance(t, Tensor):
            raise TypeError(f"{op}(): {name} is not a tensor but {type(t).__name__}")
    if filter is None:
        return [t for _, t in named]
    if isinstance(filter, str):
        return [t for name, t in named if fnmatchcase(name, filter)]
    return [t for name, t in named if filter(name, t)]  # type: ignore[arg-type]


def _total(terms: list[Tensor], weight: float) -> Tensor:
    if not terms:
        return pydl.zeros(())  # type: ignore[attr-defined]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return weight * total


def l1_penalty(module: Module | Iterable[Tensor], weight: float = 1.0, filter: NameFilter = None) -> Tensor:
    """weight * sum |w| over the parameters of a module (each shared parameter once) or over tensors. A scalar.

    The derivative of |0| is 0.

    Args:
        module: a module or tensors.
        weight: default 1.
        filter: a shell pattern of parameter names such as ``"*.weight"``, or a callable of name and parameter. Nothing
            selected gives 0.

    Example:
        >>> import pydl
        >>> pydl.losses.l1_penalty([pydl.tensor([1.0, -2.0])], 0.5)
        tensor(1.5000)
    """
    return _total([t.abs().sum() for t in _selected("l1_penalty", module, filter)], weight)


def l2_penalty(module: Module | Iterable[Tensor], weight: float = 1.0, filter: NameFilter = None) -> Tensor:
    """weight * sum w^2, without a factor 1/2; arguments as in :func:`l1_penalty`.

    Example:
        >>> import pydl
        >>> pydl.losses.l2_penalty([pydl.tensor([1.0, -2.0])], 0.5)
        tensor(2.5000)
    """
    return _total([t.square().sum() for t in _selected("l2_penalty", module, filter)], weight)
