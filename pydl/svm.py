"""Support vector machines with scikit-learn's interface; the solvers are in C++."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import pydl
from pydl._estimators import (
    ConvergenceWarning,
    Estimator,
    NotFittedError,
    accuracy,
    features,
    labelled,
    like,
    weights_of,
)

__all__ = ["SVC", "ConvergenceWarning", "LinearSVC", "NotFittedError"]

_KERNELS = ("linear", "poly", "rbf", "sigmoid", "precomputed")


class SVC(Estimator):
    """Support vector classifier (Cortes and Vapnik, 1995): ``1/2 |w|^2 + C sum xi``, solved in the dual by SMO.

    Several classes: one against one (Chang and Lin's LIBSVM has the same problem, so decision values agree to ``tol``).

    Args:
        C: weight of the errors. Default: 1.0.
        kernel: ``"linear"``: <x, z>; ``"poly"``: (gamma <x, z> + coef0)^degree; ``"rbf"`` (default):
            exp(-gamma |x - z|^2); ``"sigmoid"``: tanh(gamma <x, z> + coef0); ``"precomputed"``: X is the kernel matrix;
            or a function of two arrays of samples that returns their kernel matrix.
        degree: of ``"poly"``. Default: 3.
        gamma: ``"scale"`` (default): 1 / (features * variance of X); ``"auto"``: 1 / features; or a number.
        coef0: Default: 0.
        shrinking: accepted; the solver keeps all samples.
        tol: of the optimality conditions. Default: 1e-3.
        cache_size: megabytes of kernel rows kept. Default: 200.
        class_weight: factors of C by label, or ``"balanced"``: inverse to the classes' frequencies. Default: ``None``.
        verbose, random_state: accepted.
        max_iter: most steps of each problem; -1: 10 million, or 100 for each sample if that is more, as LIBSVM, for
            tolerances that rounding cannot reach. Default: -1.
        decision_function_shape: ``"ovr"`` (default): a column for each class; ``"ovo"``: one for each pair.
        break_ties: predict by the ``"ovr"`` values instead of votes. Default: ``False``.

    Attributes:
        support_, support_vectors_, n_support_, dual_coef_ (classes - 1, support vectors), intercept_, coef_ (linear
        kernel), classes_, n_iter_, fit_status_, class_weight_, shape_fit_.

    Raises:
        ValueError: data that are not finite numbers, one class alone, or an option out of its range.
        NotFittedError: ``predict`` before ``fit``.

    Example:
        >>> from pydl.svm import SVC
        >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> SVC(kernel="rbf", C=10.0).fit(x, [0, 1, 1, 0]).predict(x)
        array([0, 1, 1, 0])
    """

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: str | float = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        cache_size: float = 200,
        class_weight: Any = None,
        verbose: bool = False,
        max_iter: int = -1,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        random_state: int | None = None,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.cache_size = cache_size
        self.class_weight = class_weight
        self.verbose = verbose
        self.max_iter = max_iter
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.random_state = random_state

    def _check_options(self) -> None:
        if not (self.C > 0 and self.tol > 0 and self.cache_size > 0):
            raise ValueError(
                f"SVC: C, tol and cache_size must be positive, got {self.C}, {self.tol} and {self.cache_size}"
            )
        if not callable(self.kernel) and self.kernel not in _KERNELS:
            raise ValueError(f"SVC: kernel must be one of {_KERNELS} or a function, got {self.kernel!r}")
        if self.decision_function_shape not in ("ovr", "ovo"):
            raise ValueError(
                f"SVC: decision_function_shape must be 'ovr' or 'ovo', got {self.decision_function_shape!r}"
            )
        if isinstance(self.gamma, str) and self.gamma not in ("scale", "auto"):
            raise ValueError(f"SVC: gamma must be 'scale', 'auto' or a number, got {self.gamma!r}")
        if not isinstance(self.gamma, str) and self.gamma < 0:
            raise ValueError(f"SVC: gamma must not be negative, got {self.gamma}")
        if self.degree < 0:
            raise ValueError(f"SVC: degree must not be negative, got {self.degree}")

    def _gamma_of(self, samples: Any) -> float:
        if not isinstance(self.gamma, str):
            return float(self.gamma)
        if self.gamma == "auto":
            return 1.0 / samples.shape[1]
        variance = samples.var()
        return 1.0 / (samples.shape[1] * variance) if variance else 1.0

    def _most_steps(self, samples: int) -> int:
        return int(self.max_iter) if self.max_iter >= 0 else max(10_000_000, 100 * samples)

    def _solve(self, inputs: Any, kernel: str, signs: Any, bounds: Any) -> tuple[Any, float, int]:
        found = pydl._smo(
            pydl.from_numpy(np.ascontiguousarray(inputs)),
            pydl.from_numpy(signs),
            pydl.from_numpy(bounds),
            kernel=kernel,
            degree=float(self.degree),
            gamma=self._gamma,
            coef0=float(self.coef0),
            tol=float(self.tol),
            max_iter=self._most_steps(len(signs)),
            cache_bytes=int(self.cache_size * 2**20),
        ).numpy()
        return found[:-2] * signs, float(found[-2]), int(found[-1])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SVC:
        """Learn from samples (n, features), or their kernel matrix, and labels. Returns ``self``.

        Warns:
            ConvergenceWarning: ``max_iter`` came first.
        """
        self._check_options()
        samples, classes, position = labelled(X, y, self)
        if self.kernel == "precomputed" and samples.shape[0] != samples.shape[1]:
            raise ValueError(f"SVC: a precomputed kernel matrix must be square, got {samples.shape}")
        weight, by_class = weights_of(self, sample_weight, self.class_weight, classes, position, False)
        self._gamma = self._gamma_of(samples)
        self.classes_, self.class_weight_ = classes, by_class
        self.n_features_in_, self.shape_fit_ = samples.shape[1], samples.shape
        inputs, kernel = samples, self.kernel
        if callable(kernel):
            inputs, kernel = np.asarray(kernel(samples, samples), dtype=np.float64), "precomputed"
            if inputs.shape != (len(samples),) * 2:
                raise ValueError(f"SVC: kernel returned {inputs.shape} for {len(samples)} samples")
            self._train = samples
        bounds = self.C * weight * by_class[position]
        pairs = []
        for first in range(len(classes)):
            for second in range(first + 1, len(classes)):
                # Samples of no weight are left out, as their bound is zero.
                chosen = np.flatnonzero(((position == first) | (position == second)) & (bounds > 0))
                if len(set(position[chosen].tolist())) < 2:
                    raise ValueError("SVC: a class has no samples of positive weight")
                signs = np.where(position[chosen] == first, 1.0, -1.0)
                part = inputs[chosen][:, chosen] if kernel == "precomputed" else inputs[chosen]
                pairs.append((first, second, chosen, *self._solve(part, kernel, signs, bounds[chosen])))
        self._gather(pairs, samples, position)
        if any(steps >= self._most_steps(len(chosen)) for _, _, chosen, *_, steps in pairs):
            self.fit_status_ = 1
            message = f"SVC: stopped after {self.n_iter_.max()} steps; raise tol, or consider scaling the features"
            warnings.warn(message, ConvergenceWarning, stacklevel=2)
        return self

    def _gather(self, pairs: Any, samples: Any, position: Any) -> None:
        """Attributes in LIBSVM's layout: support vectors by class, coefficients in the rows of the other classes."""
        count = len(self.classes_)
        rows = np.zeros((max(count - 1, 1), len(samples)))
        for first, second, chosen, coefficients, _, _ in pairs:
            ours = position[chosen] == first
            rows[second - 1, chosen[ours]] = coefficients[ours]
            rows[first, chosen[~ours]] = coefficients[~ours]
        used = np.flatnonzero((rows != 0).any(axis=0))
        self.support_ = used[np.argsort(position[used], kind="stable")].astype(np.int32)
        self.n_support_ = np.bincount(position[self.support_], minlength=count).astype(np.int32)
        self.support_vectors_ = np.empty((0, 0)) if self.kernel == "precomputed" else samples[self.support_]
        self.dual_coef_ = rows[:, self.support_]
        self.intercept_ = np.array([-rho for *_, rho, _ in pairs])
        self.n_iter_ = np.array([steps for *_, steps in pairs], dtype=np.int32)
        self.fit_status_ = 0
        self._pair_coefficients = (self.dual_coef_, self.intercept_)
        if count == 2:  # the second class is the positive one
            self.dual_coef_, self.intercept_ = -self.dual_coef_, -self.intercept_

    @property
    def coef_(self) -> Any:
        """The hyperplanes, one for each pair of classes: for the linear kernel alone."""
        if self.kernel != "linear":
            raise AttributeError("coef_ is only available when using a linear kernel")
        self._check_fitted("support_")
        if len(self.classes_) == 2:
            return self.dual_coef_ @ self.support_vectors_
        return np.stack([weights @ self.support_vectors_ for weights in self._pair_weights()])

    def _pair_weights(self) -> list[Any]:
        """For each pair of classes, the coefficients of all support vectors; the first class is the positive one."""
        dual, _ = self._pair_coefficients
        ends = np.concatenate([[0], np.cumsum(self.n_support_)])
        result = []
        for first in range(len(self.classes_)):
            for second in range(first + 1, len(self.classes_)):
                weights = np.zeros(dual.shape[1])
                for row, column in ((second - 1, first), (first, second)):
                    part = slice(ends[column], ends[column + 1])
                    weights[part] = dual[row, part]
                result.append(weights)
        return result

    def _kernel_to_support(self, samples: Any) -> Any:
        if callable(self.kernel):
            return np.asarray(self.kernel(samples, self._train), dtype=np.float64)[:, self.support_]
        if self.kernel == "precomputed":
            return samples[:, self.support_]
        products = samples @ self.support_vectors_.T
        if self.kernel == "linear":
            return products
        if self.kernel == "rbf":
            squares = (samples**2).sum(1)[:, None] + (self.support_vectors_**2).sum(1) - 2 * products
            return np.exp(-self._gamma * np.maximum(squares, 0))
        inner = self._gamma * products + self.coef0
        return inner**self.degree if self.kernel == "poly" else np.tanh(inner)

    def _pair_values(self, X: Any) -> Any:
        """(n, pairs): positive for the first class of the pair."""
        self._check_fitted("support_")
        kernel = self._kernel_to_support(features(self, X))
        return kernel @ np.stack(self._pair_weights(), axis=1) + self._pair_coefficients[1]

    def decision_function(self, X: Any) -> Any:
        """(n,) for two classes; otherwise (n, classes) or, with ``"ovo"``, (n, pairs)."""
        values = self._pair_values(X)
        if len(self.classes_) == 2:
            return like(X, -values[:, 0])
        return like(X, values if self.decision_function_shape == "ovo" else _one_for_each(values, len(self.classes_)))

    def predict(self, X: Any) -> Any:
        """The label of each sample, by the votes of the pairs; a tensor for a tensor."""
        values, count = self._pair_values(X), len(self.classes_)
        if self.break_ties and self.decision_function_shape == "ovo":
            raise ValueError("break_ties must be False when decision_function_shape is 'ovo'")
        if self.break_ties and count > 2:
            chosen = _one_for_each(values, count).argmax(axis=1)
        else:
            chosen = _votes(values > 0, count).argmax(axis=1)
        return like(X, self.classes_[chosen])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of samples whose label is predicted."""
        return accuracy(self.predict, X, y, sample_weight)


def _votes(first_wins: Any, count: int) -> Any:
    votes = np.zeros((len(first_wins), count))
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    for k, (i, j) in enumerate(pairs):
        votes[:, i] += first_wins[:, k]
        votes[:, j] += ~first_wins[:, k]
    return votes


def _one_for_each(values: Any, count: int) -> Any:
    """Votes, and the sums of the pairs' values squeezed to less than a vote, to order equal ones (as scikit-learn)."""
    sums = np.zeros((len(values), count))
    k = 0
    for i in range(count):
        for j in range(i + 1, count):
            sums[:, i] += values[:, k]
            sums[:, j] -= values[:, k]
            k += 1
    return _votes(values >= 0, count) + sums / (3 * (np.abs(sums) + 1))


class LinearSVC(Estimator):
    """Linear support vector classifier: ``1/2 |(w, b)|^2 + C sum loss``, by coordinate descent (Hsieh et al., 2008).

    The intercept is regularised, as scikit-learn's and LIBLINEAR's. Several classes: one against the rest.

    Args:
        penalty: ``"l2"``.
        loss: ``"squared_hinge"`` (default) or ``"hinge"``.
        dual: accepted: both forms have the same optimum.
        tol: of the optimality conditions. Default: 1e-4.
        C: weight of the losses. Default: 1.0.
        multi_class: ``"ovr"``.
        fit_intercept: Default: ``True``.
        intercept_scaling: the constant feature whose weight is the intercept; larger is less regularised. Default: 1.
        class_weight: factors of C by label, or ``"balanced"``. Default: ``None``.
        verbose: accepted.
        random_state: seed of the order of visits. Default: 0.
        max_iter: most passes over the samples. Default: 1000.

    Attributes:
        coef_ (1 or classes, features), intercept_, classes_, n_iter_.

    Raises:
        ValueError: data that are not finite numbers, one class alone, or an option that is not supported.
        NotFittedError: ``predict`` before ``fit``.

    Example:
        >>> from pydl.svm import LinearSVC
        >>> LinearSVC().fit([[0.0], [1.0], [3.0], [4.0]], ["a", "a", "b", "b"]).predict([[0.5], [3.5]])
        array(['a', 'b'], dtype='<U1')
    """

    def __init__(
        self,
        penalty: str = "l2",
        loss: str = "squared_hinge",
        *,
        dual: Any = "auto",
        tol: float = 1e-4,
        C: float = 1.0,
        multi_class: str = "ovr",
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        verbose: int = 0,
        random_state: int | None = None,
        max_iter: int = 1000,
    ) -> None:
        self.penalty = penalty
        self.loss = loss
        self.dual = dual
        self.tol = tol
        self.C = C
        self.multi_class = multi_class
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.verbose = verbose
        self.random_state = random_state
        self.max_iter = max_iter

    def _check_options(self) -> None:
        for name, allowed in (("penalty", ("l2",)), ("loss", ("squared_hinge", "hinge")), ("multi_class", ("ovr",))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"LinearSVC: {name} must be one of {allowed}, got {getattr(self, name)!r}")
        if not (self.C > 0 and self.tol > 0 and self.max_iter > 0):
            raise ValueError(
                f"LinearSVC: C, tol and max_iter must be positive, got {self.C}, {self.tol}, {self.max_iter}"
            )
        if self.fit_intercept and not self.intercept_scaling > 0:
            raise ValueError(f"LinearSVC: intercept_scaling must be positive, got {self.intercept_scaling}")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearSVC:
        """Learn from samples (n, features) and their labels. Returns ``self``.

        Warns:
            ConvergenceWarning: ``max_iter`` came first.
        """
        self._check_options()
        samples, classes, position = labelled(X, y, self)
        weight, by_class = weights_of(self, sample_weight, self.class_weight, classes, position, True)
        inputs = samples
        if self.fit_intercept:
            inputs = np.hstack([samples, np.full((len(samples), 1), float(self.intercept_scaling))])
        self.classes_, self.n_features_in_ = classes, samples.shape[1]
        count = 1 if len(classes) == 2 else len(classes)
        rows, passes = [], []
        for k in range(count):
            positive = position == (1 if count == 1 else k)
            # One against the rest: the rest has weight 1, unless there are but two classes
            rest = by_class[0] if count == 1 else 1.0
            bounds = self.C * weight * np.where(positive, by_class[1 if count == 1 else k], rest)
            used = bounds > 0
            found = pydl._dual_descent(
                pydl.from_numpy(np.ascontiguousarray(inputs[used])),
                pydl.from_numpy(np.where(positive, 1.0, -1.0)[used]),
                pydl.from_numpy(bounds[used]),
                squared=self.loss == "squared_hinge",
                tol=float(self.tol),
                max_iter=int(self.max_iter),
                seed=int(self.random_state or 0),
            ).numpy()
            rows.append(found[:-2])
            passes.append(found[-2:])
        w = np.stack(rows)
        self.coef_ = w[:, : samples.shape[1]].copy()
        self.intercept_ = w[:, -1] * self.intercept_scaling if self.fit_intercept else np.zeros(count)
        self.n_iter_ = int(max(p[0] for p in passes))
        if any(p[1] > self.tol for p in passes):
            message = f"LinearSVC: stopped after max_iter={self.max_iter} passes; consider scaling the features"
            warnings.warn(message, ConvergenceWarning, stacklevel=2)
        return self

    def _scores(self, X: Any) -> Any:
        self._check_fitted("coef_")
        return features(self, X) @ self.coef_.T + self.intercept_

    def decision_function(self, X: Any) -> Any:
        """``w.x + b``: (n,) for two classes, (n, classes) for more."""
        scores = self._scores(X)
        return like(X, scores[:, 0] if scores.shape[1] == 1 else scores)

    def predict(self, X: Any) -> Any:
        """The label of each sample; a tensor for a tensor."""
        scores = self._scores(X)
        chosen = (scores[:, 0] > 0).astype(np.intp) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return like(X, self.classes_[chosen])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of samples whose label is predicted."""
        return accuracy(self.predict, X, y, sample_weight)
