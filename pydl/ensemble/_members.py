"""What ensembles ask of their members, which are estimators or trained modules."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

import pydl
from pydl import Tensor
from pydl._estimators import Estimator, accuracy, as_array, numeric
from pydl.nn import Embedding, EmbeddingBag, Module

Array = Any


def clone(member: Any) -> Any:
    """An unfitted copy of an estimator; a module as it is."""
    if isinstance(member, Module):
        return member
    if not hasattr(member, "get_params"):
        return copy.deepcopy(member)
    return type(member)(**{k: copy.deepcopy(v) for k, v in member.get_params(deep=False).items()})


def with_seed(member: Any, rng: np.random.RandomState) -> Any:
    """A clone whose ``random_state``, if it has one, is drawn."""
    copied = clone(member)
    if hasattr(copied, "get_params") and "random_state" in copied.get_params(deep=False):
        copied.set_params(random_state=int(rng.randint(np.iinfo(np.int32).max)))
    return copied


def samples_of(estimator: Any, x: Any, members: Sequence[Any]) -> Array:
    """Checked samples: two dims where there are estimators, any number for modules alone.

    Raises:
        ValueError: other dims, no samples, NaN or infinity.
    """
    if not all(isinstance(m, Module) for m in members):
        return numeric(x, "X", estimator)
    array = as_array(x)
    if array.dtype.kind not in "biuf" or array.ndim < 2 or len(array) == 0 or not np.isfinite(array).all():
        kind = type(estimator).__name__
        raise ValueError(f"{kind}: X must be finite numbers (samples, ...), got {array.dtype} of shape {array.shape}")
    return array


def _inputs(module: Module, x: Tensor) -> Tensor:
    """Samples in the dtype of the first layer with parameters; integers for an embedding."""
    first = next((m for m in module.modules() if any(p is not None for p in m._parameters.values())), None)
    if isinstance(first, (Embedding, EmbeddingBag)):
        return x.long()
    parameter = next((p for p in module.parameters() if p.is_floating_point()), None)
    if parameter is None:
        return x.float() if x.is_floating_point() else x
    return x.to(parameter.dtype)


def module_probabilities(module: Module, x: Array) -> Array:
    """Softmax of a module's logits, in eval mode and without derivatives; its mode is put back."""
    inputs = _inputs(module, pydl.tensor(np.ascontiguousarray(x)))
    modes = [(m, m.training) for m in module.modules()]
    module.eval()
    try:
        with pydl.no_grad():
            logits = module(inputs)
    finally:
        for m, mode in modes:
            m.training = mode
    if logits.dim() != 2 or logits.shape[0] != len(x):
        raise ValueError(f"a module must return logits (N, K) for N = {len(x)} samples, got {tuple(logits.shape)}")
    return logits.double().softmax(1).numpy()


def probabilities(member: Any, x: Array, classes: Array) -> Array:
    """(samples, classes): a member's columns at the places of its classes among these."""
    if isinstance(member, Module):
        found = module_probabilities(member, x)
        own: Array = np.arange(found.shape[1])
    elif not hasattr(member, "predict_proba"):
        raise AttributeError(f"{type(member).__name__} has no predict_proba; use voting='hard'")
    else:
        found = as_array(member.predict_proba(x))
        own = as_array(getattr(member, "classes_", classes))
    out = np.zeros((len(found), len(classes)))
    out[:, positions(own, classes)] = found
    return out


def votes(member: Any, x: Array, classes: Array) -> Array:
    """(samples, classes): 1 at the label that a member predicts."""
    if isinstance(member, Module):
        labels: Array = module_probabilities(member, x).argmax(1)
    else:
        labels = as_array(member.predict(x))
    return np.eye(len(classes))[positions(labels, classes)]


def positions(labels: Array, classes: Array) -> Array:
    """Where labels stand among the sorted classes.

    Raises:
        ValueError: a label that is none of them.
    """
    at = np.searchsorted(classes, labels).clip(0, len(classes) - 1)
    if not np.array_equal(classes[at], labels):
        raise ValueError(f"a member predicts labels that are not among the classes {classes.tolist()}")
    return at


def all_classes(y_classes: Array | None, members: Sequence[Any], x: Array) -> Array:
    """The classes of the labels and those that modules know, 0..K-1."""
    found = [] if y_classes is None else [y_classes]
    for member in members:
        if isinstance(member, Module):
            found.append(np.arange(module_probabilities(member, x[:1]).shape[1]))
    merged = np.unique(np.concatenate(found))
    if any(f.dtype.kind != merged.dtype.kind for f in found):
        raise ValueError("a module's class k is label k: the labels must be integers")
    return merged


def named(estimators: Sequence[Any], kind: str) -> list[tuple[str, Any]]:
    """(name, member) pairs, from these or from members alone.

    Raises:
        ValueError: no members, or a name twice.
    """
    pairs = [e if isinstance(e, tuple) else (f"{type(e).__name__.lower()}{i}", e) for i, e in enumerate(estimators)]
    names = [name for name, _ in pairs]
    if not pairs or len(set(names)) != len(names):
        raise ValueError(f"{kind}: estimators must be members with names of their own, got {names}")
    return pairs


class Ensemble(Estimator):
    """Parameters of named members beside those of the constructor, and the score."""

    estimators: Any

    def _pairs(self) -> list[tuple[str, Any]]:
        return named(self.estimators, type(self).__name__)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments; with ``deep`` the members by name, and their parameters as
        ``name__parameter``.
        """
        found = super().get_params(deep)
        if deep and "estimators" in found:
            for name, member in self._pairs():
                found[name] = member
                if hasattr(member, "get_params"):
                    found.update({f"{name}__{k}": v for k, v in member.get_params().items()})
        return found

    def set_params(self, **params: Any) -> Any:
        """Change arguments, members by name, or parameters of members."""
        members = dict(self._pairs()) if "estimators" in self._names() else {}
        own = {k: v for k, v in params.items() if k.partition("__")[0] not in members}
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name in members and inner:
                members[name].set_params(**{inner: value})
            elif name in members:
                self.estimators = [(n, value if n == name else m) for n, m in self._pairs()]
        return super().set_params(**own)

    def score(self, X: Any, y: Any) -> float:
        """The share of samples whose label is predicted."""
        return accuracy(self.predict, X, y)  # type: ignore[attr-defined]
