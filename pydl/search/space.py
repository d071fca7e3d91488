"""What can be varied: choices and ranges."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Space = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: list[Any]

    def grid(self, name: str) -> list[Any]:
        """All of them."""
        return self.values

    def draw(self, rng: np.random.Generator) -> Any:
        """One of them."""
        return self.values[int(rng.integers(len(self.values)))]

    def suggest(self, name: str, trial: Any) -> Any:
        """One that an Optuna trial asks for; values that its storage cannot hold go by their position."""
        if self._plain:
            return trial.suggest_categorical(name, self.values)
        return self.values[trial.suggest_categorical(name, list(range(len(self.values))))]

    def stored(self, value: Any) -> Any:
        """The value behind what a storage holds."""
        return value if self._plain else self.values[value]

    @property
    def _plain(self) -> bool:
        """Whether a storage can hold the values."""
        return all(v is None or isinstance(v, (bool, int, float, str)) for v in self.values)


@dataclass(frozen=True)
class Range:
    """Numbers from low to high; ints with both ends."""

    low: float
    high: float
    log: bool
    whole: bool

    def grid(self, name: str) -> list[Any]:
        """All ints."""
        if not self.whole:
            raise ValueError(f"GridSearch(): {name!r} is a range of floats; give a list of values")
        return list(range(int(self.low), int(self.high) + 1))

    def draw(self, rng: np.random.Generator) -> Any:
        """A uniform or log-uniform number."""
        if self.whole and not self.log:
            return int(rng.integers(int(self.low), int(self.high), endpoint=True))
        if not self.log:
            return float(rng.uniform(self.low, self.high))
        if self.whole:  # each int has the share of the numbers that round to it
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return int(np.clip(round(math.exp(rng.uniform(low, high))), self.low, self.high))
        return float(np.clip(math.exp(rng.uniform(math.log(self.low), math.log(self.high))), self.low, self.high))

    def suggest(self, name: str, trial: Any) -> Any:
        """A number that an Optuna trial asks for."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def stored(self, value: Any) -> Any:
        """What a storage holds."""
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, (bool, np.bool_))


def _parsed(op: str, name: str, spec: Any) -> Choice | Range:
    if isinstance(spec, list):
        if not spec:
            raise ValueError(f"{op}(): {name!r} has no choices")
        return Choice(list(spec))
    if not isinstance(spec, tuple) or len(spec) not in (2, 3) or not all(map(_is_number, spec[:2])):
        raise ValueError(f"{op}(): {name!r} must be a list, (low, high) or (low, high, 'log'), got {spec!r}")
    if len(spec) == 3 and spec[2] != "log":
        raise ValueError(f"{op}(): {name!r} must end with 'log', got {spec[2]!r}")
    low, high = spec[:2]
    if not low <= high or not math.isfinite(low) or not math.isfinite(high):
        raise ValueError(f"{op}(): {name!r} must have finite low <= high, got {low} and {high}")
    if len(spec) == 3 and low <= 0:
        raise ValueError(f"{op}(): {name!r} is logarithmic and must have low > 0, got {low}")
    whole = all(isinstance(v, (int, np.integer)) for v in (low, high))
    return Range(low, high, len(spec) == 3, whole)


def parse(op: str, space: Space) -> dict[str, Choice | Range]:
    """The dims of a space.

    Raises:
        ValueError: an empty space, low > high, a logarithm of low <= 0, or something else than lists and ranges.
    """
    if not space:
        raise ValueError(f"{op}(): the space is empty")
    return {name: _parsed(op, name, spec) for name, spec in space.items()}


def combinations(dims: dict[str, Choice | Range]) -> Iterator[dict[str, Any]]:
    """Every combination, the last name varying fastest."""
    values = [dim.grid(name) for name, dim in dims.items()]
    for chosen in itertools.product(*values):
        yield dict(zip(dims, chosen))
