"""Distance maps, differences of gradients, shape priors."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage, special

from . import Constant, Inputs, loss

ValueOrShape = (RuntimeError, ValueError)


def distances(mask: np.ndarray, sampling: Any = None) -> np.ndarray:
    """Signed, with SciPy."""
    out = np.zeros(mask.shape)
    for at in np.ndindex(*mask.shape[:2]):
        m = mask[at] > 0.5
        if m.any() and not m.all():
            outer = ndimage.distance_transform_edt(~m, sampling=sampling)
            out[at] = outer - ndimage.distance_transform_edt(m, sampling=sampling)
    return out


def prepared(x: Any, y: Any, sigmoid: bool, softmax: bool, include_background: bool) -> Any:
    p = special.expit(x) if sigmoid else special.softmax(x, axis=1) if softmax else x
    if y is not None and y.ndim < x.ndim:
        y = np.stack([y == c for c in range(x.shape[1])], 1).astype(float)
    first = 0 if include_background else 1
    return p[:, first:], None if y is None else y[:, first:]


def boundary(
    x: Any,
    y: Any,
    maps: Any = None,
    include_background: bool = True,
    sigmoid: bool = False,
    softmax: bool = False,
    sampling: Any = None,
) -> Any:
    p, g = prepared(x, y, sigmoid, softmax, include_background)
    phi = distances(g, sampling) if maps is None else maps[:, 0 if include_background else 1 :]
    return p * phi


def masks(r: Inputs) -> Any:
    return r.unit(2, 3, 4, 5), Constant(r.index(2, 2, 3, 4, 5).astype(float))


def blank(r: Inputs) -> Any:
    return r.unit(1, 2, 3, 3), np.zeros((1, 2, 3, 3), dtype=int)


def filled(r: Inputs) -> Any:
    return r.unit(1, 2, 3, 3), np.ones((1, 2, 3, 3), dtype=int)


ERRORS: tuple[Any, ...] = (
    (lambda r: (r.unit(2, 3, 4), r.index(2, 2, 3, 5)), ValueOrShape),
    (lambda r: (r.unit(2, 3, 4), np.full((2, 4), 3)), IndexError),
    (lambda r: (r.unit(2), r.unit(2)), ValueOrShape),
    (masks, ValueError, {"sigmoid": True, "softmax": True}),
)
loss(
    "BoundaryLoss", masks, boundary, ("sampling", {"sampling": [0.5, 2.0], "sigmoid": True, "include_background": False}),
    edges=(blank, filled),
    errors=(
        *ERRORS,
        (lambda r: (r.unit(2, 3, 4), None), ValueError),
        (lambda r: (r.unit(2, 3, 4), None, r.real(2, 3, 5)), ValueOrShape),
    ),
)  # fmt: skip
loss(
    "BoundaryLoss", lambda r: (r.real(2, 3, 7), r.index(3, 2, 7)), boundary, options={"softmax": True}, label="indices",
    edges=(lambda r: (r.real(2, 3, 7) * 1e4, r.index(3, 2, 7)),),
)  # fmt: skip
loss(
    "BoundaryLoss", lambda r: (r.unit(2, 3, 4), None, Constant(r.real(2, 3, 4))), boundary, options={"include_background": False},
    label="maps", sliced=(0, 2),
)  # fmt: skip


def hausdorff_dt(
    x: Any, y: Any, alpha: float = 2.0, include_background: bool = True, sigmoid: bool = False, softmax: bool = False
) -> Any:
    p, g = prepared(x, y, sigmoid, softmax, include_background)
    weight = np.abs(distances(p)) ** alpha + np.abs(distances(g)) ** alpha
    return ((p - g) ** 2 * weight).reshape(*p.shape[:2], -1).mean(2)


loss(
    "HausdorffDTLoss", masks, hausdorff_dt, ("alpha", {"alpha": 1.0, "include_background": False}),
    edges=(blank, filled, lambda r: (np.zeros((1, 1, 3)), np.zeros((1, 1, 3)))), errors=ERRORS,
)  # fmt: skip
loss(
    "HausdorffDTLoss",
    lambda r: (r.real(2, 3, 4), r.index(3, 2, 4)),
    hausdorff_dt,
    options={"softmax": True},
    label="indices",
)


def gradient_boundary(x: Any, y: Any, lambd: float = 1.0, gradient_reduction: str = "mean") -> Any:
    out = []
    for a, b in zip(x, y):
        value = np.abs(a - b).mean()
        for axis in range(1, a.ndim):
            step = np.abs(np.diff(a, axis=axis) - np.diff(b, axis=axis))
            if step.size:
                value += lambd * (step.mean() if gradient_reduction == "mean" else step.sum())
        out.append(value)
    return np.array(out)


loss(
    "GradientBoundaryLoss",
    lambda r: (r.real(2, 3, 4, 5), r.real(2, 3, 4, 5)),
    gradient_boundary,
    ("sum", {"gradient_reduction": "sum", "lambd": 0.3}),
    edges=(lambda r: (np.zeros((1, 1, 3)), np.zeros((1, 1, 3))), lambda r: (r.real(1, 1, 1), r.real(1, 1, 1))),
    errors=(
        (lambda r: (r.real(2, 3), r.real(2, 3)), ValueOrShape),
        (lambda r: (r.real(2, 3, 4), r.real(2, 3, 1)), ValueOrShape),
    ),
)


def shape_prior(x: Any, prior: Any, kind: str = "mask", align: str = "similarity", weight: float = 1.0) -> Any:
    def moments(p: np.ndarray) -> Any:
        rows, columns = np.mgrid[: p.shape[0], : p.shape[1]]
        mass = p.sum()
        c = np.array([(p * columns).sum(), (p * rows).sum()]) / mass
        return c, np.sqrt((p * ((columns - c[0]) ** 2 + (rows - c[1]) ** 2)).sum() / mass)

    out = []
    for p in x[:, 0]:
        if align == "none":
            a = prior
        else:
            (c, s), (c1, s1) = moments(p), moments((prior < 0).astype(float) if kind == "sdf" else prior)
            k = s1 / s if align == "similarity" else 1.0
            rows, columns = np.mgrid[: p.shape[0], : p.shape[1]].astype(float)
            at = [c1[1] + k * (rows - c[1]), c1[0] + k * (columns - c[0])]
            if kind == "sdf":
                a = ndimage.map_coordinates(prior, at, order=1, mode="nearest") / k
            else:
                a = ndimage.map_coordinates(np.pad(prior, 1), [t + 1 for t in at], order=1, mode="constant")
        out.append(weight * ((p * a).mean() if kind == "sdf" else ((p - a) ** 2).mean()))
    return np.array(out)


def with_prior(cls: Any, inputs: list[Any], options: dict[str, Any]) -> Any:
    return cls(inputs[1].detach(), **options), inputs[:1]


def atlas(r: Inputs) -> Any:
    return r.unit(2, 1, 5, 6), r.unit(4, 7)


def signed(r: Inputs) -> Any:
    rows, columns = np.mgrid[:5, :6]
    return r.unit(2, 1, 5, 6), Constant(np.hypot(rows - 2.2, columns - 2.6) - 1.7)


PRIOR: dict[str, Any] = {"build": with_prior, "sliced": (0,), "gradcheck": False, "gradgradcheck": False}
loss(
    "ShapePriorLoss",
    atlas,
    shape_prior,
    ("translation", {"align": "translation", "weight": 2.0}),
    edges=(
        lambda r: (np.zeros((1, 1, 4, 4)), Constant(r.unit(4, 4))),
        lambda r: (np.ones((1, 1, 4, 4)), Constant(np.zeros((4, 4)))),
        lambda r: (np.eye(4)[None, None] * np.eye(4)[0], Constant(np.eye(4))),
    ),
    errors=(
        (lambda r: (r.unit(2, 2, 5, 6), r.unit(4, 7)), ValueOrShape),
        (lambda r: (r.unit(2, 1, 5, 6), r.unit(4)), ValueOrShape),
        (lambda r: (r.unit(2, 1, 5, 6), r.unit(4, 6)), ValueOrShape, {"align": "none"}),
        (lambda r: (r.real(2, 1, 5, 6) * 3, r.unit(5, 6)), ValueError),
        (lambda r: (r.unit(2, 1, 5, 6), r.unit(5, 6) + 1), ValueError),
    ),
    **PRIOR,
)
loss(
    "ShapePriorLoss", lambda r: (r.unit(2, 1, 5, 6), r.unit(5, 6)), shape_prior, options={"align": "none"}, label="none",
    build=with_prior, sliced=(0,),
)  # fmt: skip
loss(
    "ShapePriorLoss",
    signed,
    shape_prior,
    ("sdf-moved", {"kind": "sdf", "align": "translation"}),
    options={"kind": "sdf"},
    label="sdf",
    **PRIOR,
)
