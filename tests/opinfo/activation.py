"""Activations, softmax rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from . import FLOATS, Sample, op, unary


def one(name: str, reference: Any, samples: Any = unary, **options: Any) -> None:
    op(name, reference, samples, dtypes=FLOATS, pointwise=True, **options)


def with_arguments(*variants: Any) -> Any:
    return lambda m: (Sample(m(*shape), **v) for shape in [(), (3,), (2, 0, 3), (19,)] for v in variants)


def elu(a: Any, alpha: float = 1.0) -> Any:
    return np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0)))


def gelu(a: Any, approximate: str = "none") -> Any:
    if approximate == "tanh":
        return 0.5 * a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))
    return a * special.ndtr(a)


SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
one("relu", lambda a: np.maximum(a, 0))
one("selu", lambda a: SCALE * elu(a, ALPHA))
one(
    "celu",
    lambda a, alpha=1.0: np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0) / alpha)),
    with_arguments({}, {"alpha": 2.0}),
)
one("nn.elu", elu, with_arguments({}, {"alpha": 0.5}))
one(
    "nn.leaky_relu",
    lambda a, negative_slope=0.01: np.where(a > 0, a, a * negative_slope),
    with_arguments({}, {"negative_slope": 0.2}),
)
one(
    "threshold",
    lambda a, threshold, value: np.where(a > threshold, a, value),
    with_arguments({"threshold": 0.5, "value": 2.0}),
)
one("prelu", lambda a, w: np.where(a > 0, a, a * w), lambda m: iter([Sample(m(2, 3), m(1)), Sample(m(0, 3), m(1))]))
one("hardshrink", lambda a, lambd=0.5: np.where(np.abs(a) > lambd, a, 0), with_arguments({}, {"lambd": 1.0}))
one(
    "nn.softshrink",
    lambda a, lambd=0.5: np.sign(a) * np.maximum(np.abs(a) - lambd, 0),
    with_arguments({}, {"lambd": 1.0}),
)
one("nn.gelu", gelu, with_arguments({}, {"approximate": "tanh"}))
one("nn.silu", lambda a: a * special.expit(a))
one("nn.mish", lambda a: a * np.tanh(np.logaddexp(0, a)))
one(
    "nn.softplus",
    lambda a, beta=1, threshold=20: np.where(a * beta > threshold, a, np.logaddexp(0, a * beta) / beta),
    with_arguments({}, {"beta": 2}),
)
one(
    "nn.hardtanh",
    lambda a, min_val=-1, max_val=1: np.clip(a, min_val, max_val),
    with_arguments({}, {"min_val": -0.5, "max_val": 2.0}),
)
one("nn.relu6", lambda a: np.clip(a, 0, 6))
one("nn.hardsigmoid", lambda a: np.clip(a / 6 + 0.5, 0, 1))
one("nn.hardswish", lambda a: a * np.clip(a / 6 + 0.5, 0, 1))
one("nn.logsigmoid", lambda a: -np.logaddexp(0, -a))
