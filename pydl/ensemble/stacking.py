"""A model on the predictions of others."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

import pydl
from pydl._estimators import Estimator, features, labelled, like
from pydl.ensemble._members import Ensemble, all_classes, clone, probabilities, votes
from pydl.nn import Module
from pydl.nn import functional as F

__all__ = ["StackingEnsemble"]


class SoftmaxRegression(Estimator):
    """Multinomial logistic regression: least C * cross-entropy + |W|^2 / 2, the intercepts free, by L-BFGS in float64.

    scikit-learn's LogisticRegression has the same optimum; for two classes it has one row of weights, the difference
    of the two here.
    """

    def __init__(self, C: float = 1.0, max_iter: int = 200, tol: float = 1e-7) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any) -> SoftmaxRegression:
        x, self.classes_, position = labelled(X, y, self)
        inputs, target = pydl.tensor(x), pydl.tensor(position)
        count = len(self.classes_)
        weight = pydl.zeros(count, x.shape[1], dtype=pydl.float64, requires_grad=True)  # type: ignore[attr-defined]
        bias = pydl.zeros(count, dtype=pydl.float64, requires_grad=True)  # type: ignore[attr-defined]
        # Two rows w and -w have half the square of one row 2 w against none.
        penalty = 1.0 if count == 2 else 0.5
        optimizer = pydl.optim.LBFGS(
            [weight, bias],
            max_iter=self.max_iter,
            tolerance_grad=self.tol,
            tolerance_change=1e-14,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Any:
            optimizer.zero_grad()
            value = self.C * F.cross_entropy(F.linear(inputs, weight, bias), target, reduction="sum")
            value = value + penalty * weight.square().sum()
            value.backward()
            return value

        optimizer.step(closure)
        self.coef_, self.intercept_ = weight.detach().numpy(), bias.detach().numpy()
        self.n_features_in_ = x.shape[1]
        return self

    def predict_proba(self, X: Any) -> Any:
        scores = features(self, X) @ self.coef_.T + self.intercept_
        return pydl.tensor(scores).softmax(1).numpy()

    def predict(self, X: Any) -> Any:
        return self.classes_[self.predict_proba(X).argmax(1)]


def folds(position: Any, count: int, seed: int | None) -> Any:
    """The fold of each sample: classes spread evenly, in the order of the samples, or shuffled by a seed."""
    sizes = np.bincount(position)
    if count < 2 or count > sizes.max():
        raise ValueError(
            f"StackingEnsemble: cv must be at least 2 and at most {sizes.max()}, the largest class, got {count}"
        )
    if count > sizes.min():
        warnings.warn(f"StackingEnsemble: the smallest class has {sizes.min()} samples for {count} folds", stacklevel=3)
    # Classes by first appearance, dealt out in turn: the folds of scikit-learn's StratifiedKFold.
    _, first, inverse = np.unique(position, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[inverse]
    ordered = np.sort(rank)
    share = np.array([np.bincount(ordered[i::count], minlength=len(first)) for i in range(count)])
    rng = None if seed is None else np.random.RandomState(seed)
    out = np.empty(len(position), dtype=np.int64)
    for k in range(len(first)):
        numbers = np.arange(count).repeat(share[:, k])
        if rng is not None:
            rng.shuffle(numbers)
        out[rank == k] = numbers
    return out


class StackingEnsemble(Ensemble):
    """A final estimator on what the members predict for samples that they were not trained on (Wolpert 1992).

    Each member gives its probabilities (without the first class of two), else its decision values, else its label as
    zeros and one. Modules are not refitted.

    Args:
        estimators: members, or pairs of name and member.
        final_estimator: default: softmax regression.
        cv: number of folds, each with the same share of every class. Default: 5.
        passthrough: the final estimator gets X too. Default: False.
        random_state: shuffles samples before they are dealt into folds. Default: in their order.

    Attributes:
        estimators_ (trained on all samples), final_estimator_, classes_, n_features_in_.

    Raises:
        ValueError: no members, more folds than samples of any class, data that are not finite numbers, one class alone.
        NotFittedError: ``predict`` before ``fit``.

    Example:
        >>> import numpy as np, pydl
        >>> from pydl.svm import SVC
        >>> x = np.arange(20.0).reshape(20, 1)
        >>> stack = pydl.ensemble.StackingEnsemble([SVC(), SVC(kernel="linear")], cv=2)
        >>> stack.fit(x, [0, 1] * 5 + [1] * 10).predict([[15.0]])
        array([1])
    """

    def __init__(
        self,
        estimators: Sequence[Any],
        final_estimator: Any = None,
        *,
        cv: int | None = None,
        passthrough: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.passthrough = passthrough
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> StackingEnsemble:
        """Trains the members, on folds and on all, and the final estimator. Returns ``self``."""
        pairs = self._pairs()
        x, classes, position = labelled(X, y, self)
        self.n_features_in_ = x.shape[1]
        members = [member for _, member in pairs]
        self.classes_ = classes
        self._known = all_classes(classes, members, x)
        fold = folds(position, 5 if self.cv is None else self.cv, self.random_state)
        labels = classes[position]
        self.estimators_ = [m if isinstance(m, Module) else clone(m).fit(x, labels) for m in members]
        self.named_estimators_ = dict(zip([name for name, _ in pairs], self.estimators_))
        unseen = [self._out_of_fold(m, x, labels, fold) for m in members]
        final = SoftmaxRegression() if self.final_estimator is None else clone(self.final_estimator)
        self.final_estimator_ = final.fit(self._joined(x, unseen), labels)
        return self

    def _out_of_fold(self, member: Any, x: Any, labels: Any, fold: Any) -> Any:
        if isinstance(member, Module):
            return self._predicted(member, x)
        parts = np.unique(fold)
        out = None
        for part in parts:
            held = fold == part
            missing = np.setdiff1d(labels, labels[~held])
            if len(missing) and not hasattr(member, "predict_proba"):
                raise ValueError(
                    f"StackingEnsemble: all samples of class {missing[0]!r} are in one of {len(parts)} folds, and "
                    f"{type(member).__name__} has no predict_proba; give it two samples of every class"
                )
            found = self._predicted(clone(member).fit(x[~held], labels[~held]), x[held])
            out = np.zeros((len(x), found.shape[1])) if out is None else out
            out[held] = found
        return out

    def _predicted(self, member: Any, x: Any) -> Any:
        if isinstance(member, Module) or hasattr(member, "predict_proba"):
            found = probabilities(member, x, self._known)
            return found[:, 1:] if found.shape[1] == 2 else found
        if hasattr(member, "decision_function"):
            return np.asarray(member.decision_function(x), dtype=np.float64).reshape(len(x), -1)
        return votes(member, x, self._known)

    def _joined(self, x: Any, predictions: list[Any]) -> Any:
        return np.concatenate([*predictions, x] if self.passthrough else predictions, axis=1)

    def _inputs(self, X: Any) -> Any:
        self._check_fitted("final_estimator_")
        x = features(self, X)
        return self._joined(x, [self._predicted(m, x) for m in self.estimators_])

    def predict(self, X: Any) -> Any:
        """The labels."""
        inputs = self._inputs(X)
        return like(X, np.asarray(self.final_estimator_.predict(inputs)))

    def predict_proba(self, X: Any) -> Any:
        """The final estimator's probabilities, (samples, classes)."""
        inputs = self._inputs(X)
        if not hasattr(self.final_estimator_, "predict_proba"):
            raise AttributeError(f"{type(self.final_estimator_).__name__} has no predict_proba")
        return like(X, np.asarray(self.final_estimator_.predict_proba(inputs)))
