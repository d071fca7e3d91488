"""Losses."""

from __future__ import annotations

from typing import Any

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
