"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from moduleinfo import Constant, Inputs, module


def real(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), m.real(5, 3)


def unit(m: Inputs) -> tuple[Any, ...]:
    return m.unit(5, 3), Constant(m.unit(5, 3))


def logits(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), Constant(m.unit(5, 3))


def classes(m: Inputs) -> tuple[Any, ...]:
    target = m.index(3, 5)
    target[3] = -100
    return m.real(5, 3), target


def probabilities(m: Inputs) -> tuple[Any, ...]:
    p = m.unit(5, 3)
    return m.real(5, 3), p / p.sum(1, keepdims=True)


OPTIONS = {
    "L1Loss": ({}, real), "MSELoss": ({}, real), "SmoothL1Loss": ({"beta": 0.5}, real), "HuberLoss": ({"delta": 0.7}, real),
    "BCELoss": ({}, unit), "BCEWithLogitsLoss": ({}, logits), "KLDivLoss": ({}, logits),
    "CrossEntropyLoss": ({"label_smoothing": 0.1}, classes), "NLLLoss": ({}, classes),
}  # fmt: skip

for _name, (_options, _inputs) in OPTIONS.items():
    for _reduction in ("mean", "sum", "none"):
        module(_name, _inputs, kwargs={"reduction": _reduction, **_options}, label=_reduction)
module("CrossEntropyLoss", probabilities, label="probabilities")
module(
    "KLDivLoss",
    lambda m: (m.real(5, 3), m.real(5, 3)),
    kwargs={"reduction": "batchmean", "log_target": True},
    label="log-target",
)


def signs(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), m.sign(5, 3)


def ranked(m: Inputs) -> tuple[Any, ...]:
    return m.distinct(5), m.distinct(5) + 0.1, m.sign(5)


def angles(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), m.real(5, 3), m.sign(5)


def three(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), m.real(5, 3), m.real(5, 3)


def labels(m: Inputs) -> tuple[Any, ...]:
    return m.real(2, 4), np.array([[3, 0, -1, 1], [1, 1, 2, -1]])


def variances(m: Inputs) -> tuple[Any, ...]:
    return m.real(5, 3), m.real(5, 3), m.real(5, 3, low=0.5, high=2)


def counts(m: Inputs) -> tuple[Any, ...]:
    return m.unit(5, 3), Constant(m.real(5, 3, low=0, high=4))


MORE = {
    "PoissonNLLLoss": ({"full": True}, counts), "GaussianNLLLoss": ({"full": True}, variances),
    "MarginRankingLoss": ({"margin": 0.3}, ranked), "HingeEmbeddingLoss": ({"margin": 0.7}, signs),
    "CosineEmbeddingLoss": ({"margin": 0.1}, angles), "SoftMarginLoss": ({}, signs), "MultiLabelMarginLoss": ({}, labels),
    "MultiLabelSoftMarginLoss": ({}, lambda m: (m.real(5, 3), Constant(m.mask(5, 3) * 1.0))),
    "MultiMarginLoss": ({"p": 2, "margin": 0.8}, lambda m: (m.real(5, 3), m.index(3, 5))),
    "TripletMarginLoss": ({"p": 3, "margin": 2.0, "swap": True}, three),
    "TripletMarginWithDistanceLoss": ({"margin": 2.0}, three),
}  # fmt: skip
for _name, (_options, _inputs) in MORE.items():
    for _reduction in ("mean", "sum", "none"):
        module(_name, _inputs, kwargs={"reduction": _reduction, **_options}, label=_reduction)
module("PoissonNLLLoss", counts, kwargs={"log_input": False}, label="rates")
module("GaussianNLLLoss", lambda m: (m.real(5, 3), m.real(5, 3), m.unit(5, 1)), label="one-variance")
module("MultiMarginLoss", lambda m: (m.real(4), np.array(2)), label="one-sample")
module("CosineEmbeddingLoss", lambda m: (m.real(3), m.real(3), Constant(np.array(1.0))), label="one-pair")
module("NLLLoss2d", lambda m: (m.real(2, 3, 2, 2), m.index(3, 2, 2, 2)), label="images")
module("NLLLoss", lambda m: (m.real(2, 3, 2), m.index(3, 2, 2)), label="places")
module(
    "CrossEntropyLoss", lambda m: (m.real(2, 3, 2), m.index(3, 2, 2)), kwargs={"label_smoothing": 0.2}, label="places"
)
module("LinearCrossEntropyLoss", lambda m: (m.real(5, 3), m.index(4, 5)), args=(3, 4), kwargs={"bias": True})
module(
    "LinearCrossEntropyLoss",
    lambda m: (m.real(5, 3), m.index(4, 5, 2)),
    args=(3, 4),
    kwargs={"out_features": (2,), "label_smoothing": 0.1},
    label="places",
)
for _reduction in ("mean", "sum", "none"):
    module(
        "CTCLoss",
        lambda m: (m.real(6, 3, 4), m.index(3, 3, 2) + 1, np.array([6, 5, 4]), np.array([2, 1, 2])),
        kwargs={"reduction": _reduction},
        label=_reduction,
        wrap=lambda lib, a: (a[0].log_softmax(2), *a[1:]),
        gradgradcheck=False,  # PyTorch has no second derivative of it either
    )
module(
    "CTCLoss",
    lambda m: (m.real(3, 2, 4), np.array([1, 1, 2, 3]), np.array([3, 2]), np.array([3, 1])),
    kwargs={"zero_infinity": True, "blank": 0},
    label="impossible",
    gradcheck=False,
    gradgradcheck=False,
)
module("AdaptiveLogSoftmaxWithLoss", lambda m: (m.real(5, 8), np.array([0, 3, 9, 5, 2])), args=(8, 10, [3, 6], 2.0))
module(
    "AdaptiveLogSoftmaxWithLoss",
    lambda m: (m.real(8), np.array(4)),
    args=(8, 10, [3]),
    kwargs={"head_bias": True},
    label="one-sample",
)
