"""Search over models that a function builds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pydl
from pydl.nn import Module
from pydl.search.bayesian import BayesianSearch
from pydl.search.plain import Direction, RandomSearch
from pydl.search.results import SearchResult
from pydl.search.space import Space

__all__ = ["search_architecture"]


class _CannotBuild(Exception):
    """The parameters do not make a model."""


def search_architecture(
    build: Callable[..., Module],
    evaluate: Callable[[Module], float],
    space: Space,
    n_trials: int = 20,
    direction: Direction = "maximize",
    sampler: str = "tpe",
    seed: int | None = None,
    storage: str | None = None,
) -> SearchResult:
    """Samples ``build(**params)`` and scores it by ``evaluate(model)``.

    A ``build`` that raises ValueError or ShapeError is a failed trial; other exceptions propagate.

    Args:
        build: returns a module.
        evaluate: returns a number, trained or not.
        space: as in :class:`RandomSearch`.
        n_trials: default 20.
        direction: ``"maximize"`` (default) or ``"minimize"``.
        sampler: as in :class:`BayesianSearch`; ``"random"`` without a storage needs no Optuna. Default: ``"tpe"``.
        seed: fixes the draws.
        storage: as in :class:`BayesianSearch`; the study is called ``"architecture"``.

    Example:
        >>> import pydl
        >>> result = pydl.search.search_architecture(
        ...     lambda width: pydl.nn.Linear(4, width),
        ...     lambda model: -sum(p.numel() for p in model.parameters()),
        ...     {"width": (1, 64)}, n_trials=30, sampler="random", seed=0)
        >>> result.best_params["width"] < 8
        True
    """

    def objective(params: dict[str, Any]) -> float:
        try:
            model = build(**params)
        except (ValueError, pydl.ShapeError) as error:
            raise _CannotBuild(str(error)) from error
        return evaluate(model)

    search: Any
    if sampler == "random" and storage is None:
        search = RandomSearch(objective, space, direction, seed, catch=(_CannotBuild,))
    else:
        search = BayesianSearch(
            objective,
            space,
            direction,
            seed,
            sampler,
            storage=storage,
            study_name="architecture",
            catch=(_CannotBuild,),
        )
    return search.run(n_trials)
