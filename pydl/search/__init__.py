"""Hyperparameter and architecture search: grids, random draws, Optuna's samplers, differentiable cells.

A space is a mapping of names: a list holds choices; ``(low, high)`` is a uniform range of floats, or of ints with both
ends; ``(low, high, "log")`` is log-uniform. An objective is called as ``objective(params)`` or ``objective(params,
trial)`` and returns a number.
"""

from __future__ import annotations

from pydl.search.architecture import search_architecture
from pydl.search.bayesian import BayesianSearch
from pydl.search.darts import DARTSCell, DARTSSearch
from pydl.search.plain import GridSearch, RandomSearch
from pydl.search.results import SearchResult, Trial, TrialPruned

__all__ = [
    "BayesianSearch", "DARTSCell", "DARTSSearch", "GridSearch", "RandomSearch", "SearchResult", "Trial", "TrialPruned",
    "search_architecture",
]  # fmt: skip
