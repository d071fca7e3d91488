"""Normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Maker, Sample, op

WRONG = (RuntimeError, ValueError)
EMPTY = np.ones((2, 3), dtype=np.float32)


def standard(a: Any, axes: tuple[int, ...], eps: float) -> Any:
    with np.errstate(all="ignore"):
        return (a - a.mean(axes, keepdims=True)) / np.sqrt(a.var(axes, keepdims=True) + eps)


def layer_norm(a: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    y = standard(a, tuple(range(a.ndim - len(shape), a.ndim)), eps)
    return y * (1 if weight is None else weight) + (0 if bias is None else bias)


def layer_samples(m: Maker) -> Any:
    for shape, last in [((2, 3), (3,)), ((2, 2, 3), (2, 3)), ((5, 37), (37,)), ((0, 3), (3,)), ((70, 33), (33,))]:
        yield Sample(m(*shape), last)
        yield Sample(m(*shape), last, m(*last), m(*last))
        yield Sample(m(*shape), last, m(*last))
        yield Sample(m(*shape), last, None, m(*last), 1e-3)


SHAPES = [((EMPTY, (2,)), RuntimeError, "normalized_shape"), ((EMPTY, ()), RuntimeError, "normalized_shape"),
          ((EMPTY, (3,), np.ones(2, dtype=np.float32)), RuntimeError, "weight")]  # fmt: skip
op("layer_norm", layer_norm, layer_samples, errors=SHAPES, scales=False)


def native_layer_norm(a: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    axes = tuple(range(a.ndim - len(shape), a.ndim))
    y = layer_norm(a, shape, weight, bias, eps)
    return y, a.mean(axes, keepdims=True), 1 / np.sqrt(a.var(axes, keepdims=True) + eps)


op(
    "native_layer_norm",
    native_layer_norm,
    lambda m: iter([Sample(m(4, 3), (3,), m(3), m(3), 1e-5), Sample(m(4, 2, 3), (2, 3), None, None, 1e-2)]),
    grad=False,
    errors=[((EMPTY, (2,), None, None, 1e-5), RuntimeError, "normalized_shape")],
)


def rms_norm(a: Any, shape: Any, weight: Any = None, eps: Any = None) -> Any:
    eps = np.finfo(a.dtype).eps if eps is None else eps
    axes = tuple(range(a.ndim - len(shape), a.ndim))
    return a / np.sqrt((a * a).mean(axes, keepdims=True) + eps) * (1 if weight is None else weight)


def rms_samples(m: Maker) -> Any:
    for shape, last in [((2, 3), (3,)), ((2, 2, 3), (2, 3)), ((5, 37), (37,)), ((0, 3), (3,))]:
        yield Sample(m(*shape), last)
        yield Sample(m(*shape), last, m(*last))
        yield Sample(m(*shape), last, m(*last), 1e-3)


op("rms_norm", rms_norm, rms_samples, errors=SHAPES, scales=False)


def per_channel(v: Any, a: Any, otherwise: float) -> Any:
    return otherwise if v is None else v.reshape(1, -1, *[1] * (a.ndim - 2))


def group_norm(a: Any, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    y = standard(a.reshape(a.shape[0], groups, -1), (2,), eps) if a.size else a
    return y.reshape(a.shape) * per_channel(weight, a, 1) + per_channel(bias, a, 0)


def group_samples(m: Maker) -> Any:
    for shape in [(2, 4), (2, 4, 3), (2, 6, 3, 7), (3, 2, 2, 2, 2), (0, 4, 3), (1, 2, 90, 80)]:
        yield Sample(m(*shape), 2)
        yield Sample(m(*shape), 2, m(shape[1]), m(shape[1]))
        yield Sample(m(*shape), 1, m(shape[1]), None, 1e-3)


op(
    "group_norm",
    group_norm,
    group_samples,
    errors=[
        ((EMPTY, 2), RuntimeError, "divisible"),
        ((EMPTY, 0), RuntimeError, "greater than 0"),
        ((np.ones(3, dtype=np.float32), 1), RuntimeError, "2 dimensions"),
        ((EMPTY, 1, np.ones(2, dtype=np.float32)), RuntimeError, "weight"),
    ],
)


def native_group_norm(a: Any, w: Any, b: Any, n: int, c: int, hw: int, groups: int, eps: float) -> Any:
    rows = a.reshape(n, groups, -1)
    return group_norm(a, groups, w, b, eps), rows.mean(2), 1 / np.sqrt(rows.var(2) + eps)


op(
    "native_group_norm",
    native_group_norm,
    lambda m: iter([Sample(m(2, 4, 3), m(4), m(4), 2, 4, 3, 2, 1e-5)]),
    grad=False,
    errors=[((EMPTY, None, None, 2, 3, 2, 1, 1e-5), RuntimeError, "elements"),
            ((EMPTY, None, None, -2, -3, 1, 1, 1e-5), RuntimeError, "elements|negative")],
)  # fmt: skip


def batch_norm(a: Any, w: Any, b: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float, _: Any) -> Any:
    axes = (0, *range(2, a.ndim))
    if training:
        y = standard(a, axes, eps) if a.size else a
    else:
        y = (a - per_channel(mean, a, 0)) / np.sqrt(per_channel(var, a, 1) + eps)
    return y * per_channel(w, a, 1) + per_channel(b, a, 0)


def batch_samples(m: Maker) -> Any:
    for shape in [(4, 2), (3, 2, 2), (2, 3, 2, 5), (2, 1, 2, 2, 2), (70, 37), (2, 3, 70, 50), (0, 3), (0, 3, 2)]:
        c = shape[1]
        yield Sample(m(*shape), None, None, None, None, True, 0.1, 1e-5, False)
        yield Sample(m(*shape), m(c), m(c), None, None, True, 0.1, 1e-5, False)
        yield Sample(m(*shape), m(c), None, None, None, True, 0.1, 1e-3, False)
    for shape in [(4, 2), (2, 3, 2)]:
        mean, var = np.arange(shape[1]) * 0.5, np.arange(shape[1]) + 0.5
        fixed = mean.astype(m.dtype), var.astype(m.dtype)
        if m.dtype == "float32":  # as inputs of gradcheck they would have gradients, which they have not
            yield Sample(m(*shape), m(shape[1]), m(shape[1]), *fixed, False, 0.1, 1e-5, False)


BAD_BATCH = [((np.ones((2, 3), dtype=np.float32), np.ones(2, dtype=np.float32), None, None, None, True, 0.1, 1e-5, False), RuntimeError, "weight"),
             ((np.ones((2, 3), dtype=np.float32), None, None, None, None, False, 0.1, 1e-5, False), RuntimeError, "running_mean"),
             ((np.ones((2, 3), dtype=np.float32), None, None, np.ones(3, dtype=np.float32), None, True, 0.1, 1e-5, False), RuntimeError, "running_var")]  # fmt: skip
op(
    "batch_norm",
    batch_norm,
    batch_samples,
    errors=[
        *BAD_BATCH,
        ((np.ones(3, dtype=np.float32), *[None] * 4, True, 0.1, 1e-5, False), IndexError, "batch_norm"),
    ],
)


def clipped_samples(m: Maker) -> Any:
    for shape in [(4, 2), (3, 2, 2), (2, 3, 2, 5), (2, 3, 70, 50), (0, 3, 2)]:
        c = shape[1]
        yield Sample(m(*shape), m(c), m(c), None, None, True, 0.1, 1e-5, False)
        yield Sample(m(*shape), m(c), None, None, None, True, 0.1, 1e-5, True)


op(
    "private._batch_norm_clipped",
    lambda a, w, b, mean, var, training, momentum, eps, six: np.clip(
        batch_norm(a, w, b, mean, var, training, momentum, eps, False), 0, 6 if six else np.inf
    ),
    clipped_samples,
    torch_name="-",
    errors=BAD_BATCH,
)


def native_batch_norm(a: Any, w: Any, b: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float) -> Any:
    y = batch_norm(a, w, b, mean, var, training, momentum, eps, False)
    axes = (0, *range(2, a.ndim))
    return y, a.mean(axes), 1 / np.sqrt(a.var(axes) + eps)


op(
    "native_batch_norm",
    native_batch_norm,
    lambda m: iter([Sample(m(4, 3, 2), m(3), m(3), None, None, True, 0.1, 1e-5)]),
    grad=False,
    errors=[((np.ones((2, 3), dtype=np.float32), np.ones(2, dtype=np.float32), None, None, None, True, 0.1, 1e-5), RuntimeError, "weight")],
)  # fmt: skip


def instance_samples(m: Maker) -> Any:
    for shape in [(2, 2, 3), (2, 3, 2, 5), (1, 1, 2, 2, 2), (2, 3, 70, 50)]:
        c = shape[1]
        yield Sample(m(*shape), None, None, None, None, True, 0.1, 1e-5, False)
        yield Sample(m(*shape), m(c), m(c), None, None, True, 0.1, 1e-5, False)


op(
    "instance_norm",
    lambda a, w, b, mean, var, stats, momentum, eps, _: (
        standard(a, tuple(range(2, a.ndim)), eps) * per_channel(w, a, 1) + per_channel(b, a, 0)
    ),
    instance_samples,
    errors=BAD_BATCH[:2],
)
