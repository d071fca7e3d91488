"""Grid and random search."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast

import numpy as np

from pydl.search.results import SearchResult, Trial, TrialPruned
from pydl.search.space import Space, combinations, parse

__all__ = ["GridSearch", "RandomSearch"]

Direction = Literal["minimize", "maximize"]
Objective = Callable[..., float]


def takes_trial(objective: Objective) -> bool:
    """Whether an objective has a second positional parameter: without a default, or called trial."""
    try:
        parameters = list(inspect.signature(objective).parameters.values())
    except (TypeError, ValueError):  # of some built-in callables
        return False
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and (positional[1].default is inspect.Parameter.empty or positional[1].name == "trial")


class Search:
    """What all searches share: the objective, its space and how a trial is judged."""

    def __init__(self, objective: Objective, space: Space, direction: Direction, catch: tuple[type, ...]) -> None:
        op = type(self).__name__
        if not callable(objective):
            raise TypeError(f"{op}(): objective must be callable, got {type(objective).__name__}")
        if direction not in ("minimize", "maximize"):
            raise ValueError(f"{op}(): direction must be 'minimize' or 'maximize', got {direction!r}")
        self.objective, self.space, self.direction, self.catch = (
            objective,
            space,
            direction,
            cast("tuple[type[Exception], ...]", tuple(catch)),
        )
        self._dims = parse(op, space)
        self._with_trial = takes_trial(objective)

    def _value(self, trial: Trial) -> float:
        """What the objective gives for a trial."""
        given = self.objective(trial.params, trial) if self._with_trial else self.objective(trial.params)
        return float(given)

    def _judge(self, trial: Trial) -> None:
        """Runs the objective and notes how it ended."""
        start = time.perf_counter()
        trial.state = "failed"
        try:
            value = self._value(trial)
            if value == value:  # NaN counts as failed
                trial.value, trial.state = value, "complete"
        except TrialPruned:
            trial.state = "pruned"
        except self.catch:
            pass
        finally:
            trial.duration = time.perf_counter() - start


def _run(
    search: Search,
    points: Iterable[dict[str, Any]],
    most: int | None,
    timeout: float | None,
    callbacks: Sequence[Callable[..., None]],
) -> SearchResult:
    _check_count(type(search).__name__, most)
    result = SearchResult([], search.direction)
    start = time.perf_counter()
    for number, params in enumerate(points):
        if (most is not None and number >= most) or (timeout is not None and time.perf_counter() - start >= timeout):
            break
        trial = Trial(number, params)
        result.trials.append(trial)
        search._judge(trial)
        for callback in callbacks:
            callback(result, trial)
    return result


def _check_count(op: str, n_trials: int | None) -> None:
    if n_trials is not None and n_trials < 0:
        raise ValueError(f"{op}.run(): n_trials must be at least 0, got {n_trials}")


class GridSearch(Search):
    """Every combination; the last name varies fastest.

    Args:
        objective: called as ``objective(params)`` or ``objective(params, trial)``, told apart by its number of
            positional parameters; returns a number. NaN counts as failed.
        space: lists, or ranges of ints.
        direction: ``"minimize"`` (default) or ``"maximize"``.
        catch: types of exceptions that make a trial failed; others propagate.

    Raises:
        ValueError: an empty or wrong space, a range of floats, an unknown direction.

    Example:
        >>> import pydl
        >>> search = pydl.search.GridSearch(lambda p: p["a"] * p["b"], {"a": [1, -1], "b": (0, 2)})
        >>> search.run().best_params
        {'a': -1, 'b': 2}
    """

    def __init__(
        self, objective: Objective, space: Space, direction: Direction = "minimize", catch: tuple[type, ...] = ()
    ) -> None:
        super().__init__(objective, space, direction, catch)
        for name, dim in self._dims.items():
            dim.grid(name)

    def run(
        self, n_trials: int | None = None, timeout: float | None = None, callbacks: Sequence[Callable[..., None]] = ()
    ) -> SearchResult:
        """Evaluates the combinations, at most ``n_trials``, none begun after ``timeout`` seconds.

        ``callbacks`` are called with the result so far and the trial, after each.
        """
        return _run(self, combinations(self._dims), n_trials, timeout, callbacks)


class RandomSearch(Search):
    """Independent draws (Bergstra and Bengio 2012).

    Args:
        objective, direction, catch: as in :class:`GridSearch`.
        space: lists and ranges.
        seed: fixes the draws. Default: from the system.

    Raises:
        ValueError: an empty or wrong space, an unknown direction.

    Example:
        >>> import pydl
        >>> space = {"lr": (1e-4, 1e-1, "log"), "layers": (1, 3), "act": ["relu", "tanh"]}
        >>> result = pydl.search.RandomSearch(lambda p: p["lr"] * p["layers"], space, seed=0).run(50)
        >>> result.best_params["layers"], result.best_value < 1e-3
        (1, True)
    """

    def __init__(
        self,
        objective: Objective,
        space: Space,
        direction: Direction = "minimize",
        seed: int | None = None,
        catch: tuple[type, ...] = (),
    ) -> None:
        super().__init__(objective, space, direction, catch)
        self.seed = seed

    def run(
        self, n_trials: int = 20, timeout: float | None = None, callbacks: Sequence[Callable[..., None]] = ()
    ) -> SearchResult:
        """Evaluates ``n_trials`` draws; ``timeout`` and ``callbacks`` as in :meth:`GridSearch.run`."""
        rng = np.random.default_rng(self.seed)
        points = ({name: dim.draw(rng) for name, dim in self._dims.items()} for _ in iter(int, 1))
        return _run(self, points, n_trials, timeout, callbacks)
