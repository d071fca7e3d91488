"""Trials and what a search returns."""

from __future__ import annotations

from typing import Any

__all__ = ["SearchResult", "Trial", "TrialPruned"]


class TrialPruned(Exception):
    """Raised by an objective that gives up a trial, after ``trial.should_prune()``.

    Example:
        >>> import pydl
        >>> def objective(params, trial):
        ...     for step in range(10):
        ...         trial.report(params["x"] / (step + 1), step)
        ...         if trial.should_prune():
        ...             raise pydl.search.TrialPruned()
        ...     return params["x"]
        >>> pydl.search.GridSearch(objective, {"x": [1, 2]}).run().best_value
        1.0
    """


class Trial:
    """One evaluation of the objective.

    Attributes:
        number: counted from 0.
        params: the point of the space.
        value: what the objective returned; None when it failed or was pruned.
        state: ``"complete"``, ``"pruned"`` or ``"failed"`` (``"running"`` meanwhile).
        duration: seconds.
        reported: values by step.

    Example:
        >>> import pydl
        >>> trial = pydl.search.GridSearch(lambda p: p["x"] ** 2, {"x": [3]}).run().best_trial
        >>> trial.number, trial.params, trial.value, trial.state
        (0, {'x': 3}, 9.0, 'complete')
    """

    def __init__(self, number: int, params: dict[str, Any], behind: Any = None) -> None:
        self.number = number
        self.params = params
        self.value: float | None = None
        self.state = "running"
        self.duration = 0.0
        self.reported: dict[int, float] = {}
        self._behind = behind

    def report(self, value: float, step: int) -> None:
        """Tell an intermediate value, by which a pruner decides."""
        self.reported[step] = float(value)
        if self._behind is not None:
            self._behind.report(float(value), step)

    def should_prune(self) -> bool:
        """Whether the pruner would give the trial up; without one never."""
        return False if self._behind is None else bool(self._behind.should_prune())

    def __repr__(self) -> str:
        return f"Trial(number={self.number}, params={self.params}, value={self.value}, state={self.state!r})"


class SearchResult:
    """What a search found: the trials in order, and the best of them.

    Attributes:
        best_params, best_value, best_trial: of the first among the best complete trials; ValueError if there is none.
        trials: list of :class:`Trial`.

    Example:
        >>> import pydl
        >>> result = pydl.search.GridSearch(lambda p: (p["x"] - 2) ** 2, {"x": [0, 1, 2]}).run()
        >>> result.best_params, result.best_value, len(result.trials)
        ({'x': 2}, 0.0, 3)
    """

    def __init__(self, trials: list[Trial], direction: str) -> None:
        self.trials = trials
        self.direction = direction

    @property
    def best_trial(self) -> Trial:
        """The best complete trial."""
        done = [t for t in self.trials if t.state == "complete" and t.value is not None]
        if not done:
            raise ValueError("SearchResult: no trial was completed")
        sign = -1.0 if self.direction == "maximize" else 1.0
        return min(done, key=lambda t: sign * (t.value or 0.0))

    @property
    def best_params(self) -> dict[str, Any]:
        """The best trial's point."""
        return self.best_trial.params

    @property
    def best_value(self) -> float:
        """The best trial's value."""
        value = self.best_trial.value
        assert value is not None
        return value

    def to_table(self) -> list[dict[str, Any]]:
        """One dict per trial: number, parameters, value, state, duration. A ``pandas.DataFrame`` takes the list."""
        return [
            {"number": t.number, **t.params, "value": t.value, "state": t.state, "duration": t.duration}
            for t in self.trials
        ]

    def plot(self, ax: Any = None) -> Any:
        """Draws the values of the complete trials and the best so far; returns the matplotlib axes.

        Raises:
            ImportError: without matplotlib.
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError("SearchResult.plot() needs matplotlib: pip install matplotlib") from error
        if ax is None:
            _, ax = pyplot.subplots()
        done = [t for t in self.trials if t.value is not None]
        numbers, values = [t.number for t in done], [t.value or 0.0 for t in done]
        best: list[float] = []
        pick = max if self.direction == "maximize" else min
        for value in values:
            best.append(pick(value, best[-1]) if best else value)
        ax.plot(numbers, values, "o", label="value")
        ax.step(numbers, best, where="post", label="best so far")
        ax.set_xlabel("trial")
        ax.set_ylabel("value")
        ax.legend()
        return ax

    def __repr__(self) -> str:
        return f"SearchResult({len(self.trials)} trials, {self.direction})"
