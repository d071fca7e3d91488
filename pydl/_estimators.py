"""What the estimators share: scikit-learn's conventions for parameters, checks of data, scores."""

from __future__ import annotations

import inspect
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import pydl
from pydl import Tensor

__all__ = ["ConvergenceWarning", "Estimator", "NotFittedError"]


class NotFittedError(ValueError, AttributeError):
    """``predict`` before ``fit``."""


class ConvergenceWarning(UserWarning):
    """The iteration limit came first."""


def _of_scikit_learn(name: str, ours: type) -> Any:
    """Where scikit-learn is loaded, a class that is its exception or warning of that name as well as ours."""
    exceptions = sys.modules.get("sklearn.exceptions")
    theirs = getattr(exceptions, name, None)
    if theirs is None or issubclass(theirs, ours):
        return theirs or ours
    return type(ours.__name__, (ours, theirs), {"__module__": ours.__module__})


class Estimator:
    """Parameters as scikit-learn has them: the constructor stores its arguments unchanged."""

    @classmethod
    def _names(cls) -> list[str]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return sorted(p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; with ``deep`` those of estimators among them as ``name__parameter``."""
        found = {name: getattr(self, name) for name in self._names()}
        if deep:
            for name, value in list(found.items()):
                if hasattr(value, "get_params") and not isinstance(value, type):
                    found.update({f"{name}__{key}": inner for key, inner in value.get_params().items()})
        return found

    def set_params(self, **params: Any) -> Any:
        """Change arguments of the constructor. Returns ``self``.

        Raises:
            ValueError: a name that is no argument.
        """
        names = self._names()
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in names:
                kind = type(self).__name__
                raise ValueError(f"Invalid parameter {name!r} for estimator {kind}. Valid parameters are: {names}.")
            if inner:
                getattr(self, name).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{n}={getattr(self, n)!r}" for n in self._names() if not _same(getattr(self, n), defaults[n].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's tools ask of an estimator; called by scikit-learn alone."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        pairwise = getattr(self, "kernel", None) == "precomputed"
        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(pairwise=pairwise),
        )

    def _check_fitted(self, attribute: str) -> None:
        if not hasattr(self, attribute):
            kind = type(self).__name__
            error = _of_scikit_learn("NotFittedError", NotFittedError)
            raise error(f"This {kind} instance is not fitted yet. Call 'fit' before using this estimator.")


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


def numeric(x: Any, what: str, estimator: Any) -> np.ndarray[Any, Any]:
    """``x`` as a contiguous float64 array of two dims, finite.

    Raises:
        ValueError: other dims, no samples or features, NaN or infinity, complex numbers, or text.
        TypeError: sparse matrices, objects that are no numbers.
    """
    name = type(estimator).__name__
    if hasattr(x, "tocsr"):
        raise TypeError(f"{name}: sparse {what} is not supported, dense data is required; use .toarray()")
    array = as_array(x)
    if array.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported: {what} is of {array.dtype}")
    if array.dtype.kind not in "biuf":
        try:
            array = array.astype(np.float64)
        except ValueError:
            raise ValueError(f"{name}: {what} must be numbers, got an array of {array.dtype}") from None
    if array.ndim != 2:
        raise ValueError(
            f"{name}: expected {what} of 2 dims (samples, features), got {array.ndim}. Reshape your data: a single "
            "feature with .reshape(-1, 1), a single sample with .reshape(1, -1)."
        )
    for axis, kind in enumerate(("sample", "feature")):
        if array.shape[axis] == 0:
            raise ValueError(
                f"{name}: found {what} with 0 {kind}(s) (shape={array.shape}) while a minimum of 1 is required."
            )
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: {what} contains NaN or infinity")
    return array


def labelled(x: Any, y: Any, estimator: Any) -> tuple[Any, Any, Any]:
    """Checked samples, the classes, and each sample's position among them.

    Raises:
        ValueError: as :func:`numeric`, unequal lengths, labels of more than one dim or not finite, or one class alone.
    """
    name = type(estimator).__name__
    samples = numeric(x, "X", estimator)
    labels = as_array(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        kind = _of_scikit_learn("DataConversionWarning", UserWarning)
        # scikit-learn's checks look for these words
        text = f"A column-vector y was passed when a 1d array was expected: {name} takes y.ravel()"
        warnings.warn(kind(text), stacklevel=3)
        labels = labels.reshape(-1)
    if labels.ndim != 1:
        raise ValueError(f"{name}: y should be a 1d array, got an array of shape {labels.shape} instead.")
    if len(labels) != len(samples):
        raise ValueError(f"{name}: found inconsistent numbers of samples: X has {len(samples)}, y has {len(labels)}")
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError(f"{name}: y contains NaN or infinity")
    if labels.dtype.kind == "f" and (labels != np.floor(labels)).any():
        raise ValueError(f"{name}: Unknown label type: continuous; y must hold classes, as integers or text")
    classes, position = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"{name}: the number of classes has to be greater than one; got {len(classes)} class")
    return samples, classes, position.reshape(-1)


def features(estimator: Any, x: Any) -> np.ndarray[Any, Any]:
    """Checked samples to predict for.

    Raises:
        ValueError: as :func:`numeric`, or another number of features than at ``fit``.
    """
    samples = numeric(x, "X", estimator)
    wanted = estimator.n_features_in_
    if samples.shape[1] != wanted:
        name = type(estimator).__name__
        raise ValueError(f"X has {samples.shape[1]} features, but {name} is expecting {wanted} features as input.")
    return samples


def like(x: Any, result: Any) -> Any:
    """``result`` as a tensor where ``x`` is one."""
    if isinstance(x, Tensor) and result.dtype.kind in "biufc":
        return pydl.from_numpy(np.ascontiguousarray(result))
    return result


def weights_of(
    estimator: Any, sample_weight: Any, class_weight: Any, classes: Any, position: Any, weighted: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The weight of each sample, and of each class (scikit-learn's ``class_weight``).

    ``weighted``: whether ``"balanced"`` counts samples by their weights, as scikit-learn's LinearSVC does, its SVC not.

    Raises:
        ValueError: weights of another length, negative or not finite, or a ``class_weight`` that is none.
    """
    name = type(estimator).__name__
    count = len(position)
    weight = np.ones(count) if sample_weight is None else as_array(sample_weight).astype(np.float64)
    if weight.ndim == 0:
        weight = np.full(count, float(weight))
    if weight.shape != (count,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"{name}: sample_weight must be {count} finite numbers that are not negative")
    if not weight.any():
        raise ValueError(f"{name}: every sample_weight is zero")
    if class_weight is None:
        by_class = np.ones(len(classes))
    elif isinstance(class_weight, str) and class_weight == "balanced":
        counted = weight if weighted else np.ones(count)
        totals = np.bincount(position, weights=counted, minlength=len(classes))
        by_class = counted.sum() / (len(classes) * np.maximum(totals, np.finfo(float).tiny))
    elif isinstance(class_weight, dict):
        by_class = np.array([float(class_weight.get(c, 1.0)) for c in classes.tolist()])
    else:
        raise ValueError(f"{name}: class_weight must be a dict, 'balanced', or None, got {class_weight!r}")
    return weight, by_class


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """A tensor, or anything like an array, as NumPy's."""
    if not isinstance(value, Tensor):
        return np.asarray(value)
    # NumPy has no bfloat16
    return (value.float() if value.dtype == pydl.bfloat16 else value).detach().numpy()


def accuracy(predict: Callable[[Any], Any], x: Any, y: Any, sample_weight: Any = None) -> float:
    """The share of samples whose label is predicted."""
    right = as_array(predict(x)) == as_array(y).reshape(-1)
    return float(np.average(right, weights=None if sample_weight is None else as_array(sample_weight)))
