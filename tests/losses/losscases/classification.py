"""Focal loss, weighted cross-entropy, Lovasz extensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from . import Constant, Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def focal(
    x: Any, y: Any, alpha: Any = None, gamma: float = 2.0, ignore_index: int = -100, from_logits: bool = True
) -> np.ndarray:
    out = np.zeros(y.shape)
    for at in np.ndindex(*y.shape):
        t = y[at]
        if t == ignore_index:
            continue
        if x.shape == y.shape:
            z = x[at]
            p, log_p, log_q = (
                (special.expit(z), special.log_expit(z), special.log_expit(-z))
                if from_logits
                else (z, np.log(z), np.log1p(-z))
            )
            pt = p * t + (1 - p) * (1 - t)
            factor = 1 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
            out[at] = -factor * (1 - pt) ** gamma * (t * log_p + (1 - t) * log_q)
        else:
            row = x[(at[0], slice(None), *at[1:])]
            log_p = special.log_softmax(row)[t] if from_logits else np.log(row[t])
            factor = 1 if alpha is None else alpha[t] if np.ndim(alpha) else alpha
            out[at] = -factor * (1 - np.exp(log_p)) ** gamma * log_p
    return out


def kept_mean(ignored: int) -> Any:
    def reduced(values: np.ndarray, reduction: str, inputs: Any) -> Any:
        count = (inputs[1] != ignored).sum()
        return values.sum() if reduction == "sum" else values.sum() / max(1, count)

    return reduced


def huge(r: Inputs) -> Any:
    return np.array([[1e4, -1e4, 3e4]]), np.array([[1, 1, 0]])


loss(
    "FocalLoss",
    lambda r: (r.real(2, 5), Constant(r.unit(2, 5))),
    focal,
    ("alpha", {"alpha": 0.25, "gamma": 0.5}),
    ("cross-entropy", {"gamma": 0.0}),
    edges=(huge,),
    errors=(
        (lambda r: (r.real(2, 5), r.unit(2, 4)), ValueOrShape),
        (lambda r: (r.real(2, 5), np.array([[0, 1, 2, 0, 0]] * 2)), ValueError),
        (lambda r: (r.real(2, 5), np.array([1, 5])), IndexError),
        (lambda r: (r.real(2, 5), r.index(2, 2, 5)), ValueError, {"gamma": -1.0}),
        (lambda r: (r.real(2, 5), r.index(2, 2, 5)), ValueError, {"alpha": [0.5, 0.5]}),
        (lambda r: (r.real(2, 5), np.array([1, 2])), ValueOrShape, {"alpha": [0.5, 0.5]}),
        (lambda r: (r.real(2, 5) + 5, r.index(2, 2, 5)), ValueError, {"from_logits": False}),
    ),
)
loss(
    "FocalLoss", lambda r: (r.unit(3, 4), r.index(2, 3, 4)), focal, options={"from_logits": False}, label="probabilities",
    edges=(lambda r: (np.array([[0.0, 1.0, 1.0]]), np.array([[1, 1, 0]])),),
)  # fmt: skip
loss(
    "FocalLoss", lambda r: (r.real(2, 3, 4), r.one_of([0, 1, 2, 7], 2, 4)), focal,
    options={"ignore_index": 7, "alpha": [0.2, 0.5, 1.0]}, label="classes", reduced=kept_mean(7),
    edges=(lambda r: (r.real(2, 3, 4) * 1e4, r.index(3, 2, 4)), lambda r: (r.real(2, 3, 4), np.full((2, 4), 7))),
)  # fmt: skip
loss(
    "FocalLoss", lambda r: (r.simplex(2, 3, 4, axis=1), r.index(3, 2, 4)), focal,
    options={"from_logits": False, "alpha": 0.5, "gamma": 1.5}, label="class-probabilities",
    edges=(lambda r: (np.array([[1.0, 0.0]]), np.array([1])), lambda r: (np.array([[1.0, 0.0]]), np.array([0]))),
)  # fmt: skip


def weighted(x: Any, y: Any, weight: Any = 0.5, balanced: bool = True, from_logits: bool = True) -> Any:
    w = 1 - y.mean() if weight is None else np.asarray(weight)
    yes, no = (special.log_expit(x), special.log_expit(-x)) if from_logits else (np.log(x), np.log1p(-x))
    return -(w * y * yes + ((1 - w) if balanced else 1) * (1 - y) * no)


loss(
    "WeightedCrossEntropyLoss",
    lambda r: (r.real(3, 4), r.unit(3, 4)),
    weighted,
    ("positives", {"weight": 3.0, "balanced": False}),
    edges=(huge,),
    errors=(
        (lambda r: (r.real(3), r.unit(4)), ValueOrShape),
        (lambda r: (r.real(3), r.unit(3)), ValueError, {"weight": 1.5}),
        (lambda r: (r.real(3), r.unit(3) + 1), ValueError),
        (lambda r: (r.unit(3) + 1, r.unit(3)), ValueError, {"from_logits": False}),
    ),
)
loss(
    "WeightedCrossEntropyLoss",
    lambda r: (r.real(3, 4), r.unit(3, 4)),
    weighted,
    options={"weight": None},
    label="share",
    sliced=None,
)
loss(
    "WeightedCrossEntropyLoss", lambda r: (r.unit(3, 4), Constant(r.unit(3, 4))), weighted, options={"from_logits": False, "weight": 0.2},
    label="probabilities", edges=(lambda r: (np.array([0.0, 1.0]), Constant(np.array([1.0, 0.0]))),),
)  # fmt: skip


def jaccard_gain(truth: np.ndarray) -> np.ndarray:
    """J_k - J_{k-1} from the counts themselves, after Berman et al."""
    members = truth.sum()
    jaccard = []
    for k in range(1, len(truth) + 1):
        inside = truth[:k].sum()
        jaccard.append(1 - (members - inside) / (members + k - inside))
    return np.diff([0.0, *jaccard])


def extension(errors: np.ndarray, truth: np.ndarray) -> float:
    if len(errors) == 0:
        return 0.0
    order = np.argsort(-errors, kind="stable")
    return float((np.maximum(errors[order], 0) * jaccard_gain(truth[order].astype(float))).sum())


def lovasz_hinge(x: Any, y: Any, per_image: bool = True, multilabel: bool = False, ignore_index: Any = None) -> Any:
    out = []
    for n in range(len(x)) if per_image else [slice(None)]:
        total = 0.0
        for c in range(x.shape[1]) if multilabel else [None]:
            part = (n,) if c is None else (n, c) if per_image else (n, slice(c, c + 1))
            labels = y[part].reshape(-1)
            keep = labels != ignore_index
            labels, scores = labels[keep], x[part].reshape(-1)[keep]
            total += extension(1 - scores * (2 * labels - 1), labels)
        out.append(total)
    return np.array(out)


loss(
    "LovaszHingeLoss",
    lambda r: (r.real(3, 2, 3), r.index(2, 3, 2, 3)),
    lovasz_hinge,
    ("multilabel", {"multilabel": True, "per_image": True}),
    ("ignore", {"ignore_index": 0}),
    edges=(
        lambda r: (r.real(2, 4), np.zeros((2, 4), dtype=int)),
        lambda r: (r.real(2, 4), np.ones((2, 4), dtype=bool)),
        lambda r: (r.real(2, 4) * 1e4, r.index(2, 2, 4)),
        lambda r: (np.zeros((2, 4)), r.index(2, 2, 4)),
        lambda r: (np.zeros((2, 0)), np.zeros((2, 0), dtype=int)),
    ),
    errors=(
        (lambda r: (r.real(3, 4), r.index(2, 3, 3)), ValueOrShape),
        (lambda r: (r.real(3, 4), np.full((3, 4), 2)), ValueError),
        (lambda r: (r.real(3), r.index(2, 3)), ValueOrShape, {"multilabel": True}),
    ),
)
for label, options in {
    "batch": {"per_image": False},
    "batch-multilabel": {"per_image": False, "multilabel": True, "ignore_index": 5},
}.items():
    values = [0, 1, 5] if "multilabel" in label else [0, 1]
    loss(
        "LovaszHingeLoss", lambda r, v=values: (r.real(3, 2, 3), r.one_of(v, 3, 2, 3)), lovasz_hinge,
        options=options, label=label, sliced=None,
    )  # fmt: skip
loss("LovaszHingeLoss", lambda r: (r.real(1, 700), r.index(2, 1, 700)), lovasz_hinge, label="many", gradcheck=False)


def lovasz_softmax(
    x: Any,
    y: Any,
    classes: Any = "present",
    per_image: bool = False,
    ignore_index: Any = None,
    from_logits: bool = True,
) -> Any:
    p = np.moveaxis(special.softmax(x, axis=1) if from_logits else x, 1, -1)
    out = []
    for n in range(len(x)) if per_image else [slice(None)]:
        labels = y[n].reshape(-1)
        keep = labels != ignore_index
        chances, labels = p[n].reshape(-1, x.shape[1])[keep], labels[keep]
        chosen = np.unique(labels) if classes == "present" else range(x.shape[1]) if classes == "all" else classes
        values = [extension(np.abs((labels == c) - chances[:, c]), labels == c) for c in chosen]
        out.append(np.mean(values) if values else 0.0)
    return np.array(out)


def pixels(r: Inputs) -> Any:
    return r.real(2, 4, 5), r.index(3, 2, 5)


loss(
    "LovaszSoftmaxLoss",
    pixels,
    lovasz_softmax,
    ("all", {"classes": "all"}),
    ("some", {"classes": [0, 3]}),
    sliced=None,
    edges=(
        lambda r: (r.real(2, 3, 4) * 1e4, r.index(3, 2, 4)),
        lambda r: (np.zeros((2, 3, 4)), np.zeros((2, 4), dtype=int)),
        lambda r: (r.real(2, 1, 4), np.zeros((2, 4), dtype=int)),
    ),
    errors=(
        (lambda r: (r.real(2, 4, 5), r.index(3, 2, 4)), ValueOrShape),
        (lambda r: (r.real(2, 4, 5), np.full((2, 5), 4)), IndexError),
        (lambda r: (r.real(2, 4, 5), r.unit(2, 5)), TypeError),
        (pixels, IndexError, {"classes": [0, 4]}),
        (pixels, ValueError, {"from_logits": False}),
    ),
)
loss("LovaszSoftmaxLoss", pixels, lovasz_softmax, options={"per_image": True}, label="per_image")
loss("LovaszSoftmaxLoss", pixels, lovasz_softmax, options={"per_image": True, "ignore_index": 1}, label="ignore")
loss(
    "LovaszSoftmaxLoss", lambda r: (r.simplex(2, 4, 5, axis=1), r.index(3, 2, 5)), lovasz_softmax, options={"from_logits": False},
    label="probabilities", sliced=None, edges=(lambda r: (np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([[0, 0]])),),
)  # fmt: skip
loss(
    "LovaszSoftmaxLoss", lambda r: (r.real(1, 3, 800), r.index(3, 1, 800)), lovasz_softmax, options={"ignore_index": 2},
    label="many", sliced=None, gradcheck=False, half=False,
    edges=(lambda r: (r.real(1, 3, 4), np.full((1, 4), 2)),),
)  # fmt: skip
