"""Losses and softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from . import Maker, Sample, op
from .reduce import BAD_DIM

WRONG = (RuntimeError, ValueError)


def along(f: Any) -> Any:
    return lambda a, dim: f(a, axis=dim) if a.ndim else f(a.reshape(1), axis=0).reshape(())


def softmax_samples(m: Maker) -> Any:
    return (
        Sample(m(*s), d) for s, d in [((3,), 0), ((2, 3), 1), ((2, 3), 0), ((2, 3, 4), -2), ((2, 37), 1), ((0, 3), 1)]
    )


op("softmax special.softmax", along(special.softmax), softmax_samples, errors=[BAD_DIM])
op("log_softmax special.log_softmax", along(special.log_softmax), softmax_samples, errors=[BAD_DIM])


def reduced(f: Any) -> Any:
    def reference(*args: Any, reduction: str = "mean", **options: Any) -> Any:
        values = f(*args, **options)
        return {"none": lambda v: v, "mean": np.mean, "sum": np.sum}[reduction](values)

    return reference


def pair(low: float = -2.0, high: float = 2.0, **options: Any) -> Any:
    return lambda m: (
        Sample(m(*s, low=low, high=high), m(*s, low=low, high=high), reduction=r, **options)
        for s in [(3,), (2, 3)]
        for r in ("mean", "sum", "none")
    )


BAD = [((np.ones(2), np.ones(2), "nope"), WRONG, "reduction|nope"), ((np.ones(2), np.ones(3)), RuntimeError, r"\(\)")]


def huber(a: Any, b: Any, delta: float = 1.0) -> Any:
    d = np.abs(a - b)
    return np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))


op("nn.mse_loss", reduced(lambda a, b: (a - b) ** 2), pair(), errors=BAD)
op("nn.l1_loss", reduced(lambda a, b: np.abs(a - b)), pair(), errors=BAD)
op("nn.huber_loss", reduced(huber), pair(delta=0.7), errors=BAD)
op("nn.smooth_l1_loss", reduced(lambda a, b, beta=1.0: huber(a, b, beta) / beta), pair(beta=0.7), errors=BAD)
op(
    "nn.binary_cross_entropy",
    reduced(lambda a, b: -(b * np.log(a) + (1 - b) * np.log(1 - a))),
    pair(0.1, 0.9),
    errors=[((np.ones(2) * 0.5, np.ones(3)), WRONG, "binary_cross_entropy")],
)
op(
    "nn.binary_cross_entropy_with_logits",
    reduced(lambda a, b: (1 - b) * a + np.logaddexp(0, -a)),
    pair(0.1, 0.9),
    errors=[((np.ones(2), np.ones(3)), WRONG, "binary_cross_entropy")],
)
op("nn.kl_div", reduced(lambda a, b: special.xlogy(b, b) - b * a), pair(0.2, 0.9), errors=BAD)


def nll(a: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    w = np.ones(a.shape[1]) if weight is None else weight
    used = np.where(target == ignore_index, 0.0, w[np.where(target == ignore_index, 0, target)])
    values = -np.take_along_axis(a, np.expand_dims(np.where(target == ignore_index, 0, target), 1), 1).squeeze(1) * used
    return {"none": lambda: values, "sum": values.sum, "mean": lambda: values.sum() / used.sum()}[reduction]()


def classes(m: Maker) -> Any:
    for r in ("mean", "sum", "none"):
        yield Sample(m(4, 3), m.index(3, 4), reduction=r)
        yield Sample(m(4, 3), m.index(3, 4), np.abs(m(3)) + 0.5, reduction=r)
        yield Sample(m(2, 3, 2), m.index(3, 2, 2), reduction=r)
    yield Sample(m(4, 3), np.array([0, 1, -100, 2]))


TARGETS = [((np.ones((2, 3)), np.array([0, 3])), (IndexError, *WRONG), "arget|cross|nll"), ((np.ones((2, 3)), np.array([0, 1, 1])), WRONG, "cross_entropy|nll"),
           ((np.ones((2, 3)), np.array([0, -1])), (IndexError, *WRONG), "arget|cross|nll")]  # fmt: skip
op("nn.nll_loss", nll, classes, errors=TARGETS)
op(
    "nn.cross_entropy",
    lambda a, *args, **options: nll(special.log_softmax(a, axis=1), *args, **options),
    classes,
    errors=TARGETS,
)
