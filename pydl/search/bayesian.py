"""Search by Optuna's samplers and storages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydl.search.plain import Direction, Objective, Search, _check_count
from pydl.search.results import SearchResult, Trial, TrialPruned
from pydl.search.space import Space

__all__ = ["BayesianSearch"]

_SAMPLERS = {"tpe": "TPESampler", "gp": "GPSampler", "cmaes": "CmaEsSampler", "random": "RandomSampler"}
_PRUNERS = {"median": "MedianPruner", "hyperband": "HyperbandPruner", None: "NopPruner"}
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError("BayesianSearch needs Optuna: pip install pydl-nn[search]") from error
    return optuna


class BayesianSearch(Search):
    """Points that a model of the trials so far finds promising, by Optuna.

    ``run(n)`` adds n trials to those that are there; with a storage also in a later process under the same name.

    Args:
        objective, space, direction, catch: as in :class:`RandomSearch`.
        seed: fixes the draws. Default: from the system.
        sampler: ``"tpe"`` (default: tree-structured Parzen estimators, Bergstra et al. 2011), ``"gp"`` (Gaussian
            process), ``"cmaes"`` or ``"random"``. What Optuna itself needs for one (cmaes; PyTorch and SciPy for gp)
            has to be installed.
        pruner: ``"median"``, ``"hyperband"`` or None (default), for objectives that report values and ask
            ``should_prune()``.
        storage: an Optuna URL, or the path of an SQLite file. Default: in memory.
        study_name: default ``"pydl"``.

    Raises:
        ImportError: without Optuna.
        ValueError: an empty or wrong space, an unknown direction, sampler or pruner, or a stored study of the other
            direction.

    Example:
        >>> import pydl
        >>> search = pydl.search.BayesianSearch(lambda p: (p["x"] - 1) ** 2, {"x": (-5.0, 5.0)}, seed=0)
        >>> search.run(30).best_value < 0.1
        True
    """

    def __init__(
        self,
        objective: Objective,
        space: Space,
        direction: Direction = "minimize",
        seed: int | None = None,
        sampler: str = "tpe",
        pruner: str | None = None,
        storage: str | None = None,
        study_name: str = "pydl",
        catch: tuple[type, ...] = (),
    ) -> None:
        super().__init__(objective, space, direction, catch)
        for what, value, known in (("sampler", sampler, _SAMPLERS), ("pruner", pruner, _PRUNERS)):
            if value not in known:
                raise ValueError(f"BayesianSearch(): {what} must be one of {list(known)}, got {value!r}")
        _optuna()
        self.seed, self.sampler, self.pruner = seed, sampler, pruner
        self.storage, self.study_name = storage, study_name
        self._study: Any = None

    def _open(self) -> Any:
        """The study, new or as it stands in the storage."""
        optuna = _optuna()
        if self._study is None:
            storage = None if self.storage is None else str(self.storage)
            if storage is not None and "://" not in storage:
                storage = f"sqlite:///{storage}"
            self._study = optuna.create_study(
                storage=storage,
                study_name=self.study_name,
                direction=self.direction,
                load_if_exists=True,
                pruner=getattr(optuna.pruners, _PRUNERS[self.pruner])(),
            )
            if self._study.direction.name.lower() != self.direction:
                found = self._study.direction.name.lower()
                raise ValueError(f"BayesianSearch(): the study {self.study_name!r} is there to {found}")
        # Another seed for each start, or a resumed study would draw its first points again.
        seed = None if self.seed is None else self.seed + len(self._study.trials)
        self._study.sampler = getattr(optuna.samplers, _SAMPLERS[self.sampler])(seed=seed)
        return self._study

    def run(
        self, n_trials: int = 20, timeout: float | None = None, callbacks: Sequence[Callable[..., None]] = ()
    ) -> SearchResult:
        """Adds ``n_trials``; returns all trials of the study.

        ``timeout`` and ``callbacks`` as in :meth:`GridSearch.run`.
        """
        _check_count("BayesianSearch", n_trials)
        optuna = _optuna()
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(max(verbosity, optuna.logging.WARNING))
        try:
            study = self._open()
            hooks = [lambda s, t, f=f: f(self._result(s), self._trial(t)) for f in callbacks]
            if n_trials:
                study.optimize(self._ask, n_trials, timeout, catch=self.catch, callbacks=hooks)
        finally:
            optuna.logging.set_verbosity(verbosity)
        return self._result(study)

    def _ask(self, behind: Any) -> float:
        params = {name: dim.suggest(name, behind) for name, dim in self._dims.items()}
        try:
            return self._value(Trial(behind.number, params, behind))
        except TrialPruned as pruned:
            raise _optuna().TrialPruned() from pruned

    def _result(self, study: Any) -> SearchResult:
        done = [t for t in study.get_trials(deepcopy=False) if t.state.name in _STATES]
        return SearchResult([self._trial(t) for t in done], self.direction)

    def _trial(self, frozen: Any) -> Trial:
        params = {n: self._dims[n].stored(v) if n in self._dims else v for n, v in frozen.params.items()}
        trial = Trial(frozen.number, params)
        trial.state = _STATES[frozen.state.name]
        trial.value = frozen.value if trial.state == "complete" else None
        trial.duration = frozen.duration.total_seconds() if frozen.duration is not None else 0.0
        trial.reported = dict(frozen.intermediate_values)
        return trial
