"""Votes of several models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from pydl._estimators import as_array, labelled, like
from pydl.ensemble._members import Ensemble, all_classes, clone, probabilities, samples_of, votes
from pydl.nn import Module

__all__ = ["VotingEnsemble"]


class VotingEnsemble(Ensemble):
    """The label that most members predict, or the largest mean of their probabilities.

    Members are estimators, which ``fit`` clones and trains, or trained modules, which are used as they are (logits (N,
    K) in eval mode; class k is label k). ``fit`` may be left out if all are modules.

    Args:
        estimators: members, or pairs of name and member.
        voting: ``"hard"`` (default): the most frequent label by weight, of several the smallest. ``"soft"``: the label
            of the largest weighted mean probability.
        weights: one per member. Default: 1.

    Attributes:
        estimators_, classes_, n_features_in_.

    Raises:
        ValueError: no members, other weights than members, an unknown kind of vote, data that are not finite numbers.
        NotFittedError: ``predict`` before ``fit`` where there are estimators.
        AttributeError: probabilities of members that have none, or of hard votes.

    Example:
        >>> import pydl
        >>> from pydl.linear_model import Perceptron
        >>> from pydl.svm import SVC
        >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
        >>> vote = pydl.ensemble.VotingEnsemble([Perceptron(), SVC(), SVC(kernel="linear")])
        >>> vote.fit(x, y).predict([[0.5], [2.5]])
        array([0, 1])
    """

    def __init__(
        self,
        estimators: Sequence[Any],
        *,
        voting: Literal["hard", "soft"] = "hard",
        weights: Sequence[float] | None = None,
    ) -> None:
        self.estimators = estimators
        self.voting = voting
        self.weights = weights

    def _members(self) -> list[Any]:
        pairs = self._pairs()
        if self.voting not in ("hard", "soft"):
            raise ValueError(f"VotingEnsemble: voting must be 'hard' or 'soft', got {self.voting!r}")
        if self.weights is not None and len(self.weights) != len(pairs):
            raise ValueError(f"VotingEnsemble: there must be {len(pairs)} weights, got {len(self.weights)}")
        if self.weights is not None and (min(self.weights) < 0 or not 0 < sum(self.weights) < float("inf")):
            raise ValueError(f"VotingEnsemble: weights must not be negative, and one positive, got {self.weights}")
        return [member for _, member in pairs]

    def fit(self, X: Any, y: Any) -> VotingEnsemble:
        """Trains clones of the estimators among the members. Returns ``self``."""
        members = self._members()
        if all(isinstance(m, Module) for m in members):
            x = samples_of(self, X, members)
            self.classes_ = all_classes(None, members, x)
        else:
            x, classes, _ = labelled(X, y, self)
            self.classes_ = all_classes(classes, members, x)
        labels = as_array(y)
        self.estimators_ = [m if isinstance(m, Module) else clone(m).fit(x, labels.reshape(-1)) for m in members]
        self.named_estimators_ = dict(zip([name for name, _ in self._pairs()], self.estimators_))
        self.n_features_in_ = x.shape[1]
        return self

    def _mean(self, X: Any) -> Any:
        """Mean votes or probabilities (samples, classes)."""
        members = self._members()
        trained = all(isinstance(m, Module) for m in members)
        if not trained:
            self._check_fitted("estimators_")
            members = self.estimators_
        x = samples_of(self, X, members)
        if not trained and x.shape[1] != self.n_features_in_:
            wanted = self.n_features_in_
            raise ValueError(
                f"X has {x.shape[1]} features, but VotingEnsemble is expecting {wanted} features as input."
            )
        classes = all_classes(None, members, x) if trained else self.classes_
        ask = probabilities if self.voting == "soft" else votes
        return np.average([ask(m, x, classes) for m in members], axis=0, weights=self.weights), classes

    def predict(self, X: Any) -> Any:
        """The labels."""
        mean, classes = self._mean(X)
        return like(X, classes[mean.argmax(1)])

    def predict_proba(self, X: Any) -> Any:
        """The weighted mean of the members' probabilities, (samples, classes), for ``voting="soft"``."""
        if self.voting != "soft":
            raise AttributeError("VotingEnsemble: predict_proba is not available when voting='hard'")
        return like(X, self._mean(X)[0])
