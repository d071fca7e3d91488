"""Differences of two tensors, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import Constant, Inputs, loss


def same(r: Inputs) -> Any:
    return r.real(3, 4), r.real(3, 4)


def far(r: Inputs) -> Any:
    return r.real(2, 3) * 1e4, -r.real(2, 3) * 1e4


def equal(r: Inputs) -> Any:
    x = r.real(2, 3)
    return x, x.copy()


ValueOrShape = (RuntimeError, ValueError)


def rmse_reduced(values: np.ndarray, reduction: str, inputs: Any) -> Any:
    squares = (inputs[0] - inputs[1]) ** 2
    return np.sqrt((squares.mean() if reduction == "mean" else squares.sum()) + 1e-12)


loss(
    "RMSELoss", same, lambda x, y: np.sqrt((x - y) ** 2 + 1e-12), reduced=rmse_reduced, edges=(equal, far),
    errors=((lambda r: (r.real(3), r.real(2)), ValueOrShape),),
)  # fmt: skip
loss(
    "LogCoshLoss",
    lambda r: (r.real(3, 4) * 3, r.real(3, 4)),
    lambda x, y: np.logaddexp(x - y, y - x) - np.log(2),
    edges=(equal, far),
    errors=((lambda r: (r.real(3), r.real(2)), ValueOrShape),),
)
loss(
    "LogCoshLoss", lambda r: (r.real(5, 2) * 1e-4, np.zeros((5, 2))), lambda x, y: (x - y) ** 2 / 2 - (x - y) ** 4 / 12,
    label="small", gradcheck=False, half=False, tolerance=3,
)  # fmt: skip


def huber(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    e = np.abs(x - y)
    return np.where(e < 1, e * e / 2, e - 0.5)


def logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x) - x * y


DIFFERENCES = {
    "mse": lambda x, y: (x - y) ** 2,
    "l1": lambda x, y: np.abs(x - y),
    "smooth_l1": huber,
    "bce": lambda x, y: -(y * np.log(x) + (1 - y) * np.log1p(-x)),
    "bce_logits": logistic,
}


def reconstruction(x: np.ndarray, y: np.ndarray, mode: str = "mse") -> np.ndarray:
    return DIFFERENCES[mode](x, y)


def batchmean(values: np.ndarray, reduction: str, inputs: Any) -> Any:
    return values.mean() if reduction == "mean" else values.sum()


loss(
    "ReconstructionLoss",
    lambda r: (r.unit(3, 2, 2), r.unit(3, 2, 2)),
    reconstruction,
    ("l1", {"mode": "l1"}),
    ("bce", {"mode": "bce"}),
    ("bce_logits", {"mode": "bce_logits"}),
    edges=(equal, far),
    errors=(
        (lambda r: (r.real(3, 1), r.real(3)), ValueOrShape),
        (lambda r: (r.real(3) + 5, r.unit(3)), ValueError, {"mode": "bce"}),
    ),
)
loss(
    "ReconstructionLoss", lambda r: (np.array([[0.0, 1.0], [1.0, 0.0]]), Constant(np.array([[1.0, 1.0], [0.0, 0.0]]))),
    lambda x, y, mode: np.array([[100.0, 0.0], [100.0, 0.0]]), label="certain", options={"mode": "bce"},
    gradcheck=False, edges=(lambda r: (np.array([[0.0, 1.0]]), Constant(np.array([[0.0, 1.0]]))),),
)  # fmt: skip


def pixelwise(x: Any, y: Any, mask: Any = None, loss: str = "l1") -> Any:
    if loss == "cross_entropy":
        shifted = x - x.max(1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        values = -np.take_along_axis(logs, y[:, None], 1)[:, 0]
        return values if mask is None else values * mask.reshape(values.shape)
    values = DIFFERENCES[loss](x, y)
    return values if mask is None else values * mask.reshape(len(x), 1, *x.shape[2:])


def masked_mean(values: np.ndarray, reduction: str, inputs: Any) -> Any:
    x, _, mask = inputs
    if reduction == "sum":
        return values.sum()
    if mask is None:
        return values.mean()
    total = np.broadcast_to(
        mask.reshape(len(x), 1, *x.shape[2:]), x.shape if values.ndim == x.ndim else (len(x), 1, *x.shape[2:])
    )
    return values.sum() / total.sum() if total.any() else 0.0


def image_pair(r: Inputs) -> Any:
    return r.real(2, 3, 4), r.real(2, 3, 4), r.unit(2, 4)


for mode in ("l1", "mse", "smooth_l1", "bce_logits"):
    loss(
        "PixelwiseLoss",
        image_pair,
        pixelwise,
        options={"loss": mode},
        label=mode,
        reduced=masked_mean,
        sliced=(0, 1, 2),
    )
loss(
    "PixelwiseLoss",
    lambda r: (r.real(2, 3, 2, 2), r.real(2, 3, 2, 2), np.asarray(r.index(2, 2, 1, 2, 2), dtype=bool)),
    pixelwise,
    label="bool-mask",
    reduced=masked_mean,
    sliced=(0, 1, 2),
    edges=(
        lambda r: (r.real(2, 3, 4), r.real(2, 3, 4), np.zeros((2, 4), dtype=bool)),
        lambda r: (r.real(2, 3, 4) * 1e4, r.real(2, 3, 4), None),
    ),
    errors=(
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 5), None), ValueOrShape),
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 4), r.unit(2, 3)), ValueOrShape),
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 4), -r.unit(2, 4)), ValueError),
    ),
)
loss(
    "PixelwiseLoss", lambda r: (r.real(2, 3, 4), r.index(3, 2, 4), r.unit(2, 1, 4)), pixelwise,
    options={"loss": "cross_entropy"}, label="cross_entropy", reduced=masked_mean, sliced=(0, 1, 2),
    edges=(lambda r: (r.real(2, 3, 4) * 1e4, r.index(3, 2, 4), None),),
)  # fmt: skip


def hinge(x: Any, y: Any, margin: float = 1.0, squared: bool = False) -> Any:
    values = np.maximum(0, margin - y * x)
    return values**2 if squared else values


loss(
    "HingeLoss",
    lambda r: (r.real(3, 4), r.one_of([-1, 1], 3, 4)),
    hinge,
    ("squared", {"squared": True, "margin": 0.5}),
    edges=(lambda r: (np.ones((1, 2)), np.ones((1, 2), dtype=int)),),
    errors=(
        (lambda r: (r.real(3), np.array([0, 1, 1])), ValueError),
        (lambda r: (r.real(3), np.array([1, 1])), ValueOrShape),
    ),
)
