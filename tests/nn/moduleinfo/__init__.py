"""One ModuleCase (or several) for each module of pydl.nn: how it is built and what it is called with.

Each file of this folder adds its cases with `module(...)`; tests/nn/test_modules.py builds every case here and in PyTorch,
gives both the same weights and inputs, and compares. A public module without a case fails the suite.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Python values or functions of the library (pydl or torch) that return them: `lambda nn: {"activation": nn.functional.gelu}`
FromNN = Callable[[Any], Any]


class Inputs:
    """Makes the arrays of a case: floats require a gradient, integers and bools do not."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def real(self, *shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
        """Uniform floats."""
        return self.rng.uniform(low, high, size=shape)

    def unit(self, *shape: int) -> np.ndarray:
        """Floats well inside (0, 1)."""
        return self.rng.uniform(0.05, 0.95, size=shape)

    def sign(self, *shape: int) -> Constant:
        """Floats -1 and 1 that need no gradient."""
        return Constant(self.rng.choice([-1.0, 1.0], size=shape))

    def index(self, high: int, *shape: int) -> np.ndarray:
        """int64 in [0, high)."""
        return self.rng.integers(0, high, size=shape)

    def mask(self, *shape: int) -> np.ndarray:
        """bool."""
        return self.rng.random(size=shape) < 0.5

    def distinct(self, *shape: int) -> np.ndarray:
        """Floats of which no two are close: for maxima, whose gradient jumps where two are equal."""
        count = int(np.prod(shape))
        return (self.rng.permutation(count).reshape(shape) - count / 2) * (4.0 / max(count, 1))


@dataclass(frozen=True)
class Constant:
    """A floating-point input that needs no gradient (a target)."""

    array: np.ndarray


@dataclass(frozen=True)
class ModuleCase:
    """How one module is built and called.

    inputs: called with an `Inputs`; returns the tuple of positional arguments of `forward`: arrays, `Constant`s, None, numbers,
        or tuples and lists of these.
    args, kwargs: of the constructor, or functions of the `nn` module that return them.
    call: keyword arguments of `forward`.
    wrap, unwrap: `wrap(lib, arguments)` turns tensors into other arguments (a PackedSequence), `unwrap(lib, output)` back.
    modes: "train" and "eval", or only "eval" where training draws random numbers.
    gradcheck, gradgradcheck: whether first and second derivatives are checked by differences (float64, training mode).
    second_args: keyword arguments for gradcheck (`atol`, ...).
    dtypes: compared with PyTorch in these.
    tolerance: relative, for float32 and float64.
    same_repr: whether `repr` equals PyTorch's.
    """

    name: str
    inputs: Callable[[Inputs], tuple[Any, ...]]
    args: tuple[Any, ...] | FromNN = ()
    kwargs: dict[str, Any] | FromNN = field(default_factory=dict)
    label: str = ""
    call: dict[str, Any] = field(default_factory=dict)
    wrap: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] | None = None
    unwrap: Callable[[Any, Any], Any] | None = None
    modes: tuple[str, ...] = ("train", "eval")
    gradcheck: bool = True
    gradgradcheck: bool = True
    check_options: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float64", "float32")
    tolerance: tuple[float, float] = (1e-5, 1e-10)
    same_repr: bool = True

    def __str__(self) -> str:
        return f"{self.name}-{self.label}" if self.label else self.name

    def build(self, lib: Any) -> Any:
        """The module in `lib`, which is pydl or torch."""
        args = self.args(lib.nn) if callable(self.args) else self.args
        kwargs = self.kwargs(lib.nn) if callable(self.kwargs) else self.kwargs
        return getattr(lib.nn, self.name)(*args, **kwargs)


CASES: list[ModuleCase] = []


def module(name: str, inputs: Callable[[Inputs], tuple[Any, ...]], **options: Any) -> None:
    """Add a case."""
    CASES.append(ModuleCase(name, inputs, **options))


for _topic in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_topic.name}")
