"""Dice, Jaccard, Tversky and their kin."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from . import Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def regions(
    x: Any,
    y: Any,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    ignore_index: Any = None,
) -> Any:
    """Per sample and channel the kept pixels of p and g, as a table of pairs."""
    p = special.expit(x) if sigmoid else special.softmax(x, axis=1) if softmax else x
    keep = np.ones((len(x), *x.shape[2:]), dtype=bool)
    if y.ndim < x.ndim:
        keep = y != ignore_index
        y = np.stack([y == c for c in range(x.shape[1])], 1).astype(float)
    first = 0 if include_background else 1
    return [[(p[n, c][keep[n]], y[n, c][keep[n]]) for c in range(first, x.shape[1])] for n in range(len(x))]


def evaluated(table: Any, ratio: Any, batch: bool) -> np.ndarray:
    if batch:
        table = [[tuple(np.concatenate([row[c][k] for row in table]) for k in (0, 1)) for c in range(len(table[0]))]]
    values = np.array([[ratio(p, g) for p, g in row] for row in table])
    return values[0] if batch else values


def overlap(kind: str) -> Any:
    def reference(
        x: Any, y: Any, squared: bool = False, batch: bool = False, weight: Any = None, smooth_nr: float = 1e-5,
        smooth_dr: float = 1e-5, alpha: float = 0.3, beta: float = 0.7, tp_weight: float = 1.0, gamma: float = 4 / 3, **options: Any,
    ) -> Any:  # fmt: skip
        def ratio(p: Any, g: Any) -> Any:
            i, sp, sg = (p * g).sum(), (p**2 if squared else p).sum(), (g**2 if squared else g).sum()
            if kind == "dice":
                return 1 - (2 * i + smooth_nr) / (sp + sg + smooth_dr)
            if kind == "jaccard":
                return 1 - (i + smooth_nr) / (sp + sg - i + smooth_dr)
            wrong, missed = (p * (1 - g)).sum(), ((1 - p) * g).sum()
            value = 1 - (i + smooth_nr) / (tp_weight * i + alpha * wrong + beta * missed + smooth_dr)
            return value ** (1 / gamma) if kind == "focal" else value

        values = evaluated(regions(x, y, **options), ratio, batch)
        return values if weight is None else values * np.asarray(weight)

    return reference


def dense(r: Inputs) -> Any:
    return r.unit(2, 3, 4), r.unit(2, 3, 4)


def labelled(r: Inputs) -> Any:
    return r.real(2, 3, 4), r.index(3, 2, 4)


def empty(r: Inputs) -> Any:
    return np.zeros((1, 2, 4)), np.zeros((1, 2, 4))


def full(r: Inputs) -> Any:
    return np.ones((1, 2, 4)), np.ones((1, 2, 4))


def missed(r: Inputs) -> Any:
    return np.zeros((1, 2, 4)), np.ones((1, 2, 4))


ERRORS: tuple[Any, ...] = (
    (lambda r: (r.unit(2, 3, 4), r.unit(2, 3, 5)), ValueOrShape),
    (lambda r: (r.unit(2), r.unit(2)), ValueOrShape),
    (lambda r: (r.unit(2, 3, 4), np.full((2, 4), 3)), IndexError),
    (lambda r: (r.unit(2, 3, 4), np.full((2, 4), -1)), IndexError),
    (lambda r: (r.unit(2, 3, 4), r.unit(2, 4)), TypeError),
    (lambda r: (r.unit(2, 3, 4), 255 * np.ones((2, 3, 4), dtype=int)), ValueError),
    (dense, ValueError, {"sigmoid": True, "softmax": True}),
    (lambda r: (r.unit(2, 1, 4), r.unit(2, 1, 4)), ValueError, {"softmax": True}),
    (lambda r: (r.unit(2, 1, 4), r.unit(2, 1, 4)), ValueError, {"include_background": False}),
)
WEIGHT_ERROR = ((dense, ValueOrShape, {"weight": [1.0, 2.0]}),)

SHARED: dict[str, dict[str, Any]] = {
    "softmax": {"softmax": True, "ignore_index": 1},
    "sigmoid": {"sigmoid": True, "include_background": False, "weight": [0.5, 2.0]},
}
for name, kind in (
    ("DiceLoss", "dice"),
    ("JaccardLoss", "jaccard"),
    ("TverskyLoss", "tversky"),
    ("FocalTverskyLoss", "focal"),
):
    base = {"alpha": 0.3, "beta": 0.7} if kind == "tversky" else {}
    squares: dict[str, Any] = (
        {"squared": True, "smooth_nr": 0.0, "smooth_dr": 1e-2} if kind in ("dice", "jaccard") else {"alpha": 0.9}
    )
    more = {"tp_weight": 2.0} if kind == "tversky" else {"gamma": 2.0} if kind == "focal" else {}
    loss(
        name,
        dense,
        overlap(kind),
        ("squared", {**base, **squares, **more}),
        options=base,
        edges=(empty, full, missed),
        errors=(*ERRORS, *WEIGHT_ERROR),
    )
    loss(name, dense, overlap(kind), options={**base, "batch": True}, label="batch", sliced=None, edges=(empty,))
    for label, options in SHARED.items():
        loss(
            name, labelled, overlap(kind), options={**base, **options}, label=label,
            edges=(
                lambda r: (r.real(2, 3, 4) * 1e4, r.index(3, 2, 4)),
                lambda r: (r.real(2, 3, 4), np.ones((2, 4), dtype=int)),
                lambda r: (np.zeros((2, 3, 0)), np.zeros((2, 0), dtype=int)),
            ),
        )  # fmt: skip
loss("DiceLoss", lambda r: (r.unit(3, 4), r.index(4, 3)), overlap("dice"), label="no-pixels-dims")


def generalized(
    x: Any, y: Any, w_type: str = "square", squared: bool = False, batch: bool = False, smooth_nr: float = 1e-5,
    smooth_dr: float = 1e-5, **options: Any,
) -> Any:  # fmt: skip
    table = regions(x, y, **options)
    if batch:
        table = [[tuple(np.concatenate([row[c][k] for row in table]) for k in (0, 1)) for c in range(len(table[0]))]]
    out = []
    for row in table:
        volumes = [float(g.sum()) for _, g in row]
        power = {"square": 2, "simple": 1, "uniform": 0}[w_type]
        weights = [v**-power if v > 0 else None for v in volumes]
        most = max((w for w in weights if w is not None), default=0.0)
        weights = [most if w is None else w for w in weights]
        top = sum(w * (p * g).sum() for w, (p, g) in zip(weights, row))
        bottom = sum(w * ((p**2 + g**2) if squared else p + g).sum() for w, (p, g) in zip(weights, row))
        out.append(1 - (2 * top + smooth_nr) / (bottom + smooth_dr))
    return np.array(out)


def binary(r: Inputs) -> Any:
    """The weights are constants of the target: without its derivative."""
    return r.unit(2, 3, 4), r.index(2, 2, 3, 4)


loss(
    "GeneralizedDiceLoss",
    binary,
    generalized,
    ("simple", {"w_type": "simple", "squared": True}),
    ("uniform", {"w_type": "uniform", "include_background": False}),
    edges=(empty, full, missed),
    errors=ERRORS,
)
loss("GeneralizedDiceLoss", binary, generalized, options={"batch": True}, label="batch", sliced=None)
loss(
    "GeneralizedDiceLoss", lambda r: (r.real(2, 4, 5), r.index(3, 2, 5)), generalized,
    options={"softmax": True, "ignore_index": 0}, label="absent-class",
    edges=(lambda r: (r.real(2, 3, 4) * 1e4, np.zeros((2, 4), dtype=int)),),
)  # fmt: skip
