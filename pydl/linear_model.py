"""Linear classifiers with scikit-learn's interface."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from pydl._estimators import ConvergenceWarning, Estimator, NotFittedError, accuracy, features, labelled, like

__all__ = ["ConvergenceWarning", "NotFittedError", "Perceptron"]

_FEW = 16


class Perceptron(Estimator):
    """Rosenblatt's perceptron (Psychological Review 65, 1958).

    From ``w = 0`` and ``b = 0``, each sample with ``y (w.x + b) <= 0`` (y is -1 or 1) changes ``w`` by ``eta0 * y * x``
    and ``b`` by ``eta0 * y``; an epoch without such a sample ends the training. That comes to pass exactly when a
    hyperplane separates the classes (Novikoff, 1962): on XOR it never does. Several classes: one against the rest.

    Args:
        fit_intercept: learn ``b``. Default: ``True``.
        max_iter: most epochs. Default: 1000.
        shuffle: visit the samples in random order. Default: ``False``.
        eta0: Default: 1.0.
        random_state: seed of the order. Default: from the system.
        warm_start: go on from the last ``fit``. Default: ``False``.

    Attributes:
        coef_ (1 or classes, features), intercept_, classes_, n_iter_ (epochs), n_updates_, converged_.

    Raises:
        ValueError: data that are not finite numbers, one class alone, unequal lengths.
        NotFittedError: ``predict`` before ``fit``.

    Example:
        >>> from pydl.linear_model import Perceptron
        >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> Perceptron().fit(x, [0, 0, 0, 1]).predict(x)
        array([0, 0, 0, 1])
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        shuffle: bool = False,
        eta0: float = 1.0,
        random_state: int | None = None,
        warm_start: bool = False,
    ) -> None:
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.eta0 = eta0
        self.random_state = random_state
        self.warm_start = warm_start

    def fit(self, X: Any, y: Any) -> Perceptron:
        """Learn from samples (n, features) and their labels. Returns ``self``.

        Warns:
            ConvergenceWarning: after ``max_iter`` epochs there still were errors.
        """
        samples, classes, position = labelled(X, y, self)
        if self.max_iter < 1 or not self.eta0 > 0:
            raise ValueError(f"Perceptron: max_iter and eta0 must be positive, got {self.max_iter} and {self.eta0}")
        count = 1 if len(classes) == 2 else len(classes)
        coef, intercept = self._start(count, samples.shape[1], classes)
        self.classes_, self.n_features_in_ = classes, samples.shape[1]
        self.n_iter_, self.n_updates_, self.converged_ = 0, 0, True
        chance = np.random.default_rng(self.random_state)
        for k in range(count):
            signs = np.where(position == (1 if count == 1 else k), 1.0, -1.0)
            intercept[k], epochs, updates, done = self._run(coef[k], intercept[k], samples, signs, chance)
            self.n_iter_ = max(self.n_iter_, epochs)
            self.n_updates_ += updates
            self.converged_ &= done
        self.coef_, self.intercept_ = coef, intercept
        if not self.converged_:
            warnings.warn(
                f"Perceptron: still errors after {self.max_iter} epochs: no hyperplane separates the classes, or more "
                "epochs are needed",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _start(self, count: int, width: int, classes: Any) -> tuple[Any, Any]:
        if self.warm_start and hasattr(self, "coef_"):
            if self.coef_.shape != (count, width) or not np.array_equal(self.classes_, classes):
                raise ValueError("Perceptron: warm_start needs the features and classes of the fit before")
            return self.coef_.copy(), self.intercept_.copy()
        return np.zeros((count, width)), np.zeros(count)

    def _run(self, w: Any, b: float, samples: Any, signs: Any, chance: Any) -> tuple[float, int, int, bool]:
        """Train one hyperplane in place of ``w``; returns b, epochs, updates, and whether it separates."""
        # y (w.x + b) of all samples is one product of these rows with w and b behind each other.
        signed = signs[:, None] * np.column_stack([samples, np.ones(len(samples))])
        plane, rate = np.append(w, b), np.full(len(w) + 1, float(self.eta0))
        rate[-1] *= self.fit_intercept
        order, updates, epochs, wrong = np.arange(len(samples)), 0, 0, 1
        while wrong and epochs < self.max_iter:
            epochs += 1
            rows = signed
            if self.shuffle:
                chance.shuffle(order)
                rows = signed[order]
            wrong = self._epoch(plane, rate, rows)
            updates += wrong
        w[:] = plane[:-1]
        return float(plane[-1]), epochs, updates, not wrong

    @staticmethod
    def _epoch(plane: Any, rate: Any, rows: Any) -> int:
        """Visits all rows in turn; returns how many of them changed the plane."""
        wrong, start, width = 0, 0, _FEW
        while start < len(rows):
            # The samples up to the first error see the same plane: one product finds it, of a few rows where errors
            # follow each other closely.
            missed = rows[start : start + width] @ plane <= 0
            at = int(missed.argmax())
            if not missed[at]:
                start += width
                width *= 2
                continue
            plane += rate * rows[start + at]
            wrong += 1
            start += at + 1
            width = _FEW
        return wrong

    def decision_function(self, X: Any) -> Any:
        """``w.x + b``: (n,) for two classes, (n, classes) for more."""
        self._check_fitted("coef_")
        scores = features(self, X) @ self.coef_.T + self.intercept_
        return like(X, scores[:, 0] if scores.shape[1] == 1 else scores)

    def predict(self, X: Any) -> Any:
        """The label of each sample; a tensor for a tensor."""
        self._check_fitted("coef_")
        scores = features(self, X) @ self.coef_.T + self.intercept_
        chosen = (scores[:, 0] >= 0).astype(np.intp) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return like(X, self.classes_[chosen])

    def score(self, X: Any, y: Any) -> float:
        """The share of samples whose label is predicted."""
        return accuracy(self.predict, X, y)
