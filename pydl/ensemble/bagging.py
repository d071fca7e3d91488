"""Models of one kind on random parts of the data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pydl._estimators import features, labelled, like
from pydl.ensemble._members import Ensemble, probabilities, votes, with_seed
from pydl.nn import Module

__all__ = ["BaggingEnsemble"]


def _count(name: str, given: int | float, most: int) -> int:
    """A number, or a share of all, as a number."""
    if isinstance(given, (bool, np.bool_)) or not 0 < given <= (most if isinstance(given, (int, np.integer)) else 1):
        raise ValueError(f"BaggingEnsemble: {name} must be an int in [1, {most}] or a share in (0, 1], got {given!r}")
    return int(given) if isinstance(given, (int, np.integer)) else max(1, int(given * most))


class BaggingEnsemble(Ensemble):
    """Clones of one estimator, each trained on samples drawn with replacement (Breiman 1996).

    They are joined by the mean of their probabilities, or by votes if they have none. A draw of one class alone is
    drawn again.

    Args:
        estimator: with ``fit`` and ``predict``.
        n_estimators: default 10.
        max_samples: how many samples each gets, a number or a share. Default: 1.0, as many as there are.
        max_features: how many features each gets, drawn without replacement. Default: 1.0, all.
        bootstrap: draw samples with replacement. Default: True.
        oob_score: compute ``oob_score_``. Default: False.
        random_state: seed of the draws, and of estimators that have one.

    Attributes:
        estimators_, estimators_samples_ and estimators_features_ (positions), classes_, n_features_in_, oob_score_
        (accuracy on the samples that a member did not see) and oob_decision_function_ (NaN for samples that all have
        seen).

    Raises:
        ValueError: numbers out of range, ``oob_score`` without ``bootstrap``, data that are not finite numbers, one
        class alone. NotFittedError: ``predict`` before ``fit``.

    Example:
        >>> import pydl
        >>> from pydl.svm import LinearSVC
        >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
        >>> bag = pydl.ensemble.BaggingEnsemble(LinearSVC(), random_state=0).fit(x, y)
        >>> bag.predict([[-1.0], [4.0]])
        array([0, 1])
    """

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 10,
        *,
        max_samples: int | float = 1.0,
        max_features: int | float = 1.0,
        bootstrap: bool = True,
        oob_score: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self.max_features = max_features
        self.bootstrap = bootstrap
        self.oob_score = oob_score
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> BaggingEnsemble:
        """Trains the clones. Returns ``self``."""
        if isinstance(self.estimator, Module) or not hasattr(self.estimator, "fit"):
            raise TypeError(f"BaggingEnsemble: estimator must have fit, got {type(self.estimator).__name__}")
        if self.n_estimators < 1:
            raise ValueError(f"BaggingEnsemble: n_estimators must be at least 1, got {self.n_estimators}")
        if self.oob_score and not self.bootstrap:
            raise ValueError("BaggingEnsemble: oob_score needs bootstrap=True")
        x, self.classes_, position = labelled(X, y, self)
        self.n_features_in_ = x.shape[1]
        samples, width = (
            _count("max_samples", self.max_samples, len(x)),
            _count("max_features", self.max_features, x.shape[1]),
        )
        rng = np.random.RandomState(self.random_state)
        self.estimators_, self.estimators_samples_, self.estimators_features_ = [], [], []
        for _ in range(self.n_estimators):
            rows = self._draw(rng, position, samples)
            columns = np.sort(rng.choice(x.shape[1], width, replace=False))
            member = with_seed(self.estimator, rng).fit(x[rows][:, columns], self.classes_[position[rows]])
            self.estimators_.append(member)
            self.estimators_samples_.append(rows)
            self.estimators_features_.append(columns)
        if self.oob_score:
            self._score_unseen(x, position)
        return self

    def _draw(self, rng: np.random.RandomState, position: Any, samples: int) -> Any:
        for _ in range(1000):
            rows = (
                rng.randint(0, len(position), samples) if self.bootstrap else rng.permutation(len(position))[:samples]
            )
            if len(np.unique(position[rows])) > 1:
                return rows
        raise ValueError(f"BaggingEnsemble: draws of {samples} samples hold one class alone; raise max_samples")

    def _ask(self, member: Any, x: Any, columns: Any) -> Any:
        ask = probabilities if hasattr(member, "predict_proba") else votes
        return ask(member, np.ascontiguousarray(x[:, columns]), self.classes_)

    def _score_unseen(self, x: Any, position: Any) -> None:
        total, count = np.zeros((len(x), len(self.classes_))), np.zeros(len(x))
        for member, rows, columns in zip(self.estimators_, self.estimators_samples_, self.estimators_features_):
            unseen = np.setdiff1d(np.arange(len(x)), rows)
            if len(unseen):
                total[unseen] += self._ask(member, x[unseen], columns)
                count[unseen] += 1
        some = count > 0
        if not some.all():
            warnings.warn("BaggingEnsemble: some samples were drawn for every member; they are left out", stacklevel=3)
        self.oob_decision_function_ = np.full(total.shape, np.nan)
        self.oob_decision_function_[some] = total[some] / count[some, None]
        self.oob_score_ = float((total[some].argmax(1) == position[some]).mean()) if some.any() else float("nan")

    def _mean(self, X: Any) -> Any:
        self._check_fitted("estimators_")
        x = features(self, X)
        return np.mean([self._ask(m, x, c) for m, c in zip(self.estimators_, self.estimators_features_)], axis=0)

    def predict(self, X: Any) -> Any:
        """The labels of the largest mean probability."""
        mean = self._mean(X)
        return like(X, self.classes_[mean.argmax(1)])

    def predict_proba(self, X: Any) -> Any:
        """The mean of the members' probabilities, or the shares of their votes: (samples, classes)."""
        return like(X, self._mean(X))
