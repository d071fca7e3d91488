"""Detectors and segmentation networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

import pydl

from . import Constant, Inputs, loss
from .classification import focal
from .overlap import overlap

ValueOrShape = (RuntimeError, ValueError)
SCALAR: dict[str, Any] = {"scalar": True, "sliced": None}


def smooth(e: Any, beta: float = 1.0) -> Any:
    e = np.abs(e)
    return e if beta == 0 else np.where(e < beta, e * e / (2 * beta), e - beta / 2)


def voxelnet(
    x: Any, y: Any, u: Any, v: Any, alpha: float = 1.5, beta: float = 1.0, lambd: float = 1.0, mode: str = "detection"
) -> Any:
    if mode == "points":
        return ((x - y) ** 2).sum() + lambd * ((u - v) ** 2).sum()
    yes, no = y == 1, y == 0
    value = 0.0
    if yes.any():
        value += alpha * -special.log_expit(x[yes]).mean() + lambd * smooth(u[yes] - v[yes]).sum() / yes.sum()
    return value + (beta * -special.log_expit(-x[no]).mean() if no.any() else 0)


def anchors(width: int, labels: Any) -> Any:
    def make(r: Inputs) -> Any:
        return r.real(2, 6), labels(r), r.real(2, 6, width), r.real(2, 6, width)

    return make


voxels = anchors(7, lambda r: np.array([[1, 0, -1, 0, 1, 0], [0, 0, 0, -1, 0, 0]]))
loss(
    "VoxelNetLoss", voxels, voxelnet, ("weights", {"alpha": 1.0, "beta": 2.0, "lambd": 0.5}),
    edges=(
        anchors(7, lambda r: np.zeros((2, 6), dtype=int)),
        anchors(7, lambda r: np.full((2, 6), -1)),
        lambda r: (r.real(1, 6) * 1e4, np.ones((1, 6)), np.ones((1, 6, 7)), np.ones((1, 6, 7))),
    ),
    errors=(
        (anchors(6, lambda r: r.index(2, 2, 6)), ValueOrShape),
        (anchors(7, lambda r: r.index(2, 2, 5)), ValueOrShape),
        (anchors(7, lambda r: np.full((2, 6), 2)), ValueError),
    ),
    **SCALAR,
)  # fmt: skip
loss(
    "VoxelNetLoss", lambda r: (r.real(4, 3), r.real(4, 3), r.real(2, 4, 5), r.real(2, 4, 5)), voxelnet,
    options={"mode": "points", "lambd": 0.1}, label="points", **SCALAR,
)  # fmt: skip


def ssd(
    logits: Any,
    boxes: Any,
    labels: Any,
    targets: Any,
    alpha: float = 1.0,
    neg_pos_ratio: float = 3.0,
    reduction: str = "mean",
) -> Any:
    value, count = 0.0, (labels > 0).sum()
    for n in range(len(labels)):
        surprise = -special.log_softmax(logits[n], axis=1)[np.arange(len(labels[n])), np.maximum(labels[n], 0)]
        found = labels[n] > 0
        value += surprise[found].sum() + alpha * smooth(boxes[n][found] - targets[n][found]).sum()
        negatives = np.sort(surprise[labels[n] == 0])[::-1]
        value += negatives[: int(np.ceil(neg_pos_ratio * found.sum()))].sum()
    return value / max(1, count) if reduction == "mean" else value


def heads(labels: Any, classes: int = 3) -> Any:
    def make(r: Inputs) -> Any:
        return r.real(2, 6, classes), r.real(2, 6, 4), labels, r.real(2, 6, 4)

    return make


SOME = np.array([[1, 0, -1, 0, 2, 0], [0, 0, 1, 0, 0, 0]])
NONE = np.zeros((2, 6), dtype=int)
loss(
    "SSDLoss", heads(SOME), ssd, ("few", {"neg_pos_ratio": 1.5, "alpha": 0.3, "reduction": "sum"}),
    edges=(
        heads(NONE), heads(NONE - 1), heads(NONE + 1),
        lambda r: (r.real(1, 4, 2) * 1e4, np.zeros((1, 4, 4)), np.array([[1, 0, 0, 0]]), np.zeros((1, 4, 4))),
        lambda r: (np.zeros((1, 0, 2)), np.zeros((1, 0, 4)), np.zeros((1, 0), dtype=int), np.zeros((1, 0, 4))),
    ),
    errors=(
        (heads(SOME + 1), IndexError), (heads(SOME - 1), IndexError), (heads(SOME[:1]), ValueOrShape),
        (lambda r: (r.real(2, 6), r.real(2, 6, 4), SOME, r.real(2, 6, 4)), ValueOrShape),
        (lambda r: (r.real(2, 6, 3), r.real(2, 6, 5), SOME, r.real(2, 6, 5)), ValueOrShape),
        (heads(SOME), ValueError, {"reduction": "none"}),
    ),
    **SCALAR,
)  # fmt: skip


def yolo(
    x: Any,
    y: Any,
    lambda_coord: float = 5.0,
    lambda_noobj: float = 0.5,
    lambda_obj: float = 1.0,
    lambda_class: float = 1.0,
) -> Any:
    out = np.zeros(len(x))
    for n, a in np.ndindex(*x.shape[:2]):
        p, t = x[n, a], y[n, a]
        if t[4] == 1:
            sizes = np.sqrt(np.maximum(p[2:4], 1e-6)) - np.sqrt(np.maximum(t[2:4], 1e-6))
            out[n] += lambda_coord * (((p[:2] - t[:2]) ** 2).sum() + (sizes**2).sum())
            out[n] += lambda_obj * (p[4] - 1) ** 2 + lambda_class * ((p[5:] - t[5:]) ** 2).sum()
        elif t[4] == 0:
            out[n] += lambda_noobj * p[4] ** 2
    return out


def cells(objects: Any, classes: int) -> Any:
    def make(r: Inputs) -> Any:
        target = r.unit(2, 3, 5 + classes)
        target[..., 4] = objects
        return r.unit(2, 3, 5 + classes), target

    return make


ROWS = np.array([[1.0, 0, -1], [0, 1, 1]])
loss(
    "YOLOLoss", cells(ROWS, 2), yolo, ("weights", {"lambda_coord": 1.0, "lambda_noobj": 2.0, "lambda_obj": 3.0, "lambda_class": 4.0}),
    gradcheck=False,
    edges=(cells(0.0, 2), cells(-1.0, 0), lambda r: (np.zeros((1, 2, 5)), np.ones((1, 2, 5)))),
    errors=(
        (lambda r: (r.unit(2, 3, 4), r.unit(2, 3, 4)), ValueOrShape),
        (lambda r: (r.unit(2, 7), r.unit(2, 7)), ValueOrShape),
        (lambda r: (r.unit(2, 3, 5), r.unit(2, 3, 6)), ValueOrShape),
        (cells(0.5, 0), ValueError),
    ),
)  # fmt: skip


def fixed_cells(r: Inputs) -> Any:
    """The objectness of targets may not move."""
    x, y = cells(ROWS, 0)(r)
    return x, Constant(y)


loss("YOLOLoss", fixed_cells, yolo, label="boxes")


def retinanet(
    logits: Any,
    boxes: Any,
    labels: Any,
    targets: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    reg_weight: float = 1.0,
    beta: float = 0.0,
) -> Any:
    out = []
    for x, b, y, t in zip(logits, boxes, labels, targets):
        wanted = (y[:, None] == np.arange(x.shape[1])).astype(float)
        value = focal(x, wanted, alpha, gamma)[y != -2].sum() + reg_weight * smooth(b[y >= 0] - t[y >= 0], beta).sum()
        out.append(value / max(1, (y >= 0).sum()))
    return np.array(out)


CLASSES = np.array([[0, -1, -2, 2, 1, -1], [-1, -1, -1, -1, -2, -1]])
loss(
    "RetinaNetLoss", heads(CLASSES), retinanet, ("smooth", {"beta": 0.1, "alpha": 0.5, "gamma": 1.0, "reg_weight": 0.3}), sliced=(0, 1, 2, 3),
    edges=(
        heads(NONE - 1), heads(NONE - 2),
        lambda r: (r.real(1, 4, 2) * 1e4, np.zeros((1, 4, 4)), np.array([[1, 0, -1, -2]]), np.zeros((1, 4, 4))),
    ),
    errors=(
        (heads(CLASSES + 1), IndexError), (heads(CLASSES - 1), IndexError), (heads(CLASSES[:, :5]), ValueOrShape),
        (heads(CLASSES), ValueError, {"beta": -1.0}),
    ),
)  # fmt: skip


def mask_rcnn(
    logits: Any,
    boxes: Any,
    labels: Any,
    targets: Any,
    masks: Any,
    mask_labels: Any,
    mask_targets: Any,
    weights: Any = (1.0, 1.0, 1.0),
) -> Any:
    cls = -special.log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    box = sum(
        smooth(boxes[i, 4 * c : 4 * c + 4] - targets[i], 1 / 9).sum() for i, c in enumerate(labels) if c > 0
    ) / len(labels)
    mask = 0.0
    if len(masks):
        chosen = np.stack([m[c] for m, c in zip(masks, mask_labels)])
        mask = (np.logaddexp(0, chosen) - chosen * mask_targets).mean()
    return weights[0] * cls + weights[1] * box + weights[2] * mask


def proposals(found: int, labels: Any = (0, 2, 1, 0, 2)) -> Any:
    def make(r: Inputs) -> Any:
        return (
            r.real(5, 3), r.real(5, 12), np.array(labels), r.real(5, 4), r.real(found, 3, 2, 2), r.index(3, found), r.unit(found, 2, 2),
        )  # fmt: skip

    return make


def replaced(at: int, value: Any) -> Any:
    def make(r: Inputs) -> Any:
        args = list(proposals(2)(r))
        args[at] = value
        return args

    return make


loss(
    "MaskRCNNLoss", proposals(2), mask_rcnn, ("weights", {"weights": (0.5, 2.0, 3.0)}),
    edges=(proposals(0), proposals(2, (0, 0, 0, 0, 0)), replaced(0, np.full((5, 3), 1e4) * np.array([1.0, -1, 0]))),
    errors=(
        (replaced(1, np.ones((5, 4))), ValueOrShape), (replaced(2, np.full(5, 3)), IndexError), (replaced(2, np.zeros(4, dtype=int)), ValueOrShape),
        (replaced(5, np.full(2, 3)), IndexError), (replaced(6, np.ones((2, 3, 3))), ValueOrShape), (replaced(6, np.full((2, 2, 2), 3.0)), ValueError),
        (proposals(2), ValueError, {"weights": (1.0, 1.0)}),
    ),
    **SCALAR,
)  # fmt: skip


# ---- segmentation -----------------------------------------------------------------------------------------------


def entropy(x: Any, y: Any, weight: Any = None, ignore_index: Any = None, reduction: str = "mean") -> Any:
    logs, total, count = special.log_softmax(x, axis=1), 0.0, 0.0
    for at in np.ndindex(*y.shape):
        if y[at] != ignore_index:
            w = 1.0 if weight is None else float(weight[y[at]])
            total -= w * logs[(at[0], y[at], *at[1:])]
            count += w
    return total / count if reduction == "mean" and count else total


def deeplab(
    x: Any, y: Any, aux_weight: float = 0.5, weight: Any = None, ignore_index: int = 255, reduction: str = "mean"
) -> Any:
    outputs = x if isinstance(x, list) else [x]
    return sum(f * entropy(o, y, weight, ignore_index, reduction) for f, o in zip((1, aux_weight), outputs))


def labels(r: Inputs) -> Any:
    return r.one_of([0, 1, 2, 255], 2, 3, 3)


loss(
    "DeepLabLoss", lambda r: (r.real(2, 3, 3, 3), labels(r)), deeplab, ("sum", {"reduction": "sum", "weight": pydl.tensor([0.5, 1.0, 2.0])}),
    edges=(lambda r: (r.real(1, 2, 3, 3) * 1e4, np.full((1, 3, 3), 255)), lambda r: (r.real(1, 2, 3, 3) * 1e4, r.index(2, 1, 3, 3))),
    errors=(
        (lambda r: (r.real(2, 3, 3, 3), np.full((2, 3, 3), 3)), IndexError),
        (lambda r: (r.real(2, 3, 3, 3), np.zeros((1, 3, 3), dtype=int)), ValueOrShape),
        (lambda r: (r.real(2, 3, 3, 3), r.unit(2, 3, 3)), TypeError),
        (lambda r: (r.real(2, 3, 3, 3), labels(r)), ValueError, {"reduction": "none"}),
        (lambda r: (r.real(2, 3, 3, 3), labels(r)), ValueOrShape, {"weight": pydl.ones(2)}),
        (lambda r: ([r.real(2, 3, 3, 3)] * 3, labels(r)), ValueError),
    ),
    half=False, **SCALAR,
)  # fmt: skip
loss(
    "DeepLabLoss",
    lambda r: ([r.real(2, 3, 3, 3), r.real(2, 3, 3, 3)], labels(r)),
    deeplab,
    options={"aux_weight": 0.3},
    label="pair",
    **SCALAR,
)


def unet(
    x: Any, y: Any, lambd: float = 1.0, dice_weight: float = 1.0, include_background: bool = True, squared: bool = False,
    batch: bool = False, ignore_index: Any = None,
) -> Any:  # fmt: skip
    shared: dict[str, Any] = {"squared": squared, "batch": batch}
    if x.shape[1] == 1:
        keep = y != ignore_index
        values = (np.logaddexp(0, x) - x * y)[keep]
        p = special.expit(x) * keep
        return dice_weight * overlap("dice")(p, y * keep, **shared).mean() + lambd * (
            values.mean() if keep.any() else 0.0
        )
    dice = overlap("dice")(
        x, y, softmax=True, include_background=include_background, ignore_index=ignore_index, **shared
    ).mean()
    cross = (
        entropy(x, y, None, ignore_index) if y.ndim < x.ndim else -(y * special.log_softmax(x, axis=1)).sum(1).mean()
    )
    return dice_weight * dice + lambd * cross


loss(
    "UNetLoss", lambda r: (r.real(2, 3, 4), r.one_of([0, 1, 2, 9], 2, 4)), unet, ("batch", {"ignore_index": 9, "batch": True, "squared": True}),
    options={"ignore_index": 9, "include_background": False, "lambd": 0.3, "dice_weight": 2.0},
    edges=(lambda r: (r.real(2, 3, 4) * 1e4, np.full((2, 4), 9)), lambda r: (r.real(2, 3, 4) * 1e4, r.index(3, 2, 4))),
    errors=(
        (lambda r: (r.real(2, 3, 4), np.full((2, 4), 3)), IndexError),
        (lambda r: (r.real(2, 3, 4), r.index(3, 2, 5)), ValueOrShape),
        (lambda r: (r.real(2, 3, 4), r.unit(2, 4)), TypeError),
    ),
    **SCALAR,
)  # fmt: skip
loss("UNetLoss", lambda r: (r.real(2, 3, 4), r.simplex(2, 3, 4, axis=1)), unet, label="probabilities", **SCALAR)
loss(
    "UNetLoss", lambda r: (r.real(2, 1, 4), r.one_of([0, 1, 9], 2, 1, 4)), unet, options={"ignore_index": 9}, label="binary",
    edges=(lambda r: (r.real(1, 1, 4) * 1e4, np.full((1, 1, 4), 9)),),
    errors=((lambda r: (r.real(2, 1, 4), np.full((2, 1, 4), 2)), ValueError), (lambda r: (r.real(2, 1, 4), r.index(2, 2, 4)), ValueOrShape)),
    **SCALAR,
)  # fmt: skip


def squared_error(x: Any, y: Any) -> Any:
    return (x - y).square().mean() if isinstance(x, pydl.Tensor) else ((x - y) ** 2).mean()


def supervised(outputs: Any, y: Any, f: Any, weights: Any = "exp", resize: str = "nearest-exact") -> Any:
    outputs = outputs if isinstance(outputs, list) else [outputs]
    value = 0.0
    for i, o in enumerate(outputs):
        w = 0.5**i if weights == "exp" else 1.0 if weights == "same" else weights[i]
        # nearest-exact: the pixel whose centre is nearest
        at = np.floor((np.arange(o.shape[2]) + 0.5) * y.shape[2] / o.shape[2]).astype(int)
        value += w * f(o, y[:, :, at])
    return value


def with_loss(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    return cls(inputs[2], **options), inputs[:2]


loss(
    "DeepSupervisionLoss", lambda r: ([r.real(2, 1, 8), r.real(2, 1, 4), r.real(2, 1, 3)], r.real(2, 1, 8), squared_error), supervised,
    ("same", {"weights": "same"}), ("numbers", {"weights": [1.0, 2.0, 0.5]}), build=with_loss,
    errors=(
        (lambda r: ([r.real(2, 1, 8)], r.real(2, 1, 8), squared_error), ValueError, {"weights": [1.0, 2.0]}),
        (lambda r: ([], r.real(2, 1, 8), squared_error), ValueError),
        (lambda r: ([r.real(2, 1, 8)], r.real(2), squared_error), ValueOrShape),
    ),
    half=False, **SCALAR,
)  # fmt: skip
loss(
    "DeepSupervisionLoss",
    lambda r: (r.real(2, 1, 8), r.real(2, 1, 8), squared_error),
    supervised,
    label="single",
    build=with_loss,
    half=False,
    **SCALAR,
)


def uncertain(losses: Any, s: Any, types: Any = "regression") -> Any:
    kinds = [types] * len(losses) if isinstance(types, str) else types
    return sum((0.5 if k == "regression" else 1.0) * np.exp(-v) * x + v / 2 for k, x, v in zip(kinds, losses, s))


def with_variances(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    module = cls(len(inputs[1]), **options).to(inputs[1].dtype)
    with pydl.no_grad():
        module.log_vars.copy_(inputs[1])
    return module, inputs[:1]


loss(
    "UncertaintyWeightedLoss", lambda r: ([r.unit(), r.unit()], r.real(2)), uncertain,
    ("mixed", {"types": ["regression", "classification"]}), build=with_variances,
    errors=(
        (lambda r: ([r.unit()], r.real(2)), ValueError),
        (lambda r: ([r.unit(), r.unit()], r.real(2)), ValueError, {"types": "other"}),
        (lambda r: ([r.unit(), r.unit()], r.real(2)), ValueError, {"types": ["regression"]}),
        (lambda r: ([r.unit(2), r.unit()], r.real(2)), ValueOrShape),
    ),
    **SCALAR,
)  # fmt: skip
