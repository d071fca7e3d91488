"""One LossCase (or several) for each loss of pydl.losses: inputs, an independent reference in NumPy, edges, wrong calls.

Each file of this folder adds its cases with `loss(...)`; tests/losses/test_loss_cases.py walks them. A public loss without a case
fails the suite.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pydl


class Inputs:
    """Makes the arrays of a case, from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def real(self, *shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
        return self.rng.uniform(low, high, size=shape)

    def unit(self, *shape: int) -> np.ndarray:
        """Inside (0, 1)."""
        return self.rng.uniform(0.05, 0.95, size=shape)

    def simplex(self, *shape: int, axis: int = -1) -> np.ndarray:
        """Probabilities along an axis."""
        values = self.unit(*shape)
        return values / values.sum(axis, keepdims=True)

    def index(self, high: int, *shape: int, low: int = 0) -> np.ndarray:
        return self.rng.integers(low, high, size=shape)

    def one_of(self, values: Any, *shape: int) -> np.ndarray:
        return self.rng.choice(np.asarray(values), size=shape)


@dataclass(frozen=True)
class Constant:
    """A floating-point input without a derivative."""

    array: np.ndarray


Maker = Callable[[Inputs], tuple[Any, ...]]


def built(cls: Any, inputs: list[Any], options: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The module and what its forward takes, from what the function takes."""
    return cls(**options), inputs


@dataclass(frozen=True)
class LossCase:
    """How one loss is called and what it should give.

    inputs: what the function takes before its options: arrays (floats get a derivative), `Constant`s, None, lists, callables.
    reference: of the same arguments, without `reduction`: the values of 'none', or the scalar of a loss without it.
    reduced: (values, reduction, inputs) for a loss whose 'mean' and 'sum' are not those of the values.
    build: the module and forward's arguments, for losses with parameters.
    sliced: positions of the inputs that are cut for the test of batch invariance; None: the result depends on the batch.
    edges: inputs at which values and derivatives must be finite.
    errors: wrong inputs, the exception, and options for them.
    """

    name: str
    inputs: Maker
    reference: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    scalar: bool = False
    reduced: Callable[..., Any] | None = None
    reductions: tuple[str, ...] = ("none", "mean", "sum")
    build: Callable[..., tuple[Any, list[Any]]] = built
    sliced: tuple[int, ...] | None = (0, 1)
    edges: tuple[Maker, ...] = ()
    errors: tuple[tuple[Any, ...], ...] = ()
    gradcheck: bool = True
    gradgradcheck: bool = True
    half: bool = True
    tolerance: float = 1.0

    def __str__(self) -> str:
        return f"{self.name}-{self.label}" if self.label else self.name

    @property
    def cls(self) -> Any:
        return getattr(pydl.losses, self.name)

    @property
    def function(self) -> Any:
        return self.cls._function


CASES: list[LossCase] = []


def loss(name: str, inputs: Maker, reference: Any, *labelled: tuple[str, dict[str, Any]], **fields: Any) -> None:
    """Add a case, and one more for each (label, options)."""
    CASES.append(LossCase(name, inputs, reference, **fields))
    for label, options in labelled:
        rest = {k: v for k, v in fields.items() if k not in ("options", "errors", "edges", "label")}
        CASES.append(LossCase(name, inputs, reference, label=label, options=options, **rest))


for _topic in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_topic.name}")
